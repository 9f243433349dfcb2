
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>
#include <ngx_chat_deflate.h>


/* reads of one client in one loop turn */

#define NGX_CHAT_READ_ROUNDS   16

/* a message in pieces grows by what has arrived, never by what is claimed */

#define NGX_CHAT_PIECE_MIN     512
#define NGX_CHAT_PIECE_MAX     65536

/* a message that inflates to no more than this is never copied */

#define NGX_CHAT_INFLATE_SIZE  65536


static ngx_int_t ngx_chat_input_recv(ngx_chat_client_t *cl);
static ngx_int_t ngx_chat_input_discard(ngx_chat_client_t *cl);
static ngx_int_t ngx_chat_input_eof(ngx_chat_client_t *cl);
static ngx_int_t ngx_chat_input_parse(ngx_chat_client_t *cl, u_char *pos,
    u_char *last);
static ngx_int_t ngx_chat_input_keep(ngx_chat_client_t *cl, u_char *pos,
    u_char *last);
static void ngx_chat_input_event(ngx_chat_client_t *cl,
    ngx_chat_ws_event_t *ev);
static void ngx_chat_input_data(ngx_chat_client_t *cl,
    ngx_chat_ws_event_t *ev);
static void ngx_chat_input_request(ngx_chat_client_t *cl, u_char *data,
    size_t len);
static void ngx_chat_input_deflated(ngx_chat_client_t *cl,
    ngx_chat_ws_event_t *ev);
static ngx_int_t ngx_chat_input_inflate(ngx_chat_client_t *cl,
    ngx_chat_inflate_t *inflate, u_char *pos, u_char *last, u_char **out);
static void ngx_chat_input_failed(ngx_chat_client_t *cl, ngx_uint_t code,
    const char *error);
static ngx_int_t ngx_chat_input_append(ngx_chat_client_t *cl, u_char *data,
    size_t len);
static void ngx_chat_input_message(ngx_chat_client_t *cl, ngx_uint_t binary);
static void ngx_chat_input_pieces(ngx_chat_client_t *cl, ngx_chat_buf_t *in);
static void ngx_chat_input_no_memory(ngx_chat_client_t *cl);


/* of all clients: what is left in it after a read is copied */

static u_char  *ngx_chat_input_buffer;

/* likewise, made for the first compressed message */

static u_char  *ngx_chat_input_inflated;


