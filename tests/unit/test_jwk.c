/*
 * ngx_chat_jwk.c, ngx_chat_jwk_verify.c and ngx_chat_jwks.c: which keys are
 * taken from PEM and from a JWK Set, which tokens they verify, and that no key
 * is ever used for an algorithm that is not its own.  Vectors are those of
 * RFC 7515 and RFC 8037; all other keys are made here.
 */

#include "ngx_chat_jwks.h"
#include "ngx_chat_jwt.h"
#include "ngx_chat_base64url.h"

#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#define NOW    1700000000
#define CLAIMS "{\"sub\":\"alice\",\"exp\":1800000000}"

#define X         "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
#define Y         "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC(more)  "{\"kty\":\"EC\",\"crv\":\"P-256\"," X "," Y more "}"
#define ED_X      "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define ED(more)  "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," ED_X more "}"
#define SET(keys) "{\"keys\":[" keys "]}"

static EVP_PKEY *rsa, *ec, *ed;

static ngx_pool_t pool;
static ngx_chat_jwk_t *keys;
static ngx_chat_jwt_t jwt;
static char note[512], skipped[512];
static unsigned long note_n;
static char issuer[32], audience[32];


static int
make_keys(void **state)
{
    (void) state;

    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    return rsa && ec && ed ? 0 : -1;
}


static int
free_keys(void **state)
{
    (void) state;

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);

    return 0;
}


static int
start(void **state)
{
    (void) state;

    memset(&pool, 0, sizeof(pool));
    keys = NULL;
    issuer[0] = audience[0] = '\0';

    return 0;
}


static int
stop(void **state)
{
    (void) state;

    nginx_shim_clear_pool(&pool);

    return 0;
}


static ngx_str_t
str(const char *s)
{
    ngx_str_t text = {strlen(s), (u_char *) s};

    return text;
}


static size_t
encode(char *dst, const void *src, size_t len)
{
    size_t i, n;

    n = (size_t) EVP_EncodeBlock((u_char *) dst, src, (int) len);

    while (n && dst[n - 1] == '=') {
        n--;
    }

    for (i = 0; i < n; i++) {
        dst[i] = dst[i] == '+' ? '-' : dst[i] == '/' ? '_' : dst[i];
    }

    dst[n] = '\0';

    return n;
}


static void
on_note(void *data, ngx_uint_t n, ngx_uint_t left_out, const char *text)
{
    (void) data;

    snprintf(left_out ? skipped : note, sizeof(note), "%s", text);
    note_n = n;
}


static ngx_int_t
parse(const char *json)
{
    ngx_chat_jwks_t jwks = {
        &pool, &keys, str(issuer), str(audience), on_note, NULL,
    };
    ngx_str_t text;
    ngx_int_t rc;

    note[0] = skipped[0] = '\0';
    note_n = 0;

    text.len = strlen(json);
    text.data = malloc(text.len + 1);
    assert_non_null(text.data);
    memcpy(text.data, json, text.len);

    rc = ngx_chat_jwks_parse(&jwks, &text);

    free(text.data);

    return rc;
}


static void
assert_refused(const char *json, const char *why)
{
    assert_int_equal(parse(json), NGX_ERROR);

    if (strstr(note, why) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", why, note);
    }
}


/* The one other key of the set is used. */
static void
assert_skipped(const char *key, const char *why)
{
    char text[4096];

    keys = NULL;
    snprintf(text, sizeof(text), SET("%s," ED(",\"kid\":\"ed\"")), key);
    assert_int_equal(parse(text), NGX_OK);
    assert_non_null(strstr(skipped, why));
    assert_int_equal(note_n, 1);
    assert_non_null(keys);
    assert_null(keys->next);
    assert_int_equal(keys->alg, ngx_chat_jwk_eddsa);
}


