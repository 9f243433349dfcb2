/*
 * permessage-deflate: the input as the payload of a message, in pieces cut as
 * its first byte says, must give what it gives in one piece and never more
 * than the limit; as a message it must come back from its own payload; and as
 * a Sec-WebSocket-Extensions header an offer in it must have sane bits.
 */

#include "ngx_chat_deflate.h"
#include "ngx_chat_extension.h"

#define MAX 100000

static u_char one[MAX + 1], other[MAX + 1];
static u_char packed[2 * MAX];


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


/* The length, or -1. */
static long
inflate_in(const u_char *data, size_t len, ngx_uint_t text, size_t step,
           u_char *out, size_t room)
{
    ngx_chat_inflate_t in;
    u_char *copy, *pos, *p, *end;
    ngx_int_t rc;
    size_t n;

    require(ngx_chat_inflate_start(&in, MAX, text) == NGX_OK);
    p = out;

    for (; len; data += n, len -= n) {
        n = len < step ? len : step;
        copy = malloc(n);
        require(copy != NULL);
        memcpy(copy, data, n);
        pos = copy;

        do {
            end = p + room < out + MAX + 1 ? p + room : out + MAX + 1;
            rc = ngx_chat_inflate(&in, &pos, copy + n, &p, end);
            require(p <= end && p <= out + MAX);
        } while (rc == NGX_OK);

        require(rc == NGX_ERROR || pos == copy + n);
        free(copy);

        if (rc == NGX_ERROR) {
            require(in.error != NULL && (in.code == 1007 || in.code == 1009));
            return -1;
        }
    }

    if (ngx_chat_inflate_end(&in) != NGX_OK) {
        require(in.error != NULL && in.code == 1007);
        return -1;
    }

    return p - out;
}


static void
deflate_and_back(const u_char *data, size_t len, ngx_uint_t level, size_t step)
{
    u_char *p;
    size_t n, done;

    require(ngx_chat_deflate_start(level) == NGX_OK);
    p = packed;

    for (done = 0; done < len; done += n) {
        n = len - done < step ? len - done : step;
        require(ngx_chat_deflate(data + done, n, done + n == len, &p,
                                 packed + sizeof(packed))
                == NGX_OK);
    }

    require(inflate_in(packed, (size_t) (p - packed), 0, MAX, one, MAX)
            == (long) len);
    require(memcmp(one, data, len) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_chat_extension_t ext;
    ngx_str_t header;
    size_t step;
    long n, m;

    if (size == 0 || size > MAX) {
        return 0;
    }

    header.data = (u_char *) data;
    header.len = size;

    if (ngx_chat_extension_find(&header, &ext) == NGX_OK) {
        require(ext.window >= 8 && ext.window <= 15 && ext.asked <= 1);
        require(size >= sizeof("permessage-deflate") - 1);
    }

    step = 1 + (data[0] & 0x3f);
    data++;
    size--;

    n = inflate_in(data, size, 0, MAX, one, MAX);
    m = inflate_in(data, size, 0, step, other, 1 + step * 7);
    require(n == m && (n < 0 || memcmp(one, other, (size_t) n) == 0));

    m = inflate_in(data, size, 1, step, other, MAX);
    require(m == n || m == -1);

    if (size) {
        deflate_and_back(data, size, 1 + step % 9, step * 50);
    }

    return 0;
}
