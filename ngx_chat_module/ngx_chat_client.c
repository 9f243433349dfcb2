
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


static ngx_chat_owner_t *ngx_chat_client_owner(ngx_chat_identity_t *id,
    ngx_str_t *address);
static ngx_int_t ngx_chat_client_own(ngx_chat_client_t *cl,
    ngx_chat_identity_t *id);
static void ngx_chat_client_clear(ngx_chat_client_t *cl);
static void ngx_chat_client_read_handler(ngx_event_t *rev);
static void ngx_chat_client_write_handler(ngx_event_t *wev);
static void ngx_chat_client_written(ngx_chat_client_t *cl);
static void ngx_chat_client_unclosed(ngx_chat_client_t *cl);
static void ngx_chat_client_shut(ngx_chat_client_t *cl);


ngx_chat_client_t *
ngx_chat_client_create(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf,
    ngx_chat_identity_t *id)
{
    ngx_chat_ctx_t     *ctx;
    ngx_chat_client_t  *cl;

    cl = ngx_calloc(sizeof(ngx_chat_client_t), ngx_cycle->log);
    if (cl == NULL) {
        return NULL;
    }

    cl->connection = r->connection;
    cl->request = r;
    cl->conf = chcf;
    cl->heard = ngx_current_msec;

    ngx_chat_ws_init(&cl->ws, chcf->message_max);

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    if (ctx->deflate.window) {
        cl->window = ctx->deflate.window;
        cl->ws.rsv1_ok = 1;
    }

    if (id == NULL) {
        return cl;
    }

    cl->ws.text_only = 1;

    /* verified: none of the three is longer than 255 */

    cl->owner = ngx_chat_client_owner(id, &r->connection->addr_text);

    if (cl->owner == NULL) {
        ngx_free(cl);
        return NULL;
    }

    return cl;
}


static ngx_chat_owner_t *
ngx_chat_client_owner(ngx_chat_identity_t *id, ngx_str_t *address)
{
    u_char            *p;
    ngx_chat_owner_t  *owner;

    owner = ngx_alloc(offsetof(ngx_chat_owner_t, data) + id->user.len
                      + id->device.len + id->jti.len + address->len,
                      ngx_cycle->log);
    if (owner == NULL) {
        return NULL;
    }

    owner->issued_at = id->issued_at;
    owner->expires_at = id->expires_at;
    owner->user_len = (u_char) id->user.len;
    owner->device_len = (u_char) id->device.len;
    owner->jti_len = (u_char) id->jti.len;
    owner->address_len = (u_char) address->len;

    p = ngx_cpymem(owner->data, id->user.data, id->user.len);
    p = ngx_cpymem(p, id->device.data, id->device.len);
    p = ngx_cpymem(p, id->jti.data, id->jti.len);
    ngx_memcpy(p, address->data, address->len);

    return owner;
}


/* the old one is in use until the new one is whole */

static ngx_int_t
ngx_chat_client_own(ngx_chat_client_t *cl, ngx_chat_identity_t *id)
{
    ngx_chat_owner_t  *owner;

    owner = ngx_chat_client_owner(id, ngx_chat_client_address(cl));
    if (owner == NULL) {
        return NGX_ERROR;
    }

    ngx_free(cl->owner);
    cl->owner = owner;

    return NGX_OK;
}


void
ngx_chat_client_free(ngx_chat_client_t *cl)
{
    ngx_chat_client_clear(cl);
    ngx_free(cl);
}


static void
ngx_chat_client_clear(ngx_chat_client_t *cl)
{
    if (cl->peer.state != ngx_chat_bridge_unopened) {
        ngx_chat_bridge_close(cl);
    }

    if (cl->poll) {
        ngx_chat_poll_free(cl->poll);
    }

    if (cl->attached) {
        ngx_chat_attached_free(cl);
    }

    ngx_chat_stream_clear(cl);
    ngx_chat_output_clear(cl);
    ngx_chat_buf_free_list(cl->in);
    ngx_chat_buf_free_list(cl->rest);

    if (cl->counted) {
        ngx_chat_stat_add(ngx_chat_stat_connections, -1);
    }

    if (cl->owner) {
        ngx_free(cl->owner);
    }
}


