/*
 * The methods of a connection and its token: ping, session.renew.
 */

#ifndef WORKERS_ACCOUNT_H
#define WORKERS_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct call;
struct family;

extern const struct family account_family;

/*
 * nginx's answer about the token of a session.renew, for the call that asked:
 * good (with whom it names and until when, s since the epoch) or not.
 */
struct account_token {
    bool good;
    struct str user;
    struct str device;
    uint64_t expires_at;
};

void account_verified(struct call *c, const struct account_token *t);

#endif
