/*
 * One suite over every engine, then what each has alone: LevelDB's refusals
 * at open, the memory engine's faults.
 */

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage_engine.h"
#include "storage_format.h"
#include "storage_memory.h"
#include "storage_record.h"

struct fixture {
    const struct engine_ops *ops;
    struct engine *e;
    char path[64];
};

static void
remove_tree(const char *path)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}


static void
open_engine(struct fixture *f)
{
    const char *error = NULL;

    f->e = f->ops->open(f->path, false, &error);

    if (f->e == NULL) {
        fail_msg("%s", error);
    }
}


static int
setup(void **state, const struct engine_ops *ops)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->ops = ops;
    strcpy(f->path, "/tmp/test_engine.XXXXXX");
    assert_non_null(mkdtemp(f->path));
    open_engine(f);
    *state = f;
    return 0;
}


static int
setup_memory(void **state)
{
    return setup(state, &engine_memory);
}


static int
setup_leveldb(void **state)
{
    return setup(state, &engine_leveldb);
}


static int
teardown(void **state)
{
    struct fixture *f = *state;

    f->ops->close(f->e);
    engine_memory_drop(f->path);
    remove_tree(f->path);
    free(f);
    return 0;
}


static struct str
text(const char *s)
{
    return (struct str){s, strlen(s)};
}


/* change: "key=value" puts, "-key" deletes; up to a NULL. */
static int
write_all(struct fixture *f, int sync, ...)
{
    struct engine_batch *b = f->ops->batch_create();
    const char *change;
    va_list args;
    int rc;

    va_start(args, sync);

    while ((change = va_arg(args, const char *)) != NULL) {
        const char *eq = strchr(change, '=');

        if (change[0] == '-') {
            f->ops->batch_delete(b, text(change + 1));
        } else {
            f->ops->batch_put(b, (struct str){change, (size_t) (eq - change)},
                              text(eq + 1));
        }
    }

    va_end(args);
    rc = f->ops->write(f->e, b, sync != 0);
    f->ops->batch_free(b);
    return rc;
}


static void
check_value(struct fixture *f, const char *key, const char *value)
{
    struct buf b = {0};
    int rc = f->ops->get(f->e, text(key), &b);

    if (value == NULL) {
        assert_int_equal(rc, 0);
    } else {
        assert_int_equal(rc, 1);
        assert_true(str_eq(buf_str(&b), text(value)));
    }

    buf_clear(&b);
}


static void
check_at(struct fixture *f, const struct engine_iter *i, const char *key)
{
    if (key == NULL) {
        assert_false(f->ops->iter_valid(i));
        assert_int_equal(f->ops->iter_error(i), 0);
        return;
    }

    assert_true(f->ops->iter_valid(i));
    assert_true(str_eq(f->ops->iter_key(i), text(key)));
}


static void
a_batch_is_seen_whole(void **state)
{
    struct fixture *f = *state;
    struct buf b = {0};

    check_value(f, "a", NULL);
    assert_int_equal(write_all(f, true, "a=1", "b=2", "a=3", "c=", NULL), 0);
    check_value(f, "a", "3");
    check_value(f, "b", "2");
    check_value(f, "c", "");

    assert_int_equal(write_all(f, false, "-a", "b=4", "-d", "e=5", "-e", NULL),
                     0);
    check_value(f, "a", NULL);
    check_value(f, "b", "4");
    check_value(f, "e", NULL);

    /* get appends */
    buf_put_lit(&b, "x");
    assert_int_equal(f->ops->get(f->e, STR("b"), &b), 1);
    assert_true(str_eq(buf_str(&b), STR("x4")));
    buf_clear(&b);
}


static void
a_cleared_batch_is_empty(void **state)
{
    struct fixture *f = *state;
    struct engine_batch *b = f->ops->batch_create();

    f->ops->batch_put(b, STR("a"), STR("1"));
    f->ops->batch_put(b, STR(""), STR("an empty key fails it"));
    assert_int_equal(f->ops->write(f->e, b, false), -1);
    check_value(f, "a", NULL);

    f->ops->batch_clear(b);
    f->ops->batch_put(b, STR("b"), STR("2"));
    assert_int_equal(f->ops->write(f->e, b, false), 0);
    check_value(f, "a", NULL);
    check_value(f, "b", "2");

    f->ops->batch_delete(b, STR(""));
    assert_int_equal(f->ops->write(f->e, b, false), -1);
    f->ops->batch_free(b);
    f->ops->batch_free(NULL);
}


