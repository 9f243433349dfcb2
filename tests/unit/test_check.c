/*
 * `chatd check` on a small sound store, and on the same store damaged in one
 * place: every kind of damage is named and nothing sound is accused.
 */

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


static struct str
text(const char *s)
{
    return (struct str){s, strlen(s)};
}


static void
put(const struct key *k)
{
    assert_false(buf_failed(&value));
    ops->batch_put(batch, key_str(k), buf_str(&value));
    buf_reset(&value, 4096);
}


static void
put_raw(const struct key *k, struct str bytes)
{
    buf_put_str(&value, bytes);
    put(k);
}


static void
drop(const struct key *k)
{
    ops->batch_delete(batch, key_str(k));
}


static void
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


static void
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


static void
put_channel_id(const char *id, uint64_t number)
{
    struct key k;

    record_put_u64(&value, number);
    key_channel_name(&k, text(id));
    put(&k);
}


static void
put_membership(uint64_t user, uint64_t channel)
{
    struct key k;

    record_put_membership(&value);
    key_membership(&k, user, channel);
    put(&k);
}


static void
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


static void
put_message(uint64_t channel, uint64_t id, uint64_t sender)
{
    put_message_at(channel, id, sender, 1000 + id);
}


/* As edits and a deletion leave it; each has one text. */
static void
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


static void
put_event(uint64_t channel, uint64_t event, const char *tail)
{
    struct key k;

    record_put_event(&value, text(tail));
    key_event(&k, channel, event);
    put(&k);
}


static void
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


static void
put_inbox(uint64_t user, uint64_t inbox_id, int method, uint64_t channel,
          uint64_t id)
{
    put_inbox_rev(user, inbox_id, method, channel, id, 0);
}


static void
put_markers(uint64_t channel, uint64_t user, uint64_t read, uint64_t delivered,
            uint64_t hidden)
{
    struct record_markers m = {read, delivered, hidden, 0};
    struct key k;

    record_put_markers(&value, &m);
    key_markers(&k, channel, user);
    put(&k);
}


static void
put_device(uint64_t user, uint64_t inbox_id)
{
    struct record_device d = {.inbox_id = inbox_id, .at = 1};
    struct key k;

    record_put_device(&value, &d);
    key_device(&k, user, STR("web"));
    put(&k);
}


static void
put_contact(uint64_t user, uint64_t other, uint8_t state, uint8_t flags)
{
    struct record_contact c = {state, flags};
    struct key k;

    record_put_contact(&value, &c);
    key_contact(&k, user, other);
    put(&k);
}


static void
put_profile(uint64_t user, const char *name)
{
    struct record_profile p = {.display_name = text(name)};
    struct key k;

    record_put_profile(&value, &p);
    key_profile(&k, user);
    put(&k);
}


static void
put_search(const char *folded, uint64_t user)
{
    struct key k;

    record_put_membership(&value);
    key_search(&k, text(folded), user);
    put(&k);
}


static void
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
static void
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


static int
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


static int
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
static int
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


static void
check_says(const char *words)
{
    if (strstr(output, words) == NULL) {
        fail_msg("no \"%s\" in:\n%s", words, output);
    }
}


/* One defect of this kind, shown by this line, and no other. */
static void
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


static void
a_sound_store_is_sound(void **state)
{
    (void) state;

    if (run_check() != 0) {
        fail_msg("%s", output);
    }

    check_says("users          3\n");
    check_says("messages       6\n");
    check_says("inbox entries  20\n");
    check_says("the store is sound");
    assert_null(strstr(output, "DEFECT"));
}


static void
an_unknown_key(void **state)
{
    struct key k = {.data = "Z\n", .len = 2};

    (void) state;
    put_raw(&k, STR("x"));
    finds_only("DEFECT: 1 keys of no known kind", " Z\\x0a: no such key");
}


