/*
 * Requests of the embedded storage: an operation from its submission to its
 * answer.  See storage_embedded.h.
 */

#include "storage_embedded.h"

#include <stdlib.h>

#include "storage_outcome.h"
#include "storage_state.h"

/* What an operation acts on decides which queue it takes its turn in. */
static const struct {
    enum step (*step)(struct embedded *e, struct request *r);
    bool in_channel;
    bool keeps; /* its outcome: repeating it would do it again */
} request_ops[] = {
    [STORAGE_SUBSCRIBE] = {subscribe_step,      false, false},
    [STORAGE_UNSUBSCRIBE] = {unsubscribe_step,    false, false},
    [STORAGE_SEND] = {send_step,           true,  true },
    [STORAGE_GET_MESSAGE] = {get_message_step,    true,  false},
    [STORAGE_HISTORY] = {history_step,        true,  false},
    [STORAGE_READ_INBOX] = {read_inbox_step,     false, false},
    [STORAGE_ACK] = {ack_step,            false, false},
    [STORAGE_CREATE_CHANNEL] = {create_channel_step, false, true },
    [STORAGE_GET_CHANNEL] = {get_channel_step,    true,  false},
    [STORAGE_LIST_CHANNELS] = {list_channels_step,  false, false},
    [STORAGE_ADD_MEMBERS] = {add_members_step,    true,  true },
    [STORAGE_REMOVE_MEMBERS] = {remove_members_step, true,  true },
    [STORAGE_LEAVE] = {leave_step,          true,  true },
    [STORAGE_UPDATE_CHANNEL] = {update_channel_step, true,  true },
    [STORAGE_SET_ROLE] = {set_role_step,       true,  true },
    [STORAGE_HIDE_CHANNEL] = {hide_channel_step,   true,  true },
    [STORAGE_READ_CHANNEL] = {read_channel_step,   true,  false},
    [STORAGE_EDIT_MESSAGE] = {edit_message_step,   true,  true },
    [STORAGE_DELETE_MESSAGE] = {delete_message_step, true,  true },
    [STORAGE_REACT] = {react_step,          true,  true },
    [STORAGE_TYPING] = {typing_step,         true,  false},
    [STORAGE_MUTE_CHANNEL] = {mute_channel_step,   true,  true },
    [STORAGE_LIST_CONTACTS] = {list_contacts_step,  false, false},
    [STORAGE_REQUEST_CONTACT] = {contact_step,        false, true },
    [STORAGE_ACCEPT_CONTACT] = {contact_step,        false, true },
    [STORAGE_DECLINE_CONTACT] = {contact_step,        false, true },
    [STORAGE_REMOVE_CONTACT] = {contact_step,        false, true },
    [STORAGE_BLOCK_CONTACT] = {contact_step,        false, true },
    [STORAGE_UNBLOCK_CONTACT] = {contact_step,        false, true },
    [STORAGE_GET_USER] = {get_user_step,       false, false},
    [STORAGE_UPDATE_USER] = {update_user_step,    false, true },
    [STORAGE_SEARCH_USERS] = {search_users_step,   false, false},
    [STORAGE_LIST_DEVICES] = {list_devices_step,   false, false},
    [STORAGE_REMOVE_DEVICE] = {remove_device_step,  false, true },
    [STORAGE_TOUCH] = {touch_step,          false, false},
    [STORAGE_PRESENCE_GET] = {presence_get_step,   false, false},
    [STORAGE_PRESENCE_WATCH] = {presence_get_step,   false, false},
    [STORAGE_PRESENCE_UNWATCH] = {presence_get_step,   false, false},
    [STORAGE_PRESENCE_START] = {presence_start_step, false, false},
    [STORAGE_LEFT] = {left_step,           false, false},
    [STORAGE_ELSEWHERE] = {elsewhere_step,      false, false},
    [STORAGE_CREATE_INVITE] = {create_invite_step,  true,  true },
    [STORAGE_LIST_INVITES] = {list_invites_step,   true,  false},
    [STORAGE_REVOKE_INVITE] = {revoke_invite_step,  true,  true },
    [STORAGE_GET_INVITE] = {get_invite_step,     true,  false},
    [STORAGE_NAME_DEVICE] = {name_device_step,    false, true },
    [STORAGE_JOIN_INVITE] = {join_invite_step,    true,  true },
    [STORAGE_SIGN_UP] = {sign_up_step,        false, true },
    [STORAGE_GET_ACCOUNT] = {get_account_step,    false, true },
    [STORAGE_SET_PASSWORD] = {set_password_step,   false, true },
    [STORAGE_REHASH] = {rehash_step,         false, false},
    [STORAGE_END_LOGIN] = {end_login_step,      false, false},
    [STORAGE_DELETE_ACCOUNT] = {delete_account_step, false, false},
    [STORAGE_EXPORT] = {export_step,         false, false},
    [STORAGE_LIST_USERS] = {list_users_step,     false, false},
    [STORAGE_SHOW_USER] = {show_user_step,      false, false},
    [STORAGE_BAR_USER] = {bar_user_step,       false, false},
    [STORAGE_RESET_PASSWORD] = {reset_password_step, false, false},
};

