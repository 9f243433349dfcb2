/* See storage_marker.h. */

#include "storage_marker.h"

#include <stdlib.h>

#include "storage_device.h"
#include "storage_erase.h"
#include "storage_outcome.h"
#include "storage_presence.h"

#define MARKER_BATCH     1024 /* records in one batch            */
#define RECEIPT_EVERY_MS 1000 /* per channel and reader          */
#define RECEIPT_TIMER_MS 100
#define RECEIPT_MESSAGES 50 /* up to the marker, in a group    */

/* Who sent one of the last messages up to one of the two markers. */
struct receipt_look {
    struct read_job job;
    struct channel *channel; /* pinned */
    uint64_t reader;
    uint64_t epoch;
    uint64_t number;
    uint64_t read, delivered;
    uint32_t n_senders;
    uint64_t senders[2 * RECEIPT_MESSAGES];
};

static uint32_t marker_flush_channel(struct embedded *e, struct channel *ch);
static uint32_t marker_flush_user(struct embedded *e, struct user *u);
static void receipt_due(struct embedded *e, struct channel *ch,
                        struct member *m);
static void receipt_send(struct embedded *e, struct channel *ch,
                         struct member *m);
static void receipt_look(struct embedded *e, struct channel *ch,
                         struct member *m);
static int receipt_look_run(struct read_job *job, const struct reader *r);
static int receipt_look_upto(struct receipt_look *l, const struct reader *r,
                             struct engine_iter *i, uint64_t upto);
static void receipt_look_done(struct embedded *e, struct read_job *job);
static void receipt_event(struct embedded *e, struct channel *ch,
                          struct member *m, const uint64_t *senders,
                          uint32_t n_senders);


static uint64_t
marker_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}


static uint64_t
marker_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}


void
marker_advance(struct embedded *e, struct channel *ch, struct member *m,
               uint64_t read, uint64_t delivered)
{
    read = marker_max(read, m->read);
    delivered = marker_max(marker_max(delivered, m->delivered), read);

    if (read == m->read && delivered == m->delivered) {
        return;
    }

    m->read = read;
    m->delivered = delivered;
    marker_dirty(e, ch, m);
    receipt_due(e, ch, m);
}


void
marker_own(struct embedded *e, struct channel *ch, struct member *m,
           uint64_t message_id)
{
    m->read = message_id;
    m->delivered = message_id;
    marker_dirty(e, ch, m);
}


void
marker_dirty(struct embedded *e, struct channel *ch, struct member *m)
{
    m->dirty = true;

    if (!ch->dirty) {
        ch->dirty = true;
        ch->pins++;
        ch->dirty_next = e->dirty_channels;
        e->dirty_channels = ch;
    }
}


void
marker_dirty_user(struct embedded *e, struct user *u)
{
    if (!u->dirty) {
        u->dirty = true;
        user_ref(e, u);
        u->dirty_next = e->dirty_users;
        e->dirty_users = u;
    }
}


void
marker_put(struct embedded *e, const struct channel *ch, struct member *m)
{
    struct record_markers record = {m->read, m->delivered, m->hidden, m->muted};
    struct key key;

    m->put_at = e->sequence + 1;
    key_markers(&key, ch->number, m->user->number);
    (void) embedded_record(e);
    record_put_markers(&e->record, &record);
    embedded_put(e, &key, &e->record);
}


void
marker_flush(struct embedded *e)
{
    struct channel *ch;
    struct user *u;
    uint32_t n = 0;

    if (e->behind_busy || e->state == EMBEDDED_BROKEN) {
        return;
    }

    if (e->dropped != NULL) {
        e->behind_busy = true;
        e->dropped_busy = true;
        committer_write_behind(e->committer, e->dropped);
        return;
    }

    if (e->erased != NULL) {
        e->behind_busy = true;
        e->erased_busy = true;
        committer_write_behind(e->committer, e->erased);
        return;
    }

    if (e->behind == NULL && (e->behind = e->ops->batch_create()) == NULL) {
        return;
    }

    while ((ch = e->dirty_channels) != NULL && n < MARKER_BATCH) {
        e->dirty_channels = ch->dirty_next;
        ch->dirty = false;
        ch->writing_next = e->writing_channels;
        e->writing_channels = ch;
        n += marker_flush_channel(e, ch);
    }

    while ((u = e->dirty_users) != NULL && n < MARKER_BATCH) {
        e->dirty_users = u->dirty_next;
        u->dirty = false;
        u->writing_next = e->writing_users;
        e->writing_users = u;
        n += marker_flush_user(e, u);
    }

    n += presence_flush(e);
    e->behind_more = e->dirty_channels != NULL || e->dirty_users != NULL
                     || !TAILQ_EMPTY(&e->presence_write_list);

    if (n != 0) {
        e->behind_busy = true;
        committer_write_behind(e->committer, e->behind);

    } else {
        marker_flushed(e);
    }
}


/*
 * Nothing beyond what is published may come to the disk: were the message to
 * fail, the number would be given again.  Such a marker waits, as does one
 * whose older values stand in a commit that is still to be written.
 */
