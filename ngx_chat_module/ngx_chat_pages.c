
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


/*
 * A long answer, of which one page at a time is here:
 *
 *     writing --written--> asking --answer--> writing
 *                            |  ^
 *                           503 |
 *                            v  |
 *                           waiting
 *
 * The client's own pace is that of the whole: the worker is asked for a page
 * when the one before was written.
 */

#define NGX_CHAT_PAGES_TIME   10000          /* ms for an answer */
#define NGX_CHAT_PAGES_RETRY  500            /* ms after a 503 */
#define NGX_CHAT_PAGES_TRIES  60


typedef enum {
    ngx_chat_pages_writing = 0,
    ngx_chat_pages_asking,
    ngx_chat_pages_waiting
} ngx_chat_pages_state_e;


typedef struct {
    ngx_http_request_t        *request;
    ngx_chat_http_t           *http;
    u_char                    *page;         /* NULL: written */
    ngx_buf_t                  buf;
    ngx_chain_t                link;
    ngx_uint_t                 tries;
    unsigned                   state:2;      /* ngx_chat_pages_state_e */
    unsigned                   last:1;       /* this is the last page */
    u_char                     args[sizeof("after=") - 1
                                    + 2 * NGX_INT64_LEN];
} ngx_chat_pages_t;


static ngx_int_t ngx_chat_pages_head(ngx_http_request_t *r,
    ngx_chat_http_t *http);
static ngx_int_t ngx_chat_pages_take(ngx_chat_pages_t *pg,
    ngx_chat_answer_t *answer);
static ngx_int_t ngx_chat_pages_write(ngx_chat_pages_t *pg);
static ngx_int_t ngx_chat_pages_ask(ngx_chat_pages_t *pg);
static void ngx_chat_pages_answer_handler(ngx_chat_call_t *call,
    ngx_chat_answer_t *answer);
static void ngx_chat_pages_write_handler(ngx_http_request_t *r);
static void ngx_chat_pages_cleanup(void *data);


static ngx_str_t  ngx_chat_pages_type = ngx_string("application/jsonl");


