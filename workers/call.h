/*
 * What the families of methods see: a call being carried out, who makes it,
 * the rows of a method table, and the ways to answer.
 *
 * A request is one WebSocket message or HTTP body; it holds one call, or as
 * many as its batch has elements, and is closed by exactly one reply when the
 * last of them is answered.  Calls may be answered at once or later, in any
 * order, each exactly once.  A request whose link ended is answered into the
 * void.
 */

#ifndef WORKERS_CALL_H
#define WORKERS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "buf.h"
#include "storage.h"
#include "str.h"

struct call;
struct session;
struct session_link;
struct worker;

/* Everything a client may hear of failure: name, code, reason, message. */
#define CHAT_ERRORS(X)                                                         \
    X(PARSE, -32700, "parse_error", "the text is not JSON")                    \
    X(INVALID, -32600, "invalid_request", "not a JSON-RPC 2.0 request")        \
    X(TOO_DEEP, -32600, "too_deep", "nested more than 32 levels deep")         \
    X(DUPLICATE_KEY, -32600, "duplicate_key", "an object names a key twice")   \
    X(BAD_BATCH, -32600, "bad_batch", "a batch holds 1 to 64 requests")        \
    X(NO_METHOD, -32601, "method_not_found", "there is no such method")        \
    X(MISSING, -32602, "missing", "a parameter is missing")                    \
    X(UNKNOWN_PARAM, -32602, "unknown_param", "there is no such parameter")    \
    X(WRONG_TYPE, -32602, "wrong_type", "a parameter has the wrong type")      \
    X(OUT_OF_RANGE, -32602, "out_of_range", "a parameter is out of range")     \
    X(BAD_UNICODE, -32602, "bad_unicode",                                      \
      "a surrogate escape stands alone or is wrongly paired")                  \
    X(BAD_USER, -32602, "bad_user", "not a user id")                           \
    X(CONFLICT, -32602, "conflicting_params",                                  \
      "parameters that exclude each other")                                    \
    X(TOO_MANY, -32602, "too_many_members", "a group has at most 100 members") \
    X(BEYOND, -32602, "beyond_newest", "beyond the newest")                    \
    X(BAD_CURSOR, -32602, "bad_cursor", "not a cursor of this list")           \
    X(ONESELF, -32602, "oneself", "not with oneself")                          \
    X(NO_DEVICE, -32602, "device_required",                                    \
      "the token or the connection names no device")                           \
    X(INTERNAL, -32603, "internal", "internal error")                          \
    X(TOKEN, 401, "token_invalid",                                             \
      "the token is not good for this user and device")                        \
    X(TOKEN_ENDED, 401, "token_ended",                                         \
      "the log-in was ended or the device removed")                            \
    X(USER_DELETED, 401, "user_deleted", "the account was deleted")            \
    X(CREDENTIALS, 401, "bad_credentials", "user or password is wrong")        \
    X(PASSWORD, 403, "wrong_password", "the password is wrong")                \
    X(DISABLED, 403, "account_disabled", "the account is disabled")            \
    X(NO_ACCOUNT, 403, "no_account", "the user has no account here")           \
    X(FOREIGN, 403, "token_foreign", "no log-in here has made this token")     \
    X(NO_JTI, 403, "token_without_jti",                                        \
      "a token without jti cannot be ended here")                              \
    X(RESERVED, 403, "user_reserved",                                          \
      "ids that begin like this one are reserved")                             \
    X(NOT_ALLOWED, 403, "not_allowed", "your role does not allow this")        \
    X(NOT_GROUP, 403, "not_a_group", "a direct channel cannot be changed")     \
    X(BLOCKED, 403, "blocked", "this user does not want to hear from you")     \
    X(NO_CONNECTION, 403, "websocket_only",                                    \
      "only a WebSocket connection has a session")                             \
    X(NO_USER, 404, "user_not_found", "there is no such user")                 \
    X(NO_CHANNEL, 404, "channel_not_found", "there is no such channel")        \
    X(NO_MESSAGE, 404, "message_not_found", "there is no such message")        \
    X(NO_MEMBER, 404, "member_not_found", "there is no such member")           \
    X(NO_CONTACT, 404, "contact_not_found", "there is no such request")        \
    X(NOT_DEVICE, 404, "device_not_found", "there is no such device")          \
    X(NO_INVITE, 404, "invite_not_found", "there is no such invite")           \
    X(CONTACTS_FULL, 409, "contacts_full", "there are too many contacts")      \
    X(WATCHES_FULL, 409, "watches_full",                                       \
      "a connection watches at most 1000 users")                               \
    X(BLOCKING, 409, "contact_blocked", "you block this user")                 \
    X(INVITES_FULL, 409, "too_many_invites", "a group has at most 50 invites") \
    X(GROUP_FULL, 409, "group_full", "a group has at most 100 members")        \
    X(REACTIONS_FULL, 409, "too_many_reactions",                               \
      "a message has at most 20 different reactions, each of 100 users")       \
    X(REVISIONS_FULL, 409, "too_many_edits",                                   \
      "a message is edited at most 10000 times")                               \
    X(TAKEN, 409, "user_taken",                                                \
      "this user id is taken, perhaps in other case")                          \
    X(AHEAD, 409, "cursor_ahead", "the cursor is larger than the newest id")   \
    X(NO_ROUTE, 404, "not_found", "there is no such resource")                 \
    X(BAD_ROUTE, 405, "method_not_allowed", "the resource has no such method") \
    X(DELETED, 410, "message_deleted", "the message was deleted")              \
    X(INVITE_EXPIRED, 410, "invite_expired", "the invite has expired")         \
    X(INVITE_REVOKED, 410, "invite_revoked", "the invite was taken back")      \
    X(INVITE_USED_UP, 410, "invite_used_up",                                   \
      "as many as may have joined by the invite")                              \
    X(BATCH_ANSWER, 413, "batch_answer_too_large",                             \
      "the answers of the batch are too large together; ask one by one")       \
    X(LIMITED, 429, "rate_limited", "too many requests")                       \
    X(BUSY, 503, "busy", "too many log-ins at once; nothing was done")         \
    X(UNAVAILABLE, 503, "unavailable",                                         \
      "not known whether it was stored; the same client_id is safe")

