
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_CLIENT_H_INCLUDED_
#define _NGX_CHAT_CLIENT_H_INCLUDED_


/*
 * The inside of a client, for the files that make one: handshake, upgrade,
 * client, stream, output, echo.  The bridge sees ngx_chat_module.h only.
 *
 *   waiting     attached to its request, until the worker's READY
 *   upgrading   the 101 is on its way, the request still lives
 *   open        messages flow
 *   closing     our Close is queued; the client's own is waited for
 *   finished    both were sent, or nothing of the client is understood any
 *               more: when the queue is written, half-close, and wait for EOF
 *
 * Only the handlers of its own events free a client: whatever the bridge
 * calls queues, and posts the write event.
 *
 * A plain connection that has left its request gives back its pool, with the
 * log, the address and the buffers in it: c->pool is NULL then.  It shares
 * the log of its location, which knows whom it is written for by
 * ngx_chat_client_log().
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_module.h>
#include <ngx_chat_websocket.h>
#include <ngx_chat_extension.h>


#define NGX_CHAT_READ_SIZE     65536
#define NGX_CHAT_RECORD_SIZE   16384       /* the largest TLS record */
#define NGX_CHAT_CLOSE_TIME    2000        /* ms for the client's Close */
#define NGX_CHAT_WAIT_TIME     10000       /* ms for the worker's READY */
#define NGX_CHAT_UNANSWERED    16          /* requests of one client */
#define NGX_CHAT_RESERVE       32          /* free connections kept back */


typedef enum {
    ngx_chat_client_waiting = 0,
    ngx_chat_client_upgrading,
    ngx_chat_client_open,
    ngx_chat_client_closing,
    ngx_chat_client_finished
} ngx_chat_client_state_e;


/* what its messages are for the other side */

typedef enum {
    ngx_chat_kind_websocket = 0,
    ngx_chat_kind_events,                    /* server-sent events */
    ngx_chat_kind_poll                       /* one answer, when there is
                                                something to tell */
} ngx_chat_kind_e;


typedef struct ngx_chat_buf_s       ngx_chat_buf_t;
typedef struct ngx_chat_poll_s      ngx_chat_poll_t;
typedef struct ngx_chat_attached_s  ngx_chat_attached_t;

/*
 * Bytes of a client: a piece of its message while that is incomplete, or
 * something to be written to it, with the tail that follows the bytes.
 */

struct ngx_chat_buf_s {
    ngx_chat_buf_t            *next;
    ngx_chat_shared_t         *tail;         /* NULL: none */
    uint64_t                   inbox_id;     /* of a held reply */
    uint32_t                   size;         /* of data */
    uint32_t                   len;          /* of it used */
    u_char                     data[1];
};


/* an identity in one piece of memory: user, device, jti and the text of the
 * client's address one by one */

typedef struct {
    time_t                     issued_at;
    time_t                     expires_at;
    u_char                     user_len;
    u_char                     device_len;
    u_char                     jti_len;
    u_char                     address_len;
    u_char                     data[1];
} ngx_chat_owner_t;


struct ngx_chat_client_s {
    ngx_chat_bridge_peer_t     peer;
    ngx_connection_t          *connection;
    ngx_http_request_t        *request;      /* waiting and upgrading, and
                                                as long as it is attached */
    ngx_chat_attached_t       *attached;     /* HTTP/2 */
    ngx_chat_poll_t           *poll;
    ngx_chat_loc_conf_t       *conf;
    ngx_chat_owner_t          *owner;        /* NULL: echo */

    ngx_chat_buf_t            *in;           /* a message so far */
    ngx_chat_buf_t            *in_last;
    ngx_chat_buf_t            *rest;         /* bytes not parsed yet */

    ngx_chat_buf_t            *out;
    ngx_chat_buf_t            *out_last;
    ngx_chat_buf_t            *held;         /* replies, ascending */
    size_t                     queued;       /* bytes of out and held */
    size_t                     sent;         /* of the first of out */

    ngx_msec_t                 heard;        /* when bytes came last */
    ngx_chat_ws_t              ws;

