/* workers/presence_peers.c and presence_frame.c by themselves; two machines of
 * presence_redis.c over a real redis-server. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "log.h"
#include "presence_peers.h"
#include "presence_redis.h"
#include "redis_server.h"

#define OWN "0123456789abcdef"
#define ONE "1111111111111111"
#define TWO "2222222222222222"

static struct peers *peers;

static int
peers_set_up(void **state)
{
    (void) state;
    peers = peers_create(OWN);
    peers_resume(peers, 0);
    return 0;
}

static int
peers_tear_down(void **state)
{
    (void) state;
    peers_free(peers);
    return 0;
}

static int
frame(const char *text, uint64_t now)
{
    return peers_frame(peers, (struct str){text, strlen(text)}, now);
}

static bool
online(const char *user)
{
    return peers_online(peers, (struct str){user, strlen(user)});
}

static void
expect_change(const char *user, bool is_online, uint64_t at)
{
    struct peers_change c;

    assert_true(peers_next(peers, &c));
    assert_int_equal(c.user.len, strlen(user));
    assert_memory_equal(c.user.data, user, c.user.len);
    assert_int_equal(c.online, is_online);
    if (at != 0) {
        assert_int_equal(c.at, at);
    }
}

static void
expect_no_change(void)
{
    struct peers_change c;

    assert_false(peers_next(peers, &c));
}

static void
work(void)
{
    while (peers_work(peers)) {
    }
}

static void
read_nothing(void)
{
    peers_read_begin(peers);
    peers_read_end(peers, true);
    work();
}

static void
read_row(const char *machine, const char *user, uint64_t version)
{
    struct presence_row row = {
        {user, strlen(user)},
        true, version, 5
    };

    peers_read(peers, machine, &row, 15, 0);
}

static void
changes_are_told_once_and_taken_back_unseen(void **state)
{
    (void) state;
    assert_int_equal(frame("1 " ONE " 9 1 15 1\n+bob 10 77\n+eve 11 1\n", 1),
                     0);
    assert_true(online("bob"));
    assert_false(online("bo"));
    expect_change("bob", true, 77);
    expect_change("eve", true, 1);
    expect_no_change();
    assert_int_equal(
        frame("1 " ONE " 9 2 15 1\n-bob 12 78\n+bob 13 79\n-eve 14 80\n", 1),
        0);
    expect_change("eve", false, 80);
    expect_no_change();

    /* the other machine has him too */
    assert_int_equal(frame("1 " TWO " 5 1 15 1\n+bob 1 2\n", 1), 0);
    assert_int_equal(frame("1 " ONE " 9 3 15 1\n-bob 15 81\n", 1), 0);
    expect_no_change();
    assert_true(online("bob"));
    assert_int_equal(frame("1 " TWO " 5 2 15 1\n-bob 2 82\n", 1), 0);
    expect_change("bob", false, 82);
    assert_int_equal(peers_users(peers), 0);
}

static void
untold(const char *user, bool is_online, uint64_t at)
{
    peers_untold(peers, (struct str){user, strlen(user)}, is_online, at);
}

static void
what_could_not_be_told_comes_again(void **state)
{
    (void) state;
    assert_int_equal(frame("1 " ONE " 9 1 15 1\n+bob 10 77\n", 1), 0);
    expect_change("bob", true, 77);
    untold("bob", true, 77);
    expect_change("bob", true, 77);
    expect_no_change();

    /* he is forgotten by then */
    assert_int_equal(frame("1 " ONE " 9 2 15 1\n-bob 11 78\n", 1), 0);
    expect_change("bob", false, 78);
    work();
    untold("bob", false, 78);
    expect_change("bob", false, 78);
    expect_no_change();

    /* it is not so any more: who saw him online never hears of it */
    assert_int_equal(frame("1 " ONE " 9 3 15 1\n+bob 12 79\n", 1), 0);
    expect_change("bob", true, 79);
    assert_int_equal(frame("1 " ONE " 9 4 15 1\n-bob 13 80\n", 1), 0);
    untold("bob", true, 79);
    expect_no_change();
    work();
    untold("bob", true, 79);
    expect_no_change();

    /* both were refused */
    assert_int_equal(frame("1 " ONE " 9 5 15 1\n+bob 14 81\n", 1), 0);
    expect_change("bob", true, 81);
    assert_int_equal(frame("1 " ONE " 9 6 15 1\n-bob 15 82\n", 1), 0);
    expect_change("bob", false, 82);
    untold("bob", true, 81);
    expect_no_change();
    untold("bob", false, 82);
    expect_change("bob", false, 82);
    expect_no_change();
}