static uint32_t
marker_flush_channel(struct embedded *e, struct channel *ch)
{
    struct record_markers record;
    struct key key;
    struct member *m;
    uint32_t i, n = 0;
    bool waits = false;

    for (i = 0; i < ch->n_members; i++) {
        m = &ch->members[i];

        if (!m->dirty) {
            continue;
        }

        if (m->put_at > e->published) {
            waits = true;
            continue;
        }

        m->dirty = m->delivered > ch->published;
        waits |= m->dirty;

        record.read = marker_min(m->read, ch->published);
        record.delivered = marker_min(m->delivered, ch->published);
        record.hidden = m->hidden;
        record.muted = m->muted;

        key_markers(&key, ch->number, m->user->number);
        (void) embedded_record(e);
        record_put_markers(&e->record, &record);
        e->ops->batch_put(e->behind, key_str(&key), buf_str(&e->record));
        n++;
    }

    if (waits) {
        ch->dirty = true;
        ch->pins++;
        ch->dirty_next = e->waiting_channels;
        e->waiting_channels = ch;
    }

    return n;
}


static uint32_t
marker_flush_user(struct embedded *e, struct user *u)
{
    struct record_device record;
    struct removal *w;
    struct device *d;
    struct key key;
    uint32_t i, n = 0;
    bool waits = false;

    for (i = 0; i < u->n_removals; i++) {
        w = &u->removals[i];

        /* The one before this batch may have brought it back. */
        if (w->dirty
            && device_find(u, (struct str){w->id, w->id_len}) == NULL) {
            key_device(&key, u->number, (struct str){w->id, w->id_len});
            e->ops->batch_delete(e->behind, key_str(&key));
            n++;
        }

        w->dirty = false;
    }

    for (i = 0; i < u->n_devices; i++) {
        d = &u->devices[i];

        if (!d->dirty) {
            continue;
        }

        if (d->put_at > e->published) {
            waits = true;
            continue;
        }

        d->dirty = false;
        record.inbox_id = d->inbox_id;
        record.at = d->at;
        record.name = d->name;

        key_device(&key, u->number, (struct str){d->id, d->id_len});
        (void) embedded_record(e);
        record_put_device(&e->record, &record);
        e->ops->batch_put(e->behind, key_str(&key), buf_str(&e->record));
        n++;
    }

    if (waits) {
        u->dirty = true;
        user_ref(e, u);
        u->dirty_next = e->waiting_users;
        e->waiting_users = u;
    }

    return n;
}


void
marker_flushed(struct embedded *e)
{
    struct channel *ch;
    struct user *u;

    e->behind_busy = false;

    /* One that is still to be written came while another was. */
    if (e->dropped_busy) {
        e->dropped_busy = false;
        e->ops->batch_free(e->dropped);
        e->dropped = NULL;
        outcome_dropped(e);
    }

    if (e->erased_busy) {
        erase_written(e);
    }

    while ((ch = e->writing_channels) != NULL) {
        e->writing_channels = ch->writing_next;
        ch->pins--;
    }

    while ((u = e->writing_users) != NULL) {
        e->writing_users = u->writing_next;
        user_unref(e, u);
    }

    if (e->behind != NULL) {
        e->ops->batch_clear(e->behind);
    }

    /* What could not be written yet is for the next time. */
    while ((ch = e->waiting_channels) != NULL) {
        e->waiting_channels = ch->dirty_next;
        ch->dirty_next = e->dirty_channels;
        e->dirty_channels = ch;
    }

    while ((u = e->waiting_users) != NULL) {
        e->waiting_users = u->dirty_next;
        u->dirty_next = e->dirty_users;
        e->dirty_users = u;
    }

    /* What found no room in the batch does not wait for the next tick: more
     * may become dirty in a second than one batch holds. */
    if (e->behind_more || e->dropped != NULL || e->erased != NULL) {
        e->behind_more = false;
        marker_flush(e);
    }
}


bool
marker_clean(const struct embedded *e)
{
    return !e->behind_busy && e->dirty_channels == NULL
           && e->dirty_users == NULL;
}


void
marker_drop(struct embedded *e)
{
    e->dirty_channels = NULL;
    e->writing_channels = NULL;
    e->waiting_channels = NULL;
    e->dirty_users = NULL;
    e->writing_users = NULL;
    e->waiting_users = NULL;
    e->receipts = NULL;
}


static void
receipt_due(struct embedded *e, struct channel *ch, struct member *m)
{
    if (m->receipt_at + RECEIPT_EVERY_MS <= uv_now(e->loop)) {
        receipt_send(e, ch, m);
        return;
    }

    m->receipt_due = true;

    if (!ch->receipts_due) {
        ch->receipts_due = true;
        ch->pins++;
        ch->receipt_next = e->receipts;
        e->receipts = ch;
    }

    if (!uv_is_active((uv_handle_t *) &e->receipt_timer)) {
        uv_timer_start(&e->receipt_timer, marker_receipt_timer,
                       RECEIPT_TIMER_MS, RECEIPT_TIMER_MS);
    }
}


