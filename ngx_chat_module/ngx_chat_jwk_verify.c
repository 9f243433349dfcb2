
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_jwk.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>


/* one of the two integers of an ES256 signature, RFC 7518, 3.4 */

#define NGX_CHAT_JWK_ES256_INTEGER  32

#define NGX_CHAT_JWK_EDDSA          64


typedef ngx_int_t (*ngx_chat_jwk_verify_pt)(ngx_chat_jwk_t *key,
    ngx_str_t *input, ngx_str_t *signature);


static ngx_int_t ngx_chat_jwk_verify_hs256(ngx_chat_jwk_t *key,
    ngx_str_t *input, ngx_str_t *signature);
static ngx_int_t ngx_chat_jwk_verify_rs256(ngx_chat_jwk_t *key,
    ngx_str_t *input, ngx_str_t *signature);
static ngx_int_t ngx_chat_jwk_verify_es256(ngx_chat_jwk_t *key,
    ngx_str_t *input, ngx_str_t *signature);
static ngx_int_t ngx_chat_jwk_verify_eddsa(ngx_chat_jwk_t *key,
    ngx_str_t *input, ngx_str_t *signature);
static ngx_int_t ngx_chat_jwk_digest_verify(ngx_chat_jwk_t *key,
    const EVP_MD *md, ngx_str_t *input, ngx_str_t *signature);
static ngx_uint_t ngx_chat_jwk_kid(ngx_chat_jwk_t *key, ngx_str_t *kid);


/* by ngx_chat_jwk_alg_e */

static const ngx_chat_jwk_verify_pt  ngx_chat_jwk_verifiers[] = {
    ngx_chat_jwk_verify_hs256,
    ngx_chat_jwk_verify_rs256,
    ngx_chat_jwk_verify_es256,
    ngx_chat_jwk_verify_eddsa
};


ngx_chat_jwk_t *
ngx_chat_jwk_next(ngx_chat_jwk_t *keys, ngx_chat_jwk_t *prev,
    ngx_chat_jwk_alg_e alg, ngx_str_t *kid)
{
    ngx_uint_t       named;
    ngx_chat_jwk_t  *key;

    named = 0;

    if (kid->data) {

        for (key = keys; key && !named; key = key->next) {
            named = ngx_chat_jwk_kid(key, kid);
        }
    }

    for (key = prev ? prev->next : keys; key; key = key->next) {

        if (key->alg == alg
            && (kid->data == NULL
                || (named ? ngx_chat_jwk_kid(key, kid)
                          : key->kid.data == NULL)))
        {
            break;
        }
    }

    return key;
}


static ngx_uint_t
ngx_chat_jwk_kid(ngx_chat_jwk_t *key, ngx_str_t *kid)
{
    return key->kid.data && key->kid.len == kid->len
           && ngx_memcmp(key->kid.data, kid->data, kid->len) == 0;
}


ngx_int_t
ngx_chat_jwk_verify(ngx_chat_jwk_t *key, ngx_str_t *input,
    ngx_str_t *signature)
{
    return ngx_chat_jwk_verifiers[key->alg](key, input, signature);
}


static ngx_int_t
ngx_chat_jwk_verify_hs256(ngx_chat_jwk_t *key, ngx_str_t *input,
    ngx_str_t *signature)
{
    u_char        md[EVP_MAX_MD_SIZE];
    unsigned int  len;

    if (HMAC(EVP_sha256(), key->secret.data, (int) key->secret.len,
             input->data, input->len, md, &len)
        == NULL)
    {
        return NGX_ERROR;
    }

    if (signature->len != len
        || CRYPTO_memcmp(signature->data, md, len) != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_jwk_verify_rs256(ngx_chat_jwk_t *key, ngx_str_t *input,
    ngx_str_t *signature)
{
    /* RFC 8017, 8.2.2: as long as the modulus */

    if (signature->len != (size_t) EVP_PKEY_get_size(key->pkey)) {
        return NGX_DECLINED;
    }

    return ngx_chat_jwk_digest_verify(key, EVP_sha256(), input, signature);
}


/* r and s in a row; OpenSSL wants them in DER */

static ngx_int_t
ngx_chat_jwk_verify_es256(ngx_chat_jwk_t *key, ngx_str_t *input,
    ngx_str_t *signature)
{
    int         len;
    BIGNUM     *r, *s;
    ngx_int_t   rc;
    ngx_str_t   der;
    ECDSA_SIG  *sig;

    if (signature->len != 2 * NGX_CHAT_JWK_ES256_INTEGER) {
        return NGX_DECLINED;
    }

    r = BN_bin2bn(signature->data, NGX_CHAT_JWK_ES256_INTEGER, NULL);
    s = BN_bin2bn(signature->data + NGX_CHAT_JWK_ES256_INTEGER,
                  NGX_CHAT_JWK_ES256_INTEGER, NULL);
    sig = ECDSA_SIG_new();

    if (sig == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
        ECDSA_SIG_free(sig);
        BN_free(r);
        BN_free(s);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    der.data = NULL;
    len = i2d_ECDSA_SIG(sig, &der.data);

    if (len > 0) {
        der.len = len;
        rc = ngx_chat_jwk_digest_verify(key, EVP_sha256(), input, &der);
        OPENSSL_free(der.data);
    }

    ECDSA_SIG_free(sig);

    return rc;
}


static ngx_int_t
ngx_chat_jwk_verify_eddsa(ngx_chat_jwk_t *key, ngx_str_t *input,
    ngx_str_t *signature)
{
    if (signature->len != NGX_CHAT_JWK_EDDSA) {
        return NGX_DECLINED;
    }

    return ngx_chat_jwk_digest_verify(key, NULL, input, signature);
}


static ngx_int_t
ngx_chat_jwk_digest_verify(ngx_chat_jwk_t *key, const EVP_MD *md,
    ngx_str_t *input, ngx_str_t *signature)
{
    ngx_int_t    rc;
    EVP_MD_CTX  *ctx;

    rc = NGX_ERROR;
    ctx = EVP_MD_CTX_new();

    if (ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key->pkey) == 1) {

        rc = (EVP_DigestVerify(ctx, signature->data, signature->len,
                               input->data, input->len)
              == 1)
             ? NGX_OK : NGX_DECLINED;
    }

    EVP_MD_CTX_free(ctx);

    /* of a bad signature too errors stay, which others would take as theirs */

    ERR_clear_error();

    return rc;
}
