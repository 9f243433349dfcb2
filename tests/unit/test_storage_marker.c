/*
 * What has been delivered and read, on each embedded back end: who hears of
 * it; and on the memory engine how markers are written behind, and what a
 * crash leaves of them.
 */

#include "storage_steps.h"


static void
acknowledging_delivers_and_tells(void **state)
{
    struct storage_op op = {.type = STORAGE_ACK,
                            .user = s("bob"),
                            .device = s("phone"),
                            .inbox_id = 2};
    struct answer *a;

    (void) state;
    subscribe("ann");
    do_send("ann", "bob", "1");
    do_send("ann", "bob", "2");
    forget_told();

    assert_string_equal(call(&op)->json, "{}");

    while (n_events == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    assert_int_equal(events[0].method, STORAGE_EVENT_RECEIPT);
    assert_int_equal(events[0].n_targets, 1);
    assert_int_equal(events[0].targets[0].inbox_id, 0);
    assert_string_equal(events[0].tail,
                        "\"channel\":\"d.ann~bob\",\"user\":\"bob\","
                        "\"delivered\":2,\"read\":0}}");

    op.inbox_id = 3;
    assert_int_equal(call(&op)->status, STORAGE_BEYOND);
    op.inbox_id = 1;
    assert_int_equal(call(&op)->status, STORAGE_OK);

    reopen();
    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~bob");
    assert_in(a->json, "{\"user\":\"bob\",\"role\":\"member\",\"delivered\":2,"
                       "\"read\":0}");
}


static void
reading_moves_forward_only(void **state)
{
    struct storage_op op = {.type = STORAGE_READ_CHANNEL,
                            .user = s("bob"),
                            .channel = s("d.ann~bob"),
                            .message_id = 3};
    struct answer *a;

    (void) state;
    subscribe("ann");
    do_send("ann", "bob", "1");
    do_send("ann", "bob", "2");
    do_send("ann", "bob", "3");
    forget_told();

    assert_string_equal(call(&op)->json, "{}");
    assert_int_equal(n_events, 1);
    assert_in(events[0].tail, "\"user\":\"bob\",\"delivered\":3,\"read\":3}}");
    op.message_id = 1;
    assert_int_equal(call(&op)->status, STORAGE_OK);
    op.message_id = 4;
    assert_int_equal(call(&op)->status, STORAGE_BEYOND);
    assert_int_equal(n_events, 1);

    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~bob");
    assert_in(a->json, "\"user\":\"bob\",\"role\":\"member\",\"delivered\":3,"
                       "\"read\":3}");
    reopen();
    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~bob");
    assert_in(a->json, "\"user\":\"bob\",\"role\":\"member\",\"delivered\":3,"
                       "\"read\":3}");
}


static void
group_receipts_go_to_recent_senders(void **state)
{
    struct storage_op op = {
        .type = STORAGE_READ_CHANNEL, .user = s("dan"), .message_id = 1};
    uint64_t ann, cy;
    const char *group;

    (void) state;
    ann = subscribe("ann")->number;
    cy = subscribe("cy")->number;
    subscribe("bob");
    group =
        id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob cy dan"));
    do_send("ann", group, "1");
    do_send("cy", group, "2");
    forget_told();

    op.channel = s(group);
    call(&op);

    while (n_events < 1) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    assert_int_equal(events[0].n_targets, 1);
    assert_int_equal(events[0].targets[0].number, ann);

    /* At most one a second: the latest comes later. */
    op.message_id = 2;
    call(&op);

    while (n_events < 2) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    assert_int_equal(events[1].n_targets, 2);
    assert_int_equal(events[1].targets[1].number, cy);
    assert_in(events[1].tail, "\"user\":\"dan\",\"delivered\":2,\"read\":2}}");
}


static void
the_sender_of_what_was_read_hears_of_it(void **state)
{
    struct storage_op ack = {.type = STORAGE_ACK,
                             .user = s("dan"),
                             .device = s("phone"),
                             .inbox_id = 62};
    struct storage_op op = {
        .type = STORAGE_READ_CHANNEL, .user = s("dan"), .message_id = 1};
    const char *group;
    char id[16];
    unsigned i;
    uint64_t ann;

    (void) state;
    ann = subscribe("ann")->number;
    subscribe("cy");
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "cy dan"));
    do_send("ann", group, "1");

    for (i = 2; i <= 61; i++) {
        snprintf(id, sizeof(id), "%u", i);
        do_send("cy", group, id);
    }

    /* he has all of them: that is cy's to know */
    forget_told();
    call(&ack);

    while (n_events < 1) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    /* he has read the first, which is more than 50 before that */
    op.channel = s(group);
    call(&op);

    while (n_events < 2) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    assert_int_equal(events[1].n_targets, 2);
    assert_int_equal(events[1].targets[0].number, ann);
    assert_in(events[1].tail, "\"user\":\"dan\",\"delivered\":61,\"read\":1}}");
}


static void
on_counted(const struct storage_result *r, void *data)
{
    assert_int_equal(r->status, STORAGE_OK);
    --*(unsigned *) data;
}


/* Batches that were written behind, without a sync. */
static unsigned long
written_behind(void)
{
    struct storage_stats stats;

    storage_stats(storage, &stats);
    return engine_memory_writes(path()) - (unsigned long) stats.commits;
}


