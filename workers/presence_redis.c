/*
 * The two connections, the reading of all keys, the beat.
 *
 * This machine hears its own frames, too: one that does not come back in time
 * says that the subscription is of no use, though its connection stands.
 */

#include "presence_redis.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "log.h"
#include "presence_local.h"
#include "presence_peers.h"
#include "redis_config.h"
#include "redis_conn.h"

#define BEAT_TICKS    4 /* of LOCAL_TICK_MS: a second          */
#define DEAF_MS       5000
#define TELLING_MAX   256
#define PAGE_KEYS     "500" /* of one SCAN, about                  */
#define PAGE_MAX      REDIS_ARGS_MAX
#define READ_EVERY_MS 1000 /* so often at most all keys are read  */
#define WORK_MS       1
#define CHANNEL_MAX   32
#define CURSOR_MAX    24
#define MACHINE_BYTES (PRESENCE_MACHINE / 2)

struct presence_redis {
    uv_loop_t *loop;
    struct presence_redis_handlers handlers;
    struct redis *commands, *subscriber;
    struct local *local;
    struct peers *peers;
    char machine[PRESENCE_MACHINE + 1];
    char channel[CHANNEL_MAX];
    bool subscribed;
    bool closing;
    bool doubled; /* another machine has this one's name; was logged */
    unsigned n_handles;
    uv_timer_t tick, work;
    uv_prepare_t turn;
    unsigned ticks;
    unsigned n_telling;
    bool refused; /* nothing more is told before the next tick */

    /* the beat */
    uint64_t beat;    /* number of the frame that is not heard yet; 0: none */
    uint64_t beat_at; /* ns                                                 */
    uint64_t lag_us;

    /* the reading of all keys */
    bool reading;
    uint64_t read_at; /* loop time when the last one ended */
    char cursor[CURSOR_MAX];
    redisReply *page; /* the keys whose values are asked for */
};

static void read_page(struct presence_redis *p);

/* This machine's name */

static int
write_machine(struct presence_redis *p, const char *path)
{
    unsigned char random[MACHINE_BYTES];
    int fd, rc = -1;

    if (getrandom(random, sizeof(random), 0) != (ssize_t) sizeof(random)) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        snprintf(p->machine + 2 * i, 3, "%02x", random[i]);
    }
    fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd != -1) {
        rc = write(fd, p->machine, PRESENCE_MACHINE) == PRESENCE_MACHINE ? 0
                                                                         : -1;
        close(fd);
    }
    return rc;
}

static void
find_machine(struct presence_redis *p, const char *run_dir)
{
    char path[PATH_MAX];
    char text[PRESENCE_MACHINE + 1] = "";
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof(path), "%s/machine", run_dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd != -1) {
        n = read(fd, text, PRESENCE_MACHINE);
        close(fd);
    }
    if (n == PRESENCE_MACHINE
        && strspn(text, "0123456789abcdef") == PRESENCE_MACHINE) {
        memcpy(p->machine, text, sizeof(text));
    } else if (write_machine(p, path) != 0) {
        log_warn("%s cannot be written: after a restart this machine will "
                 "be another one to the rest",
                 path);
    }
}

/* Reading */

static void
read_over(struct presence_redis *p, bool whole)
{
    p->reading = false;
    p->read_at = uv_now(p->loop);
    if (p->page != NULL) {
        freeReplyObject(p->page);
        p->page = NULL;
    }
    peers_read_end(p->peers, whole);
}

static bool
is_array(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY;
}

static void
take_value(struct presence_redis *p, const redisReply *key,
           const redisReply *value)
{
    struct presence_row row;
    const char *machine;

    /* one that has ended since has none */
    if (key->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING
        && presence_get_key((struct str){key->str, key->len}, &row.user,
                            &machine)
               == 0
        && presence_get_value((struct str){value->str, value->len}, &row)
               == 0) {
        peers_read(p->peers, machine, &row, local_ttl_s(p->local),
                   uv_now(p->loop));
    }
}

