/*
 * Users and channels in memory: what has been sequenced, also what is not yet
 * on disk.  They are loaded by reader threads when first asked for, dropped
 * when memory is needed and nothing refers to them, and all at once after a
 * failed write.  A channel in memory holds its members in memory.
 */

#ifndef STORAGE_STATE_H
#define STORAGE_STATE_H

#include "storage_embedded.h"

/* Devices whose cursors a user keeps; the one longest silent makes room. */
#define STATE_DEVICES_MAX 64

/* Removed devices whose time is kept; likewise. */
#define STATE_REMOVALS_MAX 256

/* Ended logins that are kept. */
#define STATE_ENDINGS_MAX 2048

/*
 * Inbox entries below the newest cursor that the first acknowledgement after
 * a user was loaded looks at again: a crash may have kept the cursor, but not
 * yet the markers of the channels that it covers.
 */
#define STATE_ACKED_AGAIN 256

enum object_state {
    OBJECT_LOADING,
    OBJECT_READY,
    OBJECT_ABSENT, /* there is none; a number is given when it is made */
    OBJECT_FAILED, /* it could not be read                             */
};

struct device {
    uint64_t inbox_id;
    uint64_t at;
    uint64_t put_at; /* the newest commit that has its record */
    struct str name; /* on the heap; empty: none              */
    bool dirty;
    uint8_t id_len;
    char id[STORAGE_ID_MAX];
};

/* What a user has with another; sorted by the other's number. */
struct contact {
    uint64_t user;
    uint8_t state; /* enum record_contact_state, up to INCOMING */
    uint8_t flags;
};

struct removal {
    uint64_t at;
    bool dirty; /* a cursor of it may still be on its way to the disk */
    uint8_t id_len;
    char id[STORAGE_ID_MAX];
};

/* A login that was ended. */
struct ending {
    uint64_t until; /* s since the epoch: its tokens have ended of themselves */
    uint8_t jti_len;
    char jti[STORAGE_JTI_MAX];
};

struct user {
    struct map_entry by_name, by_number;
    struct lru lru; /* in it while refs is 0 */
    struct request_queue waiters;
    struct user *dirty_next, *writing_next;
    struct gathered *gathered; /* of the commit being collected, or NULL */
    uint64_t number;
    uint64_t newest;    /* inbox id, sequenced  */
    uint64_t published; /* inbox id, told       */
    uint64_t acked;     /* by any of the devices, markers are up to here */
    uint64_t created_at;
    uint64_t active_at; /* as far as it is known here */
    struct device *devices;
    struct removal *removals;
    struct str profile; /* the record, on the heap; empty: none */
    struct str account; /* likewise                             */
    struct ending *endings;
    struct contact *contacts;
    uint32_t n_contacts, contacts_cap;
    uint32_t refs;
    uint16_t n_devices, devices_cap;
    uint16_t n_removals, removals_cap;
    uint16_t n_endings, endings_cap;
    uint8_t state; /* enum object_state */
    bool connected;
    bool disabled; /* barred: by an administrator */
    bool deleted;  /* barred: for good            */
    bool dirty;    /* a device is */
    bool in_names, in_numbers;
    uint8_t name_room; /* as long as the name, unless the number came first */
    uint8_t name_len;  /* 0: not known before it is loaded */
    char name[];
};

struct member {
    struct user *user;
    uint64_t read;
    uint64_t delivered;
    uint64_t hidden;
    uint64_t muted;      /* until when, 0: not                            */
    uint64_t typing_at;  /* when he was last said to type, loop time      */
    uint64_t receipt_at; /* when the last receipt went out, loop time */
    uint64_t put_at;     /* the newest commit that has its markers    */
    uint8_t role;
    bool wrote; /* a message; of channels where that is known */
    bool dirty;
    bool receipt_due;
};

/* Only reactions and groups need to know of events. */
enum events_state {
    EVENTS_UNKNOWN,
    EVENTS_LOADING,
    EVENTS_KNOWN,
    EVENTS_FAILED, /* the next one tries again */
};

