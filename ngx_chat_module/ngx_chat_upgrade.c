
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


/* ms until the request is looked at again that something else still uses */

#define NGX_CHAT_DETACH_TIME  10

#define NGX_CHAT_UPGRADE_DEFLATE  "permessage-deflate; "                      \
                                  "server_no_context_takeover; "              \
                                  "client_no_context_takeover"
#define NGX_CHAT_UPGRADE_WINDOW   "; server_max_window_bits="


static ngx_int_t ngx_chat_upgrade_websocket(ngx_http_request_t *r);
static ngx_int_t ngx_chat_upgrade_deflate(ngx_http_request_t *r,
    ngx_chat_extension_t *ext);
static ngx_int_t ngx_chat_upgrade_stream(ngx_http_request_t *r,
    ngx_chat_client_t *cl);
static ngx_int_t ngx_chat_upgrade_header(ngx_http_request_t *r, char *name,
    ngx_str_t *value);
static void ngx_chat_upgrade_write_handler(ngx_event_t *wev);
static void ngx_chat_upgrade_detach_handler(ngx_event_t *rev);
static ngx_int_t ngx_chat_upgrade_rest(ngx_http_request_t *r,
    ngx_chat_buf_t **rest);
static ngx_int_t ngx_chat_upgrade_release(ngx_connection_t *c,
    ngx_http_connection_t *hc);
static void ngx_chat_upgrade_failed(ngx_http_request_t *r);


