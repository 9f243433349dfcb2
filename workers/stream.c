/*
 * The stream of a session: live, behind, and the pages between.
 *
 * Pages are read first come first served, at most PAGES_MAX at once and only
 * for links that are not full; sessions of a full link are parked until it
 * has drained.  After each page the session waits for nginx's credit, so a
 * client that reads nothing costs one page; one that reads many in a row gets
 * them at half the speed.
 */

#include "session_inner.h"

#include <inttypes.h>

#include "barred.h"
#include "front.h"
#include "log.h"
#include "touch.h"
#include "worker.h"

#define PAGE_BYTES (64u << 10)

/* In a row, as fast as can be: 1 MiB.  Who has more to catch up with leaves
 * others half of the time. */
#define PAGES_FAST 16

struct session_list *
stream_list(struct session *s)
{
    switch ((enum session_state) s->state) {
    case SESSION_OPENING:
        return &s->user->all->opening;
    case SESSION_BEHIND:
        return s->parked ? &s->link->parked : &s->user->all->waiting;
    case SESSION_LIVE:
    case SESSION_READING:
    case SESSION_PAGED:
        break;
    }
    return NULL;
}

void
stream_set_state(struct session *s, enum session_state state, bool parked)
{
    struct session_list *list = stream_list(s);

    if (list != NULL) {
        TAILQ_REMOVE(list, s, list);
    }
    s->state = (uint8_t) state;
    s->parked = parked;
    list = stream_list(s);
    if (list != NULL) {
        TAILQ_INSERT_TAIL(list, s, list);
    }
}

static void
fall_behind(struct session *s)
{
    log_debug("session %" PRIu64 ": behind after %" PRIu64, s->handle,
              s->cursor);
    stream_set_state(s, SESSION_BEHIND, false);
}

static void
fall_behind_live(struct session *s)
{
    s->user->all->worker->counters.behind++;
    fall_behind(s);
}

static void
go_live(struct session *s)
{
    log_debug("session %" PRIu64 ": live at %" PRIu64, s->handle, s->cursor);
    s->pages_read = 0;
    stream_set_state(s, SESSION_LIVE, false);
}

static void
send_page(struct session *s, const struct storage_result *r)
{
    s->user->all->worker->counters.pages++;
    s->cursor = r->entries[r->n_entries - 1].inbox_id;
    s->more = r->more;
    s->pages_read += s->pages_read < PAGES_FAST;
    stream_set_state(s, SESSION_PAGED, false);
    front_page(s->link, s->handle, r->entries, r->n_entries);
}

static void
page_done(const struct storage_result *r, void *data)
{
    struct page_read *read = data;
    struct sessions *all = read->all;
    struct session *s = read->session;

    read->used = false;
    if (s == NULL) {
        stream_pump(all);
        return;
    }

    /* no hot loop on a storage that fails: the next tick tries again */
    if (r->status != STORAGE_OK) {
        fall_behind(s);
        return;
    }

    if (s->cursor == s->page_from && r->n_entries != 0) {
        send_page(s, r);
    } else if (s->cursor != s->page_from || s->missed) {
        fall_behind(s);
    } else {
        go_live(s);
    }
    stream_pump(all);
}

static struct page_read *
free_read(struct sessions *all)
{
    for (unsigned i = 0; i < PAGES_MAX; i++) {
        if (!all->reads[i].used) {
            return &all->reads[i];
        }
    }
    return NULL;
}

static void
start_read(struct page_read *read, struct session *s)
{
    struct storage_op op = {
        .type = STORAGE_READ_INBOX,
        .user = session_user(s),
        .after = s->cursor,
        .limit = STORAGE_INBOX_LIMIT,
        .bytes = PAGE_BYTES,
        .number = s->pages_read == PAGES_FAST,
    };

    *read = (struct page_read){s->user->all, s, true};
    s->page_from = s->cursor;
    s->missed = false;
    stream_set_state(s, SESSION_READING, false);
    storage_submit(s->user->all->worker->storage, &op, page_done, read);
}

void
stream_pump(struct sessions *all)
{
    struct page_read *read;
    struct session *s;

    while ((s = TAILQ_FIRST(&all->waiting)) != NULL) {
        if (front_full(s->link)) {
            stream_set_state(s, SESSION_BEHIND, true);
            continue;
        }
        read = free_read(all);
        if (read == NULL) {
            return;
        }
        start_read(read, s);
    }
}

