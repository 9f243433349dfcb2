/* See storage_account.h. */

#include "storage_account.h"

#include <stdlib.h>

#include "fold.h"
#include "log.h"
#include "login_id.h"
#include "storage_device.h"
#include "storage_outcome.h"
#include "storage_profile.h"

/* Of request.look. */
enum account_look_state {
    LOOK_NONE,
    LOOK_FREE,
    LOOK_TWIN,
    LOOK_FAILED,
};

struct made_user {
    struct made_user *next;
    uint64_t sequence;
    uint8_t name_len;
    char name[STORAGE_ID_MAX];
};

/* Looks for users on the disk whose id differs in case only. */
struct account_look {
    struct read_job job;
    struct request *request;
    uint64_t epoch;
    struct key prefix;
    struct str name; /* the request's */
    bool twin;
};

static enum step sign_up_look(struct embedded *e, struct request *r);
static int account_look_run(struct read_job *job, const struct reader *r);
static int account_look_user(struct account_look *l, const struct reader *r,
                             uint64_t number);
static void account_look_done(struct embedded *e, struct read_job *job);
static bool account_made_twin(const struct embedded *e, struct str name);
static struct ending *ending_find(const struct user *u, struct str jti);
static int ending_add(struct embedded *e, struct user *u, struct str jti,
                      uint64_t until);


/* Ids are ASCII. */
static bool
account_is_twin(struct str a, struct str b)
{
    size_t i;

    if (a.len != b.len || str_eq(a, b)) {
        return false;
    }

    for (i = 0; i < a.len; i++) {
        char x = a.data[i], y = b.data[i];

        x = (char) (x >= 'A' && x <= 'Z' ? x | 0x20 : x);
        y = (char) (y >= 'A' && y <= 'Z' ? y | 0x20 : y);

        if (x != y) {
            return false;
        }
    }

    return true;
}


bool
account_of(const struct user *u, struct record_account *a)
{
    return u->state == OBJECT_READY && u->account.len != 0
           && record_get_account(u->account, a) == 0;
}


/* The first of the list, which has one. */
static void
made_pop(struct embedded *e)
{
    struct made_user *m = e->made;

    e->made = m->next;

    if (m->next == NULL) {
        e->made_last = &e->made;
    }

    free(m);
}


void
account_made(struct embedded *e, const struct user *u)
{
    struct key none = {.len = 0};
    struct made_user *m;

    while (e->n_looks == 0 && e->made != NULL
           && e->made->sequence <= e->published) {
        made_pop(e);
    }

    m = malloc(sizeof(*m));
    if (m == NULL) {
        embedded_delete(e, &none);
        return;
    }

    m->sequence = e->sequence + 1;
    m->name_len = u->name_len;
    memcpy(m->name, u->name, u->name_len);
    m->next = NULL;
    *e->made_last = m;
    e->made_last = &m->next;
}


void
account_drop(struct embedded *e)
{
    while (e->made != NULL) {
        made_pop(e);
    }

    e->n_looks = 0;
}


static bool
account_made_twin(const struct embedded *e, struct str name)
{
    const struct made_user *m;

    for (m = e->made; m != NULL; m = m->next) {
        if (account_is_twin((struct str){m->name, m->name_len}, name)) {
            return true;
        }
    }

    return false;
}


enum storage_status
account_check_token(const struct user *u, struct str jti)
{
    struct record_account a;
    bool has = account_of(u, &a);
    struct login_id id;

    if (login_id_get(jti, &id)
        && (!has || (id.epoch < a.epoch && !str_eq(jti, a.kept)))) {
        return STORAGE_TOKEN_ENDED;
    }

    return ending_find(u, jti) != NULL ? STORAGE_TOKEN_ENDED : STORAGE_OK;
}


struct event *
account_event(struct embedded *e, struct user *u)
{
    struct event *event = embedded_event_create(e, 1);

    if (event != NULL) {
        event->fans[0] = (struct fan){u, 0};
        event->method = STORAGE_EVENT_TOKENS;
        event->tail = STR("");
    }

    return event;
}


/* As outcome_enter(), for one who is barred, too. */
static enum step
account_enter(struct embedded *e, struct request *r, struct user **u)
{
    enum step step = user_await_any(e, r, r->op.user, u);

    return step == STEP_GO ? outcome_check(e, r, *u) : step;
}


