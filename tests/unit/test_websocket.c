/*
 * ngx_chat_websocket.c: each clause of RFC 6455, sections 5, 7 and 8, that a
 * server's parser and builder can break.  Input is turned into a transcript
 * of its events, in every way of cutting it; pieces lie in memory of exactly
 * their size, so that a sanitizer sees a byte too far.
 */

#include "ngx_chat_websocket.h"

#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#define MESSAGE_MAX 1000

struct bytes {
    u_char data[200000];
    size_t len;
};

struct options {
    size_t message_max;
    int rsv1_ok;
    int text_only;
};

static const struct options defaults = {MESSAGE_MAX, 0, 0};

static struct bytes in;


static int
start(void **state)
{
    (void) state;

    in.len = 0;

    return 0;
}


static void
add(const void *data, size_t len)
{
    assert_true(len <= sizeof(in.data) - in.len);
    memcpy(in.data + in.len, data, len);
    in.len += len;
}


#define ADD(s) add(s, sizeof(s) - 1)


/* A masked frame as a client sends it; the length in its shortest form. */
static void
frame(u_char first, const void *payload, size_t len)
{
    static const u_char mask[] = {0x37, 0xfa, 0x21, 0x3d};
    u_char head[14];
    size_t i, n = 2;

    head[0] = first;
    head[1] = (u_char) (0x80 | (len < 126 ? len : len < 65536 ? 126 : 127));

    if (len >= 65536) {
        for (i = 0; i < 8; i++) {
            head[n++] = (u_char) ((uint64_t) len >> (56 - 8 * i));
        }

    } else if (len >= 126) {
        head[n++] = (u_char) (len >> 8);
        head[n++] = (u_char) len;
    }

    memcpy(head + n, mask, 4);
    add(head, n + 4);
    add(payload, len);

    for (i = 0; i < len; i++) {
        in.data[in.len - len + i] ^= mask[i & 3];
    }
}


#define FRAME(first, s) frame(first, s, sizeof(s) - 1)


/* What happened so far: "text(Hello) ping() close(1000,bye) error(1002)". */
struct transcript {
    char text[4096];
    size_t len;
    u_char message[200000];
    size_t message_len;
    int open;
};


static void
say(struct transcript *t, const char *what, const u_char *data, size_t len)
{
    size_t room = sizeof(t->text) - t->len;

    if (len > 300) {
        t->len += snprintf(t->text + t->len, room, "%s%s[%zu]",
                           t->len ? " " : "", what, len);

    } else {
        t->len +=
            snprintf(t->text + t->len, room, "%s%s(%.*s)", t->len ? " " : "",
                     what, (int) len, (const char *) data);
    }

    assert_true(t->len < sizeof(t->text));
}


static void
say_data(struct transcript *t, const ngx_chat_ws_event_t *ev)
{
    char what[32];

    assert_int_equal(ev->first, !t->open);
    assert_true(ev->len || ev->last);
    assert_true(ev->len <= sizeof(t->message) - t->message_len);

    t->open = 1;
    memcpy(t->message + t->message_len, ev->data, ev->len);
    t->message_len += ev->len;

    if (ev->last) {
        snprintf(what, sizeof(what), "%s%s", ev->rsv1 ? "deflated-" : "",
                 ev->binary ? "binary" : "text");
        say(t, what, t->message, t->message_len);
        t->message_len = 0;
        t->open = 0;
    }
}


static void
say_event(struct transcript *t, const ngx_chat_ws_event_t *ev)
{
    char what[32];

    switch (ev->type) {
    case ngx_chat_ws_data:
        say_data(t, ev);
        break;
    case ngx_chat_ws_ping:
        say(t, "ping", ev->data, ev->len);
        break;
    case ngx_chat_ws_pong:
        say(t, "pong", ev->data, ev->len);
        break;
    case ngx_chat_ws_close:
        snprintf(what, sizeof(what), "close-%u", (unsigned) ev->code);
        say(t, what, ev->data, ev->len);
        break;
    }
}


