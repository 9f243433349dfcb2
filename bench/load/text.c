/*
 * The texts that every dialect sends.
 */

#include "dialect.h"

#define TEXT_POOL ((size_t) 64 << 10)

static char pool[TEXT_POOL];


static void
text_make_pool(void)
{
    uint32_t x = 2463534242u;

    for (size_t i = 0; i < TEXT_POOL; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        pool[i] =
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,"[x % 55];
    }
}


void
dialect_put_text(struct buf *out, const struct text *t)
{
    size_t start = out->len, at = (size_t) (t->seq * 7919 % TEXT_POOL);

    if (pool[0] == '\0') {
        text_make_pool();
    }

    buf_put_u64(out, t->seq);
    buf_put_char(out, ' ');

    while (out->len - start < t->len && !buf_failed(out)) {
        size_t left = t->len - (out->len - start);
        size_t n = left < TEXT_POOL - at ? left : TEXT_POOL - at;

        buf_put(out, pool + at, n);
        at = 0;
    }
}
