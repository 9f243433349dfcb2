/*
 * The conformance suite of storage.h: every test runs on each embedded back
 * end, and speaks to it through storage.h alone.  What happens when a write
 * fails is shown on the memory engine, whose writes can be made to fail.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "storage.h"
#include "storage_engine.h"
#include "storage_format.h"
#include "storage_key.h"
#include "storage_memory.h"
#include "storage_record.h"

#define EVENTS_MAX  4096
#define ANSWERS_MAX 1024

struct answer {
    bool done;
    unsigned nth; /* among all answers and events */
    enum storage_status status;
    bool duplicate, more;
    char *json;
    uint64_t inbox_id, number;
    uint32_t n_entries;
    uint64_t first_id, last_id;
    char *tails; /* each behind the other */
};

struct seen_event {
    unsigned nth;
    uint64_t sequence;
    enum storage_event_method method;
    char *tail;
    uint32_t n_targets;
    struct storage_target targets[STORAGE_MEMBERS_MAX];
};

struct world {
    uv_loop_t loop;
    struct storage *s;
    char address[256];
    bool closed;
    unsigned nth;
    unsigned lost;
    unsigned n_events;
    struct seen_event events[EVENTS_MAX];
    struct answer answers[ANSWERS_MAX]; /* of one test */
    unsigned n_answers;
};

static struct world w;
static unsigned world_number;
static char leveldb_dir[128];


static void
on_event(const struct storage_event *e, void *data)
{
    struct seen_event *seen;

    (void) data;
    assert_true(w.n_events < EVENTS_MAX);
    seen = &w.events[w.n_events++];
    assert_true(e->n_targets > 0 && e->n_targets <= STORAGE_MEMBERS_MAX);
    assert_true(e->sequence > 0);

    seen->nth = ++w.nth;
    seen->sequence = e->sequence;
    seen->method = e->method;
    seen->tail = strndup(e->tail.data, e->tail.len);
    seen->n_targets = e->n_targets;
    memcpy(seen->targets, e->targets, e->n_targets * sizeof(*e->targets));
}


static void
on_lost(void *data)
{
    (void) data;
    w.lost++;
}


static void
on_closed(void *data)
{
    (void) data;
    w.closed = true;
}


static void
on_done(const struct storage_result *r, void *data)
{
    struct answer *a = data;
    size_t len = 0;
    uint32_t i;

    assert_false(a->done);
    a->done = true;
    a->nth = ++w.nth;
    a->status = r->status;
    a->duplicate = r->duplicate;
    a->more = r->more;
    a->inbox_id = r->inbox_id;
    a->number = r->number;
    a->n_entries = r->n_entries;
    a->json = strndup(r->json.len ? r->json.data : "", r->json.len);

    for (i = 0; i < r->n_entries; i++) {
        len += r->entries[i].tail.len;
    }

    a->tails = calloc(1, len + 1);

    for (i = 0; i < r->n_entries; i++) {
        strncat(a->tails, r->entries[i].tail.data, r->entries[i].tail.len);
        assert_true(i == 0 || r->entries[i].inbox_id == a->last_id + 1);
        a->last_id = r->entries[i].inbox_id;
        a->first_id = i == 0 ? a->last_id : a->first_id;
    }
}


static void
world_open(void)
{
    struct storage_handlers handlers = {
        .event = on_event, .lost = on_lost, .data = NULL};
    const char *error = NULL;

    w.s = storage_open(&w.loop, w.address, &handlers, &error);

    if (w.s == NULL) {
        fail_msg("%s: %s", w.address, error);
    }
}


static void
world_close(void)
{
    w.closed = false;
    storage_close(w.s, on_closed, NULL);

    while (!w.closed) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }
}


static int
world_start(const char *scheme, const char *dir)
{
    memset(&w, 0, sizeof(w));
    uv_loop_init(&w.loop);
    snprintf(w.address, sizeof(w.address), "%s:%s%u", scheme, dir,
             ++world_number);
    world_open();
    return 0;
}


static int
setup_memory(void **state)
{
    (void) state;
    return world_start("memory", "t");
}


static int
setup_leveldb(void **state)
{
    (void) state;
    return world_start("leveldb", leveldb_dir);
}


static void
forget_events(void)
{
    while (w.n_events > 0) {
        free(w.events[--w.n_events].tail);
    }
}


static int
teardown(void **state)
{
    unsigned i;

    (void) state;
    world_close();
    assert_int_equal(uv_run(&w.loop, UV_RUN_NOWAIT), 0);
    assert_int_equal(uv_loop_close(&w.loop), 0);

    for (i = 0; i < w.n_answers; i++) {
        assert_true(w.answers[i].done);
        free(w.answers[i].json);
        free(w.answers[i].tails);
    }

    forget_events();

    return 0;
}


static void
reopen(void)
{
    world_close();
    world_open();
}


static const char *
path(void)
{
    return strchr(w.address, ':') + 1;
}


static struct str
s(const char *text)
{
    return (struct str){text, text == NULL ? 0 : strlen(text)};
}


static struct answer *
submit(const struct storage_op *op)
{
    struct answer *a;

    assert_true(w.n_answers < ANSWERS_MAX);
    a = &w.answers[w.n_answers++];
    storage_submit(w.s, op, on_done, a);
    assert_false(a->done);
    return a;
}


static void
wait_for(struct answer *a)
{
    while (!a->done) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }
}


static struct answer *
call(const struct storage_op *op)
{
    struct answer *a = submit(op);

    wait_for(a);
    return a;
}


static struct storage_op
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


static struct answer *
start_send(const char *user, const char *to, const char *client_id)
{
    struct storage_op op = op_send(user, to, client_id, client_id);

    return submit(&op);
}


static struct answer *
do_send(const char *user, const char *to, const char *client_id)
{
    struct answer *a = start_send(user, to, client_id);

    wait_for(a);
    return a;
}


static struct answer *
subscribe(const char *user)
{
    struct storage_op op = {
        .type = STORAGE_SUBSCRIBE, .flags = STORAGE_CONNECT, .user = s(user)};

    return call(&op);
}


static struct answer *
read_inbox(const char *user, uint64_t after, uint32_t limit)
{
    struct storage_op op = {.type = STORAGE_READ_INBOX,
                            .user = s(user),
                            .after = after,
                            .limit = limit};

    return call(&op);
}


static struct answer *
on_channel(enum storage_op_type type, const char *user, const char *channel)
{
    struct storage_op op = {
        .type = type, .user = s(user), .channel = s(channel)};

    return call(&op);
}


static struct answer *
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
static const char *
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


static uint64_t
number_in(const char *json, const char *key)
{
    char pattern[64];
    const char *at;

    snprintf(pattern, sizeof(pattern), "\"%s\":", key);
    at = strstr(json, pattern);
    assert_non_null(at);
    return strtoull(at + strlen(pattern), NULL, 10);
}


static void
assert_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("%s is not in %s", part, text);
    }
}


static void
assert_not_in(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("%s is in %s", part, text);
    }
}


static void
a_new_user_is_made_by_connecting(void **state)
{
    struct storage_op op = {.type = STORAGE_SUBSCRIBE, .user = s("ann")};
    uint64_t number;

    (void) state;
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    number = subscribe("ann")->number;
    assert_int_equal(number, 1);
    assert_int_equal(call(&op)->number, number);
    assert_int_equal(subscribe("bob")->number, 2);

    reopen();
    assert_int_equal(call(&op)->number, number);
    assert_int_equal(subscribe("cy")->number, 3);
}


