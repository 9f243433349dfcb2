
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_websocket.h"
#include "ngx_chat_utf8.h"


#define NGX_CHAT_WS_FIN         0x80
#define NGX_CHAT_WS_RSV1        0x40
#define NGX_CHAT_WS_RSV23       0x30
#define NGX_CHAT_WS_OPCODE      0x0f
#define NGX_CHAT_WS_CONTROL     0x08
#define NGX_CHAT_WS_MASK        0x80
#define NGX_CHAT_WS_LEN         0x7f

#define NGX_CHAT_WS_HIGH_BITS   0x8080808080808080ull


/*
 * ngx_chat_ws_parse() is in one of two states:
 *
 *   frame header --- data frame ---> payload, handed out as it comes
 *        ^   |                          |
 *        |   +-- control frame: whole   |  rest is 0
 *        +------------------------------+
 *
 * A header and a control frame are read only when all of it is in the buffer,
 * so neither needs a place in the state; the rules for their first bytes are
 * checked each time and give the same answer each time.
 */

typedef struct {
    ngx_uint_t   opcode;
    uint64_t     len;
    u_char      *mask;
    u_char      *payload;
} ngx_chat_ws_frame_t;


static ngx_int_t ngx_chat_ws_read_header(ngx_chat_ws_t *ws, u_char *p,
    u_char *last, ngx_chat_ws_frame_t *f, ngx_chat_ws_event_t *ev);
static ngx_int_t ngx_chat_ws_check_type(ngx_chat_ws_t *ws, ngx_uint_t ch,
    ngx_chat_ws_event_t *ev);
static ngx_int_t ngx_chat_ws_read_len(ngx_chat_ws_t *ws, u_char *p,
    u_char *last, ngx_chat_ws_frame_t *f, ngx_chat_ws_event_t *ev);
static void ngx_chat_ws_start_payload(ngx_chat_ws_t *ws,
    ngx_chat_ws_frame_t *f, ngx_uint_t ch);
static ngx_int_t ngx_chat_ws_payload(ngx_chat_ws_t *ws, u_char **pos,
    u_char *last, ngx_chat_ws_event_t *ev);
static ngx_int_t ngx_chat_ws_check_text(ngx_chat_ws_t *ws, u_char *p,
    size_t len, uint64_t bits);
static ngx_int_t ngx_chat_ws_control(ngx_chat_ws_t *ws,
    ngx_chat_ws_frame_t *f, ngx_chat_ws_event_t *ev);
static ngx_int_t ngx_chat_ws_check_close(ngx_chat_ws_t *ws,
    ngx_chat_ws_event_t *ev);
static uint64_t ngx_chat_ws_unmask(u_char *p, size_t len, u_char *mask);
static ngx_int_t ngx_chat_ws_fail(ngx_chat_ws_t *ws, ngx_chat_ws_event_t *ev,
    ngx_uint_t code, const char *error);


void
ngx_chat_ws_init(ngx_chat_ws_t *ws, size_t message_max)
{
    ngx_memzero(ws, sizeof(ngx_chat_ws_t));

    ws->message_max = (uint32_t) ngx_min(message_max, 0x7fffffff);
}


ngx_int_t
ngx_chat_ws_parse(ngx_chat_ws_t *ws, u_char **pos, u_char *last,
    ngx_chat_ws_event_t *ev)
{
    u_char               *p;
    ngx_int_t             rc;
    ngx_chat_ws_frame_t   f;

    for ( ;; ) {

        if (ws->ended) {
            *pos = last;
            return NGX_AGAIN;
        }

        if (!ws->payload) {
            p = *pos;

            rc = ngx_chat_ws_read_header(ws, p, last, &f, ev);

            if (rc != NGX_OK) {
                return rc;
            }

            if (f.opcode & NGX_CHAT_WS_CONTROL) {
                *pos = f.payload + f.len;
                return ngx_chat_ws_control(ws, &f, ev);
            }

            *pos = f.payload;
            ngx_chat_ws_start_payload(ws, &f, *p);
        }

        rc = ngx_chat_ws_payload(ws, pos, last, ev);

        if (rc != NGX_DECLINED) {
            return rc;
        }

        /* an empty fragment that ends nothing */
    }
}


