
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_deflate.h"
#include "ngx_chat_utf8.h"
#include "ngx_chat_websocket.h"

#include <zlib.h>


/* raw deflate data with the largest window; RFC 7692 asks smaller ones only
 * of distances, which are never longer than the message */

#define NGX_CHAT_DEFLATE_WINDOW  -15
#define NGX_CHAT_DEFLATE_MEMORY  6

/* what a flush ends with, and a message leaves out: an empty stored block */

#define NGX_CHAT_DEFLATE_TAIL    4

/* z_stream.data_type: between two blocks, and bits left of a byte */

#define NGX_CHAT_INFLATE_BLOCK   128
#define NGX_CHAT_INFLATE_BITS    7


static ngx_int_t ngx_chat_inflate_some(ngx_chat_inflate_t *in, u_char **p,
    u_char *end);
static ngx_int_t ngx_chat_inflate_fail(ngx_chat_inflate_t *in,
    ngx_uint_t code, const char *error);


/* of all connections */

static z_stream    ngx_chat_deflate_stream;
static ngx_uint_t  ngx_chat_deflate_level;        /* 0: no stream yet */

static z_stream    ngx_chat_inflate_stream;
static ngx_uint_t  ngx_chat_inflate_ready;


ngx_int_t
ngx_chat_deflate_start(ngx_uint_t level)
{
    u_char     none[1];
    z_stream  *z;

    z = &ngx_chat_deflate_stream;

    if (ngx_chat_deflate_level == 0) {

        if (deflateInit2(z, (int) level, Z_DEFLATED, NGX_CHAT_DEFLATE_WINDOW,
                         NGX_CHAT_DEFLATE_MEMORY, Z_DEFAULT_STRATEGY)
            != Z_OK)
        {
            return NGX_ERROR;
        }

        ngx_chat_deflate_level = level;

        return NGX_OK;
    }

    if (deflateReset(z) != Z_OK) {
        return NGX_ERROR;
    }

    if (ngx_chat_deflate_level != level) {

        /* zlib 1.2.11 flushes what it has, which is nothing, even after a
         * reset: into room, and not from or to where the last message was */

        z->next_in = none;
        z->avail_in = 0;
        z->next_out = none;
        z->avail_out = sizeof(none);

        if (deflateParams(z, (int) level, Z_DEFAULT_STRATEGY) != Z_OK) {
            return NGX_ERROR;
        }

        ngx_chat_deflate_level = level;
    }

    return NGX_OK;
}


ngx_int_t
ngx_chat_deflate(const u_char *data, size_t len, ngx_uint_t end, u_char **p,
    u_char *last)
{
    z_stream  *z;

    if (len == 0 && !end) {
        return NGX_OK;
    }

    z = &ngx_chat_deflate_stream;

    z->next_in = (u_char *) data;
    z->avail_in = (uInt) len;
    z->next_out = *p;
    z->avail_out = (uInt) (last - *p);

    if (z->avail_out == 0) {
        return NGX_DECLINED;
    }

    if (deflate(z, end ? Z_SYNC_FLUSH : Z_NO_FLUSH) != Z_OK) {
        return NGX_ERROR;
    }

    /* a flush that just fits may have more to come */

    if (z->avail_in || z->avail_out == 0) {
        return NGX_DECLINED;
    }

    *p = z->next_out - (end ? NGX_CHAT_DEFLATE_TAIL : 0);

    return NGX_OK;
}


u_char *
ngx_chat_deflate_stored(u_char *p, size_t len)
{
    /* RFC 1951, 3.2.4: BFINAL 0, BTYPE 00, bits up to the byte; LEN, NLEN */

    *p++ = 0;
    *p++ = (u_char) len;
    *p++ = (u_char) (len >> 8);
    *p++ = (u_char) ~len;
    *p++ = (u_char) (~len >> 8);

    return p;
}


