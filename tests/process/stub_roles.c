/*
 * Roles without chat, linked with the real parent in place of worker.c and
 * store.c: they listen, count connections as if each were an nginx link, and
 * log what the parent tells them, so that test_parent.py can look at the
 * parent alone.
 *
 * A byte from a connection makes a worker: 's' ask for the settings, 'w' log
 * a warning, 'l' loop for ever.  Files in the run directory: `unusable` makes the store give up
 * at start, `hang` makes a role ignore the order to stop.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <uv.h>

#include "role.h"
#include "storage.h"
#include "store.h"
#include "worker.h"

static uv_loop_t loop;
static uv_pipe_t listener;
static const struct role_config *config;
static unsigned n_links;

static bool
run_dir_has(const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", config->run_dir, name);
    return access(path, F_OK) == 0;
}

static void
on_stop(void *data)
{
    (void) data;
    if (run_dir_has("hang")) {
        return;
    }
    uv_close((uv_handle_t *) &listener, NULL);
    role_close();
}

static void
on_settings(const struct settings *s, void *data)
{
    (void) data;
    log_info("told of generation %llu", (unsigned long long) s->generation);
}

static void
on_notice(enum log_level level, const char *line, void *data)
{
    (void) data;
    log_info("carries %d: %s", (int) level, line);
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle);
    role_report_links(--n_links);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char byte;

    (void) handle;
    (void) suggested;
    *buf = uv_buf_init(&byte, 1);
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    if (n < 0) {
        uv_close((uv_handle_t *) stream, on_closed);
    } else if (n > 0 && buf->base[0] == 's') {
        role_request_settings();
    } else if (n > 0 && buf->base[0] == 'w') {
        log_warn("warned by a worker");
    } else if (n > 0 && buf->base[0] == 'l') {
        for (volatile bool hung = true; hung;) {
        }
    }
}

static void
on_connection(uv_stream_t *server, int status)
{
    uv_pipe_t *pipe = malloc(sizeof(*pipe));

    if (status < 0 || pipe == NULL) {
        abort();
    }
    uv_pipe_init(&loop, pipe, 0);
    if (uv_accept(server, (uv_stream_t *) pipe) != 0) {
        abort();
    }
    uv_read_start((uv_stream_t *) pipe, on_alloc, on_read);
    role_report_links(++n_links);
}

static int
run(const struct role_config *c, const char *socket_name)
{
    struct role_handlers handlers = {on_stop, on_settings, on_notice, NULL};

    config = c;
    log_set_hook(role_report, NULL);
    log_info("start %u, generation %llu, %u workers, store %s", c->starts,
             (unsigned long long) c->settings.generation, c->settings.n_workers,
             c->settings.store);
    if (c->type == ROLE_STORE && run_dir_has("unusable")) {
        log_error("the store is locked by another process");
        return ROLE_EXIT_UNUSABLE;
    }

    uv_loop_init(&loop);
    if (role_init(&loop, c, &handlers) != 0
        || role_listen(&loop, c, socket_name, &listener, on_connection) != 0) {
        return EXIT_FAILURE;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    log_info("ended in good order");
    log_close();
    return EXIT_SUCCESS;
}

int
worker_main(const struct role_config *c)
{
    char name[32];

    snprintf(name, sizeof(name), "worker-%u.sock", c->index);
    return run(c, name);
}

int
store_main(const struct role_config *c)
{
    return run(c, "store.sock");
}

int
storage_check(const char *path)
{
    printf("checks %s\n", path);
    return 2;
}
