/* See login_id.h. */

#include "login_id.h"

#include <inttypes.h>
#include <stdio.h>

#define PREFIX "chat:"

/* 64 of them: six bits of each random byte count, 132 in all. */
static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t
login_id_put(char out[LOGIN_ID_SIZE], uint64_t epoch,
             const unsigned char *random)
{
    int len = snprintf(out, LOGIN_ID_SIZE, PREFIX "%" PRIu64 ":", epoch);

    for (int i = 0; i < LOGIN_ID_RANDOM; i++) {
        out[len++] = letters[random[i] & 63];
    }
    out[len] = '\0';
    return (size_t) len;
}

/* A decimal number without leading zeros, up to the colon; 0: none. */
static size_t
get_epoch(struct str s, uint64_t *epoch)
{
    size_t i = 0;

    *epoch = 0;
    while (i < s.len && i < 19 && s.data[i] >= '0' && s.data[i] <= '9') {
        *epoch = *epoch * 10 + (uint64_t) (s.data[i++] - '0');
    }
    return i == 0 || s.data[0] == '0' || i == s.len || s.data[i] != ':' ? 0 : i;
}

bool
login_id_get(struct str jti, uint64_t *epoch)
{
    size_t prefix = sizeof(PREFIX) - 1;
    size_t digits;

    if (jti.len <= prefix || memcmp(jti.data, PREFIX, prefix) != 0) {
        return false;
    }
    jti.data += prefix;
    jti.len -= prefix;
    digits = get_epoch(jti, epoch);
    if (digits == 0 || jti.len != digits + 1 + LOGIN_ID_RANDOM) {
        return false;
    }
    for (size_t i = digits + 1; i < jti.len; i++) {
        if (memchr(letters, jti.data[i], sizeof(letters) - 1) == NULL) {
            return false;
        }
    }
    return true;
}
