/*
 * The engine over LevelDB, through its C API: the only file that knows it.
 * Every thread may read; one at a time writes.  A handle whose write failed
 * writes nothing more: LevelDB's log goes on behind bytes that never reached
 * the disk, and what is written there is lost at the next open.
 *
 * LevelDB has no read-only mode: a store opened read_only is locked, its log
 * is replayed and its manifest may be rewritten, but no record changes.
 */

#include "storage_engine.h"

#include <dirent.h>
#include <errno.h>
#include <leveldb/c.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define ENGINE_CACHE_BYTES  ((size_t) 64 << 20)
#define ENGINE_BUFFER_BYTES ((size_t) 64 << 20)
#define ENGINE_FILE_BYTES   ((size_t) 8 << 20)
#define ENGINE_BLOOM_BITS   10
#define ENGINE_OPEN_FILES   1000

/* Ranges that wait for compaction; more are left to LevelDB's own pace. */
#define ENGINE_RANGES 8

struct engine_range {
    struct buf from;
    struct buf to;
};

struct engine {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *bloom;
    leveldb_readoptions_t *read;
    leveldb_writeoptions_t *write;
    leveldb_writeoptions_t *write_sync;
    char *path;
    bool read_only;
    atomic_bool failed; /* a write failed: no more of them */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    pthread_t compactor;
    bool compacting; /* the thread exists */
    bool closing;
    struct engine_range ranges[ENGINE_RANGES];
    unsigned n_ranges;
    bool in_range; /* one is being compacted */
};

struct engine_batch {
    leveldb_writebatch_t *batch;
    bool failed; /* an empty key was put */
};

struct engine_iter {
    leveldb_iterator_t *iter;
    const char *path; /* of the engine, for logs */
};

static int engine_look(const char *path, bool read_only, const char **error);
static bool engine_has_tables(const char *path);
static const char *engine_say(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static const char *engine_open_error(const char *path, const char *why);
static int engine_options(struct engine *e, bool read_only);
static void engine_free(struct engine *e);
static bool engine_errored(const char *path, const char *what, char *why);
static void *engine_compactor(void *data);
static void engine_range_clear(struct engine_range *r);


static struct engine *
engine_open(const char *path, bool read_only, const char **error)
{
    struct engine *e;
    char *why = NULL;

    if (engine_look(path, read_only, error) != 0) {
        return NULL;
    }

    e = calloc(1, sizeof(*e));

    if (e == NULL) {
        *error = "out of memory";
        return NULL;
    }

    pthread_mutex_init(&e->mutex, NULL);
    pthread_cond_init(&e->wake, NULL);

    e->path = strdup(path);

    if (e->path == NULL || engine_options(e, read_only) != 0) {
        *error = "out of memory";
        engine_free(e);
        return NULL;
    }

    e->db = leveldb_open(e->options, path, &why);

    if (why != NULL) {
        *error = engine_open_error(path, why);
        leveldb_free(why);
        engine_free(e);
        return NULL;
    }

    return e;
}


static void
engine_close(struct engine *e)
{
    if (e == NULL) {
        return;
    }

    pthread_mutex_lock(&e->mutex);
    e->closing = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->mutex);

    /* LevelDB must not be closed under a compaction that was asked for */
    if (e->compacting) {
        pthread_join(e->compactor, NULL);
    }

    engine_free(e);
}


static int
engine_get(struct engine *e, struct str key, struct buf *value)
{
    char *why = NULL;
    size_t len;
    char *data;

    data = leveldb_get(e->db, e->read, key.data, key.len, &len, &why);

    if (engine_errored(e->path, "read", why)) {
        return -1;
    }

    if (data == NULL) {
        return 0;
    }

    buf_put(value, data, len);
    leveldb_free(data);
    return buf_failed(value) ? -1 : 1;
}


static int
engine_write(struct engine *e, struct engine_batch *b, bool sync)
{
    char *why = NULL;

    if (b->failed || e->read_only || atomic_load(&e->failed)) {
        return -1;
    }

    leveldb_write(e->db, sync ? e->write_sync : e->write, b->batch, &why);

    if (engine_errored(e->path, "write", why)) {
        atomic_store(&e->failed, true);
        return -1;
    }

    return 0;
}


static struct engine_batch *
engine_batch_create(void)
{
    struct engine_batch *b = calloc(1, sizeof(*b));

    if (b != NULL) {
        b->batch = leveldb_writebatch_create();
    }

    return b;
}


static void
engine_batch_free(struct engine_batch *b)
{
    if (b != NULL) {
        leveldb_writebatch_destroy(b->batch);
        free(b);
    }
}


static void
engine_batch_clear(struct engine_batch *b)
{
    leveldb_writebatch_clear(b->batch);
    b->failed = false;
}


static void
engine_batch_put(struct engine_batch *b, struct str key, struct str value)
{
    if (key.len == 0) {
        b->failed = true;
        return;
    }

    leveldb_writebatch_put(b->batch, key.data, key.len, value.data, value.len);
}


