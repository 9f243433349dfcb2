/* See storage_index.h. */

#include "storage_index.h"

#include <stdlib.h>

#include "fold.h"
#include "log.h"
#include "storage_profile.h"
#include "storage_state.h"

#define INDEX_AT_ONCE 500 /* users */
#define INDEX_VERSION 1

/* Looks for those of the next users who are not in the index. */
struct index_look {
    struct read_job job;
    uint64_t epoch;
    uint64_t after;
    bool end;
    uint32_t n;
    struct {
        uint64_t number;
        uint8_t len;
        char name[STORAGE_ID_MAX];
    } missing[INDEX_AT_ONCE];
};

static int index_look_run(struct read_job *job, const struct reader *r);
static int index_look_user(struct index_look *l, const struct reader *r,
                           uint64_t number, struct str name);
static void index_look_done(struct embedded *e, struct read_job *job);


void
index_put(struct embedded *e)
{
    struct key key;

    key_indexed(&key);
    (void) embedded_record(e);
    record_put_u32(&e->record, INDEX_VERSION);
    embedded_put(e, &key, &e->record);
}


void
index_tick(struct embedded *e)
{
    struct index_look *l;

    if (!e->index_due || e->index_busy || e->state != EMBEDDED_OPEN) {
        return;
    }

    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return;
    }

    l->job.run = index_look_run;
    l->job.done = index_look_done;
    l->epoch = e->epoch;
    l->after = e->index_after;
    e->index_busy = true;
    readers_submit(e->readers, &l->job);
}


static int
index_look_run(struct read_job *job, const struct reader *r)
{
    struct index_look *l = (struct index_look *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct record_user user;
    struct key_parts parts;
    struct key key, prefix;
    uint32_t n;
    int rc = 0;

    if (i == NULL) {
        return -1;
    }

    key_prefix(&prefix, KEY_USER);
    key_user(&key, l->after + 1);
    r->ops->iter_seek(i, key_str(&key));

    for (n = 0; rc == 0 && n < INDEX_AT_ONCE && r->ops->iter_valid(i)
                && key_has_prefix(r->ops->iter_key(i), &prefix);
         n++, r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_user(r->ops->iter_value(i), &user) != 0) {
            rc = -1;
            break;
        }

        l->after = parts.first;
        rc = index_look_user(l, r, parts.first, user.name);
    }

    l->end = n < INDEX_AT_ONCE;
    rc |= r->ops->iter_error(i);
    r->ops->iter_close(i);
    return rc == 0 ? 0 : -1;
}


static int
index_look_user(struct index_look *l, const struct reader *r, uint64_t number,
                struct str name)
{
    struct buf folded = {0}, value = {0};
    struct key key;
    int rc = -1;

    fold_put(&folded, name, KEY_TEXT_MAX);

    if (!buf_failed(&folded)) {
        key_search(&key, buf_str(&folded), number);
        rc = r->ops->get(r->engine, key_str(&key), &value);
    }

    buf_clear(&folded);
    buf_clear(&value);

    if (rc == 0) {
        l->missing[l->n].number = number;
        l->missing[l->n].len = (uint8_t) name.len;
        memcpy(l->missing[l->n++].name, name.data, name.len);
    }

    return rc < 0 ? -1 : 0;
}


static void
index_look_done(struct embedded *e, struct read_job *job)
{
    struct index_look *l = (struct index_look *) job;
    uint32_t n;

    e->index_busy = false;

    if (job->status == 0 && l->epoch == e->epoch && e->state == EMBEDDED_OPEN) {
        for (n = 0; n < l->n; n++) {
            struct str name = {l->missing[n].name, l->missing[n].len};

            profile_index_number(e, l->missing[n].number, name, true);
        }

        e->index_after = l->after;
        e->index_due = !l->end;

        if (l->end) {
            index_put(e);
            log_info("store: all users are in the index");
        }

        index_tick(e);
    }

    free(l);
}
