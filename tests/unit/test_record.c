/* Records: what is put is got, byte for byte, and nothing else is believed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage_key.h"
#include "storage_record.h"

typedef int get_fn(struct str value);

/*
 * A value cut short anywhere, or of another version, is refused; a value with
 * a byte too many as well, unless its last part is what is left.
 */
static void
check_bounds(struct buf *b, get_fn *get, size_t open_from)
{
    assert_false(buf_failed(b));
    assert_int_equal(get(buf_str(b)), 0);

    for (size_t len = 0; len < b->len; len++) {
        char *copy = malloc(len + 1);

        memcpy(copy, b->data, len);
        assert_int_equal(get((struct str){copy, len}),
                         open_from > 0 && len > open_from ? 0 : -1);
        free(copy);
    }

    if (open_from == 0) {
        buf_put_char(b, 'x');
        assert_int_equal(get(buf_str(b)), -1);
        b->len--;
    }

    b->data[0]++;
    assert_int_equal(get(buf_str(b)), -1);
    buf_clear(b);
}


static int
get_u32(struct str value)
{
    uint32_t v;

    return record_get_u32(value, &v);
}


static int
get_u64(struct str value)
{
    uint64_t v;

    return record_get_u64(value, &v);
}


static void
numbers(void **state)
{
    struct buf b = {0};
    uint32_t v32;
    uint64_t v64;

    (void) state;

    record_put_u32(&b, 0x01020304);
    assert_int_equal(b.len, 5);
    assert_memory_equal(b.data, "\1\1\2\3\4", 5);
    assert_int_equal(record_get_u32(buf_str(&b), &v32), 0);
    assert_int_equal(v32, 0x01020304);
    check_bounds(&b, get_u32, 0);

    record_put_u64(&b, UINT64_MAX - 1);
    assert_int_equal(record_get_u64(buf_str(&b), &v64), 0);
    assert_true(v64 == UINT64_MAX - 1);
    check_bounds(&b, get_u64, 0);
}


static int
get_user(struct str value)
{
    struct record_user u;

    return record_get_user(value, &u);
}


static void
user(void **state)
{
    struct record_user in = {RECORD_USER_CONNECTED, 1764000000123, STR("al")};
    struct record_user out;
    struct buf b = {0};

    (void) state;

    record_put_user(&b, &in);
    assert_memory_equal(b.data, "\1\1\0\0\1\x9a\xb6\x97\xe8\x7b\2al", b.len);
    assert_int_equal(record_get_user(buf_str(&b), &out), 0);
    assert_int_equal(out.flags, in.flags);
    assert_int_equal(out.created_at, in.created_at);
    assert_true(str_eq(out.name, in.name));

    b.data[1] = RECORD_USER_FLAGS;
    assert_int_equal(record_get_user(buf_str(&b), &out), 0);
    b.data[1] = RECORD_USER_FLAGS + 1;
    assert_int_equal(record_get_user(buf_str(&b), &out), -1);
    b.data[1] = 0;
    check_bounds(&b, get_user, 0);

    in.name.len = 0;
    record_put_user(&b, &in);
    assert_int_equal(record_get_user(buf_str(&b), &out), -1);
    buf_clear(&b);
}


static int
get_channel(struct str value)
{
    struct record_channel c;

    return record_get_channel(value, &c);
}


static void
channel(void **state)
{
    struct record_channel in = {.kind = RECORD_GROUP,
                                .created_at = 5,
                                .id = STR("g.0123456789abcdef"),
                                .name = STR("Team \xc3\xbc"),
                                .avatar = STR("a"),
                                .n_members = STORAGE_MEMBERS_MAX};
    struct record_channel out;
    struct buf b = {0};

    (void) state;

    for (unsigned i = 0; i < STORAGE_MEMBERS_MAX; i++) {
        in.members[i].user = 1000 - i;
        in.members[i].role = (uint8_t) (i % 3);
    }

    record_put_channel(&b, &in);
    assert_int_equal(record_get_channel(buf_str(&b), &out), 0);
    assert_int_equal(out.kind, RECORD_GROUP);
    assert_int_equal(out.created_at, 5);
    assert_true(str_eq(out.id, in.id));
    assert_true(str_eq(out.name, in.name));
    assert_true(str_eq(out.avatar, in.avatar));
    assert_int_equal(out.n_members, STORAGE_MEMBERS_MAX);

    for (unsigned i = 0; i < STORAGE_MEMBERS_MAX; i++) {
        assert_int_equal(out.members[i].user, in.members[i].user);
        assert_int_equal(out.members[i].role, in.members[i].role);
    }

    check_bounds(&b, get_channel, 0);
}


