/*
 * The connections of conn.h: a level-triggered epoll loop.  A frame that
 * breaks the standard closes the connection with a reason.
 */

#define _GNU_SOURCE

#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

#define CONN_INPUT_BYTES ((size_t) 256 << 10)
#define CONN_KEEP_BYTES  ((size_t) 4 << 10)
#define CONN_EVENTS      256
#define CONN_HEAD_MAX    8192


uint64_t
clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}


int
loop_open(struct loop *l)
{
    memset(l, 0, sizeof(*l));
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->input = malloc(CONN_INPUT_BYTES);
    l->now_ns = clock_ns();
    l->random = l->now_ns | 1;

    if (l->epoll < 0 || l->input == NULL) {
        perror("load: epoll");
        return -1;
    }

    return 0;
}


int
loop_listen(struct loop *l, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};

    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e);
}


void
loop_close(struct loop *l)
{
    close(l->epoll);
    free(l->input);
}


static void
conn_fail(struct loop *l, struct conn *c, const char *why)
{
    conn_close(l, c);
    l->events->closed(c, why, l->data);
}


static void
conn_want_write(struct loop *l, struct conn *c, bool want)
{
    struct epoll_event e = {.data.ptr = c};

    if (c->waiting == want) {
        return;
    }

    c->waiting = want;
    e.events = EPOLLIN | (want ? EPOLLOUT : 0);
    epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e);
}


static void
conn_mark_dirty(struct loop *l, struct conn *c)
{
    if (!c->dirty) {
        c->dirty = true;
        c->next_dirty = l->dirty;
        l->dirty = c;
    }
}


int
conn_open(struct loop *l, struct conn *c, const struct sockaddr_in *to,
          uint32_t source, struct str request)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(source)};
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (c->fd < 0) {
        return -1;
    }

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    if (source != 0) {
        /* the port is chosen at connect, when the peer is known too */
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));

        if (bind(c->fd, (struct sockaddr *) &from, sizeof(from)) != 0) {
            goto fail;
        }
    }

    if (connect(c->fd, (const struct sockaddr *) to, sizeof(*to)) != 0
        && errno != EINPROGRESS) {
        goto fail;
    }

    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0) {
        goto fail;
    }

    c->state = CONN_UPGRADING;
    c->server = false;
    c->waiting = true;
    buf_reset(&c->in, 0);
    buf_reset(&c->out, 0);
    buf_put_str(&c->out, request);
    return 0;

fail:
    close(c->fd);
    return -1;
}


int
conn_take(struct loop *l, struct conn *c, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    memset(c, 0, sizeof(*c));
    c->fd = fd;
    c->state = CONN_UPGRADING;
    c->server = true;
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e);
}


void
conn_accept(struct loop *l, struct conn *c, struct str answer)
{
    buf_put_str(&c->out, answer);
    conn_mark_dirty(l, c);
}


void
conn_close(struct loop *l, struct conn *c)
{
    (void) l;

    if (c->state == CONN_CLOSED) {
        return;
    }

    close(c->fd);
    c->state = CONN_CLOSED;
    c->waiting = false;
    buf_clear(&c->in);
    buf_clear(&c->out);
}


static void
conn_flush(struct loop *l, struct conn *c)
{
    ssize_t n;

    if (c->state == CONN_CLOSED || c->out.len == 0) {
        return;
    }

    if (buf_failed(&c->out)) {
        conn_fail(l, c, "out of memory");
        return;
    }

    n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

    if (n < 0) {
        if (errno == EAGAIN || errno == ENOTCONN) {
            conn_want_write(l, c, true);
        } else {
            conn_fail(l, c, strerror(errno));
        }
        return;
    }

    l->sent += (size_t) n;

    if ((size_t) n < c->out.len) {
        memmove(c->out.data, c->out.data + n, c->out.len - (size_t) n);
        c->out.len -= (size_t) n;
        conn_want_write(l, c, true);
        return;
    }

    buf_reset(&c->out, CONN_KEEP_BYTES);
    conn_want_write(l, c, false);
}


/* A server's answers wait for loop_send: this turn's are not yet synced. */
static void
conn_writable(struct loop *l, struct conn *c)
{
    if (c->server) {
        conn_want_write(l, c, false);
        conn_mark_dirty(l, c);
    } else {
        conn_flush(l, c);
    }
}


static void
conn_send_frame(struct loop *l, struct conn *c, int opcode, struct str payload)
{
    unsigned char mask[4];

    if (c->state != CONN_OPEN) {
        return;
    }

    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    memcpy(mask, &l->random, sizeof(mask));
    frame_put(&c->out, opcode, payload, c->server ? NULL : mask);
    conn_mark_dirty(l, c);
}


void
conn_send(struct loop *l, struct conn *c, struct str text)
{
    conn_send_frame(l, c, FRAME_TEXT, text);
}


void
conn_send2(struct loop *l, struct conn *c, struct str head, struct str tail)
{
    if (c->state == CONN_OPEN) {
        frame_put_head(&c->out, FRAME_TEXT, head.len + tail.len);
        buf_put_str(&c->out, head);
        buf_put_str(&c->out, tail);
        conn_mark_dirty(l, c);
    }
}


