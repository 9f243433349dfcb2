/*
 * Keys and records of the embedded store from arbitrary bytes.  The first
 * byte chooses what the others are.  What is accepted must be what the
 * builder makes: put again, it has the same bytes.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "storage_key.h"
#include "storage_record.h"
#include "storage_text.h"

static void
expect(bool true_or_bug)
{
    if (!true_or_bug) {
        abort();
    }
}


static void
build_key(struct key *k, const struct key_parts *p)
{
    switch (p->kind) {
    case KEY_FORMAT:
        key_format(k);
        return;
    case KEY_SEQUENCE:
        key_sequence(k);
        return;
    case KEY_USER_NAME:
        key_user_name(k, p->name);
        return;
    case KEY_USER:
        key_user(k, p->first);
        return;
    case KEY_CHANNEL_NAME:
        key_channel_name(k, p->name);
        return;
    case KEY_CHANNEL:
        key_channel(k, p->first);
        return;
    case KEY_MESSAGE:
        key_message(k, p->first, p->second);
        return;
    case KEY_EVENT:
        key_event(k, p->first, p->second);
        return;
    case KEY_INBOX:
        key_inbox(k, p->first, p->second);
        return;
    case KEY_MEMBERSHIP:
        key_membership(k, p->first, p->second);
        return;
    case KEY_MARKERS:
        key_markers(k, p->first, p->second);
        return;
    case KEY_DEVICE:
        key_device(k, p->first, p->name);
        return;
    case KEY_REMOVAL:
        key_removal(k, p->first, p->name);
        return;
    case KEY_CONTACT:
        key_contact(k, p->first, p->second);
        return;
    case KEY_PROFILE:
        key_profile(k, p->first);
        return;
    case KEY_ACTIVE:
        key_active(k, p->first);
        return;
    case KEY_ONLINE:
        key_online(k, p->first);
        return;
    case KEY_ACCOUNT:
        key_account(k, p->first);
        return;
    case KEY_ENDED:
        key_ended(k, p->first, p->name);
        return;
    case KEY_SEARCH:
        key_search(k, p->name, p->first);
        return;
    case KEY_CLIENT:
        key_client(k, (uint32_t) p->first, p->second, p->name);
        return;
    case KEY_REQUEST:
        key_request(k, (uint32_t) p->first, p->name);
        return;
    case KEY_REVISION:
        key_revision(k, p->first, p->second, p->third);
        return;
    case KEY_ERASED:
        key_erased(k, p->first, p->second);
        return;
    case KEY_INDEXED:
        key_indexed(k);
        return;
    case KEY_INVITE:
        key_invite(k, p->first, p->name);
        return;
    case KEY_ENDING:
        key_ending(k, p->first);
        return;
    }

    abort();
}


static void
fuzz_key(struct str in)
{
    struct key_parts p;
    struct key k;

    if (key_parse(in, &p) == 0) {
        build_key(&k, &p);
        expect(str_eq(key_str(&k), in));
        key_prefix_end(&k, &k);
        expect(!str_eq(key_str(&k), in));
    }
}


/* The text need not be JSON: nothing beyond it may be touched. */
static void
fuzz_text(const struct record_message *m)
{
    struct buf b = {0};

    text_put_shown(&b, m);
    (void) text_put_edited(&b, m->json, STR("\"x\""), 1);
    (void) text_put_deleted(&b, m->json, 1);
    (void) text_value(m->json, STR("text"));
    buf_clear(&b);
}


/* The ids are what is put back: an outcome need not be a good one. */
static void
fuzz_clients(struct str in)
{
    struct record_clients c = {STR("x"), in, 0};
    struct record_outcome o;
    struct str id, outcome;

    while (record_next_client(&c, &id, &outcome) == 1) {
        expect(id.len > 0 && id.len <= STORAGE_ID_MAX);
        (void) record_get_outcome(outcome, &o);
    }
}


/* Puts into *b what was got; nothing when it was refused. */
static void
fuzz_value(unsigned which, struct str in, struct buf *b)
{
    union {
        uint32_t u32;
        uint64_t u64;
        struct record_user user;
        struct record_channel channel;
        struct record_message message;
        struct str tail;
        struct record_inbox inbox;
        struct record_markers markers;
        struct record_device device;
        struct record_outcome outcome;
        struct record_contact contact;
        struct record_profile profile;
        struct record_invite invite;
        struct record_account account;
    } r;

    if (which == 1 && record_get_u32(in, &r.u32) == 0) {
        record_put_u32(b, r.u32);
    } else if (which == 2 && record_get_u64(in, &r.u64) == 0) {
        record_put_u64(b, r.u64);
    } else if (which == 3 && record_get_user(in, &r.user) == 0) {
        record_put_user(b, &r.user);
    } else if (which == 4 && record_get_channel(in, &r.channel) == 0) {
        record_put_channel(b, &r.channel);
    } else if (which == 5 && record_get_message(in, &r.message) == 0) {
        record_put_message(b, &r.message);
        fuzz_text(&r.message);
    } else if (which == 6 && record_get_event(in, &r.tail) == 0) {
        record_put_event(b, r.tail);
    } else if (which == 7) {
        for (uint32_t i = 0; record_get_inbox(in, i, &r.inbox) == 0; i++) {
            record_put_inbox(b, &r.inbox);
        }

        /* one bad entry does not spoil the others */
        if (b->len != in.len) {
            buf_reset(b, 0);
        }
    } else if (which == 8 && record_get_membership(in) == 0) {
        record_put_membership(b);
    } else if (which == 9 && record_get_markers(in, &r.markers) == 0) {
        record_put_markers(b, &r.markers);
    } else if (which == 10 && record_get_device(in, &r.device) == 0) {
        record_put_device(b, &r.device);
    } else if (which == 11 && record_get_outcome(in, &r.outcome) == 0) {
        record_put_outcome(b, &r.outcome);
    } else if (which == 12 && record_get_contact(in, &r.contact) == 0) {
        record_put_contact(b, &r.contact);
    } else if (which == 13 && record_get_profile(in, &r.profile) == 0) {
        record_put_profile(b, &r.profile);
    } else if (which == 14) {
        fuzz_clients(in);
    } else if (which == 15 && record_get_invite(in, &r.invite) == 0) {
        record_put_invite(b, &r.invite);
    } else if (which == 16 && record_get_account(in, &r.account) == 0) {
        record_put_account(b, &r.account);
    }
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b = {0};

    if (size == 0) {
        return 0;
    }

    /* a copy of its own, so that a read beyond the end is seen */
    size_t len = size - 1;
    char *copy = malloc(len > 0 ? len : 1);

    expect(copy != NULL);

    if (len > 0) {
        memcpy(copy, data + 1, len);
    }

    struct str in = {copy, len};

    if (data[0] % 17 == 0) {
        fuzz_key(in);
    } else {
        fuzz_value(data[0] % 17, in, &b);

        if (b.len > 0) {
            expect(!buf_failed(&b) && str_eq(buf_str(&b), in));
        }
    }

    buf_clear(&b);
    free(copy);
    return 0;
}