static void
a_direct_channel_knows_who_has_written(void **state)
{
    struct record_channel in = {
        .kind = RECORD_DIRECT,
        .id = STR("d.a~b"),
        .wrote_known = true,
        .wrote = 2,
        .n_members = 2,
        .members = {{1, STORAGE_MEMBER}, {2, STORAGE_MEMBER}}
    };
    struct record_channel out;
    struct buf b = {0};

    (void) state;

    record_put_channel(&b, &in);
    assert_int_equal(record_get_channel(buf_str(&b), &out), 0);
    assert_true(out.wrote_known);
    assert_int_equal(out.wrote, 2);
    assert_int_equal(b.data[0], RECORD_VERSION_2);

    b.data[b.len - 1] = 4; /* a member there is not */
    assert_int_equal(record_get_channel(buf_str(&b), &out), -1);
    b.data[b.len - 1] = 3;
    assert_int_equal(record_get_channel(buf_str(&b), &out), 0);
    b.data[1] = RECORD_GROUP;
    assert_int_equal(record_get_channel(buf_str(&b), &out), -1);

    buf_reset(&b, 1024);
    in.wrote_known = false;
    record_put_channel(&b, &in);
    assert_int_equal(record_get_channel(buf_str(&b), &out), 0);
    assert_false(out.wrote_known);
    assert_int_equal(out.wrote, 0);
    buf_clear(&b);
}


static void
a_channel_with_odd_parts_is_refused(void **state)
{
    struct record_channel in = {.kind = RECORD_DIRECT,
                                .id = STR("d.a~b"),
                                .n_members = 1,
                                .members = {{1, STORAGE_MEMBER}}};
    struct record_channel out;
    struct buf b = {0};

    (void) state;

    record_put_channel(&b, &in);
    assert_int_equal(record_get_channel(buf_str(&b), &out), 0);

    b.data[b.len - 1] = 3; /* a role */
    assert_int_equal(record_get_channel(buf_str(&b), &out), -1);
    b.data[b.len - 1] = 0;
    b.data[b.len - 2] = 0; /* a user number */
    assert_int_equal(record_get_channel(buf_str(&b), &out), -1);
    b.data[b.len - 2] = 1;
    b.data[b.len - 10] = STORAGE_MEMBERS_MAX + 1;
    assert_int_equal(record_get_channel(buf_str(&b), &out), -1);
    b.data[b.len - 10] = 1;
    b.data[1] = 3; /* the kind */
    assert_int_equal(record_get_channel(buf_str(&b), &out), -1);
    b.data[1] = RECORD_DIRECT;
    assert_int_equal(record_get_channel(buf_str(&b), &out), 0);

    buf_reset(&b, 1024);
    in.n_members = STORAGE_MEMBERS_MAX + 1;
    record_put_channel(&b, &in);
    assert_true(buf_failed(&b));

    char name[RECORD_NAME_MAX + 1] = {0};

    buf_reset(&b, 1024);
    in.n_members = 1;
    in.name = (struct str){name, sizeof(name)};
    record_put_channel(&b, &in);
    assert_true(buf_failed(&b));
    buf_clear(&b);
}


static int
get_message(struct str value)
{
    struct record_message m;

    return record_get_message(value, &m);
}


