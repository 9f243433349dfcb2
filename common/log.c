/*
 * The log of log.h: one write(2) a line, so that the lines of all processes
 * that append to one file stay whole.
 */

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX  2048
#define LOG_TITLE_MAX 32

static struct {
    int fd;
    char *path; /* NULL: stderr */
    char title[LOG_TITLE_MAX];
    enum log_level max;
    log_hook *hook;
    void *hook_data;
    bool in_hook;
} state = {.fd = STDERR_FILENO, .title = "chatd", .max = LOG_INFO};

static int
open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
                0640);
}

int
log_open(const char *path, const char *title, enum log_level max)
{
    int fd = STDERR_FILENO;
    char *copy = NULL;

    if (path != NULL) {
        copy = strdup(path);
        fd = copy == NULL ? -1 : open_file(path);
        if (fd == -1) {
            free(copy);
            return -1;
        }
    }
    log_close();
    state.fd = fd;
    state.path = copy;
    state.max = max;
    snprintf(state.title, sizeof(state.title), "%s", title);
    return 0;
}

void
log_reopen(void)
{
    if (state.path == NULL) {
        return;
    }

    int fd = open_file(state.path);

    if (fd == -1) {
        log_error("cannot reopen %s: %s", state.path, strerror(errno));
        return;
    }
    close(state.fd);
    state.fd = fd;
}

void
log_close(void)
{
    if (state.path != NULL) {
        close(state.fd);
        free(state.path);
    }
    state.path = NULL;
    state.fd = STDERR_FILENO;
}

void
log_set_hook(log_hook *hook, void *data)
{
    state.hook = hook;
    state.hook_data = data;
}

/* A line is a line, whatever a peer put into a name. */
static void
replace_controls(char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char) s[i] < 0x20 || s[i] == 0x7f) {
            s[i] = '?';
        }
    }
}

static size_t
put_time(char *to, size_t size)
{
    struct timespec now;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);

    size_t n = strftime(to, size, "%Y-%m-%dT%H:%M:%S", &tm);

    return n
           + (size_t) snprintf(to + n, size - n, ".%03dZ ",
                               (int) (now.tv_nsec / 1000000));
}

/* A full disk must not take the process along, and there is nobody to tell:
 * the line is lost. */
static void
write_line(const char *line, size_t len)
{
    ssize_t n;

    do {
        n = write(state.fd, line, len);
    } while (n == -1 && errno == EINTR);
}

bool
log_wanted(enum log_level level)
{
    return level <= state.max;
}

void
log_line(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"",       "error", "warn",
                                        "notice", "info",  "debug"};
    char line[LOG_LINE_MAX];
    int saved_errno = errno;

    if (level > state.max) {
        return;
    }

    size_t at = put_time(line, sizeof(line));

    at += (size_t) snprintf(line + at, sizeof(line) - at, "%s [%s] ",
                            state.title, names[level]);

    va_list args;
    size_t text = at;

    va_start(args, format);
    int n = vsnprintf(line + at, sizeof(line) - at, format, args);
    va_end(args);

    if (n > 0) {
        size_t room = sizeof(line) - 1 - at;

        at += (size_t) n < room ? (size_t) n : room;
    }
    replace_controls(line + text, at - text);
    line[at] = '\n';
    write_line(line, at + 1);

    /* a hook that fails may log, but not into itself */
    if (level <= LOG_NOTICE && state.hook != NULL && !state.in_hook) {
        line[at] = '\0';
        state.in_hook = true;
        state.hook(level, line + text, state.hook_data);
        state.in_hook = false;
    }
    errno = saved_errno;
}
