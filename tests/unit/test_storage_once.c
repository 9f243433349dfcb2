/*
 * What is asked twice is done once, on each embedded back end: a client_id, a
 * request_id; and on the memory engine how long and in which records they are
 * remembered, and what damage to one makes of them.
 */

#include "storage_steps.h"

#include "storage_record.h"


static void
a_client_id_is_done_once(void **state)
{
    struct answer *a, *b;
    unsigned i;

    (void) state;
    a = do_send("ann", "bob", "same");

    for (i = 0; i < 3; i++) {
        b = do_send("ann", i == 0 ? "cy" : "bob", "same");
        assert_int_equal(b->status, STORAGE_OK);
        assert_true(b->duplicate);
        assert_int_equal(strncmp(a->json, b->json, strlen(a->json) - 1), 0);
        assert_in(b->json, ",\"duplicate\":true}");
        reopen();
    }

    /* Of this user only. */
    assert_false(do_send("bob", "ann", "same")->duplicate);
    assert_int_equal(read_inbox("ann", 0, 0)->n_entries, 2);
}


static void
a_repeat_waits_for_the_first(void **state)
{
    struct answer *a, *b, *c, *d;

    (void) state;
    a = start_send("ann", "bob", "x");
    b = start_send("ann", "bob", "x");
    c = start_send("ann", "cy", "x");
    d = start_send("ann", "bob", "y");
    wait_for(c);
    wait_for(d);

    assert_false(a->duplicate);
    assert_true(b->duplicate && c->duplicate);
    assert_in(c->json, "d.ann~bob");
    assert_in(d->json, "\"message_id\":2");
}


static void
a_refused_request_leaves_its_id_free(void **state)
{
    const char *group;
    struct answer *a, *b;

    (void) state;
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob"));
    a = start_send("eve", group, "x");
    b = start_send("eve", "ann", "x");
    wait_for(b);
    assert_int_equal(a->status, STORAGE_NO_CHANNEL);
    assert_int_equal(b->status, STORAGE_OK);
    assert_false(b->duplicate);
}


static void
a_request_id_is_done_once(void **state)
{
    struct str users[] = {STR("bob")};
    struct storage_op op = {.type = STORAGE_CREATE_CHANNEL,
                            .user = s("ann"),
                            .name = s("x"),
                            .users = users,
                            .n_users = 1,
                            .request_id = s("r-1")};
    struct answer *a, *b, *c;

    (void) state;
    a = submit(&op);
    b = submit(&op);
    wait_for(b);
    assert_false(a->duplicate);
    assert_true(b->duplicate);
    assert_string_equal(a->json, b->json);

    reopen();
    c = call(&op);
    assert_true(c->duplicate);
    assert_string_equal(a->json, c->json);
    assert_int_equal(read_inbox("ann", 0, 0)->n_entries, 1);
}


static void
client_ids_of_one_commit_are_one_record(void **state)
{
    struct answer *a;
    char id[16];
    unsigned i;

    (void) state;
    subscribe("ann");
    send_in_one_commit(101);
    reopen();

    for (i = 2; i <= 101; i++) {
        snprintf(id, sizeof(id), "%u", i);
        a = do_send("ann", "ann", id);
        assert_true(a->duplicate);
        assert_int_equal(number_in(a->json, "message_id"), i);
        assert_int_equal(number_in(a->json, "inbox_id"), i);
    }

    /* another user's, and another one */
    assert_false(do_send("bob", "ann", "2")->duplicate);
    assert_false(do_send("ann", "ann", "102")->duplicate);
    assert_runs(KEY_CLIENT, 4);
}


static void
put_damaged_clients(struct engine *e)
{
    struct engine_batch *b = engine_memory.batch_create();
    struct record_outcome o = {.kind = RECORD_OUTCOME_EMPTY};
    struct buf value = {0};
    struct key key;

    record_put_client(&value, s("good"), &o);
    record_put_client(&value, s("lost"), &o);
    key_clients(&key, (uint32_t) (time(NULL) / KEY_DAY_S), 1, 1);
    engine_memory.batch_put(b, key_str(&key),
                            (struct str){value.data, value.len - 1});
    assert_int_equal(engine_memory.write(e, b, true), 0);
    engine_memory.batch_free(b);
    buf_clear(&value);
}


