/*
 * The values that tell a repeated request what it did: the outcome of one, and
 * the client_ids of a user with theirs.  See storage_record.h.
 */

#include "storage_record.h"

#include <string.h>

#include "storage_field.h"


void
record_put_outcome(struct buf *b, const struct record_outcome *o)
{
    record_put_start(b);
    record_put_number(b, o->kind, 1);

    switch (o->kind) {
    case RECORD_OUTCOME_EMPTY:
        break;
    case RECORD_OUTCOME_SEND:
        record_put_number(b, o->channel, 8);
        record_put_number(b, o->message_id, 8);
        record_put_number(b, o->inbox_id, 8);
        record_put_number(b, o->sent_at, 8);
        break;
    case RECORD_OUTCOME_JSON:
        buf_put_str(b, o->json);
        break;
    case RECORD_OUTCOME_MESSAGE:
        record_put_number(b, o->channel, 8);
        record_put_number(b, o->message_id, 8);
        record_put_number(b, o->rev, 4);
        break;
    }
}


int
record_get_outcome(struct str value, struct record_outcome *o)
{
    struct record_reader r;

    memset(o, 0, sizeof(*o));
    record_read(&r, value);
    o->kind = (enum record_outcome_kind) record_get_number(&r, 1);

    switch (o->kind) {
    case RECORD_OUTCOME_EMPTY:
        return record_end(&r);
    case RECORD_OUTCOME_SEND:
        o->channel = record_get_number(&r, 8);
        o->message_id = record_get_number(&r, 8);
        o->inbox_id = record_get_number(&r, 8);
        o->sent_at = record_get_number(&r, 8);
        if (o->channel == 0 || o->message_id == 0 || o->inbox_id == 0) {
            return -1;
        }
        return record_end(&r);
    case RECORD_OUTCOME_JSON:
        o->json = record_get_rest(&r);
        return o->json.len > 0 ? record_end(&r) : -1;
    case RECORD_OUTCOME_MESSAGE:
        o->channel = record_get_number(&r, 8);
        o->message_id = record_get_number(&r, 8);
        o->rev = (uint32_t) record_get_number(&r, 4);
        if (o->channel == 0 || o->message_id == 0) {
            return -1;
        }
        return record_end(&r);
    }

    return -1;
}


void
record_put_client(struct buf *b, struct str client_id,
                  const struct record_outcome *o)
{
    size_t at, len;
    unsigned i;

    if (b->len == 0) {
        record_put_number(b, RECORD_VERSION_2, 1);
    }

    record_put_bytes(b, client_id, 1, STORAGE_ID_MAX);
    at = b->len;
    record_put_number(b, 0, 4);
    record_put_outcome(b, o);

    if (buf_failed(b)) {
        return;
    }

    len = b->len - at - 4;

    for (i = 0; i < 4; i++) {
        b->data[at + i] = (char) (len >> (8 * (3 - i)));
    }
}


int
record_next_client(struct record_clients *c, struct str *client_id,
                   struct str *outcome)
{
    struct record_reader r;
    unsigned version = record_read_either(&r, c->value);

    if (c->at == c->value.len) {
        return c->at == 0 ? -1 : 0;
    }

    if (version == RECORD_VERSION) {
        c->at = c->value.len;
        *client_id = c->name;
        *outcome = c->value;
        return 1;
    }

    if (c->at != 0) {
        r.pos = (const unsigned char *) c->value.data + c->at;
    }

    *client_id = record_get_bytes(&r, 1, STORAGE_ID_MAX);
    *outcome = record_get_bytes(&r, 4, UINT32_MAX);

    if (r.failed || client_id->len == 0) {
        return -1;
    }

    c->at = (size_t) ((const char *) r.pos - c->value.data);
    return 1;
}