static void
an_iterator_goes_both_ways(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write_all(f, false, "a=1", "b=2", "ba=3", "c=4", NULL), 0);

    struct engine_iter *i = f->ops->iter_open(f->e);

    f->ops->iter_seek(i, STR("b"));
    check_at(f, i, "b");
    assert_true(str_eq(f->ops->iter_value(i), STR("2")));
    f->ops->iter_next(i);
    check_at(f, i, "ba");
    f->ops->iter_next(i);
    check_at(f, i, "c");
    f->ops->iter_prev(i);
    check_at(f, i, "ba");
    f->ops->iter_seek(i, STR("aa"));
    check_at(f, i, "b");
    f->ops->iter_seek(i, STR("d"));
    check_at(f, i, NULL);
    f->ops->iter_seek(i, STR(""));
    check_at(f, i, "a");
    f->ops->iter_prev(i);
    check_at(f, i, NULL);
    f->ops->iter_seek(i, STR("c"));
    f->ops->iter_next(i);
    check_at(f, i, NULL);
    f->ops->iter_close(i);
    f->ops->iter_close(NULL);
}


static void
seek_before_finds_the_last_key_below(void **state)
{
    struct fixture *f = *state;
    struct engine_iter *i = f->ops->iter_open(f->e);

    f->ops->iter_seek_before(i, STR("x"));
    check_at(f, i, NULL);
    f->ops->iter_close(i);

    assert_int_equal(write_all(f, false, "b=1", "d=2", NULL), 0);
    i = f->ops->iter_open(f->e);
    f->ops->iter_seek_before(i, STR("x"));
    check_at(f, i, "d");
    f->ops->iter_seek_before(i, STR("d"));
    check_at(f, i, "b");
    f->ops->iter_seek_before(i, STR("c"));
    check_at(f, i, "b");
    f->ops->iter_seek_before(i, STR("b"));
    check_at(f, i, NULL);
    f->ops->iter_seek_before(i, STR("da"));
    check_at(f, i, "d");
    f->ops->iter_close(i);
}


static void
an_iterator_keeps_its_view(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write_all(f, false, "a=1", "b=2", NULL), 0);

    struct engine_iter *i = f->ops->iter_open(f->e);

    assert_int_equal(write_all(f, false, "-a", "b=3", "c=4", NULL), 0);
    f->ops->iter_seek(i, STR(""));
    check_at(f, i, "a");
    f->ops->iter_next(i);
    check_at(f, i, "b");
    assert_true(str_eq(f->ops->iter_value(i), STR("2")));
    f->ops->iter_next(i);
    check_at(f, i, NULL);
    f->ops->iter_close(i);
    check_value(f, "a", NULL);
    check_value(f, "c", "4");
}


static void
bytes_sort_unsigned_and_may_be_zero(void **state)
{
    static const struct str keys[] = {
        {"\0",   1},
        {"\0\0", 2},
        {"\1",   1},
        {"\x7f", 1},
        {"\x80", 1},
        {"\xff", 1}
    };
    struct fixture *f = *state;
    struct engine_batch *b = f->ops->batch_create();
    struct engine_iter *i;

    for (size_t n = sizeof(keys) / sizeof(keys[0]); n-- > 0;) {
        f->ops->batch_put(b, keys[n], keys[n]);
    }

    assert_int_equal(f->ops->write(f->e, b, false), 0);
    f->ops->batch_free(b);
    i = f->ops->iter_open(f->e);
    f->ops->iter_seek(i, STR(""));

    for (size_t n = 0; n < sizeof(keys) / sizeof(keys[0]); n++) {
        assert_true(f->ops->iter_valid(i));
        assert_true(str_eq(f->ops->iter_key(i), keys[n]));
        assert_true(str_eq(f->ops->iter_value(i), keys[n]));
        f->ops->iter_next(i);
    }

    check_at(f, i, NULL);
    f->ops->iter_close(i);
}


static void
content_outlives_the_handle(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write_all(f, true, "a=1", NULL), 0);
    f->ops->close(f->e);
    open_engine(f);
    check_value(f, "a", "1");
}


static void
a_second_handle_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *error = NULL;

    assert_null(f->ops->open(f->path, false, &error));
    assert_non_null(strstr(error, "in use"));
}


