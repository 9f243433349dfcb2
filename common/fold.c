/* The only file with utf8proc; see fold.h. */

#include "fold.h"

#include <stdint.h>
#include <stdlib.h>

#include <utf8proc.h>

static bool
is_ascii(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char) text.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static void
put_lower(struct buf *b, struct str text)
{
    char *to = buf_reserve(b, text.len);

    for (size_t i = 0; to != NULL && i < text.len; i++) {
        char c = text.data[i];

        to[i] = c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
    }
    if (to != NULL) {
        buf_commit(b, text.len);
    }
}

void
fold_put(struct buf *b, struct str text, size_t max)
{
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t len;

    if (is_ascii(text)) {
        put_lower(b, (struct str){text.data, text.len < max ? text.len : max});
        return;
    }
    len = utf8proc_map((const utf8proc_uint8_t *) text.data,
                       (utf8proc_ssize_t) text.len, &folded,
                       UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT
                           | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
    if (len < 0) {
        b->failed = true;
        return;
    }
    if ((size_t) len > max) {
        len = (utf8proc_ssize_t) max;
        while (len > 0 && (folded[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    buf_put(b, folded, (size_t) len);
    free(folded);
}
