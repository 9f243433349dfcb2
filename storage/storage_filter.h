/*
 * Answers "was this client_id seen on that day?" without asking the disk: a
 * `no` is certain, a `maybe` is wrong less than once in ten thousand.  A filter is
 * one period's set of hashes, which grows; a window is the filters of the
 * last few periods (days for client_ids, ten-minute slots for request ids).
 *
 * Not thread-safe.  A filter may be built on another thread and handed over.
 */

#ifndef STORAGE_FILTER_H
#define STORAGE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct filter;
struct filter_window;

/*
 * The hash to add and to ask with, of a 'D' or 'Q' key: of all behind its
 * kind and period, so one hash serves every period.  Other in each process.
 */
uint64_t filter_hash(struct str key);

/* expected: how many hashes will come, 0 when nobody knows.  NULL: no memory.
 * It takes more than expected, a little slower to ask. */
struct filter *filter_create(size_t expected);
void filter_free(struct filter *f);

/* When memory runs out the filter answers maybe to everything from then on. */
void filter_add(struct filter *f, uint64_t hash);
void filter_fill(struct filter *f); /* maybe to everything from now on */
bool filter_maybe(const struct filter *f, uint64_t hash);
size_t filter_memory(const struct filter *f); /* bytes */

/*
 * A window over n_periods (at least 1) periods, the last of them `newest`.  All of them
 * are unknown (answer maybe) until filter_window_known().  NULL: no memory.
 */
struct filter_window *filter_window_create(uint32_t n_periods, uint32_t newest);
void filter_window_free(struct filter_window *w);

/*
 * Moves on to a later newest period (an earlier one is ignored): periods that
 * fall out are forgotten, those that come in are known and empty.  So newest
 * must never be below a period that has keys in the store.
 */
void filter_window_advance(struct filter_window *w, uint32_t newest);

uint32_t filter_window_oldest(const struct filter_window *w);
uint32_t filter_window_newest(const struct filter_window *w);

/* Notes a hash; a period outside the window is ignored. */
void filter_window_add(struct filter_window *w, uint32_t period, uint64_t hash);

/* False: certainly not in this period.  Outside the window: maybe. */
bool filter_window_maybe(const struct filter_window *w, uint32_t period,
                         uint64_t hash);

/*
 * Makes an unknown period known: f holds what the store had of it at some
 * moment since the window was created, and everything later went through
 * filter_window_add().  Owns f from now on.  A period that is known already
 * or outside the window only frees it.
 */
void filter_window_known(struct filter_window *w, uint32_t period,
                         struct filter *f);
bool filter_window_is_known(const struct filter_window *w, uint32_t period);
size_t filter_window_memory(const struct filter_window *w);

#endif
