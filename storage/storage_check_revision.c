/*
 * The part of `chatd check` that judges what edits and deletions leave: all
 * revisions of a message that was edited, none of one that was deleted, whose
 * text must be gone.
 */

#include <inttypes.h>

#include "storage_check.h"
#include "storage_text.h"

static bool check_has_revision(struct check *c, uint64_t channel, uint64_t id,
                               uint32_t rev);


/* c->channel is the message's. */
void
check_changed_message(struct check *c, const struct record_message *m)
{
    uint32_t rev;

    if (m->deleted) {
        if (text_value(m->json, STR("deleted_at")).data == NULL
            || text_value(m->json, STR("text")).data != NULL) {
            check_defect(c, CHECK_JSON, "deleted, and it does not say so");
        }

        return;
    }

    for (rev = 0; m->rev != 0 && rev <= m->rev && !c->unreadable; rev++) {
        if (!check_has_revision(c, c->at.first, c->at.second, rev)) {
            check_defect(c, CHECK_REVISION, "revision %u is not there",
                         (unsigned) rev);
        }
    }
}


void
check_revision(struct check *c, struct str value)
{
    struct record_message m;
    struct str json;

    if (record_get_revision(value, &json) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (check_channel(c, c->at.first) == NULL) {
        check_defect(c, CHECK_CHANNEL, "a revision in no channel");
        return;
    }

    if (!check_get_message(c, c->at.first, c->at.second, &m) || m.deleted
        || m.rev == 0 || c->at.third > m.rev) {
        check_defect(c, CHECK_REVISION, "revision %u of a message without",
                     (unsigned) c->at.third);
        return;
    }

    check_message_json(c, json, &m, c->at.second);
}


void
check_erased(struct check *c, struct str value)
{
    struct record_message m;
    uint32_t rev;

    if (record_get_u32(value, &rev) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (!check_get_message(c, c->at.first, c->at.second, &m) || !m.deleted
        || m.rev != rev) {
        check_defect(c, CHECK_REVISION, "the message was not deleted so");
    }
}


/* An entry of message.edited or message.deleted. */
void
check_inbox_revision(struct check *c, const struct record_inbox *i)
{
    struct record_message m;

    if (!check_get_message(c, i->channel, i->id, &m)) {
        return; /* told where the message is */
    }

    if (i->rev > m.rev
        || (i->method == STORAGE_EVENT_MESSAGE_DELETED && !m.deleted)
        || (i->method == STORAGE_EVENT_MESSAGE_EDITED && i->rev == 0)) {
        check_defect(c, CHECK_REFERENCE,
                     "message %" PRIu64 " of channel %" PRIu64
                     " has no revision %u",
                     i->id, i->channel, (unsigned) i->rev);
    }
}


void
check_outcome_message(struct check *c, const struct record_outcome *o)
{
    struct record_message m;

    if (!check_get_message(c, o->channel, o->message_id, &m)
        || o->rev > m.rev) {
        check_defect(c, CHECK_OUTCOME,
                     "there is no such message %" PRIu64 " in channel %" PRIu64,
                     o->message_id, o->channel);
    }
}


static bool
check_has_revision(struct check *c, uint64_t channel, uint64_t id, uint32_t rev)
{
    struct key k;

    key_revision(&k, channel, id, rev);
    return check_get(c, &k, &c->value);
}
