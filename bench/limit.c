/*
 * limit PORT DIRECTORY: the least a durable chat can cost.  One process, one
 * thread, one epoll loop over LevelDB: frames are read and searched for the
 * members that count, every message of a loop turn goes into one synced
 * batch (the message once, an inbox entry for each member), and after the
 * sync all answers and deliveries of the turn leave, one write a connection.
 *
 * A yardstick, not a server: users go by name (GET /ws?user=NAME), little is
 * checked, nothing is read back, ids start at 1 in an empty directory.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <leveldb/c.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load/conn.h"

#define THINGS  (1u << 18) /* slots of the table, a power of two */
#define MEMBERS 100
#define TURN_NS 1000000000u

struct client {
    struct conn conn;
    struct thing *user;
};

/* A user (id: his newest inbox id) or a channel (id: its newest message). */
struct thing {
    struct str name; /* data NULL: an empty slot */
    uint64_t number, id;
    struct client *client;
    struct thing **members;
    unsigned n;
};

static struct thing *things;
static uint64_t n_things, n_groups;
static struct loop loop;
static leveldb_t *db;
static leveldb_writeoptions_t *write_sync;
static leveldb_writebatch_t *batch;
static unsigned n_batched;
static struct buf text, tail; /* scratch */


static void
die(const char *why)
{
    fprintf(stderr, "limit: %s\n", why);
    exit(1);
}


/* The thing of that name, made if need be; NULL when there is no room. */
static struct thing *
find(struct str name)
{
    uint64_t h = 1469598103934665603u;

    if (name.len == 0 || n_things == THINGS / 2) {
        return NULL;
    }

    for (size_t i = 0; i < name.len; i++) {
        h = (h ^ (unsigned char) name.data[i]) * 1099511628211u;
    }

    for (;; h++) {
        struct thing *t = &things[h & (THINGS - 1)];

        if (t->name.data == NULL) {
            t->name = (struct str){strndup(name.data, name.len), name.len};
            t->number = ++n_things;
        }

        if (str_eq(t->name, name)) {
            return t;
        }
    }
}


/* A format in which $ is a struct str and # a uint64_t, over b's content. */
static struct str
print(struct buf *b, const char *format, ...)
{
    va_list args;

    buf_reset(b, b->cap);
    va_start(args, format);

    for (;; format++) {
        size_t n = strcspn(format, "$#");

        buf_put(b, format, n);
        format += n;

        if (*format == '\0') {
            va_end(args);
            return buf_str(b);
        }

        if (*format == '$') {
            buf_put_str(b, va_arg(args, struct str));
        } else {
            buf_put_u64(b, va_arg(args, uint64_t));
        }
    }
}


/* What follows a name in s, up to end; data NULL: it is not there. */
static struct str
member(struct str s, const char *name, char end)
{
    size_t len = strlen(name);
    const char *to, *at = s.len ? memmem(s.data, s.len, name, len) : NULL;

    if (at == NULL) {
        return (struct str){NULL, 0};
    }

    at += len;
    to = memchr(at, end, (size_t) (s.data + s.len - at));
    return (struct str){at, to == NULL ? 0 : (size_t) (to - at)};
}


static void
put_record(char kind, uint64_t a, uint64_t b, struct str value)
{
    char key[17] = {kind};

    for (int i = 8; i > 0; i--, a >>= 8, b >>= 8) {
        key[i] = (char) a;
        key[i + 8] = (char) b;
    }

    leveldb_writebatch_put(batch, key, sizeof(key), value.data, value.len);
}


