
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_jwk.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>


#define NGX_CHAT_JWK_COORDINATE  32
#define NGX_CHAT_JWK_ED25519     32

/* RSA exponents are 65537 nearly always; a long one costs time */

#define NGX_CHAT_JWK_EXPONENT    32


static const char *ngx_chat_jwk_from_params(ngx_chat_jwk_t *key,
    const char *type, OSSL_PARAM_BLD *bld, ngx_pool_t *pool);
static const char *ngx_chat_jwk_take(ngx_chat_jwk_t *key, EVP_PKEY *pkey,
    ngx_pool_t *pool);
static void ngx_chat_jwk_cleanup(void *data);
static const char *ngx_chat_jwk_check(ngx_chat_jwk_t *key, EVP_PKEY *pkey);
static const char *ngx_chat_jwk_check_rsa(EVP_PKEY *pkey);
static const char *ngx_chat_jwk_check_ec(EVP_PKEY *pkey);
static ngx_uint_t ngx_chat_jwk_public(ngx_str_t *bytes);
static ngx_uint_t ngx_chat_jwk_public_der(const u_char *p, size_t len);
static ngx_uint_t ngx_chat_jwk_contains(ngx_str_t *text, const char *word);


static const ngx_str_t  ngx_chat_jwk_algs[] = {
    ngx_string("HS256"),
    ngx_string("RS256"),
    ngx_string("ES256"),
    ngx_string("EdDSA")
};


ngx_chat_jwk_alg_e
ngx_chat_jwk_alg(const ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_chat_jwk_alg_n; i++) {

        if (name->len == ngx_chat_jwk_algs[i].len
            && ngx_memcmp(name->data, ngx_chat_jwk_algs[i].data, name->len)
               == 0)
        {
            break;
        }
    }

    return i;
}


const ngx_str_t *
ngx_chat_jwk_alg_name(ngx_chat_jwk_alg_e alg)
{
    return &ngx_chat_jwk_algs[alg];
}


const char *
ngx_chat_jwk_secret(ngx_chat_jwk_t *key, ngx_str_t *bytes)
{
    if (ngx_chat_jwk_public(bytes)) {
        return "is a public key and no secret: write it as PEM, "
               "\"-----BEGIN PUBLIC KEY-----\", alone in its file";
    }

    key->alg = ngx_chat_jwk_hs256;
    key->secret = *bytes;

    return NULL;
}


const char *
ngx_chat_jwk_pem(ngx_chat_jwk_t *key, ngx_str_t *text, ngx_pool_t *pool)
{
    BIO       *bio;
    EVP_PKEY  *pkey, *other;

    if (ngx_chat_jwk_contains(text, "PRIVATE KEY--")) {
        return "holds a private key, which nginx must not have: make the "
               "public one with \"openssl pkey -in FILE -pubout\"";
    }

    if (ngx_chat_jwk_contains(text, "BEGIN CERTIFICATE--")) {
        return "holds a certificate: make the public key with "
               "\"openssl x509 -in FILE -noout -pubkey\"";
    }

    bio = BIO_new_mem_buf(text->data, (int) text->len);
    if (bio == NULL) {
        return "cannot be read: no memory";
    }

    /* the empty password keeps OpenSSL from asking the terminal for one */

    pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, (void *) "");
    other = PEM_read_bio_PUBKEY(bio, NULL, NULL, (void *) "");

    BIO_free(bio);
    ERR_clear_error();

    if (pkey == NULL || other) {
        EVP_PKEY_free(pkey);
        EVP_PKEY_free(other);
        return "must hold one public key, \"-----BEGIN PUBLIC KEY-----\"";
    }

    return ngx_chat_jwk_take(key, pkey, pool);
}


const char *
ngx_chat_jwk_rsa(ngx_chat_jwk_t *key, ngx_str_t *n, ngx_str_t *e,
    ngx_pool_t *pool)
{
    BIGNUM          *bn, *be;
    const char      *error;
    OSSL_PARAM_BLD  *bld;

    if (n->len > NGX_CHAT_JWK_RSA_MAX / 8 + 1
        || e->len > NGX_CHAT_JWK_EXPONENT / 8 + 1)
    {
        return "has numbers that are too long";
    }

    bld = OSSL_PARAM_BLD_new();
    bn = BN_bin2bn(n->data, (int) n->len, NULL);
    be = BN_bin2bn(e->data, (int) e->len, NULL);

    error = "cannot be read: no memory";

    if (bld && bn && be
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn)
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be))
    {
        error = ngx_chat_jwk_from_params(key, "RSA", bld, pool);
    }

    BN_free(be);
    BN_free(bn);
    OSSL_PARAM_BLD_free(bld);

    return error;
}