static void
message(void **state)
{
    struct record_message out;
    struct buf b = {0};

    (void) state;

    record_put_message_head(&b, 3, 1764000000123);
    record_put_message_json(&b, STR("d.a~b"), 12, STR("a"), 1764000000123);
    buf_put_lit(&b, "\"client_id\":\"c\"}");
    assert_int_equal(record_get_message(buf_str(&b), &out), 0);
    assert_int_equal(out.sender, 3);
    assert_int_equal(out.sent_at, 1764000000123);
    assert_true(
        str_eq(out.json,
               STR("{\"channel\":\"d.a~b\",\"message_id\":12,\"sender\":\"a\","
                   "\"sent_at\":1764000000123,\"client_id\":\"c\"}")));
    check_bounds(&b, get_message, 17);

    record_put_message_head(&b, 0, 5);
    buf_put_lit(&b, "{}");
    assert_int_equal(record_get_message(buf_str(&b), &out), -1);
    buf_clear(&b);
}


static void
a_changed_message(void **state)
{
    static struct record_reaction many = {
        .emoji = {"\xf0\x9f\x91\x8d", 4},
          .n_users = STORAGE_MEMBERS_MAX
    };
    struct record_message out, m = {.sender = 3,
                                    .sent_at = 4,
                                    .rev = 5,
                                    .json = STR("{\"text\":\"x\"}")};
    struct record_reaction one = {
        .emoji = STR("+"), .n_users = 1, .users = {STR("ann")}};
    struct buf b = {0}, reactions = {0};

    (void) state;

    for (unsigned i = 0; i < STORAGE_MEMBERS_MAX; i++) {
        many.users[i] = STR("u");
    }

    record_put_reaction(&reactions, &many);
    record_put_reaction(&reactions, &one);
    m.reactions = buf_str(&reactions);
    record_put_message(&b, &m);
    assert_int_equal(record_get_message(buf_str(&b), &out), 0);
    assert_int_equal(out.rev, 5);
    assert_false(out.deleted);
    assert_true(str_eq(out.json, m.json));
    assert_int_equal(record_next_reaction(&out.reactions, &many), 1);
    assert_int_equal(many.n_users, STORAGE_MEMBERS_MAX);
    assert_int_equal(record_next_reaction(&out.reactions, &one), 1);
    assert_true(str_eq(one.users[0], STR("ann")));
    assert_int_equal(record_next_reaction(&out.reactions, &one), 0);
    check_bounds(&b, get_message, 26 + reactions.len);

    one = (struct record_reaction){
        .emoji = STR("+"), .n_users = 1, .users = {STR("ann")}};

    /* 21 of them, one of nobody, one without a name */
    for (unsigned i = 0; i < STORAGE_REACTIONS_MAX - 1; i++) {
        record_put_reaction(&reactions, &one);
    }

    m.reactions = buf_str(&reactions);
    record_put_message(&b, &m);
    assert_int_equal(record_get_message(buf_str(&b), &out), -1);
    buf_clear(&b);
    m.reactions = STR("\1+\0");
    record_put_message(&b, &m);
    assert_int_equal(record_get_message(buf_str(&b), &out), -1);
    buf_clear(&b);
    m.reactions = STR("\0\1\1u");
    record_put_message(&b, &m);
    assert_int_equal(record_get_message(buf_str(&b), &out), -1);
    buf_clear(&b);
    buf_clear(&reactions);

    m.reactions = STR("");
    m.deleted = true;
    record_put_message(&b, &m);
    assert_int_equal(record_get_message(buf_str(&b), &out), 0);
    assert_true(out.deleted);
    check_bounds(&b, get_message, 26);

    /* what was never changed has the first layout, and no other */
    m.deleted = false;
    m.rev = 0;
    record_put_message(&b, &m);
    assert_int_equal(b.data[0], RECORD_VERSION);
    check_bounds(&b, get_message, 17);
}


static int
get_event(struct str value)
{
    struct str tail;

    return record_get_event(value, &tail);
}


