/* DELETE_ACCOUNT, and the rounds that follow it; see storage_ending.h. */

#include "storage_ending.h"

#include <stdlib.h>

#include "log.h"
#include "storage_account.h"
#include "storage_device.h"
#include "storage_ending_round.h"
#include "storage_presence.h"
#include "storage_profile.h"

#define ENDING_RETRY    30 /* ticks after a failure */
#define ENDING_PAUSE_MS 20 /* between rounds: others have their turn   */

static void ending_looked(struct embedded *e, struct read_job *job);
static void ending_submit(struct embedded *e, struct ending_round *l);
static void ending_item_done(const struct storage_result *r, void *data);
static void ending_release(struct ending_round *l);
static enum step ending_note_step(struct embedded *e, struct request *r);
static void ending_note_done(const struct storage_result *r, void *data);
static void ending_failed(struct embedded *e);
static void ending_forget_devices(struct embedded *e, struct user *u);
static void ending_pause(struct embedded *e);
static void on_pause(uv_timer_t *timer);


/* Is this the epoch of his account? */
static bool
ending_is_of(const struct user *u, uint64_t epoch)
{
    struct record_account a;

    return account_of(u, &a) && a.epoch == epoch;
}


/* The secret goes; the ended logins go with the devices. */
static void
ending_forget_account(struct embedded *e, struct user *u)
{
    struct key key;

    key_account(&key, u->number);
    embedded_delete(e, &key);
    e->cached -= u->account.len;
    free((char *) u->account.data);
    u->account = (struct str){NULL, 0};
    u->n_endings = 0;
}


/* Who was deleted before hears so, unless it was this very request. */
enum step
delete_account_step(struct embedded *e, struct request *r)
{
    struct user *u = user_by_name(e, r->op.user);
    struct record_ending record = {.phase = RECORD_ENDING_DEVICES};
    struct key key;

    if (u != NULL && u->state == OBJECT_LOADING) {
        request_wait(&u->waiters, r);
        return STEP_WAIT;
    }

    if (u == NULL || u->state == OBJECT_FAILED) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    if (u->state == OBJECT_ABSENT) {
        return request_answer(e, r, STORAGE_NO_USER);
    }

    if (u->deleted && (r->op.flags & STORAGE_REPLAYED) != 0) {
        return request_answer_json(e, r, STR("{}"));
    }

    if (u->deleted || u->disabled) {
        return request_answer(
            e, r, u->deleted ? STORAGE_USER_DELETED : STORAGE_DISABLED);
    }

    /* another change came first: what was judged was the old password */
    if (!ending_is_of(u, r->op.number)) {
        return request_answer(e, r,
                              u->account.len == 0 ? STORAGE_NO_ACCOUNT
                                                  : STORAGE_TOKEN_ENDED);
    }

    ending_forget_account(e, u);
    profile_forget(e, u);
    presence_forget(e, u);
    ending_forget_devices(e, u);
    u->n_removals = 0;
    u->deleted = true;
    u->connected = true; /* so that his name is taken */
    user_put(e, u);

    record.flags = (r->op.flags & STORAGE_ERASE) != 0 ? RECORD_ENDING_ERASE : 0;
    record.at = embedded_now();
    record.upto = u->newest;
    key_ending(&key, u->number);
    (void) embedded_record(e);
    record_put_ending(&e->record, &record);
    embedded_put(e, &key, &e->record);

    e->ending_due = true;
    e->ending_after = e->sequence + 1;
    request_pin(e, r, u, NULL);
    (void) request_answer_json(e, r, STR("{}"));

    /* Without memory for the event his sessions are refused bit by bit. */
    (void) ending_tell(e, u, STR("user_deleted"));
    ending_pause(e);
    return STEP_DONE;
}


static void
ending_forget_devices(struct embedded *e, struct user *u)
{
    while (u->n_devices > 0) {
        device_forget(e, &u->devices[--u->n_devices]);
    }
}


int
ending_tell(struct embedded *e, struct user *u, struct str reason)
{
    struct event *event = embedded_event_create(e, 1);

    if (event == NULL) {
        return -1;
    }

    event->method = STORAGE_EVENT_USER_ENDED;
    event->tail = reason;
    event->fans[0] = (struct fan){u, 0};
    embedded_event(e, event);
    return 0;
}


static void
ending_pause(struct embedded *e)
{
    if (!e->closing && !uv_is_active((uv_handle_t *) &e->ending_timer)) {
        uv_timer_start(&e->ending_timer, on_pause, ENDING_PAUSE_MS, 0);
    }
}