/* Ann's markers in more channels than five batches have room for. */
static void
what_is_behind_is_written_within_a_tick(void **state)
{
    unsigned i, left = 6000;
    unsigned long before = written_behind();
    char name[16];

    (void) state;

    for (i = 0; i < 6000; i++) {
        struct storage_op op;

        snprintf(name, sizeof(name), "u%u", i);
        op = op_send("ann", name, name, "x");
        storage_submit(storage, &op, on_counted, &left);
    }

    while (left != 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    run_until(written_behind() - before >= 6);
}


/* The read marker of ann is written behind while an older one of hers waits in
 * a commit for its turn. */
static void
a_commit_takes_no_marker_back(void **state)
{
    struct storage_op hide = {.type = STORAGE_HIDE_CHANNEL,
                              .user = s("ann"),
                              .channel = s("d.ann~bob")};
    struct storage_op read = hide;
    struct answer *a;

    (void) state;
    read.type = STORAGE_READ_CHANNEL;
    read.message_id = 3;
    do_send("bob", "ann", "1");
    do_send("bob", "ann", "2");
    do_send("bob", "ann", "3");
    engine_memory_hold_writes(path(), true);
    start_send("ann", "cy", "4");
    wait_until_waiting(1);
    submit(&hide);
    a = submit(&read);

    /* what is behind goes out once a second */
    run_ticks(1);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    reopen();
    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~bob");
    assert_in(a->json, "{\"user\":\"ann\",\"role\":\"member\","
                       "\"delivered\":3,\"read\":3}");
    hide.type = STORAGE_LIST_CHANNELS;
    assert_not_in(call(&hide)->json, "d.ann~bob");
}


/* Its sender is to hear of it, and who that is stands on the disk. */
static void
a_message_is_read_when_it_is_on_the_disk(void **state)
{
    struct storage_op read = {
        .type = STORAGE_READ_CHANNEL, .user = s("bob"), .message_id = 2};
    const char *group;
    struct answer *a;
    uint64_t ann;

    (void) state;
    ann = subscribe("ann")->number;
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob cy"));
    do_send("cy", group, "1");
    forget_told();
    engine_memory_hold_writes(path(), true);
    start_send("ann", group, "2");
    wait_until_waiting(1);
    read.channel = s(group);
    a = submit(&read);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    assert_string_equal(a->json, "{}");

    while (n_events < 2) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    assert_in(events[1].tail, "\"user\":\"bob\",\"delivered\":2,\"read\":2}}");
    assert_int_equal(events[1].targets[0].number, ann);
}


/* Markers follow the cursor in a commit of their own. */
static void
wait_for_delivered(const char *member)
{
    struct answer *a;

    do {
        a = on_channel(STORAGE_GET_CHANNEL, "bob", "d.ann~bob");
    } while (strstr(a->json, member) == NULL);
}


static void
acknowledging_within_a_run_delivers_up_to_there(void **state)
{
    struct storage_op op = {.type = STORAGE_ACK,
                            .user = s("bob"),
                            .device = s("phone"),
                            .inbox_id = 5};
    struct answer *a = NULL;
    char id[16];
    unsigned i;

    (void) state;
    subscribe("bob");
    engine_memory_hold_writes(path(), true);
    start_send("ann", "bob", "first");
    wait_until_waiting(1);

    for (i = 2; i <= 9; i++) {
        snprintf(id, sizeof(id), "%u", i);
        a = start_send("ann", "bob", id);
    }

    wait_until_waiting(9);
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    call(&op);

    wait_for_delivered("\"user\":\"bob\",\"role\":\"member\","
                       "\"delivered\":5,");
}


static void
drop_markers(struct engine *e)
{
    struct engine_batch *b = engine_memory.batch_create();
    struct engine_iter *i = engine_memory.iter_open(e);
    struct key key;
    unsigned n = 0;

    key_prefix(&key, KEY_MARKERS);

    for (engine_memory.iter_seek(i, key_str(&key));
         engine_memory.iter_valid(i)
         && key_has_prefix(engine_memory.iter_key(i), &key);
         engine_memory.iter_next(i)) {
        engine_memory.batch_delete(b, engine_memory.iter_key(i));
        n++;
    }

    assert_int_not_equal(n, 0);
    engine_memory.iter_close(i);
    assert_int_equal(engine_memory.write(e, b, true), 0);
    engine_memory.batch_free(b);
}


/* As a crash between writing the one and the other leaves it. */
static void
a_cursor_that_outlived_its_markers_delivers_again(void **state)
{
    struct storage_op op = {.type = STORAGE_ACK,
                            .user = s("bob"),
                            .device = s("phone"),
                            .inbox_id = 2};
    struct answer *a;

    (void) state;
    subscribe("bob");
    do_send("ann", "bob", "1");
    do_send("ann", "bob", "2");
    call(&op);
    close_storage();
    with_engine(drop_markers);
    open_storage();
    a = on_channel(STORAGE_GET_CHANNEL, "bob", "d.ann~bob");
    assert_in(a->json, "\"user\":\"bob\",\"role\":\"member\","
                       "\"delivered\":0,");
    call(&op);

    wait_for_delivered("\"user\":\"bob\",\"role\":\"member\","
                       "\"delivered\":2,");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(acknowledging_delivers_and_tells),
        ON_BOTH(reading_moves_forward_only),
        ON_BOTH(group_receipts_go_to_recent_senders),
        ON_BOTH(the_sender_of_what_was_read_hears_of_it),
        ON(what_is_behind_is_written_within_a_tick, memory),
        ON(a_commit_takes_no_marker_back, memory),
        ON(a_message_is_read_when_it_is_on_the_disk, memory),
        ON(acknowledging_within_a_run_delivers_up_to_there, memory),
        ON(a_cursor_that_outlived_its_markers_delivers_again, memory),
    };

    return RUN_WORLDS("marker", tests);
}