static void
a_direct_message_reaches_both(void **state)
{
    struct answer *a;

    (void) state;
    subscribe("ann");
    subscribe("bob");
    a = do_send("ann", "bob", "c1");

    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(a->inbox_id, 1);
    assert_in(a->json, "{\"channel\":\"d.ann~bob\",\"message_id\":1,"
                       "\"inbox_id\":1,\"sent_at\":");
    assert_int_equal(w.n_events, 1);
    assert_true(a->nth < w.events[0].nth);
    assert_int_equal(w.events[0].n_targets, 2);
    assert_int_equal(w.events[0].targets[1].inbox_id, 1);
    assert_in(w.events[0].tail, ",\"message\":{\"channel\":\"d.ann~bob\","
                                "\"message_id\":1,\"sender\":\"ann\","
                                "\"sent_at\":");
    assert_in(w.events[0].tail, ",\"client_id\":\"c1\",\"type\":\"text\","
                                "\"text\":\"c1\"}}}");

    a = do_send("bob", "ann", "c1");
    assert_in(a->json, "\"message_id\":2,\"inbox_id\":2");

    a = read_inbox("bob", 0, 10);
    assert_int_equal(a->n_entries, 2);
    assert_int_equal(a->first_id, 1);
    assert_int_equal(a->inbox_id, 2);
    assert_false(a->more);
    assert_true(strncmp(a->tails, w.events[0].tail, strlen(w.events[0].tail))
                == 0);
}


static void
an_unsubscribed_user_gets_no_events(void **state)
{
    struct storage_op op = {.type = STORAGE_UNSUBSCRIBE};

    (void) state;
    op.number = subscribe("ann")->number;
    do_send("ann", "bob", "1");
    assert_int_equal(w.events[0].n_targets, 1);
    call(&op);
    do_send("ann", "bob", "2");
    assert_int_equal(w.n_events, 1);
}


static void
notes_to_oneself_have_one_member(void **state)
{
    struct answer *a;

    (void) state;
    subscribe("ann");
    a = do_send("ann", "ann", "1");
    assert_in(a->json, "\"channel\":\"d.ann~ann\",\"message_id\":1");
    assert_int_equal(w.events[0].n_targets, 1);
    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~ann");
    assert_in(a->json, "\"members\":[{\"user\":\"ann\",\"role\":\"member\","
                       "\"delivered\":1,\"read\":1}],\"muted_until\":0}}");
}


static void
messages_survive_a_restart_without_gaps(void **state)
{
    struct answer *a;
    char id[16];
    unsigned i;

    (void) state;

    for (i = 1; i <= 60; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        a = do_send(i % 2 ? "ann" : "bob", i % 2 ? "bob" : "ann", id);
        assert_int_equal(number_in(a->json, "message_id"), i);
        assert_int_equal(a->inbox_id, i);

        if (i % 20 == 0) {
            reopen();
        }
    }

    a = read_inbox("ann", 10, 30);
    assert_int_equal(a->n_entries, 30);
    assert_int_equal(a->first_id, 11);
    assert_true(a->more);
    assert_int_equal(read_inbox("ann", 60, 0)->n_entries, 0);
    assert_int_equal(read_inbox("ann", 61, 0)->status, STORAGE_AHEAD);
    assert_true(storage_sequence(w.s) >= 60);
}


static void
a_stranger_learns_nothing(void **state)
{
    static const enum storage_op_type types[] = {
        STORAGE_SEND,         STORAGE_GET_MESSAGE,    STORAGE_HISTORY,
        STORAGE_GET_CHANNEL,  STORAGE_ADD_MEMBERS,    STORAGE_REMOVE_MEMBERS,
        STORAGE_LEAVE,        STORAGE_UPDATE_CHANNEL, STORAGE_HIDE_CHANNEL,
        STORAGE_READ_CHANNEL, STORAGE_GET_MESSAGE};
    const char *group;
    size_t i;

    (void) state;
    do_send("ann", "bob", "1");
    subscribe("eve");
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob"));

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_int_equal(on_channel(types[i], "eve", group)->status,
                         STORAGE_NO_CHANNEL);
        assert_int_equal(on_channel(types[i], "eve", "d.ann~bob")->status,
                         STORAGE_NO_CHANNEL);
        assert_int_equal(on_channel(types[i], "eve", "g.none")->status,
                         STORAGE_NO_CHANNEL);
        assert_int_equal(on_channel(types[i], "nobody", group)->status,
                         STORAGE_NO_CHANNEL);
    }

    /* Naming the channel does not open it, even for its two. */
    assert_int_equal(do_send("eve", "d.bob~eve", "2")->status,
                     STORAGE_NO_CHANNEL);
}


static void
bad_arguments_are_refused(void **state)
{
    struct storage_op op = {.type = STORAGE_SEND, .user = s("a~b")};
    char name[STORAGE_ID_MAX + 2];

    (void) state;
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';

    op.to = s("bob");
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    op.user = s("ann");
    op.to = s("b~b");
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    op.to = s(name);
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    op.to = s("");
    assert_int_equal(call(&op)->status, STORAGE_NO_CHANNEL);
    op.type = 99;
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
}


static void
a_client_id_is_done_once(void **state)
{
    struct answer *a, *b;
    unsigned i;

    (void) state;
    a = do_send("ann", "bob", "same");

    for (i = 0; i < 3; i++) {
        b = do_send("ann", i == 0 ? "cy" : "bob", "same");
        assert_int_equal(b->status, STORAGE_OK);
        assert_true(b->duplicate);
        assert_int_equal(strncmp(a->json, b->json, strlen(a->json) - 1), 0);
        assert_in(b->json, ",\"duplicate\":true}");
        reopen();
    }

    /* Of this user only. */
    assert_false(do_send("bob", "ann", "same")->duplicate);
    assert_int_equal(read_inbox("ann", 0, 0)->n_entries, 2);
}


static void
a_repeat_waits_for_the_first(void **state)
{
    struct answer *a, *b, *c, *d;

    (void) state;
    a = start_send("ann", "bob", "x");
    b = start_send("ann", "bob", "x");
    c = start_send("ann", "cy", "x");
    d = start_send("ann", "bob", "y");
    wait_for(c);
    wait_for(d);

    assert_false(a->duplicate);
    assert_true(b->duplicate && c->duplicate);
    assert_in(c->json, "d.ann~bob");
    assert_in(d->json, "\"message_id\":2");
}


static void
a_refused_request_leaves_its_id_free(void **state)
{
    const char *group;
    struct answer *a, *b;

    (void) state;
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob"));
    a = start_send("eve", group, "x");
    b = start_send("eve", "ann", "x");
    wait_for(b);
    assert_int_equal(a->status, STORAGE_NO_CHANNEL);
    assert_int_equal(b->status, STORAGE_OK);
    assert_false(b->duplicate);
}


static void
a_request_id_is_done_once(void **state)
{
    struct str users[] = {STR("bob")};
    struct storage_op op = {.type = STORAGE_CREATE_CHANNEL,
                            .user = s("ann"),
                            .name = s("x"),
                            .users = users,
                            .n_users = 1,
                            .request_id = s("r-1")};
    struct answer *a, *b, *c;

    (void) state;
    a = submit(&op);
    b = submit(&op);
    wait_for(b);
    assert_false(a->duplicate);
    assert_true(b->duplicate);
    assert_string_equal(a->json, b->json);

    reopen();
    c = call(&op);
    assert_true(c->duplicate);
    assert_string_equal(a->json, c->json);
    assert_int_equal(read_inbox("ann", 0, 0)->n_entries, 1);
}


static void
unknown_users_may_be_refused(void **state)
{
    struct storage_op op = op_send("ann", "bob", "1", "x");
    struct str users[] = {STR("bob")};
    struct storage_op create = {.type = STORAGE_CREATE_CHANNEL,
                                .user = s("ann"),
                                .name = s("x"),
                                .users = users,
                                .n_users = 1,
                                .flags = STORAGE_REFUSE_UNKNOWN};

    (void) state;
    op.flags = STORAGE_REFUSE_UNKNOWN;
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    assert_int_equal(call(&create)->status, STORAGE_NO_USER);

    /* Mentioned is not connected. */
    do_send("ann", "bob", "2");
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    op.to = s("ann");
    assert_int_equal(call(&op)->status, STORAGE_OK);

    subscribe("bob");
    reopen();
    op = op_send("ann", "bob", "3", "x");
    op.flags = STORAGE_REFUSE_UNKNOWN;
    assert_int_equal(call(&op)->status, STORAGE_OK);
    assert_int_equal(call(&create)->status, STORAGE_OK);
}


