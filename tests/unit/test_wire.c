/*
 * wire/chat_wire.c: the bytes chat_wire.md promises, limits of the header,
 * and what becomes of truncated frames and full buffers.
 */

#include "chat_wire.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static unsigned char mem[4096];
static struct chat_wire_writer w;
static struct chat_wire_reader r;


static int
start(void **state)
{
    (void) state;

    memset(mem, 0xee, sizeof(mem));
    chat_wire_writer_init(&w, mem, sizeof(mem));

    return 0;
}


static void
assert_written(const void *want, size_t len)
{
    assert_int_equal(w.failed, 0);
    assert_int_equal(chat_wire_written(&w), len);
    assert_memory_equal(mem, want, len);
}


static void
read_back(void)
{
    assert_int_equal(w.failed, 0);
    chat_wire_reader_init(&r, mem, chat_wire_written(&w));
}


static void
assert_bytes(const unsigned char *p, size_t len, const char *want)
{
    assert_int_equal(len, strlen(want));
    assert_memory_equal(p, want, len);
}


static void
test_integers_are_little_endian(void **state)
{
    (void) state;

    chat_wire_put_u8(&w, 0x01);
    chat_wire_put_u16(&w, 0x0203);
    chat_wire_put_u32(&w, 0x04050607);
    chat_wire_put_u64(&w, 0x08090a0b0c0d0e0full);

    assert_written("\x01\x03\x02\x07\x06\x05\x04"
                   "\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08",
                   15);
}


static void
test_integers_of_every_size_come_back(void **state)
{
    static const uint64_t values[] = {0, 1, 0x7f, 0x80, 0xff, UINT64_MAX};
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        chat_wire_put_u8(&w, (uint8_t) values[i]);
        chat_wire_put_u16(&w, (uint16_t) values[i]);
        chat_wire_put_u32(&w, (uint32_t) values[i]);
        chat_wire_put_u64(&w, values[i]);
    }

    read_back();

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_int_equal(chat_wire_get_u8(&r), (uint8_t) values[i]);
        assert_int_equal(chat_wire_get_u16(&r), (uint16_t) values[i]);
        assert_int_equal(chat_wire_get_u32(&r), (uint32_t) values[i]);
        assert_true(chat_wire_get_u64(&r) == values[i]);
    }

    assert_int_equal(chat_wire_end(&r), 0);
}


static void
test_bytes_are_length_and_bytes(void **state)
{
    size_t len;
    const unsigned char *p;

    (void) state;

    chat_wire_put_bytes(&w, "abc", 3);
    chat_wire_put_bytes(&w, NULL, 0);
    chat_wire_put_raw(&w, "rest", 4);
    chat_wire_put_raw(&w, NULL, 0);
    assert_written("\x03\0\0\0abc\0\0\0\0rest", 15);

    read_back();
    p = chat_wire_get_bytes(&r, &len);
    assert_bytes(p, len, "abc");
    p = chat_wire_get_bytes(&r, &len);
    assert_bytes(p, len, "");
    assert_int_equal(chat_wire_end(&r), -1);
    p = chat_wire_get_rest(&r, &len);
    assert_bytes(p, len, "rest");
    assert_int_equal(chat_wire_end(&r), 0);
    p = chat_wire_get_rest(&r, &len);
    assert_bytes(p, len, "");
    assert_int_equal(chat_wire_end(&r), 0);
}


static void
test_put_that_does_not_fit_writes_nothing(void **state)
{
    unsigned char small[6];

    (void) state;

    memset(small, 0xee, sizeof(small));
    chat_wire_writer_init(&w, small, 5);
    chat_wire_put_u32(&w, 0);
    assert_int_equal(w.failed, 0);
    chat_wire_put_u16(&w, 0);
    assert_int_equal(w.failed, 1);
    assert_int_equal(chat_wire_written(&w), 4);
    assert_memory_equal(small, "\0\0\0\0\xee\xee", 6);

    /* a length alone would fit */
    chat_wire_writer_init(&w, small, 5);
    chat_wire_put_bytes(&w, "ab", 2);
    assert_int_equal(w.failed, 1);
    assert_int_equal(chat_wire_written(&w), 0);
}


