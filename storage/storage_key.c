/*
 * Builds and takes apart the keys drawn in storage_key.h.  Big-endian numbers
 * make the order of the bytes the order of the numbers.
 */

#include "storage_key.h"

#include <string.h>

/* What follows the letter of each kind, in this order. */
struct key_shape {
    enum key_kind kind;
    uint8_t first_len;
    uint8_t second_len;
    uint8_t third_len;
    uint8_t name_max; /* 0: no name */
};

static const struct key_shape key_shapes[] = {
    {KEY_FORMAT,       0, 0, 0, 0                  },
    {KEY_SEQUENCE,     0, 0, 0, 0                  },
    {KEY_USER_NAME,    0, 0, 0, STORAGE_ID_MAX     },
    {KEY_USER,         8, 0, 0, 0                  },
    {KEY_CHANNEL_NAME, 0, 0, 0, STORAGE_CHANNEL_MAX},
    {KEY_CHANNEL,      8, 0, 0, 0                  },
    {KEY_MESSAGE,      8, 8, 0, 0                  },
    {KEY_EVENT,        8, 8, 0, 0                  },
    {KEY_INBOX,        8, 8, 0, 0                  },
    {KEY_MEMBERSHIP,   8, 8, 0, 0                  },
    {KEY_MARKERS,      8, 8, 0, 0                  },
    {KEY_DEVICE,       8, 0, 0, STORAGE_ID_MAX     },
    {KEY_REMOVAL,      8, 0, 0, STORAGE_ID_MAX     },
    {KEY_CONTACT,      8, 8, 0, 0                  },
    {KEY_PROFILE,      8, 0, 0, 0                  },
    {KEY_ACTIVE,       8, 0, 0, 0                  },
    {KEY_ONLINE,       8, 0, 0, 0                  },
    {KEY_INDEXED,      0, 0, 0, 0                  },
    {KEY_ACCOUNT,      8, 0, 0, 0                  },
    {KEY_ENDED,        8, 0, 0, STORAGE_JTI_MAX    },
    {KEY_CLIENT,       4, 8, 0, STORAGE_ID_MAX     },
    {KEY_REQUEST,      4, 0, 0, STORAGE_ID_MAX     },
    {KEY_REVISION,     8, 8, 4, 0                  },
    {KEY_ERASED,       8, 8, 0, 0                  },
    {KEY_INVITE,       8, 0, 0, KEY_SECRET_LEN     },
    {KEY_ENDING,       8, 0, 0, 0                  },
};

#define KEY_N_SHAPES (sizeof(key_shapes) / sizeof(key_shapes[0]))

static void key_put(struct key *k, uint64_t n, unsigned len);
static void key_put_name(struct key *k, struct str name, size_t max);
static uint64_t key_get(const unsigned char *p, unsigned len);
static int key_parse_search(struct str key, struct key_parts *out);


void
key_format(struct key *k)
{
    key_prefix(k, KEY_FORMAT);
}


void
key_sequence(struct key *k)
{
    key_prefix(k, KEY_SEQUENCE);
}


void
key_user_name(struct key *k, struct str user)
{
    key_prefix(k, KEY_USER_NAME);
    key_put_name(k, user, STORAGE_ID_MAX);
}


void
key_user(struct key *k, uint64_t user)
{
    key_prefix_number(k, KEY_USER, user);
}


void
key_channel_name(struct key *k, struct str channel)
{
    key_prefix(k, KEY_CHANNEL_NAME);
    key_put_name(k, channel, STORAGE_CHANNEL_MAX);
}


void
key_channel(struct key *k, uint64_t channel)
{
    key_prefix_number(k, KEY_CHANNEL, channel);
}


void
key_message(struct key *k, uint64_t channel, uint64_t message_id)
{
    key_prefix_number(k, KEY_MESSAGE, channel);
    key_put(k, message_id, 8);
}


void
key_event(struct key *k, uint64_t channel, uint64_t event)
{
    key_prefix_number(k, KEY_EVENT, channel);
    key_put(k, event, 8);
}


void
key_inbox(struct key *k, uint64_t user, uint64_t inbox_id)
{
    key_prefix_number(k, KEY_INBOX, user);
    key_put(k, inbox_id, 8);
}


void
key_membership(struct key *k, uint64_t user, uint64_t channel)
{
    key_prefix_number(k, KEY_MEMBERSHIP, user);
    key_put(k, channel, 8);
}


void
key_markers(struct key *k, uint64_t channel, uint64_t user)
{
    key_prefix_number(k, KEY_MARKERS, channel);
    key_put(k, user, 8);
}


void
key_device(struct key *k, uint64_t user, struct str device)
{
    key_prefix_number(k, KEY_DEVICE, user);
    key_put_name(k, device, STORAGE_ID_MAX);
}


void
key_removal(struct key *k, uint64_t user, struct str device)
{
    key_prefix_number(k, KEY_REMOVAL, user);
    key_put_name(k, device, STORAGE_ID_MAX);
}


void
key_profile(struct key *k, uint64_t user)
{
    key_prefix_number(k, KEY_PROFILE, user);
}


void
key_active(struct key *k, uint64_t user)
{
    key_prefix_number(k, KEY_ACTIVE, user);
}


void
key_online(struct key *k, uint64_t user)
{
    key_prefix_number(k, KEY_ONLINE, user);
}


void
key_account(struct key *k, uint64_t user)
{
    key_prefix_number(k, KEY_ACCOUNT, user);
}