static void
history_pages(void **state)
{
    static const struct {
        uint64_t before, after, around;
        uint8_t flags;
        uint32_t limit, first, last;
        bool more;
    } cases[] = {
        {0,  0,  0,  0,             10, 21, 30, true },
        {0,  0,  0,  0,             0,  1,  30, false},
        {11, 0,  0,  0,             5,  6,  10, true },
        {6,  0,  0,  0,             5,  1,  5,  false},
        {1,  0,  0,  0,             5,  0,  0,  false},
        {99, 0,  0,  0,             5,  26, 30, true },
        {0,  0,  0,  STORAGE_AFTER, 5,  1,  5,  true },
        {0,  25, 0,  0,             5,  26, 30, false},
        {0,  30, 0,  0,             5,  0,  0,  false},
        {0,  99, 0,  0,             5,  0,  0,  false},
        {0,  0,  10, 0,             5,  8,  12, true },
        {0,  0,  1,  0,             4,  1,  4,  true },
        {0,  0,  30, 0,             4,  27, 30, true },
        {0,  0,  15, 0,             60, 1,  30, false},
    };
    struct storage_op op = {
        .type = STORAGE_HISTORY, .user = s("ann"), .channel = s("d.ann~bob")};
    struct answer *a;
    char id[16];
    size_t i, n;
    const char *at;

    (void) state;

    for (i = 1; i <= 30; i++) {
        snprintf(id, sizeof(id), "c%zu", i);
        do_send("ann", "bob", id);
    }

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        op.before = cases[i].before;
        op.after = cases[i].after;
        op.around = cases[i].around;
        op.flags = cases[i].flags;
        op.limit = cases[i].limit;
        a = call(&op);
        assert_int_equal(a->status, STORAGE_OK);
        n = 0;

        for (at = a->json; (at = strstr(at, "\"message_id\":")) != NULL; at++) {
            assert_int_equal(number_in(at, "message_id"), cases[i].first + n);
            n++;
        }

        assert_int_equal(n, cases[i].first ? cases[i].last - cases[i].first + 1
                                           : 0);
        assert_in(a->json,
                  cases[i].more ? "],\"more\":true}" : "],\"more\":false}");
    }
}


static void
one_message_is_found(void **state)
{
    struct storage_op op = {.type = STORAGE_GET_MESSAGE,
                            .user = s("bob"),
                            .channel = s("d.ann~bob"),
                            .message_id = 1};
    struct answer *a;

    (void) state;
    do_send("ann", "bob", "1");
    a = call(&op);
    assert_int_equal(strncmp(a->json, "{\"message\":{\"channel\":\"d.ann", 28),
                     0);
    assert_in(a->json, "\"text\":\"1\"}}");
    op.message_id = 2;
    assert_int_equal(call(&op)->status, STORAGE_NO_MESSAGE);
    op.message_id = 0;
    assert_int_equal(call(&op)->status, STORAGE_NO_MESSAGE);
}


static void
a_page_ends_at_its_bytes_but_holds_one(void **state)
{
    static char text[400000];
    struct storage_op op = op_send("ann", "bob", "1", "");
    struct storage_op history = {
        .type = STORAGE_HISTORY, .user = s("ann"), .channel = s("d.ann~bob")};
    struct storage_op inbox = {.type = STORAGE_READ_INBOX, .user = s("bob")};
    struct answer *a;
    unsigned i;
    char id[8];

    (void) state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "\"text\":\"", 8);
    memcpy(text + sizeof(text) - 2, "\"}", 2);
    op.text = (struct str){text, sizeof(text)};

    for (i = 0; i < 6; i++) {
        snprintf(id, sizeof(id), "%u", i);
        op.client_id = s(id);
        assert_int_equal(call(&op)->status, STORAGE_OK);
    }

    a = call(&history);
    assert_true(strlen(a->json) > 800000 && strlen(a->json) < 1100000);
    assert_in(a->json, "],\"more\":true}");
    assert_in(a->json, "\"message_id\":6,");
    assert_in(a->json, "\"message_id\":5,");

    a = call(&inbox);
    assert_int_equal(a->n_entries, 2);
    assert_true(a->more);
    inbox.bytes = 1000;
    inbox.after = 2;
    a = call(&inbox);
    assert_int_equal(a->n_entries, 1);
    assert_int_equal(a->first_id, 3);
}


static void
an_inbox_mixes_channels_in_order(void **state)
{
    const char *group;
    struct answer *a;
    char id[16];
    unsigned i;

    (void) state;
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob cy"));

    for (i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "m%03u", i);
        do_send("ann", i % 3 == 0 ? group : i % 3 == 1 ? "bob" : "ann", id);
    }

    a = read_inbox("ann", 0, 1000);
    assert_int_equal(a->n_entries, 201);

    for (i = 0; i < 200; i++) {
        const char *at;

        snprintf(id, sizeof(id), "\"text\":\"m%03u\"", i);
        at = strstr(a->tails, id);
        assert_non_null(at);

        if (i > 0) {
            snprintf(id, sizeof(id), "\"text\":\"m%03u\"", i - 1);
            assert_true(strstr(a->tails, id) < at);
        }
    }
}


static void
a_group_tells_its_members(void **state)
{
    const char *group;
    struct answer *a;

    (void) state;
    subscribe("ann");
    subscribe("bob");
    a = with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob cy bob ann");
    group = id_in(a);
    assert_in(a->json, "\"kind\":\"group\",\"name\":\"club\",\"created_at\":");
    assert_in(a->json, "\"members\":[{\"user\":\"ann\",\"role\":\"owner\"},"
                       "{\"user\":\"bob\",\"role\":\"member\"},"
                       "{\"user\":\"cy\",\"role\":\"member\"}]}}");
    assert_int_equal(w.n_events, 1);
    assert_int_equal(w.events[0].method, STORAGE_EVENT_CHANNEL_UPDATED);
    assert_int_equal(w.events[0].n_targets, 2);
    assert_int_equal(strncmp(w.events[0].tail, ",\"channel\":{", 12), 0);

    a = do_send("cy", group, "1");
    assert_int_equal(a->inbox_id, 2);
    assert_int_equal(w.events[1].n_targets, 2);

    reopen();
    a = on_channel(STORAGE_GET_CHANNEL, "bob", group);
    assert_in(a->json, "{\"user\":\"bob\",\"role\":\"member\",\"delivered\":0,"
                       "\"read\":0}");
    a = read_inbox("bob", 0, 0);
    assert_int_equal(a->n_entries, 2);
    assert_in(a->tails, "\"name\":\"club\"");
}