#define REQUEST_N_OPS (sizeof(request_ops) / sizeof(request_ops[0]))

static struct str request_copy(char **at, struct str s);
static size_t request_size(const struct storage_op *op);
static void request_copy_op(struct request *r, const struct storage_op *op);
static void request_key(struct request *r, char **at);
static void request_direct_id(struct request *r, char **at);
static void request_group_id(struct request *r, char **at);
static void request_close(struct embedded *e, struct request *r);
static enum step request_step(struct embedded *e, struct request *r);
static void request_run_channel(struct embedded *e, struct channel *ch);


struct request *
request_create(struct embedded *e, const struct storage_op *op,
               storage_done *done, void *data)
{
    size_t size = request_size(op);
    struct request *r = malloc(size);

    if (r == NULL) {
        return NULL;
    }

    memset(r, 0, sizeof(*r));
    e->request_bytes += size;
    r->size = size;
    r->done = done;
    r->data = data;
    r->repeats.last = &r->repeats.first;
    request_copy_op(r, op);

    r->open_prev = e->open_last;
    *e->open_last = r;
    e->open_last = &r->open_next;
    return r;
}


void
request_free(struct embedded *e, struct request *r)
{
    e->request_bytes -= r->size;
    buf_clear(&r->outcome);
    free(r);
}


static size_t
request_size(const struct storage_op *op)
{
    size_t n = sizeof(struct request);
    uint32_t i;

    n += op->user.len + op->device.len + op->client_id.len + op->request_id.len
         + op->channel.len + op->to.len + op->name.len + op->avatar.len
         + op->text.len + op->cursor.len;

    /* The key of its outcome, the id of a direct channel. */
    n += 2 + op->user.len + op->client_id.len + op->request_id.len;
    n += 3 + op->user.len + op->to.len;

    if (op->type == STORAGE_GET_INVITE || op->type == STORAGE_JOIN_INVITE) {
        n += 2 + STORAGE_INVITE_LEN; /* the id of its group is shorter */
    }

    n += _Alignof(struct str) + op->n_users * sizeof(struct str);

    for (i = 0; i < op->n_users; i++) {
        n += op->users[i].len;
    }

    return n;
}


static void
request_copy_op(struct request *r, const struct storage_op *op)
{
    size_t align = _Alignof(struct str);
    char *at = r->strings;
    struct str *users;
    uint32_t i;

    at += (align - (uintptr_t) at % align) % align;
    users = (struct str *) (void *) at;
    at += op->n_users * sizeof(*users);

    r->op = *op;
    r->op.users = users;
    r->op.user = request_copy(&at, op->user);
    r->op.device = request_copy(&at, op->device);
    r->op.client_id = request_copy(&at, op->client_id);
    r->op.request_id = request_copy(&at, op->request_id);
    r->op.channel = request_copy(&at, op->channel);
    r->op.to = request_copy(&at, op->to);
    r->op.name = request_copy(&at, op->name);
    r->op.avatar = request_copy(&at, op->avatar);
    r->op.text = request_copy(&at, op->text);
    r->op.cursor = request_copy(&at, op->cursor);

    for (i = 0; i < op->n_users; i++) {
        users[i] = request_copy(&at, op->users[i]);
    }

    request_key(r, &at);

    if (op->type == STORAGE_SEND && op->to.len != 0) {
        request_direct_id(r, &at);
    }

    if ((op->type == STORAGE_GET_INVITE || op->type == STORAGE_JOIN_INVITE)
        && op->text.len == STORAGE_INVITE_LEN) {
        request_group_id(r, &at);
    }
}


