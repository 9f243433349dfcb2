/*
 * Deleted users.  DELETE_ACCOUNT bars the user and writes down ('X') that
 * there is something to be done about him.  That goes on in the background, in
 * rounds of a bounded number of ordinary operations on his behalf, each round
 * noted when it is durable: devices and presence go, contacts on both sides,
 * he leaves his groups, and his messages are deleted if he asked for that.
 * Every round may be done again, so a crash costs one at most.
 */

#ifndef STORAGE_ENDING_H
#define STORAGE_ENDING_H

#include "storage_state.h"

/* Once a second: begins where nothing is under way. */
void ending_tick(struct embedded *e);

/* Says to the user's sessions that he is barred; behind the answer.  The
 * reason is a literal.  0, or -1: out of memory. */
int ending_tell(struct embedded *e, struct user *u, struct str reason);

#endif
