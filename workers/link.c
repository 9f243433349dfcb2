/*
 * The link of link.h.
 *
 * Out: frames gather in `out`.  Before the loop polls, `out` is tried once;
 * what the kernel does not take becomes `sending`, the only write request
 * that exists, and `out` gathers on until it has completed.
 * In: bytes gather in `in` until a frame is whole.
 *
 * A link that ends frees itself in a later turn of the loop, after its last
 * handle has closed, so the callbacks it is in the middle of stay safe.
 */

#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "buf.h"
#include "log.h"
#include "turn.h"

#define LINK_KEEP      ((size_t) 64 << 10) /* of a buffer, while idle    */
#define LINK_WRITE_NOW ((size_t) 1 << 20)  /* does not wait for the turn */

enum link_state {
    LINK_CONNECTING,
    LINK_OPEN,
    LINK_CLOSING,
};

struct link {
    uv_pipe_t pipe;
    uv_prepare_t turn;
    uv_idle_t wake; /* no polling while something waits for `turn` */
    int n_handles;  /* not yet closed */
    enum link_state state;

    struct link_handlers handlers;
    void (*connected)(struct link *l, void *data);
    void *data;

    uv_connect_t connect;
    uv_write_t write;
    struct buf out;
    struct buf sending; /* empty: no write request exists */
    struct chat_wire_writer writer;
    struct chat_wire_header header; /* of the frame being written */
    bool full;

    char *in;
    size_t in_len;
    size_t in_cap;
    bool paused;
    bool resumed; /* in holds what was read before the pause */
};

static void flush(struct link *l);
static void on_turn(uv_prepare_t *turn);

static void
on_wake(uv_idle_t *wake)
{
    (void) wake;
}

/* `turn` alone would be late when it is started by another prepare callback:
 * with `wake` active, the loop does not sleep before the next one. */
static void
schedule(struct link *l)
{
    if (l->state != LINK_CLOSING && !uv_is_active((uv_handle_t *) &l->turn)) {
        uv_prepare_start(&l->turn, on_turn);
        uv_idle_start(&l->wake, on_wake);
    }
}

static void
on_handle_closed(uv_handle_t *handle)
{
    struct link *l = handle->data;

    if (--l->n_handles != 0) {
        return;
    }
    if (l->handlers.closed != NULL) {
        l->handlers.closed(l, l->data);
    }
    buf_clear(&l->out);
    buf_clear(&l->sending);
    free(l->in);
    free(l);
}

void
link_close(struct link *l)
{
    if (l->state == LINK_OPEN) {
        flush(l);
    }
    /* flush closes a broken link itself */
    if (l->state == LINK_CLOSING) {
        return;
    }
    l->state = LINK_CLOSING;
    uv_close((uv_handle_t *) &l->pipe, on_handle_closed);
    uv_close((uv_handle_t *) &l->turn, on_handle_closed);
    uv_close((uv_handle_t *) &l->wake, on_handle_closed);
}

static void
fail(struct link *l, int error)
{
    if (l->state == LINK_CLOSING) {
        return;
    }
    if (error == UV_EOF || l->state == LINK_CONNECTING) {
        log_debug("link %p: %s", (void *) l, uv_strerror(error));
    } else {
        log_info("link %p: %s", (void *) l, uv_strerror(error));
    }

    /* nothing can be written any more */
    buf_reset(&l->out, 0);
    link_close(l);
}

static void
on_written(uv_write_t *write, int status)
{
    struct link *l = write->handle->data;

    buf_reset(&l->sending, LINK_KEEP);
    if (status < 0) {
        fail(l, status);
        return;
    }
    flush(l);
    schedule(l);
}

/* What the kernel did not take; from here on, out gathers anew. */
static void
queue_rest(struct link *l, size_t written)
{
    struct buf taken = l->out;

    l->out = l->sending;
    l->sending = taken;

    uv_buf_t rest =
        uv_buf_init(taken.data + written, (unsigned) (taken.len - written));
    int error =
        uv_write(&l->write, (uv_stream_t *) &l->pipe, &rest, 1, on_written);

    if (error != 0) {
        buf_reset(&l->sending, 0);
        fail(l, error);
    }
}

static void
flush(struct link *l)
{
    if (l->state != LINK_OPEN || l->out.len == 0 || l->sending.len != 0) {
        return;
    }

    uv_buf_t all = uv_buf_init(l->out.data, (unsigned) l->out.len);
    int n = uv_try_write((uv_stream_t *) &l->pipe, &all, 1);

    if (n < 0 && n != UV_EAGAIN) {
        fail(l, n);
        return;
    }

    size_t written = n < 0 ? 0 : (size_t) n;

    if (written < l->out.len) {
        queue_rest(l, written);
    } else {
        buf_reset(&l->out, LINK_KEEP);
    }
}

