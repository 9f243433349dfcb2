
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"

#include <sys/random.h>


/*
 * The links of this process, one to each worker.  A client's is the one to
 * its user's home worker.  The number of workers comes with the HELLO of
 * worker 0; until then it passes for the only one, and everybody waits there.
 */


static void ngx_chat_links_orphan(ngx_chat_link_t *link,
    ngx_chat_pending_t *p, struct chat_wire_header *h, u_char *payload);
static void ngx_chat_links_worn(ngx_chat_link_t *link, ngx_chat_pending_t *p,
    struct chat_wire_header *h, u_char *payload);
static void ngx_chat_links_drop(ngx_chat_link_t *link, ngx_chat_pending_t *p,
    struct chat_wire_header *h, u_char *payload);
static void ngx_chat_links_fail(ngx_chat_link_t *link, ngx_chat_pending_t *p,
    struct chat_wire_header *h, u_char *payload, ngx_uint_t code);
static void ngx_chat_links_move(ngx_chat_link_t *link, ngx_chat_pending_t *p,
    struct chat_wire_header *h, u_char *payload);
static void ngx_chat_links_unsent(ngx_queue_t *peers);
static void ngx_chat_links_end(ngx_chat_link_t *link);
static void ngx_chat_links_assign(ngx_queue_t *opening, ngx_queue_t *open);


static ngx_chat_link_t  *ngx_chat_links[CHAT_WIRE_WORKERS_MAX];
static ngx_uint_t        ngx_chat_nlinks;
static ngx_str_t         ngx_chat_run_dir;
static uint64_t          ngx_chat_instance;
static uint64_t          ngx_chat_generation;
static uint32_t          ngx_chat_settings_hash;


ngx_int_t
ngx_chat_bridge_init_process(ngx_cycle_t *cycle)
{
    ngx_chat_main_conf_t  *cmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_chat_module);

    if (cmcf == NULL || !cmcf->used) {
        return NGX_OK;
    }

    if (getrandom(&ngx_chat_instance, sizeof(uint64_t), GRND_NONBLOCK)
        != sizeof(uint64_t))
    {
        ngx_chat_instance = (uint64_t) ngx_random() << 32 ^ ngx_random()
                            ^ (uint64_t) ngx_pid << 16;
    }

    ngx_chat_run_dir = cmcf->run_dir;
    ngx_chat_generation = cmcf->generation;
    ngx_chat_settings_hash = cmcf->settings_hash;

    ngx_chat_links[0] = ngx_chat_link_create(0, &ngx_chat_run_dir);
    if (ngx_chat_links[0] == NULL) {
        return NGX_ERROR;
    }

    ngx_chat_nlinks = 1;

    ngx_chat_link_start(ngx_chat_links[0], 1);

    return NGX_OK;
}


void
ngx_chat_bridge_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_chat_nlinks; i++) {
        ngx_chat_link_stop(ngx_chat_links[i]);
    }
}


ngx_chat_link_t *
ngx_chat_bridge_home(ngx_str_t *user)
{
    if (ngx_chat_nlinks == 0) {
        return NULL;
    }

    return ngx_chat_links[chat_wire_home(user->data, user->len,
                                         ngx_chat_nlinks)];
}


ngx_chat_link_t *
ngx_chat_bridge_first(void)
{
    return ngx_chat_nlinks ? ngx_chat_links[0] : NULL;
}


ngx_uint_t
ngx_chat_bridge_connected(void)
{
    return ngx_chat_nlinks && ngx_chat_links[0]->up;
}


void
ngx_chat_bridge_hello(ngx_chat_link_t *link, struct chat_wire_hello *h)
{
    ngx_memzero(h, sizeof(struct chat_wire_hello));

    h->role = CHAT_WIRE_NGINX;
    h->pid = ngx_pid;
    h->instance = ngx_chat_instance;
    h->generation = ngx_chat_generation;
    h->settings_hash = ngx_chat_settings_hash;
    h->index = ngx_worker;
}


/* OPEN of each client, the requests not answered, CLOSED of each ghost */

