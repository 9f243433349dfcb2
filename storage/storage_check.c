/*
 * `chatd check`: reads a store from its first key to its last and holds every
 * record against those it has to agree with.  See storage_check.h for the
 * parts and storage.h for what callers get.
 */

#include "storage_check.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage_format.h"

#define CHECK_SHOWN 20

typedef void check_record(struct check *c, struct str value);

static int check_run(struct check *c);
static void check_walk(struct check *c, struct engine_iter *i);
static int check_report(const struct check *c);
static void check_show_key(const struct key_parts *p);

static check_record check_format, check_sequence, check_user_name,
    check_user_record, check_channel_name, check_channel_record,
    check_membership, check_markers, check_device;
static void check_members(struct check *c);
static void check_direct_id(struct check *c);

static const struct {
    enum key_kind kind;
    check_record *check;
    const char *name; /* in the summary */
} check_kinds[] = {
    {KEY_USER,         check_user_record,    "users"        },
    {KEY_CHANNEL,      check_channel_record, "channels"     },
    {KEY_MEMBERSHIP,   check_membership,     "memberships"  },
    {KEY_MESSAGE,      check_message,        "messages"     },
    {KEY_EVENT,        check_event,          "events"       },
    {KEY_INBOX,        check_inbox,          "inbox entries"},
    {KEY_REVISION,     check_revision,       "revisions"    },
    {KEY_ERASED,       check_erased,         NULL           },
    {KEY_MARKERS,      check_markers,        "markers"      },
    {KEY_DEVICE,       check_device,         "devices"      },
    {KEY_REMOVAL,      check_removal,        "removals"     },
    {KEY_CONTACT,      check_contact,        "contacts"     },
    {KEY_PROFILE,      check_profile,        "profiles"     },
    {KEY_ACCOUNT,      check_account,        "accounts"     },
    {KEY_ENDED,        check_ended,          NULL           },
    {KEY_ACTIVE,       check_activity,       NULL           },
    {KEY_ONLINE,       check_activity,       NULL           },
    {KEY_SEARCH,       check_search,         NULL           },
    {KEY_INDEXED,      check_indexed,        NULL           },
    {KEY_INVITE,       check_invite,         "invites"      },
    {KEY_ENDING,       check_ending,         NULL           },
    {KEY_CLIENT,       check_client,         "client ids"   },
    {KEY_REQUEST,      check_request,        "request ids"  },
    {KEY_USER_NAME,    check_user_name,      NULL           },
    {KEY_CHANNEL_NAME, check_channel_name,   NULL           },
    {KEY_FORMAT,       check_format,         NULL           },
    {KEY_SEQUENCE,     check_sequence,       NULL           },
};

#define CHECK_N_KINDS (sizeof(check_kinds) / sizeof(check_kinds[0]))


int
storage_check(const char *path)
{
    const struct engine_ops *ops = &engine_leveldb;
    const char *error = NULL;
    struct engine *e = ops->open(path, true, &error);
    int rc = 2;

    if (e == NULL) {
        printf("%s\n", error);
        return rc;
    }

    int format = storage_format_check(ops, e, &error);
    struct check *c = calloc(1, sizeof(*c));

    if (format < 0) {
        printf("%s: %s\n", path, error);
    } else if (format == 1) {
        printf("%s: the store is empty\n", path);
        rc = 0;
    } else if (c == NULL) {
        printf("out of memory\n");
    } else {
        c->ops = ops;
        c->e = e;
        rc = check_run(c);
    }

    free(c);
    ops->close(e);
    return rc;
}


void
check_defect(struct check *c, enum check_defect d, const char *format, ...)
{
    va_list args;

    if (c->defects[d]++ >= CHECK_SHOWN) {
        return;
    }

    check_show_key(&c->at);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}


int
check_get(struct check *c, const struct key *k, struct buf *value)
{
    buf_reset(value, STORAGE_PAGE_BYTES);

    int rc = c->ops->get(c->e, key_str(k), value);

    if (rc < 0) {
        c->unreadable = true;
    }

    return rc > 0;
}