static const char *
pem_of(EVP_PKEY *pkey)
{
    static char text[8192];
    BIO *bio;
    int n;

    bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    n = BIO_read(bio, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    BIO_free(bio);

    return text;
}


static const char *
take_pem(ngx_chat_jwk_t *key, const char *pem)
{
    ngx_str_t text = str(pem);

    memset(key, 0, sizeof(*key));

    return ngx_chat_jwk_pem(key, &text, &pool);
}


/* A key of the list from its PEM. */
static ngx_chat_jwk_t *
add_pem(EVP_PKEY *pkey, const char *kid)
{
    ngx_chat_jwk_t *key;

    key = ngx_pcalloc(&pool, sizeof(*key));
    assert_null(take_pem(key, pem_of(pkey)));

    if (kid) {
        key->kid = str(kid);
    }

    assert_null(ngx_chat_jwk_add(&keys, key));

    return key;
}


static size_t
sign(EVP_PKEY *pkey, const char *text, size_t len, u_char *sig)
{
    const u_char *p;
    EVP_MD_CTX *ctx;
    ECDSA_SIG *rs;
    size_t n;
    int id;

    id = EVP_PKEY_get_base_id(pkey);
    n = 512;
    ctx = EVP_MD_CTX_new();
    assert_int_equal(
        EVP_DigestSignInit(ctx, NULL,
                           id == EVP_PKEY_ED25519 ? NULL : EVP_sha256(), NULL,
                           pkey),
        1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const u_char *) text, len),
                     1);
    EVP_MD_CTX_free(ctx);

    if (id == EVP_PKEY_EC) {
        p = sig;
        rs = d2i_ECDSA_SIG(NULL, &p, (long) n);
        n = (size_t) (EVP_PKEY_get_bits(pkey) + 7) / 8;
        assert_true(BN_bn2binpad(ECDSA_SIG_get0_r(rs), sig, (int) n) > 0);
        assert_true(BN_bn2binpad(ECDSA_SIG_get0_s(rs), sig + n, (int) n) > 0);
        ECDSA_SIG_free(rs);
        n = 2 * n;
    }

    return n;
}


static char *
make_token(EVP_PKEY *pkey, const char *header, const char *claims)
{
    static char token[4096];
    u_char sig[512];
    size_t n;

    n = encode(token, header, strlen(header));
    token[n++] = '.';
    n += encode(token + n, claims, strlen(claims));

    if (pkey) {
        n = encode(token + n + 1, sig, sign(pkey, token, n, sig));
        token[strlen(token)] = '.';
    }

    return token;
}


/* Signed as HS256 with these bytes as the secret. */
static char *
make_hs256(const char *header, const char *secret)
{
    u_char md[EVP_MAX_MD_SIZE];
    unsigned int len;
    char *token;
    size_t n;

    token = make_token(NULL, header, CLAIMS);
    n = strlen(token);
    HMAC(EVP_sha256(), secret, (int) strlen(secret), (u_char *) token, n, md,
         &len);
    token[n] = '.';
    encode(token + n + 1, md, len);

    return token;
}


static const char *
verify(const char *token)
{
    static char reason[32];
    ngx_str_t text, *word;

    text = str(token);
    word =
        ngx_chat_jwt_reason(ngx_chat_jwt_verify(&text, keys, NOW, &pool, &jwt));
    snprintf(reason, sizeof(reason), "%.*s", (int) word->len,
             word->data ? (char *) word->data : "");

    return reason;
}


#define assert_good(call)         assert_string_equal(call, "")
#define assert_reason(call, want) assert_string_equal(call, want)


/* --- vectors */

static void
assert_vector(const char *jwk, const char *input, const char *signature)
{
    ngx_str_t in = str(input), sig = str(signature), raw;
    u_char buf[600];
    char text[2048];
    size_t i;

    snprintf(text, sizeof(text), SET("%s"), jwk);
    assert_int_equal(parse(text), NGX_OK);

    raw.data = buf;
    assert_int_equal(ngx_chat_base64url_decode(buf, &raw.len, &sig), NGX_OK);
    assert_int_equal(ngx_chat_jwk_verify(keys, &in, &raw), NGX_OK);

    for (i = 0; i < raw.len; i++) {
        buf[i] ^= 1;
        assert_int_equal(ngx_chat_jwk_verify(keys, &in, &raw), NGX_DECLINED);
        buf[i] ^= 1;
    }

    for (i = 0; i < raw.len; i++) {
        sig.data = buf;
        sig.len = i;
        assert_int_equal(ngx_chat_jwk_verify(keys, &in, &sig), NGX_DECLINED);
    }

    buf[raw.len++] = 0;
    assert_int_equal(ngx_chat_jwk_verify(keys, &in, &raw), NGX_DECLINED);
    raw.len--;
    in.len--;
    assert_int_equal(ngx_chat_jwk_verify(keys, &in, &raw), NGX_DECLINED);
}