/* One message to all members of a channel, the sender among them. */
static void
post(struct client *from, struct str request, struct str id, struct thing *ch)
{
    uint64_t entry[2] = {ch->number, ++ch->id}, sent_at;
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    sent_at = (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
    print(
        &tail,
        ",\"message\":{\"channel\":\"$\",\"message_id\":#,\"sender\":\"$\","
        "\"sent_at\":#,\"client_id\":\"$\",\"type\":\"text\",\"text\":\"$\"}}}",
        ch->name, ch->id, from->user->name, sent_at,
        member(request, "\"client_id\":\"", '"'),
        member(request, "\"text\":\"", '"'));
    put_record('M', ch->number, ch->id, buf_str(&tail));
    n_batched++;

    for (unsigned i = 0; i < ch->n; i++) {
        struct thing *u = ch->members[i];

        put_record('I', u->number, ++u->id,
                   (struct str){(char *) entry, sizeof(entry)});

        if (u == from->user) {
            conn_send(&loop, &from->conn,
                      print(&text,
                            "{\"jsonrpc\":\"2.0\",\"id\":$,\"result\":{"
                            "\"channel\":\"$\","
                            "\"message_id\":#,\"inbox_id\":#,\"sent_at\":#}}",
                            id, ch->name, ch->id, u->id, sent_at));
        } else if (u->client != NULL) {
            conn_send2(&loop, &u->client->conn,
                       print(&text,
                             "{\"jsonrpc\":\"2.0\",\"method\":"
                             "\"message.new\",\"params\":{\"inbox_id\":#",
                             u->id),
                       buf_str(&tail));
        }
    }
}


/* A channel whose members are those of the list and the user himself. */
static void
fill_channel(struct thing *ch, struct thing *creator, struct str list)
{
    struct str name;

    ch->members = calloc(MEMBERS, sizeof(*ch->members));

    if (ch->members == NULL) {
        die("out of memory");
    }

    ch->members[ch->n++] = creator;

    while (ch->n < MEMBERS && (name = member(list, "\"", '"')).len > 0) {
        const char *next = name.data + name.len + 1;
        struct thing *u = find(name);

        if (u != NULL && u != creator) {
            ch->members[ch->n++] = u;
        }

        list = (struct str){next, (size_t) (list.data + list.len - next)};
    }
}


static void
create_group(struct client *c, struct str request, struct str id)
{
    struct thing *g = find(print(&text, "g.#", ++n_groups));

    if (g != NULL) {
        fill_channel(g, c->user, member(request, "\"members\":[", ']'));
        conn_send(&loop, &c->conn,
                  print(&text,
                        "{\"jsonrpc\":\"2.0\",\"id\":$,\"result\":"
                        "{\"channel\":{\"channel\":\"g.#\"}}}",
                        id, n_groups));
    }
}


static struct thing *
find_direct(struct thing *u, struct str name)
{
    struct thing *peer = find(name), *ch = NULL;

    if (peer != NULL) {
        bool first = u->number < peer->number;

        ch = find(print(&text, "d.$~$", first ? u->name : name,
                        first ? name : u->name));
    }

    if (ch != NULL && ch->n == 0) {
        fill_channel(ch, u, print(&text, "\"$\"", name));
    }

    return ch;
}


static void
on_message(struct conn *conn, struct str request, void *data)
{
    struct client *c = (struct client *) conn;
    struct str id = member(request, "\"id\":", ',');
    struct str to = member(request, "\"to\":\"", '"');
    struct thing *ch;

    (void) data;

    if (memmem(request.data, request.len, "channel.create", 14) != NULL) {
        create_group(c, request, id);
        return;
    }

    ch = to.len > 0 ? find_direct(c->user, to)
                    : find(member(request, "\"channel\":\"", '"'));

    if (ch != NULL && ch->n > 0) {
        post(c, request, id, ch);
    }
}


/* His memory stays, which the turn may still need. */
static void
on_closed(struct conn *conn, const char *why, void *data)
{
    struct thing *u = ((struct client *) conn)->user;

    (void) why, (void) data;

    if (u != NULL && u->client == (struct client *) conn) {
        u->client = NULL;
    }
}


static void
on_opened(struct conn *conn, struct str head, void *data)
{
    struct client *c = (struct client *) conn;
    unsigned char sum[SHA_DIGEST_LENGTH], accept[64];
    int n;

    c->user = find(member(head, "?user=", ' '));

    (void) data;

    if (c->user == NULL) {
        conn_close(&loop, conn);
        return;
    }

    /* RFC 6455, 4.2.2 */
    print(&text, "$258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
          member(head, "Sec-WebSocket-Key: ", '\r'));
    SHA1((unsigned char *) text.data, text.len, sum);
    n = EVP_EncodeBlock(accept, sum, sizeof(sum));
    conn_accept(&loop, conn,
                print(&text,
                      "HTTP/1.1 101 Switching Protocols\r\n"
                      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: $\r\n\r\n",
                      (struct str){(char *) accept, (size_t) n}));
    conn_send(&loop, conn,
              print(&text,
                    "{\"jsonrpc\":\"2.0\",\"method\":\"session.ready\","
                    "\"params\":{\"inbox_id\":#}}",
                    c->user->id));
    c->user->client = c;
}


static void
on_connect(void *data)
{
    int fd;

    while ((fd = accept4(*(int *) data, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct client *c = calloc(1, sizeof(*c));

        if (c == NULL || conn_take(&loop, &c->conn, fd) != 0) {
            die(strerror(errno));
        }
    }
}


int
main(int argc, char **argv)
{
    static const struct conn_events events = {on_opened, on_message, on_closed,
                                              on_connect};
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    leveldb_options_t *o = leveldb_options_create();
    char *why = NULL;

    if (argc != 3) {
        die("usage: limit PORT DIRECTORY");
    }

    things = calloc(THINGS, sizeof(*things));
    a.sin_port = htons((uint16_t) atoi(argv[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));

    if (things == NULL || bind(listener, (void *) &a, sizeof(a)) != 0
        || listen(listener, 4096) != 0 || loop_open(&loop) != 0
        || loop_listen(&loop, listener) != 0) {
        die(strerror(errno));
    }

    loop.events = &events;
    loop.data = &listener;
    leveldb_options_set_create_if_missing(o, 1);
    leveldb_options_set_error_if_exists(o, 1);
    leveldb_options_set_write_buffer_size(o, (size_t) 64 << 20);
    leveldb_options_set_cache(o, leveldb_cache_create_lru((size_t) 64 << 20));
    leveldb_options_set_max_file_size(o, (size_t) 8 << 20);
    leveldb_options_set_filter_policy(o, leveldb_filterpolicy_create_bloom(10));
    db = leveldb_open(o, argv[2], &why);
    batch = leveldb_writebatch_create();
    write_sync = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(write_sync, 1);

    for (;;) {
        if (why != NULL) {
            die(why);
        }

        loop_send(&loop);
        loop_receive(&loop, clock_ns() + TURN_NS);

        if (n_batched > 0) {
            leveldb_write(db, write_sync, batch, &why);
            leveldb_writebatch_clear(batch);
            n_batched = 0;
        }
    }
}
