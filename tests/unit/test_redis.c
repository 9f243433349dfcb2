/* workers/redis_conn.c and redis_config.c: against a real redis-server, and
 * against one that answers what a real one would not. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log.h"
#include "redis_config.h"
#include "redis_conn.h"
#include "redis_reader.h"
#include "redis_server.h"

static uv_loop_t loop;
static struct redis *redis;
static unsigned n_up, n_down, n_messages;
static unsigned n_answers, n_errors, n_lost;
static long long next_integer;
static char last_error[128];

static void
on_up(void *data)
{
    (void) data;
    n_up++;
}

static void
on_down(void *data)
{
    (void) data;
    n_down++;
}

static void
on_message(const char *text, size_t len, void *data)
{
    (void) data;
    assert_int_equal(len, 5);
    assert_memory_equal(text, "hello", 5);
    n_messages++;
}

/* Integers come in the order of their commands. */
static void
on_answer(const redisReply *reply, void *data)
{
    (void) data;
    if (reply == NULL) {
        n_lost++;
        return;
    }
    n_answers++;
    if (reply->type == REDIS_REPLY_ERROR) {
        n_errors++;
        snprintf(last_error, sizeof(last_error), "%s", reply->str);
    } else if (reply->type == REDIS_REPLY_INTEGER) {
        assert_int_equal(reply->integer, ++next_integer);
    }
}

static int
command(const char *first, const char *second, const char *third)
{
    const char *argv[3] = {first, second, third};
    size_t lens[3];
    int argc = 0;

    while (argc < 3 && argv[argc] != NULL) {
        lens[argc] = strlen(argv[argc]);
        argc++;
    }
    return redis_command(redis, on_answer, NULL, argc, argv, lens);
}

static int
set_up(void **state)
{
    (void) state;
    n_up = n_down = n_messages = n_answers = n_errors = n_lost = 0;
    next_integer = 0;
    return uv_loop_init(&loop);
}

static int
tear_down(void **state)
{
    (void) state;
    if (redis != NULL) {
        redis_close(redis);
        redis = NULL;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    server_kill();
    return uv_loop_close(&loop);
}

static void
open_redis(const char *more, bool subscriber)
{
    struct redis_handlers handlers = {
        .up = on_up,
        .down = on_down,
        .message = subscriber ? on_message : NULL,
    };
    char where[160];

    snprintf(where, sizeof(where), "%s%s", server_where, more);
    redis = redis_open(&loop, where, "test", &handlers);
    assert_non_null(redis);
}

static uint64_t
failures(void)
{
    struct redis_stats stats;

    redis_stats(redis, &stats);
    return stats.failures;
}

static void
addresses(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        ":1",
        "h:0",
        "h:65536",
        "h:1x",
        "unix:",
        "unix:x",
        "a:b:1",
        "[::1]",
        "h:1  db=1",
        "h:1 db=",
        "h:1 db=65536",
        "h:1 password_file=x",
        "h:1 x=1",
        "h:1\n",
        "[]:1",
    };
    struct redis_config c;
    char text[REDIS_CONFIG_MAX + 2];

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(redis_config_parse(&c, bad[i]), -1);
    }
    assert_int_equal(redis_config_parse(&c, "redis.example:6379"), 0);
    assert_string_equal(c.host, "redis.example");
    assert_int_equal(c.port, 6379);
    assert_null(c.path);
    assert_null(c.password_file);
    assert_int_equal(redis_config_parse(&c, "[::1]:1 db=15"), 0);
    assert_string_equal(c.host, "::1");
    assert_int_equal(c.db, 15);
    assert_int_equal(
        redis_config_parse(&c, "unix:/a/b password_file=/c/d db=65535"), 0);
    assert_string_equal(c.path, "/a/b");
    assert_string_equal(c.password_file, "/c/d");
    assert_int_equal(c.db, 65535);
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(redis_config_parse(&c, text), -1);
}

static const char *
secret_file(const char *text, size_t len)
{
    static char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%s/secret", server_dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    return path;
}

