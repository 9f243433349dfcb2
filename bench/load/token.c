/*
 * Tokens of token.h, with OpenSSL's HMAC (RFC 7515, A.1).
 */

#include "token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOKEN_KEY_MAX 4096
#define TOKEN_LIFE_S  86400


/* RFC 4648, 5: without padding; len at most 768. */
static void
token_put_base64url(struct buf *out, const void *data, size_t len)
{
    unsigned char text[1028];
    int n = EVP_EncodeBlock(text, data, (int) len);

    for (int i = 0; i < n && text[i] != '='; i++) {
        buf_put_char(out, text[i] == '+'   ? '-'
                          : text[i] == '/' ? '_'
                                           : (char) text[i]);
    }
}


void
token_put(struct buf *out, const char *user, struct str key)
{
    static const char head[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    char claims[256];
    struct buf text;
    int n;

    buf_init(&text);
    n = snprintf(claims, sizeof(claims), "{\"sub\":\"%s\",\"exp\":%lld}", user,
                 (long long) time(NULL) + TOKEN_LIFE_S);
    token_put_base64url(&text, head, sizeof(head) - 1);
    buf_put_char(&text, '.');
    token_put_base64url(&text, claims, (size_t) n);

    HMAC(EVP_sha256(), key.data, (int) key.len, (unsigned char *) text.data,
         text.len, mac, &mac_len);

    buf_put_str(out, buf_str(&text));
    buf_put_char(out, '.');
    token_put_base64url(out, mac, mac_len);
    buf_clear(&text);
}


struct str
token_read_key(const char *path)
{
    char *data = malloc(TOKEN_KEY_MAX);
    FILE *f = fopen(path, "r");
    size_t n;

    if (f == NULL || data == NULL) {
        perror(path);
        free(data);
        if (f != NULL) {
            fclose(f);
        }
        return (struct str){NULL, 0};
    }

    n = fread(data, 1, TOKEN_KEY_MAX, f);
    fclose(f);

    if (n > 0 && data[n - 1] == '\n') {
        n--;
    }

    return (struct str){data, n};
}