/* A damaged record may have held the id: nothing is done a second time. */
static void
behind_damage_no_client_id_is_new(void **state)
{
    struct answer *a;
    unsigned n;
    char id[16];

    (void) state;
    subscribe("ann");
    subscribe("bob");
    close_storage();
    with_engine(put_damaged_clients);
    open_storage();

    for (n = 0; n < 3; n++) {
        assert_int_equal(do_send("ann", "bob", "lost")->status,
                         STORAGE_UNAVAILABLE);
        snprintf(id, sizeof(id), "b%u", n);
        a = do_send("bob", "ann", id);
        assert_int_equal(a->status, STORAGE_OK);
        assert_false(a->duplicate);
    }

    /* the filters are there by then */
    read_inbox("bob", 0, 10);
    assert_int_equal(do_send("ann", "bob", "lost")->status,
                     STORAGE_UNAVAILABLE);
}


static void
put_outcomes(struct engine *e)
{
    struct engine_batch *b = engine_memory.batch_create();
    uint32_t now = (uint32_t) time(NULL);
    struct record_outcome outcome = {.kind = RECORD_OUTCOME_EMPTY};
    struct buf value = {0};
    char id[16];
    struct key key;
    unsigned i;

    record_put_outcome(&value, &outcome);

    for (i = 0; i < 2000; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        key_client(&key, now / KEY_DAY_S - 10, 1, s(id));
        engine_memory.batch_put(b, key_str(&key), buf_str(&value));
        key_request(&key, now / KEY_SLOT_S - 3, s(id));
        engine_memory.batch_put(b, key_str(&key), buf_str(&value));
    }

    key_client(&key, now / KEY_DAY_S - 7, 1, s("c1"));
    engine_memory.batch_put(b, key_str(&key), buf_str(&value));
    assert_int_equal(engine_memory.write(e, b, true), 0);
    engine_memory.batch_free(b);
    buf_clear(&value);
}


static void
assert_one_outcome(struct engine *e)
{
    struct engine_iter *i = engine_memory.iter_open(e);
    struct key_parts parts;
    struct key key;
    unsigned n = 0;

    key_prefix(&key, KEY_CLIENT);

    for (engine_memory.iter_seek(i, key_str(&key));
         engine_memory.iter_valid(i)
         && key_has_prefix(engine_memory.iter_key(i), &key);
         engine_memory.iter_next(i)) {
        assert_int_equal(key_parse(engine_memory.iter_key(i), &parts), 0);
        n += parts.first < (uint64_t) time(NULL) / KEY_DAY_S - 7 ? 100 : 1;
    }

    /* The one of a week ago, and that of the message below. */
    assert_int_equal(n, 2);
    key_prefix(&key, KEY_REQUEST);
    engine_memory.iter_seek(i, key_str(&key));
    assert_false(engine_memory.iter_valid(i)
                 && key_has_prefix(engine_memory.iter_key(i), &key));
    engine_memory.iter_close(i);
}


static void
outcomes_of_old_days_are_deleted(void **state)
{
    unsigned long writes;

    (void) state;
    subscribe("ann");
    do_send("ann", "ann", "0");
    close_storage();
    with_engine(put_outcomes);
    writes = engine_memory_writes(path());
    open_storage();

    /* 512 of each at most in one write. */
    while (engine_memory_writes(path()) < writes + 4) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    assert_true(do_send("ann", "ann", "c1")->duplicate);
    close_storage();
    with_engine(assert_one_outcome);
    open_storage();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_client_id_is_done_once),
        ON_BOTH(a_repeat_waits_for_the_first),
        ON_BOTH(a_refused_request_leaves_its_id_free),
        ON_BOTH(a_request_id_is_done_once),
        ON(client_ids_of_one_commit_are_one_record, memory),
        ON(behind_damage_no_client_id_is_new, memory),
        ON(outcomes_of_old_days_are_deleted, memory),
    };

    return RUN_WORLDS("once", tests);
}
