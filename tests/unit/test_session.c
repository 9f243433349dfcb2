/*
 * Sessions: live and behind, by the frames a session causes and the
 * operations it submits.  Front and storage are scripted here.
 */

#define _GNU_SOURCE /* memmem */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "front.h"
#include "session.h"
#include "worker.h"

#define OPS_MAX 128

static struct {
    struct storage_op op;
    char user[65];
    storage_done *done;
    void *data;
} ops[OPS_MAX];

static unsigned n_ops;

/* what is asked about tokens: answered at once unless held */
static struct storage_op touch;
static storage_done *touch_done;
static void *touch_data;
static unsigned n_touches;
static bool touch_held;
static enum storage_status touch_status;

static char out[4096];
static bool full;

static uv_loop_t loop;
static struct worker worker;
static struct session_link l;

static void
note(const char *format, ...)
{
    size_t len = strlen(out);
    va_list args;

    va_start(args, format);
    vsnprintf(out + len, sizeof(out) - len, format, args);
    va_end(args);
}

static void
expect(const char *text)
{
    assert_string_equal(out, text);
    out[0] = '\0';
}

void
storage_submit(struct storage *s, const struct storage_op *op,
               storage_done *done, void *data)
{
    struct storage_result at_once = {.status = touch_status};

    (void) s;
    if (op->type == STORAGE_TOUCH) {
        touch = *op;
        touch_done = done;
        touch_data = data;
        n_touches++;
        if (!touch_held) {
            done(&at_once, data);
        }
        return;
    }
    assert_true(n_ops < OPS_MAX);
    ops[n_ops].op = *op;
    snprintf(ops[n_ops].user, sizeof(ops[n_ops].user), "%.*s",
             (int) op->user.len, op->user.data);
    ops[n_ops].done = done;
    ops[n_ops].data = data;
    n_ops++;
}

uint64_t
worker_now_ms(void)
{
    return 1;
}

void
front_ready(struct session_link *link, uint64_t handle, uint64_t inbox_id,
            struct str device, struct str text)
{
    (void) link;
    (void) device;
    note("ready %" PRIu64 " at %" PRIu64 "%s;", handle, inbox_id,
         memmem(text.data, text.len, "session.resumed", 15) ? " resumed" : "");
}

void
front_refuse(struct session_link *link, uint64_t id, unsigned status,
             unsigned retry_after, struct str reason, struct str detail)
{
    (void) link;
    (void) retry_after;
    (void) reason;
    (void) detail;
    note("refuse %" PRIu64 " %u;", id, status);
}

void
front_end(struct session_link *link, uint64_t handle, unsigned code,
          struct str reason)
{
    (void) link;
    (void) reason;
    note("end %" PRIu64 " %u;", handle, code);
}

void
front_push(struct session_link *link, uint64_t handle, uint64_t inbox_id)
{
    (void) link;
    note("push %" PRIu64 ":%" PRIu64 ";", handle, inbox_id);
}

void
front_push_end(struct front *f, const struct storage_event *e)
{
    (void) f;
    (void) e;
}

void
front_page(struct session_link *link, uint64_t handle,
           const struct storage_entry *entries, uint32_t n)
{
    (void) link;
    note("page %" PRIu64 ":%" PRIu64 "-%" PRIu64 ";", handle,
         entries[0].inbox_id, entries[n - 1].inbox_id);
}

bool
front_full(struct session_link *link)
{
    (void) link;
    return full;
}

static int
setup(void **state)
{
    (void) state;
    n_ops = n_touches = 0;
    touch_held = false;
    touch_status = STORAGE_OK;
    out[0] = '\0';
    full = false;
    uv_loop_init(&loop);
    worker = (struct worker){.loop = &loop};
    worker.sessions = sessions_create(&worker);
    session_link_init(&l);
    return worker.sessions == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void) state;
    session_link_clear(worker.sessions, &l);

    /* what waits for the storage goes with its answer */
    for (unsigned i = 0; i < n_ops; i++) {
        struct storage_result r = {.status = STORAGE_UNAVAILABLE};
        storage_done *done = ops[i].done;

        ops[i].done = NULL;
        if (done != NULL) {
            done(&r, ops[i].data);
        }
    }
    sessions_free(worker.sessions);
    return uv_loop_close(&loop);
}

