/*
 * One getopt table for the command line and for the lines between processes.
 */

#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"

#define OPTIONS_ARGS_MAX 48

static const char usage[] =
    "usage: chatd -d RUN_DIR [-n N|auto] [-s leveldb:PATH] [-l LOGFILE|-]\n"
    "             [-m MIB] [-r REDIS] [-e SECONDS] [-p SECONDS] [-v]\n"
    "       chatd check DIR\n"
    "\n"
    "  -d RUN_DIR  directory of the sockets, the lock, the settings\n"
    "  -n N        workers; auto: one for four cores (default)\n"
    "  -s STORE    where messages are kept (default leveldb:RUN_DIR/store)\n"
    "  -m MIB      of channels and users that are kept in memory (128)\n"
    "  -r REDIS    presence through Redis, with other machines, one argument:\n"
    "              'HOST:PORT|unix:PATH [password_file=PATH] [db=N]'\n"
    "  -l LOGFILE  - for stderr (default RUN_DIR/chatd.log)\n"
    "  -e SECONDS  end this long after the last nginx has gone\n"
    "  -p SECONDS  users stay online after their last sign of life (60)\n"
    "  -v          log debug lines\n"
    "\n"
    "RUN_DIR/settings, which nginx writes, goes before -n, -s, -m, -r and -p.\n"
    "`chatd check` verifies a store that no process has open.\n";

static int
get_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return (*text < '0' || *text > '9' || *end != '\0' || errno != 0
            || *out > max)
               ? -1
               : 0;
}

/* What only the parent says, to its roles. */
static int
parse_internal(struct options *o, int option, const char *value)
{
    struct role_config *role = &o->role;
    uint64_t n = 0;

    if (option == 'R') {
        o->is_role = true;
        role->type = strcmp(value, "store") == 0 ? ROLE_STORE : ROLE_WORKER;
        return 0;
    }
    if (get_number(value,
                   option == 'g' || option == 'C' ? UINT64_MAX : UINT_MAX, &n)
        != 0) {
        return -1;
    }
    switch (option) {
    case 'i':
        role->index = (unsigned) n;
        break;
    case 'c':
        role->starts = (unsigned) n;
        break;
    case 'g':
        role->settings.generation = n;
        break;
    case 'H':
        role->settings.hash = (uint32_t) n;
        break;
    case 'N':
        role->settings.n_workers = (unsigned) n;
        break;
    case 'P':
        role->settings.presence_timeout_s = (unsigned) n;
        break;
    case 'C':
        role->settings.cache_bytes = n;
        break;
    }
    return 0;
}

static int
parse_option(struct options *o, int option, const char *value)
{
    struct redis_config redis;
    uint64_t n = 0;

    switch (option) {
    case 'd':
        o->run_dir = value;
        return 0;
    case 's':
        o->store = value;
        return 0;
    case 'r':
        o->redis = value;
        return redis_config_parse(&redis, value);
    case 'l':
        o->log_path = value;
        return 0;
    case 'v':
        o->verbose = true;
        return 0;
    case 'n':
        return settings_parse_workers(value, &o->workers);
    case 'p':
        if (get_number(value, SETTINGS_PRESENCE_MAX, &n) != 0) {
            return -1;
        }
        o->presence_timeout_s = (unsigned) n;
        o->presence_given = true;
        return 0;
    case 'm':
        if (get_number(value, SETTINGS_CACHE_MAX >> 20, &n) != 0 || n == 0) {
            return -1;
        }
        o->cache_bytes = n << 20;
        return 0;
    case 'e':
        if (get_number(value, INT_MAX / 1000, &n) != 0) {
            return -1;
        }
        o->end_after_s = (unsigned) n;
        o->ends = n != 0;
        return 0;
    default:
        return parse_internal(o, option, value);
    }
}

