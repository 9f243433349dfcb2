/*
 * The fixture of the tests of `chatd check`: a small sound store, which a test
 * damages in one place; then every kind of damage is named and nothing sound
 * is accused.
 */

#ifndef TESTS_CHECK_WORLD_H
#define TESTS_CHECK_WORLD_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage_engine.h"
#include "storage_format.h"
#include "storage_key.h"
#include "storage_record.h"

enum { ALICE = 1, BOB = 2, CAROL = 3, DIRECT = 1, GROUP = 2, DAY = 20000 };

static const char *const names[] = {"", "alice", "bob", "carol"};
static const char *const ids[] = {"", "d.alice~bob", "g.0123456789abcdef"};

static char path[64];
static const struct engine_ops *ops = &engine_leveldb;
static struct engine *engine;
static struct engine_batch *batch;
static struct buf value;
static char output[65536];


static inline struct str
text(const char *s)
{
    return (struct str){s, strlen(s)};
}


static inline void
put(const struct key *k)
{
    assert_false(buf_failed(&value));
    ops->batch_put(batch, key_str(k), buf_str(&value));
    buf_reset(&value, 4096);
}


static inline void
put_raw(const struct key *k, struct str bytes)
{
    buf_put_str(&value, bytes);
    put(k);
}


static inline void
drop(const struct key *k)
{
    ops->batch_delete(batch, key_str(k));
}


static inline void
put_user(uint64_t number, const char *name)
{
    struct record_user u = {RECORD_USER_CONNECTED, 1, text(name)};
    struct key k;

    record_put_user(&value, &u);
    key_user(&k, number);
    put(&k);
    record_put_u64(&value, number);
    key_user_name(&k, text(name));
    put(&k);
}


static inline void
put_channel(uint64_t number, uint32_t n_members, uint64_t first,
            uint64_t second, uint64_t third)
{
    struct record_channel c = {
        .kind = number == DIRECT ? RECORD_DIRECT : RECORD_GROUP,
        .created_at = 1,
        .id = text(ids[number]),
        .n_members = n_members,
        .members = {{first, STORAGE_OWNER}, {second, 0}, {third, 0}}
    };
    struct key k;

    record_put_channel(&value, &c);
    key_channel(&k, number);
    put(&k);
}


static inline void
put_channel_id(const char *id, uint64_t number)
{
    struct key k;

    record_put_u64(&value, number);
    key_channel_name(&k, text(id));
    put(&k);
}


static inline void
put_membership(uint64_t user, uint64_t channel)
{
    struct key k;

    record_put_membership(&value);
    key_membership(&k, user, channel);
    put(&k);
}


static inline void
put_message_at(uint64_t channel, uint64_t id, uint64_t sender, uint64_t at)
{
    struct key k;

    record_put_message_head(&value, sender, at);
    record_put_message_json(&value, text(ids[channel]), id,
                            text(names[sender < 4 ? sender : 0]), at);
    buf_put_lit(&value, "\"client_id\":\"c\",\"text\":\"\\\"{[\"}");
    key_message(&k, channel, id);
    put(&k);
}


static inline void
put_message(uint64_t channel, uint64_t id, uint64_t sender)
{
    put_message_at(channel, id, sender, 1000 + id);
}


/* As edits and a deletion leave it; each has one text. */
static inline void
put_changed(uint64_t channel, uint64_t id, uint64_t sender, uint32_t rev,
            bool deleted)
{
    struct record_message m = {
        .sender = sender, .sent_at = 1000 + id, .rev = rev, .deleted = deleted};
    struct buf json = {0};
    struct key k;

    record_put_message_json(&json, text(ids[channel]), id, text(names[sender]),
                            m.sent_at);
    buf_put_str(&json, deleted ? STR("\"client_id\":\"c\",\"deleted_at\":5}")
                               : STR("\"client_id\":\"c\",\"text\":\"x\"}"));
    m.json = buf_str(&json);
    record_put_message(&value, &m);
    key_message(&k, channel, id);
    put(&k);

    for (uint32_t n = 0; !deleted && n <= rev; n++) {
        record_put_revision(&value, m.json);
        key_revision(&k, channel, id, n);
        put(&k);
    }

    buf_clear(&json);
}


static inline void
put_event(uint64_t channel, uint64_t event, const char *tail)
{
    struct key k;

    record_put_event(&value, text(tail));
    key_event(&k, channel, event);
    put(&k);
}


static inline void
put_inbox_rev(uint64_t user, uint64_t inbox_id, int method, uint64_t channel,
              uint64_t id, uint32_t rev)
{
    struct record_inbox i = {(enum storage_event_method) method, channel, id,
                             rev};
    struct key k;

    record_put_inbox(&value, &i);
    key_inbox(&k, user, inbox_id);
    put(&k);
}


static inline void
put_inbox(uint64_t user, uint64_t inbox_id, int method, uint64_t channel,
          uint64_t id)
{
    put_inbox_rev(user, inbox_id, method, channel, id, 0);
}


static inline void
put_markers(uint64_t channel, uint64_t user, uint64_t read, uint64_t delivered,
            uint64_t hidden)
{
    struct record_markers m = {read, delivered, hidden, 0};
    struct key k;

    record_put_markers(&value, &m);
    key_markers(&k, channel, user);
    put(&k);
}


static inline void
put_device(uint64_t user, uint64_t inbox_id)
{
    struct record_device d = {.inbox_id = inbox_id, .at = 1};
    struct key k;

    record_put_device(&value, &d);
    key_device(&k, user, STR("web"));
    put(&k);
}


