
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_jwt.h"
#include "ngx_chat_base64url.h"
#include "ngx_chat_claims.h"


/* of the header and of the claims, as bytes of JSON */

#define NGX_CHAT_JWT_JSON_MAX       (NGX_CHAT_JWT_TOKEN_MAX / 4 * 3)

/* characters of a signature */

#define NGX_CHAT_JWT_SIGNATURE_MAX  ((NGX_CHAT_JWK_SIGNATURE + 2) / 3 * 4)

/* a larger number is not finite as a double */

#define NGX_CHAT_JWT_DIGITS_MAX     309


/* what the header tells about the key */

typedef struct {
    ngx_chat_jwk_alg_e         alg;
    ngx_str_t                  kid;          /* data NULL: none */
} ngx_chat_jwt_header_t;


static ngx_chat_jwt_result_e ngx_chat_jwt_check_header(ngx_str_t *part,
    u_char *buf, ngx_chat_jwt_header_t *header);
static ngx_chat_jwt_result_e ngx_chat_jwt_check_signature(
    ngx_chat_jwt_header_t *header, ngx_chat_jwk_t *keys, ngx_str_t *input,
    ngx_str_t *part, ngx_chat_jwk_t **key);
static ngx_uint_t ngx_chat_jwt_addressed(ngx_chat_claim_t *claims,
    ngx_chat_jwk_t *key);
static ngx_chat_jwt_result_e ngx_chat_jwt_check_claims(
    ngx_chat_claim_t *claims, time_t now, ngx_chat_jwt_t *jwt);
static ngx_uint_t ngx_chat_jwt_printable(ngx_str_t *text);
static ngx_int_t ngx_chat_jwt_time(ngx_chat_claim_t *claim, ngx_uint_t up,
    time_t *t);
static ngx_int_t ngx_chat_jwt_exponent(u_char *p, u_char *last);
static ngx_chat_jwt_result_e ngx_chat_jwt_copy(ngx_pool_t *pool,
    ngx_chat_jwt_t *jwt);

static ngx_int_t ngx_chat_jwt_split(ngx_str_t *token, ngx_str_t parts[3]);
static ngx_int_t ngx_chat_jwt_parse_part(ngx_str_t *part, u_char *buf,
    const ngx_str_t *names, ngx_chat_claim_t *claims);


/* the order of the arrays of names and of the enums is the same */

enum {
    ngx_chat_jwt_header_alg = 0,
    ngx_chat_jwt_header_kid,
    ngx_chat_jwt_header_crit,
    ngx_chat_jwt_header_n
};


static const ngx_str_t  ngx_chat_jwt_header_names[] = {
    ngx_string("alg"),
    ngx_string("kid"),
    ngx_string("crit"),
    ngx_null_string
};


enum {
    ngx_chat_jwt_claim_sub = 0,
    ngx_chat_jwt_claim_exp,
    ngx_chat_jwt_claim_nbf,
    ngx_chat_jwt_claim_iat,
    ngx_chat_jwt_claim_dev,
    ngx_chat_jwt_claim_jti,
    ngx_chat_jwt_claim_iss,
    ngx_chat_jwt_claim_aud,
    ngx_chat_jwt_claim_n
};


static const ngx_str_t  ngx_chat_jwt_claim_names[] = {
    ngx_string("sub"),
    ngx_string("exp"),
    ngx_string("nbf"),
    ngx_string("iat"),
    ngx_string("dev"),
    ngx_string("jti"),
    ngx_string("iss"),
    ngx_string("aud"),
    ngx_null_string
};


/* by ngx_chat_jwt_result_e */

static ngx_str_t  ngx_chat_jwt_reasons[] = {
    ngx_null_string,
    ngx_string("token_malformed"),
    ngx_string("token_algorithm"),
    ngx_string("token_key"),
    ngx_string("token_signature"),
    ngx_string("token_claims"),
    ngx_string("token_expired"),
    ngx_string("token_not_yet_valid"),
    ngx_string("internal")
};


