
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


static u_char *ngx_chat_shed_log_handler(ngx_log_t *log, u_char *buf,
    size_t len);


/*
 * What a request needs of a connection is several times what a client does:
 * the record has the address, and the log can be that of all.  A pool stays
 * on which somebody else hangs, and so does TLS, which has its state in it.
 */

void
ngx_chat_client_shed(ngx_chat_client_t *cl)
{
    ngx_log_t         *log;
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = cl->connection;
    pool = c->pool;

    if (cl->owner == NULL
        || pool->cleanup
#if (NGX_SSL)
        || c->ssl
#endif
        || (c->log->log_level & NGX_LOG_DEBUG_CONNECTION))
    {
        return;
    }

    log = &cl->conf->log;

    *log = *c->log;
    log->handler = ngx_chat_shed_log_handler;
    log->data = NULL;

    c->log = log;
    c->read->log = log;
    c->write->log = log;

    c->buffer = NULL;
    c->proxy_protocol = NULL;
    c->sockaddr = NULL;
    c->socklen = 0;
    ngx_str_null(&c->addr_text);

    c->pool = NULL;
    ngx_destroy_pool(pool);
}


ngx_log_t *
ngx_chat_client_log(ngx_chat_client_t *cl)
{
    ngx_connection_t  *c;

    c = cl->connection;

    if (c->pool == NULL) {
        c->log->connection = c->number;
        c->log->data = cl;
    }

    return c->log;
}


/* as nginx does it for a connection without a request */

static u_char *
ngx_chat_shed_log_handler(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char             *p;
    ngx_chat_client_t  *cl;

    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
    }

    cl = log->data;

    if (cl == NULL) {
        return p;
    }

    return ngx_snprintf(p, len, ", client: %V, server: %V",
                        ngx_chat_client_address(cl),
                        &cl->connection->listening->addr_text);
}


/*
 * nginx closes a connection together with its pool: for one that has none any
 * more the record, of which nothing is left, becomes an empty pool, and is
 * freed as that
 */

ngx_pool_t *
ngx_chat_client_pool(ngx_chat_client_t *cl)
{
    ngx_pool_t  *pool;

    ngx_memzero(cl, sizeof(ngx_chat_client_t));

    pool = (ngx_pool_t *) cl;

    pool->d.last = (u_char *) cl + sizeof(ngx_chat_client_t);
    pool->d.end = pool->d.last;
    pool->current = pool;
    pool->log = ngx_cycle->log;

    return pool;
}