/* Parses what lies in buf; returns how much of it is left over. */
static size_t
parse_buffer(ngx_chat_ws_t *ws, u_char *buf, size_t len, struct transcript *t)
{
    ngx_chat_ws_event_t ev;
    u_char *pos = buf, *last = buf + len;
    char what[32];
    ngx_int_t rc;

    for (;;) {
        rc = ngx_chat_ws_parse(ws, &pos, last, &ev);

        assert_true(pos >= buf && pos <= last);

        if (rc == NGX_AGAIN) {
            assert_true(last - pos <= NGX_CHAT_WS_LEFTOVER_MAX);
            return (size_t) (last - pos);
        }

        if (rc == NGX_ERROR) {
            assert_non_null(ev.error);
            snprintf(what, sizeof(what), "error-%u", (unsigned) ev.code);
            say(t, what, (const u_char *) "", 0);
            continue;
        }

        assert_int_equal(rc, NGX_OK);
        say_event(t, &ev);
    }
}


static struct transcript *
run(const struct options *o, size_t step)
{
    static struct transcript t;
    u_char kept[NGX_CHAT_WS_LEFTOVER_MAX], *buf;
    size_t n, at, left = 0;
    ngx_chat_ws_t ws;

    t.len = 0;
    t.text[0] = '\0';
    t.message_len = 0;
    t.open = 0;

    ngx_chat_ws_init(&ws, o->message_max);
    ws.rsv1_ok = o->rsv1_ok ? 1 : 0;
    ws.text_only = o->text_only ? 1 : 0;

    for (at = 0; at < in.len; at += n) {
        n = ngx_min(step, in.len - at);
        buf = malloc(left + n);
        assert_non_null(buf);

        memcpy(buf, kept, left);
        memcpy(buf + left, in.data + at, n);

        n += left;
        at -= left;
        left = parse_buffer(&ws, buf, n, &t);
        memcpy(kept, buf + n - left, left);
        free(buf);
    }

    return &t;
}


/* The transcript of `in` must be this one, however it is cut. */
static void
expect_with(const struct options *o, const char *want)
{
    static const size_t steps[] = {1, 2, 3, 5, 7, 8, 13, 64, 131, 1000, 200000};
    size_t i;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_string_equal(run(o, steps[i])->text, want);
    }
}


static void
expect(const char *want)
{
    expect_with(&defaults, want);
}


/*
 * The input fails with this code, and it does so with exactly the first n of
 * its bytes.
 */
static void
expect_failure_at_with(const struct options *o, size_t n, const char *want)
{
    size_t whole = in.len;

    expect_with(o, want);

    in.len = n;
    assert_string_equal(run(o, 1)->text, want);

    in.len = n - 1;
    assert_string_equal(run(o, 1)->text, "");

    in.len = whole;
}


static void
expect_failure_at(size_t n, const char *want)
{
    expect_failure_at_with(&defaults, n, want);
}


static void
test_rfc_5_7_single_frame_masked_text(void **state)
{
    (void) state;

    ADD("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    expect("text(Hello)");
}


static void
test_idle_state_is_small(void **state)
{
    (void) state;

    assert_true(sizeof(ngx_chat_ws_t) <= 32);
}


static void
test_several_frames_in_one_segment(void **state)
{
    (void) state;

    FRAME(0x81, "one");
    FRAME(0x89, "p");
    FRAME(0x82, "two");
    FRAME(0x8a, "q");
    FRAME(0x81, "three");
    expect("text(one) ping(p) binary(two) pong(q) text(three)");
}


static void
test_empty_message_is_one_event(void **state)
{
    (void) state;

    FRAME(0x81, "");
    FRAME(0x82, "");
    expect("text() binary()");
}


static void
test_5_4_fragments_are_one_message(void **state)
{
    (void) state;

    FRAME(0x01, "Hel");
    FRAME(0x00, "l");
    FRAME(0x80, "o");
    expect("text(Hello)");
}


static void
test_5_4_empty_fragments(void **state)
{
    (void) state;

    FRAME(0x01, "");
    FRAME(0x00, "");
    FRAME(0x00, "a");
    FRAME(0x00, "");
    FRAME(0x80, "");
    FRAME(0x02, "");
    FRAME(0x80, "");
    expect("text(a) binary()");
}


static void
test_5_4_control_frames_inside_fragments(void **state)
{
    (void) state;

    FRAME(0x01, "Hel");
    FRAME(0x89, "x");
    FRAME(0x00, "l");
    FRAME(0x8a, "");
    FRAME(0x80, "o");
    expect("ping(x) pong() text(Hello)");
}


static void
test_5_4_close_inside_fragments(void **state)
{
    (void) state;

    FRAME(0x01, "Hel");
    FRAME(0x88, "\x03\xe8");
    expect("close-1000()");
}


static void
test_5_4_continuation_without_start_is_1002(void **state)
{
    (void) state;

    FRAME(0x80, "x");
    expect_failure_at(1, "error-1002()");
}


static void
test_5_4_continuation_after_final_frame_is_1002(void **state)
{
    (void) state;

    FRAME(0x01, "a");
    FRAME(0x80, "b");
    FRAME(0x80, "c");
    expect("text(ab) error-1002()");
}


static void
test_5_4_new_message_inside_a_fragmented_one_is_1002(void **state)
{
    size_t first;

    (void) state;

    FRAME(0x01, "a");
    first = in.len;
    FRAME(0x81, "b");
    expect_failure_at(first + 1, "error-1002()");

    in.len = first;
    FRAME(0x02, "b");
    expect_failure_at(first + 1, "error-1002()");
}


static void
test_5_1_unmasked_frame_is_1002(void **state)
{
    static const u_char types[] = {0x81, 0x82, 0x88, 0x89, 0x8a};
    u_char head[] = {0, 0};
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(types); i++) {
        in.len = 0;
        head[0] = types[i];
        add(head, 2);
        expect_failure_at(2, "error-1002()");
    }
}


