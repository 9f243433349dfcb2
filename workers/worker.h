/*
 * The worker role: what its parts share.  worker.c opens the parts in the
 * order of the fields and closes them in reverse; every part finds the others
 * here and nothing else.
 */

#ifndef WORKERS_WORKER_H
#define WORKERS_WORKER_H

#include <stdint.h>

struct front;
struct json_parser;
struct logins;
struct rate;
struct role_config;
struct sessions;
struct storage;
struct uv_loop_s;

/* Counters of this process for STATS; see CHAT_WIRE_COUNTERS. */
struct worker_counters {
    uint64_t requests;
    uint64_t errors;
    uint64_t limited;
    uint64_t pushes;
    uint64_t behind;
    uint64_t pages;
    uint64_t replays;
    uint64_t turn_us;
    uint64_t turn_cpu_us;
};

struct worker {
    const struct role_config *config;
    struct uv_loop_s *loop;
    struct json_parser *json;
    struct rate *rate;
    struct sessions *sessions;
    struct logins *logins;
    struct storage *storage;
    struct front *front;
    struct worker_counters counters;
};

/* The role's main: returns the process's exit status. */
int worker_main(const struct role_config *config);

/* Milliseconds since the epoch. */
uint64_t worker_now_ms(void);

#endif
