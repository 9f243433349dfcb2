/*
 * What a reader finds out about presence: who shares a group with a user, or
 * a direct channel in which both have written.
 */

#ifndef STORAGE_WATCH_LOOK_H
#define STORAGE_WATCH_LOOK_H

#include "storage_state.h"

/* Another user beside the one a look is about. */
struct watch_other {
    uint64_t number;
    uint64_t at;
    bool online;
    bool open;    /* a reader has to find out */
    bool visible; /* may see, or be seen      */
};

struct watch_look {
    struct read_job job;
    struct request *request; /* a get; NULL: an event */
    uint64_t number;
    bool online;
    bool blocked; /* told that he is offline, which he is not */
    bool parted;  /* likewise, to whom may not see him        */
    uint64_t at;
    uint8_t name_len;
    char name[STORAGE_ID_MAX];
    uint64_t *channels; /* of the one it is about */
    size_t n_channels, channels_cap;
    uint32_t n;
    struct watch_other others[];
};

/* A read_job's: tells of each other that is open whether he is visible. */
int watch_look_run(struct read_job *job, const struct reader *r);

#endif