ngx_int_t
ngx_chat_upgrade(ngx_http_request_t *r, ngx_chat_client_t *cl)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = r->connection;

    rc = (cl->kind == ngx_chat_kind_websocket)
         ? ngx_chat_upgrade_websocket(r) : ngx_chat_upgrade_stream(r, cl);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    r->keepalive = 0;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return NGX_ERROR;
    }

    /* without it the headers wait for a body */

    if (ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (cl->state == ngx_chat_client_waiting) {
        cl->state = ngx_chat_client_upgrading;
    }

#if (NGX_HTTP_V2)

    if (r->stream) {
        return ngx_chat_attached_start(cl);
    }

#endif

    if (cl->chunked != r->chunked) {
        return NGX_ERROR;
    }

    c->log->action = "upgrading to WebSocket";

    /*
     * the functions that called this one still use the request: it is left
     * in the next loop turn, with nothing of it on the stack
     */

    c->read->handler = ngx_chat_upgrade_detach_handler;
    c->write->handler = ngx_chat_upgrade_write_handler;

    if (r->buffered || c->buffered) {
        ngx_add_timer(c->write, cl->conf->send_timeout);
        return ngx_handle_write_event(c->write, 0);
    }

    if (!c->read->posted) {
        ngx_post_event(c->read, &ngx_posted_events);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_upgrade_websocket(ngx_http_request_t *r)
{
    ngx_str_t        value;
    ngx_chat_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");

    ngx_str_set(&value, "websocket");

    if (ngx_chat_upgrade_header(r, "Upgrade", &value) != NGX_OK
        || ngx_chat_upgrade_header(r, "Sec-WebSocket-Accept", &ctx->accept)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&value, "chat.v1");

    if (ctx->protocol
        && ngx_chat_upgrade_header(r, "Sec-WebSocket-Protocol", &value)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ctx->deflate.window ? ngx_chat_upgrade_deflate(r, &ctx->deflate)
                               : NGX_OK;
}


/* one stream serves all connections: no context is taken over either way */

static ngx_int_t
ngx_chat_upgrade_deflate(ngx_http_request_t *r, ngx_chat_extension_t *ext)
{
    u_char     *p;
    ngx_str_t   value;

    p = ngx_pnalloc(r->pool, sizeof(NGX_CHAT_UPGRADE_DEFLATE)
                             + sizeof(NGX_CHAT_UPGRADE_WINDOW)
                             + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    p = ngx_cpymem(p, NGX_CHAT_UPGRADE_DEFLATE,
                   sizeof(NGX_CHAT_UPGRADE_DEFLATE) - 1);

    if (ext->asked) {
        p = ngx_sprintf(p, NGX_CHAT_UPGRADE_WINDOW "%ui", ext->window);
    }

    value.len = p - value.data;

    return ngx_chat_upgrade_header(r, "Sec-WebSocket-Extensions", &value);
}


/* a body whose end nobody knows yet, and that no filter may gather */

static ngx_int_t
ngx_chat_upgrade_stream(ngx_http_request_t *r, ngx_chat_client_t *cl)
{
    ngx_str_t  value;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;

    if (cl->kind == ngx_chat_kind_events) {
        ngx_str_set(&r->headers_out.content_type, "text/event-stream");

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    ngx_str_set(&value, "no");

    return ngx_chat_upgrade_header(r, "X-Accel-Buffering", &value);
}


static ngx_int_t
ngx_chat_upgrade_header(ngx_http_request_t *r, char *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}


/* the socket was too full for the 101 */

static void
ngx_chat_upgrade_write_handler(ngx_event_t *wev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = wev->data;
    r = c->data;

    if (wev->timedout || c->error) {
        ngx_chat_upgrade_failed(r);
        return;
    }

    if (!r->buffered && !c->buffered) {
        return;
    }

    if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
        ngx_chat_upgrade_failed(r);
        return;
    }

    if (r->buffered || c->buffered) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_chat_upgrade_failed(r);
        }

        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    if (!c->read->posted) {
        ngx_post_event(c->read, &ngx_posted_events);
    }
}


static void
ngx_chat_upgrade_detach_handler(ngx_event_t *rev)
{
    ngx_chat_buf_t         *rest;
    ngx_chat_ctx_t         *ctx;
    ngx_connection_t       *c;
    ngx_chat_client_t      *cl;
    ngx_http_request_t     *r;
    ngx_http_connection_t  *hc;

    c = rev->data;
    r = c->data;

    rev->timedout = 0;

    if (c->error) {
        ngx_chat_upgrade_failed(r);
        return;
    }

    if (r->buffered || c->buffered) {
        return;
    }

    /* a mirror's subrequest, for example */

    if (r->main->count != 1 || r->blocked) {

        if (!rev->timer_set) {
            ngx_add_timer(rev, NGX_CHAT_DETACH_TIME);
        }

        return;
    }

    if (ngx_chat_upgrade_rest(r, &rest) != NGX_OK) {
        ngx_chat_upgrade_failed(r);
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
    cl = ctx->client;
    ctx->cleanup->handler = NULL;

    hc = r->http_connection;

    ngx_http_free_request(r, 0);

    if (ngx_chat_upgrade_release(c, hc) != NGX_OK) {
        ngx_chat_buf_free_list(rest);
        ngx_chat_client_free(cl);
        ngx_http_close_connection(c);
        return;
    }

    ngx_chat_client_shed(cl);
    ngx_chat_client_start(cl, rest);
}


/* frames that came with the handshake */

static ngx_int_t
ngx_chat_upgrade_rest(ngx_http_request_t *r, ngx_chat_buf_t **rest)
{
    size_t           len;
    ngx_chat_buf_t  *b;
    ngx_chat_ctx_t  *ctx;

    *rest = NULL;
    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    if (ctx->client->kind != ngx_chat_kind_websocket) {
        return NGX_OK;
    }

    len = r->header_in->last - r->header_in->pos;

    if (len == 0) {
        return NGX_OK;
    }

    b = ngx_chat_buf_create(len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(b->data, r->header_in->pos, len);
    b->len = len;

    *rest = b;

    return NGX_OK;
}


/* as for a keepalive connection: what only requests need goes */

static ngx_int_t
ngx_chat_upgrade_release(ngx_connection_t *c, ngx_http_connection_t *hc)
{
    ngx_uint_t    i;
    ngx_chain_t  *ln, *lists[2];

    if (ngx_pfree(c->pool, c->buffer->start) == NGX_OK) {
        c->buffer->pos = NULL;
    }

    lists[0] = hc->free;
    lists[1] = hc->busy;

    for (i = 0; i < 2; i++) {

        for (ln = lists[i]; ln; ln = ln->next) {
            (void) ngx_pfree(c->pool, ln->buf->start);
        }
    }

    hc->free = NULL;
    hc->busy = NULL;
    hc->nbusy = 0;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

#if (NGX_HTTP_SSL)

    if (c->ssl) {
        ngx_ssl_free_buffer(c);

        /* records are gathered in a buffer of all connections */

        SSL_set_mode(c->ssl->connection, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }

#endif

    if (c->tcp_nopush == NGX_TCP_NOPUSH_SET) {

        if (ngx_tcp_push(c->fd) == -1) {
            ngx_connection_error(c, ngx_socket_errno,
                                 ngx_tcp_push_n " failed");
            return NGX_ERROR;
        }

        c->tcp_nopush = NGX_TCP_NOPUSH_UNSET;
    }

    return ngx_tcp_nodelay(c);
}


static void
ngx_chat_upgrade_failed(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;
    c->error = 1;

    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}
