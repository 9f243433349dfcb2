/*
 * Giving users inbox entries: those of one commit are gathered and written as
 * one record a user, for the engine's cost goes with the number of keys.
 */

#ifndef STORAGE_INBOX_H
#define STORAGE_INBOX_H

#include "storage_state.h"

/*
 * The user's next inbox id refers to this.  Without memory the commit being
 * collected will fail.
 */
uint64_t inbox_add(struct embedded *e, struct user *u,
                   const struct record_inbox *to);

/* Puts what was gathered into the commit, which is about to be handed over. */
void inbox_write(struct embedded *e);

#endif
