/*
 * The codec of frame.h (RFC 6455, 5.2).
 */

#include "frame.h"

#include <stdint.h>
#include <string.h>


/* Eight bytes at a time; to may be from. */
static void
frame_mask(char *to, const char *from, size_t len, const unsigned char *mask)
{
    uint64_t key, word;
    size_t i = 0;

    memcpy(&key, mask, 4);
    memcpy((char *) &key + 4, mask, 4);

    for (; len - i >= 8; i += 8) {
        memcpy(&word, from + i, 8);
        word ^= key;
        memcpy(to + i, &word, 8);
    }

    for (; i < len; i++) {
        to[i] = (char) (from[i] ^ mask[i & 3]);
    }
}


static void
frame_put_length(struct buf *out, int opcode, size_t len, int mask_bit)
{
    unsigned char head[10];
    size_t n = 2;

    head[0] = (unsigned char) (0x80 | opcode);
    head[1] = (unsigned char) (mask_bit | (int) len);

    if (len >= 126) {
        n = len < 65536 ? 4 : 10;
        head[1] = (unsigned char) (mask_bit | (n == 4 ? 126 : 127));

        for (size_t i = 2; i < n; i++) {
            head[i] = (unsigned char) (len >> (8 * (n - 1 - i)));
        }
    }

    buf_put(out, head, n);
}


void
frame_put_head(struct buf *out, int opcode, size_t len)
{
    frame_put_length(out, opcode, len, 0);
}


void
frame_put(struct buf *out, int opcode, struct str payload,
          const unsigned char *mask)
{
    char *to;

    frame_put_length(out, opcode, payload.len, mask == NULL ? 0 : 0x80);

    if (mask == NULL) {
        buf_put_str(out, payload);
        return;
    }

    buf_put(out, mask, 4);
    to = buf_reserve(out, payload.len);

    if (to != NULL) {
        frame_mask(to, payload.data, payload.len, mask);
        buf_commit(out, payload.len);
    }
}


ssize_t
frame_get(char *data, size_t len, bool masked, int *opcode, struct str *payload)
{
    const unsigned char *p = (const unsigned char *) data;
    size_t head = 2, mask_len = masked ? 4 : 0;
    uint64_t size;

    if (len < 2) {
        return 0;
    }

    /* final and without reserved bits; RFC 6455, 5.1 for the mask */
    if ((p[0] & 0xf0) != 0x80 || ((p[1] & 0x80) != 0) != masked) {
        return -1;
    }

    size = p[1] & 0x7f;

    if (size >= 126) {
        head = size == 126 ? 4 : 10;

        if (len < head) {
            return 0;
        }

        size = 0;

        for (size_t i = 2; i < head; i++) {
            size = size << 8 | p[i];
        }
    }

    if (size > FRAME_MAX) {
        return -1;
    }

    if (len < head + mask_len + size) {
        return 0;
    }

    if (masked) {
        frame_mask(data + head + 4, data + head + 4, size, p + head);
    }

    *opcode = p[0] & 0x0f;
    *payload = (struct str){data + head + mask_len, size};
    return (ssize_t) (head + mask_len + size);
}
