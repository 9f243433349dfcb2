/*
 * Users made by programs that had no index yet: they are put into it once, in
 * the background.  A record says that it was done; a new store has it from its
 * first batch on, for whoever is made later is in the index at once.
 */

#ifndef STORAGE_INDEX_H
#define STORAGE_INDEX_H

struct embedded;

/* Once a second: begins, or goes on after a failure. */
void index_tick(struct embedded *e);

/* The record into the commit being collected. */
void index_put(struct embedded *e);

#endif
