/*
 * Messages that are being changed, in memory: the record as it was sequenced,
 * also what is not yet on disk.  Loaded by a reader when first asked for, kept
 * while a change of it is unpublished, then for as long as there is room.
 */

#ifndef STORAGE_MESSAGE_H
#define STORAGE_MESSAGE_H

#include "storage_state.h"

#define MESSAGES_MAX       1024
#define MESSAGES_BYTES_MAX ((size_t) 16 << 20)

struct message {
    struct map_entry entry;
    struct lru lru;
    struct request_queue waiters;
    uint64_t key[2];  /* channel's number, message id                   */
    struct buf value; /* the record                                     */
    size_t bytes;     /* as counted in e->message_bytes                 */
    uint32_t pins;    /* changes that are not yet published             */
    uint8_t state;    /* enum object_state: LOADING, READY or FAILED    */
};

void messages_init(struct embedded *e);

/* Forgets all of them; requests are the caller's to end. */
void messages_clear(struct embedded *e);

/* Drops what nobody needs, oldest first, down to the bounds. */
void messages_evict(struct embedded *e);

/* For the step of a request in the channel's queue: *m is the message `id`, at
 * most the channel's newest, when STEP_GO; where it cannot be read, that is
 * the answer. */
enum step message_await(struct embedded *e, struct request *r, uint64_t id,
                        struct message **m);

/* Its record into the commit and into *m, whose old one `record` may point
 * to.  The caller makes the event that pins it.  0, or -1. */
int message_put(struct embedded *e, struct message *m,
                const struct record_message *record);

/* Requests that wait for a commit to be published. */
void messages_published(struct embedded *e);

#endif