struct chat_wire_writer *
link_begin(struct link *l, uint8_t type, uint8_t flags, uint16_t replays,
           uint64_t id, size_t room)
{
    char *at = NULL;

    l->header = (struct chat_wire_header){
        .type = type, .flags = flags, .replays = replays, .id = id};

    if (l->state != LINK_CLOSING && room <= CHAT_WIRE_FRAME_MAX) {
        at = buf_reserve(&l->out, CHAT_WIRE_HEADER_LEN + room);
    }
    if (at == NULL) {
        l->writer = (struct chat_wire_writer){.failed = 1};
    } else {
        chat_wire_writer_init(&l->writer, at + CHAT_WIRE_HEADER_LEN, room);
    }
    return &l->writer;
}

void
link_end(struct link *l)
{
    struct chat_wire_header *h = &l->header;
    size_t len = CHAT_WIRE_HEADER_LEN;

    if (l->state == LINK_CLOSING) {
        return;
    }
    if (!l->writer.failed) {
        len += chat_wire_written(&l->writer);
    }
    if (l->writer.failed || len > CHAT_WIRE_FRAME_MAX) {
        log_error("link %p: no room for a %s frame", (void *) l,
                  chat_wire_type_name(h->type));
        link_close(l);
        return;
    }

    h->length = (uint32_t) len;
    chat_wire_write_header((unsigned char *) l->out.data + l->out.len, h);
    buf_commit(&l->out, len);
    log_debug("link %p: out %s %llu, %zu bytes", (void *) l,
              chat_wire_type_name(h->type), (unsigned long long) h->id, len);

    if (l->out.len >= LINK_WRITE_NOW) {
        flush(l);
    }
    l->full = l->full || link_queued(l) > LINK_QUEUE_MAX;
    schedule(l);
}

size_t
link_queued(const struct link *l)
{
    return l->out.len
           + uv_stream_get_write_queue_size((const uv_stream_t *) &l->pipe);
}

bool
link_full(const struct link *l)
{
    return l->full;
}

/* Hands on the frame at in + at.  Returns its length, 0 when it is not whole
 * yet, or -1 when the link has to end. */
static long
take_frame(struct link *l, size_t at)
{
    const unsigned char *data = (const unsigned char *) l->in + at;
    struct chat_wire_header h;
    int status = chat_wire_read_header(data, l->in_len - at, &h);

    if (status < 0) {
        log_error("link %p: malformed frame header", (void *) l);
        return -1;
    }
    if (status == 0 || h.length > l->in_len - at) {
        return 0;
    }
    log_debug("link %p: in %s %llu, %lu bytes", (void *) l,
              chat_wire_type_name(h.type), (unsigned long long) h.id,
              (unsigned long) h.length);

    if (l->handlers.frame(l, &h, data + CHAT_WIRE_HEADER_LEN,
                          h.length - CHAT_WIRE_HEADER_LEN, l->data)
        != 0) {
        log_error("link %p: bad %s frame", (void *) l,
                  chat_wire_type_name(h.type));
        return -1;
    }
    return (long) h.length;
}

static void
take_frames(struct link *l)
{
    size_t at = 0;
    long n = 1;

    while (l->state == LINK_OPEN && !l->paused && at < l->in_len && n > 0) {
        n = take_frame(l, at);
        if (n < 0) {
            link_close(l);
            return;
        }
        at += (size_t) n;
    }

    l->in_len -= at;
    if (l->in_len != 0) {
        memmove(l->in, l->in + at, at == 0 ? 0 : l->in_len);
    } else if (l->in_cap > LINK_KEEP) {
        free(l->in);
        l->in = NULL;
        l->in_cap = 0;
    }
}

/* Doubling, so that a frame that only claims to be long costs nothing;
 * take_frame bounds it by CHAT_WIRE_FRAME_MAX. */
static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct link *l = handle->data;

    (void) suggested;
    turn_began();
    if (l->in_cap - l->in_len < LINK_KEEP / 2) {
        size_t cap = l->in_cap == 0 ? LINK_KEEP : l->in_cap * 2;
        char *in = realloc(l->in, cap);

        if (in != NULL) {
            l->in = in;
            l->in_cap = cap;
        }
    }
    /* an empty buffer becomes UV_ENOBUFS in on_read */
    *buf = uv_buf_init(l->in == NULL ? NULL : l->in + l->in_len,
                       (unsigned) (l->in_cap - l->in_len));
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct link *l = stream->data;

    (void) buf;
    if (n < 0) {
        if (l->in_len != 0 && l->state == LINK_OPEN) {
            log_info("link %p: ended within a frame", (void *) l);
        }
        fail(l, (int) n);
        return;
    }
    l->in_len += (size_t) n;
    take_frames(l);
}