ngx_chat_jwt_result_e
ngx_chat_jwt_verify(ngx_str_t *token, ngx_chat_jwk_t *keys, time_t now,
    ngx_pool_t *pool, ngx_chat_jwt_t *jwt)
{
    u_char                  buf[NGX_CHAT_JWT_JSON_MAX];
    ngx_str_t               parts[3], input;
    ngx_chat_jwk_t         *key;
    ngx_chat_claim_t        claims[ngx_chat_jwt_claim_n];
    ngx_chat_jwt_header_t   header;
    ngx_chat_jwt_result_e   rc;

    if (token->len > NGX_CHAT_JWT_TOKEN_MAX
        || ngx_chat_jwt_split(token, parts) != NGX_OK)
    {
        return ngx_chat_jwt_malformed;
    }

    rc = ngx_chat_jwt_check_header(&parts[0], buf, &header);

    if (rc != ngx_chat_jwt_good) {
        return rc;
    }

    input.data = token->data;
    input.len = parts[0].len + 1 + parts[1].len;

    rc = ngx_chat_jwt_check_signature(&header, keys, &input, &parts[2], &key);

    if (rc != ngx_chat_jwt_good) {
        return rc;
    }

    if (ngx_chat_jwt_parse_part(&parts[1], buf, ngx_chat_jwt_claim_names,
                                claims)
        != NGX_OK)
    {
        return ngx_chat_jwt_malformed;
    }

    if (!ngx_chat_jwt_addressed(claims, key)) {
        return ngx_chat_jwt_claims;
    }

    rc = ngx_chat_jwt_check_claims(claims, now, jwt);

    if (rc != ngx_chat_jwt_good) {
        return rc;
    }

    return ngx_chat_jwt_copy(pool, jwt);
}


ngx_str_t *
ngx_chat_jwt_reason(ngx_chat_jwt_result_e result)
{
    return &ngx_chat_jwt_reasons[result];
}


static ngx_chat_jwt_result_e
ngx_chat_jwt_check_header(ngx_str_t *part, u_char *buf,
    ngx_chat_jwt_header_t *header)
{
    ngx_chat_claim_t  values[ngx_chat_jwt_header_n], *alg, *kid;

    if (ngx_chat_jwt_parse_part(part, buf, ngx_chat_jwt_header_names, values)
        != NGX_OK)
    {
        return ngx_chat_jwt_malformed;
    }

    alg = &values[ngx_chat_jwt_header_alg];
    kid = &values[ngx_chat_jwt_header_kid];

    if (kid->type != ngx_chat_claim_none && kid->type != ngx_chat_claim_string)
    {
        return ngx_chat_jwt_malformed;
    }

    header->kid = kid->text;

    /* RFC 7515, 4.1.11: what crit names must be understood; we know none */

    if (alg->type != ngx_chat_claim_string
        || values[ngx_chat_jwt_header_crit].type != ngx_chat_claim_none)
    {
        return ngx_chat_jwt_algorithm;
    }

    header->alg = ngx_chat_jwk_alg(&alg->text);

    return (header->alg < ngx_chat_jwk_alg_n) ? ngx_chat_jwt_good
                                              : ngx_chat_jwt_algorithm;
}


/* the kid still lies where the header was decoded to */

static ngx_chat_jwt_result_e
ngx_chat_jwt_check_signature(ngx_chat_jwt_header_t *header,
    ngx_chat_jwk_t *keys, ngx_str_t *input, ngx_str_t *part,
    ngx_chat_jwk_t **key)
{
    u_char           buf[ngx_chat_base64url_len(NGX_CHAT_JWT_SIGNATURE_MAX)];
    ngx_int_t        rc;
    ngx_str_t        signature, none;
    ngx_chat_jwk_t  *k;

    none.len = 0;
    none.data = NULL;

    if (ngx_chat_jwk_next(keys, NULL, header->alg, &none) == NULL) {
        return ngx_chat_jwt_algorithm;
    }

    k = ngx_chat_jwk_next(keys, NULL, header->alg, &header->kid);

    if (k == NULL) {
        return ngx_chat_jwt_key;
    }

    if (part->len > NGX_CHAT_JWT_SIGNATURE_MAX) {
        return ngx_chat_jwt_signature;
    }

    signature.data = buf;

    if (ngx_chat_base64url_decode(buf, &signature.len, part) != NGX_OK) {
        return ngx_chat_jwt_malformed;
    }

    do {
        rc = ngx_chat_jwk_verify(k, input, &signature);

        if (rc == NGX_OK) {
            *key = k;
            return ngx_chat_jwt_good;
        }

        if (rc == NGX_ERROR) {
            return ngx_chat_jwt_failed;
        }

        k = ngx_chat_jwk_next(keys, k, header->alg, &header->kid);

    } while (k);

    return ngx_chat_jwt_signature;
}


