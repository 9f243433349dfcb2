/*
 * The frame protocol of the Unix sockets between nginx and the chatd workers
 * and between the workers and the store: header, frame types, limits, and the
 * primitives both sides encode and decode with.  No allocation, no I/O and no
 * other header of ours: the nginx module, chatd, tests and fuzzers compile
 * this one codec.  chat_wire.md says what each payload holds and who may send
 * it when.
 *
 * Integers are little-endian, encoded byte by byte.  A byte string is its
 * length (u32) and its bytes, without a terminating NUL.
 */

#ifndef CHAT_WIRE_H
#define CHAT_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* A change of any number, field or meaning below is a new version. */
#define CHAT_WIRE_VERSION 1
#define CHAT_WIRE_MAGIC   0x54414843u /* "CHAT" */

#define CHAT_WIRE_HEADER_LEN 16

/* The longest frame, header included; a longer one ends the link. */
#define CHAT_WIRE_FRAME_MAX (32u << 20)

/* Of a PUSH: the text before the inbox id. */
#define CHAT_WIRE_HEAD_MAX 100

/* Workers in a pool: 1 ... CHAT_WIRE_WORKERS_MAX. */
#define CHAT_WIRE_WORKERS_MAX 64

/* User and device ids, a client_id, a channel id: bytes. */
#define CHAT_WIRE_ID_MAX      64
#define CHAT_WIRE_CHANNEL_MAX 160

/*
 * Every frame type: name, number, who sends it (N nginx, W worker, S store,
 * C chatctl).
 * Do not renumber.
 */
#define CHAT_WIRE_FRAMES(X)                                                    \
    X(HELLO, 1, "NWSC")                                                        \
    X(OPEN, 2, "N")                                                            \
    X(READY, 3, "W")                                                           \
    X(REFUSE, 4, "W")                                                          \
    X(REQUEST, 5, "N")                                                         \
    X(CALL, 6, "N")                                                            \
    X(REPLY, 7, "W")                                                           \
    X(PUSH, 8, "W")                                                            \
    X(PAGE, 9, "W")                                                            \
    X(CREDIT, 10, "N")                                                         \
    X(CLOSED, 11, "N")                                                         \
    X(END, 12, "W")                                                            \
    X(VERIFY, 13, "W")                                                         \
    X(VERIFIED, 14, "N")                                                       \
    X(NOTICE, 15, "W")                                                         \
    X(STATS, 16, "WS")                                                         \
    X(RENEWED, 17, "W")                                                        \
    X(DRAINED, 22, "N")                                                        \
    X(OP, 32, "WC")                                                            \
    X(RESULT, 33, "S")                                                         \
    X(EVENT, 34, "S")                                                          \
    X(RELAY, 35, "WS")                                                         \
    X(LOST, 36, "S")

enum chat_wire_type {
#define CHAT_WIRE_TYPE(name, number, from) CHAT_WIRE_##name = number,
    CHAT_WIRE_FRAMES(CHAT_WIRE_TYPE)
#undef CHAT_WIRE_TYPE
};

/* Who speaks, in a HELLO.  Do not renumber. */
enum chat_wire_role {
    CHAT_WIRE_NGINX = 1,
    CHAT_WIRE_WORKER = 2,
    CHAT_WIRE_STORE = 3,
    CHAT_WIRE_CONTROL = 4,
};

/* Flags of OPEN and CALL.  Do not renumber. */
#define CHAT_WIRE_RESUMED        0x01 /* OPEN: the connection lived before   */
#define CHAT_WIRE_AFTER          0x02 /* OPEN: `after` is given              */
#define CHAT_WIRE_REFUSE_UNKNOWN 0x04 /* chat_unknown_users refuse           */
#define CHAT_WIRE_RESOURCE       0x08 /* CALL: not JSON-RPC; REPLY: to such  */

/* Flags of a REPLY to a resource request, beside RESOURCE and AFTER: it is
 * answered by what happens from now on.  Do not renumber. */
#define CHAT_WIRE_EVENTS 0x10 /* a stream of events                  */
#define CHAT_WIRE_WAIT   0x20 /* the same request after the next one */

/* Of a REPLY to a resource request: nginx makes an ETag of its text. */
#define CHAT_WIRE_TAGGED 0x40

/* Of a REPLY: it counts in the next DRAINED of its connection. */
#define CHAT_WIRE_LARGE 0x80

/* CALL: about an account, possibly without a token; what an answer to it may
 * be: nginx signs a token that says this.  Do not renumber. */
#define CHAT_WIRE_ACCOUNT 0x40
#define CHAT_WIRE_TOKEN   0x01

/* REPLY to a resource request: one page of a long answer. */
#define CHAT_WIRE_PAGED 0x04

/* CALL: of the next page. */
#define CHAT_WIRE_NEXT 0x80

/* Levels of a NOTICE.  Do not renumber. */
enum chat_wire_level {
    CHAT_WIRE_LEVEL_ERROR = 1,
    CHAT_WIRE_LEVEL_WARN = 2,
    CHAT_WIRE_LEVEL_NOTICE = 3,
};