/* A role's settings are the parent's, not what its own machine view gives. */
static int
finish_role(struct options *o)
{
    struct settings *s = &o->role.settings;
    struct settings given = *s;

    if (o->store == NULL || settings_init(s, o->workers, o->store) != 0) {
        return -1;
    }
    if (o->redis != NULL) {
        (void) settings_set_redis(s, o->redis);
    }
    s->generation = given.generation;
    s->hash = given.hash;
    s->n_workers = given.n_workers;
    s->presence_timeout_s = given.presence_timeout_s;
    s->cache_bytes = given.cache_bytes;
    o->role.run_dir = o->run_dir;
    o->role.log_path = strcmp(o->log_path, "-") == 0 ? NULL : o->log_path;
    return 0;
}

static int
parse(struct options *o, int argc, char **argv, const char *allowed)
{
    int option;

    memset(o, 0, sizeof(*o));
    optind = 1;
    while ((option = getopt(argc, argv, allowed)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        if (option == '?') {
            fputs(usage, stderr);
            return -1;
        }
        if (parse_option(o, option, optarg) != 0) {
            fprintf(stderr, "chatd: invalid value \"%s\" of -%c\n", optarg,
                    option);
            return -1;
        }
    }
    if (optind != argc || o->run_dir == NULL) {
        fputs(usage, stderr);
        return -1;
    }
    return 0;
}

int
options_parse(struct options *o, int argc, char **argv)
{
    return parse(o, argc, argv, "d:n:s:m:r:l:e:p:vh");
}

int
options_parse_env(struct options *o, char *text)
{
    char *argv[OPTIONS_ARGS_MAX + 1] = {"chatd"};
    int argc = 1;
    char *arg;

    while (argc < OPTIONS_ARGS_MAX && (arg = strsep(&text, "\n")) != NULL) {
        argv[argc++] = arg;
    }
    if (parse(o, argc, argv, "d:n:s:m:r:l:e:p:vR:i:c:g:H:N:P:C:") != 0) {
        return -1;
    }
    return o->is_role ? finish_role(o) : 0;
}

static void
put_string(struct buf *b, const char *option, const char *value)
{
    if (value == NULL) {
        return;
    }
    /* a newline ends an argument */
    if (strchr(value, '\n') != NULL) {
        b->failed = true;
    }
    buf_put(b, option, strlen(option));
    buf_put_char(b, '\n');
    buf_put(b, value, strlen(value));
    buf_put_char(b, '\n');
}

static void
put_number(struct buf *b, const char *option, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRIu64, value);
    put_string(b, option, digits);
}

int
options_format(const struct options *o, char *to, size_t size)
{
    const struct role_config *role = &o->role;
    struct buf b = {0};
    int status = -1;

    put_string(&b, "-s", o->store);
    put_string(&b, "-r", o->redis);
    put_string(&b, "-l", o->log_path);
    put_number(&b, "-n", o->workers);
    if (o->ends) {
        put_number(&b, "-e", o->end_after_s);
    }
    if (o->presence_given) {
        put_number(&b, "-p", o->presence_timeout_s);
    }
    if (o->cache_bytes != 0) {
        put_number(&b, "-m", o->cache_bytes >> 20);
    }
    if (o->verbose) {
        buf_put_lit(&b, "-v\n");
    }
    if (o->is_role) {
        put_string(&b, "-R", role->type == ROLE_STORE ? "store" : "worker");
        put_number(&b, "-i", role->index);
        put_number(&b, "-c", role->starts);
        put_number(&b, "-g", role->settings.generation);
        put_number(&b, "-H", role->settings.hash);
        put_number(&b, "-N", role->settings.n_workers);
        put_number(&b, "-P", role->settings.presence_timeout_s);
        put_number(&b, "-C", role->settings.cache_bytes);
    }
    put_string(&b, "-d", o->run_dir);

    /* the last newline becomes the end of the text */
    if (!buf_failed(&b) && b.len <= size) {
        memcpy(to, b.data, b.len);
        to[b.len - 1] = '\0';
        status = 0;
    }
    buf_clear(&b);
    return status;
}

const char *
options_program(void)
{
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    /* of a file that is gone the link reads `PATH (deleted)`; under valgrind
     * the link itself would be valgrind */
    if (n > 0) {
        path[n] = '\0';
        if (access(path, X_OK) == 0) {
            return path;
        }
    }
    return "/proc/self/exe";
}
