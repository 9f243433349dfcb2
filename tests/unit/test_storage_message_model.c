/*
 * Random sends, edits, deletions and reactions on the embedded storage against
 * a plain model: many at once, with writes that fail and restarts in between.
 * The model decides each operation when its result comes; now and then every
 * message and every inbox is read and compared, byte for byte.
 *
 * Usage: test_storage_message_model [SEED [ROUNDS]]; the seed is printed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <uv.h>

#include "storage.h"
#include "storage_memory.h"

#define USERS     3
#define MESSAGES  3000 /* more than are kept in memory; no more are sent */
#define EMOJIS    3
#define INBOX     60000
#define BUSY_MAX  12
#define REACTIONS (EMOJIS * (USERS * 8 + 40))
#define PATH      "message_model"

struct model_message {
    unsigned sender, text;
    bool edited, deleted;
    unsigned n_emojis;
    struct {
        unsigned emoji, n_users, users[USERS];
    } reactions[EMOJIS];
};

struct model_op {
    struct storage_op op;
    unsigned user, emoji, text;
    char json[96], client_id[16], new_text[16];
    bool busy;
};

static struct {
    uv_loop_t loop;
    struct storage *s;
    bool closed;
    unsigned busy, done, failures, n_texts;
    char channel[STORAGE_CHANNEL_MAX + 1];
    unsigned n_messages;
    struct model_message messages[MESSAGES + 1];
    uint64_t numbers[USERS];
    unsigned n_inbox; /* the same for all of them */
    struct {
        enum storage_event_method method;
        char *tail;
        unsigned message;
    } inbox[INBOX];
    unsigned events[USERS];
    struct model_op ops[BUSY_MAX];
} m;

static const char *const names[USERS] = {"ann", "bob", "cy"};
static const char *const emojis[EMOJIS] = {"+", "\xf0\x9f\x91\x8d", "ok"};
static unsigned seed;
static unsigned rounds = 20000;


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


/* The first one to whom it comes has it kept; the others get the same. */
static void
on_event(const struct storage_event *e, void *data)
{
    char *tail = strndup(e->tail.data, e->tail.len), *at;
    unsigned u;

    (void) data;

    for (uint32_t i = 0; i < e->n_targets; i++) {
        for (u = 0; m.numbers[u] != e->targets[i].number; u++) {
            assert_true(u < USERS);
        }

        if (e->targets[i].inbox_id != 0) {
            assert_int_equal(e->targets[i].inbox_id, ++m.events[u]);
            m.n_inbox = m.events[u];
        }
    }

    if (e->targets[0].inbox_id == 0) {
        free(tail);
        return;
    }

    assert_true(m.n_inbox < INBOX);
    assert_null(m.inbox[m.n_inbox].tail);
    at = strstr(tail, "\"message_id\":");
    m.inbox[m.n_inbox].method = e->method;
    m.inbox[m.n_inbox].tail = tail;
    m.inbox[m.n_inbox].message =
        at == NULL ? 0 : (unsigned) strtoul(at + 13, NULL, 10);
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

    m.numbers[u] = r->status == STORAGE_OK ? r->number : 0;
    m.busy--;
}


static void
drain(void)
{
    while (m.busy != 0) {
        uv_run(&m.loop, UV_RUN_ONCE);
    }
}


static void
model_open(void)
{
    struct storage_handlers handlers = {.event = on_event};
    const char *error = NULL;

    m.s = storage_open(&m.loop, "memory:" PATH, &handlers, &error);
    assert_non_null(m.s);

    for (unsigned u = 0; u < USERS; u++) {
        struct storage_op op = {.type = STORAGE_SUBSCRIBE,
                                .flags = STORAGE_CONNECT,
                                .user = text(names[u])};

        do {
            m.busy++;
            storage_submit(m.s, &op, on_subscribed, &u);
            drain();
        } while (m.numbers[u] == 0);
    }
}


static void
model_close(void)
{
    m.closed = false;
    storage_close(m.s, on_closed, NULL);

    while (!m.closed) {
        uv_run(&m.loop, UV_RUN_ONCE);
    }
}


/* The message as it has to be shown, behind "type". */
static void
model_shown(const struct model_message *message, const char *json, size_t len)
{
    char part[REACTIONS + 64], *copy = strndup(json, len);
    size_t at;

    snprintf(part, sizeof(part), "\"text\":\"t%u\"", message->text);
    assert_int_equal(strstr(copy, part) != NULL, !message->deleted);
    assert_int_equal(strstr(copy, "\"text\":\"") != NULL, !message->deleted);
    assert_int_equal(strstr(copy, "\"edited_at\":") != NULL, message->edited);
    assert_int_equal(strstr(copy, "\"deleted_at\":") != NULL, message->deleted);
    assert_int_equal(strstr(copy, "\"reactions\":") != NULL,
                     message->n_emojis != 0);
    at = (size_t) snprintf(part, sizeof(part), "\"reactions\":[");

    for (unsigned n = 0; n < message->n_emojis; n++) {
        at += (size_t) snprintf(
            part + at, sizeof(part) - at, "%s{\"emoji\":\"%s\",\"users\":[",
            n == 0 ? "" : ",", emojis[message->reactions[n].emoji]);

        for (unsigned i = 0; i < message->reactions[n].n_users; i++) {
            at += (size_t) snprintf(part + at, sizeof(part) - at, "%s\"%s\"",
                                    i == 0 ? "" : ",",
                                    names[message->reactions[n].users[i]]);
        }

        at += (size_t) snprintf(part + at, sizeof(part) - at, "]}");
    }

    if (message->n_emojis != 0 && strstr(copy, part) == NULL) {
        fail_msg("%s is not in %s", part, copy);
    }

    free(copy);
}


