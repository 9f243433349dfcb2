/*
 * REQUEST, ACCEPT, DECLINE, REMOVE, BLOCK, UNBLOCK, LIST_CONTACTS.
 *
 * One step carries out all six changes: it looks at both sides, decides what
 * becomes of them, and writes and tells what has changed for whom.  Requests
 * that cross each other meet here in some order; the later one finds the
 * earlier incoming and makes friends of the two.
 */

#include "storage_contact.h"

#include <stdlib.h>

#include "storage_gather.h"
#include "storage_outcome.h"
#include "storage_watch.h"

#define CONTACT_CURSOR_DIGITS 16

/* Both sides, before or after. */
struct contact_pair {
    struct record_contact mine, theirs;
};

struct contact_list {
    struct read_job job;
    struct request *request;
    uint32_t limit;
    uint32_t n;
    struct contact *contacts;
    bool more; /* behind those of this page */
    uint32_t n_rows;
    struct buf json;
};

static enum storage_status contact_decide(const struct request *r,
                                          const struct user *other,
                                          struct contact_pair *p);
static bool contact_full(const struct user *u, const struct user *other);
static int contact_change(struct embedded *e, struct request *r, struct user *u,
                          struct user *other, const struct contact_pair *was,
                          const struct contact_pair *p);
static int contact_set(struct embedded *e, struct user *u, uint64_t other,
                       struct record_contact to);
static int contact_room(struct embedded *e, struct user *u);
static void contact_presence(struct embedded *e, struct user *about,
                             struct user *to, struct record_contact was,
                             struct record_contact is);
static struct event *contact_event(struct embedded *e, struct user *u,
                                   const struct user *other, unsigned state);
static int contact_list_cursor(struct str cursor, uint64_t *after);
static int contact_list_run(struct read_job *job, const struct reader *r);
static int contact_list_row(struct contact_list *l, const struct reader *r,
                            const struct contact *c, struct buf *value);
static void contact_list_done(struct embedded *e, struct read_job *job);
static void contact_list_free(struct contact_list *l);


/* The place of the first contact whose number is not below. */
static uint32_t
contact_place(const struct user *u, uint64_t number)
{
    uint32_t low = 0, high = u->n_contacts, middle;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (u->contacts[middle].user < number) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}


const struct contact *
contact_find(const struct user *u, uint64_t number)
{
    uint32_t at = contact_place(u, number);

    return at < u->n_contacts && u->contacts[at].user == number
               ? &u->contacts[at]
               : NULL;
}


bool
contact_blocks(const struct user *u, const struct user *other)
{
    const struct contact *c;

    if (u->n_contacts == 0 || u == other) {
        return false;
    }

    c = contact_find(u, other->number);
    return c != NULL && (c->flags & RECORD_CONTACT_BLOCKS) != 0;
}


bool
contact_blocks_direct(const struct channel *ch, const struct user *u)
{
    uint32_t i;

    for (i = 0; ch->kind == RECORD_DIRECT && i < ch->n_members; i++) {
        if (contact_blocks(ch->members[i].user, u)) {
            return true;
        }
    }

    return false;
}


static struct record_contact
contact_record(const struct user *u, const struct user *other)
{
    const struct contact *c = contact_find(u, other->number);

    return c == NULL ? (struct record_contact){RECORD_CONTACT_NONE, 0}
                     : (struct record_contact){c->state, c->flags};
}


unsigned
contact_shown(struct record_contact c)
{
    if ((c.flags & RECORD_CONTACT_BLOCKS) != 0) {
        return RECORD_CONTACT_BLOCKED;
    }

    return c.state == RECORD_CONTACT_NONE ? RECORD_CONTACT_REMOVED : c.state;
}


enum step
contact_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct contact_pair was, p;
    struct user *u, *other;
    struct str json;
    enum storage_status status;

    step = user_await(e, r, r->op.user, &u);

    if (step == STEP_GO) {
        step = user_await(e, r, r->op.to, &other);
    }

    if (step == STEP_GO) {
        step = outcome_check(e, r, u);
    }

    if (step != STEP_GO) {
        return step;
    }

    was.mine = contact_record(u, other);
    was.theirs = contact_record(other, u);
    p = was;

    status = contact_decide(r, other, &p);
    if (status == STORAGE_OK
        && (((p.mine.state != was.mine.state || p.mine.flags != was.mine.flags)
             && contact_full(u, other))
            || (p.theirs.state != was.theirs.state
                && contact_full(other, u)))) {
        status = STORAGE_CONTACTS_FULL;
    }

    if (status != STORAGE_OK) {
        return request_answer(e, r, status);
    }

    (void) embedded_text(e);
    buf_put_lit(&e->text, "{\"contact\":");
    contact_json(&e->text, r->op.to, contact_shown(p.mine));
    buf_put_char(&e->text, '}');
    json = buf_failed(&e->text)
               ? (struct str){NULL, 0}
               : arena_copy(&e->collecting->arena, buf_str(&e->text));

    if (json.data == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    r->result.json = json;
    return contact_change(e, r, u, other, &was, &p) == 0 ? STEP_DONE
                                                         : request_poison(e, r);
}


