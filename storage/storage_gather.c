/*
 * See storage_gather.h.  What is gathered lives in the arena of the commit.
 */

#include "storage_gather.h"

struct gathered_entry {
    struct gathered_entry *next;
    struct record_inbox to;
};

struct gathered_outcome {
    struct gathered_outcome *next;
    struct str client_id;
    struct record_outcome outcome;
};

struct gathered {
    struct gathered *next;
    struct user *user; /* referred to */
    uint32_t n_entries;
    uint32_t day; /* of the outcomes */
    struct gathered_entry *entries, **entries_last;
    struct gathered_outcome *outcomes, **outcomes_last;
};

static struct gathered *gather(struct embedded *e, struct user *u);
static void gather_entries_reset(struct gathered *g);
static void gather_outcomes_reset(struct gathered *g);
static void gather_put_entries(struct embedded *e, struct gathered *g);
static void gather_put_outcomes(struct embedded *e, struct gathered *g);
static void gather_poison(struct embedded *e);


uint64_t
gather_inbox(struct embedded *e, struct user *u, const struct record_inbox *to)
{
    struct gathered *g = gather(e, u);
    struct gathered_entry *entry = NULL;

    if (g != NULL) {
        entry = arena_alloc(&e->collecting->arena, sizeof(*entry));
    }

    if (entry == NULL) {
        gather_poison(e);
        return ++u->newest;
    }

    if (g->n_entries == RECORD_INBOX_MAX) {
        gather_put_entries(e, g);
    }

    entry->next = NULL;
    entry->to = *to;
    *g->entries_last = entry;
    g->entries_last = &entry->next;
    g->n_entries++;
    return ++u->newest;
}


void
gather_outcome(struct embedded *e, struct user *u, uint32_t day,
               struct str client_id, const struct record_outcome *o)
{
    struct gathered *g = gather(e, u);
    struct gathered_outcome *outcome = NULL;

    if (g != NULL) {
        outcome = arena_alloc(&e->collecting->arena, sizeof(*outcome));
    }

    if (outcome == NULL) {
        gather_poison(e);
        return;
    }

    /* past midnight; days do not go back */
    if (g->outcomes != NULL && g->day != day) {
        gather_put_outcomes(e, g);
    }

    outcome->next = NULL;
    outcome->client_id = client_id;
    outcome->outcome = *o;
    *g->outcomes_last = outcome;
    g->outcomes_last = &outcome->next;
    g->day = day;
}


static struct gathered *
gather(struct embedded *e, struct user *u)
{
    struct commit *c = e->collecting;
    struct gathered *g = u->gathered;

    if (g != NULL) {
        return g;
    }

    g = arena_alloc(&c->arena, sizeof(*g));
    if (g == NULL) {
        return NULL;
    }

    g->user = u;
    gather_entries_reset(g);
    gather_outcomes_reset(g);
    g->next = c->gathered;
    c->gathered = g;
    c->writes = true;
    u->gathered = g;
    user_ref(e, u);
    return g;
}


static void
gather_entries_reset(struct gathered *g)
{
    g->n_entries = 0;
    g->entries = NULL;
    g->entries_last = &g->entries;
}


static void
gather_outcomes_reset(struct gathered *g)
{
    g->outcomes = NULL;
    g->outcomes_last = &g->outcomes;
}


void
gather_write(struct embedded *e)
{
    struct commit *c = e->collecting;
    struct gathered *g;

    while ((g = c->gathered) != NULL) {
        c->gathered = g->next;

        if (g->entries != NULL) {
            gather_put_entries(e, g);
        }

        if (g->outcomes != NULL) {
            gather_put_outcomes(e, g);
        }

        g->user->gathered = NULL;
        user_unref(e, g->user);
    }
}


/* The last of the entries has the user's newest id. */
static void
gather_put_entries(struct embedded *e, struct gathered *g)
{
    struct buf *value = embedded_record(e);
    const struct gathered_entry *entry;
    struct key key;

    for (entry = g->entries; entry != NULL; entry = entry->next) {
        record_put_inbox(value, &entry->to);
    }

    key_inbox(&key, g->user->number, g->user->newest);
    embedded_put(e, &key, value);
    gather_entries_reset(g);
}


/* The sequence is the one that the commit will have. */
static void
gather_put_outcomes(struct embedded *e, struct gathered *g)
{
    struct buf *value = embedded_record(e);
    const struct gathered_outcome *o;
    struct key key;

    for (o = g->outcomes; o != NULL; o = o->next) {
        record_put_client(value, o->client_id, &o->outcome);
    }

    key_clients(&key, g->day, g->user->number, e->sequence + 1);
    embedded_put(e, &key, value);
    gather_outcomes_reset(g);
}


static void
gather_poison(struct embedded *e)
{
    struct buf *value = embedded_record(e);
    struct key key;

    value->failed = true;
    key_sequence(&key);
    embedded_put(e, &key, value);
}
