/* See turn.h. */

#include "turn.h"

#define MINUTE_MS 60000

/* Before each wait for events: what has passed since the one before, without
 * the wait itself, was work. */
static void
on_prepare(uv_prepare_t *prepare)
{
    struct turn *t = prepare->data;
    uint64_t now_ns = uv_hrtime();
    uint64_t idle_ns = uv_metrics_idle_time(prepare->loop);
    uint64_t us = (now_ns - t->at_ns - (idle_ns - t->idle_ns)) / 1000;
    uint64_t now_ms = uv_now(prepare->loop);

    t->at_ns = now_ns;
    t->idle_ns = idle_ns;
    if (now_ms - t->minute_ms >= MINUTE_MS) {
        t->minute_ms = now_ms;
        t->longest_us[1] = t->longest_us[0];
        t->longest_us[0] = 0;
    }
    if (us > t->longest_us[0]) {
        t->longest_us[0] = us;
    }
}

int
turn_init(struct turn *t, uv_loop_t *loop)
{
    if (uv_loop_configure(loop, UV_METRICS_IDLE_TIME) != 0
        || uv_prepare_init(loop, &t->prepare) != 0) {
        return -1;
    }
    t->prepare.data = t;
    t->at_ns = uv_hrtime();
    t->idle_ns = uv_metrics_idle_time(loop);
    t->minute_ms = uv_now(loop);
    uv_prepare_start(&t->prepare, on_prepare);
    uv_unref((uv_handle_t *) &t->prepare);
    return 0;
}

void
turn_close(struct turn *t)
{
    uv_close((uv_handle_t *) &t->prepare, NULL);
}

uint64_t
turn_longest_us(const struct turn *t)
{
    return t->longest_us[0] > t->longest_us[1] ? t->longest_us[0]
                                               : t->longest_us[1];
}