ngx_int_t
ngx_chat_input_init_process(ngx_cycle_t *cycle)
{
    ngx_chat_input_buffer = ngx_palloc(cycle->pool, NGX_CHAT_READ_SIZE);

    return ngx_chat_input_buffer ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_chat_input_read(ngx_chat_client_t *cl)
{
    ngx_int_t        rc;
    ngx_uint_t       i;
    ngx_event_t     *rev;
    ngx_chat_buf_t  *rest;

    rev = cl->connection->read;

    for (i = 0; i < NGX_CHAT_READ_ROUNDS; i++) {

        if (ngx_chat_client_paused(cl)) {
            return NGX_OK;
        }

        if (cl->unparsed) {
            rest = cl->rest;
            cl->rest = NULL;
            cl->unparsed = 0;

            rc = ngx_chat_input_parse(cl, rest->data, rest->data + rest->len);

            ngx_chat_buf_free(rest);

        } else if (!rev->ready) {
            return NGX_OK;

        } else if (cl->state == ngx_chat_client_open && cl->owner
                   && cl->kind == ngx_chat_kind_websocket
                   && ngx_chat_bridge_full(cl))
        {
            cl->stopped = 1;
            return NGX_OK;

        } else if (cl->state == ngx_chat_client_finished) {
            rc = ngx_chat_input_discard(cl);

        } else {
            rc = ngx_chat_input_recv(cl);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* let the others have their turn */

    if (!rev->posted) {
        ngx_post_event(rev, &ngx_posted_next_events);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_input_recv(ngx_chat_client_t *cl)
{
    size_t             left;
    u_char            *p;
    ssize_t            n;
    ngx_connection_t  *c;

    c = cl->connection;
    p = ngx_chat_input_buffer;
    left = cl->rest ? cl->rest->len : 0;

    n = c->recv(c, p + left, NGX_CHAT_READ_SIZE - left);

    if (n == NGX_AGAIN) {
        return NGX_OK;
    }

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (n == 0) {
        return ngx_chat_input_eof(cl);
    }

    cl->heard = ngx_current_msec;
    cl->pinged = 0;

    ngx_chat_stat_add(ngx_chat_stat_bytes_in, n);

    /* its answer says that it is the last of the connection */

    if (cl->kind != ngx_chat_kind_websocket) {
        return NGX_OK;
    }

    if (left) {
        ngx_memcpy(p, cl->rest->data, left);
        ngx_chat_buf_free(cl->rest);
        cl->rest = NULL;
    }

    return ngx_chat_input_parse(cl, p, p + left + n);
}


static ngx_int_t
ngx_chat_input_discard(ngx_chat_client_t *cl)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = cl->connection;

    /* of TLS nothing is decrypted any more */

    n = ngx_recv(c, ngx_chat_input_buffer, NGX_CHAT_READ_SIZE);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    return (n == 0) ? ngx_chat_input_eof(cl) : NGX_OK;
}


static ngx_int_t
ngx_chat_input_eof(ngx_chat_client_t *cl)
{
    cl->connection->read->eof = 1;
    cl->connection->read->ready = 0;

    if (cl->out == NULL) {
        return NGX_DONE;
    }

    /* half-closed: what is queued, our Close perhaps, has yet to be written */

    if (cl->state == ngx_chat_client_open) {
        ngx_chat_client_abandon(cl);
    }

    if (cl->state != ngx_chat_client_finished) {
        ngx_chat_client_finish(cl);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_input_parse(ngx_chat_client_t *cl, u_char *pos, u_char *last)
{
    ngx_int_t            rc;
    ngx_chat_ws_event_t  ev;

    for ( ;; ) {

        if (ngx_chat_client_paused(cl)) {
            cl->unparsed = (pos != last);
            break;
        }

        rc = ngx_chat_ws_parse(&cl->ws, &pos, last, &ev);

        if (rc == NGX_AGAIN) {
            break;
        }

        if (rc == NGX_ERROR) {
            ngx_chat_input_failed(cl, ev.code, ev.error);
            return NGX_OK;
        }

        ngx_chat_input_event(cl, &ev);

        if (cl->state == ngx_chat_client_finished) {
            return NGX_OK;
        }
    }

    return ngx_chat_input_keep(cl, pos, last);
}


static ngx_int_t
ngx_chat_input_keep(ngx_chat_client_t *cl, u_char *pos, u_char *last)
{
    ngx_chat_buf_t  *b;

    if (pos == last) {
        return NGX_OK;
    }

    b = ngx_chat_buf_create(last - pos);
    if (b == NULL) {
        cl->unparsed = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(b->data, pos, last - pos);
    b->len = last - pos;

    cl->rest = b;

    return NGX_OK;
}


static void
ngx_chat_input_event(ngx_chat_client_t *cl, ngx_chat_ws_event_t *ev)
{
    if (ev->type != ngx_chat_ws_data || !cl->ws.payload) {
        ngx_chat_stat_add(ngx_chat_stat_frames_in, 1);
    }

    if (ev->type == ngx_chat_ws_close) {

        if (cl->state == ngx_chat_client_open) {
            ngx_chat_client_answer_close(cl, ev->code);
        }

        ngx_chat_client_finish(cl);
        return;
    }

    /* after our Close nothing else counts */

    if (cl->state != ngx_chat_client_open) {
        return;
    }

    switch (ev->type) {

    case ngx_chat_ws_data:
        ngx_chat_input_data(cl, ev);
        break;

    case ngx_chat_ws_ping:
        if (ngx_chat_output_control(cl, NGX_CHAT_WS_PONG, ev->data, ev->len)
            != NGX_OK)
        {
            ngx_chat_input_no_memory(cl);
        }
        break;

    default:
        break;
    }
}


static void
ngx_chat_input_data(ngx_chat_client_t *cl, ngx_chat_ws_event_t *ev)
{
    if (ev->rsv1) {
        ngx_chat_input_deflated(cl, ev);
        return;
    }

    if (ev->first && ev->last && cl->owner) {

        /* the usual case: nothing is copied here */

        ngx_chat_input_request(cl, ev->data, ev->len);
        return;
    }

    if (ngx_chat_input_append(cl, ev->data, ev->len) != NGX_OK) {
        ngx_chat_input_no_memory(cl);
        return;
    }

    if (ev->last) {
        ngx_chat_stat_add(ngx_chat_stat_messages_in, 1);
        ngx_chat_input_message(cl, ev->binary);
    }
}


static void
ngx_chat_input_request(ngx_chat_client_t *cl, u_char *data, size_t len)
{
    ngx_buf_t    b;
    ngx_chain_t  in;

    ngx_memzero(&b, sizeof(ngx_buf_t));

    b.pos = data;
    b.last = data + len;
    b.memory = 1;

    in.buf = &b;
    in.next = NULL;

    ngx_chat_stat_add(ngx_chat_stat_messages_in, 1);
    ngx_chat_stream_request(cl, &in, len);
}


/*
 * The stream is that of all connections: a message in pieces is inflated when
 * it is there as a whole
 */

static void
ngx_chat_input_deflated(ngx_chat_client_t *cl, ngx_chat_ws_event_t *ev)
{
    u_char              *out;
    ngx_int_t            rc;
    ngx_chat_buf_t      *b, *in;
    ngx_chat_inflate_t   inflate;

    if (!(ev->first && ev->last)
        && ngx_chat_input_append(cl, ev->data, ev->len) != NGX_OK)
    {
        ngx_chat_input_no_memory(cl);
        return;
    }

    if (!ev->last) {
        return;
    }

    if (ngx_chat_input_inflated == NULL) {
        ngx_chat_input_inflated = ngx_alloc(NGX_CHAT_INFLATE_SIZE,
                                            ngx_cycle->log);
        if (ngx_chat_input_inflated == NULL) {
            ngx_chat_input_no_memory(cl);
            return;
        }
    }

    in = cl->in;
    cl->in = NULL;

    out = ngx_chat_input_inflated;

    rc = ngx_chat_inflate_start(&inflate, cl->ws.message_max, !ev->binary);

    if (rc == NGX_OK && in == NULL) {
        rc = ngx_chat_input_inflate(cl, &inflate, ev->data,
                                    ev->data + ev->len, &out);
    }

    for (b = in; b && rc == NGX_OK; b = b->next) {
        rc = ngx_chat_input_inflate(cl, &inflate, b->data, b->data + b->len,
                                    &out);
    }

    ngx_chat_buf_free_list(in);

    if (rc == NGX_OK) {
        rc = ngx_chat_inflate_end(&inflate);
    }

    if (rc != NGX_OK) {
        ngx_chat_input_failed(cl, inflate.code, inflate.error);
        return;
    }

    if (cl->in == NULL && cl->owner) {
        ngx_chat_input_request(cl, ngx_chat_input_inflated,
                               out - ngx_chat_input_inflated);
        return;
    }

    if (ngx_chat_input_append(cl, ngx_chat_input_inflated,
                              out - ngx_chat_input_inflated)
        != NGX_OK)
    {
        ngx_chat_input_no_memory(cl);
        return;
    }

    ngx_chat_stat_add(ngx_chat_stat_messages_in, 1);
    ngx_chat_input_message(cl, ev->binary);
}


/* what does not fit into the buffer of all connections goes to the client's */

static ngx_int_t
ngx_chat_input_inflate(ngx_chat_client_t *cl, ngx_chat_inflate_t *inflate,
    u_char *pos, u_char *last, u_char **out)
{
    u_char     *end;
    ngx_int_t   rc;

    end = ngx_chat_input_inflated + NGX_CHAT_INFLATE_SIZE;

    while ((rc = ngx_chat_inflate(inflate, &pos, last, out, end)) == NGX_OK) {

        if (ngx_chat_input_append(cl, ngx_chat_input_inflated,
                                  NGX_CHAT_INFLATE_SIZE)
            != NGX_OK)
        {
            inflate->code = NGX_CHAT_WS_TRY_LATER;
            inflate->error = "no_memory";
            return NGX_ERROR;
        }

        *out = ngx_chat_input_inflated;
    }

    return (rc == NGX_AGAIN) ? NGX_OK : NGX_ERROR;
}


/* nothing of the client is understood any more */

static void
ngx_chat_input_failed(ngx_chat_client_t *cl, ngx_uint_t code,
    const char *error)
{
    ngx_chat_client_close(cl, code, (u_char *) error, ngx_strlen(error));
    ngx_chat_client_finish(cl);
}


static ngx_int_t
ngx_chat_input_append(ngx_chat_client_t *cl, u_char *data, size_t len)
{
    size_t           n, size;
    ngx_chat_buf_t  *b;

    b = cl->in ? cl->in_last : NULL;

    if (b && len) {
        n = ngx_min(len, (size_t) (b->size - b->len));

        ngx_memcpy(b->data + b->len, data, n);

        b->len += n;
        data += n;
        len -= n;
    }

    if (len == 0) {
        return NGX_OK;
    }

    /* a piece as long as the one before it doubled: few pieces, little slack */

    size = b ? ngx_min(2 * (size_t) b->size, NGX_CHAT_PIECE_MAX)
             : NGX_CHAT_PIECE_MIN;

    b = ngx_chat_buf_create(ngx_max(size, len));
    if (b == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(b->data, data, len);
    b->len = len;

    if (cl->in) {
        cl->in_last->next = b;

    } else {
        cl->in = b;
    }

    cl->in_last = b;

    return NGX_OK;
}


static void
ngx_chat_input_message(ngx_chat_client_t *cl, ngx_uint_t binary)
{
    size_t           len;
    ngx_chat_buf_t  *b, *in;

    in = cl->in;
    cl->in = NULL;

    if (cl->owner) {
        ngx_chat_input_pieces(cl, in);
        ngx_chat_buf_free_list(in);
        return;
    }

    len = 0;

    for (b = in; b; b = b->next) {
        len += b->len;
    }

    ngx_chat_echo_message(cl, in, len, binary);
}


static void
ngx_chat_input_pieces(ngx_chat_client_t *cl, ngx_chat_buf_t *in)
{
    size_t           len;
    ngx_buf_t       *buf;
    ngx_uint_t       n;
    ngx_chain_t     *chain, *ln;
    ngx_chat_buf_t  *b;

    n = 0;

    for (b = in; b; b = b->next) {
        n++;
    }

    chain = ngx_calloc(n * (sizeof(ngx_chain_t) + sizeof(ngx_buf_t)),
                       ngx_cycle->log);
    if (chain == NULL) {
        ngx_chat_input_no_memory(cl);
        return;
    }

    ln = chain;
    buf = (ngx_buf_t *) (chain + n);
    len = 0;

    for (b = in; b; b = b->next) {
        buf->pos = b->data;
        buf->last = b->data + b->len;
        buf->memory = 1;
        len += b->len;

        ln->buf = buf++;
        ln->next = b->next ? ln + 1 : NULL;
        ln++;
    }

    ngx_chat_stream_request(cl, chain, len);

    ngx_free(chain);
}


static void
ngx_chat_input_no_memory(ngx_chat_client_t *cl)
{
    ngx_chat_client_close(cl, NGX_CHAT_WS_TRY_LATER, (u_char *) "no_memory",
                          9);
}