static enum storage_status
contact_decide(const struct request *r, const struct user *other,
               struct contact_pair *p)
{
    bool blocks = (p->mine.flags & RECORD_CONTACT_BLOCKS) != 0;

    if ((r->op.flags & STORAGE_REFUSE_UNKNOWN) != 0
        && (r->op.type == STORAGE_REQUEST_CONTACT
            || r->op.type == STORAGE_BLOCK_CONTACT)
        && (other->state == OBJECT_ABSENT || !other->connected)) {
        return STORAGE_NO_USER;
    }

    if (other->deleted
        && (r->op.type == STORAGE_REQUEST_CONTACT
            || r->op.type == STORAGE_ACCEPT_CONTACT
            || r->op.type == STORAGE_BLOCK_CONTACT)) {
        return STORAGE_NO_USER;
    }

    switch (r->op.type) {
    case STORAGE_REQUEST_CONTACT:
        if (blocks) {
            return STORAGE_BLOCKING;
        }

        if (p->mine.state == RECORD_CONTACT_INCOMING) {
            p->mine.state = p->theirs.state = RECORD_CONTACT_FRIEND;

        } else if (p->mine.state == RECORD_CONTACT_NONE) {
            p->mine.state = RECORD_CONTACT_REQUESTED;
            p->theirs.state = RECORD_CONTACT_INCOMING;
        }

        return STORAGE_OK;

    case STORAGE_ACCEPT_CONTACT:
        if (p->mine.state != RECORD_CONTACT_INCOMING
            && p->mine.state != RECORD_CONTACT_FRIEND) {
            return STORAGE_NO_CONTACT;
        }

        if (blocks) {
            return STORAGE_BLOCKING;
        }

        p->mine.state = p->theirs.state = RECORD_CONTACT_FRIEND;
        return STORAGE_OK;

    case STORAGE_DECLINE_CONTACT:
        if (p->mine.state != RECORD_CONTACT_INCOMING) {
            return STORAGE_NO_CONTACT;
        }

        p->mine.state = p->theirs.state = RECORD_CONTACT_NONE;
        return STORAGE_OK;

    case STORAGE_REMOVE_CONTACT:
        p->mine.state = p->theirs.state = RECORD_CONTACT_NONE;
        return STORAGE_OK;

    case STORAGE_BLOCK_CONTACT:
        p->mine.flags |= RECORD_CONTACT_BLOCKS;
        return STORAGE_OK;

    default:
        p->mine.flags = 0;
        return STORAGE_OK;
    }
}


/* Only a contact that is new needs room. */
static bool
contact_full(const struct user *u, const struct user *other)
{
    return u->n_contacts >= STORAGE_CONTACTS_MAX
           && contact_find(u, other->number) == NULL;
}


/* Writes both sides and tells whoever sees another state than before: the
 * blocked one of a block sees none. */
static int
contact_change(struct embedded *e, struct request *r, struct user *u,
               struct user *other, const struct contact_pair *was,
               const struct contact_pair *p)
{
    struct event *own = NULL, *his = NULL;
    bool mine = contact_shown(was->mine) != contact_shown(p->mine);
    bool theirs = contact_shown(was->theirs) != contact_shown(p->theirs);
    bool changed = memcmp(was, p, sizeof(*p)) != 0;

    if (changed
        && ((!u->connected && user_make(e, u, true) != 0)
            || (other->state == OBJECT_ABSENT
                && user_make(e, other, false) != 0)
            || contact_set(e, u, other->number, p->mine) != 0
            || contact_set(e, other, u->number, p->theirs) != 0)) {
        return -1;
    }

    if ((mine
         && (own = contact_event(e, u, other, contact_shown(p->mine))) == NULL)
        || (theirs
            && (his = contact_event(e, other, u, contact_shown(p->theirs)))
                   == NULL)) {
        return -1;
    }

    if (changed) {
        request_pin(e, r, u, NULL);
        request_pin(e, r, other, NULL);
    }

    if (u->state == OBJECT_READY) {
        outcome_put_json(e, r, u, r->result.json);
    }

    (void) request_answer(e, r, STORAGE_OK);

    if (own != NULL) {
        embedded_event(e, own);
    }

    if (his != NULL) {
        embedded_event(e, his);
    }

    contact_presence(e, u, other, was->mine, p->mine);
    contact_presence(e, other, u, was->theirs, p->theirs);
    return 0;
}