static void
a_damaged_value_of_every_kind(void **state)
{
    struct key k;

    (void) state;
    key_sequence(&k);
    put_raw(&k, STR("x"));
    key_user_name(&k, STR("odd"));
    put_raw(&k, STR("x"));
    key_user(&k, 77);
    put_raw(&k, STR("x"));
    key_channel_name(&k, STR("odd"));
    put_raw(&k, STR("x"));
    key_channel(&k, 77);
    put_raw(&k, STR("x"));
    key_message(&k, DIRECT, 4);
    put_raw(&k, STR("x"));
    key_event(&k, GROUP, 4);
    put_raw(&k, STR("x"));
    key_inbox(&k, CAROL, 5);
    put_raw(&k, STR("x"));
    key_markers(&k, DIRECT, ALICE);
    put_raw(&k, STR("x"));
    key_device(&k, BOB, STR("web"));
    put_raw(&k, STR("x"));
    key_removal(&k, BOB, STR("web"));
    put_raw(&k, STR("x"));
    key_contact(&k, BOB, CAROL);
    put_raw(&k, STR("x"));
    key_profile(&k, BOB);
    put_raw(&k, STR("x"));
    key_account(&k, BOB);
    put_raw(&k, STR("x"));
    key_ended(&k, BOB, STR("jti"));
    put_raw(&k, STR("x"));
    key_search(&k, STR("bob"), BOB);
    put_raw(&k, STR("x"));
    key_active(&k, BOB);
    put_raw(&k, STR("x"));
    key_online(&k, BOB);
    put_raw(&k, STR("x"));
    key_client(&k, DAY, BOB, STR("c"));
    put_raw(&k, STR("x"));
    key_request(&k, 3000000, STR("r"));
    put_raw(&k, STR("x"));
    key_revision(&k, DIRECT, 1, 1);
    put_raw(&k, STR("x"));
    key_erased(&k, DIRECT, 1);
    put_raw(&k, STR("x"));
    key_ending(&k, BOB);
    put_raw(&k, STR("x"));
    key_invite(&k, GROUP, STR("x"));
    put_raw(&k, STR("x"));
    key_indexed(&k);
    put_raw(&k, STR("x"));
    assert_int_equal(run_check(), 1);
    check_says("DEFECT: 25 values that are damaged");
}


static void
no_global_sequence(void **state)
{
    struct key k;

    (void) state;
    key_sequence(&k);
    drop(&k);
    finds_only("DEFECT: 1 values", "there is no global sequence");
}


static void
a_name_that_leads_nowhere(void **state)
{
    struct key k;

    (void) state;
    record_put_u64(&value, BOB);
    key_user_name(&k, STR("dave"));
    put(&k);
    put_channel_id("g.other", GROUP);
    finds_only("DEFECT: 2 names", "U dave: user 2 is not of that name");
    check_says("C g.other: channel 2 is not of that id");
}


static void
a_number_without_its_name(void **state)
{
    struct key k;

    (void) state;
    key_user_name(&k, STR("carol"));
    drop(&k);
    key_channel_name(&k, text(ids[GROUP]));
    drop(&k);
    finds_only("DEFECT: 2 names", "u 3: the name leads to user 0");
    check_says("c 2: the id leads to channel 0");
}


static void
a_member_without_membership(void **state)
{
    struct key k;

    (void) state;
    key_membership(&k, BOB, GROUP);
    drop(&k);
    finds_only("DEFECT: 1 memberships", "member 2 has no membership of it");
}


static void
a_membership_without_member(void **state)
{
    (void) state;
    put_membership(CAROL, DIRECT);
    put_membership(CAROL, 99);
    assert_int_equal(run_check(), 1);
    check_says("DEFECT: 2 memberships");
    check_says("L 3 1: the channel has no such member");
    check_says("L 3 99: the channel has no such member");
}


static void
a_member_twice(void **state)
{
    (void) state;
    put_channel(GROUP, 3, ALICE, BOB, ALICE);
    finds_only("DEFECT: 1 memberships", "user 1 is in it twice");
}


static void
a_member_who_is_nobody(void **state)
{
    (void) state;
    put_channel(GROUP, 3, ALICE, BOB, 50);
    put_membership(50, GROUP);
    assert_int_equal(run_check(), 1);
    check_says("DEFECT: 1 records of a user");
    check_says("there is no user 50");
}