static void
members_come_and_go(void **state)
{
    const char *group;
    struct answer *a;

    (void) state;
    subscribe("bob");
    subscribe("dan");
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob"));
    do_send("ann", group, "1");
    do_send("ann", group, "2");
    forget_events();

    assert_int_equal(
        with_users(STORAGE_ADD_MEMBERS, "bob", group, "dan")->status,
        STORAGE_FORBIDDEN);
    a = with_users(STORAGE_ADD_MEMBERS, "ann", group, "dan bob");
    assert_int_equal(a->status, STORAGE_OK);
    assert_in(a->json, "\"dan\"");
    assert_int_equal(w.n_events, 1);
    assert_int_equal(w.events[0].n_targets, 2);

    /* Sees what was said, and has it read. */
    a = on_channel(STORAGE_HISTORY, "dan", group);
    assert_in(a->json, "\"message_id\":1");
    a = on_channel(STORAGE_GET_CHANNEL, "dan", group);
    assert_in(a->json, "{\"user\":\"dan\",\"role\":\"member\",\"delivered\":2,"
                       "\"read\":2}");

    /* Nothing changes, nobody is told. */
    with_users(STORAGE_ADD_MEMBERS, "ann", group, "dan");
    with_users(STORAGE_REMOVE_MEMBERS, "ann", group, "eve");
    assert_int_equal(w.n_events, 1);

    a = with_users(STORAGE_REMOVE_MEMBERS, "ann", group, "dan");
    assert_not_in(a->json, "dan");
    assert_int_equal(w.n_events, 3);
    assert_int_equal(w.events[1].n_targets, 1);
    assert_in(w.events[2].tail, "\"kind\":\"group\"},\"removed\":true}}");
    assert_int_equal(w.events[2].targets[0].inbox_id, 2);
    assert_int_equal(on_channel(STORAGE_HISTORY, "dan", group)->status,
                     STORAGE_NO_CHANNEL);
    assert_int_equal(do_send("dan", group, "3")->status, STORAGE_NO_CHANNEL);

    reopen();
    assert_int_equal(do_send("dan", group, "3")->status, STORAGE_NO_CHANNEL);
    assert_int_equal(read_inbox("dan", 0, 0)->n_entries, 2);
}


static void
roles_say_who_may(void **state)
{
    struct storage_op op = {.type = STORAGE_SET_ROLE,
                            .user = s("ann"),
                            .to = s("bob"),
                            .role = STORAGE_ADMIN};
    struct storage_op update = {.type = STORAGE_UPDATE_CHANNEL,
                                .user = s("bob"),
                                .name = s("a \"new\" name")};
    const char *group;
    struct answer *a;

    (void) state;
    group =
        id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "cy bob dan"));
    op.channel = s(group);
    update.channel = s(group);

    assert_int_equal(call(&update)->status, STORAGE_FORBIDDEN);
    assert_in(call(&op)->json, "{\"user\":\"bob\",\"role\":\"admin\"}");
    assert_in(call(&update)->json, "\"name\":\"a \\\"new\\\" name\"");
    assert_int_equal(
        with_users(STORAGE_REMOVE_MEMBERS, "bob", group, "ann")->status,
        STORAGE_FORBIDDEN);
    assert_int_equal(
        with_users(STORAGE_REMOVE_MEMBERS, "bob", group, "dan")->status,
        STORAGE_OK);

    op.user = s("bob");
    op.to = s("cy");
    assert_int_equal(call(&op)->status, STORAGE_FORBIDDEN);
    op.user = s("ann");
    op.to = s("nobody");
    assert_int_equal(call(&op)->status, STORAGE_NOT_MEMBER);
    op.to = s("ann");
    op.role = STORAGE_MEMBER;
    assert_int_equal(call(&op)->status, STORAGE_FORBIDDEN);

    /* The admin inherits, then the oldest member. */
    a = on_channel(STORAGE_LEAVE, "ann", group);
    assert_in(a->json, "\"kind\":\"group\"}}");
    a = on_channel(STORAGE_GET_CHANNEL, "cy", group);
    assert_in(a->json, "{\"user\":\"bob\",\"role\":\"owner\"");
    on_channel(STORAGE_LEAVE, "bob", group);
    a = on_channel(STORAGE_GET_CHANNEL, "cy", group);
    assert_in(a->json, "{\"user\":\"cy\",\"role\":\"owner\"");
    assert_int_equal(on_channel(STORAGE_LEAVE, "cy", group)->status,
                     STORAGE_OK);
    assert_int_equal(on_channel(STORAGE_GET_CHANNEL, "cy", group)->status,
                     STORAGE_NO_CHANNEL);
}


static void
a_direct_channel_is_no_group(void **state)
{
    (void) state;
    do_send("ann", "bob", "1");
    assert_int_equal(
        with_users(STORAGE_ADD_MEMBERS, "ann", "d.ann~bob", "cy")->status,
        STORAGE_NOT_GROUP);
    assert_int_equal(on_channel(STORAGE_LEAVE, "ann", "d.ann~bob")->status,
                     STORAGE_NOT_GROUP);
}


static void
a_group_has_at_most_a_hundred(void **state)
{
    char names[2000] = "";
    struct str one[] = {STR("x1")}, two[] = {STR("x2")};
    struct storage_op op = {.type = STORAGE_ADD_MEMBERS, .user = s("u0")};
    struct answer *a, *b;
    const char *group;
    unsigned i;

    (void) state;

    for (i = 1; i <= 100; i++) {
        snprintf(names + strlen(names), 8, "u%u ", i);
    }

    assert_int_equal(
        with_users(STORAGE_CREATE_CHANNEL, "u0", NULL, names)->status,
        STORAGE_GROUP_FULL);
    *strstr(names, "u99 ") = '\0';
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "u0", NULL, names));

    /* The 100th and the 101st at once. */
    op.channel = s(group);
    op.users = one;
    op.n_users = 1;
    a = submit(&op);
    op.users = two;
    b = submit(&op);
    wait_for(a);
    wait_for(b);
    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(b->status, STORAGE_GROUP_FULL);
    assert_int_equal(do_send("x1", group, "1")->status, STORAGE_OK);
    assert_int_equal(read_inbox("u50", 0, 0)->n_entries, 3);
}


static void
a_removed_members_send_races_his_removal(void **state)
{
    struct str users[] = {STR("bob")};
    struct storage_op op = {.type = STORAGE_REMOVE_MEMBERS,
                            .user = s("ann"),
                            .users = users,
                            .n_users = 1};
    struct answer *a, *b;
    const char *group;

    (void) state;
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob"));
    op.channel = s(group);
    reopen();
    a = start_send("bob", group, "1");
    submit(&op);
    b = start_send("bob", group, "2");
    wait_for(b);
    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(b->status, STORAGE_NO_CHANNEL);
}


static void
acknowledging_delivers_and_tells(void **state)
{
    struct storage_op op = {.type = STORAGE_ACK,
                            .user = s("bob"),
                            .device = s("phone"),
                            .inbox_id = 2};
    struct answer *a;

    (void) state;
    subscribe("ann");
    do_send("ann", "bob", "1");
    do_send("ann", "bob", "2");
    forget_events();

    assert_string_equal(call(&op)->json, "{}");

    while (w.n_events == 0) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    assert_int_equal(w.events[0].method, STORAGE_EVENT_RECEIPT);
    assert_int_equal(w.events[0].n_targets, 1);
    assert_int_equal(w.events[0].targets[0].inbox_id, 0);
    assert_string_equal(w.events[0].tail,
                        "\"channel\":\"d.ann~bob\",\"user\":\"bob\","
                        "\"delivered\":2,\"read\":0}}");

    op.inbox_id = 3;
    assert_int_equal(call(&op)->status, STORAGE_BEYOND);
    op.inbox_id = 1;
    assert_int_equal(call(&op)->status, STORAGE_OK);

    reopen();
    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~bob");
    assert_in(a->json, "{\"user\":\"bob\",\"role\":\"member\",\"delivered\":2,"
                       "\"read\":0}");
}


static void
reading_moves_forward_only(void **state)
{
    struct storage_op op = {.type = STORAGE_READ_CHANNEL,
                            .user = s("bob"),
                            .channel = s("d.ann~bob"),
                            .message_id = 3};
    struct answer *a;

    (void) state;
    subscribe("ann");
    do_send("ann", "bob", "1");
    do_send("ann", "bob", "2");
    do_send("ann", "bob", "3");
    forget_events();

    assert_string_equal(call(&op)->json, "{}");
    assert_int_equal(w.n_events, 1);
    assert_in(w.events[0].tail,
              "\"user\":\"bob\",\"delivered\":3,\"read\":3}}");
    op.message_id = 1;
    assert_int_equal(call(&op)->status, STORAGE_OK);
    op.message_id = 4;
    assert_int_equal(call(&op)->status, STORAGE_BEYOND);
    assert_int_equal(w.n_events, 1);

    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~bob");
    assert_in(a->json, "\"user\":\"bob\",\"role\":\"member\",\"delivered\":3,"
                       "\"read\":3}");
    reopen();
    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~bob");
    assert_in(a->json, "\"user\":\"bob\",\"role\":\"member\",\"delivered\":3,"
                       "\"read\":3}");
}


