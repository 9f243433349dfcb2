
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_LINK_H_INCLUDED_
#define _NGX_CHAT_LINK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_chat_module.h"
#include "chat_wire.h"


/* unanswered requests of a link that pause the reading of its clients */
#define NGX_CHAT_UNANSWERED_MAX  (16 * 1024 * 1024)

/* bytes not written to a link over which the worker counts as stuck */
#define NGX_CHAT_UNSENT_MAX      (128 * 1024 * 1024)

#define NGX_CHAT_REPLAYS_MAX     2

#define NGX_CHAT_OPEN_TIMEOUT    2000
#define NGX_CHAT_LOST_TIMEOUT    10000
#define NGX_CHAT_RETRY_AFTER     2


typedef struct ngx_chat_link_s     ngx_chat_link_t;
typedef struct ngx_chat_segment_s  ngx_chat_segment_t;


/* whole frames as they go to the socket, kept while a request is unanswered */

struct ngx_chat_segment_s {
    ngx_queue_t                queue;
    ngx_chat_link_t           *link;
    size_t                     size;
    size_t                     last;
    size_t                     sent;
    ngx_uint_t                 pending;      /* requests not answered */
    u_char                     data[1];
};


/* the frames towards a worker: sent ones, then unsent ones */

typedef struct {
    ngx_queue_t                segments;
    ngx_chat_segment_t        *next;         /* to be written next, or NULL */
    size_t                     held;         /* memory of the segments */
    size_t                     unsent;
    size_t                     unanswered;   /* cost of pending requests */
} ngx_chat_log_t;


/* a REQUEST or CALL that no REPLY or REFUSE has closed */

typedef struct {
    uint64_t                   number;       /* 0: free entry */
    ngx_chat_segment_t        *segment;
    size_t                     offset;
    ngx_chat_call_t           *call;         /* NULL: REQUEST, or cancelled */
} ngx_chat_pending_t;


struct ngx_chat_link_s {
    ngx_uint_t                 index;        /* of the worker */
    ngx_connection_t          *connection;   /* NULL: down */

    struct sockaddr_un         sockaddr;
    ngx_str_t                  name;
    ngx_log_t                  log;
    ngx_log_t                  quiet;        /* for repeated attempts */

    ngx_queue_t                opening;      /* peers, by time limit */
    ngx_queue_t                open;
    ngx_queue_t                paused;       /* open ones, not read from */

    ngx_chat_log_t             out;
    size_t                     limit;        /* of out.unsent */
    ngx_buf_t                  in;

    ngx_event_t                connect;      /* timer: next attempt */
    ngx_event_t                wait;         /* timer: opening too long */
    ngx_event_t                lost;         /* timer: down too long */
    ngx_event_t                flush;        /* posted */
    ngx_event_t                resume;       /* posted */

    ngx_msec_t                 delay;        /* before the next attempt */
    ngx_msec_t                 since;        /* down since */
    uint32_t                   refused;      /* hash of the last refusal */

    unsigned                   up:1;         /* both HELLOs were said */
    unsigned                   broken:1;     /* no memory: to be closed */
    unsigned                   reported:1;   /* this outage was logged */
};


/* ngx_chat_link.c: one socket */

ngx_chat_link_t *ngx_chat_link_create(ngx_uint_t index, ngx_str_t *run_dir);
void ngx_chat_link_start(ngx_chat_link_t *link, ngx_msec_t delay);
void ngx_chat_link_stop(ngx_chat_link_t *link);
void ngx_chat_link_hurry(ngx_chat_link_t *link);

/* it ends, its clients and requests wait for the next one */
void ngx_chat_link_fail(ngx_chat_link_t *link, ngx_uint_t level,
    ngx_err_t err, char *text);

/* the worker's HELLO was good */
void ngx_chat_link_ready(ngx_chat_link_t *link);

