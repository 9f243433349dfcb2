#include "chat_wire.h"

#include <endian.h>
#include <string.h>


/* by type; from is NULL where there is none */
static const struct {
    const char *name;
    const char *from;
} frames[] = {
#define FRAME_ROW(name, number, from) [number] = {#name, from},
    CHAT_WIRE_FRAMES(FRAME_ROW)
#undef FRAME_ROW
};

#define NFRAMES (sizeof(frames) / sizeof(frames[0]))


static int
frame_known(unsigned type)
{
    return type < NFRAMES && frames[type].from != NULL;
}


const char *
chat_wire_type_name(unsigned type)
{
    return frame_known(type) ? frames[type].name : "unknown";
}


int
chat_wire_may_send(enum chat_wire_role role, unsigned type)
{
    static const char letters[] = {0, 'N', 'W', 'S', 'C'};

    if (role < CHAT_WIRE_NGINX || role > CHAT_WIRE_CONTROL
        || !frame_known(type)) {
        return 0;
    }

    return strchr(frames[type].from, letters[role]) != NULL;
}


uint32_t
chat_wire_hash(const void *data, size_t len)
{
    const unsigned char *p = data;
    uint32_t h = 2166136261u;

    while (len--) {
        h = (h ^ *p++) * 16777619u;
    }

    return h;
}


unsigned
chat_wire_home(const void *user, size_t len, unsigned n_workers)
{
    uint32_t h = chat_wire_hash(user, len);

    /* FNV's low bits are weak for short ids: fold the high ones in. */
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;

    return h % n_workers;
}


/* n is a constant up to 8 wherever they are called */
static inline void
store_le(unsigned char *p, uint64_t v, size_t n)
{
    v = htole64(v);
    memcpy(p, &v, n);
}


static inline uint64_t
load_le(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    memcpy(&v, p, n);

    return le64toh(v);
}


void
chat_wire_write_header(unsigned char out[CHAT_WIRE_HEADER_LEN],
                       const struct chat_wire_header *h)
{
    store_le(out, h->length, 4);
    out[4] = h->type;
    out[5] = h->flags;
    store_le(out + 6, h->replays, 2);
    store_le(out + 8, h->id, 8);
}


int
chat_wire_read_header(const unsigned char *data, size_t len,
                      struct chat_wire_header *h)
{
    if (len < CHAT_WIRE_HEADER_LEN) {
        return 0;
    }

    h->length = (uint32_t) load_le(data, 4);
    h->type = data[4];
    h->flags = data[5];
    h->replays = (uint16_t) load_le(data + 6, 2);
    h->id = load_le(data + 8, 8);

    if (h->length < CHAT_WIRE_HEADER_LEN || h->length > CHAT_WIRE_FRAME_MAX) {
        return -1;
    }

    return frame_known(h->type) ? 1 : -1;
}


void
chat_wire_writer_init(struct chat_wire_writer *w, void *mem, size_t size)
{
    w->start = mem;
    w->pos = mem;
    w->end = w->start + size;
    w->failed = 0;
}


static inline void
put_le(struct chat_wire_writer *w, uint64_t v, size_t n)
{
    if (w->failed || (size_t) (w->end - w->pos) < n) {
        w->failed = 1;
        return;
    }

    store_le(w->pos, v, n);
    w->pos += n;
}


void
chat_wire_put_u8(struct chat_wire_writer *w, uint8_t v)
{
    put_le(w, v, 1);
}


void
chat_wire_put_u16(struct chat_wire_writer *w, uint16_t v)
{
    put_le(w, v, 2);
}


void
chat_wire_put_u32(struct chat_wire_writer *w, uint32_t v)
{
    put_le(w, v, 4);
}


void
chat_wire_put_u64(struct chat_wire_writer *w, uint64_t v)
{
    put_le(w, v, 8);
}


void
chat_wire_put_raw(struct chat_wire_writer *w, const void *data, size_t len)
{
    if (w->failed || (size_t) (w->end - w->pos) < len) {
        w->failed = 1;
        return;
    }

    if (len) {
        memcpy(w->pos, data, len);
        w->pos += len;
    }
}


void
chat_wire_put_bytes(struct chat_wire_writer *w, const void *data, size_t len)
{
    if (w->failed || (size_t) (w->end - w->pos) < 4
        || (size_t) (w->end - w->pos) - 4 < len) {
        w->failed = 1;
        return;
    }

    put_le(w, len, 4);
    chat_wire_put_raw(w, data, len);
}


size_t
chat_wire_written(const struct chat_wire_writer *w)
{
    return (size_t) (w->pos - w->start);
}


void
chat_wire_reader_init(struct chat_wire_reader *r, const void *data, size_t len)
{
    r->pos = data;
    r->end = r->pos + len;
    r->failed = 0;
}


static inline uint64_t
get_le(struct chat_wire_reader *r, size_t n)
{
    uint64_t v;

    if (r->failed || (size_t) (r->end - r->pos) < n) {
        r->failed = 1;
        return 0;
    }

    v = load_le(r->pos, n);
    r->pos += n;

    return v;
}


uint8_t
chat_wire_get_u8(struct chat_wire_reader *r)
{
    return (uint8_t) get_le(r, 1);
}


uint16_t
chat_wire_get_u16(struct chat_wire_reader *r)
{
    return (uint16_t) get_le(r, 2);
}


uint32_t
chat_wire_get_u32(struct chat_wire_reader *r)
{
    return (uint32_t) get_le(r, 4);
}


uint64_t
chat_wire_get_u64(struct chat_wire_reader *r)
{
    return get_le(r, 8);
}


