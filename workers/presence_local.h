/*
 * This machine's users who are online, told to the others: a key with a time
 * to live for each, written again long before that ends, and frames of what
 * has changed (presence_frame.h).
 *
 * What is to be told is one entry a user, however often he comes and goes
 * while Redis is slow or away; commands wait in a pipeline of bounded length.
 */

#ifndef WORKERS_PRESENCE_LOCAL_H
#define WORKERS_PRESENCE_LOCAL_H

#include "presence_frame.h"

#define LOCAL_PIPELINE 2048 /* commands without an answer           */
#define LOCAL_SLICE    512  /* users told in one local_pump()       */
#define LOCAL_FRAME    2048 /* bytes, about: a frame is sent        */
#define LOCAL_TTL_MS   15000

struct local;
struct redis;

struct local_config {
    char machine[PRESENCE_MACHINE];
    const char *channel; /* of frames; stays the caller's */

    /* Is that user still online here?  Asked before a key is written again. */
    bool (*here)(uint64_t number, void *data);
    void *data;
};

struct local *local_create(const struct local_config *config);
void local_free(struct local *l); /* after the connection was closed */

/* Users stay online for so long without a connection: the time to live is
 * half as much again, and at least LOCAL_TTL_MS. */
void local_set_timeout(struct local *l, unsigned s);
uint32_t local_ttl_s(const struct local *l);

/* A user comes or goes; number is the storage's. */
void local_set(struct local *l, uint64_t number, struct str user, bool online,
               uint64_t at);

/*
 * The storage has said who was online at the end of the last run.  Some time
 * after it, when workers have brought back their users, all that is here may
 * be called whole.
 */
#define LOCAL_START_MS 5000
void local_ready(struct local *l, uint64_t now);

/* The connection is there, perhaps with a Redis that has forgotten all. */
void local_up(struct local *l);

/* Sends what there is room for; now is loop time. */
void local_pump(struct local *l, struct redis *r, uint64_t now);

/* Has keys written again that are old enough; every LOCAL_TICK_MS. */
#define LOCAL_TICK_MS 250
void local_tick(struct local *l, uint64_t now);

/* A frame in any case: this machine lives.  Its number, or 0. */
uint64_t local_beat(struct local *l, struct redis *r, uint64_t now);

uint64_t local_epoch(const struct local *l);
uint64_t local_failures(const struct local *l);
size_t local_users(const struct local *l);

#endif
