/*
 * The values of the embedded store: each begins with a format version (u8),
 * numbers are big-endian, and what has no length of its own is the rest.
 * docs/storage.md draws them byte by byte.
 *
 * record_put_* append to a buffer with sticky failure.  record_get_* read a
 * whole value and never trust it: 0, or -1 when a version, a length, a number
 * or a byte is not one that record_put_* could have written.  Strings of what
 * was read point into the value.
 */

#ifndef STORAGE_RECORD_H
#define STORAGE_RECORD_H

#include <stdint.h>

#include "buf.h"
#include "storage.h"
#include "str.h"

/* The first byte of every value; of some kinds there is a second layout. */
#define RECORD_VERSION   1
#define RECORD_VERSION_2 2

#define RECORD_NAME_MAX (STORAGE_NAME_CHARS * 4) /* bytes of a channel name */

#define RECORD_STATUS_MAX (STORAGE_STATUS_CHARS * 4)

#define RECORD_DEVICE_NAME_MAX (STORAGE_DEVICE_CHARS * 4)

/* On disk: do not renumber. */
enum record_channel_kind {
    RECORD_DIRECT = 1,
    RECORD_GROUP = 2,
};

/* Flags of a user.  On disk: do not renumber. */
#define RECORD_USER_CONNECTED 0x01 /* has connected; else only mentioned */
#define RECORD_USER_DISABLED  0x02 /* by an administrator                */
#define RECORD_USER_DELETED   0x04 /* by himself, for good               */
#define RECORD_USER_FLAGS     0x07

struct record_user {
    uint8_t flags;
    uint64_t created_at; /* ms since the epoch */
    struct str name;
};

struct record_member {
    uint64_t user;
    uint8_t role; /* enum storage_role */
};

/* A channel with all its members left has none and stays. */
struct record_channel {
    enum record_channel_kind kind;
    uint64_t created_at;
    struct str id;
    struct str name;   /* empty: none */
    struct str avatar; /* empty: none */
    bool wrote_known;  /* direct: version 2, with wrote               */
    uint8_t wrote;     /* bit N: the member in place N has written    */
    uint32_t n_members;
    struct record_member members[STORAGE_MEMBERS_MAX]; /* in joining order */
};

/*
 * A message as it is now.  One that was never changed has version 1 and
 * nothing but sender, sent_at and json; any other has version 2.
 */
struct record_message {
    uint64_t sender;
    uint64_t sent_at;
    uint32_t rev;         /* how often it was edited                     */
    bool deleted;         /* json says so, too                           */
    struct str reactions; /* taken apart by record_next_reaction()       */
    struct str json;      /* the whole object without reactions, {...}   */
};

struct record_reaction {
    struct str emoji;
    uint32_t n_users; /* at least 1 */
    struct str users[STORAGE_MEMBERS_MAX];
};

/* What users say of themselves; empty: nothing. */
struct record_profile {
    struct str display_name;
    struct str avatar;
    struct str status;
};

/* On disk, also as the id of an inbox entry: do not renumber. */
enum record_contact_state {
    RECORD_CONTACT_NONE = 0,
    RECORD_CONTACT_FRIEND = 1,
    RECORD_CONTACT_REQUESTED = 2, /* by the user */
    RECORD_CONTACT_INCOMING = 3,  /* by the other */
    RECORD_CONTACT_BLOCKED = 4,   /* in inbox entries only */
    RECORD_CONTACT_REMOVED = 5,   /* in inbox entries only: NONE */
};

/* Flags of a contact.  On disk: do not renumber. */
#define RECORD_CONTACT_BLOCKS 0x01 /* the user blocks the other */

/* One that is NONE and blocks nobody has no record. */
struct record_contact {
    uint8_t state; /* enum record_contact_state, up to INCOMING */
    uint8_t flags;
};

/*
 * What an inbox entry refers to.  For CONTACT_UPDATED channel is the number
 * of the other user and id the state he is shown in.
 */
struct record_inbox {
    enum storage_event_method method; /* one that has an inbox id         */
    uint64_t channel;
    uint64_t id;  /* message_id, or the event's for CHANNEL_UPDATED       */
    uint32_t rev; /* revision of the message, 0: the first                */
};

/*
 * hidden: 0, or the channel's newest message id + 1 at the time it was
 * hidden; the channel is hidden while that is still so.
 */
struct record_markers {
    uint64_t read;
    uint64_t delivered;
    uint64_t hidden;
    uint64_t muted; /* until when, 0: not; then it is not written */
};

struct record_account {
    uint64_t created_at; /* ms since the epoch                               */
    uint64_t epoch;      /* from 1; logins of a lower one have ended, except */
    struct str kept;     /* this jti; empty: none                            */
    struct str secret;   /* what the password is kept as                     */
};

struct record_device {
    uint64_t inbox_id; /* acknowledged up to here */
    uint64_t at;       /* ms since the epoch      */
    struct str name;   /* empty: none; then it is not written */
};

/* A link to a group. */
struct record_invite {
    struct str creator; /* user id                                   */
    uint64_t created_at;
    uint64_t expires_at; /* 0: never                                 */
    uint32_t max_uses;   /* 0: any number                            */
    uint32_t uses;       /* how many have joined by it               */
    bool revoked;
};

/* What is to be done about a deleted user.  On disk: do not renumber. */
enum record_ending_phase {
    RECORD_ENDING_DEVICES = 1,  /* and presence                          */
    RECORD_ENDING_CONTACTS = 2, /* both sides                            */
    RECORD_ENDING_GROUPS = 3,   /* he leaves them                        */
    RECORD_ENDING_MESSAGES = 4, /* those he sent are deleted             */
    RECORD_ENDING_LAST = 5,     /* devices and presence that came late   */
};

