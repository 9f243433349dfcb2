/*
 * One Unix-socket connection that carries wire frames: uv stream on one side,
 * whole frames on the other.  Frames gather in a buffer and are written once
 * a loop turn; a queue exists only after EAGAIN.  A frame that breaks the
 * codec's rules ends the link.  Knows no methods and no roles; the HELLO
 * exchange is the users' (front.c, store.c, storage_remote.c).
 */

#ifndef WORKERS_LINK_H
#define WORKERS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "chat_wire.h"
#include "str.h"

struct link;

struct link_handlers {
    /*
     * One whole frame; payload lives until return.  A return of -1 says the
     * frame is malformed or not allowed now: the link is logged and closed.
     */
    int (*frame)(struct link *l, const struct chat_wire_header *h,
                 const unsigned char *payload, size_t len, void *data);

    /* The link is gone (peer, error, or link_close): called once, last. */
    void (*closed)(struct link *l, void *data);

    /* The queue fell below its bound after link_full() had become true. */
    void (*drained)(struct link *l, void *data);
};

/* Accepts the connection that waits.  NULL: it could not be, and was closed. */
struct link *link_accept(uv_stream_t *listener,
                         const struct link_handlers *handlers, void *data);

/*
 * Closes the connection that waits, without memory: a listener with one that
 * nobody accepts never gives another one.  At most LINK_REFUSED_MAX of all
 * listeners of the process in one turn of the loop.
 */
void link_refuse(uv_stream_t *listener);

#define LINK_REFUSED_MAX 64

/*
 * Connects once.  NULL when that failed at once; otherwise `connected` is
 * called with status 0, or `closed` follows.
 */
struct link *link_connect(uv_loop_t *loop, const char *path,
                          void (*connected)(struct link *l, void *data),
                          const struct link_handlers *handlers, void *data);

void link_set_data(struct link *l, void *data);
void link_close(struct link *l); /* after what is queued was tried once */

/*
 * Starts a frame whose payload is at most `room` bytes: encode into the
 * writer, then link_end.  Both are safe on a closed link.  An allocation
 * failure closes the link (half a frame cannot stay).
 */
struct chat_wire_writer *link_begin(struct link *l, uint8_t type, uint8_t flags,
                                    uint16_t replays, uint64_t id, size_t room);
void link_end(struct link *l);

size_t link_queued(const struct link *l);

/* The queue is over its bound: events (never answers) are dropped now. */
bool link_full(const struct link *l);

void link_pause(struct link *l); /* stops reading */
void link_resume(struct link *l);

#define LINK_QUEUE_MAX ((size_t) 8 << 20)

#endif
