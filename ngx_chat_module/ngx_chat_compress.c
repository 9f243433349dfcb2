
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>
#include <ngx_chat_deflate.h>


/* a longer message would hold up all others: it goes as it is */

#define NGX_CHAT_COMPRESS_MAX   (1024 * 1024)

#define NGX_CHAT_COMPRESS_SIZE  65536


static ngx_uint_t ngx_chat_compress_fits(ngx_chat_client_t *cl, size_t len);
static u_char *ngx_chat_compress_room(size_t len);
static void ngx_chat_compress_release(u_char *room);
static ngx_chat_buf_t *ngx_chat_compress_frame(ngx_uint_t opcode,
    u_char *payload, size_t len);
static ngx_chat_shared_t *ngx_chat_compress_shared(ngx_uint_t level,
    ngx_chat_shared_t *tail);


/* of all connections, made when it is first needed */

static u_char  *ngx_chat_compress_buffer;


ngx_chat_buf_t *
ngx_chat_compress_text(ngx_chat_client_t *cl, ngx_str_t *text)
{
    u_char          *room, *p;
    ngx_chat_buf_t  *b;

    if (!ngx_chat_compress_fits(cl, text->len)) {
        return NULL;
    }

    room = ngx_chat_compress_room(text->len);
    if (room == NULL) {
        return NULL;
    }

    p = room;
    b = NULL;

    if (ngx_chat_deflate_start(cl->conf->deflate) == NGX_OK
        && ngx_chat_deflate(text->data, text->len, 1, &p, room + text->len)
           == NGX_OK)
    {
        b = ngx_chat_compress_frame(NGX_CHAT_WS_TEXT, room, p - room);
    }

    ngx_chat_compress_release(room);

    return b;
}


ngx_chat_buf_t *
ngx_chat_compress_list(ngx_chat_client_t *cl, ngx_uint_t opcode,
    ngx_chat_buf_t *in, size_t len)
{
    u_char          *room, *p;
    ngx_int_t        rc;
    ngx_chat_buf_t  *b;

    if (!ngx_chat_compress_fits(cl, len)) {
        return NULL;
    }

    room = ngx_chat_compress_room(len);
    if (room == NULL) {
        return NULL;
    }

    p = room;
    rc = ngx_chat_deflate_start(cl->conf->deflate);

    for (b = in; b && rc == NGX_OK; b = b->next) {
        rc = ngx_chat_deflate(b->data, b->len, b->next == NULL, &p,
                              room + len);
    }

    b = (rc == NGX_OK) ? ngx_chat_compress_frame(opcode, room, p - room)
                       : NULL;

    ngx_chat_compress_release(room);

    return b;
}


/*
 * The head is of each recipient, and stands in a stored block; the tail is
 * compressed once, with an empty window, and shared.
 */

ngx_chat_buf_t *
ngx_chat_compress_event(ngx_chat_client_t *cl, ngx_str_t *head,
    ngx_str_t *number, ngx_chat_shared_t *tail)
{
    size_t              stored, len;
    u_char             *p;
    ngx_chat_buf_t     *b;
    ngx_chat_shared_t  *deflated;

    stored = head->len + number->len;

    if (!ngx_chat_compress_fits(cl, tail->len)
        || stored > NGX_CHAT_DEFLATE_STORED_MAX)
    {
        return NULL;
    }

    deflated = ngx_chat_compress_shared(cl->conf->deflate, tail);
    if (deflated == NULL) {
        return NULL;
    }

    stored += NGX_CHAT_DEFLATE_STORED;
    len = stored + deflated->len;

    b = ngx_chat_buf_create(ngx_chat_ws_header_len(len) + stored);
    if (b == NULL) {
        return NULL;
    }

    p = ngx_chat_ws_header(b->data, NGX_CHAT_WS_TEXT|NGX_CHAT_WS_DEFLATED,
                           len);
    p = ngx_chat_deflate_stored(p, stored - NGX_CHAT_DEFLATE_STORED);
    p = ngx_cpymem(p, head->data, head->len);
    p = ngx_cpymem(p, number->data, number->len);

    b->len = p - b->data;
    b->tail = deflated;
    deflated->refs++;

    return b;
}


/*
 * An LZ77 distance is at most as long as what it is in: so far a window that
 * the client wants smaller is kept by itself
 */

static ngx_uint_t
ngx_chat_compress_fits(ngx_chat_client_t *cl, size_t len)
{
    return cl->window
           && len >= cl->conf->deflate_min
           && len <= NGX_CHAT_COMPRESS_MAX
           && (cl->window == 15 || len <= (size_t) 1 << cl->window);
}


static u_char *
ngx_chat_compress_room(size_t len)
{
    if (len > NGX_CHAT_COMPRESS_SIZE) {
        return ngx_alloc(len, ngx_cycle->log);
    }

    if (ngx_chat_compress_buffer == NULL) {
        ngx_chat_compress_buffer = ngx_alloc(NGX_CHAT_COMPRESS_SIZE,
                                             ngx_cycle->log);
    }

    return ngx_chat_compress_buffer;
}


static void
ngx_chat_compress_release(u_char *room)
{
    if (room != ngx_chat_compress_buffer) {
        ngx_free(room);
    }
}


static ngx_chat_buf_t *
ngx_chat_compress_frame(ngx_uint_t opcode, u_char *payload, size_t len)
{
    ngx_str_t  text;

    text.data = payload;
    text.len = len;

    return ngx_chat_output_message(opcode|NGX_CHAT_WS_DEFLATED, &text);
}


static ngx_chat_shared_t *
ngx_chat_compress_shared(ngx_uint_t level, ngx_chat_shared_t *tail)
{
    u_char             *room, *p;
    ngx_chat_shared_t  *deflated;

    if (tail->deflated || tail->plain) {
        return tail->deflated;
    }

    /* whatever fails is not tried for every recipient */

    tail->plain = 1;

    room = ngx_chat_compress_room(tail->len);
    if (room == NULL) {
        return NULL;
    }

    p = room;
    deflated = NULL;

    if (ngx_chat_deflate_start(level) == NGX_OK
        && ngx_chat_deflate(tail->data, tail->len, 1, &p,
                            room + tail->len - NGX_CHAT_DEFLATE_STORED)
           == NGX_OK)
    {
        deflated = ngx_alloc(offsetof(ngx_chat_shared_t, data) + (p - room),
                             ngx_cycle->log);
    }

    if (deflated) {
        deflated->events = NULL;
        deflated->deflated = NULL;
        deflated->refs = 1;
        deflated->len = p - room;
        deflated->plain = 1;
        ngx_memcpy(deflated->data, room, deflated->len);

        tail->deflated = deflated;
    }

    ngx_chat_compress_release(room);

    return deflated;
}
