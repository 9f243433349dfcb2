/*
 * The dialect of nchan: publishers and subscribers of a topic over
 * WebSocket, texts as they are.  A publisher is answered with the state of
 * the topic, in order; there are no ids.
 */

#include <string.h>

#include "dialect.h"


static void
nchan_request(struct buf *out, const struct address *a)
{
    buf_put_lit(out, "GET /");
    buf_put(out, a->publish ? "pub" : "sub", 3);
    buf_put_char(out, '/');
    buf_put(out, a->topic, strlen(a->topic));
    buf_put_lit(out, " HTTP/1.1\r\nHost: ");
    buf_put(out, a->host, strlen(a->host));
    buf_put_lit(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IhIQ==\r\n\r\n");
}


static void
nchan_put_user(struct buf *out, const char *user)
{
    /* the topic of the connection says it */
    (void) out;
    (void) user;
}


static void
nchan_send(struct buf *out, const struct text *t)
{
    dialect_put_text(out, t);
}


static void
nchan_read(struct stream *s, struct str message, struct note *n)
{
    size_t i;

    (void) s;
    memset(n, 0, sizeof(*n));

    for (i = 0; i < message.len && i < 16; i++) {
        unsigned digit = (unsigned char) message.data[i] - (unsigned) '0';

        if (digit > 9) {
            break;
        }

        n->seq = n->seq * 10 + digit;
    }

    n->kind = i > 0 ? NOTE_MESSAGE : NOTE_ACK;
}


const struct dialect dialect_nchan = {
    .name = "nchan",
    .acks = true,
    .request = nchan_request,
    .put_user = nchan_put_user,
    .send = nchan_send,
    .read = nchan_read,
};
