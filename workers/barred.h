/*
 * Users who were deleted or disabled: what their clients hear, and the end of
 * their sessions.
 */

#ifndef WORKERS_BARRED_H
#define WORKERS_BARRED_H

#include "storage.h"

struct user;

/* Is that why the storage says no? */
bool barred_is(enum storage_status status);

/* HTTP status, reason and text of a refusal. */
unsigned barred_refusal(enum storage_status status, struct str *reason,
                        struct str *detail);

/* Ends all sessions of the user: 1008, or a refusal where one is opening.
 * Unless he is being subscribed he may be gone afterwards. */
void barred_end(struct user *u, enum storage_status status);

/* The same for a STORAGE_EVENT_USER_ENDED, which has the reason. */
void barred_event(struct user *u, struct str reason);

#endif
