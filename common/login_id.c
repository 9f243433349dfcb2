/* See login_id.h. */

#include "login_id.h"

#include <inttypes.h>
#include <stdio.h>

#define PREFIX "chat:"

/* 64 of them: six bits of each random byte count, 132 in all. */
static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t
login_id_put(char out[LOGIN_ID_SIZE], const struct login_id *id,
             const unsigned char *random)
{
    int len = snprintf(out, LOGIN_ID_SIZE, PREFIX "%" PRIu64 ":", id->epoch);

    for (int i = 0; i < LOGIN_ID_RANDOM; i++) {
        out[len++] = letters[random[i] & 63];
    }
    len += snprintf(out + len, LOGIN_ID_SIZE - (size_t) len, ":%" PRIu64,
                    id->lifetime_s);
    return (size_t) len;
}

static bool
take(struct str *s, struct str text)
{
    if (s->len < text.len || memcmp(s->data, text.data, text.len) != 0) {
        return false;
    }
    s->data += text.len;
    s->len -= text.len;
    return true;
}

/* A decimal number above 0, without leading zeros. */
static bool
take_number(struct str *s, uint64_t *n)
{
    size_t i = 0;

    *n = 0;
    while (i < s->len && i < 19 && s->data[i] >= '0' && s->data[i] <= '9') {
        *n = *n * 10 + (uint64_t) (s->data[i++] - '0');
    }
    if (i == 0 || s->data[0] == '0') {
        return false;
    }
    s->data += i;
    s->len -= i;
    return true;
}

static bool
take_random(struct str *s)
{
    if (s->len < LOGIN_ID_RANDOM) {
        return false;
    }
    for (size_t i = 0; i < LOGIN_ID_RANDOM; i++) {
        if (memchr(letters, s->data[i], sizeof(letters) - 1) == NULL) {
            return false;
        }
    }
    s->data += LOGIN_ID_RANDOM;
    s->len -= LOGIN_ID_RANDOM;
    return true;
}

bool
login_id_get(struct str jti, struct login_id *id)
{
    if (!take(&jti, STR(PREFIX)) || !take_number(&jti, &id->epoch)
        || !take(&jti, STR(":")) || !take_random(&jti)) {
        return false;
    }
    id->lifetime_s = LOGIN_LIFETIME_MAX_S;
    if (jti.len == 0) {
        return true;
    }
    return take(&jti, STR(":")) && take_number(&jti, &id->lifetime_s)
           && id->lifetime_s <= LOGIN_LIFETIME_MAX_S && jti.len == 0;
}
