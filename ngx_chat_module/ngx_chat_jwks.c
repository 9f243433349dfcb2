
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_jwks.h"
#include "ngx_chat_base64url.h"
#include "ngx_chat_claims.h"


/* of n, e, x and y together; longer ones are those of no key of ours */

#define NGX_CHAT_JWKS_INTEGERS  (2 * (NGX_CHAT_JWK_SIGNATURE + 8))


/* the order of the names and of the enum is the same */

enum {
    ngx_chat_jwks_kty = 0,
    ngx_chat_jwks_use,
    ngx_chat_jwks_key_ops,
    ngx_chat_jwks_alg,
    ngx_chat_jwks_kid,
    ngx_chat_jwks_crv,
    ngx_chat_jwks_n,
    ngx_chat_jwks_e,
    ngx_chat_jwks_x,
    ngx_chat_jwks_y,
    ngx_chat_jwks_d,
    ngx_chat_jwks_k,
    ngx_chat_jwks_members
};


static const ngx_str_t  ngx_chat_jwks_names[] = {
    ngx_string("kty"),
    ngx_string("use"),
    ngx_string("key_ops"),
    ngx_string("alg"),
    ngx_string("kid"),
    ngx_string("crv"),
    ngx_string("n"),
    ngx_string("e"),
    ngx_string("x"),
    ngx_string("y"),
    ngx_string("d"),
    ngx_string("k"),
    ngx_null_string
};


typedef struct {
    ngx_chat_jwks_t  *jwks;
    ngx_uint_t        n;           /* keys read */
    ngx_uint_t        used;
    ngx_uint_t        refused;     /* and the note is given */
} ngx_chat_jwks_ctx_t;


static ngx_int_t ngx_chat_jwks_key(ngx_chat_claim_t *claims, void *data);
static ngx_int_t ngx_chat_jwks_note(ngx_chat_jwks_ctx_t *ctx,
    const char *text);
static const char *ngx_chat_jwks_check(ngx_chat_claim_t *claims);
static const char *ngx_chat_jwks_purpose(ngx_chat_claim_t *claims,
    ngx_chat_jwk_alg_e *alg);
static const char *ngx_chat_jwks_make(ngx_chat_jwk_t *key,
    ngx_chat_jwk_alg_e alg, ngx_chat_claim_t *claims, ngx_pool_t *pool);
static ngx_uint_t ngx_chat_jwks_is(ngx_chat_claim_t *claim, const char *word);


