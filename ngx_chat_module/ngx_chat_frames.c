
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"


typedef ngx_int_t (*ngx_chat_frame_handler_pt)(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);


static ngx_int_t ngx_chat_frame_hello(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_ready(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_refuse(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_reply(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_push(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_page(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_end(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_verify(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_notice(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_stats(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static ngx_int_t ngx_chat_frame_renewed(ngx_chat_link_t *link,
    struct chat_wire_header *h, struct chat_wire_reader *r);
static void ngx_chat_frame_identity(struct chat_wire_reader *r,
    ngx_chat_identity_t *id);
static void ngx_chat_frame_str(struct chat_wire_reader *r, ngx_str_t *s);


static ngx_chat_frame_handler_pt  ngx_chat_frame_handlers[] = {
    NULL,
    ngx_chat_frame_hello,            /* CHAT_WIRE_HELLO */
    NULL,                            /* CHAT_WIRE_OPEN */
    ngx_chat_frame_ready,            /* CHAT_WIRE_READY */
    ngx_chat_frame_refuse,           /* CHAT_WIRE_REFUSE */
    NULL,                            /* CHAT_WIRE_REQUEST */
    NULL,                            /* CHAT_WIRE_CALL */
    ngx_chat_frame_reply,            /* CHAT_WIRE_REPLY */
    ngx_chat_frame_push,             /* CHAT_WIRE_PUSH */
    ngx_chat_frame_page,             /* CHAT_WIRE_PAGE */
    NULL,                            /* CHAT_WIRE_CREDIT */
    NULL,                            /* CHAT_WIRE_CLOSED */
    ngx_chat_frame_end,              /* CHAT_WIRE_END */
    ngx_chat_frame_verify,           /* CHAT_WIRE_VERIFY */
    NULL,                            /* CHAT_WIRE_VERIFIED */
    ngx_chat_frame_notice,           /* CHAT_WIRE_NOTICE */
    ngx_chat_frame_stats,            /* CHAT_WIRE_STATS */
    ngx_chat_frame_renewed,          /* CHAT_WIRE_RENEWED */
};

#define NGX_CHAT_NFRAMES                                                      \
    (sizeof(ngx_chat_frame_handlers) / sizeof(ngx_chat_frame_handler_pt))


ngx_int_t
ngx_chat_frame_process(ngx_chat_link_t *link, struct chat_wire_header *h,
    u_char *payload, size_t len)
{
    struct chat_wire_reader  r;

    if (h->type >= NGX_CHAT_NFRAMES
        || ngx_chat_frame_handlers[h->type] == NULL
        || link->up != (h->type != CHAT_WIRE_HELLO))
    {
        return NGX_ERROR;
    }

    chat_wire_reader_init(&r, payload, len);

    return ngx_chat_frame_handlers[h->type](link, h, &r);
}


static ngx_int_t
ngx_chat_frame_hello(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    int                      rc;
    ngx_str_t                text;
    struct chat_wire_hello   hello;

    rc = chat_wire_get_hello(r, &hello);

    if (rc == -2) {
        ngx_str_set(&text, "chatd is of another version than the module");
        ngx_chat_link_refused(link, &text);
        return NGX_ERROR;
    }

    if (rc == 0 && hello.error_len) {
        text.len = hello.error_len;
        text.data = (u_char *) hello.error;
        ngx_chat_link_refused(link, &text);
        return NGX_ERROR;
    }

    if (rc != 0
        || hello.role != CHAT_WIRE_WORKER
        || hello.n_workers > CHAT_WIRE_WORKERS_MAX
        || hello.index >= hello.n_workers
        || hello.index != link->index)
    {
        ngx_str_set(&text, "its HELLO makes no sense");
        ngx_chat_link_refused(link, &text);
        return NGX_ERROR;
    }

    if (ngx_chat_bridge_resize(link, hello.n_workers) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_chat_link_ready(link);

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_ready(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    size_t                   len;
    uint64_t                 inbox_id;
    ngx_str_t                device, text;
    ngx_chat_bridge_peer_t  *peer;

    inbox_id = chat_wire_get_u64(r);
    ngx_chat_frame_str(r, &device);
    text.data = (u_char *) chat_wire_get_rest(r, &len);
    text.len = len;

    if (chat_wire_end(r) != 0) {
        return NGX_ERROR;
    }

    peer = ngx_chat_bridge_find(h->id);

    if (peer && peer->link == link) {
        ngx_chat_bridge_ready(peer, inbox_id, &device, &text);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_refuse(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    ngx_str_t                reason, detail;
    ngx_uint_t               status, retry_after;
    ngx_chat_answer_t        answer;
    ngx_chat_pending_t      *p;
    ngx_chat_bridge_peer_t  *peer;

    status = chat_wire_get_u16(r);
    retry_after = chat_wire_get_u32(r);
    ngx_chat_frame_str(r, &reason);
    ngx_chat_frame_str(r, &detail);

    if (chat_wire_end(r) != 0 || status < 400 || status > 599) {
        return NGX_ERROR;
    }

    if (h->id & NGX_CHAT_HANDLE) {
        peer = ngx_chat_bridge_find(h->id);

        if (peer && peer->link == link) {
            peer->sent = 0;
            ngx_chat_bridge_refuse(peer, status, retry_after, &reason,
                                   &detail);
        }

        return NGX_OK;
    }

    p = ngx_chat_pending_find(h->id);

    if (p && p->segment->link == link) {
        ngx_memzero(&answer, sizeof(ngx_chat_answer_t));

        answer.status = status;
        answer.retry_after = retry_after;
        answer.reason = reason;
        answer.text = detail;
        answer.refused = 1;

        ngx_chat_bridge_reply(p, 0, &answer);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_reply(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    size_t               len;
    uint64_t             inbox_id;
    ngx_chat_answer_t    answer;
    ngx_chat_pending_t  *p;

    ngx_memzero(&answer, sizeof(ngx_chat_answer_t));

    /* the handle is known from the request */

    (void) chat_wire_get_u64(r);
    inbox_id = chat_wire_get_u64(r);

    answer.status = NGX_HTTP_OK;
    answer.large = ((h->flags & CHAT_WIRE_LARGE) != 0);

    if (h->flags & CHAT_WIRE_RESOURCE) {
        answer.status = chat_wire_get_u16(r);
        answer.retry_after = chat_wire_get_u32(r);
        ngx_chat_frame_str(r, &answer.allow);

        answer.events = ((h->flags & CHAT_WIRE_EVENTS) != 0);
        answer.wait = ((h->flags & CHAT_WIRE_WAIT) != 0);
        answer.has_after = ((h->flags & CHAT_WIRE_AFTER) != 0);
        answer.tagged = ((h->flags & CHAT_WIRE_TAGGED) != 0);
        answer.paged = ((h->flags & CHAT_WIRE_PAGED) != 0);
        answer.after = inbox_id;
        inbox_id = 0;

        if (h->flags & CHAT_WIRE_TOKEN) {
            answer.signs = 1;
            ngx_chat_frame_identity(r, &answer.token);
        }
    }

    answer.text.data = (u_char *) chat_wire_get_rest(r, &len);
    answer.text.len = len;

    if (chat_wire_end(r) != 0
        || answer.status < 200 || answer.status > 599)
    {
        return NGX_ERROR;
    }

    p = ngx_chat_pending_find(h->id);

    if (p == NULL || p->segment->link != link) {
        ngx_log_error(NGX_LOG_WARN, &link->log, 0,
                      "chat link %V: reply to unknown request %uL",
                      &link->name, h->id);
        return NGX_OK;
    }

    ngx_chat_bridge_reply(p, inbox_id, &answer);

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_push(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    uint64_t                 handle, inbox_id;
    uint32_t                 n;
    ngx_str_t                head, text;
    ngx_chat_shared_t       *tail;
    ngx_chat_bridge_peer_t  *peer;

    ngx_chat_frame_str(r, &head);
    ngx_chat_frame_str(r, &text);
    n = chat_wire_get_u32(r);

    if (r->failed
        || head.len > CHAT_WIRE_HEAD_MAX
        || (uint64_t) n * 16 != (uint64_t) (r->end - r->pos))
    {
        return NGX_ERROR;
    }

    tail = ngx_alloc(offsetof(ngx_chat_shared_t, data) + text.len,
                     ngx_cycle->log);
    if (tail == NULL) {

        /* all sessions are opened again and read what they missed */

        link->broken = 1;
        ngx_post_event(&link->flush, &ngx_posted_events);
        return NGX_OK;
    }

    tail->events = NULL;
    tail->deflated = NULL;
    tail->refs = 1;
    tail->len = text.len;
    tail->plain = 0;
    ngx_memcpy(tail->data, text.data, text.len);

    while (n--) {
        handle = chat_wire_get_u64(r);
        inbox_id = chat_wire_get_u64(r);

        peer = ngx_chat_bridge_find(handle);

        if (peer && ngx_chat_bridge_live(peer, link)) {
            ngx_chat_client_push((ngx_chat_client_t *) peer, inbox_id, &head,
                                 tail);
        }
    }

    ngx_chat_shared_free(tail);

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_page(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    uint32_t                 n;
    uint64_t                 inbox_id;
    ngx_str_t                text;
    ngx_chat_bridge_peer_t  *peer;

    n = chat_wire_get_u32(r);

    while (n-- && !r->failed) {
        inbox_id = chat_wire_get_u64(r);
        ngx_chat_frame_str(r, &text);

        if (r->failed) {
            break;
        }

        /* an entry may be what closes the client */

        peer = ngx_chat_bridge_find(h->id);

        if (peer && ngx_chat_bridge_live(peer, link)) {
            ngx_chat_client_page((ngx_chat_client_t *) peer, inbox_id, &text);
        }
    }

    if (chat_wire_end(r) != 0) {
        return NGX_ERROR;
    }

    peer = ngx_chat_bridge_find(h->id);

    if (peer && ngx_chat_bridge_live(peer, link)) {
        ngx_chat_client_page_end((ngx_chat_client_t *) peer);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_end(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    ngx_str_t                reason;
    ngx_uint_t               code;
    ngx_chat_bridge_peer_t  *peer;

    code = chat_wire_get_u16(r);
    ngx_chat_frame_str(r, &reason);

    if (chat_wire_end(r) != 0 || code < 1000 || code > 4999) {
        return NGX_ERROR;
    }

    peer = ngx_chat_bridge_find(h->id);

    if (peer && peer->link == link) {
        ngx_chat_bridge_end(peer, code, &reason);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_verify(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    uint64_t                 handle;
    ngx_str_t                token;
    ngx_pool_t              *pool;
    ngx_uint_t               status;
    ngx_chat_identity_t      id;
    ngx_chat_bridge_peer_t  *peer;

    handle = chat_wire_get_u64(r);
    ngx_chat_frame_str(r, &token);

    if (chat_wire_end(r) != 0) {
        return NGX_ERROR;
    }

    status = NGX_HTTP_UNAUTHORIZED;
    ngx_memzero(&id, sizeof(ngx_chat_identity_t));

    pool = ngx_create_pool(1024, &link->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    peer = ngx_chat_bridge_find(handle);

    if (peer && ngx_chat_bridge_live(peer, link)) {

        if (ngx_chat_client_verify((ngx_chat_client_t *) peer, &token, &id,
                                   pool)
            == NGX_OK)
        {
            status = NGX_HTTP_OK;

        } else {
            ngx_memzero(&id, sizeof(ngx_chat_identity_t));
        }
    }

    ngx_chat_bridge_verified(link, h->id, handle, status, &id);

    ngx_destroy_pool(pool);

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_notice(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    size_t      i, len;
    u_char     *p, text[NGX_MAX_ERROR_STR / 2];
    ngx_uint_t  level;

    static ngx_uint_t  levels[] = {
        0,
        NGX_LOG_ERR,                 /* CHAT_WIRE_LEVEL_ERROR */
        NGX_LOG_WARN,                /* CHAT_WIRE_LEVEL_WARN */
        NGX_LOG_NOTICE,              /* CHAT_WIRE_LEVEL_NOTICE */
    };

    level = chat_wire_get_u8(r);
    p = (u_char *) chat_wire_get_rest(r, &len);

    if (chat_wire_end(r) != 0
        || level < CHAT_WIRE_LEVEL_ERROR
        || level > CHAT_WIRE_LEVEL_NOTICE)
    {
        return NGX_ERROR;
    }

    len = ngx_min(len, sizeof(text));

    for (i = 0; i < len; i++) {
        text[i] = (p[i] < 0x20 || p[i] == 0x7f) ? '.' : p[i];
    }

    ngx_log_error(levels[level], &link->log, 0, "chatd: %*s", len, text);

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_stats(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    uint32_t    i, n;
    uint64_t    values[CHAT_WIRE_NCOUNTERS];
    ngx_uint_t  source;

    source = chat_wire_get_u16(r);
    n = chat_wire_get_u32(r);

    if (r->failed
        || source > CHAT_WIRE_WORKERS_MAX
        || (uint64_t) n * 8 != (uint64_t) (r->end - r->pos))
    {
        return NGX_ERROR;
    }

    n = ngx_min(n, CHAT_WIRE_NCOUNTERS);

    for (i = 0; i < n; i++) {
        values[i] = chat_wire_get_u64(r);
    }

    ngx_chat_stat_pool(source, values, n);

    return NGX_OK;
}


static ngx_int_t
ngx_chat_frame_renewed(ngx_chat_link_t *link, struct chat_wire_header *h,
    struct chat_wire_reader *r)
{
    ngx_chat_identity_t      id;
    ngx_chat_bridge_peer_t  *peer;

    ngx_memzero(&id, sizeof(ngx_chat_identity_t));

    ngx_chat_frame_str(r, &id.jti);
    id.issued_at = chat_wire_get_u64(r);
    id.expires_at = chat_wire_get_u64(r);

    if (chat_wire_end(r) != 0 || id.jti.len > 255) {
        return NGX_ERROR;
    }

    peer = ngx_chat_bridge_find(h->id);

    if (peer && ngx_chat_bridge_live(peer, link)) {
        ngx_chat_client_renewed((ngx_chat_client_t *) peer, &id);
    }

    return NGX_OK;
}


static void
ngx_chat_frame_identity(struct chat_wire_reader *r, ngx_chat_identity_t *id)
{
    struct chat_wire_identity  wi;

    chat_wire_get_identity(r, &wi);

    id->user.data = (u_char *) wi.user;
    id->user.len = wi.user_len;
    id->device.data = (u_char *) wi.device;
    id->device.len = wi.device_len;
    id->jti.data = (u_char *) wi.jti;
    id->jti.len = wi.jti_len;
    id->issued_at = wi.issued_at;
    id->expires_at = wi.expires_at;
}


static void
ngx_chat_frame_str(struct chat_wire_reader *r, ngx_str_t *s)
{
    size_t  len;

    s->data = (u_char *) chat_wire_get_bytes(r, &len);
    s->len = len;
}
