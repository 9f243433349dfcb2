/*
 * The front of every back end: picks one by the scheme of the address, judges
 * the arguments, and knows the names of operations and events.
 */

#include "storage.h"

#include <stdlib.h>

#include "storage_backend.h"

/* Of the JSON of one message; the method layer's limit is far below. */
#define STORAGE_TEXT_MAX  (16u << 20)
#define STORAGE_USERS_MAX 4096

struct storage {
    const struct storage_backend *backend;
    void *b;
};

static bool storage_is_optional_id(struct str s);
static bool storage_is_invite(struct str s);
static enum storage_status storage_check_fields(const struct storage_op *op);
static enum storage_status storage_check_account(const struct storage_op *op);
static enum storage_status storage_check_users(const struct storage_op *op);

static const struct storage_backend *const storage_backends[] = {
    &storage_backend_leveldb,
    &storage_backend_memory,
    &storage_backend_remote,
};

static const struct {
    const char *name;
    bool changes;
} storage_ops[] = {
#define STORAGE_OP_ROW(name, number, changes) [number] = {#name, changes},
    STORAGE_OPS(STORAGE_OP_ROW)
#undef STORAGE_OP_ROW
};

/* What stands before the inbox id, in a push and in a list of events. */
#define STORAGE_HEAD(method)                                                   \
    {                                                                          \
        STR("{\"jsonrpc\":\"2.0\",\"method\":\"" method                        \
            "\",\"params\":{\"inbox_id\":"),                                   \
            STR("{\"method\":\"" method "\",\"params\":{\"inbox_id\":")        \
    }
#define STORAGE_LIVE_HEAD(method)                                              \
    {                                                                          \
        STR("{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{"),    \
            STR("{\"method\":\"" method "\",\"params\":{")                     \
    }

static const struct {
    struct str head;
    struct str sync_head;
} storage_events[] = {
    [STORAGE_EVENT_MESSAGE_NEW] = STORAGE_HEAD("message.new"),
    [STORAGE_EVENT_MESSAGE_EDITED] = STORAGE_HEAD("message.edited"),
    [STORAGE_EVENT_MESSAGE_DELETED] = STORAGE_HEAD("message.deleted"),
    [STORAGE_EVENT_MESSAGE_REACTED] = STORAGE_HEAD("message.reacted"),
    [STORAGE_EVENT_CHANNEL_UPDATED] = STORAGE_HEAD("channel.updated"),
    [STORAGE_EVENT_CONTACT_UPDATED] = STORAGE_HEAD("contact.updated"),
    [STORAGE_EVENT_RECEIPT] = STORAGE_LIVE_HEAD("receipt"),
    [STORAGE_EVENT_TYPING] = STORAGE_LIVE_HEAD("typing"),
    [STORAGE_EVENT_PRESENCE] = STORAGE_LIVE_HEAD("presence"),
    [STORAGE_EVENT_TOKENS] = {STR(""), STR("")},
};

#define STORAGE_N(table) (sizeof(table) / sizeof((table)[0]))


struct storage *
storage_open(struct uv_loop_s *loop, const char *address,
             const struct storage_handlers *handlers, const char **error)
{
    struct storage *s;
    size_t i, len;

    for (i = 0; i < STORAGE_N(storage_backends); i++) {
        len = strlen(storage_backends[i]->scheme);

        if (strncmp(address, storage_backends[i]->scheme, len) == 0
            && address[len] == ':') {
            break;
        }
    }

    if (i == STORAGE_N(storage_backends)) {
        *error = "unknown kind of store, write leveldb:PATH";
        return NULL;
    }

    s = malloc(sizeof(*s));
    if (s == NULL) {
        *error = "out of memory";
        return NULL;
    }

    s->backend = storage_backends[i];
    s->b = s->backend->open(loop, address + len + 1, handlers, error);

    if (s->b == NULL) {
        free(s);
        return NULL;
    }

    return s;
}


void
storage_submit(struct storage *s, const struct storage_op *op,
               storage_done *done, void *data)
{
    s->backend->submit(s->b, op, done, data);
}