void
marker_receipt_timer(uv_timer_t *timer)
{
    struct embedded *e = timer->data;
    struct channel **at = &e->receipts, *ch;
    uint32_t i;

    while ((ch = *at) != NULL) {
        bool more = false;

        for (i = 0; i < ch->n_members; i++) {
            struct member *m = &ch->members[i];

            if (m->receipt_due
                && m->receipt_at + RECEIPT_EVERY_MS <= uv_now(e->loop)) {
                m->receipt_due = false;
                receipt_send(e, ch, m);
            }

            more |= m->receipt_due;
        }

        if (more) {
            at = &ch->receipt_next;

        } else {
            *at = ch->receipt_next;
            ch->receipts_due = false;
            ch->pins--;
        }
    }

    if (e->receipts == NULL) {
        uv_timer_stop(timer);
    }
}


static void
receipt_send(struct embedded *e, struct channel *ch, struct member *m)
{
    uint64_t other;

    m->receipt_at = uv_now(e->loop);

    if (ch->kind == RECORD_GROUP) {
        receipt_look(e, ch, m);

    } else if (ch->n_members == 2) {
        other = ch->members[m == &ch->members[0]].user->number;
        receipt_event(e, ch, m, &other, 1);
    }
}


static void
receipt_look(struct embedded *e, struct channel *ch, struct member *m)
{
    struct receipt_look *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return;
    }

    l->job.run = receipt_look_run;
    l->job.done = receipt_look_done;
    l->channel = ch;
    l->reader = m->user->number;
    l->epoch = e->epoch;
    l->number = ch->number;
    l->delivered = marker_min(m->delivered, ch->published);
    l->read = marker_min(m->read, ch->published);
    ch->pins++;
    readers_submit(e->readers, &l->job);
}


static int
receipt_look_run(struct read_job *job, const struct reader *r)
{
    struct receipt_look *l = (struct receipt_look *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    int rc;

    if (i == NULL) {
        return -1;
    }

    rc = receipt_look_upto(l, r, i, l->delivered);

    if (rc == 0 && l->read != l->delivered) {
        rc = receipt_look_upto(l, r, i, l->read);
    }

    r->ops->iter_close(i);
    return rc;
}


static int
receipt_look_upto(struct receipt_look *l, const struct reader *r,
                  struct engine_iter *i, uint64_t upto)
{
    uint64_t from = upto < RECEIPT_MESSAGES ? 1 : upto - RECEIPT_MESSAGES + 1;
    struct record_message message;
    struct key key, prefix;
    uint32_t n;

    key_prefix_number(&prefix, KEY_MESSAGE, l->number);
    key_message(&key, l->number, from);

    for (r->ops->iter_seek(i, key_str(&key));
         from <= upto && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix);
         from++, r->ops->iter_next(i)) {
        if (record_get_message(r->ops->iter_value(i), &message) != 0) {
            break;
        }

        for (n = 0; n < l->n_senders && l->senders[n] != message.sender; n++) {
        }

        if (n == l->n_senders) {
            l->senders[l->n_senders++] = message.sender;
        }
    }

    return r->ops->iter_error(i);
}


static void
receipt_look_done(struct embedded *e, struct read_job *job)
{
    struct receipt_look *l = (struct receipt_look *) job;
    struct channel *ch = l->channel;
    uint32_t i;

    if (l->epoch == e->epoch) {
        ch->pins--;

        /* He may have left meanwhile. */
        for (i = 0; i < ch->n_members && job->status == 0; i++) {
            if (ch->members[i].user->number == l->reader) {
                receipt_event(e, ch, &ch->members[i], l->senders, l->n_senders);
                break;
            }
        }
    }

    free(l);
}


static void
receipt_event(struct embedded *e, struct channel *ch, struct member *m,
              const uint64_t *senders, uint32_t n_senders)
{
    struct event *event;
    uint32_t i, n;

    event = embedded_event_create(e, n_senders);
    if (event == NULL) {
        return;
    }

    event->n_fans = 0;

    for (i = 0; i < ch->n_members; i++) {
        struct user *u = ch->members[i].user;

        for (n = 0; n < n_senders && senders[n] != u->number; n++) {
        }

        if (n < n_senders && u != m->user) {
            event->fans[event->n_fans++] = (struct fan){u, 0};
        }
    }

    (void) embedded_text(e);
    buf_put_lit(&e->text, "\"channel\":\"");
    buf_put_str(&e->text, channel_id(ch));
    buf_put_lit(&e->text, "\",\"user\":\"");
    buf_put_str(&e->text, user_name(m->user));
    buf_put_lit(&e->text, "\",\"delivered\":");
    buf_put_u64(&e->text, m->delivered);
    buf_put_lit(&e->text, ",\"read\":");
    buf_put_u64(&e->text, m->read);
    buf_put_lit(&e->text, "}}");

    event->method = STORAGE_EVENT_RECEIPT;
    event->tail = arena_copy(&e->collecting->arena, buf_str(&e->text));

    if (event->n_fans != 0 && !buf_failed(&e->text)
        && event->tail.data != NULL) {
        embedded_event(e, event);
    }
}
