/* workers/turn.c: what a turn of the loop lasts, without its wait. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "turn.h"

#define WORK_US 30000
#define WAIT_MS 1000

static uv_loop_t loop;
static struct turn turn;
static int fds[2];
static uv_poll_t poll;
static uv_timer_t timer;

static void
work(void)
{
    uint64_t until = uv_hrtime() + WORK_US * 1000ull;

    while (uv_hrtime() < until) {
    }
}

static void
on_timer(uv_timer_t *t)
{
    uv_stop(t->loop);
}

static void
on_busy_timer(uv_timer_t *t)
{
    work();
    uv_stop(t->loop);
}

static void
on_late_byte(uv_timer_t *t)
{
    assert_int_equal(write(fds[1], "x", 1), 1);
    uv_stop(t->loop);
}

static void
on_readable(uv_poll_t *p, int status, int events)
{
    char c;

    (void) p;
    (void) status;
    (void) events;
    turn_began();
    assert_int_equal(read(fds[0], &c, 1), 1);
    work();
}

/* The wait, what it was for, and the end of that turn. The timer stops the
 * loop: one that is due before the first wait leaves nothing to wait for. */
static void
run(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static int
setup(void **state)
{
    (void) state;
    if (pipe(fds) != 0 || uv_loop_init(&loop) != 0
        || uv_poll_init(&loop, &poll, fds[0]) != 0) {
        return -1;
    }
    uv_timer_init(&loop, &timer);
    uv_poll_start(&poll, UV_READABLE, on_readable);
    return turn_init(&turn, &loop);
}

static int
teardown(void **state)
{
    (void) state;
    turn_close(&turn);
    uv_close((uv_handle_t *) &poll, NULL);
    uv_close((uv_handle_t *) &timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    close(fds[0]);
    close(fds[1]);
    turn_began(); /* of nothing */
    return uv_loop_close(&loop);
}

static void
a_wait_is_no_work(void **state)
{
    (void) state;

    /* work is what a machine that stands still outside of the wait makes, too */
    for (int i = 0; i < 10; i++) {
        uv_timer_start(&timer, on_timer, WAIT_MS, 0);
        run();
        if (turn_longest_us(&turn) < WAIT_MS * 1000) {
            return;
        }
        turn_close(&turn);
        uv_run(&loop, UV_RUN_NOWAIT);
        turn = (struct turn){0};
        assert_int_equal(turn_init(&turn, &loop), 0);
    }
    fail_msg("the wait was counted");
}

static void
what_is_read_counts_from_the_reading(void **state)
{
    (void) state;
    uv_timer_start(&timer, on_late_byte, WAIT_MS, 0);
    run();
    assert_true(turn_longest_us(&turn) >= WORK_US);
    assert_true(turn_longest_cpu_us(&turn) > 0);
}

static void
timers_count(void **state)
{
    (void) state;
    uv_timer_start(&timer, on_busy_timer, 1, 0);
    run();
    assert_true(turn_longest_us(&turn) >= WORK_US);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_wait_is_no_work, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_read_counts_from_the_reading,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(timers_count, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