#define JOE                                                                    \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"     \
    "LmNvbS9pc19yb290Ijp0cnVlfQ"

static void
test_rfc7515_a2_rs256(void **state)
{
    (void) state;

    assert_vector(
        "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4"
        "fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"
        "yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf"
        "63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQ"
        "Y4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q"
        "2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}",
        "eyJhbGciOiJSUzI1NiJ9." JOE,
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHI"
        "m4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB"
        "--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN938"
        "3LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
        "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");
}


static void
test_rfc7515_a3_es256(void **state)
{
    (void) state;

    assert_vector(EC(""), "eyJhbGciOiJFUzI1NiJ9." JOE,
                  "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I"
                  "SlSApmWQxfKTUJqPP3-Kg6NU1Q");
}


static void
test_rfc8037_a4_eddsa(void **state)
{
    (void) state;

    assert_vector(
        ED(""), "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
        "9g7sVvpAr_MuM0KAg");
}


/* --- tokens */

static void
test_each_algorithm_with_its_pem(void **state)
{
    (void) state;

    add_pem(rsa, NULL);
    add_pem(ec, NULL);
    add_pem(ed, NULL);

    assert_good(verify(make_token(rsa, "{\"alg\":\"RS256\"}", CLAIMS)));
    assert_good(verify(make_token(ec, "{\"alg\":\"ES256\"}", CLAIMS)));
    assert_good(verify(make_token(ed, "{\"alg\":\"EdDSA\"}", CLAIMS)));
    assert_int_equal(jwt.user.len, 5);
    assert_int_equal(jwt.expires_at, 1800000000);
}


static void
test_signature_of_one_algorithm_under_the_name_of_another(void **state)
{
    static const char *const algs[] = {"RS256", "ES256", "EdDSA"};
    EVP_PKEY *pkeys[] = {rsa, ec, ed};
    char header[64];
    size_t i, j;

    (void) state;

    add_pem(rsa, NULL);
    add_pem(ec, NULL);
    add_pem(ed, NULL);

    for (i = 0; i < 3; i++) {
        for (j = 0; j < 3; j++) {
            snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algs[i]);
            assert_reason(verify(make_token(pkeys[j], header, CLAIMS)),
                          i == j ? "" : "token_signature");
        }
    }
}


static void
test_other_algorithms_are_refused(void **state)
{
    static const char *const algs[] = {"none",  "None",  "RS384", "RS512",
                                       "PS256", "ES384", "ES512", "ES256K",
                                       "HS384", "eddsa", "",      "RS256 "};
    char header[64];
    size_t i;

    (void) state;

    add_pem(rsa, NULL);
    add_pem(ec, NULL);
    add_pem(ed, NULL);

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algs[i]);
        assert_reason(verify(make_token(rsa, header, CLAIMS)),
                      "token_algorithm");
    }

    assert_reason(verify(make_token(rsa, "{\"alg\":\"HS256\"}", CLAIMS)),
                  "token_algorithm");
}