void
ngx_chat_bridge_link_up(ngx_chat_link_t *link)
{
    ngx_uint_t               i;
    ngx_queue_t             *q, *queues[3];
    ngx_chat_log_t           log;
    ngx_chat_bridge_peer_t  *peer;

    ngx_chat_log_scan(link, &link->out.segments, ngx_chat_links_orphan);
    ngx_chat_log_prune(link);

    ngx_chat_log_init(&log);
    ngx_chat_log_take(&log, &link->out);

    queues[0] = &link->open;
    queues[1] = &link->paused;
    queues[2] = &link->opening;

    for (i = 0; i < 3; i++) {

        for (q = ngx_queue_head(queues[i]);
             q != ngx_queue_sentinel(queues[i]);
             q = ngx_queue_next(q))
        {
            peer = ngx_queue_data(q, ngx_chat_bridge_peer_t, queue);

            if (!peer->ended) {
                ngx_chat_bridge_send_open(link, peer);
            }
        }
    }

    ngx_chat_log_take(&link->out, &log);

    for (q = ngx_queue_head(&link->open);
         q != ngx_queue_sentinel(&link->open);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_chat_bridge_peer_t, queue);

        if (peer->ghost) {
            ngx_chat_bridge_send_closed(peer);
        }
    }

    ngx_chat_bridge_check(link);
}


/* a request that nobody stands for any more is not replayed */

static void
ngx_chat_links_orphan(ngx_chat_link_t *link, ngx_chat_pending_t *p,
    struct chat_wire_header *h, u_char *payload)
{
    ngx_chat_bridge_peer_t  *peer;

    if (h->type == CHAT_WIRE_REQUEST) {
        peer = ngx_chat_bridge_requester(p);

        if (peer == NULL || peer->ended) {
            ngx_chat_log_forget(p);
            return;
        }
    }

    if (h->replays) {
        ngx_chat_stat_add(ngx_chat_stat_replayed, 1);
    }
}


void
ngx_chat_bridge_link_down(ngx_chat_link_t *link)
{
    ngx_chat_links_unsent(&link->open);
    ngx_chat_links_unsent(&link->paused);
    ngx_chat_links_unsent(&link->opening);

    ngx_chat_log_rewind(link);
    ngx_chat_log_scan(link, &link->out.segments, ngx_chat_links_worn);
}


static void
ngx_chat_links_unsent(ngx_queue_t *peers)
{
    ngx_queue_t             *q;
    ngx_chat_bridge_peer_t  *peer;

    for (q = ngx_queue_head(peers);
         q != ngx_queue_sentinel(peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_chat_bridge_peer_t, queue);
        peer->sent = 0;
    }
}


/* the worker died of it, or with it, too often */

static void
ngx_chat_links_worn(ngx_chat_link_t *link, ngx_chat_pending_t *p,
    struct chat_wire_header *h, u_char *payload)
{
    if (h->replays <= NGX_CHAT_REPLAYS_MAX) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, &link->log, 0,
                  "chat link %V: request %uL dropped, the worker ended %ud "
                  "times while it was unanswered", &link->name, h->id,
                  (unsigned) h->replays);

    ngx_chat_links_fail(link, p, h, payload, 1011);
}


/* the client is told by a close */

static void
ngx_chat_links_fail(ngx_chat_link_t *link, ngx_chat_pending_t *p,
    struct chat_wire_header *h, u_char *payload, ngx_uint_t code)
{
    uint64_t                 handle;
    ngx_str_t                reason;
    ngx_chat_bridge_peer_t  *peer;

    peer = ngx_chat_bridge_requester(p);
    handle = peer ? peer->handle : 0;

    ngx_chat_links_drop(link, p, h, payload);

    /* a ghost has gone with its last request */

    peer = ngx_chat_bridge_find(handle);

    if (peer) {
        ngx_str_set(&reason, "request_failed");
        ngx_chat_bridge_end(peer, code, &reason);
    }
}


static void
ngx_chat_links_drop(ngx_chat_link_t *link, ngx_chat_pending_t *p,
    struct chat_wire_header *h, u_char *payload)
{
    ngx_chat_call_t         *call;
    ngx_chat_answer_t        answer;
    ngx_chat_bridge_peer_t  *peer;