/*
 * The counters of a STATS frame, in the order of its values: name (also of
 * the metric), kind (counter or gauge), what it counts.  Every source sends
 * all of them, 0 where a counter is not its own.  Append only.
 */
#define CHAT_WIRE_COUNTERS(X)                                                  \
    X(starts, counter, "starts of this process's role in this pool")           \
    X(sessions, gauge, "sessions held")                                        \
    X(requests, counter, "JSON-RPC requests answered")                         \
    X(errors, counter, "JSON-RPC requests answered with an error")             \
    X(limited, counter, "requests refused by the rate limit")                  \
    X(pushes, counter, "events handed to connections")                         \
    X(behind, counter, "times a session fell behind its live events")          \
    X(pages, counter, "inbox pages read for sessions that were behind")        \
    X(replays, counter, "requests received again after a restart")             \
    X(queue_bytes, gauge, "bytes waiting to be written to links")              \
    X(commits, counter, "write batches committed")                             \
    X(commit_messages, counter, "messages in committed batches")               \
    X(commit_failures, counter, "write batches that failed")                   \
    X(commit_stall_us, gauge, "longest commit of the last minute in us")       \
    X(reopens, counter, "times the store was closed and opened again")         \
    X(lost, counter, "times events were dropped towards a slow worker")        \
    X(waiting, gauge, "operations sequenced and not yet committed")            \
    X(redis, gauge, "1 where chat_redis is set")                               \
    X(redis_up, gauge, "1 while presence goes through Redis")                  \
    X(redis_connects, counter, "connections to Redis made")                    \
    X(redis_failures, counter,                                                 \
      "connections and commands of Redis that failed")                         \
    X(redis_lag_us, gauge, "from a message to Redis until it came back in us") \
    X(redis_users, gauge, "users online at other machines")                    \
    X(turn_us, gauge, "longest turn of the loop of the last minute in us")     \
    X(turn_cpu_us, gauge,                                                      \
      "most processor time of one turn of the loop of the last minute in us")  \
    X(cache_bytes, gauge, "bytes of channels and users in memory")             \
    X(cache_misses, counter, "channels and users looked up on the disk")

enum chat_wire_counter {
#define CHAT_WIRE_COUNTER(name, kind, help) CHAT_WIRE_COUNTER_##name,
    CHAT_WIRE_COUNTERS(CHAT_WIRE_COUNTER)
#undef CHAT_WIRE_COUNTER
        CHAT_WIRE_NCOUNTERS
};

struct chat_wire_header {
    uint32_t length;  /* of the frame, header included          */
    uint8_t type;     /* enum chat_wire_type                    */
    uint8_t flags;    /* by type                                */
    uint16_t replays; /* how often this request was sent before */
    uint64_t id;      /* handle or request number, by type      */
};

/*
 * Encodes into memory the caller owns.  A put that does not fit writes
 * nothing and makes the writer fail for good: one check after many puts.
 */
struct chat_wire_writer {
    unsigned char *start;
    unsigned char *pos;
    unsigned char *end;
    int failed;
};

/*
 * Decodes memory the caller owns.  A get beyond the end returns 0 (or an
 * empty string) and makes the reader fail for good.
 */
struct chat_wire_reader {
    const unsigned char *pos;
    const unsigned char *end;
    int failed;
};

/* The name of a frame type for logs; "unknown" where there is none. */
const char *chat_wire_type_name(unsigned type);

/* 1 if a frame of this type may come from this role, else 0. */
int chat_wire_may_send(enum chat_wire_role role, unsigned type);

/*
 * The home worker, 0 ... n_workers - 1, of a user id: all connections of a
 * user meet there.  n_workers is at least 1.
 */
unsigned chat_wire_home(const void *user, size_t len, unsigned n_workers);

/* A hash of settings text for HELLO (FNV-1a, 32 bits; not for tables). */
uint32_t chat_wire_hash(const void *data, size_t len);

void chat_wire_write_header(unsigned char out[CHAT_WIRE_HEADER_LEN],
                            const struct chat_wire_header *h);

/*
 * Reads the header that begins a frame.  Returns 1 when the header is good,
 * 0 when fewer than CHAT_WIRE_HEADER_LEN bytes are there, -1 when the type is
 * unknown or the length is below the header's or above CHAT_WIRE_FRAME_MAX
 * (the link must end then).  Says nothing about whether the payload is there.
 */
int chat_wire_read_header(const unsigned char *data, size_t len,
                          struct chat_wire_header *h);

void chat_wire_writer_init(struct chat_wire_writer *w, void *mem, size_t size);
void chat_wire_put_u8(struct chat_wire_writer *w, uint8_t v);
void chat_wire_put_u16(struct chat_wire_writer *w, uint16_t v);
void chat_wire_put_u32(struct chat_wire_writer *w, uint32_t v);
void chat_wire_put_u64(struct chat_wire_writer *w, uint64_t v);