static void
test_5_2_reserved_bits_are_1002(void **state)
{
    static const u_char bits[] = {0x10, 0x20, 0x40, 0x70};
    static const u_char types[] = {0x81, 0x82, 0x88, 0x89, 0x8a};
    size_t i, j;

    (void) state;

    for (i = 0; i < sizeof(bits); i++) {
        for (j = 0; j < sizeof(types); j++) {
            in.len = 0;
            FRAME((u_char) (bits[i] | types[j]), "");
            expect_failure_at(1, "error-1002()");
        }
    }
}


static void
test_5_2_unknown_opcodes_are_1002(void **state)
{
    static const u_char opcodes[] = {3, 4, 5, 6, 7, 11, 12, 13, 14, 15};
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(opcodes); i++) {
        in.len = 0;
        FRAME((u_char) (0x80 | opcodes[i]), "");
        expect_failure_at(1, "error-1002()");
    }
}


static void
test_5_2_16_bit_length_not_minimal_is_1002(void **state)
{
    (void) state;

    ADD("\x81\xfe\x00\x7d");
    expect_failure_at(4, "error-1002()");

    in.len = 0;
    ADD("\x81\xfe\x00\x00");
    expect_failure_at(4, "error-1002()");
}


static void
test_5_2_64_bit_length_not_minimal_is_1002(void **state)
{
    (void) state;

    ADD("\x81\xff\0\0\0\0\0\0\xff\xff");
    expect_failure_at(10, "error-1002()");

    in.len = 0;
    ADD("\x81\xff\0\0\0\0\0\0\0\x01");
    expect_failure_at(10, "error-1002()");
}


static void
test_5_2_64_bit_length_with_highest_bit_is_1002(void **state)
{
    (void) state;

    ADD("\x81\xff\x80\0\0\0\0\0\0\0");
    expect_failure_at(10, "error-1002()");

    in.len = 0;
    ADD("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    expect_failure_at(10, "error-1002()");
}


static void
test_5_2_lengths_at_their_borders(void **state)
{
    static const struct options o = {100000, 0, 0};
    static u_char payload[70000];
    static const size_t lens[] = {125, 126, 127, 65535, 65536, 70000};
    char want[64];
    size_t i;

    (void) state;

    memset(payload, 'a', sizeof(payload));

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        in.len = 0;
        frame(0x81, payload, lens[i]);

        if (lens[i] > 300) {
            snprintf(want, sizeof(want), "text[%zu]", lens[i]);
            expect_with(&o, want);

        } else {
            assert_int_equal(run(&o, 1)->len, lens[i] + sizeof("text()") - 1);
        }
    }
}


static void
test_5_5_fragmented_control_frame_is_1002(void **state)
{
    static const u_char types[] = {0x08, 0x09, 0x0a};
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(types); i++) {
        in.len = 0;
        FRAME(types[i], "");
        expect_failure_at(1, "error-1002()");
    }
}


