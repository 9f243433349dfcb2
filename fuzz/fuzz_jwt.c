/*
 * Token verification.  The input is tried as a token as it is; then, cut at
 * its first NUL byte into header and claims, as the JSON of a token that is
 * encoded and signed here, so that what stands behind the signature is
 * reached; and the claims alone, in memory of exactly their size.  A token
 * that is accepted must hold what its user promises.  The input is tried as a
 * JWK Set too, whose keys then verify one signature each.
 */

#include "ngx_chat_jwt.h"
#include "ngx_chat_claims.h"
#include "ngx_chat_jwks.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define NOW 1700000000

static u_char key_bytes[] = "a key of more than thirty-two bytes for HS256";
static ngx_str_t key = {sizeof(key_bytes) - 1, key_bytes};


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


static size_t
encode(u_char *dst, const u_char *src, size_t len)
{
    size_t n;

    n = (size_t) EVP_EncodeBlock(dst, src, (int) len);

    while (n && dst[n - 1] == '=') {
        n--;
    }

    for (len = 0; len < n; len++) {
        dst[len] = dst[len] == '+' ? '-' : dst[len] == '/' ? '_' : dst[len];
    }

    return n;
}


static void
verify(const u_char *data, size_t len)
{
    ngx_chat_jwk_t keys = {.alg = ngx_chat_jwk_hs256, .secret = key};
    ngx_chat_jwt_result_e result;
    ngx_pool_t pool = {0};
    ngx_chat_jwt_t jwt;
    ngx_str_t token;

    token.data = malloc(len);
    require(token.data != NULL || len == 0);
    token.len = len;

    if (len) {
        memcpy(token.data, data, len);
    }

    result = ngx_chat_jwt_verify(&token, &keys, NOW, &pool, &jwt);

    require(result != ngx_chat_jwt_failed);
    require((ngx_chat_jwt_reason(result)->len == 0)
            == (result == ngx_chat_jwt_good));
    require(len == 0 || memcmp(token.data, data, len) == 0);

    if (result == ngx_chat_jwt_good) {
        require(ngx_chat_jwt_id_valid(jwt.user.data, jwt.user.len));
        require(jwt.device.len == 0
                || ngx_chat_jwt_id_valid(jwt.device.data, jwt.device.len));
        require(jwt.jti.len <= NGX_CHAT_JWT_JTI_MAX);
        require(jwt.expires_at > NOW
                && jwt.expires_at <= NGX_CHAT_JWT_TIME_MAX);
        require(jwt.issued_at >= 0 && jwt.issued_at <= NGX_CHAT_JWT_TIME_MAX);
    }

    nginx_shim_clear_pool(&pool);
    free(token.data);
}


static void
verify_signed(const u_char *header, size_t header_len, const u_char *claims,
              size_t claims_len)
{
    u_char md[EVP_MAX_MD_SIZE], *token;
    unsigned int md_len;
    size_t n;

    token = malloc((header_len + claims_len) / 3 * 4 + 128);
    require(token != NULL);

    n = encode(token, header, header_len);
    token[n++] = '.';
    n += encode(token + n, claims, claims_len);

    HMAC(EVP_sha256(), key.data, (int) key.len, token, n, md, &md_len);

    token[n++] = '.';
    n += encode(token + n, md, md_len);

    verify(token, n);
    free(token);
}


static void
parse_claims(const u_char *data, size_t len)
{
    static const ngx_str_t names[] = {ngx_string("sub"), ngx_null_string};
    ngx_chat_claim_t claim;
    u_char *copy;

    copy = malloc(len);
    require(copy != NULL || len == 0);

    if (len) {
        memcpy(copy, data, len);
    }

    if (ngx_chat_claims_parse(copy, copy + len, names, &claim) == NGX_OK
        && claim.type == ngx_chat_claim_string) {
        require(claim.text.data >= copy
                && claim.text.data + claim.text.len <= copy + len);
    }

    free(copy);
}


static void
on_note(void *data, ngx_uint_t n, ngx_uint_t skipped, const char *text)
{
    unsigned *refused = data;

    require(text[0] != '\0' && (n > 0 || !skipped));

    if (!skipped) {
        ++*refused;
    }
}


static void
parse_set(const u_char *data, size_t len)
{
    static u_char bytes[NGX_CHAT_JWK_SIGNATURE];
    static ngx_str_t input = ngx_string("header.claims");
    ngx_str_t text, sig;
    ngx_chat_jwk_t *keys = NULL, *k;
    ngx_pool_t pool = {0};
    unsigned refused = 0;
    ngx_chat_jwks_t jwks = {
        .pool = &pool, .keys = &keys, .note = on_note, .data = &refused};

    text.data = malloc(len);
    require(text.data != NULL || len == 0);
    text.len = len;

    if (len) {
        memcpy(text.data, data, len);
    }

    if (ngx_chat_jwks_parse(&jwks, &text) == NGX_OK) {
        require(refused == 0 && keys != NULL);

    } else {
        require(refused == 1);
    }

    free(text.data);

    for (k = keys; k; k = k->next) {
        require(k->alg != ngx_chat_jwk_hs256 && k->pkey != NULL);
        sig.data = bytes;
        sig.len = k->alg == ngx_chat_jwk_rs256 ? 256 : 64;
        require(ngx_chat_jwk_verify(k, &input, &sig) == NGX_DECLINED);
    }

    nginx_shim_clear_pool(&pool);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char header[] = "{\"alg\":\"HS256\"}";
    const uint8_t *cut;

    if (size > NGX_CHAT_JWT_TOKEN_MAX + 16) {
        return 0;
    }

    verify(data, size);
    parse_claims(data, size);
    parse_set(data, size);
    verify_signed((const u_char *) header, sizeof(header) - 1, data, size);

    cut = size ? memchr(data, 0, size) : NULL;

    if (cut) {
        verify_signed(data, (size_t) (cut - data), cut + 1,
                      size - (size_t) (cut - data) - 1);
    }

    return 0;
}