static void
answer(unsigned i, const struct storage_result *r)
{
    storage_done *done = ops[i].done;

    assert_true(i < n_ops);
    assert_non_null(done);
    ops[i].done = NULL;
    done(r, ops[i].data);
}

static void
subscribed(unsigned i, uint64_t number, uint64_t newest)
{
    struct storage_result r = {.number = number, .inbox_id = newest};

    assert_int_equal(ops[i].op.type, STORAGE_SUBSCRIBE);
    answer(i, &r);
}

static void
page(unsigned i, uint64_t first, uint64_t last, bool more)
{
    struct storage_entry entries[16];
    struct storage_result r = {.entries = entries, .more = more};

    assert_int_equal(ops[i].op.type, STORAGE_READ_INBOX);
    for (uint64_t id = first; id <= last; id++) {
        entries[r.n_entries++] = (struct storage_entry){
            .inbox_id = id, .method = STORAGE_EVENT_MESSAGE_NEW};
    }
    answer(i, &r);
}

static void
event(uint64_t number, uint64_t inbox_id)
{
    struct storage_target t = {number, inbox_id};
    struct storage_event e = {.sequence = 1,
                              .method = STORAGE_EVENT_MESSAGE_NEW,
                              .targets = &t,
                              .n_targets = 1};

    sessions_event(worker.sessions, &e);
}

static void
open_session(uint64_t handle, const char *user, bool after_given,
             uint64_t after)
{
    struct session_open o = {
        .handle = handle,
        .user = {user, strlen(user)},
        .device = STR("d"),
        .after = after,
        .after_given = after_given,
    };

    session_open(worker.sessions, &l, &o);
}

/* One live session, handle 1, of alice, number 7, cursor 5. */
static void
open_live(void)
{
    open_session(1, "alice", false, 0);
    subscribed(0, 7, 5);
    expect("ready 1 at 5;");
}

static struct session *
one(void)
{
    return session_find(&l, 1);
}

static void
first_session_subscribes_with_connect(void **state)
{
    (void) state;
    open_session(1, "alice", false, 0);
    assert_int_equal(n_ops, 1);
    assert_int_equal(ops[0].op.type, STORAGE_SUBSCRIBE);
    assert_int_equal(ops[0].op.flags, STORAGE_CONNECT);
    expect("");
    subscribed(0, 7, 5);
    expect("ready 1 at 5;");
}

static void
second_session_needs_no_subscription(void **state)
{
    (void) state;
    open_live();
    open_session(2, "alice", false, 0);
    assert_int_equal(n_ops, 1);
    expect("ready 2 at 5;");
}

static void
events_go_out_once_and_in_order(void **state)
{
    (void) state;
    open_live();
    event(7, 6);
    event(7, 6);
    event(7, 5);
    event(7, 7);
    expect("push 1:6;push 1:7;");
    event(8, 1);
    expect("");
}

static void
live_only_events_have_no_place(void **state)
{
    (void) state;
    open_live();
    event(7, 0);
    expect("push 1:0;");
    full = true;
    event(7, 0);
    expect("");
    assert_int_equal(one()->state, SESSION_LIVE);
}

static void
a_gap_makes_it_behind_until_pages_fill_it(void **state)
{
    (void) state;
    open_live();
    event(7, 8);
    expect("");
    assert_int_equal(n_ops, 2);
    assert_int_equal(ops[1].op.after, 5);
    assert_string_equal(ops[1].user, "alice");
    page(1, 6, 8, false);
    expect("page 1:6-8;");
    session_credit(worker.sessions, one(), 8);
    assert_int_equal(one()->state, SESSION_LIVE);
    event(7, 9);
    expect("push 1:9;");
    assert_int_equal(worker.counters.behind, 1);
    assert_int_equal(worker.counters.pages, 1);
}

