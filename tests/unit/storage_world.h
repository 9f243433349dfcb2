/*
 * A store of a test's own, opened anew for each test on each embedded back end.
 * Whoever includes this defines on_event(), and forget_told(), which drops what
 * that keeps; ANSWER_MAX, defined before, is how much JSON an answer may have.
 */

#ifndef TESTS_STORAGE_WORLD_H
#define TESTS_STORAGE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "storage.h"

#ifndef ANSWER_MAX
#define ANSWER_MAX 16384
#endif

struct answer {
    bool done, duplicate, more;
    enum storage_status status;
    uint64_t number, inbox_id;
    char json[ANSWER_MAX];
};

static uv_loop_t loop;
static struct storage *storage;
static char address[160];
static char dir[96];
static unsigned n_worlds;
static bool closed;

static void on_event(const struct storage_event *e, void *data);
static void forget_told(void);


static void
on_closed(void *data)
{
    (void) data;
    closed = true;
}


static void
on_done(const struct storage_result *r, void *data)
{
    struct answer *a = data;

    a->done = true;
    a->status = r->status;
    a->duplicate = r->duplicate;
    a->more = r->more;
    a->number = r->number;
    a->inbox_id = r->inbox_id;
    snprintf(a->json, sizeof(a->json), "%.*s", (int) r->json.len,
             r->json.len == 0 ? "" : r->json.data);
}


static void
submit(const struct storage_op *op, struct answer *a)
{
    a->done = false;
    storage_submit(storage, op, on_done, a);
    assert_false(a->done);
}


static void
finish(struct answer *a)
{
    while (!a->done) {
        uv_run(&loop, UV_RUN_ONCE);
    }
}


/* The answer stands until the next call. */
static struct answer *
call(const struct storage_op *op)
{
    static struct answer a;

    submit(op, &a);
    finish(&a);
    return &a;
}


static void
open_storage(void)
{
    struct storage_handlers handlers = {.event = on_event};
    const char *error = NULL;

    storage = storage_open(&loop, address, &handlers, &error);
    assert_non_null(storage);
}


static void
close_storage(void)
{
    closed = false;
    storage_close(storage, on_closed, NULL);

    while (!closed) {
        uv_run(&loop, UV_RUN_ONCE);
    }
}


static inline void
reopen(void)
{
    if (strncmp(address, "leveldb:", 8) == 0) {
        close_storage();
        open_storage();
    }
}


static int
start(const char *scheme)
{
    uv_loop_init(&loop);
    forget_told();
    snprintf(address, sizeof(address), "%s:%s%u", scheme, dir, ++n_worlds);
    open_storage();
    return 0;
}


static int
setup_memory(void **state)
{
    (void) state;
    return start("memory");
}


static int
setup_leveldb(void **state)
{
    (void) state;
    return start("leveldb");
}


static int
teardown(void **state)
{
    (void) state;
    close_storage();
    return uv_loop_close(&loop);
}


static struct str
s(const char *text)
{
    return (struct str){text, text == NULL ? 0 : strlen(text)};
}


#define ON_BOTH(f)                                                             \
    cmocka_unit_test_setup_teardown(f, setup_memory, teardown),                \
        cmocka_unit_test_setup_teardown(f, setup_leveldb, teardown)

/* main() of the tests in an array; name: of the folders it makes. */
#define RUN_WORLDS(name, tests)                                                \
    (snprintf(dir, sizeof(dir), "/tmp/test-" name "-%d-", (int) getpid()),     \
     world_end(cmocka_run_group_tests(tests, NULL, NULL)))


static int
world_end(int failed)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf %s*", dir);
    return system(command) != 0 || failed != 0;
}

#endif
