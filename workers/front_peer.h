/*
 * What front.c and front_send.c share and nobody else sees: a peer is one
 * link to an nginx worker process, from accept to its end.
 */

#ifndef WORKERS_FRONT_PEER_H
#define WORKERS_FRONT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uv.h>

#include "chat_wire.h"
#include "front.h"
#include "session.h"

struct link;

#define FRONT_NOTICES_MAX 32 /* kept while no nginx is there */
#define FRONT_NOTICE_SIZE 1024
#define FRONT_N_SOURCES   2 /* this worker, and the store through worker 0 */

/* A session.renew that waits for nginx. */
struct verify {
    TAILQ_ENTRY(verify) link;
    struct call *call;
};

struct gate;

TAILQ_HEAD(gate_list, gate);
TAILQ_HEAD(request_list, request);
TAILQ_HEAD(verify_list, verify);
TAILQ_HEAD(peer_list, peer);

struct target {
    uint64_t handle;
    uint64_t inbox_id;
};

struct peer {
    struct session_link sessions; /* stands for the peer outside */
    TAILQ_ENTRY(peer) link_of_front;
    struct front *front;
    struct link *link;
    bool greeted;
    uint64_t instance;
    uint16_t index; /* of the nginx worker */
    struct request_list requests;
    struct verify_list verifies;
    struct gate_list gates; /* calls whose token is being looked at */

    /* recipients of the event being pushed; grown, kept */
    struct target *targets;
    size_t n_targets;
    size_t cap_targets;
};

struct front {
    struct worker *worker;
    uv_pipe_t listener;
    struct peer_list peers;
    unsigned n_greeted;
    uint64_t instance;
    uint64_t generation;
    uint32_t settings_hash;
    uint64_t stats[FRONT_N_SOURCES][CHAT_WIRE_NCOUNTERS]; /* as sent last */

    char notices[FRONT_NOTICES_MAX][FRONT_NOTICE_SIZE];
    uint8_t notice_levels[FRONT_NOTICES_MAX];
    unsigned n_notices;

    bool closing;
    bool listener_closed;
    void (*closed)(void *data);
    void *closed_data;
};

static inline struct peer *
front_peer(struct session_link *l)
{
    return map_container(l, struct peer, sessions);
}

static inline struct str
front_str(const unsigned char *data, size_t len)
{
    return (struct str){(const char *) data, len};
}

/* 0, or -1: not one that nginx may have sent. */
int front_check_identity(const struct chat_wire_identity *id);

void front_count_replay(struct peer *p, const struct chat_wire_header *h);

/* A CALL: an HTTP request.  0, or -1: a bad frame. */
int front_call(struct peer *p, const struct chat_wire_header *h,
               struct chat_wire_reader *r);

/* The link has ended. */
void front_forget_calls(struct peer *p);

/* All counters and the kept notices, to a link that was just greeted. */
void front_send_greeting(struct peer *p);

#endif