ngx_int_t
ngx_chat_client_set_device(ngx_chat_client_t *cl, ngx_str_t *device)
{
    ngx_chat_identity_t  id;

    if (cl->owner->device_len == device->len || device->len > 255) {
        return NGX_OK;
    }

    id = *ngx_chat_client_identity(cl);
    id.device = *device;

    return ngx_chat_client_own(cl, &id);
}


/* without memory it ends when the token does that it has */

ngx_int_t
ngx_chat_client_set_token(ngx_chat_client_t *cl, ngx_chat_identity_t *token)
{
    ngx_chat_identity_t  id;

    id = *ngx_chat_client_identity(cl);
    id.issued_at = token->issued_at;
    id.expires_at = token->expires_at;
    id.jti = token->jti;

    return ngx_chat_client_own(cl, &id);
}


void
ngx_chat_client_start(ngx_chat_client_t *cl, ngx_chat_buf_t *rest)
{
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = cl->connection;
    rev = c->read;

    cl->request = NULL;
    cl->rest = rest;
    cl->unparsed = (rest != NULL);

    c->data = cl;
    c->idle = 1;
    c->sent = 0;
    c->log->action = "chatting";

    rev->handler = ngx_chat_client_read_handler;
    c->write->handler = ngx_chat_client_write_handler;

    ngx_chat_client_begin(cl);

    ngx_chat_client_read_handler(rev);
}


void
ngx_chat_client_begin(ngx_chat_client_t *cl)
{
    cl->heard = ngx_current_msec;
    cl->counted = 1;

    ngx_chat_stat_add(ngx_chat_stat_connections, 1);
    ngx_chat_stat_add(ngx_chat_stat_accepted, 1);

    if (cl->state == ngx_chat_client_upgrading) {
        cl->state = ngx_chat_client_open;
        ngx_chat_timer_arm(cl);

    } else {
        /* closed by the worker in the meantime */
        ngx_chat_timer_deadline(cl, NGX_CHAT_CLOSE_TIME);

        if (cl->kind != ngx_chat_kind_websocket) {
            ngx_chat_client_finish(cl);
        }
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_chat_client_log(cl), 0,
                   "chat client start: %p h:%xL", cl, cl->peer.handle);

    ngx_chat_client_post_write(cl);

    if (ngx_exiting) {
        ngx_chat_timer_drain(cl);
    }
}


static void
ngx_chat_client_read_handler(ngx_event_t *rev)
{
    ngx_connection_t   *c;
    ngx_chat_client_t  *cl;

    c = rev->data;
    cl = c->data;

    (void) ngx_chat_client_log(cl);

    if (c->close) {

        /* worker_shutdown_timeout sets the error too */

        if (c->error) {
            ngx_chat_client_finalize(cl);
            return;
        }

        c->close = 0;
        ngx_chat_timer_drain(cl);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_chat_timer(cl);
        return;
    }

    if (ngx_chat_input_read(cl) != NGX_OK) {
        ngx_chat_client_finalize(cl);
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_chat_client_finalize(cl);
    }
}


static void
ngx_chat_client_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    ngx_chat_client_write(c->data);
}


void
ngx_chat_client_write(ngx_chat_client_t *cl)
{
    ngx_int_t          rc;
    ngx_event_t       *wev;
    ngx_connection_t  *c;

    c = cl->connection;
    wev = c->write;

    (void) ngx_chat_client_log(cl);

    if (wev->timedout) {
        wev->timedout = 0;

        ngx_chat_output_drop(cl);
        ngx_chat_client_close(cl, NGX_CHAT_WS_TRY_LATER,
                              (u_char *) "send_timeout", 12);
    }

    rc = ngx_chat_output_flush(cl);

    if (rc == NGX_ERROR) {
        ngx_chat_client_finalize(cl);
        return;
    }

    if (rc == NGX_OK) {

        if (cl->state == ngx_chat_client_finished
            && (c->read->eof || cl->attached))
        {
            ngx_chat_client_finalize(cl);
            return;
        }

        ngx_chat_client_written(cl);

    } else if (ngx_chat_client_live(cl)
               && (rc == NGX_DONE || !wev->timer_set))
    {
        ngx_add_timer(wev, cl->conf->send_timeout);
    }

    if (cl->full && cl->queued <= cl->conf->send_queue / 2) {
        cl->full = 0;
        ngx_chat_client_post_read(cl);
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_chat_client_finalize(cl);
    }
}


