/*
 * The engine in memory: the reference for the one on disk, and what tests
 * run on.  A store is the root of a tree that never changes (storage_tree.h): a
 * write makes another root, a reader that holds one has a consistent view for
 * as long as it likes, and a write that fails leaves nothing behind.
 */

#include "storage_memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "storage_engine.h"
#include "storage_tree.h"

struct memory_store {
    struct memory_store *next;
    struct tree_node *root;
    bool open;
    bool hold;
    unsigned fail_writes;
    unsigned fail_opens;
    unsigned long writes;
    char path[];
};

struct engine {
    struct memory_store *store;
    bool read_only;
    bool failed;
};

struct engine_change {
    struct engine_change *next;
    struct tree_item *item;
    bool delete;
};

struct engine_batch {
    struct engine_change *first;
    struct engine_change **last;
    bool failed;
};

struct engine_iter {
    struct tree_node *root;
    const struct tree_item *item; /* NULL: not valid */
};

/* Guards the list of stores and every field of a store. */
static pthread_mutex_t memory_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t memory_released = PTHREAD_COND_INITIALIZER;
static struct memory_store *memory_stores;

static struct memory_store *memory_find(const char *path);
static struct memory_store *memory_need(const char *path);
static int memory_commit(struct memory_store *s, struct tree_node *root);
static struct tree_node *memory_root(struct memory_store *s);


void
engine_memory_fail_writes(const char *path, unsigned n)
{
    pthread_mutex_lock(&memory_mutex);

    struct memory_store *s = memory_need(path);

    if (s != NULL) {
        s->fail_writes = n;
    }

    pthread_mutex_unlock(&memory_mutex);
}


void
engine_memory_fail_opens(const char *path, unsigned n)
{
    pthread_mutex_lock(&memory_mutex);

    struct memory_store *s = memory_need(path);

    if (s != NULL) {
        s->fail_opens = n;
    }

    pthread_mutex_unlock(&memory_mutex);
}


void
engine_memory_hold_writes(const char *path, bool hold)
{
    pthread_mutex_lock(&memory_mutex);

    struct memory_store *s = memory_need(path);

    if (s != NULL) {
        s->hold = hold;
        pthread_cond_broadcast(&memory_released);
    }

    pthread_mutex_unlock(&memory_mutex);
}


unsigned long
engine_memory_writes(const char *path)
{
    pthread_mutex_lock(&memory_mutex);

    const struct memory_store *s = memory_find(path);
    unsigned long writes = s != NULL ? s->writes : 0;

    pthread_mutex_unlock(&memory_mutex);
    return writes;
}


void
engine_memory_drop(const char *path)
{
    pthread_mutex_lock(&memory_mutex);

    struct memory_store **at = &memory_stores;
    struct memory_store *s = memory_find(path);

    if (s != NULL && !s->open) {
        while (*at != s) {
            at = &(*at)->next;
        }

        *at = s->next;
        tree_free(s->root);
        free(s);
    }

    pthread_mutex_unlock(&memory_mutex);
}


static struct engine *
engine_open(const char *path, bool read_only, const char **error)
{
    struct engine *e = calloc(1, sizeof(*e));

    *error = "out of memory";

    pthread_mutex_lock(&memory_mutex);

    struct memory_store *s = e != NULL ? memory_need(path) : NULL;

    if (s != NULL && s->open) {
        *error = "the store in memory is in use: close it first";
        s = NULL;
    } else if (s != NULL && s->fail_opens > 0) {
        *error = "the store in memory was told not to open";
        s->fail_opens--;
        s = NULL;
    }

    if (s != NULL) {
        s->open = true;
    }

    pthread_mutex_unlock(&memory_mutex);

    if (s == NULL) {
        free(e);
        return NULL;
    }

    e->store = s;
    e->read_only = read_only;
    return e;
}


static void
engine_close(struct engine *e)
{
    if (e == NULL) {
        return;
    }

    pthread_mutex_lock(&memory_mutex);
    e->store->open = false;
    pthread_mutex_unlock(&memory_mutex);

    free(e);
}


static int
engine_get(struct engine *e, struct str key, struct buf *value)
{
    struct tree_node *root = memory_root(e->store);
    const struct tree_item *item = tree_find(root, key, TREE_AT_LEAST);
    int found = item != NULL && str_eq(tree_key(item), key);

    if (found) {
        buf_put_str(value, tree_value(item));
    }

    tree_free(root);
    return buf_failed(value) ? -1 : found;
}


static int
engine_write(struct engine *e, struct engine_batch *b, bool sync)
{
    struct tree_edit edit = {.failed = b->failed || e->failed || e->read_only};
    struct tree_node *root = memory_root(e->store);

    (void) sync;

    for (const struct engine_change *c = b->first; c != NULL && !edit.failed;
         c = c->next) {
        struct tree_node *old = root;

        root = c->delete ? tree_delete(&edit, old, tree_key(c->item))
                         : tree_put(&edit, old, c->item);
        tree_free(old);
    }

    if (edit.failed) {
        tree_free(root);
        return -1;
    }

    if (memory_commit(e->store, root) != 0) {
        log_error("store in memory: write failed, as told");
        e->failed = true;
        return -1;
    }

    return 0;
}


