/*
 * The commit thread, the only one that writes: it takes one batch at a time
 * (group commit: the loop collects the next one meanwhile), and beside it one
 * small batch that needs no sync.  After a write has failed it writes nothing
 * more until it has closed the engine and opened it again.
 */

#ifndef STORAGE_COMMIT_H
#define STORAGE_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "storage_arena.h"
#include "storage_engine.h"

struct committer;
struct gathered;
struct output;
struct readers;
struct wake;

/*
 * What one turn of the loop has decided: what is to be written, and what is
 * to be said once it is, in order.  All of it lives until that was said.
 */
struct commit {
    uint64_t sequence; /* 0 until it is handed over, or nothing is written */
    struct engine_batch *batch;
    bool writes;
    uint32_t n_results;
    uint32_t n_messages;
    struct arena arena;
    struct output *outputs, **outputs_last;
    struct gathered *gathered; /* in the arena, still to be written */
    struct commit *next;
};

/* Where the sequencer goes on: derived from the last keys of the store. */
struct commit_start {
    bool write_format; /* nothing in it, or of an older format */
    bool index_users;  /* not all of its users can be found    */
    uint64_t sequence;
    uint64_t next_user;
    uint64_t next_channel;
    uint32_t newest_day;  /* 0: none */
    uint32_t newest_slot; /* 0: none */
};

struct commit *commit_create(const struct engine_ops *ops);
void commit_free(struct commit *c, const struct engine_ops *ops);
void commit_clear(struct commit *c, const struct engine_ops *ops);

/*
 * Opens the engine, reads *start and starts the thread; wake is sent when
 * something has ended.  readers are given the engine, also after it was
 * opened again.  NULL with a text in *error (static).
 */
struct committer *committer_open(const struct engine_ops *ops, const char *path,
                                 struct readers *readers, struct wake *wake,
                                 struct commit_start *start,
                                 const char **error);

/* Ends the thread when all was written; closes the engine. */
void committer_close(struct committer *t);

/* One of each at a time; each is answered through committer_poll(). */
void committer_write(struct committer *t, struct commit *c);
void committer_write_behind(struct committer *t, struct engine_batch *batch);
void committer_reopen(struct committer *t, unsigned delay_ms);

/* What has ended since the last poll. */
struct committer_news {
    struct commit *commit; /* NULL: none */
    bool written;          /* commit: it is durable, also if failed is set by
                              what came behind it */
    bool behind;
    bool failed;  /* commit or behind: nothing of what came with it, or after
                      it, may be called written */
    int reopened; /* 0: no news; 1: open again, start is set; -1: not yet */
    uint64_t write_us; /* commit: how long it took */
    struct commit_start start;
};

void committer_poll(struct committer *t, struct committer_news *news);

#endif