static void
event(void **state)
{
    struct buf b = {0};
    struct str tail;

    (void) state;

    record_put_event(&b, STR(",\"channel\":{}}}"));
    assert_int_equal(record_get_event(buf_str(&b), &tail), 0);
    assert_true(str_eq(tail, STR(",\"channel\":{}}}")));
    check_bounds(&b, get_event, 1);
}


static int
get_inbox(struct str value)
{
    struct record_inbox i;

    return record_get_inbox(value, 0, &i);
}


static void
inbox(void **state)
{
    struct record_inbox in = {STORAGE_EVENT_MESSAGE_EDITED, 7, 8, 9};
    struct record_inbox out;
    struct buf b = {0};

    (void) state;

    record_put_inbox(&b, &in);
    assert_in_range(b.len, 1, 32);
    assert_int_equal(record_get_inbox(buf_str(&b), 0, &out), 0);
    assert_int_equal(out.method, in.method);
    assert_int_equal(out.channel, 7);
    assert_int_equal(out.id, 8);
    assert_int_equal(out.rev, 9);

    b.data[1] = STORAGE_EVENT_RECEIPT;
    assert_int_equal(record_get_inbox(buf_str(&b), 0, &out), -1);
    b.data[1] = 0;
    assert_int_equal(record_get_inbox(buf_str(&b), 0, &out), -1);
    b.data[1] = STORAGE_EVENT_MESSAGE_NEW;
    b.data[9] = 0; /* channel 0 */
    assert_int_equal(record_get_inbox(buf_str(&b), 0, &out), -1);
    b.data[9] = 7;
    b.data[17] = 0; /* id 0 */
    assert_int_equal(record_get_inbox(buf_str(&b), 0, &out), -1);
    b.data[17] = 8;
    check_bounds(&b, get_inbox, 0);
}


static void
clients(void **state)
{
    struct record_outcome in = {.kind = RECORD_OUTCOME_JSON,
                                .json = STR("{\"a\":1}")};
    struct record_outcome out;
    struct record_clients c;
    struct str id, outcome;
    struct buf b = {0};
    size_t len;

    (void) state;
    record_put_client(&b, STR("one"), &in);
    in.kind = RECORD_OUTCOME_EMPTY;
    record_put_client(&b, STR("two"), &in);

    c = (struct record_clients){STR("x"), buf_str(&b), 0};
    assert_int_equal(record_next_client(&c, &id, &outcome), 1);
    assert_true(str_eq(id, STR("one")));
    assert_int_equal(record_get_outcome(outcome, &out), 0);
    assert_true(str_eq(out.json, STR("{\"a\":1}")));
    assert_int_equal(record_next_client(&c, &id, &outcome), 1);
    assert_true(str_eq(id, STR("two")));
    assert_int_equal(record_get_outcome(outcome, &out), 0);
    assert_int_equal(out.kind, RECORD_OUTCOME_EMPTY);
    assert_int_equal(record_next_client(&c, &id, &outcome), 0);

    for (len = 0; len < b.len; len++) {
        int rc;

        c = (struct record_clients){
            STR("x"), {b.data, len},
             0
        };

        while ((rc = record_next_client(&c, &id, &outcome)) == 1) {
        }

        /* cut between the two it is a whole one */
        assert_int_equal(rc, len == 1 + 4 + 4 + 9 ? 0 : -1);
    }

    /* a store of format 1 */
    buf_reset(&b, 0);
    record_put_outcome(&b, &in);
    c = (struct record_clients){STR("x"), buf_str(&b), 0};
    assert_int_equal(record_next_client(&c, &id, &outcome), 1);
    assert_true(str_eq(id, STR("x")));
    assert_int_equal(record_get_outcome(outcome, &out), 0);
    assert_int_equal(record_next_client(&c, &id, &outcome), 0);
    buf_clear(&b);
}


