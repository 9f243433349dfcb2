/*
 * The connection of redis_conn.h.  Everything that may go wrong ends in
 * conn_lost(), which answers all commands, closes the socket and starts the
 * pause; one timer serves pause, time limit and idle question, by state.
 */

#include "redis_conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "buf.h"
#include "log.h"
#include "redis_config.h"
#include "redis_reader.h"

#define TICK_MS    250
#define WHY_MAX    160
#define READ_BYTES 65536
#define OUT_KEEP   65536

enum conn_state {
    CONN_PAUSE,     /* the timer connects again                       */
    CONN_RESOLVING, /* the name of the host                           */
    CONN_OPENING,   /* the socket                                     */
    CONN_GREETING,  /* AUTH, SELECT, PING are under way               */
    CONN_UP,
    CONN_CLOSING,
};

struct waiting {
    redis_done *done;
    void *data;
    uint64_t sent_at; /* loop time */
};

/* The socket of one attempt; freed when libuv has closed it. */
struct conn_socket {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    uv_connect_t connect;
    uv_write_t write;
    struct redis *redis; /* NULL: of no interest any more */
    struct buf sending;
};

struct conn_lookup {
    uv_getaddrinfo_t request;
    struct redis *redis; /* likewise */
};

struct redis {
    uv_loop_t *loop;
    struct redis_config config;
    const char *name;
    struct redis_handlers handlers;
    enum conn_state state;
    unsigned n_handles;
    uv_timer_t timer;
    uv_prepare_t flush;
    struct conn_socket *socket;
    struct conn_lookup *lookup;
    struct redis_reader *reader;
    bool reading; /* inside of callbacks of answers: hands off the reader */
    bool broken;  /* what is to be read is of no use                      */
    struct buf out;
    bool writing;
    size_t n_sending;
    unsigned n_greetings; /* not answered yet */
    uint64_t since;       /* when the state was entered, or words came */
    unsigned pause_ms;
    char why[WHY_MAX]; /* it was lost, as logged last; empty: it is up */
    struct redis_stats stats;

    struct waiting *waiting; /* a ring */
    size_t first, n_waiting;
    char input[READ_BYTES];
};

static void on_timer(uv_timer_t *timer);

/* Loss */

static unsigned
jitter(unsigned ms)
{
    unsigned random = 0;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK)
        != (ssize_t) sizeof(random)) {
        random = (unsigned) uv_hrtime();
    }
    return ms / 2 + random % (ms / 2 + 1);
}

static void
on_socket_closed(uv_handle_t *handle)
{
    struct conn_socket *s = handle->data;

    if (s->sending.data != NULL) {
        explicit_bzero(s->sending.data, s->sending.cap);
    }
    buf_clear(&s->sending);
    free(s);
}

static void
close_socket(struct redis *r)
{
    if (r->lookup != NULL) {
        r->lookup->redis = NULL;
        (void) uv_cancel((uv_req_t *) &r->lookup->request);
        r->lookup = NULL;
    }
    if (r->socket != NULL) {
        r->socket->redis = NULL;
        uv_close(&r->socket->u.handle, on_socket_closed);
        r->socket = NULL;
    }
    if (r->reader != NULL && !r->reading) {
        redis_reader_free(r->reader);
        r->reader = NULL;
    }
    r->broken = true;
    r->writing = false;
    r->n_sending = 0;
    r->n_greetings = 0;
    buf_reset(&r->out, OUT_KEEP);
}

static void
answer(struct redis *r, const redisReply *reply)
{
    struct waiting w = r->waiting[r->first];

    r->first = (r->first + 1) % REDIS_PENDING_MAX;
    r->n_waiting--;
    if (w.done != NULL) {
        w.done(reply, w.data);
    }
}

/* Told once for each reason: a Redis that is away for an hour fills no log. */
static void
tell_lost(struct redis *r, const char *why)
{
    char text[WHY_MAX];

    snprintf(text, sizeof(text), "%s", why);
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char) *p < ' ' || *p == 127) {
            *p = '?';
        }
    }
    if (strcmp(text, r->why) != 0) {
        log_warn("redis (%s): %s; trying again", r->name, text);
        memcpy(r->why, text, sizeof(text));
    }
}

