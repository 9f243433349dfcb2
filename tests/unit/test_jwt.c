/*
 * ngx_chat_jwt.c and ngx_chat_claims.c: which tokens are good, and which of
 * the stable reasons each bad one gets.  Tokens are signed here, with an
 * encoder of the test's own.
 */

#include "ngx_chat_jwt.h"

#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define NOW    1700000000
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD   "{\"sub\":\"alice\",\"exp\":1700000001}"

static u_char key_bytes[] = "0123456789abcdef0123456789abcdef";
static ngx_str_t key = {sizeof(key_bytes) - 1, key_bytes};

static ngx_pool_t pool;
static ngx_chat_jwt_t jwt;
static char token[20000];
static size_t token_len;


static int
start(void **state)
{
    (void) state;

    pool.fail = 0;
    memset(&jwt, 0, sizeof(jwt));

    return 0;
}


static int
stop(void **state)
{
    (void) state;

    nginx_shim_clear_pool(&pool);

    return 0;
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

    return n;
}


static void
append_signature(void)
{
    u_char md[EVP_MAX_MD_SIZE];
    unsigned int len;

    HMAC(EVP_sha256(), key.data, (int) key.len, (u_char *) token, token_len, md,
         &len);

    token[token_len++] = '.';
    token_len += encode(token + token_len, md, len);
}


static void
make_token_bytes(const char *header, const void *claims, size_t len)
{
    token_len = encode(token, header, strlen(header));
    token[token_len++] = '.';
    token_len += encode(token + token_len, claims, len);
    append_signature();
}


static void
make_token(const char *header, const char *claims)
{
    make_token_bytes(header, claims, strlen(claims));
}


/* The reason for a token, "" when it is good; it must lie unchanged. */
static const char *
verify_bytes(const char *bytes, size_t len)
{
    static char reason[32];
    ngx_chat_jwk_t keys = {.alg = ngx_chat_jwk_hs256, .secret = key};
    ngx_str_t text, *word;

    text.len = len;
    text.data = malloc(len ? len : 1);
    assert_non_null(text.data);
    memcpy(text.data, bytes, len);

    word = ngx_chat_jwt_reason(
        ngx_chat_jwt_verify(&text, &keys, NOW, &pool, &jwt));
    assert_memory_equal(text.data, bytes, len);
    free(text.data);

    snprintf(reason, sizeof(reason), "%.*s", (int) word->len,
             word->data ? (char *) word->data : "");

    return reason;
}


static const char *
verify(void)
{
    return verify_bytes(token, token_len);
}


static const char *
verify_claims(const char *claims)
{
    make_token(HEADER, claims);

    return verify();
}


static const char *
verify_header(const char *header)
{
    make_token(header, GOOD);

    return verify();
}


#define assert_good(call)    assert_string_equal(call, "")
#define assert_reason(c, r)  assert_string_equal(c, r)
#define assert_malformed(c)  assert_string_equal(c, "token_malformed")
#define assert_claims(call)  assert_string_equal(call, "token_claims")
#define assert_expired(call) assert_string_equal(call, "token_expired")


static void
assert_text(ngx_str_t *s, const char *want)
{
    assert_int_equal(s->len, strlen(want));

    if (s->len) {
        assert_memory_equal(s->data, want, s->len);
    }
}


