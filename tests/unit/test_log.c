/* common/log.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static char dir[] = "/tmp/test_log.XXXXXX";
static char path[64];
static char moved[64];

static int
setup(void **state)
{
    (void) state;
    strcpy(dir + sizeof(dir) - 7, "XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(moved, sizeof(moved), "%s/log.1", dir);
    return log_open(path, "worker 1", LOG_INFO);
}

static int
teardown(void **state)
{
    (void) state;
    log_set_hook(NULL, NULL);
    log_close();
    unlink(path);
    unlink(moved);
    return rmdir(dir);
}

static const char *
content(const char *name)
{
    static char text[8192];
    FILE *file = fopen(name, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void
test_line_has_time_title_level_text(void **state)
{
    int year, month, day, hour, minute, second, ms, at = 0;

    (void) state;
    log_info("number %d", 7);

    const char *line = content(path);

    assert_int_equal(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year,
                            &month, &day, &hour, &minute, &second, &ms, &at),
                     7);
    assert_string_equal(line + at, "worker 1 [info] number 7\n");
}

static void
test_levels_above_the_maximum_are_left_out(void **state)
{
    (void) state;
    log_debug("unseen");
    assert_string_equal(content(path), "");
    log_error("seen");
    assert_non_null(strstr(content(path), "[error] seen"));
}

static void
test_reopen_follows_a_moved_file(void **state)
{
    (void) state;
    log_info("one");
    assert_int_equal(rename(path, moved), 0);
    log_info("two");
    log_reopen();
    log_info("three");
    assert_non_null(strstr(content(moved), "one"));
    assert_non_null(strstr(content(moved), "two"));
    assert_null(strstr(content(path), "two"));
    assert_non_null(strstr(content(path), "three"));
}

static void
test_one_line_whatever_is_in_it(void **state)
{
    (void) state;
    log_info("a%sb", "\r\n\x1b[31m\x7f");
    assert_non_null(strstr(content(path), "a???[31m?b\n"));
}

static void
test_long_line_is_cut(void **state)
{
    char text[5000];

    (void) state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_info("%s", text);

    const char *line = content(path);

    assert_in_range(strlen(line), 2000, 2048);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static void
test_errno_is_kept(void **state)
{
    (void) state;
    errno = ENOSPC;
    log_info("text");
    assert_int_equal(errno, ENOSPC);
}

static int n_hooked;

static void
on_line(enum log_level level, const char *line, void *data)
{
    assert_int_equal(level, LOG_NOTICE);
    assert_string_equal(line, "for nginx");
    assert_ptr_equal(data, &n_hooked);
    n_hooked++;

    /* must not come back here */
    log_error("from the hook");
}

static void
test_hook_gets_notices_and_graver(void **state)
{
    (void) state;
    n_hooked = 0;
    log_set_hook(on_line, &n_hooked);
    log_info("not this");
    assert_int_equal(n_hooked, 0);
    log_notice("for %s", "nginx");
    assert_int_equal(n_hooked, 1);
    assert_non_null(strstr(content(path), "from the hook"));
}

static void
test_unusable_path_is_an_error(void **state)
{
    (void) state;
    assert_int_equal(log_open("/nonexistent/log", "x", LOG_INFO), -1);
    log_info("still the old file");
    assert_non_null(strstr(content(path), "still the old file"));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_line_has_time_title_level_text),
        TEST(test_levels_above_the_maximum_are_left_out),
        TEST(test_reopen_follows_a_moved_file),
        TEST(test_one_line_whatever_is_in_it),
        TEST(test_long_line_is_cut),
        TEST(test_errno_is_kept),
        TEST(test_hook_gets_notices_and_graver),
        TEST(test_unusable_path_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