static void
conn_lost(struct redis *r, const char *why)
{
    bool was_up = r->state == CONN_UP;

    if (r->state == CONN_PAUSE || r->state == CONN_CLOSING) {
        return;
    }
    tell_lost(r, why);
    r->state = CONN_PAUSE;
    r->stats.up = false;
    r->stats.failures++;
    close_socket(r);
    while (r->n_waiting != 0) {
        answer(r, NULL);
    }
    if (was_up && r->handlers.down != NULL) {
        r->handlers.down(r->handlers.data);
    }
    if (r->state == CONN_PAUSE) {
        uv_timer_start(&r->timer, on_timer, jitter(r->pause_ms), TICK_MS);
        r->pause_ms *= 2;
        if (r->pause_ms > REDIS_PAUSE_MAX_MS) {
            r->pause_ms = REDIS_PAUSE_MAX_MS;
        }
    }
}

void
redis_drop(struct redis *r, const char *why)
{
    conn_lost(r, why);
}

/* Out */

static int
send_command(struct redis *r, redis_done *done, void *data, int argc,
             const char *const *argv, const size_t *lens)
{
    size_t before = r->out.len;

    if (r->n_waiting == REDIS_PENDING_MAX || argc > REDIS_ARGS_MAX
        || r->out.len + r->n_sending >= REDIS_OUT_MAX) {
        return -1;
    }
    buf_put_char(&r->out, '*');
    buf_put_u64(&r->out, (uint64_t) argc);
    for (int i = 0; i < argc; i++) {
        buf_put_lit(&r->out, "\r\n$");
        buf_put_u64(&r->out, lens[i]);
        buf_put_lit(&r->out, "\r\n");
        buf_put(&r->out, argv[i], lens[i]);
    }
    buf_put_lit(&r->out, "\r\n");
    if (buf_failed(&r->out)) {
        /* what stood before it is whole */
        r->out.len = before;
        r->out.failed = false;
        return -1;
    }
    r->waiting[(r->first + r->n_waiting++) % REDIS_PENDING_MAX] =
        (struct waiting){done, data, uv_now(r->loop)};
    return 0;
}

int
redis_command(struct redis *r, redis_done *done, void *data, int argc,
              const char *const *argv, const size_t *lens)
{
    return r->state == CONN_UP ? send_command(r, done, data, argc, argv, lens)
                               : -1;
}

size_t
redis_pending(const struct redis *r)
{
    return r->n_waiting;
}

static void
on_written(uv_write_t *request, int status)
{
    struct conn_socket *s = request->data;
    struct redis *r = s->redis;

    if (r == NULL) {
        return;
    }
    explicit_bzero(s->sending.data, s->sending.len);
    r->writing = false;
    r->n_sending = 0;
    if (status < 0) {
        conn_lost(r, uv_strerror(status));
    }
}

/* Before the loop waits: what this turn brought, in one write. */
static void
on_flush(uv_prepare_t *prepare)
{
    struct redis *r = prepare->data;
    struct conn_socket *s = r->socket;
    struct buf swap;
    uv_buf_t b;
    int rc;

    if (s == NULL || r->writing || r->out.len == 0) {
        return;
    }
    buf_reset(&s->sending, OUT_KEEP);
    swap = s->sending;
    s->sending = r->out;
    r->out = swap;
    r->writing = true;
    r->n_sending = s->sending.len;
    b = uv_buf_init(s->sending.data, (unsigned) s->sending.len);
    s->write.data = s;
    rc = uv_write(&s->write, &s->u.stream, &b, 1, on_written);
    if (rc != 0) {
        conn_lost(r, uv_strerror(rc));
    }
}

/* In */

static bool
is_message(const struct redis *r, const redisReply *reply)
{
    return r->handlers.message != NULL && r->state == CONN_UP
           && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3
           && reply->element[0]->type == REDIS_REPLY_STRING
           && strcmp(reply->element[0]->str, "message") == 0
           && reply->element[2]->type == REDIS_REPLY_STRING;
}

