/*
 * storage_op, storage_result and storage_event to bytes and back; see the
 * header for the layout.  The tables of fields are written once there, so
 * that both directions read the same list.
 */

#include "storage_codec.h"

#define STR_OVERHEAD 4u
#define TARGET_SIZE  16u
#define ENTRY_SIZE   (8u + 1u + STR_OVERHEAD)

#define RESULT_DUPLICATE 0x01
#define RESULT_MORE      0x02

#define OP_FLAGS_KNOWN                                                         \
    (STORAGE_CONNECT | STORAGE_REFUSE_UNKNOWN | STORAGE_AFTER                  \
     | STORAGE_REPLAYED | STORAGE_KNOWN | STORAGE_ERASE)

enum field_bit {
#define FIELD_STR(name, max) FIELD_##name,
#define FIELD_NUMBER(name)   FIELD_##name,
    STORAGE_CODEC_STRS(FIELD_STR) STORAGE_CODEC_NUMBERS(FIELD_NUMBER)
#undef FIELD_STR
#undef FIELD_NUMBER
        FIELD_users,
    N_FIELDS
};

#define FIELD(name) (1u << FIELD_##name)

static uint32_t
op_mask(const struct storage_op *op)
{
    uint32_t mask = 0;

    /* NULL and empty differ: an avatar that is not given, and none */
#define MASK_STR(name, max)                                                    \
    if (op->name.data != NULL)                                                 \
        mask |= FIELD(name);
#define MASK_NUMBER(name)                                                      \
    if (op->name != 0)                                                         \
        mask |= FIELD(name);
    STORAGE_CODEC_STRS(MASK_STR)
    STORAGE_CODEC_NUMBERS(MASK_NUMBER)
#undef MASK_STR
#undef MASK_NUMBER

    if (op->n_users != 0) {
        mask |= FIELD(users);
    }
    return mask;
}

size_t
storage_codec_op_size(const struct storage_op *op)
{
    size_t size = 3 + 4 + STR_OVERHEAD;

#define SIZE_STR(name, max) size += STR_OVERHEAD + op->name.len;
#define SIZE_NUMBER(name)   size += 8;
    STORAGE_CODEC_STRS(SIZE_STR)
    STORAGE_CODEC_NUMBERS(SIZE_NUMBER)
#undef SIZE_STR
#undef SIZE_NUMBER

    for (uint32_t i = 0; i < op->n_users; i++) {
        size += STR_OVERHEAD + op->users[i].len;
    }
    return size;
}

void
storage_codec_put_op(struct chat_wire_writer *w, const struct storage_op *op)
{
    uint32_t mask = op_mask(op);

    chat_wire_put_u8(w, (uint8_t) op->type);
    chat_wire_put_u8(w, op->flags);
    chat_wire_put_u8(w, op->role);
    chat_wire_put_u32(w, mask);

#define PUT_STR(name, max)                                                     \
    if (mask & FIELD(name))                                                    \
        chat_wire_put_bytes(w, op->name.data, op->name.len);
#define PUT_NUMBER(name)                                                       \
    if (mask & FIELD(name))                                                    \
        chat_wire_put_u64(w, op->name);
    STORAGE_CODEC_STRS(PUT_STR)
    STORAGE_CODEC_NUMBERS(PUT_NUMBER)
#undef PUT_STR
#undef PUT_NUMBER

    if (mask & FIELD(users)) {
        chat_wire_put_u32(w, op->n_users);
        for (uint32_t i = 0; i < op->n_users; i++) {
            chat_wire_put_bytes(w, op->users[i].data, op->users[i].len);
        }
    }
}

static struct str
get_str(struct chat_wire_reader *r, size_t max)
{
    struct str s;

    s.data = (const char *) chat_wire_get_bytes(r, &s.len);
    if (s.len > max) {
        r->failed = 1;
    }
    return s;
}

static void
get_users(struct chat_wire_reader *r, struct storage_op *op, struct str *users)
{
    op->n_users = chat_wire_get_u32(r);
    if (op->n_users == 0 || op->n_users > STORAGE_USERS_LIMIT) {
        r->failed = 1;
        op->n_users = 0;
    }
    for (uint32_t i = 0; i < op->n_users; i++) {
        users[i] = get_str(r, STORAGE_ID_MAX);
    }
    op->users = users;
}

static bool
op_known(unsigned type)
{
    switch (type) {
#define OP_CASE(name, number, changes) case number:
        STORAGE_OPS(OP_CASE)
#undef OP_CASE
        return true;
    default:
        return false;
    }
}

int
storage_codec_get_op(struct chat_wire_reader *r, struct storage_op *op,
                     struct str *users)
{
    *op = (struct storage_op){.type = chat_wire_get_u8(r)};
    op->flags = chat_wire_get_u8(r);
    op->role = chat_wire_get_u8(r);
    uint32_t mask = chat_wire_get_u32(r);

    if (!op_known(op->type) || (op->flags & ~OP_FLAGS_KNOWN) != 0
        || op->role > STORAGE_OWNER || mask >= 1u << N_FIELDS) {
        return -1;
    }

