
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_JWT_H_INCLUDED_
#define _NGX_CHAT_JWT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_jwk.h"


#define NGX_CHAT_JWT_TOKEN_MAX  8192

/* user and device ids */

#define NGX_CHAT_JWT_ID_MAX     64
#define NGX_CHAT_JWT_JTI_MAX    128

/* later times count as this one, the end of the year 9999 */

#define NGX_CHAT_JWT_TIME_MAX   253402300799


typedef enum {
    ngx_chat_jwt_good = 0,
    ngx_chat_jwt_malformed,        /* not a compact JWS of JSON objects */
    ngx_chat_jwt_algorithm,        /* no key is for alg, or crit is there */
    ngx_chat_jwt_key,              /* no key has this kid */
    ngx_chat_jwt_signature,
    ngx_chat_jwt_claims,           /* sub or exp missing, a claim is bad */
    ngx_chat_jwt_expired,
    ngx_chat_jwt_not_yet_valid,
    ngx_chat_jwt_failed            /* no memory or OpenSSL failed: not the
                                      client's fault, HTTP 500 */
} ngx_chat_jwt_result_e;


/* what a good token says */

typedef struct {
    ngx_str_t        user;         /* sub */
    ngx_str_t        device;       /* dev; empty: none */
    ngx_str_t        jti;          /* empty: none */
    time_t           issued_at;    /* iat; 0: none */
    time_t           expires_at;   /* exp; refused from this second on */
} ngx_chat_jwt_t;


/*
 * Verifies a token (RFC 7515 compact form) with the keys at the time `now` in
 * seconds.  Fills *jwt when ngx_chat_jwt_good is returned; its strings are
 * from the pool.  The token is not changed.
 */

ngx_chat_jwt_result_e ngx_chat_jwt_verify(ngx_str_t *token,
    ngx_chat_jwk_t *keys, time_t now, ngx_pool_t *pool, ngx_chat_jwt_t *jwt);


/* the stable word of a result for clients: token_expired, ...; "internal"
 * for ngx_chat_jwt_failed; empty for ngx_chat_jwt_good */

ngx_str_t *ngx_chat_jwt_reason(ngx_chat_jwt_result_e result);


/* 1 when this is a user or device id: 1 to 64 bytes of A-Z a-z 0-9 _.@+- */

ngx_uint_t ngx_chat_jwt_id_valid(const u_char *p, size_t len);


#endif /* _NGX_CHAT_JWT_H_INCLUDED_ */