    call = p->call;
    peer = ngx_chat_bridge_requester(p);

    ngx_chat_log_forget(p);

    if (call) {
        ngx_memzero(&answer, sizeof(ngx_chat_answer_t));

        answer.status = NGX_HTTP_SERVICE_UNAVAILABLE;
        answer.retry_after = NGX_CHAT_RETRY_AFTER;
        ngx_str_set(&answer.reason, "unavailable");
        ngx_str_set(&answer.text, "The chat service did not answer; the "
                                  "request may have taken effect.");
        answer.refused = 1;

        call->request = 0;
        call->handler(call, &answer);

    } else if (peer) {
        (void) ngx_chat_bridge_settle(peer);
    }
}


/* no worker for 10 s */

void
ngx_chat_bridge_link_lost(ngx_chat_link_t *link)
{
    ngx_log_error(NGX_LOG_ERR, &link->log, 0,
                  "chat link %V: no worker for %ui s, its clients are closed",
                  &link->name, (ngx_uint_t) NGX_CHAT_LOST_TIMEOUT / 1000);

    ngx_chat_links_end(link);

    ngx_chat_log_scan(link, &link->out.segments, ngx_chat_links_drop);
    ngx_chat_log_prune(link);
}


static void
ngx_chat_links_end(ngx_chat_link_t *link)
{
    ngx_str_t                reason;
    ngx_queue_t             *q, peers;
    ngx_chat_bridge_peer_t  *peer;

    ngx_str_set(&reason, "no_worker");

    ngx_queue_init(&peers);
    ngx_queue_add(&peers, &link->open);
    ngx_queue_init(&link->open);
    ngx_queue_add(&peers, &link->paused);
    ngx_queue_init(&link->paused);

    while (!ngx_queue_empty(&peers)) {
        q = ngx_queue_head(&peers);
        peer = ngx_queue_data(q, ngx_chat_bridge_peer_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&link->open, q);

        peer->paused = 0;

        ngx_chat_bridge_end(peer, 1013, &reason);
    }
}


void
ngx_chat_bridge_link_wait(ngx_chat_link_t *link)
{
    int32_t                  left;
    ngx_str_t                reason, detail;
    ngx_queue_t             *q;
    ngx_chat_bridge_peer_t  *peer;

    ngx_str_set(&reason, "unavailable");
    ngx_str_set(&detail, "The chat service does not answer.");

    while (!ngx_queue_empty(&link->opening)) {
        q = ngx_queue_head(&link->opening);
        peer = ngx_queue_data(q, ngx_chat_bridge_peer_t, queue);

        left = (int32_t) (peer->pending - (uint32_t) ngx_current_msec);

        if (left > 0) {
            ngx_add_timer(&link->wait, left);
            return;
        }

        ngx_chat_bridge_refuse(peer, NGX_HTTP_SERVICE_UNAVAILABLE,
                               NGX_CHAT_RETRY_AFTER, &reason, &detail);
    }
}


/* so much was answered that reading may go on */

void
ngx_chat_bridge_check(ngx_chat_link_t *link)
{
    if (!ngx_queue_empty(&link->paused)
        && link->out.unanswered < NGX_CHAT_UNANSWERED_MAX / 2)
    {
        ngx_post_event(&link->resume, &ngx_posted_events);
    }
}


/* who waited longest goes first; who is paused again waits behind the others */

void
ngx_chat_bridge_link_resume(ngx_chat_link_t *link)
{
    ngx_queue_t             *q;
    ngx_chat_bridge_peer_t  *peer;

    while (!ngx_queue_empty(&link->paused)
           && link->out.unanswered < NGX_CHAT_UNANSWERED_MAX)
    {
        q = ngx_queue_head(&link->paused);
        peer = ngx_queue_data(q, ngx_chat_bridge_peer_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&link->open, q);

        peer->paused = 0;

        ngx_chat_client_resume_reading((ngx_chat_client_t *) peer);
    }
}