/* RFC 8725, 3.8, 3.9: what its issuer signed for us */

static ngx_uint_t
ngx_chat_jwt_addressed(ngx_chat_claim_t *claims, ngx_chat_jwk_t *key)
{
    ngx_chat_claim_t  *iss, *aud;

    iss = &claims[ngx_chat_jwt_claim_iss];
    aud = &claims[ngx_chat_jwt_claim_aud];

    if (key->issuer.len
        && (iss->type != ngx_chat_claim_string
            || !ngx_chat_claim_has(iss, key->issuer.data, key->issuer.len)))
    {
        return 0;
    }

    return key->audience.len == 0
           || ngx_chat_claim_has(aud, key->audience.data, key->audience.len);
}


static ngx_chat_jwt_result_e
ngx_chat_jwt_check_claims(ngx_chat_claim_t *claims, time_t now,
    ngx_chat_jwt_t *jwt)
{
    time_t             not_before;
    ngx_chat_claim_t  *sub, *dev, *jti;

    sub = &claims[ngx_chat_jwt_claim_sub];
    dev = &claims[ngx_chat_jwt_claim_dev];
    jti = &claims[ngx_chat_jwt_claim_jti];

    if (sub->type != ngx_chat_claim_string
        || !ngx_chat_jwt_id_valid(sub->text.data, sub->text.len))
    {
        return ngx_chat_jwt_claims;
    }

    if (dev->type != ngx_chat_claim_none
        && (dev->type != ngx_chat_claim_string
            || !ngx_chat_jwt_id_valid(dev->text.data, dev->text.len)))
    {
        return ngx_chat_jwt_claims;
    }

    if (jti->type != ngx_chat_claim_none
        && (jti->type != ngx_chat_claim_string
            || !ngx_chat_jwt_printable(&jti->text)))
    {
        return ngx_chat_jwt_claims;
    }

    /* a limit between two seconds ends or begins with the later one */

    if (claims[ngx_chat_jwt_claim_exp].type == ngx_chat_claim_none
        || ngx_chat_jwt_time(&claims[ngx_chat_jwt_claim_exp], 1,
                             &jwt->expires_at)
           != NGX_OK
        || ngx_chat_jwt_time(&claims[ngx_chat_jwt_claim_nbf], 1, &not_before)
           != NGX_OK
        || ngx_chat_jwt_time(&claims[ngx_chat_jwt_claim_iat], 0,
                             &jwt->issued_at)
           != NGX_OK)
    {
        return ngx_chat_jwt_claims;
    }

    if (now >= jwt->expires_at) {
        return ngx_chat_jwt_expired;
    }

    if (now < not_before) {
        return ngx_chat_jwt_not_yet_valid;
    }

    jwt->user = sub->text;
    jwt->device = dev->text;
    jwt->jti = jti->text;

    return ngx_chat_jwt_good;
}


ngx_uint_t
ngx_chat_jwt_id_valid(const u_char *p, size_t len)
{
    size_t  i;
    u_char  ch, c;

    if (len == 0 || len > NGX_CHAT_JWT_ID_MAX) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        ch = p[i];
        c = (u_char) (ch | 0x20);

        if ((c >= 'a' && c <= 'z') || (ch >= '0' && ch <= '9')
            || ch == '_' || ch == '.' || ch == '@' || ch == '+' || ch == '-')
        {
            continue;
        }

        return 0;
    }

    return 1;
}


static ngx_uint_t
ngx_chat_jwt_printable(ngx_str_t *text)
{
    size_t  i;

    if (text->len == 0 || text->len > NGX_CHAT_JWT_JTI_MAX) {
        return 0;
    }

    for (i = 0; i < text->len; i++) {

        if (text->data[i] < 0x20 || text->data[i] > 0x7e) {
            return 0;
        }
    }

    return 1;
}


/*
 * A NumericDate in whole seconds, rounded up or down, between 0 and
 * NGX_CHAT_JWT_TIME_MAX; 0 when there is none.  The text is a JSON number:
 * its digits in a row, and the place of the point among them, counted from
 * the first one that is not 0.  No double is involved and no locale.
 */