static void
test_failed_put_is_remembered(void **state)
{
    unsigned char small[8];

    (void) state;

    chat_wire_writer_init(&w, small, sizeof(small));
    chat_wire_put_raw(&w, "123456789", 9);
    assert_int_equal(w.failed, 1);

    chat_wire_put_u8(&w, 1);
    chat_wire_put_u16(&w, 1);
    chat_wire_put_u32(&w, 1);
    chat_wire_put_u64(&w, 1);
    chat_wire_put_bytes(&w, "", 0);
    chat_wire_put_raw(&w, "1", 1);
    assert_int_equal(w.failed, 1);
    assert_int_equal(chat_wire_written(&w), 0);
}


static void
test_put_that_fits_exactly(void **state)
{
    unsigned char small[8];

    (void) state;

    chat_wire_writer_init(&w, small, sizeof(small));
    chat_wire_put_u64(&w, 1);
    chat_wire_put_raw(&w, "", 0);
    assert_int_equal(w.failed, 0);

    chat_wire_writer_init(&w, small, sizeof(small));
    chat_wire_put_bytes(&w, "abcd", 4);
    assert_int_equal(w.failed, 0);

    chat_wire_put_bytes(&w, "", 0);
    assert_int_equal(w.failed, 1);
}


static void
test_get_beyond_the_end_is_zero_and_remembered(void **state)
{
    size_t len = 9;

    (void) state;

    chat_wire_reader_init(&r, "\x01\x02\x03", 3);
    assert_int_equal(chat_wire_get_u32(&r), 0);
    assert_int_equal(r.failed, 1);

    /* three bytes are there, but the reader has failed */
    assert_int_equal(chat_wire_get_u8(&r), 0);
    assert_int_equal(chat_wire_get_u16(&r), 0);
    assert_true(chat_wire_get_u64(&r) == 0);
    chat_wire_get_bytes(&r, &len);
    assert_int_equal(len, 0);
    len = 9;
    chat_wire_get_rest(&r, &len);
    assert_int_equal(len, 0);
    assert_int_equal(chat_wire_end(&r), -1);
}


static void
test_length_that_claims_too_much(void **state)
{
    size_t len = 9;

    (void) state;

    chat_wire_reader_init(&r, "\x04\0\0\0abc", 7);
    chat_wire_get_bytes(&r, &len);
    assert_int_equal(len, 0);
    assert_int_equal(r.failed, 1);

    chat_wire_reader_init(&r, "\xff\xff\xff\xff", 4);
    chat_wire_get_bytes(&r, &len);
    assert_int_equal(len, 0);
    assert_int_equal(r.failed, 1);
}


static void
test_end_wants_everything_read(void **state)
{
    (void) state;

    chat_wire_reader_init(&r, "\x01", 1);
    assert_int_equal(chat_wire_end(&r), -1);
    chat_wire_get_u8(&r);
    assert_int_equal(chat_wire_end(&r), 0);
    chat_wire_get_u8(&r);
    assert_int_equal(chat_wire_end(&r), -1);
}


static void
test_worked_example_of_the_document(void **state)
{
    static const unsigned char want[] = {0x1a, 0, 0, 0, 5, 0, 0,    0,   1,
                                         0,    0, 0, 0, 0, 0, 0,    7,   0,
                                         0,    0, 0, 0, 0, 0, 0x7b, 0x7d};
    struct chat_wire_header h = {26, CHAT_WIRE_REQUEST, 0, 0, 1};

    (void) state;

    chat_wire_write_header(mem, &h);
    chat_wire_writer_init(&w, mem + CHAT_WIRE_HEADER_LEN, 100);
    chat_wire_put_u64(&w, 7);
    chat_wire_put_raw(&w, "{}", 2);

    assert_int_equal(CHAT_WIRE_HEADER_LEN + chat_wire_written(&w), 26);
    assert_memory_equal(mem, want, sizeof(want));
}


static void
test_header_comes_back(void **state)
{
    struct chat_wire_header h = {0x00020304, CHAT_WIRE_OP, 0x81, 0xfffe,
                                 0x8899aabbccddeeffull};
    struct chat_wire_header got;

    (void) state;

    chat_wire_write_header(mem, &h);
    assert_int_equal(chat_wire_read_header(mem, CHAT_WIRE_HEADER_LEN, &got), 1);
    assert_int_equal(got.length, h.length);
    assert_int_equal(got.type, h.type);
    assert_int_equal(got.flags, h.flags);
    assert_int_equal(got.replays, h.replays);
    assert_true(got.id == h.id);
}