static void
a_fence_before_the_marks(void **state)
{
    struct key k;

    (void) state;
    key_online(&k, KEY_NOBODY);
    record_put_u64(&value, 0);
    put(&k);
    assert_int_equal(run_check(), 0);
}


static void
a_direct_channel_of_others(void **state)
{
    (void) state;
    put_channel(DIRECT, 2, BOB, ALICE, 0);
    assert_int_equal(run_check(), 0);
}


static void
a_direct_channel_with_another_id(void **state)
{
    struct record_channel c = {
        .kind = RECORD_DIRECT,
        .id = STR("d.bob~alice"),
        .n_members = 2,
        .members = {{ALICE, 0}, {BOB, 0}}
    };
    struct key k;

    (void) state;
    record_put_channel(&value, &c);
    key_channel(&k, 3);
    put(&k);
    put_channel_id("d.bob~alice", 3);
    put_membership(ALICE, 3);
    put_membership(BOB, 3);
    finds_only("DEFECT: 1 memberships", "its members are not those of its id");
}


static void
put_wrote(uint8_t wrote)
{
    struct record_channel c = {
        .kind = RECORD_DIRECT,
        .created_at = 1,
        .id = text(ids[DIRECT]),
        .wrote_known = true,
        .wrote = wrote,
        .n_members = 2,
        .members = {{ALICE, 0}, {BOB, 0}}
    };
    struct key k;

    record_put_channel(&value, &c);
    key_channel(&k, DIRECT);
    put(&k);
}


static void
who_has_written_stands_in_the_channel(void **state)
{
    (void) state;
    put_wrote(3);
    assert_int_equal(run_check(), 0);
}


static void
one_who_has_written_does_not_stand_in_the_channel(void **state)
{
    (void) state;
    put_wrote(1);
    finds_only("DEFECT: 1 memberships",
               "who is not one of the channel that have written");
}


static void
a_hole_in_a_channel(void **state)
{
    struct key k;

    (void) state;
    key_message(&k, DIRECT, 2);
    drop(&k);
    finds_only("DEFECT: 1 gaps", "M 1 3: message 2 is not there");
}


static void
a_hole_in_the_events(void **state)
{
    struct key k;

    (void) state;
    key_event(&k, GROUP, 2);
    drop(&k);
    assert_int_equal(run_check(), 1);
    check_says("E 2 3: event 2 is not there");
    check_says("DEFECT: 2 inbox entries that refer to nothing");
    check_says("I 1 6: there is no event 2 in channel 2");
}


static void
a_hole_in_an_inbox(void **state)
{
    struct key k;

    (void) state;
    key_inbox(&k, BOB, 4);
    drop(&k);
    assert_int_equal(run_check(), 1);
    check_says("I 2 5: inbox 4 is not there");
    check_says("I 2 7: messages 2 to 2 of channel 1 are not before it");
}


static void
an_inbox_that_starts_late(void **state)
{
    struct key k;

    (void) state;
    key_inbox(&k, BOB, 1);
    drop(&k);
    assert_int_equal(run_check(), 1);
    check_says("I 2 2: inbox 1 is not there");
}


static void
the_newest_message_lost(void **state)
{
    struct key k;

    (void) state;
    key_message(&k, DIRECT, 3);
    drop(&k);
    put_markers(DIRECT, BOB, 2, 2, 0);
    finds_only("DEFECT: 2 inbox entries that refer to nothing",
               "I 1 7: there is no message 3 in channel 1");
}


static void
the_newest_inbox_entry_lost(void **state)
{
    struct key k;

    (void) state;
    key_inbox(&k, BOB, 8);
    drop(&k);
    finds_only("DEFECT: 1 messages that an inbox lacks",
               "I 2: messages 3 to 3 of channel 2 are not in it");
}