static void
on_pause(uv_timer_t *timer)
{
    struct embedded *e = timer->data;

    /* What is on its way behind may be of a device that is to go. */
    if (e->ending_due && (e->behind_busy || e->published < e->ending_after)) {
        ending_pause(e);

    } else {
        ending_tick(e);
    }
}


void
ending_tick(struct embedded *e)
{
    struct ending_round *l;

    if (e->ending_wait > 0) {
        e->ending_wait--;
        return;
    }

    if (!e->ending_due || e->ending_busy || e->closing || e->behind_busy
        || e->state != EMBEDDED_OPEN || e->published < e->ending_after) {
        return;
    }

    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return;
    }

    l->job.run = ending_look;
    l->job.done = ending_looked;
    l->e = e;
    e->ending_busy = true;
    readers_submit(e->readers, &l->job);
}


static void
ending_looked(struct embedded *e, struct read_job *job)
{
    struct ending_round *l = (struct ending_round *) job;

    if (job->status == 0 && l->found && e->state == EMBEDDED_OPEN
        && !e->closing) {
        ending_submit(e, l);
        return;
    }

    if (job->status == 0 && !l->found && e->published >= e->ending_after) {
        e->ending_due = false;
    }

    if (job->status != 0) {
        ending_failed(e);
    }

    e->ending_busy = false;
    free(l);
}


/* A store that was opened again has waited already. */
static void
ending_failed(struct embedded *e)
{
    if (e->state == EMBEDDED_OPEN && !e->closing) {
        log_warn("store: what is left of a deleted user could not be taken "
                 "away; it is tried again");
        e->ending_wait = ENDING_RETRY;
    }
}


static void
ending_submit(struct embedded *e, struct ending_round *l)
{
    const struct ending_item *item;
    struct storage_op op;
    uint32_t n;

    l->n_open = 1;

    for (n = 0; n < l->n_items; n++) {
        item = &l->items[n];
        op = (struct storage_op){
            .type = item->type,
            .user = {l->name, l->name_len},
            .message_id = item->message_id,
        };

        if (item->type == STORAGE_REMOVE_CONTACT
            || item->type == STORAGE_UNBLOCK_CONTACT) {
            op.to = (struct str){item->name, item->len};

        } else {
            op.channel = (struct str){item->name, item->len};
        }

        l->n_open++;

        if (request_submit_own(e, &op, ending_item_done, l) != 0) {
            l->failed = true;
            l->n_open--;
            break;
        }
    }

    ending_release(l);
}


/* What he is no member of is left already, what is refused stays so. */
static void
ending_item_done(const struct storage_result *r, void *data)
{
    struct ending_round *l = data;

    if (r->status == STORAGE_UNAVAILABLE || r->status == STORAGE_EXHAUSTED) {
        l->failed = true;
    }

    ending_release(l);
}


/* All of the round is durable: that is noted, and its keys go. */
static void
ending_release(struct ending_round *l)
{
    struct storage_op op = {0};
    struct embedded *e = l->e;
    struct request *r = NULL;

    if (--l->n_open != 0) {
        return;
    }

    if (!l->failed && e->state == EMBEDDED_OPEN && !e->closing) {
        r = request_create(e, &op, ending_note_done, l);
    }

    if (r == NULL) {
        ending_failed(e);
        e->ending_busy = false;
        free(l);
        return;
    }

    r->own = true;
    r->data = l;
    r->step = ending_note_step;
    request_wake(e, r);
}


static enum step
ending_note_step(struct embedded *e, struct request *r)
{
    struct ending_round *l = r->data;
    struct record_ending *record = &l->record;
    bool erase = (record->flags & RECORD_ENDING_ERASE) != 0;
    struct key key;
    uint32_t n;

    for (n = 0; n < l->n_keys; n++) {
        embedded_delete(e, &l->keys[n]);
    }

    key_ending(&key, l->user);

    if (l->over && record->phase == RECORD_ENDING_LAST) {
        embedded_delete(e, &key);
        l->ended = true;
        return request_answer(e, r, STORAGE_OK);
    }

    if (l->over) {
        record->phase++;
        record->cursor = 0;

        if (record->phase == RECORD_ENDING_MESSAGES && !erase) {
            record->phase++;
        }
    }

    (void) embedded_record(e);
    record_put_ending(&e->record, record);
    embedded_put(e, &key, &e->record);
    return request_answer(e, r, STORAGE_OK);
}


static void
ending_note_done(const struct storage_result *r, void *data)
{
    struct ending_round *l = data;
    struct embedded *e = l->e;

    if (r->status == STORAGE_OK && l->ended) {
        log_info("store: all that was to go of deleted user %llu is gone",
                 (unsigned long long) l->user);
    }

    e->ending_busy = false;
    free(l);
    ending_pause(e);
}
