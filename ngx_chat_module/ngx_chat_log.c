
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"


/*
 * The segments of a link are both its write queue and its replay log:
 *
 *     head                        next                    tail
 *     [#.#..] [..#] [####.###] -> [####....] -> [###] -> [##    ]
 *      written, kept for #          to be written         being filled
 *
 * # is a request without an answer.  A written segment is freed with its last
 * #; when few # keep many segments, they are packed together.
 */

#define NGX_CHAT_SEGMENT_SIZE    (64 * 1024)

/* what a link may hold beyond twice of what it needs */
#define NGX_CHAT_LOG_SLACK       (1024 * 1024)

/* of a request beside its frame: the table is at most half full */
#define NGX_CHAT_PENDING_COST    (2 * sizeof(ngx_chat_pending_t))


static ngx_chat_segment_t *ngx_chat_log_segment(ngx_chat_link_t *link,
    size_t len);
static void ngx_chat_log_release(ngx_chat_segment_t *seg);
static void ngx_chat_log_remove(ngx_chat_segment_t *seg);
static void ngx_chat_log_compact(ngx_chat_link_t *link);
static void ngx_chat_log_pack(ngx_chat_link_t *link, ngx_chat_segment_t *stop,
    ngx_uint_t replay);
static ngx_chat_segment_t *ngx_chat_log_keep(ngx_chat_segment_t *dst,
    ngx_chat_segment_t *src, ngx_chat_pending_t *p, size_t len);
static ngx_chat_pending_t *ngx_chat_log_pending(ngx_chat_segment_t *seg,
    size_t offset, struct chat_wire_header *h);
static void ngx_chat_log_wipe(ngx_chat_pending_t *p);
static size_t ngx_chat_log_cost(ngx_chat_pending_t *p);


void
ngx_chat_log_init(ngx_chat_log_t *log)
{
    ngx_queue_init(&log->segments);

    log->next = NULL;
    log->held = 0;
    log->unsent = 0;
    log->unanswered = 0;
}


void
ngx_chat_log_take(ngx_chat_log_t *to, ngx_chat_log_t *from)
{
    if (ngx_queue_empty(&from->segments)) {
        return;
    }

    ngx_queue_add(&to->segments, &from->segments);
    ngx_queue_init(&from->segments);

    if (to->next == NULL) {
        to->next = from->next;
    }

    to->held += from->held;
    to->unsent += from->unsent;

    from->next = NULL;
    from->held = 0;
    from->unsent = 0;
}


u_char *
ngx_chat_log_append(ngx_chat_link_t *link, size_t len)
{
    u_char              *p;
    ngx_queue_t         *q;
    ngx_chat_log_t      *log;
    ngx_chat_segment_t  *seg;

    log = &link->out;
    seg = NULL;

    if (!ngx_queue_empty(&log->segments)) {
        q = ngx_queue_last(&log->segments);
        seg = ngx_queue_data(q, ngx_chat_segment_t, queue);
    }

    if (seg == NULL || seg->size - seg->last < len) {
        seg = ngx_chat_log_segment(link, len);
        if (seg == NULL) {
            return NULL;
        }
    }

    /* what was to be written next may be gone, answered as soon as sent */

    if (log->next == NULL) {
        log->next = seg;
    }

    p = seg->data + seg->last;

    seg->last += len;
    log->unsent += len;

    return p;
}


static ngx_chat_segment_t *
ngx_chat_log_segment(ngx_chat_link_t *link, size_t len)
{
    size_t               size;
    ngx_chat_log_t      *log;
    ngx_chat_segment_t  *seg;

    log = &link->out;

    /* while the link is down nothing was sent, but requests are cancelled */

    size = NGX_CHAT_LOG_SLACK + 2 * log->unanswered;

    if (!link->up && log->held > size) {
        ngx_chat_log_prune(link);

    } else if (log->held > size + 2 * log->unsent) {
        ngx_chat_log_compact(link);
    }

    size = ngx_max(len, NGX_CHAT_SEGMENT_SIZE);

    seg = ngx_alloc(offsetof(ngx_chat_segment_t, data) + size,
                    ngx_cycle->log);
    if (seg == NULL) {
        return NULL;
    }

    seg->link = link;
    seg->size = size;
    seg->last = 0;
    seg->sent = 0;
    seg->pending = 0;

    ngx_queue_insert_tail(&log->segments, &seg->queue);

    log->held += size;

    return seg;
}