static void
an_inbox_without_a_channel_of_his(void **state)
{
    (void) state;
    put_channel(GROUP, 3, ALICE, BOB, CAROL);
    put_membership(CAROL, GROUP);

    /* all of carol's entries are of another channel */
    put_inbox(CAROL, 1, DEL, DIRECT, 1);
    put_inbox(CAROL, 2, DEL, DIRECT, 1);
    put_inbox(CAROL, 3, DEL, DIRECT, 1);
    put_inbox(CAROL, 4, DEL, DIRECT, 1);
    put_changed(DIRECT, 1, ALICE, 0, true);
    finds_only("DEFECT: 1 messages that an inbox lacks",
               "I 3: nothing of channel 2");
}


static void
an_empty_inbox(void **state)
{
    struct key k;

    (void) state;

    for (uint64_t n = 1; n <= 8; n++) {
        key_inbox(&k, BOB, n);
        drop(&k);
    }

    finds_only("DEFECT: 2 messages that an inbox lacks",
               "L 2 1: his inbox is empty");
}


static void
an_entry_twice(void **state)
{
    (void) state;
    put_inbox(BOB, 9, NEW, GROUP, 3);
    put_inbox(BOB, 10, UPD, GROUP, 2);
    finds_only("DEFECT: 2 inbox entries out of order",
               "I 2 9: message 3 of channel 2 after message 3");
    check_says("I 2 10: event 2 of channel 2 after event 2");
}


static void
a_reference_to_no_channel(void **state)
{
    (void) state;
    put_inbox(CAROL, 5, NEW, 42, 1);
    put_inbox(CAROL, 6, DEL, GROUP, 4);
    finds_only("DEFECT: 2 inbox entries that refer to nothing",
               "I 3 5: there is no channel 42");
    check_says("I 3 6: there is no message 4 in channel 2");
}


static void
a_message_its_sender_who_left_does_not_have(void **state)
{
    (void) state;
    put_inbox(CAROL, 2, UPD, GROUP, 2);
    assert_int_equal(run_check(), 1);
    check_says("message 1 of channel 2 is not in the inbox of its sender 3");
}


static void
time_that_goes_back(void **state)
{
    (void) state;
    put_message_at(DIRECT, 2, BOB, 1000);
    finds_only("DEFECT: 1 messages that are older", "M 1 2: sent at 1000");
}


static void
a_message_by_nobody_and_in_no_channel(void **state)
{
    (void) state;
    put_message(DIRECT, 2, 60);
    assert_int_equal(run_check(), 1);
    check_says("M 1 2: sent by 60, who is nobody");

    /* and it is in nobody's inbox */
    check_says("of its sender 60, who has left");
}


static void
records_in_no_channel(void **state)
{
    struct key k;

    (void) state;
    record_put_message_head(&value, ALICE, 5);
    buf_put_lit(&value, "{}");
    key_message(&k, 70, 1);
    put(&k);
    put_event(70, 1, ",\"channel\":{}}}");
    put_markers(70, ALICE, 0, 0, 0);
    finds_only("DEFECT: 3 records of a channel", "M 70 1: a message in no");
    check_says("E 70 1: an event in no channel");
    check_says("K 70 1: markers in no channel");
}


static void
records_of_nobody(void **state)
{
    (void) state;
    put_changed(GROUP, 1, CAROL, 0, true);
    put_inbox(80, 1, DEL, GROUP, 1);
    put_markers(GROUP, 80, 0, 0, 0);
    put_device(80, 0);
    finds_only("DEFECT: 3 records of a user", "I 80 1: an inbox of nobody");
    check_says("K 2 80: markers of nobody");
    check_says("V 80 web: a device of nobody");
}


static void
contacts_and_profiles_that_are_sound(void **state)
{
    (void) state;
    put_contact(ALICE, BOB, RECORD_CONTACT_FRIEND, RECORD_CONTACT_BLOCKS);
    put_contact(BOB, ALICE, RECORD_CONTACT_FRIEND, 0);
    put_contact(ALICE, CAROL, RECORD_CONTACT_REQUESTED, 0);
    put_contact(CAROL, ALICE, RECORD_CONTACT_INCOMING, 0);
    put_contact(BOB, CAROL, RECORD_CONTACT_NONE, RECORD_CONTACT_BLOCKS);
    put_profile(BOB, "BOBBY");
    put_search("bobby", BOB);
    assert_int_equal(run_check(), 0);
    check_says("contacts       5\n");
}