static void
password_files(void **state)
{
    struct redis_password p;
    char text[REDIS_PASSWORD_MAX + 1];

    (void) state;
    assert_int_equal(redis_password_read(&p, secret_file("pass word\n", 10)),
                     0);
    assert_null(p.user);
    assert_string_equal(p.password, "pass word");
    assert_int_equal(redis_password_read(&p, secret_file("u\r\np\r\n", 6)), 0);
    assert_string_equal(p.user, "u");
    assert_string_equal(p.password, "p");
    assert_int_equal(redis_password_read(&p, secret_file("p", 1)), 0);
    assert_string_equal(p.password, "p");
    assert_int_equal(redis_password_read(&p, secret_file("", 0)), -1);
    assert_int_equal(redis_password_read(&p, secret_file("\np", 2)), -1);
    assert_int_equal(redis_password_read(&p, secret_file("a\0b", 3)), -1);
    memset(text, 'x', sizeof(text));
    assert_int_equal(redis_password_read(&p, secret_file(text, sizeof(text))),
                     -1);
    assert_int_equal(errno, 0);
    assert_int_equal(redis_password_read(&p, "/nowhere/at/all"), -1);
    assert_int_equal(errno, ENOENT);
}

static void
a_refused_connection_is_tried_again(void **state)
{
    (void) state;
    open_redis("", false);
    assert_int_equal(command("PING", NULL, NULL), -1);
    turn_until(&loop, failures() >= 3, 10);
    assert_int_equal(n_up, 0);
    server_start(NULL, NULL);
    turn_until(&loop, n_up == 1, 10);
    assert_int_equal(n_down, 0);
}

/* Nothing is there; a host's name is looked up beside the loop. */
static void
tcp_and_names(void **state)
{
    static const char *const nobody[] = {"127.0.0.1:1", "[::1]:1",
                                         "localhost:1"};
    struct redis_handlers handlers = {.up = on_up, .down = on_down};

    (void) state;
    for (size_t i = 0; i < 3; i++) {
        redis = redis_open(&loop, nobody[i], "test", &handlers);
        turn_until(&loop, failures() >= 2, 20);
        redis_close(redis);
    }
    redis = NULL;
    assert_null(redis_open(&loop, "no address", "test", &handlers));
    assert_int_equal(n_up + n_down, 0);
}

static void
answers_come_in_order(void **state)
{
    (void) state;
    server_start(NULL, NULL);
    open_redis("", false);
    turn_until(&loop, n_up == 1, 10);
    for (int i = 0; i < REDIS_PENDING_MAX; i++) {
        assert_int_equal(command("INCR", "n", NULL), 0);
    }
    assert_int_equal(redis_pending(redis), REDIS_PENDING_MAX);
    assert_int_equal(command("INCR", "n", NULL), -1);
    turn_until(&loop, next_integer == REDIS_PENDING_MAX, 10);
    assert_int_equal(redis_pending(redis), 0);
    assert_int_equal(n_errors + n_lost, 0);
}

