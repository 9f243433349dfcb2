/*
 * A connection to Redis in a libuv loop: hiredis reads and writes its
 * protocol (RESP2), the socket is libuv's.  hiredis's own asynchronous
 * contexts are not used: with them a refused connection is told to nobody, a
 * reset leaves commands unanswered for ever, and some answers of a server end
 * the process.
 *
 * The connection is always wanted: one that cannot be made or is lost is made
 * again, after pauses that grow to REDIS_PAUSE_MAX_MS, with jitter so that
 * many machines do not come back at once.  It counts as lost when Redis does
 * not answer for REDIS_TIMEOUT_MS; an idle one is asked PING.  An answer beyond
 * the bounds of redis_reader.h ends it, too.  Redis is up once it has answered
 * the greeting (AUTH, SELECT, PING), so one that still loads its data is not.
 */

#ifndef WORKERS_REDIS_CONN_H
#define WORKERS_REDIS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>
#include <uv.h>

#define REDIS_PENDING_MAX  4096 /* commands without an answer            */
#define REDIS_OUT_MAX      ((size_t) 1 << 20) /* bytes to be written     */
#define REDIS_ARGS_MAX     1024
#define REDIS_TIMEOUT_MS   4000
#define REDIS_IDLE_MS      1000
#define REDIS_PAUSE_MS     50
#define REDIS_PAUSE_MAX_MS 2000

struct redis;

/* An answer, which lives until return, perhaps an error; NULL: the connection
 * was lost, and whether the command was carried out is not known. */
typedef void redis_done(const redisReply *reply, void *data);

struct redis_handlers {
    void (*up)(void *data);
    void (*down)(void *data); /* after each up, once all commands were told */

    /* A message of a channel.  Where it is set, the connection is one for
     * SUBSCRIBE. */
    void (*message)(const char *text, size_t len, void *data);
    void *data;
};

struct redis_stats {
    bool up;
    uint64_t connects; /* times it came up                                 */
    uint64_t failures; /* attempts that failed, connections that were lost */
};

/* Begins to connect to what a text of redis_config.h names.  name is for the
 * log and stays the caller's; handlers are copied.  NULL: out of memory, or no
 * such text. */
struct redis *redis_open(uv_loop_t *loop, const char *where, const char *name,
                         const struct redis_handlers *handlers);

/*
 * Sends a command: 0, or -1 when it was not sent and done will not be called:
 * the connection is not up, too much waits, or there is no memory.  done may
 * be NULL.  What is sent in one turn of the loop goes in one write.
 */
int redis_command(struct redis *r, redis_done *done, void *data, int argc,
                  const char *const *argv, const size_t *lens);

/* Commands without an answer. */
size_t redis_pending(const struct redis *r);

/* The connection is of no use, for the reason given (logged): another one. */
void redis_drop(struct redis *r, const char *why);

void redis_stats(const struct redis *r, struct redis_stats *out);

/* Answers what waits with NULL, calls no handler any more, and frees itself
 * as the loop turns. */
void redis_close(struct redis *r);

#endif