enum chat_error {
    CHAT_OK,
#define CHAT_ERROR_NAME(name, code, reason, message) CHAT_ERROR_##name,
    CHAT_ERRORS(CHAT_ERROR_NAME)
#undef CHAT_ERROR_NAME
};

/* What is special about a request for an HTTP resource. */
struct resource {
    uint16_t status; /* of success; 0: not a resource, but JSON-RPC          */
    uint16_t wait_s; /* an inbox without anything new is waited for          */
    bool tagged;     /* the answer has an ETag                               */
    uint64_t after;  /* an inbox is read from here                           */
};

/* Who makes a request, and where it came from.  Lives while the request is
 * taken apart; session is NULL for an HTTP call. */
struct origin {
    struct worker *worker;
    struct session_link *link;
    uint64_t number; /* of the request */
    uint64_t handle; /* 0: HTTP        */
    uint16_t replays;
    bool refuse_unknown;
    bool paged; /* asks for another page: not counted by the rate */
    uint32_t rate;
    uint32_t burst;
    struct session *session;
    struct str user;
    struct str device; /* empty: none */
    struct resource resource;
    const struct origin_account *account; /* NULL: not about one */
};

/* What a request about an account comes with. */
struct origin_account {
    struct str jti; /* of its token; empty: none           */
    uint64_t issued_at;
    uint64_t expires_at;
    uint64_t received_at; /* s: before the storage was asked about it    */
    struct str address;   /* as text                             */
    struct str reserved;  /* prefix; empty: none                 */
    uint64_t lifetime_s;  /* of a new token                      */
};

/* What a token made here says; its device is never empty. */
struct token_claims {
    struct str user;
    struct str device;
    struct str jti;
    uint64_t issued_at;
    uint64_t expires_at;
};

enum param_type {
    PARAM_USER,     /* a user id -> str                                   */
    PARAM_USERS,    /* an array of min ... max of them -> users, n_users  */
    PARAM_BYTES,    /* a string of min ... max bytes -> str               */
    PARAM_CHARS,    /* a string of min ... max code points -> str         */
    PARAM_NUMBER,   /* an integer of min ... max -> uint64_t              */
    PARAM_AFTER,    /* the same, 0 counts: sets the flag STORAGE_AFTER    */
    PARAM_LIMIT,    /* an integer of 1 ... max -> uint32_t                */
    PARAM_ROLE,     /* owner, admin or member -> role                     */
    PARAM_TEXT,     /* the word "text" -> nothing                         */
    PARAM_MENTIONS, /* as PARAM_USERS, but no members are meant         */
    PARAM_BOOL,     /* true or false -> uint64_t 1 or 0                 */
    PARAM_UNTIL,    /* as PARAM_NUMBER, or null -> MUTE_FOREVER         */
};

/* One parameter of a method: checked, then put into a field of the op. */
struct param {
    const char *name;
    enum param_type type;
    bool required;
    size_t field;
    uint64_t min;
    uint64_t max;
};

#define PARAM_FIELD(name) offsetof(struct storage_op, name)