static void
inbox_runs(void **state)
{
    struct record_inbox in = {STORAGE_EVENT_MESSAGE_NEW, 7, 1, 0}, out;
    struct record_inbox_run run;
    struct buf b = {0};
    struct key key;

    (void) state;
    key_inbox(&key, 3, 9);
    assert_int_equal(record_get_inbox_run(key_str(&key), STR("\001"), 3, &run),
                     -1);

    for (in.id = 1; in.id <= RECORD_INBOX_MAX; in.id++) {
        record_put_inbox(&b, &in);
        assert_int_equal(record_count_inbox(buf_str(&b)), in.id);
    }

    assert_int_equal(record_get_inbox(buf_str(&b), RECORD_INBOX_MAX - 1, &out),
                     0);
    assert_int_equal(out.id, RECORD_INBOX_MAX);
    assert_int_equal(record_get_inbox(buf_str(&b), RECORD_INBOX_MAX, &out), -1);

    /* more entries than ids up to the key's */
    assert_int_equal(record_get_inbox_run(key_str(&key), buf_str(&b), 3, &run),
                     -1);
    key_inbox(&key, 3, RECORD_INBOX_MAX + 4);
    assert_int_equal(record_get_inbox_run(key_str(&key), buf_str(&b), 4, &run),
                     -1);
    assert_int_equal(record_get_inbox_run(key_str(&key), buf_str(&b), 3, &run),
                     0);
    assert_int_equal(run.first, 5);
    assert_int_equal(run.last, RECORD_INBOX_MAX + 4);
    key_event(&key, 3, RECORD_INBOX_MAX + 4);
    assert_int_equal(record_get_inbox_run(key_str(&key), buf_str(&b), 3, &run),
                     -1);

    record_put_inbox(&b, &in);
    assert_int_equal(record_count_inbox(buf_str(&b)), 0);
    buf_clear(&b);
}


static int
get_markers(struct str value)
{
    struct record_markers m;

    return record_get_markers(value, &m);
}


static int
get_device(struct str value)
{
    struct record_device d;

    return record_get_device(value, &d);
}


static void
membership_markers_device(void **state)
{
    struct record_markers markers = {1, 2, 3, 0}, m;
    struct record_device device = {.inbox_id = 4, .at = 5}, d;
    struct buf b = {0};

    (void) state;

    record_put_membership(&b);
    check_bounds(&b, record_get_membership, 0);

    record_put_markers(&b, &markers);
    assert_int_equal(record_get_markers(buf_str(&b), &m), 0);
    assert_memory_equal(&m, &markers, sizeof(m));
    check_bounds(&b, get_markers, 0);

    markers.muted = 9;
    record_put_markers(&b, &markers);
    assert_int_equal(record_get_markers(buf_str(&b), &m), 0);
    assert_int_equal(m.muted, 9);
    check_bounds(&b, get_markers, 0);

    record_put_device(&b, &device);
    assert_int_equal(b.len, 17);
    assert_int_equal(record_get_device(buf_str(&b), &d), 0);
    assert_memory_equal(&d, &device, sizeof(d));
    check_bounds(&b, get_device, 0);

    device.name = STR("phone");
    record_put_device(&b, &device);
    assert_int_equal(record_get_device(buf_str(&b), &d), 0);
    assert_true(str_eq(d.name, device.name));
    assert_int_equal(d.at, 5);
    check_bounds(&b, get_device, 0);

    buf_put(&b, "\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0", 19);
    assert_int_equal(get_device(buf_str(&b)), -1); /* a name that is none */
    buf_clear(&b);
}


static int
get_invite(struct str value)
{
    struct record_invite i;

    return record_get_invite(value, &i);
}


