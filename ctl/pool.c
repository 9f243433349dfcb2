/*
 * Frames to the store and back, as wire/chat_wire.md has them; see pool.h.
 */

#include "pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "chat_wire.h"
#include "storage_codec.h"

#define ANSWER_S 30 /* longer than any restart of a store takes */

struct pool {
    int fd;
    uint64_t number; /* of the last operation */
    unsigned char *frame;
    struct storage_entry entries[STORAGE_INBOX_LIMIT];
};

static int
fail(const char *what)
{
    fprintf(stderr, "chatctl: %s: %s\n", what, strerror(errno));
    return -1;
}

static int
send_all(struct pool *p, const unsigned char *data, size_t len)
{
    while (len != 0) {
        ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            return fail("the pool went away");
        }
        if (n > 0) {
            data += n;
            len -= (size_t) n;
        }
    }
    return 0;
}

static int
receive_all(struct pool *p, unsigned char *data, size_t len)
{
    while (len != 0) {
        ssize_t n = recv(p->fd, data, len, 0);

        if (n == 0) {
            fprintf(stderr, "chatctl: the pool closed the connection\n");
            return -1;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            fprintf(stderr, "chatctl: the pool does not answer\n");
            return -1;
        }
        if (n < 0 && errno != EINTR) {
            return fail("the pool went away");
        }
        if (n > 0) {
            data += n;
            len -= (size_t) n;
        }
    }
    return 0;
}

/* The payload of the next frame lies in p->frame. */
static int
receive(struct pool *p, struct chat_wire_header *h, struct chat_wire_reader *r)
{
    unsigned char head[CHAT_WIRE_HEADER_LEN];
    size_t len;

    if (receive_all(p, head, sizeof(head)) != 0) {
        return -1;
    }
    if (chat_wire_read_header(head, sizeof(head), h) != 1) {
        fprintf(stderr, "chatctl: that is no chatd of this version\n");
        return -1;
    }
    len = h->length - CHAT_WIRE_HEADER_LEN;
    free(p->frame);
    p->frame = malloc(len + 1);
    if (p->frame == NULL) {
        return fail("no memory");
    }
    chat_wire_reader_init(r, p->frame, len);
    return receive_all(p, p->frame, len);
}

static int
greet(struct pool *p)
{
    unsigned char frame[CHAT_WIRE_HEADER_LEN + CHAT_WIRE_HELLO_LEN];
    struct chat_wire_header h = {.length = sizeof(frame),
                                 .type = CHAT_WIRE_HELLO};
    struct chat_wire_hello hello = {.role = CHAT_WIRE_CONTROL,
                                    .pid = (uint32_t) getpid()};
    struct chat_wire_writer w;
    struct chat_wire_reader r;

    chat_wire_write_header(frame, &h);
    chat_wire_writer_init(&w, frame + CHAT_WIRE_HEADER_LEN,
                          CHAT_WIRE_HELLO_LEN);
    chat_wire_put_hello(&w, &hello);
    if (send_all(p, frame, sizeof(frame)) != 0 || receive(p, &h, &r) != 0) {
        return -1;
    }
    if (h.type != CHAT_WIRE_HELLO || chat_wire_get_hello(&r, &hello) != 0
        || hello.role != CHAT_WIRE_STORE) {
        fprintf(stderr, "chatctl: the pool runs another version of chatd: "
                        "restart it\n");
        return -1;
    }
    return 0;
}

static int
connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = ANSWER_S};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        fprintf(stderr, "chatctl: %s: the path is too long\n", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return fail("no socket");
    }
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0) {
        return fd;
    }
    if (errno == ENOENT || errno == ECONNREFUSED) {
        fprintf(stderr,
                "chatctl: no pool runs there (%s: %s); is -d the chat_run_dir "
                "of nginx?\n",
                path, strerror(errno));
    } else {
        fail(path);
    }
    close(fd);
    return -1;
}

struct pool *
pool_open(const char *run_dir)
{
    struct pool *p = calloc(1, sizeof(*p));
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/control.sock", run_dir);

    if (p == NULL || n < 0 || (size_t) n >= sizeof(path)) {
        fprintf(stderr, "chatctl: no memory, or too long a path\n");
        free(p);
        return NULL;
    }
    p->fd = connect_to(path);
    if (p->fd < 0 || greet(p) != 0) {
        pool_close(p);
        return NULL;
    }
    return p;
}

void
pool_close(struct pool *p)
{
    if (p->fd >= 0) {
        close(p->fd);
    }
    free(p->frame);
    free(p);
}

static int
send_op(struct pool *p, const struct storage_op *op)
{
    size_t len = CHAT_WIRE_HEADER_LEN + storage_codec_op_size(op);
    struct chat_wire_header h = {.type = CHAT_WIRE_OP, .id = ++p->number};
    unsigned char *frame = malloc(len);
    struct chat_wire_writer w;
    int status;

    if (frame == NULL) {
        return fail("no memory");
    }
    chat_wire_writer_init(&w, frame + CHAT_WIRE_HEADER_LEN,
                          len - CHAT_WIRE_HEADER_LEN);
    storage_codec_put_op(&w, op);
    h.length = (uint32_t) (CHAT_WIRE_HEADER_LEN + chat_wire_written(&w));
    chat_wire_write_header(frame, &h);
    status = send_all(p, frame, h.length);
    free(frame);
    return status;
}

int
pool_call(struct pool *p, const struct storage_op *op,
          struct storage_result *result)
{
    struct chat_wire_header h;
    struct chat_wire_reader r;

    if (send_op(p, op) != 0 || receive(p, &h, &r) != 0) {
        return -1;
    }
    if (h.type != CHAT_WIRE_RESULT || h.id != p->number
        || storage_codec_get_result(&r, result, p->entries) != 0) {
        fprintf(stderr, "chatctl: the answer makes no sense\n");
        return -1;
    }
    return 0;
}
