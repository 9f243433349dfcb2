
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_module.h>
#include <ngx_chat_jwt.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>


/* {"alg":"HS256","typ":"JWT"} */

#define NGX_CHAT_ACCOUNT_HEADER  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

#define NGX_CHAT_ACCOUNT_HMAC    32


typedef struct {
    ngx_str_t                  path;
    ngx_uint_t                 open;         /* needs no token */
} ngx_chat_account_path_t;


static ngx_chat_jwk_t *ngx_chat_account_key(ngx_chat_loc_conf_t *chcf);
static ngx_int_t ngx_chat_account_sign(ngx_chat_jwt_t *jwt,
    ngx_chat_jwk_t *key, ngx_pool_t *pool, ngx_str_t *token);
static ngx_int_t ngx_chat_account_claims(ngx_chat_jwt_t *jwt,
    ngx_chat_jwk_t *key, ngx_pool_t *pool, ngx_str_t *claims);
static u_char *ngx_chat_account_claim(u_char *p, char *name, ngx_str_t *value);
static ngx_uint_t ngx_chat_account_plain(ngx_str_t *text);
static u_char *ngx_chat_account_encode(u_char *dst, u_char *src, size_t len);


static ngx_chat_account_path_t  ngx_chat_account_paths[] = {
    { ngx_string("signup"), 1 },
    { ngx_string("login"), 1 },
    { ngx_string("token"), 0 },
    { ngx_string("logout"), 0 },
    { ngx_string("password"), 0 },
    { ngx_string("account"), 0 },
    { ngx_null_string, 0 }
};


ngx_uint_t
ngx_chat_account_path(ngx_str_t *path, ngx_uint_t *open)
{
    ngx_str_t                 p;
    ngx_chat_account_path_t  *ap;

    p = *path;

    if (p.len && p.data[0] == '/') {
        p.data++;
        p.len--;
    }

    for (ap = ngx_chat_account_paths; ap->path.len; ap++) {

        if (p.len == ap->path.len
            && ngx_strncmp(p.data, ap->path.data, p.len) == 0)
        {
            *open = ap->open;
            return 1;
        }
    }

    return 0;
}


/* the key never leaves nginx: the worker says what stands in the token */

