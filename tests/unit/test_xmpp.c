/* bench/load/xmpp.c: stream management, XEP-0198. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "dialect.h"

#define SM "xmlns='urn:xmpp:sm:3'"

static const struct dialect *const d = &dialect_xmpp_sm;

static struct buf out;
static struct stream s;

static int
setup(void **state)
{
    (void) state;
    s = (struct stream){0};
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    buf_clear(&out);
    return 0;
}

static int
login(const struct dialect *dialect, const char *message)
{
    buf_reset(&out, out.cap);
    return dialect->login(&out, "alice", &s,
                          (struct str){message, strlen(message)});
}

static struct note
read_one(const char *message)
{
    struct note n;

    d->read(&s, (struct str){message, strlen(message)}, &n);
    return n;
}

static void
assert_said(const char *what)
{
    buf_put_char(&out, '\0');
    assert_false(buf_failed(&out));
    assert_non_null(strstr(out.data, what));
}

static void
assert_answer(const char *h)
{
    buf_reset(&out, out.cap);
    d->answer(&out, &s);
    assert_said("<a " SM " h='");
    assert_said(h);
}

static void
log_in_until_bound(const struct dialect *dialect)
{
    static const char *const messages[] = {
        "",
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
        "<stream:features><mechanisms/></stream:features>",
        "<success/>",
        "<stream:features><bind/><sm " SM "/></stream:features>",
        "<iq type='result' id='b'><bind/></iq>",
    };

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        assert_int_equal(login(dialect, messages[i]), 0);
    }
}

static void
log_in(void)
{
    log_in_until_bound(d);
    assert_int_equal(login(d, "<enabled " SM "/>"), 0);
    assert_int_equal(login(d, "<presence from='alice@localhost/load'/>"), 1);
}

static void
it_is_enabled_once_a_resource_is_bound(void **state)
{
    (void) state;
    log_in_until_bound(d);
    assert_said("<enable " SM "/>");
    assert_int_equal(login(d, "<enabled " SM "/>"), 0);
    assert_said("<presence");
    assert_int_equal(login(d, "<presence from='alice@localhost/load'/>"), 1);
    assert_true(d->acks);
    assert_string_equal(d->ask.data, "<r " SM "/>");
}

static void
a_server_without_it_is_refused(void **state)
{
    (void) state;
    log_in_until_bound(d);
    assert_int_equal(login(d, "<failed " SM "/>"), -1);
}

static void
plain_xmpp_asks_for_nothing(void **state)
{
    (void) state;
    log_in_until_bound(&dialect_xmpp);
    assert_said("<presence");
    assert_false(dialect_xmpp.acks);
    assert_int_equal(dialect_xmpp.ask.len, 0);
}

static void
a_count_acknowledges_the_messages_in_it(void **state)
{
    struct note n;

    (void) state;
    log_in();

    /* the first stanza was the presence */
    n = read_one("<a h='1' " SM "/>");
    assert_int_equal(n.kind, NOTE_TAKEN);
    assert_int_equal(n.seq, 0);

    n = read_one("<a " SM " h='4'/>");
    assert_int_equal(n.kind, NOTE_TAKEN);
    assert_int_equal(n.seq, 3);

    n = read_one("<a h='4' " SM "/>");
    assert_int_equal(n.seq, 3);
}

static void
joining_a_room_is_no_message(void **state)
{
    struct note n;

    (void) state;
    log_in();
    buf_reset(&out, out.cap);
    d->join(&out, &s, "room", "alice");
    n = read_one("<a h='2' " SM "/>");
    assert_int_equal(n.seq, 0);
    n = read_one("<a h='3' " SM "/>");
    assert_int_equal(n.seq, 1);
}

static void
counts_go_on_after_32_bits(void **state)
{
    struct note n;

    (void) state;
    log_in();
    s.taken = UINT32_MAX - 1;
    n = read_one("<a h='4294967295' " SM "/>");
    assert_int_equal(n.seq, UINT32_MAX - UINT64_C(1));
    n = read_one("<a h='2' " SM "/>");
    assert_int_equal(n.seq, (UINT64_C(1) << 32) + 1);
}

static void
a_count_that_goes_back_is_far_too_high(void **state)
{
    struct note n;

    (void) state;
    log_in();
    read_one("<a h='9' " SM "/>");
    n = read_one("<a h='8' " SM "/>");
    assert_int_equal(n.kind, NOTE_TAKEN);
    assert_true(n.seq > UINT32_MAX);
}

static void
an_acknowledgement_without_a_count_is_an_error(void **state)
{
    (void) state;
    log_in();
    assert_int_equal(read_one("<a " SM "/>").kind, NOTE_ERROR);
}

static void
the_server_is_told_how_many_stanzas_came(void **state)
{
    (void) state;
    log_in();
    assert_int_equal(read_one("<r " SM "/>").kind, NOTE_ASKED);
    assert_answer("h='1'/>");

    assert_int_equal(read_one("<message><body>7 x</body></message>").seq, 7);
    read_one("<presence from='bob@localhost/load'/>");
    read_one("<iq type='get' id='p'><ping/></iq>");
    read_one("<a h='1' " SM "/>");
    read_one("<r " SM "/>");
    read_one("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
    assert_answer("h='4'/>");

    s.received = UINT32_MAX;
    read_one("<message><body>8 x</body></message>");
    assert_answer("h='0'/>");
}

static void
it_may_ask_during_the_login(void **state)
{
    (void) state;
    log_in_until_bound(d);
    login(d, "<enabled " SM "/>");
    assert_int_equal(login(d, "<r " SM "/>"), 0);
    assert_said("<a " SM " h='0'/>");
    assert_int_equal(login(d, "<presence from='alice@localhost/load'/>"), 1);
    assert_answer("h='1'/>");
    assert_int_equal(read_one("<a h='2' " SM "/>").seq, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_enabled_once_a_resource_is_bound),
        TEST(a_server_without_it_is_refused),
        TEST(plain_xmpp_asks_for_nothing),
        TEST(a_count_acknowledges_the_messages_in_it),
        TEST(joining_a_room_is_no_message),
        TEST(counts_go_on_after_32_bits),
        TEST(a_count_that_goes_back_is_far_too_high),
        TEST(an_acknowledgement_without_a_count_is_an_error),
        TEST(the_server_is_told_how_many_stanzas_came),
        TEST(it_may_ask_during_the_login),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