static void
test_header_that_is_not_all_there(void **state)
{
    struct chat_wire_header h = {16, CHAT_WIRE_END, 0, 0, 1}, got;
    size_t n;

    (void) state;

    chat_wire_write_header(mem, &h);

    for (n = 0; n < CHAT_WIRE_HEADER_LEN; n++) {
        assert_int_equal(chat_wire_read_header(mem, n, &got), 0);
    }

    assert_int_equal(chat_wire_read_header(mem, n, &got), 1);
    assert_int_equal(chat_wire_read_header(mem, n + 1, &got), 1);
}


static void
test_header_length_limits(void **state)
{
    static const struct {
        uint32_t length;
        int want;
    } rows[] = {
        {0,                        -1},
        {CHAT_WIRE_HEADER_LEN - 1, -1},
        {CHAT_WIRE_HEADER_LEN,     1 },
        {CHAT_WIRE_FRAME_MAX,      1 },
        {CHAT_WIRE_FRAME_MAX + 1,  -1},
        {UINT32_MAX,               -1},
    };
    struct chat_wire_header h = {0, CHAT_WIRE_HELLO, 0, 0, 0}, got;
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        h.length = rows[i].length;
        chat_wire_write_header(mem, &h);
        assert_int_equal(chat_wire_read_header(mem, CHAT_WIRE_HEADER_LEN, &got),
                         rows[i].want);
    }
}


static int
is_type(unsigned type)
{
    switch (type) {
#define CASE(name, number, from) case number:
        CHAT_WIRE_FRAMES(CASE)
#undef CASE
        return 1;
    default:
        return 0;
    }
}


static void
test_header_of_unknown_type(void **state)
{
    struct chat_wire_header h = {16, 0, 0, 0, 0}, got;
    unsigned type;

    (void) state;

    for (type = 0; type < 256; type++) {
        h.type = (uint8_t) type;
        chat_wire_write_header(mem, &h);
        assert_int_equal(chat_wire_read_header(mem, CHAT_WIRE_HEADER_LEN, &got),
                         is_type(type) ? 1 : -1);
    }
}


static void
test_type_names(void **state)
{
    (void) state;

    assert_string_equal(chat_wire_type_name(CHAT_WIRE_HELLO), "HELLO");
    assert_string_equal(chat_wire_type_name(CHAT_WIRE_LOST), "LOST");
    assert_string_equal(chat_wire_type_name(0), "unknown");
    assert_string_equal(chat_wire_type_name(255), "unknown");
}


/* Numbers are on sockets: a changed one is a new version. */
static void
test_numbers_of_version_1(void **state)
{
    (void) state;

    assert_int_equal(CHAT_WIRE_VERSION, 1);
    assert_int_equal(CHAT_WIRE_HELLO, 1);
    assert_int_equal(CHAT_WIRE_REPLY, 7);
    assert_int_equal(CHAT_WIRE_STATS, 16);
    assert_int_equal(CHAT_WIRE_DRAINED, 22);
    assert_int_equal(CHAT_WIRE_OP, 32);
    assert_int_equal(CHAT_WIRE_LOST, 36);
    assert_int_equal(CHAT_WIRE_NGINX, 1);
    assert_int_equal(CHAT_WIRE_WORKER, 2);
    assert_int_equal(CHAT_WIRE_STORE, 3);
}


static void
test_who_may_send_what(void **state)
{
    unsigned type;

    (void) state;

    assert_int_equal(chat_wire_may_send(CHAT_WIRE_NGINX, CHAT_WIRE_OPEN), 1);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_WORKER, CHAT_WIRE_OPEN), 0);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_STORE, CHAT_WIRE_OPEN), 0);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_NGINX, CHAT_WIRE_PUSH), 0);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_WORKER, CHAT_WIRE_PUSH), 1);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_WORKER, CHAT_WIRE_OP), 1);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_NGINX, CHAT_WIRE_OP), 0);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_STORE, CHAT_WIRE_EVENT), 1);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_WORKER, CHAT_WIRE_EVENT), 0);

    /* chatctl asks and nothing else */
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_CONTROL, CHAT_WIRE_OP), 1);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_CONTROL, CHAT_WIRE_CALL), 0);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_CONTROL, CHAT_WIRE_RESULT),
                     0);

    for (type = CHAT_WIRE_NGINX; type <= CHAT_WIRE_CONTROL; type++) {
        assert_int_equal(chat_wire_may_send(type, CHAT_WIRE_HELLO), 1);
    }
}