static void
after_reads_from_there_one_page_a_credit(void **state)
{
    (void) state;
    open_session(1, "alice", true, 2);
    subscribed(0, 7, 9);
    expect("ready 1 at 2;");
    page(1, 3, 5, true);
    expect("page 1:3-5;");
    assert_int_equal(n_ops, 2);
    session_credit(worker.sessions, one(), 5);
    assert_int_equal(n_ops, 3);
    assert_int_equal(ops[2].op.after, 5);
    page(2, 6, 9, false);
    session_credit(worker.sessions, one(), 9);
    expect("page 1:6-9;");
    assert_int_equal(one()->state, SESSION_LIVE);
}

static void
who_reads_many_pages_in_a_row_leaves_room_for_others(void **state)
{
    (void) state;
    open_session(1, "alice", true, 0);
    subscribed(0, 7, 18);
    for (uint64_t id = 1; id <= 18; id++) {
        assert_int_equal(ops[n_ops - 1].op.number, id > 16);
        page(n_ops - 1, id, id, id < 18);
        session_credit(worker.sessions, one(), id);
    }
    assert_int_equal(one()->state, SESSION_LIVE);
    event(7, 20);
    assert_int_equal(ops[n_ops - 1].op.type, STORAGE_READ_INBOX);
    assert_int_equal(ops[n_ops - 1].op.number, 0);
    page(n_ops - 1, 19, 20, false);
}

static void
after_above_the_newest_starts_at_the_newest(void **state)
{
    (void) state;
    open_session(1, "alice", true, 20);
    subscribed(0, 7, 9);
    expect("ready 1 at 9;");
    event(7, 10);
    expect("push 1:10;");
}

static void
what_comes_while_paged_is_read_by_the_next_page(void **state)
{
    (void) state;
    open_live();
    event(7, 7);
    page(1, 6, 7, false);
    event(7, 8);
    expect("page 1:6-7;");
    session_credit(worker.sessions, one(), 7);
    assert_int_equal(n_ops, 3);
    assert_int_equal(ops[2].op.after, 7);
    page(2, 8, 8, false);
    session_credit(worker.sessions, one(), 8);
    expect("page 1:8-8;");
    assert_int_equal(one()->state, SESSION_LIVE);
}

static void
an_empty_page_ends_being_behind(void **state)
{
    (void) state;
    open_session(1, "alice", true, 4);
    subscribed(0, 7, 5);
    page(1, 1, 0, false);
    expect("ready 1 at 4;");
    assert_int_equal(one()->state, SESSION_LIVE);

    /* the one that was not published yet */
    event(7, 5);
    expect("push 1:5;");
}

static void
a_credit_below_the_cursor_rolls_back(void **state)
{
    (void) state;
    open_live();
    event(7, 6);
    event(7, 7);
    expect("push 1:6;push 1:7;");
    session_credit(worker.sessions, one(), 6);
    assert_int_equal(n_ops, 2);
    assert_int_equal(ops[1].op.after, 6);
    page(1, 7, 7, false);
    session_credit(worker.sessions, one(), 7);
    expect("page 1:7-7;");
    assert_int_equal(one()->state, SESSION_LIVE);
}

static void
an_old_credit_while_paged_is_not_the_pages_own(void **state)
{
    (void) state;
    open_live();
    event(7, 9);
    page(1, 6, 9, false);
    session_credit(worker.sessions, one(), 5);
    assert_int_equal(n_ops, 2);
    assert_int_equal(one()->state, SESSION_PAGED);
    session_credit(worker.sessions, one(), 9);
    assert_int_equal(one()->state, SESSION_LIVE);
}

