
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_MODULE_H_INCLUDED_
#define _NGX_CHAT_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_jwk.h>


typedef struct ngx_chat_client_s  ngx_chat_client_t;
typedef struct ngx_chat_call_s    ngx_chat_call_t;


/* who a connection or an HTTP request acts for, from its token */

typedef struct {
    ngx_str_t                  user;
    ngx_str_t                  device;       /* empty: none given */
    ngx_str_t                  jti;
    time_t                     issued_at;    /* 0: no iat, no dev */
    time_t                     expires_at;
} ngx_chat_identity_t;


typedef struct {
    ngx_flag_t                 used;         /* chat_workers is set */
    ngx_uint_t                 workers;      /* 0: auto */
    ngx_uint_t                 external;     /* chat_workers unix:DIR */
    ngx_str_t                  socket_dir;   /* DIR */
    ngx_str_t                  run_dir;      /* chat_run_dir, or DIR */
    ngx_str_t                  store;        /* leveldb:PATH */
    off_t                      store_cache;  /* bytes */
    ngx_str_t                  program;      /* chat_program */
    ngx_str_t                  redis;        /* chat_redis, as in settings */
    ngx_msec_t                 drain_time;
    ngx_msec_t                 presence_timeout;
    ngx_uint_t                 generation;   /* of the settings, init_module */
    uint32_t                   settings_hash;
    ngx_uint_t                 located;      /* unsigned  a location has one
                                                of the content handlers */
    ngx_shm_zone_t            *shm_zone;
} ngx_chat_main_conf_t;


/* sources of a token, chat_token */

#define NGX_CHAT_TOKEN_HEADER       0x0002
#define NGX_CHAT_TOKEN_ARGUMENT     0x0004
#define NGX_CHAT_TOKEN_SUBPROTOCOL  0x0008


typedef struct {
    ngx_array_t               *origins;      /* of ngx_str_t; NULL: any */
    ngx_chat_jwk_t            *jwt_keys;     /* chat_jwt_key, chat_jwks */
    ngx_str_t                  jwt_key;      /* bytes of the first HS256 key:
                                                what nginx itself signs with;
                                                empty: none */
    ngx_uint_t                 token;        /* NGX_CHAT_TOKEN_*, bits */
    ngx_msec_t                 heartbeat;
    size_t                     message_max;
    ngx_uint_t                 deflate;      /* level; 0: off */
    size_t                     deflate_min;  /* shorter ones go as they are */
    ngx_uint_t                 rate;         /* requests a second * 1000 */
    ngx_uint_t                 burst;
    size_t                     send_queue;
    ngx_msec_t                 send_timeout;
    ngx_uint_t                 unknown_users;  /* 1: refuse */
    ngx_uint_t                 accounts;     /* 1: on */
    ngx_str_t                  reserved;     /* prefix of ids; empty: none */
    time_t                     token_lifetime;
    ngx_str_t                  handler;      /* the directive of the content
                                                handler, not inherited */
    ngx_http_handler_pt        content;      /* that handler */
    ngx_log_t                  log;          /* of the connections that have
                                                no pool of their own */
} ngx_chat_loc_conf_t;


/*
 * Bytes of one event shared by all its recipients; made by the bridge with
 * one reference, which it gives back after handing them out.
 */

typedef struct ngx_chat_shared_s  ngx_chat_shared_t;

struct ngx_chat_shared_s {
    ngx_chat_shared_t         *events;       /* the same for an event stream,
                                                once one needs it */
    ngx_chat_shared_t         *deflated;     /* compressed, likewise */
    ngx_uint_t                 refs;
    size_t                     len;
    ngx_uint_t                 plain;        /* unsigned  was tried: it stays
                                                as it is, or is deflated */
    u_char                     data[1];
};

/* ngx_chat_output.c: gives one reference back */
void ngx_chat_shared_free(ngx_chat_shared_t *shared);


/* ngx_chat_client.c: the connection after the 101; called by the bridge */

/* the worker has accepted; text is session.ready or session.resumed */
void ngx_chat_client_ready(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *device, ngx_str_t *text);

/* refused, or no worker within 2 s: an HTTP answer, or a close when the
 * connection had been open already; frees the client.  Calls
 * ngx_chat_bridge_close() unless peer.state is ngx_chat_bridge_unopened */
void ngx_chat_client_refuse(ngx_chat_client_t *cl, ngx_uint_t status,
    ngx_uint_t retry_after, ngx_str_t *reason, ngx_str_t *detail);