struct channel {
    struct map_entry by_id, by_number;
    struct lru lru;
    struct request *first, **last; /* queue; the first one is at work */
    struct channel *dirty_next, *writing_next;
    struct channel *receipt_next;
    uint64_t number;
    uint64_t newest;       /* message id, sequenced */
    uint64_t published;    /* message id, told      */
    uint64_t sent_at;      /* of the newest         */
    uint64_t newest_event; /* when that is known   */
    uint64_t created_at;
    struct member *members;
    struct str name, avatar; /* on the heap; NULL: none */
    struct invite *invites;  /* in no order             */
    uint32_t n_members, members_cap;
    uint8_t n_invites, invites_cap;
    uint32_t pins;
    size_t bytes; /* as counted in the cache */
    uint8_t state;
    uint8_t kind;   /* enum record_channel_kind */
    uint8_t events; /* enum events_state: KNOWN of a group that is READY */
    bool dirty;     /* a member's markers are */
    bool wrote_known;
    bool receipts_due;
    bool in_ids, in_numbers;
    uint8_t id_room; /* as long as the id, unless the number came first */
    uint8_t id_len;
    char id[];
};

/* Invites of a group that are remembered: the good ones, and those that
 * ended last. */
#define STATE_INVITES_MAX (2 * STORAGE_INVITES_MAX)

struct invite {
    uint64_t created_at;
    uint64_t expires_at; /* 0: never      */
    uint32_t max_uses;   /* 0: any number */
    uint32_t uses;
    bool revoked;
    uint8_t creator_len;
    char creator[STORAGE_ID_MAX];
    char secret[KEY_SECRET_LEN];
};

static inline void
lru_push(struct lru *head, struct lru *l)
{
    l->next = head->next;
    l->prev = head;
    head->next->prev = l;
    head->next = l;
}

static inline void
lru_remove(struct lru *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
}

void state_init(struct embedded *e);

/* Forgets everything; requests are the caller's to end. */
void state_clear(struct embedded *e);

/* For storage_state.c alone. */
const void *user_name_key(const struct map_entry *entry, size_t *len);
const void *user_number_key(const struct map_entry *entry, size_t *len);
void user_free(struct embedded *e, struct user *u);

/* Drops what nobody refers to, oldest first, down to the bound. */
void state_evict(struct embedded *e);

/*
 * The object of that name or number, whose loading has begun if need be.
 * NULL: out of memory.  Good until the end of the turn, longer only with a
 * reference, a pin or a request in the queue.
 */
struct user *user_by_name(struct embedded *e, struct str name);
struct user *user_by_number(struct embedded *e, uint64_t number);
struct channel *channel_by_id(struct embedded *e, struct str id);
struct channel *channel_by_number(struct embedded *e, uint64_t number);

void user_ref(struct embedded *e, struct user *u);
void user_unref(struct embedded *e, struct user *u);

static inline struct str
user_name(const struct user *u)
{
    return (struct str){u->name, u->name_len};
}

static inline struct str
channel_id(const struct channel *ch)
{
    return (struct str){ch->id, ch->id_len};
}

/*
 * For step functions: *u is the user when STEP_GO; an absent one is told by
 * his state.  One who cannot be read, and the caller himself when he is
 * barred, is the end of the request.
 */
enum step user_await(struct embedded *e, struct request *r, struct str name,
                     struct user **u);

/* The same, whether he is barred or not. */
enum step user_await_any(struct embedded *e, struct request *r, struct str name,
                         struct user **u);

/*
 * Makes an absent user, or notes that he has connected, in the commit being
 * collected.  The caller keeps him in memory until that is published.
 * 0, or -1 when out of memory.
 */
int user_make(struct embedded *e, struct user *u, bool connected);

/* The user's record, as it is now, into the commit. */
void user_put(struct embedded *e, const struct user *u);

/* An absent channel of an id that nobody can know yet.  NULL: no memory. */
struct channel *channel_new(struct embedded *e, struct str id);

/* Makes an absent channel without members.  0, or -1 when out of memory. */
int channel_make(struct embedded *e, struct channel *ch,
                 enum record_channel_kind kind, uint64_t now);

/* Its record, as it is now, into the commit. */
void channel_put(struct embedded *e, const struct channel *ch);

struct member *channel_member(const struct channel *ch, const struct user *u);

/* Appends a member, who must be ready; NULL: out of memory. */
struct member *channel_join(struct embedded *e, struct channel *ch,
                            struct user *u, enum storage_role role);
void channel_part(struct embedded *e, struct channel *ch, struct member *m);

/* A copy of the text takes the place of a name or an avatar.  0, or -1. */
int channel_set_text(struct str *field, struct str text);

/* Counts the channel's memory anew after its size has changed. */
void channel_count(struct embedded *e, struct channel *ch);

#endif
