/* workers/link.c: two ends in one loop, over a real socket. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "link.h"
#include "log.h"

/* What one end has seen. */
struct end {
    struct link *link;
    unsigned n_frames;
    unsigned n_closed;
    unsigned n_drained;
    unsigned n_connected;
    uint64_t last_id;
    size_t bytes;
    struct chat_wire_header last;
    unsigned char payload[64];

    uint64_t reject_id; /* the frame handler's answer is -1 */
    uint64_t close_id;
    uint64_t pause_id;
};

static uv_loop_t loop;
static uv_pipe_t listener;
static char path[64];
static struct end client, server;
static unsigned n_to_refuse;

static int
on_frame(struct link *l, const struct chat_wire_header *h,
         const unsigned char *payload, size_t len, void *data)
{
    struct end *e = data;

    assert_ptr_equal(l, e->link);
    e->n_frames++;
    e->bytes += len;
    e->last = *h;
    memcpy(e->payload, payload, len < sizeof(e->payload) ? len : 64);

    /* frames come in the order they were made */
    assert_int_equal(h->id, e->last_id + 1);
    e->last_id = h->id;

    if (h->id == e->close_id) {
        link_close(l);
    }
    if (h->id == e->pause_id) {
        link_pause(l);
    }
    return h->id == e->reject_id ? -1 : 0;
}

static void
on_closed(struct link *l, void *data)
{
    struct end *e = data;

    assert_ptr_equal(l, e->link);
    e->link = NULL;
    e->n_closed++;
}

static void
on_drained(struct link *l, void *data)
{
    struct end *e = data;

    assert_false(link_full(l));
    e->n_drained++;
}

static void
on_connected(struct link *l, void *data)
{
    struct end *e = data;

    assert_ptr_equal(l, e->link);
    e->n_connected++;
}

static const struct link_handlers handlers = {on_frame, on_closed, on_drained};

static void
on_connection(uv_stream_t *stream, int status)
{
    assert_int_equal(status, 0);
    if (n_to_refuse != 0) {
        n_to_refuse--;
        link_refuse(stream);
        return;
    }
    assert_null(server.link);
    server.link = link_accept(stream, &handlers, &server);
    assert_non_null(server.link);
}

/* Turns of the loop, none of which waits, until the condition holds. */
#define run_until(condition)                                                   \
    do {                                                                       \
        for (long turns = 0; !(condition); turns++) {                          \
            assert_true(turns < 1000000);                                      \
            uv_run(&loop, UV_RUN_NOWAIT);                                      \
        }                                                                      \
    } while (0)

static int
setup(void **state)
{
    (void) state;
    memset(&client, 0, sizeof(client));
    memset(&server, 0, sizeof(server));
    snprintf(path, sizeof(path), "/tmp/test_link.%ld", (long) getpid());
    unlink(path);
    return uv_loop_init(&loop) != 0 || uv_pipe_init(&loop, &listener, 0) != 0
           || uv_pipe_bind(&listener, path) != 0
           || uv_listen((uv_stream_t *) &listener, 16, on_connection) != 0;
}