    uint64_t v;

    /* a number that its field cannot hold is a bad frame */
#define GET_STR(name, max)                                                     \
    if (mask & FIELD(name))                                                    \
        op->name = get_str(r, max);
#define GET_NUMBER(name)                                                       \
    if (mask & FIELD(name)) {                                                  \
        v = chat_wire_get_u64(r);                                              \
        op->name = (__typeof__(op->name)) v;                                   \
        if (op->name != v)                                                     \
            r->failed = 1;                                                     \
    }
    STORAGE_CODEC_STRS(GET_STR)
    STORAGE_CODEC_NUMBERS(GET_NUMBER)
#undef GET_STR
#undef GET_NUMBER

    if (mask & FIELD(users)) {
        get_users(r, op, users);
    }
    if (op->user.len == 0 && op->type != STORAGE_LIST_USERS) {
        return -1;
    }
    return chat_wire_end(r);
}

size_t
storage_codec_result_size(const struct storage_result *result)
{
    size_t size = 2 + STR_OVERHEAD + result->json.len + 8 + 8 + 4;

    for (uint32_t i = 0; i < result->n_entries; i++) {
        size += ENTRY_SIZE + result->entries[i].tail.len;
    }
    return size;
}

void
storage_codec_put_result(struct chat_wire_writer *w,
                         const struct storage_result *result)
{
    chat_wire_put_u8(w, (uint8_t) result->status);
    chat_wire_put_u8(w, (uint8_t) ((result->duplicate ? RESULT_DUPLICATE : 0)
                                   | (result->more ? RESULT_MORE : 0)));
    chat_wire_put_bytes(w, result->json.data, result->json.len);
    chat_wire_put_u64(w, result->inbox_id);
    chat_wire_put_u64(w, result->number);
    chat_wire_put_u32(w, result->n_entries);
    for (uint32_t i = 0; i < result->n_entries; i++) {
        const struct storage_entry *e = &result->entries[i];

        chat_wire_put_u64(w, e->inbox_id);
        chat_wire_put_u8(w, (uint8_t) e->method);
        chat_wire_put_bytes(w, e->tail.data, e->tail.len);
    }
}

static bool
method_known(unsigned method)
{
    return (method >= STORAGE_EVENT_MESSAGE_NEW
            && method <= STORAGE_EVENT_PRESENCE)
           || method == STORAGE_EVENT_USER_ENDED
           || method == STORAGE_EVENT_TOKENS;
}

int
storage_codec_get_result(struct chat_wire_reader *r,
                         struct storage_result *result,
                         struct storage_entry *entries)
{
    uint8_t status = chat_wire_get_u8(r), bits = chat_wire_get_u8(r);

    *result = (struct storage_result){
        .status = status,
        .duplicate = (bits & RESULT_DUPLICATE) != 0,
        .more = (bits & RESULT_MORE) != 0,
        .entries = entries,
    };
    result->json = get_str(r, CHAT_WIRE_FRAME_MAX);
    result->inbox_id = chat_wire_get_u64(r);
    result->number = chat_wire_get_u64(r);

    uint32_t n = chat_wire_get_u32(r);

    if (status > STORAGE_STATUS_LAST || n > STORAGE_INBOX_LIMIT) {
        return -1;
    }

    for (uint32_t i = 0; i < n; i++) {
        entries[i].inbox_id = chat_wire_get_u64(r);
        entries[i].method = chat_wire_get_u8(r);
        entries[i].tail = get_str(r, CHAT_WIRE_FRAME_MAX);
        if (!method_known(entries[i].method)) {
            return -1;
        }
    }
    result->n_entries = n;
    return chat_wire_end(r);
}

size_t
storage_codec_event_size(const struct storage_event *e, uint32_t n_targets)
{
    return 1 + STR_OVERHEAD + e->tail.len + 4
           + (size_t) n_targets * TARGET_SIZE;
}

void
storage_codec_put_event(struct chat_wire_writer *w,
                        const struct storage_event *e, uint32_t n_targets)
{
    chat_wire_put_u8(w, (uint8_t) e->method);
    chat_wire_put_bytes(w, e->tail.data, e->tail.len);
    chat_wire_put_u32(w, n_targets);
}

void
storage_codec_put_target(struct chat_wire_writer *w,
                         const struct storage_target *t)
{
    chat_wire_put_u64(w, t->number);
    chat_wire_put_u64(w, t->inbox_id);
}

int
storage_codec_get_event(struct chat_wire_reader *r, struct storage_event *e)
{
    *e = (struct storage_event){.method = chat_wire_get_u8(r)};
    e->tail = get_str(r, CHAT_WIRE_FRAME_MAX);
    e->n_targets = chat_wire_get_u32(r);
    if (r->failed || !method_known(e->method)
        || (size_t) (r->end - r->pos) != (size_t) e->n_targets * TARGET_SIZE) {
        return -1;
    }
    return 0;
}

void
storage_codec_get_target(struct chat_wire_reader *r, struct storage_target *t)
{
    t->number = chat_wire_get_u64(r);
    t->inbox_id = chat_wire_get_u64(r);
}
