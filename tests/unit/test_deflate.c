/*
 * ngx_chat_deflate.c and ngx_chat_extension.c: messages of permessage-deflate
 * against zlib's own functions and the examples of RFC 7692, 7.2.3, and which
 * offers of a client are taken.
 */

#define _GNU_SOURCE

#include "ngx_chat_deflate.h"
#include "ngx_chat_extension.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>
#include <zlib.h>

#define MAX (1024 * 1024)

static u_char packed[2 * MAX], plain[2 * MAX];
static size_t packed_len, plain_len;
static ngx_chat_inflate_t in;
static bool old_zlib;


/* In the place of zlib's: 1.2.11 flushes the stream first, also one that was
 * reset and has nothing. */
int
deflateParams(z_streamp z, int level, int strategy)
{
    int (*own)(z_streamp z, int level, int strategy);

    *(void **) &own = dlsym(RTLD_NEXT, "deflateParams");
    assert_non_null(own);

    if (old_zlib) {
        if (deflate(z, Z_BLOCK) == Z_STREAM_ERROR) {
            return Z_STREAM_ERROR;
        }

        if (z->avail_out == 0) {
            return Z_BUF_ERROR;
        }
    }

    return own(z, level, strategy);
}


/* Inflates in pieces of `step` bytes, with room for `room` bytes at a time. */
static ngx_int_t
inflate_in(const u_char *data, size_t len, size_t max, ngx_uint_t text,
           size_t step, size_t room)
{
    u_char *copy, *pos, *last, *p, *end;
    ngx_int_t rc;
    size_t n;

    plain_len = 0;

    if (ngx_chat_inflate_start(&in, max, text) != NGX_OK) {
        return NGX_ERROR;
    }

    while (len) {
        n = len < step ? len : step;

        /* of exactly this size */
        copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, data, n);
        pos = copy;
        last = copy + n;

        do {
            p = plain + plain_len;
            end = p + room;
            rc = ngx_chat_inflate(&in, &pos, last, &p, end);
            plain_len = (size_t) (p - plain);
            assert_true(p <= end);
            assert_true(rc != NGX_OK || p == end);
        } while (rc == NGX_OK);

        free(copy);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        assert_true(pos == last);
        data += n;
        len -= n;
    }

    return ngx_chat_inflate_end(&in);
}


static ngx_int_t
inflate_bytes(const void *data, size_t len)
{
    return inflate_in(data, len, MAX, 0, len, MAX);
}


static void
assert_plain(const char *want)
{
    assert_int_equal(plain_len, strlen(want));
    assert_memory_equal(plain, want, plain_len);
}


#define assert_inflates(bytes, want)                                           \
    do {                                                                       \
        assert_int_equal(inflate_bytes(bytes, sizeof(bytes) - 1), NGX_OK);     \
        assert_plain(want);                                                    \
    } while (0)

#define assert_fails(call, want)                                               \
    do {                                                                       \
        assert_int_equal(call, NGX_ERROR);                                     \
        assert_int_equal(in.code, want);                                       \
        assert_non_null(in.error);                                             \
    } while (0)


static void
fill(u_char *p, size_t len, unsigned seed)
{
    static const char words[] = "and the message of one who writes to another ";
    size_t i;

    for (i = 0; i < len; i++) {
        seed = seed * 1103515245 + 12345;
        p[i] = (seed >> 16) % 5 ? (u_char) words[i % (sizeof(words) - 1)]
                                : (u_char) ('a' + (seed >> 16) % 26);
    }
}


/* The payload of a message in pieces. */
static ngx_int_t
deflate_in(const u_char *data, size_t len, size_t step, ngx_uint_t level,
           size_t room)
{
    u_char *p;
    ngx_int_t rc;
    size_t n;

    p = packed;

    if (ngx_chat_deflate_start(level) != NGX_OK) {
        return NGX_ERROR;
    }

    do {
        n = len < step ? len : step;
        rc = ngx_chat_deflate(data, n, n == len, &p, packed + room);
        data += n;
        len -= n;
    } while (len && rc == NGX_OK);

    packed_len = (size_t) (p - packed);

    return rc;
}


