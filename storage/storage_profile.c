/*
 * GET_USER, UPDATE_USER, SEARCH_USERS.  Every user stands in the index under
 * his folded id, and under his folded display name while he has one.
 */

#include "storage_profile.h"

#include <stdlib.h>

#include "fold.h"
#include "log.h"
#include "storage_outcome.h"

#define SEARCH_LIMIT 50

struct profile_search {
    struct read_job job;
    struct request *request;
    struct key prefix;
    uint32_t limit;
    uint32_t n;
    uint64_t users[STORAGE_SEARCH_LIMIT];
    struct buf json;
};

static void profile_of(const struct user *u, struct record_profile *p);
static int profile_change(struct embedded *e, struct user *u,
                          const struct record_profile *was,
                          const struct record_profile *p);
static enum step profile_answer(struct embedded *e, struct request *r,
                                struct user *u, bool keep);
static int profile_search_run(struct read_job *job, const struct reader *r);
static int profile_search_add(struct profile_search *l, const struct reader *r,
                              uint64_t user);
static int profile_search_row(struct profile_search *l, const struct reader *r,
                              uint64_t user, bool first);
static void profile_search_done(struct embedded *e, struct read_job *job);


void
profile_index(struct embedded *e, const struct user *u, struct str text,
              bool in)
{
    profile_index_number(e, u->number, text, in);
}


void
profile_index_number(struct embedded *e, uint64_t user, struct str text,
                     bool in)
{
    struct buf *folded = embedded_text(e);
    struct key key;

    fold_put(folded, text, KEY_TEXT_MAX);

    if (folded->len == 0 && !buf_failed(folded)) {
        return;
    }

    /* An empty key makes the batch fail: so does a fold for want of memory. */
    key_search(&key, buf_failed(folded) ? STR("") : buf_str(folded), user);

    if (!in) {
        embedded_delete(e, &key);
        return;
    }

    (void) embedded_record(e);
    record_put_membership(&e->record);
    embedded_put(e, &key, &e->record);
}


static void
profile_of(const struct user *u, struct record_profile *p)
{
    /* What was loaded or made by us is good. */
    if (u->profile.len == 0 || record_get_profile(u->profile, p) != 0) {
        memset(p, 0, sizeof(*p));
    }
}


enum step
get_user_step(struct embedded *e, struct request *r)
{
    struct user *caller, *u;
    enum step step;

    step = user_await(e, r, r->op.user, &caller);

    if (step == STEP_GO) {
        step = user_await(e, r, r->op.to, &u);
    }

    if (step != STEP_GO) {
        return step;
    }

    if (u->state == OBJECT_ABSENT || u->deleted) {
        return request_answer(e, r, STORAGE_NO_USER);
    }

    return profile_answer(e, r, u, false);
}


enum step
update_user_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct record_profile was, p;
    struct user *u;

    step = outcome_enter(e, r, &u);

    if (step != STEP_GO) {
        return step;
    }

    profile_of(u, &was);
    p = was;
    p.display_name = r->op.name.data != NULL ? r->op.name : was.display_name;
    p.avatar = r->op.avatar.data != NULL ? r->op.avatar : was.avatar;
    p.status = r->op.text.data != NULL ? r->op.text : was.status;

    if ((!u->connected && user_make(e, u, true) != 0)
        || profile_change(e, u, &was, &p) != 0) {
        return request_poison(e, r);
    }

    request_pin(e, r, u, NULL);
    return profile_answer(e, r, u, true);
}


static int
profile_change(struct embedded *e, struct user *u,
               const struct record_profile *was, const struct record_profile *p)
{
    struct buf record = {0};
    struct key key;

    record_put_profile(&record, p);

    if (buf_failed(&record)) {
        buf_clear(&record);
        return -1;
    }

    /* Both may fold to the same, and the one of the id has to stay. */
    if (!str_eq(was->display_name, p->display_name)) {
        profile_index(e, u, was->display_name, false);
        profile_index(e, u, user_name(u), true);
        profile_index(e, u, p->display_name, true);
    }

    key_profile(&key, u->number);
    embedded_put(e, &key, &record);

    e->cached += record.len;
    e->cached -= u->profile.len;
    free((char *) u->profile.data); /* was and p point into it */
    u->profile = buf_str(&record);
    return 0;
}


int
profile_name(struct embedded *e, struct user *u, struct str name)
{
    struct record_profile was, p;

    profile_of(u, &was);
    p = was;
    p.display_name = name;
    return profile_change(e, u, &was, &p);
}


static enum step
profile_answer(struct embedded *e, struct request *r, struct user *u, bool keep)
{
    struct record_profile p;
    struct str json = {NULL, 0};

    profile_of(u, &p);
    (void) embedded_text(e);
    buf_put_lit(&e->text, "{\"user\":");
    profile_json(&e->text, user_name(u), &p);
    buf_put_char(&e->text, '}');

    if (!buf_failed(&e->text)) {
        json = arena_copy(&e->collecting->arena, buf_str(&e->text));
    }

    if (json.data == NULL) {
        return keep ? request_poison(e, r)
                    : request_answer(e, r, STORAGE_EXHAUSTED);
    }

    if (keep) {
        outcome_put_json(e, r, u, json);
    }

    return request_answer_json(e, r, json);
}


