/*
 * An ordered key-value engine beneath the embedded storage: what LevelDB and
 * the in-memory tree have in common.  Reads may come from any thread and see
 * only what a write has finished; writes come from one thread at a time.
 * Keys sort as bytes (memcmp, the shorter first).
 */

#ifndef STORAGE_ENGINE_H
#define STORAGE_ENGINE_H

#include <stdbool.h>

#include "buf.h"
#include "str.h"

struct engine; /* an open engine; each implementation has its own */
struct engine_batch;
struct engine_iter;

struct engine_ops {
    const char *name;

    /* NULL with a text that says what to do in *error (static storage). */
    struct engine *(*open)(const char *path, bool read_only,
                           const char **error);
    void (*close)(struct engine *e);

    /* 1 and the value appended to *value; 0 absent; -1 error (logged). */
    int (*get)(struct engine *e, struct str key, struct buf *value);

    /* All of the batch or nothing; with sync only after fdatasync.  0 / -1.
     * After -1 the engine must be closed and opened again. */
    int (*write)(struct engine *e, struct engine_batch *b, bool sync);

    struct engine_batch *(*batch_create)(void); /* NULL: out of memory */
    void (*batch_free)(struct engine_batch *b);
    void (*batch_clear)(struct engine_batch *b);
    void (*batch_put)(struct engine_batch *b, struct str key, struct str value);
    void (*batch_delete)(struct engine_batch *b, struct str key);

    /* A consistent view from its creation on; one thread, close it soon. */
    struct engine_iter *(*iter_open)(struct engine *e);
    void (*iter_close)(struct engine_iter *i);
    void (*iter_seek)(struct engine_iter *i, struct str key); /* first >= key */
    /* last key < key */
    void (*iter_seek_before)(struct engine_iter *i, struct str key);
    void (*iter_next)(struct engine_iter *i);
    void (*iter_prev)(struct engine_iter *i);
    bool (*iter_valid)(const struct engine_iter *i);
    struct str (*iter_key)(const struct engine_iter *i);
    struct str (*iter_value)(const struct engine_iter *i);
    int (*iter_error)(const struct engine_iter *i); /* 0, or -1 (logged) */

    /* Gives back the disk of a dropped key range in the background. */
    void (*compact)(struct engine *e, struct str from, struct str to);

    /* Some of that is still to be done. */
    bool (*compacting)(struct engine *e);
};

extern const struct engine_ops engine_leveldb;
extern const struct engine_ops engine_memory;

#endif
