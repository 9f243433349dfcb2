/*
 * What chat asks of its storage, in the terms of chat, asynchronously, the
 * same for every back end: a worker uses it through the stub that talks to
 * the store role, the store role through the embedded engine.
 *
 * One operation is one struct storage_op; its answer is one struct
 * storage_result.  Every precondition on stored state is decided here, in
 * sequence.  All callbacks run in the thread and loop of the opener, never
 * before storage_submit returned, and in commit order: the result of an
 * operation that changes something comes once it is durable, and before the
 * events it makes.
 */

#ifndef STORAGE_H
#define STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct uv_loop_s;
struct storage;

/* Bounds that hold for every back end. */
#define STORAGE_ID_MAX        64 /* bytes of a user, device, client id */
#define STORAGE_CHANNEL_MAX   160
#define STORAGE_NAME_CHARS    200 /* code points of a channel's name    */
#define STORAGE_AVATAR_MAX    1024
#define STORAGE_MEMBERS_MAX   100
#define STORAGE_PAGE_BYTES    (1u << 20) /* a page ends past this        */
#define STORAGE_HISTORY_LIMIT 200
#define STORAGE_INBOX_LIMIT   1000
#define STORAGE_LIST_LIMIT    200
#define STORAGE_CONTACTS_MAX  20000 /* of one user, those blocked included */
#define STORAGE_STATUS_CHARS  200   /* code points of a profile's status   */
#define STORAGE_QUERY_CHARS   64    /* code points of a search for users   */
#define STORAGE_SEARCH_LIMIT  100
#define STORAGE_USERS_LIMIT   1000 /* users named by one operation, listed */
#define STORAGE_MAX_ID        ((1ull << 53) - 1)
#define STORAGE_EMOJI_MAX     32    /* bytes of a reaction             */
#define STORAGE_REACTIONS_MAX 20    /* different ones of a message     */
#define STORAGE_REVISIONS_MAX 10000 /* edits of a message              */
#define STORAGE_CACHE_BYTES   (128ull << 20)
#define STORAGE_MUTE_FOREVER  UINT64_MAX
#define STORAGE_DEVICE_CHARS  64      /* code points of a device's name  */
#define STORAGE_INVITE_LEN    48      /* bytes of an invite: hex digits  */
#define STORAGE_INVITES_MAX   50      /* that are good, of a group       */
#define STORAGE_INVITE_USES   1000000 /* times that one may be used      */
#define STORAGE_JTI_MAX       128     /* bytes of the jti of a token         */
#define STORAGE_SECRET_MAX    512     /* bytes of what a password is kept as */