int
check_get_message(struct check *c, uint64_t channel, uint64_t id,
                  struct record_message *m)
{
    struct key k;

    key_message(&k, channel, id);
    return check_get(c, &k, &c->value)
           && record_get_message(buf_str(&c->value), m) == 0;
}


uint64_t
check_newest(struct check *c, enum key_kind kind, uint64_t first)
{
    struct key prefix, end;
    struct key_parts p;

    key_prefix_number(&prefix, kind, first);
    key_prefix_end(&end, &prefix);
    c->ops->iter_seek_before(c->look, key_str(&end));

    if (!c->ops->iter_valid(c->look)) {
        c->unreadable |= c->ops->iter_error(c->look) != 0;
        return 0;
    }

    struct str key = c->ops->iter_key(c->look);

    if (!key_has_prefix(key, &prefix) || key_parse(key, &p) != 0) {
        return 0;
    }

    return p.second;
}


const struct record_channel *
check_channel(struct check *c, uint64_t number)
{
    struct key k;

    if (number == 0) {
        return NULL;
    }

    if (c->channel_number != number) {
        key_channel(&k, number);
        c->channel_number = number;
        c->channel_known =
            check_get(c, &k, &c->channel_value)
            && record_get_channel(buf_str(&c->channel_value), &c->channel) == 0;
        c->channel_newest = check_newest(c, KEY_MESSAGE, number);
    }

    return c->channel_known ? &c->channel : NULL;
}


const struct check_user *
check_user(struct check *c, uint64_t number)
{
    struct check_user *u = &c->users[number % CHECK_USERS];
    struct record_user record;
    struct key k;

    if (number == 0) {
        return NULL;
    }

    if (u->number != number) {
        key_user(&k, number);
        u->number = number;
        u->known = check_get(c, &k, &c->value)
                   && record_get_user(buf_str(&c->value), &record) == 0;

        if (u->known) {
            u->flags = record.flags;
            u->len = record.name.len;
            memcpy(u->name, record.name.data, record.name.len);
        }
    }

    return u->known ? u : NULL;
}


bool
check_is_member(const struct record_channel *channel, uint64_t user)
{
    for (uint32_t i = 0; i < channel->n_members; i++) {
        if (channel->members[i].user == user) {
            return true;
        }
    }

    return false;
}


static int
check_run(struct check *c)
{
    struct engine_iter *i = c->ops->iter_open(c->e);

    c->look = c->ops->iter_open(c->e);

    if (i == NULL || c->look == NULL) {
        c->unreadable = true;
    } else {
        check_walk(c, i);
    }

    c->ops->iter_close(c->look);
    c->ops->iter_close(i);
    map_clear(&c->runs);
    buf_clear(&c->channel_value);
    buf_clear(&c->text);
    buf_clear(&c->value);
    return check_report(c);
}


static void
check_walk(struct check *c, struct engine_iter *i)
{
    bool in_inbox = false;

    c->ops->iter_seek(i, STR(""));

    for (; c->ops->iter_valid(i) && !c->unreadable; c->ops->iter_next(i)) {
        if (key_parse(c->ops->iter_key(i), &c->at) != 0) {
            memset(&c->at, 0, sizeof(c->at));
            c->at.name = c->ops->iter_key(i);
            check_defect(c, CHECK_KEY, "no such key");
            continue;
        }

        if (in_inbox && c->at.kind != KEY_INBOX) {
            check_inbox_end(c);
        }

        in_inbox = c->at.kind == KEY_INBOX;
        c->keys[c->at.kind]++;

        for (size_t k = 0; k < CHECK_N_KINDS; k++) {
            if (check_kinds[k].kind == c->at.kind) {
                check_kinds[k].check(c, c->ops->iter_value(i));
                break;
            }
        }
    }

    if (in_inbox) {
        check_inbox_end(c);
    }

    if (c->ops->iter_error(i) != 0) {
        c->unreadable = true;
    }

    memset(&c->at, 0, sizeof(c->at));
    check_buckets(c);

    if (!c->sequence) {
        check_defect(c, CHECK_VALUE, "there is no global sequence");
    }
}


