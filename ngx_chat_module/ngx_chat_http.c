
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_chat_module.h"
#include "ngx_chat_client.h"


#define NGX_CHAT_CALL_TIMEOUT      10000
#define NGX_CHAT_CALL_RETRY_AFTER  2


typedef struct {
    ngx_chat_call_t            call;
    ngx_chat_identity_t        identity;
} ngx_chat_rpc_ctx_t;


static ngx_int_t ngx_chat_rpc_check(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf);
static ngx_int_t ngx_chat_rpc_allow(ngx_http_request_t *r);
static ngx_int_t ngx_chat_rpc_json(ngx_http_request_t *r);
static void ngx_chat_rpc_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_chat_rpc_body(ngx_http_request_t *r, ngx_chain_t **body,
    size_t *len);
static ngx_int_t ngx_chat_rpc_file(ngx_http_request_t *r, ngx_buf_t *b,
    ngx_chain_t *cl);
static ngx_int_t ngx_chat_rpc_call(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf);
static void ngx_chat_rpc_reply_handler(ngx_chat_call_t *call,
    ngx_uint_t status, ngx_uint_t retry_after, ngx_str_t *reason,
    ngx_str_t *text);
static ngx_int_t ngx_chat_rpc_send(ngx_http_request_t *r, ngx_str_t *text);
static void ngx_chat_rpc_write_handler(ngx_http_request_t *r);
static void ngx_chat_rpc_cleanup(void *data);
static ngx_int_t ngx_chat_rpc_problem(ngx_http_request_t *r,
    ngx_uint_t status, char *reason, char *detail);


static ngx_str_t  ngx_chat_json_type = ngx_string("application/json");


