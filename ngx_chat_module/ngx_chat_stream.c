
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>
#include <ngx_chat_jwt.h>


/*
 * peer.inbox_id is the last inbox id queued.  What has the next one is queued,
 * what has a lower one is dropped, a higher one shows a gap: an event is
 * dropped then and comes again in a page, a reply is held until its turn.
 * The credit that asks for the page is sent when the queue is empty.
 */


static ngx_chat_buf_t *ngx_chat_stream_event(ngx_chat_client_t *cl,
    ngx_str_t *head, uint64_t inbox_id, ngx_chat_shared_t *tail);
static void ngx_chat_stream_send(ngx_chat_client_t *cl, ngx_chat_buf_t *b);
static void ngx_chat_stream_next(ngx_chat_client_t *cl, ngx_chat_buf_t *b,
    uint64_t inbox_id);
static void ngx_chat_stream_release(ngx_chat_client_t *cl);
static void ngx_chat_stream_hold(ngx_chat_client_t *cl, ngx_chat_buf_t *b,
    uint64_t inbox_id);
static ngx_uint_t ngx_chat_stream_room(ngx_chat_client_t *cl, size_t len);
static void ngx_chat_stream_lost(ngx_chat_client_t *cl);
static void ngx_chat_stream_failed(ngx_chat_client_t *cl);


void
ngx_chat_client_ready(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *device, ngx_str_t *text)
{
    ngx_chat_buf_t  *b;

    if (!ngx_chat_client_live(cl)) {
        return;
    }

    b = ngx_chat_stream_message(cl, 0, text);

    if (b == NULL || ngx_chat_client_set_device(cl, device) != NGX_OK) {

        if (b) {
            ngx_chat_buf_free(b);
        }

        ngx_chat_stream_failed(cl);
        return;
    }

    ngx_chat_stream_send(cl, b);

    cl->peer.inbox_id = inbox_id;
    cl->paging = 0;
    cl->credit = 0;

    ngx_chat_stream_release(cl);

    if (cl->state == ngx_chat_client_waiting) {
        ngx_chat_open_ready(cl);
    }
}


void
ngx_chat_client_refuse(ngx_chat_client_t *cl, ngx_uint_t status,
    ngx_uint_t retry_after, ngx_str_t *reason, ngx_str_t *detail)
{
    ngx_uint_t  code;

    if (cl->state == ngx_chat_client_waiting) {
        ngx_chat_open_refuse(cl, status, retry_after, reason, detail);
        return;
    }

    code = (status == NGX_HTTP_SERVICE_UNAVAILABLE) ? NGX_CHAT_WS_TRY_LATER
           : (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) ? NGX_CHAT_WS_INTERNAL
           : NGX_CHAT_WS_POLICY;

    ngx_chat_client_close(cl, code, reason->data, reason->len);
}


void
ngx_chat_client_reply(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *text)
{
    ngx_chat_buf_t  *b;

    if (!ngx_chat_client_live(cl)) {
        return;
    }

    if (cl->crowded && cl->peer.pending <= NGX_CHAT_UNANSWERED / 2) {
        cl->crowded = 0;
        ngx_chat_client_post_read(cl);
    }

    if (text->len == 0) {
        return;
    }

    b = ngx_chat_output_text(cl, text);
    if (b == NULL) {
        ngx_chat_stream_failed(cl);
        return;
    }

    if (inbox_id <= cl->peer.inbox_id) {
        ngx_chat_stream_send(cl, b);

    } else if (inbox_id == cl->peer.inbox_id + 1) {
        ngx_chat_stream_next(cl, b, inbox_id);

    } else {
        ngx_chat_stream_hold(cl, b, inbox_id);
    }
}


void
ngx_chat_client_push(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *head, ngx_chat_shared_t *tail)
{
    ngx_chat_buf_t  *b;

    if (!ngx_chat_client_live(cl)) {
        return;
    }

    if (inbox_id && inbox_id <= cl->peer.inbox_id) {
        return;
    }

    if (cl->kind == ngx_chat_kind_poll) {

        if (inbox_id) {
            ngx_chat_poll_wake(cl);
        }

        return;
    }

    if ((inbox_id && inbox_id != cl->peer.inbox_id + 1)
        || !ngx_chat_stream_room(cl, head->len + tail->len)
        || (b = ngx_chat_stream_event(cl, head, inbox_id, tail)) == NULL)
    {
        if (inbox_id) {
            ngx_chat_stream_lost(cl);
        }

        return;
    }

    if (inbox_id) {
        ngx_chat_stream_next(cl, b, inbox_id);

    } else {
        ngx_chat_stream_send(cl, b);
    }
}


