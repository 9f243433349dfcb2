/* workers/settings.c and workers/options.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "chat_wire.h"
#include "log.h"
#include "options.h"
#include "settings.h"

static int
parse(struct settings *s, const char *text)
{
    return settings_parse(s, text, strlen(text));
}

static void
test_all_keys(void **state)
{
    static const char hashed[] = "workers 3\nstore leveldb:/a b\n";
    struct settings s;

    (void) state;
    assert_int_equal(parse(&s, "generation 18446744073709551615\nworkers 3\n"
                               "store leveldb:/a b\nowner 4711\n"),
                     0);
    assert_true(s.generation == UINT64_MAX);
    assert_int_equal(s.workers, 3);
    assert_int_equal(s.n_workers, 3);
    assert_int_equal(s.owner, 4711);
    assert_string_equal(s.store, "leveldb:/a b");
    assert_int_equal(s.hash, chat_wire_hash(hashed, sizeof(hashed) - 1));
}

static void
test_hash_is_of_workers_and_store_alone(void **state)
{
    struct settings a, b;

    (void) state;
    assert_int_equal(parse(&a, "generation 1\nworkers 2\nstore x:\n"), 0);
    assert_int_equal(parse(&b, "owner 9\nstore x:\nworkers 2\ngeneration 2"),
                     0);
    assert_int_equal(a.hash, b.hash);
    assert_int_equal(settings_init(&b, 2, "x:"), 0);
    assert_int_equal(a.hash, b.hash);
    assert_int_equal(parse(&b, "generation 1\nworkers 1\nstore x:\n"), 0);
    assert_int_not_equal(a.hash, b.hash);
    assert_int_equal(parse(&b, "generation 1\nworkers 2\nstore y:\n"), 0);
    assert_int_not_equal(a.hash, b.hash);
}

static void
test_auto_is_at_least_one(void **state)
{
    struct settings s;

    (void) state;
    assert_int_equal(parse(&s, "workers 0\nstore x:\n"), 0);
    assert_int_equal(s.workers, 0);
    assert_in_range(s.n_workers, 1, CHAT_WIRE_WORKERS_MAX);
    assert_int_equal(parse(&s, "workers auto\nstore x:\n"), 0);
    assert_int_equal(s.workers, 0);
}

static void
test_later_keys_are_passed_over(void **state)
{
    struct settings s;

    (void) state;
    assert_int_equal(parse(&s, "colour blue\nstore x:\n\nworkers 1"), 0);
}

static void
test_malformed_changes_nothing(void **state)
{
    static const char *const rows[] = {
        "",
        "workers 1\n",
        "store \nworkers 1\n",
        "store x:\nworkers\n",
        "store x:\nworkers 65\n",
        "store x:\nworkers -1\n",
        "store x:\nworkers 1x\n",
        "store x:\nworkers many\n",
        "store x:\ngeneration 18446744073709551616\n",
        "store x:\ngeneration +1\n",
        "store x:\nowner me\n",
        "store x:\ncache 1m\n",
        "store x:\ncache 1125899906842625\n",
    };
    struct settings s = {.generation = 5};

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(&s, rows[i]), -1);
        assert_int_equal(s.generation, 5);
    }
    assert_int_equal(settings_parse(&s, "store x:\n\0workers 1", 19), -1);
}

static void
test_long_values_are_refused(void **state)
{
    struct settings s;
    char text[6000];

    (void) state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "store ", 6);
    text[6 + SETTINGS_STORE_MAX] = '\0';
    assert_int_equal(parse(&s, text), -1);
    text[6 + SETTINGS_STORE_MAX - 1] = '\0';
    assert_int_equal(parse(&s, text), 0);
    assert_int_equal(settings_parse(&s, text, sizeof(text)), -1);
    assert_int_equal(settings_init(&s, 1, text + 6), 0);
    assert_int_equal(settings_init(&s, 65, "x:"), -1);
    assert_int_equal(settings_init(&s, 1, ""), -1);
    assert_int_equal(settings_init(&s, 1, "x:\n"), -1);
}

static void
test_file(void **state)
{
    char dir[] = "/tmp/test_settings.XXXXXX";
    char path[64];
    struct settings s = {0};

    (void) state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(settings_read(&s, dir), 1);

    snprintf(path, sizeof(path), "%s/settings", dir);

    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs("generation 3\nworkers 2\nstore leveldb:/x\nowner 1\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(settings_read(&s, dir), 0);
    assert_int_equal(s.generation, 3);

    assert_int_equal(truncate(path, 100000), 0);
    assert_int_equal(settings_read(&s, dir), -1);
    unlink(path);
    rmdir(dir);
}

/* What the parent formats is what a role gets. */
static void
test_options_travel(void **state)
{
    struct options given = {
        .is_role = true,
        .verbose = true,
        .run_dir = "/run/a dir",
        .log_path = "-",
        .workers = 0,
        .store = "leveldb:-x",
        .role = {.type = ROLE_STORE, .index = 3, .starts = 12},
    };
    struct options got;
    char text[1024];

    (void) state;
    given.role.settings.generation = UINT64_MAX;
    given.role.settings.hash = UINT32_MAX;
    given.role.settings.n_workers = 7;
    given.role.settings.cache_bytes = SETTINGS_CACHE_MAX;
    assert_int_equal(options_format(&given, text, sizeof(text)), 0);
    assert_int_equal(options_parse_env(&got, text), 0);
    assert_true(got.is_role);
    assert_true(got.verbose);
    assert_int_equal(got.role.type, ROLE_STORE);
    assert_int_equal(got.role.index, 3);
    assert_int_equal(got.role.starts, 12);
    assert_string_equal(got.role.run_dir, "/run/a dir");
    assert_null(got.role.log_path);
    assert_string_equal(got.role.settings.store, "leveldb:-x");
    assert_true(got.role.settings.generation == UINT64_MAX);
    assert_true(got.role.settings.hash == UINT32_MAX);
    assert_int_equal(got.role.settings.n_workers, 7);
    assert_true(got.role.settings.cache_bytes == SETTINGS_CACHE_MAX);
}