ngx_int_t
ngx_chat_inflate_start(ngx_chat_inflate_t *in, size_t max, ngx_uint_t text)
{
    int  rc;

    ngx_memzero(in, sizeof(ngx_chat_inflate_t));

    in->rest = max;
    in->text = text ? 1 : 0;

    if (ngx_chat_inflate_ready) {
        rc = inflateReset(&ngx_chat_inflate_stream);

    } else {
        rc = inflateInit2(&ngx_chat_inflate_stream, NGX_CHAT_DEFLATE_WINDOW);
        ngx_chat_inflate_ready = (rc == Z_OK);
    }

    return (rc == Z_OK) ? NGX_OK
                        : ngx_chat_inflate_fail(in, NGX_CHAT_WS_TRY_LATER,
                                                "no_memory");
}


ngx_int_t
ngx_chat_inflate(ngx_chat_inflate_t *in, u_char **pos, u_char *last,
    u_char **p, u_char *end)
{
    ngx_int_t   rc;
    z_stream   *z;

    z = &ngx_chat_inflate_stream;

    z->next_in = *pos;
    z->avail_in = (uInt) (last - *pos);

    do {

        if (*p == end) {
            rc = NGX_OK;
            break;
        }

        rc = ngx_chat_inflate_some(in, p, end);

    } while (rc == NGX_OK && *p < end);

    *pos = z->next_in;

    return rc;
}


/* NGX_AGAIN: no input is left, and no output waits for room */

static ngx_int_t
ngx_chat_inflate_some(ngx_chat_inflate_t *in, u_char **p, u_char *end)
{
    int        rc;
    u_char    *start;
    size_t     room;
    z_stream  *z;

    z = &ngx_chat_inflate_stream;

    /* blocks may follow the one that says it is the last; they have a window
     * of their own */

    if (in->final) {

        if (z->avail_in == 0) {
            return NGX_AGAIN;
        }

        in->final = 0;
        (void) inflateReset(z);
    }

    /* one byte too many tells that there are too many */

    start = *p;
    room = ngx_min((size_t) (end - start), in->rest + 1);

    z->next_out = start;
    z->avail_out = (uInt) room;

    rc = inflate(z, Z_SYNC_FLUSH);

    if (rc == Z_MEM_ERROR) {
        return ngx_chat_inflate_fail(in, NGX_CHAT_WS_TRY_LATER, "no_memory");
    }

    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
        return ngx_chat_inflate_fail(in, NGX_CHAT_WS_BAD_DATA,
                                     "message is not deflated");
    }

    if ((size_t) (z->next_out - start) > in->rest) {
        return ngx_chat_inflate_fail(in, NGX_CHAT_WS_TOO_BIG,
                                     "message is too big");
    }

    *p = z->next_out;
    in->rest -= *p - start;
    in->final = (rc == Z_STREAM_END);

    if (in->text
        && ngx_chat_utf8_check(&in->utf8, start, *p - start) != NGX_OK)
    {
        return ngx_chat_inflate_fail(in, NGX_CHAT_WS_BAD_DATA,
                                     "text is not UTF-8");
    }

    return (z->avail_in == 0 && (z->avail_out || in->final)) ? NGX_AGAIN
                                                             : NGX_OK;
}


ngx_int_t
ngx_chat_inflate_end(ngx_chat_inflate_t *in)
{
    u_char     tail[NGX_CHAT_DEFLATE_TAIL] = { 0x00, 0x00, 0xff, 0xff };
    u_char     none[1], *pos, *p;
    ngx_int_t  rc;
    z_stream  *z;

    z = &ngx_chat_inflate_stream;

    if (!in->final) {
        pos = tail;
        p = none;

        rc = ngx_chat_inflate(in, &pos, tail + sizeof(tail), &p,
                              none + sizeof(none));

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        /* the tail is that empty block, and no part of what is cut off */

        if (p != none || in->final
            || !(z->data_type & NGX_CHAT_INFLATE_BLOCK)
            || (z->data_type & NGX_CHAT_INFLATE_BITS))
        {
            return ngx_chat_inflate_fail(in, NGX_CHAT_WS_BAD_DATA,
                                         "message is not deflated");
        }
    }

    if (in->utf8) {
        return ngx_chat_inflate_fail(in, NGX_CHAT_WS_BAD_DATA,
                                     "text is not UTF-8");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_inflate_fail(ngx_chat_inflate_t *in, ngx_uint_t code,
    const char *error)
{
    in->code = code;
    in->error = error;

    return NGX_ERROR;
}