ngx_int_t
ngx_chat_jwks_parse(ngx_chat_jwks_t *jwks, ngx_str_t *text)
{
    ngx_int_t               rc;
    ngx_chat_claim_t        claims[ngx_chat_jwks_members];
    ngx_chat_jwks_ctx_t     ctx;
    ngx_chat_claims_list_t  list = {
        ngx_string("keys"), ngx_chat_jwks_names, claims, ngx_chat_jwks_key,
        &ctx
    };

    ctx.jwks = jwks;
    ctx.n = 0;
    ctx.used = 0;
    ctx.refused = 0;

    rc = ngx_chat_claims_parse_list(text->data, text->data + text->len, &list);

    if (rc != NGX_OK) {

        if (!ctx.refused) {
            jwks->note(jwks->data, 0, 0, "is not a JWK Set, one JSON object "
                       "whose \"keys\" are an array of objects");
        }

        return NGX_ERROR;
    }

    if (ctx.used == 0) {
        jwks->note(jwks->data, 0, 0, "has no key that verifies RS256, ES256 "
                   "or EdDSA (Ed25519)");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_jwks_key(ngx_chat_claim_t *claims, void *data)
{
    ngx_chat_jwks_ctx_t *ctx = data;

    const char          *text;
    ngx_chat_jwk_t      *key;
    ngx_chat_claim_t    *kid;
    ngx_chat_jwk_alg_e   alg;

    ctx->n++;

    text = ngx_chat_jwks_check(claims);

    if (text) {
        return ngx_chat_jwks_note(ctx, text);
    }

    text = ngx_chat_jwks_purpose(claims, &alg);

    if (text) {
        ctx->jwks->note(ctx->jwks->data, ctx->n, 1, text);
        return NGX_OK;
    }

    kid = &claims[ngx_chat_jwks_kid];

    key = ngx_pcalloc(ctx->jwks->pool, sizeof(ngx_chat_jwk_t));

    if (key && kid->type == ngx_chat_claim_string) {
        key->kid.len = kid->text.len;
        key->kid.data = ngx_pnalloc(ctx->jwks->pool, kid->text.len + 1);
    }

    if (key == NULL
        || (kid->type == ngx_chat_claim_string && key->kid.data == NULL))
    {
        return ngx_chat_jwks_note(ctx, "cannot be kept: no memory");
    }

    if (key->kid.len) {
        ngx_memcpy(key->kid.data, kid->text.data, key->kid.len);
    }

    key->issuer = ctx->jwks->issuer;
    key->audience = ctx->jwks->audience;

    text = ngx_chat_jwks_make(key, alg, claims, ctx->jwks->pool);

    if (text == NULL) {
        text = ngx_chat_jwk_add(ctx->jwks->keys, key);
    }

    if (text) {
        return ngx_chat_jwks_note(ctx, text);
    }

    ctx->used++;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_jwks_note(ngx_chat_jwks_ctx_t *ctx, const char *text)
{
    ctx->refused = 1;
    ctx->jwks->note(ctx->jwks->data, ctx->n, 0, text);

    return NGX_ERROR;
}


/* what no set of public keys may have */

static const char *
ngx_chat_jwks_check(ngx_chat_claim_t *claims)
{
    ngx_uint_t  i;

    if (claims[ngx_chat_jwks_d].type != ngx_chat_claim_none) {
        return "is a private key, which nginx must not have: leave out \"d\", "
               "\"p\", \"q\", \"dp\", \"dq\", \"qi\"";
    }

    if (claims[ngx_chat_jwks_k].type != ngx_chat_claim_none
        || ngx_chat_jwks_is(&claims[ngx_chat_jwks_kty], "oct"))
    {
        return "is a secret, which no JWK Set is the place for: write "
               "\"chat_jwt_key FILE\"";
    }

    for (i = 0; i < ngx_chat_jwks_members; i++) {

        if (claims[i].type != ngx_chat_claim_none
            && claims[i].type != ((i == ngx_chat_jwks_key_ops)
                                  ? ngx_chat_claim_array
                                  : ngx_chat_claim_string))
        {
            return "has a member of the wrong type";
        }
    }

    return (claims[ngx_chat_jwks_kty].type == ngx_chat_claim_string)
           ? NULL : "has no \"kty\"";
}


/* the algorithm, or why this key is not for us */

static const char *
ngx_chat_jwks_purpose(ngx_chat_claim_t *claims, ngx_chat_jwk_alg_e *alg)
{
    ngx_chat_claim_t  *kty, *crv, *claim;

    kty = &claims[ngx_chat_jwks_kty];
    crv = &claims[ngx_chat_jwks_crv];

    claim = &claims[ngx_chat_jwks_use];

    if (claim->type != ngx_chat_claim_none && !ngx_chat_jwks_is(claim, "sig"))
    {
        return "its \"use\" is not \"sig\"";
    }

    claim = &claims[ngx_chat_jwks_key_ops];

    if (claim->type != ngx_chat_claim_none
        && !ngx_chat_jwks_is(claim, "verify"))
    {
        return "its \"key_ops\" are without \"verify\"";
    }

    if (ngx_chat_jwks_is(kty, "RSA")) {
        *alg = ngx_chat_jwk_rs256;

    } else if (ngx_chat_jwks_is(kty, "EC") && ngx_chat_jwks_is(crv, "P-256")) {
        *alg = ngx_chat_jwk_es256;

    } else if (ngx_chat_jwks_is(kty, "OKP")
               && ngx_chat_jwks_is(crv, "Ed25519"))
    {
        *alg = ngx_chat_jwk_eddsa;

    } else {
        return "its \"kty\" or \"crv\" is for other algorithms";
    }

    claim = &claims[ngx_chat_jwks_alg];

    if (claim->type != ngx_chat_claim_none
        && ngx_chat_jwk_alg(&claim->text) != *alg)
    {
        return "its \"alg\" is another one than RS256, ES256 or EdDSA, or does "
               "not fit the key";
    }

    return NULL;
}


static const char *
ngx_chat_jwks_make(ngx_chat_jwk_t *key, ngx_chat_jwk_alg_e alg,
    ngx_chat_claim_t *claims, ngx_pool_t *pool)
{
    u_char      buf[NGX_CHAT_JWKS_INTEGERS], *p;
    ngx_str_t   integers[ngx_chat_jwks_members], *src;
    ngx_uint_t  i;

    p = buf;

    for (i = ngx_chat_jwks_n; i <= ngx_chat_jwks_y; i++) {

        src = &claims[i].text;
        integers[i].data = p;
        integers[i].len = 0;

        if (claims[i].type == ngx_chat_claim_none) {
            continue;
        }

        if (ngx_chat_base64url_len(src->len) > (size_t) (buf + sizeof(buf) - p)
            || ngx_chat_base64url_decode(p, &integers[i].len, src) != NGX_OK)
        {
            return "has a number that is too long or not in base64url";
        }

        p += integers[i].len;
    }

    switch (alg) {

    case ngx_chat_jwk_rs256:
        return ngx_chat_jwk_rsa(key, &integers[ngx_chat_jwks_n],
                                &integers[ngx_chat_jwks_e], pool);

    case ngx_chat_jwk_es256:
        return ngx_chat_jwk_p256(key, &integers[ngx_chat_jwks_x],
                                 &integers[ngx_chat_jwks_y], pool);

    default: /* ngx_chat_jwk_eddsa */
        return ngx_chat_jwk_ed25519(key, &integers[ngx_chat_jwks_x], pool);
    }
}


static ngx_uint_t
ngx_chat_jwks_is(ngx_chat_claim_t *claim, const char *word)
{
    return ngx_chat_claim_has(claim, (u_char *) word, strlen(word));
}