static void
own_frames_and_what_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "1",
        "2 " ONE " 1 1 15 1\n",
        "1 111111111111111g 1 1 15 1\n",
        "1 " ONE " 1 1 15 2\n",
        "1 " ONE " 1 1 0 1\n",
        "1 " ONE " 1 1 15 1",
        "1 " ONE " 1 1 15 1\n+bob 1\n",
        "1 " ONE " 1 1 15 1\n+bob 1 1",
        "1 " ONE " 1 1 15 1\n+b\"b 1 1\n",
        "1 " ONE " 1 1 15 1\n*bob 1 1\n",
        "1 " ONE " 1 1 15 1\n+ 1 1\n",
        "1 " ONE " 1 1 15 1\n+bob 1 184467440737095516150\n",
    };

    (void) state;
    assert_int_equal(frame("1 " OWN " 9 1 15 1\n+bob 10 77\n", 1), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(frame(bad[i], 1), -1);
    }
    expect_no_change();
}

static void
a_gap_makes_a_reading_due_which_ends_who_is_not_found(void **state)
{
    (void) state;
    assert_int_equal(
        frame("1 " ONE " 9 1 15 1\n+bob 10 1\n+carol 11 1\n+dan 12 1\n", 1), 0);
    assert_true(peers_due(peers));
    peers_read_begin(peers);
    assert_false(peers_due(peers));
    read_row(ONE, "bob", 10);
    read_row(ONE, "dan", 12);
    read_row(ONE, "old", 3); /* of the machine's life before */
    assert_int_equal(frame("1 " ONE " 9 2 15 1\n-dan 13 5\n", 1), 0);
    read_row(ONE, "dan", 12); /* an answer from before that */
    peers_read_end(peers, true);
    work();
    assert_true(online("bob"));
    assert_false(online("carol"));
    assert_false(online("dan"));
    assert_false(online("old"));
    assert_int_equal(peers_users(peers), 1);
    assert_false(peers_due(peers));
    assert_int_equal(frame("1 " ONE " 9 3 15 1\n", 1), 0);
    assert_false(peers_due(peers));
    assert_int_equal(frame("1 " ONE " 9 5 15 1\n", 1), 0);
    assert_true(peers_due(peers));

    /* one that was cut off ends nobody, and has to be made again */
    peers_read_begin(peers);
    peers_read_end(peers, false);
    work();
    assert_true(online("bob"));
    assert_true(peers_due(peers));
}

static void
a_machine_that_has_not_all_in_redis_loses_nobody(void **state)
{
    (void) state;
    assert_int_equal(frame("1 " ONE " 9 1 15 1\n+bob 10 1\n", 1), 0);
    read_nothing();
    assert_false(online("bob"));
    assert_int_equal(frame("1 " ONE " 9 2 15 0\n+bob 11 1\n", 1), 0);
    read_nothing();
    assert_true(online("bob"));

    /* a gap while the reading is under way */
    assert_int_equal(frame("1 " ONE " 9 3 15 1\n", 1), 0);
    peers_read_begin(peers);
    assert_int_equal(frame("1 " ONE " 9 5 15 1\n", 1), 0);
    peers_read_end(peers, true);
    work();
    assert_true(online("bob"));

    /* after an outage it has to say again that all is there */
    peers_hold(peers);
    peers_resume(peers, 2);
    read_nothing();
    assert_true(online("bob"));
}