static int
teardown(void **state)
{
    (void) state;
    if (client.link != NULL) {
        link_close(client.link);
    }
    if (server.link != NULL) {
        link_close(server.link);
    }
    uv_close((uv_handle_t *) &listener, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void
connect_both(void)
{
    client.link = link_connect(&loop, path, on_connected, &handlers, &client);
    assert_non_null(client.link);
    run_until(server.link != NULL && client.n_connected == 1);
}

static void
send_frame(struct end *from, uint64_t id, size_t len)
{
    static unsigned char payload[1 << 20];
    struct chat_wire_writer *w =
        link_begin(from->link, CHAT_WIRE_REQUEST, 2, 3, id, len);

    while (len != 0) {
        size_t n = len < sizeof(payload) ? len : sizeof(payload);

        payload[0] = (unsigned char) id;
        chat_wire_put_raw(w, payload, n);
        len -= n;
    }
    link_end(from->link);
}

static void
test_frames_go_both_ways(void **state)
{
    (void) state;
    connect_both();
    send_frame(&client, 1, 10);
    send_frame(&client, 2, 0);
    send_frame(&server, 1, 1);
    run_until(server.n_frames == 2 && client.n_frames == 1);

    assert_int_equal(server.bytes, 10);
    assert_int_equal(client.last.type, CHAT_WIRE_REQUEST);
    assert_int_equal(client.last.flags, 2);
    assert_int_equal(client.last.replays, 3);
    assert_int_equal(client.last.length, CHAT_WIRE_HEADER_LEN + 1);
    assert_int_equal(client.payload[0], 1);
    assert_int_equal(link_queued(client.link), 0);
}

static void
test_frames_before_the_connect_is_done(void **state)
{
    (void) state;
    client.link = link_connect(&loop, path, on_connected, &handlers, &client);
    assert_non_null(client.link);
    send_frame(&client, 1, 10);
    run_until(server.n_frames == 1);
    assert_int_equal(client.n_connected, 1);
}

static void
test_nothing_is_written_before_the_turn_ends(void **state)
{
    (void) state;
    connect_both();
    for (uint64_t id = 1; id <= 100; id++) {
        send_frame(&client, id, 10);
    }
    assert_int_equal(link_queued(client.link),
                     100 * (CHAT_WIRE_HEADER_LEN + 10));
    run_until(server.n_frames == 100);
    assert_int_equal(link_queued(client.link), 0);
}

static void
on_prepare(uv_prepare_t *prepare)
{
    send_frame(&client, 1, 1);
    uv_prepare_stop(prepare);
}

static void
on_timer(uv_timer_t *timer)
{
    (void) timer;
    fail_msg("the loop slept on a frame");
}

/* The loop's last stop before it polls: the frame must not wait for an
 * event. */
static void
test_frame_made_in_a_prepare_callback(void **state)
{
    uv_prepare_t prepare;
    uv_timer_t timer;

    (void) state;
    connect_both();
    uv_prepare_init(&loop, &prepare);
    uv_prepare_start(&prepare, on_prepare);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_timer, 30000, 0);
    while (server.n_frames == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *) &prepare, NULL);
    uv_close((uv_handle_t *) &timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void
test_large_frames_of_every_size(void **state)
{
    uint64_t id = 0;

    (void) state;
    connect_both();
    for (size_t len = 60000; len < CHAT_WIRE_FRAME_MAX; len = len * 2 + 17) {
        send_frame(&client, ++id, len);
        send_frame(&client, ++id, 3);
        run_until(server.n_frames == id);
        assert_int_equal(server.payload[0], (unsigned char) id);
    }
    send_frame(&client, ++id, CHAT_WIRE_FRAME_MAX - CHAT_WIRE_HEADER_LEN);
    run_until(server.n_frames == id);
}

static void
test_frame_that_does_not_fit_closes_the_link(void **state)
{
    struct chat_wire_writer *w;

    (void) state;
    connect_both();
    send_frame(&client, 1, 5);
    w = link_begin(client.link, CHAT_WIRE_REQUEST, 0, 0, 2, 4);
    chat_wire_put_u64(w, 1);
    link_end(client.link);
    run_until(client.n_closed == 1 && server.n_closed == 1);

    /* whole frames before it went out */
    assert_int_equal(server.n_frames, 1);
}

static void
test_frame_above_the_limit_closes_the_link(void **state)
{
    (void) state;
    connect_both();
    send_frame(&client, 1, CHAT_WIRE_FRAME_MAX - CHAT_WIRE_HEADER_LEN + 1);
    run_until(client.n_closed == 1 && server.n_closed == 1);
    assert_int_equal(server.n_frames, 0);
}

static void
test_closed_link_takes_frames_silently(void **state)
{
    (void) state;
    connect_both();
    link_close(client.link);
    send_frame(&client, 1, 10);
    link_close(client.link);
    link_pause(client.link);
    link_resume(client.link);
    assert_int_equal(link_queued(client.link), 0);
    run_until(client.n_closed == 1 && server.n_closed == 1);
    assert_int_equal(server.n_frames, 0);
}

static void
test_close_tries_what_is_queued(void **state)
{
    (void) state;
    connect_both();
    send_frame(&client, 1, 10);
    link_close(client.link);
    run_until(server.n_closed == 1);
    assert_int_equal(server.n_frames, 1);
}

static void
test_rejected_frame_closes_the_link(void **state)
{
    (void) state;
    server.reject_id = 2;
    connect_both();
    for (uint64_t id = 1; id <= 4; id++) {
        send_frame(&client, id, 1);
    }
    run_until(client.n_closed == 1 && server.n_closed == 1);
    assert_int_equal(server.n_frames, 2);
}

static void
test_handler_may_close(void **state)
{
    (void) state;
    server.close_id = 2;
    connect_both();
    for (uint64_t id = 1; id <= 4; id++) {
        send_frame(&client, id, 1);
    }
    run_until(client.n_closed == 1 && server.n_closed == 1);
    assert_int_equal(server.n_frames, 2);
}

/* A socket of our own writes what no link would. */
static void
write_raw(const void *data, size_t len, size_t piece)
{
    uv_pipe_t raw;
    uv_os_fd_t fd;
    uv_connect_t connect;
    const char *at = data;

    uv_pipe_init(&loop, &raw, 0);
    uv_pipe_connect(&connect, &raw, path, NULL);
    run_until(server.link != NULL && uv_is_writable((uv_stream_t *) &raw));
    assert_int_equal(uv_fileno((uv_handle_t *) &raw, &fd), 0);
    while (len != 0) {
        size_t n = len < piece ? len : piece;

        assert_int_equal(send(fd, at, n, MSG_NOSIGNAL), n);
        at += n;
        len -= n;
        for (int i = 0; i < 4; i++) {
            uv_run(&loop, UV_RUN_NOWAIT);
        }
    }
    uv_close((uv_handle_t *) &raw, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    run_until(server.n_closed == 1);
}

static void
test_frames_in_pieces_of_every_size(void **state)
{
    unsigned char bytes[3 * 40];

    (void) state;
    for (uint64_t i = 0; i < 3; i++) {
        struct chat_wire_header h = {
            .length = 40, .type = CHAT_WIRE_REQUEST, .id = i + 1};

        memset(bytes + 40 * i, (int) i, 40);
        chat_wire_write_header(bytes + 40 * i, &h);
    }
    for (size_t piece = 1; piece <= sizeof(bytes); piece++) {
        memset(&server, 0, sizeof(server));
        write_raw(bytes, sizeof(bytes), piece);
        assert_int_equal(server.n_frames, 3);
        assert_int_equal(server.payload[23], 2);
    }
}

static void
test_bad_header_closes_the_link(void **state)
{
    static const unsigned char rows[][CHAT_WIRE_HEADER_LEN] = {
        {15, 0, 0, 0, CHAT_WIRE_REQUEST}, /* shorter than a header  */
        {1,  0, 0, 2, CHAT_WIRE_REQUEST}, /* longer than the limit  */
        {16, 0, 0, 0, 0                }, /* no such type           */
        {16, 0, 0, 0, 255              },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&server, 0, sizeof(server));
        write_raw(rows[i], sizeof(rows[i]), sizeof(rows[i]));
        assert_int_equal(server.n_frames, 0);
    }
}

static void
test_end_within_a_frame(void **state)
{
    static const unsigned char half[] = {
        100, 0, 0, 0, CHAT_WIRE_REQUEST, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2};

    (void) state;
    write_raw(half, sizeof(half), sizeof(half));
    assert_int_equal(server.n_frames, 0);
}

static void
test_paused_link_reads_nothing_more(void **state)
{
    (void) state;
    server.pause_id = 2;
    connect_both();
    for (uint64_t id = 1; id <= 5; id++) {
        send_frame(&client, id, 1);
    }
    run_until(server.n_frames == 2);
    send_frame(&client, 6, 1);
    for (int i = 0; i < 20; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(server.n_frames, 2);

    /* what was read before the pause needs no new event */
    link_resume(server.link);
    assert_int_equal(server.n_frames, 2);
    run_until(server.n_frames == 6);
}

static void
test_full_and_drained(void **state)
{
    uint64_t id = 0;

    (void) state;
    connect_both();
    link_pause(server.link);
    while (!link_full(client.link)) {
        send_frame(&client, ++id, 100000);
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_true(id < 1000);
    }
    assert_true(link_queued(client.link) > LINK_QUEUE_MAX);
    assert_int_equal(client.n_drained, 0);

    /* answers still go in */
    send_frame(&client, ++id, 10);
    link_resume(server.link);
    run_until(client.n_drained == 1);
    assert_true(link_queued(client.link) < LINK_QUEUE_MAX / 2);
    run_until(server.n_frames == id);
    assert_int_equal(client.n_drained, 1);
}

static void
test_closing_with_a_write_under_way(void **state)
{
    (void) state;
    connect_both();
    link_pause(server.link);
    send_frame(&client, 1, 4000000);
    run_until(link_queued(client.link) < 4000000);
    link_close(client.link);
    run_until(client.n_closed == 1);
    link_resume(server.link);
    run_until(server.n_closed == 1);
    assert_int_equal(server.n_frames, 0);
}

static void
test_peer_that_is_gone(void **state)
{
    (void) state;
    connect_both();
    link_pause(client.link);
    link_close(server.link);
    run_until(server.n_closed == 1);
    for (uint64_t id = 1; client.n_closed == 0; id++) {
        assert_true(id < 1000);
        send_frame(&client, id, 1000);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static void
test_nobody_listens(void **state)
{
    (void) state;
    client.link =
        link_connect(&loop, "/tmp/nobody", on_connected, &handlers, &client);
    assert_non_null(client.link);
    send_frame(&client, 1, 10);
    run_until(client.n_closed == 1);
    assert_int_equal(client.n_connected, 0);
}

static void
test_close_while_connecting(void **state)
{
    (void) state;
    client.link = link_connect(&loop, path, on_connected, &handlers, &client);
    assert_non_null(client.link);
    link_close(client.link);
    run_until(client.n_closed == 1);
    assert_int_equal(client.n_connected, 0);
}

static void
test_refused_one_does_not_stop_the_listener(void **state)
{
    struct end others[3] = {0};

    (void) state;
    n_to_refuse = 3;
    for (unsigned i = 0; i < 3; i++) {
        others[i].link =
            link_connect(&loop, path, on_connected, &handlers, &others[i]);
        assert_non_null(others[i].link);
    }
    run_until(others[0].n_closed + others[1].n_closed + others[2].n_closed
              == 3);
    connect_both();
    send_frame(&client, 1, 10);
    run_until(server.n_frames == 1);
}

static void
test_path_too_long_for_a_socket(void **state)
{
    char longer[200];

    (void) state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_null(link_connect(&loop, longer, on_connected, &handlers, &client));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_frames_go_both_ways),
        TEST(test_frames_before_the_connect_is_done),
        TEST(test_nothing_is_written_before_the_turn_ends),
        TEST(test_frame_made_in_a_prepare_callback),
        TEST(test_large_frames_of_every_size),
        TEST(test_frame_that_does_not_fit_closes_the_link),
        TEST(test_frame_above_the_limit_closes_the_link),
        TEST(test_closed_link_takes_frames_silently),
        TEST(test_close_tries_what_is_queued),
        TEST(test_rejected_frame_closes_the_link),
        TEST(test_handler_may_close),
        TEST(test_frames_in_pieces_of_every_size),
        TEST(test_bad_header_closes_the_link),
        TEST(test_end_within_a_frame),
        TEST(test_paused_link_reads_nothing_more),
        TEST(test_full_and_drained),
        TEST(test_closing_with_a_write_under_way),
        TEST(test_peer_that_is_gone),
        TEST(test_nobody_listens),
        TEST(test_close_while_connecting),
        TEST(test_refused_one_does_not_stop_the_listener),
        TEST(test_path_too_long_for_a_socket),
    };

    /* as every role does */
    signal(SIGPIPE, SIG_IGN);

    /* the errors are meant */
    log_open("/dev/null", "test", LOG_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