void
session_link_drained(struct sessions *all, struct session_link *l)
{
    struct session *s;

    while ((s = TAILQ_FIRST(&l->parked)) != NULL) {
        stream_set_state(s, SESSION_BEHIND, false);
    }
    stream_pump(all);
}

void
session_credit(struct sessions *all, struct session *s, uint64_t inbox_id)
{
    switch ((enum session_state) s->state) {
    case SESSION_OPENING:
        return;

    case SESSION_LIVE:
        if (inbox_id < s->cursor) {
            s->cursor = inbox_id;
            fall_behind_live(s);
        }
        break;

    case SESSION_BEHIND:
    case SESSION_READING:
        if (inbox_id < s->cursor) {
            s->cursor = inbox_id;
        }
        break;

    case SESSION_PAGED:
        /* an old credit for dropped events: the page's own one follows */
        if (inbox_id >= s->page_from && inbox_id < s->cursor) {
            return;
        }
        if (inbox_id >= s->cursor && !s->more
            && (!s->missed || inbox_id >= s->user->newest)) {
            s->cursor = inbox_id;
            go_live(s);
        } else {
            s->cursor = inbox_id;
            fall_behind(s);
        }
        break;
    }
    stream_pump(all);
}

void
stream_start(struct session *s)
{
    if (s->cursor < s->user->newest) {
        fall_behind(s);
        stream_pump(s->user->all);
    } else {
        go_live(s);
    }
}

void
stream_catch_up(struct session *s)
{
    switch ((enum session_state) s->state) {
    case SESSION_OPENING:
        return;
    case SESSION_LIVE:
        if (s->cursor < s->user->newest) {
            fall_behind_live(s);
        }
        return;
    case SESSION_BEHIND:
    case SESSION_READING:
    case SESSION_PAGED:
        s->missed = true;
        return;
    }
}

void
stream_forget_page(struct session *s)
{
    struct sessions *all = s->user->all;

    for (unsigned i = 0; s->state == SESSION_READING && i < PAGES_MAX; i++) {
        if (all->reads[i].session == s) {
            all->reads[i].session = NULL;
        }
    }
}

static void
deliver(struct session *s, uint64_t inbox_id)
{
    if (s->state == SESSION_OPENING || (inbox_id == 0 && front_full(s->link))) {
        return;
    }
    if (inbox_id == 0) {
        front_push(s->link, s->handle, 0);
        s->user->all->worker->counters.pushes++;
        return;
    }
    if (inbox_id <= s->cursor) {
        return;
    }
    if (s->state != SESSION_LIVE) {
        s->missed = true;
        return;
    }
    if (inbox_id == s->cursor + 1 && !front_full(s->link)) {
        front_push(s->link, s->handle, inbox_id);
        s->cursor = inbox_id;
        s->user->all->worker->counters.pushes++;
        return;
    }
    fall_behind_live(s);
}

void
sessions_event(struct sessions *all, const struct storage_event *e)
{
    for (uint32_t i = 0; i < e->n_targets; i++) {
        const struct storage_target *t = &e->targets[i];
        struct map_entry *found =
            map_find(&all->by_number, &t->number, sizeof(t->number));
        struct session *s;
        struct user *u;

        if (found == NULL) {
            continue;
        }
        u = map_container(found, struct user, by_number);
        if (e->method == STORAGE_EVENT_USER_ENDED) {
            barred_event(u, e->tail);
            continue;
        }
        if (e->method == STORAGE_EVENT_TOKENS) {
            touch_user(u);
            continue;
        }
        if (t->inbox_id > u->newest) {
            u->newest = t->inbox_id;
        }
        for (s = TAILQ_FIRST(&u->sessions); s != NULL;
             s = TAILQ_NEXT(s, of_user)) {
            deliver(s, t->inbox_id);
        }
    }
    front_push_end(all->worker->front, e);
    stream_pump(all);
}

void
session_replied(struct session *s, uint64_t inbox_id)
{
    if (inbox_id > s->user->newest) {
        s->user->newest = inbox_id;
    }
    if (s->state == SESSION_OPENING || inbox_id <= s->cursor) {
        return;
    }
    if (s->state != SESSION_LIVE) {
        s->missed = true;
    } else if (inbox_id == s->cursor + 1) {
        s->cursor = inbox_id;
    } else {
        fall_behind_live(s);
        stream_pump(s->user->all);
    }
}