enum step
sign_up_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct record_account a = {0};
    struct user *u;

    step = account_enter(e, r, &u);

    if (step != STEP_GO) {
        return step;
    }

    if (u->state == OBJECT_READY
        && (u->connected || u->disabled || account_of(u, &a))) {
        return request_answer(e, r, STORAGE_TAKEN);
    }

    if (r->look == LOOK_NONE) {
        return sign_up_look(e, r);
    }

    if (r->look == LOOK_FAILED) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    if (r->look == LOOK_TWIN || account_made_twin(e, r->op.user)) {
        return request_answer(e, r, STORAGE_TAKEN);
    }

    a.created_at = embedded_now();
    a.epoch = 1;
    a.kept = STR("");
    a.secret = r->op.text;

    if (user_make(e, u, true) != 0 || account_put(e, u, &a) != 0
        || (r->op.name.len != 0 && profile_name(e, u, r->op.name) != 0)) {
        return request_poison(e, r);
    }

    request_pin(e, r, u, NULL);
    outcome_put_json(e, r, u, STR("{}"));
    return request_answer_json(e, r, STR("{}"));
}


static enum step
sign_up_look(struct embedded *e, struct request *r)
{
    struct buf *folded = embedded_text(e);
    struct account_look *l;

    fold_put(folded, r->op.user, KEY_TEXT_MAX);

    l = buf_failed(folded) ? NULL : calloc(1, sizeof(*l));
    if (l == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    l->job.run = account_look_run;
    l->job.done = account_look_done;
    l->request = r;
    l->epoch = e->epoch;
    l->name = r->op.user;

    /* all of this text, whatever the user */
    key_search(&l->prefix, buf_str(folded), 0);
    l->prefix.len -= 8;

    e->n_looks++;
    readers_submit(e->readers, &l->job);
    return STEP_WAIT;
}


static int
account_look_run(struct read_job *job, const struct reader *r)
{
    struct account_look *l = (struct account_look *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct key_parts parts;
    int rc = 0;

    if (i == NULL) {
        return -1;
    }

    for (r->ops->iter_seek(i, key_str(&l->prefix));
         rc == 0 && !l->twin && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &l->prefix);
         r->ops->iter_next(i)) {
        rc = key_parse(r->ops->iter_key(i), &parts);

        if (rc == 0) {
            rc = account_look_user(l, r, parts.first);
        }
    }

    rc |= r->ops->iter_error(i);
    r->ops->iter_close(i);
    return rc;
}


/* He may stand there with his id or with the name he shows. */
static int
account_look_user(struct account_look *l, const struct reader *r,
                  uint64_t number)
{
    struct record_user record;
    struct buf value = {0};
    struct key key;
    int rc;

    key_user(&key, number);
    rc = r->ops->get(r->engine, key_str(&key), &value);

    if (rc == 1 && record_get_user(buf_str(&value), &record) == 0) {
        l->twin = account_is_twin(record.name, l->name);

    } else {
        log_error("store: user %llu of the index cannot be read",
                  (unsigned long long) number);
        rc = -1;
    }

    buf_clear(&value);
    return rc < 0 ? -1 : 0;
}


static void
account_look_done(struct embedded *e, struct read_job *job)
{
    struct account_look *l = (struct account_look *) job;

    if (l->epoch == e->epoch) {
        l->request->look = job->status != 0 ? LOOK_FAILED
                           : l->twin        ? LOOK_TWIN
                                            : LOOK_FREE;
        request_wake(e, l->request);
        e->n_looks--;
    }

    free(l);
}


int
account_put(struct embedded *e, struct user *u, const struct record_account *a)
{
    struct buf record = {0};
    struct key key;

    record_put_account(&record, a);

    if (buf_failed(&record)) {
        buf_clear(&record);
        return -1;
    }

    key_account(&key, u->number);
    embedded_put(e, &key, &record);
    e->cached += record.len;
    e->cached -= u->account.len;
    free((char *) u->account.data);
    u->account = buf_str(&record);
    return 0;
}


enum step
get_account_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct record_account a;
    struct user *u;

    step = account_enter(e, r, &u);

    if (step != STEP_GO) {
        return step;
    }

    if (!account_of(u, &a)) {
        return request_answer(e, r, STORAGE_NO_ACCOUNT);
    }

    a.secret = arena_copy(&e->collecting->arena, a.secret);

    if (a.secret.data == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    r->result.number = a.epoch;
    r->result.more = u->disabled;
    r->result.inbox_id = device_least_time(u, r->op.device);
    return request_answer_json(e, r, a.secret);
}


enum step
set_password_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct record_account a;
    struct event *event;
    struct user *u;

    step = outcome_enter(e, r, &u);

    if (step != STEP_GO) {
        return step;
    }

    if (!account_of(u, &a)) {
        return request_answer(e, r, STORAGE_NO_ACCOUNT);
    }

    /* another change came first: what was judged was the old password */
    if (a.epoch != r->op.number
        || account_check_token(u, r->op.cursor) != STORAGE_OK) {
        return request_answer(e, r, STORAGE_TOKEN_ENDED);
    }

    a.epoch++;
    a.kept = r->op.cursor;
    a.secret = r->op.text;

    event = account_event(e, u);

    if (event == NULL || account_put(e, u, &a) != 0) {
        return request_poison(e, r);
    }

    request_pin(e, r, u, NULL);
    outcome_put_json(e, r, u, STR("{}"));
    (void) request_answer_json(e, r, STR("{}"));
    embedded_event(e, event);
    return STEP_DONE;
}


