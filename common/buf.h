/*
 * A growing byte buffer with sticky failure: puts return nothing; after a
 * failed allocation (or past BUF_MAX) every further put is dropped and
 * buf_failed() is true.  Ten puts, one check.
 */

#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

#define BUF_MAX ((size_t) 1 << 30)

struct buf {
    char *data; /* heap, owned; NULL while cap is 0 */
    size_t len;
    size_t cap;
    bool failed;
};

/* A zeroed struct is a good empty buffer; clear frees and zeroes it. */
void buf_init(struct buf *b);
void buf_clear(struct buf *b);

/* Keeps the memory (down to keep bytes of it), forgets content and failure. */
void buf_reset(struct buf *b, size_t keep);

/* Room for n more bytes: pointer to them, or NULL.  buf_commit adds them. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

void buf_put(struct buf *b, const void *data, size_t len);
void buf_put_str(struct buf *b, struct str s);
#define buf_put_lit(b, literal) buf_put((b), (literal), sizeof(literal) - 1)
void buf_put_char(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t v); /* decimal */
void buf_put_i64(struct buf *b, int64_t v);  /* decimal */

/* A JSON string with its quotes; s must be valid UTF-8. Escapes " \ and
 * controls only, as RFC 8259, 7 requires; all else is kept byte for byte. */
void buf_put_json_str(struct buf *b, struct str s);

static inline bool
buf_failed(const struct buf *b)
{
    return b->failed;
}

static inline struct str
buf_str(const struct buf *b)
{
    return (struct str){b->data, b->len};
}

#endif