static void
start_reading(struct link *l)
{
    int error = uv_read_start((uv_stream_t *) &l->pipe, on_alloc, on_read);

    if (error != 0 && error != UV_EALREADY) {
        fail(l, error);
    }
}

static void
on_turn(uv_prepare_t *turn)
{
    struct link *l = turn->data;

    uv_prepare_stop(&l->turn);
    uv_idle_stop(&l->wake);

    if (l->resumed && l->state == LINK_OPEN) {
        l->resumed = false;
        take_frames(l);
        if (l->state == LINK_OPEN && !l->paused) {
            start_reading(l);
        }
    }
    flush(l);
    if (l->state == LINK_OPEN && l->full
        && link_queued(l) < LINK_QUEUE_MAX / 2) {
        l->full = false;
        if (l->handlers.drained != NULL) {
            l->handlers.drained(l, l->data);
        }
    }
}

void
link_pause(struct link *l)
{
    l->paused = true;
    if (l->state == LINK_OPEN) {
        uv_read_stop((uv_stream_t *) &l->pipe);
    }
}

void
link_resume(struct link *l)
{
    if (l->paused) {
        l->paused = false;
        l->resumed = true;
        schedule(l);
    }
}

void
link_set_data(struct link *l, void *data)
{
    l->data = data;
}

static struct link *
create(uv_loop_t *loop, const struct link_handlers *handlers, void *data)
{
    struct link *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return NULL;
    }
    l->handlers = *handlers;
    l->data = data;
    l->n_handles = 3;

    /* these cannot fail for a pipe without IPC, a prepare and an idle */
    uv_pipe_init(loop, &l->pipe, 0);
    uv_prepare_init(loop, &l->turn);
    uv_idle_init(loop, &l->wake);
    l->pipe.data = l;
    l->turn.data = l;
    l->wake.data = l;
    return l;
}

static struct refused {
    uv_pipe_t pipe;
    bool closing;
} refused[LINK_REFUSED_MAX];

static void
on_refused(uv_handle_t *handle)
{
    struct refused *r = handle->data;

    r->closing = false;
}

void
link_refuse(uv_stream_t *listener)
{
    struct refused *r = refused;

    while (r < refused + LINK_REFUSED_MAX && r->closing) {
        r++;
    }
    if (r == refused + LINK_REFUSED_MAX) {
        log_error("link: too many refused at once: no more are accepted");
        return;
    }
    r->closing = true;
    uv_pipe_init(listener->loop, &r->pipe, 0);
    r->pipe.data = r;
    uv_accept(listener, (uv_stream_t *) &r->pipe);
    uv_close((uv_handle_t *) &r->pipe, on_refused);
}

struct link *
link_accept(uv_stream_t *listener, const struct link_handlers *handlers,
            void *data)
{
    struct link *l = create(listener->loop, handlers, data);

    if (l == NULL) {
        log_error("link: out of memory");
        link_refuse(listener);
        return NULL;
    }

    int error = uv_accept(listener, (uv_stream_t *) &l->pipe);

    if (error != 0) {
        log_error("link: accept: %s", uv_strerror(error));
        l->handlers = (struct link_handlers){0};
        link_close(l);
        return NULL;
    }
    l->state = LINK_OPEN;
    start_reading(l);
    return l;
}

static void
on_connect(uv_connect_t *connect, int status)
{
    struct link *l = connect->handle->data;

    if (l->state == LINK_CLOSING) {
        return;
    }
    if (status < 0) {
        fail(l, status);
        return;
    }
    l->state = LINK_OPEN;
    if (!l->paused) {
        start_reading(l);
    }
    if (l->connected != NULL) {
        l->connected(l, l->data);
    }
    schedule(l);
}

struct link *
link_connect(uv_loop_t *loop, const char *path,
             void (*connected)(struct link *l, void *data),
             const struct link_handlers *handlers, void *data)
{
    struct sockaddr_un address;

    /* libuv would cut it short */
    if (strlen(path) >= sizeof(address.sun_path)) {
        log_error("link: socket path %s is longer than %zu bytes", path,
                  sizeof(address.sun_path) - 1);
        return NULL;
    }

    struct link *l = create(loop, handlers, data);

    if (l == NULL) {
        log_error("link: out of memory");
        return NULL;
    }
    l->connected = connected;
    l->state = LINK_CONNECTING;
    uv_pipe_connect(&l->connect, &l->pipe, path, on_connect);
    return l;
}