static void
read_only_reads_and_writes_nothing(void **state)
{
    struct fixture *f = *state;
    const char *error;

    assert_int_equal(write_all(f, true, "a=1", NULL), 0);
    f->ops->close(f->e);
    f->e = f->ops->open(f->path, true, &error);
    assert_non_null(f->e);
    check_value(f, "a", "1");
    assert_int_equal(write_all(f, true, "a=2", NULL), -1);
    check_value(f, "a", "1");
}


/* Random changes against a plain array, with iteration both ways. */
static void
random_changes_match_a_model(void **state)
{
    enum { N = 600, ROUNDS = 120, CHANGES = 50 };

    struct fixture *f = *state;
    int model[N];
    unsigned seed = 12345;

    memset(model, -1, sizeof(model));

    for (int round = 0; round < ROUNDS; round++) {
        struct engine_batch *b = f->ops->batch_create();

        for (int c = 0; c < CHANGES; c++) {
            char key[16], value[16];
            int k, v;

            seed = seed * 1103515245 + 12345;
            k = (int) (seed >> 16) % N;
            v = (int) (seed >> 8) % 1000;
            snprintf(key, sizeof(key), "%04d", k);
            snprintf(value, sizeof(value), "%d", v);

            if (round % 3 == 2) {
                f->ops->batch_delete(b, text(key));
                model[k] = -1;
            } else {
                f->ops->batch_put(b, text(key), text(value));
                model[k] = v;
            }
        }

        assert_int_equal(f->ops->write(f->e, b, false), 0);
        f->ops->batch_free(b);

        struct engine_iter *i = f->ops->iter_open(f->e);
        char last[16] = "9999";

        f->ops->iter_seek(i, STR(""));

        for (int k = 0; k < N; k++) {
            char key[16], value[16];

            if (model[k] < 0) {
                continue;
            }

            snprintf(key, sizeof(key), "%04d", k);
            snprintf(value, sizeof(value), "%d", model[k]);
            check_at(f, i, key);
            assert_true(str_eq(f->ops->iter_value(i), text(value)));
            f->ops->iter_next(i);
        }

        check_at(f, i, NULL);
        f->ops->iter_seek_before(i, text(last));

        for (int k = N - 1; k >= 0; k--) {
            if (model[k] >= 0) {
                snprintf(last, sizeof(last), "%04d", k);
                check_at(f, i, last);
                f->ops->iter_prev(i);
            }
        }

        check_at(f, i, NULL);
        f->ops->iter_close(i);
    }
}


static void
compaction_leaves_what_is_there(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write_all(f, true, "a=1", "b=2", "c=3", NULL), 0);
    assert_int_equal(write_all(f, true, "-a", "-b", NULL), 0);

    for (int i = 0; i < 20; i++) {
        f->ops->compact(f->e, STR("a"), STR("c"));
    }

    check_value(f, "a", NULL);
    check_value(f, "c", "3");
    f->ops->close(f->e);
    open_engine(f);
    check_value(f, "c", "3");
}


static void
put_format(struct fixture *f, uint32_t format)
{
    struct engine_batch *b = f->ops->batch_create();
    struct buf value = {0};

    record_put_u32(&value, format);
    f->ops->batch_put(b, STR("F"), buf_str(&value));
    assert_int_equal(f->ops->write(f->e, b, true), 0);
    f->ops->batch_free(b);
    buf_clear(&value);
}


static void
the_format_is_looked_at(void **state)
{
    struct fixture *f = *state;
    const char *error = NULL;

    assert_int_equal(storage_format_check(f->ops, f->e, &error), 1);
    put_format(f, STORAGE_FORMAT);
    assert_int_equal(storage_format_check(f->ops, f->e, &error), 0);
    put_format(f, STORAGE_FORMAT - 1);
    assert_int_equal(storage_format_check(f->ops, f->e, &error), 2);
    put_format(f, STORAGE_FORMAT + 1);
    assert_int_equal(storage_format_check(f->ops, f->e, &error), -1);
    assert_non_null(strstr(error, "newer"));
    put_format(f, 0);
    assert_int_equal(storage_format_check(f->ops, f->e, &error), -1);
    assert_non_null(strstr(error, "corrupt"));
    assert_int_equal(write_all(f, true, "F=odd", NULL), 0);
    assert_int_equal(storage_format_check(f->ops, f->e, &error), -1);
    assert_non_null(strstr(error, "corrupt"));
    assert_int_equal(write_all(f, true, "-F", "a=1", NULL), 0);
    assert_int_equal(storage_format_check(f->ops, f->e, &error), -1);
    assert_non_null(strstr(error, "no chat store"));
}