static void
engine_batch_delete(struct engine_batch *b, struct str key)
{
    if (key.len == 0) {
        b->failed = true;
        return;
    }

    leveldb_writebatch_delete(b->batch, key.data, key.len);
}


static struct engine_iter *
engine_iter_open(struct engine *e)
{
    struct engine_iter *i = calloc(1, sizeof(*i));

    if (i != NULL) {
        i->iter = leveldb_create_iterator(e->db, e->read);
        i->path = e->path;
    }

    return i;
}


static void
engine_iter_close(struct engine_iter *i)
{
    if (i != NULL) {
        leveldb_iter_destroy(i->iter);
        free(i);
    }
}


static void
engine_iter_seek(struct engine_iter *i, struct str key)
{
    leveldb_iter_seek(i->iter, key.data, key.len);
}


static void
engine_iter_seek_before(struct engine_iter *i, struct str key)
{
    leveldb_iter_seek(i->iter, key.data, key.len);

    if (leveldb_iter_valid(i->iter)) {
        leveldb_iter_prev(i->iter);
        return;
    }

    char *why = NULL;

    leveldb_iter_get_error(i->iter, &why);

    /* invalid for want of a key above: the last of all is the one below */
    if (why == NULL) {
        leveldb_iter_seek_to_last(i->iter);
    }

    leveldb_free(why);
}


static void
engine_iter_next(struct engine_iter *i)
{
    leveldb_iter_next(i->iter);
}


static void
engine_iter_prev(struct engine_iter *i)
{
    leveldb_iter_prev(i->iter);
}


static bool
engine_iter_valid(const struct engine_iter *i)
{
    return leveldb_iter_valid(i->iter) != 0;
}


static struct str
engine_iter_key(const struct engine_iter *i)
{
    struct str key;

    key.data = leveldb_iter_key(i->iter, &key.len);
    return key;
}


static struct str
engine_iter_value(const struct engine_iter *i)
{
    struct str value;

    value.data = leveldb_iter_value(i->iter, &value.len);
    return value;
}


static int
engine_iter_error(const struct engine_iter *i)
{
    char *why = NULL;

    leveldb_iter_get_error(i->iter, &why);
    return engine_errored(i->path, "read", why) ? -1 : 0;
}


static void
engine_compact(struct engine *e, struct str from, struct str to)
{
    pthread_mutex_lock(&e->mutex);

    if (!e->compacting) {
        e->compacting =
            pthread_create(&e->compactor, NULL, engine_compactor, e) == 0;
    }

    if (e->compacting && e->n_ranges < ENGINE_RANGES) {
        struct engine_range *r = &e->ranges[e->n_ranges];

        buf_put_str(&r->from, from);
        buf_put_str(&r->to, to);

        if (buf_failed(&r->from) || buf_failed(&r->to)) {
            engine_range_clear(r);
        } else {
            e->n_ranges++;
        }
    }

    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->mutex);
}


static bool
engine_compacting(struct engine *e)
{
    bool compacting;

    pthread_mutex_lock(&e->mutex);
    compacting = e->n_ranges > 0 || e->in_range;
    pthread_mutex_unlock(&e->mutex);
    return compacting;
}


const struct engine_ops engine_leveldb = {
    .name = "leveldb",
    .open = engine_open,
    .close = engine_close,
    .get = engine_get,
    .write = engine_write,
    .batch_create = engine_batch_create,
    .batch_free = engine_batch_free,
    .batch_clear = engine_batch_clear,
    .batch_put = engine_batch_put,
    .batch_delete = engine_batch_delete,
    .iter_open = engine_iter_open,
    .iter_close = engine_iter_close,
    .iter_seek = engine_iter_seek,
    .iter_seek_before = engine_iter_seek_before,
    .iter_next = engine_iter_next,
    .iter_prev = engine_iter_prev,
    .iter_valid = engine_iter_valid,
    .iter_key = engine_iter_key,
    .iter_value = engine_iter_value,
    .iter_error = engine_iter_error,
    .compact = engine_compact,
    .compacting = engine_compacting,
};


/* Settles what LevelDB would say badly, or answer by damage. */
static int
engine_look(const char *path, bool read_only, const char **error)
{
    struct stat st;
    char current[4096];
    int n = snprintf(current, sizeof(current), "%s/CURRENT", path);

    if (path[0] == '\0' || n < 0 || (size_t) n >= sizeof(current)) {
        *error = "the path of the store is empty or too long";
        return -1;
    }

    if (stat(path, &st) != 0) {
        if (errno == ENOENT && !read_only) {
            return 0;
        }

        *error =
            engine_say("there is no store in %s: %s", path, strerror(errno));
        return -1;
    }

    if (!S_ISDIR(st.st_mode)) {
        *error = engine_say("the store %s is not a directory", path);
        return -1;
    }

    if (access(path, R_OK | W_OK | X_OK) != 0) {
        *error = engine_say("the store %s cannot be written: %s: give it to "
                            "the user chatd runs as",
                            path, strerror(errno));
        return -1;
    }

    if (stat(current, &st) == 0) {
        return 0;
    }

    if (engine_has_tables(path)) {
        /* LevelDB would make an empty store here and delete the tables */
        *error = engine_say("the store %s is corrupt: it has tables and logs "
                            "but no CURRENT: restore it from a copy",
                            path);
        return -1;
    }

    if (read_only) {
        *error = engine_say("there is no store in %s", path);
        return -1;
    }

    return 0;
}


