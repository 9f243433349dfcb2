/*
 * The worker role: opens its parts in order, runs the loop, closes them in
 * reverse.  The storage is the stub, so a store that is away or reborn is the
 * stub's business and the sessions'.
 */

#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <uv.h>

#include "front.h"
#include "json.h"
#include "log.h"
#include "login.h"
#include "rate.h"
#include "role.h"
#include "session.h"
#include "storage.h"
#include "turn.h"

#define TICK_MS         250
#define TICKS_PER_STATS 4

#define ADDRESS_SIZE 512

struct role {
    struct worker worker;
    uv_loop_t loop;
    uv_timer_t timer;
    struct turn turn;
    unsigned ticks;
};

uint64_t
worker_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

static void
on_event(const struct storage_event *e, void *data)
{
    struct role *r = data;

    sessions_event(r->worker.sessions, e);
}

static void
on_reset(void *data)
{
    struct role *r = data;

    sessions_reset(r->worker.sessions);
}

static void
on_lost(void *data)
{
    struct role *r = data;

    sessions_lost(r->worker.sessions);
}

static void
on_tick(uv_timer_t *timer)
{
    struct role *r = timer->data;

    sessions_tick(r->worker.sessions);
    if (++r->ticks % TICKS_PER_STATS == 0) {
        r->worker.counters.turn_us = turn_longest_us(&r->turn);
        r->worker.counters.turn_cpu_us = turn_longest_cpu_us(&r->turn);
        front_stats(r->worker.front);
    }
}

static void
on_storage_closed(void *data)
{
    (void) data;
    role_close();
}

static void
on_front_closed(void *data)
{
    struct role *r = data;

    storage_close(r->worker.storage, on_storage_closed, r);
}

static void
on_stop(void *data)
{
    struct role *r = data;

    uv_close((uv_handle_t *) &r->timer, NULL);
    turn_close(&r->turn);
    logins_close(r->worker.logins);
    front_close(r->worker.front, on_front_closed, r);
}

static void
on_settings(const struct settings *s, void *data)
{
    struct role *r = data;

    log_info("settings generation %llu", (unsigned long long) s->generation);
    front_settings_changed(r->worker.front, s);
}

static void
on_notice(enum log_level level, const char *line, void *data)
{
    struct role *r = data;

    front_notice(r->worker.front, level, line);
}

static int
open_storage(struct role *r)
{
    struct worker *w = &r->worker;
    struct storage_handlers handlers = {
        .event = on_event, .reset = on_reset, .lost = on_lost, .data = r};
    const char *error = NULL;
    char address[ADDRESS_SIZE];
    int len = snprintf(address, sizeof(address), "remote:%u:%s/store.sock",
                       w->config->index, w->config->run_dir);

    if (len < 0 || (size_t) len >= sizeof(address)) {
        log_error("the run directory's path is too long for a socket: %s",
                  w->config->run_dir);
        return -1;
    }
    w->storage = storage_open(w->loop, address, &handlers, &error);
    if (w->storage == NULL) {
        log_error("store: %s", error);
        return -1;
    }
    return 0;
}

static int
open_parts(struct role *r)
{
    struct worker *w = &r->worker;

    w->json = json_create();
    w->rate = rate_create();
    w->sessions = sessions_create(w);
    w->logins = logins_create(w);
    w->front = front_create(w);
    if (w->json == NULL || w->rate == NULL || w->sessions == NULL
        || w->logins == NULL || w->front == NULL) {
        log_error("out of memory");
        return -1;
    }
    return open_storage(r) != 0 || front_listen(w->front) != 0 ? -1 : 0;
}

static void
free_parts(struct worker *w)
{
    front_free(w->front);
    logins_free(w->logins);
    sessions_free(w->sessions);
    rate_free(w->rate);
    json_free(w->json);
}

int
worker_main(const struct role_config *config)
{
    static struct role role;
    struct role *r = &role;
    struct role_handlers handlers = {.stop = on_stop,
                                     .settings_changed = on_settings,
                                     .notice = on_notice,
                                     .data = r};

    log_set_hook(role_report, NULL);
    r->worker.config = config;
    r->worker.loop = &r->loop;
    if (uv_loop_init(&r->loop) != 0) {
        log_error("cannot make an event loop");
        return EXIT_FAILURE;
    }
    if (open_parts(r) != 0 || role_init(&r->loop, config, &handlers) != 0) {
        return ROLE_EXIT_UNUSABLE;
    }
    if (turn_init(&r->turn, &r->loop) != 0) {
        log_error("cannot watch the event loop");
        return EXIT_FAILURE;
    }
    uv_timer_init(&r->loop, &r->timer);
    r->timer.data = r;
    uv_timer_start(&r->timer, on_tick, TICK_MS, TICK_MS);
    log_info("ready");

    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
    free_parts(&r->worker);
    return EXIT_SUCCESS;
}