static void
group_receipts_go_to_recent_senders(void **state)
{
    struct storage_op op = {
        .type = STORAGE_READ_CHANNEL, .user = s("dan"), .message_id = 1};
    uint64_t ann, cy;
    const char *group;

    (void) state;
    ann = subscribe("ann")->number;
    cy = subscribe("cy")->number;
    subscribe("bob");
    group =
        id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob cy dan"));
    do_send("ann", group, "1");
    do_send("cy", group, "2");
    forget_events();

    op.channel = s(group);
    call(&op);

    while (w.n_events < 1) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    assert_int_equal(w.events[0].n_targets, 1);
    assert_int_equal(w.events[0].targets[0].number, ann);

    /* At most one a second: the latest comes later. */
    op.message_id = 2;
    call(&op);

    while (w.n_events < 2) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    assert_int_equal(w.events[1].n_targets, 2);
    assert_int_equal(w.events[1].targets[1].number, cy);
    assert_in(w.events[1].tail,
              "\"user\":\"dan\",\"delivered\":2,\"read\":2}}");
}


static void
the_sender_of_what_was_read_hears_of_it(void **state)
{
    struct storage_op ack = {.type = STORAGE_ACK,
                             .user = s("dan"),
                             .device = s("phone"),
                             .inbox_id = 62};
    struct storage_op op = {
        .type = STORAGE_READ_CHANNEL, .user = s("dan"), .message_id = 1};
    const char *group;
    char id[16];
    unsigned i;
    uint64_t ann;

    (void) state;
    ann = subscribe("ann")->number;
    subscribe("cy");
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "cy dan"));
    do_send("ann", group, "1");

    for (i = 2; i <= 61; i++) {
        snprintf(id, sizeof(id), "%u", i);
        do_send("cy", group, id);
    }

    /* he has all of them: that is cy's to know */
    forget_events();
    call(&ack);

    while (w.n_events < 1) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    /* he has read the first, which is more than 50 before that */
    op.channel = s(group);
    call(&op);

    while (w.n_events < 2) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    assert_int_equal(w.events[1].n_targets, 2);
    assert_int_equal(w.events[1].targets[0].number, ann);
    assert_in(w.events[1].tail,
              "\"user\":\"dan\",\"delivered\":61,\"read\":1}}");
}


static void
the_list_shows_newest_activity_first(void **state)
{
    struct storage_op op = {.type = STORAGE_LIST_CHANNELS, .user = s("ann")};
    struct storage_op read = {.type = STORAGE_READ_CHANNEL,
                              .user = s("ann"),
                              .channel = s("d.ann~bob"),
                              .message_id = 1};
    char *cy, *bob, next[64];
    struct answer *a;
    const char *group;

    (void) state;
    assert_string_equal(call(&op)->json,
                        "{\"channels\":[],\"more\":false,\"next\":null}");
    do_send("cy", "ann", "1");
    usleep(2000);
    do_send("bob", "ann", "1");
    do_send("bob", "ann", "2");
    usleep(2000);
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob"));

    call(&read);
    a = call(&op);
    cy = strstr(a->json, "\"d.ann~cy\"");
    bob = strstr(a->json, "\"d.ann~bob\"");
    assert_true(strstr(a->json, group) < bob && bob < cy);
    assert_in(bob, ",\"last_message\":{\"channel\":\"d.ann~bob\","
                   "\"message_id\":2,");
    assert_in(bob, "\"unread\":1,\"read\":1,\"muted_until\":0}");
    assert_in(cy, "\"unread\":1,\"read\":0,\"muted_until\":0}");
    assert_in(a->json, "\"last_message\":null,\"unread\":0,\"read\":0,"
                       "\"muted_until\":0}");
    assert_in(a->json, "],\"more\":false,\"next\":null}");

    op.limit = 2;
    a = call(&op);
    assert_not_in(a->json, "d.ann~cy");
    assert_int_equal(
        sscanf(strstr(a->json, "\"next\":"), "\"next\":\"%63[^\"]", next), 1);
    op.cursor = s(next);
    a = call(&op);
    assert_not_in(a->json, "d.ann~bob");
    assert_in(a->json, "d.ann~cy");
    assert_in(a->json, "\"more\":false");
    op.cursor = s("x");
    assert_int_equal(call(&op)->status, STORAGE_BAD_CURSOR);
}


static void
a_hidden_channel_comes_back_with_a_message(void **state)
{
    struct storage_op op = {.type = STORAGE_LIST_CHANNELS, .user = s("ann")};

    (void) state;
    do_send("bob", "ann", "1");
    assert_in(call(&op)->json, "d.ann~bob");
    on_channel(STORAGE_HIDE_CHANNEL, "ann", "d.ann~bob");
    assert_not_in(call(&op)->json, "d.ann~bob");
    reopen();
    assert_not_in(call(&op)->json, "d.ann~bob");
    op.user = s("bob");
    assert_in(call(&op)->json, "d.ann~bob");
    do_send("bob", "ann", "2");
    op.user = s("ann");
    assert_in(call(&op)->json, "d.ann~bob");
}


static void
closing_answers_everything(void **state)
{
    struct answer *a = NULL;
    unsigned i, done = 0;
    char id[16];

    (void) state;
    do_send("ann", "bob", "0");

    for (i = 1; i <= 50; i++) {
        snprintf(id, sizeof(id), "%u", i);
        a = start_send("ann", "bob", id);
    }

    reopen();
    assert_true(a->done);

    for (i = 0; i < w.n_answers; i++) {
        done += w.answers[i].status == STORAGE_OK;
    }

    assert_int_equal(read_inbox("bob", 0, 100)->n_entries, done);
}


/* The memory engine's faults */

static void
wait_until_waiting(uint64_t n)
{
    struct storage_stats stats;

    do {
        uv_run(&w.loop, UV_RUN_NOWAIT);
        storage_stats(w.s, &stats);
    } while (stats.waiting != n);
}


static void
subscribing_tells_the_newest_in_its_place(void **state)
{
    struct answer *a, *b, *c;
    struct storage_op op = {.type = STORAGE_SUBSCRIBE, .user = s("bob")};

    (void) state;
    do_send("ann", "bob", "0");
    engine_memory_hold_writes(path(), true);
    a = start_send("ann", "bob", "1");
    wait_until_waiting(1);
    b = submit(&op);
    c = start_send("ann", "bob", "2");
    engine_memory_hold_writes(path(), false);
    wait_for(c);

    assert_true(a->nth < b->nth && b->nth < c->nth);
    assert_int_equal(b->inbox_id, 2);
    assert_int_equal(w.n_events, 1);
    assert_int_equal(w.events[0].targets[0].inbox_id, 3);
}


static void
a_crowd_shares_commits(void **state)
{
    struct storage_stats before, after;
    struct answer *a = NULL;
    unsigned i;
    char id[16];

    (void) state;
    do_send("ann", "bob", "0");
    storage_stats(w.s, &before);
    engine_memory_hold_writes(path(), true);
    start_send("ann", "bob", "1");
    wait_until_waiting(1);

    for (i = 2; i <= 100; i++) {
        snprintf(id, sizeof(id), "%u", i);
        a = start_send("ann", "bob", id);
    }

    wait_until_waiting(100);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    storage_stats(w.s, &after);
    assert_int_equal(after.commits - before.commits, 2);
    assert_int_equal(after.commit_messages - before.commit_messages, 100);
}


