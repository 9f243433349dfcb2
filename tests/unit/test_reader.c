/* storage/storage_reader.c: what a message waits for is never behind what may
 * take long. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "storage_memory.h"
#include "storage_reader.h"
#include "storage_wake.h"

#define LONG_JOBS  8
#define BRIEF_JOBS 40
#define PATIENCE   60000 /* ms, then it hangs */

struct job {
    struct read_job job; /* first */
    unsigned n_run, n_done;
};

static uv_loop_t loop;
static struct wake wake;
static uv_timer_t timer;
static struct readers *readers;
static struct engine *engine;
static uv_sem_t gate; /* long jobs wait at it */
static struct job long_jobs[LONG_JOBS], brief_jobs[BRIEF_JOBS];
static unsigned n_brief_done, n_long_done;
static bool late;
static uint64_t ran_ns;

static int
run_long(struct read_job *j, const struct reader *r)
{
    (void) r;
    uv_sem_wait(&gate);
    ((struct job *) j)->n_run++;
    return 0;
}

static int
run_brief(struct read_job *j, const struct reader *r)
{
    (void) r;
    ((struct job *) j)->n_run++;
    return 0;
}

static void
woken(struct wake *w)
{
    struct read_job *j, *next;

    (void) w;

    for (j = readers_take(readers); j != NULL; j = next) {
        struct job *job = (struct job *) j;
        bool is_long = j->run == run_long;

        next = j->next;
        assert_int_equal(++job->n_done, 1);
        n_long_done += is_long;
        n_brief_done += !is_long;
    }

    uv_stop(&loop);
}

static void
on_late(uv_timer_t *t)
{
    (void) t;
    late = true;
    uv_stop(&loop);
}

/* Turns the loop until so many have ended. */
static void
await(const unsigned *n, unsigned wanted)
{
    uv_timer_start(&timer, on_late, PATIENCE, 0);
    while (*n < wanted && !late) {
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    uv_timer_stop(&timer);
    assert_int_equal(*n, wanted);
}

static void
open_gate(void)
{
    for (int i = 0; i < LONG_JOBS; i++) {
        uv_sem_post(&gate);
    }
}

static int
setup(void **state)
{
    const char *error;

    (void) state;
    memset(long_jobs, 0, sizeof(long_jobs));
    memset(brief_jobs, 0, sizeof(brief_jobs));
    n_brief_done = n_long_done = 0;
    late = false;
    if (uv_loop_init(&loop) != 0 || wake_open(&wake, &loop, woken) != 0
        || uv_timer_init(&loop, &timer) != 0 || uv_sem_init(&gate, 0) != 0) {
        return -1;
    }
    engine = engine_memory.open("test_reader", false, &error);
    readers = readers_create(&engine_memory, &wake);
    if (engine == NULL || readers == NULL) {
        return -1;
    }
    readers_set_engine(readers, engine);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    /* what a failed test has left at the gate */
    open_gate();
    readers_free(readers);
    engine_memory.close(engine);
    engine_memory_drop("test_reader");
    wake_close(&wake, NULL);
    uv_close((uv_handle_t *) &timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_sem_destroy(&gate);
    return uv_loop_close(&loop);
}

static void
submit_long(void)
{
    for (int i = 0; i < LONG_JOBS; i++) {
        long_jobs[i].job.run = run_long;
        readers_submit(readers, &long_jobs[i].job);
    }
}

static void
a_brief_job_does_not_wait_for_long_ones(void **state)
{
    (void) state;
    submit_long();
    for (int i = 0; i < BRIEF_JOBS; i++) {
        brief_jobs[i].job.run = run_brief;
        brief_jobs[i].job.brief = i % 2 == 0;
        brief_jobs[i].job.urgent = i % 2 != 0;
        readers_submit(readers, &brief_jobs[i].job);
    }
    await(&n_brief_done, BRIEF_JOBS);
    assert_int_equal(n_long_done, 0);
    for (int i = 0; i < BRIEF_JOBS; i++) {
        assert_int_equal(brief_jobs[i].n_run, 1);
        assert_int_equal(brief_jobs[i].job.status, 0);
    }
    open_gate();
    await(&n_long_done, LONG_JOBS);
}

static int
run_a_while(struct read_job *j, const struct reader *r)
{
    uint64_t begun = uv_hrtime();

    (void) r;
    while (uv_hrtime() - begun < 3000000) {
    }
    ran_ns = uv_hrtime() - begun;
    ((struct job *) j)->n_run++;
    return 0;
}

static void
a_job_that_gives_way_takes_twice_as_long(void **state)
{
    uint64_t begun = uv_hrtime();

    (void) state;
    brief_jobs[0].job.run = run_a_while;
    brief_jobs[0].job.gives_way = true;
    readers_submit(readers, &brief_jobs[0].job);
    await(&n_brief_done, 1);
    assert_true(uv_hrtime() - begun >= 2 * ran_ns || ran_ns > 20000000);
}

static void
what_was_not_begun_fails_at_the_end(void **state)
{
    unsigned n = 0;

    (void) state;
    submit_long();
    open_gate();
    readers_stop(readers);
    for (struct read_job *j = readers_take(readers); j != NULL; j = j->next) {
        n++;
        assert_int_equal(((struct job *) j)->n_run, j->status == 0);
    }
    assert_int_equal(n, LONG_JOBS);
    brief_jobs[0].job.run = run_brief;
    brief_jobs[0].job.brief = true;
    readers_submit(readers, &brief_jobs[0].job);
    assert_ptr_equal(readers_take(readers), &brief_jobs[0].job);
    assert_int_equal(brief_jobs[0].job.status, -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_brief_job_does_not_wait_for_long_ones,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_job_that_gives_way_takes_twice_as_long, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_begun_fails_at_the_end,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
