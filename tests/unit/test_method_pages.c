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
        TEST(what_waits_has_failed_when_its_session_goes),
        TEST(sync_lists_events_as_they_are_pushed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