    uint16_t                   code;         /* of the Close */
    unsigned                   state:3;      /* ngx_chat_client_state_e */
    unsigned                   stopped:1;    /* the bridge said NGX_AGAIN */
    unsigned                   full:1;       /* reading waits for the queue */
    unsigned                   crowded:1;    /* reading waits for answers */
    unsigned                   pinged:1;
    unsigned                   credit:1;     /* due when the queue is empty */
    unsigned                   paging:1;     /* events dropped, PAGE to come */
    unsigned                   draining:1;
    unsigned                   told:1;       /* session.closing is queued */
    unsigned                   shut:1;       /* half-closed by us */
    unsigned                   unparsed:1;   /* rest waits for no bytes */
    unsigned                   counted:1;    /* in the gauge */
    unsigned                   kind:2;       /* ngx_chat_kind_e */
    unsigned                   chunked:1;    /* events, poll: HTTP/1.1 */
    unsigned                   window:4;     /* bits of what we compress; 0:
                                                not agreed on */
};


/* the connection is still its request's */
#define ngx_chat_client_early(cl)                                             \
    ((cl)->request && (cl)->attached == NULL)


#define ngx_chat_client_live(cl)                                              \
    ((cl)->state <= ngx_chat_client_open)

#define ngx_chat_client_paused(cl)                                            \
    ((cl)->stopped || (cl)->full || (cl)->crowded)


/* of a request to chat_rpc or chat_api */

typedef struct {
    ngx_chat_call_t            call;
    ngx_chat_identity_t        identity;
    ngx_chat_resource_t        resource;
    ngx_chat_body_t            body;
    void                      *pages;        /* of ngx_chat_pages.c */
} ngx_chat_http_t;

#define ngx_chat_http_of(c)                                                   \
    ((ngx_chat_http_t *) ((u_char *) (c) - offsetof(ngx_chat_http_t, call)))


/* of a request: r->ctx */

typedef struct {
    ngx_str_t                  args;         /* as sent; empty: no token */
    ngx_str_t                  accept;       /* Sec-WebSocket-Accept */
    ngx_uint_t                 protocol;     /* unsigned  chat.v1 offered */
    ngx_chat_extension_t       deflate;      /* window 0: not agreed on */
    ngx_chat_client_t         *client;
    ngx_http_cleanup_t        *cleanup;
    ngx_chat_http_t           *http;         /* JSON-RPC and resources */
} ngx_chat_ctx_t;


/* ngx_chat_client.c */

/* NULL: no memory; identity NULL: echo */
ngx_chat_client_t *ngx_chat_client_create(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf, ngx_chat_identity_t *id);
void ngx_chat_client_free(ngx_chat_client_t *cl);

ngx_int_t ngx_chat_client_set_device(ngx_chat_client_t *cl,
    ngx_str_t *device);
ngx_int_t ngx_chat_client_set_token(ngx_chat_client_t *cl,
    ngx_chat_identity_t *id);

/* the connection is the client's now; rest came with the handshake */
void ngx_chat_client_start(ngx_chat_client_t *cl, ngx_chat_buf_t *rest);

/* the same of a client whose request stays */
void ngx_chat_client_begin(ngx_chat_client_t *cl);

/* writes what is queued; may free the client */
void ngx_chat_client_write(ngx_chat_client_t *cl);

/* begins the close handshake; a static or copied reason.  Frees nothing */
void ngx_chat_client_close(ngx_chat_client_t *cl, ngx_uint_t code,
    const u_char *reason, size_t len);

/* the client's Close came first */
void ngx_chat_client_answer_close(ngx_chat_client_t *cl, ngx_uint_t code);

/* the same, counted as something else than the code says */
void ngx_chat_client_leave(ngx_chat_client_t *cl, ngx_uint_t code,
    const u_char *reason, size_t len, ngx_chat_stat_e stat);

/* frees the client and closes its connection */
void ngx_chat_client_finalize(ngx_chat_client_t *cl);

/* the client has half-closed without a Close: only the queue is left */
void ngx_chat_client_abandon(ngx_chat_client_t *cl);

/* nothing of the client is understood any more */
void ngx_chat_client_finish(ngx_chat_client_t *cl);

/* what is queued is written at the end of the loop turn */
void ngx_chat_client_post_write(ngx_chat_client_t *cl);

/* reading goes on if nothing holds it back any more */
void ngx_chat_client_post_read(ngx_chat_client_t *cl);


/* ngx_chat_shed.c: connections without a pool */

/* gives the connection's pool back, when nobody else needs it */
void ngx_chat_client_shed(ngx_chat_client_t *cl);