static void
silence_is_death_but_not_while_nothing_can_be_heard(void **state)
{
    (void) state;
    assert_int_equal(frame("1 " ONE " 9 1 15 1\n+bob 10 1\n", 1000), 0);
    expect_change("bob", true, 1);
    peers_hold(peers);
    peers_tick(peers, 60000);
    work();
    assert_true(online("bob"));
    peers_resume(peers, 60000);
    peers_tick(peers, 75000);
    work();
    assert_true(online("bob"));
    peers_tick(peers, 75001);
    work();
    expect_change("bob", false, 0);
    assert_int_equal(peers_users(peers), 0);
    assert_int_equal(frame("1 " ONE " 9 2 15 1\n+bob 11 1\n", 80000), 0);
    expect_change("bob", true, 1);
}

static void
many_users_end_in_slices(void **state)
{
    struct buf b = {0};
    unsigned n = 0, slices = 0;

    (void) state;
    buf_put_lit(&b, "1 " ONE " 9 1 15 1\n");
    for (unsigned i = 0; i < 3 * PEERS_SLICE; i++) {
        buf_put_lit(&b, "+u");
        buf_put_u64(&b, i);
        buf_put_lit(&b, " 10 1\n");
    }
    assert_int_equal(peers_frame(peers, buf_str(&b), 0), 0);
    buf_clear(&b);
    assert_int_equal(peers_users(peers), 3 * PEERS_SLICE);
    peers_tick(peers, 15001);
    while (peers_work(peers)) {
        slices++;
    }
    assert_int_equal(slices, 5); /* to end them, to free them */
    assert_int_equal(peers_users(peers), 0);
    for (struct peers_change c; peers_next(peers, &c); n++) {
    }
    assert_int_equal(n, 0); /* online and offline, before either was told */
}

static void
more_machines_than_there_is_room_for(void **state)
{
    char text[80];

    (void) state;
    for (unsigned i = 0; i < PEERS_MACHINES_MAX + 10; i++) {
        snprintf(text, sizeof(text), "1 %016x 9 1 15 1\n+bob 10 1\n", i + 1);
        assert_int_equal(frame(text, 0), 0);
    }
    assert_int_equal(peers_users(peers), PEERS_MACHINES_MAX);
    peers_tick(peers, 16000);
    work();
    assert_int_equal(frame("1 " ONE " 9 1 15 1\n+bob 10 1\n", 16000), 0);
    assert_int_equal(peers_users(peers), 1);
}

static void
keys_and_values(void **state)
{
    char key[PRESENCE_KEY_MAX];
    size_t len = presence_key(key, STR("bob@x"), ONE);
    struct presence_row row;
    const char *machine;
    struct str user;

    (void) state;
    assert_int_equal(len, strlen("chat:on:bob@x:" ONE));
    assert_memory_equal(key, "chat:on:bob@x:" ONE, len);
    assert_int_equal(presence_get_key((struct str){key, len}, &user, &machine),
                     0);
    assert_true(str_eq(user, STR("bob@x")));
    assert_memory_equal(machine, ONE, 16);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(
            presence_get_key((struct str){key, i}, &user, &machine), -1);
    }
    assert_int_equal(presence_get_value(STR("12 34"), &row), 0);
    assert_int_equal(row.version, 12);
    assert_int_equal(row.at, 34);
    assert_int_equal(presence_get_value(STR("12 34 "), &row), -1);
    assert_int_equal(presence_get_value(STR("12"), &row), -1);
    assert_int_equal(presence_get_value(STR(""), &row), -1);
}

/* Two machines */

#define MANY 20000

static uv_loop_t loop;
static struct end {
    struct presence_redis *p;
    unsigned n_online, n_offline, n_open, most_open, n_refused;
    uint64_t gone; /* the number of one who is no longer here */
} ends[2];
static bool hold;        /* answers wait */
static bool is_refusing; /* as a store that is broken */

