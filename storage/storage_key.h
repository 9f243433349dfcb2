/*
 * The keys of the embedded store, which sort as bytes: a letter for the kind,
 * numbers big-endian, a name last.  docs/storage.md has the values.
 *
 *   'F'                                store format
 *   'G'                                global sequence
 *   'U' name                           user's number
 *   'u' user(8)                        user
 *   'C' channel id                     channel's number
 *   'c' channel(8)                     channel with its members
 *   'M' channel(8) message_id(8)       message
 *   'E' channel(8) event(8)            a channel.updated
 *   'I' user(8) inbox_id(8)            inbox entries, up to this one
 *   'L' user(8) channel(8)             membership, by user
 *   'K' channel(8) user(8)             markers
 *   'V' user(8) device                 device's cursor
 *   'W' user(8) device                 when a device was removed
 *   'N' user(8) other(8)               contact, as the user has it
 *   'P' user(8)                        profile
 *   'A' user(8)                        when he was last active
 *   'O' user(8)                        mark of one who is online; user 0: of
 *                                      nobody, a fence before deleted ones
 *   'H' user(8)                        account
 *   'J' user(8) jti                    until when an ended login is kept
 *   'S' text 0 user(8)                 a user id or name, folded
 *   'T'                                every user is in that index
 *   'D' day(4) user(8) sequence(8)     outcomes of client_ids in one batch
 *   'D' day(4) user(8) client_id       of one, in stores of format 1; also
 *                                      what the filters know it by
 *   'Q' slot(4) request_id             outcome of a request
 *   'R' channel(8) message_id(8) rev(4)  revision of a message, as pushed
 *   'Y' channel(8) secret              invite to a group
 *   'x' channel(8) message_id(8)       deleted, still to leave the disk
 *   'X' user(8)                        deleted user, of whom something is left
 *
 * User and channel numbers, message, event and inbox ids start at 1.  A day
 * is 86,400 s, a slot 600 s of the clock that counts from 1970.
 */

#ifndef STORAGE_KEY_H
#define STORAGE_KEY_H

#include <stdint.h>

#include "storage.h"
#include "str.h"

#define KEY_MAX (1 + STORAGE_CHANNEL_MAX)

/* Bytes of a folded text in a key; what is longer is cut. */
#define KEY_TEXT_MAX 128

/* The part of an invite that only it has; before it stands the group's. */
#define KEY_SECRET_LEN 32

/* Of ONLINE, the user of the fence. */
#define KEY_NOBODY 0u

#define KEY_DAY_S  86400u
#define KEY_SLOT_S 600u

/* On disk: do not renumber. */
enum key_kind {
    KEY_FORMAT = 'F',
    KEY_SEQUENCE = 'G',
    KEY_USER_NAME = 'U',
    KEY_USER = 'u',
    KEY_CHANNEL_NAME = 'C',
    KEY_CHANNEL = 'c',
    KEY_MESSAGE = 'M',
    KEY_EVENT = 'E',
    KEY_INBOX = 'I',
    KEY_MEMBERSHIP = 'L',
    KEY_MARKERS = 'K',
    KEY_DEVICE = 'V',
    KEY_REMOVAL = 'W',
    KEY_CONTACT = 'N',
    KEY_PROFILE = 'P',
    KEY_ACTIVE = 'A',
    KEY_ONLINE = 'O',
    KEY_ACCOUNT = 'H',
    KEY_ENDED = 'J',
    KEY_SEARCH = 'S',
    KEY_INDEXED = 'T',
    KEY_CLIENT = 'D',
    KEY_REQUEST = 'Q',
    KEY_REVISION = 'R',
    KEY_ERASED = 'x',
    KEY_INVITE = 'Y',
    KEY_ENDING = 'X',
};

struct key {
    unsigned char data[KEY_MAX];
    size_t len;
};

/*
 * A key taken apart.  first, second and third are the numbers in the order
 * they stand in the key (a day or slot is first), name what follows (of a
 * SEARCH what stands before); what the kind has not is 0 or empty.  name
 * points into the key that was parsed.
 */
struct key_parts {
    enum key_kind kind;
    uint64_t first;
    uint64_t second;
    uint32_t third;
    struct str name;
};

/*
 * Builders.  A name that is empty or beyond its bound in storage.h makes an
 * empty key, which is in no store: a get finds nothing, a batch with it fails.
 */
void key_format(struct key *k);
void key_sequence(struct key *k);
void key_user_name(struct key *k, struct str user);
void key_user(struct key *k, uint64_t user);
void key_channel_name(struct key *k, struct str channel);
void key_channel(struct key *k, uint64_t channel);
void key_message(struct key *k, uint64_t channel, uint64_t message_id);
void key_event(struct key *k, uint64_t channel, uint64_t event);
void key_inbox(struct key *k, uint64_t user, uint64_t inbox_id);
void key_membership(struct key *k, uint64_t user, uint64_t channel);
void key_markers(struct key *k, uint64_t channel, uint64_t user);
void key_device(struct key *k, uint64_t user, struct str device);
void key_removal(struct key *k, uint64_t user, struct str device);
void key_profile(struct key *k, uint64_t user);
void key_active(struct key *k, uint64_t user);
void key_online(struct key *k, uint64_t user);
void key_account(struct key *k, uint64_t user);
void key_ended(struct key *k, uint64_t user, struct str jti);
void key_search(struct key *k, struct str text, uint64_t user);
void key_indexed(struct key *k);
void key_contact(struct key *k, uint64_t user, uint64_t other);
void key_client(struct key *k, uint32_t day, uint64_t user,
                struct str client_id);
void key_clients(struct key *k, uint32_t day, uint64_t user, uint64_t sequence);
void key_prefix_clients(struct key *k, uint32_t day, uint64_t user);
void key_request(struct key *k, uint32_t slot, struct str request_id);
void key_revision(struct key *k, uint64_t channel, uint64_t message_id,
                  uint32_t rev);
void key_erased(struct key *k, uint64_t channel, uint64_t message_id);
void key_invite(struct key *k, uint64_t channel, struct str secret);
void key_ending(struct key *k, uint64_t user);

/* 0, or -1 when no builder could have made the key. */
int key_parse(struct str key, struct key_parts *out);

/*
 * Prefixes of ranges: every key of a kind; those with this first number (of
 * 8 bytes); those of this period (day or slot).  A prefix is also the place
 * to seek to for the first key of its range.
 */
void key_prefix(struct key *k, enum key_kind kind);
void key_prefix_number(struct key *k, enum key_kind kind, uint64_t first);
void key_prefix_period(struct key *k, enum key_kind kind, uint32_t period);

/* Those of SEARCH whose text begins with this one, of KEY_TEXT_MAX bytes. */
void key_prefix_text(struct key *k, struct str text);

/*
 * The least key above all that begin with prefix: iter_seek_before() to it
 * finds the last key of the range.  prefix and end may be the same.
 */
void key_prefix_end(struct key *end, const struct key *prefix);

bool key_has_prefix(struct str key, const struct key *prefix);

static inline struct str
key_str(const struct key *k)
{
    return (struct str){(const char *) k->data, k->len};
}

#endif