static void
model_react(struct model_message *message, const struct model_op *o)
{
    unsigned n, i;

    for (n = 0;
         n < message->n_emojis && message->reactions[n].emoji != o->emoji;
         n++) {
    }

    if (n == message->n_emojis) {
        if (o->op.number != 0) {
            return;
        }

        message->reactions[n].emoji = o->emoji;
        message->reactions[n].n_users = 0;
        message->n_emojis++;
    }

    for (i = 0; i < message->reactions[n].n_users
                && message->reactions[n].users[i] != o->user;
         i++) {
    }

    if (o->op.number == 0) {
        if (i == message->reactions[n].n_users) {
            message->reactions[n].users[i] = o->user;
            message->reactions[n].n_users++;
        }

    } else if (i < message->reactions[n].n_users) {
        message->reactions[n].n_users--;

        for (; i < message->reactions[n].n_users; i++) {
            message->reactions[n].users[i] = message->reactions[n].users[i + 1];
        }

        if (message->reactions[n].n_users == 0) {
            message->n_emojis--;
            memmove(&message->reactions[n], &message->reactions[n + 1],
                    (message->n_emojis - n) * sizeof(message->reactions[0]));
        }
    }
}


static enum storage_status
model_decide(struct model_message *message, const struct model_op *o)
{
    bool sender = message->sender == o->user;

    if (o->op.type == STORAGE_EDIT_MESSAGE) {
        if (!sender || message->deleted) {
            return sender ? STORAGE_DELETED : STORAGE_FORBIDDEN;
        }

        message->edited |= message->text != o->text;
        message->text = o->text;

    } else if (o->op.type == STORAGE_DELETE_MESSAGE) {
        if (!sender && o->user != 0) {
            return STORAGE_FORBIDDEN;
        }

        message->deleted = true;
        message->n_emojis = 0;

    } else if (message->deleted) {
        return STORAGE_DELETED;

    } else {
        model_react(message, o);
    }

    return STORAGE_OK;
}


static void
on_done(const struct storage_result *r, void *data)
{
    struct model_op *o = data;
    struct model_message *message = &m.messages[o->op.message_id];

    m.busy--;
    o->busy = false;

    if (r->status == STORAGE_UNAVAILABLE) {
        m.failures++;
        return;
    }

    m.done++;

    if (o->op.type == STORAGE_SEND) {
        assert_int_equal(r->status, STORAGE_OK);
        assert_true(m.n_messages < MESSAGES);
        m.messages[++m.n_messages] =
            (struct model_message){.sender = o->user, .text = o->text};

    } else if (o->op.message_id > m.n_messages) {
        assert_int_equal(r->status, STORAGE_NO_MESSAGE);

    } else {
        assert_int_equal(r->status, model_decide(message, o));

        if (r->status == STORAGE_OK) {
            model_shown(message, r->json.data, r->json.len);
        }
    }
}


static void
submit(void)
{
    static const enum storage_op_type types[] = {
        STORAGE_EDIT_MESSAGE, STORAGE_EDIT_MESSAGE, STORAGE_REACT,
        STORAGE_REACT, STORAGE_REACT};
    static unsigned n_ids;
    struct model_op *o = m.ops;

    while (o->busy) {
        o++;
    }

    memset(o, 0, sizeof(*o));
    o->user = pick(USERS);
    o->text = m.n_texts++;
    o->op.type = types[pick(5)];
    o->op.user = text(names[o->user]);
    o->op.channel = text(m.channel);

    /* mostly the newest ones, also before they are sent */
    o->op.message_id =
        m.n_messages + 1
        - pick(m.n_messages < 8 || pick(6) == 0 ? m.n_messages + 1 : 8);
    snprintf(o->client_id, sizeof(o->client_id), "c%u", n_ids++);
    o->op.client_id = text(o->client_id);

    if (m.n_messages + m.busy < MESSAGES && pick(12) == 0) {
        o->op.type = STORAGE_SEND;
        o->op.message_id = 0;
        snprintf(o->json, sizeof(o->json),
                 "\"client_id\":\"%s\",\"type\":\"text\",\"text\":\"t%u\"}",
                 o->client_id, o->text);
        o->op.text = text(o->json);

    } else if (o->op.type == STORAGE_EDIT_MESSAGE) {
        snprintf(o->new_text, sizeof(o->new_text), "\"t%u\"", o->text);
        o->op.text = text(o->new_text);

    } else {
        o->emoji = pick(EMOJIS);
        o->op.name = text(emojis[o->emoji]);
        o->op.number = pick(2);
    }

    if (o->op.type != STORAGE_SEND && pick(150) == 0) {
        o->op.type = STORAGE_DELETE_MESSAGE;
    }

    o->busy = true;
    m.busy++;
    storage_submit(m.s, &o->op, on_done, o);
}


