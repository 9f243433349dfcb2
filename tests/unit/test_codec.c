/* storage/storage_codec.c: what goes in comes out; what breaks a bound is
 * refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage_codec.h"

static unsigned char mem[1 << 16];
static struct chat_wire_writer w;
static struct str users[STORAGE_USERS_LIMIT];
static struct storage_entry entries[STORAGE_INBOX_LIMIT];

static void
begin(size_t size)
{
    assert_true(size <= sizeof(mem));
    chat_wire_writer_init(&w, mem, size);
}

static int
get_op(struct storage_op *op)
{
    struct chat_wire_reader r;

    chat_wire_reader_init(&r, mem, chat_wire_written(&w));
    return storage_codec_get_op(&r, op, users);
}

static int
get_result(struct storage_result *result)
{
    struct chat_wire_reader r;

    chat_wire_reader_init(&r, mem, chat_wire_written(&w));
    return storage_codec_get_result(&r, result, entries);
}

static void
put_op(const struct storage_op *op)
{
    begin(storage_codec_op_size(op));
    storage_codec_put_op(&w, op);
    assert_int_equal(w.failed, 0);
}

#define assert_str(a, b) assert_true(str_eq(a, b))

static void
every_field_of_an_op_survives(void **state)
{
    struct str members[] = {STR("bob"), STR("carol")};
    struct storage_op got, op = {
                               .type = STORAGE_CREATE_CHANNEL,
                               .flags = STORAGE_AFTER | STORAGE_REPLAYED,
                               .role = STORAGE_OWNER,
                               .user = STR("alice"),
                               .device = STR("d"),
                               .client_id = STR("c"),
                               .request_id = STR("r"),
                               .channel = STR("g.1"),
                               .to = STR("t"),
                               .name = STR("n\0m"),
                               .avatar = STR("a"),
                               .text = STR("{}"),
                               .cursor = STR("x"),
                               .users = members,
                               .n_users = 2,
                               .limit = UINT32_MAX,
                               .bytes = 7,
                               .before = 1,
                               .after = 2,
                               .around = 3,
                               .message_id = 4,
                               .inbox_id = 5,
                               .number = UINT64_MAX,
                           };

    (void) state;
    put_op(&op);
    assert_int_equal(get_op(&got), 0);
    assert_int_equal(got.type, op.type);
    assert_int_equal(got.flags, op.flags);
    assert_int_equal(got.role, op.role);
#define SAME_STR(name, max) assert_str(got.name, op.name);
#define SAME_NUMBER(name)   assert_int_equal(got.name, op.name);
    STORAGE_CODEC_STRS(SAME_STR)
    STORAGE_CODEC_NUMBERS(SAME_NUMBER)
    assert_int_equal(got.n_users, 2);
    assert_str(got.users[0], members[0]);
    assert_str(got.users[1], members[1]);
}

static void
absent_and_empty_differ(void **state)
{
    struct storage_op got, op = {.type = STORAGE_UPDATE_CHANNEL,
                                 .user = STR("alice"),
                                 .avatar = STR("")};

    (void) state;
    put_op(&op);
    assert_int_equal(get_op(&got), 0);
    assert_null(got.name.data);
    assert_non_null(got.avatar.data);
    assert_int_equal(got.avatar.len, 0);
}

static void
the_flags_stand_where_the_stub_changes_them(void **state)
{
    struct storage_op got, op = {.type = STORAGE_SEND, .user = STR("alice")};

    (void) state;
    put_op(&op);
    mem[STORAGE_CODEC_FLAGS_AT] |= STORAGE_REPLAYED;
    assert_int_equal(get_op(&got), 0);
    assert_int_equal(got.flags, STORAGE_REPLAYED);
}

static void
refused(struct storage_op op)
{
    struct storage_op got;

    put_op(&op);
    assert_int_equal(get_op(&got), -1);
}

static void
an_op_out_of_bounds_is_refused(void **state)
{
    static const char text[STORAGE_CHANNEL_MAX + 1] = {'x'};
    struct storage_op op = {.type = STORAGE_SEND, .user = STR("a")};
    struct storage_op got, bad;

    (void) state;
    put_op(&op);
    assert_int_equal(get_op(&got), 0);

    bad = op, bad.type = 0;
    refused(bad);
    bad = op, bad.type = STORAGE_LIST_USERS, bad.user = STR("");
    put_op(&bad);
    assert_int_equal(get_op(&got), 0);
    bad = op, bad.type = 99;
    refused(bad);
    bad = op, bad.user = STR("");
    refused(bad);
    bad = op, bad.user = (struct str){NULL, 0};
    refused(bad);
    bad = op, bad.user = (struct str){text, STORAGE_ID_MAX + 1};
    refused(bad);
    bad = op, bad.channel = (struct str){text, STORAGE_CHANNEL_MAX + 1};
    refused(bad);
    bad = op, bad.flags = 0x20;
    refused(bad);
    bad = op, bad.role = STORAGE_OWNER + 1;
    refused(bad);
}

static void
too_many_users_are_refused(void **state)
{
    struct str many[STORAGE_USERS_LIMIT + 1];
    struct storage_op got,
        op = {.type = STORAGE_ADD_MEMBERS, .user = STR("alice"), .users = many};

    (void) state;
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        many[i] = STR("x");
    }
    op.n_users = STORAGE_USERS_LIMIT;
    put_op(&op);
    assert_int_equal(get_op(&got), 0);
    op.n_users++;
    put_op(&op);
    assert_int_equal(get_op(&got), -1);
}

static void
every_truncation_is_refused(void **state)
{
    struct str members[] = {STR("bob")};
    struct storage_op got, op = {.type = STORAGE_ADD_MEMBERS,
                                 .user = STR("alice"),
                                 .channel = STR("g.1"),
                                 .number = 3,
                                 .users = members,
                                 .n_users = 1};
    struct chat_wire_reader r;

    (void) state;
    put_op(&op);
    for (size_t len = 0; len < chat_wire_written(&w); len++) {
        chat_wire_reader_init(&r, mem, len);
        assert_int_equal(storage_codec_get_op(&r, &got, users), -1);
    }
}

static void
a_result_survives(void **state)
{
    struct storage_entry list[] = {
        {1, STORAGE_EVENT_MESSAGE_NEW,     STR(",\"message\":{}}}")},
        {2, STORAGE_EVENT_CHANNEL_UPDATED, STR("x")                },
    };
    struct storage_result got, r = {
                                   .status = STORAGE_AHEAD,
                                   .duplicate = true,
                                   .more = true,
                                   .json = STR("{\"a\":1}"),
                                   .inbox_id = 9,
                                   .number = 8,
                                   .entries = list,
                                   .n_entries = 2,
                               };

    (void) state;
    begin(storage_codec_result_size(&r));
    storage_codec_put_result(&w, &r);
    assert_int_equal(w.failed, 0);
    assert_int_equal(chat_wire_written(&w), storage_codec_result_size(&r));
    assert_int_equal(get_result(&got), 0);
    assert_int_equal(got.status, STORAGE_AHEAD);
    assert_true(got.duplicate && got.more);
    assert_str(got.json, r.json);
    assert_int_equal(got.inbox_id, 9);
    assert_int_equal(got.number, 8);
    assert_int_equal(got.n_entries, 2);
    assert_int_equal(got.entries[1].inbox_id, 2);
    assert_int_equal(got.entries[1].method, STORAGE_EVENT_CHANNEL_UPDATED);
    assert_str(got.entries[0].tail, list[0].tail);

    mem[0] = STORAGE_STATUS_LAST + 1;
    assert_int_equal(get_result(&got), -1);
}

static void
a_result_that_lies_about_its_entries_is_refused(void **state)
{
    struct storage_result got;

    (void) state;
    begin(64);
    chat_wire_put_u8(&w, 0);
    chat_wire_put_u8(&w, 0);
    chat_wire_put_bytes(&w, "", 0);
    chat_wire_put_u64(&w, 0);
    chat_wire_put_u64(&w, 0);
    chat_wire_put_u32(&w, STORAGE_INBOX_LIMIT + 1);
    assert_int_equal(get_result(&got), -1);
}

static void
an_event_survives(void **state)
{
    struct storage_target targets[] =
        {
            {7,          1},
            {UINT64_MAX, 0}
    },
                          t;
    struct storage_event got, e = {
                                  .method = STORAGE_EVENT_RECEIPT,
                                  .tail = STR("\"channel\":1}}"),
                              };
    struct chat_wire_reader r;

    (void) state;
    begin(storage_codec_event_size(&e, 2));
    storage_codec_put_event(&w, &e, 2);
    storage_codec_put_target(&w, &targets[0]);
    storage_codec_put_target(&w, &targets[1]);
    assert_int_equal(w.failed, 0);
    assert_int_equal(chat_wire_written(&w), storage_codec_event_size(&e, 2));

    chat_wire_reader_init(&r, mem, chat_wire_written(&w));
    assert_int_equal(storage_codec_get_event(&r, &got), 0);
    assert_int_equal(got.method, STORAGE_EVENT_RECEIPT);
    assert_str(got.tail, e.tail);
    assert_int_equal(got.n_targets, 2);
    storage_codec_get_target(&r, &t);
    storage_codec_get_target(&r, &t);
    assert_true(t.number == UINT64_MAX && t.inbox_id == 0);
    assert_int_equal(chat_wire_end(&r), 0);
}

static void
an_event_that_lies_about_its_targets_is_refused(void **state)
{
    struct storage_event got,
        e = {.method = STORAGE_EVENT_TYPING, .tail = STR("x")};
    struct storage_target t = {1, 1};
    struct chat_wire_reader r;

    (void) state;
    for (uint32_t claimed = 0; claimed < 4; claimed++) {
        begin(storage_codec_event_size(&e, 1));
        storage_codec_put_event(&w, &e, claimed == 3 ? UINT32_MAX : claimed);
        storage_codec_put_target(&w, &t);
        chat_wire_reader_init(&r, mem, chat_wire_written(&w));
        assert_int_equal(storage_codec_get_event(&r, &got),
                         claimed == 1 ? 0 : -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_an_op_survives),
        cmocka_unit_test(absent_and_empty_differ),
        cmocka_unit_test(the_flags_stand_where_the_stub_changes_them),
        cmocka_unit_test(an_op_out_of_bounds_is_refused),
        cmocka_unit_test(too_many_users_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_result_survives),
        cmocka_unit_test(a_result_that_lies_about_its_entries_is_refused),
        cmocka_unit_test(an_event_survives),
        cmocka_unit_test(an_event_that_lies_about_its_targets_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
