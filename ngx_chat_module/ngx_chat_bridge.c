
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"


/*
 * A client as the bridge sees it (ngx_chat_bridge_state_e):
 *
 *     unopened --open--> opening --READY--> open --close--> unopened
 *                           |                |
 *                           +--REFUSE, 2 s---+--END, 1013--> unopened
 *
 * It is in one queue of the link to its home worker all the time: `opening`,
 * `open`, or `paused`.  The link may come and go underneath.
 */


/* stands for a client that left with requests unanswered: they are replayed */

typedef struct {
    ngx_chat_bridge_peer_t     peer;
    size_t                     len;
    ngx_uint_t                 flags;
    u_char                     open[1];      /* payload of its OPEN */
} ngx_chat_ghost_t;


static void ngx_chat_bridge_detach(ngx_chat_bridge_peer_t *peer);
static ngx_int_t ngx_chat_bridge_haunt(ngx_chat_bridge_peer_t *peer);
static size_t ngx_chat_bridge_open_len(ngx_chat_client_t *cl);
static void ngx_chat_bridge_put_open(ngx_chat_client_t *cl, u_char *p,
    size_t len);
static ngx_uint_t ngx_chat_bridge_open_flags(ngx_chat_bridge_peer_t *peer);
static void ngx_chat_bridge_pause(ngx_chat_bridge_peer_t *peer);
static void ngx_chat_bridge_answered(ngx_chat_bridge_peer_t *peer,
    uint64_t inbox_id, ngx_chat_answer_t *answer);
ngx_int_t
ngx_chat_bridge_open(ngx_chat_client_t *cl)
{
    ngx_chat_link_t         *link;
    ngx_chat_identity_t     *id;
    ngx_chat_bridge_peer_t  *peer;

    peer = (ngx_chat_bridge_peer_t *) cl;

    id = ngx_chat_client_identity(cl);
    link = ngx_chat_bridge_home(&id->user);

    if (link == NULL || ngx_chat_handle_create(peer) != NGX_OK) {
        return NGX_ERROR;
    }

    peer->link = link;
    peer->state = ngx_chat_bridge_opening;
    peer->pending = (uint32_t) (ngx_current_msec + NGX_CHAT_OPEN_TIMEOUT);
    peer->paused = 0;
    peer->sent = 0;
    peer->ended = 0;
    peer->ghost = 0;

    ngx_queue_insert_tail(&link->opening, &peer->queue);

    if (!link->wait.timer_set) {
        ngx_add_timer(&link->wait, NGX_CHAT_OPEN_TIMEOUT);
    }

    if (link->up) {
        ngx_chat_bridge_send_open(link, peer);

    } else {
        ngx_chat_link_hurry(link);
    }

    return NGX_OK;
}


void
ngx_chat_bridge_send_open(ngx_chat_link_t *link, ngx_chat_bridge_peer_t *peer)
{
    size_t             len;
    u_char            *p;
    ngx_uint_t         flags;
    ngx_chat_ghost_t  *ghost;

    if (peer->ghost) {
        ghost = (ngx_chat_ghost_t *) peer;
        len = ghost->len;
        flags = ghost->flags;

    } else {
        ghost = NULL;
        len = ngx_chat_bridge_open_len((ngx_chat_client_t *) peer);
        flags = ngx_chat_bridge_open_flags(peer);
    }

    p = ngx_chat_link_control(link, CHAT_WIRE_OPEN, flags, peer->handle, len);
    if (p == NULL) {
        return;
    }

    peer->sent = 1;
    peer->large = 0;

    if (ghost) {
        ngx_memcpy(p, ghost->open, len);

    } else {
        ngx_chat_bridge_put_open((ngx_chat_client_t *) peer, p, len);
    }
}