/* What another's inflate makes of the payload, with this window. */
static void
assert_zlib_inflates(const u_char *want, size_t len, int bits)
{
    z_stream z;

    memset(&z, 0, sizeof(z));
    memcpy(packed + packed_len, "\0\0\xff\xff", 4);
    assert_int_equal(inflateInit2(&z, -bits), Z_OK);
    z.next_in = packed;
    z.avail_in = (uInt) packed_len + 4;
    z.next_out = plain;
    z.avail_out = sizeof(plain);
    assert_int_equal(inflate(&z, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(sizeof(plain) - z.avail_out, len);
    assert_memory_equal(plain, want, len);
    inflateEnd(&z);
}


/* --- inflating: RFC 7692, 7.2.3 */

static void
test_7_2_3_1_one_message(void **state)
{
    (void) state;

    assert_inflates("\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
}


static void
test_7_2_3_2_a_context_taken_over_is_an_error(void **state)
{
    (void) state;

    assert_inflates("\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
    assert_fails(inflate_bytes("\xf2\x00\x11\x00\x00", 5), 1007);
}


static void
test_7_2_3_3_a_block_without_compression(void **state)
{
    (void) state;

    assert_inflates("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello");
}


static void
test_7_2_3_4_a_final_block(void **state)
{
    (void) state;

    assert_inflates("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello");
    assert_inflates("\xf3\x48\xcd\xc9\xc9\x07\x00", "Hello");
    assert_inflates("\xf3\x48\xcd\xc9\xc9\x07\x00"
                    "\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00",
                    "HelloHelloHello");
}


static void
test_7_2_3_5_two_blocks(void **state)
{
    (void) state;

    assert_inflates("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
                    "Hello");
}


static void
test_7_2_3_6_an_empty_message(void **state)
{
    (void) state;

    assert_inflates("\x00", "");
    assert_inflates("\x02\x00", "");
}


static void
test_a_message_cut_anywhere_gives_the_same(void **state)
{
    static u_char text[100000];
    size_t step, i;

    (void) state;

    fill(text, sizeof(text), 7);
    assert_int_equal(deflate_in(text, sizeof(text), MAX, 6, MAX), NGX_OK);

    for (step = 1; step < 40000; step = step * 3 + 1) {
        for (i = 1; i < 200000; i = i * 7 + 1) {
            assert_int_equal(
                inflate_in(packed, packed_len, sizeof(text), 1, step, i),
                NGX_OK);
            assert_int_equal(plain_len, sizeof(text));
            assert_memory_equal(plain, text, sizeof(text));
        }
    }
}


static void
test_every_truncated_message_is_an_error(void **state)
{
    u_char text[2000];
    size_t i;

    (void) state;

    fill(text, sizeof(text), 3);
    assert_int_equal(deflate_in(text, sizeof(text), MAX, 6, MAX), NGX_OK);

    for (i = 0; i < packed_len; i++) {
        assert_fails(inflate_bytes(packed, i), 1007);
    }

    assert_int_equal(inflate_bytes(packed, packed_len), NGX_OK);
}


static void
test_bytes_that_are_no_deflate_data(void **state)
{
    (void) state;

    assert_fails(inflate_bytes("\x07", 1), 1007);
    assert_fails(inflate_bytes("\xff\xff\xff\xff", 4), 1007);
    assert_fails(inflate_bytes("\x00\x05\x00\xfa\xfe\x48", 6), 1007);

    /* a stored block whose end is in what was cut off */
    assert_fails(inflate_bytes("\x00\x04\x00\xfb\xff", 5), 1007);
    assert_fails(inflate_bytes("\x00\x05\x00\xfa\xff\x48", 6), 1007);
}


static void
test_a_bomb_ends_at_the_limit(void **state)
{
    static u_char zeros[MAX];
    size_t room;

    (void) state;

    assert_int_equal(deflate_in(zeros, MAX, MAX, 9, MAX), NGX_OK);
    assert_true(packed_len < 2000);

    for (room = 1; room <= 65536; room *= 16) {
        assert_fails(inflate_in(packed, packed_len, 100000, 0, MAX, room),
                     1009);
        assert_true(plain_len <= 100000);
    }

    assert_fails(inflate_in(packed, packed_len, MAX - 1, 0, 100, 65536), 1009);
    assert_int_equal(inflate_in(packed, packed_len, MAX, 0, 100, 65536),
                     NGX_OK);
    assert_int_equal(plain_len, MAX);
    assert_fails(inflate_in((u_char *) "\x4a\x04\x00", 3, 0, 0, MAX, 1), 1009);
    assert_int_equal(inflate_in((u_char *) "\x4a\x04\x00", 3, 1, 0, MAX, 1),
                     NGX_OK);
}


static void
test_a_text_is_checked_behind_the_inflation(void **state)
{
    static const char bad[] = "caf\xe9 au lait";
    static const char cut[] = "caf\xc3";
    static const char good[] = "caf\xc3\xa9 \xf0\x9f\x8d\xb5";
    size_t room;

    (void) state;

    for (room = 1; room < 20; room += 6) {
        assert_int_equal(
            deflate_in((u_char *) bad, sizeof(bad) - 1, MAX, 6, MAX), NGX_OK);
        assert_fails(inflate_in(packed, packed_len, MAX, 1, 2, room), 1007);
        assert_int_equal(inflate_in(packed, packed_len, MAX, 0, 2, room),
                         NGX_OK);

        assert_int_equal(
            deflate_in((u_char *) cut, sizeof(cut) - 1, MAX, 6, MAX), NGX_OK);
        assert_fails(inflate_in(packed, packed_len, MAX, 1, 2, room), 1007);

        assert_int_equal(
            deflate_in((u_char *) good, sizeof(good) - 1, MAX, 6, MAX), NGX_OK);
        assert_int_equal(inflate_in(packed, packed_len, MAX, 1, 2, room),
                         NGX_OK);
        assert_plain(good);
    }

    /* also where a final block ends it */
    assert_fails(
        inflate_in((u_char *) "\x01\x01\x00\xfe\xff\xc3", 6, MAX, 1, MAX, 10),
        1007);
}


static void
test_an_error_leaves_nothing_for_the_next_message(void **state)
{
    (void) state;

    assert_fails(inflate_bytes("\xff\xff\xff\xff", 4), 1007);
    assert_inflates("\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
    assert_fails(inflate_bytes("\xf2\x48", 2), 1007);
    assert_inflates("\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
}


/* --- deflating */

static void
test_what_is_deflated_another_inflates(void **state)
{
    static u_char text[300000];
    size_t len, step;
    ngx_uint_t level;

    (void) state;

    for (len = 64; len <= sizeof(text); len = len * 5 + 3) {
        fill(text, len, (unsigned) len);

        for (level = 1; level <= 9; level++) {
            for (step = 10; step < 2 * len; step = step * 20 + 1) {
                assert_int_equal(deflate_in(text, len, step, level, MAX),
                                 NGX_OK);
                assert_zlib_inflates(text, len, 15);
            }
        }
    }
}


/* The module keeps a smaller window by length alone. */
static void
test_a_short_message_fits_a_small_window(void **state)
{
    static u_char text[32768];
    int bits;
    size_t len;

    (void) state;

    for (bits = 8; bits <= 15; bits++) {
        len = (size_t) 1 << bits;
        fill(text, len / 2, 1);
        memcpy(text + len / 2, text, len / 2);
        assert_int_equal(deflate_in(text, len, MAX, 9, MAX), NGX_OK);
        assert_zlib_inflates(text, len, bits);
    }
}


static void
test_no_room_is_declined(void **state)
{
    u_char text[1000];
    size_t room, need;

    (void) state;

    fill(text, sizeof(text), 5);
    assert_int_equal(deflate_in(text, sizeof(text), MAX, 6, MAX), NGX_OK);
    need = packed_len + 5;

    for (room = 1; room < need; room++) {
        assert_int_equal(deflate_in(text, sizeof(text), MAX, 6, room),
                         NGX_DECLINED);
        assert_int_equal(deflate_in(text, sizeof(text), 100, 6, room),
                         NGX_DECLINED);
    }

    assert_int_equal(deflate_in(text, sizeof(text), MAX, 6, need), NGX_OK);
    assert_zlib_inflates(text, sizeof(text), 15);
}


/* A head of its own before a tail that is shared. */
static void
test_another_level_after_one_that_was_declined(void **state)
{
    static u_char text[20000];

    (void) state;

    fill(text, sizeof(text), 21);
    assert_int_equal(deflate_in(text, sizeof(text), MAX, 6, 100), NGX_DECLINED);

    old_zlib = true;
    assert_int_equal(deflate_in(text, sizeof(text), MAX, 1, MAX), NGX_OK);
    old_zlib = false;

    assert_zlib_inflates(text, sizeof(text), 15);
}


static void
test_a_stored_block_before_a_payload(void **state)
{
    static u_char tail[5000], whole[80000];
    static const size_t heads[] = {0, 1, 100, 255, 256, 65535};
    u_char *p;
    size_t i, len;

    (void) state;

    fill(tail, sizeof(tail), 9);

    for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        fill(whole, heads[i], 4);
        memcpy(whole + heads[i], tail, sizeof(tail));
        assert_int_equal(deflate_in(tail, sizeof(tail), MAX, 6, MAX), NGX_OK);

        len = packed_len;
        memmove(packed + NGX_CHAT_DEFLATE_STORED + heads[i], packed, len);
        p = ngx_chat_deflate_stored(packed, heads[i]);
        memcpy(p, whole, heads[i]);
        packed_len = NGX_CHAT_DEFLATE_STORED + heads[i] + len;

        assert_zlib_inflates(whole, heads[i] + sizeof(tail), 15);
        assert_int_equal(inflate_bytes(packed, packed_len), NGX_OK);
        assert_memory_equal(plain, whole, heads[i] + sizeof(tail));
    }
}


/* --- offers */

static ngx_chat_extension_t ext;


static ngx_int_t
offer(const char *header)
{
    ngx_str_t text;
    ngx_int_t rc;

    text.len = strlen(header);
    text.data = malloc(text.len ? text.len : 1);
    assert_non_null(text.data);
    memcpy(text.data, header, text.len);

    memset(&ext, 0xff, sizeof(ext));
    rc = ngx_chat_extension_find(&text, &ext);
    free(text.data);

    return rc;
}


static void
test_offers_that_are_taken(void **state)
{
    static const struct {
        const char *header;
        ngx_uint_t window, asked;
    } good[] = {
        {"permessage-deflate",                                                         15, 0},
        {"permessage-deflate; client_max_window_bits",                                 15, 0},
        {"permessage-deflate;client_max_window_bits=8",                                15, 0},
        {" permessage-deflate ;\tserver_no_context_takeover ",                         15, 0},
        {"permessage-deflate; client_no_context_takeover; "
         "server_no_context_takeover; server_max_window_bits=9; "
         "client_max_window_bits=\"15\"",                                     9,  1},
        {"permessage-deflate; server_max_window_bits=15",                              15, 1},
        {"permessage-deflate; server_max_window_bits = \"1\\0\"",                      10, 1},
        {"permessage-deflate; server_max_window_bits=8",                               8,  1},
        {"x-webkit-deflate-frame, permessage-deflate",                                 15, 0},
        {"foo; bar=\"permessage-deflate\"; baz, , permessage-deflate",                 15, 0},
        {"permessage-deflate; server_max_window_bits=16, "
         "permessage-deflate; server_max_window_bits=12, permessage-deflate", 12, 1},
        {"permessage-deflate; mode=fast, permessage-deflate",                          15, 0},
        {"permessage-deflate, nonsense;;",                                             15, 0},
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(offer(good[i].header), NGX_OK);
        assert_int_equal(ext.window, good[i].window);
        assert_int_equal(ext.asked, good[i].asked);
    }
}


static void
test_offers_that_are_declined(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        ",",
        "deflate",
        "permessage-deflat",
        "permessage-deflate2",
        "Permessage-Deflate",
        "x-webkit-deflate-frame",
        "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=0",
        "permessage-deflate; server_max_window_bits=100",
        "permessage-deflate; server_max_window_bits=1a",
        "permessage-deflate; server_max_window_bits=-9",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=\"1 0\"",
        "permessage-deflate; server_max_window_bits=\"10\\",
        "permessage-deflate; server_max_window_bits=\"100\"",
        "permessage-deflate; server_max_window_bits=10; "
        "server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_no_context_takeover; "
        "server_no_context_takeover",
        "permessage-deflate;",
        "permessage-deflate; ;",
        "permessage-deflate server_no_context_takeover",
        "permessage-deflate=1",
        "=, permessage-deflate",
        "foo; bar=\"unclosed, permessage-deflate",
        "foo bar, permessage-deflate",
        "\x80, permessage-deflate",
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (offer(bad[i]) != NGX_DECLINED) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_7_2_3_1_one_message),
        cmocka_unit_test(test_7_2_3_2_a_context_taken_over_is_an_error),
        cmocka_unit_test(test_7_2_3_3_a_block_without_compression),
        cmocka_unit_test(test_7_2_3_4_a_final_block),
        cmocka_unit_test(test_7_2_3_5_two_blocks),
        cmocka_unit_test(test_7_2_3_6_an_empty_message),
        cmocka_unit_test(test_a_message_cut_anywhere_gives_the_same),
        cmocka_unit_test(test_every_truncated_message_is_an_error),
        cmocka_unit_test(test_bytes_that_are_no_deflate_data),
        cmocka_unit_test(test_a_bomb_ends_at_the_limit),
        cmocka_unit_test(test_a_text_is_checked_behind_the_inflation),
        cmocka_unit_test(test_an_error_leaves_nothing_for_the_next_message),
        cmocka_unit_test(test_what_is_deflated_another_inflates),
        cmocka_unit_test(test_a_short_message_fits_a_small_window),
        cmocka_unit_test(test_no_room_is_declined),
        cmocka_unit_test(test_another_level_after_one_that_was_declined),
        cmocka_unit_test(test_a_stored_block_before_a_payload),
        cmocka_unit_test(test_offers_that_are_taken),
        cmocka_unit_test(test_offers_that_are_declined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
