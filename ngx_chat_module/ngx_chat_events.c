
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


/*
 * A notification as a server-sent event:
 *
 *     id: N
 *     event: METHOD
 *     data: PARAMS
 *
 * and an empty line.  The worker writes notifications in one form only, so
 * that method and params stand where they always do.  CRLF ends each event
 * behind its empty line: in a chunked body it is the end of the chunk, in any
 * other one more empty line, which means nothing.
 */

#define NGX_CHAT_EVENTS_HEAD    "{\"jsonrpc\":\"2.0\",\"method\":\""
#define NGX_CHAT_EVENTS_PARAMS  "\",\"params\":"
#define NGX_CHAT_EVENTS_END     "\n\n" CRLF

#define NGX_CHAT_EVENTS_FIELDS                                                \
    (sizeof("id: \nevent: \ndata: ") - 1 + NGX_INT64_LEN)


static ngx_int_t ngx_chat_events_split(ngx_str_t *text, ngx_str_t *method,
    ngx_str_t *params);
static ngx_chat_shared_t *ngx_chat_events_tail(ngx_chat_shared_t *tail);
static u_char *ngx_chat_events_fields(u_char *p, uint64_t inbox_id,
    ngx_str_t *method);
static u_char *ngx_chat_events_copy(u_char *p, u_char *data, size_t len);
static ngx_chat_buf_t *ngx_chat_events_buf(ngx_chat_client_t *cl,
    size_t size);
static void ngx_chat_events_chunk(ngx_chat_client_t *cl, ngx_chat_buf_t *b,
    u_char *last, size_t tail);


ngx_chat_buf_t *
ngx_chat_events_message(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *text)
{
    u_char          *p;
    ngx_str_t        method, params;
    ngx_chat_buf_t  *b;

    if (ngx_chat_events_split(text, &method, &params) != NGX_OK
        || params.len == 0)
    {
        return NULL;
    }

    /* the last brace is the notification's */

    params.len--;

    b = ngx_chat_events_buf(cl, NGX_CHAT_EVENTS_FIELDS + method.len
                                + params.len + sizeof(NGX_CHAT_EVENTS_END));
    if (b == NULL) {
        return NULL;
    }

    p = ngx_chat_events_fields(b->data + b->len, inbox_id, &method);
    p = ngx_chat_events_copy(p, params.data, params.len);
    p = ngx_cpymem(p, NGX_CHAT_EVENTS_END, sizeof(NGX_CHAT_EVENTS_END) - 1);

    ngx_chat_events_chunk(cl, b, p, 0);

    return b;
}


ngx_chat_buf_t *
ngx_chat_events_event(ngx_chat_client_t *cl, ngx_str_t *head,
    uint64_t inbox_id, ngx_chat_shared_t *tail)
{
    u_char             *p;
    ngx_str_t           method, params;
    ngx_chat_buf_t     *b;
    ngx_chat_shared_t  *events;

    events = ngx_chat_events_tail(tail);

    if (events == NULL
        || ngx_chat_events_split(head, &method, &params) != NGX_OK)
    {
        return NULL;
    }

    b = ngx_chat_events_buf(cl, NGX_CHAT_EVENTS_FIELDS + method.len
                                + params.len + NGX_INT64_LEN);
    if (b == NULL) {
        return NULL;
    }

    p = ngx_chat_events_fields(b->data + b->len, inbox_id, &method);
    p = ngx_cpymem(p, params.data, params.len);

    if (inbox_id) {
        p = ngx_sprintf(p, "%uL", inbox_id);
    }

    ngx_chat_events_chunk(cl, b, p, events->len);

    b->tail = events;
    events->refs++;

    return b;
}


static ngx_int_t
ngx_chat_events_split(ngx_str_t *text, ngx_str_t *method, ngx_str_t *params)
{
    size_t   len;
    u_char  *p, *last;

    p = text->data;
    last = p + text->len;
    len = sizeof(NGX_CHAT_EVENTS_HEAD) - 1;

    if (text->len <= len || ngx_memcmp(p, NGX_CHAT_EVENTS_HEAD, len) != 0) {
        return NGX_ERROR;
    }

    method->data = p + len;

    p = ngx_strlchr(method->data, last, '"');
    len = sizeof(NGX_CHAT_EVENTS_PARAMS) - 1;

    if (p == NULL || (size_t) (last - p) < len
        || ngx_memcmp(p, NGX_CHAT_EVENTS_PARAMS, len) != 0)
    {
        return NGX_ERROR;
    }

    method->len = p - method->data;

    params->data = p + len;
    params->len = last - params->data;

    return NGX_OK;
}


