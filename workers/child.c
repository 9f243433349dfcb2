/*
 * Starts, watches and restarts one role, as child.h says.
 */

#include "child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

#define CHILD_DELAY_MS     30   /* after a role that had served          */
#define CHILD_DELAY_MAX_MS 5000 /* after one that keeps dying at start   */
#define CHILD_SERVED_MS    1000 /* lives this long: it was no bad start  */

void
child_init(struct child *c, const struct child_pool *pool, enum role_type type,
           unsigned index)
{
    memset(c, 0, sizeof(*c));
    c->pool = pool;
    c->type = type;
    c->index = index;
    uv_timer_init(pool->loop, &c->again);
    c->again.data = c;
}

const char *
child_name(const struct child *c, char *to, size_t size)
{
    if (c->type == ROLE_STORE) {
        snprintf(to, size, "store");
    } else {
        snprintf(to, size, "worker %u", c->index);
    }
    return to;
}

static void
on_again(uv_timer_t *timer)
{
    child_start(timer->data);
}

/* When its handles are closed: see on_gone. */
static void
choose_delay(struct child *c, bool served)
{
    unsigned delay = c->delay_ms * 2;

    if (served || delay == 0) {
        delay = CHILD_DELAY_MS;
    }
    c->delay_ms = delay < CHILD_DELAY_MAX_MS ? delay : CHILD_DELAY_MAX_MS;
}

static void
on_gone(struct child *c)
{
    if (--c->n_handles != 0) {
        return;
    }
    c->state = CHILD_DOWN;
    if (!c->stopping) {
        uv_timer_start(&c->again, on_again, c->delay_ms, 0);
    }
    c->pool->ended(c, c->pool->data);
}

static void
on_process_closed(uv_handle_t *handle)
{
    on_gone(handle->data);
}

static void
on_control_closed(void *data)
{
    on_gone(data);
}

static void
close_process(struct child *c)
{
    c->state = CHILD_ENDING;
    c->links = 0;
    uv_close((uv_handle_t *) &c->process, on_process_closed);
    control_close(&c->control);
}

static void
on_exit(uv_process_t *process, int64_t status, int signal_number)
{
    struct child *c = process->data;
    uint64_t lived_ms = uv_now(c->pool->loop) - c->started_ms;
    bool served = lived_ms >= CHILD_SERVED_MS && status != ROLE_EXIT_UNUSABLE;
    char name[32];

    /* before anything is logged: lines may go to this very child */
    c->state = CHILD_ENDING;
    child_name(c, name, sizeof(name));
    if (c->stopping) {
        log_info("%s (%d) ended", name, process->pid);
    } else if (signal_number != 0) {
        log_error("%s (%d) was ended by signal %d; it is started again", name,
                  process->pid, signal_number);
    } else {
        log_notice("%s (%d) ended with status %d; it is started again", name,
                   process->pid, (int) status);
    }
    choose_delay(c, served);
    close_process(c);
}

static void
on_line(char *line, void *data)
{
    struct child *c = data;

    if (c->state == CHILD_RUNNING) {
        c->pool->line(c, line, c->pool->data);
    }
}

/* The process's end is what counts; that comes by itself. */
static void
on_end(void *data)
{
    (void) data;
}

static int
spawn(struct child *c)
{
    uv_stdio_container_t stdio[ROLE_PARENT_FD + 1];
    uv_process_options_t o = {0};

    for (int fd = 0; fd < ROLE_PARENT_FD; fd++) {
        stdio[fd].flags = UV_INHERIT_FD;
        stdio[fd].data.fd = fd;
    }
    stdio[ROLE_PARENT_FD].flags =
        (uv_stdio_flags) (UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE);
    stdio[ROLE_PARENT_FD].data.stream = (uv_stream_t *) &c->control.pipe;

    o.exit_cb = on_exit;
    o.stdio = stdio;
    o.stdio_count = ROLE_PARENT_FD + 1;
    c->pool->prepare(c, &o, c->pool->data);
    return uv_spawn(c->pool->loop, &c->process, &o);
}

void
child_start(struct child *c)
{
    char name[32];

    if (c->state != CHILD_DOWN || c->stopping) {
        return;
    }

    control_init(&c->control, c->pool->loop);
    c->control.line = on_line;
    c->control.end = on_end;
    c->control.closed = on_control_closed;
    c->control.data = c;
    c->process.data = c;
    c->n_handles = 2;
    c->starts++;
    c->started_ms = uv_now(c->pool->loop);

    int error = spawn(c);

    child_name(c, name, sizeof(name));
    if (error != 0) {
        log_error("cannot start %s: %s", name, uv_strerror(error));
        choose_delay(c, false);
        close_process(c);
        return;
    }

    c->state = CHILD_RUNNING;
    log_info("%s (%d) started", name, c->process.pid);
    if (control_start(&c->control) != 0) {
        child_kill(c);
    }
    c->pool->started(c, c->pool->data);
}

void
child_stop(struct child *c)
{
    if (c->stopping) {
        return;
    }
    c->stopping = true;
    uv_timer_stop(&c->again);

    if (c->state == CHILD_DOWN) {
        c->pool->ended(c, c->pool->data);
        return;
    }
    control_close(&c->control);
}

void
child_kill(struct child *c)
{
    if (c->state == CHILD_RUNNING) {
        uv_process_kill(&c->process, SIGKILL);
    }
}

void
child_close(struct child *c)
{
    uv_close((uv_handle_t *) &c->again, NULL);
}
