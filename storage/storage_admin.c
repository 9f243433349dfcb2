/*
 * What an administrator asks: LIST_USERS, SHOW_USER, BAR_USER, RESET_PASSWORD.
 * Reading goes to the disk, so it may be a second behind on times and cursors.
 */

#include <stdlib.h>

#include "log.h"
#include "storage_account.h"
#include "storage_ending.h"
#include "storage_load.h"

#define ADMIN_LIMIT 200

struct admin_read {
    struct read_job job;
    struct request *request;
    uint64_t user; /* to be shown, or listed behind */
    uint32_t limit;
    struct buf json;
};

static int admin_list_run(struct read_job *job, const struct reader *r);
static int admin_show_run(struct read_job *job, const struct reader *r);
static int admin_user(struct admin_read *l, const struct reader *r,
                      uint64_t number, struct str value);
static int admin_profile(struct admin_read *l, const struct reader *r);
static int admin_devices(struct admin_read *l, const struct reader *r,
                         struct engine_iter *i);
static uint64_t admin_count(const struct admin_read *l, const struct reader *r,
                            struct engine_iter *i, enum key_kind kind);
static int admin_inbox(struct admin_read *l, const struct reader *r,
                       struct engine_iter *i);
static void admin_done(struct embedded *e, struct read_job *job);


static enum step
admin_read(struct embedded *e, struct request *r,
           int (*run)(struct read_job *job, const struct reader *r),
           uint64_t user)
{
    struct admin_read *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    l->job.run = run;
    l->job.done = admin_done;
    l->request = r;
    l->user = user;
    l->limit = r->op.limit == 0 ? ADMIN_LIMIT : r->op.limit;

    if (l->limit > STORAGE_USERS_LIMIT) {
        l->limit = STORAGE_USERS_LIMIT;
    }

    readers_submit(e->readers, &l->job);
    return request_detach(e, r);
}


enum step
list_users_step(struct embedded *e, struct request *r)
{
    return admin_read(e, r, admin_list_run, r->op.number);
}


enum step
show_user_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;

    step = user_await(e, r, r->op.to, &u);

    if (step != STEP_GO) {
        return step;
    }

    if (u->state == OBJECT_ABSENT) {
        return request_answer(e, r, STORAGE_NO_USER);
    }

    return admin_read(e, r, admin_show_run, u->number);
}


/* {user: {...}} in the commit's arena; .data NULL: out of memory */
static struct str
admin_changed(struct embedded *e, const struct user *u, bool disabled)
{
    struct buf *b = embedded_text(e);

    buf_put_lit(b, "{\"user\":{\"user\":\"");
    buf_put_str(b, user_name(u));
    buf_put_lit(b, "\",\"disabled\":");
    buf_put_str(b, disabled ? STR("true}}") : STR("false}}"));
    return buf_failed(b) ? (struct str){NULL, 0}
                         : arena_copy(&e->collecting->arena, buf_str(b));
}


/* The user meant: one who is, and is not deleted. */
static enum step
admin_await(struct embedded *e, struct request *r, struct user **u)
{
    enum step step = user_await(e, r, r->op.to, u);

    if (step != STEP_GO) {
        return step;
    }

    if ((*u)->deleted) {
        return request_answer(e, r, STORAGE_USER_DELETED);
    }

    return (*u)->state == OBJECT_ABSENT ? request_answer(e, r, STORAGE_NO_USER)
                                        : STEP_GO;
}