static void
on_values(const redisReply *reply, void *data)
{
    struct presence_redis *p = data;
    const redisReply *keys = p->page;

    if (p->closing || !p->reading) {
        return;
    }
    if (!is_array(reply) || keys == NULL || reply->elements != keys->elements) {
        read_over(p, false);
        return;
    }
    for (size_t i = 0; i < keys->elements; i++) {
        take_value(p, keys->element[i], reply->element[i]);
    }
    freeReplyObject(p->page);
    p->page = NULL;
    read_page(p);
}

/* A copy, for the answer ends with its callback: an array of strings. */
static redisReply *
keep_keys(redisReply *keys)
{
    redisReply *kept = malloc(sizeof(*kept));

    if (kept != NULL) {
        *kept = *keys;
        keys->element = NULL;
        keys->elements = 0;
    }
    return kept;
}

static void
ask_values(struct presence_redis *p)
{
    const char *argv[PAGE_MAX] = {"MGET"};
    size_t lens[PAGE_MAX] = {4};
    const redisReply *keys = p->page;
    bool good = keys->elements < PAGE_MAX;

    for (size_t i = 0; good && i < keys->elements; i++) {
        good = keys->element[i]->type == REDIS_REPLY_STRING;
        argv[i + 1] = keys->element[i]->str;
        lens[i + 1] = keys->element[i]->len;
    }
    if (!good
        || redis_command(p->commands, on_values, p, (int) keys->elements + 1,
                         argv, lens)
               != 0) {
        read_over(p, false);
    }
}

static void
on_keys(const redisReply *reply, void *data)
{
    struct presence_redis *p = data;

    if (p->closing || !p->reading) {
        return;
    }
    if (!is_array(reply) || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[0]->len >= CURSOR_MAX
        || !is_array(reply->element[1])) {
        read_over(p, false);
        return;
    }
    memcpy(p->cursor, reply->element[0]->str, reply->element[0]->len + 1);
    if (reply->element[1]->elements == 0) {
        read_page(p);
        return;
    }
    p->page = keep_keys(reply->element[1]);
    if (p->page == NULL) {
        read_over(p, false);
    } else {
        ask_values(p);
    }
}

/* The next page; behind the last one the cursor is 0 again. */
static void
read_page(struct presence_redis *p)
{
    const char *const argv[] = {"SCAN",        p->cursor, "MATCH",
                                PRESENCE_KEYS, "COUNT",   PAGE_KEYS};
    size_t lens[6];

    if (strcmp(p->cursor, "0") == 0) {
        read_over(p, true);
        return;
    }
    if (p->cursor[0] == '\0') {
        memcpy(p->cursor, "0", 2);
    }
    for (int i = 0; i < 6; i++) {
        lens[i] = strlen(argv[i]);
    }
    if (redis_command(p->commands, on_keys, p, 6, argv, lens) != 0) {
        read_over(p, false);
    }
}

static void
read_if_due(struct presence_redis *p, uint64_t now)
{
    if (!p->subscribed || p->reading || !peers_due(p->peers)
        || now - p->read_at < READ_EVERY_MS) {
        return;
    }
    p->reading = true;
    p->cursor[0] = '\0';
    peers_read_begin(p->peers);
    read_page(p);
}

/* Connections */

static void
on_commands_up(void *data)
{
    struct presence_redis *p = data;

    local_up(p->local);
    p->read_at = uv_now(p->loop) - READ_EVERY_MS;
    if (p->subscribed) {
        peers_resume(p->peers, uv_now(p->loop));
    }
}

static void
on_commands_down(void *data)
{
    struct presence_redis *p = data;

    p->beat = 0;
    peers_hold(p->peers);
}

static void
on_subscribed(const redisReply *reply, void *data)
{
    struct presence_redis *p = data;

    if (reply == NULL || p->closing) {
        return;
    }
    if (!is_array(reply)) {
        redis_drop(p->subscriber, reply->type == REDIS_REPLY_ERROR
                                      ? reply->str
                                      : "no subscription");
        return;
    }
    p->subscribed = true;
    p->beat = 0;
    peers_resume(p->peers, uv_now(p->loop));
}

