/*
 * See storage_inbox.h.  A user's run lives in the arena of the commit; it
 * goes into the batch when it is full, or with the commit.
 */

#include "storage_inbox.h"

struct inbox_entry {
    struct inbox_entry *next;
    struct record_inbox to;
};

struct inbox_run {
    struct inbox_run *next;
    struct user *user; /* referred to */
    uint32_t n;
    struct inbox_entry *first, **last;
};

static struct inbox_run *inbox_run(struct embedded *e, struct user *u);
static void inbox_put(struct embedded *e, struct inbox_run *run);
static void inbox_poison(struct embedded *e);


uint64_t
inbox_add(struct embedded *e, struct user *u, const struct record_inbox *to)
{
    struct inbox_run *run = inbox_run(e, u);
    struct inbox_entry *entry;

    entry =
        run == NULL ? NULL : arena_alloc(&e->collecting->arena, sizeof(*entry));

    if (entry == NULL) {
        inbox_poison(e);
        return ++u->newest;
    }

    if (run->n == RECORD_INBOX_MAX) {
        inbox_put(e, run);
    }

    entry->next = NULL;
    entry->to = *to;
    *run->last = entry;
    run->last = &entry->next;
    run->n++;
    return ++u->newest;
}


static struct inbox_run *
inbox_run(struct embedded *e, struct user *u)
{
    struct commit *c = e->collecting;
    struct inbox_run *run = u->inbox_run;

    if (run != NULL) {
        return run;
    }

    run = arena_alloc(&c->arena, sizeof(*run));
    if (run == NULL) {
        return NULL;
    }

    run->user = u;
    run->n = 0;
    run->first = NULL;
    run->last = &run->first;
    run->next = c->inbox_runs;
    c->inbox_runs = run;
    c->writes = true;
    u->inbox_run = run;
    user_ref(e, u);
    return run;
}


void
inbox_write(struct embedded *e)
{
    struct commit *c = e->collecting;
    struct inbox_run *run;

    while ((run = c->inbox_runs) != NULL) {
        c->inbox_runs = run->next;
        inbox_put(e, run);
        run->user->inbox_run = NULL;
        user_unref(e, run->user);
    }
}


/* The newest of the entries has the user's newest id. */
static void
inbox_put(struct embedded *e, struct inbox_run *run)
{
    struct buf *value = embedded_record(e);
    const struct inbox_entry *entry;
    struct key key;

    for (entry = run->first; entry != NULL; entry = entry->next) {
        record_put_inbox(value, &entry->to);
    }

    key_inbox(&key, run->user->number, run->user->newest);
    embedded_put(e, &key, value);

    run->n = 0;
    run->first = NULL;
    run->last = &run->first;
}


static void
inbox_poison(struct embedded *e)
{
    struct buf *value = embedded_record(e);
    struct key key;

    value->failed = true;
    key_sequence(&key);
    embedded_put(e, &key, value);
}
