
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"


/*
 *     down --connect, HELLO sent--> connected --HELLO came--> up
 *       ^                               |                      |
 *       +-----(timer)-----+-------------+----------------------+
 *
 * In every state requests are appended to `out`; they are written when the
 * link is up, behind an OPEN of each client.
 */

/* attempts after a loss: often at first, then ever more seldom */
#define NGX_CHAT_LINK_QUICK      3000
#define NGX_CHAT_LINK_MIN_DELAY  10
#define NGX_CHAT_LINK_MID_DELAY  50
#define NGX_CHAT_LINK_MAX_DELAY  5000
#define NGX_CHAT_LINK_HURRY      200

/* nginx sends no error text */
#define NGX_CHAT_LINK_HELLO      (CHAT_WIRE_HEADER_LEN + CHAT_WIRE_HELLO_LEN)


static void ngx_chat_link_connect_handler(ngx_event_t *ev);
static ngx_int_t ngx_chat_link_connect(ngx_chat_link_t *link);
static ngx_int_t ngx_chat_link_hello(ngx_chat_link_t *link);
static void ngx_chat_link_retry(ngx_chat_link_t *link);
static void ngx_chat_link_disconnect(ngx_chat_link_t *link);
static void ngx_chat_link_wait_handler(ngx_event_t *ev);
static void ngx_chat_link_lost_handler(ngx_event_t *ev);
static void ngx_chat_link_resume_handler(ngx_event_t *ev);
static void ngx_chat_link_event(ngx_chat_link_t *link, ngx_event_t *ev,
    ngx_event_handler_pt handler);


ngx_chat_link_t *
ngx_chat_link_create(ngx_uint_t index, ngx_str_t *run_dir)
{
    u_char           *p;
    ngx_chat_link_t  *link;

    link = ngx_calloc(sizeof(ngx_chat_link_t), ngx_cycle->log);
    if (link == NULL) {
        return NULL;
    }

    link->name.len = sizeof("unix:/worker-.sock") - 1 + run_dir->len
                     + NGX_INT_T_LEN;

    link->name.data = ngx_alloc(link->name.len, ngx_cycle->log);
    if (link->name.data == NULL) {
        ngx_free(link);
        return NULL;
    }

    p = ngx_snprintf(link->name.data, link->name.len, "unix:%V/worker-%ui.sock",
                     run_dir, index);

    link->name.len = p - link->name.data;

    link->index = index;
    link->sockaddr.sun_family = AF_UNIX;

    /* a longer path cannot be bound by the worker either */

    (void) ngx_cpystrn((u_char *) link->sockaddr.sun_path,
                       link->name.data + 5,
                       ngx_min(link->name.len - 5 + 1,
                               sizeof(link->sockaddr.sun_path)));

    link->log = *ngx_cycle->log;
    link->quiet = *ngx_cycle->log;
    link->quiet.log_level = NGX_LOG_ALERT;

    ngx_queue_init(&link->opening);
    ngx_queue_init(&link->open);
    ngx_queue_init(&link->paused);

    ngx_chat_log_init(&link->out);

    ngx_chat_link_event(link, &link->connect, ngx_chat_link_connect_handler);
    ngx_chat_link_event(link, &link->wait, ngx_chat_link_wait_handler);
    ngx_chat_link_event(link, &link->lost, ngx_chat_link_lost_handler);
    ngx_chat_link_event(link, &link->flush, ngx_chat_link_flush_handler);
    ngx_chat_link_event(link, &link->resume, ngx_chat_link_resume_handler);

    /* clients that wait for an answer are worth staying for, 2 s at most */

    link->wait.cancelable = 0;

    return link;
}


static void
ngx_chat_link_event(ngx_chat_link_t *link, ngx_event_t *ev,
    ngx_event_handler_pt handler)
{
    ev->data = link;
    ev->handler = handler;
    ev->log = &link->log;
    ev->cancelable = 1;
}