void
key_ended(struct key *k, uint64_t user, struct str jti)
{
    key_prefix_number(k, KEY_ENDED, user);
    key_put_name(k, jti, STORAGE_JTI_MAX);
}


void
key_search(struct key *k, struct str text, uint64_t user)
{
    key_prefix_text(k, text);

    if (k->len > 1) {
        key_put(k, 0, 1);
        key_put(k, user, 8);
    }
}


void
key_indexed(struct key *k)
{
    key_prefix(k, KEY_INDEXED);
}


void
key_contact(struct key *k, uint64_t user, uint64_t other)
{
    key_prefix_number(k, KEY_CONTACT, user);
    key_put(k, other, 8);
}


void
key_client(struct key *k, uint32_t day, uint64_t user, struct str client_id)
{
    key_prefix_clients(k, day, user);
    key_put_name(k, client_id, STORAGE_ID_MAX);
}


void
key_clients(struct key *k, uint32_t day, uint64_t user, uint64_t sequence)
{
    key_prefix_clients(k, day, user);
    key_put(k, sequence, 8);
}


void
key_prefix_clients(struct key *k, uint32_t day, uint64_t user)
{
    key_prefix_period(k, KEY_CLIENT, day);
    key_put(k, user, 8);
}


void
key_request(struct key *k, uint32_t slot, struct str request_id)
{
    key_prefix_period(k, KEY_REQUEST, slot);
    key_put_name(k, request_id, STORAGE_ID_MAX);
}


void
key_revision(struct key *k, uint64_t channel, uint64_t message_id, uint32_t rev)
{
    key_prefix_number(k, KEY_REVISION, channel);
    key_put(k, message_id, 8);
    key_put(k, rev, 4);
}


void
key_erased(struct key *k, uint64_t channel, uint64_t message_id)
{
    key_prefix_number(k, KEY_ERASED, channel);
    key_put(k, message_id, 8);
}


void
key_invite(struct key *k, uint64_t channel, struct str secret)
{
    key_prefix_number(k, KEY_INVITE, channel);
    key_put_name(k, secret, KEY_SECRET_LEN);
}


void
key_ending(struct key *k, uint64_t user)
{
    key_prefix_number(k, KEY_ENDING, user);
}


int
key_parse(struct str key, struct key_parts *out)
{
    const unsigned char *p = (const unsigned char *) key.data;
    const struct key_shape *shape = NULL;

    if (key.len > 0 && p[0] == KEY_SEARCH) {
        return key_parse_search(key, out);
    }

    for (size_t i = 0; key.len > 0 && i < KEY_N_SHAPES; i++) {
        if (key_shapes[i].kind == (enum key_kind) p[0]) {
            shape = &key_shapes[i];
            break;
        }
    }

    if (shape == NULL) {
        return -1;
    }

    size_t fixed = 1u + shape->first_len + shape->second_len + shape->third_len;
    size_t name_min = shape->name_max > 0 ? 1 : 0;

    if (key.len < fixed + name_min || key.len > fixed + shape->name_max) {
        return -1;
    }

    out->kind = shape->kind;
    out->first = key_get(p + 1, shape->first_len);
    out->second = key_get(p + 1 + shape->first_len, shape->second_len);
    out->third = (uint32_t) key_get(
        p + 1 + shape->first_len + shape->second_len, shape->third_len);
    out->name = (struct str){key.data + fixed, key.len - fixed};
    return 0;
}


static int
key_parse_search(struct str key, struct key_parts *out)
{
    const unsigned char *p = (const unsigned char *) key.data;
    size_t text = key.len - 1 - 9;

    if (key.len < 1 + 1 + 9 || text > KEY_TEXT_MAX || p[1 + text] != 0) {
        return -1;
    }

    out->kind = KEY_SEARCH;
    out->first = key_get(p + 1 + text + 1, 8);
    out->second = 0;
    out->name = (struct str){key.data + 1, text};
    return 0;
}


void
key_prefix(struct key *k, enum key_kind kind)
{
    k->data[0] = (unsigned char) kind;
    k->len = 1;
}


void
key_prefix_number(struct key *k, enum key_kind kind, uint64_t first)
{
    key_prefix(k, kind);
    key_put(k, first, 8);
}


void
key_prefix_period(struct key *k, enum key_kind kind, uint32_t period)
{
    key_prefix(k, kind);
    key_put(k, period, 4);
}


void
key_prefix_text(struct key *k, struct str text)
{
    key_prefix(k, KEY_SEARCH);
    key_put_name(k, text, KEY_TEXT_MAX);
}


void
key_prefix_end(struct key *end, const struct key *prefix)
{
    size_t len = prefix->len;

    memmove(end->data, prefix->data, len);

    /* no letter of a kind is 0xff, so something remains to be raised */
    while (len > 1 && end->data[len - 1] == 0xff) {
        len--;
    }

    end->data[len - 1]++;
    end->len = len;
}


bool
key_has_prefix(struct str key, const struct key *prefix)
{
    return key.len >= prefix->len
           && memcmp(key.data, prefix->data, prefix->len) == 0;
}


static void
key_put(struct key *k, uint64_t n, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        k->data[k->len++] = (unsigned char) (n >> (8 * (len - 1 - i)));
    }
}


static void
key_put_name(struct key *k, struct str name, size_t max)
{
    if (name.len == 0 || name.len > max) {
        k->len = 0;
        return;
    }

    memcpy(k->data + k->len, name.data, name.len);
    k->len += name.len;
}


static uint64_t
key_get(const unsigned char *p, unsigned len)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < len; i++) {
        n = n << 8 | p[i];
    }

    return n;
}