/* The attack: HS256 with what everybody knows of the key as the secret. */
static void
test_public_key_as_a_secret(void **state)
{
    ngx_chat_jwk_t secret = {0};
    char pem[8192], *token;

    (void) state;

    snprintf(pem, sizeof(pem), "%s", pem_of(rsa));
    add_pem(rsa, NULL);

    token = make_hs256("{\"alg\":\"HS256\"}", pem);
    assert_reason(verify(token), "token_algorithm");

    secret.alg = ngx_chat_jwk_hs256;
    secret.secret = str("0123456789abcdef0123456789abcdef");
    assert_null(ngx_chat_jwk_add(&keys, &secret));
    assert_reason(verify(token), "token_signature");
    assert_reason(verify(make_hs256("{\"alg\":\"RS256\"}", pem)),
                  "token_signature");
    assert_good(verify(
        make_hs256("{\"alg\":\"HS256\"}", "0123456789abcdef0123456789abcdef")));
}


static void
test_no_form_of_a_public_key_is_taken_as_a_secret(void **state)
{
    u_char der[4096], *p;
    char text[8192], *cut;
    ngx_chat_jwk_t key;
    ngx_str_t bytes;
    EVP_PKEY *all[] = {rsa, ec, ed};
    size_t i;

    (void) state;

    for (i = 0; i < 3; i++) {
        bytes = str(pem_of(all[i]));
        assert_non_null(ngx_chat_jwk_secret(&key, &bytes));

        /* without its armour */
        snprintf(text, sizeof(text), "%s", strchr(pem_of(all[i]), '\n') + 1);
        cut = strstr(text, "-----");
        *cut = '\0';
        bytes = str(text);
        assert_non_null(ngx_chat_jwk_secret(&key, &bytes));

        p = der;
        bytes.len = (size_t) i2d_PUBKEY(all[i], &p);
        bytes.data = der;
        assert_non_null(ngx_chat_jwk_secret(&key, &bytes));
    }

    p = der;
    bytes.len = (size_t) i2d_PublicKey(rsa, &p);
    bytes.data = der;
    assert_non_null(ngx_chat_jwk_secret(&key, &bytes));

    bytes = str(SET(EC("")));
    assert_non_null(ngx_chat_jwk_secret(&key, &bytes));
    bytes = str("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOtestkey someone@here");
    assert_non_null(ngx_chat_jwk_secret(&key, &bytes));
    bytes = str("---- BEGIN SSH2 PUBLIC KEY ----\nAAAAC3NzaC1lZDI1NTE5");
    assert_non_null(ngx_chat_jwk_secret(&key, &bytes));

    bytes = str("5f1d7a84db00d2fce00b31a7fc73224f5f1d7a84db00d2fce00b31a7fc73");
    assert_null(ngx_chat_jwk_secret(&key, &bytes));
    assert_int_equal(key.alg, ngx_chat_jwk_hs256);
}


static void
test_es256_signature_must_be_64_raw_bytes(void **state)
{
    ngx_str_t input = str("text"), sig;
    ngx_chat_jwk_t *key;
    u_char buf[600];
    EVP_MD_CTX *ctx;

    (void) state;

    key = add_pem(ec, NULL);
    sig.data = buf;

    /* as OpenSSL writes it */
    ctx = EVP_MD_CTX_new();
    sig.len = sizeof(buf);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, ec), 1);
    assert_int_equal(EVP_DigestSign(ctx, buf, &sig.len, input.data, input.len),
                     1);
    EVP_MD_CTX_free(ctx);
    assert_int_equal(ngx_chat_jwk_verify(key, &input, &sig), NGX_DECLINED);

    sig.len = sign(ec, "text", 4, buf);
    assert_int_equal(sig.len, 64);
    assert_int_equal(ngx_chat_jwk_verify(key, &input, &sig), NGX_OK);

    memset(buf, 0, 64);
    assert_int_equal(ngx_chat_jwk_verify(key, &input, &sig), NGX_DECLINED);
    memset(buf, 0xff, 64);
    assert_int_equal(ngx_chat_jwk_verify(key, &input, &sig), NGX_DECLINED);
}


/* --- which key */