/*
 * Every operation: NAME, number, whether it changes something (and then is
 * done once per client_id or request_id).  On sockets: do not renumber.
 *
 * Fields used, beside user, which every operation has:
 *   SUBSCRIBE       flags CONNECT; number: the user number if known, else 0;
 *                   -> number, inbox_id (newest).  From this point on the
 *                   user's events come.  CONNECT notes durably that the user
 *                   has connected, creating him if need be; without it an
 *                   unknown user is STORAGE_NO_USER.
 *   UNSUBSCRIBE     number.  No more events.
 *   SEND            channel or to; client_id; text: the JSON of the message
 *                   behind sent_at, which is `"client_id":"..."` up to its
 *                   closing `}`; message_id: the one it replies to, which
 *                   has to exist, or 0; flags REFUSE_UNKNOWN
 *                   -> json {channel, message_id, inbox_id, sent_at}, inbox_id
 *   GET_MESSAGE     channel, message_id -> json {message}
 *   HISTORY         channel, at most one of before, after, around (flag
 *                   AFTER tells an `after` of 0), limit
 *                   -> json {messages, more}
 *   READ_INBOX      after, limit, bytes; number: 1 when many follow, whose
 *                   reading is to leave room for others
 *                   -> entries, inbox_id (newest), more; STORAGE_AHEAD when
 *                   after is beyond the newest
 *   ACK             device, inbox_id -> json {}
 *   CREATE_CHANNEL  name, avatar, users -> json {channel: {...}}
 *   GET_CHANNEL     channel -> json {channel: {...}} with markers
 *   LIST_CHANNELS   cursor, limit; number: 1 for those that are hidden, 0 for
 *                   the others -> json {channels, more, next}
 *   ADD_MEMBERS     channel, users; flags REFUSE_UNKNOWN
 *   REMOVE_MEMBERS  channel, users
 *   LEAVE           channel
 *   UPDATE_CHANNEL  channel, name and avatar where .data is not NULL
 *   SET_ROLE        channel, to, role
 *   HIDE_CHANNEL    channel
 *                   -> these six: json {channel: {...}}
 *   READ_CHANNEL    channel, message_id -> json {}
 *   EDIT_MESSAGE    channel, message_id; text: the new text as a JSON string
 *   DELETE_MESSAGE  channel, message_id
 *   REACT           channel, message_id, name: the emoji; number: 1 takes the
 *                   reaction back, 0 gives it
 *                   -> these three: json {message}
 *   TYPING          channel -> json {}; a live event for the other members,
 *                   at most one every two seconds
 *   MUTE_CHANNEL    channel; number: until when in ms, 0: not, or
 *                   STORAGE_MUTE_FOREVER -> json {channel: {...}}
 *   LIST_CONTACTS   cursor, limit -> json {contacts, more, next}
 *   REQUEST_CONTACT, ACCEPT_CONTACT, DECLINE_CONTACT, REMOVE_CONTACT,
 *   BLOCK_CONTACT, UNBLOCK_CONTACT
 *                   to; flags REFUSE_UNKNOWN (REQUEST, BLOCK)
 *                   -> json {contact: {user, state}}
 *   GET_USER        to -> json {user: {...}}
 *   UPDATE_USER     name, avatar, text (the status) where .data is not NULL
 *                   -> json {user: {...}}
 *   SEARCH_USERS    text: a prefix of ids and names, limit -> json {users}
 *   LIST_DEVICES    device: the caller's -> json {devices}
 *   REMOVE_DEVICE   to: the device -> json {}.  Tokens of it that were issued
 *                   before, or in this second, are ended.
 *   NAME_DEVICE     to: the device, name; device: the caller's
 *                   -> json {device: {...}}
 *   TOUCH           device, number: when its token was issued, in s, 0: not
 *                   known; STORAGE_TOKEN_ENDED when that is too early.
 *                   cursor: the jti of the token, or empty; TOKEN_ENDED when
 *                   its login was ended.  Else the user has connected, and he
 *                   and the device are noted to be active; with the flag KNOWN
 *                   only a device that is noted already.
 *   SIGN_UP         text: the secret; name: the display name, or empty.
 *                   STORAGE_TAKEN when the user has an account, has ever
 *                   connected or is disabled, or when there is one whose id
 *                   differs in case only -> json {}
 *   GET_ACCOUNT     device -> json: the secret as it was given, number: the
 *                   account's epoch, inbox_id: the least time, in s, a token of
 *                   the device may say it was issued, more: it is disabled;
 *                   STORAGE_NO_ACCOUNT.  With a request_id that a change was
 *                   made with: the answer is `duplicate`.
 *   SET_PASSWORD    text: the secret; number: the epoch it was decided on, else
 *                   STORAGE_TOKEN_ENDED; cursor: the jti that stays good.  All
 *                   other logins of the user are ended.
 *   REHASH          text: another secret of the same password; number: the
 *                   epoch.  Nothing is ended; not done when the epoch is
 *                   another.
 *   END_LOGIN       cursor: the jti; number: in s, when the last token with it
 *                   ends of itself
 *                   -> these three: json {}
 *   PRESENCE_GET, PRESENCE_WATCH, PRESENCE_UNWATCH
 *                   users -> json {users}.  From WATCH on the user is sent
 *                   presence events of those he may see.
 *   PRESENCE_START  no user; limit: the presence timeout, in s.  The first one
 *                   brings back who was online at the end of the last run.
 *   CREATE_INVITE   channel; before: when it ends, 0: never; number: how many
 *                   may join by it, 0: any number -> json {invite: {...}}
 *   LIST_INVITES    channel -> json {invites}: those that are good
 *   REVOKE_INVITE   channel; text: the invite -> json {}
 *   GET_INVITE      text: the invite -> json {invite: {invite, name, avatar,
 *                   members}}, members being their number
 *   JOIN_INVITE     text: the invite -> json {channel: {...}}
 *   DELETE_ACCOUNT  flags ERASE; number: the epoch it was decided on, else
 *                   STORAGE_TOKEN_ENDED -> json {}.  The user is barred for good and
 *                   told so (USER_ENDED); what is his goes in the background,
 *                   with ERASE his messages too.
 *   EXPORT          number and after: where the page before ended, 0 and 0 at
 *                   first -> json: lines of JSON; more, and then number and
 *                   inbox_id for the next
 *   LIST_USERS      no user; number: of the last one before; limit
 *                   -> json {users, more, next}
 *   SHOW_USER       to -> json {user: {...}}, all that is known of him
 *   BAR_USER        to; number: 1 disables, 0 enables -> json {user: {...}}
 *   RESET_PASSWORD  to; text: the secret.  All logins of the user are ended.
 *                   -> json {user: {...}}
 *   LEFT            no user; text: user numbers, 8 bytes each, big-endian.
 *                   They are not subscribed any more: their worker is gone.
 *   ELSEWHERE       limit: 1 when the user is now online at another machine,
 *                   0 when he is at none any more; after: last active, in ms.
 *                   Who may see him is told, unless he is online here.
 */
