/* A redis-server of a test's own, on a Unix socket in a directory of its own. */

#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

static char server_dir[] = "/tmp/chat-redis-XXXXXX";
static char server_socket[64], server_where[80];
static pid_t server_pid;

static void
server_prepare(void)
{
    if (mkdtemp(server_dir) == NULL) {
        abort();
    }
    snprintf(server_socket, sizeof(server_socket), "%s/s", server_dir);
    snprintf(server_where, sizeof(server_where), "unix:%s/s", server_dir);
}

/* With one more option and its value, or NULL. */
static void
server_start(const char *option, const char *value)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, rc = -1;

    unlink(server_socket);
    server_pid = fork();
    if (server_pid == 0) {
        /* it ends with the test, however that ends */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0
            || freopen("/dev/null", "w", stdout) == NULL
            || freopen("/dev/null", "w", stderr) == NULL) {
            _exit(126);
        }
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
               server_socket, "--save", "", "--dir", server_dir, option, value,
               (char *) NULL);
        _exit(127);
    }
    strcpy(address.sun_path, server_socket);
    for (int i = 0; i < 2000 && rc != 0; i++) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        rc = connect(fd, (struct sockaddr *) &address, sizeof(address));
        close(fd);
        usleep(5000);
    }
    if (rc != 0) {
        abort();
    }
}

static void
server_kill(void)
{
    if (server_pid != 0) {
        kill(server_pid, SIGKILL);
        waitpid(server_pid, NULL, 0);
        server_pid = 0;
    }
    unlink(server_socket);
}

static void
server_remove(void)
{
    char path[PATH_MAX];
    static const char *const files[] = {"a/machine", "b/machine", "a",
                                        "b",         "secret",    "f"};

    server_kill();
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", server_dir, files[i]);
        (void) remove(path);
    }
    rmdir(server_dir);
}

static void
server_tick(uv_timer_t *timer)
{
    (void) timer;
}

/* Turns the loop until the condition is true, for which a machine that is not
 * busy has so many seconds. */
#define turn_until(loop, condition, seconds)                                   \
    do {                                                                       \
        uv_timer_t turn_timer;                                                 \
        uint64_t turn_end = uv_hrtime() + 3 * (seconds) *1000000000ull;        \
                                                                               \
        uv_timer_init((loop), &turn_timer);                                    \
        uv_timer_start(&turn_timer, server_tick, 2, 2);                        \
        while (!(condition) && uv_hrtime() < turn_end) {                       \
            uv_run((loop), UV_RUN_ONCE);                                       \
        }                                                                      \
        uv_close((uv_handle_t *) &turn_timer, NULL);                           \
        uv_run((loop), UV_RUN_NOWAIT);                                         \
        assert_true(condition);                                                \
    } while (0)

#endif