static void
test_kid_chooses_the_key(void **state)
{
    EVP_PKEY *other;

    (void) state;

    other = EVP_EC_gen("P-256");
    add_pem(ec, "one");
    add_pem(other, "two");

    assert_good(
        verify(make_token(ec, "{\"alg\":\"ES256\",\"kid\":\"one\"}", CLAIMS)));
    assert_good(verify(
        make_token(other, "{\"alg\":\"ES256\",\"kid\":\"two\"}", CLAIMS)));
    assert_reason(
        verify(make_token(ec, "{\"alg\":\"ES256\",\"kid\":\"two\"}", CLAIMS)),
        "token_signature");
    assert_reason(
        verify(make_token(ec, "{\"alg\":\"ES256\",\"kid\":\"tw\"}", CLAIMS)),
        "token_key");
    assert_reason(
        verify(make_token(ec, "{\"alg\":\"ES256\",\"kid\":\"\"}", CLAIMS)),
        "token_key");
    assert_reason(
        verify(make_token(ec, "{\"alg\":\"ES256\",\"kid\":1}", CLAIMS)),
        "token_malformed");

    /* without one each is tried */
    assert_good(verify(make_token(ec, "{\"alg\":\"ES256\"}", CLAIMS)));
    assert_good(verify(make_token(other, "{\"alg\":\"ES256\"}", CLAIMS)));
    assert_reason(verify(make_token(rsa, "{\"alg\":\"ES256\"}", CLAIMS)),
                  "token_signature");

    EVP_PKEY_free(other);
}


static void
test_key_without_kid_serves_kids_that_no_key_has(void **state)
{
    EVP_PKEY *other;

    (void) state;

    other = EVP_EC_gen("P-256");
    add_pem(ec, NULL);
    add_pem(other, "two");

    assert_good(
        verify(make_token(ec, "{\"alg\":\"ES256\",\"kid\":\"x\"}", CLAIMS)));
    assert_reason(
        verify(make_token(other, "{\"alg\":\"ES256\",\"kid\":\"x\"}", CLAIMS)),
        "token_signature");
    assert_reason(
        verify(make_token(ec, "{\"alg\":\"ES256\",\"kid\":\"two\"}", CLAIMS)),
        "token_signature");

    EVP_PKEY_free(other);
}


/* A kid of a key of another algorithm chooses none. */
static void
test_kid_of_another_algorithm(void **state)
{
    (void) state;

    add_pem(ec, "one");
    add_pem(rsa, NULL);

    assert_reason(
        verify(make_token(rsa, "{\"alg\":\"RS256\",\"kid\":\"one\"}", CLAIMS)),
        "token_key");
}


static void
test_duplicate_kid_and_too_many_keys(void **state)
{
    ngx_chat_jwk_t more[NGX_CHAT_JWK_KEYS_MAX];
    size_t i;

    (void) state;

    memset(more, 0, sizeof(more));
    add_pem(ec, "one");
    more[0].kid = str("one");
    assert_string_equal(ngx_chat_jwk_add(&keys, &more[0]),
                        "has the kid of another key");

    more[0].kid = str("two");

    for (i = 0; i < NGX_CHAT_JWK_KEYS_MAX - 1; i++) {
        assert_null(ngx_chat_jwk_add(&keys, &more[i]));
    }

    assert_non_null(ngx_chat_jwk_add(&keys, &more[i]));
}


