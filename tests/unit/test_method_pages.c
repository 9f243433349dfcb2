/*
 * The methods that answer with pages: how many are on their way at once, what
 * waits for them, and the events of inbox.sync.
 */

#include "method_world.h"

/* A call that the storage is at work on. */
struct work {
    storage_done *done;
    void *data;
};

static struct work
work(const char *text)
{
    unsigned before = n_ops;

    receive(text);
    assert_int_equal(n_ops, before + 1);
    return (struct work){op_done, op_data};
}

static void
finish(struct work w, size_t len)
{
    struct storage_result r = {0};
    char *json = malloc(len);

    memset(json, 'x', len);
    r.json = (struct str){json, len};
    w.done(&r, w.data);
    free(json);
}

#define HISTORY(id)                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"message.history\","      \
    "\"params\":{\"channel\":\"c" #id "\",\"before\":7,\"limit\":3}}"
#define LARGE_ANSWER 100000

static void
waits(const char *text)
{
    unsigned ops = n_ops, replies = n_replies;

    receive(text);
    assert_int_equal(n_ops, ops);
    assert_int_equal(n_replies, replies);
}

static void
two_requests_for_pages_are_on_their_way(void **state)
{
    struct session *s = session_find(&l, HANDLE);
    struct work first, second, third, change, send;

    (void) state;
    first = work(HISTORY(1));
    second = work(HISTORY(2));
    waits(HISTORY(3));
    waits(HISTORY(4));

    /* what asks for no pages goes ahead */
    change =
        work(CALL("message.delete", "{\"channel\":\"c\",\"message_id\":1}"));
    send = work(SEND);

    /* a small answer makes room, a large one when it is written */
    finish(second, 10);
    assert_false(reply_large);
    assert_string_equal(op_channel, "c3");
    assert_int_equal(op.type, STORAGE_HISTORY);
    assert_int_equal(op.before, 7);
    assert_int_equal(op.limit, 3);
    third = (struct work){op_done, op_data};
    n_ops = 0;
    finish(first, LARGE_ANSWER);
    assert_true(reply_large);
    finish(third, LARGE_ANSWER);
    assert_int_equal(n_ops, 0);
    pages_drained(s, 1);
    assert_string_equal(op_channel, "c4");
    assert_int_equal(n_ops, 1);
    result_json("{}");
    pages_drained(s, 1);
    pages_drained(s, 7);
    first = work(HISTORY(5));
    second = work(HISTORY(6));
    waits(HISTORY(7));

    finish(first, 10);
    third = (struct work){op_done, op_data};
    finish(second, 10);
    finish(third, 10);
    finish(change, 10);
    finish(send, 10);
}

static void
a_batch_of_pages_is_by_itself(void **state)
{
    struct session *s = session_find(&l, HANDLE);
    struct work first, one, two;

    (void) state;
    first = work(HISTORY(1));
    waits("[" HISTORY(2) "," HISTORY(3) "]");
    waits(HISTORY(4));
    n_replies = n_ops = 0;
    finish(first, LARGE_ANSWER);
    assert_int_equal(n_ops, 0);
    pages_drained(s, 1);
    assert_int_equal(n_ops, 2); /* both of the batch, and nothing else */
    assert_string_equal(op_channel, "c3");
    one = (struct work){op_done, op_data_before};
    two = (struct work){op_done, op_data};
    n_ops = 0;
    finish(two, LARGE_ANSWER);
    assert_int_equal(n_replies, 1); /* that of the first */
    finish(one, 10);
    assert_int_equal(n_replies, 2);
    assert_true(reply_large);
    assert_int_equal(n_ops, 0);
    pages_drained(s, 1);
    assert_string_equal(op_channel, "c4");
    one = (struct work){op_done, op_data};
    two = work(HISTORY(5));
    waits(HISTORY(6));
    finish(one, 10);
    one = (struct work){op_done, op_data};
    finish(two, 10);
    finish(one, 10);
}

