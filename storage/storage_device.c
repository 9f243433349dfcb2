/*
 * LIST_DEVICES, REMOVE_DEVICE, NAME_DEVICE, TOUCH.
 *
 * A removal is kept under the device's id for as long as tokens may be about
 * that were issued before it, which nobody here knows; the oldest of very many
 * is forgotten.
 */

#include "storage_device.h"

#include <stdlib.h>

#include "storage_account.h"
#include "storage_marker.h"
#include "storage_outcome.h"
#include "storage_presence.h"

static struct removal *removal_find(const struct user *u, struct str id);
static struct removal *removal_make(struct embedded *e, struct user *u,
                                    struct str id);
static void *device_room(struct embedded *e, void *array, size_t size,
                         uint16_t n, uint16_t *cap);
static void device_json(struct buf *b, const struct device *d, bool current);


static struct str
device_id(const struct device *d)
{
    return (struct str){d->id, d->id_len};
}


struct device *
device_find(const struct user *u, struct str id)
{
    uint32_t i;

    for (i = 0; i < u->n_devices; i++) {
        if (str_eq(device_id(&u->devices[i]), id)) {
            return &u->devices[i];
        }
    }

    return NULL;
}


struct device *
device_make(struct embedded *e, struct user *u, struct str id)
{
    struct device *d = device_find(u, id);
    struct key key;
    uint32_t i;

    if (d != NULL) {
        return d;
    }

    if (u->n_devices < STATE_DEVICES_MAX) {
        d = device_room(e, u->devices, sizeof(*d), u->n_devices,
                        &u->devices_cap);
        if (d == NULL) {
            return NULL;
        }

        u->devices = d;
        d = &u->devices[u->n_devices++];

    } else {
        d = &u->devices[0];

        for (i = 1; i < u->n_devices; i++) {
            d = u->devices[i].at < d->at ? &u->devices[i] : d;
        }

        key_device(&key, u->number, device_id(d));
        embedded_delete(e, &key);
        device_forget(e, d);
    }

    memset(d, 0, sizeof(*d));
    d->id_len = (uint8_t) id.len;
    memcpy(d->id, id.data, id.len);
    return d;
}


void
device_forget(struct embedded *e, struct device *d)
{
    e->cached -= d->name.len;
    free((char *) d->name.data);
    d->name = (struct str){NULL, 0};
}


void
device_active(struct embedded *e, struct user *u, struct device *d)
{
    d->at = embedded_now();
    d->dirty = true;
    marker_dirty_user(e, u);
}


/* The array with room for one more, or NULL. */
static void *
device_room(struct embedded *e, void *array, size_t size, uint16_t n,
            uint16_t *cap)
{
    uint16_t more = *cap == 0 ? 2 : (uint16_t) (*cap * 2);
    void *p;

    if (n < *cap) {
        return array;
    }

    p = realloc(array, more * size);
    if (p != NULL) {
        e->cached += (more - *cap) * size;
        *cap = more;
    }

    return p;
}


static struct removal *
removal_find(const struct user *u, struct str id)
{
    uint32_t i;

    for (i = 0; i < u->n_removals; i++) {
        struct removal *w = &u->removals[i];

        if (str_eq((struct str){w->id, w->id_len}, id)) {
            return w;
        }
    }

    return NULL;
}


/* Tokens tell whole seconds: of that of the removal any may be from before. */
uint64_t
device_least_time(const struct user *u, struct str id)
{
    const struct removal *w = removal_find(u, id);

    return w == NULL ? 0 : w->at / 1000 + 1;
}


/* A log-in since the last removal was given what is the least since then, which
 * may lie ahead: this one has to end it, too. */
static uint64_t
removal_time(const struct user *u, struct str id)
{
    uint64_t now = embedded_now(), least = device_least_time(u, id);
    struct record_account a;

    return account_of(u, &a) && now / 1000 < least ? least * 1000 : now;
}


static struct removal *
removal_make(struct embedded *e, struct user *u, struct str id)
{
    struct removal *w = removal_find(u, id);
    struct key key;
    uint32_t i;

    if (w != NULL) {
        return w;
    }

    if (u->n_removals < STATE_REMOVALS_MAX) {
        w = device_room(e, u->removals, sizeof(*w), u->n_removals,
                        &u->removals_cap);
        if (w == NULL) {
            return NULL;
        }

        u->removals = w;
        w = &u->removals[u->n_removals++];

    } else {
        w = &u->removals[0];

        for (i = 1; i < u->n_removals; i++) {
            w = u->removals[i].at < w->at ? &u->removals[i] : w;
        }

        key_removal(&key, u->number, (struct str){w->id, w->id_len});
        embedded_delete(e, &key);
    }

    memset(w, 0, sizeof(*w));
    w->id_len = (uint8_t) id.len;
    memcpy(w->id, id.data, id.len);
    return w;
}


enum step
list_devices_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct buf *b;
    struct user *u;
    struct str json = {NULL, 0};
    uint32_t i;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    b = embedded_text(e);
    buf_put_lit(b, "{\"devices\":[");

    for (i = 0; i < u->n_devices; i++) {
        if (i != 0) {
            buf_put_char(b, ',');
        }

        device_json(b, &u->devices[i],
                    str_eq(device_id(&u->devices[i]), r->op.device));
    }

    buf_put_lit(b, "]}");

    if (!buf_failed(b)) {
        json = arena_copy(&e->collecting->arena, buf_str(b));
    }

    return json.data == NULL ? request_answer(e, r, STORAGE_EXHAUSTED)
                             : request_answer_json(e, r, json);
}