static void
invite(void **state)
{
    struct record_invite in = {STR("al"), 1, 2, 4, 3, true}, out;
    struct buf b = {0};

    (void) state;

    record_put_invite(&b, &in);
    assert_memory_equal(b.data,
                        "\1\2al\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\4\0\0\0\3"
                        "\1",
                        b.len);
    assert_int_equal(record_get_invite(buf_str(&b), &out), 0);
    assert_true(str_eq(out.creator, in.creator));
    assert_int_equal(out.created_at, 1);
    assert_int_equal(out.expires_at, 2);
    assert_int_equal(out.max_uses, 4);
    assert_int_equal(out.uses, 3);
    assert_true(out.revoked);
    b.data[b.len - 1] = 2;
    assert_int_equal(get_invite(buf_str(&b)), -1);
    b.data[b.len - 1] = 0;
    b.data[b.len - 2] = 5; /* used more often than it may be */
    assert_int_equal(get_invite(buf_str(&b)), -1);
    b.data[b.len - 2] = 4;
    check_bounds(&b, get_invite, 0);

    in.creator.len = 0;
    record_put_invite(&b, &in);
    assert_int_equal(get_invite(buf_str(&b)), -1);
    buf_clear(&b);
}


static int
get_contact(struct str value)
{
    struct record_contact c;

    return record_get_contact(value, &c);
}


static int
get_account(struct str value)
{
    struct record_account a;

    return record_get_account(value, &a);
}


static void
account(void **state)
{
    struct record_account in = {.created_at = 5,
                                .epoch = 7,
                                .kept = STR("chat:6:x"),
                                .secret = STR("$scrypt$")};
    struct record_account out;
    char large[STORAGE_SECRET_MAX + 1] = {0};
    struct buf b = {0};

    (void) state;
    record_put_account(&b, &in);
    assert_int_equal(record_get_account(buf_str(&b), &out), 0);
    assert_int_equal(out.created_at, in.created_at);
    assert_int_equal(out.epoch, in.epoch);
    assert_true(str_eq(out.kept, in.kept));
    assert_true(str_eq(out.secret, in.secret));
    check_bounds(&b, get_account, 0);

    in.epoch = 0;
    buf_reset(&b, 0);
    record_put_account(&b, &in);
    assert_int_equal(record_get_account(buf_str(&b), &out), -1);
    in.epoch = 1;
    in.secret = STR("");
    buf_reset(&b, 0);
    record_put_account(&b, &in);
    assert_int_equal(record_get_account(buf_str(&b), &out), -1);
    in.secret = (struct str){large, sizeof(large)};
    buf_reset(&b, 0);
    record_put_account(&b, &in);
    assert_true(buf_failed(&b));
    buf_clear(&b);
}


static int
get_profile(struct str value)
{
    struct record_profile p;

    return record_get_profile(value, &p);
}


static void
contact_profile(void **state)
{
    struct record_contact contact = {RECORD_CONTACT_FRIEND,
                                     RECORD_CONTACT_BLOCKS},
                          c;
    struct record_profile profile = {STR("Alice"), STR(""), STR("here")}, p;
    struct buf b = {0};

    (void) state;
    record_put_contact(&b, &contact);
    assert_int_equal(record_get_contact(buf_str(&b), &c), 0);
    assert_memory_equal(&c, &contact, sizeof(c));
    check_bounds(&b, get_contact, 0);

    /* one that says nothing has no record */
    buf_clear(&b);
    record_put_contact(&b, &(struct record_contact){RECORD_CONTACT_NONE, 0});
    assert_int_equal(get_contact(buf_str(&b)), -1);
    buf_clear(&b);
    record_put_contact(&b, &(struct record_contact){RECORD_CONTACT_BLOCKED, 0});
    assert_int_equal(get_contact(buf_str(&b)), -1);
    buf_clear(&b);
    record_put_contact(&b, &(struct record_contact){RECORD_CONTACT_FRIEND, 2});
    assert_int_equal(get_contact(buf_str(&b)), -1);
    buf_clear(&b);

    record_put_profile(&b, &profile);
    assert_int_equal(record_get_profile(buf_str(&b), &p), 0);
    assert_true(str_eq(p.display_name, profile.display_name));
    assert_true(str_eq(p.avatar, profile.avatar));
    assert_true(str_eq(p.status, profile.status));
    check_bounds(&b, get_profile, 0);
}


static int
get_ending(struct str value)
{
    struct record_ending out;

    return record_get_ending(value, &out);
}


