
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"


/* bytes of a link: frames in, segments out */

#define NGX_CHAT_LINK_BUFFER     (64 * 1024)
#define NGX_CHAT_LINK_ROUNDS     8
#define NGX_CHAT_LINK_IOVS       64


static ngx_int_t ngx_chat_link_read(ngx_chat_link_t *link);
static ngx_int_t ngx_chat_link_parse(ngx_chat_link_t *link);
static ngx_int_t ngx_chat_link_room(ngx_chat_link_t *link);
static ngx_int_t ngx_chat_link_watch(ngx_event_t *wev);


void
ngx_chat_link_read_handler(ngx_event_t *rev)
{
    ngx_int_t          rc;
    ngx_chat_link_t   *link;
    ngx_connection_t  *c;

    c = rev->data;
    link = c->data;

    if (c->close) {

        if (c->error) {
            ngx_chat_link_fail(link, NGX_LOG_NOTICE, 0, "closed at shutdown");
            return;
        }

        /* nginx drains: clients need the link until the process ends */

        c->close = 0;
        c->idle = 0;
        return;
    }

    rc = ngx_chat_link_read(link);

    if (rc == NGX_OK || link->connection == NULL) {
        return;
    }

    if (rc == NGX_DONE) {
        ngx_chat_link_fail(link, NGX_LOG_WARN, 0,
                           "closed by the worker, its clients are kept");
        return;
    }

    ngx_chat_link_fail(link, NGX_LOG_ERR, 0,
                       "broken by the worker, its clients are kept");
}


/* NGX_OK: wait for more; NGX_DONE: end of file; NGX_ERROR */

static ngx_int_t
ngx_chat_link_read(ngx_chat_link_t *link)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_uint_t         rounds;
    ngx_connection_t  *c;

    c = link->connection;
    b = &link->in;

    for (rounds = 0; rounds < NGX_CHAT_LINK_ROUNDS; rounds++) {

        if (ngx_chat_link_room(link) != NGX_OK) {
            return NGX_ERROR;
        }

        n = c->recv(c, b->last, b->end - b->last);

        if (n == NGX_AGAIN) {
            return ngx_handle_read_event(c->read, 0);
        }

        /* a reset is how a killed worker ends */

        if (n == 0 || n == NGX_ERROR) {
            return NGX_DONE;
        }

        b->last += n;

        if (ngx_chat_link_parse(link) != NGX_OK) {
            return NGX_ERROR;
        }

        if (link->connection != c) {
            return NGX_OK;
        }
    }

    /* clients and other links have their turn */

    ngx_post_event(c->read, &ngx_posted_next_events);

    return NGX_OK;
}


static ngx_int_t
ngx_chat_link_parse(ngx_chat_link_t *link)
{
    int                       rc;
    u_char                   *p;
    ngx_buf_t                *b;
    ngx_connection_t         *c;
    struct chat_wire_header   h;

    b = &link->in;
    c = link->connection;

    for ( ;; ) {
        p = b->pos;
        rc = chat_wire_read_header(p, b->last - p, &h);

        if (rc == 0) {
            return NGX_OK;
        }

        if (rc < 0 || !chat_wire_may_send(CHAT_WIRE_WORKER, h.type)) {
            ngx_log_error(NGX_LOG_ERR, &link->log, 0,
                          "chat link %V: bad frame header, type %ud "
                          "length %uD", &link->name, (unsigned) h.type,
                          h.length);
            return NGX_ERROR;
        }

        if ((size_t) (b->last - p) < h.length) {
            return NGX_OK;
        }

        b->pos += h.length;

        ngx_log_debug4(NGX_LOG_DEBUG_EVENT, &link->log, 0,
                       "chat link %ui: %s in, id %xL, %uD bytes", link->index,
                       chat_wire_type_name(h.type), h.id, h.length);

        if (ngx_chat_frame_process(link, &h, p + CHAT_WIRE_HEADER_LEN,
                                   h.length - CHAT_WIRE_HEADER_LEN)
            != NGX_OK)
        {
            if (link->connection == c && link->up) {
                ngx_log_error(NGX_LOG_ERR, &link->log, 0,
                              "chat link %V: bad %s frame", &link->name,
                              chat_wire_type_name(h.type));
            }

            return NGX_ERROR;
        }

        if (link->connection != c) {
            return NGX_OK;
        }
    }
}


/*
 * Room for the next read.  The buffer doubles as the bytes of a frame arrive,
 * so that a length alone reserves nothing, and shrinks when it was read.
 */