/* Whose friend one becomes, him one sees; who blocks goes out of sight, and
 * who is no friend any more, but for a fellow member. */
static void
contact_presence(struct embedded *e, struct user *about, struct user *to,
                 struct record_contact was, struct record_contact is)
{
    bool saw = was.state == RECORD_CONTACT_FRIEND && was.flags == 0;
    bool sees = is.state == RECORD_CONTACT_FRIEND && is.flags == 0;
    struct event *event;

    if (was.flags != is.flags && !saw && !sees
        && presence_online(e, about->number, user_name(about))) {
        watch_tell_blocked(e, about, to->number, is.flags != 0);
    }

    if (saw == sees || !presence_online(e, about->number, user_name(about))) {
        return;
    }

    if (!sees && is.flags == 0) {
        watch_tell_parted(e, about, to->number);
        return;
    }

    event = embedded_event_create(e, 1);
    (void) embedded_text(e);
    watch_json(&e->text, user_name(about), sees,
               sees ? presence_active_at(e, about) : 0);
    buf_put_char(&e->text, '}');

    if (event == NULL || buf_failed(&e->text)) {
        return;
    }

    event->method = STORAGE_EVENT_PRESENCE;
    event->tail = arena_copy(&e->collecting->arena, buf_str(&e->text));
    event->fans[0] = (struct fan){to, 0};

    if (event->tail.data != NULL) {
        embedded_event(e, event);
    }
}


static int
contact_set(struct embedded *e, struct user *u, uint64_t other,
            struct record_contact to)
{
    uint32_t at = contact_place(u, other);
    bool there = at < u->n_contacts && u->contacts[at].user == other;
    struct contact *c;
    struct key key;

    key_contact(&key, u->number, other);

    if (to.state == RECORD_CONTACT_NONE && to.flags == 0) {
        if (there) {
            c = &u->contacts[at];
            memmove(c, c + 1, (--u->n_contacts - at) * sizeof(*c));
            embedded_delete(e, &key);
        }

        return 0;
    }

    if (!there) {
        if (contact_room(e, u) != 0) {
            return -1;
        }

        c = &u->contacts[at];
        memmove(c + 1, c, (u->n_contacts++ - at) * sizeof(*c));
    }

    u->contacts[at] = (struct contact){other, to.state, to.flags};
    (void) embedded_record(e);
    record_put_contact(&e->record, &to);
    embedded_put(e, &key, &e->record);
    return 0;
}


static int
contact_room(struct embedded *e, struct user *u)
{
    uint32_t cap = u->contacts_cap == 0 ? 4 : u->contacts_cap * 2;
    struct contact *c;

    if (u->n_contacts < u->contacts_cap) {
        return 0;
    }

    c = realloc(u->contacts, cap * sizeof(*c));
    if (c == NULL) {
        return -1;
    }

    e->cached += (cap - u->contacts_cap) * sizeof(*c);
    u->contacts = c;
    u->contacts_cap = cap;
    return 0;
}


/* The entry in the user's inbox, and the event that tells of it. */
static struct event *
contact_event(struct embedded *e, struct user *u, const struct user *other,
              unsigned state)
{
    struct record_inbox to = {STORAGE_EVENT_CONTACT_UPDATED, other->number,
                              state, 0};
    struct event *event = embedded_event_create(e, 1);

    (void) embedded_text(e);
    contact_tail(&e->text, user_name(other), state);

    if (event == NULL || buf_failed(&e->text)) {
        return NULL;
    }

    event->method = STORAGE_EVENT_CONTACT_UPDATED;
    event->tail = arena_copy(&e->collecting->arena, buf_str(&e->text));
    if (event->tail.data == NULL) {
        return NULL;
    }

    event->fans[0] = (struct fan){u, gather_inbox(e, u, &to)};
    return event;
}


