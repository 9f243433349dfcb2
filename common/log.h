/*
 * The log of a chatd process: a file beside the run directory or stderr (the
 * journal), one line an event: time, title, level, text.  A line of level
 * LOG_NOTICE or graver is also given to the hook, which carries it to nginx's
 * error log.  No message text, no token ever goes in.
 */

#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>

enum log_level {
    LOG_ERROR = 1,
    LOG_WARN = 2,
    LOG_NOTICE = 3,
    LOG_INFO = 4,
    LOG_DEBUG = 5,
};

typedef void log_hook(enum log_level level, const char *line, void *data);

/* path NULL: stderr.  title ("worker 1") stands in each line.  0 or -1. */
int log_open(const char *path, const char *title, enum log_level max);
void log_reopen(void); /* SIGUSR1: after the file was moved away */
void log_close(void);
void log_set_hook(log_hook *hook, void *data);

void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

bool log_wanted(enum log_level level);

#define log_error(...)  log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)   log_line(LOG_WARN, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)   log_line(LOG_INFO, __VA_ARGS__)
/* There are several for each message: what is not wanted is not made. */
#define log_debug(...)                                                         \
    (log_wanted(LOG_DEBUG) ? log_line(LOG_DEBUG, __VA_ARGS__) : (void) 0)

#endif