#define STORAGE_OPS(X)                                                         \
    X(SUBSCRIBE, 1, false)                                                     \
    X(UNSUBSCRIBE, 2, false)                                                   \
    X(SEND, 3, true)                                                           \
    X(GET_MESSAGE, 4, false)                                                   \
    X(HISTORY, 5, false)                                                       \
    X(READ_INBOX, 6, false)                                                    \
    X(ACK, 7, true)                                                            \
    X(CREATE_CHANNEL, 8, true)                                                 \
    X(GET_CHANNEL, 9, false)                                                   \
    X(LIST_CHANNELS, 10, false)                                                \
    X(ADD_MEMBERS, 11, true)                                                   \
    X(REMOVE_MEMBERS, 12, true)                                                \
    X(LEAVE, 13, true)                                                         \
    X(UPDATE_CHANNEL, 14, true)                                                \
    X(SET_ROLE, 15, true)                                                      \
    X(HIDE_CHANNEL, 16, true)                                                  \
    X(READ_CHANNEL, 17, true)                                                  \
    X(EDIT_MESSAGE, 20, true)                                                  \
    X(DELETE_MESSAGE, 21, true)                                                \
    X(REACT, 22, true)                                                         \
    X(TYPING, 23, false)                                                       \
    X(MUTE_CHANNEL, 24, true)                                                  \
    X(LIST_CONTACTS, 30, false)                                                \
    X(REQUEST_CONTACT, 31, true)                                               \
    X(ACCEPT_CONTACT, 32, true)                                                \
    X(DECLINE_CONTACT, 33, true)                                               \
    X(REMOVE_CONTACT, 34, true)                                                \
    X(BLOCK_CONTACT, 35, true)                                                 \
    X(UNBLOCK_CONTACT, 36, true)                                               \
    X(GET_USER, 37, false)                                                     \
    X(UPDATE_USER, 38, true)                                                   \
    X(SEARCH_USERS, 39, false)                                                 \
    X(LIST_DEVICES, 40, false)                                                 \
    X(REMOVE_DEVICE, 41, true)                                                 \
    X(TOUCH, 42, false)                                                        \
    X(PRESENCE_GET, 43, false)                                                 \
    X(PRESENCE_WATCH, 44, false)                                               \
    X(PRESENCE_UNWATCH, 45, false)                                             \
    X(PRESENCE_START, 46, false)                                               \
    X(LEFT, 47, false)                                                         \
    X(ELSEWHERE, 70, false)                                                    \
    X(CREATE_INVITE, 75, true)                                                 \
    X(LIST_INVITES, 76, false)                                                 \
    X(REVOKE_INVITE, 77, true)                                                 \
    X(GET_INVITE, 78, false)                                                   \
    X(JOIN_INVITE, 79, true)                                                   \
    X(NAME_DEVICE, 80, true)                                                   \
    X(SIGN_UP, 50, true)                                                       \
    X(GET_ACCOUNT, 51, false)                                                  \
    X(SET_PASSWORD, 52, true)                                                  \
    X(REHASH, 53, true)                                                        \
    X(END_LOGIN, 54, true)                                                     \
    X(DELETE_ACCOUNT, 60, true)                                                \
    X(EXPORT, 61, false)                                                       \
    X(LIST_USERS, 62, false)                                                   \
    X(SHOW_USER, 63, false)                                                    \
    X(BAR_USER, 64, true)                                                      \
    X(RESET_PASSWORD, 65, true)