static void
test_unknown_role_or_type_may_not_be_sent(void **state)
{
    (void) state;

    assert_int_equal(chat_wire_may_send(0, CHAT_WIRE_HELLO), 0);
    assert_int_equal(chat_wire_may_send(5, CHAT_WIRE_HELLO), 0);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_WORKER, 0), 0);
    assert_int_equal(chat_wire_may_send(CHAT_WIRE_WORKER, 255), 0);
}


static void
test_hash_is_fnv_1a(void **state)
{
    (void) state;

    assert_int_equal(chat_wire_hash("", 0), 0x811c9dc5u);
    assert_int_equal(chat_wire_hash("a", 1), 0xe40c292cu);
    assert_int_equal(chat_wire_hash("foobar", 6), 0xbf9cf968u);
}


static void
test_home_is_a_worker_and_always_the_same(void **state)
{
    char user[] = "user-000";
    unsigned count[4] = {0}, i, home;

    (void) state;

    for (i = 0; i < 1000; i++) {
        user[5] = (char) ('0' + i / 100);
        user[6] = (char) ('0' + i / 10 % 10);
        user[7] = (char) ('0' + i % 10);

        assert_int_equal(chat_wire_home(user, 8, 1), 0);
        home = chat_wire_home(user, 8, 4);
        assert_in_range(home, 0, 3);
        assert_int_equal(home, chat_wire_home(user, 8, 4));
        count[home]++;
    }

    for (i = 0; i < 4; i++) {
        assert_in_range(count[i], 150, 350);
    }
}


static const struct chat_wire_hello hello = {
    .role = CHAT_WIRE_WORKER,
    .pid = 4242,
    .instance = 0x1122334455667788ull,
    .generation = 3,
    .settings_hash = 0xdeadbeef,
    .n_workers = 4,
    .index = 2,
    .sequence = 99,
    .error = (const unsigned char *) "no",
    .error_len = 2,
};


static void
test_hello_comes_back(void **state)
{
    struct chat_wire_hello got;

    (void) state;

    chat_wire_put_hello(&w, &hello);
    read_back();
    assert_int_equal(chat_wire_get_hello(&r, &got), 0);
    assert_int_equal(got.role, hello.role);
    assert_int_equal(got.pid, hello.pid);
    assert_true(got.instance == hello.instance);
    assert_true(got.generation == hello.generation);
    assert_int_equal(got.settings_hash, hello.settings_hash);
    assert_int_equal(got.n_workers, hello.n_workers);
    assert_int_equal(got.index, hello.index);
    assert_true(got.sequence == hello.sequence);
    assert_bytes(got.error, got.error_len, "no");
}


static void
test_hello_of_another_version(void **state)
{
    struct chat_wire_hello got;

    (void) state;

    chat_wire_put_hello(&w, &hello);
    mem[4]++;
    read_back();
    assert_int_equal(chat_wire_get_hello(&r, &got), -2);
    assert_int_equal(got.role, CHAT_WIRE_WORKER);

    /* whatever it says behind magic, version and role */
    chat_wire_reader_init(&r, mem, 8);
    assert_int_equal(chat_wire_get_hello(&r, &got), -2);
    chat_wire_reader_init(&r, mem, 7);
    assert_int_equal(chat_wire_get_hello(&r, &got), -1);
}


static void
test_hello_with_other_magic(void **state)
{
    struct chat_wire_hello got;

    (void) state;

    chat_wire_put_hello(&w, &hello);
    mem[0]++;
    read_back();
    assert_int_equal(chat_wire_get_hello(&r, &got), -1);
}


static void
test_hello_with_bytes_behind_it(void **state)
{
    struct chat_wire_hello got;

    (void) state;

    chat_wire_put_hello(&w, &hello);
    chat_wire_put_u8(&w, 0);
    read_back();
    assert_int_equal(chat_wire_get_hello(&r, &got), -1);
}


static void
test_magic_spells_chat(void **state)
{
    (void) state;

    chat_wire_put_hello(&w, &hello);
    assert_memory_equal(mem, "CHAT\x01\x00\x02\x00", 8);
}


static const struct chat_wire_identity identity = {
    .user = (const unsigned char *) "alice",
    .user_len = 5,
    .device = (const unsigned char *) "web",
    .device_len = 3,
    .jti = NULL,
    .jti_len = 0,
    .issued_at = 1,
    .expires_at = 1800000000,
};