static ngx_int_t
ngx_chat_link_room(ngx_chat_link_t *link)
{
    u_char     *p;
    size_t      size, used, want;
    ngx_buf_t  *b;

    b = &link->in;
    used = b->last - b->pos;
    size = b->end - b->start;

    if (used == 0) {
        b->pos = b->start;
        b->last = b->start;
    }

    if (b->end - b->last >= NGX_CHAT_LINK_BUFFER / 4
        && (used || size == NGX_CHAT_LINK_BUFFER))
    {
        return NGX_OK;
    }

    want = NGX_CHAT_LINK_BUFFER;

    while (want < 2 * used) {
        want *= 2;
    }

    if (want == size) {
        ngx_memmove(b->start, b->pos, used);

        b->pos = b->start;
        b->last = b->start + used;

        return NGX_OK;
    }

    p = ngx_alloc(want, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (b->start) {
        ngx_memcpy(p, b->pos, used);
        ngx_free(b->start);
    }

    b->start = p;
    b->pos = p;
    b->last = p + used;
    b->end = p + want;

    return NGX_OK;
}


u_char *
ngx_chat_link_frame(ngx_chat_link_t *link, ngx_uint_t type, ngx_uint_t flags,
    uint64_t id, size_t len)
{
    u_char                   *p;
    struct chat_wire_header   h;

    if (len > CHAT_WIRE_FRAME_MAX - CHAT_WIRE_HEADER_LEN) {
        return NULL;
    }

    p = ngx_chat_log_append(link, CHAT_WIRE_HEADER_LEN + len);
    if (p == NULL) {
        return NULL;
    }

    h.length = CHAT_WIRE_HEADER_LEN + len;
    h.type = type;
    h.flags = flags;
    h.replays = 0;
    h.id = id;

    chat_wire_write_header(p, &h);

    ngx_log_debug4(NGX_LOG_DEBUG_EVENT, &link->log, 0,
                   "chat link %ui: %s out, id %xL, %uD bytes", link->index,
                   chat_wire_type_name(type), id, h.length);

    if (link->up) {
        ngx_post_event(&link->flush, &ngx_posted_events);
    }

    return p + CHAT_WIRE_HEADER_LEN;
}


u_char *
ngx_chat_link_control(ngx_chat_link_t *link, ngx_uint_t type,
    ngx_uint_t flags, uint64_t id, size_t len)
{
    u_char  *p;

    p = ngx_chat_link_frame(link, type, flags, id, len);

    if (p == NULL) {
        link->broken = 1;
        ngx_post_event(&link->flush, &ngx_posted_events);
    }

    return p;
}


void
ngx_chat_link_write_handler(ngx_event_t *wev)
{
    ngx_chat_link_t   *link;
    ngx_connection_t  *c;

    c = wev->data;
    link = c->data;

    if (link->up) {
        ngx_chat_link_flush(link);
    }
}


void
ngx_chat_link_flush_handler(ngx_event_t *ev)
{
    ngx_chat_link_t  *link;

    link = ev->data;

    if (link->broken) {
        ngx_chat_link_fail(link, NGX_LOG_ERR, 0, "out of memory");
        return;
    }

    if (link->out.unsent > link->limit) {
        ngx_chat_link_fail(link, NGX_LOG_ERR, 0, "worker does not read");
        return;
    }

    ngx_chat_link_flush(link);
}


void
ngx_chat_link_flush(ngx_chat_link_t *link)
{
    ssize_t            n;
    ngx_err_t          err;
    ngx_uint_t         niov;
    struct iovec       iov[NGX_CHAT_LINK_IOVS];
    ngx_connection_t  *c;

    c = link->connection;

    while (link->out.unsent && c->write->ready) {

        niov = ngx_chat_log_iovec(&link->out, iov, NGX_CHAT_LINK_IOVS);

        n = writev(c->fd, iov, niov);

        if (n >= 0) {
            ngx_chat_log_sent(link, n);
            continue;
        }

        err = ngx_errno;

        if (err == NGX_EINTR) {
            continue;
        }

        /* a dead peer is met by the read handler, behind its last frames */

        c->write->ready = 0;

        if (err != NGX_EAGAIN) {
            ngx_log_error(NGX_LOG_INFO, &link->log, err,
                          "chat link %V: writev() failed", &link->name);
            ngx_post_event(c->read, &ngx_posted_events);
            return;
        }
    }

    if (ngx_chat_link_watch(c->write) != NGX_OK) {
        link->broken = 1;
        ngx_post_event(&link->flush, &ngx_posted_next_events);
    }
}


/*
 * Watched for writing only while the worker has to read first: a unix socket
 * is writable anew, an edge and a turn of the loop for nothing, each time
 * that its peer has read.
 */

static ngx_int_t
ngx_chat_link_watch(ngx_event_t *wev)
{
    if (wev->ready && wev->active && (ngx_event_flags & NGX_USE_EPOLL_EVENT)) {
        return ngx_del_event(wev, NGX_WRITE_EVENT, NGX_CLEAR_EVENT);
    }

    return ngx_handle_write_event(wev, 0);
}
