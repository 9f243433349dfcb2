
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_base64url.h"


/* the value of a base64url character plus 1; 0: it is none */

static const u_char  ngx_chat_base64url_sextets[128] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, 63,  0,  0,
    53, 54, 55, 56, 57, 58, 59, 60, 61, 62,  0,  0,  0,  0,  0,  0,
     0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15,
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,  0,  0,  0,  0, 64,
     0, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41,
    42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,  0,  0,  0,  0,  0
};


ngx_int_t
ngx_chat_base64url_decode(u_char *dst, size_t *len, ngx_str_t *src)
{
    u_char    *p, *last, *d, sextet;
    uint32_t   bits;
    size_t     n;

    d = dst;
    n = 0;
    bits = 0;
    last = src->data + src->len;

    for (p = src->data; p < last; p++) {

        sextet = (*p < 128) ? ngx_chat_base64url_sextets[*p] : 0;

        if (sextet == 0) {
            return NGX_ERROR;
        }

        bits = (bits << 6) | (sextet - 1);

        if (++n == 4) {
            *d++ = (u_char) (bits >> 16);
            *d++ = (u_char) (bits >> 8);
            *d++ = (u_char) bits;
            bits = 0;
            n = 0;
        }
    }

    switch (n) {

    case 1:
        return NGX_ERROR;

    case 2:
        if (bits & 0x0f) {
            return NGX_ERROR;
        }

        *d++ = (u_char) (bits >> 4);
        break;

    case 3:
        if (bits & 0x03) {
            return NGX_ERROR;
        }

        *d++ = (u_char) (bits >> 10);
        *d++ = (u_char) (bits >> 2);
        break;
    }

    *len = d - dst;

    return NGX_OK;
}
