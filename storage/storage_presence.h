/*
 * Who is there.  A user is online while he is subscribed, and for the timeout
 * after that or after he was last touched; those are *away*.  Connected users
 * cost one bit here.  What outlives the process is written behind: when a user
 * was last active, and a mark on each who is online, so that after a restart
 * he stays so for the timeout.
 */

#ifndef STORAGE_PRESENCE_H
#define STORAGE_PRESENCE_H

#include "storage_state.h"

#define PRESENCE_TIMEOUT_MS 60000 /* before PRESENCE_START says otherwise */

void presence_open(struct embedded *e);
void presence_close(struct embedded *e);

/* A subscription begins or ends, at publication; user number. */
void presence_enter(struct embedded *e, uint64_t number, bool was_subscribed);
void presence_leave(struct embedded *e, uint64_t number);

/* The user has done something without a connection. */
void presence_touch(struct embedded *e, uint64_t number);

/* Is the user of that number online at this machine? */
bool presence_here(struct embedded *e, uint64_t number);
/* The user was deleted: nothing more of him is written behind. */
void presence_forget(struct embedded *e, struct user *u);

/* Who is away for too long is offline; once a second. */
void presence_tick(struct embedded *e);

/* Puts what is to be written behind into the batch; of how many users. */
uint32_t presence_flush(struct embedded *e);

#endif
