/*
 * Random operations on the embedded storage against a plain model: many at
 * once, with repeated client_ids, writes that fail and restarts in between.
 * Results come in the order in which they were decided, so the model decides
 * each one when its result comes and has to say the same.
 *
 * Usage: test_storage_model [SEED [ROUNDS]]; the seed is printed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <uv.h>

#include "storage_embedded.h"
#include "storage_memory.h"

#define USERS    6
#define GROUPS   4
#define CHANNELS (GROUPS + USERS * USERS)
#define SENDS    20000
#define BUSY_MAX 40

struct model_channel {
    char id[STORAGE_CHANNEL_MAX + 1];
    bool exists;
    uint64_t newest;
    unsigned n_members;
    struct {
        unsigned user;
        enum storage_role role;
    } members[USERS];
};

struct model_op {
    struct storage_op op;
    unsigned user, other, channel, text;
    char client_id[16];
    char json[64];
    char id[STORAGE_CHANNEL_MAX + 1]; /* of the channel when it was named */
    struct str users[1];
    bool busy;
};

/* What a client_id stands for. */
struct model_send {
    bool done;
    unsigned user;
    char result[256]; /* without the closing brace */
};

static struct {
    uv_loop_t loop;
    struct embedded *s;
    bool closed;
    unsigned busy;
    unsigned failures, done, repeats;
    struct model_channel channels[CHANNELS];
    uint64_t inbox[USERS];  /* newest */
    uint64_t events[USERS]; /* newest that came as an event */
    uint64_t numbers[USERS];
    unsigned n_sends;
    struct model_send sends[SENDS];
    struct model_op ops[BUSY_MAX];
} m;

static const char *const names[USERS] = {"ann", "bob", "cy",
                                         "dan", "eve", "fay"};
static unsigned seed;
static unsigned rounds = 30000;
static size_t cache_max;


static unsigned
pick(unsigned n)
{
    return (unsigned) rand_r(&seed) % n;
}


static struct str
text(const char *s)
{
    return (struct str){s, strlen(s)};
}


static void
on_event(const struct storage_event *e, void *data)
{
    uint32_t i;
    unsigned u;

    (void) data;

    for (i = 0; i < e->n_targets; i++) {
        if (e->targets[i].inbox_id == 0) {
            continue;
        }

        for (u = 0; m.numbers[u] != e->targets[i].number; u++) {
            assert_true(u < USERS);
        }

        assert_int_equal(e->targets[i].inbox_id, m.events[u] + 1);
        m.events[u]++;
    }
}


static void
on_closed(void *data)
{
    (void) data;
    m.closed = true;
}


static void
on_subscribed(const struct storage_result *r, void *data)
{
    unsigned u = *(unsigned *) data;

    if (r->status == STORAGE_UNAVAILABLE) {
        m.numbers[u] = 0;

    } else {
        assert_int_equal(r->status, STORAGE_OK);
        assert_int_equal(r->inbox_id, m.inbox[u]);
        m.numbers[u] = r->number;
    }

    m.busy--;
}


static void
model_open(void)
{
    struct storage_handlers handlers = {.event = on_event};
    const char *error = NULL;
    unsigned u;

    m.s = storage_backend_memory.open(&m.loop, "model", &handlers, &error);
    assert_non_null(m.s);

    /* Hardly anything stays in memory that is not in use. */
    m.s->cache_max = cache_max;

    for (u = 0; u < USERS; u++) {
        struct storage_op op = {.type = STORAGE_SUBSCRIBE,
                                .flags = STORAGE_CONNECT,
                                .user = text(names[u])};

        do {
            m.busy++;
            storage_backend_memory.submit(m.s, &op, on_subscribed, &u);

            while (m.busy != 0) {
                uv_run(&m.loop, UV_RUN_ONCE);
            }
        } while (m.numbers[u] == 0);

        m.events[u] = m.inbox[u];
    }
}


