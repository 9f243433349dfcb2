/*
 * What is written behind, at most a second late and unsynced: read, delivered
 * and hidden markers of members, cursors of devices.  And receipts, which say
 * that a marker has moved.
 */

#ifndef STORAGE_MARKER_H
#define STORAGE_MARKER_H

#include "storage_state.h"

/* Moves a member's markers forward and tells those who are to know; an own
 * message moves them without a word. */
void marker_advance(struct embedded *e, struct channel *ch, struct member *m,
                    uint64_t read, uint64_t delivered);
void marker_own(struct embedded *e, struct channel *ch, struct member *m,
                uint64_t message_id);

/* Something of the channel or user has changed and is to be written. */
void marker_dirty(struct embedded *e, struct channel *ch, struct member *m);
void marker_dirty_user(struct embedded *e, struct user *u);

/* A member's markers into the commit being collected. */
void marker_put(struct embedded *e, const struct channel *ch, struct member *m);

/* Writes what is due unless a batch is on its way. */
void marker_flush(struct embedded *e);

/* The batch was written. */
void marker_flushed(struct embedded *e);

/* Nothing is left to write. */
bool marker_clean(const struct embedded *e);

/* Forgets all: the memory is dropped. */
void marker_drop(struct embedded *e);

void marker_receipt_timer(uv_timer_t *timer);

#endif
