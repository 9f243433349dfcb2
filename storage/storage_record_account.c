/*
 * The values of accounts and of what is left of deleted users; see
 * storage_record.h.
 */

#include "storage_record.h"

#include "storage_field.h"


void
record_put_account(struct buf *b, const struct record_account *a)
{
    record_put_start(b);
    record_put_number(b, a->created_at, 8);
    record_put_number(b, a->epoch, 8);
    record_put_bytes(b, a->kept, 1, STORAGE_JTI_MAX);
    record_put_bytes(b, a->secret, 2, STORAGE_SECRET_MAX);
}


int
record_get_account(struct str value, struct record_account *a)
{
    struct record_reader r;

    record_read(&r, value);
    a->created_at = record_get_number(&r, 8);
    a->epoch = record_get_number(&r, 8);
    a->kept = record_get_bytes(&r, 1, STORAGE_JTI_MAX);
    a->secret = record_get_bytes(&r, 2, STORAGE_SECRET_MAX);

    if (a->epoch == 0 || a->secret.len == 0) {
        return -1;
    }

    return record_end(&r);
}


void
record_put_ending(struct buf *b, const struct record_ending *e)
{
    record_put_start(b);
    record_put_number(b, e->flags, 1);
    record_put_number(b, e->phase, 1);
    record_put_number(b, e->at, 8);
    record_put_number(b, e->cursor, 8);
    record_put_number(b, e->upto, 8);
}


int
record_get_ending(struct str value, struct record_ending *e)
{
    struct record_reader r;

    record_read(&r, value);
    e->flags = (uint8_t) record_get_number(&r, 1);
    e->phase = (uint8_t) record_get_number(&r, 1);
    e->at = record_get_number(&r, 8);
    e->cursor = record_get_number(&r, 8);
    e->upto = record_get_number(&r, 8);

    if ((e->flags & ~RECORD_ENDING_ERASE) != 0
        || e->phase < RECORD_ENDING_DEVICES || e->phase > RECORD_ENDING_LAST) {
        return -1;
    }

    return record_end(&r);
}