static const struct chat_wire_limits limits = {30, 2u << 20, 50000, 100};


static void
test_identity_and_limits_come_back(void **state)
{
    struct chat_wire_identity id;
    struct chat_wire_limits l;

    (void) state;

    chat_wire_put_identity(&w, &identity);
    chat_wire_put_limits(&w, &limits);
    read_back();
    chat_wire_get_identity(&r, &id);
    chat_wire_get_limits(&r, &l);
    assert_int_equal(chat_wire_end(&r), 0);

    assert_bytes(id.user, id.user_len, "alice");
    assert_bytes(id.device, id.device_len, "web");
    assert_bytes(id.jti, id.jti_len, "");
    assert_true(id.issued_at == 1);
    assert_true(id.expires_at == 1800000000);
    assert_int_equal(l.heartbeat_s, 30);
    assert_int_equal(l.message_max, 2u << 20);
    assert_int_equal(l.rate, 50000);
    assert_int_equal(l.burst, 100);
}


/*
 * Every frame type whose payload has a fixed form, as its fields: 1, 2, 4, 8
 * an integer, s a string, i an identity, l limits, h a hello, and * what is
 * in brackets as often as the u32 before says.
 */
static const struct {
    unsigned type;
    const char *fields;
} forms[] = {
    {CHAT_WIRE_HELLO,    "h"      },
    {CHAT_WIRE_OPEN,     "il8s"   },
    {CHAT_WIRE_REFUSE,   "24ss"   },
    {CHAT_WIRE_PUSH,     "ss4(88)"},
    {CHAT_WIRE_PAGE,     "4(8s)"  },
    {CHAT_WIRE_CREDIT,   "8"      },
    {CHAT_WIRE_END,      "2s"     },
    {CHAT_WIRE_VERIFY,   "8s"     },
    {CHAT_WIRE_VERIFIED, "82i"    },
    {CHAT_WIRE_STATS,    "24(8)"  },
    {CHAT_WIRE_DRAINED,  "4"      },
    {CHAT_WIRE_EVENT,    "1s4(88)"},
    {CHAT_WIRE_RELAY,    "1s4(s)" },
};


static void
put_field(char field)
{
    switch (field) {
    case '1':
        chat_wire_put_u8(&w, 0xa1);
        break;
    case '2':
        chat_wire_put_u16(&w, 0xa1a2);
        break;
    case '4':
        chat_wire_put_u32(&w, 2);
        break;
    case '8':
        chat_wire_put_u64(&w, 0xa1a2a3a4a5a6a7a8ull);
        break;
    case 's':
        chat_wire_put_bytes(&w, "string", 6);
        break;
    case 'i':
        chat_wire_put_identity(&w, &identity);
        break;
    case 'l':
        chat_wire_put_limits(&w, &limits);
        break;
    case 'h':
        chat_wire_put_hello(&w, &hello);
        break;
    }
}


static uint32_t
get_field(char field)
{
    struct chat_wire_identity id;
    struct chat_wire_limits l;
    struct chat_wire_hello h;
    size_t len;

    switch (field) {
    case '1':
        return chat_wire_get_u8(&r);
    case '2':
        return chat_wire_get_u16(&r);
    case '4':
        return chat_wire_get_u32(&r);
    case '8':
        (void) chat_wire_get_u64(&r);
        return 0;
    case 's':
        (void) chat_wire_get_bytes(&r, &len);
        return 0;
    case 'i':
        chat_wire_get_identity(&r, &id);
        return 0;
    case 'l':
        chat_wire_get_limits(&r, &l);
        return 0;
    default:
        (void) chat_wire_get_hello(&r, &h);
        return 0;
    }
}


/* Puts or gets all fields; a list as often as its count says. */
static void
walk(const char *fields, int put)
{
    const char *f, *list = NULL;
    uint32_t n = 0;

    for (f = fields; *f; f++) {
        if (*f == '(') {
            list = f;
            f = n ? f : strchr(f, ')');

        } else if (*f == ')') {
            f = --n && !r.failed ? list : f;

        } else if (put) {
            put_field(*f);
            n = list ? n : 2;

        } else {
            uint32_t v = get_field(*f);

            n = list ? n : v;
        }
    }
}


