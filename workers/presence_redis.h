/*
 * Presence through Redis, for several chat machines with a store each: what
 * this machine's users do is told to the others (presence_local.h), what
 * theirs do is kept here (presence_peers.h).  Who may see it is decided by
 * the store of whoever asks.
 *
 * One connection carries commands, one SUBSCRIBE.  While either is away,
 * presence is degraded and nothing else: this machine's users are seen as
 * ever, those of others as they were known last.  When both are back all is
 * told and read anew.
 */

#ifndef WORKERS_PRESENCE_REDIS_H
#define WORKERS_PRESENCE_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "str.h"

struct presence_redis;

struct presence_redis_handlers {
    /*
     * A user is now online at another machine, or at none any more.  Each is
     * answered by presence_redis_told() or presence_redis_refused(), perhaps
     * before return: so many at a time are under way and no more.
     */
    void (*tell)(struct str user, bool online, uint64_t at, void *data);

    /* Is the user of that number online at this machine? */
    bool (*here)(uint64_t number, void *data);
    void *data;
};

struct presence_redis_stats {
    bool up; /* both connections are, and the subscription */
    uint64_t connects;
    uint64_t failures; /* of connections and of commands                    */
    uint64_t lag_us;   /* from a message to Redis until it came back, or
                          since one that has not yet come                   */
    uint64_t users;    /* online at other machines                          */
};

/*
 * where as in redis_config.h; run_dir holds the file `machine` with the name
 * that this machine keeps through restarts, and is made when it is not there.
 * NULL (logged): out of memory, or bad arguments.
 */
struct presence_redis *
presence_redis_open(uv_loop_t *loop, const char *where, const char *run_dir,
                    unsigned timeout_s,
                    const struct presence_redis_handlers *handlers);

/* The storage has told who was online at the end of the last run: only then
 * are others to believe that a user of this machine without a key is offline.
 */
void presence_redis_ready(struct presence_redis *p);

/* The presence timeout has changed. */
void presence_redis_timeout(struct presence_redis *p, unsigned timeout_s);

/* A user of this machine came or went. */
void presence_redis_set(struct presence_redis *p, uint64_t number,
                        struct str user, bool online, uint64_t at);

/* Is he online at another machine? */
bool presence_redis_elsewhere(struct presence_redis *p, struct str user);

void presence_redis_told(struct presence_redis *p);

/* The same, but nobody could be told: it is tried again in a while. */
void presence_redis_refused(struct presence_redis *p, struct str user,
                            bool online, uint64_t at);

void presence_redis_stats(const struct presence_redis *p,
                          struct presence_redis_stats *out);

/* Calls nothing any more, and frees itself as the loop turns.  The keys stay
 * for their time: a pool that is back by then was never away. */
void presence_redis_close(struct presence_redis *p);

#endif