/* A token of another maker, with the same key. */
static void
test_known_token(void **state)
{
    static const char known[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
                                "eyJzdWIiOiJhbGljZSIsImV4cCI6MTgwMDAwMDAwMH0."
                                "kJ8xUytQEIUTFu29mVzNmMT9e6HbryimPe6vSWP4YHA";

    (void) state;

    assert_good(verify_bytes(known, sizeof(known) - 1));
    assert_text(&jwt.user, "alice");
    assert_int_equal(jwt.expires_at, 1800000000);
}


static void
test_all_claims_are_handed_out(void **state)
{
    (void) state;

    assert_good(verify_claims(
        "{\"iss\":\"x\",\"sub\":\"Alice.B_c@d+e-9\",\"dev\":\"web-1\","
        "\"jti\":\"login 7\",\"iat\":1699999999,\"nbf\":1700000000,"
        "\"exp\":1700000600}"));
    assert_text(&jwt.user, "Alice.B_c@d+e-9");
    assert_text(&jwt.device, "web-1");
    assert_text(&jwt.jti, "login 7");
    assert_int_equal(jwt.issued_at, 1699999999);
    assert_int_equal(jwt.expires_at, 1700000600);
}


static void
test_optional_claims_may_be_absent(void **state)
{
    (void) state;

    assert_good(verify_claims(GOOD));
    assert_text(&jwt.user, "alice");
    assert_text(&jwt.device, "");
    assert_text(&jwt.jti, "");
    assert_int_equal(jwt.issued_at, 0);
}


static void
test_no_memory_is_not_the_clients_fault(void **state)
{
    (void) state;

    pool.fail = 1;
    assert_reason(verify_claims(GOOD), "internal");
}


static void
test_every_changed_character_is_noticed(void **state)
{
    size_t i;
    char c;

    (void) state;

    make_token(HEADER, GOOD);

    for (i = 0; i < token_len; i++) {
        c = token[i];
        token[i] = c == 'A' ? 'B' : 'A';
        assert_string_not_equal(verify(), "");
        token[i] = c;
    }

    assert_good(verify());
}


static void
test_every_truncated_token_is_refused(void **state)
{
    size_t i;

    (void) state;

    make_token(HEADER, GOOD);

    for (i = 0; i < token_len; i++) {
        assert_string_not_equal(verify_bytes(token, i), "");
    }
}


static void
test_signature_of_another_key(void **state)
{
    (void) state;

    make_token(HEADER, GOOD);
    key_bytes[0] = 'x';
    assert_reason(verify(), "token_signature");
    key_bytes[0] = '0';
}


static void
test_signature_absent(void **state)
{
    char *dot;

    (void) state;

    make_token(HEADER, GOOD);
    dot = memchr(token, '.', token_len);
    dot = memchr(dot + 1, '.', token_len - (size_t) (dot + 1 - token));

    assert_reason(verify_bytes(token, (size_t) (dot + 1 - token)),
                  "token_signature");
    assert_malformed(verify_bytes(token, (size_t) (dot - token)));
}


static void
test_signature_of_another_length(void **state)
{
    (void) state;

    make_token(HEADER, GOOD);
    assert_reason(verify_bytes(token, token_len - 3), "token_signature");

    memset(token + token_len, 'A', 4000);
    assert_reason(verify_bytes(token, token_len + 4), "token_signature");
    assert_reason(verify_bytes(token, token_len + 4000), "token_signature");
}


static void
test_forged_claims_are_not_looked_at(void **state)
{
    (void) state;

    make_token(HEADER, "not JSON at all");
    token[token_len - 2] = token[token_len - 2] == 'A' ? 'B' : 'A';
    assert_reason(verify(), "token_signature");
}


static void
test_alg_none_is_refused(void **state)
{
    char *dot;

    (void) state;

    assert_reason(verify_header("{\"alg\":\"none\"}"), "token_algorithm");

    /* with an empty signature, as the attack has it */
    dot = memchr(token, '.', token_len);
    dot = memchr(dot + 1, '.', token_len - (size_t) (dot + 1 - token));
    assert_reason(verify_bytes(token, (size_t) (dot + 1 - token)),
                  "token_algorithm");
}


static void
test_other_algorithms_are_refused(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"HS384\"}",   "{\"alg\":\"HS512\"}",
        "{\"alg\":\"RS256\"}",   "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS256 \"}",  "{\"alg\":\"HS25\"}",
        "{\"alg\":\"\"}",        "{\"alg\":\"HS256\\u0000\"}",
        "{\"alg\":[\"HS256\"]}", "{\"alg\":{\"alg\":\"HS256\"}}",
        "{\"alg\":256}",         "{\"alg\":null}",
        "{\"Alg\":\"HS256\"}",   "{}",
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_reason(verify_header(headers[i]), "token_algorithm");
    }
}