static void
closing_commits_what_is_sequenced(void **state)
{
    struct answer *a, *b;

    (void) state;
    do_send("ann", "bob", "0");
    engine_memory_hold_writes(path(), true);
    a = start_send("ann", "bob", "1");
    wait_until_waiting(1);
    b = start_send("ann", "bob", "2");
    wait_until_waiting(2);
    w.closed = false;
    storage_close(w.s, on_closed, NULL);
    engine_memory_hold_writes(path(), false);

    while (!w.closed) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(b->status, STORAGE_OK);
    world_open();
    assert_int_equal(read_inbox("bob", 0, 100)->n_entries, 3);
}


static void
nothing_is_said_before_it_is_written(void **state)
{
    struct answer *a;

    (void) state;
    subscribe("ann");
    do_send("ann", "bob", "0");
    engine_memory_hold_writes(path(), true);
    a = start_send("ann", "bob", "1");
    start_send("ann", "bob", "2");
    wait_until_waiting(2);
    usleep(20000);
    uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_false(a->done);
    assert_int_equal(w.n_events, 1);
    assert_int_equal(read_inbox("bob", 0, 0)->n_entries, 1);
    assert_int_equal(read_inbox("bob", 1, 0)->inbox_id, 1);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    assert_int_equal(a->status, STORAGE_OK);
}


static void
on_counted(const struct storage_result *r, void *data)
{
    assert_int_equal(r->status, STORAGE_OK);
    --*(unsigned *) data;
}


static void
run_for(uint64_t ms)
{
    uint64_t until = uv_now(&w.loop) + ms;

    while (uv_now(&w.loop) < until) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }
}


/* Batches that were written behind, without a sync. */
static unsigned long
written_behind(void)
{
    struct storage_stats stats;

    storage_stats(w.s, &stats);
    return engine_memory_writes(path()) - (unsigned long) stats.commits;
}


/* Ann's markers in more channels than five batches have room for. */
static void
what_is_behind_is_written_within_a_tick(void **state)
{
    unsigned i, left = 6000;
    unsigned long before = written_behind();
    char name[16];

    (void) state;

    for (i = 0; i < 6000; i++) {
        struct storage_op op;

        snprintf(name, sizeof(name), "u%u", i);
        op = op_send("ann", name, name, "x");
        storage_submit(w.s, &op, on_counted, &left);
    }

    while (left != 0) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    run_for(1200);
    assert_true(written_behind() - before >= 6);
}


/* The read marker of ann is written behind while an older one of hers waits in
 * a commit for its turn. */
static void
a_commit_takes_no_marker_back(void **state)
{
    struct storage_op hide = {.type = STORAGE_HIDE_CHANNEL,
                              .user = s("ann"),
                              .channel = s("d.ann~bob")};
    struct storage_op read = hide;
    struct answer *a;

    (void) state;
    read.type = STORAGE_READ_CHANNEL;
    read.message_id = 3;
    do_send("bob", "ann", "1");
    do_send("bob", "ann", "2");
    do_send("bob", "ann", "3");
    engine_memory_hold_writes(path(), true);
    start_send("ann", "cy", "4");
    wait_until_waiting(1);
    submit(&hide);
    a = submit(&read);

    /* what is behind goes out once a second */
    run_for(1500);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    reopen();
    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~bob");
    assert_in(a->json, "{\"user\":\"ann\",\"role\":\"member\","
                       "\"delivered\":3,\"read\":3}");
    hide.type = STORAGE_LIST_CHANNELS;
    assert_not_in(call(&hide)->json, "d.ann~bob");
}


/* Its sender is to hear of it, and who that is stands on the disk. */
static void
a_message_is_read_when_it_is_on_the_disk(void **state)
{
    struct storage_op read = {
        .type = STORAGE_READ_CHANNEL, .user = s("bob"), .message_id = 2};
    const char *group;
    struct answer *a;
    uint64_t ann;

    (void) state;
    ann = subscribe("ann")->number;
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob cy"));
    do_send("cy", group, "1");
    forget_events();
    engine_memory_hold_writes(path(), true);
    start_send("ann", group, "2");
    wait_until_waiting(1);
    read.channel = s(group);
    a = submit(&read);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    assert_string_equal(a->json, "{}");

    while (w.n_events < 2) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    assert_in(w.events[1].tail,
              "\"user\":\"bob\",\"delivered\":2,\"read\":2}}");
    assert_int_equal(w.events[1].targets[0].number, ann);
}


static void
a_contact_that_waits_for_the_disk_is_not_listed(void **state)
{
    struct storage_op ask = {
        .type = STORAGE_REQUEST_CONTACT, .user = s("ann"), .to = s("zoe")};
    struct storage_op list = {.type = STORAGE_LIST_CONTACTS, .user = s("ann")};
    struct answer *a;
    char listed[128];

    (void) state;
    do_send("ann", "bob", "1");
    engine_memory_hold_writes(path(), true);
    start_send("ann", "cy", "2");
    wait_until_waiting(1);
    a = submit(&ask);
    run_for(50);
    snprintf(listed, sizeof(listed), "%s", call(&list)->json);
    engine_memory_hold_writes(path(), false);
    assert_string_equal(listed,
                        "{\"contacts\":[],\"more\":false,\"next\":null}");
    wait_for(a);
    assert_in(call(&list)->json,
              "[{\"user\":\"zoe\",\"state\":\"requested\"}]");
}


static void
a_failed_write_fails_all_that_follows(void **state)
{
    struct answer *a, *b, *c;
    struct storage_stats stats;

    (void) state;
    subscribe("ann");
    subscribe("bob");
    do_send("ann", "bob", "0");
    engine_memory_hold_writes(path(), true);
    engine_memory_fail_writes(path(), 1);
    a = start_send("ann", "bob", "1");

    wait_until_waiting(1);
    b = start_send("ann", "bob", "2");
    c = start_send("ann", "eve", "3");
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    wait_for(c);
    assert_int_equal(a->status, STORAGE_UNAVAILABLE);
    assert_int_equal(b->status, STORAGE_UNAVAILABLE);
    assert_int_equal(c->status, STORAGE_UNAVAILABLE);
    assert_int_equal(w.n_events, 1);
    assert_int_equal(do_send("ann", "bob", "4")->status, STORAGE_UNAVAILABLE);

    while (w.lost == 0) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    /* The ids go on without a gap, the client_ids are free. */
    a = do_send("ann", "bob", "1");
    assert_in(a->json, "\"message_id\":2,\"inbox_id\":2");
    assert_false(a->duplicate);
    assert_true(do_send("ann", "bob", "0")->duplicate);
    assert_int_equal(w.n_events, 2);
    assert_int_equal(w.events[1].n_targets, 2);
    storage_stats(w.s, &stats);
    assert_int_equal(stats.reopens, 1);
    assert_int_equal(stats.commit_failures, 1);
}


static void
it_tries_until_it_can_be_opened(void **state)
{
    struct answer *a;

    (void) state;
    do_send("ann", "bob", "0");
    engine_memory_fail_writes(path(), 1);
    engine_memory_fail_opens(path(), 2);
    assert_int_equal(do_send("ann", "bob", "1")->status, STORAGE_UNAVAILABLE);

    while (w.lost == 0) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    a = do_send("ann", "bob", "1");
    assert_in(a->json, "\"message_id\":2,\"inbox_id\":2");
}


static void
it_closes_while_it_cannot_be_opened(void **state)
{
    struct answer *a;

    (void) state;
    do_send("ann", "bob", "0");
    engine_memory_fail_writes(path(), 1);
    engine_memory_fail_opens(path(), 1);
    assert_int_equal(do_send("ann", "bob", "1")->status, STORAGE_UNAVAILABLE);
    a = start_send("ann", "bob", "2");
    world_close();
    engine_memory_fail_opens(path(), 0);
    world_open();
    assert_int_equal(a->status, STORAGE_UNAVAILABLE);
}


