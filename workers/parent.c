/*
 * The parent's loop.  Everything hangs on one struct parent, which lives as
 * long as the process.
 *
 * An end, whether asked for or since no nginx is left, goes in this order:
 * the workers, so that they hand the store what they hold; the store, which
 * commits it; the sockets, the pid file and the lock.
 */

#include "parent.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chat_wire.h"
#include "child.h"
#include "log.h"
#include "rundir.h"

#define PARENT_FIRST_NGINX_S 10 /* to wait for one, with -e */
#define PARENT_ENV_MAX       8192

/* Notices that wait for worker 0 to be there. */
#define PARENT_NOTICES_MAX 16

struct parent {
    const struct options *options;
    struct rundir rundir;
    struct settings settings;
    char log_path[PATH_MAX];

    uv_loop_t loop;
    struct child_pool pool;
    struct child store;
    struct child workers[CHAT_WIRE_WORKERS_MAX];
    unsigned n_alive; /* children with a process, or to be started again */
    bool stopping;

    uv_signal_t signals[4];
    uv_timer_t end;  /* -e */
    uv_timer_t kill; /* while stopping */
    unsigned links;  /* of nginx, over all workers */

    struct {
        enum log_level level;
        char *line;
    } notices[PARENT_NOTICES_MAX];
    unsigned n_notices;

    /* what child_start's exec needs, see prepare */
    char title[64];
    char *args[2];
    char env_options[PARENT_ENV_MAX];
};

static void stop(struct parent *p, const char *why);

/* Into the environment every exec of a role takes over: 0 or -1. */
static int
format_options(struct parent *p, const struct child *c)
{
    static const char name[] = OPTIONS_ENV "=";
    size_t at = sizeof(name) - 1;
    struct options options = *p->options;

    options.is_role = true;
    options.ends = false;
    options.run_dir = p->rundir.path;
    options.log_path = p->log_path;
    options.workers = p->settings.workers;
    options.store = p->settings.store;
    options.redis = p->settings.redis[0] == '\0' ? NULL : p->settings.redis;
    options.role = (struct role_config){
        .type = c->type,
        .index = c->index,
        .starts = c->starts,
        .settings = p->settings,
    };
    memcpy(p->env_options, name, at);
    return options_format(&options, p->env_options + at,
                          sizeof(p->env_options) - at);
}

static void
prepare(const struct child *c, uv_process_options_t *o, void *data)
{
    struct parent *p = data;
    char name[32];

    /* start() has seen that these options can be formatted; only memory can
     * be missing, and then the role itself refuses what it gets */
    if (format_options(p, c) != 0) {
        log_error("no memory for the options of a role");
        snprintf(p->env_options, sizeof(p->env_options), OPTIONS_ENV "=");
    }

    snprintf(p->title, sizeof(p->title), "chatd: %s",
             child_name(c, name, sizeof(name)));
    p->args[0] = p->title;
    p->args[1] = NULL;
    o->file = options_program();
    o->args = p->args;
}

static void
send_notice(struct parent *p, enum log_level level, const char *line)
{
    if (p->workers[0].state == CHILD_RUNNING) {
        control_send(&p->workers[0].control, "notice %u %s", (unsigned) level,
                     line);
    } else if (p->n_notices < PARENT_NOTICES_MAX) {
        char *copy = strdup(line);

        if (copy != NULL) {
            p->notices[p->n_notices].level = level;
            p->notices[p->n_notices++].line = copy;
        }
    }
}

static void
on_log(enum log_level level, const char *line, void *data)
{
    send_notice(data, level, line);
}

static void
send_waiting_notices(struct parent *p)
{
    if (p->workers[0].state != CHILD_RUNNING) {
        return;
    }
    for (unsigned i = 0; i < p->n_notices; i++) {
        send_notice(p, p->notices[i].level, p->notices[i].line);
        free(p->notices[i].line);
    }
    p->n_notices = 0;
}

static void
for_each_child(struct parent *p, void (*f)(struct child *c, void *data),
               void *data)
{
    for (unsigned i = 0; i < p->settings.n_workers; i++) {
        f(&p->workers[i], data);
    }
    f(&p->store, data);
}

static void
send_settings(struct child *c, void *data)
{
    const struct settings *s = data;

    if (c->state == CHILD_RUNNING) {
        control_send(&c->control, "settings %llu %lu %u %llu",
                     (unsigned long long) s->generation,
                     (unsigned long) s->hash, s->presence_timeout_s,
                     (unsigned long long) s->cache_bytes);
    }
}

static void
send_reopen(struct child *c, void *data)
{
    (void) data;
    if (c->state == CHILD_RUNNING) {
        control_send(&c->control, "reopen");
    }
}

static void
kill_child(struct child *c, void *data)
{
    (void) data;
    child_kill(c);
}