static void
on_tell(struct str user, bool is_online, uint64_t at, void *data)
{
    struct end *e = data;

    if (is_refusing) {
        e->n_refused++;
        presence_redis_refused(e->p, user, is_online, at);
        return;
    }
    e->n_online += is_online;
    e->n_offline += !is_online;
    if (++e->n_open > e->most_open) {
        e->most_open = e->n_open;
    }
    if (!hold) {
        e->n_open--;
        presence_redis_told(e->p);
    }
}

static bool
on_here(uint64_t number, void *data)
{
    return number != ((struct end *) data)->gone;
}

static struct presence_redis_stats
stats(unsigned i)
{
    struct presence_redis_stats s;

    presence_redis_stats(ends[i].p, &s);
    return s;
}

static void
open_end(unsigned i)
{
    struct presence_redis_handlers handlers = {
        .tell = on_tell, .here = on_here, .data = &ends[i]};
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%s/%c", server_dir, "ab"[i]);
    (void) mkdir(dir, 0700);
    ends[i] = (struct end){0};
    ends[i].p = presence_redis_open(&loop, server_where, dir, 1, &handlers);
    assert_non_null(ends[i].p);
}

static int
pair_set_up(void **state)
{
    (void) state;
    hold = false;
    is_refusing = false;
    assert_int_equal(uv_loop_init(&loop), 0);
    server_start(NULL, NULL);
    open_end(0);
    open_end(1);
    presence_redis_ready(ends[0].p);
    presence_redis_ready(ends[1].p);
    turn_until(&loop, stats(0).up && stats(1).up, 10);
    return 0;
}

static int
pair_tear_down(void **state)
{
    (void) state;
    presence_redis_close(ends[0].p);
    presence_redis_close(ends[1].p);
    uv_run(&loop, UV_RUN_DEFAULT);
    server_kill();
    return uv_loop_close(&loop);
}

static void
set(unsigned end, unsigned user, bool is_online)
{
    char name[16];
    int n = snprintf(name, sizeof(name), "u%u", user);

    presence_redis_set(ends[end].p, user + 1, (struct str){name, (size_t) n},
                       is_online, 1000 + user);
}

static bool
sees(unsigned end, const char *user)
{
    return presence_redis_elsewhere(ends[end].p,
                                    (struct str){user, strlen(user)});
}

static void
many_users_a_kill_of_redis_and_all_is_there_again(void **state)
{
    (void) state;
    for (unsigned i = 0; i < MANY; i++) {
        set(0, i, true);
    }
    turn_until(&loop, ends[1].n_online == MANY, 20);
    assert_int_equal(stats(1).users, MANY);
    assert_int_equal(stats(0).users, 0);

    server_kill();
    turn_until(&loop, !stats(0).up && !stats(1).up, 10);
    for (unsigned i = 0; i < 1000; i++) {
        set(0, i, false);
        set(0, MANY + i, true);
    }
    set(1, 7, true);
    set(1, 8, true);
    set(1, 8, false);
    server_start(NULL, NULL);
    turn_until(&loop, ends[1].n_online == MANY + 1000, 20);
    turn_until(&loop, ends[1].n_offline == 1000, 20);
    turn_until(&loop, sees(0, "u7"), 10);
    assert_int_equal(stats(1).users, MANY);
    assert_false(sees(0, "u8"));
    assert_true(sees(1, "u1000"));

    /* a third one finds all of it by reading */
    presence_redis_close(ends[1].p);
    open_end(1);
    turn_until(&loop, ends[1].n_online == MANY, 20);
    assert_int_equal(ends[1].n_offline, 0);
    assert_true(stats(0).failures > 0 && stats(0).connects == 4);
}

static void
no_more_are_told_at_a_time_than_are_answered(void **state)
{
    (void) state;
    hold = true;
    for (unsigned i = 0; i < 2000; i++) {
        set(0, i, true);
    }
    turn_until(&loop, stats(1).users == 2000, 10);
    assert_true(ends[1].most_open < 1000);
    assert_int_equal(ends[1].n_open, ends[1].most_open);
    hold = false;
    while (ends[1].n_open != 0) {
        ends[1].n_open--;
        presence_redis_told(ends[1].p);
    }
    turn_until(&loop, ends[1].n_online == 2000, 10);
}