static void
test_issuer_and_audience_of_a_key(void **state)
{
    static const char *const bad[] = {
        ",\"iss\":\"https://id\"}",
        ",\"aud\":\"chat\"}",
        ",\"iss\":\"https://id\",\"aud\":\"other\"}",
        ",\"iss\":\"https://id\",\"aud\":[\"other\",\"chat2\",\"cha\"]}",
        ",\"iss\":\"https://id\",\"aud\":[]}",
        ",\"iss\":\"https://id\",\"aud\":[[\"chat\"],{\"chat\":1},5]}",
        ",\"iss\":\"https://id\",\"aud\":{\"chat\":\"chat\"}}",
        ",\"iss\":\"https://id\",\"aud\":[\"x\\u0000chat\",\"chat\\u0000\"]}",
        ",\"iss\":\"https://id/\",\"aud\":\"chat\"}",
        ",\"iss\":[\"https://id\"],\"aud\":\"chat\"}",
        ",\"iss\":5,\"aud\":\"chat\"}",
    };
    static const char *const good[] = {
        ",\"iss\":\"https://id\",\"aud\":\"chat\"}",
        ",\"aud\":[\"ch\\u0061t\"],\"iss\":\"https:\\/\\/id\"}",
        ",\"iss\":\"https://id\",\"aud\":[\"a\\nb\",5,[\"x\"],\"chat\"]}",
    };
    ngx_chat_jwk_t *key;
    char claims[256];
    size_t i;

    (void) state;

    key = add_pem(ed, NULL);
    key->issuer = str("https://id");
    key->audience = str("chat");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(claims, sizeof(claims), "{\"sub\":\"a\",\"exp\":1800000000%s",
                 bad[i]);
        assert_reason(verify(make_token(ed, "{\"alg\":\"EdDSA\"}", claims)),
                      "token_claims");
    }

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(claims, sizeof(claims), "{\"sub\":\"a\",\"exp\":1800000000%s",
                 good[i]);
        assert_good(verify(make_token(ed, "{\"alg\":\"EdDSA\"}", claims)));
    }

    assert_reason(verify(make_token(ed, "{\"alg\":\"EdDSA\"}", CLAIMS)),
                  "token_claims");
}


/* --- PEM */

static void
assert_pem_refused(const char *pem, const char *why)
{
    ngx_chat_jwk_t key;
    const char *error;

    error = take_pem(&key, pem);
    assert_non_null(error);

    if (strstr(error, why) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", why, error);
    }
}


static void
assert_key_refused(EVP_PKEY *pkey, const char *why)
{
    assert_non_null(pkey);
    assert_pem_refused(pem_of(pkey), why);
    EVP_PKEY_free(pkey);
}


static void
test_pem_of_unfit_keys(void **state)
{
    (void) state;

    assert_key_refused(EVP_RSA_gen(1024), "2048 to 4096 bits");
    assert_key_refused(EVP_RSA_gen(2040), "2048 to 4096 bits");
    assert_key_refused(EVP_EC_gen("P-384"), "P-256");
    assert_key_refused(EVP_EC_gen("secp256k1"), "P-256");
    assert_key_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), "of a type");
    assert_key_refused(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "of a type");
}


static void
test_pem_that_is_no_single_public_key(void **state)
{
    char text[16384];
    BIO *bio;
    int n;

    (void) state;

    bio = BIO_new(BIO_s_mem());
    assert_int_equal(
        PEM_write_bio_PrivateKey(bio, ec, NULL, NULL, 0, NULL, NULL), 1);
    n = BIO_read(bio, text, sizeof(text) - 1);
    text[n] = '\0';
    BIO_free(bio);
    assert_pem_refused(text, "private key");

    n = snprintf(text, sizeof(text), "%s", pem_of(ec));
    snprintf(text + n, sizeof(text) - (size_t) n, "%s", pem_of(rsa));
    assert_pem_refused(text, "one public key");

    text[n / 2] = '!';
    text[n] = '\0';
    assert_pem_refused(text, "one public key");
    assert_pem_refused("-----BEGIN PUBLIC KEY-----\n", "one public key");
    assert_pem_refused("-----BEGIN CERTIFICATE-----\nAAAA\n", "openssl x509");
    assert_pem_refused("-----BEGIN PUBLIC KEY-----\nAAAA\n"
                       "-----END PUBLIC KEY-----\n",
                       "one public key");
}


/* --- JWK Sets */

static void
test_set_with_keys_of_all_kinds(void **state)
{
    static const char one[] =
        EC(",\"kid\":\"a\",\"use\":\"sig\",\"alg\":\"ES256\"");
    static const char two[] =
        ED(",\"kid\":\"\\u0062\",\"key_ops\":[\"sign\",\"verify\"],\"x5c\":["
           "\"aaaa\"],\"more\":{\"d\":1}");
    char text[2048];

    (void) state;

    snprintf(text, sizeof(text),
             "{\"x\":[{\"keys\":1}],\"keys\" : [ %s , \n%s ] }", one, two);
    assert_int_equal(parse(text), NGX_OK);
    assert_string_equal(skipped, "");
    assert_int_equal(keys->alg, ngx_chat_jwk_es256);
    assert_int_equal(keys->next->alg, ngx_chat_jwk_eddsa);
    assert_null(keys->next->next);
    assert_int_equal(keys->next->kid.len, 1);
    assert_memory_equal(keys->next->kid.data, "b", 1);
}