void
ngx_chat_link_start(ngx_chat_link_t *link, ngx_msec_t delay)
{
    if (link->connection) {
        return;
    }

    link->since = ngx_current_msec;
    link->delay = NGX_CHAT_LINK_MIN_DELAY;
    link->reported = 0;

    ngx_add_timer(&link->connect, delay);

    if (!link->lost.timer_set) {
        ngx_add_timer(&link->lost, NGX_CHAT_LOST_TIMEOUT);
    }
}


/* a last attempt to write what is queued, then down until a new start */

void
ngx_chat_link_stop(ngx_chat_link_t *link)
{
    if (link->up) {
        ngx_chat_link_flush(link);
    }

    ngx_chat_link_disconnect(link);

    if (link->connect.timer_set) {
        ngx_del_timer(&link->connect);
    }

    if (link->lost.timer_set) {
        ngx_del_timer(&link->lost);
    }

    if (link->wait.timer_set) {
        ngx_del_timer(&link->wait);
    }

    if (link->resume.posted) {
        ngx_delete_posted_event(&link->resume);
    }
}


/* somebody waits: do not sleep out a long delay */

void
ngx_chat_link_hurry(ngx_chat_link_t *link)
{
    ngx_msec_int_t  left;

    if (!link->connect.timer_set) {
        return;
    }

    left = (ngx_msec_int_t) (link->connect.timer.key - ngx_current_msec);

    if (left > NGX_CHAT_LINK_HURRY) {
        ngx_del_timer(&link->connect);
        ngx_add_timer(&link->connect, NGX_CHAT_LINK_HURRY);
    }
}


static void
ngx_chat_link_connect_handler(ngx_event_t *ev)
{
    ngx_err_t         err;
    ngx_chat_link_t  *link;

    link = ev->data;

    if (ngx_chat_link_connect(link) == NGX_OK) {
        return;
    }

    err = ngx_errno;

    if (!link->reported
        && ngx_current_msec - link->since >= NGX_CHAT_LINK_QUICK)
    {
        link->reported = 1;
        ngx_log_error(NGX_LOG_ERR, &link->log, err,
                      "chat link %V: connect failed, clients get 503 until "
                      "a worker is there", &link->name);
    }

    ngx_chat_link_retry(link);
}