static void
a_credit_below_the_page_reads_again_from_there(void **state)
{
    (void) state;
    open_live();
    event(7, 9);
    page(1, 6, 9, false);
    session_credit(worker.sessions, one(), 3);
    assert_int_equal(n_ops, 3);
    assert_int_equal(ops[2].op.after, 3);
}

static void
a_rollback_while_reading_discards_the_page(void **state)
{
    (void) state;
    open_live();
    event(7, 9);
    session_credit(worker.sessions, one(), 2);
    page(1, 6, 9, false);
    expect("");
    assert_int_equal(ops[2].op.after, 2);
}

static void
a_full_link_drops_events_and_parks_pages(void **state)
{
    (void) state;
    open_live();
    full = true;
    event(7, 6);
    expect("");
    assert_int_equal(n_ops, 1);
    assert_int_equal(one()->state, SESSION_BEHIND);
    full = false;
    session_link_drained(worker.sessions, &l);
    page(1, 6, 6, false);
    expect("page 1:6-6;");
}

static void
a_reply_takes_the_place_of_its_event(void **state)
{
    (void) state;
    open_live();
    open_session(2, "alice", false, 0);
    expect("ready 2 at 5;");
    session_replied(one(), 6);
    event(7, 6);
    expect("push 2:6;");
    event(7, 7);
    expect("push 1:7;push 2:7;");
}

static void
a_reply_beyond_a_gap_makes_it_behind(void **state)
{
    (void) state;
    open_live();
    session_replied(one(), 8);
    assert_int_equal(one()->state, SESSION_READING);
    assert_int_equal(ops[1].op.after, 5);
}

static void
a_session_waits_for_what_is_said_of_its_token(void **state)
{
    struct storage_result r = {.status = STORAGE_OK};

    (void) state;
    touch_held = true;
    open_session(1, "alice", false, 0);
    assert_int_equal(n_touches, 1);
    subscribed(0, 7, 5);
    expect("");
    touch_done(&r, touch_data);
    expect("ready 1 at 5;");

    /* one that is closed meanwhile is not missed */
    open_session(2, "alice", false, 0);
    session_close(worker.sessions, session_find(&l, 2));
    r.status = STORAGE_TOKEN_ENDED;
    touch_done(&r, touch_data);
    expect("");
}

static void
an_ended_token_is_refused(void **state)
{
    struct storage_result r = {.status = STORAGE_TOKEN_ENDED};

    (void) state;
    open_live();
    touch_held = true;
    open_session(2, "alice", false, 0);
    touch_done(&r, touch_data);
    expect("refuse 2 401;");
    assert_null(session_find(&l, 2));
    open_session(3, "alice", false, 0);
    r.status = STORAGE_UNAVAILABLE;
    touch_done(&r, touch_data);
    expect("refuse 3 503;");
}

/* The storage answers at once when it has no memory for the question. */
static void
opening_sessions_that_cannot_be_asked_about_again_are_refused(void **state)
{
    struct session_open o = {.user = STR("alice"), .jti = STR("j")};

    (void) state;
    for (o.handle = 1; o.handle <= 3; o.handle++) {
        session_open(worker.sessions, &l, &o);
    }
    touch_status = STORAGE_EXHAUSTED;
    sessions_lost(worker.sessions);
    expect("refuse 1 503;refuse 2 503;refuse 3 503;");
    assert_int_equal(sessions_count(worker.sessions), 0);
}

static void
a_removed_device_ends_its_sessions_once(void **state)
{
    (void) state;
    open_live();
    open_session(2, "alice", false, 0);
    open_session(3, "bob", false, 0);
    subscribed(1, 8, 0);
    out[0] = '\0';
    sessions_end_device(worker.sessions, STR("alice"), STR("e"));
    sessions_end_device(worker.sessions, STR("carol"), STR("d"));
    expect("");
    sessions_end_device(worker.sessions, STR("alice"), STR("d"));
    expect("end 1 1008;end 2 1008;");
    sessions_end_device(worker.sessions, STR("alice"), STR("d"));
    expect("");
    assert_true(one()->ended);
}