enum storage_op_type {
#define STORAGE_OP_TYPE(name, number, changes) STORAGE_##name = number,
    STORAGE_OPS(STORAGE_OP_TYPE)
#undef STORAGE_OP_TYPE
};

/* Flags of an operation.  On sockets: do not renumber. */
#define STORAGE_CONNECT        0x01
#define STORAGE_REFUSE_UNKNOWN 0x02 /* users that never connected are unknown */
#define STORAGE_AFTER          0x04
#define STORAGE_REPLAYED                                                       \
    0x08 /* may have been done before: the client's
                                       answer stands outside the sequence   */

#define STORAGE_KNOWN 0x40 /* TOUCH: makes no new device */
#define STORAGE_ERASE 0x80 /* DELETE_ACCOUNT: his messages go too */

enum storage_role { /* stored: do not renumber */
                    STORAGE_MEMBER = 0,
                    STORAGE_ADMIN = 1,
                    STORAGE_OWNER = 2,
};

struct storage_op {
    enum storage_op_type type;
    uint8_t flags;
    uint8_t role; /* enum storage_role */
    struct str user;
    struct str device;
    struct str client_id;  /* empty: none                                    */
    struct str request_id; /* where client_id is empty and something changes:
                              unique per request, at most STORAGE_ID_MAX
                              bytes; its outcome is kept for 10 minutes      */
    struct str channel;
    struct str to;
    struct str name;
    struct str avatar;
    struct str text;
    struct str cursor;
    const struct str *users;
    uint32_t n_users;
    uint32_t limit;
    uint32_t bytes; /* READ_INBOX: end the page past this; 0: PAGE_BYTES     */
    uint64_t before, after, around;
    uint64_t message_id;
    uint64_t inbox_id;
    uint64_t number;
};

