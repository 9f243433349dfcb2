/*
 * Who is online at other chat machines, as they tell it (presence_frame.h).
 * Kept in memory, so that a question is answered at once, also while Redis is
 * away: then what was known last stays.
 *
 * A machine's frames are numbered.  One that is missing, a machine that
 * started anew, one that has only now all its users in Redis, and a
 * subscription that began make a reading of all keys due.  What a reading
 * does not find is offline, if its machine said before that all it has is
 * there.  A machine that is silent for its time to live is dead, and its
 * users are offline.
 */

#ifndef WORKERS_PRESENCE_PEERS_H
#define WORKERS_PRESENCE_PEERS_H

#include "presence_frame.h"

#define PEERS_MACHINES_MAX 256
#define PEERS_USERS_MAX    4000000 /* at all of them; more are not kept */
#define PEERS_SLICE        2000    /* users looked at in one peers_work() */

struct peers;

/* Now online somewhere else, or nowhere else any more. */
struct peers_change {
    char name[64];
    struct str user; /* in name */
    bool online;
    uint64_t at;
};

/* own: the machine whose frames are not heard.  NULL: out of memory. */
struct peers *peers_create(const char *own);
void peers_free(struct peers *p);

/* now is loop time throughout.  0, or -1 when it is no frame. */
int peers_frame(struct peers *p, struct str frame, uint64_t now);

/* The subscription is lost: nobody is dead, whoever is silent.  Then: it
 * has begun. */
void peers_hold(struct peers *p);
void peers_resume(struct peers *p, uint64_t now);

/* Is a reading due?  Then begin one, give it each key, and end it. */
bool peers_due(const struct peers *p);
void peers_read_begin(struct peers *p);
void peers_read(struct peers *p, const char *machine,
                const struct presence_row *row, uint32_t ttl_s, uint64_t now);
void peers_read_end(struct peers *p, bool whole);

/* Who is silent for too long; a few times a second. */
void peers_tick(struct peers *p, uint64_t now);

/* Does a part of what a reading or a dead machine left to do; true: there is
 * more. */
bool peers_work(struct peers *p);

/* Takes the next change off: false when there is none.  Changes that take
 * each other back meanwhile are none. */
bool peers_next(struct peers *p, struct peers_change *c);

/* A change that was taken off could not be told: it comes again, unless it has
 * been taken back since. */
void peers_untold(struct peers *p, struct str user, bool online, uint64_t at);

bool peers_online(struct peers *p, struct str user);
size_t peers_users(const struct peers *p);

#endif