/* A byte string: u32 length, bytes.  data may be NULL when len is 0. */
void chat_wire_put_bytes(struct chat_wire_writer *w, const void *data,
                         size_t len);

/* Bytes without a length: the rest of a payload. */
void chat_wire_put_raw(struct chat_wire_writer *w, const void *data,
                       size_t len);

/* Bytes written so far. */
size_t chat_wire_written(const struct chat_wire_writer *w);

void chat_wire_reader_init(struct chat_wire_reader *r, const void *data,
                           size_t len);
uint8_t chat_wire_get_u8(struct chat_wire_reader *r);
uint16_t chat_wire_get_u16(struct chat_wire_reader *r);
uint32_t chat_wire_get_u32(struct chat_wire_reader *r);
uint64_t chat_wire_get_u64(struct chat_wire_reader *r);

/*
 * A byte string: its length in *len and a pointer into the reader's memory;
 * *len is 0 on failure.
 */
const unsigned char *chat_wire_get_bytes(struct chat_wire_reader *r,
                                         size_t *len);

/* All that is left, which may be nothing. */
const unsigned char *chat_wire_get_rest(struct chat_wire_reader *r,
                                        size_t *len);

/* 0 when everything was read and nothing failed, else -1. */
int chat_wire_end(const struct chat_wire_reader *r);

/* Bytes of a HELLO's payload beside its error text. */
#define CHAT_WIRE_HELLO_LEN 48

/* What a HELLO says.  `error` points into the frame it was read from. */
struct chat_wire_hello {
    uint16_t role;          /* enum chat_wire_role                         */
    uint32_t pid;           /* of the sender                               */
    uint64_t instance;      /* random, new with each start of the sender   */
    uint64_t generation;    /* of the settings the sender knows            */
    uint32_t settings_hash; /* chat_wire_hash of those settings            */
    uint16_t n_workers;     /* chatd: workers in the pool; nginx: 0        */
    uint16_t index;         /* of the worker; nginx: its worker number     */
    uint64_t sequence;      /* store link: last global sequence number     */
    const unsigned char *error; /* not empty: refused, text for the log    */
    size_t error_len;
};

void chat_wire_put_hello(struct chat_wire_writer *w,
                         const struct chat_wire_hello *h);

/*
 * Reads a HELLO's payload.  Returns 0, -1 when it is malformed, or -2 when
 * the other side speaks another version (only the role is known then).
 */
int chat_wire_get_hello(struct chat_wire_reader *r, struct chat_wire_hello *h);

/*
 * Who a session or call acts for: the first part of OPEN and CALL, and of
 * VERIFIED.  Strings point into the frame, or are the sender's.
 */
struct chat_wire_identity {
    const unsigned char *user;
    size_t user_len;
    const unsigned char *device; /* empty: none was given          */
    size_t device_len;
    const unsigned char *jti; /* empty: none                       */
    size_t jti_len;
    uint64_t issued_at;  /* s since the epoch, 0: none             */
    uint64_t expires_at; /* s since the epoch                      */
};

void chat_wire_put_identity(struct chat_wire_writer *w,
                            const struct chat_wire_identity *id);
void chat_wire_get_identity(struct chat_wire_reader *r,
                            struct chat_wire_identity *id);

/* What a location's configuration says to its sessions: behind an identity. */
struct chat_wire_limits {
    uint32_t heartbeat_s;
    uint32_t message_max; /* bytes                                         */
    uint32_t rate;        /* requests a second times 1000; 0: no limit     */
    uint32_t burst;       /* requests                                      */
};

/* A request for a resource: in a CALL with CHAT_WIRE_RESOURCE behind the
 * limits, before the body. */
struct chat_wire_resource {
    const unsigned char *method;
    size_t method_len;
    const unsigned char *path; /* below the location's prefix, decoded     */
    size_t path_len;
    const unsigned char *args; /* as sent                                  */
    size_t args_len;
    const unsigned char *last_event_id; /* the header's value, or empty    */
    size_t last_event_id_len;
};

void chat_wire_put_resource(struct chat_wire_writer *w,
                            const struct chat_wire_resource *q);
void chat_wire_get_resource(struct chat_wire_reader *r,
                            struct chat_wire_resource *q);

/* In a CALL with CHAT_WIRE_ACCOUNT, behind the resource, before the body. */
struct chat_wire_account {
    const unsigned char *address; /* the client's, as text                 */
    size_t address_len;
    const unsigned char *reserved; /* prefix that signing up refuses        */
    size_t reserved_len;
    uint64_t lifetime_s; /* of a token made here                           */
};

void chat_wire_put_account(struct chat_wire_writer *w,
                           const struct chat_wire_account *a);
void chat_wire_get_account(struct chat_wire_reader *r,
                           struct chat_wire_account *a);

void chat_wire_put_limits(struct chat_wire_writer *w,
                          const struct chat_wire_limits *l);
void chat_wire_get_limits(struct chat_wire_reader *r,
                          struct chat_wire_limits *l);

#endif
