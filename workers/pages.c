/* See pages.h. */

#include "pages.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "session.h"

#define PAGES_AT_ONCE 2
#define PAGES_SMALL   16384 /* bytes of an answer that nginx may keep */

struct page_call {
    struct session_pages head; /* first */
    struct call *call;
    struct storage_op op;
    char bytes[]; /* of the strings of the op */
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
    size_t len = op->user.len + op->channel.len + op->cursor.len + op->text.len;
    struct page_call *p = malloc(sizeof(*p) + len + 1);
    char *at;

    if (p == NULL) {
        return NULL;
    }
    at = p->bytes;
    p->head = (struct session_pages){NULL, forget};
    p->call = c;
    p->op = (struct storage_op){
        .type = op->type,
        .flags = op->flags,
        .user = keep(&at, op->user),
        .channel = keep(&at, op->channel),
        .cursor = keep(&at, op->cursor),
        .text = keep(&at, op->text),
        .limit = op->limit,
        .bytes = op->bytes,
        .before = op->before,
        .after = op->after,
        .around = op->around,
        .message_id = op->message_id,
    };
    return p;
}

bool
pages_take(struct call *c, const struct origin *o, const struct storage_op *op)
{
    struct session *s = o->session;
    struct page_call *p;

    if (s == NULL) {
        return true;
    }
    if (c->request->paged || (s->pages == NULL && may_start(s, c->request))) {
        start(s, c->request);
        return true;
    }
    p = page_call_create(c, op);
    if (p == NULL) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
        return false;
    }
    if (s->pages == NULL) {
        s->pages = &p->head;
    } else {
        s->pages_last->next = &p->head;
    }
    s->pages_last = &p->head;
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
