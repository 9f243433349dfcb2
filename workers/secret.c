/* See secret.h. */

#include "secret.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define LOG_N 15
#define R     8
#define P     1

/* Of what a secret from the store may ask for. */
#define LOG_N_MAX  20
#define FACTOR_MAX 64
#define MEMORY_MAX ((uint64_t) 64 << 20)

#define SALT_LEN    16
#define HASH_LEN    32
#define SALT_BASE64 22 /* characters, without padding */
#define HASH_BASE64 43
#define BLOCK_MAX   48 /* of base64, with padding and a NUL */

struct parameters {
    unsigned log_n;
    unsigned r;
    unsigned p;
};

static const struct parameters present = {LOG_N, R, P};

static int
derive(unsigned char hash[HASH_LEN], const struct parameters *q,
       const unsigned char salt[SALT_LEN], struct str password)
{
    return EVP_PBE_scrypt(password.data, password.len, salt, SALT_LEN,
                          (uint64_t) 1 << q->log_n, q->r, q->p, MEMORY_MAX,
                          hash, HASH_LEN)
                   == 1
               ? 0
               : -1;
}

static void
put_base64(char *out, size_t chars, const unsigned char *data, int len)
{
    unsigned char block[BLOCK_MAX];

    EVP_EncodeBlock(block, data, len);
    memcpy(out, block, chars);
    out[chars] = '\0';
}

static int
get_base64(unsigned char *out, size_t len, const char *text, size_t chars)
{
    unsigned char block[BLOCK_MAX], bytes[BLOCK_MAX];
    size_t padded = (chars + 3) / 4 * 4;

    memset(block, '=', sizeof(block));
    memcpy(block, text, chars);
    if (EVP_DecodeBlock(bytes, block, (int) padded) < (int) len) {
        return -1;
    }
    memcpy(out, bytes, len);
    return 0;
}

int
secret_make(char out[SECRET_SIZE], struct str password)
{
    unsigned char salt[SALT_LEN], hash[HASH_LEN];
    char salt_text[BLOCK_MAX], hash_text[BLOCK_MAX];

    if (RAND_bytes(salt, sizeof(salt)) != 1
        || derive(hash, &present, salt, password) != 0) {
        return -1;
    }
    put_base64(salt_text, SALT_BASE64, salt, SALT_LEN);
    put_base64(hash_text, HASH_BASE64, hash, HASH_LEN);
    (void) snprintf(out, SECRET_SIZE, "$scrypt$ln=%u,r=%u,p=%u$%s$%s",
                    present.log_n, present.r, present.p, salt_text, hash_text);
    OPENSSL_cleanse(hash, sizeof(hash));
    OPENSSL_cleanse(hash_text, sizeof(hash_text));
    return 0;
}

static int
parse(struct str secret, struct parameters *q, unsigned char salt[SALT_LEN],
      unsigned char hash[HASH_LEN])
{
    char text[SECRET_SIZE];
    int at = 0;

    if (secret.len >= sizeof(text)) {
        return -1;
    }
    memcpy(text, secret.data, secret.len);
    text[secret.len] = '\0';
    if (sscanf(text, "$scrypt$ln=%2u,r=%2u,p=%2u$%n", &q->log_n, &q->r, &q->p,
               &at)
            != 3
        || at == 0 || q->log_n < 1 || q->log_n > LOG_N_MAX || q->r < 1
        || q->r > FACTOR_MAX || q->p < 1 || q->p > FACTOR_MAX
        || strlen(text + at) != SALT_BASE64 + 1 + HASH_BASE64
        || text[at + SALT_BASE64] != '$') {
        return -1;
    }
    return get_base64(salt, SALT_LEN, text + at, SALT_BASE64) != 0
                   || get_base64(hash, HASH_LEN, text + at + SALT_BASE64 + 1,
                                 HASH_BASE64)
                          != 0
               ? -1
               : 0;
}

enum secret_result
secret_check(struct str secret, struct str password, bool *weak)
{
    unsigned char salt[SALT_LEN], want[HASH_LEN], hash[HASH_LEN];
    struct parameters q;
    bool same;

    *weak = false;
    if (parse(secret, &q, salt, want) != 0
        || derive(hash, &q, salt, password) != 0) {
        return SECRET_FAILED;
    }
    *weak = q.log_n < present.log_n || q.r < present.r || q.p < present.p;
    same = CRYPTO_memcmp(hash, want, sizeof(hash)) == 0;
    OPENSSL_cleanse(hash, sizeof(hash));
    return same ? SECRET_GOOD : SECRET_WRONG;
}

struct str
secret_of_nobody(void)
{
    /* whoever finds what hashes to zeros is told that he is wrong all the
     * same: login.c looks at whose secret it was */
    return STR("$scrypt$ln=15,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}
