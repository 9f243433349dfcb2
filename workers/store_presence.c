/*
 * Calls from one side to the other; the storage's answers may come after the
 * end of Redis's.
 */

#include "store_presence.h"

#include <stdlib.h>
#include <string.h>

#include "chat_wire.h"
#include "presence_redis.h"
#include "role.h"

/* An ELSEWHERE: a store that is broken refuses it. */
struct telling {
    struct store_presence *presence;
    bool online;
    uint64_t at;
    struct str user; /* in bytes */
    char bytes[];
};

static void
on_present(uint64_t number, struct str user, bool online, uint64_t at,
           void *data)
{
    struct store_presence *p = data;

    if (p->redis != NULL) {
        presence_redis_set(p->redis, number, user, online, at);
    }
}

static bool
on_elsewhere(struct str user, void *data)
{
    struct store_presence *p = data;

    return p->redis != NULL && presence_redis_elsewhere(p->redis, user);
}

static void
on_told(const struct storage_result *r, void *data)
{
    struct telling *t = data;
    struct presence_redis *redis = t->presence->redis;

    if (redis != NULL && r->status == STORAGE_OK) {
        presence_redis_told(redis);
    } else if (redis != NULL) {
        presence_redis_refused(redis, t->user, t->online, t->at);
    }
    free(t);
}

static void
on_tell(struct str user, bool online, uint64_t at, void *data)
{
    struct store_presence *p = data;
    struct storage_op op = {
        .type = STORAGE_ELSEWHERE, .user = user, .limit = online, .after = at};
    struct telling *t = malloc(sizeof(*t) + user.len);

    if (t == NULL) {
        presence_redis_refused(p->redis, user, online, at);
        return;
    }
    *t = (struct telling){
        p, online, at, {t->bytes, user.len}
    };
    memcpy(t->bytes, user.data, user.len);
    storage_submit(p->storage, &op, on_told, t);
}

static bool
on_here(uint64_t number, void *data)
{
    struct store_presence *p = data;

    return storage_online(p->storage, number);
}

int
store_presence_open(struct store_presence *p, uv_loop_t *loop,
                    const struct role_config *config,
                    struct storage_handlers *handlers)
{
    struct presence_redis_handlers redis = {
        .tell = on_tell, .here = on_here, .data = p};

    if (config->settings.redis[0] == '\0') {
        return 0;
    }
    p->redis =
        presence_redis_open(loop, config->settings.redis, config->run_dir,
                            config->settings.presence_timeout_s, &redis);
    if (p->redis == NULL) {
        return -1;
    }
    handlers->present = on_present;
    handlers->elsewhere = on_elsewhere;
    handlers->data_presence = p;
    return 0;
}

void
store_presence_ready(struct store_presence *p)
{
    if (p->redis != NULL) {
        presence_redis_ready(p->redis);
    }
}

void
store_presence_set_timeout(struct store_presence *p, unsigned s)
{
    if (p->redis != NULL) {
        presence_redis_timeout(p->redis, s);
    }
}

void
store_presence_stats(const struct store_presence *p, uint64_t *values)
{
    struct presence_redis_stats stats;

    if (p->redis != NULL) {
        presence_redis_stats(p->redis, &stats);
        values[CHAT_WIRE_COUNTER_redis] = 1;
        values[CHAT_WIRE_COUNTER_redis_up] = stats.up;
        values[CHAT_WIRE_COUNTER_redis_connects] = stats.connects;
        values[CHAT_WIRE_COUNTER_redis_failures] = stats.failures;
        values[CHAT_WIRE_COUNTER_redis_lag_us] = stats.lag_us;
        values[CHAT_WIRE_COUNTER_redis_users] = stats.users;
    }
}

void
store_presence_close(struct store_presence *p)
{
    if (p->redis != NULL) {
        presence_redis_close(p->redis);
        p->redis = NULL;
    }
}