static struct str
request_copy(char **at, struct str s)
{
    struct str copy = {s.data == NULL ? NULL : *at, s.len};

    if (s.data != NULL && s.len != 0) {
        memcpy(*at, s.data, s.len);
        *at += s.len;
    }

    return copy;
}


/* A client_id is one user's; a request_id is unique of itself. */
static void
request_key(struct request *r, char **at)
{
    char *start = *at;

    if ((unsigned) r->op.type >= REQUEST_N_OPS
        || !request_ops[r->op.type].keeps) {
        return;
    }

    if (r->op.client_id.len != 0) {
        *(*at)++ = 'D';
        (void) request_copy(at, r->op.user);
        *(*at)++ = '\0';
        (void) request_copy(at, r->op.client_id);

    } else if (r->op.request_id.len != 0) {
        *(*at)++ = 'Q';
        (void) request_copy(at, r->op.request_id);
    }

    r->outcome_key = (struct str){start, (size_t) (*at - start)};
}


/* "d." and the two user ids in order, joined by what no user id has. */
static void
request_direct_id(struct request *r, char **at)
{
    struct str a = r->op.user, b = r->op.to;
    char *start = *at;
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    if (order > 0 || (order == 0 && a.len > b.len)) {
        a = r->op.to;
        b = r->op.user;
    }

    *(*at)++ = 'd';
    *(*at)++ = '.';
    (void) request_copy(at, a);
    *(*at)++ = '~';
    (void) request_copy(at, b);
    r->op.channel = (struct str){start, (size_t) (*at - start)};
}


/* "g." and what an invite begins with. */
static void
request_group_id(struct request *r, char **at)
{
    struct str group = {r->op.text.data, STORAGE_INVITE_LEN - KEY_SECRET_LEN};
    char *start = *at;

    *(*at)++ = 'g';
    *(*at)++ = '.';
    (void) request_copy(at, group);
    r->op.channel = (struct str){start, (size_t) (*at - start)};
}


/* Who leaves has left, and nobody says so again when the store is back or has
 * less to do. */
static bool
request_may_run(const struct embedded *e, const struct request *r)
{
    bool leaves =
        r->op.type == STORAGE_UNSUBSCRIBE || r->op.type == STORAGE_LEFT;

    return !e->closing
           && (leaves
               || (e->state == EMBEDDED_OPEN
                   && e->request_bytes <= EMBEDDED_REQUESTS_MAX));
}


void
request_submit(struct embedded *e, struct request *r)
{
    enum storage_status status = storage_op_check(&r->op);
    struct channel *ch;

    if (!request_may_run(e, r)) {
        status = STORAGE_UNAVAILABLE;
    }

    if (status != STORAGE_OK) {
        (void) request_answer(e, r, status);
        return;
    }

    r->step = request_ops[r->op.type].step;
    outcome_begin(e, r);

    if (!request_ops[r->op.type].in_channel) {
        (void) request_step(e, r);
        return;
    }

    ch = channel_by_id(e, r->op.channel);

    if (ch == NULL) {
        (void) request_answer(e, r, STORAGE_EXHAUSTED);
        return;
    }

    request_enqueue(e, r, ch);
}


int
request_submit_own(struct embedded *e, const struct storage_op *op,
                   storage_done *done, void *data)
{
    struct request *r = request_create(e, op, done, data);

    if (r == NULL) {
        return -1;
    }

    r->own = true;
    request_submit(e, r);
    return 0;
}