/* exactly one for each ngx_chat_bridge_request(); text may be empty */
void ngx_chat_client_reply(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *text);

/* head and tail as in a PUSH; inbox_id 0: live only */
void ngx_chat_client_push(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *head, ngx_chat_shared_t *tail);

/* one entry of a PAGE; then, after the last one, page_end */
void ngx_chat_client_page(ngx_chat_client_t *cl, uint64_t inbox_id,
    ngx_str_t *text);
void ngx_chat_client_page_end(ngx_chat_client_t *cl);

/* close with a WebSocket code */
void ngx_chat_client_end(ngx_chat_client_t *cl, ngx_uint_t code,
    ngx_str_t *reason);

/* verifies a token against the location of this client */
ngx_int_t ngx_chat_client_verify(ngx_chat_client_t *cl, ngx_str_t *token,
    ngx_chat_identity_t *id, ngx_pool_t *pool);

/* it goes on under such a token, whose jti and times these are */
void ngx_chat_client_renewed(ngx_chat_client_t *cl, ngx_chat_identity_t *id);

/* reading of clients may go on, after ngx_chat_bridge_request() had
 * answered NGX_AGAIN */
void ngx_chat_client_resume_reading(ngx_chat_client_t *cl);

/* what the bridge tells the worker at (re)open; the identity and the address
 * are good until the next call.  With `after` its value is peer.inbox_id */
ngx_chat_identity_t *ngx_chat_client_identity(ngx_chat_client_t *cl);
ngx_chat_loc_conf_t *ngx_chat_client_conf(ngx_chat_client_t *cl);
ngx_str_t *ngx_chat_client_address(ngx_chat_client_t *cl);


/* ngx_chat_bridge.c: this nginx worker's links to the chatd workers */

typedef enum {
    ngx_chat_bridge_unopened = 0,
    ngx_chat_bridge_opening,      /* OPEN sent or waiting for a link */
    ngx_chat_bridge_opened,       /* READY came */
} ngx_chat_bridge_state_e;


/* the bridge's part of a client; embedded in it as its first member */

typedef struct {
    uint64_t                   handle;
    uint64_t                   inbox_id;     /* last one queued, kept by
                                                the client */
    ngx_queue_t                queue;        /* link's list of its clients */
    void                      *link;
    uint32_t                   pending;      /* requests not answered; while
                                                opening: the time limit, ms */
    unsigned                   state:2;      /* ngx_chat_bridge_state_e */
    unsigned                   after:1;      /* `after` was given */
    unsigned                   paused:1;     /* waits for resume_reading */
    unsigned                   sent:1;       /* OPEN went to this link */
    unsigned                   ended:1;      /* not to be opened again */
    unsigned                   ghost:1;      /* client gone, requests left */
    unsigned                   large:8;      /* replies to tell of */
} ngx_chat_bridge_peer_t;


ngx_int_t ngx_chat_bridge_init_process(ngx_cycle_t *cycle);
void ngx_chat_bridge_exit_process(ngx_cycle_t *cycle);

/* sends OPEN now or when the link is up; answered by client_ready or
 * client_refuse, never before return.  NGX_ERROR: no memory */
ngx_int_t ngx_chat_bridge_open(ngx_chat_client_t *cl);

/* one WebSocket message in pieces; NGX_OK; NGX_AGAIN: taken, but stop reading
 * until ngx_chat_client_resume_reading(); NGX_ERROR: no memory, close 1013 */
ngx_int_t ngx_chat_bridge_request(ngx_chat_client_t *cl, ngx_chain_t *in,
    size_t len);

/* 1: too much is unanswered, read nothing more from this client until
 * ngx_chat_client_resume_reading(); to be asked before each read */
ngx_uint_t ngx_chat_bridge_full(ngx_chat_client_t *cl);

/* the queue is empty and the last inbox id queued is peer.inbox_id */
void ngx_chat_bridge_credit(ngx_chat_client_t *cl);

/* the queue is empty: large replies have been written */
void ngx_chat_bridge_drained(ngx_chat_client_t *cl);

/* the client is being freed: CLOSED, and no call comes any more */
void ngx_chat_bridge_close(ngx_chat_client_t *cl);

/* the answer to a call; strings are good until its handler returns */