/*
 * The pool came with another number of workers: other homes.  Requests move
 * to the log of the new one, behind each other as they were.
 */

ngx_int_t
ngx_chat_bridge_resize(ngx_chat_link_t *link, ngx_uint_t n)
{
    ngx_uint_t        i, old;
    ngx_queue_t       opening, open;
    ngx_chat_log_t    log;
    ngx_chat_link_t  *l;

    if (n == ngx_chat_nlinks) {
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {

        if (ngx_chat_links[i] == NULL) {
            ngx_chat_links[i] = ngx_chat_link_create(i, &ngx_chat_run_dir);

            if (ngx_chat_links[i] == NULL) {
                return NGX_ERROR;
            }
        }
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "chat pool has %ui workers", n);

    old = ngx_chat_nlinks;
    ngx_chat_nlinks = n;

    ngx_queue_init(&opening);
    ngx_queue_init(&open);
    ngx_chat_log_init(&log);

    for (i = 0; i < old; i++) {
        l = ngx_chat_links[i];

        if (l != link) {
            ngx_chat_link_stop(l);
            ngx_chat_bridge_link_down(l);
        }

        ngx_queue_add(&opening, &l->opening);
        ngx_queue_init(&l->opening);
        ngx_queue_add(&open, &l->open);
        ngx_queue_init(&l->open);
        ngx_queue_add(&open, &l->paused);
        ngx_queue_init(&l->paused);

        ngx_chat_log_take(&log, &l->out);
    }

    ngx_chat_links_assign(&opening, &open);

    ngx_chat_log_scan(NULL, &log.segments, ngx_chat_links_move);
    ngx_chat_log_free(&log.segments);

    for (i = 0; i < n; i++) {

        if (ngx_chat_links[i] != link) {
            ngx_chat_link_start(ngx_chat_links[i], 1);
        }
    }

    return NGX_OK;
}


static void
ngx_chat_links_assign(ngx_queue_t *opening, ngx_queue_t *open)
{
    ngx_str_t                user;
    ngx_queue_t             *q;
    ngx_chat_link_t         *link;
    ngx_chat_bridge_peer_t  *peer;

    while (!ngx_queue_empty(opening)) {
        q = ngx_queue_head(opening);
        peer = ngx_queue_data(q, ngx_chat_bridge_peer_t, queue);

        ngx_chat_bridge_user(peer, &user);
        link = ngx_chat_bridge_home(&user);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&link->opening, q);

        peer->link = link;

        if (!link->wait.timer_set) {
            ngx_add_timer(&link->wait, 1);
        }
    }

    while (!ngx_queue_empty(open)) {
        q = ngx_queue_head(open);
        peer = ngx_queue_data(q, ngx_chat_bridge_peer_t, queue);

        ngx_chat_bridge_user(peer, &user);
        link = ngx_chat_bridge_home(&user);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(peer->paused ? &link->paused : &link->open, q);

        peer->link = link;

        ngx_chat_bridge_check(link);
    }
}


static void
ngx_chat_links_move(ngx_chat_link_t *link, ngx_chat_pending_t *p,
    struct chat_wire_header *h, u_char *payload)
{
    ngx_str_t                   user;
    ngx_chat_bridge_peer_t     *peer;
    struct chat_wire_reader     r;
    struct chat_wire_identity   id;

    if (h->type == CHAT_WIRE_REQUEST) {
        peer = ngx_chat_bridge_requester(p);

        if (peer == NULL) {
            ngx_chat_log_forget(p);
            return;
        }

        link = peer->link;

    } else if (h->flags & CHAT_WIRE_ACCOUNT) {
        link = ngx_chat_bridge_first();

    } else {
        chat_wire_reader_init(&r, payload, h->length - CHAT_WIRE_HEADER_LEN);
        chat_wire_get_identity(&r, &id);

        user.len = id.user_len;
        user.data = (u_char *) id.user;

        link = ngx_chat_bridge_home(&user);
    }

    if (ngx_chat_log_move(p, link) != NGX_OK) {
        ngx_chat_links_fail(link, p, h, payload, 1013);
    }
}