/* the queue is empty */

static void
ngx_chat_client_written(ngx_chat_client_t *cl)
{
    ngx_event_t  *wev;

    wev = cl->connection->write;

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    if (cl->state == ngx_chat_client_finished) {
        ngx_chat_client_shut(cl);
        return;
    }

    if (cl->state == ngx_chat_client_open) {
        ngx_chat_stream_drained(cl);

        if (cl->told && cl->peer.pending == 0) {
            ngx_chat_timer_drain_step(cl);
        }
    }
}


void
ngx_chat_client_post_write(ngx_chat_client_t *cl)
{
    ngx_event_t  *wev;

    if (ngx_chat_client_early(cl)) {
        return;
    }

    wev = cl->connection->write;

    if (!wev->posted && wev->ready) {
        ngx_post_event(wev, &ngx_posted_events);
    }
}


void
ngx_chat_client_post_read(ngx_chat_client_t *cl)
{
    ngx_event_t  *rev;

    if (ngx_chat_client_early(cl) || ngx_chat_client_paused(cl)) {
        return;
    }

    /* the clock stood */

    cl->heard = ngx_current_msec;
    cl->pinged = 0;

    rev = cl->connection->read;

    if (!rev->posted) {
        ngx_post_event(rev, &ngx_posted_events);
    }
}


void
ngx_chat_client_close(ngx_chat_client_t *cl, ngx_uint_t code,
    const u_char *reason, size_t len)
{
    ngx_chat_stat_e  stat;

    switch (code) {

    case NGX_CHAT_WS_PROTOCOL:
    case NGX_CHAT_WS_UNSUPPORTED:
    case NGX_CHAT_WS_BAD_DATA:
        stat = ngx_chat_stat_closed_protocol;
        break;

    case NGX_CHAT_WS_POLICY:
        stat = ngx_chat_stat_closed_policy;
        break;

    case NGX_CHAT_WS_TOO_BIG:
        stat = ngx_chat_stat_closed_too_big;
        break;

    case NGX_CHAT_WS_RESTART:
        stat = ngx_chat_stat_closed_drain;
        break;

    case NGX_CHAT_WS_TRY_LATER:
        stat = ngx_chat_stat_closed_slow;
        break;

    case NGX_CHAT_WS_INTERNAL:
        stat = ngx_chat_stat_closed_error;
        break;

    default:
        stat = ngx_chat_stat_closed_normal;
        break;
    }

    ngx_chat_client_leave(cl, code, reason, len, stat);
}


void
ngx_chat_client_answer_close(ngx_chat_client_t *cl, ngx_uint_t code)
{
    ngx_chat_client_leave(cl, code, NULL, 0, ngx_chat_stat_closed_normal);
}


