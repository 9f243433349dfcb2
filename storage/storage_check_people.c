/*
 * The part of `chatd check` that judges what users have of each other and say
 * of themselves: contacts, profiles with their index, removed devices, accounts.
 */

#include "storage_check.h"

#include <inttypes.h>

#include "fold.h"


/* Each side has a record of its own; what blocks is nobody else's. */
void
check_contact(struct check *c, struct str value)
{
    static const uint8_t other_side[] = {
        [RECORD_CONTACT_NONE] = RECORD_CONTACT_NONE,
        [RECORD_CONTACT_FRIEND] = RECORD_CONTACT_FRIEND,
        [RECORD_CONTACT_REQUESTED] = RECORD_CONTACT_INCOMING,
        [RECORD_CONTACT_INCOMING] = RECORD_CONTACT_REQUESTED,
    };
    struct record_contact mine, theirs = {RECORD_CONTACT_NONE, 0};
    struct key k;

    if (record_get_contact(value, &mine) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (c->at.first == c->at.second || check_user(c, c->at.first) == NULL
        || check_user(c, c->at.second) == NULL) {
        check_defect(c, CHECK_USER, "a contact of nobody");
        return;
    }

    key_contact(&k, c->at.second, c->at.first);

    if (check_get(c, &k, &c->value)) {
        (void) record_get_contact(buf_str(&c->value), &theirs);
    }

    if (theirs.state != other_side[mine.state]) {
        check_defect(c, CHECK_CONTACT, "the other side is %u, not %u",
                     theirs.state, other_side[mine.state]);
    }
}


void
check_removal(struct check *c, struct str value)
{
    uint64_t at;

    if (record_get_u64(value, &at) != 0 || at == 0) {
        check_defect(c, CHECK_VALUE, "damaged");
    }

    if (check_user(c, c->at.first) == NULL) {
        check_defect(c, CHECK_USER, "a removed device of nobody");
    }
}


void
check_profile(struct check *c, struct str value)
{
    struct record_profile p;
    struct key k;

    if (record_get_profile(value, &p) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (check_user(c, c->at.first) == NULL) {
        check_defect(c, CHECK_USER, "a profile of nobody");
        return;
    }

    buf_reset(&c->text, STORAGE_PAGE_BYTES);
    fold_put(&c->text, p.display_name, KEY_TEXT_MAX);

    if (c->text.len != 0) {
        key_search(&k, buf_str(&c->text), c->at.first);

        if (!check_get(c, &k, &c->value)) {
            check_defect(c, CHECK_NAME, "the name is not in the index");
        }
    }
}


/* Whoever has an account counts as one who has connected: his id is taken. */
void
check_account(struct check *c, struct str value)
{
    struct record_account a;
    struct record_user u;
    struct key k;

    if (record_get_account(value, &a) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
    }

    key_user(&k, c->at.first);

    if (!check_get(c, &k, &c->value)
        || record_get_user(buf_str(&c->value), &u) != 0) {
        check_defect(c, CHECK_USER, "an account of nobody");

    } else if ((u.flags & RECORD_USER_CONNECTED) == 0) {
        check_defect(c, CHECK_NAME, "its user has not connected");
    }
}


void
check_ended(struct check *c, struct str value)
{
    uint64_t until;

    if (record_get_u64(value, &until) != 0 || until == 0) {
        check_defect(c, CHECK_VALUE, "damaged");
    }

    if (check_user(c, c->at.first) == NULL) {
        check_defect(c, CHECK_USER, "an ended login of nobody");
    }
}


/* A text of the index is the fold of its user's id or display name. */
void
check_search(struct check *c, struct str value)
{
    const struct check_user *u = check_user(c, c->at.first);
    struct record_profile p;
    struct key k;

    if (record_get_membership(value) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
    }

    if (u == NULL) {
        check_defect(c, CHECK_USER, "the index leads to nobody");
        return;
    }


    buf_reset(&c->text, STORAGE_PAGE_BYTES);
    fold_put(&c->text, (struct str){u->name, u->len}, KEY_TEXT_MAX);

    if (str_eq(buf_str(&c->text), c->at.name)) {
        return;
    }

    key_profile(&k, c->at.first);
    buf_reset(&c->text, STORAGE_PAGE_BYTES);

    if (check_get(c, &k, &c->value)
        && record_get_profile(buf_str(&c->value), &p) == 0) {
        fold_put(&c->text, p.display_name, KEY_TEXT_MAX);
    }

    if (!str_eq(buf_str(&c->text), c->at.name)) {
        check_defect(c, CHECK_NAME, "user %" PRIu64 " is not of that name",
                     c->at.first);
    }
}


void
check_activity(struct check *c, struct str value)
{
    uint64_t at;

    if (record_get_u64(value, &at) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
    }

    if (c->at.kind == KEY_ONLINE && c->at.first == KEY_NOBODY) {
        return;
    }

    if (check_user(c, c->at.first) == NULL) {
        check_defect(c, CHECK_USER, "a time of nobody");
    }
}


void
check_indexed(struct check *c, struct str value)
{
    uint32_t version;

    if (record_get_u32(value, &version) != 0 || version == 0) {
        check_defect(c, CHECK_VALUE, "damaged");
    }
}


/* Only a group that has members has invites. */
void
check_invite(struct check *c, struct str value)
{
    const struct record_channel *channel = check_channel(c, c->at.first);
    struct record_invite v;
    struct key k;

    if (record_get_invite(value, &v) != 0 || c->at.name.len != KEY_SECRET_LEN) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (channel == NULL) {
        check_defect(c, CHECK_CHANNEL, "an invite to no channel");
        return;
    }

    if (channel->kind != RECORD_GROUP || channel->n_members == 0) {
        check_defect(c, CHECK_INVITE, "the channel is no group with members");
    }

    key_user_name(&k, v.creator);

    if (!check_get(c, &k, &c->value)) {
        check_defect(c, CHECK_USER, "an invite of nobody");
    }
}