enum step
bar_user_step(struct embedded *e, struct request *r)
{
    bool disable = r->op.number != 0;
    enum step step;
    struct str json;
    struct user *u;

    step = admin_await(e, r, &u);

    if (step != STEP_GO) {
        return step;
    }

    json = admin_changed(e, u, disable);

    if (json.data == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    if (u->disabled == disable) {
        return request_answer_json(e, r, json);
    }

    u->disabled = disable;
    user_put(e, u);
    request_pin(e, r, u, NULL);
    (void) request_answer_json(e, r, json);

    /* Without memory for the event his sessions are refused bit by bit. */
    if (disable) {
        (void) ending_tell(e, u, STR("account_disabled"));
    }

    return STEP_DONE;
}


/* Another secret, by which all logins end. */
static enum storage_status
admin_reset(struct embedded *e, struct user *u, struct str secret)
{
    struct record_account a;

    if (!account_of(u, &a)) {
        return STORAGE_NO_ACCOUNT;
    }

    a.epoch++;
    a.kept = STR("");
    a.secret = secret;
    return account_put(e, u, &a) == 0 ? STORAGE_OK : STORAGE_EXHAUSTED;
}


/* Also of one who is disabled: so he may be enabled with another password. */
enum step
reset_password_step(struct embedded *e, struct request *r)
{
    enum storage_status status;
    enum step step;
    struct event *event;
    struct str json;
    struct user *u;

    if (r->op.to.len == 0) {
        return request_answer(e, r, STORAGE_NO_USER);
    }

    step = admin_await(e, r, &u);

    if (step != STEP_GO) {
        return step;
    }

    json = admin_changed(e, u, u->disabled);
    event = account_event(e, u);

    if (json.data == NULL || event == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    status = admin_reset(e, u, r->op.text);

    if (status == STORAGE_EXHAUSTED) {
        return request_poison(e, r);
    }

    if (status != STORAGE_OK) {
        return request_answer(e, r, status);
    }

    request_pin(e, r, u, NULL);
    (void) request_answer_json(e, r, json);
    embedded_event(e, event);
    return STEP_DONE;
}


static int
admin_list_run(struct read_job *job, const struct reader *r)
{
    struct admin_read *l = (struct admin_read *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct key_parts parts;
    struct key prefix, key;
    uint64_t last = 0;
    uint32_t n = 0;
    bool more = false;
    int rc = 0;

    if (i == NULL) {
        return -1;
    }

    buf_put_lit(&l->json, "{\"users\":[");
    key_prefix(&prefix, KEY_USER);
    key_user(&key, l->user + 1);

    for (r->ops->iter_seek(i, key_str(&key));
         rc == 0 && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (n == l->limit) {
            more = true;
            break;
        }

        if (n++ != 0) {
            buf_put_char(&l->json, ',');
        }

        rc = key_parse(r->ops->iter_key(i), &parts);

        if (rc == 0) {
            rc = admin_user(l, r, parts.first, r->ops->iter_value(i));
            buf_put_char(&l->json, '}');
            last = parts.first;
        }
    }

    rc |= r->ops->iter_error(i);
    r->ops->iter_close(i);

    buf_put_str(&l->json, more ? STR("],\"more\":true,\"next\":")
                               : STR("],\"more\":false,\"next\":"));
    buf_put_u64(&l->json, last);
    buf_put_char(&l->json, '}');
    return rc != 0 || buf_failed(&l->json) ? -1 : 0;
}


static int
admin_show_run(struct read_job *job, const struct reader *r)
{
    struct admin_read *l = (struct admin_read *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct buf value = {0};
    struct key key;
    int rc = -1;

    if (i == NULL) {
        return -1;
    }

    key_user(&key, l->user);
    buf_put_lit(&l->json, "{\"user\":");

    if (r->ops->get(r->engine, key_str(&key), &value) == 1
        && admin_user(l, r, l->user, buf_str(&value)) == 0
        && admin_profile(l, r) == 0 && admin_devices(l, r, i) == 0
        && admin_inbox(l, r, i) == 0) {
        buf_put_lit(&l->json, ",\"contacts\":");
        buf_put_u64(&l->json, admin_count(l, r, i, KEY_CONTACT));
        buf_put_lit(&l->json, ",\"channels\":");
        buf_put_u64(&l->json, admin_count(l, r, i, KEY_MEMBERSHIP));
        rc = r->ops->iter_error(i);
    }

    buf_put_lit(&l->json, "}}");
    buf_clear(&value);
    r->ops->iter_close(i);
    return rc != 0 || buf_failed(&l->json) ? -1 : 0;
}


static void
admin_bool(struct buf *b, struct str name, bool value)
{
    buf_put_str(b, name);
    buf_put_str(b, value ? STR("true") : STR("false"));
}


/* Has he a password here?  1, 0, -1. */
static int
admin_has_account(const struct reader *r, uint64_t number)
{
    struct buf value = {0};
    struct key key;
    int rc;

    key_account(&key, number);
    rc = r->ops->get(r->engine, key_str(&key), &value);
    buf_clear(&value);
    return rc;
}


/* Up to what else there is to say of him. */
static int
admin_user(struct admin_read *l, const struct reader *r, uint64_t number,
           struct str value)
{
    struct record_user u;
    struct key key;
    uint64_t at = 0;
    int account = admin_has_account(r, number);

    key_active(&key, number);

    if (record_get_user(value, &u) != 0 || load_number(r, &key, &at) < 0
        || account < 0) {
        log_error("store: user %llu cannot be read",
                  (unsigned long long) number);
        return -1;
    }

    buf_put_lit(&l->json, "{\"user\":\"");
    buf_put_str(&l->json, u.name);
    buf_put_lit(&l->json, "\",\"created_at\":");
    buf_put_u64(&l->json, u.created_at);
    buf_put_lit(&l->json, ",\"last_active_at\":");

    if (at != 0) {
        buf_put_u64(&l->json, at);

    } else {
        buf_put_lit(&l->json, "null");
    }

    admin_bool(&l->json, STR(",\"account\":"), account == 1);
    admin_bool(&l->json, STR(",\"connected\":"),
               (u.flags & RECORD_USER_CONNECTED) != 0);
    admin_bool(&l->json, STR(",\"disabled\":"),
               (u.flags & RECORD_USER_DISABLED) != 0);
    admin_bool(&l->json, STR(",\"deleted\":"),
               (u.flags & RECORD_USER_DELETED) != 0);
    return 0;
}


static int
admin_profile(struct admin_read *l, const struct reader *r)
{
    struct record_profile p = {
        .status = {NULL, 0}
    };
    struct buf value = {0};
    struct key key;
    int rc;

    key_profile(&key, l->user);
    rc = r->ops->get(r->engine, key_str(&key), &value);

    if (rc == 1 && record_get_profile(buf_str(&value), &p) != 0) {
        rc = -1;
    }

    buf_put_lit(&l->json, ",\"display_name\":");

    if (p.display_name.len != 0) {
        buf_put_json_str(&l->json, p.display_name);

    } else {
        buf_put_lit(&l->json, "null");
    }

    buf_clear(&value);
    return rc < 0 ? -1 : 0;
}


static int
admin_devices(struct admin_read *l, const struct reader *r,
              struct engine_iter *i)
{
    struct record_device device;
    struct key_parts parts;
    struct key prefix;
    bool first = true;

    buf_put_lit(&l->json, ",\"devices\":[");
    key_prefix_number(&prefix, KEY_DEVICE, l->user);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_device(r->ops->iter_value(i), &device) != 0) {
            return -1;
        }

        buf_put_str(&l->json,
                    first ? STR("{\"device\":\"") : STR(",{\"device\":\""));
        buf_put_str(&l->json, parts.name);
        buf_put_lit(&l->json, "\",\"last_active_at\":");
        buf_put_u64(&l->json, device.at);
        buf_put_lit(&l->json, ",\"inbox_id\":");
        buf_put_u64(&l->json, device.inbox_id);
        buf_put_char(&l->json, '}');
        first = false;
    }

    buf_put_char(&l->json, ']');
    return 0;
}


static int
admin_inbox(struct admin_read *l, const struct reader *r, struct engine_iter *i)
{
    struct key_parts parts = {.second = 0};
    struct key prefix;
    int rc;

    key_prefix_number(&prefix, KEY_INBOX, l->user);
    rc = load_last(r, i, &prefix);

    if (rc == 1) {
        rc = key_parse(r->ops->iter_key(i), &parts);
    }

    buf_put_lit(&l->json, ",\"inbox_id\":");
    buf_put_u64(&l->json, parts.second);
    return rc;
}


static uint64_t
admin_count(const struct admin_read *l, const struct reader *r,
            struct engine_iter *i, enum key_kind kind)
{
    struct key prefix;
    uint64_t n = 0;

    key_prefix_number(&prefix, kind, l->user);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        n++;
    }

    return n;
}


static void
admin_done(struct embedded *e, struct read_job *job)
{
    struct admin_read *l = (struct admin_read *) job;
    struct storage_result result = {.status = STORAGE_UNAVAILABLE};

    if (job->status == 0) {
        result.status = STORAGE_OK;
        result.json = buf_str(&l->json);
    }

    request_finish(e, l->request, &result);
    buf_clear(&l->json);
    free(l);
}