ngx_uint_t
ngx_chat_log_iovec(ngx_chat_log_t *log, struct iovec *iov, ngx_uint_t n)
{
    ngx_uint_t           i;
    ngx_queue_t         *q;
    ngx_chat_segment_t  *seg;

    if (log->next == NULL) {
        return 0;
    }

    i = 0;

    for (q = &log->next->queue;
         q != ngx_queue_sentinel(&log->segments) && i < n;
         q = ngx_queue_next(q))
    {
        seg = ngx_queue_data(q, ngx_chat_segment_t, queue);

        if (seg->sent == seg->last) {
            continue;
        }

        iov[i].iov_base = (void *) (seg->data + seg->sent);
        iov[i].iov_len = seg->last - seg->sent;
        i++;
    }

    return i;
}


void
ngx_chat_log_sent(ngx_chat_link_t *link, size_t size)
{
    size_t               n;
    ngx_queue_t         *q;
    ngx_chat_log_t      *log;
    ngx_chat_segment_t  *seg;

    log = &link->out;
    log->unsent -= size;

    while (log->next) {
        seg = log->next;

        n = ngx_min(size, seg->last - seg->sent);
        seg->sent += n;
        size -= n;

        q = ngx_queue_next(&seg->queue);

        if (seg->sent < seg->last || q == ngx_queue_sentinel(&log->segments)) {
            ngx_chat_log_release(seg);
            break;
        }

        log->next = ngx_queue_data(q, ngx_chat_segment_t, queue);
        ngx_chat_log_release(seg);
    }
}


/* an ordinary segment that is the last one is kept for what comes next */

static void
ngx_chat_log_release(ngx_chat_segment_t *seg)
{
    ngx_chat_log_t  *log;

    if (seg->pending || seg->sent < seg->last) {
        return;
    }

    log = &seg->link->out;

    if (&seg->queue == ngx_queue_last(&log->segments)
        && seg->size == NGX_CHAT_SEGMENT_SIZE)
    {
        seg->sent = 0;
        seg->last = 0;
        return;
    }

    ngx_chat_log_remove(seg);
}


static void
ngx_chat_log_remove(ngx_chat_segment_t *seg)
{
    ngx_queue_t     *q;
    ngx_chat_log_t  *log;

    log = &seg->link->out;

    if (log->next == seg) {
        q = ngx_queue_next(&seg->queue);
        log->next = (q == ngx_queue_sentinel(&log->segments))
                    ? NULL : ngx_queue_data(q, ngx_chat_segment_t, queue);
    }

    log->held -= seg->size;

    ngx_queue_remove(&seg->queue);
    ngx_free(seg);
}


/* a few requests that wait long must not keep a segment each */

static void
ngx_chat_log_compact(ngx_chat_link_t *link)
{
    ngx_queue_t         *q;
    ngx_chat_log_t      *log;
    ngx_chat_segment_t  *seg;

    log = &link->out;

    for (q = ngx_queue_head(&log->segments);
         q != ngx_queue_last(&log->segments);
         q = ngx_queue_next(q))
    {
        seg = ngx_queue_data(q, ngx_chat_segment_t, queue);

        if (seg->sent < seg->last) {
            break;
        }
    }

    seg = ngx_queue_data(q, ngx_chat_segment_t, queue);

    log->next = seg;

    ngx_chat_log_pack(link, seg, 0);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, ngx_cycle->log, 0,
                   "chat log of link %ui packed: %uz", link->index, log->held);
}


void
ngx_chat_log_rewind(ngx_chat_link_t *link)
{
    ngx_chat_log_pack(link, NULL, 1);
}