static void
lists_of_one_s_own_wait_like_pages(void **state)
{
    struct work one = work(HISTORY(1)), two = work(HISTORY(2));

    (void) state;
    waits(CALL("device.list", "{}"));
    waits(CALL("channel.get", "{\"channel\":\"c\"}"));
    waits(CALL("invite.list", "{\"channel\":\"c\"}"));
    waits(CALL("channel.list", "{\"hidden\":true}"));
    finish(one, 10);
    assert_int_equal(op.type, STORAGE_LIST_DEVICES);
    assert_string_equal(op_device, "web");
    one = (struct work){op_done, op_data};
    finish(two, 10);
    assert_int_equal(op.type, STORAGE_GET_CHANNEL);
    two = (struct work){op_done, op_data};
    finish(one, 10);
    assert_int_equal(op.type, STORAGE_LIST_INVITES);
    one = (struct work){op_done, op_data};
    finish(two, 10);
    assert_int_equal(op.type, STORAGE_LIST_CHANNELS);
    assert_int_equal(op.number, 1);
    finish(one, 10);
    finish((struct work){op_done, op_data}, 10);
}

#define REACT                                                                  \
    CALL("message.react",                                                      \
         "{\"channel\":\"c\",\"message_id\":3,\"emoji\":\"+\"}")

/* A change never does: only what it is answered with, which is read anew. */
static void
a_long_message_waits_that_answers_a_change(void **state)
{
    struct session *s = session_find(&l, HANDLE);
    struct work one = work(HISTORY(1)), two = work(HISTORY(2));
    struct work react = work(REACT), small = work(REACT);
    struct work edit =
        work(CALL("message.edit", "{\"channel\":\"e\",\"message_id\":4,"
                                  "\"text\":\"x\"}"));

    (void) state;
    n_replies = n_ops = 0;
    finish(react, LARGE_ANSWER);
    finish(edit, LARGE_ANSWER);
    assert_int_equal(n_replies, 0);
    finish(small, 10);
    finish(one, LARGE_ANSWER);
    assert_int_equal(n_replies, 2);
    assert_int_equal(n_ops, 0);

    pages_drained(s, 1);
    assert_int_equal(n_ops, 1);
    assert_int_equal(op.type, STORAGE_GET_MESSAGE);
    assert_string_equal(op_channel, "c");
    assert_int_equal(op.message_id, 3);
    finish((struct work){op_done, op_data}, LARGE_ANSWER);
    assert_int_equal(n_replies, 3);
    assert_true(reply_large);
    pages_drained(s, 1);
    assert_int_equal(n_ops, 2);
    assert_string_equal(op_channel, "e");
    finish((struct work){op_done, op_data}, LARGE_ANSWER);
    assert_int_equal(n_replies, 4);

    /* with room it goes out at once, and counts */
    finish(two, 10);
    finish(work(REACT), LARGE_ANSWER);
    assert_true(reply_large);
    waits(HISTORY(3));
    pages_drained(s, 2);
    finish((struct work){op_done, op_data}, 10);
}

static void
in_a_batch_the_answers_to_changes_wait_together(void **state)
{
    struct work one = work(HISTORY(1)), first, second;

    (void) state;
    n_ops = n_replies = 0;
    receive("[" REACT "," REACT "]");
    assert_int_equal(n_ops, 2);
    first = (struct work){op_done, op_data_before};
    second = (struct work){op_done, op_data};
    finish(second, 5000);
    finish(first, 5000);
    assert_int_equal(n_replies, 0);
    assert_int_equal(n_ops, 2);
    finish(one, 10);
    assert_int_equal(n_replies, 1);
    assert_int_equal(n_ops, 4);
    assert_int_equal(op.type, STORAGE_GET_MESSAGE);
    first = (struct work){op_done, op_data_before};
    second = (struct work){op_done, op_data};
    finish(first, 5000);
    assert_int_equal(n_replies, 1);
    finish(second, 5000);
    assert_int_equal(n_replies, 2);
}

/* Else each would wait for the other: it gives its place back as a whole. */
static void
no_part_of_a_batch_waits_behind_another_request(void **state)
{
    struct work one = work(HISTORY(1)), first, second;

    (void) state;
    n_ops = n_replies = 0;
    receive("[" REACT "," REACT "]");
    assert_int_equal(n_ops, 2);
    first = (struct work){op_done, op_data_before};
    second = (struct work){op_done, op_data};
    finish(first, 5000);
    waits(HISTORY(2));
    finish(second, 5000);
    assert_int_equal(n_replies, 0);
    finish(one, 10);
    assert_int_equal(n_ops, 4);
    assert_int_equal(op.type, STORAGE_GET_MESSAGE);
    first = (struct work){op_done, op_data_before};
    second = (struct work){op_done, op_data};
    finish(first, 5000);
    finish(second, 5000);
    assert_int_equal(n_replies, 2);
    assert_int_equal(n_ops, 5);
    assert_string_equal(op_channel, "c2");
    finish((struct work){op_done, op_data}, 10);
}

