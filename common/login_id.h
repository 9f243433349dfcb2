/*
 * The jti of tokens that a log-in here was answered with:
 * "chat:" epoch ":" 22 random letters and digits.  The epoch is the one the
 * account had then; a change of the password begins the next.
 */

#ifndef COMMON_LOGIN_ID_H
#define COMMON_LOGIN_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

#define LOGIN_ID_RANDOM 22

/* The longest one, with a NUL behind. */
#define LOGIN_ID_SIZE (5 + 20 + 1 + LOGIN_ID_RANDOM + 1)

/* Returns its length; random has LOGIN_ID_RANDOM bytes of any value. */
size_t login_id_put(char out[LOGIN_ID_SIZE], uint64_t epoch,
                    const unsigned char *random);

/* false: not of this form, so a site's own. */
bool login_id_get(struct str jti, uint64_t *epoch);

#endif