typedef struct {
    ngx_uint_t                 status;
    ngx_uint_t                 retry_after;  /* s; with wait: its time */
    ngx_str_t                  allow;
    ngx_str_t                  reason;
    ngx_str_t                  text;         /* the body, or of a refusal the
                                                detail */
    uint64_t                   after;        /* with events and wait */
    ngx_chat_identity_t        token;        /* with signs */
    unsigned                   signs:1;      /* to be answered with a token */
    unsigned                   refused:1;    /* not an answer of the worker */
    unsigned                   events:1;     /* to be served as events */
    unsigned                   wait:1;       /* to be asked again later */
    unsigned                   has_after:1;
    unsigned                   tagged:1;     /* has an ETag */
    unsigned                   large:1;      /* the worker counts on being
                                                told when it is written */
    unsigned                   paged:1;      /* a page; allow: the cursor of
                                                the next, or empty */
} ngx_chat_answer_t;


/* a request for an HTTP resource */

typedef struct {
    ngx_str_t                  method;
    ngx_str_t                  path;         /* below the location's */
    ngx_str_t                  args;
    ngx_str_t                  last_event_id;
    unsigned                   paged:1;      /* another page */
} ngx_chat_resource_t;


/* one HTTP call; answered by the handler, never before return; NGX_ERROR: no
 * memory; NGX_DECLINED: too much is unanswered, 503 */
typedef void (*ngx_chat_call_handler_pt)(ngx_chat_call_t *call,
    ngx_chat_answer_t *answer);

struct ngx_chat_call_s {
    uint64_t                   request;      /* the bridge's; 0: answered */
    void                      *data;         /* the caller's */
    ngx_chat_call_handler_pt   handler;
    ngx_chat_identity_t       *identity;
    ngx_chat_loc_conf_t       *conf;
    ngx_chat_resource_t       *resource;     /* NULL: JSON-RPC */
    ngx_str_t                 *address;      /* NULL: not about an account */
};

ngx_int_t ngx_chat_bridge_call(ngx_chat_call_t *call, ngx_chain_t *body,
    size_t len);
void ngx_chat_bridge_cancel(ngx_chat_call_t *call);


/* ngx_chat_pool.c: settings in the run directory; starting of the pool */

ngx_int_t ngx_chat_pool_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_chat_pool_init_process(ngx_cycle_t *cycle);


/* ngx_chat_http.c: JSON-RPC and resources */

ngx_int_t ngx_chat_rpc_handler(ngx_http_request_t *r);
ngx_int_t ngx_chat_api_handler(ngx_http_request_t *r);


/* ngx_chat_answer.c: what a worker answered, as a response */

/* a content handler's result; strings of answer are copied */
ngx_int_t ngx_chat_http_answer(ngx_http_request_t *r,
    ngx_chat_answer_t *answer);


/* ngx_chat_body.c: the body of a request, in memory */

typedef struct ngx_chat_body_s  ngx_chat_body_t;

/* status 0: all is there; else an HTTP status, 413: longer than max.  It
 * finalizes the request, or has it wait */
typedef void (*ngx_chat_body_handler_pt)(ngx_http_request_t *r,
    ngx_uint_t status);

struct ngx_chat_body_s {
    ngx_chain_t               *bufs;
    ngx_chain_t               *last;
    size_t                     len;
    size_t                     max;
    ngx_chat_body_handler_pt   handler;
    unsigned                   secret:1;     /* not to be left in memory */
};

/* a content handler's result.  The body of ngx_chat_ctx() is filled */
ngx_int_t ngx_chat_body_read(ngx_http_request_t *r, ngx_chat_body_t *body);


void ngx_chat_body_forget(ngx_chat_body_t *body);


/* ngx_chat_account.c: signing up, logging in and out */

/* 1 when the path below the location's is one of theirs; *open: it needs no
 * token */
ngx_uint_t ngx_chat_account_path(ngx_str_t *path, ngx_uint_t *open);

/* the answer whose body is a new token */
ngx_int_t ngx_chat_account_answer(ngx_http_request_t *r,
    ngx_chat_answer_t *answer);


/* ngx_chat_cors.c: requests of pages from elsewhere, Fetch 3.2 */

/* the first header of this name, or NULL */
ngx_str_t *ngx_chat_header_in(ngx_http_request_t *r, char *name);

/* 1: pages of this origin may */
ngx_uint_t ngx_chat_origin_allowed(ngx_chat_loc_conf_t *chcf,
    ngx_str_t *origin);

/* NGX_DECLINED: nothing to refuse, headers are set; else the result of an
 * answer that was sent */
