/*
 * Links to nginx worker processes and what comes in on them; front.h says
 * what the rest sees of them, front_send.c has what goes out.
 *
 * What is in flight for a link ends with it: its sessions are closed (nginx
 * opens them again on the next link), its requests are forgotten (nginx sends
 * them again), its open questions about tokens fail.
 */

#include "front_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "account.h"
#include "call.h"
#include "link.h"
#include "method.h"
#include "pages.h"
#include "role.h"
#include "worker.h"

static void
answer_hello(struct peer *p, struct str error)
{
    struct front *f = p->front;
    struct chat_wire_hello h = {
        .role = CHAT_WIRE_WORKER,
        .pid = (uint32_t) getpid(),
        .instance = f->instance,
        .generation = f->generation,
        .settings_hash = f->settings_hash,
        .n_workers = (uint16_t) f->worker->config->settings.n_workers,
        .index = (uint16_t) f->worker->config->index,
        .error = (const unsigned char *) error.data,
        .error_len = error.len,
    };
    struct chat_wire_writer *w = link_begin(p->link, CHAT_WIRE_HELLO, 0, 0, 0,
                                            CHAT_WIRE_HELLO_LEN + error.len);

    chat_wire_put_hello(w, &h);
    link_end(p->link);
}

static int
refuse_hello(struct peer *p, struct str error)
{
    log_error("nginx refused: %.*s", (int) error.len, error.data);
    answer_hello(p, error);
    link_close(p->link);
    return 0;
}

/* Generation 0: an nginx that does not own the settings (chat_workers
 * unix:DIR) takes them as they are. */
static bool
settings_differ(const struct front *f, const struct chat_wire_hello *h)
{
    return h->generation != 0 && h->generation == f->generation
           && h->settings_hash != f->settings_hash;
}

static void
welcome(struct peer *p)
{
    struct front *f = p->front;

    p->greeted = true;
    f->n_greeted++;
    role_report_links(f->n_greeted);
    answer_hello(p, STR(""));
    front_send_greeting(p);
}

static int
on_hello(struct peer *p, struct chat_wire_reader *r)
{
    struct front *f = p->front;
    struct chat_wire_hello h;
    int status = chat_wire_get_hello(r, &h);

    if (status == -2) {
        return refuse_hello(p, STR("chatd speaks another version of the wire: "
                                   "restart the pool"));
    }
    if (status != 0 || h.role != CHAT_WIRE_NGINX) {
        return -1;
    }
    if (settings_differ(f, &h)) {
        return refuse_hello(p, STR("the pool runs with other settings: give "
                                   "both nginx the same chat_workers and "
                                   "chat_store, or another chat_run_dir"));
    }
    if (h.generation > f->generation) {
        role_request_settings();
    }
    p->instance = h.instance;
    p->index = h.index;
    log_info("nginx worker %u: connected, process %u", (unsigned) h.index,
             (unsigned) h.pid);
    welcome(p);
    return 0;
}

static int
on_open(struct peer *p, const struct chat_wire_header *h,
        struct chat_wire_reader *r)
{
    struct chat_wire_identity id;
    struct chat_wire_limits limits;
    struct session_open o;
    size_t address_len;

    chat_wire_get_identity(r, &id);
    chat_wire_get_limits(r, &limits);
    o = (struct session_open){
        .handle = h->id,
        .user = front_str(id.user, id.user_len),
        .device = front_str(id.device, id.device_len),
        .jti = front_str(id.jti, id.jti_len),
        .issued_at = id.issued_at,
        .after = chat_wire_get_u64(r),
        .heartbeat_s = limits.heartbeat_s,
        .message_max = limits.message_max,
        .rate = limits.rate,
        .burst = limits.burst,
        .after_given = (h->flags & CHAT_WIRE_AFTER) != 0,
        .resumed = (h->flags & CHAT_WIRE_RESUMED) != 0,
        .refuse_unknown = (h->flags & CHAT_WIRE_REFUSE_UNKNOWN) != 0,
    };
    (void) chat_wire_get_bytes(r, &address_len);
    if (chat_wire_end(r) != 0 || h->id == 0 || front_check_identity(&id) != 0) {
        return -1;
    }
    session_open(p->front->worker->sessions, &p->sessions, &o);
    return 0;
}