void
profile_forget(struct embedded *e, struct user *u)
{
    struct record_profile p;
    struct key key;

    profile_of(u, &p);
    profile_index(e, u, p.display_name, false);

    /* By this his id is still taken, in any case. */
    profile_index(e, u, user_name(u), true);

    key_profile(&key, u->number);
    embedded_delete(e, &key);

    e->cached -= u->profile.len;
    free((char *) u->profile.data);
    u->profile = (struct str){NULL, 0};
}


static void
profile_json_text(struct buf *b, struct str text)
{
    if (text.len == 0) {
        buf_put_lit(b, "null");

    } else {
        buf_put_json_str(b, text);
    }
}


void
profile_json(struct buf *b, struct str user, const struct record_profile *p)
{
    buf_put_lit(b, "{\"user\":\"");
    buf_put_str(b, user);
    buf_put_lit(b, "\",\"display_name\":");
    profile_json_text(b, p->display_name);
    buf_put_lit(b, ",\"avatar\":");
    profile_json_text(b, p->avatar);
    buf_put_lit(b, ",\"status\":");
    profile_json_text(b, p->status);
    buf_put_char(b, '}');
}


enum step
search_users_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct profile_search *l;
    struct user *caller;
    struct buf *folded;

    step = user_await(e, r, r->op.user, &caller);

    if (step != STEP_GO) {
        return step;
    }

    folded = embedded_text(e);
    fold_put(folded, r->op.text, KEY_TEXT_MAX);

    if (folded->len == 0 && !buf_failed(folded)) {
        return request_answer_json(e, r, STR("{\"users\":[]}"));
    }

    l = buf_failed(folded) ? NULL : calloc(1, sizeof(*l));
    if (l == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    l->job.run = profile_search_run;
    l->job.done = profile_search_done;
    l->request = r;
    l->limit = r->op.limit == 0 ? SEARCH_LIMIT : r->op.limit;
    key_prefix_text(&l->prefix, buf_str(folded));

    if (l->limit > STORAGE_SEARCH_LIMIT) {
        l->limit = STORAGE_SEARCH_LIMIT;
    }

    readers_submit(e->readers, &l->job);
    return request_detach(e, r);
}


static int
profile_search_run(struct read_job *job, const struct reader *r)
{
    struct profile_search *l = (struct profile_search *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct key_parts parts;
    uint32_t n;
    int rc = 0;

    if (i == NULL) {
        return -1;
    }

    for (r->ops->iter_seek(i, key_str(&l->prefix));
         rc == 0 && l->n < l->limit && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &l->prefix);
         r->ops->iter_next(i)) {
        rc = key_parse(r->ops->iter_key(i), &parts);

        if (rc == 0) {
            rc = profile_search_add(l, r, parts.first);
        }
    }

    rc |= r->ops->iter_error(i);
    r->ops->iter_close(i);

    buf_put_lit(&l->json, "{\"users\":[");

    for (n = 0; n < l->n && rc == 0; n++) {
        rc = profile_search_row(l, r, l->users[n], n == 0);
    }

    buf_put_lit(&l->json, "]}");
    return rc != 0 || buf_failed(&l->json) ? -1 : 0;
}


/* One may stand there twice, with his id and his name; a deleted one stands
 * there so that nobody takes his id. */
static int
profile_search_add(struct profile_search *l, const struct reader *r,
                   uint64_t user)
{
    struct record_user record;
    struct buf value = {0};
    struct key key;
    uint32_t n;
    int rc = -1;

    for (n = 0; n < l->n && l->users[n] != user; n++) {
    }

    if (n < l->n) {
        return 0;
    }

    key_user(&key, user);

    if (r->ops->get(r->engine, key_str(&key), &value) == 1
        && record_get_user(buf_str(&value), &record) == 0) {
        rc = 0;

        if ((record.flags & RECORD_USER_DELETED) == 0) {
            l->users[l->n++] = user;
        }
    }

    buf_clear(&value);
    return rc;
}


static int
profile_search_row(struct profile_search *l, const struct reader *r,
                   uint64_t user, bool first)
{
    struct record_profile profile = {
        .status = {NULL, 0}
    };
    struct record_user record;
    struct buf name = {0}, value = {0};
    struct key key;
    int rc;

    key_user(&key, user);
    rc = r->ops->get(r->engine, key_str(&key), &name);

    if (rc == 1 && record_get_user(buf_str(&name), &record) == 0) {
        key_profile(&key, user);
        rc = r->ops->get(r->engine, key_str(&key), &value);

        if (rc == 1 && record_get_profile(buf_str(&value), &profile) != 0) {
            rc = -1;
        }

    } else {
        rc = -1;
    }

    if (rc >= 0) {
        buf_put_str(&l->json, first ? STR("") : STR(","));
        profile_json(&l->json, record.name, &profile);

    } else {
        log_error("store: user %llu of the index cannot be read",
                  (unsigned long long) user);
    }

    buf_clear(&name);
    buf_clear(&value);
    return rc < 0 ? -1 : 0;
}


static void
profile_search_done(struct embedded *e, struct read_job *job)
{
    struct profile_search *l = (struct profile_search *) job;
    struct storage_result result = {.status = STORAGE_UNAVAILABLE};

    if (job->status == 0) {
        result.status = STORAGE_OK;
        result.json = buf_str(&l->json);
    }

    request_finish(e, l->request, &result);
    buf_clear(&l->json);
    free(l);
}