static void
test_alg_may_be_written_with_escapes(void **state)
{
    (void) state;

    assert_good(verify_header("{\"\\u0061lg\":\"\\u0048S256\"}"));
}


static void
test_crit_is_refused(void **state)
{
    (void) state;

    assert_reason(verify_header("{\"alg\":\"HS256\",\"crit\":[\"b64\"],"
                                "\"b64\":false}"),
                  "token_algorithm");
    assert_reason(verify_header("{\"alg\":\"HS256\",\"crit\":null}"),
                  "token_algorithm");
}


static void
test_other_header_members_are_ignored(void **state)
{
    (void) state;

    assert_good(verify_header("{\"kid\":\"1\",\"alg\":\"HS256\","
                              "\"x\":[1,{\"crit\":1}]}"));
}


static void
test_header_that_is_no_object(void **state)
{
    static const char *const headers[] = {
        "",      "null", "\"HS256\"", "[\"alg\",\"HS256\"]",
        "{",     "{}}",  "{} {}",     "{\"alg\":\"HS256\"}x",
        "HS256",
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_malformed(verify_header(headers[i]));
    }
}


static void
test_number_of_parts(void **state)
{
    (void) state;

    assert_malformed(verify_bytes("", 0));
    assert_malformed(verify_bytes(".", 1));
    assert_malformed(verify_bytes("..", 2));
    assert_malformed(verify_bytes("abc", 3));

    make_token(HEADER, GOOD);
    token[token_len++] = '.';
    assert_malformed(verify());
}


static void
test_base64url_is_strict(void **state)
{
    static const char *const junk[] = {"=", " ", "\n", "+", "/", "\x80", "%3D"};
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        make_token(HEADER, GOOD);
        memcpy(token + token_len, junk[i], strlen(junk[i]));
        assert_malformed(verify_bytes(token, token_len + strlen(junk[i])));

        /* in the claims, signed */
        token_len = encode(token, HEADER, sizeof(HEADER) - 1);
        token[token_len++] = '.';
        token_len += encode(token + token_len, GOOD, sizeof(GOOD) - 1);
        memcpy(token + token_len, junk[i], strlen(junk[i]));
        token_len += strlen(junk[i]);
        append_signature();
        assert_malformed(verify());
    }
}


/* Header of 3 n + 1 or 3 n + 2 bytes: bits are left in the last character. */
static void
test_base64url_has_one_form_only(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"HS256\"}  ",
        "{\"alg\":\"HS256\"} ",
    };
    size_t i, last;

    (void) state;

    for (i = 0; i < 2; i++) {
        last = encode(token, headers[i], strlen(headers[i])) - 1;
        assert_true((last + 1) % 4 == 2 || (last + 1) % 4 == 3);

        make_token(headers[i], GOOD);
        assert_good(verify());

        token_len = last + 1;
        token[last]++;
        token[token_len++] = '.';
        token_len += encode(token + token_len, GOOD, sizeof(GOOD) - 1);
        append_signature();
        assert_malformed(verify());
    }
}


static void
test_base64url_of_one_character_is_refused(void **state)
{
    (void) state;

    token_len = encode(token, HEADER, sizeof(HEADER) - 1);
    token[token_len++] = '.';
    token_len += encode(token + token_len, "abcdef", 6);
    token[token_len++] = 'A';
    append_signature();
    assert_malformed(verify());
}


static void
test_token_of_8192_bytes_and_above(void **state)
{
    static char claims[9000];
    size_t len;

    (void) state;

    memset(claims, ' ', sizeof(claims));
    memcpy(claims, GOOD, sizeof(GOOD) - 1);

    /* header, dot, claims, dot, 43 characters of signature */
    len = NGX_CHAT_JWT_TOKEN_MAX - encode(token, HEADER, sizeof(HEADER) - 1) - 2
          - 43;
    len = len * 3 / 4;

    make_token_bytes(HEADER, claims, len);
    assert_int_equal(token_len, NGX_CHAT_JWT_TOKEN_MAX);
    assert_good(verify());

    make_token_bytes(HEADER, claims, len + 1);
    assert_int_equal(token_len, NGX_CHAT_JWT_TOKEN_MAX + 1);
    assert_malformed(verify());
}


