/* See storage_watchers.h. */

#include "storage_watchers.h"

#include <stdlib.h>

/* Who watches a user. */
struct watched {
    struct map_entry entry;
    TAILQ_ENTRY(watched) link;
    uint64_t number;
    uint32_t n, cap;
    struct watcher *list;
};


static const void *
watched_key(const struct map_entry *entry, size_t *len)
{
    const struct watched *w = map_container(entry, struct watched, entry);

    *len = sizeof(w->number);
    return &w->number;
}


void
watchers_init(struct watchers *all)
{
    map_init(&all->lists, watched_key);
    TAILQ_INIT(&all->order);
}


static void
watched_free(struct watchers *all, struct watched *w)
{
    map_remove(&all->lists, &w->entry);
    TAILQ_REMOVE(&all->order, w, link);
    free(w->list);
    free(w);
}


void
watchers_clear(struct watchers *all)
{
    struct watched *w;

    while ((w = TAILQ_FIRST(&all->order)) != NULL) {
        watched_free(all, w);
    }

    map_clear(&all->lists);
}


static struct watched *
watched_find(struct watchers *all, uint64_t number)
{
    struct map_entry *entry = map_find(&all->lists, &number, sizeof(number));

    return entry == NULL ? NULL : map_container(entry, struct watched, entry);
}


static struct watched *
watched_make(struct watchers *all, uint64_t number)
{
    struct watched *w = watched_find(all, number);

    if (w != NULL) {
        return w;
    }

    w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return NULL;
    }

    w->number = number;

    if (map_insert(&all->lists, &w->entry) != 0) {
        free(w);
        return NULL;
    }

    TAILQ_INSERT_TAIL(&all->order, w, link);
    return w;
}


static uint32_t
watched_index(const struct watched *w, uint64_t watcher)
{
    uint32_t i;

    for (i = 0; i < w->n && w->list[i].number != watcher; i++) {
    }

    return i;
}


int
watchers_add(struct watchers *all, uint64_t number, uint64_t watcher)
{
    struct watched *w = watched_make(all, number);
    struct watcher *p;
    uint32_t i, cap;

    if (w == NULL) {
        return -1;
    }

    i = watched_index(w, watcher);

    if (i == w->cap) {
        cap = w->cap + w->cap / 2 + 2;
        p = realloc(w->list, cap * sizeof(*p));

        if (p == NULL) {
            if (w->n == 0) {
                watched_free(all, w);
            }

            return -1;
        }

        w->list = p;
        w->cap = cap;
    }

    w->list[i] = (struct watcher){.number = watcher};
    w->n += i == w->n;
    return 0;
}


void
watchers_remove(struct watchers *all, uint64_t number, uint64_t watcher)
{
    struct watched *w = watched_find(all, number);
    uint32_t i = w == NULL ? 0 : watched_index(w, watcher);

    if (w != NULL && i < w->n) {
        w->list[i] = w->list[--w->n];
    }

    if (w != NULL && w->n == 0) {
        watched_free(all, w);
    }
}


bool
watchers_has(struct watchers *all, uint64_t number, uint64_t watcher)
{
    const struct watched *w = watched_find(all, number);

    return w != NULL && watched_index(w, watcher) < w->n;
}


const struct watcher *
watchers_of(struct watchers *all, uint64_t number, uint32_t *n)
{
    const struct watched *w = watched_find(all, number);

    *n = w == NULL ? 0 : w->n;
    return w == NULL ? NULL : w->list;
}


/* Who has come only now may not count as here yet: he is given a second look.
 */
static void
watched_look(struct watched *w,
             bool (*here)(uint64_t watcher, const void *data), const void *data)
{
    struct watcher *p, *smaller;
    uint32_t i = 0;

    while (i < w->n) {
        p = &w->list[i];

        if (here(p->number, data)) {
            p->missed = 0;
            i++;

        } else if (!p->missed) {
            p->missed = 1;
            i++;

        } else {
            *p = w->list[--w->n];
        }
    }

    /* most have gone: the room, too */
    if (w->n != 0 && w->n < w->cap / 4) {
        smaller = realloc(w->list, w->n * sizeof(*smaller));

        if (smaller != NULL) {
            w->list = smaller;
            w->cap = w->n;
        }
    }
}


void
watchers_tick(struct watchers *all,
              bool (*here)(uint64_t watcher, const void *data),
              const void *data)
{
    size_t lists = all->lists.count, looked = 0;
    struct watched *w;

    while (lists-- != 0 && looked < WATCHERS_SLICE) {
        w = TAILQ_FIRST(&all->order);
        looked += w->n + 1;
        TAILQ_REMOVE(&all->order, w, link);
        TAILQ_INSERT_TAIL(&all->order, w, link);
        watched_look(w, here, data);

        if (w->n == 0) {
            watched_free(all, w);
        }
    }
}