static void
a_kill_under_load_answers_everything_once(void **state)
{
    unsigned sent = 0;

    (void) state;
    server_start(NULL, NULL);
    open_redis("", false);
    turn_until(&loop, n_up == 1, 10);
    for (int round = 0; round < 50; round++) {
        while (command("INCR", "n", NULL) == 0) {
            sent++;
        }
        if (round == 40) {
            kill(server_pid, SIGKILL);
        }
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    turn_until(&loop, n_down == 1, 10);
    assert_int_equal(n_answers + n_lost, sent);
    assert_true(n_lost > 0);
    assert_int_equal(redis_pending(redis), 0);
    server_kill();
    server_start(NULL, NULL);
    turn_until(&loop, n_up == 2, 10);
    next_integer = 0;
    assert_int_equal(command("INCR", "n", NULL), 0);
    turn_until(&loop, next_integer == 1, 10);
}

static void
a_hang_is_noticed_with_commands_and_without(void **state)
{
    (void) state;
    server_start(NULL, NULL);
    open_redis("", false);
    turn_until(&loop, n_up == 1, 10);
    kill(server_pid, SIGSTOP);
    turn_until(&loop, n_down == 1, 10);

    /* the kernel takes the connection: the greeting has its time limit, too */
    uint64_t before = failures();

    turn_until(&loop, failures() > before, 10);
    kill(server_pid, SIGCONT);
    turn_until(&loop, n_up == 2, 10);
    kill(server_pid, SIGSTOP);
    while (command("SET", "k", "a value that fills the socket's buffers")
           == 0) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    turn_until(&loop, n_down == 2, 10);
    assert_int_equal(n_lost, REDIS_PENDING_MAX);
    kill(server_pid, SIGCONT);
    turn_until(&loop, n_up == 3, 10);
}

static void
a_wrong_password_and_then_the_right_one(void **state)
{
    char more[PATH_MAX];

    (void) state;
    server_start("--requirepass", "sesame");
    snprintf(more, sizeof(more), " password_file=%s", secret_file("x\n", 2));
    open_redis(more, false);
    turn_until(&loop, failures() >= 2, 10);
    assert_int_equal(n_up, 0);
    secret_file("default\nsesame\n", 15);
    turn_until(&loop, n_up == 1, 10);
    redis_close(redis);
    secret_file("", 0);
    open_redis(more, false);
    turn_until(&loop, failures() >= 2, 10);
    redis_close(redis);
    open_redis("", false);
    turn_until(&loop, failures() >= 2, 10);
    assert_int_equal(n_up, 1);
}

static void
a_database_that_is_not_there(void **state)
{
    (void) state;
    server_start(NULL, NULL);
    open_redis(" db=16", false);
    turn_until(&loop, failures() >= 2, 10);
    assert_int_equal(n_up, 0);
}

static void
a_refusal_for_want_of_memory_is_an_answer(void **state)
{
    (void) state;
    server_start("--maxmemory", "1");
    open_redis("", false);
    turn_until(&loop, n_up == 1, 10);
    assert_int_equal(command("SET", "k", "v"), 0);
    turn_until(&loop, n_errors == 1, 10);
    assert_memory_equal(last_error, "OOM ", 4);
    assert_int_equal(command("GET", "k", NULL), 0);
    turn_until(&loop, n_answers == 2, 10);
    assert_int_equal(n_down, 0);
}

static void
a_subscription_brings_messages_and_is_asked_ping(void **state)
{
    struct redis_handlers handlers = {.up = on_up};
    struct redis *other;
    const char *const argv[] = {"PUBLISH", "c", "hello"};
    const size_t lens[] = {7, 1, 5};
    uint64_t start;

    (void) state;
    server_start(NULL, NULL);
    open_redis("", true);
    other = redis_open(&loop, server_where, "other", &handlers);
    turn_until(&loop, n_up == 2, 10);
    assert_int_equal(command("SUBSCRIBE", "c", NULL), 0);
    turn_until(&loop, n_answers == 1, 10);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(redis_command(other, NULL, NULL, 3, argv, lens), 0);
    }
    turn_until(&loop, n_messages == 1000, 10);

    /* longer than the pause until it is asked */
    start = uv_hrtime();
    turn_until(&loop, uv_hrtime() - start > 1600000000, 10);
    assert_int_equal(redis_command(other, NULL, NULL, 3, argv, lens), 0);
    turn_until(&loop, n_messages == 1001, 10);
    assert_int_equal(n_down, 0);
    redis_close(other);
}

/* A server that answers each connection's first bytes with a text. */

static const char *fake_text;
static size_t fake_len;
static uv_pipe_t fake;

struct fake_peer {
    uv_pipe_t pipe;
    uv_write_t write;
    char bytes[65536];
};

static void
on_fake_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void
on_fake_alloc(uv_handle_t *handle, size_t size, uv_buf_t *b)
{
    struct fake_peer *p = handle->data;

    (void) size;
    *b = uv_buf_init(p->bytes, sizeof(p->bytes));
}

static void
on_fake_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct fake_peer *p = stream->data;
    uv_buf_t out = uv_buf_init((char *) fake_text, (unsigned) fake_len);

    (void) b;
    if (n < 0) {
        uv_close((uv_handle_t *) stream, on_fake_closed);
    } else if (n > 0) {
        uv_write(&p->write, stream, &out, 1, NULL);
    }
}

static void
on_fake_connection(uv_stream_t *listener, int status)
{
    struct fake_peer *p = calloc(1, sizeof(*p));

    (void) status;
    uv_pipe_init(&loop, &p->pipe, 0);
    p->pipe.data = p;
    uv_accept(listener, (uv_stream_t *) &p->pipe);
    uv_read_start((uv_stream_t *) &p->pipe, on_fake_alloc, on_fake_read);
}

static void
fake_open(void)
{
    unlink(server_socket);
    uv_pipe_init(&loop, &fake, 0);
    assert_int_equal(uv_pipe_bind(&fake, server_socket), 0);
    assert_int_equal(uv_listen((uv_stream_t *) &fake, 16, on_fake_connection),
                     0);
}