void
ngx_chat_client_page(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *text)
{
    ngx_chat_buf_t  *b;

    if (!ngx_chat_client_live(cl) || inbox_id <= cl->peer.inbox_id) {
        return;
    }

    if (cl->kind == ngx_chat_kind_poll) {
        ngx_chat_poll_wake(cl);
        return;
    }

    if (inbox_id != cl->peer.inbox_id + 1) {
        ngx_chat_stream_lost(cl);
        return;
    }

    /*
     * the credit of a page that was taken in part could not be told from an
     * older one: it is taken as a whole, and is the only one on its way
     */

    b = ngx_chat_stream_message(cl, inbox_id, text);
    if (b == NULL) {
        ngx_chat_stream_failed(cl);
        return;
    }

    ngx_chat_stream_next(cl, b, inbox_id);
}


void
ngx_chat_client_page_end(ngx_chat_client_t *cl)
{
    if (!ngx_chat_client_live(cl)) {
        return;
    }

    cl->paging = 0;
    cl->credit = 1;

    ngx_chat_client_post_write(cl);
}


void
ngx_chat_client_end(ngx_chat_client_t *cl, ngx_uint_t code,
    ngx_str_t *reason)
{
    ngx_str_t  detail;

    if (cl->state == ngx_chat_client_waiting) {
        ngx_str_set(&detail, "the session has ended");
        ngx_chat_open_refuse(cl, NGX_HTTP_SERVICE_UNAVAILABLE, 1, reason,
                                  &detail);
        return;
    }

    ngx_chat_client_close(cl, code, reason->data, reason->len);
}


