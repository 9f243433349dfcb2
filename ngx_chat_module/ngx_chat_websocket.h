
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_WEBSOCKET_H_INCLUDED_
#define _NGX_CHAT_WEBSOCKET_H_INCLUDED_


/*
 * RFC 6455 frames, the server's side: bytes in, events out; no sockets, no
 * timers, no memory of its own.  Nothing else of the module is included, so
 * that tests and fuzzers build these files alone.
 */

#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CHAT_WS_CONTINUATION  0x0
#define NGX_CHAT_WS_TEXT          0x1
#define NGX_CHAT_WS_BINARY        0x2
#define NGX_CHAT_WS_CLOSE         0x8
#define NGX_CHAT_WS_PING          0x9
#define NGX_CHAT_WS_PONG          0xa

/* or'ed to the opcode of a frame of ours: RSV1, it is compressed */

#define NGX_CHAT_WS_DEFLATED      0x40

/* close codes, RFC 6455, 7.4.1, and the registry; 0: the Close had none */

#define NGX_CHAT_WS_NO_CODE       0
#define NGX_CHAT_WS_NORMAL        1000
#define NGX_CHAT_WS_GOING_AWAY    1001
#define NGX_CHAT_WS_PROTOCOL      1002
#define NGX_CHAT_WS_UNSUPPORTED   1003
#define NGX_CHAT_WS_BAD_DATA      1007
#define NGX_CHAT_WS_POLICY        1008
#define NGX_CHAT_WS_TOO_BIG       1009
#define NGX_CHAT_WS_INTERNAL      1011
#define NGX_CHAT_WS_RESTART       1012
#define NGX_CHAT_WS_TRY_LATER     1013

#define NGX_CHAT_WS_CONTROL_MAX   125

/* bytes of a frame header of a server, and of a whole control frame */

#define NGX_CHAT_WS_HEADER_MAX    10
#define NGX_CHAT_WS_CONTROL_LEN   (2 + NGX_CHAT_WS_CONTROL_MAX)

/* the most that ngx_chat_ws_parse() leaves unread: a control frame of a
 * client without its last byte */

#define NGX_CHAT_WS_LEFTOVER_MAX  (6 + NGX_CHAT_WS_CONTROL_MAX - 1)


/*
 * The parser's state between two reads: plain numbers, no pointers, 20 bytes.
 * rsv1_ok and text_only belong to the caller, who may set them after
 * ngx_chat_ws_init() and before the first byte.
 */

typedef struct {
    uint32_t         message_max;    /* bytes, sum over all fragments */
    uint32_t         message_len;    /* of it, this frame included */
    uint32_t         rest;           /* of this frame's payload */
    u_char           mask[4];        /* rotated to the next byte */
    u_char           utf8;           /* ngx_chat_utf8_check() */

    unsigned         rsv1_ok:1;      /* a message may be compressed */
    unsigned         text_only:1;    /* binary is 1003, in its header */

    unsigned         payload:1;      /* inside a data frame */
    unsigned         message:1;      /* inside a message */
    unsigned         first:1;        /* nothing of it was handed out */
    unsigned         fin:1;          /* of this frame */
    unsigned         binary:1;       /* of the message */
    unsigned         rsv1:1;         /* of the message */
    unsigned         ended:1;        /* after a Close or an error */
} ngx_chat_ws_t;


typedef enum {
    ngx_chat_ws_data = 0,
    ngx_chat_ws_ping,
    ngx_chat_ws_pong,
    ngx_chat_ws_close
} ngx_chat_ws_event_e;


typedef struct {
    ngx_chat_ws_event_e  type;
    u_char          *data;           /* in the caller's buffer, unmasked */
    size_t           len;

    unsigned         first:1;        /* data: begins a message */
    unsigned         last:1;         /* data: ends a message */
    unsigned         binary:1;       /* data: of the whole message */
    unsigned         rsv1:1;         /* data: of the whole message */

    ngx_uint_t       code;           /* close, and NGX_ERROR */
    const char      *error;          /* NGX_ERROR: static text, for the log
                                        and for the reason of our Close */
} ngx_chat_ws_event_t;


/* a message_max above 2^31 - 1 counts as that; the flags are 0 */

void ngx_chat_ws_init(ngx_chat_ws_t *ws, size_t message_max);


/*
 * Takes bytes of the client from *pos and moves *pos behind what was used.
 *
 *   NGX_OK     one event; call again with the same buffer.
 *              data: a piece of a message as it came; the pieces from `first`
 *              to `last` are the message.  An empty message is one piece of
 *              length 0, first and last; a piece of length 0 may also come
 *              as the last one, never elsewhere.  Pings, pongs and a close
 *              may come between pieces.  A text was checked up to the end of
 *              the piece, and as a whole when `last` is set; one with rsv1 is
 *              compressed and was not checked.
 *              ping, pong: the whole payload.
 *              close: code is the client's or NGX_CHAT_WS_NO_CODE, data and
 *              len its reason, already checked.  Answer with
 *              ngx_chat_ws_close_frame() and the same code.
 *   NGX_AGAIN  more bytes are needed.  The bytes from *pos to last, at most
 *              NGX_CHAT_WS_LEFTOVER_MAX (an unfinished frame header or control
 *              frame, untouched), must stand before the next bytes of the
 *              client in the next call; usually there are none.
 *   NGX_ERROR  the client broke a rule: close with ev->code.  It is told as
 *              early as can be: a header is judged field by field, its length
 *              against the limit too, before a byte of payload is there; a
 *              text with the first byte that makes it bad.
 *
 * After a close event or an error further bytes are dropped with NGX_AGAIN.
 * Payload is unmasked in place, so pieces stay valid as long as the buffer.
 */

ngx_int_t ngx_chat_ws_parse(ngx_chat_ws_t *ws, u_char **pos, u_char *last,
    ngx_chat_ws_event_t *ev);


/* between two messages of the client, with nothing left over from frames */

#define ngx_chat_ws_idle(ws)  (!(ws)->message)


/* bytes of the header of a server frame with a payload of len bytes: 2, 4
 * or 10 */

#define ngx_chat_ws_header_len(len)                                           \
    ((len) < 126 ? (size_t) 2 : (len) < 65536 ? (size_t) 4 : (size_t) 10)


/* writes the header of an unfragmented, unmasked frame; returns its end */

u_char *ngx_chat_ws_header(u_char *p, ngx_uint_t opcode, uint64_t len);


/* writes a whole Close frame of at most NGX_CHAT_WS_CONTROL_LEN bytes and
 * returns its end.  With NGX_CHAT_WS_NO_CODE it is empty.  A reason that is
 * too long is cut between two characters. */

u_char *ngx_chat_ws_close_frame(u_char *p, ngx_uint_t code,
    const u_char *reason, size_t len);


/* 1 when a Close frame may carry this code, RFC 6455, 7.4 */

ngx_uint_t ngx_chat_ws_code_valid(ngx_uint_t code);


#endif /* _NGX_CHAT_WEBSOCKET_H_INCLUDED_ */