static void
test_sub_is_required_and_a_user_id(void **state)
{
    static const char *const subs[] = {
        "null",  "1",           "true",         "\"\"",     "\"a b\"",
        "{}",    "[\"a\"]",     "\"a/b\"",      "\"a\\n\"", "\"a\\u0000\"",
        "\"~\"", "\"\\u00e9\"", "\"\xc3\xa9\"", "\"a:b\"",  "\"[\"",
    };
    char claims[200];
    size_t i;

    (void) state;

    assert_claims(verify_claims("{\"exp\":1800000000}"));

    for (i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
        snprintf(claims, sizeof(claims), "{\"exp\":1800000000,\"sub\":%s}",
                 subs[i]);
        assert_claims(verify_claims(claims));
    }
}


static void
test_ids_of_64_bytes_and_above(void **state)
{
    char claims[300], id[66];

    (void) state;

    memset(id, 'a', sizeof(id));

    snprintf(claims, sizeof(claims),
             "{\"exp\":1800000000,\"sub\":\"%.64s\",\"dev\":\"%.64s\"}", id,
             id);
    assert_good(verify_claims(claims));
    assert_int_equal(jwt.user.len, 64);
    assert_int_equal(jwt.device.len, 64);

    snprintf(claims, sizeof(claims), "{\"exp\":1800000000,\"sub\":\"%.65s\"}",
             id);
    assert_claims(verify_claims(claims));

    snprintf(claims, sizeof(claims),
             "{\"exp\":1800000000,\"sub\":\"a\",\"dev\":\"%.65s\"}", id);
    assert_claims(verify_claims(claims));
}


static void
test_id_characters(void **state)
{
    u_char id[2] = {'a', 0};
    int c, want;

    (void) state;

    for (c = 0; c < 256; c++) {
        id[1] = (u_char) c;
        want = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
               || (c >= '0' && c <= '9') || (c && strchr("_.@+-", c) != NULL);

        assert_int_equal(ngx_chat_jwt_id_valid(id, 2), want);
    }

    assert_int_equal(ngx_chat_jwt_id_valid(id, 0), 0);
}


static void
test_dev_must_be_a_device_id(void **state)
{
    (void) state;

    assert_claims(
        verify_claims("{\"sub\":\"a\",\"exp\":1800000000,\"dev\":\"\"}"));
    assert_claims(
        verify_claims("{\"sub\":\"a\",\"exp\":1800000000,\"dev\":\"a b\"}"));
    assert_claims(
        verify_claims("{\"sub\":\"a\",\"exp\":1800000000,\"dev\":null}"));
    assert_claims(
        verify_claims("{\"sub\":\"a\",\"exp\":1800000000,\"dev\":7}"));
}


static void
test_jti_of_1_to_128_printable_bytes(void **state)
{
    static const char *const jtis[] = {
        "\"\"", "\"a\\u0007\"", "\"\\u007f\"", "\"\xc3\xa9\"", "7", "null",
    };
    char claims[400], jti[130];
    size_t i;

    (void) state;

    memset(jti, '~', sizeof(jti));

    snprintf(claims, sizeof(claims),
             "{\"sub\":\"a\",\"exp\":1800000000,\"jti\":\"%.128s\"}", jti);
    assert_good(verify_claims(claims));
    assert_int_equal(jwt.jti.len, 128);

    snprintf(claims, sizeof(claims),
             "{\"sub\":\"a\",\"exp\":1800000000,\"jti\":\"%.129s\"}", jti);
    assert_claims(verify_claims(claims));

    for (i = 0; i < sizeof(jtis) / sizeof(jtis[0]); i++) {
        snprintf(claims, sizeof(claims),
                 "{\"sub\":\"a\",\"exp\":1800000000,\"jti\":%s}", jtis[i]);
        assert_claims(verify_claims(claims));
    }
}