static void
memory_fails_as_told_and_keeps_nothing_of_it(void **state)
{
    struct fixture *f = *state;
    const char *error = NULL;

    assert_int_equal(write_all(f, true, "a=1", NULL), 0);
    assert_int_equal(engine_memory_writes(f->path), 1);
    engine_memory_fail_writes(f->path, 1);
    assert_int_equal(write_all(f, true, "a=2", "b=2", NULL), -1);
    check_value(f, "a", "1");
    check_value(f, "b", NULL);

    /* until it is opened again nothing more is written */
    assert_int_equal(write_all(f, true, "a=3", NULL), -1);
    f->ops->close(f->e);
    engine_memory_fail_opens(f->path, 2);
    assert_null(f->ops->open(f->path, false, &error));
    assert_null(f->ops->open(f->path, false, &error));
    open_engine(f);
    assert_int_equal(write_all(f, true, "a=4", NULL), 0);
    check_value(f, "a", "4");
    assert_int_equal(engine_memory_writes(f->path), 2);
}


static void
memory_is_forgotten_when_dropped_but_not_while_open(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write_all(f, true, "a=1", NULL), 0);
    engine_memory_drop(f->path);
    check_value(f, "a", "1");
    f->ops->close(f->e);
    engine_memory_drop(f->path);
    engine_memory_drop(f->path);
    open_engine(f);
    check_value(f, "a", NULL);
    assert_int_equal(engine_memory_writes("nobody knows"), 0);
}


static void
check_refused(struct fixture *f, const char *path, bool read_only,
              const char *word)
{
    const char *error = NULL;

    assert_null(f->ops->open(path, read_only, &error));
    assert_non_null(error);

    if (strstr(error, word) == NULL || strstr(error, path) == NULL) {
        fail_msg("\"%s\" says nothing of %s and \"%s\"", error, path, word);
    }
}


static void
put_file(const char *dir, const char *name, const char *content)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}


static void
leveldb_refuses_what_is_no_store(void **state)
{
    struct fixture *f = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s/file", f->path);
    put_file(f->path, "file", "text\n");
    check_refused(f, path, false, "not a directory");

    snprintf(path, sizeof(path), "%s/absent", f->path);
    check_refused(f, path, true, "no store");
    assert_int_equal(access(path, F_OK), -1);

    assert_int_equal(mkdir(path, 0700), 0);
    check_refused(f, path, true, "no store");
    check_refused(f, "", false, "empty");

    snprintf(path, sizeof(path), "%s/no/parent", f->path);
    check_refused(f, path, false, "cannot be opened");
}


static void
leveldb_refuses_a_damaged_store(void **state)
{
    struct fixture *f = *state;
    char current[128];

    assert_int_equal(write_all(f, true, "a=1", NULL), 0);
    f->ops->close(f->e);
    f->e = NULL;
    put_file(f->path, "CURRENT", "garbage");
    check_refused(f, f->path, false, "corrupt");

    snprintf(current, sizeof(current), "%s/CURRENT", f->path);
    assert_int_equal(unlink(current), 0);
    check_refused(f, f->path, false, "corrupt");
    check_refused(f, f->path, true, "corrupt");
}


static void
leveldb_refuses_a_store_it_may_not_write(void **state)
{
    struct fixture *f = *state;
    int status = -1;
    pid_t pid;

    f->ops->close(f->e);
    f->e = NULL;
    assert_int_equal(chmod(f->path, 0555), 0);
    pid = fork();

    if (pid == 0) {
        const char *error = "";

        /* root may write everywhere */
        if (geteuid() == 0 && setuid(65534) != 0) {
            _exit(3);
        }

        struct engine *e = f->ops->open(f->path, false, &error);

        _exit(e == NULL && strstr(error, "cannot be written") != NULL ? 0 : 1);
    }

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(chmod(f->path, 0755), 0);
}


/*
 * The limit on a file's size stands for a full disk: the write that meets it
 * fails, and so does every later one, also when there is room again.
 */