ngx_int_t
ngx_chat_client_verify(ngx_chat_client_t *cl, ngx_str_t *token,
    ngx_chat_identity_t *id, ngx_pool_t *pool)
{
    ngx_chat_jwt_t          jwt;
    ngx_chat_jwt_result_e   rc;

    if (cl->owner == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_chat_jwt_verify(token, cl->conf->jwt_keys, ngx_time(), pool,
                             &jwt);

    if (rc != ngx_chat_jwt_good) {
        return (rc == ngx_chat_jwt_failed) ? NGX_ERROR : NGX_DECLINED;
    }

    id->user = jwt.user;
    id->device = jwt.device;
    id->jti = jwt.jti;
    id->issued_at = jwt.device.len ? jwt.issued_at : 0;
    id->expires_at = jwt.expires_at;

    return NGX_OK;
}


void
ngx_chat_client_renewed(ngx_chat_client_t *cl, ngx_chat_identity_t *id)
{
    if (cl->owner == NULL || ngx_chat_client_set_token(cl, id) != NGX_OK) {
        return;
    }

    if (cl->state == ngx_chat_client_open && !cl->draining) {
        ngx_chat_timer_arm(cl);
    }
}


void
ngx_chat_client_resume_reading(ngx_chat_client_t *cl)
{
    cl->stopped = 0;
    ngx_chat_client_post_read(cl);
}


ngx_chat_identity_t *
ngx_chat_client_identity(ngx_chat_client_t *cl)
{
    ngx_chat_owner_t            *owner;
    static ngx_chat_identity_t   id;

    owner = cl->owner;

    id.user.data = owner->data;
    id.user.len = owner->user_len;

    id.device.data = id.user.data + id.user.len;
    id.device.len = owner->device_len;

    id.jti.data = id.device.data + id.device.len;
    id.jti.len = owner->jti_len;

    id.issued_at = owner->issued_at;
    id.expires_at = owner->expires_at;

    return &id;
}


ngx_chat_loc_conf_t *
ngx_chat_client_conf(ngx_chat_client_t *cl)
{
    return cl->conf;
}


ngx_str_t *
ngx_chat_client_address(ngx_chat_client_t *cl)
{
    ngx_chat_owner_t  *owner;
    static ngx_str_t   address;

    owner = cl->owner;

    address.data = owner->data + owner->user_len + owner->device_len
                   + owner->jti_len;
    address.len = owner->address_len;

    return &address;
}


void
ngx_chat_stream_request(ngx_chat_client_t *cl, ngx_chain_t *in, size_t len)
{
    switch (ngx_chat_bridge_request(cl, in, len)) {

    case NGX_OK:
        break;

    case NGX_AGAIN:
        cl->stopped = 1;
        break;

    default:
        ngx_chat_stream_failed(cl);
        return;
    }

    if (cl->peer.pending >= NGX_CHAT_UNANSWERED) {
        cl->crowded = 1;
    }
}


void
ngx_chat_stream_drained(ngx_chat_client_t *cl)
{
    ngx_chat_bridge_drained(cl);

    if (!cl->credit || cl->peer.state != ngx_chat_bridge_opened) {
        return;
    }

    cl->credit = 0;

    ngx_chat_bridge_credit(cl);
}


void
ngx_chat_stream_clear(ngx_chat_client_t *cl)
{
    ngx_chat_buf_t  *b;

    while ((b = cl->held) != NULL) {
        cl->held = b->next;
        ngx_chat_output_account(cl, -(ssize_t) ngx_chat_output_size(b));
        ngx_chat_buf_free(b);
    }
}


/* a whole notification; a poll has nobody to send it to */

ngx_chat_buf_t *
ngx_chat_stream_message(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *text)
{
    switch (cl->kind) {

    case ngx_chat_kind_events:
        return ngx_chat_events_message(cl, inbox_id, text);

    case ngx_chat_kind_poll:
        return ngx_chat_buf_create(0);

    default:
        return ngx_chat_output_text(cl, text);
    }
}


static ngx_chat_buf_t *
ngx_chat_stream_event(ngx_chat_client_t *cl, ngx_str_t *head,
    uint64_t inbox_id, ngx_chat_shared_t *tail)
{
    return (cl->kind == ngx_chat_kind_events)
           ? ngx_chat_events_event(cl, head, inbox_id, tail)
           : ngx_chat_output_event(cl, head, inbox_id, tail);
}


static void
ngx_chat_stream_send(ngx_chat_client_t *cl, ngx_chat_buf_t *b)
{
    if (ngx_chat_output_size(b) == 0) {
        ngx_chat_buf_free(b);
        return;
    }

    ngx_chat_output_queue(cl, b);

    ngx_chat_stat_add(ngx_chat_stat_frames_out, 1);
    ngx_chat_stat_add(ngx_chat_stat_messages_out, 1);
}


static void
ngx_chat_stream_next(ngx_chat_client_t *cl, ngx_chat_buf_t *b,
    uint64_t inbox_id)
{
    cl->peer.inbox_id = inbox_id;

    ngx_chat_stream_send(cl, b);
    ngx_chat_stream_release(cl);
}


static void
ngx_chat_stream_release(ngx_chat_client_t *cl)
{
    ngx_chat_buf_t  *b;

    while ((b = cl->held) != NULL
           && b->inbox_id <= cl->peer.inbox_id + 1)
    {
        cl->held = b->next;
        ngx_chat_output_account(cl, -(ssize_t) ngx_chat_output_size(b));

        cl->peer.inbox_id = ngx_max(cl->peer.inbox_id, b->inbox_id);

        ngx_chat_stream_send(cl, b);
    }
}


static void
ngx_chat_stream_hold(ngx_chat_client_t *cl, ngx_chat_buf_t *b,
    uint64_t inbox_id)
{
    ngx_chat_buf_t  **p;

    b->inbox_id = inbox_id;

    for (p = &cl->held; *p && (*p)->inbox_id < inbox_id; p = &(*p)->next) {
        /* void */
    }

    b->next = *p;
    *p = b;

    ngx_chat_output_account(cl, ngx_chat_output_size(b));

    /* what comes before it was dropped, or is still in the worker's pages */

    ngx_chat_stream_lost(cl);
}


/* an empty queue takes anything */

static ngx_uint_t
ngx_chat_stream_room(ngx_chat_client_t *cl, size_t len)
{
    if (cl->out == NULL || cl->queued + len <= cl->conf->send_queue) {
        return 1;
    }

    /*
     * a burst in one loop turn: the socket may take it; a failure comes again
     * in the write handler, which is posted
     */

    if (ngx_chat_client_early(cl) || !cl->connection->write->ready) {
        return 0;
    }

    (void) ngx_chat_output_flush(cl);

    return cl->out == NULL || cl->queued + len <= cl->conf->send_queue;
}


static void
ngx_chat_stream_lost(ngx_chat_client_t *cl)
{
    if (cl->paging) {
        return;
    }

    cl->paging = 1;
    cl->credit = 1;

    ngx_chat_stat_add(ngx_chat_stat_behind, 1);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_chat_client_log(cl), 0,
                   "chat client behind: id:%uL", cl->peer.inbox_id);

    ngx_chat_client_post_write(cl);
}


static void
ngx_chat_stream_failed(ngx_chat_client_t *cl)
{
    ngx_str_t  reason, detail;

    if (cl->state == ngx_chat_client_waiting) {
        ngx_str_set(&reason, "no_memory");
        ngx_str_set(&detail, "the server is out of memory");
        ngx_chat_open_refuse(cl, NGX_HTTP_SERVICE_UNAVAILABLE, 1,
                                  &reason, &detail);
        return;
    }

    ngx_chat_client_close(cl, NGX_CHAT_WS_TRY_LATER, (u_char *) "no_memory",
                          9);
}