static ngx_int_t
ngx_chat_jwt_time(ngx_chat_claim_t *claim, ngx_uint_t up, time_t *t)
{
    u_char     *p, *first, *dot, *end, *last;
    int64_t     n;
    ngx_int_t   i, point;

    *t = 0;

    if (claim->type == ngx_chat_claim_none) {
        return NGX_OK;
    }

    if (claim->type != ngx_chat_claim_number) {
        return NGX_ERROR;
    }

    last = claim->text.data + claim->text.len;
    first = NULL;
    dot = NULL;

    for (p = claim->text.data; p < last && (*p | 0x20) != 'e'; p++) {

        if (*p == '.') {
            dot = p;

        } else if (first == NULL && *p >= '1') {
            first = p;
        }
    }

    if (first == NULL) {
        return NGX_OK;
    }

    end = p;

    if (dot == NULL) {
        dot = end;
    }

    point = (first < dot) ? dot - first : dot + 1 - first;
    point += ngx_chat_jwt_exponent(end, last);

    if (point > NGX_CHAT_JWT_DIGITS_MAX) {
        return NGX_ERROR;
    }

    if (claim->text.data[0] == '-') {
        return NGX_OK;
    }

    n = 0;
    p = first;

    for (i = 0; i < point; i++) {

        if (p == dot && p < end) {
            p++;
        }

        n = n * 10 + (p < end ? *p++ - '0' : 0);
        n = ngx_min(n, NGX_CHAT_JWT_TIME_MAX);
    }

    for ( /* void */ ; up && p < end; p++) {

        if (*p >= '1') {
            n = ngx_min(n + 1, NGX_CHAT_JWT_TIME_MAX);
            break;
        }
    }

    *t = (time_t) n;

    return NGX_OK;
}


/* 0 without one; beyond what decides it stays as it is, lest it overflows */

static ngx_int_t
ngx_chat_jwt_exponent(u_char *p, u_char *last)
{
    ngx_int_t   n;
    ngx_uint_t  negative;

    if (p == last) {
        return 0;
    }

    p++;
    negative = (*p == '-');

    if (*p == '-' || *p == '+') {
        p++;
    }

    for (n = 0; p < last && n < 10 * NGX_CHAT_JWT_JSON_MAX; p++) {
        n = n * 10 + (*p - '0');
    }

    return negative ? -n : n;
}


static ngx_chat_jwt_result_e
ngx_chat_jwt_copy(ngx_pool_t *pool, ngx_chat_jwt_t *jwt)
{
    u_char  *p;

    p = ngx_pnalloc(pool, jwt->user.len + jwt->device.len + jwt->jti.len);
    if (p == NULL) {
        return ngx_chat_jwt_failed;
    }

    ngx_memcpy(p, jwt->user.data, jwt->user.len);
    jwt->user.data = p;
    p += jwt->user.len;

    if (jwt->device.len) {
        ngx_memcpy(p, jwt->device.data, jwt->device.len);
        jwt->device.data = p;
        p += jwt->device.len;
    }

    if (jwt->jti.len) {
        ngx_memcpy(p, jwt->jti.data, jwt->jti.len);
        jwt->jti.data = p;
    }

    return ngx_chat_jwt_good;
}


/* header.claims.signature; a further dot is no base64url */

static ngx_int_t
ngx_chat_jwt_split(ngx_str_t *token, ngx_str_t parts[3])
{
    u_char      *p, *dot, *last;
    ngx_uint_t   i;

    p = token->data;
    last = token->data + token->len;

    for (i = 0; i < 2; i++) {
        dot = memchr(p, '.', last - p);

        if (dot == NULL) {
            return NGX_ERROR;
        }

        parts[i].data = p;
        parts[i].len = dot - p;

        p = dot + 1;
    }

    parts[2].data = p;
    parts[2].len = last - p;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_jwt_parse_part(ngx_str_t *part, u_char *buf, const ngx_str_t *names,
    ngx_chat_claim_t *claims)
{
    size_t  len;

    if (ngx_chat_base64url_decode(buf, &len, part) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_chat_claims_parse(buf, buf + len, names, claims);
}
