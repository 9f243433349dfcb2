/*
 * What session.c (users, opening and closing) and stream.c (live and behind)
 * share and nobody else sees.
 */

#ifndef WORKERS_SESSION_INNER_H
#define WORKERS_SESSION_INNER_H

#include "session.h"

#define PAGES_MAX 32 /* read at once */

enum user_state {
    USER_SUBSCRIBING, /* an op is in flight; it keeps the record alive */
    USER_SUBSCRIBED,
    USER_STALE, /* the op failed; sessions_tick tries again            */
};

struct user {
    struct map_entry by_name;
    struct map_entry by_number; /* while number is not 0 */
    struct sessions *all;
    uint64_t number;
    uint64_t newest; /* inbox id */
    struct session_list sessions;
    uint8_t state; /* enum user_state */
    uint8_t name_len;
    char name[];
};

/* One page being read; session is NULL when it was closed meanwhile. */
struct page_read {
    struct sessions *all;
    struct session *session;
    bool used;
};

struct sessions {
    struct worker *worker;
    struct map by_name;   /* users */
    struct map by_number; /* users */
    struct session_list opening;
    struct session_list waiting;
    size_t count;
    size_t n_stale;
    struct page_read reads[PAGES_MAX];
};

/* The user is subscribed and the token is good: it is told so.  Or it cannot
 * be known: 503, and the session is gone. */
void session_become_ready(struct session *s);
void session_refuse(struct session *s);

/* Removes the session from the list of its state and enters the other's. */
void stream_set_state(struct session *s, enum session_state state, bool parked);
struct session_list *stream_list(struct session *s); /* NULL: in none */

/* The session is ready, its cursor set: live, or behind the newest. */
void stream_start(struct session *s);

/* The user's newest id was learnt anew: whoever lacks something reads it. */
void stream_catch_up(struct session *s);

/* The session goes: a page that is being read is forgotten. */
void stream_forget_page(struct session *s);

/* Starts reading pages for those who wait, as many as may be. */
void stream_pump(struct sessions *all);

#endif
