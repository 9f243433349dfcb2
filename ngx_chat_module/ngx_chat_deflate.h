
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_DEFLATE_H_INCLUDED_
#define _NGX_CHAT_DEFLATE_H_INCLUDED_


/*
 * Messages of permessage-deflate, RFC 7692, each on its own: one stream for
 * deflating and one for inflating serve all connections of a process, since
 * no context is taken over.  A message is worked off before the next begins.
 * Streams are made when they are first needed, 160 and 40 KB.
 */

#include <ngx_config.h>
#include <ngx_core.h>


/* bytes of the header of a stored block, and of the most that it holds */

#define NGX_CHAT_DEFLATE_STORED      5
#define NGX_CHAT_DEFLATE_STORED_MAX  65535


/* begins a message; level is 1 to 9; NGX_ERROR: no memory */

ngx_int_t ngx_chat_deflate_start(ngx_uint_t level);

/*
 * Takes a piece, the last one with `end`, and moves *p behind what it wrote,
 * which is the payload then.  NGX_DECLINED: it does not fit before last; the
 * payload must be at least 5 bytes shorter than the room.  NGX_ERROR: zlib
 * failed.
 */

ngx_int_t ngx_chat_deflate(const u_char *data, size_t len, ngx_uint_t end,
    u_char **p, u_char *last);

/* the header of a stored block; len bytes as they are follow it, and then any
 * payload made by ngx_chat_deflate(), to which it is no part of the window */

u_char *ngx_chat_deflate_stored(u_char *p, size_t len);


/* a message that is being inflated; code and error after NGX_ERROR */

typedef struct {
    size_t           rest;         /* bytes it may still become */
    u_char           utf8;         /* ngx_chat_utf8_check() */
    unsigned         text:1;
    unsigned         final:1;      /* behind a block with BFINAL */

    ngx_uint_t       code;         /* of the Close */
    const char      *error;        /* static text */
} ngx_chat_inflate_t;


/* max: of what it becomes; a text is checked too.  NGX_ERROR as below */

ngx_int_t ngx_chat_inflate_start(ngx_chat_inflate_t *in, size_t max,
    ngx_uint_t text);

/*
 * Inflates from *pos, which moves, to *p, which moves.
 *
 *   NGX_OK     there is no more room before end; call again with some
 *   NGX_AGAIN  all bytes up to last are used
 *   NGX_ERROR  1007: they are no deflate data, or what they become is not
 *              UTF-8; 1009: it becomes more than max; 1013: no memory
 */

ngx_int_t ngx_chat_inflate(ngx_chat_inflate_t *in, u_char **pos, u_char *last,
    u_char **p, u_char *end);

/* behind the last piece: NGX_OK, or NGX_ERROR as above */

ngx_int_t ngx_chat_inflate_end(ngx_chat_inflate_t *in);


#endif /* _NGX_CHAT_DEFLATE_H_INCLUDED_ */
