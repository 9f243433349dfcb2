/*
 * What tests of the storage do over and over, in a store of storage_world.h:
 * each event is kept, and what the memory engine holds back or has written can
 * be told to it and looked at.
 */

#ifndef TESTS_STORAGE_STEPS_H
#define TESTS_STORAGE_STEPS_H

#include "storage_world.h"

#include "storage_key.h"

#define EVENTS_MAX 4096

struct seen_event {
    unsigned nth;
    uint64_t sequence;
    enum storage_event_method method;
    char *tail;
    uint32_t n_targets;
    struct storage_target targets[STORAGE_MEMBERS_MAX];
};

static struct seen_event events[EVENTS_MAX];
static unsigned n_events;


static void
on_event(const struct storage_event *e, void *data)
{
    struct seen_event *seen;

    (void) data;
    assert_true(n_events < EVENTS_MAX);
    seen = &events[n_events++];
    assert_true(e->n_targets > 0 && e->n_targets <= STORAGE_MEMBERS_MAX);
    assert_true(e->sequence > 0);

    seen->nth = ++nth;
    seen->sequence = e->sequence;
    seen->method = e->method;
    seen->tail = strndup(e->tail.data, e->tail.len);
    seen->n_targets = e->n_targets;
    memcpy(seen->targets, e->targets, e->n_targets * sizeof(*e->targets));
}


static void
forget_told(void)
{
    while (n_events > 0) {
        free(events[--n_events].tail);
    }
}


static inline struct storage_op
op_send(const char *user, const char *to, const char *client_id,
        const char *text)
{
    static char texts[8][600];
    static unsigned n;
    struct storage_op op = {.type = STORAGE_SEND};
    char *at = texts[n++ % 8];

    snprintf(at, 600, "\"client_id\":\"%s\",\"type\":\"text\",\"text\":\"%s\"}",
             client_id, text);
    op.user = s(user);
    op.client_id = s(client_id);
    op.text = s(at);

    if (to[0] == 'g' || strchr(to, '~') != NULL) {
        op.channel = s(to);

    } else {
        op.to = s(to);
    }

    return op;
}


static inline struct answer *
start_send(const char *user, const char *to, const char *client_id)
{
    struct storage_op op = op_send(user, to, client_id, client_id);

    return submit(&op);
}


static inline struct answer *
do_send(const char *user, const char *to, const char *client_id)
{
    struct answer *a = start_send(user, to, client_id);

    wait_for(a);
    return a;
}


static inline struct answer *
subscribe(const char *user)
{
    struct storage_op op = {
        .type = STORAGE_SUBSCRIBE, .flags = STORAGE_CONNECT, .user = s(user)};

    return call(&op);
}


static inline struct answer *
read_inbox(const char *user, uint64_t after, uint32_t limit)
{
    struct storage_op op = {.type = STORAGE_READ_INBOX,
                            .user = s(user),
                            .after = after,
                            .limit = limit};

    return call(&op);
}


static inline struct answer *
on_channel(enum storage_op_type type, const char *user, const char *channel)
{
    struct storage_op op = {
        .type = type, .user = s(user), .channel = s(channel)};

    return call(&op);
}


static inline struct answer *
with_users(enum storage_op_type type, const char *user, const char *channel,
           const char *names)
{
    static char copy[8192];
    struct str users[200];
    struct storage_op op = {.type = type,
                            .user = s(user),
                            .channel = s(channel),
                            .users = users,
                            .name = s("club")};
    char *name, *save = NULL;

    snprintf(copy, sizeof(copy), "%s", names);

    for (name = strtok_r(copy, " ", &save); name != NULL;
         name = strtok_r(NULL, " ", &save)) {
        users[op.n_users++] = s(name);
    }

    return call(&op);
}


/* The id of a channel in {"channel":{"channel":"ID"... */
static inline const char *
id_in(const struct answer *a)
{
    static char ids[16][STORAGE_CHANNEL_MAX + 1];
    static unsigned n;
    char *id = ids[n++ % 16];

    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(
        sscanf(a->json, "{\"channel\":{\"channel\":\"%160[^\"]", id), 1);
    return id;
}


static inline uint64_t
number_in(const char *json, const char *key)
{
    char pattern[64];
    const char *at;

    snprintf(pattern, sizeof(pattern), "\"%s\":", key);
    at = strstr(json, pattern);
    assert_non_null(at);
    return strtoull(at + strlen(pattern), NULL, 10);
}


static inline void
wait_until_waiting(uint64_t n)
{
    struct storage_stats stats;

    do {
        uv_run(&loop, UV_RUN_NOWAIT);
        storage_stats(storage, &stats);
    } while (stats.waiting != n);
}


static inline void
with_engine(void (*f)(struct engine *e))
{
    const char *error;
    struct engine *e = engine_memory.open(path(), false, &error);

    assert_non_null(e);
    f(e);
    engine_memory.close(e);
}


/* What one commit writes for a user, and how many keys it takes. */

static enum key_kind counted;
static unsigned n_runs;

static inline void
count_runs(struct engine *e)
{
    struct engine_iter *i = engine_memory.iter_open(e);
    struct key key;

    key_prefix(&key, counted);
    n_runs = 0;

    for (engine_memory.iter_seek(i, key_str(&key));
         engine_memory.iter_valid(i)
         && key_has_prefix(engine_memory.iter_key(i), &key);
         engine_memory.iter_next(i)) {
        n_runs++;
    }

    engine_memory.iter_close(i);
}


static inline void
assert_runs(enum key_kind kind, unsigned n)
{
    counted = kind;
    close_storage();
    with_engine(count_runs);
    assert_int_equal(n_runs, n);
    open_storage();
}


static inline void
send_in_one_commit(unsigned n)
{
    struct answer *last = NULL;
    char id[16];
    unsigned i;

    engine_memory_hold_writes(path(), true);
    last = start_send("ann", "ann", "first");
    wait_until_waiting(1);

    for (i = 2; i <= n; i++) {
        snprintf(id, sizeof(id), "%u", i);
        last = start_send("ann", "ann", id);
    }

    wait_until_waiting(n);
    engine_memory_hold_writes(path(), false);
    wait_for(last);
}

#endif