static void
test_issuer_goes_to_every_key_of_a_set(void **state)
{
    (void) state;

    snprintf(issuer, sizeof(issuer), "https://id");
    snprintf(audience, sizeof(audience), "chat");
    assert_int_equal(parse(SET(EC("") "," ED(""))), NGX_OK);
    assert_memory_equal(keys->next->issuer.data, "https://id", 10);
    assert_memory_equal(keys->audience.data, "chat", 4);
}


static void
test_keys_for_other_purposes_are_left_out(void **state)
{
    (void) state;

    assert_skipped(EC(",\"use\":\"enc\""), "use");
    assert_skipped(EC(",\"key_ops\":[]"), "key_ops");
    assert_skipped(EC(",\"key_ops\":[\"sign\",\"verif\",\"verify2\"]"),
                   "key_ops");
    assert_skipped(EC(",\"alg\":\"ES384\""), "alg");
    assert_skipped(EC(",\"alg\":\"RS256\""), "alg");
    assert_skipped(EC(",\"alg\":\"HS256\""), "alg");
    assert_skipped("{\"kty\":\"RSA\",\"alg\":\"RS512\",\"n\":\"AQ\",\"e\":"
                   "\"AQAB\"}",
                   "alg");
    assert_skipped("{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AAAA\"}",
                   "kty");
    assert_skipped("{\"kty\":\"EC\",\"crv\":\"P-384\"," X "," Y "}", "crv");
    assert_skipped("{\"kty\":\"OKP\",\"crv\":\"X25519\"," ED_X "}", "crv");
    assert_skipped("{\"kty\":\"EC\"," X "," Y "}", "crv");
}


static void
test_sets_with_what_is_not_public_are_refused(void **state)
{
    (void) state;

    assert_refused(SET(EC(",\"d\":\"AAAA\"")), "private key");
    assert_int_equal(note_n, 1);
    assert_refused(SET(ED("") "," ED(",\"d\":\"AAAA\",\"use\":\"enc\"")),
                   "private key");
    assert_int_equal(note_n, 2);
    assert_refused(SET("{\"kty\":\"oct\",\"k\":\"AAAA\"}"), "secret");
    assert_refused(SET("{\"kty\":\"oct\"}"), "secret");
}


static void
test_sets_with_broken_keys_are_refused(void **state)
{
    (void) state;

    assert_refused(SET("{}"), "kty");
    assert_refused(SET("{\"kty\":5}"), "wrong type");
    assert_refused(SET(EC(",\"kid\":5")), "wrong type");
    assert_refused(SET(EC(",\"key_ops\":\"verify\"")), "wrong type");
    assert_refused(SET("{\"kty\":\"EC\",\"crv\":\"P-256\"," X "}"), "32 bytes");
    assert_refused(
        SET("{\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":\"AAAA\"}"),
        "32 bytes");
    assert_refused(SET("{\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":\"x_FEzR"
                       "u9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}"),
                   "base64url");
    assert_refused(SET("{\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":\"y_FEzR"
                       "u9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"),
                   "do not fit");
    assert_refused(SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}"),
                   "32 bytes");
    assert_refused(SET("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"),
                   "2048 to 4096 bits");
    assert_refused(SET("{\"kty\":\"RSA\",\"e\":\"AQAB\"}"), "");
    assert_refused(SET("{\"kty\":\"RSA\",\"n\":\"A=\",\"e\":\"AQAB\"}"),
                   "base64url");
    keys = NULL;
    assert_refused(SET(EC(",\"kid\":\"a\"") "," ED(",\"kid\":\"a\"")),
                   "kid of another key");
}