static void
with_engine(void (*f)(struct engine *e))
{
    const char *error;
    struct engine *e = engine_memory.open(path(), false, &error);

    assert_non_null(e);
    f(e);
    engine_memory.close(e);
}


static void
put_outcomes(struct engine *e)
{
    struct engine_batch *b = engine_memory.batch_create();
    uint32_t now = (uint32_t) time(NULL);
    struct record_outcome outcome = {.kind = RECORD_OUTCOME_EMPTY};
    struct buf value = {0};
    char id[16];
    struct key key;
    unsigned i;

    record_put_outcome(&value, &outcome);

    for (i = 0; i < 2000; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        key_client(&key, now / KEY_DAY_S - 10, 1, s(id));
        engine_memory.batch_put(b, key_str(&key), buf_str(&value));
        key_request(&key, now / KEY_SLOT_S - 3, s(id));
        engine_memory.batch_put(b, key_str(&key), buf_str(&value));
    }

    key_client(&key, now / KEY_DAY_S - 7, 1, s("c1"));
    engine_memory.batch_put(b, key_str(&key), buf_str(&value));
    assert_int_equal(engine_memory.write(e, b, true), 0);
    engine_memory.batch_free(b);
    buf_clear(&value);
}


static void
assert_one_outcome(struct engine *e)
{
    struct engine_iter *i = engine_memory.iter_open(e);
    struct key_parts parts;
    struct key key;
    unsigned n = 0;

    key_prefix(&key, KEY_CLIENT);

    for (engine_memory.iter_seek(i, key_str(&key));
         engine_memory.iter_valid(i)
         && key_has_prefix(engine_memory.iter_key(i), &key);
         engine_memory.iter_next(i)) {
        assert_int_equal(key_parse(engine_memory.iter_key(i), &parts), 0);
        n += parts.first < (uint64_t) time(NULL) / KEY_DAY_S - 7 ? 100 : 1;
    }

    /* The one of a week ago, and that of the message below. */
    assert_int_equal(n, 2);
    key_prefix(&key, KEY_REQUEST);
    engine_memory.iter_seek(i, key_str(&key));
    assert_false(engine_memory.iter_valid(i)
                 && key_has_prefix(engine_memory.iter_key(i), &key));
    engine_memory.iter_close(i);
}


/* What one commit writes for a user, and how many keys it takes. */

static enum key_kind counted;
static unsigned n_runs;

static void
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


static void
assert_runs(enum key_kind kind, unsigned n)
{
    counted = kind;
    world_close();
    with_engine(count_runs);
    assert_int_equal(n_runs, n);
    world_open();
}


static void
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


static void
entries_of_one_commit_are_one_record(void **state)
{
    struct answer *a;
    uint64_t after;

    (void) state;
    subscribe("ann");
    send_in_one_commit(101);

    for (after = 0; after <= 100; after++) {
        a = read_inbox("ann", after, 1 + after % 80);
        assert_int_equal(a->status, STORAGE_OK);
        assert_int_equal(a->first_id, after + 1);
        assert_int_equal(number_in(a->tails, "message_id"), after + 1);
        assert_int_equal(a->n_entries, 1 + after % 80 < 101 - after
                                           ? 1 + after % 80
                                           : 101 - after);
    }

    reopen();
    assert_int_equal(do_send("ann", "ann", "behind")->inbox_id, 102);
    assert_int_equal(read_inbox("ann", 0, 1000)->n_entries, 102);
    assert_runs(KEY_INBOX, 3);
}


static void
a_run_of_entries_is_bounded(void **state)
{
    struct answer *a;

    (void) state;
    subscribe("ann");
    send_in_one_commit(2 + RECORD_INBOX_MAX);
    a = read_inbox("ann", 0, 1000);
    assert_int_equal(a->n_entries, 2 + RECORD_INBOX_MAX);
    assert_runs(KEY_INBOX, 3);
}


static void
client_ids_of_one_commit_are_one_record(void **state)
{
    struct answer *a;
    char id[16];
    unsigned i;

    (void) state;
    subscribe("ann");
    send_in_one_commit(101);
    reopen();

    for (i = 2; i <= 101; i++) {
        snprintf(id, sizeof(id), "%u", i);
        a = do_send("ann", "ann", id);
        assert_true(a->duplicate);
        assert_int_equal(number_in(a->json, "message_id"), i);
        assert_int_equal(number_in(a->json, "inbox_id"), i);
    }

    /* another user's, and another one */
    assert_false(do_send("bob", "ann", "2")->duplicate);
    assert_false(do_send("ann", "ann", "102")->duplicate);
    assert_runs(KEY_CLIENT, 4);
}


/* Markers follow the cursor in a commit of their own: no answer of those that
 * look for it is kept. */
static void
wait_for_delivered(const char *member)
{
    struct answer *a;
    bool there;

    do {
        a = on_channel(STORAGE_GET_CHANNEL, "bob", "d.ann~bob");
        there = strstr(a->json, member) != NULL;
        free(a->json);
        free(a->tails);
        memset(a, 0, sizeof(*a));
        w.n_answers--;
    } while (!there);
}


static void
acknowledging_within_a_run_delivers_up_to_there(void **state)
{
    struct storage_op op = {.type = STORAGE_ACK,
                            .user = s("bob"),
                            .device = s("phone"),
                            .inbox_id = 5};
    struct answer *a = NULL;
    char id[16];
    unsigned i;

    (void) state;
    subscribe("bob");
    engine_memory_hold_writes(path(), true);
    start_send("ann", "bob", "first");
    wait_until_waiting(1);

    for (i = 2; i <= 9; i++) {
        snprintf(id, sizeof(id), "%u", i);
        a = start_send("ann", "bob", id);
    }

    wait_until_waiting(9);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    call(&op);

    wait_for_delivered("\"user\":\"bob\",\"role\":\"member\","
                       "\"delivered\":5,");
}


static void
drop_markers(struct engine *e)
{
    struct engine_batch *b = engine_memory.batch_create();
    struct engine_iter *i = engine_memory.iter_open(e);
    struct key key;
    unsigned n = 0;

    key_prefix(&key, KEY_MARKERS);

    for (engine_memory.iter_seek(i, key_str(&key));
         engine_memory.iter_valid(i)
         && key_has_prefix(engine_memory.iter_key(i), &key);
         engine_memory.iter_next(i)) {
        engine_memory.batch_delete(b, engine_memory.iter_key(i));
        n++;
    }

    assert_int_not_equal(n, 0);
    engine_memory.iter_close(i);
    assert_int_equal(engine_memory.write(e, b, true), 0);
    engine_memory.batch_free(b);
}


/* As a crash between writing the one and the other leaves it. */
static void
a_cursor_that_outlived_its_markers_delivers_again(void **state)
{
    struct storage_op op = {.type = STORAGE_ACK,
                            .user = s("bob"),
                            .device = s("phone"),
                            .inbox_id = 2};
    struct answer *a;

    (void) state;
    subscribe("bob");
    do_send("ann", "bob", "1");
    do_send("ann", "bob", "2");
    call(&op);
    world_close();
    with_engine(drop_markers);
    world_open();
    a = on_channel(STORAGE_GET_CHANNEL, "bob", "d.ann~bob");
    assert_in(a->json, "\"user\":\"bob\",\"role\":\"member\","
                       "\"delivered\":0,");
    call(&op);

    wait_for_delivered("\"user\":\"bob\",\"role\":\"member\","
                       "\"delivered\":2,");
}