static void
close_child(struct child *c, void *data)
{
    (void) data;
    child_close(c);
}

/* Workers, store and Redis are fixed while the pool lives. */
static void
compare(const struct settings *s, const struct settings *read)
{
    if (read->workers != s->workers || strcmp(read->store, s->store) != 0) {
        log_notice("other workers or another store take effect when the pool "
                   "is started again");
    }
    if (strcmp(read->redis, s->redis) != 0) {
        log_notice("another chat_redis takes effect when the pool is started "
                   "again");
    }
}

static void
reload(struct parent *p)
{
    struct settings *s = &p->settings;
    struct settings read;

    if (settings_read(&read, p->rundir.path) != 0) {
        return;
    }
    if (read.generation < s->generation) {
        log_notice("settings of generation %llu are older than %llu, which "
                   "stay in force",
                   (unsigned long long) read.generation,
                   (unsigned long long) s->generation);
        return;
    }
    if (read.generation == s->generation) {
        if (read.hash != s->hash) {
            log_error("settings of generation %llu exist with two contents; "
                      "the first stay in force",
                      (unsigned long long) s->generation);
            return;
        }
        compare(s, &read);
        if (read.presence_timeout_s != s->presence_timeout_s
            || read.cache_bytes != s->cache_bytes) {
            s->presence_timeout_s = read.presence_timeout_s;
            s->cache_bytes = read.cache_bytes;
            for_each_child(p, send_settings, s);
        }
        return;
    }
    compare(s, &read);
    s->generation = read.generation;
    s->hash = read.hash;
    s->owner = read.owner;
    s->presence_timeout_s = read.presence_timeout_s;
    s->cache_bytes = read.cache_bytes;
    log_info("settings of generation %llu are in force",
             (unsigned long long) s->generation);
    for_each_child(p, send_settings, s);
}

static void
on_end_timer(uv_timer_t *timer)
{
    stop(timer->data, "no nginx is left");
}

static void
count_links(struct parent *p)
{
    unsigned links = 0;

    for (unsigned i = 0; i < p->settings.n_workers; i++) {
        links += p->workers[i].links;
    }
    if (p->options->ends && !p->stopping) {
        if (links != 0) {
            uv_timer_stop(&p->end);
        } else if (p->links != 0) {
            uv_timer_start(&p->end, on_end_timer,
                           p->options->end_after_s * 1000ull, 0);
        }
    }
    p->links = links;
}

static void
on_line(struct child *c, char *line, void *data)
{
    struct parent *p = data;
    unsigned n;
    int at = 0;

    if (sscanf(line, "links %u", &n) == 1) {
        c->links = n;
        count_links(p);
    } else if (strcmp(line, "settings") == 0) {
        reload(p);
    } else if (sscanf(line, "notice %u %n", &n, &at) == 1 && at != 0) {
        send_notice(p, (enum log_level) n, line + at);
    } else {
        log_warn("unknown line from a role: %s", line);
    }
}

static void
on_started(struct child *c, void *data)
{
    struct parent *p = data;

    /* it was started with the settings of that moment */
    if (c == &p->workers[0]) {
        send_waiting_notices(p);
    }
}

static void
close_loop(struct parent *p)
{
    for_each_child(p, close_child, NULL);
    for (size_t i = 0; i < sizeof(p->signals) / sizeof(p->signals[0]); i++) {
        uv_close((uv_handle_t *) &p->signals[i], NULL);
    }
    uv_close((uv_handle_t *) &p->end, NULL);
    uv_close((uv_handle_t *) &p->kill, NULL);
}

static void
on_ended(struct child *c, void *data)
{
    struct parent *p = data;

    (void) c;
    count_links(p);
    if (!p->stopping) {
        return;
    }
    p->n_alive--;
    if (p->n_alive == 1) {
        child_stop(&p->store);
    } else if (p->n_alive == 0) {
        close_loop(p);
    }
}

static void
on_kill_timer(uv_timer_t *timer)
{
    struct parent *p = timer->data;

    log_error("roles did not end within %d s and are killed", ROLE_STOP_S);
    for_each_child(p, kill_child, NULL);
}

static void
stop(struct parent *p, const char *why)
{
    if (p->stopping) {
        return;
    }
    log_info("pool ends: %s", why);
    p->stopping = true;
    p->n_alive = p->settings.n_workers + 1;
    uv_timer_stop(&p->end);
    uv_timer_start(&p->kill, on_kill_timer, ROLE_STOP_S * 1000ull,
                   ROLE_STOP_S * 1000ull);
    for (unsigned i = 0; i < p->settings.n_workers; i++) {
        child_stop(&p->workers[i]);
    }
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct parent *p = handle->data;

    switch (number) {
    case SIGHUP:
        reload(p);
        break;
    case SIGUSR1:
        log_reopen();
        for_each_child(p, send_reopen, NULL);
        break;
    default:
        stop(p, number == SIGINT ? "SIGINT" : "SIGTERM");
    }
}

