/* storage/storage_wake.c: a loop that other threads wake. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "storage_wake.h"

#define SENDERS 4
#define SENDS   20000u

static uv_loop_t loop;
static struct wake wake;
static atomic_uint sent; /* by all senders                   */
static unsigned seen;    /* of them, when the loop looked     */
static unsigned n_woken; /* calls of woken                    */
static unsigned again;   /* how often woken is to send itself */
static unsigned n_closed;

static void
on_closed(uv_handle_t *handle)
{
    assert_ptr_equal(handle->data, &wake);
    n_closed++;
}

static void
woken(struct wake *w)
{
    assert_ptr_equal(w, &wake);
    n_woken++;
    seen = atomic_load(&sent);

    if (again > 0) {
        again--;
        wake_send(w);
    } else if (seen == SENDERS * SENDS) {
        uv_stop(&loop);
    }
}

static int
setup(void **state)
{
    (void) state;
    memset(&wake, 0, sizeof(wake));
    atomic_store(&sent, 0);
    seen = n_woken = again = n_closed = 0;
    return uv_loop_init(&loop) != 0 || wake_open(&wake, &loop, woken) != 0;
}

static int
teardown(void **state)
{
    (void) state;
    wake.poll.data = &wake;
    wake_close(&wake, on_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    return n_closed != 1 || uv_loop_close(&loop) != 0;
}

static void
nothing_sent_wakes_nobody(void **state)
{
    (void) state;
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(n_woken, 0);
}

static void
what_was_sent_before_the_loop_looks_is_one(void **state)
{
    (void) state;
    for (int i = 0; i < 10; i++) {
        wake_send(&wake);
    }
    for (int i = 0; i < 3; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(n_woken, 1);
}

static void
what_is_sent_while_it_looks_wakes_again(void **state)
{
    (void) state;
    again = 2;
    wake_send(&wake);
    for (int i = 0; i < 5; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(n_woken, 3);
}

static void
sender(void *data)
{
    (void) data;
    for (unsigned i = 0; i < SENDS; i++) {
        atomic_fetch_add(&sent, 1);
        wake_send(&wake);
    }
}

/* Without the last one's wake the loop would wait for ever. */
static void
the_last_of_many_threads_is_seen(void **state)
{
    uv_thread_t threads[SENDERS];

    (void) state;
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(uv_thread_create(&threads[i], sender, NULL), 0);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < SENDERS; i++) {
        uv_thread_join(&threads[i]);
    }
    assert_int_equal(seen, SENDERS * SENDS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_sent_wakes_nobody, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            what_was_sent_before_the_loop_looks_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_while_it_looks_wakes_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_of_many_threads_is_seen, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