/* On sockets: do not renumber.  method.c has the texts and JSON-RPC codes. */
enum storage_status {
    STORAGE_OK = 0,
    STORAGE_UNAVAILABLE = 1, /* 503; unknown whether it was stored       */
    STORAGE_NO_USER = 2,     /* 404 user_not_found                        */
    STORAGE_NO_CHANNEL = 3,  /* 404 channel_not_found: also a non-member */
    STORAGE_NO_MESSAGE = 4,  /* 404 message_not_found                     */
    STORAGE_FORBIDDEN = 5,   /* 403 not_allowed: the role does not suffice */
    STORAGE_NOT_GROUP = 6,   /* 403 not_a_group: a direct channel         */
    STORAGE_GROUP_FULL = 7,  /* 409 group_full                            */
    STORAGE_AHEAD = 8,       /* 409 cursor_ahead                          */
    STORAGE_BEYOND = 9,      /* -32602 beyond_newest                      */
    STORAGE_NOT_MEMBER = 10, /* 404 member_not_found: the other one       */
    STORAGE_BAD_CURSOR = 11, /* -32602 bad_cursor                         */
    STORAGE_EXHAUSTED = 12,  /* 503: out of memory                        */
    STORAGE_DELETED = 20,    /* 410 message_deleted                       */
    STORAGE_REACTIONS_FULL = 21, /* 409 too_many_reactions                */
    STORAGE_REVISIONS_FULL = 22, /* 409 too_many_edits                    */
    STORAGE_BLOCKED = 30,        /* 403 blocked: by the other one             */
    STORAGE_NO_CONTACT = 31,     /* 404 contact_not_found                     */
    STORAGE_CONTACTS_FULL = 32,  /* 409 contacts_full                      */
    STORAGE_BLOCKING = 33,       /* 409 contact_blocked: by oneself        */
    STORAGE_NO_DEVICE = 34,      /* 404 device_not_found                   */
    STORAGE_TOKEN_ENDED = 35,    /* 401 token_ended                        */
    STORAGE_TAKEN = 40,          /* 409 user_taken                         */
    STORAGE_NO_ACCOUNT = 41,     /* 403 no_account                         */
    STORAGE_DISABLED = 42,       /* 403 account_disabled                   */
    STORAGE_USER_DELETED = 45,   /* 401 user_deleted: the caller himself   */
    STORAGE_NO_INVITE = 52,      /* 404 invite_not_found                   */
    STORAGE_INVITE_EXPIRED = 53, /* 410 invite_expired                     */
    STORAGE_INVITE_REVOKED = 54, /* 410 invite_revoked                     */
    STORAGE_INVITE_USED_UP = 55, /* 410 invite_used_up                     */
    STORAGE_INVITES_FULL = 56,   /* 409 too_many_invites                   */
};

#define STORAGE_STATUS_LAST 63

/* The notification an event is.  On sockets and disk: do not renumber. */
enum storage_event_method {
    STORAGE_EVENT_MESSAGE_NEW = 1,
    STORAGE_EVENT_MESSAGE_EDITED = 2,
    STORAGE_EVENT_MESSAGE_DELETED = 3,
    STORAGE_EVENT_MESSAGE_REACTED = 4,
    STORAGE_EVENT_CHANNEL_UPDATED = 5,
    STORAGE_EVENT_CONTACT_UPDATED = 6,
    STORAGE_EVENT_RECEIPT = 7,  /* live only */
    STORAGE_EVENT_TYPING = 8,   /* live only */
    STORAGE_EVENT_PRESENCE = 9, /* live only */

    /* No notification: the user is barred, his sessions are to end.  Its tail
     * is the reason. */
    STORAGE_EVENT_USER_ENDED = 15,

    /* live only, for workers: tokens of the user have ended, his sessions are
     * to be looked at */
    STORAGE_EVENT_TOKENS = 20
};

/*
 * An inbox entry of a READ_INBOX.  tail is the notification's text behind the
 * inbox id: `,"message":{...}}}`; event_head() of the same method stands
 * before the id.
 */
struct storage_entry {
    uint64_t inbox_id;
    enum storage_event_method method;
    struct str tail;
};

/* Lives until the callback returns. */
struct storage_result {
    enum storage_status status;
    bool duplicate; /* done before; json is the first outcome               */
    bool more;
    struct str json;   /* the finished value of `result`, {...}             */
    uint64_t inbox_id; /* SEND: the sender's; SUBSCRIBE, READ_INBOX: newest */
    uint64_t number;   /* SUBSCRIBE: the user number                        */
    const struct storage_entry *entries;
    uint32_t n_entries;
};

typedef void storage_done(const struct storage_result *r, void *data);

struct storage_target {
    uint64_t number;   /* of the user                     */
    uint64_t inbox_id; /* 0: live only, kept nowhere      */
};

/*
 * One change of the log, for all its recipients, in commit order.  sequence
 * is the global number of the batch it came with, never 0 and never
 * decreasing.  tail as in struct storage_entry; for live-only events it is
 * the text behind `"params":{`.  Lives until the callback returns.
 */
