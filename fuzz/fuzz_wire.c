/*
 * The codec of the links.  The input is read as the bytes of a socket: frames
 * one behind the other, each payload read by its type as its receiver does.
 * What decodes must encode to the same bytes again.
 */

#include "chat_wire.h"

#include <stdlib.h>
#include <string.h>


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


/* The bytes from `start` to the reader's place are what the writer made. */
static void
require_same(const struct chat_wire_reader *r, const unsigned char *start,
             const struct chat_wire_writer *w)
{
    size_t len = (size_t) (r->pos - start);

    require(!w->failed);
    require(chat_wire_written(w) == len);
    require(memcmp(w->start, start, len) == 0);
}


static void
read_hello(struct chat_wire_reader *r, struct chat_wire_writer *w)
{
    const unsigned char *start = r->pos;
    struct chat_wire_hello h;

    if (chat_wire_get_hello(r, &h) == 0) {
        chat_wire_put_hello(w, &h);
        require_same(r, start, w);
    }
}


static void
read_open(struct chat_wire_reader *r, struct chat_wire_writer *w)
{
    const unsigned char *start = r->pos, *address;
    struct chat_wire_identity id;
    struct chat_wire_limits limits;
    uint64_t after;
    size_t len;

    chat_wire_get_identity(r, &id);
    chat_wire_get_limits(r, &limits);
    after = chat_wire_get_u64(r);
    address = chat_wire_get_bytes(r, &len);

    if (chat_wire_end(r) == 0) {
        chat_wire_put_identity(w, &id);
        chat_wire_put_limits(w, &limits);
        chat_wire_put_u64(w, after);
        chat_wire_put_bytes(w, address, len);
        require_same(r, start, w);
    }
}


/* PUSH and EVENT: a list whose count is the peer's claim. */
static void
read_push(struct chat_wire_reader *r, struct chat_wire_writer *w)
{
    const unsigned char *start = r->pos, *head, *tail;
    size_t head_len, tail_len;
    uint32_t i, n;

    head = chat_wire_get_bytes(r, &head_len);
    tail = chat_wire_get_bytes(r, &tail_len);
    n = chat_wire_get_u32(r);

    chat_wire_put_bytes(w, head, head_len);
    chat_wire_put_bytes(w, tail, tail_len);
    chat_wire_put_u32(w, n);

    for (i = 0; i < n && !r->failed; i++) {
        chat_wire_put_u64(w, chat_wire_get_u64(r));
        chat_wire_put_u64(w, chat_wire_get_u64(r));
    }

    if (chat_wire_end(r) == 0) {
        require_same(r, start, w);
    }
}


static void
read_page(struct chat_wire_reader *r)
{
    const unsigned char *p;
    uint32_t i, n;
    size_t len;

    n = chat_wire_get_u32(r);

    for (i = 0; i < n && !r->failed; i++) {
        chat_wire_get_u64(r);
        p = chat_wire_get_bytes(r, &len);
        require(p <= r->end && len <= (size_t) (r->end - p));
    }
}


static void
read_stats(struct chat_wire_reader *r, struct chat_wire_writer *w)
{
    const unsigned char *start = r->pos, *rest;
    size_t len;

    chat_wire_put_u8(w, chat_wire_get_u8(r));
    chat_wire_put_u16(w, chat_wire_get_u16(r));
    chat_wire_put_u32(w, chat_wire_get_u32(r));
    rest = chat_wire_get_rest(r, &len);

    if (!r->failed) {
        chat_wire_put_raw(w, rest, len);
        require_same(r, start, w);
    }
}


static void
read_payload(const struct chat_wire_header *h, const unsigned char *payload,
             size_t len)
{
    struct chat_wire_reader r;
    struct chat_wire_writer w;
    unsigned char *mem;
    size_t size = len + 64;

    /* more than the payload: a failed read still puts its zeros */
    mem = malloc(size);
    require(mem != NULL);

    chat_wire_reader_init(&r, payload, len);
    chat_wire_writer_init(&w, mem, size);

    switch (h->type) {
    case CHAT_WIRE_HELLO:
        read_hello(&r, &w);
        break;
    case CHAT_WIRE_OPEN:
        read_open(&r, &w);
        break;
    case CHAT_WIRE_PUSH:
        read_push(&r, &w);
        break;
    case CHAT_WIRE_PAGE:
        read_page(&r);
        break;
    default:
        read_stats(&r, &w);
        break;
    }

    require(r.pos >= payload && r.pos <= payload + len);
    free(mem);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char out[CHAT_WIRE_HEADER_LEN];
    struct chat_wire_header h;

    require(chat_wire_home(data, size, 7) < 7);
    (void) chat_wire_hash(data, size);

    while (chat_wire_read_header(data, size, &h) == 1) {
        require(h.length >= CHAT_WIRE_HEADER_LEN
                && h.length <= CHAT_WIRE_FRAME_MAX);
        require(strcmp(chat_wire_type_name(h.type), "unknown") != 0);

        chat_wire_write_header(out, &h);
        require(memcmp(out, data, sizeof(out)) == 0);

        if (h.length > size) {
            break;
        }

        read_payload(&h, data + CHAT_WIRE_HEADER_LEN,
                     h.length - CHAT_WIRE_HEADER_LEN);
        data += h.length;
        size -= h.length;
    }

    return 0;
}
