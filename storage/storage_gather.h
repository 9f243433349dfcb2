/*
 * What one commit writes for a user is gathered, his inbox entries and the
 * outcomes of his client_ids, and becomes one record of each: the engine's
 * cost goes with the number of keys.
 */

#ifndef STORAGE_GATHER_H
#define STORAGE_GATHER_H

#include "storage_state.h"

/*
 * The user's next inbox id refers to this.  Without memory the commit being
 * collected will fail.
 */
uint64_t gather_inbox(struct embedded *e, struct user *u,
                      const struct record_inbox *to);

/*
 * What a client_id of the user did, on that day.  The id and the outcome's
 * JSON live until the commit is handed over.  Without memory it will fail.
 */
void gather_outcome(struct embedded *e, struct user *u, uint32_t day,
                    struct str client_id, const struct record_outcome *o);

/* Puts what was gathered into the commit, which is about to be handed over. */
void gather_write(struct embedded *e);

#endif
