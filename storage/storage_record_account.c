/* The values of accounts; see storage_record.h. */

#include "storage_record.h"

#include "storage_field.h"


void
record_put_account(struct buf *b, const struct record_account *a)
{
    record_put_start(b);
    record_put_number(b, a->flags, 1);
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
    a->flags = (uint8_t) record_get_number(&r, 1);
    a->created_at = record_get_number(&r, 8);
    a->epoch = record_get_number(&r, 8);
    a->kept = record_get_bytes(&r, 1, STORAGE_JTI_MAX);
    a->secret = record_get_bytes(&r, 2, STORAGE_SECRET_MAX);

    if ((a->flags & ~(RECORD_ACCOUNT_DISABLED | RECORD_ACCOUNT_DELETED)) != 0
        || a->epoch == 0 || a->secret.len == 0) {
        return -1;
    }

    return record_end(&r);
}