static void
ending(void **state)
{
    struct record_ending in = {RECORD_ENDING_ERASE, RECORD_ENDING_MESSAGES, 3,
                               4, 5};
    struct record_ending out;
    struct buf b = {0};

    (void) state;

    record_put_ending(&b, &in);
    assert_memory_equal(b.data,
                        "\1\1\4\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4"
                        "\0\0\0\0\0\0\0\5",
                        b.len);
    assert_int_equal(record_get_ending(buf_str(&b), &out), 0);
    assert_int_equal(out.flags, in.flags);
    assert_int_equal(out.phase, in.phase);
    assert_int_equal(out.at, in.at);
    assert_int_equal(out.cursor, in.cursor);
    assert_int_equal(out.upto, in.upto);
    b.data[1] = 2;
    assert_int_equal(record_get_ending(buf_str(&b), &out), -1);
    b.data[1] = 0;
    b.data[2] = 0;
    assert_int_equal(record_get_ending(buf_str(&b), &out), -1);
    b.data[2] = RECORD_ENDING_LAST + 1;
    assert_int_equal(record_get_ending(buf_str(&b), &out), -1);
    b.data[2] = RECORD_ENDING_LAST;
    check_bounds(&b, get_ending, 0);
}


static int
get_outcome(struct str value)
{
    struct record_outcome o;

    return record_get_outcome(value, &o);
}


static void
outcome(void **state)
{
    struct record_outcome empty = {.kind = RECORD_OUTCOME_EMPTY};
    struct record_outcome sent = {
        RECORD_OUTCOME_SEND, 1, 2, 3, 4, {NULL, 0},
             0
    };
    struct record_outcome json = {.kind = RECORD_OUTCOME_JSON,
                                  .json = STR("{\"channel\":{}}")};
    struct record_outcome changed = {.kind = RECORD_OUTCOME_MESSAGE,
                                     .channel = 5,
                                     .message_id = 6,
                                     .rev = 7};
    struct record_outcome out;
    struct buf b = {0};

    (void) state;

    record_put_outcome(&b, &empty);
    assert_int_equal(b.len, 2);
    check_bounds(&b, get_outcome, 0);

    record_put_outcome(&b, &sent);
    assert_int_equal(record_get_outcome(buf_str(&b), &out), 0);
    assert_int_equal(out.kind, RECORD_OUTCOME_SEND);
    assert_int_equal(out.channel, 1);
    assert_int_equal(out.message_id, 2);
    assert_int_equal(out.inbox_id, 3);
    assert_int_equal(out.sent_at, 4);
    b.data[9] = 0;
    assert_int_equal(record_get_outcome(buf_str(&b), &out), -1);
    b.data[9] = 1;
    b.data[1] = 3;
    assert_int_equal(record_get_outcome(buf_str(&b), &out), -1);
    b.data[1] = RECORD_OUTCOME_SEND;
    check_bounds(&b, get_outcome, 0);

    record_put_outcome(&b, &json);
    assert_int_equal(record_get_outcome(buf_str(&b), &out), 0);
    assert_true(str_eq(out.json, json.json));
    check_bounds(&b, get_outcome, 2);

    record_put_outcome(&b, &changed);
    assert_int_equal(record_get_outcome(buf_str(&b), &out), 0);
    assert_int_equal(out.message_id, 6);
    assert_int_equal(out.rev, 7);
    check_bounds(&b, get_outcome, 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(user),
        cmocka_unit_test(ending),
        cmocka_unit_test(channel),
        cmocka_unit_test(a_direct_channel_knows_who_has_written),
        cmocka_unit_test(a_channel_with_odd_parts_is_refused),
        cmocka_unit_test(message),
        cmocka_unit_test(a_changed_message),
        cmocka_unit_test(event),
        cmocka_unit_test(inbox),
        cmocka_unit_test(inbox_runs),
        cmocka_unit_test(clients),
        cmocka_unit_test(membership_markers_device),
        cmocka_unit_test(invite),
        cmocka_unit_test(contact_profile),
        cmocka_unit_test(account),
        cmocka_unit_test(outcome),
    };

    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
