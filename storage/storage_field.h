/*
 * The fields that values of the embedded store are made of: a version, then
 * numbers, big-endian, and byte strings behind their length.  A put that does
 * not fit makes the buffer fail, a get that is not there the reader, for good.
 * For storage_record*.c.
 */

#ifndef STORAGE_FIELD_H
#define STORAGE_FIELD_H

#include <stdint.h>

#include "buf.h"

/* Reads a value front to back. */
struct record_reader {
    const unsigned char *pos;
    const unsigned char *end;
    bool failed;
};

/* The version, RECORD_VERSION. */
void record_put_start(struct buf *b);

/* The low len (1 to 8) bytes of n. */
void record_put_number(struct buf *b, uint64_t n, unsigned len);

/* The length in len_size bytes, then the bytes, at most max. */
void record_put_bytes(struct buf *b, struct str s, unsigned len_size,
                      size_t max);

/* Begins a value; one of another version fails. */
void record_read(struct record_reader *r, struct str value);

/* The same for kinds that have two layouts: the version of this one. */
unsigned record_read_either(struct record_reader *r, struct str value);

uint64_t record_get_number(struct record_reader *r, unsigned len);

/* Points into the value; empty on failure. */
struct str record_get_bytes(struct record_reader *r, unsigned len_size,
                            size_t max);

/* All that is left. */
struct str record_get_rest(struct record_reader *r);

/* 0 when everything was read and nothing failed, else -1. */
int record_end(const struct record_reader *r);

#endif
