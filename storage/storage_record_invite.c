/* The value of an invite; see storage_record.h. */

#include "storage_field.h"
#include "storage_record.h"


void
record_put_invite(struct buf *b, const struct record_invite *i)
{
    record_put_start(b);
    record_put_bytes(b, i->creator, 1, STORAGE_ID_MAX);
    record_put_number(b, i->created_at, 8);
    record_put_number(b, i->expires_at, 8);
    record_put_number(b, i->max_uses, 4);
    record_put_number(b, i->uses, 4);
    record_put_number(b, i->revoked, 1);
}


int
record_get_invite(struct str value, struct record_invite *i)
{
    struct record_reader r;
    uint64_t revoked;

    record_read(&r, value);
    i->creator = record_get_bytes(&r, 1, STORAGE_ID_MAX);
    i->created_at = record_get_number(&r, 8);
    i->expires_at = record_get_number(&r, 8);
    i->max_uses = (uint32_t) record_get_number(&r, 4);
    i->uses = (uint32_t) record_get_number(&r, 4);
    revoked = record_get_number(&r, 1);
    i->revoked = revoked == 1;

    if (i->creator.len == 0 || revoked > 1
        || (i->max_uses != 0 && i->uses > i->max_uses)) {
        return -1;
    }

    return record_end(&r);
}
