/*
 * LIST_CHANNELS: a user's channels by their newest activity, from the disk;
 * markers that are still to be written go along with the job.
 */

#include <stdlib.h>

#include "log.h"
#include "storage_channel.h"
#include "storage_load.h"
#include "storage_text.h"

#define LIST_LIMIT 50
#define LIST_NAMES 256 /* remembered while a page is made */

struct list_row {
    uint64_t channel;
    uint64_t activity;
    uint64_t newest;
    uint64_t read;
    uint64_t muted;
};

struct list_marker {
    uint64_t channel;
    struct record_markers markers;
};

struct list_name {
    uint64_t user;
    uint8_t len;
    char name[STORAGE_ID_MAX];
};

struct list {
    struct read_job job;
    struct request *request;
    uint64_t user;
    uint32_t limit;
    bool hidden; /* those are wanted, not the others */
    bool has_cursor;
    uint64_t cursor_activity, cursor_channel;
    struct list_marker *markers;
    size_t n_markers, markers_cap;
    struct list_row *rows;
    size_t n_rows, rows_cap;
    struct list_name *names;
    struct buf json;
};

static int list_cursor(struct list *l, struct str cursor);
static int list_number(struct str *s, uint64_t *v);
static int list_markers(struct list *l, const struct channel *ch,
                        const struct user *u);
static int list_run(struct read_job *job, const struct reader *r);
static int list_rows(struct list *l, const struct reader *r,
                     struct engine_iter *memberships, struct engine_iter *i);
static int list_row(struct list *l, const struct reader *r,
                    struct engine_iter *i, uint64_t channel);
static int list_row_markers(struct list *l, const struct reader *r,
                            uint64_t channel, struct record_markers *m);
static int list_created_at(const struct reader *r, uint64_t channel,
                           uint64_t *at);
static int list_page(struct list *l, const struct reader *r);
static int list_channel(struct list *l, const struct reader *r,
                        const struct list_row *row);
static int list_members(struct list *l, const struct reader *r,
                        const struct record_channel *channel);
static int list_last_message(struct list *l, const struct reader *r,
                             const struct list_row *row);
static void list_done(struct embedded *e, struct read_job *job);
static void list_free(struct list *l);


enum step
list_channels_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct channel *ch;
    struct list *l;
    struct user *u;
    int rc = 0;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    if (list_cursor(l, r->op.cursor) != 0) {
        list_free(l);
        return request_answer(e, r, STORAGE_BAD_CURSOR);
    }

    for (ch = e->dirty_channels; ch != NULL; ch = ch->dirty_next) {
        rc |= list_markers(l, ch, u);
    }

    for (ch = e->writing_channels; ch != NULL; ch = ch->writing_next) {
        rc |= list_markers(l, ch, u);
    }

    if (rc != 0) {
        list_free(l);
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    l->job.run = list_run;
    l->job.done = list_done;
    l->request = r;
    l->user = u->number;
    l->hidden = r->op.number != 0;
    l->limit = r->op.limit == 0 ? LIST_LIMIT : r->op.limit;

    if (l->limit > STORAGE_LIST_LIMIT) {
        l->limit = STORAGE_LIST_LIMIT;
    }

    readers_submit(e->readers, &l->job);
    return request_detach(e, r);
}


/* "ACTIVITY-CHANNEL" of the last row of the page before. */
static int
list_cursor(struct list *l, struct str cursor)
{
    if (cursor.len == 0) {
        return 0;
    }

    l->has_cursor = true;

    if (list_number(&cursor, &l->cursor_activity) != 0 || cursor.len == 0
        || *cursor.data != '-') {
        return -1;
    }

    cursor.data++;
    cursor.len--;

    return list_number(&cursor, &l->cursor_channel) == 0 && cursor.len == 0
               ? 0
               : -1;
}


static int
list_number(struct str *s, uint64_t *v)
{
    size_t n = 0;

    for (*v = 0; n < s->len && s->data[n] >= '0' && s->data[n] <= '9'; n++) {
        if (n == 16) {
            return -1;
        }

        *v = *v * 10 + (uint64_t) (s->data[n] - '0');
    }

    s->data += n;
    s->len -= n;
    return n == 0 ? -1 : 0;
}


static int
list_markers(struct list *l, const struct channel *ch, const struct user *u)
{
    const struct member *m = channel_member(ch, u);
    struct list_marker *p;

    if (m == NULL) {
        return 0;
    }

    if (l->n_markers == l->markers_cap) {
        size_t cap = l->markers_cap == 0 ? 16 : l->markers_cap * 2;

        p = realloc(l->markers, cap * sizeof(*p));
        if (p == NULL) {
            return -1;
        }

        l->markers = p;
        l->markers_cap = cap;
    }

    p = &l->markers[l->n_markers++];
    p->channel = ch->number;
    p->markers =
        (struct record_markers){m->read, m->delivered, m->hidden, m->muted};
    return 0;
}