static void
test_cache(void **state)
{
    char *argv[] = {"chatd", "-d", "/r", "-m", "64", NULL};
    struct settings s = {0};
    struct options o;
    char text[512];

    (void) state;
    assert_int_equal(parse(&s, "store x:\ncache 1048576\n"), 0);
    assert_true(s.cache_bytes == 1 << 20);
    assert_int_equal(parse(&s, "store x:\n"), 0);
    assert_true(s.cache_bytes == SETTINGS_CACHE_BYTES);
    assert_int_equal(settings_init(&s, 1, "x:"), 0);
    assert_true(s.cache_bytes == SETTINGS_CACHE_BYTES);

    assert_int_equal(options_parse(&o, 5, argv), 0);
    assert_true(o.cache_bytes == 64 << 20);
    assert_int_equal(options_format(&o, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "-m\n64\n"));
    argv[4] = "0";
    assert_int_equal(options_parse(&o, 5, argv), -1);
    argv[4] = "1073741825";
    assert_int_equal(options_parse(&o, 5, argv), -1);
}

static void
test_redis(void **state)
{
    static char role[] =
        "-s\nx:\n-r\nunix:/s db=3\n-l\n-\n-n\n1\n-R\nstore\n-i\n"
        "0\n-c\n1\n-g\n1\n-H\n1\n-N\n1\n-P\n60\n-d\n/r";
    char *argv[] = {"chatd", "-d", "/r", "-r", "h:1 password_file=/p", NULL};
    struct settings s = {0};
    struct options o;
    char text[512];

    (void) state;
    assert_int_equal(parse(&s, "store x:\nredis h:6379 db=1\n"), 0);
    assert_string_equal(s.redis, "h:6379 db=1");
    assert_int_equal(parse(&s, "store x:\nredis h\n"), -1);
    assert_int_equal(parse(&s, "store x:\n"), 0);
    assert_string_equal(s.redis, "");

    assert_int_equal(options_parse(&o, 5, argv), 0);
    assert_string_equal(o.redis, "h:1 password_file=/p");
    assert_int_equal(options_format(&o, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "-r\nh:1 password_file=/p\n"));
    argv[4] = "h:1 db=x";
    assert_int_equal(options_parse(&o, 5, argv), -1);

    assert_int_equal(options_parse_env(&o, role), 0);
    assert_string_equal(o.role.settings.redis, "unix:/s db=3");
}

static void
test_options_that_cannot_travel(void **state)
{
    struct options o = {.run_dir = "/a\nb"};
    char text[1024];

    (void) state;
    assert_int_equal(options_format(&o, text, sizeof(text)), -1);
    o.run_dir = "/ab";
    assert_int_equal(options_format(&o, text, 8), -1);
    assert_int_equal(options_format(&o, text, sizeof(text)), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_hash_is_of_workers_and_store_alone),
        cmocka_unit_test(test_auto_is_at_least_one),
        cmocka_unit_test(test_later_keys_are_passed_over),
        cmocka_unit_test(test_malformed_changes_nothing),
        cmocka_unit_test(test_long_values_are_refused),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_options_travel),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_redis),
        cmocka_unit_test(test_options_that_cannot_travel),
    };

    /* the refusals below are meant */
    log_open("/dev/null", "test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
