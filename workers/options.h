/*
 * The options of the chatd program, for its users and between its own
 * processes.  A process is started with its title as its only argument, so
 * that ps shows that and nothing else; its options travel in the environment.
 */

#ifndef WORKERS_OPTIONS_H
#define WORKERS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "role.h"

#define OPTIONS_ENV "CHATD_OPTIONS"

struct options {
    bool is_role; /* else the parent                                     */
    bool verbose; /* log debug lines                                     */
    bool ends;    /* the pool ends when its last nginx link has closed   */
    unsigned end_after_s;
    bool presence_given; /* likewise where there is no settings file */
    unsigned presence_timeout_s;
    uint64_t cache_bytes; /* likewise; 0: as settings.h has it */
    const char *run_dir;
    const char *log_path; /* NULL: RUN_DIR/chatd.log; "-": stderr        */
    unsigned workers;     /* where there is no settings file             */
    const char *store;    /* likewise; NULL: leveldb:RUN_DIR/store       */
    const char *redis;    /* likewise; NULL: none                        */
    struct role_config role;
};

/*
 * From a command line; strings stay argv's.  Returns 0; -1 after a message
 * on stderr; 1 when help was asked for and given.
 */
int options_parse(struct options *o, int argc, char **argv);

/* From the text of OPTIONS_ENV, which is cut up: 0 or -1. */
int options_parse_env(struct options *o, char *text);

/* The text for OPTIONS_ENV of a process with these options.  0, or -1 when
 * it does not fit or cannot be passed on (a newline in a path). */
int options_format(const struct options *o, char *to, size_t size);

/*
 * What to exec to start this program once more: its own file, or, when that
 * was replaced or removed meanwhile, /proc/self/exe, which is still the old
 * one.  Static storage, until the next call.
 */
const char *options_program(void);

#endif
