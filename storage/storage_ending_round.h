/*
 * A round of what is to be done about a deleted user: what storage_ending.c,
 * which carries it out, and storage_ending_look.c, which finds it, share.
 */

#ifndef STORAGE_ENDING_ROUND_H
#define STORAGE_ENDING_ROUND_H

#include "storage_state.h"

#define ENDING_ITEMS 200 /* operations in one round                  */

/* An operation of a round. */
struct ending_item {
    enum storage_op_type type;
    uint64_t message_id;
    uint8_t len;
    char name[STORAGE_CHANNEL_MAX]; /* the other user, or the channel */
};

/* A round: what a reader found, then how far it has come. */
struct ending_round {
    struct read_job job;
    struct embedded *e;
    bool found;
    bool over; /* the phase: nothing is left behind these */
    uint64_t user;
    uint8_t name_len;
    char name[STORAGE_ID_MAX];
    struct record_ending record; /* as it is to be after the round */
    uint32_t n_fans;
    uint32_t n_keys;
    uint32_t n_items;
    uint32_t n_open; /* not answered, plus one while being submitted */
    bool failed;
    bool ended;                    /* this was the last one of the user */
    struct key keys[ENDING_ITEMS]; /* to be deleted */
    struct ending_item items[ENDING_ITEMS];
};

/* On a reader thread: the next round of the first of those users. */
int ending_look(struct read_job *job, const struct reader *r);

#endif
