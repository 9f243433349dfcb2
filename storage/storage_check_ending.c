/*
 * The part of `chatd check` that judges deleted users: about whom nothing is
 * left to be done, of him nothing is left that had to go.
 */

#include <inttypes.h>

#include "storage_check.h"

static bool check_any(struct check *c, enum key_kind kind, uint64_t user);
static void check_left_groups(struct check *c, uint64_t user);


void
check_ending(struct check *c, struct str value)
{
    const struct check_user *u = check_user(c, c->at.first);
    struct record_ending record;

    if (record_get_ending(value, &record) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (u == NULL || (u->flags & RECORD_USER_DELETED) == 0) {
        check_defect(c, CHECK_ENDING, "the user was not deleted");
        return;
    }

    if (record.upto > check_newest(c, KEY_INBOX, c->at.first)) {
        check_defect(c, CHECK_BEYOND, "up to inbox id %" PRIu64, record.upto);
    }
}


void
check_deleted_user(struct check *c)
{
    static const struct {
        enum key_kind kind;
        const char *name;
    } gone[] = {
        {KEY_PROFILE, "a profile"       },
        {KEY_DEVICE,  "a device"        },
        {KEY_REMOVAL, "a removed device"},
        {KEY_CONTACT, "a contact"       },
        {KEY_ACCOUNT, "a password"      },
        {KEY_ENDED,   "an ended login"  },
        {KEY_ACTIVE,  "a time"          },
        {KEY_ONLINE,  "a mark"          },
    };
    struct key k;
    size_t i;

    key_ending(&k, c->at.first);

    if (check_get(c, &k, &c->value)) {
        return;
    }

    for (i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        if (check_any(c, gone[i].kind, c->at.first)) {
            check_defect(c, CHECK_ENDING, "deleted, and there is %s",
                         gone[i].name);
        }
    }

    check_left_groups(c, c->at.first);
}


static bool
check_any(struct check *c, enum key_kind kind, uint64_t user)
{
    struct key prefix;

    key_prefix_number(&prefix, kind, user);
    c->ops->iter_seek(c->look, key_str(&prefix));
    return c->ops->iter_valid(c->look)
           && key_has_prefix(c->ops->iter_key(c->look), &prefix);
}


/* Looking up a channel moves the iterator: seek anew behind each. */
static void
check_left_groups(struct check *c, uint64_t user)
{
    const struct record_channel *channel;
    struct key_parts parts = {.second = 0};
    struct key prefix, k;

    key_prefix_number(&prefix, KEY_MEMBERSHIP, user);

    do {
        key_membership(&k, user, parts.second + 1);
        c->ops->iter_seek(c->look, key_str(&k));

        if (!c->ops->iter_valid(c->look)
            || !key_has_prefix(c->ops->iter_key(c->look), &prefix)
            || key_parse(c->ops->iter_key(c->look), &parts) != 0) {
            return;
        }

        channel = check_channel(c, parts.second);

        if (channel != NULL && channel->kind == RECORD_GROUP) {
            check_defect(c, CHECK_ENDING,
                         "deleted, and a member of group %" PRIu64,
                         parts.second);
        }
    } while (parts.second != UINT64_MAX);
}