void
ngx_chat_log_prune(ngx_chat_link_t *link)
{
    ngx_chat_log_pack(link, NULL, 0);
}


/*
 * Moves the frames of pending requests together, up to the segment `stop`, or
 * all.  They go towards the head only, each segment is read before it is
 * written to, so this needs no memory and cannot fail.  Before `stop` all was
 * sent; without it nothing counts as sent any more.
 */

static void
ngx_chat_log_pack(ngx_chat_link_t *link, ngx_chat_segment_t *stop,
    ngx_uint_t replay)
{
    size_t                    pos, last, sent;
    ngx_queue_t              *q;
    ngx_chat_log_t           *log;
    ngx_chat_segment_t       *src, *dst;
    ngx_chat_pending_t       *p;
    struct chat_wire_header   h;

    log = &link->out;
    dst = NULL;

    for (q = ngx_queue_head(&log->segments);
         q != ngx_queue_sentinel(&log->segments);
         q = ngx_queue_next(q))
    {
        src = ngx_queue_data(q, ngx_chat_segment_t, queue);

        if (src == stop) {
            break;
        }

        if (dst == NULL) {
            dst = src;
        }

        last = src->last;
        sent = src->sent;

        src->last = 0;
        src->pending = 0;

        for (pos = 0; pos < last; pos += h.length) {
            (void) chat_wire_read_header(src->data + pos, last - pos, &h);

            p = ngx_chat_log_pending(src, pos, &h);
            if (p == NULL) {
                continue;
            }

            if (replay && pos + h.length <= sent) {
                h.replays++;
                chat_wire_write_header(src->data + pos, &h);
            }

            dst = ngx_chat_log_keep(dst, src, p, h.length);
        }
    }

    if (stop == NULL) {
        log->next = NULL;
        log->unsent = 0;
    }

    q = ngx_queue_head(&log->segments);

    while (q != ngx_queue_sentinel(&log->segments)) {
        src = ngx_queue_data(q, ngx_chat_segment_t, queue);
        q = ngx_queue_next(q);

        if (src == stop) {
            break;
        }

        src->sent = stop ? src->last : 0;

        if (src->last == 0) {
            ngx_chat_log_remove(src);
            continue;
        }

        if (stop == NULL) {
            log->unsent += src->last;

            if (log->next == NULL) {
                log->next = src;
            }
        }
    }
}


static ngx_chat_segment_t *
ngx_chat_log_keep(ngx_chat_segment_t *dst, ngx_chat_segment_t *src,
    ngx_chat_pending_t *p, size_t len)
{
    u_char       *frame;
    ngx_queue_t  *q;

    frame = src->data + p->offset;

    while (dst != src && dst->size - dst->last < len) {
        q = ngx_queue_next(&dst->queue);
        dst = ngx_queue_data(q, ngx_chat_segment_t, queue);
    }

    ngx_memmove(dst->data + dst->last, frame, len);

    p->segment = dst;
    p->offset = dst->last;

    dst->last += len;
    dst->pending++;

    return dst;
}


void
ngx_chat_log_scan(ngx_chat_link_t *link, ngx_queue_t *segments,
    ngx_chat_log_handler_pt handler)
{
    size_t                    pos;
    ngx_queue_t              *q;
    ngx_chat_segment_t       *seg;
    ngx_chat_pending_t       *p;
    struct chat_wire_header   h;

    for (q = ngx_queue_head(segments);
         q != ngx_queue_sentinel(segments);
         q = ngx_queue_next(q))
    {
        seg = ngx_queue_data(q, ngx_chat_segment_t, queue);

        for (pos = 0; pos < seg->last; pos += h.length) {
            (void) chat_wire_read_header(seg->data + pos, seg->last - pos, &h);

            p = ngx_chat_log_pending(seg, pos, &h);

            if (p) {
                handler(link, p, &h,
                        seg->data + pos + CHAT_WIRE_HEADER_LEN);
            }
        }
    }
}