static const char *
verify_exp(const char *exp)
{
    char claims[10000];

    snprintf(claims, sizeof(claims), "{\"sub\":\"a\",\"exp\":%s}", exp);

    return verify_claims(claims);
}


static void
test_exp_is_required(void **state)
{
    (void) state;

    assert_claims(verify_claims("{\"sub\":\"a\"}"));
    assert_claims(verify_exp("null"));
    assert_claims(verify_exp("\"1800000000\""));
    assert_claims(verify_exp("[1800000000]"));
    assert_claims(verify_exp("true"));
}


static void
test_exp_has_no_leeway(void **state)
{
    (void) state;

    assert_good(verify_exp("1700000001"));
    assert_expired(verify_exp("1700000000"));
    assert_expired(verify_exp("1699999999"));
    assert_expired(verify_exp("0"));
    assert_expired(verify_exp("-0"));
    assert_expired(verify_exp("-1800000000"));
    assert_expired(verify_exp("-1e300"));
}


static void
test_exp_in_every_form_of_a_number(void **state)
{
    static const struct {
        const char *text;
        time_t want;
    } rows[] = {
        {"1800000000.0",                         1800000000           },
        {"1800000000.25",                        1800000001           },
        {"1800000000.000",                       1800000000           },
        {"1.8e9",                                1800000000           },
        {"1.8E+9",                               1800000000           },
        {"1.8e09",                               1800000000           },
        {"18e8",                                 1800000000           },
        {"1800000000e0",                         1800000000           },
        {"18000000000e-1",                       1800000000           },
        {"18000000001e-1",                       1800000001           },
        {"0.0018e12",                            1800000000           },
        {"0.00180000000001e12",                  1800000001           },
        {"1700000000.0000000000000000000000001", 1700000001           },
        {"1800000000123",                        NGX_CHAT_JWT_TIME_MAX},
        {"253402300799",                         NGX_CHAT_JWT_TIME_MAX},
        {"253402300799.5",                       NGX_CHAT_JWT_TIME_MAX},
        {"1e18",                                 NGX_CHAT_JWT_TIME_MAX},
        {"18446744073709551616",                 NGX_CHAT_JWT_TIME_MAX},
        {"1e308",                                NGX_CHAT_JWT_TIME_MAX},
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_good(verify_exp(rows[i].text));
        assert_int_equal(jwt.expires_at, rows[i].want);
    }
}


static void
test_exp_must_be_finite(void **state)
{
    char digits[1001];

    (void) state;

    assert_claims(verify_exp("1e400"));
    assert_claims(verify_exp("-1e400"));
    assert_claims(verify_exp("1e309"));
    assert_claims(verify_exp("1e99999999999999999999999999"));
    assert_claims(verify_exp("0.1e311"));

    memset(digits, '9', 1000);
    digits[1000] = '\0';
    assert_claims(verify_exp(digits));

    /* nothing times anything is nothing */
    assert_expired(verify_exp("0e99999999999999999999999999"));
    assert_expired(verify_exp("0.000e400"));
    assert_expired(verify_exp("1e-400"));
    assert_expired(verify_exp("1e-99999999999999999999999999"));
}


static void
test_exp_number_grammar(void **state)
{
    static const char *const numbers[] = {
        "01800000000",
        "+1800000000",
        "1800000000.",
        ".5",
        "1.8e",
        "1.8e+",
        "-",
        "NaN",
        "Infinity",
        "0x6b49d200",
        "1_800",
        "- 1",
        "",
        "1.8e9.5",
        "1,8",
        "--1",
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_malformed(verify_exp(numbers[i]));
    }
}


static const char *
verify_with(const char *name, const char *value)
{
    char claims[200];

    snprintf(claims, sizeof(claims),
             "{\"sub\":\"a\",\"exp\":1800000000,\"%s\":%s}", name, value);

    return verify_claims(claims);
}