static void
what_is_no_answer_of_redis_ends_the_connection_only(void **state)
{
    static const char *const texts[] = {
        "-LOADING Redis is loading the dataset in memory\r\n",
        "x\r\n",
        "*-7\r\n",
        "$99999999999999999999\r\n",
        ":1\r\n:1\r\n",
        "+PONG\r\n*1\r\n+x\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        "+PONG\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n",
    };

    (void) state;
    fake_open();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fake_text = texts[i];
        fake_len = strlen(texts[i]);
        open_redis("", true);
        turn_until(&loop, failures() >= 2, 10);
        assert_int_equal(n_up, n_down);
        redis_close(redis);
    }
    redis = NULL;
    uv_close((uv_handle_t *) &fake, NULL);
    assert_int_equal(n_messages, 0);
}

static void
an_answer_without_end_is_cut_off(void **state)
{
    size_t size = 2 * REDIS_IN_MAX;
    char *text = malloc(size);

    (void) state;
    memset(text, 'x', size);
    memcpy(text, "$2000000000\r\n", 13);
    fake_text = text;
    fake_len = size;
    fake_open();
    open_redis("", false);
    turn_until(&loop, failures() >= 1, 20);
    redis_close(redis);
    redis = NULL;
    uv_close((uv_handle_t *) &fake, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    free(text);
}

/* Was that the reason, and not that nothing came any more? */
static bool
was_logged(const char *path, const char *text)
{
    char line[512];
    bool found = false;
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        found |= strstr(line, text) != NULL;
    }
    fclose(f);
    return found;
}

static void
cut_off(const char *text, size_t len, const char *why)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/f", server_dir);
    log_open(path, "test", LOG_DEBUG);
    fake_text = text;
    fake_len = len;
    open_redis("", true);
    turn_until(&loop, failures() >= 1, 20);
    redis_close(redis);
    redis = NULL;
    log_open("/dev/null", "test", LOG_DEBUG);
    assert_true(was_logged(path, why));
    unlink(path);
}

/* What is read of an array is kept until its last element is there. */
static void
arrays_are_bounded_in_elements_and_bytes(void **state)
{
    static const char head[] = "+PONG\r\n*16000\r\n", element[] = "$1000\r\n";
    size_t size = 2 * REDIS_IN_MAX, at = sizeof(head) - 1;
    char *text = malloc(size);
    static const char *const many[] = {
        "+PONG\r\n*2000000000\r\n",
        "+PONG\r\n*16385\r\n",
        "+PONG\r\n*2\r\n*16382\r\n*1\r\n",
    };

    (void) state;
    fake_open();
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        cut_off(many[i], strlen(many[i]), "too many elements");
    }
    memset(text, 'x', size);
    memcpy(text, head, at);
    for (; at + 1010 < size; at += 1009) {
        memcpy(text + at, element, sizeof(element) - 1);
        memcpy(text + at + 1007, "\r\n", 2);
    }
    cut_off(text, at, "an answer is too large");
    uv_close((uv_handle_t *) &fake, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    free(text);
}

static void
close_in_answer(const redisReply *reply, void *data)
{
    (void) data;
    n_answers++;
    if (reply != NULL) {
        redis_close(redis);
        redis = NULL;
    }
}

static void
it_may_be_closed_or_dropped_in_an_answer(void **state)
{
    const char *const argv[] = {"PING"};
    const size_t lens[] = {4};

    (void) state;
    server_start(NULL, NULL);
    open_redis("", false);
    turn_until(&loop, n_up == 1, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(
            redis_command(redis, close_in_answer, NULL, 1, argv, lens), 0);
    }
    turn_until(&loop, redis == NULL, 10);
    assert_int_equal(n_answers, 10);
    open_redis("", false);
    turn_until(&loop, n_up == 2, 10);
    redis_drop(redis, "the test wants it");
    assert_int_equal(n_down, 1);
    turn_until(&loop, n_up == 3, 10);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(addresses),
        T(password_files),
        T(a_refused_connection_is_tried_again),
        T(tcp_and_names),
        T(answers_come_in_order),
        T(a_kill_under_load_answers_everything_once),
        T(a_hang_is_noticed_with_commands_and_without),
        T(a_wrong_password_and_then_the_right_one),
        T(a_database_that_is_not_there),
        T(a_refusal_for_want_of_memory_is_an_answer),
        T(a_subscription_brings_messages_and_is_asked_ping),
        T(what_is_no_answer_of_redis_ends_the_connection_only),
        T(an_answer_without_end_is_cut_off),
        T(arrays_are_bounded_in_elements_and_bytes),
        T(it_may_be_closed_or_dropped_in_an_answer),
    };
    int rc;

    signal(SIGPIPE, SIG_IGN);
    log_open("/dev/null", "test", LOG_DEBUG);
    server_prepare();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    server_remove();
    return rc;
}
