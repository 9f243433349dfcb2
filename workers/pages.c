/* See pages.h. */

#include "pages.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "call.h"
#include "session.h"

#define PAGES_AT_ONCE 2
#define PAGES_SMALL   16384 /* bytes of an answer that nginx may keep */
#define PAGES_PAID    4     /* times the length of the request   */
#define RETRY_AFTER_S 1

struct page_call {
    struct session_pages head; /* first */
    struct call *call;
    size_t bytes; /* of its request, where it is the first of that  */
    uint64_t sum; /* the same, with all that ever waited before it  */
    struct storage_op op;
    char strings[]; /* of the op */
};

static void
forget(struct session *s)
{
    struct page_call *p;

    while ((p = (struct page_call *) s->pages) != NULL) {
        s->pages = p->head.next;
        call_fail(p->call, CHAT_ERROR_UNAVAILABLE, STR(""));
        free(p);
    }
}

static bool
may_start(const struct session *s, const struct request *r)
{
    if (r->paged || s->n_pages == 0) {
        return true;
    }
    return !r->batch && !s->pages_batch && s->n_pages < PAGES_AT_ONCE;
}

static void
start(struct session *s, struct request *r)
{
    if (!r->paged) {
        r->paged = true;
        s->n_pages++;
        s->pages_batch = r->batch;
    }
}

static struct str
keep(char **at, struct str s)
{
    struct str kept = {s.data == NULL ? NULL : *at, s.len};

    if (s.data != NULL && s.len != 0) {
        memcpy(*at, s.data, s.len);
        *at += s.len;
    }
    return kept;
}

/* Those who ask for pages give no more strings than these. */
static struct page_call *
page_call_create(struct call *c, const struct storage_op *op)
{
    size_t len = op->user.len + op->device.len + op->channel.len
                 + op->cursor.len + op->text.len;
    struct page_call *p = malloc(sizeof(*p) + len + 1);
    char *at;

    if (p == NULL) {
        return NULL;
    }
    at = p->strings;
    p->head = (struct session_pages){NULL, forget};
    p->call = c;
    p->op = (struct storage_op){
        .type = op->type,
        .flags = op->flags,
        .user = keep(&at, op->user),
        .device = keep(&at, op->device),
        .channel = keep(&at, op->channel),
        .cursor = keep(&at, op->cursor),
        .text = keep(&at, op->text),
        .limit = op->limit,
        .bytes = op->bytes,
        .before = op->before,
        .after = op->after,
        .around = op->around,
        .message_id = op->message_id,
        .number = op->number,
    };
    return p;
}

/* Bytes of the requests of those who wait. */
static uint64_t
waiting_bytes(const struct session *s)
{
    const struct page_call *first = (const struct page_call *) s->pages;
    const struct page_call *last = (const struct page_call *) s->pages_last;

    return first == NULL ? 0 : last->sum - first->sum + first->bytes;
}

/* Those of one request stand together: it gives its place back when all of them
 * are answered, so none may stand behind another that waits for that place. */
static void
wait_behind(struct session *s, struct page_call *p)
{
    const struct request *r = p->call->request;
    struct page_call *before, *i;

    p->bytes = r->waits ? 0 : r->text_len;
    if (s->pages == NULL) {
        p->sum = p->bytes;
        s->pages = s->pages_last = &p->head;
        return;
    }
    before = (struct page_call *) s->pages_last;
    if (r->waits) {
        for (i = (struct page_call *) s->pages; i != NULL;
             i = (struct page_call *) i->head.next) {
            before = i->call->request == r ? i : before;
        }
    }
    p->sum = before->sum + p->bytes;
    p->head.next = before->head.next;
    before->head.next = &p->head;
    if (p->head.next == NULL) {
        s->pages_last = &p->head;
    }
}

enum place {
    PLACE_TAKEN,
    PLACE_WAITS,
    PLACE_NONE, /* too much waits */
    PLACE_NOMEM,
};

/* A place on the way for the call's request, or one among those who wait. */
static enum place
find_place(struct session *s, struct call *c, const struct storage_op *op)
{
    struct request *r = c->request;
    struct page_call *p;

    if (r->paged || (s->pages == NULL && may_start(s, r))) {
        start(s, r);
        return PLACE_TAKEN;
    }
    if (!r->waits && s->pages != NULL
        && waiting_bytes(s) + r->text_len > PAGES_WAITING_MAX) {
        return PLACE_NONE;
    }
    p = page_call_create(c, op);
    if (p == NULL) {
        return PLACE_NOMEM;
    }
    wait_behind(s, p);
    r->waits = true;
    return PLACE_WAITS;
}

bool
pages_take(struct call *c, const struct origin *o, const struct storage_op *op)
{
    switch (o->session == NULL ? PLACE_TAKEN : find_place(o->session, c, op)) {
    case PLACE_TAKEN:
        return true;
    case PLACE_WAITS:
        break;
    case PLACE_NONE:
        call_fail_limited(c, RETRY_AFTER_S);
        break;
    case PLACE_NOMEM:
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
        break;
    }
    return false;
}

/* A large answer to a request that is large itself costs its client as much. */
static bool
is_paid(const struct request *r, size_t len)
{
    return len <= PAGES_SMALL / (r->batch ? LIMIT_BATCH : 1)
           || r->answer_len + len <= PAGES_PAID * r->text_len;
}

bool
pages_answer(struct call *c, size_t len, struct storage_op *again)
{
    struct request *r = c->request;
    struct session *s = r->link == NULL || r->handle == 0
                            ? NULL
                            : session_find(r->link, r->handle);

    if (s == NULL || c->id.len == 0 || is_paid(r, len)) {
        return true;
    }
    again->user = session_user(s);
    switch (find_place(s, c, again)) {
    case PLACE_TAKEN:
        return true;
    case PLACE_WAITS:
        break;
    default:
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    }
    return false;
}

static void
pump(struct session *s)
{
    struct page_call *p;

    while ((p = (struct page_call *) s->pages) != NULL
           && may_start(s, p->call->request)) {
        s->pages = p->head.next;
        start(s, p->call->request);
        call_submit_kept(p->call, &p->op);
        free(p);
    }
}

static void
leave(struct session *s, uint32_t n)
{
    /* a connection that was opened anew has forgotten some */
    s->n_pages = n < s->n_pages ? (uint8_t) (s->n_pages - n) : 0;
    if (s->n_pages == 0) {
        s->pages_batch = false;
    }
    pump(s);
}

void
pages_reply(struct request *r, const struct str *parts, unsigned n)
{
    size_t len = 0;

    for (unsigned i = 0; i < n; i++) {
        len += parts[i].len;
    }
    r->large = len > PAGES_SMALL;
}

void
pages_replied(const struct request *r)
{
    struct session *s = session_find(r->link, r->handle);

    if (s != NULL && !r->large) {
        leave(s, 1);
    }
}

void
pages_drained(struct session *s, uint32_t n)
{
    leave(s, n);
}
