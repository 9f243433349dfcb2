/*
 * Accounts over HTTP: signing up, logging in and out, fresh tokens, another
 * password.  These are no JSON-RPC methods: nginx sends them, where
 * chat_accounts is on, to worker 0, which has the table of attempts and the
 * thread that judges passwords.
 *
 * Nothing here makes a token: the answer says what stands in it, and nginx,
 * which alone has the key, signs it.
 */

#ifndef WORKERS_LOGIN_H
#define WORKERS_LOGIN_H

#include <stdbool.h>

#include "storage.h"
#include "str.h"

struct family;
struct logins;
struct worker;

/* Found by their path. */
extern const struct family login_family;

struct logins *logins_create(struct worker *w); /* NULL: out of memory */

/* Fails what waits for the thread, and what would from now on. */
void logins_close(struct logins *all);
void logins_free(struct logins *all);

/* Of a request that is refused for this, sent again after a restart: it may
 * have been done, and be what it is refused for now. */
bool login_may_be_done(struct str path, enum storage_status status);

#endif
