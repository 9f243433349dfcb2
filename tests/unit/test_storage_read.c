/*
 * What is read back, on each embedded back end: history, single messages, the
 * inbox, the list of channels; where pages end; and that the inbox entries of
 * one commit are one record.
 */

#include "storage_steps.h"

#include "storage_record.h"


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
        at = strstr(a->entries, id);
        assert_non_null(at);

        if (i > 0) {
            snprintf(id, sizeof(id), "\"text\":\"m%03u\"", i - 1);
            assert_true(strstr(a->entries, id) < at);
        }
    }
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
    op.number = 1;
    assert_in(call(&op)->json, "d.ann~bob");
    op.user = s("bob");
    assert_not_in(call(&op)->json, "d.ann~bob");
    op.number = 0;
    assert_in(call(&op)->json, "d.ann~bob");
    do_send("bob", "ann", "2");
    op.user = s("ann");
    assert_in(call(&op)->json, "d.ann~bob");
    op.number = 1;
    assert_not_in(call(&op)->json, "d.ann~bob");
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
        assert_int_equal(number_in(a->entries, "message_id"), after + 1);
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


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(history_pages),
        ON_BOTH(one_message_is_found),
        ON_BOTH(a_page_ends_at_its_bytes_but_holds_one),
        ON_BOTH(an_inbox_mixes_channels_in_order),
        ON_BOTH(the_list_shows_newest_activity_first),
        ON_BOTH(a_hidden_channel_comes_back_with_a_message),
        ON(entries_of_one_commit_are_one_record, memory),
        ON(a_run_of_entries_is_bounded, memory),
    };

    return RUN_WORLDS("read", tests);
}