static struct engine_batch *
engine_batch_create(void)
{
    struct engine_batch *b = calloc(1, sizeof(*b));

    if (b != NULL) {
        b->last = &b->first;
    }

    return b;
}


static void
engine_batch_clear(struct engine_batch *b)
{
    while (b->first != NULL) {
        struct engine_change *c = b->first;

        b->first = c->next;
        tree_item_free(c->item);
        free(c);
    }

    b->last = &b->first;
    b->failed = false;
}


static void
engine_batch_free(struct engine_batch *b)
{
    if (b != NULL) {
        engine_batch_clear(b);
        free(b);
    }
}


static void
engine_batch_add(struct engine_batch *b, struct str key, struct str value,
                 bool delete)
{
    struct engine_change *c = calloc(1, sizeof(*c));
    struct tree_item *item = key.len > 0 ? tree_item_create(key, value) : NULL;

    if (c == NULL || item == NULL) {
        b->failed = true;
        tree_item_free(item);
        free(c);
        return;
    }

    c->item = item;
    c->delete = delete;
    *b->last = c;
    b->last = &c->next;
}


static void
engine_batch_put(struct engine_batch *b, struct str key, struct str value)
{
    engine_batch_add(b, key, value, false);
}


static void
engine_batch_delete(struct engine_batch *b, struct str key)
{
    engine_batch_add(b, key, (struct str){NULL, 0}, true);
}


static struct engine_iter *
engine_iter_open(struct engine *e)
{
    struct engine_iter *i = calloc(1, sizeof(*i));

    if (i != NULL) {
        i->root = memory_root(e->store);
    }

    return i;
}


static void
engine_iter_close(struct engine_iter *i)
{
    if (i != NULL) {
        tree_free(i->root);
        free(i);
    }
}


static void
engine_iter_seek(struct engine_iter *i, struct str key)
{
    i->item = tree_find(i->root, key, TREE_AT_LEAST);
}


static void
engine_iter_seek_before(struct engine_iter *i, struct str key)
{
    i->item = tree_find(i->root, key, TREE_BELOW);
}


static void
engine_iter_next(struct engine_iter *i)
{
    i->item = tree_find(i->root, tree_key(i->item), TREE_ABOVE);
}


static void
engine_iter_prev(struct engine_iter *i)
{
    i->item = tree_find(i->root, tree_key(i->item), TREE_BELOW);
}


static bool
engine_iter_valid(const struct engine_iter *i)
{
    return i->item != NULL;
}


static struct str
engine_iter_key(const struct engine_iter *i)
{
    return tree_key(i->item);
}


static struct str
engine_iter_value(const struct engine_iter *i)
{
    return tree_value(i->item);
}


static int
engine_iter_error(const struct engine_iter *i)
{
    (void) i;
    return 0;
}


static void
engine_compact(struct engine *e, struct str from, struct str to)
{
    (void) e;
    (void) from;
    (void) to;
}


static bool
engine_compacting(struct engine *e)
{
    (void) e;
    return false;
}


const struct engine_ops engine_memory = {
    .name = "memory",
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


static struct memory_store *
memory_find(const char *path)
{
    struct memory_store *s = memory_stores;

    while (s != NULL && strcmp(s->path, path) != 0) {
        s = s->next;
    }

    return s;
}


/* Finds or makes it; NULL: out of memory. */
static struct memory_store *
memory_need(const char *path)
{
    struct memory_store *s = memory_find(path);
    size_t size = strlen(path) + 1;

    if (s == NULL) {
        s = calloc(1, sizeof(*s) + size);

        if (s != NULL) {
            memcpy(s->path, path, size);
            s->next = memory_stores;
            memory_stores = s;
        }
    }

    return s;
}


/* Makes root, which it owns from now on, the store's; or fails as told. */
static int
memory_commit(struct memory_store *s, struct tree_node *root)
{
    struct tree_node *old = root;
    int rc = -1;

    pthread_mutex_lock(&memory_mutex);

    while (s->hold) {
        pthread_cond_wait(&memory_released, &memory_mutex);
    }

    if (s->fail_writes > 0) {
        s->fail_writes--;
    } else {
        old = s->root;
        s->root = root;
        s->writes++;
        rc = 0;
    }

    pthread_mutex_unlock(&memory_mutex);

    tree_free(old);
    return rc;
}


static struct tree_node *
memory_root(struct memory_store *s)
{
    pthread_mutex_lock(&memory_mutex);

    struct tree_node *root = tree_ref(s->root);

    pthread_mutex_unlock(&memory_mutex);
    return root;
}
