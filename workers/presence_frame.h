/*
 * What chat machines tell each other through Redis, in text that redis-cli
 * can show.  A message of the channel is a frame: a line
 *
 *     1 MACHINE EPOCH NUMBER TTL WHOLE
 *
 * and a line for each user whose presence has changed there:
 *
 *     +USER VERSION AT        online
 *     -USER VERSION AT        offline
 *
 * MACHINE is 16 hexadecimal digits.  EPOCH is a VERSION that is above all from
 * before its chatd store started; NUMBER counts its frames from 1, so that a
 * lost one is seen.
 * TTL: after so many seconds of silence the machine is taken for dead.  WHOLE
 * is 1 while every user it has online has his key in Redis.  VERSION rises
 * with each change at that machine; AT is when the user was last active, in ms
 * since the epoch.
 *
 * A key is chat:on:USER:MACHINE, there while USER is online at MACHINE; its
 * value is `VERSION AT`.
 */

#ifndef WORKERS_PRESENCE_FRAME_H
#define WORKERS_PRESENCE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

#define PRESENCE_MACHINE    16 /* bytes of a machine's name */
#define PRESENCE_KEY_PREFIX "chat:on:"
#define PRESENCE_KEYS       "chat:on:*"
#define PRESENCE_KEY_MAX    (8 + 64 + 1 + PRESENCE_MACHINE)
#define PRESENCE_TTL_MAX_S  1000000 /* longer is not believed */

struct presence_head {
    char machine[PRESENCE_MACHINE];
    uint64_t epoch;
    uint64_t number;
    uint32_t ttl_s;
    bool whole;
};

struct presence_row {
    struct str user;
    bool online;
    uint64_t version;
    uint64_t at;
};

void presence_put_head(struct buf *b, const struct presence_head *h);
void presence_put_row(struct buf *b, const struct presence_row *r);

/* Takes the first line off a frame: 0, or -1 when it is none. */
int presence_get_head(struct str *frame, struct presence_head *h);

/* Takes a row off what is left: 1; 0 at the end; -1 when it is none.  The
 * user stays in the frame. */
int presence_get_row(struct str *frame, struct presence_row *r);

/* user is a user id; room for PRESENCE_KEY_MAX bytes.  The key's length. */
size_t presence_key(char *to, struct str user, const char *machine);

/* The value of a user that is online. */
void presence_put_value(struct buf *b, const struct presence_row *r);

/* Key and value as they came from Redis: 0, or -1 when they are none. */
int presence_get_key(struct str key, struct str *user, const char **machine);
int presence_get_value(struct str value, struct presence_row *r);

#endif