static void
a_contact_without_its_other_side(void **state)
{
    (void) state;
    put_contact(ALICE, BOB, RECORD_CONTACT_FRIEND, 0);
    finds_only("DEFECT: 1 contacts whose two sides disagree",
               "N 1 2: the other side is 0, not 1");
}


static void
contacts_of_nobody_and_of_oneself(void **state)
{
    (void) state;
    put_contact(ALICE, ALICE, RECORD_CONTACT_FRIEND, 0);
    put_contact(ALICE, 80, RECORD_CONTACT_NONE, RECORD_CONTACT_BLOCKS);
    put_inbox(CAROL, 8, STORAGE_EVENT_CONTACT_UPDATED, 80, 1);
    (void) run_check();
    check_says("DEFECT: 2 records of a user");
    check_says("there is no user 80");
}


static void
an_index_that_leads_astray(void **state)
{
    (void) state;
    put_profile(BOB, "Robert");
    put_search("rob", BOB);
    finds_only("DEFECT: 2 names and numbers", "user 2 is not of that name");
    check_says("P 2: the name is not in the index");
}


static void
a_text_of_another_message(void **state)
{
    struct key k;

    (void) state;
    record_put_message_head(&value, BOB, 1002);
    record_put_message_json(&value, text(ids[DIRECT]), 3, STR("bob"), 1002);
    buf_put_lit(&value, "\"client_id\":\"c\"}");
    key_message(&k, DIRECT, 2);
    put(&k);
    finds_only("DEFECT: 1 texts", "M 1 2: the text is not");
}


static void
texts_that_are_cut(void **state)
{
    static const char *const ends[] = {
        "\"text\":\"a\"",    "\"text\":\"a}",         "\"text\":\"a\"}}",
        "\"text\":[\"a\"}]", "\"text\":[[[\"\\\\\"}", "\"text\":\"\\\"}"};
    struct key k;

    (void) state;

    for (uint64_t i = 0; i < 6; i++) {
        uint64_t id = 4 + i;

        record_put_message_head(&value, BOB, 2000);
        record_put_message_json(&value, text(ids[DIRECT]), id, STR("bob"),
                                2000);
        buf_put_str(&value, text(ends[i]));
        key_message(&k, DIRECT, id);
        put(&k);
        put_inbox(ALICE, 9 + i, NEW, DIRECT, id);
        put_inbox(BOB, 9 + i, NEW, DIRECT, id);
    }

    put_event(GROUP, 4, ",\"channel\":{}}");
    put_event(GROUP, 5, ",\"message\":{}}}");
    finds_only("DEFECT: 8 texts", "M 1 9: the text is not");
    check_says("E 2 4: the text is not that of an event");
    check_says("E 2 5: the text is not that of an event");
}


static void
markers_beyond_the_newest(void **state)
{
    (void) state;
    put_markers(DIRECT, ALICE, 4, 0, 0);
    put_markers(DIRECT, BOB, 0, 4, 0);
    put_markers(GROUP, ALICE, 0, 0, 5);
    put_device(ALICE, 9);
    finds_only("DEFECT: 4 markers", "V 1 web: cursor 9, newest inbox id 8");
}


static void
outcomes_of_another_message(void **state)
{
    (void) state;
    put_send(ALICE, 1, 1, 1002); /* another time     */
    put_send(BOB, 1, 1, 1001);   /* another sender   */
    put_send(CAROL, 9, 1, 1001); /* no such message  */
    finds_only("DEFECT: 3 outcomes",
               "D 20000 2 c1: there is no such message 1 in channel 1");
}


static void
an_outcome_with_another_inbox_id(void **state)
{
    (void) state;
    put_send(ALICE, 1, 4, 1001);
    finds_only("DEFECT: 1 outcomes",
               "inbox entry 4 of user 1 is not message 1 of channel 1");
}


