/*
 * The part of `chatd check` that judges outcomes: each refers to something
 * that was done.
 */

#include <inttypes.h>

#include "storage_check.h"

static void check_outcome(struct check *c, struct str value, uint64_t user);
static bool check_get_inbox(struct check *c, uint64_t user, uint64_t inbox_id,
                            struct record_inbox *i);


void
check_client(struct check *c, struct str value)
{
    struct record_clients clients = {c->at.name, value, 0};
    struct str id, outcome;
    uint64_t n = 0;
    int rc;

    while ((rc = record_next_client(&clients, &id, &outcome)) == 1) {
        c->at.name = id;
        check_outcome(c, outcome, c->at.second);
        n++;
    }

    if (rc != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
    }

    c->keys[KEY_CLIENT] += n == 0 ? 0 : n - 1; /* ids are what is counted */
}


void
check_request(struct check *c, struct str value)
{
    check_outcome(c, value, 0);
}


/* user: who must have sent the message, 0: whoever did. */
static void
check_outcome(struct check *c, struct str value, uint64_t user)
{
    struct record_outcome o;
    struct record_message m;
    struct record_inbox i;

    if (record_get_outcome(value, &o) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (o.kind == RECORD_OUTCOME_MESSAGE) {
        check_outcome_message(c, &o);
    }

    if (o.kind != RECORD_OUTCOME_SEND) {
        return;
    }

    if (!check_get_message(c, o.channel, o.message_id, &m)
        || m.sent_at != o.sent_at || (user != 0 && m.sender != user)) {
        check_defect(c, CHECK_OUTCOME,
                     "there is no such message %" PRIu64 " in channel %" PRIu64,
                     o.message_id, o.channel);
        return;
    }

    if (!check_get_inbox(c, m.sender, o.inbox_id, &i)
        || i.method != STORAGE_EVENT_MESSAGE_NEW || i.channel != o.channel
        || i.id != o.message_id) {
        check_defect(c, CHECK_OUTCOME,
                     "inbox entry %" PRIu64 " of user %" PRIu64
                     " is not message %" PRIu64 " of channel %" PRIu64,
                     o.inbox_id, m.sender, o.message_id, o.channel);
    }
}


static bool
check_get_inbox(struct check *c, uint64_t user, uint64_t inbox_id,
                struct record_inbox *i)
{
    struct record_inbox_run run;
    struct key k;

    key_inbox(&k, user, inbox_id);
    c->ops->iter_seek(c->look, key_str(&k));

    if (!c->ops->iter_valid(c->look)) {
        c->unreadable |= c->ops->iter_error(c->look) != 0;
        return false;
    }

    return record_get_inbox_run(c->ops->iter_key(c->look),
                                c->ops->iter_value(c->look), user, &run)
               == 0
           && inbox_id >= run.first
           && record_get_inbox(c->ops->iter_value(c->look),
                               (uint32_t) (inbox_id - run.first), i)
                  == 0;
}