static void
the_last_close_unsubscribes(void **state)
{
    (void) state;
    open_live();
    open_session(2, "alice", false, 0);
    session_close(worker.sessions, one());
    assert_int_equal(n_ops, 1);
    session_close(worker.sessions, session_find(&l, 2));
    assert_int_equal(n_ops, 2);
    assert_int_equal(ops[1].op.type, STORAGE_UNSUBSCRIBE);
    assert_int_equal(ops[1].op.number, 7);
    assert_int_equal(sessions_count(worker.sessions), 0);
    out[0] = '\0';
    event(7, 6);
    expect("");
}

static void
closed_before_subscribed_unsubscribes_then(void **state)
{
    (void) state;
    open_session(1, "alice", false, 0);
    session_close(worker.sessions, one());
    assert_int_equal(n_ops, 1);
    subscribed(0, 7, 5);
    expect("");
    assert_int_equal(n_ops, 2);
    assert_int_equal(ops[1].op.type, STORAGE_UNSUBSCRIBE);
}

static void
closed_while_reading_forgets_the_page(void **state)
{
    (void) state;
    open_live();
    event(7, 8);
    session_close(worker.sessions, one());
    page(1, 6, 8, false);
    expect("");
}

static void
a_failed_subscription_refuses(void **state)
{
    struct storage_result r = {.status = STORAGE_UNAVAILABLE};

    (void) state;
    open_session(1, "alice", false, 0);
    answer(0, &r);
    expect("refuse 1 503;");
    assert_null(one());
}

static void
a_reset_subscribes_again_and_reads_what_is_missing(void **state)
{
    (void) state;
    open_live();
    sessions_reset(worker.sessions);
    assert_int_equal(n_ops, 2);
    assert_int_equal(ops[1].op.number, 7);
    event(7, 6);
    subscribed(1, 7, 8);
    expect("push 1:6;");
    assert_int_equal(ops[2].op.after, 6);
}

static void
a_reset_without_news_changes_nothing(void **state)
{
    (void) state;
    open_live();
    sessions_reset(worker.sessions);
    subscribed(1, 7, 5);
    assert_int_equal(n_ops, 2);
    assert_int_equal(one()->state, SESSION_LIVE);
}

static void
a_failed_resubscription_is_repeated_by_the_tick(void **state)
{
    struct storage_result r = {.status = STORAGE_UNAVAILABLE};

    (void) state;
    open_live();
    sessions_lost(worker.sessions);
    answer(1, &r);
    expect("");
    assert_int_equal(n_ops, 2);
    sessions_tick(worker.sessions);
    subscribed(2, 7, 6);
    assert_int_equal(ops[3].op.after, 5);
}

static void
a_failed_page_is_repeated_by_the_tick(void **state)
{
    struct storage_result r = {.status = STORAGE_UNAVAILABLE};

    (void) state;
    open_live();
    event(7, 8);
    answer(1, &r);
    assert_int_equal(n_ops, 2);
    sessions_tick(worker.sessions);
    page(2, 6, 8, false);
    expect("page 1:6-8;");
}

static void
at_most_32_pages_are_read_at_once(void **state)
{
    char user[16];
    unsigned first;

    (void) state;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(user, sizeof(user), "u%u", i);
        open_session(i + 1, user, true, 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        subscribed(i, i + 1, 1);
    }
    first = 40;
    assert_int_equal(n_ops, first + 32);
    page(first, 1, 1, false);
    assert_int_equal(n_ops, first + 33);
}

static void
a_resumed_session_says_so_and_goes_on(void **state)
{
    struct session_open o = {.handle = 1,
                             .user = STR("alice"),
                             .device = STR("d"),
                             .after = 4,
                             .resumed = true};

    (void) state;
    session_open(worker.sessions, &l, &o);
    subscribed(0, 7, 6);
    expect("ready 1 at 4 resumed;");
    page(1, 5, 6, false);
    expect("page 1:5-6;");
}

