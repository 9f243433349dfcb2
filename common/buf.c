/*
 * The growing byte buffer of buf.h.  Capacities double; the one place that
 * allocates is buf_reserve.
 */

#include "buf.h"

#include <stdlib.h>
#include <string.h>

#define BUF_MIN 64

void
buf_init(struct buf *b)
{
    memset(b, 0, sizeof(*b));
}

void
buf_clear(struct buf *b)
{
    free(b->data);
    memset(b, 0, sizeof(*b));
}

void
buf_reset(struct buf *b, size_t keep)
{
    if (b->cap > keep) {
        buf_clear(b);
    }
    b->len = 0;
    b->failed = false;
}

char *
buf_reserve(struct buf *b, size_t n)
{
    if (b->failed) {
        return NULL;
    }
    if (b->data != NULL && n <= b->cap - b->len) {
        return b->data + b->len;
    }
    if (n > BUF_MAX - b->len) {
        b->failed = true;
        return NULL;
    }

    size_t cap = b->cap < BUF_MIN ? BUF_MIN : b->cap;

    while (cap < b->len + n) {
        cap *= 2;
    }

    char *data = realloc(b->data, cap);

    if (data == NULL) {
        b->failed = true;
        return NULL;
    }
    b->data = data;
    b->cap = cap;
    return data + b->len;
}

void
buf_commit(struct buf *b, size_t n)
{
    b->len += n;
}

void
buf_put(struct buf *b, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }

    char *to = buf_reserve(b, len);

    if (to != NULL) {
        memcpy(to, data, len);
        b->len += len;
    }
}

void
buf_put_str(struct buf *b, struct str s)
{
    buf_put(b, s.data, s.len);
}

void
buf_put_char(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char) ('0' + v % 10);
        v /= 10;
    } while (v != 0);

    buf_put(b, digits + at, sizeof(digits) - at);
}

void
buf_put_i64(struct buf *b, int64_t v)
{
    if (v < 0) {
        buf_put_char(b, '-');
        /* -INT64_MIN is no int64_t: negate as unsigned */
        buf_put_u64(b, 0 - (uint64_t) v);
        return;
    }
    buf_put_u64(b, (uint64_t) v);
}

static void
put_escape(struct buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[] = "\bb\ff\nn\rr\tt\"\"\\\\";

    for (const char *n = names; *n != '\0'; n += 2) {
        if ((unsigned char) *n == c) {
            buf_put_char(b, '\\');
            buf_put_char(b, n[1]);
            return;
        }
    }
    buf_put_lit(b, "\\u00");
    buf_put_char(b, hex[c >> 4]);
    buf_put_char(b, hex[c & 15]);
}

void
buf_put_json_str(struct buf *b, struct str s)
{
    size_t done = 0;

    buf_put_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];

        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        buf_put(b, s.data + done, i - done);
        put_escape(b, c);
        done = i + 1;
    }
    if (done < s.len) {
        buf_put(b, s.data + done, s.len - done);
    }
    buf_put_char(b, '"');
}