static void
test_nbf_in_the_future_is_refused(void **state)
{
    (void) state;

    assert_good(verify_with("nbf", "1700000000"));
    assert_good(verify_with("nbf", "0"));
    assert_good(verify_with("nbf", "-5"));
    assert_reason(verify_with("nbf", "1700000001"), "token_not_yet_valid");
    assert_reason(verify_with("nbf", "1700000000.5"), "token_not_yet_valid");
    assert_reason(verify_with("nbf", "1e300"), "token_not_yet_valid");
    assert_claims(verify_with("nbf", "\"0\""));
    assert_claims(verify_with("nbf", "null"));
    assert_claims(verify_with("nbf", "1e999"));
}


static void
test_expired_goes_before_not_yet_valid(void **state)
{
    (void) state;

    assert_expired(
        verify_claims("{\"sub\":\"a\",\"exp\":1,\"nbf\":1800000000}"));
}


static void
test_iat_in_the_future_is_ignored(void **state)
{
    (void) state;

    assert_good(verify_with("iat", "1900000000"));
    assert_int_equal(jwt.issued_at, 1900000000);
    assert_good(verify_with("iat", "1699999999.9"));
    assert_int_equal(jwt.issued_at, 1699999999);
    assert_claims(verify_with("iat", "\"now\""));
    assert_claims(verify_with("iat", "1e999"));
}


static void
test_duplicate_names_are_malformed(void **state)
{
    (void) state;

    assert_malformed(verify_claims("{\"sub\":\"a\",\"sub\":\"a\",\"exp\":1}"));
    assert_malformed(
        verify_claims("{\"sub\":\"a\",\"s\\u0075b\":\"b\",\"exp\":1}"));
    assert_malformed(verify_with("x", "{\"y\":1,\"y\":1}"));
    assert_malformed(verify_with("x", "[{\"\":1,\"\":2}]"));
    assert_malformed(verify_header("{\"alg\":\"none\",\"alg\":\"HS256\"}"));

    /* the same name in different objects is none */
    assert_good(verify_with("x", "{\"sub\":{\"sub\":1},\"y\":{\"sub\":2}}"));
    assert_good(verify_with("x", "[{\"y\":1},{\"y\":2}]"));
}


static void
test_claims_inside_other_claims_do_not_count(void **state)
{
    (void) state;

    assert_good(
        verify_with("x", "{\"sub\":\"mallory\",\"exp\":0,\"nbf\":9e9}"));
    assert_text(&jwt.user, "a");
    assert_claims(verify_claims("{\"x\":{\"sub\":\"a\"},\"exp\":1800000000}"));
}


static void
test_depth_of_8_and_9(void **state)
{
    (void) state;

    /* the claims themselves are the first level */
    assert_good(verify_with("x", "[[[[[[[]]]]]]]"));
    assert_malformed(verify_with("x", "[[[[[[[[]]]]]]]]"));
    assert_good(verify_with("x", "{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":"
                                 "{}}}}}}}"));
    assert_malformed(verify_with("x", "{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":"
                                      "{\"x\":{\"x\":{}}}}}}}}"));

    /* depth ends with its object */
    assert_good(verify_with("x", "[[],[],[],[],[],[],[],[],[],[]]"));
}


static void
test_number_of_names(void **state)
{
    char claims[6000];
    size_t i, len;

    (void) state;

    len = (size_t) snprintf(claims, sizeof(claims),
                            "{\"sub\":\"a\",\"exp\":1800000000");

    for (i = 3; i <= 256; i++) {
        len += (size_t) snprintf(claims + len, sizeof(claims) - len,
                                 ",\"k%zu\":%zu", i, i);
    }

    snprintf(claims + len, sizeof(claims) - len, "}");
    assert_good(verify_claims(claims));

    snprintf(claims + len, sizeof(claims) - len, ",\"one more\":1}");
    assert_malformed(verify_claims(claims));
}