static int
open_loop(struct parent *p)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&p->loop) != 0) {
        log_error("cannot make an event loop");
        return -1;
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        if (uv_signal_start(&p->signals[i], on_signal, numbers[i]) != 0) {
            log_error("cannot watch signal %d", numbers[i]);
            return -1;
        }
    }
    uv_timer_init(&p->loop, &p->end);
    uv_timer_init(&p->loop, &p->kill);
    p->end.data = p;
    p->kill.data = p;
    return 0;
}

static void
start_children(struct parent *p)
{
    p->pool = (struct child_pool){
        .loop = &p->loop,
        .prepare = prepare,
        .started = on_started,
        .line = on_line,
        .ended = on_ended,
        .data = p,
    };
    child_init(&p->store, &p->pool, ROLE_STORE, 0);
    for (unsigned i = 0; i < p->settings.n_workers; i++) {
        child_init(&p->workers[i], &p->pool, ROLE_WORKER, i);
    }
    log_set_hook(on_log, p);

    child_start(&p->store);
    for (unsigned i = 0; i < p->settings.n_workers; i++) {
        child_start(&p->workers[i]);
    }
    if (p->options->ends) {
        uv_timer_start(&p->end, on_end_timer, PARENT_FIRST_NGINX_S * 1000ull,
                       0);
    }
}

static int
read_settings(struct parent *p)
{
    const struct options *o = p->options;
    char store[SETTINGS_STORE_MAX];
    int n = o->store != NULL ? snprintf(store, sizeof(store), "%s", o->store)
                             : snprintf(store, sizeof(store),
                                        "leveldb:%s/store", p->rundir.path);

    switch (settings_read(&p->settings, p->rundir.path)) {
    case 0:
        return 0;
    case -1:
        return -1;
    }
    if (n >= (int) sizeof(store)
        || settings_init(&p->settings, o->workers, store) != 0) {
        log_error("bad address of a store: %s", store);
        return -1;
    }
    if (o->redis != NULL) {
        (void) settings_set_redis(&p->settings, o->redis);
    }
    if (o->presence_given) {
        p->settings.presence_timeout_s = o->presence_timeout_s;
    }
    if (o->cache_bytes != 0) {
        p->settings.cache_bytes = o->cache_bytes;
    }
    return 0;
}

static int
open_log(struct parent *p)
{
    const struct options *o = p->options;
    bool to_stderr = o->log_path != NULL && strcmp(o->log_path, "-") == 0;
    int n = o->log_path != NULL
                ? snprintf(p->log_path, sizeof(p->log_path), "%s", o->log_path)
                : snprintf(p->log_path, sizeof(p->log_path), "%s/chatd.log",
                           p->rundir.path);

    if (n >= (int) sizeof(p->log_path)
        || log_open(to_stderr ? NULL : p->log_path, "parent",
                    o->verbose ? LOG_DEBUG : LOG_INFO)
               != 0) {
        log_error("cannot open the log %s", p->log_path);
        return -1;
    }
    return 0;
}

/* All that can go wrong for good. */
static int
start(struct parent *p)
{
    /* the group may connect (nginx under another user), nobody else */
    umask(007);

    if (rundir_open(&p->rundir, p->options->run_dir) != 0
        || rundir_lock(&p->rundir) != 0) {
        return -1;
    }
    if (read_settings(p) != 0 || open_log(p) != 0 || open_loop(p) != 0) {
        return -1;
    }

    /* not a copy, as setenv makes: it changes with each start of a role */
    if (format_options(p, &p->store) != 0 || putenv(p->env_options) != 0) {
        log_error("paths are too long or have a newline");
        return -1;
    }
    rundir_write_pid(&p->rundir);
    rundir_clean_sockets(&p->rundir);
    return 0;
}

int
parent_main(const struct options *o)
{
    static struct parent parent;
    struct parent *p = &parent;

    p->options = o;
    if (start(p) != 0) {
        rundir_close(&p->rundir);
        return EXIT_FAILURE;
    }
    log_info("pool of %u workers, store %s, generation %llu",
             p->settings.n_workers, p->settings.store,
             (unsigned long long) p->settings.generation);
    start_children(p);
    uv_run(&p->loop, UV_RUN_DEFAULT);

    log_set_hook(NULL, NULL);
    while (p->n_notices != 0) {
        free(p->notices[--p->n_notices].line);
    }
    uv_loop_close(&p->loop);
    rundir_clean_sockets(&p->rundir);
    log_info("pool has ended");
    log_close();
    rundir_close(&p->rundir);
    return EXIT_SUCCESS;
}