ngx_int_t
ngx_chat_log_move(ngx_chat_pending_t *p, ngx_chat_link_t *link)
{
    size_t                    cost;
    u_char                   *frame;
    struct chat_wire_header   h;

    (void) chat_wire_read_header(p->segment->data + p->offset,
                                 p->segment->last - p->offset, &h);

    frame = ngx_chat_log_append(link, h.length);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(frame, p->segment->data + p->offset, h.length);

    cost = ngx_chat_log_cost(p);

    p->segment->pending--;
    p->segment->link->out.unanswered -= cost;

    p->segment = ngx_queue_data(ngx_queue_last(&link->out.segments),
                                ngx_chat_segment_t, queue);
    p->offset = frame - p->segment->data;

    p->segment->pending++;
    link->out.unanswered += cost;

    return NGX_OK;
}


void
ngx_chat_log_free(ngx_queue_t *segments)
{
    ngx_queue_t         *q;
    ngx_chat_segment_t  *seg;

    while (!ngx_queue_empty(segments)) {
        q = ngx_queue_head(segments);
        seg = ngx_queue_data(q, ngx_chat_segment_t, queue);

        ngx_queue_remove(q);
        ngx_free(seg);
    }
}


void
ngx_chat_log_add(ngx_chat_link_t *link, uint64_t number, u_char *frame,
    ngx_chat_call_t *call)
{
    size_t               cost;
    ngx_chat_pending_t  *p;

    p = ngx_chat_pending_add(number);

    p->segment = ngx_queue_data(ngx_queue_last(&link->out.segments),
                                ngx_chat_segment_t, queue);
    p->offset = frame - p->segment->data;
    p->call = call;

    p->segment->pending++;

    cost = ngx_chat_log_cost(p);

    link->out.unanswered += cost;
    ngx_chat_stat_add(ngx_chat_stat_unanswered_bytes, cost);
}


void
ngx_chat_log_forget(ngx_chat_pending_t *p)
{
    size_t               cost;
    ngx_chat_segment_t  *seg;

    seg = p->segment;
    cost = ngx_chat_log_cost(p);

    ngx_chat_log_wipe(p);

    seg->pending--;
    seg->link->out.unanswered -= cost;

    ngx_chat_stat_add(ngx_chat_stat_unanswered_bytes, - (ngx_int_t) cost);

    ngx_chat_pending_delete(p);
    ngx_chat_log_release(seg);
}


/*
 * What a request about an account holds may be a password.  One that is not
 * all sent is still to be written as it is.
 */

static void
ngx_chat_log_wipe(ngx_chat_pending_t *p)
{
    u_char                   *frame;
    ngx_chat_segment_t       *seg;
    struct chat_wire_header   h;

    seg = p->segment;
    frame = seg->data + p->offset;

    (void) chat_wire_read_header(frame, seg->last - p->offset, &h);

    if (h.type == CHAT_WIRE_CALL && (h.flags & CHAT_WIRE_ACCOUNT)
        && p->offset + h.length <= seg->sent)
    {
        ngx_explicit_memzero(frame + CHAT_WIRE_HEADER_LEN,
                             h.length - CHAT_WIRE_HEADER_LEN);
    }
}


/* the pending request whose frame stands here, if it is one */

static ngx_chat_pending_t *
ngx_chat_log_pending(ngx_chat_segment_t *seg, size_t offset,
    struct chat_wire_header *h)
{
    ngx_chat_pending_t  *p;

    if (h->type != CHAT_WIRE_REQUEST && h->type != CHAT_WIRE_CALL) {
        return NULL;
    }

    p = ngx_chat_pending_find(h->id);

    if (p == NULL || p->segment != seg || p->offset != offset) {
        return NULL;
    }

    return p;
}


static size_t
ngx_chat_log_cost(ngx_chat_pending_t *p)
{
    struct chat_wire_header  h;

    (void) chat_wire_read_header(p->segment->data + p->offset,
                                 p->segment->last - p->offset, &h);

    return h.length + NGX_CHAT_PENDING_COST;
}