static void
test_rsa_numbers(void **state)
{
    char n[1024], text[2048];
    u_char bytes[600];
    BIGNUM *modulus = NULL;
    size_t i;
    const struct {
        const char *e, *why;
    } bad[] = {
        {"AA",         ""        },
        {"AQ",         "exponent"},
        {"Ag",         "exponent"},
        {"AQAA",       "exponent"},
        {"AQAAAAE",    "exponent"},
        {"AQAAAAAAAQ", "too long"}
    };

    (void) state;

    assert_int_equal(
        EVP_PKEY_get_bn_param(rsa, OSSL_PKEY_PARAM_RSA_N, &modulus), 1);
    encode(n, bytes, (size_t) BN_bn2bin(modulus, bytes));
    BN_free(modulus);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text),
                 SET("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}"), n,
                 bad[i].e);
        assert_refused(text, bad[i].why);
    }

    /* 2^2048 - 1 is a multiple of 3 */
    memset(bytes, 0xff, sizeof(bytes));
    encode(n, bytes, 256);
    snprintf(text, sizeof(text),
             SET("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}"), n);
    assert_refused(text, "do not fit");
    encode(n, bytes, 513);
    snprintf(text, sizeof(text),
             SET("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}"), n);
    assert_refused(text, "4096");
    encode(n, bytes, 530);
    snprintf(text, sizeof(text),
             SET("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}"), n);
    assert_refused(text, "too long");
}


static void
test_texts_that_are_no_set(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "null",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[1]}",
        "{\"keys\":[[]]}",
        "{\"keys\":[" ED("") ",]}",
        "{\"keys\":[" ED("") " " ED("") "]}",
        "{\"keys\":[" ED("") "]",
        "{\"keys\":[" ED("") "]} x",
        "{\"keys\":[" ED("") "],\"keys\":[]}",
        "{\"x\":{\"keys\":[" ED("") "]}}",
        "{\"keys\":[" ED("," ED_X) "]}",
        "{\"keys\":[" ED(",\"kid\":\"\xff\"") "]}",
        ED(""),
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(bad[i], "is not a JWK Set");
        assert_int_equal(note_n, 0);
    }

    assert_refused("{\"keys\":[]}", "has no key");
    assert_refused(SET("{\"kty\":\"EC\",\"crv\":\"P-521\"}"), "has no key");
}


static void
test_no_memory(void **state)
{
    ngx_chat_jwk_t key;

    (void) state;

    pool.fail = 1;
    assert_refused(SET(ED(",\"kid\":\"a\"")), "no memory");
    assert_non_null(strstr(take_pem(&key, pem_of(ec)), "no memory"));
}


int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_rfc7515_a2_rs256),
        TEST(test_rfc7515_a3_es256),
        TEST(test_rfc8037_a4_eddsa),
        TEST(test_each_algorithm_with_its_pem),
        TEST(test_signature_of_one_algorithm_under_the_name_of_another),
        TEST(test_other_algorithms_are_refused),
        TEST(test_public_key_as_a_secret),
        TEST(test_no_form_of_a_public_key_is_taken_as_a_secret),
        TEST(test_es256_signature_must_be_64_raw_bytes),
        TEST(test_kid_chooses_the_key),
        TEST(test_key_without_kid_serves_kids_that_no_key_has),
        TEST(test_kid_of_another_algorithm),
        TEST(test_duplicate_kid_and_too_many_keys),
        TEST(test_issuer_and_audience_of_a_key),
        TEST(test_pem_of_unfit_keys),
        TEST(test_pem_that_is_no_single_public_key),
        TEST(test_set_with_keys_of_all_kinds),
        TEST(test_issuer_goes_to_every_key_of_a_set),
        TEST(test_keys_for_other_purposes_are_left_out),
        TEST(test_sets_with_what_is_not_public_are_refused),
        TEST(test_sets_with_broken_keys_are_refused),
        TEST(test_rsa_numbers),
        TEST(test_texts_that_are_no_set),
        TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
