
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


#define NGX_CHAT_CALL_TIMEOUT      10000
#define NGX_CHAT_ACCOUNT_TIMEOUT   60000     /* a hundred may be ahead */

/* two passwords as \u escapes; anybody may send one, to one worker */

#define NGX_CHAT_ACCOUNT_BODY_MAX  16384
#define NGX_CHAT_CALL_RETRY_AFTER  2

#define NGX_CHAT_RPC_METHODS  "POST, OPTIONS"
#define NGX_CHAT_API_METHODS  "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


static ngx_int_t ngx_chat_rpc_check(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf);
static ngx_int_t ngx_chat_rpc_allow(ngx_http_request_t *r);
static ngx_int_t ngx_chat_api_check(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf);
static void ngx_chat_api_resource(ngx_http_request_t *r,
    ngx_chat_resource_t *q);
static ngx_int_t ngx_chat_http_check(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf, ngx_uint_t body);
static ngx_int_t ngx_chat_http_json(ngx_http_request_t *r);
static ngx_int_t ngx_chat_http_start(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf, ngx_uint_t resource);
static ngx_int_t ngx_chat_http_read(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf, ngx_chat_http_t *http);
static void ngx_chat_http_body_handler(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_int_t ngx_chat_http_call(ngx_http_request_t *r);
static void ngx_chat_http_answer_handler(ngx_chat_call_t *call,
    ngx_chat_answer_t *answer);
static ngx_int_t ngx_chat_http_stream(ngx_http_request_t *r,
    ngx_chat_call_t *call, ngx_chat_answer_t *answer);
static void ngx_chat_http_write_handler(ngx_http_request_t *r);
static void ngx_chat_http_cleanup(void *data);
static ngx_int_t ngx_chat_http_problem(ngx_http_request_t *r,
    ngx_uint_t status, char *reason, char *detail);


ngx_int_t
ngx_chat_rpc_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_chat_loc_conf_t  *chcf;

    chcf = ngx_http_get_module_loc_conf(r, ngx_chat_module);

    rc = ngx_chat_rpc_check(r, chcf);

    return (rc == NGX_DECLINED) ? ngx_chat_http_start(r, chcf, 0) : rc;
}


ngx_int_t
ngx_chat_api_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_chat_loc_conf_t  *chcf;

    chcf = ngx_http_get_module_loc_conf(r, ngx_chat_module);

    rc = ngx_chat_api_check(r, chcf);

    return (rc == NGX_DECLINED) ? ngx_chat_http_start(r, chcf, 1) : rc;
}


/* NGX_DECLINED: nothing is wrong with the head of the request */

static ngx_int_t
ngx_chat_rpc_check(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf)
{
    ngx_int_t  rc;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    rc = ngx_chat_cors(r, chcf);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_chat_cors_options(r, NGX_CHAT_RPC_METHODS);
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_chat_rpc_allow(r);
    }

    return ngx_chat_http_check(r, chcf, 1);
}


