/*
 * UTF-8 as RFC 3629 has it; ASCII goes eight bytes at a time.
 */

#include "utf8.h"

#include <stdint.h>

/* The length of the character at s (RFC 3629, 4: no overlong forms, no
 * surrogates, nothing above U+10FFFF), or 0. */
static size_t
utf8_char(const unsigned char *s, size_t len)
{
    unsigned low = 0x80, high = 0xbf;
    size_t n;

    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (len < n) {
        return 0;
    }

    switch (s[0]) {
    case 0xe0:
        low = 0xa0;
        break;
    case 0xed:
        high = 0x9f;
        break;
    case 0xf0:
        low = 0x90;
        break;
    case 0xf4:
        high = 0x8f;
        break;
    }
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

bool
utf8_valid(struct str text)
{
    const unsigned char *s = (const unsigned char *) text.data;
    size_t left = text.len;

    while (left != 0) {
        uint64_t word;

        if (left >= sizeof(word)) {
            memcpy(&word, s, sizeof(word));
            if ((word & 0x8080808080808080) == 0) {
                s += sizeof(word);
                left -= sizeof(word);
                continue;
            }
        }

        size_t n = utf8_char(s, left);

        if (n == 0) {
            return false;
        }
        s += n;
        left -= n;
    }
    return true;
}

size_t
utf8_code_points(struct str utf8)
{
    size_t n = 0;

    for (size_t i = 0; i < utf8.len; i++) {
        n += ((unsigned char) utf8.data[i] & 0xc0) != 0x80;
    }
    return n;
}