/* the log of its connection; before anything is logged for it */
ngx_log_t *ngx_chat_client_log(ngx_chat_client_t *cl);

/* the memory of a cleared client, as the pool that its connection is closed
 * with */
ngx_pool_t *ngx_chat_client_pool(ngx_chat_client_t *cl);


/* ngx_chat_timer.c: heartbeat, end of the token, drain */

/* the timer has run out; may free the client */
void ngx_chat_timer(ngx_chat_client_t *cl);

/* sets the timer to what comes first, heartbeat or end of the token */
void ngx_chat_timer_arm(ngx_chat_client_t *cl);

/* for a client that leaves: an exiting process waits for it */
void ngx_chat_timer_deadline(ngx_chat_client_t *cl, ngx_msec_t ms);

/* the process is exiting: the client is to leave in its turn */
void ngx_chat_timer_drain(ngx_chat_client_t *cl);

/* session.closing, then 1012 when the open requests are answered */
void ngx_chat_timer_drain_step(ngx_chat_client_t *cl);


/* ngx_chat_input.c: reading */

ngx_int_t ngx_chat_input_init_process(ngx_cycle_t *cycle);

/* NGX_OK, or the connection has ended */
ngx_int_t ngx_chat_input_read(ngx_chat_client_t *cl);


/* ngx_chat_stream.c: what the worker says, and in which order it goes out */

/* a notification in the form of this client; NULL: no memory */
ngx_chat_buf_t *ngx_chat_stream_message(ngx_chat_client_t *cl,
    uint64_t inbox_id, ngx_str_t *text);

/* the queue is empty: tells the worker when it waits for that */
void ngx_chat_stream_drained(ngx_chat_client_t *cl);
void ngx_chat_stream_request(ngx_chat_client_t *cl, ngx_chain_t *in,
    size_t len);
void ngx_chat_stream_clear(ngx_chat_client_t *cl);


/* ngx_chat_output.c: the send queue */

ngx_int_t ngx_chat_output_init_process(ngx_cycle_t *cycle);

ngx_chat_buf_t *ngx_chat_buf_create(size_t size);
void ngx_chat_buf_free(ngx_chat_buf_t *b);
void ngx_chat_buf_free_list(ngx_chat_buf_t *b);

/* a whole frame; NULL: no memory */
ngx_chat_buf_t *ngx_chat_output_message(ngx_uint_t opcode, ngx_str_t *text);

/* the same of a text, compressed where that was agreed on and is worth it */
ngx_chat_buf_t *ngx_chat_output_text(ngx_chat_client_t *cl, ngx_str_t *text);

/* likewise of head, inbox id and a reference to the tail */
ngx_chat_buf_t *ngx_chat_output_event(ngx_chat_client_t *cl, ngx_str_t *head,
    uint64_t inbox_id, ngx_chat_shared_t *tail);

#define ngx_chat_output_size(b)                                               \
    ((b)->len + ((b)->tail ? (b)->tail->len : 0))

/* puts it at the end of the queue, which owns it from now on */
void ngx_chat_output_queue(ngx_chat_client_t *cl, ngx_chat_buf_t *b);
ngx_int_t ngx_chat_output_control(ngx_chat_client_t *cl, ngx_uint_t opcode,
    u_char *data, size_t len);

/* writes until the queue is empty (NGX_OK) or the socket full (NGX_AGAIN);
 * NGX_DONE: something was written, and the socket is full */
ngx_int_t ngx_chat_output_flush(ngx_chat_client_t *cl);

/* forgets what was queued, save an entry that is half written */
void ngx_chat_output_drop(ngx_chat_client_t *cl);
void ngx_chat_output_clear(ngx_chat_client_t *cl);

void ngx_chat_output_account(ngx_chat_client_t *cl, ssize_t n);


/* ngx_chat_compress.c: frames of permessage-deflate; NULL: the message is to
 * go as it is */

ngx_chat_buf_t *ngx_chat_compress_text(ngx_chat_client_t *cl,
    ngx_str_t *text);

/* len bytes in a list, which stays the caller's */
ngx_chat_buf_t *ngx_chat_compress_list(ngx_chat_client_t *cl,
    ngx_uint_t opcode, ngx_chat_buf_t *in, size_t len);

ngx_chat_buf_t *ngx_chat_compress_event(ngx_chat_client_t *cl,
    ngx_str_t *head, ngx_str_t *number, ngx_chat_shared_t *tail);