static int
on_request(struct peer *p, const struct chat_wire_header *h,
           struct chat_wire_reader *r)
{
    struct origin o = {
        .worker = p->front->worker,
        .link = &p->sessions,
        .number = h->id,
        .handle = chat_wire_get_u64(r),
        .replays = h->replays,
    };
    size_t len;
    const unsigned char *text = chat_wire_get_rest(r, &len);

    if (chat_wire_end(r) != 0 || o.handle == 0) {
        return -1;
    }
    front_count_replay(p, h);

    /* the connection was refused, or is gone: nobody waits for the answer */
    o.session = session_find(&p->sessions, o.handle);
    if (o.session == NULL || o.session->ended) {
        front_reply_nothing(&p->sessions, o.number, o.handle);
        return 0;
    }
    o.user = session_user(o.session);
    o.device = session_device(o.session);
    o.rate = o.session->rate;
    o.burst = o.session->burst;
    o.refuse_unknown = o.session->refuse_unknown;
    method_receive(&o, front_str(text, len));
    return 0;
}

static int
on_credit(struct peer *p, uint64_t handle, struct chat_wire_reader *r)
{
    uint64_t inbox_id = chat_wire_get_u64(r);
    struct session *s = session_find(&p->sessions, handle);

    if (chat_wire_end(r) != 0) {
        return -1;
    }
    if (s != NULL) {
        session_credit(p->front->worker->sessions, s, inbox_id);
    }
    return 0;
}

static int
on_client_drained(struct peer *p, uint64_t handle, struct chat_wire_reader *r)
{
    uint32_t n = chat_wire_get_u32(r);
    struct session *s = session_find(&p->sessions, handle);

    if (chat_wire_end(r) != 0) {
        return -1;
    }
    if (s != NULL) {
        pages_drained(s, n);
    }
    return 0;
}

static int
on_gone(struct peer *p, uint64_t handle)
{
    struct session *s = session_find(&p->sessions, handle);

    if (s != NULL) {
        session_close(p->front->worker->sessions, s);
    }
    return 0;
}

static int
on_verified(struct peer *p, uint64_t number, struct chat_wire_reader *r)
{
    struct chat_wire_identity id;
    struct account_token t = {0};
    struct verify *v;

    (void) chat_wire_get_u64(r);
    t.good = chat_wire_get_u16(r) == 200;
    chat_wire_get_identity(r, &id);
    if (chat_wire_end(r) != 0) {
        return -1;
    }
    t.good = t.good && id.jti_len <= STORAGE_JTI_MAX;
    t.claims = (struct token_claims){
        .user = front_str(id.user, id.user_len),
        .device = front_str(id.device, id.device_len),
        .jti = front_str(id.jti, id.jti_len),
        .issued_at = id.issued_at,
        .expires_at = id.expires_at,
    };

    /* the questions of one batch share its number and are answered in order */
    for (v = TAILQ_FIRST(&p->verifies); v != NULL; v = TAILQ_NEXT(v, link)) {
        if (v->call->request->number == number) {
            TAILQ_REMOVE(&p->verifies, v, link);
            account_verified(v->call, &t);
            free(v);
            return 0;
        }
    }
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
    if (!chat_wire_may_send(CHAT_WIRE_NGINX, h->type)
        || (h->type == CHAT_WIRE_HELLO) == p->greeted) {
        return -1;
    }

    switch (h->type) {
    case CHAT_WIRE_HELLO:
        return on_hello(p, &r);
    case CHAT_WIRE_OPEN:
        return on_open(p, h, &r);
    case CHAT_WIRE_REQUEST:
        return on_request(p, h, &r);
    case CHAT_WIRE_CALL:
        return front_call(p, h, &r);
    case CHAT_WIRE_CREDIT:
        return on_credit(p, h->id, &r);
    case CHAT_WIRE_DRAINED:
        return on_client_drained(p, h->id, &r);
    case CHAT_WIRE_CLOSED:
        return on_gone(p, h->id);
    case CHAT_WIRE_VERIFIED:
        return on_verified(p, h->id, &r);
    default:
        return -1;
    }
}