static void
leveldb_a_failed_write_is_the_last(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, tight;
    static char big[65536 + 3];
    int written = 0;

    memset(big, 'x', sizeof(big) - 1);
    memcpy(big, "b=", 2);
    assert_int_equal(write_all(f, true, "a=1", NULL), 0);

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = 1 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);

    while (written < 100 && write_all(f, true, big, NULL) == 0) {
        written++;
    }

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_in_range(written, 1, 99);
    assert_int_equal(write_all(f, true, "c=1", NULL), -1);
    check_value(f, "a", "1");

    f->ops->close(f->e);
    open_engine(f);
    check_value(f, "a", "1");
    check_value(f, "c", NULL);
    check_value(f, "b", big + 2);
    assert_int_equal(write_all(f, true, "c=2", NULL), 0);
    f->ops->close(f->e);
    open_engine(f);
    check_value(f, "c", "2");
}


/* The path of the log that the last open began. */
static void
log_path(struct fixture *f, char *to, size_t size)
{
    DIR *dir = opendir(f->path);
    const struct dirent *entry;

    to[0] = '\0';
    assert_non_null(dir);

    while ((entry = readdir(dir)) != NULL) {
        if (strstr(entry->d_name, ".log") != NULL) {
            snprintf(to, size, "%s/%.40s", f->path, entry->d_name);
        }
    }

    closedir(dir);
    assert_true(to[0] != '\0');
}


static void
leveldb_drops_a_cut_batch_whole(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;

    assert_int_equal(write_all(f, true, "a=1", NULL), 0);
    assert_int_equal(write_all(f, true, "a=2", "b=2", NULL), 0);
    f->ops->close(f->e);
    log_path(f, path, sizeof(path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 3), 0);
    open_engine(f);
    check_value(f, "a", "1");
    check_value(f, "b", NULL);
}


/* What a power loss leaves where the size of a file went ahead of its data. */
static void
leveldb_takes_zeros_behind_its_log(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;

    assert_int_equal(write_all(f, true, "a=1", NULL), 0);
    f->ops->close(f->e);
    log_path(f, path, sizeof(path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size + 5000), 0);
    open_engine(f);
    check_value(f, "a", "1");
}


static void
leveldb_refuses_a_log_with_a_flipped_bit(void **state)
{
    struct fixture *f = *state;
    char path[128];

    assert_int_equal(write_all(f, true, "a=1", NULL), 0);
    assert_int_equal(write_all(f, true, "b=2", NULL), 0);
    f->ops->close(f->e);
    f->e = NULL;
    log_path(f, path, sizeof(path));

    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    assert_int_equal(fseek(file, 12, SEEK_SET), 0);
    assert_int_equal(fputc(0x55, file), 0x55);
    assert_int_equal(fclose(file), 0);
    check_refused(f, f->path, false, "corrupt");
}


struct reader {
    struct fixture *f;
    atomic_bool *done;
    const char *defect;
    unsigned long views;
};


/* Every view has a = b = c: no batch is ever seen in part. */
static void *
read_views(void *data)
{
    struct reader *r = data;
    const struct engine_ops *ops = r->f->ops;

    do {
        struct engine_iter *i = ops->iter_open(r->f->e);
        char seen[3][16] = {"", "", ""};
        int n = 0;

        for (ops->iter_seek(i, STR("")); ops->iter_valid(i) && n < 3;
             ops->iter_next(i)) {
            struct str v = ops->iter_value(i);

            memcpy(seen[n], v.data, v.len < 15 ? v.len : 15);
            n++;
        }

        if (n != 3 || strcmp(seen[0], seen[1]) != 0
            || strcmp(seen[1], seen[2]) != 0) {
            r->defect = "a view with half a batch";
        }

        ops->iter_close(i);

        struct buf b = {0};

        if (ops->get(r->f->e, STR("b"), &b) != 1) {
            r->defect = "a key vanished";
        }

        buf_clear(&b);
        r->views++;
    } while (!atomic_load(r->done));

    return NULL;
}


static void
readers_beside_a_writer_see_whole_batches(void **state)
{
    enum { READERS = 3 };

    struct fixture *f = *state;
    struct reader readers[READERS];
    pthread_t threads[READERS];
    atomic_bool done = false;

    assert_int_equal(write_all(f, false, "a=0", "b=0", "c=0", NULL), 0);

    for (int n = 0; n < READERS; n++) {
        readers[n] = (struct reader){.f = f, .done = &done};
        assert_int_equal(
            pthread_create(&threads[n], NULL, read_views, &readers[n]), 0);
    }

    for (int n = 1; n < 3000; n++) {
        char a[16], b[16], c[16];

        snprintf(a, sizeof(a), "a=%d", n);
        snprintf(b, sizeof(b), "b=%d", n);
        snprintf(c, sizeof(c), "c=%d", n);
        assert_int_equal(write_all(f, false, a, b, c, NULL), 0);
    }

    atomic_store(&done, true);

    for (int n = 0; n < READERS; n++) {
        pthread_join(threads[n], NULL);
        assert_null(readers[n].defect);
        assert_true(readers[n].views > 0);
    }
}