static void
on_subscriber_up(void *data)
{
    struct presence_redis *p = data;
    const char *const argv[] = {"SUBSCRIBE", p->channel};
    const size_t lens[] = {9, strlen(p->channel)};

    if (redis_command(p->subscriber, on_subscribed, p, 2, argv, lens) != 0) {
        redis_drop(p->subscriber, "out of memory");
    }
}

static void
on_subscriber_down(void *data)
{
    struct presence_redis *p = data;

    p->subscribed = false;
    p->beat = 0;
    peers_hold(p->peers);
}

static void
on_own(struct presence_redis *p, const struct presence_head *head)
{
    if (head->epoch != local_epoch(p->local)) {
        if (!p->doubled) {
            log_error("presence: another machine has this one's name %s: "
                      "remove the file `machine` from a run directory that "
                      "was copied and start its pool again",
                      p->machine);
            p->doubled = true;
        }
    } else if (head->number == p->beat) {
        p->lag_us = (uv_hrtime() - p->beat_at) / 1000;
        p->beat = 0;
    }
}

static void
on_message(const char *text, size_t len, void *data)
{
    struct presence_redis *p = data;
    struct str frame = {text, len};
    struct presence_head head;

    if (presence_get_head(&frame, &head) == 0
        && memcmp(head.machine, p->machine, PRESENCE_MACHINE) == 0) {
        on_own(p, &head);
    }
    if (peers_frame(p->peers, (struct str){text, len}, uv_now(p->loop)) != 0) {
        log_debug("presence: a message that is no frame");
    }
}

/* Time */

static uint64_t
lag_us(const struct presence_redis *p)
{
    uint64_t since = p->beat == 0 ? 0 : (uv_hrtime() - p->beat_at) / 1000;

    return since > p->lag_us ? since : p->lag_us;
}

static void
beat(struct presence_redis *p, uint64_t now)
{
    uint64_t number;

    if (p->beat != 0) {
        if (lag_us(p) > DEAF_MS * 1000ull) {
            redis_drop(p->subscriber, "the subscription is deaf");
        }
        (void) local_beat(p->local, p->commands, now);
        return;
    }
    number = local_beat(p->local, p->commands, now);
    if (p->subscribed) {
        p->beat = number;
        p->beat_at = uv_hrtime();
    }
}

static void
on_work(uv_timer_t *timer)
{
    struct presence_redis *p = timer->data;

    if (!peers_work(p->peers)) {
        uv_timer_stop(&p->work);
    }
}

static void
on_tick(uv_timer_t *timer)
{
    struct presence_redis *p = timer->data;
    struct redis_stats stats;
    uint64_t now = uv_now(p->loop);

    p->refused = false;
    redis_stats(p->commands, &stats);
    local_tick(p->local, now);
    peers_tick(p->peers, now);
    if (stats.up) {
        if (++p->ticks % BEAT_TICKS == 0) {
            beat(p, now);
        }
        read_if_due(p, now);
    }
    if (!uv_is_active((uv_handle_t *) &p->work)) {
        uv_timer_start(&p->work, on_work, 0, WORK_MS);
    }
}

/* What came in this turn, before the loop waits. */
static void
on_turn(uv_prepare_t *prepare)
{
    struct presence_redis *p = prepare->data;
    struct peers_change c;
    struct redis_stats stats;

    redis_stats(p->commands, &stats);
    if (stats.up) {
        local_pump(p->local, p->commands, uv_now(p->loop));
    }
    while (!p->refused && p->n_telling < TELLING_MAX
           && peers_next(p->peers, &c)) {
        p->n_telling++;
        p->handlers.tell(c.user, c.online, c.at, p->handlers.data);
    }
}

void
presence_redis_told(struct presence_redis *p)
{
    p->n_telling--;
}

void
presence_redis_refused(struct presence_redis *p, struct str user, bool online,
                       uint64_t at)
{
    p->n_telling--;
    p->refused = true;
    peers_untold(p->peers, user, online, at);
}

/* Opening and closing */

static bool
is_here(uint64_t number, void *data)
{
    struct presence_redis *p = data;

    return p->handlers.here(number, p->handlers.data);
}

static void
free_parts(struct presence_redis *p)
{
    local_free(p->local);
    peers_free(p->peers);
    free(p);
}