static void
device_json(struct buf *b, const struct device *d, bool current)
{
    buf_put_lit(b, "{\"device\":\"");
    buf_put_str(b, device_id(d));
    buf_put_lit(b, "\",\"name\":");

    if (d->name.len == 0) {
        buf_put_lit(b, "null");

    } else {
        buf_put_json_str(b, d->name);
    }

    buf_put_lit(b, ",\"last_active_at\":");
    buf_put_u64(b, d->at);
    buf_put_lit(b, ",\"inbox_id\":");
    buf_put_u64(b, d->inbox_id);
    buf_put_lit(b, ",\"current\":");
    buf_put_str(b, current ? STR("true}") : STR("false}"));
}


enum step
remove_device_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct device *d;
    struct removal *w;
    struct user *u;
    struct key key;
    uint64_t at;

    step = outcome_enter(e, r, &u);

    if (step != STEP_GO) {
        return step;
    }

    d = device_find(u, r->op.to);

    if (d == NULL) {
        return request_answer(e, r, STORAGE_NO_DEVICE);
    }

    at = removal_time(u, r->op.to);
    w = removal_make(e, u, r->op.to);
    if (w == NULL) {
        return request_poison(e, r);
    }

    w->at = at;
    key_removal(&key, u->number, r->op.to);
    (void) embedded_record(e);
    record_put_u64(&e->record, w->at);
    embedded_put(e, &key, &e->record);

    key_device(&key, u->number, r->op.to);
    embedded_delete(e, &key);
    device_forget(e, d);
    *d = u->devices[--u->n_devices];
    w->dirty = true;
    marker_dirty_user(e, u);

    request_pin(e, r, u, NULL);
    outcome_put_json(e, r, u, STR("{}"));
    return request_answer_json(e, r, STR("{}"));
}


static int
device_set_name(struct embedded *e, struct device *d, struct str name)
{
    struct str copy = {NULL, 0};

    if (channel_set_text(&copy, name) != 0) {
        return -1;
    }

    device_forget(e, d);
    e->cached += copy.len;
    d->name = copy;
    return 0;
}


static void
device_put(struct embedded *e, const struct user *u, struct device *d)
{
    struct record_device record = {d->inbox_id, d->at, d->name};
    struct key key;

    d->put_at = e->sequence + 1;
    key_device(&key, u->number, device_id(d));
    (void) embedded_record(e);
    record_put_device(&e->record, &record);
    embedded_put(e, &key, &e->record);
}


enum step
name_device_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct str json = {NULL, 0};
    struct device *d;
    struct user *u;
    struct buf *b;

    step = outcome_enter(e, r, &u);

    if (step != STEP_GO) {
        return step;
    }

    d = device_find(u, r->op.to);

    if (d == NULL) {
        return request_answer(e, r, STORAGE_NO_DEVICE);
    }

    if (!str_eq(d->name, r->op.name)) {
        if (device_set_name(e, d, r->op.name) != 0) {
            return request_answer(e, r, STORAGE_EXHAUSTED);
        }

        device_put(e, u, d);
    }

    b = embedded_text(e);
    buf_put_lit(b, "{\"device\":");
    device_json(b, d, str_eq(r->op.to, r->op.device));
    buf_put_char(b, '}');

    if (!buf_failed(b)) {
        json = arena_copy(&e->collecting->arena, buf_str(b));
    }

    if (json.data == NULL) {
        return request_poison(e, r);
    }

    request_pin(e, r, u, NULL);
    outcome_put_json(e, r, u, json);
    return request_answer_json(e, r, json);
}


/* A device that is new is on the disk before its connection is answered: one
 * that comes back to a store that was killed is then still known. */
static enum step
touch_new(struct embedded *e, struct request *r, struct user *u)
{
    struct device *d = device_make(e, u, r->op.device);

    if (d == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    d->at = embedded_now();
    device_put(e, u, d);
    request_pin(e, r, u, NULL);
    return request_answer(e, r, STORAGE_OK);
}


enum step
touch_step(struct embedded *e, struct request *r)
{
    enum step step;
    enum storage_status ended;
    struct device *d;
    struct user *u;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    ended = account_check_token(u, r->op.cursor);

    if (ended != STORAGE_OK) {
        return request_answer(e, r, ended);
    }

    if (r->op.number != 0
        && r->op.number < device_least_time(u, r->op.device)) {
        return request_answer(e, r, STORAGE_TOKEN_ENDED);
    }

    if (!u->connected) {
        if (user_make(e, u, true) != 0) {
            return request_poison(e, r);
        }

        request_pin(e, r, u, NULL);
    }

    presence_touch(e, u->number);

    if (r->op.device.len != 0) {
        d = device_find(u, r->op.device);

        if (d != NULL) {
            device_active(e, u, d);

        } else if ((r->op.flags & STORAGE_KNOWN) == 0) {
            return touch_new(e, r, u);
        }
    }

    return request_answer(e, r, STORAGE_OK);
}