/* Of every method that changes something. */
#define PARAM_CLIENT_ID                                                        \
    {                                                                          \
        "client_id", PARAM_BYTES, false, PARAM_FIELD(client_id), 1,            \
            STORAGE_ID_MAX                                                     \
    }
#define PARAM_CHANNEL                                                          \
    {                                                                          \
        "channel", PARAM_BYTES, true, PARAM_FIELD(channel), 1,                 \
            STORAGE_CHANNEL_MAX                                                \
    }

/* A row of the method table. */
struct method {
    const char *name;
    const struct param *params;
    unsigned n_params;
    enum storage_op_type op; /* 0: none */
    uint32_t limit;          /* where none is given; 0: LIMIT_PAGE */
    bool pages;              /* the answer may be large: see pages.h */

    /* May it be done?  The parameters are in op; *param names the one at
     * fault.  NULL: nothing beyond them to check. */
    enum chat_error (*check)(const struct origin *o,
                             const struct storage_op *op, const char **param);

    /* Does it.  NULL: call_submit. */
    void (*handle)(struct call *c, const struct origin *o,
                   struct storage_op *op);

    /* The storage has done it.  NULL: its json is the result. */
    void (*answer)(struct call *c, const struct storage_result *r);
};

/* Related methods; each family's header has one of these. */
struct family {
    const struct method *methods;
    unsigned n;
};

/* A row of the table; check, handle and answer follow by name. */
#define METHOD(name_, op_, params_, ...)                                       \
    {                                                                          \
        .name = name_, .op = op_, .params = params_,                           \
        .n_params = sizeof(params_) / sizeof(params_[0]), __VA_ARGS__          \
    }
#define FAMILY(methods_)                                                       \
    {                                                                          \
        .methods = methods_, .n = sizeof(methods_) / sizeof(methods_[0])       \
    }

struct call {
    struct request *request;
    const struct method *method;
    struct buf id;     /* as JSON; empty: a notification */
    struct buf answer; /* of an element of a batch       */
    struct buf note;   /* the method's own               */
};

struct request {
    TAILQ_ENTRY(request) of_link;
    struct worker *worker;
    struct session_link *link; /* NULL once it ended */
    uint64_t number;
    uint64_t handle; /* 0: HTTP */
    uint16_t replays;
    bool batch;
    bool paged; /* one of the pages a session may have on their way       */
    bool large; /* and nginx tells when its answer is written             */
    bool waits; /* for a place among them; pages.c                        */
    uint32_t n_open; /* calls not answered, plus one while being read */
    uint32_t n_calls;
    size_t answer_len;
    size_t text_len; /* of itself, over a WebSocket */
    struct resource resource;
    struct call calls[];
};

/* n calls, at least 1.  NULL: out of memory. */
struct request *call_request_create(const struct origin *o, bool batch,
                                    uint32_t n);

/* All calls were started: replies now or when the last one is answered. */
void call_request_started(struct request *r);

/* Closes a request that no request struct could be made for. */
void call_request_refuse(const struct origin *o, enum chat_error error);

/* What makes a change unique that has no client_id; its length. */
#define CALL_ID_SIZE 48
size_t call_id(const struct call *c, const struct origin *o,
               char out[CALL_ID_SIZE]);

/* Sends the op to the storage, with the user and what makes it unique. */
void call_submit(struct call *c, const struct origin *o, struct storage_op *op);

/* The same with an op that was put together before. */
void call_submit_kept(struct call *c, const struct storage_op *op);

/* The answers; the call is gone afterwards. */
void call_reply(struct call *c, struct str result);
void call_fail(struct call *c, enum chat_error error, struct str param);
void call_fail_limited(struct call *c, unsigned retry_after_s);
void call_fail_status(struct call *c, enum storage_status status);

/*
 * Of a resource: answered by the events after an inbox id, or from now on; or
 * asked again when there is one, and answered with the result when none came.
 */
void call_reply_events(struct call *c, bool after_given, uint64_t after);
void call_reply_wait(struct call *c, uint64_t after, struct str result);

/* Of a resource: answered with a token that nginx makes. */
void call_reply_token(struct call *c, const struct token_claims *t);

/* Likewise: one page of an answer, and the cursor of the next; empty: none. */
void call_reply_page(struct call *c, struct str next, struct str page);

/* What a client hears of an error. */
struct chat_error_text {
    int code;
    const char *reason;
    const char *message;
};

const struct chat_error_text *call_error_text(enum chat_error error);

/* A result at its place in the sequence of its connection. */
void call_reply_at(struct call *c, uint64_t inbox_id, struct str result);

#endif