/* the worker's HELLO was a refusal */
void ngx_chat_link_refused(ngx_chat_link_t *link, ngx_str_t *text);


/* ngx_chat_link_io.c: its bytes */

void ngx_chat_link_read_handler(ngx_event_t *rev);
void ngx_chat_link_write_handler(ngx_event_t *wev);
void ngx_chat_link_flush_handler(ngx_event_t *ev);
void ngx_chat_link_flush(ngx_chat_link_t *link);

/* a frame at the end of `out`, whose payload is to be filled in; NULL: no
 * memory */
u_char *ngx_chat_link_frame(ngx_chat_link_t *link, ngx_uint_t type,
    ngx_uint_t flags, uint64_t id, size_t len);

/* the same for a frame that no request stands for: a failure ends the link */
u_char *ngx_chat_link_control(ngx_chat_link_t *link, ngx_uint_t type,
    ngx_uint_t flags, uint64_t id, size_t len);


/* ngx_chat_pending.c: the table of requests */

/* a new number for a request, with room for it in the table; 0: no memory */
uint64_t ngx_chat_pending_number(void);
ngx_chat_pending_t *ngx_chat_pending_add(uint64_t number);
ngx_chat_pending_t *ngx_chat_pending_find(uint64_t number);
void ngx_chat_pending_delete(ngx_chat_pending_t *p);


/* ngx_chat_log.c: the segments of a link */

typedef void (*ngx_chat_log_handler_pt)(ngx_chat_link_t *link,
    ngx_chat_pending_t *p, struct chat_wire_header *h, u_char *payload);

void ngx_chat_log_init(ngx_chat_log_t *log);

/* moves the segments to an empty log, or to the end of one; what is
 * unanswered stays counted where it was */
void ngx_chat_log_take(ngx_chat_log_t *to, ngx_chat_log_t *from);
u_char *ngx_chat_log_append(ngx_chat_link_t *link, size_t len);
ngx_uint_t ngx_chat_log_iovec(ngx_chat_log_t *log, struct iovec *iov,
    ngx_uint_t n);
void ngx_chat_log_sent(ngx_chat_link_t *link, size_t size);

/* the frame at p, appended last, is this request */
void ngx_chat_log_add(ngx_chat_link_t *link, uint64_t number, u_char *frame,
    ngx_chat_call_t *call);
void ngx_chat_log_forget(ngx_chat_pending_t *p);

/* the link is down: what was no request is dropped, what was sent counts as
 * replayed; nothing is allocated, and nobody is called */
void ngx_chat_log_rewind(ngx_chat_link_t *link);

/* drops the frames of requests forgotten since; nothing may have been sent */
void ngx_chat_log_prune(ngx_chat_link_t *link);

/* calls handler for each pending request; it may forget it or move it to
 * another log */
void ngx_chat_log_scan(ngx_chat_link_t *link, ngx_queue_t *segments,
    ngx_chat_log_handler_pt handler);

/* moves a request from a scanned queue to the end of the log of link */
ngx_int_t ngx_chat_log_move(ngx_chat_pending_t *p, ngx_chat_link_t *link);

void ngx_chat_log_free(ngx_queue_t *segments);


/* ngx_chat_handle.c: names of clients */

#define NGX_CHAT_HANDLE  0x8000000000000000ull

ngx_int_t ngx_chat_handle_create(ngx_chat_bridge_peer_t *peer);
void ngx_chat_handle_give(ngx_chat_bridge_peer_t *peer,
    ngx_chat_bridge_peer_t *heir);
void ngx_chat_handle_free(ngx_chat_bridge_peer_t *peer);
ngx_chat_bridge_peer_t *ngx_chat_bridge_find(uint64_t handle);


/* ngx_chat_links.c: all links; called for one */