static inline void
put_send(uint64_t user, uint64_t message_id, uint64_t inbox_id, uint64_t at)
{
    struct record_outcome o = {
        RECORD_OUTCOME_SEND, DIRECT, message_id, inbox_id, at, {NULL, 0},
             0
    };
    struct key k;

    record_put_outcome(&value, &o);
    key_client(&k, DAY, user, STR("c1"));
    put(&k);
}


#define NEW STORAGE_EVENT_MESSAGE_NEW
#define UPD STORAGE_EVENT_CHANNEL_UPDATED
#define DEL STORAGE_EVENT_MESSAGE_DELETED
#define EDI STORAGE_EVENT_MESSAGE_EDITED
#define REA STORAGE_EVENT_MESSAGE_REACTED

/*
 * A direct channel of alice and bob with three messages; a group the three
 * had, which carol has left after two of its three messages.
 */
static inline void
put_sound_store(void)
{
    struct key k;

    record_put_u32(&value, STORAGE_FORMAT);
    key_format(&k);
    put(&k);
    record_put_u64(&value, 9);
    key_sequence(&k);
    put(&k);

    for (uint64_t u = ALICE; u <= CAROL; u++) {
        put_user(u, names[u]);
    }

    put_channel(DIRECT, 2, ALICE, BOB, 0);
    put_channel_id(ids[DIRECT], DIRECT);
    put_channel(GROUP, 2, ALICE, BOB, 0);
    put_channel_id(ids[GROUP], GROUP);

    put_event(GROUP, 1, ",\"channel\":{\"channel\":\"g\"}}}");
    put_event(GROUP, 2, ",\"channel\":{\"channel\":\"g\"}}}");
    put_event(GROUP, 3, ",\"channel\":{\"channel\":\"g\"},\"removed\":true}}");
    put_message(GROUP, 1, CAROL);
    put_message(GROUP, 2, ALICE);
    put_message(GROUP, 3, BOB);
    put_message(DIRECT, 1, ALICE);
    put_message(DIRECT, 2, BOB);
    put_message(DIRECT, 3, ALICE);

    for (uint64_t u = ALICE; u <= BOB; u++) {
        put_membership(u, DIRECT);
        put_membership(u, GROUP);
        put_inbox(u, 1, NEW, DIRECT, 1);
        put_inbox(u, 2, UPD, GROUP, 1);
        put_inbox(u, 3, NEW, GROUP, 1);
        put_inbox(u, 4, NEW, DIRECT, 2);
        put_inbox(u, 5, NEW, GROUP, 2);
        put_inbox(u, 6, UPD, GROUP, 2);
        put_inbox(u, 7, NEW, DIRECT, 3);
        put_inbox(u, 8, NEW, GROUP, 3);
    }

    put_inbox(CAROL, 1, UPD, GROUP, 1);
    put_inbox(CAROL, 2, NEW, GROUP, 1);
    put_inbox(CAROL, 3, NEW, GROUP, 2);
    put_inbox(CAROL, 4, UPD, GROUP, 3);

    put_markers(DIRECT, BOB, 2, 3, 0);
    put_markers(GROUP, BOB, 0, 3, 4);
    put_device(ALICE, 8);
    put_send(ALICE, 1, 1, 1001);
    key_request(&k, 3000000, STR("r1"));
    record_put_outcome(&value,
                       &(struct record_outcome){.kind = RECORD_OUTCOME_EMPTY});
    put(&k);
}


static inline int
setup(void **state)
{
    const char *error = NULL;

    (void) state;

    strcpy(path, "/tmp/test_check.XXXXXX");
    assert_non_null(mkdtemp(path));
    engine = ops->open(path, false, &error);
    assert_non_null(engine);
    batch = ops->batch_create();
    put_sound_store();
    return 0;
}


static inline int
teardown(void **state)
{
    char command[128];

    (void) state;

    ops->batch_free(batch);
    buf_clear(&value);
    snprintf(command, sizeof(command), "rm -rf '%s'", path);
    return system(command);
}


/* Commits what was put, and checks; what it prints is in output. */
static inline int
run_check(void)
{
    char file[80];
    int rc, out, to;
    ssize_t n;

    assert_int_equal(ops->write(engine, batch, false), 0);
    ops->close(engine);

    snprintf(file, sizeof(file), "%s.out", path);
    fflush(stdout);
    out = dup(STDOUT_FILENO);
    assert_non_null(freopen(file, "w", stdout));
    rc = storage_check(path);
    fflush(stdout);
    assert_true(dup2(out, STDOUT_FILENO) >= 0);
    close(out);

    FILE *f = fopen(file, "r");

    assert_non_null(f);
    to = fileno(f);
    n = read(to, output, sizeof(output) - 1);
    assert_true(n >= 0);
    output[n] = '\0';
    fclose(f);
    unlink(file);
    return rc;
}


static inline void
check_says(const char *words)
{
    if (strstr(output, words) == NULL) {
        fail_msg("no \"%s\" in:\n%s", words, output);
    }
}


/* One defect of this kind, shown by this line, and no other. */
static inline void
finds_only(const char *kind, const char *line)
{
    assert_int_equal(run_check(), 1);
    check_says(kind);
    check_says(line);
    check_says("the store is damaged");

    const char *first = strstr(output, "DEFECT: ");

    if (strstr(first + 1, "DEFECT: ") != NULL) {
        fail_msg("more than one kind of defect:\n%s", output);
    }
}


#define CHECK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