static int
check_report(const struct check *c)
{
    static const char *const texts[] = {
#define CHECK_TEXT(name, text) text,
        CHECK_DEFECTS(CHECK_TEXT)
#undef CHECK_TEXT
    };
    uint64_t sum = 0;

    if (c->unreadable) {
        printf("the store could not be read to its end: the lines of the log "
               "say why\n");
        return 2;
    }

    for (size_t k = 0; k < CHECK_N_KINDS; k++) {
        if (check_kinds[k].name != NULL) {
            printf("%-14s %" PRIu64 "\n", check_kinds[k].name,
                   c->keys[check_kinds[k].kind]);
        }
    }

    for (size_t d = 0; d < CHECK_N_DEFECTS; d++) {
        sum += c->defects[d];

        if (c->defects[d] > 0) {
            printf("DEFECT: %" PRIu64 " %s\n", c->defects[d], texts[d]);
        }
    }

    printf(sum == 0 ? "the store is sound\n" : "the store is damaged\n");
    return sum == 0 ? 0 : 1;
}


/* Names may be anything in a damaged store: only what is plain is printed. */
static void
check_show_key(const struct key_parts *p)
{
    if (p->kind != 0) {
        printf("%c", p->kind);
    }

    if (p->first != 0 || p->second != 0) {
        printf(" %" PRIu64, p->first);
    }

    if (p->second != 0) {
        printf(" %" PRIu64, p->second);
    }

    if (p->name.len > 0) {
        putchar(' ');
    }

    for (size_t i = 0; i < p->name.len; i++) {
        unsigned char ch = (unsigned char) p->name.data[i];

        printf(ch < 128 && isgraph(ch) ? "%c" : "\\x%02x", ch);
    }

    if (p->kind != 0 || p->name.len > 0) {
        printf(": ");
    }
}


static void
check_format(struct check *c, struct str value)
{
    (void) c; /* storage_format_check() has judged it */
    (void) value;
}


static void
check_sequence(struct check *c, struct str value)
{
    uint64_t sequence;

    c->sequence = true;

    if (record_get_u64(value, &sequence) != 0 || sequence == 0) {
        check_defect(c, CHECK_VALUE, "damaged");
    }
}