static ngx_uint_t
ngx_chat_bridge_open_flags(ngx_chat_bridge_peer_t *peer)
{
    ngx_uint_t            flags;
    ngx_chat_loc_conf_t  *chcf;

    flags = 0;
    chcf = ngx_chat_client_conf((ngx_chat_client_t *) peer);

    if (peer->state == ngx_chat_bridge_opened) {
        flags |= CHAT_WIRE_RESUMED|CHAT_WIRE_AFTER;

    } else if (peer->after) {
        flags |= CHAT_WIRE_AFTER;
    }

    if (chcf->unknown_users) {
        flags |= CHAT_WIRE_REFUSE_UNKNOWN;
    }

    return flags;
}


static size_t
ngx_chat_bridge_open_len(ngx_chat_client_t *cl)
{
    return ngx_chat_encode_identity_len(ngx_chat_client_identity(cl))
           + NGX_CHAT_LIMITS_LEN
           + sizeof(uint64_t)
           + sizeof(uint32_t) + ngx_chat_client_address(cl)->len;
}


static void
ngx_chat_bridge_put_open(ngx_chat_client_t *cl, u_char *p, size_t len)
{
    ngx_str_t                *addr;
    ngx_chat_bridge_peer_t   *peer;
    struct chat_wire_writer   w;

    peer = (ngx_chat_bridge_peer_t *) cl;

    chat_wire_writer_init(&w, p, len);

    ngx_chat_encode_identity(&w, ngx_chat_client_identity(cl));
    ngx_chat_encode_limits(&w, ngx_chat_client_conf(cl));
    chat_wire_put_u64(&w, peer->inbox_id);

    addr = ngx_chat_client_address(cl);
    chat_wire_put_bytes(&w, addr->data, addr->len);
}


ngx_int_t
ngx_chat_bridge_request(ngx_chat_client_t *cl, ngx_chain_t *in, size_t len)
{
    u_char                   *p;
    uint64_t                  number;
    ngx_chat_link_t          *link;
    ngx_chat_bridge_peer_t   *peer;
    struct chat_wire_writer   w;

    peer = (ngx_chat_bridge_peer_t *) cl;
    link = peer->link;

    if (peer->state != ngx_chat_bridge_opened) {
        return NGX_ERROR;
    }

    number = ngx_chat_pending_number();
    if (number == 0) {
        return NGX_ERROR;
    }

    p = ngx_chat_link_frame(link, CHAT_WIRE_REQUEST, 0, number,
                            sizeof(uint64_t) + len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    chat_wire_writer_init(&w, p, sizeof(uint64_t) + len);
    chat_wire_put_u64(&w, peer->handle);
    ngx_chat_encode_chain(&w, in);

    ngx_chat_log_add(link, number, p - CHAT_WIRE_HEADER_LEN, NULL);

    peer->pending++;

    return ngx_chat_bridge_full(cl) ? NGX_AGAIN : NGX_OK;
}


ngx_uint_t
ngx_chat_bridge_full(ngx_chat_client_t *cl)
{
    ngx_chat_link_t         *link;
    ngx_chat_bridge_peer_t  *peer;

    peer = (ngx_chat_bridge_peer_t *) cl;
    link = peer->link;

    if (peer->state != ngx_chat_bridge_opened
        || link->out.unanswered < NGX_CHAT_UNANSWERED_MAX)
    {
        return 0;
    }

    ngx_chat_bridge_pause(peer);

    return 1;
}


static void
ngx_chat_bridge_pause(ngx_chat_bridge_peer_t *peer)
{
    ngx_chat_link_t  *link;

    if (peer->paused) {
        return;
    }

    link = peer->link;
    peer->paused = 1;

    ngx_queue_remove(&peer->queue);
    ngx_queue_insert_tail(&link->paused, &peer->queue);

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &link->log, 0,
                   "chat link %ui: client %xL paused, %uz bytes unanswered",
                   link->index, peer->handle, link->out.unanswered);
}