static int
open_parts(struct presence_redis *p, const char *where)
{
    struct local_config local = {
        .channel = p->channel, .here = is_here, .data = p};
    struct redis_handlers commands = {
        .up = on_commands_up, .down = on_commands_down, .data = p};
    struct redis_handlers subscriber = {.up = on_subscriber_up,
                                        .down = on_subscriber_down,
                                        .message = on_message,
                                        .data = p};

    memcpy(local.machine, p->machine, PRESENCE_MACHINE);
    p->local = local_create(&local);
    p->peers = peers_create(p->machine);
    if (p->local == NULL || p->peers == NULL) {
        return -1;
    }
    p->commands = redis_open(p->loop, where, "commands", &commands);
    p->subscriber = redis_open(p->loop, where, "subscription", &subscriber);
    if (p->commands != NULL && p->subscriber != NULL) {
        return 0;
    }
    if (p->commands != NULL) {
        redis_close(p->commands);
    }
    if (p->subscriber != NULL) {
        redis_close(p->subscriber);
    }
    return -1;
}

struct presence_redis *
presence_redis_open(uv_loop_t *loop, const char *where, const char *run_dir,
                    unsigned timeout_s,
                    const struct presence_redis_handlers *handlers)
{
    struct presence_redis *p = calloc(1, sizeof(*p));
    struct redis_config config;

    if (p == NULL || redis_config_parse(&config, where) != 0) {
        log_error(p == NULL ? "out of memory" : "bad address of Redis");
        free(p);
        return NULL;
    }
    p->loop = loop;
    p->handlers = *handlers;
    find_machine(p, run_dir);

    /* unlike keys, channels are of no database */
    snprintf(p->channel, sizeof(p->channel), "chat:presence:%u", config.db);
    if (open_parts(p, where) != 0) {
        log_error("out of memory");
        free_parts(p);
        return NULL;
    }
    presence_redis_timeout(p, timeout_s);
    uv_timer_init(loop, &p->tick);
    uv_timer_init(loop, &p->work);
    uv_prepare_init(loop, &p->turn);
    p->n_handles = 3;
    p->tick.data = p;
    p->work.data = p;
    p->turn.data = p;
    uv_timer_start(&p->tick, on_tick, LOCAL_TICK_MS, LOCAL_TICK_MS);
    uv_prepare_start(&p->turn, on_turn);
    return p;
}

void
presence_redis_ready(struct presence_redis *p)
{
    local_ready(p->local, uv_now(p->loop));
}

void
presence_redis_timeout(struct presence_redis *p, unsigned timeout_s)
{
    local_set_timeout(p->local, timeout_s);
}

void
presence_redis_set(struct presence_redis *p, uint64_t number, struct str user,
                   bool online, uint64_t at)
{
    local_set(p->local, number, user, online, at);
}

bool
presence_redis_elsewhere(struct presence_redis *p, struct str user)
{
    return peers_online(p->peers, user);
}

void
presence_redis_stats(const struct presence_redis *p,
                     struct presence_redis_stats *out)
{
    struct redis_stats commands, subscriber;

    redis_stats(p->commands, &commands);
    redis_stats(p->subscriber, &subscriber);
    out->up = commands.up && subscriber.up && p->subscribed;
    out->connects = commands.connects + subscriber.connects;
    out->failures =
        commands.failures + subscriber.failures + local_failures(p->local);
    out->lag_us = lag_us(p);
    out->users = peers_users(p->peers);
}

static void
on_closed(uv_handle_t *handle)
{
    struct presence_redis *p = handle->data;

    if (--p->n_handles == 0) {
        free_parts(p);
    }
}

void
presence_redis_close(struct presence_redis *p)
{
    p->closing = true;
    redis_close(p->commands);
    redis_close(p->subscriber);
    if (p->page != NULL) {
        freeReplyObject(p->page);
        p->page = NULL;
    }
    uv_close((uv_handle_t *) &p->tick, on_closed);
    uv_close((uv_handle_t *) &p->work, on_closed);
    uv_close((uv_handle_t *) &p->turn, on_closed);
}