/* ngx_chat_events.c: messages as server-sent events, in chunks */

/* text is a notification; inbox_id 0: live only.  NULL: no memory */
ngx_chat_buf_t *ngx_chat_events_message(ngx_chat_client_t *cl,
    uint64_t inbox_id, ngx_str_t *text);
ngx_chat_buf_t *ngx_chat_events_event(ngx_chat_client_t *cl, ngx_str_t *head,
    uint64_t inbox_id, ngx_chat_shared_t *tail);

/* bytes of the body as they are, also of a poll's */
ngx_chat_buf_t *ngx_chat_events_bytes(ngx_chat_client_t *cl, u_char *data,
    size_t len);

/* the end of the body; the connection is to be closed then */
void ngx_chat_events_end(ngx_chat_client_t *cl);


/* ngx_chat_poll.c: a request that waits for an event */

/* the same request is made again when there is one; text is the answer
 * without one */
ngx_chat_poll_t *ngx_chat_poll_create(ngx_chat_client_t *cl,
    ngx_chat_resource_t *q, ngx_chat_answer_t *answer);
void ngx_chat_poll_free(ngx_chat_poll_t *poll);

void ngx_chat_poll_wake(ngx_chat_client_t *cl);

/* ms until it is answered in any case */
ngx_msec_t ngx_chat_poll_left(ngx_chat_client_t *cl);

/* queues the answer, if it is not yet */
void ngx_chat_poll_answer(ngx_chat_client_t *cl);


/* ngx_chat_pages.c: an answer that comes in pages, to a request that stays */

/* the first page; NGX_AGAIN: the others follow, or a result for
 * ngx_http_finalize_request() */
ngx_int_t ngx_chat_pages(ngx_http_request_t *r, ngx_chat_http_t *http,
    ngx_chat_answer_t *answer);


/* ngx_chat_attached.c: clients of HTTP/2, whose request stays */

ngx_int_t ngx_chat_attached_start(ngx_chat_client_t *cl);
ngx_int_t ngx_chat_attached_flush(ngx_chat_client_t *cl);
void ngx_chat_attached_finalize(ngx_chat_client_t *cl);
void ngx_chat_attached_free(ngx_chat_client_t *cl);


/* ngx_chat_echo.c */

void ngx_chat_echo_message(ngx_chat_client_t *cl, ngx_chat_buf_t *in,
    size_t len, ngx_uint_t binary);


/* ngx_chat_handshake.c */

/* problem+json, counted; its result is the handler's */
ngx_int_t ngx_chat_handshake_answer(ngx_http_request_t *r, ngx_uint_t status,
    char *reason, char *detail);


/* ngx_chat_open.c: the client of a request, until its worker is ready */

/* makes ctx->client; identity NULL: echo.  NGX_OK or an HTTP status */
ngx_int_t ngx_chat_open_client(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf, ngx_chat_identity_t *id);
ngx_int_t ngx_chat_open(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf);

/* the session of ctx->client is opened, its request waits; the caller sees
 * to its count.  NGX_ERROR: no memory */
ngx_int_t ngx_chat_open_wait(ngx_http_request_t *r);

/* the worker's answer to a waiting client, which refuse frees */
void ngx_chat_open_ready(ngx_chat_client_t *cl);
void ngx_chat_open_refuse(ngx_chat_client_t *cl, ngx_uint_t status,
    ngx_uint_t retry_after, ngx_str_t *reason, ngx_str_t *detail);


/* ngx_chat_token.c */

/* the context of a request, also after an internal redirect; NULL: no
 * memory */
ngx_chat_ctx_t *ngx_chat_ctx(ngx_http_request_t *r);

/* WWW-Authenticate; given: there was a token */
ngx_int_t ngx_chat_token_challenge(ngx_http_request_t *r, ngx_uint_t given);

/* takes the next item off a comma-separated list; NGX_DONE: none left */
ngx_int_t ngx_chat_list_next(ngx_str_t *list, ngx_str_t *item);


/* ngx_chat_upgrade.c: the 101, and leaving the request */

/* NGX_OK: the client is upgrading; NGX_ERROR: the caller ends the request,
 * whose clean-up frees the client */
ngx_int_t ngx_chat_upgrade(ngx_http_request_t *r, ngx_chat_client_t *cl);


#endif /* _NGX_CHAT_CLIENT_H_INCLUDED_ */
