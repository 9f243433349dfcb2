/*
 * The WebSocket frame parser.  The first bytes of the input choose limits and
 * how it is cut; the rest is parsed at once and once more in pieces.  Both
 * must give the same events, every piece of a message must lie in the buffer,
 * and what a message or a control frame holds must be within its limits.
 */

#include "ngx_chat_websocket.h"
#include "ngx_chat_utf8.h"

#define MESSAGE_MAX 4096

/* A digest of the events, so that neither run has to keep them. */
struct seen {
    uint64_t events;  /* of whole messages, control frames and errors */
    uint64_t message; /* of the message that is open                  */
    size_t len;
    int open;
    u_char utf8;
};


static uint64_t
mix(uint64_t h, const u_char *p, size_t len)
{
    while (len--) {
        h = (h ^ *p++) * 0x100000001b3ull;
    }

    return h;
}


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


static void
see_data(struct seen *s, const ngx_chat_ws_event_t *ev, size_t message_max)
{
    require(ev->first == !s->open);
    require(ev->len || ev->last);

    if (ev->first) {
        s->message = 2 * ev->binary + ev->rsv1 + 1;
        s->len = 0;
        s->utf8 = 0;
    }

    s->open = !ev->last;
    s->len += ev->len;
    s->message = mix(s->message, ev->data, ev->len);

    require(s->len <= message_max);

    if (!ev->binary && !ev->rsv1) {
        require(ngx_chat_utf8_check(&s->utf8, ev->data, ev->len) == NGX_OK);
        require(!ev->last || s->utf8 == 0);
    }

    if (ev->last) {
        s->events = mix(s->events, (u_char *) &s->message, 8);
        s->events = mix(s->events, (u_char *) &s->len, sizeof(s->len));
    }
}


static void
see(struct seen *s, const ngx_chat_ws_event_t *ev, size_t message_max)
{
    u_char code[2];

    if (ev->type == ngx_chat_ws_data) {
        see_data(s, ev, message_max);
        return;
    }

    require(ev->len <= NGX_CHAT_WS_CONTROL_MAX);

    if (ev->type == ngx_chat_ws_close) {
        require(ev->code == 0 || ngx_chat_ws_code_valid(ev->code));
    }

    code[0] = (u_char) ev->type;
    s->events = mix(s->events, code, 1);
    s->events = mix(s->events, (const u_char *) &ev->code, sizeof(ev->code));
    s->events = mix(s->events, ev->data, ev->len);
}


static size_t
parse(ngx_chat_ws_t *ws, u_char *buf, size_t len, struct seen *s)
{
    ngx_chat_ws_event_t ev;
    u_char *pos = buf, *last = buf + len, *before;
    ngx_int_t rc;

    for (;;) {
        before = pos;
        rc = ngx_chat_ws_parse(ws, &pos, last, &ev);

        require(pos >= before && pos <= last);

        if (rc == NGX_AGAIN) {
            require(last - pos <= NGX_CHAT_WS_LEFTOVER_MAX);
            return (size_t) (last - pos);
        }

        if (rc == NGX_ERROR) {
            require(ev.error != NULL && ngx_chat_ws_code_valid(ev.code));
            s->events = mix(s->events, (u_char *) ev.error, strlen(ev.error));
            continue;
        }

        require(rc == NGX_OK);
        require(ev.len == 0 || (ev.data >= before && ev.data + ev.len <= pos));
        see(s, &ev, ws->message_max);
    }
}


/* Lengths of the pieces come from `cuts`, over and over; 0 is a whole. */
static void
run(ngx_chat_ws_t ws, const uint8_t *data, size_t size, const uint8_t *cuts,
    struct seen *s)
{
    u_char kept[NGX_CHAT_WS_LEFTOVER_MAX], *buf;
    size_t n, left = 0, i = 0;

    memset(s, 0, sizeof(*s));

    while (size) {
        n = cuts ? cuts[i++ % 4] : 0;
        n = (n == 0 || n > size) ? size : n;

        /* memory of exactly this size: one byte too far is seen */
        buf = malloc(left + n);
        require(buf != NULL);

        memcpy(buf, kept, left);
        memcpy(buf + left, data, n);
        data += n;
        size -= n;

        n += left;
        left = parse(&ws, buf, n, s);
        memcpy(kept, buf + n - left, left);
        free(buf);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole, cut;
    ngx_chat_ws_t ws;

    if (size < 6) {
        return 0;
    }

    ngx_chat_ws_init(&ws, data[0] & 1 ? MESSAGE_MAX : data[1]);
    ws.rsv1_ok = (data[0] & 2) != 0;
    ws.text_only = (data[0] & 4) != 0;

    run(ws, data + 6, size - 6, NULL, &whole);
    run(ws, data + 6, size - 6, data + 2, &cut);

    require(whole.events == cut.events);

    return 0;
}
