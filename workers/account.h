/*
 * The methods of a connection and its token: ping, session.renew.
 */

#ifndef WORKERS_ACCOUNT_H
#define WORKERS_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "str.h"

struct family;

extern const struct family account_family;

/*
 * nginx's answer about the token of a session.renew, for the call that asked:
 * good (with whom it names and until when, s since the epoch) or not.
 */
struct account_token {
    bool good;
    struct token_claims claims;
};

void account_verified(struct call *c, const struct account_token *t);

#endif
