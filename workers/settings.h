/*
 * What nginx.conf says to the pool: RUN_DIR/settings, lines of `key value`,
 * written whole by nginx's master and renamed into place.  Read by the
 * parent only, at start and on SIGHUP; the roles are told what changed.
 */

#ifndef WORKERS_SETTINGS_H
#define WORKERS_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "redis_config.h"
#include "storage.h"

#define SETTINGS_STORE_MAX    1024
#define SETTINGS_PRESENCE_S   60 /* where nothing is said */
#define SETTINGS_PRESENCE_MAX 86400
#define SETTINGS_CACHE_BYTES  STORAGE_CACHE_BYTES /* likewise */
#define SETTINGS_CACHE_MAX    (1ull << 50)

struct settings {
    uint64_t generation; /* rises with each nginx.conf that was loaded      */
    uint32_t hash;       /* of `workers` and `store` as written, for HELLO  */
    unsigned workers;    /* as written: 0 is auto                           */
    unsigned n_workers;  /* in the pool: 1 ... CHAT_WIRE_WORKERS_MAX        */
    unsigned presence_timeout_s; /* online after the last sign of life      */
    uint64_t cache_bytes;        /* of the store's channels and users       */
    long owner; /* process id of the nginx master, 0: unknown      */
    char store[SETTINGS_STORE_MAX]; /* an address for storage_open          */
    char redis[REDIS_CONFIG_MAX];   /* as in redis_config.h; empty: none    */
};

/* Generation 0, as from `chatd -n workers -s store`.  -1: out of range. */
int settings_init(struct settings *s, unsigned workers, const char *store);

/*
 * Reads run_dir/settings.  Returns 0; 1 when there is no such file; -1 when
 * it is unreadable or malformed (logged).  *s changes on 0 only.
 */
int settings_read(struct settings *s, const char *run_dir);

/* The same from text: 0 or -1 (logged). */
int settings_parse(struct settings *s, const char *text, size_t len);

/* Takes the text of redis_config.h, or an empty one: 0, or -1. */
int settings_set_redis(struct settings *s, const char *text);

/* `auto` or 0: 0; a number up to CHAT_WIRE_WORKERS_MAX; else -1. */
int settings_parse_workers(const char *text, unsigned *workers);

#endif