static ngx_int_t
ngx_chat_rpc_allow(ngx_http_request_t *r)
{
    ngx_str_t  value;

    ngx_str_set(&value, NGX_CHAT_RPC_METHODS);

    if (ngx_chat_http_header(r, "Allow", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_chat_http_problem(r, NGX_HTTP_NOT_ALLOWED, "not_post",
                                 "Send the JSON-RPC request with POST.");
}


static ngx_int_t
ngx_chat_api_check(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf)
{
    ngx_int_t   rc;
    ngx_str_t   value;
    ngx_uint_t  body;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    rc = ngx_chat_cors(r, chcf);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_chat_cors_options(r, NGX_CHAT_API_METHODS);
    }

    ngx_str_set(&value, "no-store");

    if (ngx_chat_http_header(r, "Cache-Control", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body = (r->method & (NGX_HTTP_POST|NGX_HTTP_PUT|NGX_HTTP_PATCH))
           && (r->headers_in.content_length_n > 0 || r->headers_in.chunked);

    return ngx_chat_http_check(r, chcf, body);
}


/* body: there is one that counts */

static ngx_int_t
ngx_chat_http_check(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf,
    ngx_uint_t body)
{
    if (body && ngx_chat_http_json(r) != NGX_OK) {
        return ngx_chat_http_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                   "not_json", "Content-Type must be application/json.");
    }

    if (r->headers_in.content_length_n > (off_t) chcf->message_max) {
        return ngx_chat_http_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                   "too_large", "The body is above the limit.");
    }

    return NGX_DECLINED;
}


/* parameters may follow: JSON is UTF-8 whatever they say */

static ngx_int_t
ngx_chat_http_json(ngx_http_request_t *r)
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


static ngx_int_t
ngx_chat_http_start(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf,
    ngx_uint_t resource)
{
    ngx_str_t         reason, detail;
    ngx_uint_t        open, status;
    ngx_chat_ctx_t   *ctx;
    ngx_chat_http_t  *http;

    ctx = ngx_chat_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    http = ngx_pcalloc(r->pool, sizeof(ngx_chat_http_t));
    if (http == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    open = 0;

    if (resource) {
        ngx_chat_api_resource(r, &http->resource);
        http->call.resource = &http->resource;

        if (ngx_chat_account_path(&http->resource.path, &open)) {

            if (!chcf->accounts) {
                return ngx_chat_http_problem(r, NGX_HTTP_NOT_FOUND,
                           "not_found", "There is no such resource.");
            }

            if (r->method == NGX_HTTP_DELETE
                && (r->headers_in.content_length_n > 0
                    || r->headers_in.chunked)
                && ngx_chat_http_json(r) != NGX_OK)
            {
                return ngx_chat_http_problem(r,
                           NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "not_json",
                           "Content-Type must be application/json.");
            }

            http->call.address = &r->connection->addr_text;
            http->body.secret = 1;
        }
    }

    if (open) {
        ctx->http = http;
        return ngx_chat_http_read(r, chcf, http);
    }

    ngx_str_set(&reason, "unauthorized");

    status = ngx_chat_identify(r, &http->identity, &reason);

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

    ctx->http = http;

    return ngx_chat_http_read(r, chcf, http);
}


static ngx_int_t
ngx_chat_http_read(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf,
    ngx_chat_http_t *http)
{
    http->call.data = r;
    http->call.handler = ngx_chat_http_answer_handler;
    http->call.identity = &http->identity;
    http->call.conf = chcf;

    http->body.max = http->call.address
                     ? ngx_min(chcf->message_max, NGX_CHAT_ACCOUNT_BODY_MAX)
                     : chcf->message_max;
    http->body.handler = ngx_chat_http_body_handler;

    return ngx_chat_body_read(r, &http->body);
}


static void
ngx_chat_api_resource(ngx_http_request_t *r, ngx_chat_resource_t *q)
{
    ngx_str_t                 *id;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    q->method = r->method_name;
    q->path = r->uri;
    q->args = r->args;

    id = ngx_chat_header_in(r, "Last-Event-ID");

    if (id) {
        q->last_event_id = *id;
    }

#if (NGX_PCRE)

    if (clcf->regex) {
        return;
    }

#endif

    if (!clcf->noname && !clcf->named && r->uri.len >= clcf->name.len
        && ngx_strncmp(r->uri.data, clcf->name.data, clcf->name.len) == 0)
    {
        q->path.data += clcf->name.len;
        q->path.len -= clcf->name.len;
    }
}


static void
ngx_chat_http_body_handler(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_int_t  rc;

    switch (status) {

    case 0:
        rc = ngx_chat_http_call(r);
        break;

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        rc = ngx_chat_http_problem(r, status, "too_large",
                                   "The body is above the limit.");
        break;

    default:
        rc = status;
        break;
    }

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


/* NGX_AGAIN: the answer will come */

static ngx_int_t
ngx_chat_http_call(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_chat_ctx_t      *ctx;
    ngx_chat_http_t     *http;
    ngx_connection_t    *c;
    ngx_http_cleanup_t  *cln;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
    http = ctx->http;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /*
     * a body of any other request means nothing, RFC 9110, 9.3, but where an
     * account is deleted it has the password, which no query may
     */

    if (!(r->method & (NGX_HTTP_POST|NGX_HTTP_PUT|NGX_HTTP_PATCH))
        && !(r->method == NGX_HTTP_DELETE && http->call.address))
    {
        http->body.bufs = NULL;
        http->body.len = 0;
    }

    rc = ngx_chat_bridge_call(&http->call, http->body.bufs, http->body.len);

    if (http->body.secret) {
        ngx_chat_body_forget(&http->body);
    }

    if (rc == NGX_DECLINED) {
        return ngx_chat_http_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "unavailable",
                                     "The chat service is overloaded.");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_chat_stat_add(ngx_chat_stat_calls, 1);

    cln->handler = ngx_chat_http_cleanup;
    cln->data = http;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_chat_http_write_handler;

    c = r->connection;

    ngx_add_timer(c->write, http->call.address ? NGX_CHAT_ACCOUNT_TIMEOUT
                                               : NGX_CHAT_CALL_TIMEOUT);

    /* the client may have gone while the body was read */

    if (c->read->ready || c->read->pending_eof) {
        ngx_post_event(c->read, &ngx_posted_events);
    }

    return NGX_AGAIN;
}


static void
ngx_chat_http_answer_handler(ngx_chat_call_t *call, ngx_chat_answer_t *answer)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = call->data;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (answer->refused) {

        if (answer->status == NGX_HTTP_UNAUTHORIZED
            && ngx_chat_token_challenge(r, 1) != NGX_OK)
        {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            ngx_http_run_posted_requests(c);
            return;
        }

        ngx_chat_stat_add(answer->status == NGX_HTTP_SERVICE_UNAVAILABLE
                              ? ngx_chat_stat_refused_unavailable
                              : ngx_chat_stat_refused_worker, 1);

        rc = ngx_chat_problem(r, answer->status, answer->retry_after,
                              &answer->reason, &answer->text);

    } else if ((answer->events || answer->wait)
               && r->method != NGX_HTTP_HEAD)
    {
        rc = ngx_chat_http_stream(r, call, answer);

        if (rc == NGX_OK) {
            return;
        }

    } else if (answer->signs) {
        rc = ngx_chat_account_answer(r, answer);

    } else if (answer->paged) {
        rc = ngx_chat_pages(r, ngx_chat_http_of(call), answer);

        if (rc == NGX_AGAIN) {
            return;
        }

    } else {
        rc = ngx_chat_http_answer(r, answer);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* the answer is what a session of its own tells; NGX_OK: it is being opened */

static ngx_int_t
ngx_chat_http_stream(ngx_http_request_t *r, ngx_chat_call_t *call,
    ngx_chat_answer_t *answer)
{
    ngx_int_t                  rc;
    ngx_chat_ctx_t            *ctx;
    ngx_chat_client_t         *cl;
    ngx_http_core_loc_conf_t  *clcf;

    if (ngx_cycle->free_connection_n < NGX_CHAT_RESERVE) {
        return ngx_chat_http_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                   "no_connections",
                   "This server holds all the connections it can.");
    }

    rc = ngx_chat_open_client(r, call->conf, call->identity);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
    cl = ctx->client;

    cl->peer.after = answer->has_after;
    cl->peer.inbox_id = answer->after;
    cl->kind = ngx_chat_kind_events;

    /* as the header filter will have it: what is queued is in chunks already */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    cl->chunked = (r->http_version == NGX_HTTP_VERSION_11
                   && clcf->chunked_transfer_encoding);

    if (answer->wait) {
        cl->kind = ngx_chat_kind_poll;

        cl->poll = ngx_chat_poll_create(cl, call->resource, answer);
        if (cl->poll == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_chat_open_wait(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


static void
ngx_chat_http_write_handler(ngx_http_request_t *r)
{
    ngx_int_t        rc;
    ngx_event_t     *wev;
    ngx_chat_ctx_t  *ctx;

    wev = r->connection->write;

    if (!wev->timedout) {
        return;
    }

    wev->timedout = 0;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
    ngx_chat_bridge_cancel(&ctx->http->call);

    rc = ngx_chat_http_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE, "unavailable",
                               "The chat service did not answer; the request "
                               "may have taken effect.");

    ngx_http_finalize_request(r, rc);
}


static void
ngx_chat_http_cleanup(void *data)
{
    ngx_chat_http_t  *http = data;

    if (http->call.request) {
        ngx_chat_bridge_cancel(&http->call);
    }
}


static ngx_int_t
ngx_chat_http_problem(ngx_http_request_t *r, ngx_uint_t status, char *reason,
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