static void
test_5_5_control_frame_above_125_bytes_is_1002(void **state)
{
    (void) state;

    ADD("\x89\xfe");
    expect_failure_at(2, "error-1002()");

    in.len = 0;
    ADD("\x8a\xff");
    expect_failure_at(2, "error-1002()");

    in.len = 0;
    ADD("\x88\xfe");
    expect_failure_at(2, "error-1002()");
}


static void
test_5_5_control_frame_of_125_bytes(void **state)
{
    static u_char payload[125];
    struct transcript *t;
    size_t step;

    (void) state;

    memset(payload, 'p', sizeof(payload));
    frame(0x89, payload, sizeof(payload));

    for (step = 1; step < 140; step++) {
        t = run(&defaults, step);
        assert_int_equal(t->len, sizeof("ping()") - 1 + sizeof(payload));
        assert_memory_equal(t->text + 5, payload, sizeof(payload));
    }
}


static void
test_5_5_2_ping_cut_in_two_keeps_its_payload(void **state)
{
    (void) state;

    FRAME(0x89, "payload");
    FRAME(0x81, "next");
    expect("ping(payload) text(next)");
}


static void
test_limit_message_of_exactly_the_limit(void **state)
{
    static u_char payload[MESSAGE_MAX];

    (void) state;

    memset(payload, 'a', sizeof(payload));
    frame(0x81, payload, sizeof(payload));
    frame(0x81, payload, sizeof(payload));
    expect("text[1000] text[1000]");
}


static void
test_limit_exceeded_is_1009_in_the_header(void **state)
{
    (void) state;

    ADD("\x81\xfe\x03\xe9");
    expect_failure_at(4, "error-1009()");

    in.len = 0;
    ADD("\x82\xff\0\0\0\0\x20\0\0\0");
    expect_failure_at(10, "error-1009()");

    in.len = 0;
    ADD("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff");
    expect_failure_at(10, "error-1009()");
}


static void
test_limit_counts_all_fragments(void **state)
{
    static u_char payload[600];
    size_t first;

    (void) state;

    memset(payload, 'a', sizeof(payload));
    frame(0x01, payload, 600);
    frame(0x00, payload, 400);
    first = in.len;
    ADD("\x80\x81");
    expect_failure_at(first + 2, "error-1009()");

    in.len = first;
    FRAME(0x80, "");
    expect("text[1000]");
}


static void
test_limit_does_not_count_control_frames(void **state)
{
    static const struct options o = {4, 0, 0};

    (void) state;

    FRAME(0x01, "ab");
    FRAME(0x89, "0123456789");
    FRAME(0x80, "cd");
    expect_with(&o, "ping(0123456789) text(abcd)");
}


static void
test_limit_below_126_fails_with_the_length_byte(void **state)
{
    static const struct options o = {4, 0, 0};

    (void) state;

    ADD("\x81\x85");
    expect_failure_at_with(&o, 2, "error-1009()");
}


static void
test_limit_of_any_size_is_taken(void **state)
{
    ngx_chat_ws_t ws;

    (void) state;

    ngx_chat_ws_init(&ws, SIZE_MAX);
    assert_int_equal(ws.message_max, 0x7fffffff);

    ngx_chat_ws_init(&ws, 0);
    assert_int_equal(ws.message_max, 0);
}


static void
test_limit_claimed_length_is_not_waited_for(void **state)
{
    static const struct options o = {0x7fffffff, 0, 0};
    struct transcript *t;

    (void) state;

    ADD("\x82\xff\0\0\0\0\x20\0\0\0\0\0\0\0abcd");
    t = run(&o, 3);
    assert_string_equal(t->text, "");
    assert_int_equal(t->message_len, 4);
}


static void
test_text_only_refuses_binary_with_its_first_byte(void **state)
{
    static const struct options o = {MESSAGE_MAX, 0, 1};

    (void) state;

    FRAME(0x82, "x");
    expect_failure_at_with(&o, 1, "error-1003()");

    in.len = 0;
    FRAME(0x02, "x");
    expect_failure_at_with(&o, 1, "error-1003()");

    in.len = 0;
    FRAME(0x81, "x");
    expect_with(&o, "text(x)");
}


static void
test_8_1_text_across_fragments_and_reads(void **state)
{
    (void) state;

    FRAME(0x01, "\xf0\x9f");
    FRAME(0x89, "\xff");
    FRAME(0x00, "\x98");
    FRAME(0x80, "\x80\xe2\x82\xac");
    expect("ping(\xff) text(\xf0\x9f\x98\x80\xe2\x82\xac)");
}