void
ngx_chat_bridge_credit(ngx_chat_client_t *cl)
{
    u_char                   *p;
    ngx_chat_link_t          *link;
    ngx_chat_bridge_peer_t   *peer;
    struct chat_wire_writer   w;

    peer = (ngx_chat_bridge_peer_t *) cl;
    link = peer->link;

    /* an OPEN to come says the same */

    if (peer->state != ngx_chat_bridge_opened || !link->up || !peer->sent) {
        return;
    }

    p = ngx_chat_link_control(link, CHAT_WIRE_CREDIT, 0, peer->handle,
                              sizeof(uint64_t));
    if (p) {
        chat_wire_writer_init(&w, p, sizeof(uint64_t));
        chat_wire_put_u64(&w, peer->inbox_id);
    }
}


void
ngx_chat_bridge_drained(ngx_chat_client_t *cl)
{
    u_char                   *p;
    ngx_chat_link_t          *link;
    ngx_chat_bridge_peer_t   *peer;
    struct chat_wire_writer   w;

    peer = (ngx_chat_bridge_peer_t *) cl;
    link = peer->link;

    if (peer->large == 0 || peer->state != ngx_chat_bridge_opened
        || !link->up || !peer->sent)
    {
        return;
    }

    p = ngx_chat_link_control(link, CHAT_WIRE_DRAINED, 0, peer->handle,
                              sizeof(uint32_t));
    if (p) {
        chat_wire_writer_init(&w, p, sizeof(uint32_t));
        chat_wire_put_u32(&w, peer->large);
        peer->large = 0;
    }
}


void
ngx_chat_bridge_close(ngx_chat_client_t *cl)
{
    ngx_chat_bridge_peer_t  *peer;

    peer = (ngx_chat_bridge_peer_t *) cl;

    if (peer->state == ngx_chat_bridge_unopened) {
        return;
    }

    if (peer->state == ngx_chat_bridge_opened
        && peer->pending
        && !peer->ended
        && ngx_chat_bridge_haunt(peer) == NGX_OK)
    {
        return;
    }

    ngx_chat_bridge_detach(peer);
}


static void
ngx_chat_bridge_detach(ngx_chat_bridge_peer_t *peer)
{
    ngx_chat_bridge_send_closed(peer);

    ngx_queue_remove(&peer->queue);
    ngx_chat_handle_free(peer);

    peer->state = ngx_chat_bridge_unopened;
    peer->link = NULL;
}


void
ngx_chat_bridge_send_closed(ngx_chat_bridge_peer_t *peer)
{
    ngx_chat_link_t  *link;

    link = peer->link;

    if (link->up && peer->sent) {
        (void) ngx_chat_link_control(link, CHAT_WIRE_CLOSED, 0, peer->handle,
                                     0);
        peer->sent = 0;
    }
}


static ngx_int_t
ngx_chat_bridge_haunt(ngx_chat_bridge_peer_t *peer)
{
    size_t              len;
    ngx_chat_link_t    *link;
    ngx_chat_ghost_t   *ghost;
    ngx_chat_client_t  *cl;

    cl = (ngx_chat_client_t *) peer;
    link = peer->link;

    len = ngx_chat_bridge_open_len(cl);

    ghost = ngx_alloc(offsetof(ngx_chat_ghost_t, open) + len, ngx_cycle->log);
    if (ghost == NULL) {
        return NGX_ERROR;
    }

    ghost->len = len;
    ghost->flags = ngx_chat_bridge_open_flags(peer) & ~CHAT_WIRE_AFTER;
    ngx_chat_bridge_put_open(cl, ghost->open, len);

    ngx_chat_bridge_send_closed(peer);

    ghost->peer = *peer;
    ghost->peer.ghost = 1;
    ghost->peer.paused = 0;

    ngx_queue_remove(&peer->queue);
    ngx_queue_insert_tail(&link->open, &ghost->peer.queue);

    ngx_chat_handle_give(peer, &ghost->peer);

    peer->state = ngx_chat_bridge_unopened;
    peer->link = NULL;

    return NGX_OK;
}


