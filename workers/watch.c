/* See watch.h. */

#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "session_inner.h"
#include "worker.h"

#define WATCHES_MAX STORAGE_USERS_LIMIT /* of a session */

struct watch {
    uint8_t len;
    char name[STORAGE_ID_MAX];
};

/* Sorted: a user may have many sessions that watch many. */
struct watches {
    uint32_t n;
    struct watch list[];
};

static void
ignore_done(const struct storage_result *r, void *data)
{
    (void) r;
    (void) data;
}

static struct str
watch_name(const struct watch *w)
{
    return (struct str){w->name, w->len};
}

static int
watch_compare(const void *a, const void *b)
{
    const struct watch *x = a, *y = b;
    int order = (int) x->len - (int) y->len;

    return order != 0 ? order : memcmp(x->name, y->name, x->len);
}

static struct watch *
watch_find(const struct session *s, struct str name)
{
    struct watches *all = s->watches;
    struct watch w = {.len = (uint8_t) name.len};

    if (all == NULL) {
        return NULL;
    }
    memcpy(w.name, name.data, name.len);
    return bsearch(&w, all->list, all->n, sizeof(w), watch_compare);
}

static bool
watched_elsewhere(const struct session *s, struct str name)
{
    const struct session *other;

    for (other = TAILQ_FIRST(&s->user->sessions); other != NULL;
         other = TAILQ_NEXT(other, of_user)) {
        if (other != s && watch_find(other, name) != NULL) {
            return true;
        }
    }
    return false;
}

/* Who was named twice stands there once. */
static void
watches_sort(struct watches *all, uint32_t n)
{
    qsort(all->list, n, sizeof(all->list[0]), watch_compare);
    all->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (all->n == 0
            || watch_compare(&all->list[all->n - 1], &all->list[i]) != 0) {
            all->list[all->n++] = all->list[i];
        }
    }
}

int
watch_add(struct session *s, const struct storage_op *op)
{
    uint32_t n = s->watches == NULL ? 0 : s->watches->n;
    uint32_t more = 0;
    struct watches *all;

    for (uint32_t i = 0; i < op->n_users; i++) {
        more += watch_find(s, op->users[i]) == NULL;
    }
    if (n + more > WATCHES_MAX) {
        return -1;
    }
    all = realloc(s->watches, sizeof(*all) + (n + more) * sizeof(all->list[0]));
    if (all == NULL) {
        return 1;
    }
    all->n = n;
    s->watches = all;
    more = 0;
    for (uint32_t i = 0; i < op->n_users; i++) {
        if (watch_find(s, op->users[i]) == NULL) {
            struct watch *w = &all->list[n + more++];

            w->len = (uint8_t) op->users[i].len;
            memcpy(w->name, op->users[i].data, op->users[i].len);
        }
    }
    watches_sort(all, n + more);
    return 0;
}

/* What only this session watches is let go. */
static void
unwatch(struct session *s, const struct str *names, uint32_t n)
{
    struct str alone[STORAGE_USERS_LIMIT];
    struct storage_op op = {
        .type = STORAGE_PRESENCE_UNWATCH,
        .user = session_user(s),
        .users = alone,
    };

    for (uint32_t i = 0; i < n; i++) {
        if (!watched_elsewhere(s, names[i])) {
            alone[op.n_users++] = names[i];
        }
    }
    if (op.n_users != 0) {
        storage_submit(s->user->all->worker->storage, &op, ignore_done, NULL);
    }
}

static uint32_t
watch_names(const struct session *s, struct str *names)
{
    uint32_t n = s->watches == NULL ? 0 : s->watches->n;

    for (uint32_t i = 0; i < n; i++) {
        names[i] = watch_name(&s->watches->list[i]);
    }
    return n;
}

void
watch_forget(struct session *s)
{
    struct str names[WATCHES_MAX];
    uint32_t n;

    if (s->watches != NULL) {
        n = watch_names(s, names);
        unwatch(s, names, n);
        free(s->watches);
        s->watches = NULL;
    }
}

void
watch_again(const struct session *s)
{
    struct str names[WATCHES_MAX];
    struct storage_op op = {
        .type = STORAGE_PRESENCE_WATCH,
        .user = session_user(s),
        .users = names,
    };

    op.n_users = watch_names(s, names);
    if (op.n_users != 0) {
        storage_submit(s->user->all->worker->storage, &op, ignore_done, NULL);
    }
}

void
watch_remove(struct session *s, const struct storage_op *op)
{
    struct str names[STORAGE_USERS_LIMIT];
    bool gone[WATCHES_MAX] = {false};
    uint32_t n = 0, kept = 0;
    struct watches *all = s->watches;
    struct watch *w;

    for (uint32_t i = 0; i < op->n_users; i++) {
        w = watch_find(s, op->users[i]);
        if (w != NULL && !gone[w - all->list]) {
            gone[w - all->list] = true;
            names[n++] = op->users[i];
        }
    }
    for (uint32_t i = 0; all != NULL && i < all->n; i++) {
        if (!gone[i]) {
            all->list[kept++] = all->list[i];
        }
    }
    if (all != NULL) {
        all->n = kept;
    }
    unwatch(s, names, n);
}
