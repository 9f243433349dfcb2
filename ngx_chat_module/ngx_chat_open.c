
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


#define NGX_CHAT_AFTER_MAX  9007199254740991      /* 2^53 - 1 */


static ngx_int_t ngx_chat_open_after(ngx_http_request_t *r,
    uint64_t *after);
static void ngx_chat_open_wait_handler(ngx_http_request_t *r);
static void ngx_chat_open_cleanup(void *data);


/* NGX_DECLINED: not given */

static ngx_int_t
ngx_chat_open_after(ngx_http_request_t *r, uint64_t *after)
{
    size_t     i;
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "after", 5, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (value.len == 0 || value.len > 16) {
        return NGX_ERROR;
    }

    *after = 0;

    for (i = 0; i < value.len; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            return NGX_ERROR;
        }

        *after = *after * 10 + (value.data[i] - '0');
    }

    return (*after > NGX_CHAT_AFTER_MAX) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_chat_open_client(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf,
    ngx_chat_identity_t *id)
{
    ngx_chat_ctx_t      *ctx;
    ngx_http_cleanup_t  *cln;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->client = ngx_chat_client_create(r, chcf, id);
    if (ctx->client == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_chat_open_cleanup;
    cln->data = ctx->client;
    ctx->cleanup = cln;

    return NGX_OK;
}


ngx_int_t
ngx_chat_open(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf)
{
    uint64_t              after;
    ngx_int_t             rc, has_after;
    ngx_str_t             reason, detail;
    ngx_chat_ctx_t       *ctx;
    ngx_chat_client_t    *cl;
    ngx_chat_identity_t   id;

    rc = ngx_chat_identify(r, &id, &reason);

    if (rc != NGX_OK) {
        ngx_chat_stat_add(rc == NGX_HTTP_UNAUTHORIZED
                              ? ngx_chat_stat_refused_token
                              : ngx_chat_stat_refused_handshake, 1);

        if (rc == NGX_HTTP_BAD_REQUEST) {
            ngx_str_set(&detail, "\"device\" must be 1 to 64 bytes of "
                                 "A-Z a-z 0-9 _ . @ + -");

        } else {
            ngx_str_set(&detail, "the request needs a good token");
        }

        return ngx_chat_problem(r, rc, 0, &reason, &detail);
    }

    after = 0;
    has_after = ngx_chat_open_after(r, &after);

    if (has_after == NGX_ERROR) {
        return ngx_chat_handshake_answer(r, NGX_HTTP_BAD_REQUEST, "bad_after",
                   "\"after\" must be an integer from 0 to 2^53 - 1");
    }

    rc = ngx_chat_open_client(r, chcf, &id);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
    cl = ctx->client;

    cl->peer.after = (has_after == NGX_OK);
    cl->peer.inbox_id = after;

    if (ngx_chat_open_wait(r) != NGX_OK) {
        return ngx_chat_handshake_answer(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "no_memory",
                                         "the server is out of memory");
    }

    r->main->count++;

    return NGX_DONE;
}


ngx_int_t
ngx_chat_open_wait(ngx_http_request_t *r)
{
    ngx_chat_ctx_t    *ctx;
    ngx_connection_t  *c;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    if (ngx_chat_bridge_open(ctx->client) != NGX_OK) {
        return NGX_ERROR;
    }

    c = r->connection;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_chat_open_wait_handler;

    ngx_add_timer(c->write, NGX_CHAT_WAIT_TIME);

    if (c->read->pending_eof && !c->read->posted) {
        ngx_post_event(c->read, &ngx_posted_events);
    }

    c->log->action = "waiting for a chat worker";

    return NGX_OK;
}


static void
ngx_chat_open_wait_handler(ngx_http_request_t *r)
{
    ngx_str_t        reason, detail;
    ngx_event_t     *wev;
    ngx_chat_ctx_t  *ctx;

    wev = r->connection->write;

    if (!wev->timedout) {
        return;
    }

    wev->timedout = 0;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    ngx_str_set(&reason, "no_worker");
    ngx_str_set(&detail, "no chat worker answered in time");

    ngx_chat_open_refuse(ctx->client, NGX_HTTP_SERVICE_UNAVAILABLE, 1,
                              &reason, &detail);
}


void
ngx_chat_open_ready(ngx_chat_client_t *cl)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = cl->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (ngx_chat_upgrade(r, cl) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }

    ngx_http_run_posted_requests(c);
}


void
ngx_chat_open_refuse(ngx_chat_client_t *cl, ngx_uint_t status,
    ngx_uint_t retry_after, ngx_str_t *reason, ngx_str_t *detail)
{
    ngx_int_t            rc;
    ngx_chat_ctx_t      *ctx;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = cl->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
    ctx->cleanup->handler = NULL;
    ctx->client = NULL;

    /* reason and detail may be the bridge's: they outlive the client */

    ngx_chat_client_free(cl);

    ngx_chat_stat_add(status == NGX_HTTP_SERVICE_UNAVAILABLE
                          ? ngx_chat_stat_refused_unavailable
                          : ngx_chat_stat_refused_worker, 1);

    r->read_event_handler = ngx_http_block_reading;

    if (status == NGX_HTTP_UNAUTHORIZED
        && ngx_chat_token_challenge(r, 1) != NGX_OK)
    {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else {
        rc = ngx_chat_problem(r, status, retry_after, reason, detail);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* the request ends before the connection has become the client's */

static void
ngx_chat_open_cleanup(void *data)
{
    ngx_chat_client_free(data);
}