/* the user of a ghost points into its memory */

void
ngx_chat_bridge_user(ngx_chat_bridge_peer_t *peer, ngx_str_t *user)
{
    ngx_chat_ghost_t           *ghost;
    struct chat_wire_reader     r;
    struct chat_wire_identity   id;

    if (!peer->ghost) {
        *user = ngx_chat_client_identity((ngx_chat_client_t *) peer)->user;
        return;
    }

    ghost = (ngx_chat_ghost_t *) peer;

    chat_wire_reader_init(&r, ghost->open, ghost->len);
    chat_wire_get_identity(&r, &id);

    user->len = id.user_len;
    user->data = (u_char *) id.user;
}


ngx_int_t
ngx_chat_bridge_call(ngx_chat_call_t *call, ngx_chain_t *body, size_t len)
{
    size_t                    size;
    u_char                   *p;
    uint64_t                  number;
    ngx_uint_t                flags;
    ngx_chat_link_t          *link;
    struct chat_wire_writer   w;

    call->request = 0;

    link = call->address ? ngx_chat_bridge_first()
                         : ngx_chat_bridge_home(&call->identity->user);
    if (link == NULL) {
        return NGX_ERROR;
    }

    if (link->out.unanswered >= NGX_CHAT_UNANSWERED_MAX) {
        return NGX_DECLINED;
    }

    number = ngx_chat_pending_number();
    if (number == 0) {
        return NGX_ERROR;
    }

    flags = call->conf->unknown_users ? CHAT_WIRE_REFUSE_UNKNOWN : 0;

    size = ngx_chat_encode_identity_len(call->identity)
           + NGX_CHAT_LIMITS_LEN + len;

    if (call->resource) {
        flags |= CHAT_WIRE_RESOURCE
                 | (call->resource->paged ? CHAT_WIRE_NEXT : 0);
        size += ngx_chat_encode_resource_len(call->resource);
    }

    if (call->address) {
        flags |= CHAT_WIRE_ACCOUNT;
        size += ngx_chat_encode_account_len(call);
    }

    p = ngx_chat_link_frame(link, CHAT_WIRE_CALL, flags, number, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    chat_wire_writer_init(&w, p, size);
    ngx_chat_encode_identity(&w, call->identity);
    ngx_chat_encode_limits(&w, call->conf);

    if (call->resource) {
        ngx_chat_encode_resource(&w, call->resource);
    }

    if (call->address) {
        ngx_chat_encode_account(&w, call);
    }

    ngx_chat_encode_chain(&w, body);

    ngx_chat_log_add(link, number, p - CHAT_WIRE_HEADER_LEN, call);

    call->request = number;

    if (!link->up) {
        ngx_chat_link_hurry(link);
    }

    return NGX_OK;
}


void
ngx_chat_bridge_cancel(ngx_chat_call_t *call)
{
    ngx_chat_pending_t       *p;
    struct chat_wire_header   h;

    p = ngx_chat_pending_find(call->request);

    call->request = 0;

    if (p == NULL) {
        return;
    }

    (void) chat_wire_read_header(p->segment->data + p->offset,
                                 p->segment->last - p->offset, &h);

    if (!p->segment->link->up && h.replays == 0) {

        /* no worker has seen it, and none shall */

        ngx_chat_log_forget(p);
        return;
    }

    p->call = NULL;
}


void
ngx_chat_bridge_ready(ngx_chat_bridge_peer_t *peer, uint64_t inbox_id,
    ngx_str_t *device, ngx_str_t *text)
{
    ngx_chat_link_t  *link;

    if (peer->ghost) {
        return;
    }

    if (peer->state == ngx_chat_bridge_opening) {
        link = peer->link;

        peer->state = ngx_chat_bridge_opened;
        peer->pending = 0;

        ngx_queue_remove(&peer->queue);
        ngx_queue_insert_tail(&link->open, &peer->queue);
    }

    ngx_chat_client_ready((ngx_chat_client_t *) peer, inbox_id, device, text);
}


void
ngx_chat_bridge_refuse(ngx_chat_bridge_peer_t *peer, ngx_uint_t status,
    ngx_uint_t retry_after, ngx_str_t *reason, ngx_str_t *detail)
{
    if (peer->ghost) {
        return;
    }

    ngx_chat_bridge_detach(peer);

    ngx_chat_client_refuse((ngx_chat_client_t *) peer, status, retry_after,
                           reason, detail);
}


void
ngx_chat_bridge_end(ngx_chat_bridge_peer_t *peer, ngx_uint_t code,
    ngx_str_t *reason)
{
    if (peer->ghost || peer->ended) {
        return;
    }

    peer->ended = 1;

    ngx_chat_client_end((ngx_chat_client_t *) peer, code, reason);
}


void
ngx_chat_bridge_reply(ngx_chat_pending_t *p, uint64_t inbox_id,
    ngx_chat_answer_t *answer)
{
    ngx_chat_link_t         *link;
    ngx_chat_call_t         *call;
    ngx_chat_bridge_peer_t  *peer;

    link = p->segment->link;
    call = p->call;
    peer = ngx_chat_bridge_requester(p);

    ngx_chat_log_forget(p);

    if (call) {
        call->request = 0;
        call->handler(call, answer);

    } else if (peer) {

        if (answer->refused) {
            answer->text.len = 0;
        }

        ngx_chat_bridge_answered(peer, inbox_id, answer);
    }

    ngx_chat_bridge_check(link);
}


/* the client, or its ghost, that a REQUEST came from; NULL for a CALL */

ngx_chat_bridge_peer_t *
ngx_chat_bridge_requester(ngx_chat_pending_t *p)
{
    u_char                   *frame;
    struct chat_wire_header   h;
    struct chat_wire_reader   r;

    frame = p->segment->data + p->offset;

    (void) chat_wire_read_header(frame, p->segment->last - p->offset, &h);

    if (h.type != CHAT_WIRE_REQUEST) {
        return NULL;
    }

    chat_wire_reader_init(&r, frame + CHAT_WIRE_HEADER_LEN,
                          h.length - CHAT_WIRE_HEADER_LEN);

    return ngx_chat_bridge_find(chat_wire_get_u64(&r));
}


static void
ngx_chat_bridge_answered(ngx_chat_bridge_peer_t *peer, uint64_t inbox_id,
    ngx_chat_answer_t *answer)
{
    if (!ngx_chat_bridge_settle(peer)) {
        return;
    }

    /* no worker has so many on their way */

    if (answer->large && peer->large < 255) {
        peer->large++;
    }

    ngx_chat_client_reply((ngx_chat_client_t *) peer, inbox_id, &answer->text);
}


/* a request of the peer is done with; 0: there is no client to be told */

ngx_uint_t
ngx_chat_bridge_settle(ngx_chat_bridge_peer_t *peer)
{
    peer->pending--;

    if (!peer->ghost) {
        return 1;
    }

    if (peer->pending == 0) {
        ngx_chat_bridge_detach(peer);
        ngx_free(peer);
    }

    return 0;
}


void
ngx_chat_bridge_verified(ngx_chat_link_t *link, uint64_t number,
    uint64_t handle, ngx_uint_t status, ngx_chat_identity_t *id)
{
    size_t                    len;
    u_char                   *p;
    struct chat_wire_writer   w;

    len = sizeof(uint64_t) + sizeof(uint16_t)
          + ngx_chat_encode_identity_len(id);

    p = ngx_chat_link_control(link, CHAT_WIRE_VERIFIED, 0, number, len);

    if (p) {
        chat_wire_writer_init(&w, p, len);
        chat_wire_put_u64(&w, handle);
        chat_wire_put_u16(&w, status);
        ngx_chat_encode_identity(&w, id);
    }
}