/* Some errors say that this server will not do for any command. */
static bool
is_fatal(const char *error)
{
    static const char *const words[] = {"LOADING ", "NOAUTH ", "READONLY ",
                                        "MASTERDOWN ", "WRONGPASS "};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(error, words[i], strlen(words[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void
take(struct redis *r, const redisReply *reply)
{
    if (is_message(r, reply)) {
        r->handlers.message(reply->element[2]->str, reply->element[2]->len,
                            r->handlers.data);
    } else if (r->n_waiting == 0) {
        conn_lost(r, "an answer to nothing");
    } else {
        answer(r, reply);
        if (reply->type == REDIS_REPLY_ERROR && is_fatal(reply->str)) {
            conn_lost(r, reply->str);
        }
    }
}

/* A handler may close or lose the connection: then the rest is left. */
static void
take_all(struct redis *r)
{
    redisReply *reply;
    const char *why = "";
    int rc = 0;

    r->reading = true;
    r->broken = false;
    while (!r->broken
           && (rc = redis_reader_get(r->reader, &reply, &why)) == 1) {
        take(r, reply);
        freeReplyObject(reply);
    }
    r->reading = false;
    if (r->broken) {
        redis_reader_free(r->reader);
        r->reader = NULL;
    } else if (rc == -1) {
        conn_lost(r, why);
    }
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *b)
{
    struct conn_socket *s = handle->data;

    (void) suggested;
    *b = s->redis == NULL ? uv_buf_init(NULL, 0)
                          : uv_buf_init(s->redis->input, READ_BYTES);
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct conn_socket *s = stream->data;
    struct redis *r = s->redis;

    if (r == NULL || n == 0) {
        return;
    }
    if (n < 0) {
        conn_lost(r, n == UV_EOF ? "closed by Redis" : uv_strerror((int) n));
        return;
    }
    r->since = uv_now(r->loop);
    if (redis_reader_feed(r->reader, b->base, (size_t) n) != 0) {
        conn_lost(r, "out of memory");
        return;
    }
    take_all(r);
}

/* Greeting */

static void
on_greeted(const redisReply *reply, void *data)
{
    struct redis *r = data;

    if (reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        conn_lost(r, reply->str);
        return;
    }
    if (--r->n_greetings == 0) {
        r->state = CONN_UP;
        r->pause_ms = REDIS_PAUSE_MS;
        r->stats.up = true;
        r->stats.connects++;
        r->why[0] = '\0';
        log_notice("redis (%s): connected", r->name);
        if (r->handlers.up != NULL) {
            r->handlers.up(r->handlers.data);
        }
    }
}

static int
greet_with(struct redis *r, int argc, const char *const *argv)
{
    size_t lens[3];

    for (int i = 0; i < argc; i++) {
        lens[i] = strlen(argv[i]);
    }
    r->n_greetings++;
    return send_command(r, on_greeted, r, argc, argv, lens);
}

static int
greet_password(struct redis *r)
{
    struct redis_password p;
    char text[WHY_MAX];
    int rc = redis_password_read(&p, r->config.password_file);

    if (rc != 0) {
        snprintf(text, sizeof(text), "password_file: %s",
                 errno == 0 ? "no password in it" : strerror(errno));
        conn_lost(r, text);
    } else if (p.user != NULL) {
        rc = greet_with(r, 3, (const char *[]){"AUTH", p.user, p.password});
    } else {
        rc = greet_with(r, 2, (const char *[]){"AUTH", p.password});
    }
    explicit_bzero(&p, sizeof(p));
    return rc;
}

static void
greet(struct redis *r)
{
    char db[16];

    r->state = CONN_GREETING;
    r->since = uv_now(r->loop);
    snprintf(db, sizeof(db), "%u", r->config.db);
    if ((r->config.password_file != NULL && greet_password(r) != 0)
        || (r->config.db != 0
            && greet_with(r, 2, (const char *[]){"SELECT", db}) != 0)
        || greet_with(r, 1, (const char *[]){"PING"}) != 0) {
        conn_lost(r, "out of memory");
    }
}

/* Connecting */

static void
on_connected(uv_connect_t *request, int status)
{
    struct conn_socket *s = request->data;
    struct redis *r = s->redis;

    if (r == NULL) {
        return;
    }
    r->reader = redis_reader_create();
    if (status == 0 && r->reader == NULL) {
        status = UV_ENOMEM;
    }
    if (status == 0) {
        status = uv_read_start(&s->u.stream, on_alloc, on_read);
    }
    if (status != 0) {
        conn_lost(r, uv_strerror(status));
        return;
    }
    greet(r);
}

static struct conn_socket *
make_socket(struct redis *r)
{
    struct conn_socket *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        if (r->config.path != NULL) {
            uv_pipe_init(r->loop, &s->u.pipe, 0);
        } else {
            uv_tcp_init(r->loop, &s->u.tcp);
        }
        s->u.handle.data = s;
        s->connect.data = s;
        s->redis = r;
        r->socket = s;
        r->state = CONN_OPENING;
        r->since = uv_now(r->loop);
    }
    return s;
}

static void
connect_tcp(struct redis *r, const struct sockaddr *address)
{
    struct conn_socket *s = make_socket(r);
    int rc = s == NULL ? UV_ENOMEM : 0;

    if (rc == 0) {
        (void) uv_tcp_nodelay(&s->u.tcp, 1);
        rc = uv_tcp_connect(&s->connect, &s->u.tcp, address, on_connected);
    }
    if (rc != 0) {
        conn_lost(r, uv_strerror(rc));
    }
}

static void
connect_unix(struct redis *r)
{
    struct conn_socket *s = make_socket(r);

    if (s == NULL) {
        conn_lost(r, uv_strerror(UV_ENOMEM));
        return;
    }
    uv_pipe_connect(&s->connect, &s->u.pipe, r->config.path, on_connected);
}

static void
on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct conn_lookup *l = request->data;
    struct redis *r = l->redis;

    if (r != NULL) {
        r->lookup = NULL;
        if (status == 0) {
            connect_tcp(r, found->ai_addr);
        } else {
            conn_lost(r, uv_strerror(status));
        }
    }
    uv_freeaddrinfo(found);
    free(l);
}

/* Off the loop: a name server may take its time, messages may not. */
static void
resolve(struct redis *r)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct conn_lookup *l = calloc(1, sizeof(*l));
    char port[16];
    int rc = UV_ENOMEM;

    snprintf(port, sizeof(port), "%u", r->config.port);
    if (l != NULL) {
        l->request.data = l;
        l->redis = r;
        rc = uv_getaddrinfo(r->loop, &l->request, on_resolved, r->config.host,
                            port, &hints);
    }
    if (rc != 0) {
        free(l);
        conn_lost(r, uv_strerror(rc));
        return;
    }
    r->lookup = l;
}

static void
conn_start(struct redis *r)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    r->state = CONN_RESOLVING;
    r->since = uv_now(r->loop);
    if (r->config.path != NULL) {
        connect_unix(r);
    } else if (uv_ip4_addr(r->config.host, (int) r->config.port, &v4) == 0) {
        connect_tcp(r, (struct sockaddr *) &v4);
    } else if (uv_ip6_addr(r->config.host, (int) r->config.port, &v6) == 0) {
        connect_tcp(r, (struct sockaddr *) &v6);
    } else {
        resolve(r);
    }
}