static void *
write_one(void *data)
{
    static int ok, failed = -1;

    return write_all(data, true, "a=1", NULL) == 0 ? &ok : &failed;
}


static void
memory_holds_writes_as_told(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    void *rc;

    engine_memory_hold_writes(f->path, true);
    assert_int_equal(pthread_create(&thread, NULL, write_one, f), 0);
    assert_int_equal(engine_memory_writes(f->path), 0);
    check_value(f, "a", NULL);
    engine_memory_hold_writes(f->path, false);
    assert_int_equal(pthread_join(thread, &rc), 0);
    assert_int_equal(*(int *) rc, 0);
    check_value(f, "a", "1");
    assert_int_equal(engine_memory_writes(f->path), 1);
}


#define ENGINE_TESTS(setup_one)                                                \
    cmocka_unit_test_setup_teardown(a_batch_is_seen_whole, setup_one,          \
                                    teardown),                                 \
        cmocka_unit_test_setup_teardown(a_cleared_batch_is_empty, setup_one,   \
                                        teardown),                             \
        cmocka_unit_test_setup_teardown(an_iterator_goes_both_ways, setup_one, \
                                        teardown),                             \
        cmocka_unit_test_setup_teardown(seek_before_finds_the_last_key_below,  \
                                        setup_one, teardown),                  \
        cmocka_unit_test_setup_teardown(an_iterator_keeps_its_view, setup_one, \
                                        teardown),                             \
        cmocka_unit_test_setup_teardown(bytes_sort_unsigned_and_may_be_zero,   \
                                        setup_one, teardown),                  \
        cmocka_unit_test_setup_teardown(content_outlives_the_handle,           \
                                        setup_one, teardown),                  \
        cmocka_unit_test_setup_teardown(a_second_handle_is_refused, setup_one, \
                                        teardown),                             \
        cmocka_unit_test_setup_teardown(read_only_reads_and_writes_nothing,    \
                                        setup_one, teardown),                  \
        cmocka_unit_test_setup_teardown(random_changes_match_a_model,          \
                                        setup_one, teardown),                  \
        cmocka_unit_test_setup_teardown(compaction_leaves_what_is_there,       \
                                        setup_one, teardown),                  \
        cmocka_unit_test_setup_teardown(                                       \
            readers_beside_a_writer_see_whole_batches, setup_one, teardown),   \
        cmocka_unit_test_setup_teardown(the_format_is_looked_at, setup_one,    \
                                        teardown)

#define MEMORY_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, setup_memory, teardown)
#define LEVELDB_TEST(name)                                                     \
    cmocka_unit_test_setup_teardown(name, setup_leveldb, teardown)


int
main(void)
{
    const struct CMUnitTest memory[] = {
        ENGINE_TESTS(setup_memory),
        MEMORY_TEST(memory_fails_as_told_and_keeps_nothing_of_it),
        MEMORY_TEST(memory_holds_writes_as_told),
        MEMORY_TEST(memory_is_forgotten_when_dropped_but_not_while_open),
    };
    const struct CMUnitTest leveldb[] = {
        ENGINE_TESTS(setup_leveldb),
        LEVELDB_TEST(leveldb_a_failed_write_is_the_last),
        LEVELDB_TEST(leveldb_drops_a_cut_batch_whole),
        LEVELDB_TEST(leveldb_takes_zeros_behind_its_log),
        LEVELDB_TEST(leveldb_refuses_a_log_with_a_flipped_bit),
        LEVELDB_TEST(leveldb_refuses_what_is_no_store),
        LEVELDB_TEST(leveldb_refuses_a_damaged_store),
        LEVELDB_TEST(leveldb_refuses_a_store_it_may_not_write),
    };
    int failed = 0;

    failed += cmocka_run_group_tests_name("engine memory", memory, NULL, NULL);
    failed +=
        cmocka_run_group_tests_name("engine leveldb", leveldb, NULL, NULL);
    return failed;
}