const char *
ngx_chat_jwk_p256(ngx_chat_jwk_t *key, ngx_str_t *x, ngx_str_t *y,
    ngx_pool_t *pool)
{
    u_char           point[1 + 2 * NGX_CHAT_JWK_COORDINATE], *p;
    const char      *error;
    OSSL_PARAM_BLD  *bld;

    /* RFC 7518, 6.2.1.2: in full length, with zeros in front */

    if (x->len != NGX_CHAT_JWK_COORDINATE || y->len != NGX_CHAT_JWK_COORDINATE)
    {
        return "has an \"x\" or \"y\" that is not 32 bytes long";
    }

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    p = ngx_cpymem(&point[1], x->data, x->len);
    ngx_memcpy(p, y->data, y->len);

    bld = OSSL_PARAM_BLD_new();

    error = "cannot be read: no memory";

    if (bld
        && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                           SN_X9_62_prime256v1, 0)
        && OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, sizeof(point)))
    {
        error = ngx_chat_jwk_from_params(key, "EC", bld, pool);
    }

    OSSL_PARAM_BLD_free(bld);

    return error;
}


const char *
ngx_chat_jwk_ed25519(ngx_chat_jwk_t *key, ngx_str_t *x, ngx_pool_t *pool)
{
    EVP_PKEY  *pkey;

    if (x->len != NGX_CHAT_JWK_ED25519) {
        return "has an \"x\" that is not 32 bytes long";
    }

    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x->data,
                                       x->len);
    if (pkey == NULL) {
        ERR_clear_error();
        return "cannot be read: no memory";
    }

    return ngx_chat_jwk_take(key, pkey, pool);
}


static const char *
ngx_chat_jwk_from_params(ngx_chat_jwk_t *key, const char *type,
    OSSL_PARAM_BLD *bld, ngx_pool_t *pool)
{
    EVP_PKEY      *pkey;
    OSSL_PARAM    *params;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;
    params = OSSL_PARAM_BLD_to_param(bld);
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1
        && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    ERR_clear_error();

    if (pkey == NULL) {
        return "is no key: its numbers do not fit";
    }

    return ngx_chat_jwk_take(key, pkey, pool);
}


/* the key is the pool's, or freed */

static const char *
ngx_chat_jwk_take(ngx_chat_jwk_t *key, EVP_PKEY *pkey, ngx_pool_t *pool)
{
    const char          *error;
    ngx_pool_cleanup_t  *cln;

    error = ngx_chat_jwk_check(key, pkey);
    ERR_clear_error();

    if (error) {
        EVP_PKEY_free(pkey);
        return error;
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        EVP_PKEY_free(pkey);
        return "cannot be kept: no memory";
    }

    cln->handler = ngx_chat_jwk_cleanup;
    cln->data = pkey;

    key->pkey = pkey;

    return NULL;
}


static void
ngx_chat_jwk_cleanup(void *data)
{
    EVP_PKEY_free(data);
}


static const char *
ngx_chat_jwk_check(ngx_chat_jwk_t *key, EVP_PKEY *pkey)
{
    int            valid;
    const char    *error;
    EVP_PKEY_CTX  *ctx;

    switch (EVP_PKEY_get_base_id(pkey)) {

    case EVP_PKEY_RSA:
        key->alg = ngx_chat_jwk_rs256;
        error = ngx_chat_jwk_check_rsa(pkey);
        break;

    case EVP_PKEY_EC:
        key->alg = ngx_chat_jwk_es256;
        error = ngx_chat_jwk_check_ec(pkey);
        break;

    case EVP_PKEY_ED25519:
        key->alg = ngx_chat_jwk_eddsa;
        error = NULL;
        break;

    default:
        error = "is of a type that verifies neither RS256, ES256 nor EdDSA "
                "(Ed25519)";
    }

    if (error) {
        return error;
    }

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    valid = ctx ? EVP_PKEY_public_check(ctx) : 0;

    EVP_PKEY_CTX_free(ctx);

    return (valid == 1) ? NULL : "is no key: its numbers do not fit";
}