static void
put_flags(uint64_t user, uint8_t flags)
{
    struct record_user u = {flags, 1, text(names[user])};
    struct key k;

    record_put_user(&value, &u);
    key_user(&k, user);
    put(&k);
}


static void
put_ending(uint64_t user, uint64_t upto)
{
    struct record_ending e = {0, RECORD_ENDING_GROUPS, 1, 1, upto};
    struct key k;

    record_put_ending(&value, &e);
    key_ending(&k, user);
    put(&k);
}


static void
deleted_users_are_sound(void **state)
{
    (void) state;
    put_flags(CAROL, RECORD_USER_FLAGS);
    put_flags(BOB, RECORD_USER_DELETED);
    put_profile(BOB, "");
    put_device(BOB, 1);
    put_flags(ALICE, RECORD_USER_DISABLED | RECORD_USER_CONNECTED);
    put_ending(BOB, 8);

    if (run_check() != 0) {
        fail_msg("%s", output);
    }
}


static void
something_left_of_a_deleted_user(void **state)
{
    (void) state;
    put_flags(ALICE, RECORD_USER_DELETED); /* group, device */
    put_flags(BOB, RECORD_USER_DELETED);
    put_profile(BOB, "");
    put_ending(BOB, 9);   /* beyond the newest   */
    put_ending(CAROL, 1); /* who was not deleted */
    put_search("bob", BOB);
    assert_int_equal(run_check(), 1);
    check_says("u 1: deleted, and there is a device");
    check_says("u 1: deleted, and a member of group 2");
    check_says("X 2: up to inbox id 9");
    check_says("X 3: the user was not deleted");
    check_says("DEFECT: 3 deleted users");
}


static void
changed_messages_are_sound(void **state)
{
    struct key k;

    (void) state;
    put_changed(DIRECT, 1, ALICE, 2, false);
    put_changed(DIRECT, 2, BOB, 1, true);
    record_put_u32(&value, 1);
    key_erased(&k, DIRECT, 2);
    put(&k);
    put_event(DIRECT, 1, ",\"channel\":\"d\",\"removed\":true}}");
    put_inbox_rev(ALICE, 9, EDI, DIRECT, 1, 2);
    put_inbox_rev(ALICE, 10, EDI, DIRECT, 2, 1);
    put_inbox_rev(ALICE, 11, DEL, DIRECT, 2, 1);
    put_inbox_rev(ALICE, 12, REA, DIRECT, 1, 0);
    record_put_outcome(&value,
                       &(struct record_outcome){.kind = RECORD_OUTCOME_MESSAGE,
                                                .channel = DIRECT,
                                                .message_id = 1,
                                                .rev = 1});
    key_client(&k, DAY, ALICE, STR("e1"));
    put(&k);

    if (run_check() != 0) {
        fail_msg("%s", output);
    }

    check_says("revisions      3\n");
}


static void
revisions_that_do_not_agree(void **state)
{
    struct key k;

    (void) state;
    put_changed(DIRECT, 1, ALICE, 2, false);
    key_revision(&k, DIRECT, 1, 1);
    drop(&k);
    record_put_revision(&value, STR("{}"));
    key_revision(&k, DIRECT, 2, 0); /* of one never edited */
    put(&k);
    record_put_u32(&value, 0);
    key_erased(&k, DIRECT, 3); /* of one not deleted */
    put(&k);
    finds_only("DEFECT: 3 revisions and messages",
               "M 1 1: revision 1 is not there");
    check_says("R 1 2: revision 0 of a message without");
    check_says("x 1 3: the message was not deleted so");
}


static void
client_ids_in_one_record(void **state)
{
    struct record_outcome o = {
        .kind = RECORD_OUTCOME_MESSAGE, .channel = DIRECT, .message_id = 1};
    struct key k;

    (void) state;
    record_put_client(&value, STR("r1"), &o);
    o.message_id = 9;
    record_put_client(&value, STR("r2"), &o);
    key_clients(&k, DAY, ALICE, 7);
    put(&k);
    finds_only("DEFECT: 1 outcomes that refer to nothing",
               "D 20000 1 r2: there is no such message 9 in channel 1");
    check_says("client ids     3\n");
}