void ngx_chat_bridge_link_up(ngx_chat_link_t *link);
void ngx_chat_bridge_link_down(ngx_chat_link_t *link);
void ngx_chat_bridge_link_lost(ngx_chat_link_t *link);
void ngx_chat_bridge_link_wait(ngx_chat_link_t *link);
void ngx_chat_bridge_link_resume(ngx_chat_link_t *link);
void ngx_chat_bridge_hello(ngx_chat_link_t *link, struct chat_wire_hello *h);

/* a HELLO said how many workers there are */
ngx_int_t ngx_chat_bridge_resize(ngx_chat_link_t *link, ngx_uint_t n);

/* the link to the home worker; NULL: chat_workers is not set */
ngx_chat_link_t *ngx_chat_bridge_home(ngx_str_t *user);

/* the link to worker 0, which has all that is about accounts */
ngx_chat_link_t *ngx_chat_bridge_first(void);

/* 1: worker 0 is there */
ngx_uint_t ngx_chat_bridge_connected(void);

/* requests of this link were answered: clients may be read from again */
void ngx_chat_bridge_check(ngx_chat_link_t *link);


/* ngx_chat_bridge.c: clients and calls */

void ngx_chat_bridge_send_open(ngx_chat_link_t *link,
    ngx_chat_bridge_peer_t *peer);
void ngx_chat_bridge_send_closed(ngx_chat_bridge_peer_t *peer);
void ngx_chat_bridge_user(ngx_chat_bridge_peer_t *peer, ngx_str_t *user);
ngx_uint_t ngx_chat_bridge_settle(ngx_chat_bridge_peer_t *peer);
ngx_chat_bridge_peer_t *ngx_chat_bridge_requester(ngx_chat_pending_t *p);


/* the same, called for a frame from the worker */

#define ngx_chat_bridge_live(peer, l)                                         \
    ((peer)->link == (l)                                                      \
     && (peer)->state == ngx_chat_bridge_opened                               \
     && !(peer)->ghost)

void ngx_chat_bridge_ready(ngx_chat_bridge_peer_t *peer, uint64_t inbox_id,
    ngx_str_t *device, ngx_str_t *text);
void ngx_chat_bridge_refuse(ngx_chat_bridge_peer_t *peer, ngx_uint_t status,
    ngx_uint_t retry_after, ngx_str_t *reason, ngx_str_t *detail);
void ngx_chat_bridge_end(ngx_chat_bridge_peer_t *peer, ngx_uint_t code,
    ngx_str_t *reason);
void ngx_chat_bridge_reply(ngx_chat_pending_t *p, uint64_t inbox_id,
    ngx_chat_answer_t *answer);
void ngx_chat_bridge_verified(ngx_chat_link_t *link, uint64_t number,
    uint64_t handle, ngx_uint_t status, ngx_chat_identity_t *id);


/* ngx_chat_encode.c: parts of payloads */

#define NGX_CHAT_LIMITS_LEN  16

size_t ngx_chat_encode_identity_len(ngx_chat_identity_t *id);
void ngx_chat_encode_identity(struct chat_wire_writer *w,
    ngx_chat_identity_t *id);
void ngx_chat_encode_limits(struct chat_wire_writer *w,
    ngx_chat_loc_conf_t *chcf);
size_t ngx_chat_encode_resource_len(ngx_chat_resource_t *q);
void ngx_chat_encode_resource(struct chat_wire_writer *w,
    ngx_chat_resource_t *q);
size_t ngx_chat_encode_account_len(ngx_chat_call_t *call);
void ngx_chat_encode_account(struct chat_wire_writer *w,
    ngx_chat_call_t *call);
void ngx_chat_encode_chain(struct chat_wire_writer *w, ngx_chain_t *in);


/* ngx_chat_frames.c: frames from a worker; NGX_ERROR ends the link */

ngx_int_t ngx_chat_frame_process(ngx_chat_link_t *link,
    struct chat_wire_header *h, u_char *payload, size_t len);


#endif /* _NGX_CHAT_LINK_H_INCLUDED_ */