struct storage_event {
    uint64_t sequence;
    enum storage_event_method method;
    struct str tail;
    const struct storage_target *targets;
    uint32_t n_targets;
};

struct storage_handlers {
    void (*event)(const struct storage_event *e, void *data);

    /*
     * `reset`, stub only: the store was reborn; sessions must subscribe
     * again before anything else (submitted inside the callback, these go
     * ahead of the ops that are replayed).  `lost`: events were dropped, or
     * the engine was opened again after a failed write; every session has to
     * look at its inbox.
     */
    void (*reset)(void *data);
    void (*lost)(void *data);

    /*
     * Embedded only, both or neither, where there are other machines.
     * `present`: a user is now online at this one, or is no longer; at start
     * also each who still was.  `elsewhere` is asked: is he online at another
     * one?
     */
    void (*present)(uint64_t number, struct str user, bool online, uint64_t at,
                    void *data);
    bool (*elsewhere)(struct str user, void *data);
    void *data_presence; /* of these two */
    void *data;
};

/* Figures for STATS; see CHAT_WIRE_COUNTERS for what they mean. */
struct storage_stats {
    uint64_t commits, commit_messages, commit_failures, commit_stall_us;
    uint64_t reopens, waiting;
    uint64_t cache_bytes, cache_misses; /* of channels and users */

    /* of the store role, by way of the stub; 0 elsewhere */
    uint64_t starts, lost, queue_bytes;
    uint64_t redis, redis_up, redis_connects, redis_failures, redis_lag_us;
    uint64_t redis_users;
};

/*
 * Opens a storage by its address: "memory:", "leveldb:PATH",
 * "remote:INDEX:SOCKET" (INDEX of the worker).  The handlers are copied.
 * Returns NULL with a text that says what to do in *error (static or owned by
 * the storage module until the next call) when the address or the store is
 * unusable: locked, read-only, corrupt, of a newer format.  A remote store that is not there yet is no
 * error.
 */
struct storage *storage_open(struct uv_loop_s *loop, const char *address,
                             const struct storage_handlers *handlers,
                             const char **error);

/*
 * Everything the op points to is copied before return; done is called exactly
 * once, later, also on failure and at close (STORAGE_UNAVAILABLE).
 */
void storage_submit(struct storage *s, const struct storage_op *op,
                    storage_done *done, void *data);

/* Stops taking operations; commits what is sequenced; then calls closed. */
void storage_close(struct storage *s, void (*closed)(void *data), void *data);

void storage_stats(const struct storage *s, struct storage_stats *out);

/* The last committed global sequence number. */
uint64_t storage_sequence(const struct storage *s);

/*
 * Embedded only: how many bytes of channels and users that nothing is asked
 * of are kept in memory (STORAGE_CACHE_BYTES before the first call).
 */
void storage_set_cache(struct storage *s, uint64_t bytes);

/* Embedded only: is the user of that number online at this machine? */
bool storage_online(struct storage *s, uint64_t number);

/* Can these bytes be the id of a user or a device? */
bool storage_is_id(struct str s);

/* The text of a notification before its inbox id (or before the tail, for
 * live-only ones): `{"jsonrpc":"2.0","method":"M","params":{"inbox_id":`. */
struct str storage_event_head(enum storage_event_method method);

/* The same in an inbox.sync answer: `{"method":"M","params":{"inbox_id":`. */
struct str storage_event_sync_head(enum storage_event_method method);

/* The name of an operation for logs, and whether it changes something. */
const char *storage_op_name(enum storage_op_type type);
bool storage_op_changes(enum storage_op_type type);

/*
 * `chatd check DIR`: verifies a store that no process has open: gapless
 * message and inbox ids, inbox references, index entries, formats.  Prints
 * what it found to stdout; returns 0 when the store is sound, 1 when not,
 * 2 when it could not be read.
 */
int storage_check(const char *path);

#endif