static void
test_8_1_bad_text_is_1007_at_the_first_bad_byte(void **state)
{
    (void) state;

    /* 6 bytes of header, then the third byte of payload is the bad one */
    FRAME(0x01, "ok\xffmore");
    expect_failure_at(6 + 3, "error-1007()");

    in.len = 0;
    FRAME(0x01, "\xed\xa0\x80");
    expect_failure_at(6 + 2, "error-1007()");

    in.len = 0;
    FRAME(0x01, "\xc0\xaf");
    expect_failure_at(6 + 1, "error-1007()");

    in.len = 0;
    FRAME(0x01, "\xf4\x90\x80\x80");
    expect_failure_at(6 + 2, "error-1007()");
}


static void
test_8_1_text_that_ends_inside_a_character_is_1007(void **state)
{
    (void) state;

    FRAME(0x81, "abc\xe2\x82");
    expect("error-1007()");

    in.len = 0;
    FRAME(0x01, "abc\xe2\x82");
    FRAME(0x80, "");
    expect("error-1007()");
}


static void
test_8_1_next_message_begins_anew(void **state)
{
    (void) state;

    FRAME(0x82, "\xe2");
    FRAME(0x81, "\xe2\x82\xac");
    expect("binary(\xe2) text(\xe2\x82\xac)");
}


static void
test_binary_is_not_checked(void **state)
{
    (void) state;

    FRAME(0x02, "\xff\xfe");
    FRAME(0x80, "\xc0");
    expect("binary(\xff\xfe\xc0)");
}


static void
test_7692_rsv1_only_on_the_first_frame(void **state)
{
    static const struct options o = {MESSAGE_MAX, 1, 0};
    size_t first;

    (void) state;

    FRAME(0x41, "\xff");
    FRAME(0x80, "\xfe");
    FRAME(0x81, "plain");
    expect_with(&o, "deflated-text(\xff\xfe) text(plain)");

    in.len = 0;
    FRAME(0x41, "\xff");
    first = in.len;
    FRAME(0xc0, "x");
    expect_failure_at_with(&o, first + 1, "error-1002()");

    in.len = 0;
    FRAME(0xc9, "");
    expect_failure_at_with(&o, 1, "error-1002()");

    in.len = 0;
    FRAME(0xa1, "");
    expect_failure_at_with(&o, 1, "error-1002()");
}


static void
test_5_5_1_close_without_code(void **state)
{
    (void) state;

    FRAME(0x88, "");
    expect("close-0()");
}


static void
test_5_5_1_close_with_code_and_reason(void **state)
{
    (void) state;

    FRAME(0x88, "\x03\xe9gr\xc3\xbc\xc3\x9f");
    expect("close-1001(gr\xc3\xbc\xc3\x9f)");
}


static void
test_5_5_1_close_of_one_byte_is_1002(void **state)
{
    (void) state;

    FRAME(0x88, "\x03");
    expect_failure_at(2, "error-1002()");
}


static void
test_5_5_1_close_reason_that_is_not_utf8_is_1007(void **state)
{
    (void) state;

    FRAME(0x88, "\x03\xe8\xff");
    expect("error-1007()");

    in.len = 0;
    FRAME(0x88, "\x03\xe8"
                "cut \xe2\x82");
    expect("error-1007()");
}


static void
test_7_4_close_codes(void **state)
{
    u_char payload[2];
    unsigned code;
    char want[32];
    int good;

    (void) state;

    for (code = 0; code < 65536; code++) {
        good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
               || (code >= 3000 && code <= 4999);

        assert_int_equal(ngx_chat_ws_code_valid(code), good);

        if (code % 97 && (code < 990 || code > 1020) && code != 2999
            && code != 3000 && code != 4999 && code != 5000) {
            continue;
        }

        payload[0] = (u_char) (code >> 8);
        payload[1] = (u_char) code;
        in.len = 0;
        frame(0x88, payload, 2);

        snprintf(want, sizeof(want), good ? "close-%u()" : "error-1002()",
                 code);
        assert_string_equal(run(&defaults, 3)->text, want);
    }
}


static void
test_5_5_1_nothing_after_close_is_looked_at(void **state)
{
    (void) state;

    FRAME(0x88, "\x03\xe8");
    FRAME(0x81, "late");
    ADD("\xff\xff\xff");
    expect("close-1000()");
}


