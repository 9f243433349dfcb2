
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


/*
 * A stream of HTTP/2 lives in a connection with others, and its request with
 * it.  What is queued goes through the filters, a bounded part at a time,
 * whose memory is given back when all of it is written: none of it is from
 * the request's pool, which lives as long as the stream.
 *
 * A process that exits tells only idle connections: here a timer looks.
 */

#define NGX_CHAT_ATTACHED_BUFS  32
#define NGX_CHAT_ATTACHED_TIME  500


struct ngx_chat_attached_s {
    ngx_queue_t                queue;
    ngx_chat_client_t         *client;
    ngx_chat_buf_t            *busy;         /* on their way */
    size_t                     size;         /* of busy */
    ngx_chain_t                links[NGX_CHAT_ATTACHED_BUFS];
    ngx_buf_t                  bufs[NGX_CHAT_ATTACHED_BUFS];
};


static void ngx_chat_attached_read_handler(ngx_http_request_t *r);
static void ngx_chat_attached_write_handler(ngx_http_request_t *r);
static ngx_chain_t *ngx_chat_attached_chain(ngx_chat_client_t *cl);
static ngx_uint_t ngx_chat_attached_add(ngx_chat_attached_t *at,
    ngx_uint_t n, u_char *data, size_t len);
static void ngx_chat_attached_written(ngx_chat_client_t *cl);
static void ngx_chat_attached_exit_handler(ngx_event_t *ev);


static ngx_queue_t  ngx_chat_attached;
static ngx_event_t  ngx_chat_attached_event;


ngx_int_t
ngx_chat_attached_start(ngx_chat_client_t *cl)
{
    ngx_event_t          *ev;
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_chat_attached_t  *at;

    r = cl->request;
    c = cl->connection;
    ev = &ngx_chat_attached_event;

    at = ngx_calloc(sizeof(ngx_chat_attached_t), ngx_cycle->log);
    if (at == NULL) {
        return NGX_ERROR;
    }

    if (ngx_chat_attached.next == NULL) {
        ngx_queue_init(&ngx_chat_attached);

        ev->handler = ngx_chat_attached_exit_handler;
        ev->data = ev;
        ev->log = ngx_cycle->log;
    }

    ngx_queue_insert_tail(&ngx_chat_attached, &at->queue);

    if (!ev->timer_set) {
        ngx_add_timer(ev, NGX_CHAT_ATTACHED_TIME);
    }

    at->client = cl;
    cl->attached = at;

    c->log->action = "chatting";

    r->read_event_handler = ngx_chat_attached_read_handler;
    r->write_event_handler = ngx_chat_attached_write_handler;

    ngx_chat_client_begin(cl);

    return NGX_OK;
}


static void
ngx_chat_attached_read_handler(ngx_http_request_t *r)
{
    ngx_event_t     *rev;
    ngx_chat_ctx_t  *ctx;

    rev = r->connection->read;

    if (rev->timedout) {
        rev->timedout = 0;

        ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
        ngx_chat_timer(ctx->client);
        return;
    }

    ngx_http_test_reading(r);
}


static void
ngx_chat_attached_write_handler(ngx_http_request_t *r)
{
    ngx_chat_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    ngx_chat_client_write(ctx->client);
}


ngx_int_t
ngx_chat_attached_flush(ngx_chat_client_t *cl)
{
    ngx_int_t             rc;
    ngx_chain_t          *out;
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_chat_attached_t  *at;

    r = cl->request;
    c = cl->connection;
    at = cl->attached;
    rc = NGX_AGAIN;

    if (c->error) {
        return NGX_ERROR;
    }

    /* the head, or what was given to the filters before */

    if ((r->buffered || c->buffered)
        && ngx_http_output_filter(r, NULL) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    for ( ;; ) {

        if (r->buffered || c->buffered) {
            return rc;
        }

        if (at->busy) {
            ngx_chat_attached_written(cl);
            rc = NGX_DONE;
        }

        out = ngx_chat_attached_chain(cl);
        if (out == NULL) {
            return NGX_OK;
        }

        if (ngx_http_output_filter(r, out) == NGX_ERROR) {
            return NGX_ERROR;
        }
    }
}


/* takes the first entries off the queue; NULL: it is empty */

static ngx_chain_t *
ngx_chat_attached_chain(ngx_chat_client_t *cl)
{
    ngx_uint_t            n;
    ngx_chat_buf_t       *b, *last;
    ngx_chat_attached_t  *at;

    if (cl->out == NULL) {
        return NULL;
    }

    at = cl->attached;
    at->busy = cl->out;
    at->size = 0;

    last = NULL;
    n = 0;

    for (b = cl->out; b && n + 2 <= NGX_CHAT_ATTACHED_BUFS; b = b->next) {
        n = ngx_chat_attached_add(at, n, b->data, b->len);

        if (b->tail) {
            n = ngx_chat_attached_add(at, n, b->tail->data, b->tail->len);
        }

        at->size += ngx_chat_output_size(b);
        last = b;
    }

    cl->out = last->next;
    last->next = NULL;

    at->bufs[n - 1].flush = 1;
    at->links[n - 1].next = NULL;

    return at->links;
}


static ngx_uint_t
ngx_chat_attached_add(ngx_chat_attached_t *at, ngx_uint_t n, u_char *data,
    size_t len)
{
    ngx_buf_t  *b;

    if (len == 0) {
        return n;
    }

    b = &at->bufs[n];

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->pos = data;
    b->last = data + len;
    b->start = data;
    b->end = data + len;
    b->memory = 1;

    at->links[n].buf = b;
    at->links[n].next = &at->links[n] + 1;

    return n + 1;
}


static void
ngx_chat_attached_written(ngx_chat_client_t *cl)
{
    ngx_chat_attached_t  *at;

    at = cl->attached;

    ngx_chat_output_account(cl, -(ssize_t) at->size);
    ngx_chat_stat_add(ngx_chat_stat_bytes_out, at->size);

    ngx_chat_buf_free_list(at->busy);
    at->busy = NULL;
    at->size = 0;
}


/* the end of the stream, or of nothing good; the request frees the client */

void
ngx_chat_attached_finalize(ngx_chat_client_t *cl)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = cl->request;

    if (cl->state == ngx_chat_client_finished
        && cl->out == NULL
        && cl->attached->busy == NULL)
    {
        rc = ngx_http_send_special(r, NGX_HTTP_LAST);

    } else {
        rc = NGX_ERROR;
    }

    ngx_http_finalize_request(r, rc);
}


void
ngx_chat_attached_free(ngx_chat_client_t *cl)
{
    ngx_queue_remove(&cl->attached->queue);

    ngx_chat_buf_free_list(cl->attached->busy);
    ngx_free(cl->attached);

    cl->attached = NULL;
}


static void
ngx_chat_attached_exit_handler(ngx_event_t *ev)
{
    ngx_queue_t          *q, *next;
    ngx_chat_attached_t  *at;

    if (ngx_queue_empty(&ngx_chat_attached)) {
        return;
    }

    ngx_add_timer(ev, NGX_CHAT_ATTACHED_TIME);

    if (!ngx_exiting) {
        return;
    }

    for (q = ngx_queue_head(&ngx_chat_attached);
         q != ngx_queue_sentinel(&ngx_chat_attached);
         q = next)
    {
        next = ngx_queue_next(q);
        at = ngx_queue_data(q, ngx_chat_attached_t, queue);

        ngx_chat_timer_drain(at->client);
    }
}