static void
on_created(const struct storage_result *r, void *data)
{
    (void) data;
    assert_int_equal(r->status, STORAGE_OK);
    assert_int_equal(sscanf(r->json.data,
                            "{\"channel\":{\"channel\":\"%160[^\"]", m.channel),
                     1);
    m.busy--;
}


static void
on_message(const struct storage_result *r, void *data)
{
    const struct model_message *message = data;

    assert_int_equal(r->status, STORAGE_OK);
    model_shown(message, r->json.data, r->json.len);
    m.busy--;
}


static void
on_inbox(const struct storage_result *r, void *data)
{
    uint64_t *after = data;

    assert_int_equal(r->status, STORAGE_OK);

    for (uint32_t i = 0; i < r->n_entries; i++) {
        uint64_t id = r->entries[i].inbox_id;
        char *tail = strndup(r->entries[i].tail.data, r->entries[i].tail.len);

        assert_int_equal(id, ++*after);
        assert_int_equal(r->entries[i].method, m.inbox[id].method);

        if (m.inbox[id].method != STORAGE_EVENT_MESSAGE_REACTED
            && m.messages[m.inbox[id].message].deleted) {
            assert_null(strstr(tail, "\"text\":\""));
            assert_non_null(strstr(tail, "\"deleted_at\":"));

        } else {
            assert_string_equal(tail, m.inbox[id].tail);
        }

        free(tail);
    }

    m.busy--;
}


static void
read_all(void)
{
    for (unsigned n = 1; n <= m.n_messages; n++) {
        struct storage_op op = {.type = STORAGE_GET_MESSAGE,
                                .user = text(names[0]),
                                .channel = text(m.channel),
                                .message_id = n};

        m.busy++;
        storage_submit(m.s, &op, on_message, &m.messages[n]);
        drain();
    }

    for (unsigned u = 0; u < USERS; u++) {
        uint64_t after = 0;

        while (after < m.n_inbox) {
            struct storage_op op = {.type = STORAGE_READ_INBOX,
                                    .user = text(names[u]),
                                    .after = after,
                                    .limit = 1000};

            m.busy++;
            storage_submit(m.s, &op, on_inbox, &after);
            drain();
        }

        assert_int_equal(m.events[u], m.n_inbox);
    }
}


static bool
is_broken(void)
{
    struct storage_stats stats;

    storage_stats(m.s, &stats);
    return stats.commit_failures > stats.reopens;
}


static void
settle(void)
{
    drain();
    engine_memory_fail_writes(PATH, 0);

    while (is_broken()) {
        uv_run(&m.loop, UV_RUN_ONCE);
    }
}


static void
the_model_agrees(void **state)
{
    struct str users[] = {text("bob"), text("cy")};
    struct storage_op op = {.type = STORAGE_CREATE_CHANNEL,
                            .user = text("ann"),
                            .name = text("club"),
                            .users = users,
                            .n_users = 2};

    (void) state;
    uv_loop_init(&m.loop);
    model_open();
    m.busy++;
    storage_submit(m.s, &op, on_created, NULL);
    drain();

    for (unsigned round = 0; round < rounds; round++) {
        if (m.busy < BUSY_MAX) {
            submit();
        }

        if (pick(4) == 0 || m.busy == BUSY_MAX) {
            uv_run(&m.loop, pick(2) ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        }

        if (pick(2000) == 0) {
            engine_memory_fail_writes(PATH, 1);
        }

        while (is_broken()) {
            uv_run(&m.loop, UV_RUN_ONCE);
        }

        if (pick(3000) == 0) {
            settle();
            model_close();
            model_open();
        }

        if (pick(4000) == 0) {
            settle();
            read_all();
        }
    }

    settle();
    read_all();
    model_close();
    uv_run(&m.loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&m.loop), 0);
    engine_memory_drop(PATH);
    print_message("%u done, %u unavailable, %u messages, %u events\n", m.done,
                  m.failures, m.n_messages, m.n_inbox);
    assert_true(m.done > m.failures && m.n_messages > 10);

    while (m.n_inbox > 0) {
        free(m.inbox[m.n_inbox--].tail);
    }
}


int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_agrees),
    };

    seed = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10)
                    : (unsigned) time(NULL);
    rounds = argc > 2 ? (unsigned) strtoul(argv[2], NULL, 10) : rounds;
    printf("# seed %u\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