static void
test_nothing_after_an_error_is_looked_at(void **state)
{
    (void) state;

    FRAME(0x83, "x");
    FRAME(0x81, "late");
    expect("error-1002()");
}


static void
test_idle_between_messages_only(void **state)
{
    ngx_chat_ws_event_t ev;
    ngx_chat_ws_t ws;
    u_char *pos;

    (void) state;

    ngx_chat_ws_init(&ws, MESSAGE_MAX);
    assert_true(ngx_chat_ws_idle(&ws));

    FRAME(0x01, "a");
    pos = in.data;
    assert_int_equal(ngx_chat_ws_parse(&ws, &pos, in.data + in.len, &ev),
                     NGX_OK);
    assert_false(ngx_chat_ws_idle(&ws));

    in.len = 0;
    FRAME(0x80, "b");
    pos = in.data;
    assert_int_equal(ngx_chat_ws_parse(&ws, &pos, in.data + in.len, &ev),
                     NGX_OK);
    assert_true(ngx_chat_ws_idle(&ws));
}


static void
test_unmasking_at_every_alignment_and_length(void **state)
{
    static u_char payload[200];
    struct transcript *t;
    size_t i, len, step;

    (void) state;

    for (i = 0; i < sizeof(payload); i++) {
        payload[i] = (u_char) (i * 7 + 1);
    }

    for (len = 1; len < sizeof(payload); len++) {
        in.len = 0;
        frame(0x02, payload, len);
        frame(0x00, payload, len);

        for (step = 1; step < 40; step += 3) {
            t = run(&defaults, step);
            assert_int_equal(t->message_len, 2 * len);
            assert_memory_equal(t->message, payload, len);
            assert_memory_equal(t->message + len, payload, len);
        }
    }
}


/* Bytes that are bad only at one place of a long ASCII text. */
static void
test_bad_byte_at_every_place_of_a_text(void **state)
{
    u_char payload[100];
    size_t at, step;

    (void) state;

    for (at = 0; at < sizeof(payload); at++) {
        memset(payload, 'a', sizeof(payload));
        payload[at] = 0xc1;
        in.len = 0;
        frame(0x81, payload, sizeof(payload));

        for (step = 1; step < 120; step += 7) {
            assert_string_equal(run(&defaults, step)->text, "error-1007()");
        }
    }
}


static void
test_header_of_a_server_frame(void **state)
{
    u_char buf[NGX_CHAT_WS_HEADER_MAX];

    (void) state;

#define HEADER(opcode, len, want)                                              \
    assert_int_equal(ngx_chat_ws_header(buf, opcode, len) - buf,               \
                     sizeof(want) - 1);                                        \
    assert_memory_equal(buf, want, sizeof(want) - 1);                          \
    assert_int_equal(ngx_chat_ws_header_len(len), sizeof(want) - 1)

    HEADER(NGX_CHAT_WS_TEXT, 0, "\x81\x00");
    HEADER(NGX_CHAT_WS_BINARY, 125, "\x82\x7d");
    HEADER(NGX_CHAT_WS_TEXT, 126, "\x81\x7e\x00\x7e");
    HEADER(NGX_CHAT_WS_TEXT, 65535, "\x81\x7e\xff\xff");
    HEADER(NGX_CHAT_WS_TEXT, 65536, "\x81\x7f\0\0\0\0\0\x01\0\0");
    HEADER(NGX_CHAT_WS_TEXT, 0x0102030405060708ull,
           "\x81\x7f\x01\x02\x03\x04\x05\x06\x07\x08");
    HEADER(NGX_CHAT_WS_PONG, 5, "\x8a\x05");

#undef HEADER
}


static void
test_close_frame_of_a_server(void **state)
{
    u_char buf[NGX_CHAT_WS_CONTROL_LEN], *end;

    (void) state;

    end = ngx_chat_ws_close_frame(buf, NGX_CHAT_WS_NO_CODE, NULL, 0);
    assert_int_equal(end - buf, 2);
    assert_memory_equal(buf, "\x88\x00", 2);

    end = ngx_chat_ws_close_frame(buf, 1000, NULL, 0);
    assert_int_equal(end - buf, 4);
    assert_memory_equal(buf, "\x88\x02\x03\xe8", 4);

    end = ngx_chat_ws_close_frame(buf, 1008, (u_char *) "token_expired", 13);
    assert_int_equal(end - buf, 17);
    assert_memory_equal(buf, "\x88\x0f\x03\xf0token_expired", 17);
}