static void
client_ids_cut_short(void **state)
{
    struct record_outcome o = {.kind = RECORD_OUTCOME_EMPTY};
    struct key k;

    (void) state;
    record_put_client(&value, STR("r1"), &o);
    value.len--;
    key_clients(&k, DAY, ALICE, 7);
    put(&k);
    finds_only("DEFECT: 1 ", "damaged");
}


static void
entries_and_outcomes_of_no_revision(void **state)
{
    struct key k;

    (void) state;
    put_inbox_rev(ALICE, 9, EDI, DIRECT, 1, 1);
    put_inbox_rev(ALICE, 10, DEL, DIRECT, 1, 0);
    put_inbox_rev(ALICE, 11, REA, DIRECT, 1, 0);
    record_put_outcome(&value,
                       &(struct record_outcome){.kind = RECORD_OUTCOME_MESSAGE,
                                                .channel = DIRECT,
                                                .message_id = 9});
    key_client(&k, DAY, ALICE, STR("e1"));
    put(&k);
    assert_int_equal(run_check(), 1);
    check_says("DEFECT: 3 inbox entries that refer to nothing");
    check_says("I 1 9: message 1 of channel 1 has no revision 1");
    check_says("I 1 11: there is no event 1 in channel 1");
    check_says("D 20000 1 e1: there is no such message 9 in channel 1");
}


static void
a_deleted_text_that_is_there(void **state)
{
    struct record_message m = {
        .sender = ALICE, .sent_at = 1001, .deleted = true};
    struct buf json = {0};
    struct key k;

    (void) state;
    record_put_message_json(&json, text(ids[DIRECT]), 1, text(names[ALICE]),
                            1001);
    buf_put_lit(&json, "\"text\":\"x\",\"deleted_at\":5}");
    m.json = buf_str(&json);
    record_put_message(&value, &m);
    key_message(&k, DIRECT, 1);
    put(&k);
    buf_clear(&json);
    finds_only("DEFECT: 1 texts", "M 1 1: deleted, and it does not say so");
}


static void
put_invite(uint64_t channel, const char *creator)
{
    struct record_invite i = {.creator = text(creator), .created_at = 1};
    struct key k;

    record_put_invite(&value, &i);
    key_invite(&k, channel, STR("0123456789abcdef0123456789abcdef"));
    put(&k);
}


static void
invites_to_a_group_are_sound(void **state)
{
    (void) state;
    put_invite(GROUP, "alice");
    assert_int_equal(run_check(), 0);
    check_says("invites        1");
}


static void
invites_that_lead_astray(void **state)
{
    (void) state;
    put_invite(DIRECT, "alice");
    put_invite(99, "alice");
    put_invite(GROUP, "nobody");
    assert_int_equal(run_check(), 1);
    check_says("the channel is no group");
    check_says("an invite to no channel");
    check_says("an invite of nobody");
}


static void
only_the_first_of_a_kind_are_shown(void **state)
{
    char name[16];

    (void) state;

    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "x%02d", i);
        put_channel_id(name, 99);
    }

    finds_only("DEFECT: 30 names", "C x19: channel 99");
    assert_null(strstr(output, "C x20"));
}


static void
what_cannot_be_checked_is_2(void **state)
{
    struct key k;

    (void) state;
    record_put_u32(&value, STORAGE_FORMAT + 1);
    key_format(&k);
    put(&k);
    assert_int_equal(run_check(), 2);
    check_says("newer");
    assert_int_equal(storage_check("/nonexistent/store"), 2);
}


static void
put_account(uint64_t user)
{
    struct record_account a = {
        .epoch = 1, .kept = STR(""), .secret = STR("$scrypt$")};
    struct key k;

    record_put_account(&value, &a);
    key_account(&k, user);
    put(&k);
    record_put_u64(&value, 1800000000);
    key_ended(&k, user, STR("jti"));
    put(&k);
}