void
request_enqueue(struct embedded *e, struct request *r, struct channel *ch)
{
    bool first = ch->first == NULL;

    r->channel = ch;
    r->channel_next = NULL;
    *ch->last = r;
    ch->last = &r->channel_next;

    if (first) {
        request_run_channel(e, ch);
    }
}


/* One that waits for its first, or was woken and has not had its turn, stands
 * in a row already. */
static enum step
request_step(struct embedded *e, struct request *r)
{
    if (r->woken || outcome_waits(r) || e->closing) {
        return STEP_WAIT;
    }

    return r->step(e, r);
}


/* The first one of a channel is at work until its step has ended: what comes
 * behind it takes effect behind it. */
static void
request_run_channel(struct embedded *e, struct channel *ch)
{
    struct request *r, *next;

    while (ch->state != OBJECT_LOADING && (r = ch->first) != NULL) {
        if (request_step(e, r) == STEP_WAIT) {
            return;
        }

        next = r->channel_next;
        ch->first = next;

        if (next == NULL) {
            ch->last = &ch->first;
        }
    }
}


void
requests_run(struct embedded *e)
{
    struct request *r;

    while ((r = request_next(&e->runnable)) != NULL) {
        r->woken = false;

        if (r->channel == NULL) {
            (void) request_step(e, r);

        } else if (r->channel->first == r) {
            request_run_channel(e, r->channel);
        }
    }
}


void
request_wait(struct request_queue *q, struct request *r)
{
    r->wait_next = NULL;
    *q->last = r;
    q->last = &r->wait_next;
}


struct request *
request_next(struct request_queue *q)
{
    struct request *r = q->first;

    if (r != NULL) {
        q->first = r->wait_next;

        if (q->first == NULL) {
            q->last = &q->first;
        }
    }

    return r;
}


void
request_wake(struct embedded *e, struct request *r)
{
    /* The first of a channel that was loaded may stand elsewhere already. */
    if (r->woken || outcome_waits(r) || e->closing) {
        return;
    }

    r->woken = true;
    request_wait(&e->runnable, r);
}


void
request_wake_all(struct embedded *e, struct request_queue *q)
{
    struct request *r;

    while ((r = request_next(q)) != NULL) {
        request_wake(e, r);
    }
}


static void
request_close(struct embedded *e, struct request *r)
{
    *r->open_prev = r->open_next;

    if (r->open_next != NULL) {
        r->open_next->open_prev = r->open_prev;

    } else {
        e->open_last = r->open_prev;
    }
}


void
request_end(struct embedded *e, struct request *r, enum storage_status status)
{
    request_close(e, r);
    r->result.status = status;
    e->collecting->n_results++;
    embedded_output(e, &r->out);
}


enum step
request_answer_json(struct embedded *e, struct request *r, struct str json)
{
    r->result.json = json;
    return request_answer(e, r, STORAGE_OK);
}


enum step
request_poison(struct embedded *e, struct request *r)
{
    struct key none = {.len = 0};

    /* No store takes an empty key. */
    embedded_delete(e, &none);
    return request_answer(e, r, STORAGE_EXHAUSTED);
}


void
request_pin(struct embedded *e, struct request *r, struct user *u,
            struct channel *ch)
{
    if (u != NULL && r->pin_user == NULL) {
        r->pin_user = u;
        user_ref(e, u);

    } else if (u != NULL && r->pin_other == NULL && u != r->pin_user) {
        r->pin_other = u;
        user_ref(e, u);
    }

    if (ch != NULL && r->pin_channel == NULL) {
        r->pin_channel = ch;
        ch->pins++;
    }
}


void
request_unpin(struct embedded *e, struct request *r)
{
    if (r->pin_user != NULL) {
        user_unref(e, r->pin_user);
    }

    if (r->pin_other != NULL) {
        user_unref(e, r->pin_other);
    }

    if (r->pin_channel != NULL) {
        r->pin_channel->pins--;
    }
}


enum step
request_detach(struct embedded *e, struct request *r)
{
    request_close(e, r);
    return STEP_DONE;
}


void
request_finish(struct embedded *e, struct request *r,
               const struct storage_result *result)
{
    r->done(result, r->data);
    request_free(e, r);
}