static void
test_close_reason_is_cut_between_characters(void **state)
{
    u_char buf[NGX_CHAT_WS_CONTROL_LEN], reason[300], *end;
    size_t i;

    (void) state;

    memset(reason, 'a', sizeof(reason));
    end = ngx_chat_ws_close_frame(buf, 1000, reason, 123);
    assert_int_equal(end - buf, 127);
    end = ngx_chat_ws_close_frame(buf, 1000, reason, 124);
    assert_int_equal(end - buf, 127);

    for (i = 0; i < sizeof(reason); i += 3) {
        memcpy(reason + i, "\xe2\x82\xac", 3);
    }

    end = ngx_chat_ws_close_frame(buf, 1000, reason, sizeof(reason));
    assert_int_equal(end - buf, 127);

    end = ngx_chat_ws_close_frame(buf, 1000, reason + 1, sizeof(reason) - 1);
    assert_int_equal(end - buf, 126);
    assert_int_equal(buf[1], 124);
}


#define TEST(name) cmocka_unit_test_setup(name, start)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rfc_5_7_single_frame_masked_text),
        TEST(test_idle_state_is_small),
        TEST(test_several_frames_in_one_segment),
        TEST(test_empty_message_is_one_event),
        TEST(test_5_4_fragments_are_one_message),
        TEST(test_5_4_empty_fragments),
        TEST(test_5_4_control_frames_inside_fragments),
        TEST(test_5_4_close_inside_fragments),
        TEST(test_5_4_continuation_without_start_is_1002),
        TEST(test_5_4_continuation_after_final_frame_is_1002),
        TEST(test_5_4_new_message_inside_a_fragmented_one_is_1002),
        TEST(test_5_1_unmasked_frame_is_1002),
        TEST(test_5_2_reserved_bits_are_1002),
        TEST(test_5_2_unknown_opcodes_are_1002),
        TEST(test_5_2_16_bit_length_not_minimal_is_1002),
        TEST(test_5_2_64_bit_length_not_minimal_is_1002),
        TEST(test_5_2_64_bit_length_with_highest_bit_is_1002),
        TEST(test_5_2_lengths_at_their_borders),
        TEST(test_5_5_fragmented_control_frame_is_1002),
        TEST(test_5_5_control_frame_above_125_bytes_is_1002),
        TEST(test_5_5_control_frame_of_125_bytes),
        TEST(test_5_5_2_ping_cut_in_two_keeps_its_payload),
        TEST(test_limit_message_of_exactly_the_limit),
        TEST(test_limit_exceeded_is_1009_in_the_header),
        TEST(test_limit_counts_all_fragments),
        TEST(test_limit_does_not_count_control_frames),
        TEST(test_limit_below_126_fails_with_the_length_byte),
        TEST(test_limit_of_any_size_is_taken),
        TEST(test_limit_claimed_length_is_not_waited_for),
        TEST(test_text_only_refuses_binary_with_its_first_byte),
        TEST(test_8_1_text_across_fragments_and_reads),
        TEST(test_8_1_bad_text_is_1007_at_the_first_bad_byte),
        TEST(test_8_1_text_that_ends_inside_a_character_is_1007),
        TEST(test_8_1_next_message_begins_anew),
        TEST(test_binary_is_not_checked),
        TEST(test_7692_rsv1_only_on_the_first_frame),
        TEST(test_5_5_1_close_without_code),
        TEST(test_5_5_1_close_with_code_and_reason),
        TEST(test_5_5_1_close_of_one_byte_is_1002),
        TEST(test_5_5_1_close_reason_that_is_not_utf8_is_1007),
        TEST(test_7_4_close_codes),
        TEST(test_5_5_1_nothing_after_close_is_looked_at),
        TEST(test_nothing_after_an_error_is_looked_at),
        TEST(test_idle_between_messages_only),
        TEST(test_unmasking_at_every_alignment_and_length),
        TEST(test_bad_byte_at_every_place_of_a_text),
        TEST(test_header_of_a_server_frame),
        TEST(test_close_frame_of_a_server),
        TEST(test_close_reason_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