static void
an_account_with_an_ended_login_is_sound(void **state)
{
    (void) state;
    put_account(ALICE);

    if (run_check() != 0) {
        fail_msg("%s", output);
    }

    check_says("accounts       1");
}


static void
an_account_has_a_user_who_counts_as_connected(void **state)
{
    struct record_user mentioned = {0, 1, STR("bob")};
    struct key k;

    (void) state;
    put_account(77);
    put_account(BOB);
    record_put_user(&value, &mentioned);
    key_user(&k, BOB);
    put(&k);
    assert_int_equal(run_check(), 1);
    check_says("H 77: an account of nobody");
    check_says("J 77 jti: an ended login of nobody");
    check_says("H 2: its user has not connected");
}


#define CHECK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(a_sound_store_is_sound),
        CHECK_TEST(an_unknown_key),
        CHECK_TEST(a_damaged_value_of_every_kind),
        CHECK_TEST(no_global_sequence),
        CHECK_TEST(a_name_that_leads_nowhere),
        CHECK_TEST(a_number_without_its_name),
        CHECK_TEST(a_member_without_membership),
        CHECK_TEST(a_membership_without_member),
        CHECK_TEST(a_member_twice),
        CHECK_TEST(a_member_who_is_nobody),
        CHECK_TEST(a_fence_before_the_marks),
        CHECK_TEST(a_direct_channel_of_others),
        CHECK_TEST(a_direct_channel_with_another_id),
        CHECK_TEST(who_has_written_stands_in_the_channel),
        CHECK_TEST(one_who_has_written_does_not_stand_in_the_channel),
        CHECK_TEST(a_hole_in_a_channel),
        CHECK_TEST(a_hole_in_the_events),
        CHECK_TEST(a_hole_in_an_inbox),
        CHECK_TEST(an_inbox_that_starts_late),
        CHECK_TEST(the_newest_message_lost),
        CHECK_TEST(the_newest_inbox_entry_lost),
        CHECK_TEST(an_inbox_without_a_channel_of_his),
        CHECK_TEST(an_empty_inbox),
        CHECK_TEST(an_entry_twice),
        CHECK_TEST(a_reference_to_no_channel),
        CHECK_TEST(a_message_its_sender_who_left_does_not_have),
        CHECK_TEST(time_that_goes_back),
        CHECK_TEST(a_message_by_nobody_and_in_no_channel),
        CHECK_TEST(records_in_no_channel),
        CHECK_TEST(records_of_nobody),
        CHECK_TEST(contacts_and_profiles_that_are_sound),
        CHECK_TEST(a_contact_without_its_other_side),
        CHECK_TEST(contacts_of_nobody_and_of_oneself),
        CHECK_TEST(an_index_that_leads_astray),
        CHECK_TEST(a_text_of_another_message),
        CHECK_TEST(texts_that_are_cut),
        CHECK_TEST(markers_beyond_the_newest),
        CHECK_TEST(outcomes_of_another_message),
        CHECK_TEST(an_outcome_with_another_inbox_id),
        CHECK_TEST(deleted_users_are_sound),
        CHECK_TEST(something_left_of_a_deleted_user),
        CHECK_TEST(changed_messages_are_sound),
        CHECK_TEST(revisions_that_do_not_agree),
        CHECK_TEST(entries_and_outcomes_of_no_revision),
        CHECK_TEST(client_ids_in_one_record),
        CHECK_TEST(client_ids_cut_short),
        CHECK_TEST(a_deleted_text_that_is_there),
        CHECK_TEST(invites_to_a_group_are_sound),
        CHECK_TEST(invites_that_lead_astray),
        CHECK_TEST(only_the_first_of_a_kind_are_shown),
        CHECK_TEST(what_cannot_be_checked_is_2),
        CHECK_TEST(an_account_with_an_ended_login_is_sound),
        CHECK_TEST(an_account_has_a_user_who_counts_as_connected),
    };

    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