static void
model_close(void)
{
    m.closed = false;
    storage_backend_memory.close(m.s, on_closed, NULL);

    while (!m.closed) {
        uv_run(&m.loop, UV_RUN_ONCE);
    }

    assert_int_equal(m.busy, 0);
}


static int
member(const struct model_channel *ch, unsigned user)
{
    unsigned i;

    for (i = 0; i < ch->n_members; i++) {
        if (ch->members[i].user == user) {
            return (int) i;
        }
    }

    return -1;
}


static void
tell_all(const struct model_channel *ch)
{
    unsigned i;

    for (i = 0; i < ch->n_members; i++) {
        m.inbox[ch->members[i].user]++;
    }
}


static void
model_part(struct model_channel *ch, int at)
{
    unsigned i, heir = 0, owners = 0;

    m.inbox[ch->members[at].user]++;
    ch->n_members--;
    memmove(&ch->members[at], &ch->members[at + 1],
            (ch->n_members - (unsigned) at) * sizeof(ch->members[0]));

    for (i = ch->n_members; i-- > 0;) {
        owners += ch->members[i].role == STORAGE_OWNER;
        heir = ch->members[i].role == STORAGE_ADMIN ? i : heir;
    }

    if (owners == 0 && ch->n_members != 0) {
        ch->members[heir].role = STORAGE_OWNER;
    }
}


static enum storage_status
model_change(struct model_op *o, struct model_channel *ch, int at)
{
    int other = member(ch, o->other);
    enum storage_role role = ch->members[at].role;
    unsigned i, owners = 0;

    if (o->op.type == STORAGE_LEAVE) {
        model_part(ch, at);
        tell_all(ch);
        return STORAGE_OK;
    }

    if (role == STORAGE_MEMBER
        || (o->op.type == STORAGE_SET_ROLE && role != STORAGE_OWNER)) {
        return STORAGE_FORBIDDEN;
    }

    switch (o->op.type) {
    case STORAGE_ADD_MEMBERS:
        if (other < 0) {
            ch->members[ch->n_members].user = o->other;
            ch->members[ch->n_members++].role = STORAGE_MEMBER;
            tell_all(ch);
        }

        return STORAGE_OK;

    case STORAGE_REMOVE_MEMBERS:
        if (other >= 0) {
            if (other != at && role != STORAGE_OWNER
                && ch->members[other].role != STORAGE_MEMBER) {
                return STORAGE_FORBIDDEN;
            }

            model_part(ch, other);
            tell_all(ch);
        }

        return STORAGE_OK;

    default:
        break;
    }

    if (other < 0) {
        return STORAGE_NOT_MEMBER;
    }

    for (i = 0; i < ch->n_members; i++) {
        owners += ch->members[i].role == STORAGE_OWNER;
    }

    if (ch->members[other].role == o->op.role) {
        return STORAGE_OK;
    }

    if (ch->members[other].role == STORAGE_OWNER && owners == 1) {
        return STORAGE_FORBIDDEN;
    }

    ch->members[other].role = o->op.role;
    tell_all(ch);
    return STORAGE_OK;
}


static void
model_sent(struct model_op *o, struct model_channel *ch,
           const struct storage_result *r)
{
    struct model_send *send = &m.sends[o->text];
    char expected[256];

    snprintf(expected, sizeof(expected),
             "{\"channel\":\"%s\",\"message_id\":%llu,\"inbox_id\":%llu,",
             ch->id, (unsigned long long) ++ch->newest,
             (unsigned long long) m.inbox[o->user] + 1);
    assert_false(r->duplicate);

    if (strncmp(r->json.data, expected, strlen(expected)) != 0) {
        fail_msg("%s is not %.*s", expected, (int) r->json.len, r->json.data);
    }

    tell_all(ch);
    assert_int_equal(r->inbox_id, m.inbox[o->user]);

    send->done = true;
    memcpy(send->result, r->json.data, r->json.len - 1);
}