static void
test_json_values_that_are_left_out(void **state)
{
    static const char *const good[] = {
        "true",
        "false",
        "null",
        "-0.5e-3",
        "[1, 2 ,3]",
        " { } ",
        "[ ]",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\ud83d\\ude00\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"\\u0000\"",
    };
    static const char *const bad[] = {
        "tru",
        "TRUE",
        "nul",
        "truex",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\u0041\"",
        "\"\n\"",
        "\"\x1f\"",
        "'a'",
        "1 2",
        "/* */ 1",
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_good(verify_with("x", good[i]));
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_malformed(verify_with("x", bad[i]));
    }
}


static void
test_white_space_is_json_white_space(void **state)
{
    (void) state;

    assert_good(verify_claims(
        " \t\r\n{ \"sub\" : \"a\" ,\n\"exp\" :\t1800000000 }\r\n "));
    assert_malformed(verify_claims("\v{\"sub\":\"a\",\"exp\":1800000000}"));
    assert_malformed(
        verify_claims("\xef\xbb\xbf{\"sub\":\"a\",\"exp\":1800000000}"));
}


static void
test_claims_must_be_utf8(void **state)
{
    (void) state;

    assert_malformed(verify_with("x", "\"\xff\""));
    assert_malformed(verify_with("x", "\"\xed\xa0\x80\""));
    assert_malformed(verify_claims(GOOD "\xe2\x82"));
}


static void
test_claims_with_a_nul_byte(void **state)
{
    static const char claims[] = GOOD "\0";

    (void) state;

    make_token_bytes(HEADER, claims, sizeof(claims) - 1);
    assert_malformed(verify());
}


static void
test_every_truncated_object_is_malformed(void **state)
{
    static const char claims[] =
        "{\"sub\":\"a\",\"exp\":1800000000,\"x\":[{\"y\":\"\\ud83d\\ude00\"},"
        "true,null,-1.5e-3]}";
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(claims) - 1; i++) {
        make_token_bytes(HEADER, claims, i);
        assert_malformed(verify());
    }

    assert_good(verify_claims(claims));
}


#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_known_token),
        TEST(test_all_claims_are_handed_out),
        TEST(test_optional_claims_may_be_absent),
        TEST(test_no_memory_is_not_the_clients_fault),
        TEST(test_every_changed_character_is_noticed),
        TEST(test_every_truncated_token_is_refused),
        TEST(test_signature_of_another_key),
        TEST(test_signature_absent),
        TEST(test_signature_of_another_length),
        TEST(test_forged_claims_are_not_looked_at),
        TEST(test_alg_none_is_refused),
        TEST(test_other_algorithms_are_refused),
        TEST(test_alg_may_be_written_with_escapes),
        TEST(test_crit_is_refused),
        TEST(test_other_header_members_are_ignored),
        TEST(test_header_that_is_no_object),
        TEST(test_number_of_parts),
        TEST(test_base64url_is_strict),
        TEST(test_base64url_has_one_form_only),
        TEST(test_base64url_of_one_character_is_refused),
        TEST(test_token_of_8192_bytes_and_above),
        TEST(test_sub_is_required_and_a_user_id),
        TEST(test_ids_of_64_bytes_and_above),
        TEST(test_id_characters),
        TEST(test_dev_must_be_a_device_id),
        TEST(test_jti_of_1_to_128_printable_bytes),
        TEST(test_exp_is_required),
        TEST(test_exp_has_no_leeway),
        TEST(test_exp_in_every_form_of_a_number),
        TEST(test_exp_must_be_finite),
        TEST(test_exp_number_grammar),
        TEST(test_nbf_in_the_future_is_refused),
        TEST(test_expired_goes_before_not_yet_valid),
        TEST(test_iat_in_the_future_is_ignored),
        TEST(test_duplicate_names_are_malformed),
        TEST(test_claims_inside_other_claims_do_not_count),
        TEST(test_depth_of_8_and_9),
        TEST(test_number_of_names),
        TEST(test_json_values_that_are_left_out),
        TEST(test_white_space_is_json_white_space),
        TEST(test_claims_must_be_utf8),
        TEST(test_claims_with_a_nul_byte),
        TEST(test_every_truncated_object_is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