enum step
rehash_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct record_account a;
    struct user *u;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    if (!account_of(u, &a)) {
        return request_answer(e, r, STORAGE_NO_ACCOUNT);
    }

    if (a.epoch == r->op.number) {
        a.secret = r->op.text;

        if (account_put(e, u, &a) != 0) {
            return request_poison(e, r);
        }

        request_pin(e, r, u, NULL);
    }

    return request_answer_json(e, r, STR("{}"));
}


/* Ended logins */

static struct str
ending_jti(const struct ending *w)
{
    return (struct str){w->jti, w->jti_len};
}


static struct ending *
ending_find(const struct user *u, struct str jti)
{
    uint32_t i;

    for (i = 0; i < u->n_endings; i++) {
        if (str_eq(ending_jti(&u->endings[i]), jti)) {
            return &u->endings[i];
        }
    }

    return NULL;
}


static void
ending_remove(struct embedded *e, struct user *u, struct ending *w)
{
    struct key key;

    key_ended(&key, u->number, ending_jti(w));
    embedded_delete(e, &key);
    *w = u->endings[--u->n_endings];
}


/* Those whose tokens have ended of themselves meanwhile. */
static void
ending_prune(struct embedded *e, struct user *u)
{
    uint64_t now = embedded_now() / 1000;
    uint32_t i = 0;

    while (i < u->n_endings) {
        if (u->endings[i].until < now) {
            ending_remove(e, u, &u->endings[i]);

        } else {
            i++;
        }
    }
}


/*
 * There is no room.  Logins of an account all end with the epoch, and need no
 * record each; of a site's tokens the one that lasts the shortest is forgotten.
 */
static int
ending_make_room(struct embedded *e, struct user *u)
{
    struct record_account a;
    struct ending *w = NULL;
    struct login_id id;
    uint32_t i = 0, n = u->n_endings;

    while (i < u->n_endings) {
        if (login_id_get(ending_jti(&u->endings[i]), &id)) {
            ending_remove(e, u, &u->endings[i]);

        } else {
            w = w == NULL || u->endings[i].until < w->until ? &u->endings[i]
                                                            : w;
            i++;
        }
    }

    if (u->n_endings == n) {
        ending_remove(e, u, w);
        return 0;
    }

    if (!account_of(u, &a)) {
        return 0;
    }

    a.epoch++;
    a.kept = STR("");
    return account_put(e, u, &a);
}


static int
ending_add(struct embedded *e, struct user *u, struct str jti, uint64_t until)
{
    uint16_t cap = u->endings_cap == 0 ? 2 : (uint16_t) (u->endings_cap * 2);
    struct ending *w;
    struct key key;

    if (u->n_endings == STATE_ENDINGS_MAX && ending_make_room(e, u) != 0) {
        return -1;
    }

    if (u->n_endings == u->endings_cap) {
        w = realloc(u->endings, cap * sizeof(*w));
        if (w == NULL) {
            return -1;
        }

        e->cached += (cap - u->endings_cap) * sizeof(*w);
        u->endings = w;
        u->endings_cap = cap;
    }

    w = &u->endings[u->n_endings++];
    w->until = until;
    w->jti_len = (uint8_t) jti.len;
    memcpy(w->jti, jti.data, jti.len);

    key_ended(&key, u->number, jti);
    (void) embedded_record(e);
    record_put_u64(&e->record, until);
    embedded_put(e, &key, &e->record);
    return 0;
}


/* A user who was nothing but a token's comes to be: else it could not be kept
 * that the token has ended. */
enum step
end_login_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct event *event;
    struct user *u;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    if (ending_find(u, r->op.cursor) != NULL) {
        return request_answer_json(e, r, STR("{}"));
    }

    event = account_event(e, u);

    if (event == NULL || (!u->connected && user_make(e, u, true) != 0)) {
        return request_poison(e, r);
    }

    ending_prune(e, u);

    if (ending_add(e, u, r->op.cursor, r->op.number) != 0) {
        return request_poison(e, r);
    }

    request_pin(e, r, u, NULL);
    (void) request_answer_json(e, r, STR("{}"));
    embedded_event(e, event);
    return STEP_DONE;
}
