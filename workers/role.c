/*
 * The role's end of what role.h describes.
 */

#include "role.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

enum role_state {
    ROLE_STARTING,
    ROLE_OPEN,
    ROLE_CLOSED,
};

static struct {
    enum role_state state;
    bool stopping;
    struct control control;
    uv_signal_t terminate;
    uv_signal_t reopen;
    struct role_handlers handlers;
    struct settings settings;
} role;

static void
stop(const char *why)
{
    if (role.stopping) {
        return;
    }
    role.stopping = true;
    log_info("ends: %s", why);

    /* the parent may be gone and could not kill a role that hangs */
    alarm(ROLE_STOP_S);
    if (role.handlers.stop != NULL) {
        role.handlers.stop(role.handlers.data);
    }
}

static void
on_end(void *data)
{
    (void) data;
    stop("the parent closed its socket");
}

static void
on_terminate(uv_signal_t *handle, int number)
{
    (void) handle;
    (void) number;
    stop("asked to terminate");
}

static void
on_reopen(uv_signal_t *handle, int number)
{
    (void) handle;
    (void) number;
    log_reopen();
}

static void
on_line(char *line, void *data)
{
    uint64_t generation, cache;
    uint32_t hash;
    unsigned level, presence;
    int at = 0;

    (void) data;
    if (sscanf(line, "settings %" SCNu64 " %" SCNu32 " %u %" SCNu64,
               &generation, &hash, &presence, &cache)
        == 4) {
        role.settings.presence_timeout_s = presence;
        role.settings.cache_bytes = cache;
        role.settings.generation = generation;
        role.settings.hash = hash;
        if (role.handlers.settings_changed != NULL) {
            role.handlers.settings_changed(&role.settings, role.handlers.data);
        }
    } else if (strcmp(line, "reopen") == 0) {
        log_reopen();
    } else if (sscanf(line, "notice %u %n", &level, &at) == 1 && at != 0) {
        if (role.handlers.notice != NULL) {
            role.handlers.notice((enum log_level) level, line + at,
                                 role.handlers.data);
        }
    } else {
        log_warn("unknown line from the parent: %s", line);
    }
}

/* A loop that hangs does not see the end of the parent's socket. */
static void
on_parent_death(int number)
{
    (void) number;
    alarm(ROLE_STOP_S);
}

static int
watch_signals(uv_loop_t *loop)
{
    struct sigaction death = {
        .sa_handler = on_parent_death,
        .sa_flags = SA_RESTART,
    };

    uv_signal_init(loop, &role.terminate);
    uv_signal_init(loop, &role.reopen);
    if (uv_signal_start(&role.terminate, on_terminate, SIGTERM) != 0
        || uv_signal_start(&role.reopen, on_reopen, SIGUSR1) != 0) {
        log_error("cannot watch signals");
        return -1;
    }

    if (sigaction(SIGUSR2, &death, NULL) != 0
        || prctl(PR_SET_PDEATHSIG, SIGUSR2) != 0) {
        log_error("cannot watch the parent: %s", strerror(errno));
        return -1;
    }

    /* a terminal sends these to the whole group; the parent decides */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int
role_init(uv_loop_t *loop, const struct role_config *c,
          const struct role_handlers *handlers)
{
    role.handlers = *handlers;
    role.settings = c->settings;

    control_init(&role.control, loop);
    role.control.line = on_line;
    role.control.end = on_end;
    role.state = ROLE_OPEN;

    int error = uv_pipe_open(&role.control.pipe, ROLE_PARENT_FD);

    if (error != 0) {
        log_error("no socket to the parent: %s", uv_strerror(error));
    }
    if (watch_signals(loop) != 0 || error != 0
        || control_start(&role.control) != 0) {
        role_close();
        return -1;
    }
    return 0;
}

void
role_close(void)
{
    if (role.state == ROLE_OPEN) {
        role.state = ROLE_CLOSED;
        control_close(&role.control);
        uv_close((uv_handle_t *) &role.terminate, NULL);
        uv_close((uv_handle_t *) &role.reopen, NULL);
    }
}

void
role_report_links(unsigned n)
{
    if (role.state == ROLE_OPEN) {
        control_send(&role.control, "links %u", n);
    }
}

void
role_request_settings(void)
{
    if (role.state == ROLE_OPEN) {
        control_send(&role.control, "settings");
    }
}

void
role_report(enum log_level level, const char *line, void *data)
{
    char text[CONTROL_LINE_MAX];

    (void) data;
    if (role.state == ROLE_CLOSED) {
        return;
    }
    if (role.state == ROLE_OPEN) {
        control_send(&role.control, "notice %u %s", (unsigned) level, line);
        return;
    }

    int n =
        snprintf(text, sizeof(text), "notice %u %s\n", (unsigned) level, line);

    /* before role_init; there is nobody to tell of a failure */
    if (n > 0 && n < (int) sizeof(text)) {
        (void) send(ROLE_PARENT_FD, text, (size_t) n,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* mode 0: as the umask has it */
static int
listen_on(uv_loop_t *loop, const struct role_config *c, const char *name,
          mode_t mode, uv_pipe_t *pipe, uv_connection_cb on_connection)
{
    struct sockaddr_un address;
    char path[PATH_MAX];
    char own[PATH_MAX + 16];
    int n = snprintf(path, sizeof(path), "%s/%s", c->run_dir, name);
    int error = UV_ENAMETOOLONG;

    uv_pipe_init(loop, pipe, 0);

    /* a name of this process's own, renamed when it is ready: libuv unlinks
     * the name at the end, when the other may be a successor's */
    if (n < (int) sizeof(path)) {
        n = snprintf(own, sizeof(own), "%s.%ld", path, (long) getpid());
        if (n < (int) sizeof(address.sun_path)) {
            unlink(own);
            error = uv_pipe_bind(pipe, own);
        }
    }

    /* before anybody can connect */
    if (error == 0 && mode != 0 && chmod(own, mode) != 0) {
        error = uv_translate_sys_error(errno);
    }
    if (error == 0) {
        error = uv_listen((uv_stream_t *) pipe, SOMAXCONN, on_connection);
    }
    if (error == 0 && rename(own, path) != 0) {
        error = uv_translate_sys_error(errno);
    }
    if (error != 0) {
        log_error("cannot listen on %s: %s", path, uv_strerror(error));
        uv_close((uv_handle_t *) pipe, NULL);
        return -1;
    }
    return 0;
}

int
role_listen(uv_loop_t *loop, const struct role_config *c, const char *name,
            uv_pipe_t *pipe, uv_connection_cb on_connection)
{
    return listen_on(loop, c, name, 0, pipe, on_connection);
}

int
role_listen_private(uv_loop_t *loop, const struct role_config *c,
                    const char *name, uv_pipe_t *pipe,
                    uv_connection_cb on_connection)
{
    return listen_on(loop, c, name, S_IRUSR | S_IWUSR, pipe, on_connection);
}