static void
put_damaged_clients(struct engine *e)
{
    struct engine_batch *b = engine_memory.batch_create();
    struct record_outcome o = {.kind = RECORD_OUTCOME_EMPTY};
    struct buf value = {0};
    struct key key;

    record_put_client(&value, s("good"), &o);
    record_put_client(&value, s("lost"), &o);
    key_clients(&key, (uint32_t) (time(NULL) / KEY_DAY_S), 1, 1);
    engine_memory.batch_put(b, key_str(&key),
                            (struct str){value.data, value.len - 1});
    assert_int_equal(engine_memory.write(e, b, true), 0);
    engine_memory.batch_free(b);
    buf_clear(&value);
}


/* A damaged record may have held the id: nothing is done a second time. */
static void
behind_damage_no_client_id_is_new(void **state)
{
    struct answer *a;
    unsigned n;
    char id[16];

    (void) state;
    subscribe("ann");
    subscribe("bob");
    world_close();
    with_engine(put_damaged_clients);
    world_open();

    for (n = 0; n < 3; n++) {
        assert_int_equal(do_send("ann", "bob", "lost")->status,
                         STORAGE_UNAVAILABLE);
        snprintf(id, sizeof(id), "b%u", n);
        a = do_send("bob", "ann", id);
        assert_int_equal(a->status, STORAGE_OK);
        assert_false(a->duplicate);
    }

    /* the filters are there by then */
    read_inbox("bob", 0, 10);
    assert_int_equal(do_send("ann", "bob", "lost")->status,
                     STORAGE_UNAVAILABLE);
}


static void
put_older_format(struct engine *e)
{
    struct engine_batch *b = engine_memory.batch_create();
    struct buf value = {0};
    struct key key;

    key_format(&key);
    record_put_u32(&value, 1);
    engine_memory.batch_put(b, key_str(&key), buf_str(&value));
    assert_int_equal(engine_memory.write(e, b, true), 0);
    engine_memory.batch_free(b);
    buf_clear(&value);
}


static void
assert_newest_format(struct engine *e)
{
    const char *error;

    assert_int_equal(storage_format_check(&engine_memory, e, &error), 0);
}


static void
a_store_of_an_older_format_is_raised(void **state)
{
    (void) state;
    do_send("ann", "bob", "1");
    world_close();
    with_engine(put_older_format);
    world_open();
    do_send("ann", "bob", "2");
    assert_int_equal(read_inbox("bob", 0, 10)->n_entries, 2);
    world_close();
    with_engine(assert_newest_format);
    world_open();
}


static void
outcomes_of_old_days_are_deleted(void **state)
{
    unsigned long writes;

    (void) state;
    subscribe("ann");
    do_send("ann", "ann", "0");
    world_close();
    with_engine(put_outcomes);
    writes = engine_memory_writes(path());
    world_open();

    /* 512 of each at most in one write. */
    while (engine_memory_writes(path()) < writes + 4) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }

    assert_true(do_send("ann", "ann", "c1")->duplicate);
    world_close();
    with_engine(assert_one_outcome);
    world_open();
}


static void
an_unusable_store_is_refused(void **state)
{
    struct storage_handlers handlers = {0};
    const char *error = NULL;
    uv_loop_t loop;

    (void) state;
    uv_loop_init(&loop);
    assert_null(storage_open(&loop, "nothing:x", &handlers, &error));
    assert_non_null(error);
    error = NULL;
    assert_null(storage_open(&loop, w.address, &handlers, &error));
    assert_non_null(error);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}


static void
names_of_operations_and_events(void **state)
{
    (void) state;
    assert_string_equal(storage_op_name(STORAGE_SEND), "SEND");
    assert_string_equal(storage_op_name(250), "unknown");
    assert_true(storage_op_changes(STORAGE_SEND));
    assert_false(storage_op_changes(STORAGE_HISTORY));
    assert_true(str_eq(storage_event_head(STORAGE_EVENT_MESSAGE_NEW),
                       STR("{\"jsonrpc\":\"2.0\",\"method\":\"message.new\","
                           "\"params\":{\"inbox_id\":")));
    assert_true(str_eq(storage_event_sync_head(STORAGE_EVENT_CHANNEL_UPDATED),
                       STR("{\"method\":\"channel.updated\","
                           "\"params\":{\"inbox_id\":")));
    assert_true(str_eq(storage_event_head(STORAGE_EVENT_RECEIPT),
                       STR("{\"jsonrpc\":\"2.0\",\"method\":\"receipt\","
                           "\"params\":{")));
}


#define ON(test, engine)                                                       \
    {                                                                          \
#test " (" #engine ")", test, setup_##engine, teardown, NULL           \
    }
#define ON_BOTH(test) ON(test, memory), ON(test, leveldb)


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_new_user_is_made_by_connecting),
        ON_BOTH(a_direct_message_reaches_both),
        ON_BOTH(an_unsubscribed_user_gets_no_events),
        ON_BOTH(notes_to_oneself_have_one_member),
        ON_BOTH(messages_survive_a_restart_without_gaps),
        ON_BOTH(a_stranger_learns_nothing),
        ON_BOTH(bad_arguments_are_refused),
        ON_BOTH(a_client_id_is_done_once),
        ON_BOTH(a_repeat_waits_for_the_first),
        ON_BOTH(a_refused_request_leaves_its_id_free),
        ON_BOTH(a_request_id_is_done_once),
        ON_BOTH(unknown_users_may_be_refused),
        ON_BOTH(history_pages),
        ON_BOTH(one_message_is_found),
        ON_BOTH(a_page_ends_at_its_bytes_but_holds_one),
        ON_BOTH(an_inbox_mixes_channels_in_order),
        ON_BOTH(a_group_tells_its_members),
        ON_BOTH(members_come_and_go),
        ON_BOTH(roles_say_who_may),
        ON_BOTH(a_direct_channel_is_no_group),
        ON_BOTH(a_group_has_at_most_a_hundred),
        ON_BOTH(a_removed_members_send_races_his_removal),
        ON_BOTH(acknowledging_delivers_and_tells),
        ON_BOTH(reading_moves_forward_only),
        ON_BOTH(group_receipts_go_to_recent_senders),
        ON_BOTH(the_sender_of_what_was_read_hears_of_it),
        ON_BOTH(the_list_shows_newest_activity_first),
        ON_BOTH(a_hidden_channel_comes_back_with_a_message),
        ON_BOTH(closing_answers_everything),
        ON(subscribing_tells_the_newest_in_its_place, memory),
        ON(a_crowd_shares_commits, memory),
        ON(closing_commits_what_is_sequenced, memory),
        ON(nothing_is_said_before_it_is_written, memory),
        ON(what_is_behind_is_written_within_a_tick, memory),
        ON(a_commit_takes_no_marker_back, memory),
        ON(a_message_is_read_when_it_is_on_the_disk, memory),
        ON(a_contact_that_waits_for_the_disk_is_not_listed, memory),
        ON(a_failed_write_fails_all_that_follows, memory),
        ON(it_tries_until_it_can_be_opened, memory),
        ON(it_closes_while_it_cannot_be_opened, memory),
        ON(entries_of_one_commit_are_one_record, memory),
        ON(a_run_of_entries_is_bounded, memory),
        ON(client_ids_of_one_commit_are_one_record, memory),
        ON(acknowledging_within_a_run_delivers_up_to_there, memory),
        ON(a_cursor_that_outlived_its_markers_delivers_again, memory),
        ON(behind_damage_no_client_id_is_new, memory),
        ON(a_store_of_an_older_format_is_raised, memory),
        ON(outcomes_of_old_days_are_deleted, memory),
        ON_BOTH(an_unusable_store_is_refused),
        cmocka_unit_test(names_of_operations_and_events),
    };
    char command[256];
    int rc;

    snprintf(leveldb_dir, sizeof(leveldb_dir), "/tmp/test_storage.%d.",
             (int) getpid());
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof(command), "rm -rf %s*", leveldb_dir);
    return system(command) == 0 ? rc : 1;
}