const unsigned char *
chat_wire_get_bytes(struct chat_wire_reader *r, size_t *len)
{
    const unsigned char *p;
    size_t n;

    n = (size_t) get_le(r, 4);

    if (r->failed || (size_t) (r->end - r->pos) < n) {
        r->failed = 1;
        *len = 0;
        return r->pos;
    }

    p = r->pos;
    r->pos += n;
    *len = n;

    return p;
}


const unsigned char *
chat_wire_get_rest(struct chat_wire_reader *r, size_t *len)
{
    const unsigned char *p = r->pos;

    *len = r->failed ? 0 : (size_t) (r->end - r->pos);
    r->pos = r->end;

    return p;
}


int
chat_wire_end(const struct chat_wire_reader *r)
{
    return (r->failed || r->pos != r->end) ? -1 : 0;
}


void
chat_wire_put_hello(struct chat_wire_writer *w, const struct chat_wire_hello *h)
{
    chat_wire_put_u32(w, CHAT_WIRE_MAGIC);
    chat_wire_put_u16(w, CHAT_WIRE_VERSION);
    chat_wire_put_u16(w, h->role);
    chat_wire_put_u32(w, h->pid);
    chat_wire_put_u64(w, h->instance);
    chat_wire_put_u64(w, h->generation);
    chat_wire_put_u32(w, h->settings_hash);
    chat_wire_put_u16(w, h->n_workers);
    chat_wire_put_u16(w, h->index);
    chat_wire_put_u64(w, h->sequence);
    chat_wire_put_bytes(w, h->error, h->error_len);
}


int
chat_wire_get_hello(struct chat_wire_reader *r, struct chat_wire_hello *h)
{
    uint16_t version;

    memset(h, 0, sizeof(*h));

    if (chat_wire_get_u32(r) != CHAT_WIRE_MAGIC) {
        return -1;
    }

    version = chat_wire_get_u16(r);
    h->role = chat_wire_get_u16(r);

    if (r->failed) {
        return -1;
    }

    if (version != CHAT_WIRE_VERSION) {
        return -2;
    }

    h->pid = chat_wire_get_u32(r);
    h->instance = chat_wire_get_u64(r);
    h->generation = chat_wire_get_u64(r);
    h->settings_hash = chat_wire_get_u32(r);
    h->n_workers = chat_wire_get_u16(r);
    h->index = chat_wire_get_u16(r);
    h->sequence = chat_wire_get_u64(r);
    h->error = chat_wire_get_bytes(r, &h->error_len);

    return chat_wire_end(r);
}


void
chat_wire_put_identity(struct chat_wire_writer *w,
                       const struct chat_wire_identity *id)
{
    chat_wire_put_bytes(w, id->user, id->user_len);
    chat_wire_put_bytes(w, id->device, id->device_len);
    chat_wire_put_bytes(w, id->jti, id->jti_len);
    chat_wire_put_u64(w, id->issued_at);
    chat_wire_put_u64(w, id->expires_at);
}


void
chat_wire_get_identity(struct chat_wire_reader *r,
                       struct chat_wire_identity *id)
{
    id->user = chat_wire_get_bytes(r, &id->user_len);
    id->device = chat_wire_get_bytes(r, &id->device_len);
    id->jti = chat_wire_get_bytes(r, &id->jti_len);
    id->issued_at = chat_wire_get_u64(r);
    id->expires_at = chat_wire_get_u64(r);
}


void
chat_wire_put_account(struct chat_wire_writer *w,
                      const struct chat_wire_account *a)
{
    chat_wire_put_bytes(w, a->address, a->address_len);
    chat_wire_put_bytes(w, a->reserved, a->reserved_len);
    chat_wire_put_u64(w, a->lifetime_s);
}

void
chat_wire_get_account(struct chat_wire_reader *r, struct chat_wire_account *a)
{
    a->address = chat_wire_get_bytes(r, &a->address_len);
    a->reserved = chat_wire_get_bytes(r, &a->reserved_len);
    a->lifetime_s = chat_wire_get_u64(r);
}

void
chat_wire_put_limits(struct chat_wire_writer *w,
                     const struct chat_wire_limits *l)
{
    chat_wire_put_u32(w, l->heartbeat_s);
    chat_wire_put_u32(w, l->message_max);
    chat_wire_put_u32(w, l->rate);
    chat_wire_put_u32(w, l->burst);
}


void
chat_wire_get_limits(struct chat_wire_reader *r, struct chat_wire_limits *l)
{
    l->heartbeat_s = chat_wire_get_u32(r);
    l->message_max = chat_wire_get_u32(r);
    l->rate = chat_wire_get_u32(r);
    l->burst = chat_wire_get_u32(r);
}

void
chat_wire_put_resource(struct chat_wire_writer *w,
                       const struct chat_wire_resource *q)
{
    chat_wire_put_bytes(w, q->method, q->method_len);
    chat_wire_put_bytes(w, q->path, q->path_len);
    chat_wire_put_bytes(w, q->args, q->args_len);
    chat_wire_put_bytes(w, q->last_event_id, q->last_event_id_len);
}

void
chat_wire_get_resource(struct chat_wire_reader *r, struct chat_wire_resource *q)
{
    q->method = chat_wire_get_bytes(r, &q->method_len);
    q->path = chat_wire_get_bytes(r, &q->path_len);
    q->args = chat_wire_get_bytes(r, &q->args_len);
    q->last_event_id = chat_wire_get_bytes(r, &q->last_event_id_len);
}