static ngx_int_t
ngx_chat_ws_read_header(ngx_chat_ws_t *ws, u_char *p, u_char *last,
    ngx_chat_ws_frame_t *f, ngx_chat_ws_event_t *ev)
{
    ngx_int_t  rc;

    if (p == last) {
        return NGX_AGAIN;
    }

    f->opcode = p[0] & NGX_CHAT_WS_OPCODE;

    if (ngx_chat_ws_check_type(ws, p[0], ev) != NGX_OK) {
        return NGX_ERROR;
    }

    if (last - p < 2) {
        return NGX_AGAIN;
    }

    /* RFC 6455, 5.1: a client masks every frame */

    if (!(p[1] & NGX_CHAT_WS_MASK)) {
        return ngx_chat_ws_fail(ws, ev, NGX_CHAT_WS_PROTOCOL,
                                "frame is not masked");
    }

    rc = ngx_chat_ws_read_len(ws, p, last, f, ev);

    if (rc != NGX_OK) {
        return rc;
    }

    if (last - f->mask < 4) {
        return NGX_AGAIN;
    }

    f->payload = f->mask + 4;

    if ((f->opcode & NGX_CHAT_WS_CONTROL)
        && (uint64_t) (last - f->payload) < f->len)
    {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_ws_check_type(ngx_chat_ws_t *ws, ngx_uint_t ch,
    ngx_chat_ws_event_t *ev)
{
    ngx_uint_t   opcode;
    const char  *error;

    opcode = ch & NGX_CHAT_WS_OPCODE;
    error = NULL;

    switch (opcode) {

    case NGX_CHAT_WS_CONTINUATION:

        if (!ws->message) {
            error = "continuation without a message";
        }

        break;

    case NGX_CHAT_WS_TEXT:
    case NGX_CHAT_WS_BINARY:

        if (ws->message) {
            error = "new message inside a fragmented one";
        }

        break;

    case NGX_CHAT_WS_CLOSE:
    case NGX_CHAT_WS_PING:
    case NGX_CHAT_WS_PONG:

        if (!(ch & NGX_CHAT_WS_FIN)) {
            error = "fragmented control frame";
        }

        break;

    default:
        error = "unknown opcode";
    }

    /* RFC 7692, 6: RSV1 only in the first frame of a message */

    if ((ch & NGX_CHAT_WS_RSV23)
        || ((ch & NGX_CHAT_WS_RSV1)
            && (!ws->rsv1_ok
                || (opcode != NGX_CHAT_WS_TEXT
                    && opcode != NGX_CHAT_WS_BINARY))))
    {
        error = "reserved bits are set";
    }

    if (error) {
        return ngx_chat_ws_fail(ws, ev, NGX_CHAT_WS_PROTOCOL, error);
    }

    if (opcode == NGX_CHAT_WS_BINARY && ws->text_only) {
        return ngx_chat_ws_fail(ws, ev, NGX_CHAT_WS_UNSUPPORTED,
                                "binary message");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_ws_read_len(ngx_chat_ws_t *ws, u_char *p, u_char *last,
    ngx_chat_ws_frame_t *f, ngx_chat_ws_event_t *ev)
{
    uint64_t     len;
    ngx_uint_t   i, n;
    const char  *error;

    len = p[1] & NGX_CHAT_WS_LEN;
    n = (len == 127) ? 8 : (len == 126) ? 2 : 0;
    error = NULL;

    if (f->opcode & NGX_CHAT_WS_CONTROL) {

        if (n) {
            error = "control frame is too long";

        } else if (f->opcode == NGX_CHAT_WS_CLOSE && len == 1) {
            error = "close code of one byte";
        }

    } else if (n) {

        if ((ngx_uint_t) (last - p) < 2 + n) {
            return NGX_AGAIN;
        }

        len = 0;

        for (i = 0; i < n; i++) {
            len = (len << 8) | p[2 + i];
        }

        if (len >> 63) {
            error = "length with its highest bit set";

        } else if (len < (n == 2 ? 126 : 65536)) {
            error = "length is not in its shortest form";
        }
    }

    if (error) {
        return ngx_chat_ws_fail(ws, ev, NGX_CHAT_WS_PROTOCOL, error);
    }

    if (!(f->opcode & NGX_CHAT_WS_CONTROL)
        && len > ws->message_max - (ws->message ? ws->message_len : 0))
    {
        return ngx_chat_ws_fail(ws, ev, NGX_CHAT_WS_TOO_BIG,
                                "message is too big");
    }

    f->len = len;
    f->mask = p + 2 + n;

    return NGX_OK;
}


static void
ngx_chat_ws_start_payload(ngx_chat_ws_t *ws, ngx_chat_ws_frame_t *f,
    ngx_uint_t ch)
{
    if (!ws->message) {
        ws->message = 1;
        ws->message_len = 0;
        ws->first = 1;
        ws->utf8 = 0;
        ws->binary = (f->opcode == NGX_CHAT_WS_BINARY);
        ws->rsv1 = (ch & NGX_CHAT_WS_RSV1) ? 1 : 0;
    }

    ws->payload = 1;
    ws->fin = (ch & NGX_CHAT_WS_FIN) ? 1 : 0;
    ws->rest = (uint32_t) f->len;
    ws->message_len += ws->rest;

    ngx_memcpy(ws->mask, f->mask, 4);
}


static ngx_int_t
ngx_chat_ws_payload(ngx_chat_ws_t *ws, u_char **pos, u_char *last,
    ngx_chat_ws_event_t *ev)
{
    u_char    *p;
    size_t     len;
    uint64_t   bits;

    p = *pos;
    len = ngx_min((size_t) (last - p), ws->rest);

    if (len == 0 && ws->rest) {
        return NGX_AGAIN;
    }

    bits = ngx_chat_ws_unmask(p, len, ws->mask);

    *pos = p + len;
    ws->rest -= (uint32_t) len;

    ngx_memzero(ev, sizeof(ngx_chat_ws_event_t));

    if (ws->rest == 0) {
        ws->payload = 0;

        if (ws->fin) {
            ws->message = 0;
            ev->last = 1;

        } else if (len == 0) {
            return NGX_DECLINED;
        }
    }

    if (ngx_chat_ws_check_text(ws, p, len, bits) != NGX_OK) {
        return ngx_chat_ws_fail(ws, ev, NGX_CHAT_WS_BAD_DATA,
                                "text is not UTF-8");
    }

    ev->type = ngx_chat_ws_data;
    ev->data = p;
    ev->len = len;
    ev->first = ws->first;
    ev->binary = ws->binary;
    ev->rsv1 = ws->rsv1;

    ws->first = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_ws_check_text(ngx_chat_ws_t *ws, u_char *p, size_t len,
    uint64_t bits)
{
    if (ws->binary || ws->rsv1) {
        return NGX_OK;
    }

    if ((ws->utf8 || (bits & NGX_CHAT_WS_HIGH_BITS))
        && ngx_chat_utf8_check(&ws->utf8, p, len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ws->message && ws->utf8) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_ws_control(ngx_chat_ws_t *ws, ngx_chat_ws_frame_t *f,
    ngx_chat_ws_event_t *ev)
{
    u_char  mask[4];

    ngx_memcpy(mask, f->mask, 4);
    (void) ngx_chat_ws_unmask(f->payload, (size_t) f->len, mask);

    ngx_memzero(ev, sizeof(ngx_chat_ws_event_t));

    ev->data = f->payload;
    ev->len = (size_t) f->len;

    switch (f->opcode) {

    case NGX_CHAT_WS_PING:
        ev->type = ngx_chat_ws_ping;
        return NGX_OK;

    case NGX_CHAT_WS_PONG:
        ev->type = ngx_chat_ws_pong;
        return NGX_OK;

    default: /* NGX_CHAT_WS_CLOSE */
        return ngx_chat_ws_check_close(ws, ev);
    }
}


static ngx_int_t
ngx_chat_ws_check_close(ngx_chat_ws_t *ws, ngx_chat_ws_event_t *ev)
{
    u_char  utf8;

    ev->type = ngx_chat_ws_close;

    /* RFC 6455, 5.5.1: nothing that follows a Close is looked at */

    ws->ended = 1;

    if (ev->len == 0) {
        ev->code = NGX_CHAT_WS_NO_CODE;
        return NGX_OK;
    }

    ev->code = (ev->data[0] << 8) | ev->data[1];
    ev->data += 2;
    ev->len -= 2;

    if (!ngx_chat_ws_code_valid(ev->code)) {
        return ngx_chat_ws_fail(ws, ev, NGX_CHAT_WS_PROTOCOL,
                                "close code is not allowed");
    }

    utf8 = 0;

    if (ngx_chat_utf8_check(&utf8, ev->data, ev->len) != NGX_OK || utf8) {
        return ngx_chat_ws_fail(ws, ev, NGX_CHAT_WS_BAD_DATA,
                                "close reason is not UTF-8");
    }

    return NGX_OK;
}


/*
 * Unmasks in place, turns the mask to the byte that follows, and returns bits
 * among which a high one is set exactly if a byte is not ASCII.
 */

static uint64_t
ngx_chat_ws_unmask(u_char *p, size_t len, u_char *mask)
{
    u_char    *last, key[8];
    size_t     i;
    uint64_t   k, w[4], bits;

    for (i = 0; i < 8; i++) {
        key[i] = mask[i & 3];
    }

    ngx_memcpy(&k, key, 8);

    bits = 0;
    last = p + len;

    while (last - p >= (ptrdiff_t) sizeof(w)) {
        ngx_memcpy(w, p, sizeof(w));

        w[0] ^= k;
        w[1] ^= k;
        w[2] ^= k;
        w[3] ^= k;
        bits |= w[0] | w[1] | w[2] | w[3];

        ngx_memcpy(p, w, sizeof(w));
        p += sizeof(w);
    }

    while (last - p >= (ptrdiff_t) sizeof(w[0])) {
        ngx_memcpy(w, p, sizeof(w[0]));

        w[0] ^= k;
        bits |= w[0];

        ngx_memcpy(p, w, sizeof(w[0]));
        p += sizeof(w[0]);
    }

    for (i = 0; p < last; i++) {
        *p ^= key[i];
        bits |= *p++;
    }

    ngx_memcpy(mask, key + (len & 3), 4);

    return bits;
}


static ngx_int_t
ngx_chat_ws_fail(ngx_chat_ws_t *ws, ngx_chat_ws_event_t *ev, ngx_uint_t code,
    const char *error)
{
    ngx_memzero(ev, sizeof(ngx_chat_ws_event_t));

    ev->code = code;
    ev->error = error;

    ws->ended = 1;

    return NGX_ERROR;
}


u_char *
ngx_chat_ws_header(u_char *p, ngx_uint_t opcode, uint64_t len)
{
    ngx_int_t  shift;

    *p++ = (u_char) (NGX_CHAT_WS_FIN | opcode);

    if (len < 126) {
        *p++ = (u_char) len;
        return p;
    }

    if (len < 65536) {
        *p++ = 126;
        shift = 8;

    } else {
        *p++ = 127;
        shift = 56;
    }

    for ( /* void */ ; shift >= 0; shift -= 8) {
        *p++ = (u_char) (len >> shift);
    }

    return p;
}


u_char *
ngx_chat_ws_close_frame(u_char *p, ngx_uint_t code, const u_char *reason,
    size_t len)
{
    if (code == NGX_CHAT_WS_NO_CODE) {
        return ngx_chat_ws_header(p, NGX_CHAT_WS_CLOSE, 0);
    }

    if (len > NGX_CHAT_WS_CONTROL_MAX - 2) {
        len = NGX_CHAT_WS_CONTROL_MAX - 2;

        while (len && (reason[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    p = ngx_chat_ws_header(p, NGX_CHAT_WS_CLOSE, 2 + len);

    *p++ = (u_char) (code >> 8);
    *p++ = (u_char) code;

    return len ? ngx_cpymem(p, reason, len) : p;
}


ngx_uint_t
ngx_chat_ws_code_valid(ngx_uint_t code)
{
    if (code >= 3000) {
        return code < 5000;
    }

    if (code > 1014) {
        return 0;
    }

    /* 1004 is reserved; 1005 and 1006 never stand in a frame */

    return code >= 1000 && (code < 1004 || code > 1006);
}