/* Links */

static void
check_closed(struct front *f)
{
    if (f->closing && f->listener_closed && TAILQ_EMPTY(&f->peers)) {
        f->closed(f->closed_data);
    }
}

static void
forget_requests(struct peer *p)
{
    struct request *r;
    struct verify *v;

    while ((r = TAILQ_FIRST(&p->requests)) != NULL) {
        TAILQ_REMOVE(&p->requests, r, of_link);
        r->link = NULL;
    }
    front_forget_calls(p);
    while ((v = TAILQ_FIRST(&p->verifies)) != NULL) {
        TAILQ_REMOVE(&p->verifies, v, link);
        call_fail(v->call, CHAT_ERROR_UNAVAILABLE, STR(""));
        free(v);
    }
}

static void
on_link_closed(struct link *l, void *data)
{
    struct peer *p = data;
    struct front *f = p->front;

    (void) l;
    session_link_clear(f->worker->sessions, &p->sessions);
    forget_requests(p);
    TAILQ_REMOVE(&f->peers, p, link_of_front);
    if (p->greeted) {
        log_info("nginx worker %u: link closed", (unsigned) p->index);
        f->n_greeted--;
        role_report_links(f->n_greeted);
    }
    free(p->targets);
    free(p);
    check_closed(f);
}

static void
on_drained(struct link *l, void *data)
{
    struct peer *p = data;

    (void) l;
    session_link_drained(p->front->worker->sessions, &p->sessions);
}

static const struct link_handlers front_link_handlers = {
    .frame = on_frame,
    .closed = on_link_closed,
    .drained = on_drained,
};

static void
on_connection(uv_stream_t *listener, int status)
{
    struct front *f = listener->data;
    struct peer *p;

    if (status < 0) {
        log_warn("accept: %s", uv_strerror(status));
        return;
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        log_error("no memory for a link; nginx tries again");
        link_refuse(listener);
        return;
    }
    p->front = f;
    session_link_init(&p->sessions);
    TAILQ_INIT(&p->requests);
    TAILQ_INIT(&p->verifies);
    TAILQ_INIT(&p->gates);
    p->link = link_accept(listener, &front_link_handlers, p);
    if (p->link == NULL) {
        free(p);
        return;
    }
    TAILQ_INSERT_TAIL(&f->peers, p, link_of_front);
}

static void
on_listener_closed(uv_handle_t *handle)
{
    struct front *f = handle->data;

    f->listener_closed = true;
    check_closed(f);
}

struct front *
front_create(struct worker *w)
{
    struct front *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return NULL;
    }
    f->worker = w;
    f->listener_closed = true;
    TAILQ_INIT(&f->peers);
    front_settings_changed(f, &w->config->settings);
    if (getrandom(&f->instance, sizeof(f->instance), 0)
        != (ssize_t) sizeof(f->instance)) {
        f->instance = uv_hrtime();
    }
    return f;
}

int
front_listen(struct front *f)
{
    const struct role_config *c = f->worker->config;
    char name[32];

    (void) snprintf(name, sizeof(name), "worker-%u.sock", c->index);
    f->listener.data = f;
    if (role_listen(f->worker->loop, c, name, &f->listener, on_connection)
        != 0) {
        return -1;
    }
    f->listener_closed = false;
    return 0;
}

void
front_close(struct front *f, void (*closed)(void *data), void *data)
{
    struct peer *p;

    f->closing = true;
    f->closed = closed;
    f->closed_data = data;
    for (p = TAILQ_FIRST(&f->peers); p != NULL;
         p = TAILQ_NEXT(p, link_of_front)) {
        link_close(p->link);
    }
    if (f->listener_closed) {
        check_closed(f);
    } else {
        uv_close((uv_handle_t *) &f->listener, on_listener_closed);
    }
}

void
front_free(struct front *f)
{
    free(f);
}

void
front_settings_changed(struct front *f, const struct settings *s)
{
    f->generation = s->generation;
    f->settings_hash = s->hash;
}
