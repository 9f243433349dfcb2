/*
 * The nginx-facing side of a worker: the listening socket worker-N.sock, a
 * link for each nginx worker process, and the frames on them in the words of
 * sessions and requests.  What comes in goes to session.c and method.c; what
 * they answer comes out here.  Nothing here decides anything about chat.
 *
 * A struct session_link stands for a link everywhere outside of front.c.
 */

#ifndef WORKERS_FRONT_H
#define WORKERS_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "storage.h"
#include "str.h"

struct call;
struct front;
struct request;
struct session_link;
struct settings;
struct token_claims;
struct worker;

struct front *front_create(struct worker *w); /* NULL: out of memory */
void front_free(struct front *f);

/* 0, or -1 (logged); front_close is due in both cases. */
int front_listen(struct front *f);

/* Stops listening and closes all links; `closed` is called at the end. */
void front_close(struct front *f, void (*closed)(void *data), void *data);

void front_settings_changed(struct front *f, const struct settings *s);

/* A line for nginx's error log, on one link; kept while there is none. */
void front_notice(struct front *f, enum log_level level, const char *line);

/* Sends STATS to every link if a counter changed. */
void front_stats(struct front *f);

void front_ready(struct session_link *l, uint64_t handle, uint64_t inbox_id,
                 struct str device, struct str text);
void front_refuse(struct session_link *l, uint64_t id, unsigned status,
                  unsigned retry_after, struct str reason, struct str detail);

/* Closes the connection; its CLOSED follows. */
void front_end(struct session_link *l, uint64_t handle, unsigned code,
               struct str reason);

/* Gathers one recipient of the event that front_push_end sends. */
void front_push(struct session_link *l, uint64_t handle, uint64_t inbox_id);
void front_push_end(struct front *f, const struct storage_event *e);

void front_page(struct session_link *l, uint64_t handle,
                const struct storage_entry *entries, uint32_t n);

/* Events are dropped and pages wait now. */
bool front_full(struct session_link *l);

/* The reply to a request, in n parts; handle 0 for an HTTP call. */
void front_reply(struct session_link *l, const struct request *r,
                 uint64_t inbox_id, const struct str *parts, unsigned n);

/* The head of the answer to a resource request; see chat_wire.md. */
struct front_answer {
    unsigned status;
    unsigned seconds; /* of Retry-After or of the wait, 0: none */
    struct str allow; /* empty: none; paged: cursor of the next */
    bool paged;       /* the text is one page of the answer     */
    bool events;      /* the answer is what comes after `after` */
    bool wait;
    bool after_given;
    bool tagged; /* nginx makes an ETag of the text */
    uint64_t after;
    const struct token_claims *token; /* NULL: none */
};

void front_answer(struct session_link *l, const struct request *r,
                  const struct front_answer *a, struct str text);

/* The reply to a request that has no struct (any more): without a text. */
void front_reply_nothing(struct session_link *l, uint64_t number,
                         uint64_t handle);

/*
 * Asks nginx about a token for the call's connection: account_verified is
 * called with the answer, or the call is failed when the link ends.  0, or -1
 * when out of memory.
 */
int front_verify(struct session_link *l, struct call *c, struct str token);

/* The connection goes on under the token that was verified. */
void front_renewed(struct session_link *l, uint64_t handle,
                   const struct token_claims *t);

/* The random number of the nginx process behind a link. */
uint64_t front_instance(struct session_link *l);

/* Requests in flight; forgets those of a link that ends. */
void front_request_begin(struct session_link *l, struct request *r);
void front_request_end(struct session_link *l, struct request *r);

#endif
