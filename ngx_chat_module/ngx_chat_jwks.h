
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_JWKS_H_INCLUDED_
#define _NGX_CHAT_JWKS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_jwk.h"


/* bytes of a JWKS */

#define NGX_CHAT_JWKS_MAX  (64 * 1024)


/* what there is to say of key n, from 1 on, or of the set, 0; skipped: this
 * key is left out, else the set is refused */

typedef void (*ngx_chat_jwks_note_pt)(void *data, ngx_uint_t n,
    ngx_uint_t skipped, const char *text);

typedef struct {
    ngx_pool_t             *pool;
    ngx_chat_jwk_t        **keys;
    ngx_str_t               issuer;
    ngx_str_t               audience;
    ngx_chat_jwks_note_pt   note;
    void                   *data;
} ngx_chat_jwks_t;


/*
 * Adds the keys of a JWK Set (RFC 7517, 8037) to those of the struct.  Keys
 * for other purposes and of other algorithms are left out; NGX_ERROR after
 * the note that tells what is wrong with the set.  The text is overwritten.
 */

ngx_int_t ngx_chat_jwks_parse(ngx_chat_jwks_t *jwks, ngx_str_t *text);


#endif /* _NGX_CHAT_JWKS_H_INCLUDED_ */
