/*
 * The chat.v1 dialect.  Notifications and results are not parsed but
 * searched for the members that count: the only texts that come are our own,
 * which hold no quotes, and the server writes JSON without spaces.
 */

#define _GNU_SOURCE

#include <string.h>

#include "dialect.h"
#include "token.h"


/* What follows "name": in text; empty when the member is not there. */
static struct str
chat_member(struct str text, const char *name)
{
    size_t len = strlen(name);
    const char *at = memmem(text.data, text.len, name, len);

    if (at == NULL) {
        return (struct str){NULL, 0};
    }

    at += len;
    return (struct str){at, (size_t) (text.data + text.len - at)};
}


static uint64_t
chat_number(struct str text)
{
    uint64_t v = 0;

    for (size_t i = 0; i < text.len && i < 16; i++) {
        unsigned digit = (unsigned char) text.data[i] - (unsigned) '0';

        if (digit > 9) {
            break;
        }

        v = v * 10 + digit;
    }

    return v;
}


static uint64_t
chat_get(struct str text, const char *name)
{
    return chat_number(chat_member(text, name));
}


static struct str
chat_get_string(struct str text, const char *name)
{
    struct str s = chat_member(text, name);
    const char *end = s.len == 0 ? NULL : memchr(s.data, '"', s.len);

    s.len = end == NULL ? 0 : (size_t) (end - s.data);
    return s;
}


static void
chat_request(struct buf *out, const struct address *a)
{
    char separator = '?';

    buf_put_lit(out, "GET /ws");

    if (a->key == NULL) {
        buf_put_lit(out, "?user=");
        buf_put(out, a->user, strlen(a->user));
        separator = '&';
    }

    if (a->after >= 0) {
        buf_put_char(out, separator);
        buf_put_lit(out, "after=");
        buf_put_i64(out, a->after);
    }

    buf_put_lit(out, " HTTP/1.1\r\nHost: ");
    buf_put(out, a->host, strlen(a->host));
    buf_put_lit(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IhIQ==\r\n"
                     "Sec-WebSocket-Protocol: chat.v1\r\n");

    if (a->key != NULL) {
        buf_put_lit(out, "Authorization: Bearer ");
        token_put(out, a->user, *a->key);
        buf_put_lit(out, "\r\n");
    }

    buf_put_lit(out, "\r\n");
}


static void
chat_put_user(struct buf *out, const char *user)
{
    buf_put_lit(out, "\"to\":\"");
    buf_put(out, user, strlen(user));
    buf_put_char(out, '"');
}


static void
chat_send(struct buf *out, const struct text *t)
{
    buf_put_lit(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_put_u64(out, t->seq);
    buf_put_lit(out, ",\"method\":\"message.send\",\"params\":{");
    buf_put_str(out, t->to);
    buf_put_lit(out, ",\"client_id\":\"");
    buf_put_u64(out, t->run);
    buf_put_char(out, '-');
    buf_put_u64(out, t->seq);
    buf_put_lit(out, "\",\"text\":\"");
    dialect_put_text(out, t);
    buf_put_lit(out, "\"}}");
}


static void
chat_read(struct stream *s, struct str message, struct note *n)
{
    (void) s;
    static const char event[] = "{\"jsonrpc\":\"2.0\",\"method\":\"";
    static const char new[] = "message.new\"";
    static const char presence[] = "presence\"";
    static const char ready[] = "session.ready\"";
    struct str rest;

    memset(n, 0, sizeof(*n));

    if (message.len > sizeof(event)
        && memcmp(message.data, event, sizeof(event) - 1) == 0) {
        rest = (struct str){message.data + sizeof(event) - 1,
                            message.len - sizeof(event) + 1};
        n->inbox_id = chat_get(rest, "\"inbox_id\":");

        if (rest.len > sizeof(new)
            && memcmp(rest.data, new, sizeof(new) - 1) == 0) {
            n->kind = NOTE_MESSAGE;
            n->channel = chat_get_string(rest, "\"channel\":\"");
            n->message_id = chat_get(rest, "\"message_id\":");
            n->seq = chat_get(rest, "\"text\":\"");

        } else if (rest.len > sizeof(ready)
                   && memcmp(rest.data, ready, sizeof(ready) - 1) == 0) {
            n->kind = NOTE_READY;

        } else if (rest.len > sizeof(presence)
                   && memcmp(rest.data, presence, sizeof(presence) - 1) == 0) {
            n->kind = NOTE_PRESENCE;
        }
        return;
    }

    n->seq = chat_get(message, "\"id\":");
    rest = chat_member(message, "\"result\":{");

    if (rest.len == 0) {
        n->kind = NOTE_ERROR;
        return;
    }

    n->message_id = chat_get(rest, "\"message_id\":");
    n->channel = chat_get_string(rest, "\"channel\":\"");

    if (n->message_id == 0) {
        n->kind = NOTE_CREATED;
        return;
    }

    n->kind = NOTE_ACK;

    if (chat_member(rest, "\"duplicate\":true").data == NULL) {
        n->inbox_id = chat_get(rest, "\"inbox_id\":");
    }
}


const struct dialect dialect_chat = {
    .name = "chat",
    .sequenced = true,
    .acks = true,
    .members = true,
    .request = chat_request,
    .put_user = chat_put_user,
    .send = chat_send,
    .read = chat_read,
};
