/* Keys: their bytes, their order, and what is no key. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage_key.h"

static void
check_bytes(const struct key *k, const char *bytes, size_t len)
{
    assert_int_equal(k->len, len);
    assert_memory_equal(k->data, bytes, len);
}


#define CHECK_BYTES(k, literal) check_bytes(k, literal, sizeof(literal) - 1)


static void
every_key_has_its_bytes(void **state)
{
    struct key k;

    (void) state;

    key_format(&k);
    CHECK_BYTES(&k, "F");
    key_sequence(&k);
    CHECK_BYTES(&k, "G");
    key_user_name(&k, STR("al"));
    CHECK_BYTES(&k, "Ual");
    key_user(&k, 0x0102030405060708);
    CHECK_BYTES(&k, "u\1\2\3\4\5\6\7\10");
    key_channel_name(&k, STR("d.a~b"));
    CHECK_BYTES(&k, "Cd.a~b");
    key_channel(&k, 258);
    CHECK_BYTES(&k, "c\0\0\0\0\0\0\1\2");
    key_message(&k, 1, 2);
    CHECK_BYTES(&k, "M\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2");
    key_event(&k, 1, 2);
    CHECK_BYTES(&k, "E\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2");
    key_inbox(&k, 3, 4);
    CHECK_BYTES(&k, "I\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4");
    key_membership(&k, 3, 4);
    CHECK_BYTES(&k, "L\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4");
    key_markers(&k, 5, 6);
    CHECK_BYTES(&k, "K\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\6");
    key_device(&k, 5, STR("web"));
    CHECK_BYTES(&k, "V\0\0\0\0\0\0\0\5web");
    key_removal(&k, 5, STR("web"));
    CHECK_BYTES(&k, "W\0\0\0\0\0\0\0\5web");
    key_contact(&k, 5, 6);
    CHECK_BYTES(&k, "N\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\6");
    key_account(&k, 5);
    CHECK_BYTES(&k, "H\0\0\0\0\0\0\0\5");
    key_ended(&k, 5, STR("chat:1:x"));
    CHECK_BYTES(&k, "J\0\0\0\0\0\0\0\5chat:1:x");
    key_profile(&k, 5);
    CHECK_BYTES(&k, "P\0\0\0\0\0\0\0\5");
    key_active(&k, 5);
    CHECK_BYTES(&k, "A\0\0\0\0\0\0\0\5");
    key_online(&k, 5);
    CHECK_BYTES(&k, "O\0\0\0\0\0\0\0\5");
    key_search(&k, STR("al"), 5);
    CHECK_BYTES(&k, "Sal\0\0\0\0\0\0\0\0\5");
    key_indexed(&k);
    CHECK_BYTES(&k, "T");
    key_client(&k, 0x01020304, 5, STR("c1"));
    CHECK_BYTES(&k, "D\1\2\3\4\0\0\0\0\0\0\0\5c1");
    key_request(&k, 0x01020304, STR("r1"));
    CHECK_BYTES(&k, "Q\1\2\3\4r1");
    key_revision(&k, 1, 2, 3);
    CHECK_BYTES(&k, "R\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\3");
    key_erased(&k, 1, 2);
    CHECK_BYTES(&k, "x\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2");
    key_invite(&k, 258, STR("ab"));
    CHECK_BYTES(&k, "Y\0\0\0\0\0\0\1\2"
                    "ab");
    key_ending(&k, 5);
    CHECK_BYTES(&k, "X\0\0\0\0\0\0\0\5");
}


static void
a_key_comes_apart_as_it_was_built(void **state)
{
    struct key_parts p;
    struct key k;

    (void) state;

    key_client(&k, 20000, UINT64_MAX, STR("c1"));
    assert_int_equal(key_parse(key_str(&k), &p), 0);
    assert_int_equal(p.kind, KEY_CLIENT);
    assert_int_equal(p.first, 20000);
    assert_true(p.second == UINT64_MAX);
    assert_true(str_eq(p.name, STR("c1")));

    key_device(&k, 7, STR("web"));
    assert_int_equal(key_parse(key_str(&k), &p), 0);
    assert_int_equal(p.kind, KEY_DEVICE);
    assert_int_equal(p.first, 7);
    assert_int_equal(p.second, 0);
    assert_true(str_eq(p.name, STR("web")));

    key_search(&k, STR("a\0b"), 7);
    assert_int_equal(key_parse(key_str(&k), &p), 0);
    assert_int_equal(p.kind, KEY_SEARCH);
    assert_int_equal(p.first, 7);
    assert_true(str_eq(p.name, STR("a\0b")));

    key_message(&k, 7, 8);
    assert_int_equal(key_parse(key_str(&k), &p), 0);
    assert_int_equal(p.first, 7);
    assert_int_equal(p.second, 8);
    assert_int_equal(p.name.len, 0);

    key_format(&k);
    assert_int_equal(key_parse(key_str(&k), &p), 0);
    assert_int_equal(p.kind, KEY_FORMAT);
}


static void
what_no_builder_makes_is_refused(void **state)
{
    char longer[KEY_MAX + 1];
    struct key_parts p;
    struct key k;

    (void) state;

    assert_int_equal(key_parse(STR(""), &p), -1);
    assert_int_equal(key_parse(STR("X"), &p), -1);
    assert_int_equal(key_parse(STR("F1"), &p), -1);
    assert_int_equal(key_parse(STR("U"), &p), -1);
    assert_int_equal(key_parse(STR("u\1\2\3\4\5\6\7"), &p), -1);
    assert_int_equal(key_parse(STR("u\1\2\3\4\5\6\7\10\11"), &p), -1);

    key_message(&k, 1, 2);
    k.len--;
    assert_int_equal(key_parse(key_str(&k), &p), -1);

    key_search(&k, STR("r"), 1);
    k.len--;
    assert_int_equal(key_parse(key_str(&k), &p), -1);
    assert_int_equal(key_parse(STR("S"), &p), -1);
    assert_int_equal(key_parse(STR("S\0\0\0\0\0\0\0\0\1"), &p), -1);

    key_request(&k, 1, STR("r"));
    k.len--;
    assert_int_equal(key_parse(key_str(&k), &p), -1);

    key_revision(&k, 1, 2, 3);
    assert_int_equal(key_parse(key_str(&k), &p), 0);
    assert_int_equal(p.third, 3);
    k.len--;
    assert_int_equal(key_parse(key_str(&k), &p), -1);

    memset(longer, 'a', sizeof(longer));
    longer[0] = 'C';
    assert_int_equal(
        key_parse((struct str){longer, 1 + STORAGE_CHANNEL_MAX}, &p), 0);
    assert_int_equal(
        key_parse((struct str){longer, 2 + STORAGE_CHANNEL_MAX}, &p), -1);
}


static void
a_name_out_of_bounds_makes_an_empty_key(void **state)
{
    char name[STORAGE_CHANNEL_MAX + 1];
    struct str too_long = {name, STORAGE_ID_MAX + 1};
    struct key k;

    (void) state;

    memset(name, 'a', sizeof(name));

    key_user_name(&k, too_long);
    assert_int_equal(k.len, 0);
    key_device(&k, 1, too_long);
    assert_int_equal(k.len, 0);
    key_client(&k, 1, 1, too_long);
    assert_int_equal(k.len, 0);
    key_request(&k, 1, too_long);
    assert_int_equal(k.len, 0);
    key_channel_name(&k, (struct str){name, sizeof(name)});
    assert_int_equal(k.len, 0);
    key_user_name(&k, STR(""));
    assert_int_equal(k.len, 0);

    key_channel_name(&k, (struct str){name, STORAGE_CHANNEL_MAX});
    assert_int_equal(k.len, KEY_MAX);
}


static int
compare(const struct key *a, const struct key *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->data, b->data, len);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}


static void
keys_sort_as_their_numbers(void **state)
{
    static const uint64_t numbers[] = {1,          2,           255,       256,
                                       0xffffffff, 0x100000000, UINT64_MAX};
    struct key a, b;

    (void) state;

    for (size_t i = 0; i + 1 < sizeof(numbers) / sizeof(numbers[0]); i++) {
        key_message(&a, 9, numbers[i]);
        key_message(&b, 9, numbers[i + 1]);
        assert_true(compare(&a, &b) < 0);
        key_message(&a, numbers[i], UINT64_MAX);
        key_message(&b, numbers[i + 1], 1);
        assert_true(compare(&a, &b) < 0);
    }
}


static void
the_end_of_a_prefix_is_above_all_its_keys_and_no_others(void **state)
{
    struct key prefix, end, k;

    (void) state;

    key_prefix_number(&prefix, KEY_INBOX, 255);
    key_prefix_end(&end, &prefix);

    key_inbox(&k, 255, UINT64_MAX);
    assert_true(key_has_prefix(key_str(&k), &prefix));
    assert_true(compare(&k, &end) < 0);
    key_inbox(&k, 256, 0);
    assert_false(key_has_prefix(key_str(&k), &prefix));
    assert_true(compare(&k, &end) >= 0);

    key_prefix_number(&prefix, KEY_INBOX, UINT64_MAX);
    key_prefix_end(&prefix, &prefix);
    CHECK_BYTES(&prefix, "J");

    key_prefix(&prefix, KEY_USER);
    key_user(&k, UINT64_MAX);
    assert_true(key_has_prefix(key_str(&k), &prefix));
    key_prefix_end(&end, &prefix);
    assert_true(compare(&k, &end) < 0);

    key_prefix_period(&prefix, KEY_CLIENT, 255);
    key_prefix_end(&end, &prefix);
    key_client(&k, 255, UINT64_MAX, STR("zzz"));
    assert_true(compare(&k, &end) < 0);
    key_client(&k, 256, 1, STR("a"));
    assert_true(compare(&k, &end) > 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_has_its_bytes),
        cmocka_unit_test(a_key_comes_apart_as_it_was_built),
        cmocka_unit_test(what_no_builder_makes_is_refused),
        cmocka_unit_test(a_name_out_of_bounds_makes_an_empty_key),
        cmocka_unit_test(keys_sort_as_their_numbers),
        cmocka_unit_test(
            the_end_of_a_prefix_is_above_all_its_keys_and_no_others),
    };

    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