void
ngx_chat_client_leave(ngx_chat_client_t *cl, ngx_uint_t code,
    const u_char *reason, size_t len, ngx_chat_stat_e stat)
{
    u_char          *last;
    ngx_chat_buf_t  *b;

    if (!ngx_chat_client_live(cl)) {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_chat_client_log(cl), 0,
                  "chat connection closed with %ui \"%*s\"", code, len,
                  reason);

    ngx_chat_stat_add(stat, 1);

    cl->state = ngx_chat_client_closing;

    if (cl->peer.state != ngx_chat_bridge_unopened) {
        ngx_chat_bridge_close(cl);
        cl->peer.state = ngx_chat_bridge_unopened;
    }

    ngx_chat_stream_clear(cl);
    ngx_chat_buf_free_list(cl->in);
    cl->in = NULL;

    if (cl->kind != ngx_chat_kind_websocket) {
        ngx_chat_events_end(cl);
        return;
    }

    b = ngx_chat_buf_create(NGX_CHAT_WS_CONTROL_LEN);

    if (b) {
        last = ngx_chat_ws_close_frame(b->data, code, reason, len);
        b->len = last - b->data;

        ngx_chat_output_queue(cl, b);
        ngx_chat_stat_add(ngx_chat_stat_frames_out, 1);
    }

    if (cl->request) {
        return;
    }

    if (cl->connection->write->timer_set) {
        ngx_del_timer(cl->connection->write);
    }

    ngx_chat_timer_deadline(cl, NGX_CHAT_CLOSE_TIME);

    /* bytes that were left unread may hold the client's Close */

    cl->stopped = 0;
    cl->full = 0;
    cl->crowded = 0;
    ngx_chat_client_post_read(cl);
}


void
ngx_chat_client_abandon(ngx_chat_client_t *cl)
{
    ngx_chat_client_unclosed(cl);

    cl->state = ngx_chat_client_closing;

    if (cl->peer.state != ngx_chat_bridge_unopened) {
        ngx_chat_bridge_close(cl);
        cl->peer.state = ngx_chat_bridge_unopened;
    }

    ngx_chat_stream_clear(cl);

    if (cl->connection->write->timer_set) {
        ngx_del_timer(cl->connection->write);
    }

    ngx_chat_timer_deadline(cl, NGX_CHAT_CLOSE_TIME);
}


static void
ngx_chat_client_unclosed(ngx_chat_client_t *cl)
{
    ngx_chat_stat_add(cl->kind == ngx_chat_kind_websocket
                          ? ngx_chat_stat_closed_error
                          : ngx_chat_stat_closed_normal, 1);

    ngx_log_error(NGX_LOG_INFO, ngx_chat_client_log(cl), 0,
                  "chat connection ended without a close");
}


void
ngx_chat_client_finish(ngx_chat_client_t *cl)
{
    cl->state = ngx_chat_client_finished;

    ngx_chat_buf_free_list(cl->rest);
    cl->rest = NULL;
    cl->unparsed = 0;

    if (!cl->connection->write->posted) {
        ngx_post_event(cl->connection->write, &ngx_posted_events);
    }
}


static void
ngx_chat_client_shut(ngx_chat_client_t *cl)
{
    ngx_connection_t  *c;

    if (cl->shut) {
        return;
    }

    cl->shut = 1;
    c = cl->connection;

    /*
     * the client sees the end now and closes; closing at once could send a
     * reset for bytes not read, and lose our Close on its way
     */

#if (NGX_HTTP_SSL)

    if (c->ssl) {
        (void) SSL_shutdown(c->ssl->connection);
        ERR_clear_error();

        c->ssl->no_send_shutdown = 1;
    }

#endif

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_connection_error(c, ngx_socket_errno,
                             ngx_shutdown_socket_n " failed");
    }

    ngx_chat_client_post_read(cl);
}


void
ngx_chat_client_finalize(ngx_chat_client_t *cl)
{
    ngx_connection_t  *c;

    c = cl->connection;

    if (ngx_chat_client_live(cl)) {
        ngx_chat_client_unclosed(cl);
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->read->cancelable = 0;

    if (cl->attached) {
        ngx_chat_attached_finalize(cl);
        return;
    }

    c->idle = 0;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;

        /* nothing may stand behind a record that is half written */

        if (cl->out) {
            c->ssl->no_send_shutdown = 1;
        }
    }
#endif

    if (c->pool) {
        ngx_chat_client_free(cl);

    } else {
        ngx_chat_client_clear(cl);
        c->log->data = NULL;
        c->pool = ngx_chat_client_pool(cl);
    }

    ngx_http_close_connection(c);
}