void
contact_json(struct buf *b, struct str other, unsigned state)
{
    static const struct str states[] = {
        [RECORD_CONTACT_NONE] = {"none",      4},
        [RECORD_CONTACT_FRIEND] = {"friend",    6},
        [RECORD_CONTACT_REQUESTED] = {"requested", 9},
        [RECORD_CONTACT_INCOMING] = {"incoming",  8},
        [RECORD_CONTACT_BLOCKED] = {"blocked",   7},
        [RECORD_CONTACT_REMOVED] = {"none",      4},
    };

    buf_put_lit(b, "{\"user\":\"");
    buf_put_str(b, other);
    buf_put_lit(b, "\",\"state\":\"");
    buf_put_str(b, states[state]);
    buf_put_lit(b, "\"}");
}


void
contact_tail(struct buf *b, struct str other, unsigned state)
{
    buf_put_lit(b, ",\"contact\":");
    contact_json(b, other, state);
    buf_put_lit(b, "}}");
}


enum step
list_contacts_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct contact_list *l;
    struct user *u;
    uint64_t after = 0;
    uint32_t from;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    if (contact_list_cursor(r->op.cursor, &after) != 0) {
        return request_answer(e, r, STORAGE_BAD_CURSOR);
    }

    from = contact_place(u, after + 1);
    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    l->job.run = contact_list_run;
    l->job.done = contact_list_done;
    l->request = r;
    l->n = u->n_contacts - from;

    if (r->op.limit != 0 && l->n > r->op.limit) {
        l->n = r->op.limit;
        l->more = true;
    }

    l->contacts = malloc((l->n + 1) * sizeof(*l->contacts));
    if (l->contacts == NULL) {
        contact_list_free(l);
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    if (l->n != 0) {
        memcpy(l->contacts, u->contacts + from, l->n * sizeof(*l->contacts));
    }

    readers_submit(e->readers, &l->job);
    return request_detach(e, r);
}


/* The number of the last user of the page before. */
static int
contact_list_cursor(struct str cursor, uint64_t *after)
{
    size_t i;

    if (cursor.len > CONTACT_CURSOR_DIGITS) {
        return -1;
    }

    for (i = 0; i < cursor.len; i++) {
        if (cursor.data[i] < '0' || cursor.data[i] > '9') {
            return -1;
        }

        *after = *after * 10 + (uint64_t) (cursor.data[i] - '0');
    }

    return 0;
}


static int
contact_list_run(struct read_job *job, const struct reader *r)
{
    struct contact_list *l = (struct contact_list *) job;
    struct buf value = {0};
    uint32_t i, last = 0;
    int rc = 0;

    buf_put_lit(&l->json, "{\"contacts\":[");

    for (i = 0; i < l->n && rc == 0 && l->json.len < STORAGE_PAGE_BYTES; i++) {
        last = i;
        rc = contact_list_row(l, r, &l->contacts[i], &value);
    }

    buf_clear(&value);

    if (i < l->n || l->more) {
        buf_put_lit(&l->json, "],\"more\":true,\"next\":\"");
        buf_put_u64(&l->json, l->contacts[last].user);
        buf_put_lit(&l->json, "\"}");

    } else {
        buf_put_lit(&l->json, "],\"more\":false,\"next\":null}");
    }

    return rc != 0 || buf_failed(&l->json) ? -1 : 0;
}


/* A user who is still to be written is no contact yet, either. */
static int
contact_list_row(struct contact_list *l, const struct reader *r,
                 const struct contact *c, struct buf *value)
{
    struct record_contact shown = {c->state, c->flags};
    struct record_user record;
    struct key key;
    int rc;

    key_user(&key, c->user);
    buf_reset(value, value->cap);
    rc = r->ops->get(r->engine, key_str(&key), value);

    if (rc == 0) {
        return 0;
    }

    if (rc != 1 || record_get_user(buf_str(value), &record) != 0) {
        return -1;
    }

    buf_put_str(&l->json, l->n_rows++ == 0 ? STR("") : STR(","));
    contact_json(&l->json, record.name, contact_shown(shown));
    return 0;
}


static void
contact_list_done(struct embedded *e, struct read_job *job)
{
    struct contact_list *l = (struct contact_list *) job;
    struct storage_result result = {.status = STORAGE_UNAVAILABLE};

    if (job->status == 0) {
        result.status = STORAGE_OK;
        result.json = buf_str(&l->json);
    }

    request_finish(e, l->request, &result);
    contact_list_free(l);
}


static void
contact_list_free(struct contact_list *l)
{
    free(l->contacts);
    buf_clear(&l->json);
    free(l);
}
