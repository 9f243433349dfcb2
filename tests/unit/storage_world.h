/*
 * The one fixture of tests that speak to a store through storage.h: a store of
 * a test's own, opened anew for each test on each embedded back end.  Whoever
 * includes this defines on_event(), and forget_told(), which drops what that
 * keeps.  (The model tests, whose operations have callbacks of their own, open
 * theirs themselves.)
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
#include "storage_engine.h"
#include "storage_memory.h"

#define ANSWERS_MAX 1024

struct answer {
    bool done, duplicate, more;
    enum storage_status status;
    unsigned nth; /* among all answers, and events that are numbered so */
    uint64_t number, inbox_id;
    uint64_t first_id, last_id; /* of the entries */
    uint32_t n_entries;
    char *json;
    char *entries; /* "INBOX_ID:METHOD:TAIL\n" each */
};

static uv_loop_t loop;
static struct storage *storage;
static char address[160];
static char dir[96];
static unsigned n_worlds;
static bool closed;
static bool damaged; /* a test did it on purpose: its store is not checked */
static unsigned nth;
static unsigned n_lost;
static struct answer answers[ANSWERS_MAX]; /* used in turn */
static unsigned n_answers;

static void on_event(const struct storage_event *e, void *data);
static void forget_told(void);


static inline struct str
s(const char *text)
{
    return (struct str){text, text == NULL ? 0 : strlen(text)};
}


/* That of the engine. */
static inline const char *
path(void)
{
    return strchr(address, ':') + 1;
}


static inline void
on_lost(void *data)
{
    (void) data;
    n_lost++;
}


static inline void
on_closed(void *data)
{
    (void) data;
    closed = true;
}


static inline void
keep_entries(struct answer *a, const struct storage_result *r)
{
    size_t size = 1, at = 0;

    for (uint32_t i = 0; i < r->n_entries; i++) {
        size += r->entries[i].tail.len + 32;
    }

    a->entries = calloc(1, size);

    for (uint32_t i = 0; i < r->n_entries; i++) {
        const struct storage_entry *e = &r->entries[i];

        at += (size_t) snprintf(a->entries + at, size - at, "%llu:%u:%.*s\n",
                                (unsigned long long) e->inbox_id,
                                (unsigned) e->method, (int) e->tail.len,
                                e->tail.data);
        assert_true(i == 0 || e->inbox_id == a->last_id + 1);
        a->last_id = e->inbox_id;
        a->first_id = i == 0 ? a->last_id : a->first_id;
    }
}


static inline void
on_done(const struct storage_result *r, void *data)
{
    struct answer *a = data;

    assert_false(a->done);
    a->done = true;
    a->nth = ++nth;
    a->status = r->status;
    a->duplicate = r->duplicate;
    a->more = r->more;
    a->number = r->number;
    a->inbox_id = r->inbox_id;
    a->n_entries = r->n_entries;
    a->json = strndup(r->json.len == 0 ? "" : r->json.data, r->json.len);
    keep_entries(a, r);
}


static inline void
forget_answer(struct answer *a)
{
    free(a->json);
    free(a->entries);
    *a = (struct answer){0};
}


/* The answer stands until so many more were asked for, or the test ends. */
static inline struct answer *
submit(const struct storage_op *op)
{
    struct answer *a = &answers[n_answers++ % ANSWERS_MAX];

    assert_true(n_answers <= ANSWERS_MAX || a->done);
    forget_answer(a);
    storage_submit(storage, op, on_done, a);
    assert_false(a->done);
    return a;
}


static inline const struct answer *
wait_for(const struct answer *a)
{
    while (!a->done) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    return a;
}


static inline struct answer *
call(const struct storage_op *op)
{
    struct answer *a = submit(op);

    wait_for(a);
    return a;
}


/* For what must not come: nothing that has to come may depend on it. */
static inline void
run_for(unsigned ms)
{
    uint64_t until = uv_hrtime() + ms * 1000000ull;

    while (uv_hrtime() < until) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}


#define RUN_UNTIL_MS 30000

/* Until the condition holds. */
#define run_until(condition)                                                   \
    do {                                                                       \
        uint64_t run_end = uv_hrtime() + RUN_UNTIL_MS * 1000000ull;            \
                                                                               \
        while (!(condition) && uv_hrtime() < run_end) {                        \
            uv_run(&loop, UV_RUN_NOWAIT);                                      \
            usleep(1000);                                                      \
        }                                                                      \
        assert_true(condition);                                                \
    } while (0)


static inline void
on_second(uv_timer_t *timer)
{
    ++*(unsigned *) timer->data;
}


/* Until what a store does once a second was done so often, however late. */
static inline void
run_ticks(unsigned n)
{
    unsigned seconds = 0;
    uv_timer_t timer = {.data = &seconds};

    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_second, 1000, 1000);

    while (seconds <= n) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    uv_close((uv_handle_t *) &timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}


static inline void
open_storage(void)
{
    struct storage_handlers handlers = {.event = on_event, .lost = on_lost};
    const char *error = NULL;

    storage = storage_open(&loop, address, &handlers, &error);

    if (storage == NULL) {
        fail_msg("%s: %s", address, error);
    }
}


static inline void
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
    close_storage();
    open_storage();
}


static inline int
start(const char *scheme)
{
    uv_loop_init(&loop);
    nth = n_lost = n_answers = 0;
    damaged = false;
    forget_told();
    snprintf(address, sizeof(address), "%s:%s%u", scheme, dir, ++n_worlds);
    open_storage();
    return 0;
}


static inline int
setup_memory(void **state)
{
    (void) state;
    return start("memory");
}


static inline int
setup_leveldb(void **state)
{
    (void) state;
    return start("leveldb");
}


/* Nothing was left unanswered, and what LevelDB has is sound. */
static inline int
teardown(void **state)
{
    (void) state;
    close_storage();
    assert_int_equal(uv_run(&loop, UV_RUN_NOWAIT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);

    for (unsigned i = 0; i < n_answers && i < ANSWERS_MAX; i++) {
        assert_true(answers[i].done);
        forget_answer(&answers[i]);
    }

    forget_told();

    if (strncmp(address, "memory:", 7) == 0) {
        engine_memory_drop(path());

    } else if (!damaged) {
        assert_int_equal(storage_check(path()), 0);
    }

    return 0;
}


static inline void
assert_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("%s is not in %s", part, text);
    }
}


static inline void
assert_not_in(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("%s is in %s", part, text);
    }
}


#define ON(f, engine)                                                          \
    {                                                                          \
        .name = #f " (" #engine ")", .test_func = f,                           \
        .setup_func = setup_##engine, .teardown_func = teardown                \
    }
#define ON_BOTH(f) ON(f, memory), ON(f, leveldb)

/* main() of the tests in an array; name: of the folders it makes. */
#define RUN_WORLDS(name, tests)                                                \
    (snprintf(dir, sizeof(dir), "/tmp/test-" name "-%d-", (int) getpid()),     \
     world_end(cmocka_run_group_tests(tests, NULL, NULL)))


static inline int
world_end(int failed)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf %s*", dir);
    return system(command) != 0 || failed != 0;
}

#endif