static const char *
ngx_chat_jwk_check_rsa(EVP_PKEY *pkey)
{
    int      bits;
    BIGNUM  *e;

    bits = EVP_PKEY_get_bits(pkey);

    if (bits < NGX_CHAT_JWK_RSA_MIN || bits > NGX_CHAT_JWK_RSA_MAX) {
        return "is an RSA key that has not 2048 to 4096 bits";
    }

    e = NULL;

    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1) {
        return "cannot be read: no memory";
    }

    bits = (BN_is_odd(e) && !BN_is_one(e)) ? BN_num_bits(e) : 0;

    BN_free(e);

    return (bits && bits <= NGX_CHAT_JWK_EXPONENT)
           ? NULL : "is an RSA key with an unusual exponent: it must be odd, "
                    "above 1 and have at most 32 bits";
}


static const char *
ngx_chat_jwk_check_ec(EVP_PKEY *pkey)
{
    char    group[64];
    size_t  len;

    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME,
                                       group, sizeof(group), &len)
        != 1
        || strcmp(group, SN_X9_62_prime256v1) != 0)
    {
        return "is not on the curve of ES256, P-256";
    }

    return NULL;
}


ngx_uint_t
ngx_chat_jwk_armoured(ngx_str_t *text)
{
    return ngx_chat_jwk_contains(text, "--BEGIN ")
           || ngx_chat_jwk_contains(text, "-- BEGIN ");
}


/* in DER, in base64 of DER, or as OpenSSH and JWK have it */

static ngx_uint_t
ngx_chat_jwk_public(ngx_str_t *bytes)
{
    int              n, last;
    u_char           der[NGX_CHAT_JWK_SECRET_MAX];
    ngx_uint_t       is;
    EVP_ENCODE_CTX  *ctx;

    if (ngx_chat_jwk_armoured(bytes)
        || ngx_chat_jwk_contains(bytes, "ssh-rsa ")
        || ngx_chat_jwk_contains(bytes, "ssh-ed25519 ")
        || ngx_chat_jwk_contains(bytes, "ecdsa-sha2-")
        || ngx_chat_jwk_contains(bytes, "\"kty\"")
        || ngx_chat_jwk_public_der(bytes->data, bytes->len))
    {
        return 1;
    }

    if (bytes->len > sizeof(der) || (ctx = EVP_ENCODE_CTX_new()) == NULL) {
        return 1;
    }

    EVP_DecodeInit(ctx);

    is = EVP_DecodeUpdate(ctx, der, &n, bytes->data, (int) bytes->len) >= 0
         && EVP_DecodeFinal(ctx, der + n, &last) == 1
         && ngx_chat_jwk_public_der(der, n + last);

    EVP_ENCODE_CTX_free(ctx);

    return is;
}


static ngx_uint_t
ngx_chat_jwk_public_der(const u_char *p, size_t len)
{
    X509          *cert;
    EVP_PKEY      *pkey, *rsa;
    const u_char  *in;

    in = p;
    pkey = d2i_PUBKEY(NULL, &in, (long) len);

    in = p;
    rsa = d2i_PublicKey(EVP_PKEY_RSA, NULL, &in, (long) len);

    in = p;
    cert = d2i_X509(NULL, &in, (long) len);

    EVP_PKEY_free(pkey);
    EVP_PKEY_free(rsa);
    X509_free(cert);
    ERR_clear_error();

    return pkey || rsa || cert;
}


static ngx_uint_t
ngx_chat_jwk_contains(ngx_str_t *text, const char *word)
{
    u_char  *p, *last;
    size_t   len;

    len = strlen(word);
    last = text->data + text->len;

    for (p = text->data; (size_t) (last - p) >= len; p++) {

        p = memchr(p, word[0], last - p - len + 1);

        if (p == NULL) {
            return 0;
        }

        if (ngx_memcmp(p, word, len) == 0) {
            return 1;
        }
    }

    return 0;
}


const char *
ngx_chat_jwk_add(ngx_chat_jwk_t **keys, ngx_chat_jwk_t *key)
{
    ngx_uint_t  n;

    for (n = 1; *keys; keys = &(*keys)->next, n++) {

        if (key->kid.data && (*keys)->kid.data
            && key->kid.len == (*keys)->kid.len
            && ngx_memcmp(key->kid.data, (*keys)->kid.data, key->kid.len) == 0)
        {
            return "has the kid of another key";
        }
    }

    if (n > NGX_CHAT_JWK_KEYS_MAX) {
        return "is one key too many: there may be 32";
    }

    key->next = NULL;
    *keys = key;

    return NULL;
}