static void
conn_receive_frame(struct loop *l, struct conn *c, int opcode,
                   struct str payload)
{
    static char why[160];

    switch (opcode) {
    case FRAME_TEXT:
        l->events->message(c, payload, l->data);
        break;
    case FRAME_PING:
        conn_send_frame(l, c, FRAME_PONG, payload);
        break;
    case FRAME_PONG:
        break;
    case FRAME_CLOSE:
        if (payload.len < 2) {
            conn_fail(l, c, "closed by the server without a code");
            break;
        }
        snprintf(why, sizeof(why), "closed by the server: %d %.*s",
                 (unsigned char) payload.data[0] << 8
                     | (unsigned char) payload.data[1],
                 (int) payload.len - 2, payload.data + 2);
        conn_fail(l, c, why);
        break;
    default:
        conn_fail(l, c, "unexpected opcode");
    }
}


/* Bytes of the HTTP head once it is whole, else 0; -1 refused or bad. */
static ssize_t
conn_head(struct loop *l, struct conn *c, const char *data, size_t len)
{
    static const char ok[] = "HTTP/1.1 101 ";
    static char why[80];
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    const char *line;

    if (end == NULL) {
        if (len > CONN_HEAD_MAX) {
            conn_fail(l, c, "no end of the HTTP head");
            return -1;
        }
        return 0;
    }

    if (!c->server
        && (len < sizeof(ok) || memcmp(data, ok, sizeof(ok) - 1) != 0)) {
        line = memchr(data, '\r', len);
        snprintf(why, sizeof(why), "refused: %.*s", (int) (line - data), data);
        conn_fail(l, c, why);
        return -1;
    }

    end += 4;
    c->state = CONN_OPEN;
    l->events->opened(c, (struct str){data, (size_t) (end - data)}, l->data);
    return end - data;
}


/* Handles all that is whole; the number of bytes used. */
static size_t
conn_parse(struct loop *l, struct conn *c, char *data, size_t len)
{
    struct str payload;
    size_t used = 0;
    ssize_t n;
    int opcode;

    while (c->state != CONN_CLOSED) {
        if (c->state == CONN_UPGRADING) {
            n = conn_head(l, c, data + used, len - used);

            if (n <= 0) {
                break;
            }

            used += (size_t) n;
            continue;
        }

        n = frame_get(data + used, len - used, c->server, &opcode, &payload);

        if (n < 0) {
            conn_fail(l, c, "bad frame");
            break;
        }

        if (n == 0) {
            break;
        }

        used += (size_t) n;
        conn_receive_frame(l, c, opcode, payload);
    }

    return used;
}


static void
conn_read(struct loop *l, struct conn *c)
{
    ssize_t n = recv(c->fd, l->input, CONN_INPUT_BYTES, 0);
    size_t used;

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            conn_fail(l, c, n == 0 ? "end of file" : strerror(errno));
        }
        return;
    }

    l->received += (size_t) n;

    if (c->in.len == 0) {
        used = conn_parse(l, c, l->input, (size_t) n);

        if (c->state != CONN_CLOSED) {
            buf_put(&c->in, l->input + used, (size_t) n - used);
        }
        return;
    }

    buf_put(&c->in, l->input, (size_t) n);

    if (buf_failed(&c->in)) {
        conn_fail(l, c, "out of memory");
        return;
    }

    /* the callbacks may close c, which frees what is being parsed */
    struct buf whole = c->in;

    buf_init(&c->in);
    used = conn_parse(l, c, whole.data, whole.len);

    if (c->state != CONN_CLOSED) {
        buf_put(&c->in, whole.data + used, whole.len - used);
    }

    buf_clear(&whole);
}


void
loop_receive(struct loop *l, uint64_t until_ns)
{
    struct epoll_event events[CONN_EVENTS];
    uint64_t now = clock_ns();
    uint64_t wait = until_ns > now ? until_ns - now : 0;
    struct timespec timeout = {.tv_sec = (time_t) (wait / 1000000000u),
                               .tv_nsec = (long) (wait % 1000000000u)};
    struct conn *c;
    int n;

    /* what was sent outside a turn */
    if (l->dirty != NULL) {
        timeout = (struct timespec){0, 0};
    }

    n = epoll_pwait2(l->epoll, events, CONN_EVENTS, &timeout, NULL);
    l->now_ns = clock_ns();

    for (int i = 0; i < n; i++) {
        c = events[i].data.ptr;

        if (c == NULL) {
            l->events->connecting(l->data);
            continue;
        }

        if (c->state != CONN_CLOSED && (events[i].events & EPOLLOUT)) {
            conn_writable(l, c);
        }

        if (c->state != CONN_CLOSED
            && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))) {
            conn_read(l, c);
        }
    }
}


void
loop_send(struct loop *l)
{
    struct conn *c;

    while (l->dirty != NULL) {
        c = l->dirty;
        l->dirty = c->next_dirty;
        c->dirty = false;

        if (!c->waiting) {
            conn_flush(l, c);
        }
    }
}
