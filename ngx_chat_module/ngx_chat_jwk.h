
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_JWK_H_INCLUDED_
#define _NGX_CHAT_JWK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* bytes of a secret */

#define NGX_CHAT_JWK_SECRET_MIN  32
#define NGX_CHAT_JWK_SECRET_MAX  4096

/* bits of an RSA key */

#define NGX_CHAT_JWK_RSA_MIN     2048
#define NGX_CHAT_JWK_RSA_MAX     4096

/* bytes of a signature: those of the longest RSA key */

#define NGX_CHAT_JWK_SIGNATURE   (NGX_CHAT_JWK_RSA_MAX / 8)

/* keys of one location: a token without a kid may be tried with each */

#define NGX_CHAT_JWK_KEYS_MAX    32


typedef enum {
    ngx_chat_jwk_hs256 = 0,
    ngx_chat_jwk_rs256,
    ngx_chat_jwk_es256,
    ngx_chat_jwk_eddsa,            /* Ed25519 */
    ngx_chat_jwk_alg_n
} ngx_chat_jwk_alg_e;


/*
 * A key that verifies tokens, of exactly one algorithm, which follows from
 * what the key is: a token's own alg can but agree.
 */

typedef struct ngx_chat_jwk_s  ngx_chat_jwk_t;

struct ngx_chat_jwk_s {
    ngx_chat_jwk_t      *next;
    ngx_chat_jwk_alg_e   alg;
    ngx_str_t            kid;      /* data NULL: none */
    ngx_str_t            issuer;   /* a token's iss must be it; empty: any */
    ngx_str_t            audience; /* a token's aud must have it; the same */
    ngx_str_t            secret;   /* HS256 */
    void                *pkey;     /* EVP_PKEY *, all others */
};


/* ngx_chat_jwk_alg_n: not one of ours */

ngx_chat_jwk_alg_e ngx_chat_jwk_alg(const ngx_str_t *name);
const ngx_str_t *ngx_chat_jwk_alg_name(ngx_chat_jwk_alg_e alg);


/*
 * These make a key; NULL, or why they cannot, to stand behind the name of the
 * file or the number of the key.  What OpenSSL holds is freed with the pool.
 *
 * A secret is never a public key of any form: who knows it could sign.
 */

const char *ngx_chat_jwk_secret(ngx_chat_jwk_t *key, ngx_str_t *bytes);
const char *ngx_chat_jwk_pem(ngx_chat_jwk_t *key, ngx_str_t *text,
    ngx_pool_t *pool);

/* from the integers of RFC 7518, big-endian */

const char *ngx_chat_jwk_rsa(ngx_chat_jwk_t *key, ngx_str_t *n, ngx_str_t *e,
    ngx_pool_t *pool);
const char *ngx_chat_jwk_p256(ngx_chat_jwk_t *key, ngx_str_t *x,
    ngx_str_t *y, ngx_pool_t *pool);
const char *ngx_chat_jwk_ed25519(ngx_chat_jwk_t *key, ngx_str_t *x,
    ngx_pool_t *pool);


/* 1: the text has an armour as of PEM */

ngx_uint_t ngx_chat_jwk_armoured(ngx_str_t *text);


/* puts it behind the others; NULL, or why not: kid and number are checked */

const char *ngx_chat_jwk_add(ngx_chat_jwk_t **keys, ngx_chat_jwk_t *key);


/*
 * The keys for a token, one after another: of this algorithm, and of its kid
 * (data NULL: it has none).  Where no key has the kid, those without one; a
 * token without a kid is tried with all.  NULL after the last; prev is NULL
 * for the first.
 */

ngx_chat_jwk_t *ngx_chat_jwk_next(ngx_chat_jwk_t *keys, ngx_chat_jwk_t *prev,
    ngx_chat_jwk_alg_e alg, ngx_str_t *kid);


/* NGX_OK, NGX_DECLINED when the signature is another, NGX_ERROR when there is
 * no memory or OpenSSL failed */

ngx_int_t ngx_chat_jwk_verify(ngx_chat_jwk_t *key, ngx_str_t *input,
    ngx_str_t *signature);


#endif /* _NGX_CHAT_JWK_H_INCLUDED_ */