static void
a_batch_of_any_length_waits_as_a_whole(void **state)
{
    static const char batch[] = "[" HISTORY(3) "," HISTORY(4) "]";
    static char text[PAGES_WAITING_MAX + 100];
    struct work one = work(HISTORY(1)), two = work(HISTORY(2));

    (void) state;
    memset(text, ' ', sizeof(text) - 1);
    memcpy(text, batch, sizeof(batch) - 1);
    waits(text);
    finish(one, 10);
    n_ops = 0;
    finish(two, 10);
    assert_int_equal(n_ops, 2);
    one = (struct work){op_done, op_data_before};
    two = (struct work){op_done, op_data};
    finish(one, 10);
    finish(two, 10);
}

/* nginx keeps them until they are answered. */
static void
few_bytes_of_requests_wait(void **state)
{
    static char text[PAGES_WAITING_MAX + 100];
    struct work one = work(HISTORY(1)), two = work(HISTORY(2));

    (void) state;
    memset(text, ' ', sizeof(text) - 1);
    memcpy(text, HISTORY(3), sizeof(HISTORY(3)) - 1);
    waits(text);
    n_replies = 0;
    receive(HISTORY(4));
    assert_int_equal(n_replies, 1);
    assert_non_null(strstr(reply, "\"code\":429"));

    /* what was done may not be refused */
    finish(work(REACT), LARGE_ANSWER);
    assert_int_equal(n_replies, 2);
    assert_non_null(strstr(reply, "\"code\":503"));
    memset(text, ' ', sizeof(text) - 1);
    memcpy(text, REACT, sizeof(REACT) - 1);
    finish(work(text), LARGE_ANSWER);
    assert_int_equal(n_replies, 3);
    assert_null(strstr(reply, "\"code\""));

    finish(one, 10);
    assert_string_equal(op_channel, "c3");
    finish((struct work){op_done, op_data}, 10);
    finish(work(HISTORY(4)), 10);
    finish(two, 10);
}

static void
what_waits_has_failed_when_its_session_goes(void **state)
{
    struct session *s = session_find(&l, HANDLE);
    struct work first, second;

    (void) state;
    first = work(HISTORY(1));
    second = work(HISTORY(2));
    waits(HISTORY(3));
    waits("[" HISTORY(4) "," HISTORY(5) "]");
    n_replies = 0;
    session_close(worker.sessions, s);
    assert_int_equal(n_replies, 2);
    assert_non_null(strstr(reply, "\"reason\":\"unavailable\""));
    finish(first, LARGE_ANSWER);
    finish(second, 10);
    assert_int_equal(n_replies, 4);
}

static void
sync_lists_events_as_they_are_pushed(void **state)
{
    struct storage_entry e[] = {
        {3, STORAGE_EVENT_MESSAGE_NEW, STR(",A}}")},
        {4, STORAGE_EVENT_MESSAGE_NEW, STR(",B}}")}
    };
    struct storage_result r = {
        .entries = e, .n_entries = 2, .more = true, .inbox_id = 9};

    (void) state;
    receive(CALL("inbox.sync", "{\"after\":2,\"limit\":2}"));
    assert_int_equal(op.after, 2);
    assert_int_equal(op.limit, 2);
    result(&r);
    assert_string_equal(reply,
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"events\":["
                        "{\"method\":\"m\",\"params\":{\"inbox_id\":3,A}},"
                        "{\"method\":\"m\",\"params\":{\"inbox_id\":4,B}}],"
                        "\"more\":true,\"inbox_id\":9}}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_requests_for_pages_are_on_their_way),
        TEST(a_batch_of_pages_is_by_itself),
        TEST(lists_of_one_s_own_wait_like_pages),
        TEST(a_long_message_waits_that_answers_a_change),
        TEST(in_a_batch_the_answers_to_changes_wait_together),
        TEST(no_part_of_a_batch_waits_behind_another_request),
        TEST(a_batch_of_any_length_waits_as_a_whole),
        TEST(few_bytes_of_requests_wait),
        TEST(what_waits_has_failed_when_its_session_goes),
        TEST(sync_lists_events_as_they_are_pushed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