ngx_int_t
ngx_chat_rpc_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_str_t             reason, detail;
    ngx_uint_t            status;
    ngx_chat_rpc_ctx_t   *ctx;
    ngx_chat_loc_conf_t  *chcf;

    chcf = ngx_http_get_module_loc_conf(r, ngx_chat_module);

    rc = ngx_chat_rpc_check(r, chcf);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_chat_rpc_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&reason, "unauthorized");

    status = ngx_chat_identify(r, &ctx->identity, &reason);

    if (status != NGX_OK) {

        if (status == NGX_HTTP_INTERNAL_SERVER_ERROR) {
            return status;
        }

        if (status == NGX_HTTP_BAD_REQUEST) {
            ngx_str_set(&detail, "\"device\" must be 1 to 64 bytes of "
                                 "A-Z a-z 0-9 _ . @ + -");

        } else {
            ngx_chat_stat_add(ngx_chat_stat_refused_token, 1);
            ngx_str_set(&detail, "The request needs a good token.");
        }

        return ngx_chat_problem(r, status, 0, &reason, &detail);
    }

    ctx->call.r = r;
    ctx->call.handler = ngx_chat_rpc_reply_handler;
    ctx->call.identity = &ctx->identity;
    ctx->call.conf = chcf;

    ngx_http_set_ctx(r, ctx, ngx_chat_module);

    rc = ngx_http_read_client_request_body(r, ngx_chat_rpc_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


/* NGX_DECLINED: nothing is wrong with the head of the request */

static ngx_int_t
ngx_chat_rpc_check(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf)
{
    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_chat_rpc_allow(r);
    }

    if (ngx_chat_rpc_json(r) != NGX_OK) {
        return ngx_chat_rpc_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                    "not_json",
                                    "Content-Type must be application/json.");
    }

    if (r->headers_in.content_length_n > (off_t) chcf->message_max) {
        return ngx_chat_rpc_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                    "too_large",
                                    "The body is above the limit.");
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_chat_rpc_allow(ngx_http_request_t *r)
{
    ngx_str_t  value;

    ngx_str_set(&value, "POST");

    if (ngx_chat_http_header(r, "Allow", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_chat_rpc_problem(r, NGX_HTTP_NOT_ALLOWED, "not_post",
                                "Send the JSON-RPC request with POST.");
}


/* parameters may follow: JSON is UTF-8 whatever they say */

static ngx_int_t
ngx_chat_rpc_json(ngx_http_request_t *r)
{
    u_char      ch;
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return NGX_DECLINED;
    }

    type = &r->headers_in.content_type->value;

    if (type->len < ngx_chat_json_type.len
        || ngx_strncasecmp(type->data, ngx_chat_json_type.data,
                           ngx_chat_json_type.len)
           != 0)
    {
        return NGX_DECLINED;
    }

    if (type->len == ngx_chat_json_type.len) {
        return NGX_OK;
    }

    ch = type->data[ngx_chat_json_type.len];

    return (ch == ';' || ch == ' ' || ch == '\t') ? NGX_OK : NGX_DECLINED;
}


static void
ngx_chat_rpc_body_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_chat_loc_conf_t  *chcf;

    chcf = ngx_http_get_module_loc_conf(r, ngx_chat_module);

    rc = ngx_chat_rpc_call(r, chcf);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


/* NGX_AGAIN: the answer will come */

static ngx_int_t
ngx_chat_rpc_call(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf)
{
    size_t               len;
    ngx_int_t            rc;
    ngx_chain_t         *body;
    ngx_connection_t    *c;
    ngx_chat_rpc_ctx_t  *ctx;
    ngx_http_cleanup_t  *cln;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    if (ngx_chat_rpc_body(r, &body, &len) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (len > chcf->message_max) {
        return ngx_chat_rpc_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                    "too_large",
                                    "The body is above the limit.");
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_chat_bridge_call(&ctx->call, body, len);

    if (rc == NGX_DECLINED) {
        return ngx_chat_rpc_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                    "unavailable",
                                    "The chat service is overloaded.");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_chat_stat_add(ngx_chat_stat_calls, 1);

    cln->handler = ngx_chat_rpc_cleanup;
    cln->data = ctx;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_chat_rpc_write_handler;

    c = r->connection;

    ngx_add_timer(c->write, NGX_CHAT_CALL_TIMEOUT);

    /* the client may have gone while the body was read */

    if (c->read->ready || c->read->pending_eof) {
        ngx_post_event(c->read, &ngx_posted_events);
    }

    return NGX_AGAIN;
}


/* the body in memory, also where nginx had it in a file */

static ngx_int_t
ngx_chat_rpc_body(ngx_http_request_t *r, ngx_chain_t **body, size_t *len)
{
    ngx_chain_t  *in, *cl, **ll;

    *body = NULL;
    *len = 0;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    ll = body;

    for (in = r->request_body->bufs; in; in = in->next) {

        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        cl->buf = in->buf;
        cl->next = NULL;

        if (in->buf->in_file
            && ngx_chat_rpc_file(r, in->buf, cl) != NGX_OK)
        {
            return NGX_ERROR;
        }

        *len += ngx_buf_size(cl->buf);

        *ll = cl;
        ll = &cl->next;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_rpc_file(ngx_http_request_t *r, ngx_buf_t *b, ngx_chain_t *cl)
{
    size_t   size;
    ssize_t  n;

    size = b->file_last - b->file_pos;

    cl->buf = ngx_create_temp_buf(r->pool, size);
    if (cl->buf == NULL) {
        return NGX_ERROR;
    }

    n = ngx_read_file(b->file, cl->buf->pos, size, b->file_pos);

    if (n == NGX_ERROR || (size_t) n != size) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "chat request body cannot be read from \"%V\"",
                      &b->file->name);
        return NGX_ERROR;
    }

    cl->buf->last += n;

    return NGX_OK;
}


static void
ngx_chat_rpc_reply_handler(ngx_chat_call_t *call, ngx_uint_t status,
    ngx_uint_t retry_after, ngx_str_t *reason, ngx_str_t *text)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = call->r;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (status == NGX_HTTP_OK) {
        rc = ngx_chat_rpc_send(r, text);

    } else if (status == NGX_HTTP_UNAUTHORIZED
               && ngx_chat_token_challenge(r, 1) != NGX_OK)
    {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else {
        ngx_chat_stat_add(status == NGX_HTTP_SERVICE_UNAVAILABLE
                              ? ngx_chat_stat_refused_unavailable
                              : ngx_chat_stat_refused_worker, 1);

        rc = ngx_chat_problem(r, status, retry_after, reason, text);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_chat_rpc_send(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_str_t  body;

    if (text->len == 0) {
        r->headers_out.status = NGX_HTTP_NO_CONTENT;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    /* it lies in the link's buffer */

    body.len = text->len;
    body.data = ngx_pnalloc(r->pool, text->len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(body.data, text->data, text->len);

    r->headers_out.status = NGX_HTTP_OK;

    return ngx_chat_http_send(r, &ngx_chat_json_type, &body);
}


static void
ngx_chat_rpc_write_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_event_t         *wev;
    ngx_chat_rpc_ctx_t  *ctx;

    wev = r->connection->write;

    if (!wev->timedout) {
        return;
    }

    wev->timedout = 0;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
    ngx_chat_bridge_cancel(&ctx->call);

    rc = ngx_chat_rpc_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE, "unavailable",
                              "The chat service did not answer; the request "
                              "may have taken effect.");

    ngx_http_finalize_request(r, rc);
}


static void
ngx_chat_rpc_cleanup(void *data)
{
    ngx_chat_rpc_ctx_t *ctx = data;

    if (ctx->call.request) {
        ngx_chat_bridge_cancel(&ctx->call);
    }
}


static ngx_int_t
ngx_chat_rpc_problem(ngx_http_request_t *r, ngx_uint_t status, char *reason,
    char *detail)
{
    ngx_str_t   reason_str, detail_str;
    ngx_uint_t  retry_after;

    reason_str.data = (u_char *) reason;
    reason_str.len = ngx_strlen(reason);
    detail_str.data = (u_char *) detail;
    detail_str.len = ngx_strlen(detail);

    retry_after = 0;

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        retry_after = NGX_CHAT_CALL_RETRY_AFTER;
        ngx_chat_stat_add(ngx_chat_stat_refused_unavailable, 1);
    }

    return ngx_chat_problem(r, status, retry_after, &reason_str, &detail_str);
}