#define RECORD_ENDING_ERASE 0x01 /* his messages too */

struct record_ending {
    uint8_t flags;
    uint8_t phase;   /* enum record_ending_phase                        */
    uint64_t at;     /* when he was deleted                             */
    uint64_t cursor; /* GROUPS: channel, MESSAGES: inbox id; done so far */
    uint64_t upto;   /* his newest inbox id then                        */
};

/* On disk: do not renumber. */
enum record_outcome_kind {
    RECORD_OUTCOME_EMPTY = 0,   /* done, the result is {}           */
    RECORD_OUTCOME_SEND = 1,    /* a message, named below           */
    RECORD_OUTCOME_JSON = 2,    /* the finished JSON of the result  */
    RECORD_OUTCOME_MESSAGE = 3, /* {message}, as it is then         */
};

struct record_outcome {
    enum record_outcome_kind kind;
    uint64_t channel;    /* SEND: these four; MESSAGE: these two, */
    uint64_t message_id; /* and rev, 0: the newest                */
    uint64_t inbox_id;   /* the sender's */
    uint64_t sent_at;
    struct str json; /* JSON */
    uint32_t rev;
};

/* 'F', 'T' */
void record_put_u32(struct buf *b, uint32_t v);
int record_get_u32(struct str value, uint32_t *v);

/* 'G', 'U', 'C', 'W', 'A', 'O', 'J' */
void record_put_u64(struct buf *b, uint64_t v);
int record_get_u64(struct str value, uint64_t *v);

void record_put_user(struct buf *b, const struct record_user *u);
int record_get_user(struct str value, struct record_user *u);

/* Puts fail the buffer where a string or n_members is beyond its bound. */
void record_put_channel(struct buf *b, const struct record_channel *c);
int record_get_channel(struct str value, struct record_channel *c);

/* json is put behind by the caller, in as many pieces as it likes. */
void record_put_message_head(struct buf *b, uint64_t sender, uint64_t sent_at);
int record_get_message(struct str value, struct record_message *m);
void record_put_message(struct buf *b, const struct record_message *m);

/* The first of *rest, which moves behind it.  1; 0: there is none; -1. */
int record_next_reaction(struct str *rest, struct record_reaction *r);
void record_put_reaction(struct buf *b, const struct record_reaction *r);

/*
 * The first part of every message's JSON, up to the comma behind sent_at:
 * `{"channel":"C","message_id":1,"sender":"S","sent_at":2,`.
 */
void record_put_message_json(struct buf *b, struct str channel,
                             uint64_t message_id, struct str sender,
                             uint64_t sent_at);

/*
 * tail: the notification behind its inbox id, `,"channel":{...}}}`; for one
 * who is out it ends `},"removed":true}}`.  storage_check() relies on both.
 */
void record_put_event(struct buf *b, struct str tail);
int record_get_event(struct str value, struct str *tail);

/* 'R': the JSON of a message as an event told it */
void record_put_revision(struct buf *b, struct str json);
int record_get_revision(struct str value, struct str *json);

/*
 * 'I': the entries that one commit gave a user, the last of which has the id
 * that the key names.  Puts one behind those in b, gets the one at index (from
 * 0); the count is 0 for what is no run of entries.
 */
#define RECORD_INBOX_MAX 512 /* entries of a run */
void record_put_inbox(struct buf *b, const struct record_inbox *i);
int record_get_inbox(struct str value, uint32_t index, struct record_inbox *i);
uint32_t record_count_inbox(struct str value);

/* The ids that a run has; -1 when key and value are not one of this user's. */
struct record_inbox_run {
    uint64_t first, last;
};

int record_get_inbox_run(struct str key, struct str value, uint64_t user,
                         struct record_inbox_run *run);

/* 'L', 'S': only the version */
void record_put_membership(struct buf *b);
int record_get_membership(struct str value);

void record_put_markers(struct buf *b, const struct record_markers *m);
int record_get_markers(struct str value, struct record_markers *m);

void record_put_device(struct buf *b, const struct record_device *d);
int record_get_device(struct str value, struct record_device *d);

void record_put_profile(struct buf *b, const struct record_profile *p);
int record_get_profile(struct str value, struct record_profile *p);

void record_put_contact(struct buf *b, const struct record_contact *c);
int record_get_contact(struct str value, struct record_contact *c);

/* storage_record_invite.c */
void record_put_invite(struct buf *b, const struct record_invite *i);
int record_get_invite(struct str value, struct record_invite *i);

/* storage_record_account.c */
void record_put_account(struct buf *b, const struct record_account *a);
int record_get_account(struct str value, struct record_account *a);
void record_put_ending(struct buf *b, const struct record_ending *e);
int record_get_ending(struct str value, struct record_ending *e);

/* storage_record_outcome.c */
void record_put_outcome(struct buf *b, const struct record_outcome *o);
int record_get_outcome(struct str value, struct record_outcome *o);

/*
 * 'D': client_ids of a user with what they did, those of one commit.  Puts one
 * behind those in b.
 */
void record_put_client(struct buf *b, struct str client_id,
                       const struct record_outcome *o);

/*
 * The next client_id of a record, and the value of its outcome: 1, 0 when
 * there is none left, -1 when the record is damaged.  Begin with what is
 * behind the user in the key, the value, and 0.
 */
struct record_clients {
    struct str name; /* in a store of format 1: the only client_id */
    struct str value;
    size_t at;
};

int record_next_client(struct record_clients *c, struct str *client_id,
                       struct str *outcome);

#endif