void
storage_close(struct storage *s, void (*closed)(void *data), void *data)
{
    s->backend->close(s->b, closed, data);
    free(s);
}


void
storage_stats(const struct storage *s, struct storage_stats *out)
{
    s->backend->stats(s->b, out);
}


uint64_t
storage_sequence(const struct storage *s)
{
    return s->backend->sequence(s->b);
}


void
storage_set_cache(struct storage *s, uint64_t bytes)
{
    if (s->backend->cache != NULL) {
        s->backend->cache(s->b, bytes);
    }
}


bool
storage_online(struct storage *s, uint64_t number)
{
    return s->backend->online != NULL && s->backend->online(s->b, number);
}


struct str
storage_event_head(enum storage_event_method method)
{
    return (unsigned) method < STORAGE_N(storage_events)
               ? storage_events[method].head
               : STR("");
}


struct str
storage_event_sync_head(enum storage_event_method method)
{
    return (unsigned) method < STORAGE_N(storage_events)
               ? storage_events[method].sync_head
               : STR("");
}


const char *
storage_op_name(enum storage_op_type type)
{
    if ((unsigned) type >= STORAGE_N(storage_ops)
        || storage_ops[type].name == NULL) {
        return "unknown";
    }

    return storage_ops[type].name;
}


bool
storage_op_changes(enum storage_op_type type)
{
    return (unsigned) type < STORAGE_N(storage_ops)
           && storage_ops[type].changes;
}


/* The order tells which of several faults is answered; an op that no method
 * makes is answered as what does not exist. */
enum storage_status
storage_op_check(const struct storage_op *op)
{
    enum storage_status status = storage_check_fields(op);

    if (status != STORAGE_OK) {
        return status;
    }

    switch (op->type) {
    case STORAGE_SUBSCRIBE:
    case STORAGE_UNSUBSCRIBE:
    case STORAGE_READ_INBOX:
    case STORAGE_ACK:
    case STORAGE_LIST_CHANNELS:
    case STORAGE_LIST_CONTACTS:
    case STORAGE_SEARCH_USERS:
    case STORAGE_LIST_DEVICES:
    case STORAGE_PRESENCE_START:
    case STORAGE_LEFT:
    case STORAGE_ELSEWHERE:
    case STORAGE_DELETE_ACCOUNT:
    case STORAGE_EXPORT:
    case STORAGE_LIST_USERS:
        return STORAGE_OK;

    case STORAGE_GET_USER:
    case STORAGE_SHOW_USER:
    case STORAGE_BAR_USER:
        return op->to.len == 0 ? STORAGE_NO_USER : STORAGE_OK;

    case STORAGE_UPDATE_USER:
        return op->text.len > (size_t) STORAGE_STATUS_CHARS * 4
                   ? STORAGE_FORBIDDEN
                   : STORAGE_OK;

    case STORAGE_REMOVE_DEVICE:
        return op->to.len == 0 ? STORAGE_NO_DEVICE : STORAGE_OK;

    case STORAGE_NAME_DEVICE:
        return op->to.len == 0 ? STORAGE_NO_DEVICE
               : op->name.len > (size_t) STORAGE_DEVICE_CHARS * 4
                   ? STORAGE_FORBIDDEN
                   : STORAGE_OK;

    case STORAGE_TOUCH:
    case STORAGE_GET_ACCOUNT:
        return op->cursor.len > STORAGE_JTI_MAX     ? STORAGE_TOKEN_ENDED
               : storage_is_optional_id(op->device) ? STORAGE_OK
                                                    : STORAGE_NO_DEVICE;

    case STORAGE_SIGN_UP:
    case STORAGE_SET_PASSWORD:
    case STORAGE_REHASH:
    case STORAGE_RESET_PASSWORD:
    case STORAGE_END_LOGIN:
        return storage_check_account(op);

    case STORAGE_GET_INVITE:
    case STORAGE_JOIN_INVITE:
        return storage_is_invite(op->text) ? STORAGE_OK : STORAGE_NO_INVITE;

    case STORAGE_REQUEST_CONTACT:
    case STORAGE_ACCEPT_CONTACT:
    case STORAGE_DECLINE_CONTACT:
    case STORAGE_REMOVE_CONTACT:
    case STORAGE_BLOCK_CONTACT:
    case STORAGE_UNBLOCK_CONTACT:
        return op->to.len == 0 || str_eq(op->to, op->user) ? STORAGE_NO_USER
                                                           : STORAGE_OK;

    case STORAGE_CREATE_CHANNEL:
    case STORAGE_PRESENCE_GET:
    case STORAGE_PRESENCE_WATCH:
    case STORAGE_PRESENCE_UNWATCH:
        return storage_check_users(op);

    case STORAGE_SEND:
        if (op->to.len != 0) {
            return STORAGE_OK;
        }

        break;

    case STORAGE_REACT:
        if (op->name.len == 0 || op->name.len > STORAGE_EMOJI_MAX) {
            return STORAGE_FORBIDDEN;
        }

        break;

    case STORAGE_EDIT_MESSAGE:
        if (op->text.len == 0) {
            return STORAGE_FORBIDDEN;
        }

        break;

    case STORAGE_SET_ROLE:
        if (op->to.len == 0 || op->role > STORAGE_OWNER) {
            return STORAGE_NOT_MEMBER;
        }

        break;

    default:
        break;
    }

    if (op->channel.len == 0 || op->channel.len > STORAGE_CHANNEL_MAX) {
        return STORAGE_NO_CHANNEL;
    }

    return storage_check_users(op);
}