ngx_int_t
ngx_chat_pages(ngx_http_request_t *r, ngx_chat_http_t *http,
    ngx_chat_answer_t *answer)
{
    ngx_int_t            rc;
    ngx_chat_pages_t    *pg;
    ngx_http_cleanup_t  *cln;

    rc = ngx_chat_pages_head(r, http);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    pg = ngx_pcalloc(r->pool, sizeof(ngx_chat_pages_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (pg == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    pg->request = r;
    pg->http = http;

    cln->handler = ngx_chat_pages_cleanup;
    cln->data = pg;

    http->pages = pg;
    http->call.handler = ngx_chat_pages_answer_handler;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_chat_pages_write_handler;
    r->connection->log->action = "sending an export to the client";

    if (ngx_chat_pages_take(pg, answer) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_chat_pages_write(pg);
}


/* user ids need no escaping */

static ngx_int_t
ngx_chat_pages_head(ngx_http_request_t *r, ngx_chat_http_t *http)
{
    size_t      len;
    ngx_str_t   value, *user;

    user = &http->identity.user;
    len = sizeof("attachment; filename=\"chat-.jsonl\"") - 1 + user->len;

    value.data = ngx_pnalloc(r->pool, len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data,
                            "attachment; filename=\"chat-%V.jsonl\"", user)
                - value.data;

    if (ngx_chat_http_header(r, "Content-Disposition", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = ngx_chat_pages_type;
    r->headers_out.content_type_len = ngx_chat_pages_type.len;
    r->headers_out.content_type_lowcase = NULL;

    return ngx_http_send_header(r);
}


/* strings lie in the link's buffer */

static ngx_int_t
ngx_chat_pages_take(ngx_chat_pages_t *pg, ngx_chat_answer_t *answer)
{
    u_char                *p;
    ngx_buf_t             *b;
    ngx_chat_resource_t   *q;

    pg->tries = 0;
    pg->last = (answer->allow.len == 0);

    if (!pg->last) {

        if (answer->allow.len > sizeof(pg->args) - (sizeof("after=") - 1)) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(pg->args, "after=", sizeof("after=") - 1);
        p = ngx_cpymem(p, answer->allow.data, answer->allow.len);

        q = pg->http->call.resource;
        q->args.data = pg->args;
        q->args.len = p - pg->args;
        q->paged = 1;
    }

    if (answer->text.len == 0) {
        return NGX_OK;
    }

    /* not from the request's pool, which lives as long as all pages */

    pg->page = ngx_alloc(answer->text.len, pg->request->connection->log);
    if (pg->page == NULL) {
        return NGX_ERROR;
    }

    b = &pg->buf;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = pg->page;
    b->pos = pg->page;
    b->last = ngx_cpymem(pg->page, answer->text.data, answer->text.len);
    b->end = b->last;
    b->memory = 1;
    b->flush = 1;

    pg->link.buf = b;
    pg->link.next = NULL;

    return NGX_OK;
}


/* NGX_AGAIN: goes on by events; else the result of the request */

static ngx_int_t
ngx_chat_pages_write(ngx_chat_pages_t *pg)
{
    ngx_int_t                  rc;
    ngx_event_t               *wev;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = pg->request;
    c = r->connection;
    wev = c->write;

    if (pg->link.buf || r->buffered || r->postponed || c->buffered) {
        rc = ngx_http_output_filter(r, pg->link.buf ? &pg->link : NULL);
        pg->link.buf = NULL;

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    pg->state = ngx_chat_pages_writing;

    /* the timer is that of limit_rate until its delay is over */

    if (r->buffered || r->postponed || c->buffered || wev->delayed) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (!wev->delayed) {
            ngx_add_timer(wev, clcf->send_timeout);
        }

        return ngx_handle_write_event(wev, clcf->send_lowat) == NGX_OK
                   ? NGX_AGAIN : NGX_ERROR;
    }

    if (pg->page) {
        ngx_free(pg->page);
        pg->page = NULL;
    }

    if (pg->last) {

        if (wev->timer_set) {
            ngx_del_timer(wev);
        }

        return ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    return ngx_chat_pages_ask(pg);
}


static ngx_int_t
ngx_chat_pages_ask(ngx_chat_pages_t *pg)
{
    ngx_int_t     rc;
    ngx_event_t  *wev;

    wev = pg->request->connection->write;

    rc = ngx_chat_bridge_call(&pg->http->call, NULL, 0);

    if (rc == NGX_OK) {
        ngx_chat_stat_add(ngx_chat_stat_calls, 1);
        pg->state = ngx_chat_pages_asking;
        ngx_add_timer(wev, NGX_CHAT_PAGES_TIME);

        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED && ++pg->tries < NGX_CHAT_PAGES_TRIES) {
        pg->state = ngx_chat_pages_waiting;
        ngx_add_timer(wev, NGX_CHAT_PAGES_RETRY);

        return NGX_AGAIN;
    }

    return NGX_ERROR;
}


static void
ngx_chat_pages_answer_handler(ngx_chat_call_t *call, ngx_chat_answer_t *answer)
{
    ngx_int_t            rc;
    ngx_event_t         *wev;
    ngx_connection_t    *c;
    ngx_chat_pages_t    *pg;
    ngx_http_request_t  *r;

    r = call->data;
    c = r->connection;
    wev = c->write;
    pg = ngx_chat_http_of(call)->pages;

    ngx_http_set_log_request(c->log, r);

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    if (!answer->refused && answer->paged) {
        rc = ngx_chat_pages_take(pg, answer);

        if (rc == NGX_OK) {
            rc = ngx_chat_pages_write(pg);
        }

    } else if (answer->status == NGX_HTTP_SERVICE_UNAVAILABLE
               && ++pg->tries < NGX_CHAT_PAGES_TRIES)
    {
        pg->state = ngx_chat_pages_waiting;
        ngx_add_timer(wev, NGX_CHAT_PAGES_RETRY);
        return;

    } else {

        /* the head said 200: a body without its end is all that can be told */

        ngx_log_error(NGX_LOG_WARN, c->log, 0,
                      "export of %V cut short, a page was answered %ui",
                      &pg->http->identity.user, answer->status);
        rc = NGX_ERROR;
    }

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
        ngx_http_run_posted_requests(c);
    }
}


static void
ngx_chat_pages_write_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_event_t               *wev;
    ngx_chat_ctx_t            *ctx;
    ngx_chat_pages_t          *pg;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);
    pg = ctx->http->pages;

    if (wev->timedout) {
        wev->timedout = 0;

        if (pg->state == ngx_chat_pages_waiting) {
            rc = ngx_chat_pages_ask(pg);
            goto done;
        }

        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      pg->state == ngx_chat_pages_writing
                          ? "client timed out" : "chatd timed out");
        r->connection->timedout = 1;

        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (pg->state != ngx_chat_pages_writing) {
        return;
    }

    if (wev->delayed) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    rc = ngx_chat_pages_write(pg);

done:

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static void
ngx_chat_pages_cleanup(void *data)
{
    ngx_chat_pages_t  *pg = data;

    if (pg->page) {
        ngx_free(pg->page);
        pg->page = NULL;
    }
}