static void
test_every_truncated_prefix_of_every_frame(void **state)
{
    unsigned char *copy;
    size_t i, n, len;

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        chat_wire_writer_init(&w, mem, sizeof(mem));
        r.failed = 0;
        walk(forms[i].fields, 1);
        assert_int_equal(w.failed, 0);
        len = chat_wire_written(&w);

        for (n = 0; n <= len; n++) {
            copy = malloc(n ? n : 1);
            assert_non_null(copy);
            memcpy(copy, mem, n);

            chat_wire_reader_init(&r, copy, n);
            walk(forms[i].fields, 0);

            if (chat_wire_end(&r) != (n == len ? 0 : -1)) {
                fail_msg("%s, %zu of %zu bytes",
                         chat_wire_type_name(forms[i].type), n, len);
            }

            free(copy);
        }
    }
}


static void
test_every_frame_in_a_buffer_too_small(void **state)
{
    size_t i, n, len;

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        chat_wire_writer_init(&w, mem, sizeof(mem));
        r.failed = 0;
        walk(forms[i].fields, 1);
        len = chat_wire_written(&w);

        for (n = 0; n < len; n++) {
            memset(mem, 0xee, sizeof(mem));
            chat_wire_writer_init(&w, mem, n);
            walk(forms[i].fields, 1);
            assert_int_equal(w.failed, 1);
            assert_true(chat_wire_written(&w) <= n);
            assert_int_equal(mem[n], 0xee);
        }
    }
}


#define TEST(name) cmocka_unit_test_setup(name, start)

static void
test_resource_comes_back(void **state)
{
    unsigned char mem[128];
    struct chat_wire_writer w;
    struct chat_wire_reader r;
    struct chat_wire_resource in = {
        .method = (const unsigned char *) "GET",
        .method_len = 3,
        .path = (const unsigned char *) "inbox",
        .path_len = 5,
        .args = (const unsigned char *) "after=1",
        .args_len = 7,
        .last_event_id = NULL,
        .last_event_id_len = 0,
    };
    struct chat_wire_resource out;

    (void) state;
    chat_wire_writer_init(&w, mem, sizeof(mem));
    chat_wire_put_resource(&w, &in);
    assert_false(w.failed);
    assert_int_equal(chat_wire_written(&w), 4 * 4 + 3 + 5 + 7);

    chat_wire_reader_init(&r, mem, chat_wire_written(&w));
    chat_wire_get_resource(&r, &out);
    assert_int_equal(chat_wire_end(&r), 0);
    assert_int_equal(out.path_len, 5);
    assert_memory_equal(out.path, "inbox", 5);
    assert_int_equal(out.args_len, 7);
    assert_int_equal(out.last_event_id_len, 0);

    /* cut off anywhere it fails */
    for (size_t n = 0; n < chat_wire_written(&w); n++) {
        chat_wire_reader_init(&r, mem, n);
        chat_wire_get_resource(&r, &out);
        assert_int_equal(chat_wire_end(&r), -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resource_comes_back),
        TEST(test_integers_are_little_endian),
        TEST(test_integers_of_every_size_come_back),
        TEST(test_bytes_are_length_and_bytes),
        TEST(test_put_that_does_not_fit_writes_nothing),
        TEST(test_failed_put_is_remembered),
        TEST(test_put_that_fits_exactly),
        TEST(test_get_beyond_the_end_is_zero_and_remembered),
        TEST(test_length_that_claims_too_much),
        TEST(test_end_wants_everything_read),
        TEST(test_worked_example_of_the_document),
        TEST(test_header_comes_back),
        TEST(test_header_that_is_not_all_there),
        TEST(test_header_length_limits),
        TEST(test_header_of_unknown_type),
        TEST(test_type_names),
        TEST(test_numbers_of_version_1),
        TEST(test_who_may_send_what),
        TEST(test_unknown_role_or_type_may_not_be_sent),
        TEST(test_hash_is_fnv_1a),
        TEST(test_home_is_a_worker_and_always_the_same),
        TEST(test_hello_comes_back),
        TEST(test_hello_of_another_version),
        TEST(test_hello_with_other_magic),
        TEST(test_hello_with_bytes_behind_it),
        TEST(test_magic_spells_chat),
        TEST(test_identity_and_limits_come_back),
        TEST(test_every_truncated_prefix_of_every_frame),
        TEST(test_every_frame_in_a_buffer_too_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
