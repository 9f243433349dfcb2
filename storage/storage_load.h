/*
 * Reading users and channels from the disk for storage_state.c: what a reader
 * thread brings back.
 */

#ifndef STORAGE_LOAD_H
#define STORAGE_LOAD_H

#include "storage_state.h"

struct load_user {
    struct read_job job;
    struct user *user;
    uint64_t epoch;
    uint64_t evictions; /* at the start */

    bool found;
    uint64_t number; /* asked for; 0: by name */
    uint64_t newest;
    uint8_t flags;
    uint64_t created_at;
    uint64_t active_at; /* 0: never */
    uint8_t name_len;
    char name[STORAGE_ID_MAX];
    uint32_t n_devices, devices_cap;
    struct device *devices; /* heap, owned */
    uint32_t n_removals, removals_cap;
    struct removal *removals; /* heap, owned */
    uint32_t n_endings, endings_cap;
    struct ending *endings; /* heap, owned */
    struct buf profile;     /* the record; empty: none */
    struct buf account;     /* likewise                */
    uint32_t n_contacts, contacts_cap;
    struct contact *contacts; /* heap, owned */
};

struct load_channel {
    struct read_job job;
    struct channel *channel;
    uint64_t epoch;
    uint64_t evictions;

    bool found;
    uint64_t number; /* asked for; 0: by id */
    uint64_t newest;
    uint64_t sent_at;
    uint64_t sender;       /* of the newest */
    uint64_t newest_event; /* of a group */
    uint8_t id_len;
    char id[STORAGE_CHANNEL_MAX];
    struct buf value; /* the record; channel points into it */
    uint32_t n_invites;
    struct invite *invites; /* heap, owned, no larger than needed */

    /* From here on not set before it is read: mostly two of a hundred. */
    struct record_channel record;
    struct record_markers markers[STORAGE_MEMBERS_MAX];
};

/* The newest event of a channel that was loaded without. */
struct load_events {
    struct read_job job;
    struct channel *channel;
    uint64_t epoch;
    uint64_t number;
    uint64_t newest;
};

int load_user_run(struct read_job *job, const struct reader *r);
int load_channel_run(struct read_job *job, const struct reader *r);
int load_events_run(struct read_job *job, const struct reader *r);

/*
 * Seeks the last key that begins with prefix.  1 and the iterator stands on
 * it; 0: there is none; -1: error.
 */
int load_last(const struct reader *r, struct engine_iter *i,
              const struct key *prefix);

/* 1 and the iterator stands on the key; 0: there is none; -1: error. */
int load_seek(const struct reader *r, struct engine_iter *i,
              const struct key *key);

/* The value there decoded as a number: 1, 0 absent, -1. */
int load_seek_number(const struct reader *r, struct engine_iter *i,
                     const struct key *key, uint64_t *v);

/*
 * The value of a key appended to *value: 1, 0 absent, -1.  What is read much
 * is read so, in the shared iterator, and not by a Get: LevelDB counts each
 * Get that passes by a table, also when a filter tells that the key is not in
 * it, and after some hundreds compacts the table.  Where Gets are many it so
 * merges each table that was just written into the next level by itself.
 */
int load_copy(const struct reader *r, const struct key *key, struct buf *value);

/* The value of a key decoded as a number: 1, 0 absent, -1. */
int load_number(const struct reader *r, const struct key *key, uint64_t *v);

#endif