ngx_int_t
ngx_chat_account_answer(ngx_http_request_t *r, ngx_chat_answer_t *answer)
{
    size_t                len;
    ngx_str_t             token, body;
    ngx_chat_jwt_t        jwt;
    ngx_chat_loc_conf_t  *chcf;

    chcf = ngx_http_get_module_loc_conf(r, ngx_chat_module);

    jwt.user = answer->token.user;
    jwt.device = answer->token.device;
    jwt.jti = answer->token.jti;
    jwt.issued_at = answer->token.issued_at;
    jwt.expires_at = answer->token.expires_at;

    if (ngx_chat_account_sign(&jwt, ngx_chat_account_key(chcf), r->pool,
                              &token)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = sizeof("{\"user\":\"\",\"device\":\"\",\"token\":\"\","
                 "\"expires_at\":000}") - 1
          + jwt.user.len + jwt.device.len + token.len + NGX_TIME_T_LEN;

    body.data = ngx_pnalloc(r->pool, len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = ngx_sprintf(body.data,
                           "{\"user\":\"%V\",\"device\":\"%V\","
                           "\"token\":\"%V\",\"expires_at\":%T000}",
                           &jwt.user, &jwt.device, &token, jwt.expires_at)
               - body.data;

    r->headers_out.status = answer->status;

    return ngx_chat_http_send(r, &ngx_chat_json_type, &body);
}


/* whose secret chcf->jwt_key is */

static ngx_chat_jwk_t *
ngx_chat_account_key(ngx_chat_loc_conf_t *chcf)
{
    ngx_chat_jwk_t  *key;

    for (key = chcf->jwt_keys; key; key = key->next) {

        if (key->alg == ngx_chat_jwk_hs256) {
            break;
        }
    }

    return key;
}


/*
 * A token (RFC 7515, HS256) that says what *jwt does, and what the key asks
 * for.  NGX_ERROR: no memory, no key, or a claim that no token of ours has.
 */

static ngx_int_t
ngx_chat_account_sign(ngx_chat_jwt_t *jwt, ngx_chat_jwk_t *key,
    ngx_pool_t *pool, ngx_str_t *token)
{
    u_char        *p, md[EVP_MAX_MD_SIZE];
    ngx_str_t      claims;
    unsigned int   len;

    if (key == NULL
        || ngx_chat_account_claims(jwt, key, pool, &claims) != NGX_OK)
    {
        return NGX_ERROR;
    }

    token->data = ngx_pnalloc(pool, sizeof(NGX_CHAT_ACCOUNT_HEADER)
                     + ngx_base64_encoded_length(claims.len) + 1
                     + ngx_base64_encoded_length(NGX_CHAT_ACCOUNT_HMAC));
    if (token->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(token->data, NGX_CHAT_ACCOUNT_HEADER ".",
                   sizeof(NGX_CHAT_ACCOUNT_HEADER));
    p = ngx_chat_account_encode(p, claims.data, claims.len);

    if (HMAC(EVP_sha256(), key->secret.data, (int) key->secret.len,
             token->data, p - token->data, md, &len)
        == NULL || len != NGX_CHAT_ACCOUNT_HMAC)
    {
        return NGX_ERROR;
    }

    *p++ = '.';
    p = ngx_chat_account_encode(p, md, len);

    token->len = p - token->data;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_account_claims(ngx_chat_jwt_t *jwt, ngx_chat_jwk_t *key,
    ngx_pool_t *pool, ngx_str_t *claims)
{
    size_t   len;
    u_char  *p;

    if (!ngx_chat_jwt_id_valid(jwt->user.data, jwt->user.len)
        || !ngx_chat_jwt_id_valid(jwt->device.data, jwt->device.len)
        || jwt->jti.len == 0 || jwt->jti.len > NGX_CHAT_JWT_JTI_MAX
        || !ngx_chat_account_plain(&jwt->jti))
    {
        return NGX_ERROR;
    }

    len = sizeof("{\"sub\":\"\",\"dev\":\"\",\"jti\":\"\",\"iat\":,\"exp\":,"
                 "\"iss\":\"\",\"aud\":\"\"}") - 1
          + jwt->user.len + jwt->device.len + jwt->jti.len
          + 2 * NGX_TIME_T_LEN
          + 6 * (key->issuer.len + key->audience.len);

    claims->data = ngx_pnalloc(pool, len);
    if (claims->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(claims->data,
                    "{\"sub\":\"%V\",\"dev\":\"%V\",\"jti\":\"%V\","
                    "\"iat\":%T,\"exp\":%T",
                    &jwt->user, &jwt->device, &jwt->jti,
                    jwt->issued_at, jwt->expires_at);

    p = ngx_chat_account_claim(p, "iss", &key->issuer);
    p = ngx_chat_account_claim(p, "aud", &key->audience);
    *p++ = '}';

    claims->len = p - claims->data;

    return NGX_OK;
}


static u_char *
ngx_chat_account_claim(u_char *p, char *name, ngx_str_t *value)
{
    if (value->len == 0) {
        return p;
    }

    p = ngx_sprintf(p, ",\"%s\":\"", name);
    p = (u_char *) ngx_escape_json(p, value->data, value->len);
    *p++ = '"';

    return p;
}


/* nothing that a JSON string has to escape */

static ngx_uint_t
ngx_chat_account_plain(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] <= ' ' || text->data[i] > '~'
            || text->data[i] == '"' || text->data[i] == '\\')
        {
            return 0;
        }
    }

    return 1;
}


static u_char *
ngx_chat_account_encode(u_char *dst, u_char *src, size_t len)
{
    ngx_str_t  to, from;

    from.data = src;
    from.len = len;
    to.data = dst;

    ngx_encode_base64url(&to, &from);

    return dst + to.len;
}