static void
check_user_name(struct check *c, struct str value)
{
    const struct check_user *u;
    uint64_t number;

    if (record_get_u64(value, &number) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    u = check_user(c, number);

    if (u == NULL || !str_eq(c->at.name, (struct str){u->name, u->len})) {
        check_defect(c, CHECK_NAME, "user %" PRIu64 " is not of that name",
                     number);
    }
}


static void
check_user_record(struct check *c, struct str value)
{
    struct record_user u;
    uint64_t number = 0;
    struct key k;

    if (record_get_user(value, &u) != 0 || c->at.first == 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    key_user_name(&k, u.name);

    if (!check_get(c, &k, &c->value)
        || record_get_u64(buf_str(&c->value), &number) != 0
        || number != c->at.first) {
        check_defect(c, CHECK_NAME, "the name leads to user %" PRIu64, number);
    }

    if ((u.flags & RECORD_USER_DELETED) != 0) {
        check_deleted_user(c);
    }
}


static void
check_channel_name(struct check *c, struct str value)
{
    const struct record_channel *channel;
    uint64_t number;

    if (record_get_u64(value, &number) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    channel = check_channel(c, number);

    if (channel == NULL || !str_eq(c->at.name, channel->id)) {
        check_defect(c, CHECK_NAME, "channel %" PRIu64 " is not of that id",
                     number);
    }
}


static void
check_channel_record(struct check *c, struct str value)
{
    uint64_t number = 0;
    struct key k;

    (void) value; /* check_channel() reads the same */

    if (check_channel(c, c->at.first) == NULL) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    key_channel_name(&k, c->channel.id);

    if (!check_get(c, &k, &c->value)
        || record_get_u64(buf_str(&c->value), &number) != 0
        || number != c->at.first) {
        check_defect(c, CHECK_NAME, "the id leads to channel %" PRIu64, number);
    }

    check_members(c);

    if (c->channel.kind == RECORD_DIRECT) {
        check_direct_id(c);
    }
}


static void
check_members(struct check *c)
{
    struct key k;

    for (uint32_t i = 0; i < c->channel.n_members; i++) {
        uint64_t user = c->channel.members[i].user;

        for (uint32_t j = 0; j < i; j++) {
            if (c->channel.members[j].user == user) {
                check_defect(c, CHECK_MEMBER, "user %" PRIu64 " is in it twice",
                             user);
                break;
            }
        }

        if (check_user(c, user) == NULL) {
            check_defect(c, CHECK_USER, "there is no user %" PRIu64, user);
        }

        key_membership(&k, user, c->at.first);

        if (!check_get(c, &k, &c->value)) {
            check_defect(c, CHECK_MEMBER,
                         "member %" PRIu64 " has no membership of it", user);
        }
    }
}


/* The id of a direct channel is made of its members' names, sorted. */
static void
check_direct_id(struct check *c)
{
    const struct record_channel *channel = &c->channel;
    uint32_t n = channel->n_members;

    if (n != 1 && n != 2) {
        check_defect(c, CHECK_MEMBER, "a direct channel with %u members",
                     (unsigned) n);
        return;
    }

    struct check_user pair[2];

    for (uint32_t i = 0; i < 2; i++) {
        const struct check_user *u =
            check_user(c, channel->members[i < n ? i : 0].user);

        if (u == NULL) {
            return; /* told by check_members() */
        }

        pair[i] = *u;
    }

    struct str a = {pair[0].name, pair[0].len};
    struct str b = {pair[1].name, pair[1].len};
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.data, b.data, shorter);
    bool swap = order > 0 || (order == 0 && a.len > b.len);

    buf_reset(&c->text, STORAGE_PAGE_BYTES);
    buf_put_lit(&c->text, "d.");
    buf_put_str(&c->text, swap ? b : a);
    buf_put_char(&c->text, '~');
    buf_put_str(&c->text, swap ? a : b);

    if (!str_eq(buf_str(&c->text), channel->id)) {
        check_defect(c, CHECK_MEMBER, "its members are not those of its id");
    }
}


static void
check_membership(struct check *c, struct str value)
{
    const struct record_channel *channel = check_channel(c, c->at.second);

    if (record_get_membership(value) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
    }

    if (channel == NULL || !check_is_member(channel, c->at.first)) {
        check_defect(c, CHECK_MEMBER, "the channel has no such member");
        return;
    }

    /* whoever has an inbox was judged there */
    if (c->channel_newest > 0 && check_newest(c, KEY_INBOX, c->at.first) == 0) {
        check_defect(c, CHECK_MISSING, "his inbox is empty");
    }
}


static void
check_markers(struct check *c, struct str value)
{
    struct record_markers m;

    if (record_get_markers(value, &m) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (check_channel(c, c->at.first) == NULL) {
        check_defect(c, CHECK_CHANNEL, "markers in no channel");
        return;
    }

    if (check_user(c, c->at.second) == NULL) {
        check_defect(c, CHECK_USER, "markers of nobody");
    }

    if (m.read > c->channel_newest || m.delivered > c->channel_newest
        || m.hidden > c->channel_newest + 1) {
        check_defect(c, CHECK_BEYOND,
                     "read %" PRIu64 ", delivered %" PRIu64 ", hidden %" PRIu64
                     ", newest message %" PRIu64,
                     m.read, m.delivered, m.hidden, c->channel_newest);
    }
}


static void
check_device(struct check *c, struct str value)
{
    struct record_device d;
    uint64_t newest;

    if (record_get_device(value, &d) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (check_user(c, c->at.first) == NULL) {
        check_defect(c, CHECK_USER, "a device of nobody");
        return;
    }

    newest = check_newest(c, KEY_INBOX, c->at.first);

    if (d.inbox_id > newest) {
        check_defect(c, CHECK_BEYOND,
                     "cursor %" PRIu64 ", newest inbox id %" PRIu64, d.inbox_id,
                     newest);
    }
}