static enum storage_status
storage_check_fields(const struct storage_op *op)
{
    if ((unsigned) op->type >= STORAGE_N(storage_ops)
        || storage_ops[op->type].name == NULL
        || (op->type != STORAGE_UNSUBSCRIBE
            && op->type != STORAGE_PRESENCE_START && op->type != STORAGE_LEFT
            && op->type != STORAGE_LIST_USERS && !storage_is_id(op->user))
        || (op->type == STORAGE_ACK && !storage_is_id(op->device))
        || op->client_id.len > STORAGE_ID_MAX
        || op->request_id.len > STORAGE_ID_MAX
        || !storage_is_optional_id(op->to)) {
        return STORAGE_NO_USER;
    }

    if (op->text.len > STORAGE_TEXT_MAX || op->n_users > STORAGE_USERS_MAX) {
        return STORAGE_EXHAUSTED;
    }

    if (op->name.len > (size_t) STORAGE_NAME_CHARS * 4
        || op->avatar.len > STORAGE_AVATAR_MAX) {
        return STORAGE_FORBIDDEN;
    }

    return STORAGE_OK;
}


/* A change of an account has a secret to keep, or a login to end. */
static enum storage_status
storage_check_account(const struct storage_op *op)
{
    bool good = op->type == STORAGE_END_LOGIN
                    ? op->cursor.len != 0 && op->number != 0
                    : op->text.len != 0 && op->text.len <= STORAGE_SECRET_MAX;

    return good && op->cursor.len <= STORAGE_JTI_MAX ? STORAGE_OK
                                                     : STORAGE_FORBIDDEN;
}


static enum storage_status
storage_check_users(const struct storage_op *op)
{
    uint32_t i;

    for (i = 0; i < op->n_users; i++) {
        if (!storage_is_id(op->users[i])) {
            return STORAGE_NO_USER;
        }
    }

    return STORAGE_OK;
}


bool
storage_is_id(struct str s)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '@'
              || c == '+' || c == '-')) {
            return false;
        }
    }

    return s.len >= 1 && s.len <= STORAGE_ID_MAX;
}


static bool
storage_is_optional_id(struct str s)
{
    return s.len == 0 || storage_is_id(s);
}


static bool
storage_is_invite(struct str s)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (!((s.data[i] >= '0' && s.data[i] <= '9')
              || (s.data[i] >= 'a' && s.data[i] <= 'f'))) {
            return false;
        }
    }

    return s.len == STORAGE_INVITE_LEN;
}