static int
list_compare(const void *a, const void *b)
{
    const struct list_row *x = a, *y = b;

    if (x->activity != y->activity) {
        return x->activity > y->activity ? -1 : 1;
    }

    return (x->channel < y->channel) - (x->channel > y->channel);
}


static int
list_run(struct read_job *job, const struct reader *r)
{
    struct list *l = (struct list *) job;
    struct engine_iter *memberships, *i;
    int rc = -1;

    l->names = calloc(LIST_NAMES, sizeof(*l->names));
    memberships = r->ops->iter_open(r->engine);
    i = r->ops->iter_open(r->engine);

    if (l->names != NULL && memberships != NULL && i != NULL) {
        rc = list_rows(l, r, memberships, i);
    }

    if (i != NULL) {
        r->ops->iter_close(i);
    }

    if (memberships != NULL) {
        r->ops->iter_close(memberships);
    }

    if (rc != 0) {
        return -1;
    }

    if (l->n_rows != 0) {
        qsort(l->rows, l->n_rows, sizeof(*l->rows), list_compare);
    }

    return list_page(l, r);
}


static int
list_rows(struct list *l, const struct reader *r,
          struct engine_iter *memberships, struct engine_iter *i)
{
    struct key prefix;
    struct key_parts parts;

    key_prefix_number(&prefix, KEY_MEMBERSHIP, l->user);

    for (r->ops->iter_seek(memberships, key_str(&prefix));
         r->ops->iter_valid(memberships)
         && key_has_prefix(r->ops->iter_key(memberships), &prefix);
         r->ops->iter_next(memberships)) {
        if (key_parse(r->ops->iter_key(memberships), &parts) != 0
            || list_row(l, r, i, parts.second) != 0) {
            return -1;
        }
    }

    return r->ops->iter_error(memberships);
}


static int
list_row(struct list *l, const struct reader *r, struct engine_iter *i,
         uint64_t channel)
{
    struct list_row row = {.channel = channel};
    struct record_markers markers = {0};
    struct record_message message;
    struct key_parts parts;
    struct key prefix;
    bool own = false;
    int rc;

    key_prefix_number(&prefix, KEY_MESSAGE, channel);
    rc = load_last(r, i, &prefix);

    if (rc == 1) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_message(r->ops->iter_value(i), &message) != 0) {
            return -1;
        }

        row.newest = parts.second;
        row.activity = message.sent_at;
        own = message.sender == l->user;

    } else if (rc == 0) {
        rc = list_created_at(r, channel, &row.activity);
    }

    if (rc < 0 || list_row_markers(l, r, channel, &markers) != 0) {
        return -1;
    }

    /* who has sent the newest has read it: his marker may still be on its way
     * to the disk, or lost with a store that was killed */
    row.read = own || markers.read > row.newest ? row.newest : markers.read;
    row.muted = markers.muted;

    if ((markers.hidden == row.newest + 1) != l->hidden
        || (l->has_cursor
            && (row.activity > l->cursor_activity
                || (row.activity == l->cursor_activity
                    && row.channel >= l->cursor_channel)))) {
        return 0;
    }

    if (l->n_rows == l->rows_cap) {
        size_t cap = l->rows_cap == 0 ? 64 : l->rows_cap * 2;
        struct list_row *p = realloc(l->rows, cap * sizeof(*p));

        if (p == NULL) {
            return -1;
        }

        l->rows = p;
        l->rows_cap = cap;
    }

    l->rows[l->n_rows++] = row;
    return 0;
}


static int
list_row_markers(struct list *l, const struct reader *r, uint64_t channel,
                 struct record_markers *m)
{
    struct buf value = {0};
    struct key key;
    size_t n;
    int rc;

    for (n = 0; n < l->n_markers; n++) {
        if (l->markers[n].channel == channel) {
            *m = l->markers[n].markers;
            return 0;
        }
    }

    key_markers(&key, channel, l->user);
    rc = load_copy(r, &key, &value);

    if (rc == 1) {
        rc = record_get_markers(buf_str(&value), m);
    }

    buf_clear(&value);
    return rc;
}


