/* See storage_field.h. */

#include "storage_field.h"

#include "storage_record.h"


void
record_put_start(struct buf *b)
{
    record_put_number(b, RECORD_VERSION, 1);
}


void
record_put_number(struct buf *b, uint64_t n, unsigned len)
{
    unsigned char bytes[8];

    for (unsigned i = 0; i < len; i++) {
        bytes[i] = (unsigned char) (n >> (8 * (len - 1 - i)));
    }

    buf_put(b, bytes, len);
}


void
record_put_bytes(struct buf *b, struct str s, unsigned len_size, size_t max)
{
    if (s.len > max) {
        b->failed = true;
        return;
    }

    record_put_number(b, s.len, len_size);
    buf_put_str(b, s);
}


void
record_read(struct record_reader *r, struct str value)
{
    /* an empty value may come without an address to count from */
    r->pos = (const unsigned char *) (value.len > 0 ? value.data : "");
    r->end = r->pos + value.len;
    r->failed = false;

    if (record_get_number(r, 1) != RECORD_VERSION) {
        r->failed = true;
    }
}


unsigned
record_read_either(struct record_reader *r, struct str value)
{
    unsigned version = value.len > 0 ? (unsigned char) value.data[0] : 0;

    r->pos = (const unsigned char *) (value.len > 0 ? value.data : "");
    r->end = r->pos + value.len;
    r->failed = version != RECORD_VERSION && version != RECORD_VERSION_2;

    if (!r->failed) {
        r->pos++;
    }

    return version;
}


uint64_t
record_get_number(struct record_reader *r, unsigned len)
{
    uint64_t n = 0;

    if (r->failed || (size_t) (r->end - r->pos) < len) {
        r->failed = true;
        return 0;
    }

    for (unsigned i = 0; i < len; i++) {
        n = n << 8 | *r->pos++;
    }

    return n;
}


struct str
record_get_bytes(struct record_reader *r, unsigned len_size, size_t max)
{
    size_t len = record_get_number(r, len_size);
    struct str s = {(const char *) r->pos, len};

    if (r->failed || len > max || (size_t) (r->end - r->pos) < len) {
        r->failed = true;
        return (struct str){NULL, 0};
    }

    r->pos += len;
    return s;
}


struct str
record_get_rest(struct record_reader *r)
{
    struct str s = {(const char *) r->pos, (size_t) (r->end - r->pos)};

    r->pos = r->end;
    return s;
}


int
record_end(const struct record_reader *r)
{
    return r->failed || r->pos != r->end ? -1 : 0;
}