static ngx_int_t
ngx_chat_link_connect(ngx_chat_link_t *link)
{
    ngx_int_t               rc;
    ngx_file_info_t         fi;
    ngx_connection_t       *c;
    ngx_peer_connection_t   peer;

    /* an absent socket would be logged by nginx at each attempt */

    if (ngx_file_info(link->sockaddr.sun_path, &fi) == NGX_FILE_ERROR) {
        return NGX_DECLINED;
    }

    ngx_memzero(&peer, sizeof(ngx_peer_connection_t));

    peer.sockaddr = (struct sockaddr *) &link->sockaddr;
    peer.socklen = sizeof(struct sockaddr_un);
    peer.name = &link->name;
    peer.get = ngx_event_get_peer;
    peer.log = &link->quiet;
    peer.log_error = NGX_ERROR_ERR;

    rc = ngx_event_connect_peer(&peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return rc;
    }

    c = peer.connection;

    c->data = link;
    c->log = &link->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->log_error = NGX_ERROR_INFO;
    c->read->handler = ngx_chat_link_read_handler;
    c->write->handler = ngx_chat_link_write_handler;
    c->idle = !ngx_exiting;

    link->connection = c;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "chat link %V: connected", &link->name);

    if (ngx_chat_link_hello(link) != NGX_OK) {
        ngx_chat_link_disconnect(link);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_link_hello(ngx_chat_link_t *link)
{
    size_t                    len;
    u_char                    buf[NGX_CHAT_LINK_HELLO];
    struct chat_wire_hello    hello;
    struct chat_wire_header   h;
    struct chat_wire_writer   w;

    ngx_chat_bridge_hello(link, &hello);

    chat_wire_writer_init(&w, buf + CHAT_WIRE_HEADER_LEN,
                          NGX_CHAT_LINK_HELLO - CHAT_WIRE_HEADER_LEN);
    chat_wire_put_hello(&w, &hello);

    len = CHAT_WIRE_HEADER_LEN + chat_wire_written(&w);

    ngx_memzero(&h, sizeof(struct chat_wire_header));

    h.length = len;
    h.type = CHAT_WIRE_HELLO;

    chat_wire_write_header(buf, &h);

    /* an empty socket takes so few bytes at once */

    if (w.failed
        || link->connection->send(link->connection, buf, len) != (ssize_t) len)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_chat_link_retry(ngx_chat_link_t *link)
{
    ngx_msec_t  max;

    ngx_add_timer(&link->connect,
                  link->delay - link->delay / 4
                  + (ngx_msec_t) ngx_random() % (link->delay / 2 + 1));

    max = (ngx_current_msec - link->since < NGX_CHAT_LINK_QUICK)
          ? NGX_CHAT_LINK_MID_DELAY : NGX_CHAT_LINK_MAX_DELAY;

    if (link->delay < max) {
        link->delay = ngx_min(link->delay * 2, max);
    }
}


void
ngx_chat_link_ready(ngx_chat_link_t *link)
{
    if (link->lost.timer_set) {
        ngx_del_timer(&link->lost);
    }

    link->up = 1;
    link->broken = 0;
    link->reported = 0;
    link->refused = 0;
    link->delay = NGX_CHAT_LINK_MIN_DELAY;

    ngx_log_error(NGX_LOG_NOTICE, &link->log, 0,
                  "chat link %V: up", &link->name);

    ngx_chat_stat_add(ngx_chat_stat_links_up, 1);

    ngx_chat_bridge_link_up(link);

    /* many clients open at once: only what comes on top can be too much */

    link->limit = link->out.unsent + NGX_CHAT_UNSENT_MAX;

    if (link->connection) {
        ngx_post_event(&link->flush, &ngx_posted_events);
    }
}


void
ngx_chat_link_refused(ngx_chat_link_t *link, ngx_str_t *text)
{
    uint32_t    hash;
    ngx_uint_t  level;

    hash = chat_wire_hash(text->data, text->len);
    level = (hash == link->refused) ? NGX_LOG_INFO : NGX_LOG_ERR;

    link->refused = hash;
    link->reported = 1;
    link->delay = ngx_max(link->delay, 1000);

    ngx_log_error(level, &link->log, 0,
                  "chat link %V: refused by the worker: \"%V\"",
                  &link->name, text);
}


/* the link ends, its clients and requests wait for the next one */

void
ngx_chat_link_fail(ngx_chat_link_t *link, ngx_uint_t level, ngx_err_t err,
    char *text)
{
    ngx_uint_t  up;

    up = link->up;

    if (up) {
        ngx_log_error(level, &link->log, err,
                      "chat link %V: %s", &link->name, text);

        ngx_chat_stat_add(ngx_chat_stat_link_failures, 1);

        link->since = ngx_current_msec;
        link->reported = 0;

        if (!link->lost.timer_set) {
            ngx_add_timer(&link->lost, NGX_CHAT_LOST_TIMEOUT);
        }

    } else {
        ngx_log_error(NGX_LOG_INFO, &link->log, err,
                      "chat link %V: %s before HELLO", &link->name, text);
    }

    ngx_chat_link_disconnect(link);
    ngx_chat_link_retry(link);

    if (up) {
        ngx_chat_bridge_link_down(link);
    }
}


static void
ngx_chat_link_disconnect(ngx_chat_link_t *link)
{
    if (link->up) {
        link->up = 0;
        ngx_chat_stat_add(ngx_chat_stat_links_up, -1);
    }

    if (link->flush.posted) {
        ngx_delete_posted_event(&link->flush);
    }

    if (link->connection) {
        ngx_close_connection(link->connection);
        link->connection = NULL;
    }

    if (link->in.start) {
        ngx_free(link->in.start);
        ngx_memzero(&link->in, sizeof(ngx_buf_t));
    }

    link->broken = 0;
}


static void
ngx_chat_link_wait_handler(ngx_event_t *ev)
{
    ngx_chat_bridge_link_wait(ev->data);
}


static void
ngx_chat_link_lost_handler(ngx_event_t *ev)
{
    ngx_chat_bridge_link_lost(ev->data);
}


static void
ngx_chat_link_resume_handler(ngx_event_t *ev)
{
    ngx_chat_bridge_link_resume(ev->data);
}
