/*
 * The reader of RUN_DIR/settings.
 */

#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "chat_wire.h"
#include "log.h"

#define SETTINGS_FILE_MAX 4096

#define CORES_PER_WORKER 4

/* Both sides hash exactly these two lines. */
static void
finish(struct settings *s)
{
    char text[SETTINGS_STORE_MAX + 64];
    int n = snprintf(text, sizeof(text), "workers %u\nstore %s\n", s->workers,
                     s->store);

    s->hash = chat_wire_hash(text, (size_t) n);

    s->n_workers = s->workers;
    if (s->n_workers == 0) {
        s->n_workers = uv_available_parallelism() / CORES_PER_WORKER;
    }
    if (s->n_workers == 0) {
        s->n_workers = 1;
    }
    if (s->n_workers > CHAT_WIRE_WORKERS_MAX) {
        s->n_workers = CHAT_WIRE_WORKERS_MAX;
    }
}

int
settings_init(struct settings *s, unsigned workers, const char *store)
{
    size_t len = strlen(store);

    if (workers > CHAT_WIRE_WORKERS_MAX || len == 0 || len >= SETTINGS_STORE_MAX
        || strchr(store, '\n') != NULL) {
        return -1;
    }
    memset(s, 0, sizeof(*s));
    s->presence_timeout_s = SETTINGS_PRESENCE_S;
    s->cache_bytes = SETTINGS_CACHE_BYTES;
    s->workers = workers;
    memcpy(s->store, store, len + 1);
    finish(s);
    return 0;
}

static int
parse_number(const char *text, unsigned long long max, unsigned long long *out)
{
    char *end;

    if (*text < '0' || *text > '9') {
        return -1;
    }
    errno = 0;
    *out = strtoull(text, &end, 10);
    return (errno != 0 || *end != '\0' || *out > max) ? -1 : 0;
}

int
settings_parse_workers(const char *text, unsigned *workers)
{
    unsigned long long n = 0;

    if (strcmp(text, "auto") != 0
        && parse_number(text, CHAT_WIRE_WORKERS_MAX, &n) != 0) {
        return -1;
    }
    *workers = (unsigned) n;
    return 0;
}

int
settings_set_redis(struct settings *s, const char *text)
{
    struct redis_config config;

    if (*text != '\0' && redis_config_parse(&config, text) != 0) {
        return -1;
    }
    memcpy(s->redis, text, strlen(text) + 1);
    return 0;
}

/* Keys of a later version are passed over. */
static int
parse_line(struct settings *s, const char *key, const char *value)
{
    unsigned long long n = 0;
    int status = 0;

    if (strcmp(key, "generation") == 0) {
        status = parse_number(value, ULLONG_MAX, &n);
        s->generation = n;
    } else if (strcmp(key, "workers") == 0) {
        status = settings_parse_workers(value, &s->workers);
    } else if (strcmp(key, "owner") == 0) {
        status = parse_number(value, INT_MAX, &n);
        s->owner = (long) n;
    } else if (strcmp(key, "presence_timeout") == 0) {
        status = parse_number(value, SETTINGS_PRESENCE_MAX, &n);
        s->presence_timeout_s = (unsigned) n;
    } else if (strcmp(key, "cache") == 0) {
        status = parse_number(value, SETTINGS_CACHE_MAX, &n);
        s->cache_bytes = n;
    } else if (strcmp(key, "redis") == 0) {
        status = settings_set_redis(s, value);
    } else if (strcmp(key, "store") == 0) {
        size_t len = strlen(value);

        if (len == 0 || len >= sizeof(s->store)) {
            return -1;
        }
        memcpy(s->store, value, len + 1);
    }
    return status;
}

int
settings_parse(struct settings *s, const char *text, size_t len)
{
    struct settings read = {.presence_timeout_s = SETTINGS_PRESENCE_S,
                            .cache_bytes = SETTINGS_CACHE_BYTES};
    char copy[SETTINGS_FILE_MAX + 1];
    char *rest = copy;
    char *line;

    if (len > SETTINGS_FILE_MAX || memchr(text, '\0', len) != NULL) {
        log_error("settings: too long, or not text");
        return -1;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';

    while ((line = strsep(&rest, "\n")) != NULL) {
        char *value = strchr(line, ' ');

        if (*line == '\0') {
            continue;
        }
        if (value != NULL) {
            *value++ = '\0';
        }
        if (value == NULL || parse_line(&read, line, value) != 0) {
            log_error("settings: bad value of \"%s\"", line);
            return -1;
        }
    }
    if (read.store[0] == '\0') {
        log_error("settings: no store is named");
        return -1;
    }
    finish(&read);
    *s = read;
    return 0;
}

int
settings_read(struct settings *s, const char *run_dir)
{
    char path[PATH_MAX];
    char text[SETTINGS_FILE_MAX + 1];
    size_t len = 0;
    ssize_t n;

    if (snprintf(path, sizeof(path), "%s/settings", run_dir)
        >= (int) sizeof(path)) {
        log_error("settings: run directory's path is too long");
        return -1;
    }

    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1) {
        if (errno == ENOENT) {
            return 1;
        }
        log_error("cannot open %s: %s", path, strerror(errno));
        return -1;
    }
    do {
        n = read(fd, text + len, sizeof(text) - len);
        len += n > 0 ? (size_t) n : 0;
    } while (n > 0 && len < sizeof(text));

    if (n < 0) {
        log_error("cannot read %s: %s", path, strerror(errno));
    }
    close(fd);
    return n < 0 ? -1 : settings_parse(s, text, len);
}