static bool
engine_has_tables(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool found = false;

    if (dir == NULL) {
        return false;
    }

    while (!found && (entry = readdir(dir)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');

        found = dot != NULL
                && (strcmp(dot, ".ldb") == 0 || strcmp(dot, ".sst") == 0
                    || strcmp(dot, ".log") == 0);
    }

    closedir(dir);
    return found;
}


static const char *
engine_say(const char *format, ...)
{
    static _Thread_local char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    return text;
}


static const char *
engine_open_error(const char *path, const char *why)
{
    if (strstr(why, "lock ") != NULL) {
        return engine_say("the store %s is in use by another process (%s): "
                          "end it, or choose another directory",
                          path, why);
    }

    if (strncmp(why, "Corruption", strlen("Corruption")) == 0) {
        return engine_say("the store %s is corrupt (%s): restore it from a "
                          "copy",
                          path, why);
    }

    if (strstr(why, strerror(ENOSPC)) != NULL) {
        return engine_say("the store %s has no space left on its disk (%s): "
                          "free some",
                          path, why);
    }

    return engine_say("the store %s cannot be opened: %s", path, why);
}


static int
engine_options(struct engine *e, bool read_only)
{
    e->read_only = read_only;
    e->options = leveldb_options_create();
    e->cache = leveldb_cache_create_lru(ENGINE_CACHE_BYTES);
    e->bloom = leveldb_filterpolicy_create_bloom(ENGINE_BLOOM_BITS);
    e->read = leveldb_readoptions_create();
    e->write = leveldb_writeoptions_create();
    e->write_sync = leveldb_writeoptions_create();

    if (e->options == NULL || e->cache == NULL || e->bloom == NULL
        || e->read == NULL || e->write == NULL || e->write_sync == NULL) {
        return -1;
    }

    leveldb_options_set_create_if_missing(e->options, !read_only);
    leveldb_options_set_paranoid_checks(e->options, 1);
    leveldb_options_set_cache(e->options, e->cache);
    leveldb_options_set_filter_policy(e->options, e->bloom);
    leveldb_options_set_write_buffer_size(e->options, ENGINE_BUFFER_BYTES);
    leveldb_options_set_max_file_size(e->options, ENGINE_FILE_BYTES);
    leveldb_options_set_max_open_files(e->options, ENGINE_OPEN_FILES);
    leveldb_readoptions_set_verify_checksums(e->read, 1);
    leveldb_writeoptions_set_sync(e->write_sync, 1);
    return 0;
}


static void
engine_free(struct engine *e)
{
    if (e->db != NULL) {
        leveldb_close(e->db);
    }

    if (e->options != NULL) {
        leveldb_options_destroy(e->options);
        leveldb_readoptions_destroy(e->read);
        leveldb_writeoptions_destroy(e->write);
        leveldb_writeoptions_destroy(e->write_sync);
        leveldb_filterpolicy_destroy(e->bloom);
        leveldb_cache_destroy(e->cache);
    }

    for (unsigned i = 0; i < e->n_ranges; i++) {
        engine_range_clear(&e->ranges[i]);
    }

    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->mutex);
    free(e->path);
    free(e);
}


/* Logs and frees why; true when there was one. */
static bool
engine_errored(const char *path, const char *what, char *why)
{
    if (why == NULL) {
        return false;
    }

    log_error("store %s: %s failed: %s", path, what, why);
    leveldb_free(why);
    return true;
}


static void *
engine_compactor(void *data)
{
    struct engine *e = data;

    prctl(PR_SET_NAME, "chatd-compact");
    pthread_mutex_lock(&e->mutex);

    while (!e->closing) {
        if (e->n_ranges == 0) {
            pthread_cond_wait(&e->wake, &e->mutex);
            continue;
        }

        struct engine_range r = e->ranges[0];

        e->n_ranges--;
        memmove(e->ranges, e->ranges + 1, e->n_ranges * sizeof(r));
        memset(&e->ranges[e->n_ranges], 0, sizeof(r));
        e->in_range = true;
        pthread_mutex_unlock(&e->mutex);

        log_debug("store %s: compact a range", e->path);
        leveldb_compact_range(e->db, r.from.data, r.from.len, r.to.data,
                              r.to.len);
        engine_range_clear(&r);

        pthread_mutex_lock(&e->mutex);
        e->in_range = false;
    }

    pthread_mutex_unlock(&e->mutex);
    return NULL;
}


static void
engine_range_clear(struct engine_range *r)
{
    buf_clear(&r->from);
    buf_clear(&r->to);
}
