/*
 * The jti of tokens that a log-in here was answered with:
 * "chat:" epoch ":" 22 random letters and digits ":" lifetime.  The epoch is
 * the one the account had then; a change of the password begins the next.  The
 * lifetime, in s, is the longest that a token of this log-in may have: so it is
 * known, when it is ended, how long that has to be remembered.  Earlier ones
 * say none, and may have any.
 */

#ifndef COMMON_LOGIN_ID_H
#define COMMON_LOGIN_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

#define LOGIN_ID_RANDOM      22
#define LOGIN_LIFETIME_MAX_S 31536000 /* of a token: a year */

/* The longest one, with a NUL behind. */
#define LOGIN_ID_SIZE (5 + 20 + 1 + LOGIN_ID_RANDOM + 1 + 20 + 1)

struct login_id {
    uint64_t epoch;
    uint64_t lifetime_s; /* 1 to LOGIN_LIFETIME_MAX_S */
};

/* Returns its length; random has LOGIN_ID_RANDOM bytes of any value. */
size_t login_id_put(char out[LOGIN_ID_SIZE], const struct login_id *id,
                    const unsigned char *random);

/* false: not of this form, so a site's own. */
bool login_id_get(struct str jti, struct login_id *id);

#endif