static void
model_created(struct model_op *o, struct model_channel *ch,
              const struct storage_result *r)
{
    assert_int_equal(
        sscanf(r->json.data, "{\"channel\":{\"channel\":\"%160[^\"]", ch->id),
        1);
    ch->exists = true;
    ch->newest = 0;
    ch->n_members = 1;
    ch->members[0].user = o->user;
    ch->members[0].role = STORAGE_OWNER;

    if (o->other != o->user) {
        ch->members[1].user = o->other;
        ch->members[ch->n_members++].role = STORAGE_MEMBER;
    }

    tell_all(ch);
}


static void
model_open_direct(struct model_op *o, struct model_channel *ch)
{
    const char *a = names[o->user], *b = names[o->other];
    bool turned = strcmp(a, b) > 0;

    if (!ch->exists) {
        snprintf(ch->id, sizeof(ch->id), "d.%s~%s", turned ? b : a,
                 turned ? a : b);
        ch->exists = true;
        ch->members[0].user = o->user;
        ch->members[1].user = o->other;
        ch->n_members = o->user == o->other ? 1 : 2;
    }
}


static void
on_done(const struct storage_result *r, void *data)
{
    struct model_op *o = data;
    struct model_channel *ch = &m.channels[o->channel];
    struct model_send *send = &m.sends[o->text];
    int at;

    m.busy--;
    o->busy = false;

    if (r->status == STORAGE_UNAVAILABLE) {
        m.failures++;
        return;
    }

    m.done++;

    if (o->op.type == STORAGE_SEND && send->done) {
        assert_int_equal(r->status, STORAGE_OK);
        assert_true(r->duplicate);
        assert_int_equal(
            strncmp(r->json.data, send->result, strlen(send->result)), 0);
        m.repeats++;
        return;
    }

    if (o->op.type == STORAGE_CREATE_CHANNEL) {
        assert_int_equal(r->status, STORAGE_OK);

        if (!ch->exists) {
            model_created(o, ch, r);

        } else {
            /* Another one was faster; this group is nobody's to use. */
            struct model_channel spare;

            memset(&spare, 0, sizeof(spare));
            model_created(o, &spare, r);
        }

        return;
    }

    if (o->op.to.len != 0 && o->op.type == STORAGE_SEND) {
        model_open_direct(o, ch);
    }

    at = member(ch, o->user);

    if (o->id[0] != '\0' && strcmp(o->id, ch->id) != 0) {
        /* The group it meant was left by all, and another has its place. */
        at = -1;
    }

    if (at < 0) {
        assert_int_equal(r->status, STORAGE_NO_CHANNEL);

    } else if (o->op.type == STORAGE_SEND) {
        assert_int_equal(r->status, STORAGE_OK);
        model_sent(o, ch, r);

    } else {
        assert_int_equal(r->status, model_change(o, ch, at));
    }
}


static void
model_submit_send(struct model_op *o)
{
    unsigned first = m.n_sends > 30 ? m.n_sends - 30 : 0;

    o->op.type = STORAGE_SEND;

    if (m.n_sends > 0 && pick(4) == 0) {
        o->text = first + pick(m.n_sends - first);
        o->user = m.sends[o->text].user;

    } else {
        o->text = m.n_sends++;
        m.sends[o->text].user = o->user;
    }

    snprintf(o->client_id, sizeof(o->client_id), "c%u", o->text);
    snprintf(o->json, sizeof(o->json), "\"client_id\":\"c%u\"}", o->text);
    o->op.client_id = text(o->client_id);
    o->op.text = text(o->json);
    o->op.user = text(names[o->user]);

    if (pick(2) == 0) {
        unsigned low = o->user < o->other ? o->user : o->other;
        unsigned high = o->user < o->other ? o->other : o->user;

        o->channel = GROUPS + low * USERS + high;
        o->op.to = text(names[o->other]);

    } else {
        strcpy(o->id, m.channels[o->channel].id);
        o->op.channel = text(o->id);
    }
}


