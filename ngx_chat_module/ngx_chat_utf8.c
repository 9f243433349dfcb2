
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_utf8.h"


#define NGX_CHAT_UTF8_HIGH_BITS  0x8080808080808080ull


/*
 * Inside a sequence the state says which bytes may come next: the first byte
 * after the lead has a range of its own where a shorter form, a surrogate or
 * a number above U+10FFFF would begin (RFC 3629, 4).
 */

typedef enum {
    utf8_start = 0,
    utf8_last,             /* one more */
    utf8_last2,            /* two more */
    utf8_last3,            /* three more */
    utf8_after_e0,
    utf8_after_ed,
    utf8_after_f0,
    utf8_after_f4,
    utf8_bad
} ngx_chat_utf8_state_e;


typedef struct {
    u_char  min;
    u_char  max;
    u_char  next;
} ngx_chat_utf8_range_t;


static const ngx_chat_utf8_range_t  ngx_chat_utf8_ranges[] = {
    { 0x00, 0x7f, utf8_start },
    { 0x80, 0xbf, utf8_start },
    { 0x80, 0xbf, utf8_last },
    { 0x80, 0xbf, utf8_last2 },
    { 0xa0, 0xbf, utf8_last },
    { 0x80, 0x9f, utf8_last },
    { 0x90, 0xbf, utf8_last2 },
    { 0x80, 0x8f, utf8_last2 }
};


/* by the lead byte, from 0xc0 */

static const u_char  ngx_chat_utf8_leads[64] = {
    utf8_bad, utf8_bad, utf8_last, utf8_last,
    utf8_last, utf8_last, utf8_last, utf8_last,
    utf8_last, utf8_last, utf8_last, utf8_last,
    utf8_last, utf8_last, utf8_last, utf8_last,
    utf8_last, utf8_last, utf8_last, utf8_last,
    utf8_last, utf8_last, utf8_last, utf8_last,
    utf8_last, utf8_last, utf8_last, utf8_last,
    utf8_last, utf8_last, utf8_last, utf8_last,
    utf8_after_e0, utf8_last2, utf8_last2, utf8_last2,
    utf8_last2, utf8_last2, utf8_last2, utf8_last2,
    utf8_last2, utf8_last2, utf8_last2, utf8_last2,
    utf8_last2, utf8_after_ed, utf8_last2, utf8_last2,
    utf8_after_f0, utf8_last3, utf8_last3, utf8_last3,
    utf8_after_f4, utf8_bad, utf8_bad, utf8_bad,
    utf8_bad, utf8_bad, utf8_bad, utf8_bad,
    utf8_bad, utf8_bad, utf8_bad, utf8_bad
};


static const u_char *ngx_chat_utf8_skip_ascii(const u_char *p,
    const u_char *last);


ngx_int_t
ngx_chat_utf8_check(u_char *state, const u_char *p, size_t len)
{
    const u_char                 *last;
    ngx_uint_t                    s;
    const ngx_chat_utf8_range_t  *range;

    s = *state;
    last = p + len;

    for ( ;; ) {

        while (s != utf8_start && p < last) {
            range = &ngx_chat_utf8_ranges[s];

            if (*p < range->min || *p > range->max) {
                return NGX_ERROR;
            }

            s = range->next;
            p++;
        }

        if (p < last && *p < 0x80) {
            p = ngx_chat_utf8_skip_ascii(p, last);
        }

        if (p == last) {
            *state = (u_char) s;
            return NGX_OK;
        }

        if (*p < 0xc0) {
            return NGX_ERROR;
        }

        s = ngx_chat_utf8_leads[*p++ - 0xc0];

        if (s == utf8_bad) {
            return NGX_ERROR;
        }
    }
}


static const u_char *
ngx_chat_utf8_skip_ascii(const u_char *p, const u_char *last)
{
    uint64_t  w[4];

    while (last - p >= (ptrdiff_t) sizeof(w)) {
        ngx_memcpy(w, p, sizeof(w));

        if ((w[0] | w[1] | w[2] | w[3]) & NGX_CHAT_UTF8_HIGH_BITS) {
            break;
        }

        p += sizeof(w);
    }

    while (last - p >= (ptrdiff_t) sizeof(w[0])) {
        ngx_memcpy(w, p, sizeof(w[0]));

        if (w[0] & NGX_CHAT_UTF8_HIGH_BITS) {
            break;
        }

        p += sizeof(w[0]);
    }

    while (p < last && *p < 0x80) {
        p++;
    }

    return p;
}
