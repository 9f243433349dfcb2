/*
 * The parent of a pool: holds the run directory's lock, starts the store and
 * the workers, starts again what ends, passes on signals and settings, and
 * ends the pool.  It reads no chat frame and opens no store.
 */

#ifndef WORKERS_PARENT_H
#define WORKERS_PARENT_H

#include "options.h"

/* Runs a pool to its end; returns the exit status. */
int parent_main(const struct options *o);

#endif