static void
model_submit(void)
{
    static const enum storage_op_type types[] = {
        STORAGE_ADD_MEMBERS, STORAGE_ADD_MEMBERS, STORAGE_REMOVE_MEMBERS,
        STORAGE_LEAVE, STORAGE_SET_ROLE};
    struct model_op *o = m.ops;

    while (o->busy) {
        o++;
    }

    memset(o, 0, sizeof(*o));
    o->user = pick(USERS);
    o->other = pick(USERS);
    o->channel = pick(GROUPS);
    o->op.user = text(names[o->user]);

    if (!m.channels[o->channel].exists
        || m.channels[o->channel].n_members == 0) {
        m.channels[o->channel].exists = false;
        o->op.type = STORAGE_CREATE_CHANNEL;
        o->op.name = text("g");
        o->users[0] = text(names[o->other]);
        o->op.users = o->users;
        o->op.n_users = 1;

    } else if (m.n_sends < SENDS && pick(10) < 8) {
        model_submit_send(o);

    } else {
        o->op.type = types[pick(5)];
        strcpy(o->id, m.channels[o->channel].id);
        o->op.channel = text(o->id);
        o->op.to = text(names[o->other]);
        o->op.role = (uint8_t) pick(3);
        o->users[0] = text(names[o->other]);
        o->op.users = o->users;
        o->op.n_users = 1;
    }

    o->busy = true;
    m.busy++;
    storage_backend_memory.submit(m.s, &o->op, on_done, o);
}


static bool
model_is_broken(void)
{
    struct storage_stats stats;

    storage_backend_memory.stats(m.s, &stats);
    return stats.commit_failures > stats.reopens;
}


static void
model_drain(void)
{
    while (m.busy != 0) {
        uv_run(&m.loop, UV_RUN_ONCE);
    }
}


static void
the_model_agrees(size_t cache)
{
    unsigned round, u;

    memset(&m, 0, sizeof(m));
    cache_max = cache;
    uv_loop_init(&m.loop);
    model_open();

    for (round = 0; round < rounds; round++) {
        if (m.busy < BUSY_MAX - 1) {
            model_submit();
        }

        if (pick(8) == 0) {
            uv_run(&m.loop, pick(2) ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        }

        if (m.busy == BUSY_MAX - 1) {
            uv_run(&m.loop, UV_RUN_ONCE);
        }

        while (model_is_broken()) {
            uv_run(&m.loop, UV_RUN_ONCE);
        }

        if (pick(3000) == 0) {
            engine_memory_fail_writes("model", 1);
        }

        if (pick(2000) == 0) {
            if (pick(2)) {
                model_drain();
            }

            model_close();
            engine_memory_fail_writes("model", 0);
            model_open();
        }
    }

    model_drain();
    model_close();
    engine_memory_fail_writes("model", 0);
    model_open();

    for (u = 0; u < USERS; u++) {
        assert_int_equal(m.events[u], m.inbox[u]);
    }

    model_close();
    uv_run(&m.loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&m.loop), 0);
    engine_memory_drop("model");
    print_message("%u done, %u repeated, %u unavailable\n", m.done, m.repeats,
                  m.failures);
    assert_true(m.done > m.failures && m.repeats > 0);
}


static void
with_all_in_memory(void **state)
{
    (void) state;
    the_model_agrees((size_t) 1 << 30);
}


static void
with_a_small_cache(void **state)
{
    (void) state;
    the_model_agrees(3000);
}


int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_all_in_memory),
        cmocka_unit_test(with_a_small_cache),
    };

    seed = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10)
                    : (unsigned) time(NULL);
    rounds = argc > 2 ? (unsigned) strtoul(argv[2], NULL, 10) : rounds;
    printf("seed %u\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
