/*
 * Users and their sessions in a worker.  A session is chatd's side of one
 * client connection; the user record gathers the sessions of one user, all of
 * which meet in this worker, and is subscribed to its events in the storage
 * while there is one.
 *
 * A session is live (events go out as they are committed) or behind (it reads
 * pages of its inbox until nothing is missing).  One rule makes it change:
 * an event with the id cursor + 1 goes out, a lower one was out already, a
 * higher one or one that finds the link full is dropped and the session is
 * behind.
 *
 *      OPENING --subscribed--> LIVE --gap, link full, lost, credit--> BEHIND
 *         |                      ^                                      |
 *      refused                   | nothing missing            its turn  |
 *                                +--- PAGED <---page came--- READING <--+
 *                                       |                               ^
 *                                       +----credit, more missing-------+
 */

#ifndef WORKERS_SESSION_H
#define WORKERS_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "map.h"
#include "storage.h"

struct worker;
struct session;
struct sessions;

enum session_state {
    SESSION_OPENING, /* waits for the storage; in sessions.opening       */
    SESSION_LIVE,    /* in no list                                       */
    SESSION_BEHIND,  /* in sessions.waiting, or in its link's parked     */
    SESSION_READING, /* a page is being read; in no list                 */
    SESSION_PAGED,   /* a page is on its way to the client; in no list   */
};

/* The start of what waits for a session that may go: see pages.c. */
struct session_pages {
    struct session_pages *next;
    void (*gone)(struct session *s); /* all of it is to be forgotten */
};

struct session {
    struct map_entry entry; /* in session_link.by_handle */
    uint64_t handle;
    struct session_link *link;
    struct user *user;
    TAILQ_ENTRY(session) of_user;
    TAILQ_ENTRY(session) list; /* by state */
    uint64_t cursor;           /* last inbox id given to the link          */
    union {
        uint64_t opened_ms; /* OPENING                                 */
        uint64_t page_from; /* READING, PAGED: cursor before that page */
    };
    uint64_t limited_until_ms; /* after a 429: a request before ends it    */
    uint32_t heartbeat_s;
    uint32_t message_max;
    uint32_t rate; /* requests a second times 1000, 0: no limit */
    uint32_t burst;
    struct watches *watches;                  /* watch.c; NULL: none */
    struct session_pages *pages, *pages_last; /* pages.c: those that wait */
    struct touch *touch; /* what is asked about its token           */
    char *jti;           /* of its token, heap; NULL: none          */
    uint64_t issued_at;  /* as in session_open                      */
    uint8_t state;       /* enum session_state; session_set_state only */
    uint8_t n_pages;     /* pages.c: requests on their way          */
    uint8_t pages_read;  /* stream.c: in a row, so far as it matters */
    bool after_given : 1;
    bool resumed : 1;
    bool refuse_unknown : 1;
    bool parked : 1;
    bool missed : 1;      /* something newer than the page being read exists */
    bool more : 1;        /* the page did not reach the end                  */
    bool pages_batch : 1; /* pages.c: a batch is on its way             */
    bool ended : 1;       /* its device was removed: nothing is done for it */
    uint8_t jti_len;
    uint8_t device_len;
    char device[];
};

TAILQ_HEAD(session_list, session);

/* What this file keeps for each nginx link; embedded in front.c's struct. */
struct session_link {
    struct map by_handle;
    struct session_list parked; /* BEHIND, and the link is full */
};

/* What an OPEN says; strings live until the call returns. */
struct session_open {
    uint64_t handle;
    struct str user;
    struct str device;  /* empty: one is made */
    struct str jti;     /* of the token; empty: none */
    uint64_t issued_at; /* of a token for this device, s; 0: not known */
    uint64_t after;
    uint32_t heartbeat_s;
    uint32_t message_max;
    uint32_t rate;
    uint32_t burst;
    bool after_given;
    bool resumed;
    bool refuse_unknown;
};

struct sessions *sessions_create(struct worker *w); /* NULL: no memory */
void sessions_free(struct sessions *all);           /* all links are gone */

void session_link_init(struct session_link *l);

/* Closes all of its sessions. */
void session_link_clear(struct sessions *all, struct session_link *l);

/* Pages may go out again. */
void session_link_drained(struct sessions *all, struct session_link *l);

/*
 * Answers with front_ready or front_refuse, later (before return when memory
 * runs out).  A handle that is open already is taken over by the new OPEN.
 */
void session_open(struct sessions *all, struct session_link *l,
                  const struct session_open *open);

/* NULL when there is none, or no longer. */
struct session *session_find(struct session_link *l, uint64_t handle);

void session_close(struct sessions *all, struct session *s);

/* Ends the user's sessions on this device: it was removed. */
void sessions_end_device(struct sessions *all, struct str user,
                         struct str device);

/* The client has written everything up to inbox_id and its queue is empty. */
void session_credit(struct sessions *all, struct session *s, uint64_t inbox_id);

/* A reply that stands at inbox_id in the session's sequence goes out. */
void session_replied(struct session *s, uint64_t inbox_id);

struct str session_user(const struct session *s);
struct str session_device(const struct session *s);
struct str session_jti(const struct session *s); /* empty: none */

/* It goes on under another token.  0, or -1: out of memory, it is as it was. */
int session_set_token(struct session *s, struct str jti, uint64_t issued_at);
size_t sessions_count(const struct sessions *all);

/* The storage's handlers. */
void sessions_event(struct sessions *all, const struct storage_event *e);
void sessions_reset(struct sessions *all);
void sessions_lost(struct sessions *all);

/* Refuses OPENs that waited too long, repeats failed subscriptions; called
 * a few times a second. */
void sessions_tick(struct sessions *all);

#endif
