/*
 * Reader threads: whatever has to look at the disk runs here and never in the
 * loop.  Jobs are taken in the order given, but what a message waits for has
 * threads of its own; which of them ends first is open.
 */

#ifndef STORAGE_READER_H
#define STORAGE_READER_H

#include <stdbool.h>

#include "storage_engine.h"

struct readers;
struct embedded;
struct wake;

/* What a job may look at while it runs. */
struct reader {
    const struct engine_ops *ops;
    struct engine *engine;
    struct readers *pool;
    struct engine_iter **iter; /* for reader_iter(); NULL: none yet */
};

/* Embedded at the start of each kind of job. */
struct read_job {
    struct read_job *next;

    /* On a reader thread: touches nothing but the job.  0, or -1. */
    int (*run)(struct read_job *j, const struct reader *r);

    /* On the loop, after run; owns the job.  status is what run returned, or
     * -1 when there was no engine to read from. */
    void (*done)(struct embedded *e, struct read_job *j);

    int status;

    /* A message may wait for it: it never waits for one that is not. */
    bool urgent;

    /* It reads a few records: may wait behind others of the kind.  Urgent. */
    bool brief;

    /* It is one of many in a row: it ends twice as late as it could, so that
     * others have the processors half of the time.  Not urgent. */
    bool gives_way;
};

/* NULL: out of memory or threads.  wake is sent when a job has ended. */
struct readers *readers_create(const struct engine_ops *ops, struct wake *wake);

/* Ends the threads after what they run now; jobs not begun end with -1 and
 * can still be taken.  Free frees no jobs. */
void readers_stop(struct readers *p);
void readers_free(struct readers *p);

/* When too many are waiting the job ends soon, with -1. */
void readers_submit(struct readers *p, struct read_job *j);

/* The jobs that have ended, as a list in order; NULL when none. */
struct read_job *readers_take(struct readers *p);

/*
 * Changes the engine that jobs see; NULL: none for now.  Waits until no job
 * looks at the one before; long jobs are told through readers_hurry().
 */
void readers_set_engine(struct readers *p, struct engine *engine);

/*
 * An iterator that brief jobs run together share: opened after the last of
 * them was submitted, closed behind them.  NULL: out of memory.
 */
struct engine_iter *reader_iter(const struct reader *r);

/* A long job asks now and then and gives up (-1) when true. */
bool readers_hurry(const struct readers *p);

#endif
