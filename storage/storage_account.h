/*
 * Accounts: sign-up, what a password is kept as, ended logins.
 *
 * Whether an id is free is decided in sequence.  The index of folded ids tells
 * which users are on the disk; one made since then stands in a list of those
 * that a look at the disk may not have seen.
 */

#ifndef STORAGE_ACCOUNT_H
#define STORAGE_ACCOUNT_H

#include "storage_state.h"

/* A new user, in the commit being collected.  Without memory to note him that
 * commit is made to fail. */
void account_made(struct embedded *e, const struct user *u);

/* Forgets all: the memory is dropped. */
void account_drop(struct embedded *e);

/* May this token be used?  STORAGE_OK or STORAGE_TOKEN_ENDED; jti empty: it has
 * none.  Whether the user is barred is another question. */
enum storage_status account_check_token(const struct user *u, struct str jti);

/* The user's account, whose strings are his; false: he has none. */
bool account_of(const struct user *u, struct record_account *a);

/* Puts it into the commit and the memory; strings may be of the old one.
 * 0, or -1: out of memory. */
int account_put(struct embedded *e, struct user *u,
                const struct record_account *a);

/* The event by which the worker of the user looks at his sessions, for
 * embedded_event().  NULL: out of memory. */
struct event *account_event(struct embedded *e, struct user *u);

#endif