static void
a_failed_subscription_keeps_those_that_lived_before(void **state)
{
    struct session_open o = {.handle = 1,
                             .user = STR("alice"),
                             .device = STR("d"),
                             .after = 4,
                             .resumed = true};
    struct storage_result r = {.status = STORAGE_UNAVAILABLE};

    (void) state;
    session_open(worker.sessions, &l, &o);
    open_session(2, "alice", false, 0);
    answer(0, &r);
    expect("refuse 2 503;");
    sessions_tick(worker.sessions);
    subscribed(1, 7, 4);
    expect("ready 1 at 4 resumed;");
    assert_int_equal(one()->state, SESSION_LIVE);
}

/* Sessions that have ended are there until nginx says so, as long as a client
 * likes: what opens beside them is asked about, with or without a device. */
static void
beside_the_ended_sessions_of_a_barred_user_none_opens(void **state)
{
    struct storage_target t = {7, 0};
    struct storage_event e = {.sequence = 1,
                              .method = STORAGE_EVENT_USER_ENDED,
                              .tail = STR("account_disabled"),
                              .targets = &t,
                              .n_targets = 1};
    struct storage_result no = {.status = STORAGE_DISABLED};
    struct session_open o = {.handle = 2, .user = STR("alice")};

    (void) state;
    open_live();
    sessions_event(worker.sessions, &e);
    expect("end 1 1008;");
    session_open(worker.sessions, &l, &o);
    expect("");
    assert_int_equal(ops[1].op.type, STORAGE_SUBSCRIBE);
    answer(1, &no);
    expect("refuse 2 403;");

    /* enabled again, while the first one still ends */
    o.handle = 3;
    session_open(worker.sessions, &l, &o);
    subscribed(2, 7, 5);
    expect("ready 3 at 5;");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_session_subscribes_with_connect),
        TEST(second_session_needs_no_subscription),
        TEST(events_go_out_once_and_in_order),
        TEST(live_only_events_have_no_place),
        TEST(a_gap_makes_it_behind_until_pages_fill_it),
        TEST(after_reads_from_there_one_page_a_credit),
        TEST(who_reads_many_pages_in_a_row_leaves_room_for_others),
        TEST(after_above_the_newest_starts_at_the_newest),
        TEST(what_comes_while_paged_is_read_by_the_next_page),
        TEST(an_empty_page_ends_being_behind),
        TEST(a_credit_below_the_cursor_rolls_back),
        TEST(an_old_credit_while_paged_is_not_the_pages_own),
        TEST(a_credit_below_the_page_reads_again_from_there),
        TEST(a_rollback_while_reading_discards_the_page),
        TEST(a_full_link_drops_events_and_parks_pages),
        TEST(a_reply_takes_the_place_of_its_event),
        TEST(a_reply_beyond_a_gap_makes_it_behind),
        TEST(a_session_waits_for_what_is_said_of_its_token),
        TEST(an_ended_token_is_refused),
        TEST(opening_sessions_that_cannot_be_asked_about_again_are_refused),
        TEST(a_removed_device_ends_its_sessions_once),
        TEST(the_last_close_unsubscribes),
        TEST(closed_before_subscribed_unsubscribes_then),
        TEST(closed_while_reading_forgets_the_page),
        TEST(a_failed_subscription_refuses),
        TEST(a_reset_subscribes_again_and_reads_what_is_missing),
        TEST(a_reset_without_news_changes_nothing),
        TEST(a_failed_resubscription_is_repeated_by_the_tick),
        TEST(a_failed_page_is_repeated_by_the_tick),
        TEST(at_most_32_pages_are_read_at_once),
        TEST(a_resumed_session_says_so_and_goes_on),
        TEST(beside_the_ended_sessions_of_a_barred_user_none_opens),
        TEST(a_failed_subscription_keeps_those_that_lived_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