static int
list_created_at(const struct reader *r, uint64_t channel, uint64_t *at)
{
    struct record_channel record;
    struct buf value = {0};
    struct key key;
    int rc;

    key_channel(&key, channel);
    rc = load_copy(r, &key, &value);

    if (rc == 1 && record_get_channel(buf_str(&value), &record) == 0) {
        *at = record.created_at;
        rc = 0;

    } else {
        rc = -1;
    }

    buf_clear(&value);
    return rc;
}


static int
list_page(struct list *l, const struct reader *r)
{
    const struct list_row *last;
    size_t n;

    buf_put_lit(&l->json, "{\"channels\":[");

    for (n = 0;
         n < l->n_rows && n < l->limit && l->json.len < STORAGE_PAGE_BYTES;
         n++) {
        if (n != 0) {
            buf_put_char(&l->json, ',');
        }

        if (list_channel(l, r, &l->rows[n]) != 0) {
            return -1;
        }
    }

    if (n == l->n_rows) {
        buf_put_lit(&l->json, "],\"more\":false,\"next\":null}");

    } else {
        last = &l->rows[n - 1];
        buf_put_lit(&l->json, "],\"more\":true,\"next\":\"");
        buf_put_u64(&l->json, last->activity);
        buf_put_char(&l->json, '-');
        buf_put_u64(&l->json, last->channel);
        buf_put_lit(&l->json, "\"}");
    }

    return buf_failed(&l->json) ? -1 : 0;
}


static int
list_channel(struct list *l, const struct reader *r, const struct list_row *row)
{
    struct record_channel record;
    struct channel_view view;
    struct buf value = {0};
    struct key key;
    int rc;

    key_channel(&key, row->channel);
    rc = load_copy(r, &key, &value);

    if (rc == 1 && record_get_channel(buf_str(&value), &record) == 0) {
        view = (struct channel_view){record.kind, record.id, record.name,
                                     record.avatar, record.created_at};
        channel_json_view(&l->json, &view);
        rc = list_members(l, r, &record);

    } else {
        rc = -1;
    }

    buf_clear(&value);

    if (rc != 0) {
        log_error("store: channel %llu cannot be read",
                  (unsigned long long) row->channel);
        return -1;
    }

    buf_put_lit(&l->json, "],\"last_message\":");
    rc = list_last_message(l, r, row);
    buf_put_lit(&l->json, ",\"unread\":");
    buf_put_u64(&l->json, row->newest - row->read);
    buf_put_lit(&l->json, ",\"read\":");
    buf_put_u64(&l->json, row->read);
    channel_json_muted(&l->json, row->muted);
    buf_put_char(&l->json, '}');
    return rc;
}


static int
list_members(struct list *l, const struct reader *r,
             const struct record_channel *channel)
{
    struct record_user record;
    struct list_name *name;
    struct buf value = {0};
    struct key key;
    uint32_t n;

    for (n = 0; n < channel->n_members; n++) {
        name = &l->names[channel->members[n].user % LIST_NAMES];

        if (name->user != channel->members[n].user) {
            key_user(&key, channel->members[n].user);
            buf_reset(&value, value.cap);

            if (load_copy(r, &key, &value) != 1
                || record_get_user(buf_str(&value), &record) != 0) {
                buf_clear(&value);
                return -1;
            }

            name->user = channel->members[n].user;
            name->len = (uint8_t) record.name.len;
            memcpy(name->name, record.name.data, record.name.len);
        }

        channel_json_member(&l->json, n == 0,
                            (struct str){name->name, name->len},
                            channel->members[n].role);
        buf_put_char(&l->json, '}');
    }

    buf_clear(&value);
    return 0;
}


static int
list_last_message(struct list *l, const struct reader *r,
                  const struct list_row *row)
{
    struct record_message message;
    struct buf value = {0};
    struct key key;
    int rc;

    if (row->newest == 0) {
        buf_put_lit(&l->json, "null");
        return 0;
    }

    key_message(&key, row->channel, row->newest);
    rc = load_copy(r, &key, &value);

    if (rc == 1 && record_get_message(buf_str(&value), &message) == 0) {
        text_put_shown(&l->json, &message);
        rc = 0;

    } else {
        rc = -1;
    }

    buf_clear(&value);
    return rc;
}


static void
list_done(struct embedded *e, struct read_job *job)
{
    struct list *l = (struct list *) job;
    struct storage_result result = {0};

    result.status = STORAGE_UNAVAILABLE;

    if (job->status == 0) {
        result.status = STORAGE_OK;
        result.json = buf_str(&l->json);
    }

    request_finish(e, l->request, &result);
    list_free(l);
}


static void
list_free(struct list *l)
{
    free(l->markers);
    free(l->rows);
    free(l->names);
    buf_clear(&l->json);
    free(l);
}
