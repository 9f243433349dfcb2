/* bench/load: percentiles and frames, by which the measuring is judged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"
#include "histogram.h"

static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};

static struct histogram h;


static int
setup(void **state)
{
    (void) state;
    memset(&h, 0, sizeof(h));
    return 0;
}


static void
without_samples_all_shares_are_0(void **state)
{
    (void) state;
    assert_int_equal(histogram_at(&h, 0), 0);
    assert_int_equal(histogram_at(&h, 0.5), 0);
    assert_int_equal(histogram_at(&h, 1), 0);
}


/* The other one is far away, so that the largest sample does not cap it. */
static uint64_t
smaller_of_two(uint64_t v)
{
    memset(&h, 0, sizeof(h));
    histogram_add(&h, v);
    histogram_add(&h, UINT64_C(1) << 61);
    return histogram_at(&h, 0.5);
}


static void
a_sample_is_told_too_large_by_a_64th_at_most(void **state)
{
    (void) state;

    for (uint64_t v = 0; v < 5000; v++) {
        assert_in_range(smaller_of_two(v), v, v + v / 64);
    }

    for (unsigned bit = 8; bit < 60; bit++) {
        for (int off = -1; off <= 1; off++) {
            uint64_t v = (UINT64_C(1) << bit) + (uint64_t) off;

            assert_in_range(smaller_of_two(v), v, v + v / 64);
        }
    }
}


static void
small_samples_are_told_exactly(void **state)
{
    (void) state;

    for (uint64_t v = 0; v < 128; v++) {
        assert_int_equal(smaller_of_two(v), v);
    }
}


static void
a_share_of_the_samples_does_not_exceed_its_value(void **state)
{
    (void) state;

    for (uint64_t v = 1; v <= 1000; v++) {
        histogram_add(&h, v * 1000);
    }

    assert_in_range(histogram_at(&h, 0.5), 500000, 508000);
    assert_in_range(histogram_at(&h, 0.99), 990000, 1000000);
    assert_int_equal(histogram_at(&h, 1), 1000000);
    assert_in_range(histogram_at(&h, 0), 1000, 1016);
}


static void
the_largest_sample_is_exact_however_large(void **state)
{
    (void) state;
    histogram_add(&h, 1234567);
    assert_int_equal(histogram_at(&h, 0.5), 1234567);
    histogram_add(&h, UINT64_MAX);
    histogram_add(&h, UINT64_MAX);
    assert_int_equal(h.max, UINT64_MAX);
    assert_int_equal(h.count, 3);
}


static const size_t lengths[] = {0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536};


static struct buf
frame_of(size_t len, const unsigned char *with)
{
    struct buf b;
    char *text = malloc(len + 1);

    assert_non_null(text);

    for (size_t i = 0; i < len; i++) {
        text[i] = (char) ('a' + i % 26);
    }

    buf_init(&b);
    frame_put(&b, FRAME_TEXT, (struct str){text, len}, with);
    assert_false(buf_failed(&b));
    free(text);
    return b;
}


static void
what_is_put_is_got_with_a_mask_and_without(void **state)
{
    (void) state;

    for (size_t i = 0; i < 2 * sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = lengths[i / 2];
        struct buf b = frame_of(len, i % 2 ? mask : NULL);
        struct str payload;
        int opcode;

        assert_int_equal(frame_get(b.data, b.len, i % 2, &opcode, &payload),
                         b.len);
        assert_int_equal(opcode, FRAME_TEXT);
        assert_int_equal(payload.len, len);

        for (size_t k = 0; k < len; k++) {
            assert_int_equal(payload.data[k], 'a' + k % 26);
        }

        buf_clear(&b);
    }
}


static void
the_lengths_take_as_few_bytes_as_the_standard_says(void **state)
{
    (void) state;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = lengths[i];
        size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
        struct buf b = frame_of(len, NULL), only;

        assert_int_equal(b.len, head + len);

        buf_init(&only);
        frame_put_head(&only, FRAME_TEXT, len);
        assert_int_equal(only.len, head);
        assert_memory_equal(only.data, b.data, head);
        buf_clear(&only);
        buf_clear(&b);
    }
}


static void
what_is_not_whole_waits_untouched(void **state)
{
    (void) state;

    for (size_t len = 0; len < 200; len += 60) {
        struct buf b = frame_of(len, mask);
        char *copy = malloc(b.len);
        struct str payload;
        int opcode;

        assert_non_null(copy);
        memcpy(copy, b.data, b.len);

        for (size_t n = 0; n < b.len; n++) {
            assert_int_equal(frame_get(b.data, n, true, &opcode, &payload), 0);
            assert_memory_equal(b.data, copy, b.len);
        }

        free(copy);
        buf_clear(&b);
    }
}


static void
only_the_first_of_two_frames_is_got(void **state)
{
    (void) state;
    struct buf b = frame_of(5, NULL);
    struct str payload;
    int opcode;

    frame_put(&b, FRAME_PING, (struct str){"x", 1}, NULL);
    assert_int_equal(frame_get(b.data, b.len, false, &opcode, &payload), 7);
    assert_int_equal(opcode, FRAME_TEXT);
    assert_int_equal(frame_get(b.data + 7, b.len - 7, false, &opcode, &payload),
                     3);
    assert_int_equal(opcode, FRAME_PING);
    buf_clear(&b);
}


static void
what_breaks_the_standard_is_refused(void **state)
{
    (void) state;
    char reserved[] = "\xc1\x00", unfinished[] = "\x01\x00";
    char masked[] = "\x81\x80"
                    "1234",
         plain[] = "\x81\x00";
    char large[] = "\x81\x7f\x00\x00\x00\x00\x00\x40\x00\x01";
    char largest[] = "\x81\x7f\x00\x00\x00\x00\x00\x40\x00\x00";
    struct str payload;
    int opcode;

    assert_int_equal(frame_get(reserved, 2, false, &opcode, &payload), -1);
    assert_int_equal(frame_get(unfinished, 2, false, &opcode, &payload), -1);
    assert_int_equal(frame_get(masked, 6, false, &opcode, &payload), -1);
    assert_int_equal(frame_get(plain, 2, true, &opcode, &payload), -1);
    assert_int_equal(frame_get(large, 10, false, &opcode, &payload), -1);
    assert_int_equal(frame_get(largest, 10, false, &opcode, &payload), 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_samples_all_shares_are_0, setup),
        cmocka_unit_test_setup(a_sample_is_told_too_large_by_a_64th_at_most,
                               setup),
        cmocka_unit_test_setup(small_samples_are_told_exactly, setup),
        cmocka_unit_test_setup(a_share_of_the_samples_does_not_exceed_its_value,
                               setup),
        cmocka_unit_test_setup(the_largest_sample_is_exact_however_large,
                               setup),
        cmocka_unit_test(what_is_put_is_got_with_a_mask_and_without),
        cmocka_unit_test(the_lengths_take_as_few_bytes_as_the_standard_says),
        cmocka_unit_test(what_is_not_whole_waits_untouched),
        cmocka_unit_test(only_the_first_of_two_frames_is_got),
        cmocka_unit_test(what_breaks_the_standard_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