static void
what_the_store_refused_is_told_when_it_is_back(void **state)
{
    uint64_t start;

    (void) state;
    set(0, 1, true);
    set(0, 2, true);
    turn_until(&loop, ends[1].n_online == 2, 10);
    is_refusing = true;
    set(0, 2, false);
    set(0, 3, true);

    /* it is not asked all the time: once in 250 ms */
    turn_until(&loop, ends[1].n_refused >= 1, 10);
    start = uv_hrtime();
    turn_until(&loop, ends[1].n_refused >= 4, 10);
    assert_true(uv_hrtime() - start > 400000000);
    is_refusing = false;
    turn_until(&loop, ends[1].n_offline == 1 && ends[1].n_online == 3, 10);
    assert_int_equal(ends[1].n_open, 0);
}

/* The storage could not say that he went. */
static void
who_is_not_here_any_more_is_found_out(void **state)
{
    (void) state;
    set(0, 1, true);
    set(0, 2, true);
    turn_until(&loop, ends[1].n_online == 2, 10);
    ends[0].gone = 2;
    turn_until(&loop, ends[1].n_offline == 1, 15);
    assert_false(sees(1, "u1"));
    assert_true(sees(1, "u2"));
}

/* It comes up before its storage has said who was online. */
static void
a_machine_that_starts_takes_nobody_offline(void **state)
{
    uint64_t start;

    (void) state;
    for (unsigned i = 0; i < 3; i++) {
        set(0, i, true);
    }
    turn_until(&loop, ends[1].n_online == 3, 10);
    presence_redis_close(ends[0].p);
    open_end(0);
    set(0, 0, true);
    start = uv_hrtime();
    turn_until(&loop, uv_hrtime() - start > 3000000000, 10);
    assert_int_equal(stats(1).users, 3);
    set(0, 1, true);
    presence_redis_ready(ends[0].p);
    turn_until(&loop, !sees(1, "u2"), 15);
    assert_true(sees(1, "u0") && sees(1, "u1"));
    assert_int_equal(ends[1].n_offline, 1);
}

static void
a_machine_keeps_its_name(void **state)
{
    (void) state;
    set(0, 1, true);
    turn_until(&loop, sees(1, "u1"), 10);
    presence_redis_close(ends[0].p);
    open_end(0);
    turn_until(&loop, stats(0).up, 10);
    set(0, 1, true);
    set(0, 2, true);
    turn_until(&loop, sees(1, "u2"), 10);
    assert_int_equal(stats(1).users, 2);
    assert_int_equal(ends[1].n_offline, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, peers_set_up, peers_tear_down)
#define P(f) cmocka_unit_test_setup_teardown(f, pair_set_up, pair_tear_down)
    const struct CMUnitTest tests[] = {
        T(changes_are_told_once_and_taken_back_unseen),
        T(what_could_not_be_told_comes_again),
        T(own_frames_and_what_is_none),
        T(a_gap_makes_a_reading_due_which_ends_who_is_not_found),
        T(a_machine_that_has_not_all_in_redis_loses_nobody),
        T(silence_is_death_but_not_while_nothing_can_be_heard),
        T(many_users_end_in_slices),
        T(more_machines_than_there_is_room_for),
        T(keys_and_values),
        P(many_users_a_kill_of_redis_and_all_is_there_again),
        P(no_more_are_told_at_a_time_than_are_answered),
        P(what_the_store_refused_is_told_when_it_is_back),
        P(who_is_not_here_any_more_is_found_out),
        P(a_machine_that_starts_takes_nobody_offline),
        P(a_machine_keeps_its_name),
    };
    int rc;

    signal(SIGPIPE, SIG_IGN);
    log_open("/dev/null", "test", LOG_DEBUG);
    server_prepare();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    server_remove();
    return rc;
}
