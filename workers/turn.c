/* See turn.h. */

#include "turn.h"

#include <time.h>

#define MINUTE_MS 60000

static struct turn *turn; /* of this process's loop, or NULL */

static uint64_t
cpu_ns(void)
{
    struct timespec ts = {0};

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

static void
note(uint64_t longest[2], uint64_t us)
{
    if (us > longest[0]) {
        longest[0] = us;
    }
}

static uint64_t
larger(const uint64_t longest[2])
{
    return longest[0] > longest[1] ? longest[0] : longest[1];
}

void
turn_began(void)
{
    if (turn != NULL && turn->began_ns == 0) {
        turn->began_ns = uv_hrtime();
    }
}

/* After the events: what comes now, timers among it, belongs to the turn, too,
 * and begins it when nothing was read. */
static void
on_check(uv_check_t *check)
{
    (void) check;
    turn_began();
}

/* Before each wait for events: what has passed since the beginning was work.
 * (libuv can count the wait itself, but then asks for events twice a turn.) */
static void
on_prepare(uv_prepare_t *prepare)
{
    struct turn *t = prepare->data;
    uint64_t us = (uv_hrtime() - t->began_ns) / 1000;
    uint64_t now_ms = uv_now(prepare->loop);
    uint64_t cpu = cpu_ns();
    uint64_t cpu_us = (cpu - t->cpu_ns) / 1000;

    t->cpu_ns = cpu;
    t->began_ns = 0;
    if (now_ms - t->minute_ms >= MINUTE_MS) {
        t->minute_ms = now_ms;
        t->longest_us[1] = t->longest_us[0];
        t->longest_us[0] = 0;
        t->longest_cpu_us[1] = t->longest_cpu_us[0];
        t->longest_cpu_us[0] = 0;
    }
    note(t->longest_us, us);
    note(t->longest_cpu_us, cpu_us);
}

int
turn_init(struct turn *t, uv_loop_t *loop)
{
    if (uv_prepare_init(loop, &t->prepare) != 0
        || uv_check_init(loop, &t->check) != 0) {
        return -1;
    }
    turn = t;
    t->prepare.data = t;
    t->began_ns = uv_hrtime();
    t->cpu_ns = cpu_ns();
    t->minute_ms = uv_now(loop);
    uv_prepare_start(&t->prepare, on_prepare);
    uv_unref((uv_handle_t *) &t->prepare);
    uv_check_start(&t->check, on_check);
    uv_unref((uv_handle_t *) &t->check);
    return 0;
}

void
turn_close(struct turn *t)
{
    turn = NULL;
    uv_close((uv_handle_t *) &t->prepare, NULL);
    uv_close((uv_handle_t *) &t->check, NULL);
}

uint64_t
turn_longest_us(const struct turn *t)
{
    return larger(t->longest_us);
}

uint64_t
turn_longest_cpu_us(const struct turn *t)
{
    return larger(t->longest_cpu_us);
}
