/*
 * The codec of operations, results and events.  The first byte picks which;
 * what is accepted must encode to as many bytes as the size functions say and
 * be accepted again.
 */

#include <stdlib.h>

#include "storage_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str users[STORAGE_USERS_LIMIT];
static struct storage_entry entries[STORAGE_INBOX_LIMIT];

static void
check(int condition)
{
    if (!condition) {
        abort();
    }
}

static void
fuzz_op(struct chat_wire_reader *r)
{
    struct str users_again[STORAGE_USERS_LIMIT];
    struct storage_op op, again;
    struct chat_wire_writer w;
    unsigned char *mem;
    size_t room;

    if (storage_codec_get_op(r, &op, users) != 0) {
        return;
    }
    room = storage_codec_op_size(&op);
    mem = malloc(room);
    if (mem == NULL) {
        return;
    }
    chat_wire_writer_init(&w, mem, room);
    storage_codec_put_op(&w, &op);
    check(!w.failed);
    chat_wire_reader_init(r, mem, chat_wire_written(&w));
    check(storage_codec_get_op(r, &again, users_again) == 0);
    check(str_eq(op.user, again.user) && op.n_users == again.n_users
          && op.number == again.number);
    free(mem);
}

static void
fuzz_result(struct chat_wire_reader *r)
{
    struct storage_result result;
    struct chat_wire_writer w;
    unsigned char *mem;
    size_t room;

    if (storage_codec_get_result(r, &result, entries) != 0) {
        return;
    }
    room = storage_codec_result_size(&result);
    mem = malloc(room);
    if (mem == NULL) {
        return;
    }
    chat_wire_writer_init(&w, mem, room);
    storage_codec_put_result(&w, &result);
    check(!w.failed && chat_wire_written(&w) == room);
    free(mem);
}

static void
fuzz_event(struct chat_wire_reader *r)
{
    struct storage_event e;
    struct storage_target t;

    if (storage_codec_get_event(r, &e) != 0) {
        return;
    }
    for (uint32_t i = 0; i < e.n_targets; i++) {
        storage_codec_get_target(r, &t);
    }
    check(chat_wire_end(r) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chat_wire_reader r;

    if (size == 0) {
        return 0;
    }
    chat_wire_reader_init(&r, data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        fuzz_op(&r);
        break;
    case 1:
        fuzz_result(&r);
        break;
    default:
        fuzz_event(&r);
        break;
    }
    return 0;
}
