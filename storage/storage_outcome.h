/*
 * "Done once": the first answer of each change is kept under its client_id
 * (at least 7 days) or request_id (at least 10 minutes), written in the same
 * batch as the change.  A repeat gets that answer; one that comes while the
 * first is under way waits for it, and is tried when the first was refused.
 */

#ifndef STORAGE_OUTCOME_H
#define STORAGE_OUTCOME_H

#include "storage_state.h"

/* Days and slots that are looked at: the present one and those before. */
#define OUTCOME_DAYS  9
#define OUTCOME_SLOTS 2

/* 0, or -1 when out of memory.  Starts to learn what the store has. */
int outcome_open(struct embedded *e, const struct commit_start *start);
void outcome_close(struct embedded *e);

/* After the engine was opened again: goes on with what was given up. */
void outcome_resume(struct embedded *e);

/* Forgets what is under way: all of it has failed. */
void outcome_drop(struct embedded *e);

/* Once a second: new days and slots, old ones to delete. */
void outcome_tick(struct embedded *e);

/* The present day or slot, by its length in seconds. */
uint32_t outcome_period(uint32_t period_s);

/* When a request with an id to be kept is submitted. */
void outcome_begin(struct embedded *e, struct request *r);

/* When it was answered and is about to go: the repeats' turn. */
void outcome_end(struct embedded *e, struct request *r);

/* Stands behind its first, or a reader looks for that. */
bool outcome_waits(const struct request *r);

/* Has it been done before?  Then it is answered; STEP_GO: it is new. */
enum step outcome_check(struct embedded *e, struct request *r,
                        const struct user *u);

/* The way into what may be a repeat: the caller (user_await), then that. */
enum step outcome_enter(struct embedded *e, struct request *r, struct user **u);

/* Adds the outcome to the commit being collected, by the user. */
void outcome_put(struct embedded *e, struct request *r, struct user *u,
                 const struct record_outcome *o);

/* outcome_put() of the finished JSON. */
void outcome_put_json(struct embedded *e, struct request *r, struct user *u,
                      struct str json);

/* The batch of deletes was written: the next one. */
void outcome_dropped(struct embedded *e);

#endif
