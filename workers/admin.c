/*
 * Links of chatctl: HELLO, then operations, each answered by its result.
 * Only those of the table below are carried out; any other frame ends the
 * link.
 */

#include "admin.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <uv.h>

#include "link.h"
#include "log.h"
#include "role.h"
#include "storage_codec.h"

#define PEERS_MAX   16
#define PENDING_MAX 64 /* of one link: chatctl asks one thing at a time */

static const enum storage_op_type allowed[] = {
    STORAGE_LIST_USERS,
    STORAGE_SHOW_USER,
    STORAGE_BAR_USER,
    STORAGE_RESET_PASSWORD,
};

struct peer;

/* An operation in the storage; peer is NULL when its link is gone. */
struct pending {
    TAILQ_ENTRY(pending) link;
    struct peer *peer;
    uint64_t number;
    enum storage_op_type type;
    uint8_t to_len;
    char to[STORAGE_ID_MAX];
};

TAILQ_HEAD(pending_list, pending);

struct peer {
    TAILQ_ENTRY(peer) link_of_admin;
    struct admin *admin;
    struct link *link;
    struct pending_list pending;
    unsigned n_pending;
    bool greeted;
};

TAILQ_HEAD(peer_list, peer);

struct admin {
    struct storage *storage;
    uv_pipe_t listener;
    struct peer_list peers;
    unsigned n_peers;
    bool closing;
    bool closed; /* the listener */
    struct str users[STORAGE_USERS_LIMIT];
};

static void
free_if_closed(struct admin *a)
{
    if (a->closed && TAILQ_EMPTY(&a->peers)) {
        free(a);
    }
}

static void
op_done(const struct storage_result *r, void *data)
{
    struct pending *op = data;
    struct peer *p = op->peer;
    struct chat_wire_writer *w;

    if (storage_op_changes(op->type) && r->status == STORAGE_OK) {
        log_notice("chatctl: %s %.*s", storage_op_name(op->type), op->to_len,
                   op->to);
    }
    if (p != NULL) {
        TAILQ_REMOVE(&p->pending, op, link);
        p->n_pending--;
        w = link_begin(p->link, CHAT_WIRE_RESULT, 0, 0, op->number,
                       storage_codec_result_size(r));
        storage_codec_put_result(w, r);
        link_end(p->link);
    }
    free(op);
}

static bool
is_allowed(enum storage_op_type type)
{
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (allowed[i] == type) {
            return true;
        }
    }
    return false;
}

static int
on_op(struct peer *p, uint64_t number, struct chat_wire_reader *r)
{
    struct admin *a = p->admin;
    struct storage_op op;
    struct pending *pending;

    if (storage_codec_get_op(r, &op, a->users) != 0 || !is_allowed(op.type)
        || p->n_pending == PENDING_MAX) {
        return -1;
    }
    pending = malloc(sizeof(*pending));
    if (pending == NULL) {
        return -1;
    }
    *pending = (struct pending){.peer = p,
                                .number = number,
                                .type = op.type,
                                .to_len = (uint8_t) op.to.len};
    if (op.to.len != 0) {
        memcpy(pending->to, op.to.data, op.to.len);
    }
    TAILQ_INSERT_TAIL(&p->pending, pending, link);
    p->n_pending++;
    storage_submit(a->storage, &op, op_done, pending);
    return 0;
}

static int
on_hello(struct peer *p, struct chat_wire_reader *r)
{
    struct chat_wire_hello h,
        own = {.role = CHAT_WIRE_STORE, .pid = (uint32_t) getpid()};
    struct chat_wire_writer *w;

    if (chat_wire_get_hello(r, &h) != 0 || h.role != CHAT_WIRE_CONTROL) {
        return -1;
    }
    p->greeted = true;
    w = link_begin(p->link, CHAT_WIRE_HELLO, 0, 0, 0, CHAT_WIRE_HELLO_LEN);
    chat_wire_put_hello(w, &own);
    link_end(p->link);
    return 0;
}

static int
on_frame(struct link *l, const struct chat_wire_header *h,
         const unsigned char *payload, size_t len, void *data)
{
    struct peer *p = data;
    struct chat_wire_reader r;

    (void) l;
    chat_wire_reader_init(&r, payload, len);
    if (!chat_wire_may_send(CHAT_WIRE_CONTROL, h->type)
        || (h->type == CHAT_WIRE_HELLO) == p->greeted) {
        return -1;
    }
    if (p->admin->closing) {
        return 0;
    }
    return h->type == CHAT_WIRE_HELLO ? on_hello(p, &r) : on_op(p, h->id, &r);
}

static void
on_link_closed(struct link *l, void *data)
{
    struct peer *p = data;
    struct admin *a = p->admin;
    struct pending *op;

    (void) l;
    while ((op = TAILQ_FIRST(&p->pending)) != NULL) {
        TAILQ_REMOVE(&p->pending, op, link);
        op->peer = NULL;
    }
    TAILQ_REMOVE(&a->peers, p, link_of_admin);
    a->n_peers--;
    free(p);
    free_if_closed(a);
}

static void
on_drained(struct link *l, void *data)
{
    (void) l;
    (void) data;
}

static const struct link_handlers admin_link_handlers = {
    .frame = on_frame,
    .closed = on_link_closed,
    .drained = on_drained,
};

static void
on_connection(uv_stream_t *listener, int status)
{
    struct admin *a = listener->data;
    struct peer *p;

    if (status < 0) {
        log_warn("accept: %s", uv_strerror(status));
        return;
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        log_error("no memory for a link of chatctl");
        link_refuse(listener);
        return;
    }
    p->admin = a;
    TAILQ_INIT(&p->pending);
    p->link = link_accept(listener, &admin_link_handlers, p);
    if (p->link == NULL) {
        free(p);
        return;
    }
    TAILQ_INSERT_TAIL(&a->peers, p, link_of_admin);
    if (++a->n_peers > PEERS_MAX) {
        log_warn("too many chatctl at once");
        link_close(p->link);
    }
}

static void
on_listener_closed(uv_handle_t *handle)
{
    struct admin *a = handle->data;

    a->closed = true;
    free_if_closed(a);
}

struct admin *
admin_open(struct uv_loop_s *loop, const struct role_config *c,
           struct storage *storage)
{
    struct admin *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        log_error("no memory for the control socket");
        return NULL;
    }
    a->storage = storage;
    TAILQ_INIT(&a->peers);
    a->listener.data = a;

    /* on failure the handle is being closed already, and stays */
    return role_listen_private(loop, c, "control.sock", &a->listener,
                               on_connection)
                   == 0
               ? a
               : NULL;
}

void
admin_close(struct admin *a)
{
    struct peer *p;

    a->closing = true;
    for (p = TAILQ_FIRST(&a->peers); p != NULL;
         p = TAILQ_NEXT(p, link_of_admin)) {
        link_close(p->link);
    }
    uv_close((uv_handle_t *) &a->listener, on_listener_closed);
}
