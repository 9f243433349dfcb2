/*
 * Commits, on the memory engine, whose writes can be held and made to fail:
 * what waits for one and is not told before it, what shares one, what goes
 * with one that fails; and a store of an older format.
 */

#include "storage_steps.h"

#include "storage_format.h"
#include "storage_record.h"


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
    assert_int_equal(n_events, 1);
    assert_int_equal(events[0].targets[0].inbox_id, 3);
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
    storage_stats(storage, &before);
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
    storage_stats(storage, &after);
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
    closed = false;
    storage_close(storage, on_closed, NULL);
    engine_memory_hold_writes(path(), false);

    while (!closed) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(b->status, STORAGE_OK);
    open_storage();
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
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_false(a->done);
    assert_int_equal(n_events, 1);
    assert_int_equal(read_inbox("bob", 0, 0)->n_entries, 1);
    assert_int_equal(read_inbox("bob", 1, 0)->inbox_id, 1);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    assert_int_equal(a->status, STORAGE_OK);
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
    assert_int_equal(n_events, 1);
    assert_int_equal(do_send("ann", "bob", "4")->status, STORAGE_UNAVAILABLE);

    while (n_lost == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    /* The ids go on without a gap, the client_ids are free. */
    a = do_send("ann", "bob", "1");
    assert_in(a->json, "\"message_id\":2,\"inbox_id\":2");
    assert_false(a->duplicate);
    assert_true(do_send("ann", "bob", "0")->duplicate);
    assert_int_equal(n_events, 2);
    assert_int_equal(events[1].n_targets, 2);
    storage_stats(storage, &stats);
    assert_int_equal(stats.reopens, 1);
    assert_int_equal(stats.commit_failures, 1);
}


/* Nobody says so again: else he would be online for good. */
static void
who_leaves_while_it_is_broken_has_left(void **state)
{
    static const char left[] = "\0\0\0\0\0\0\0\3";
    struct storage_op start = {.type = STORAGE_PRESENCE_START};
    struct storage_op before = {.type = STORAGE_UNSUBSCRIBE, .number = 1};
    struct storage_op broken = {.type = STORAGE_UNSUBSCRIBE, .number = 2};
    struct storage_op gone = {
        .type = STORAGE_LEFT, .text = {left, 8}
    };
    struct answer *a;

    (void) state;
    call(&start);
    assert_int_equal(subscribe("ann")->number, 1);
    assert_int_equal(subscribe("bob")->number, 2);
    assert_int_equal(subscribe("cy")->number, 3);
    assert_int_equal(subscribe("dan")->number, 4);
    engine_memory_hold_writes(path(), true);
    engine_memory_fail_writes(path(), 1);
    a = start_send("dan", "bob", "1");
    wait_until_waiting(1);
    (void) submit(&before);
    uv_run(&loop, UV_RUN_NOWAIT);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    assert_int_equal(a->status, STORAGE_UNAVAILABLE);
    call(&broken);
    call(&gone);

    while (n_lost == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    run_until(!storage_online(storage, 1) && !storage_online(storage, 2)
              && !storage_online(storage, 3));
    assert_true(storage_online(storage, 4));
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

    while (n_lost == 0) {
        uv_run(&loop, UV_RUN_ONCE);
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
    close_storage();
    engine_memory_fail_opens(path(), 0);
    open_storage();
    assert_int_equal(a->status, STORAGE_UNAVAILABLE);
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
    close_storage();
    with_engine(put_older_format);
    open_storage();
    do_send("ann", "bob", "2");
    assert_int_equal(read_inbox("bob", 0, 10)->n_entries, 2);
    close_storage();
    with_engine(assert_newest_format);
    open_storage();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON(subscribing_tells_the_newest_in_its_place, memory),
        ON(a_crowd_shares_commits, memory),
        ON(closing_commits_what_is_sequenced, memory),
        ON(nothing_is_said_before_it_is_written, memory),
        ON(a_contact_that_waits_for_the_disk_is_not_listed, memory),
        ON(a_failed_write_fails_all_that_follows, memory),
        ON(who_leaves_while_it_is_broken_has_left, memory),
        ON(it_tries_until_it_can_be_opened, memory),
        ON(it_closes_while_it_cannot_be_opened, memory),
        ON(a_store_of_an_older_format_is_raised, memory),
    };

    return RUN_WORLDS("commit", tests);
}
