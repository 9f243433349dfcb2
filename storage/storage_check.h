/*
 * What the parts of `chatd check` share: storage_check.c walks the store
 * in key order, looks things up and judges names, members and markers;
 * storage_check_log.c judges messages, events and inboxes,
 * storage_check_people.c contacts, profiles, accounts and removed devices,
 * storage_check_outcome.c outcomes, storage_check_ending.c deleted users.
 *
 * Memory does not grow with the store: one channel's and one user's state at
 * a time (a user's: about 100 bytes a channel he is or was in).
 */

#ifndef STORAGE_CHECK_H
#define STORAGE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "map.h"
#include "storage_engine.h"
#include "storage_key.h"
#include "storage_record.h"

/* Every kind of defect, with the line of the summary. */
#define CHECK_DEFECTS(X)                                                       \
    X(KEY, "keys of no known kind")                                            \
    X(VALUE, "values that are damaged or absent")                              \
    X(NAME, "names and numbers that disagree")                                 \
    X(MEMBER, "memberships that disagree")                                     \
    X(GAP, "gaps in ids")                                                      \
    X(CHANNEL, "records of a channel that is not there")                       \
    X(USER, "records of a user who is not there")                              \
    X(TIME, "messages that are older than the one before")                     \
    X(JSON, "texts that disagree with their key or are cut")                   \
    X(REVISION, "revisions and messages that disagree")                        \
    X(REFERENCE, "inbox entries that refer to nothing")                        \
    X(ORDER, "inbox entries out of order or twice")                            \
    X(MISSING, "messages that an inbox lacks")                                 \
    X(BEYOND, "markers and cursors beyond the newest")                         \
    X(OUTCOME, "outcomes that refer to nothing")                               \
    X(CONTACT, "contacts whose two sides disagree")                            \
    X(INVITE, "invites to what nobody may be invited to")                      \
    X(ENDING, "deleted users of whom something is left")

enum check_defect {
#define CHECK_DEFECT(name, text) CHECK_##name,
    CHECK_DEFECTS(CHECK_DEFECT)
#undef CHECK_DEFECT
        CHECK_N_DEFECTS
};

#define CHECK_USERS   256  /* names kept at hand        */
#define CHECK_BUCKETS 4096 /* of messages of former members */

struct check_user {
    uint64_t number; /* 0: none */
    bool known;
    uint8_t flags; /* RECORD_USER_... */
    size_t len;
    char name[STORAGE_ID_MAX];
};

/*
 * Sums over the messages of users who have left the channel, minus those
 * their inboxes hold: all 0 when the two agree, whatever the order; where one
 * message is missing they are its numbers.
 */
struct check_bucket {
    int64_t count;
    uint64_t sender;
    uint64_t channel;
    uint64_t id;
    uint64_t hash;
};

struct check {
    const struct engine_ops *ops;
    struct engine *e;
    struct engine_iter *look; /* for seeks beside the walk          */
    struct key_parts at;      /* the key of the walk                */
    bool unreadable;          /* the engine failed, or memory       */
    bool sequence;            /* 'G' was seen                       */

    uint64_t defects[CHECK_N_DEFECTS];
    uint64_t keys[256]; /* by kind */

    uint64_t channel_number; /* of the channel at hand; 0: none    */
    bool channel_known;
    struct record_channel channel;
    struct buf channel_value;
    uint64_t channel_newest; /* message id */

    struct check_user users[CHECK_USERS];

    uint64_t log_number;  /* channel (M, E) or user (I) of the walk    */
    uint64_t log_next;    /* id that has to come                       */
    uint64_t log_sent_at; /* M: of the one before                      */
    enum key_kind log_kind;
    struct map runs;  /* I: the channels of this user              */
    struct buf text;  /* scratch */
    struct buf value; /* scratch */

    struct check_bucket buckets[CHECK_BUCKETS];
};

/* Prints the key of the walk and the text, up to 20 of a kind. */
void check_defect(struct check *c, enum check_defect d, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* 1 and the value in *value, which is emptied before; 0: absent or unreadable. */
int check_get(struct check *c, const struct key *k, struct buf *value);

/* The greatest second number under (kind, first), 0: none. */
uint64_t check_newest(struct check *c, enum key_kind kind, uint64_t first);

/* The channel (until the next call), with channel_newest set, or NULL. */
const struct record_channel *check_channel(struct check *c, uint64_t number);

/* The user, or NULL. */
const struct check_user *check_user(struct check *c, uint64_t number);

bool check_is_member(const struct record_channel *channel, uint64_t user);

/* The message, whose strings lie in c->value; 0 also when it is damaged. */
int check_get_message(struct check *c, uint64_t channel, uint64_t id,
                      struct record_message *m);

/* Braces, brackets and strings of a text that begins at this depth inside
 * objects: they match, and the last byte closes the outermost. */
bool check_json(struct str json, unsigned depth);

/* The text is one of that message: of the sender, of that time, whole. */
void check_message_json(struct check *c, struct str json,
                        const struct record_message *m, uint64_t id);

/* storage_check_revision.c: what edits and deletions leave. */
void check_changed_message(struct check *c, const struct record_message *m);
void check_revision(struct check *c, struct str value);
void check_erased(struct check *c, struct str value);
void check_inbox_revision(struct check *c, const struct record_inbox *i);
void check_outcome_message(struct check *c, const struct record_outcome *o);

/* storage_check_people.c: the same. */
void check_contact(struct check *c, struct str value);
void check_removal(struct check *c, struct str value);
void check_profile(struct check *c, struct str value);
void check_account(struct check *c, struct str value);
void check_ended(struct check *c, struct str value);
void check_search(struct check *c, struct str value);
void check_activity(struct check *c, struct str value);
void check_indexed(struct check *c, struct str value);
void check_invite(struct check *c, struct str value);

/* storage_check_outcome.c: of a client_id, of a request. */
void check_client(struct check *c, struct str value);
void check_request(struct check *c, struct str value);

/* storage_check_ending.c: of the deleted user at hand nothing is left. */
void check_ending(struct check *c, struct str value);
void check_deleted_user(struct check *c);

/* storage_check_log.c: the records of the walk, and the end of it. */
void check_message(struct check *c, struct str value);
void check_event(struct check *c, struct str value);
void check_inbox(struct check *c, struct str value);
void check_inbox_end(struct check *c);
void check_buckets(struct check *c);

#endif
