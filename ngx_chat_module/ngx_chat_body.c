
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


/*
 * Read unbuffered, so that the limit is ours, its answer too, and no file is
 * written: what has arrived is kept, in pieces.
 */

#define NGX_CHAT_BODY_MIN  4096
#define NGX_CHAT_BODY_MAX  65536


static void ngx_chat_body_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_chat_body_take(ngx_http_request_t *r,
    ngx_chat_body_t *body, ngx_uint_t *n);
static ngx_int_t ngx_chat_body_add(ngx_http_request_t *r,
    ngx_chat_body_t *body, u_char *data, size_t len);


ngx_int_t
ngx_chat_body_read(ngx_http_request_t *r, ngx_chat_body_t *body)
{
    ngx_int_t  rc;

    r->request_body_no_buffering = 1;
    r->request_body_in_file_only = 0;

    rc = ngx_http_read_client_request_body(r, ngx_chat_body_read_handler);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static void
ngx_chat_body_read_handler(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_uint_t        n;
    ngx_chat_ctx_t   *ctx;
    ngx_chat_body_t  *body;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
    body = &ctx->http->body;

    r->read_event_handler = ngx_chat_body_read_handler;

    do {
        if (r->reading_body) {
            rc = ngx_http_read_unbuffered_request_body(r);

            if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
                body->handler(r, rc);
                return;
            }
        }

        rc = ngx_chat_body_take(r, body, &n);

        if (rc != NGX_OK) {
            body->handler(r, rc);
            return;
        }

        if (!r->reading_body) {
            r->read_event_handler = ngx_http_block_reading;
            body->handler(r, 0);
            return;
        }

    } while (n);
}


static ngx_int_t
ngx_chat_body_take(ngx_http_request_t *r, ngx_chat_body_t *body,
    ngx_uint_t *n)
{
    ngx_buf_t    *b;
    ngx_chain_t  *in, *next;

    *n = 0;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    in = r->request_body->bufs;
    r->request_body->bufs = NULL;

    for ( /* void */ ; in; in = next) {
        next = in->next;
        b = in->buf;

        if (b->last - b->pos > (ssize_t) (body->max - body->len)) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        if (ngx_chat_body_add(r, body, b->pos, b->last - b->pos) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (body->secret) {
            ngx_explicit_memzero(b->pos, b->last - b->pos);
        }

        b->pos = b->last;
        (*n)++;

        ngx_free_chain(r->pool, in);
    }

    return NGX_OK;
}


void
ngx_chat_body_forget(ngx_chat_body_t *body)
{
    ngx_chain_t  *cl;

    for (cl = body->bufs; cl; cl = cl->next) {
        ngx_explicit_memzero(cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    body->bufs = NULL;
    body->last = NULL;
    body->len = 0;
}


static ngx_int_t
ngx_chat_body_add(ngx_http_request_t *r, ngx_chat_body_t *body, u_char *data,
    size_t len)
{
    size_t        n, size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    body->len += len;
    size = NGX_CHAT_BODY_MIN;

    if (body->last) {
        b = body->last->buf;
        n = ngx_min(len, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, data, n);
        data += n;
        len -= n;

        size = ngx_min(2 * (size_t) (b->end - b->start), NGX_CHAT_BODY_MAX);
    }

    if (len == 0) {
        return NGX_OK;
    }

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = ngx_create_temp_buf(r->pool, ngx_max(size, len));
    if (cl->buf == NULL) {
        return NGX_ERROR;
    }

    cl->buf->last = ngx_cpymem(cl->buf->last, data, len);
    cl->next = NULL;

    if (body->last) {
        body->last->next = cl;

    } else {
        body->bufs = cl;
    }

    body->last = cl;

    return NGX_OK;
}