ngx_int_t ngx_chat_cors(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf);

/* the answer to OPTIONS, a preflight or not */
ngx_int_t ngx_chat_cors_options(ngx_http_request_t *r, char *methods);


/* ngx_chat_problem.c: answers, problem+json ones too */

extern ngx_str_t  ngx_chat_json_type;
extern ngx_str_t  ngx_chat_problem_type;

/* text lives as long as the request, and is not empty */
ngx_int_t ngx_chat_http_send(ngx_http_request_t *r, ngx_str_t *type,
    ngx_str_t *text);
ngx_int_t ngx_chat_http_header(ngx_http_request_t *r, char *key,
    ngx_str_t *value);

/* RFC 9457; retry_after 0: none */
ngx_int_t ngx_chat_problem(ngx_http_request_t *r, ngx_uint_t status,
    ngx_uint_t retry_after, ngx_str_t *reason, ngx_str_t *detail);
ngx_int_t ngx_chat_problem_retry_after(ngx_http_request_t *r,
    ngx_uint_t retry_after);


/* ngx_chat_handshake.c: checks, waiting for the worker, 101 */

ngx_int_t ngx_chat_websocket_handler(ngx_http_request_t *r);
ngx_int_t ngx_chat_echo_handler(ngx_http_request_t *r);


/* ngx_chat_token.c: where tokens come from, and that no log shows them */

ngx_int_t ngx_chat_token_hide_handler(ngx_http_request_t *r);
ngx_int_t ngx_chat_token_keep_handler(ngx_http_request_t *r);
ngx_int_t ngx_chat_token_log_handler(ngx_http_request_t *r);

/* the identity of a request from its token: NGX_OK, or an HTTP status (400,
 * 401, 500) after which the caller answers with *reason; a 401 has got its
 * WWW-Authenticate.  Strings are from r->pool */
ngx_int_t ngx_chat_identify(ngx_http_request_t *r, ngx_chat_identity_t *id,
    ngx_str_t *reason);


/* ngx_chat_status.c: counters in the shared zone, one slot a process */

typedef enum {
    ngx_chat_stat_connections = 0,     /* gauge */
    ngx_chat_stat_accepted,
    ngx_chat_stat_frames_in,
    ngx_chat_stat_frames_out,
    ngx_chat_stat_bytes_in,
    ngx_chat_stat_bytes_out,
    ngx_chat_stat_messages_in,
    ngx_chat_stat_messages_out,
    ngx_chat_stat_behind,
    ngx_chat_stat_queue_bytes,         /* gauge */
    ngx_chat_stat_calls,
    ngx_chat_stat_links_up,            /* gauge */
    ngx_chat_stat_link_failures,
    ngx_chat_stat_replayed,
    ngx_chat_stat_unanswered_bytes,    /* gauge */
    ngx_chat_stat_launches,
    ngx_chat_stat_refused_token,       /* 401 */
    ngx_chat_stat_refused_origin,      /* 403 */
    ngx_chat_stat_refused_handshake,   /* 400, 405, 426, 505 */
    ngx_chat_stat_refused_worker,      /* by the worker */
    ngx_chat_stat_refused_unavailable, /* 503 */
    ngx_chat_stat_closed_normal,       /* by close code */
    ngx_chat_stat_closed_protocol,
    ngx_chat_stat_closed_policy,
    ngx_chat_stat_closed_too_big,
    ngx_chat_stat_closed_timeout,
    ngx_chat_stat_closed_slow,
    ngx_chat_stat_closed_drain,
    ngx_chat_stat_closed_error,
    ngx_chat_stat_n
} ngx_chat_stat_e;

void ngx_chat_stat_add(ngx_chat_stat_e stat, ngx_int_t n);

/* a STATS frame: source 0 is the store, 1 + N is worker N */
void ngx_chat_stat_pool(ngx_uint_t source, uint64_t *values, ngx_uint_t n);

char *ngx_chat_status_zone(ngx_conf_t *cf, ngx_chat_main_conf_t *cmcf);
ngx_int_t ngx_chat_status_init_process(ngx_cycle_t *cycle);
void ngx_chat_status_exit_process(ngx_cycle_t *cycle);
ngx_int_t ngx_chat_status_handler(ngx_http_request_t *r);
ngx_int_t ngx_chat_metrics_handler(ngx_http_request_t *r);


extern ngx_module_t  ngx_chat_module;


#endif /* _NGX_CHAT_MODULE_H_INCLUDED_ */
