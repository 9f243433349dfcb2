/*
 * XMPP over WebSocket (RFC 7395), for ejabberd: SASL PLAIN with the password
 * "x", a bound resource, presence, then chat messages, and rooms of XEP-0045
 * for groups.  A stanza is a message of the WebSocket; what comes is searched,
 * not parsed.
 *
 * With stream management (XEP-0198) both sides count the stanzas of the other
 * from the moment it is enabled.  An <r/> asks for the count, an <a/> with it
 * is the answer; it says that the server took a stanza, not that it is on
 * disk.  Here each message is followed by an <r/>.
 */

#define _GNU_SOURCE

#include <openssl/evp.h>
#include <string.h>

#include "dialect.h"

#define XMPP_DOMAIN "localhost"
#define XMPP_ROOMS  "conference.localhost"
#define XMPP_CLIENT " xmlns='jabber:client'"
#define XMPP_SM     " xmlns='urn:xmpp:sm:3'"
#define XMPP_ASK    "<r" XMPP_SM "/>"
#define XMPP_OPEN                                                              \
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" XMPP_DOMAIN       \
    "' version='1.0'/>"


/* A step of the login: what has to come before it, what is said then. */
struct xmpp_step {
    const char *awaited;
    void (*say)(struct buf *out, const char *user); /* NULL: ready */
};

static void xmpp_put_open(struct buf *out, const char *user);
static void xmpp_put_auth(struct buf *out, const char *user);
static void xmpp_put_bind(struct buf *out, const char *user);
static void xmpp_put_enable(struct buf *out, const char *user);
static void xmpp_put_presence(struct buf *out, const char *user);

static const struct xmpp_step xmpp_steps[] = {
    {"",                 xmpp_put_open    },
    {"<stream:features", xmpp_put_auth    },
    {"<success",         xmpp_put_open    },
    {"<stream:features", xmpp_put_bind    },
    {"<bind",            xmpp_put_presence},
    {"<presence",        NULL             },
};

static const struct xmpp_step xmpp_sm_steps[] = {
    {"",                 xmpp_put_open    },
    {"<stream:features", xmpp_put_auth    },
    {"<success",         xmpp_put_open    },
    {"<stream:features", xmpp_put_bind    },
    {"<bind",            xmpp_put_enable  },
    {"<enabled",         xmpp_put_presence},
    {"<presence",        NULL             },
};


static bool
xmpp_has(struct str text, const char *word)
{
    return text.len > 0
           && memmem(text.data, text.len, word, strlen(word)) != NULL;
}


static bool
xmpp_begins(struct str text, const char *word)
{
    size_t len = strlen(word);

    return text.len >= len && memcmp(text.data, word, len) == 0;
}


static bool
xmpp_is_stanza(struct str text)
{
    return xmpp_begins(text, "<message") || xmpp_begins(text, "<presence")
           || xmpp_begins(text, "<iq");
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
xmpp_put_open(struct buf *out, const char *user)
{
    (void) user;
    buf_put_lit(out, XMPP_OPEN);
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


static void
xmpp_put_bind(struct buf *out, const char *user)
{
    (void) user;
    buf_put_lit(out, "<iq" XMPP_CLIENT " type='set' id='b'><bind "
                     "xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                     "<resource>load</resource></bind></iq>");
}


static void
xmpp_put_enable(struct buf *out, const char *user)
{
    (void) user;
    buf_put_lit(out, "<enable" XMPP_SM "/>");
}


static void
xmpp_put_presence(struct buf *out, const char *user)
{
    (void) user;
    buf_put_lit(out, "<presence" XMPP_CLIENT "/>");
}


static int
xmpp_take_step(const struct xmpp_step *steps, struct buf *out, const char *user,
               struct stream *s, struct str message)
{
    const struct xmpp_step *step = &steps[s->step];

    if (xmpp_has(message, "<fail") || xmpp_has(message, "stream:error")
        || xmpp_has(message, "type='error'")) {
        return -1;
    }

    if (s->step > 0 && !xmpp_has(message, step->awaited)) {
        return 0;
    }

    s->step++;

    if (step->say == NULL) {
        return 1;
    }

    step->say(out, user);
    return 0;
}


static int
xmpp_login(struct buf *out, const char *user, struct stream *s,
           struct str message)
{
    return xmpp_take_step(xmpp_steps, out, user, s, message);
}


static void
xmpp_sm_answer(struct buf *out, const struct stream *s)
{
    buf_put_lit(out, "<a" XMPP_SM " h='");
    buf_put_u64(out, s->received);
    buf_put_lit(out, "'/>");
}


static int
xmpp_sm_login(struct buf *out, const char *user, struct stream *s,
              struct str message)
{
    int status;

    if (xmpp_begins(message, "<r ")) {
        xmpp_sm_answer(out, s);
        return 0;
    }

    s->received += s->counts && xmpp_is_stanza(message);
    s->counts = s->counts || xmpp_begins(message, "<enabled");
    status = xmpp_take_step(xmpp_sm_steps, out, user, s, message);
    /* the presence, which follows <enabled/> */
    s->others += s->counts && out->len > 0;
    return status;
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
xmpp_join(struct buf *out, struct stream *s, const char *room, const char *user)
{
    s->others++;
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
xmpp_read(struct stream *s, struct str message, struct note *n)
{
    static const char body[] = "<body>";
    const char *at, *end = message.data + message.len;

    (void) s;
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


/* Counts modulo 2^32; a count that goes back is one of far too many. */
static void
xmpp_sm_read_count(struct stream *s, struct str message, struct note *n)
{
    static const char name[] = " h='";
    const char *at, *end = message.data + message.len;
    uint32_t h = 0;

    at = memmem(message.data, message.len, name, sizeof(name) - 1);

    if (at == NULL) {
        n->kind = NOTE_ERROR;
        return;
    }

    for (at += sizeof(name) - 1; at < end && *at >= '0' && *at <= '9'; at++) {
        h = h * 10 + (uint32_t) (*at - '0');
    }

    s->taken += (uint32_t) (h - (uint32_t) s->taken);
    n->kind = NOTE_TAKEN;
    n->seq = s->taken > s->others ? s->taken - s->others : 0;
}


static void
xmpp_sm_read(struct stream *s, struct str message, struct note *n)
{
    memset(n, 0, sizeof(*n));

    if (xmpp_begins(message, "<a ")) {
        xmpp_sm_read_count(s, message, n);

    } else if (xmpp_begins(message, "<r ")) {
        n->kind = NOTE_ASKED;

    } else {
        s->received += xmpp_is_stanza(message);
        xmpp_read(s, message, n);
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


const struct dialect dialect_xmpp_sm = {
    .name = "xmpp+sm",
    .acks = true,
    .echoes = true,
    .request = xmpp_request,
    .login = xmpp_sm_login,
    .put_user = xmpp_put_user,
    .put_room = xmpp_put_room,
    .join = xmpp_join,
    .send = xmpp_send,
    .ask = {XMPP_ASK, sizeof(XMPP_ASK) - 1},
    .read = xmpp_sm_read,
    .answer = xmpp_sm_answer,
};