/* A subscriber's answer to PING is an array; it is in its place all the same.
 */
static void
ask_if_idle(struct redis *r, uint64_t now)
{
    static const char *const ping[] = {"PING"};
    static const size_t len[] = {4};

    if (r->n_waiting != 0) {
        if (now - r->waiting[r->first].sent_at > REDIS_TIMEOUT_MS) {
            conn_lost(r, "no answer");
        }
    } else if (now - r->since >= REDIS_IDLE_MS) {
        (void) send_command(r, NULL, NULL, 1, ping, len);
    }
}

static void
on_timer(uv_timer_t *timer)
{
    struct redis *r = timer->data;
    uint64_t now = uv_now(r->loop);

    switch (r->state) {
    case CONN_PAUSE:
        conn_start(r);
        break;
    case CONN_UP:
        ask_if_idle(r, now);
        break;
    case CONN_CLOSING:
        break;
    default:
        if (now - r->since > REDIS_TIMEOUT_MS) {
            conn_lost(r, r->state == CONN_GREETING ? "no answer"
                                                   : "no connection in time");
        }
    }
}

struct redis *
redis_open(uv_loop_t *loop, const char *where, const char *name,
           const struct redis_handlers *handlers)
{
    struct redis *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        return NULL;
    }
    r->waiting = calloc(REDIS_PENDING_MAX, sizeof(*r->waiting));
    if (r->waiting == NULL || redis_config_parse(&r->config, where) != 0) {
        free(r->waiting);
        free(r);
        return NULL;
    }
    r->loop = loop;
    r->name = name;
    r->handlers = *handlers;
    r->state = CONN_PAUSE;
    r->pause_ms = REDIS_PAUSE_MS;
    uv_timer_init(loop, &r->timer);
    uv_prepare_init(loop, &r->flush);
    r->n_handles = 2;
    r->timer.data = r;
    r->flush.data = r;
    uv_timer_start(&r->timer, on_timer, 0, TICK_MS);
    uv_prepare_start(&r->flush, on_flush);
    return r;
}

void
redis_stats(const struct redis *r, struct redis_stats *out)
{
    *out = r->stats;
}

static void
on_closed(uv_handle_t *handle)
{
    struct redis *r = handle->data;

    if (--r->n_handles == 0) {
        buf_clear(&r->out);
        free(r->waiting);
        free(r);
    }
}

void
redis_close(struct redis *r)
{
    r->state = CONN_CLOSING;
    close_socket(r);
    while (r->n_waiting != 0) {
        answer(r, NULL);
    }
    uv_close((uv_handle_t *) &r->timer, on_closed);
    uv_close((uv_handle_t *) &r->flush, on_closed);
}