/* made for the first stream that needs it, shared by the others */

static ngx_chat_shared_t *
ngx_chat_events_tail(ngx_chat_shared_t *tail)
{
    u_char             *p;
    ngx_chat_shared_t  *events;

    if (tail->events || tail->len == 0) {
        return tail->events;
    }

    events = ngx_alloc(offsetof(ngx_chat_shared_t, data) + tail->len
                       + sizeof(NGX_CHAT_EVENTS_END), ngx_cycle->log);
    if (events == NULL) {
        return NULL;
    }

    p = ngx_chat_events_copy(events->data, tail->data, tail->len - 1);
    p = ngx_cpymem(p, NGX_CHAT_EVENTS_END, sizeof(NGX_CHAT_EVENTS_END) - 1);

    events->events = NULL;
    events->deflated = NULL;
    events->refs = 1;
    events->len = p - events->data;
    events->plain = 1;

    tail->events = events;

    return events;
}


static u_char *
ngx_chat_events_fields(u_char *p, uint64_t inbox_id, ngx_str_t *method)
{
    if (inbox_id) {
        p = ngx_sprintf(p, "id: %uL\n", inbox_id);
    }

    return ngx_sprintf(p, "event: %V\ndata: ", method);
}


/* a line break in JSON is white space, in an event the end of its line */

static u_char *
ngx_chat_events_copy(u_char *p, u_char *data, size_t len)
{
    u_char  *last;

    last = ngx_cpymem(p, data, len);

    for ( /* void */ ; p < last; p++) {

        if (*p == LF || *p == CR) {
            *p = ' ';
        }
    }

    return last;
}


/* room before it for the size of a chunk: b->len says how much */

static ngx_chat_buf_t *
ngx_chat_events_buf(ngx_chat_client_t *cl, size_t size)
{
    size_t           room;
    ngx_chat_buf_t  *b;

    room = cl->chunked ? 2 * sizeof(size_t) + sizeof(CRLF) - 1 : 0;

    b = ngx_chat_buf_create(room + size);
    if (b == NULL) {
        return NULL;
    }

    b->len = room;

    return b;
}


/* what was written up to last, and a tail, end in the CRLF of the chunk */

static void
ngx_chat_events_chunk(ngx_chat_client_t *cl, ngx_chat_buf_t *b, u_char *last,
    size_t tail)
{
    size_t   len, room;
    u_char  *p, head[2 * sizeof(size_t) + sizeof(CRLF)];

    room = b->len;
    len = last - (b->data + room);

    if (cl->chunked) {
        p = ngx_sprintf(head, "%xz" CRLF, len + tail - (sizeof(CRLF) - 1));

        ngx_memmove(b->data + (p - head), b->data + room, len);
        ngx_memcpy(b->data, head, p - head);

        room = p - head;
    }

    b->len = room + len;
}


ngx_chat_buf_t *
ngx_chat_events_bytes(ngx_chat_client_t *cl, u_char *data, size_t len)
{
    u_char          *p;
    ngx_chat_buf_t  *b;

    b = ngx_chat_events_buf(cl, len + sizeof(CRLF) - 1);
    if (b == NULL) {
        return NULL;
    }

    p = ngx_cpymem(b->data + b->len, data, len);

    if (cl->chunked) {
        *p++ = CR;
        *p++ = LF;
    }

    ngx_chat_events_chunk(cl, b, p, 0);

    return b;
}


void
ngx_chat_events_end(ngx_chat_client_t *cl)
{
    ngx_chat_buf_t  *b;

    if (cl->kind == ngx_chat_kind_poll) {
        ngx_chat_poll_answer(cl);
    }

    if (cl->chunked) {
        b = ngx_chat_buf_create(sizeof("0" CRLF CRLF) - 1);

        if (b) {
            b->len = sizeof("0" CRLF CRLF) - 1;
            ngx_memcpy(b->data, "0" CRLF CRLF, b->len);

            ngx_chat_output_queue(cl, b);
        }
    }

    if (ngx_chat_client_early(cl)) {
        return;
    }

    if (cl->connection->write->timer_set) {
        ngx_del_timer(cl->connection->write);
    }

    ngx_chat_timer_deadline(cl, NGX_CHAT_CLOSE_TIME);
    ngx_chat_client_finish(cl);
}
