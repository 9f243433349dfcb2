/*
 * XMPP over WebSocket (RFC 7395), for ejabberd: SASL PLAIN with the password
 * "x", a bound resource, presence, then chat messages, and rooms of XEP-0045
 * for groups.  A stanza is a message of the WebSocket; what comes is searched,
 * not parsed.  Stream management (XEP-0198) is not asked for: an answer would
 * say that the server took a stanza, not that it is on disk, and cost it more.
 */

#define _GNU_SOURCE

#include <openssl/evp.h>
#include <string.h>

#include "dialect.h"

#define XMPP_DOMAIN "localhost"
#define XMPP_ROOMS  "conference.localhost"
#define XMPP_CLIENT " xmlns='jabber:client'"
#define XMPP_OPEN                                                              \
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" XMPP_DOMAIN       \
    "' version='1.0'/>"


static bool
xmpp_has(struct str text, const char *word)
{
    return text.len > 0
           && memmem(text.data, text.len, word, strlen(word)) != NULL;
}


static void
xmpp_request(struct buf *out, const struct address *a)
{
    buf_put_lit(out, "GET /ws HTTP/1.1\r\nHost: ");
    buf_put(out, a->host, strlen(a->host));
    buf_put_lit(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IhIQ==\r\n"
                     "Sec-WebSocket-Protocol: xmpp\r\n\r\n");
}


static void
xmpp_put_auth(struct buf *out, const char *user)
{
    unsigned char plain[80], text[112];
    size_t len = strlen(user);
    int n;

    /* an empty authorization identity, the user, the password */
    plain[0] = '\0';
    memcpy(plain + 1, user, len);
    memcpy(plain + 1 + len, "\0x", 2);
    n = EVP_EncodeBlock(text, plain, (int) len + 3);

    buf_put_lit(out, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
                     "mechanism='PLAIN'>");
    buf_put(out, text, (size_t) n);
    buf_put_lit(out, "</auth>");
}


static int
xmpp_login(struct buf *out, const char *user, unsigned *step,
           struct str message)
{
    static const char *const awaited[] = {
        "",      "<stream:features", "<success", "<stream:features",
        "<bind", "<presence",
    };

    if (xmpp_has(message, "<failure") || xmpp_has(message, "stream:error")
        || xmpp_has(message, "type='error'")) {
        return -1;
    }

    if (*step > 0 && !xmpp_has(message, awaited[*step])) {
        return 0;
    }

    switch ((*step)++) {
    case 0:
    case 2:
        buf_put_lit(out, XMPP_OPEN);
        return 0;
    case 1:
        xmpp_put_auth(out, user);
        return 0;
    case 3:
        buf_put_lit(out, "<iq" XMPP_CLIENT " type='set' id='b'><bind "
                         "xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                         "<resource>load</resource></bind></iq>");
        return 0;
    case 4:
        buf_put_lit(out, "<presence" XMPP_CLIENT "/>");
        return 0;
    default:
        return 1;
    }
}


static void
xmpp_put_user(struct buf *out, const char *user)
{
    buf_put_lit(out, " type='chat' to='");
    buf_put(out, user, strlen(user));
    buf_put_lit(out, "@" XMPP_DOMAIN "'");
}


static void
xmpp_put_room(struct buf *out, const char *room)
{
    buf_put_lit(out, " type='groupchat' to='");
    buf_put(out, room, strlen(room));
    buf_put_lit(out, "@" XMPP_ROOMS "'");
}


static void
xmpp_join(struct buf *out, const char *room, const char *user)
{
    buf_put_lit(out, "<presence" XMPP_CLIENT " to='");
    buf_put(out, room, strlen(room));
    buf_put_lit(out, "@" XMPP_ROOMS "/");
    buf_put(out, user, strlen(user));
    buf_put_lit(out, "'><x xmlns='http://jabber.org/protocol/muc'/>"
                     "</presence>");
}


static void
xmpp_send(struct buf *out, const struct text *t)
{
    buf_put_lit(out, "<message" XMPP_CLIENT);
    buf_put_str(out, t->to);
    buf_put_lit(out, " id='");
    buf_put_u64(out, t->run);
    buf_put_char(out, '-');
    buf_put_u64(out, t->seq);
    buf_put_lit(out, "'><body>");
    dialect_put_text(out, t);
    buf_put_lit(out, "</body></message>");
}


static void
xmpp_read(struct str message, struct note *n)
{
    static const char body[] = "<body>";
    const char *at, *end = message.data + message.len;

    memset(n, 0, sizeof(*n));

    if (xmpp_has(message, "type='error'")
        || xmpp_has(message, "stream:error")) {
        n->kind = NOTE_ERROR;
        return;
    }

    at = memmem(message.data, message.len, body, sizeof(body) - 1);

    if (at == NULL) {
        /* the last of what one who joins a room is told */
        n->kind = xmpp_has(message, "<subject") ? NOTE_CREATED : NOTE_OTHER;
        return;
    }

    n->kind = NOTE_MESSAGE;

    for (at += sizeof(body) - 1; at < end && *at >= '0' && *at <= '9'; at++) {
        n->seq = n->seq * 10 + (uint64_t) (*at - '0');
    }
}


const struct dialect dialect_xmpp = {
    .name = "xmpp",
    .echoes = true,
    .request = xmpp_request,
    .login = xmpp_login,
    .put_user = xmpp_put_user,
    .put_room = xmpp_put_room,
    .join = xmpp_join,
    .send = xmpp_send,
    .read = xmpp_read,
};
