/*
 * HTTP resources: from method, path, query and body to the operation, and the
 * answers.  Storage and front are scripted, as in method_world.h.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "call.h"
#include "front_unused.h"
#include "json.h"
#include "login.h"
#include "login_id.h"
#include "rate.h"
#include "route.h"
#include "worker.h"

static uv_loop_t loop;
static struct worker worker;
static int link_stand_in;

static struct storage_op op;
static char op_strings[8][256];
static char op_users[4][80];
static storage_done *op_done;
static void *op_data;
static unsigned n_ops;

static struct front_answer answer;
static char allow[128];
static char body[1 << 16];
static unsigned n_answers;
static char token_jti[64];
static uint64_t token_issued_at, token_expires_at;
static void *kept[8];
static uint64_t now_ms;

static void
keep(char *to, size_t size, struct str s)
{
    snprintf(to, size, "%.*s", (int) s.len, s.data == NULL ? "" : s.data);
}

static void
unexpected(void)
{
    fail();
}

void
storage_submit(struct storage *s, const struct storage_op *o,
               storage_done *done, void *data)
{
    const struct str strings[] = {o->channel, o->to,        o->name,
                                  o->text,    o->client_id, o->cursor,
                                  o->device,  o->request_id};

    (void) s;
    op = *o;
    for (unsigned i = 0; i < 8; i++) {
        keep(op_strings[i], sizeof(op_strings[i]), strings[i]);
    }
    for (unsigned i = 0; i < o->n_users && i < 4; i++) {
        keep(op_users[i], sizeof(op_users[i]), o->users[i]);
    }
    op_done = done;
    op_data = data;
    n_ops++;
}

#define op_channel   op_strings[0]
#define op_to        op_strings[1]
#define op_client_id op_strings[4]
#define op_cursor    op_strings[5]

bool
storage_op_changes(enum storage_op_type type)
{
    return type == STORAGE_SEND || type == STORAGE_REACT;
}

uint64_t
worker_now_ms(void)
{
    return now_ms;
}

void
front_ready(struct session_link *l, uint64_t handle, uint64_t inbox_id,
            struct str device, struct str text)
{
    (void) l, (void) handle, (void) inbox_id, (void) device, (void) text;
    fail();
}

void
front_end(struct session_link *l, uint64_t handle, unsigned code,
          struct str reason)
{
    (void) l, (void) handle, (void) code, (void) reason;
    fail();
}

void
front_reply(struct session_link *l, const struct request *r, uint64_t inbox_id,
            const struct str *parts, unsigned n)
{
    (void) l, (void) r, (void) inbox_id, (void) parts, (void) n;
    fail();
}

void
front_reply_nothing(struct session_link *l, uint64_t number, uint64_t handle)
{
    (void) l, (void) number, (void) handle;
    fail();
}

void
front_answer(struct session_link *l, const struct request *r,
             const struct front_answer *a, struct str text)
{
    assert_ptr_equal(l, &link_stand_in);
    assert_int_equal(r->number, 16);
    answer = *a;
    keep(allow, sizeof(allow), a->allow);
    keep(body, sizeof(body), text);
    if (a->token != NULL) {
        keep(token_jti, sizeof(token_jti), a->token->jti);
        token_issued_at = a->token->issued_at;
        token_expires_at = a->token->expires_at;
    }
    n_answers++;
}

void
front_renewed(struct session_link *l, uint64_t handle,
              const struct token_claims *t)
{
    (void) l;
    (void) handle;
    (void) t;
}

int
front_verify(struct session_link *l, struct call *c, struct str token)
{
    (void) l, (void) c, (void) token;
    return -1;
}

uint64_t
front_instance(struct session_link *l)
{
    (void) l;
    return 1;
}

static int
setup(void **state)
{
    (void) state;
    n_ops = n_answers = 0;
    now_ms = 0;
    uv_loop_init(&loop);
    worker = (struct worker){
        .loop = &loop, .json = json_create(), .rate = rate_create()};
    worker.logins = logins_create(&worker);
    return worker.logins == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void) state;
    logins_close(worker.logins);
    uv_run(&loop, UV_RUN_DEFAULT);
    logins_free(worker.logins);
    rate_free(worker.rate);
    json_free(worker.json);
    return uv_loop_close(&loop);
}

/* A copy of which not a byte behind the end may be read. */
static struct str
copy(const char *text)
{
    size_t len = strlen(text);
    char *data = malloc(len == 0 ? 1 : len);

    memcpy(data, text, len);
    return (struct str){data, len};
}

static void
ask_again(const char *method, const char *path, const char *args,
          const char *text, const char *last_event_id)
{
    struct origin o = {
        .worker = &worker,
        .link = (struct session_link *) &link_stand_in,
        .number = 16,
        .user = STR("alice"),
        .device = STR("web"),
    };
    struct route_request q = {copy(method), copy(path), copy(args),
                              copy(last_event_id), copy(text)};

    body[0] = '\0';
    n_ops = n_answers = 0;
    route_receive(&o, &q);
    assert_int_equal(n_ops + n_answers, 1);
    free((char *) q.method.data);
    free((char *) q.path.data);
    free((char *) q.args.data);
    free((char *) q.last_event_id.data);
    free((char *) q.body.data);
}

static void
ask(const char *method, const char *path, const char *args, const char *text)
{
    ask_again(method, path, args, text, "");
}

static void
done(const struct storage_result *r)
{
    assert_int_equal(n_ops, 1);
    op_done(r, op_data);
    assert_int_equal(n_answers, 1);
}

static void
answered(unsigned status, const char *json)
{
    struct storage_result r = {
        .json = {json, strlen(json)}
    };

    done(&r);
    assert_int_equal(answer.status, status);
    assert_string_equal(body, status == 204 ? "" : json);
}

static void
refused(unsigned status, const char *reason, const char *param)
{
    char expected[128];

    assert_int_equal(n_answers, 1);
    assert_int_equal(answer.status, status);
    snprintf(expected, sizeof(expected), "\"status\":%u,", status);
    assert_non_null(strstr(body, expected));
    snprintf(expected, sizeof(expected), "\"reason\":\"%s\"", reason);
    assert_non_null(strstr(body, expected));
    if (param != NULL) {
        snprintf(expected, sizeof(expected), "\"param\":\"%s\"", param);
        assert_non_null(strstr(body, expected));
    }
}

static void
params_come_from_path_query_and_body(void **state)
{
    (void) state;
    ask("GET", "messages/d.a~b/7", "", "");
    assert_int_equal(op.type, STORAGE_GET_MESSAGE);
    assert_string_equal(op_channel, "d.a~b");
    assert_int_equal(op.message_id, 7);
    answered(200, "{\"message\":{}}");

    ask("GET", "/messages", "channel=d.a%2Bb~c+d&after=0&limit=9&token=***",
        "");
    assert_int_equal(op.type, STORAGE_HISTORY);
    assert_string_equal(op_channel, "d.a+b~c+d");
    assert_true((op.flags & STORAGE_AFTER) != 0);
    assert_int_equal(op.limit, 9);
    answered(200, "{}");

    ask("PATCH", "channels/g.1/members/bob", "client_id=c",
        "{\"role\":\"admin\"}");
    assert_int_equal(op.type, STORAGE_SET_ROLE);
    assert_string_equal(op_to, "bob");
    assert_string_equal(op_client_id, "c");
    assert_int_equal(op.role, STORAGE_ADMIN);
    answered(200, "{}");

    ask("DELETE", "channels/g.1/members/bob,carol", "", "");
    assert_int_equal(op.n_users, 2);
    assert_string_equal(op_users[0], "bob");
    assert_string_equal(op_users[1], "carol");
    answered(204, "{\"channel\":{}}");

    ask("DELETE", "channels/g.1/members/a,b,c,d,e,f,g,h,i,j", "", "");
    assert_int_equal(op.n_users, 10);
    answered(204, "{}");

    ask("GET", "channels", "after=x%20y%", "");
    assert_string_equal(op_cursor, "x y%");
    answered(200, "{}");
}

static void
the_verb_says_remove_and_nothing_else(void **state)
{
    (void) state;
    ask("PUT", "messages/d.a~b/7/reactions/x", "", "");
    assert_int_equal(op.type, STORAGE_REACT);
    assert_int_equal(op.number, 0);
    answered(200, "{}");
    ask("DELETE", "messages/d.a~b/7/reactions/x", "client_id=c", "");
    assert_int_equal(op.type, STORAGE_REACT);
    assert_int_equal(op.number, 1);
    assert_string_equal(op_client_id, "c");
    answered(204, "{}");
    ask("DELETE", "messages/d.a~b/7/reactions/x", "remove=0", "");
    refused(400, "duplicate_key", "remove");
    ask("PUT", "messages/d.a~b/7/reactions/x", "remove=true", "");
    refused(400, "duplicate_key", "remove");
    ask("PUT", "messages/d.a~b/7/reactions/x", "", "{\"remove\":true}");
    refused(400, "duplicate_key", "remove");
}

static void
only_profiles_are_tagged(void **state)
{
    (void) state;
    ask("GET", "users/bob", "", "");
    answered(200, "{\"user\":{}}");
    assert_true(answer.tagged);
    ask("GET", "users", "query=b%20c", "");
    answered(200, "{\"users\":[]}");
    assert_false(answer.tagged);
    ask("GET", "users/bob", "x=1", "");
    refused(400, "unknown_param", "x");
    assert_false(answer.tagged);
}

static void
creating_answers_201(void **state)
{
    (void) state;
    ask("POST", "messages", "",
        "{\"to\":\"bob\",\"client_id\":\"c\",\"text\":\"t\"}");
    assert_int_equal(op.type, STORAGE_SEND);
    answered(201, "{\"message_id\":1}");
    ask("POST", "channels", "", "{\"name\":\"g\",\"members\":[]}");
    answered(201, "{}");
}

static void
a_path_has_its_methods(void **state)
{
    (void) state;
    ask("DELETE", "messages", "", "");
    refused(405, "method_not_allowed", NULL);
    assert_string_equal(allow, "POST, GET, HEAD, OPTIONS");
    ask("GET", "channels/x/leave", "", "");
    assert_string_equal(allow, "POST, OPTIONS");
    ask("HEAD", "channels/x", "", "");
    answered(200, "{}");
    ask("GET", "", "", "");
    refused(404, "not_found", NULL);
    ask("GET", "channels/x/y", "", "");
    refused(404, "not_found", NULL);
    ask("GET", "messagesx", "", "");
    refused(404, "not_found", NULL);
}

static void
a_param_stands_in_one_place(void **state)
{
    (void) state;
    ask("GET", "messages", "channel=a&channel=b", "");
    refused(400, "duplicate_key", "channel");
    ask("PATCH", "channels/x", "", "{\"channel\":\"y\",\"name\":\"n\"}");
    refused(400, "duplicate_key", "channel");
    ask("PATCH", "channels/x", "name=a", "{\"name\":\"n\"}");
    refused(400, "duplicate_key", "name");
}

static void
what_is_wrong_is_named(void **state)
{
    (void) state;
    ask("GET", "messages", "", "");
    refused(400, "missing", "channel");
    ask("GET", "messages", "channel=x&limit=1e2", "");
    refused(400, "wrong_type", "limit");
    ask("GET", "messages", "channel=x&limit=201", "");
    refused(400, "out_of_range", "limit");
    ask("GET", "messages", "channel=x&nothing=1", "");
    refused(400, "unknown_param", "nothing");
    ask("GET", "messages", "channel=%ff", "");
    refused(400, "bad_unicode", NULL);
    ask("POST", "messages", "", "{");
    refused(400, "parse_error", NULL);
    ask("POST", "messages", "", "[]");
    refused(400, "wrong_type", NULL);
    ask("GET", "inbox", "after=1&wait=61", "");
    refused(400, "out_of_range", "wait");
    ask("GET", "inbox", "after=1&wait=", "");
    refused(400, "wrong_type", "wait");
    ask("GET", "channels", "wait=1", "");
    refused(400, "unknown_param", "wait");
}

static void
storage_errors_are_problems(void **state)
{
    struct storage_result r = {.status = STORAGE_NO_CHANNEL};

    (void) state;
    ask("GET", "channels/x", "", "");
    done(&r);
    refused(404, "channel_not_found", NULL);
    assert_non_null(strstr(body, "\"title\":\"Not Found\""));
    assert_int_equal(answer.seconds, 0);

    r.status = STORAGE_UNAVAILABLE;
    ask("GET", "channels/x", "", "");
    done(&r);
    refused(503, "unavailable", NULL);
    assert_int_not_equal(answer.seconds, 0);
}

static void
a_wait_is_told_with_the_answer_to_give(void **state)
{
    struct storage_entry e = {8, STORAGE_EVENT_MESSAGE_NEW, STR(",\"x\":1}}}")};
    struct storage_result r = {.inbox_id = 7};

    (void) state;
    ask("GET", "inbox", "after=7&wait=30", "");
    assert_int_equal(op.after, 7);
    done(&r);
    assert_true(answer.wait && answer.after_given);
    assert_int_equal(answer.seconds, 30);
    assert_int_equal(answer.after, 7);
    assert_string_equal(body, "{\"events\":[],\"more\":false,\"inbox_id\":7}");

    r.entries = &e;
    r.n_entries = 1;
    ask("GET", "inbox", "after=7&wait=30", "");
    done(&r);
    assert_false(answer.wait);

    r.n_entries = 0;
    ask("GET", "inbox", "after=7&wait=0", "");
    done(&r);
    assert_false(answer.wait);
}

/* Of worker 0; what comes with it. */
static struct origin_account account = {
    .jti = STR("chat:3:AAAAAAAAAAAAAAAAAAAAAA"),
    .issued_at = 100,
    .expires_at = 5000,
    .received_at = 99,
    .address = STR("10.0.0.1"),
    .reserved = STR("site-"),
    .lifetime_s = 60,
};

static void
ask_account(const char *path, const char *args, const char *text)
{
    struct origin o = {
        .worker = &worker,
        .link = (struct session_link *) &link_stand_in,
        .number = 16,
        .user = STR("alice"),
        .device = STR("web"),
        .account = &account,
    };
    struct str body_text = copy(text);
    struct route_request q = {
        STR("POST"),
        {path, strlen(path)},
        {args, strlen(args)},
        STR(""),
        body_text
    };

    body[0] = '\0';
    n_ops = n_answers = 0;
    route_receive(&o, &q);

    /* nothing of a body is left, whatever became of it */
    if (str_eq(STR("login"), q.path) || str_eq(STR("signup"), q.path)) {
        for (size_t i = 0; i < body_text.len; i++) {
            assert_int_equal(body_text.data[i], 0);
        }
    }
    free((char *) body_text.data);
}

static void
accounts_have_routes_of_their_own(void **state)
{
    struct storage_result nobody = {.status = STORAGE_NO_ACCOUNT};

    (void) state;
    account.jti = STR("chat:3:AAAAAAAAAAAAAAAAAAAAAA");
    ask_account("token", "", "");
    assert_int_equal(answer.status, 200);
    assert_string_equal(token_jti, "chat:3:AAAAAAAAAAAAAAAAAAAAAA");
    assert_int_equal(token_issued_at, 100);
    assert_int_equal(token_expires_at, 160);

    ask_account("logout", "", "{}");
    assert_int_equal(op.type, STORAGE_END_LOGIN);
    assert_string_equal(op_cursor, "chat:3:AAAAAAAAAAAAAAAAAAAAAA");
    answered(204, "{}");

    account.jti = STR("of the site");
    ask_account("token", "", "");
    refused(403, "token_foreign", NULL);
    account.jti = STR("");
    ask_account("logout", "", "");
    refused(403, "token_without_jti", NULL);

    ask_account("signup", "",
                "{\"user\":\"Site-x\",\"password\":\"12345678\"}");
    refused(403, "user_reserved", "user");
    ask_account("signup", "", "{\"user\":\"x\",\"password\":\"1234567\"}");
    refused(400, "out_of_range", "password");
    ask_account("login", "password=12345678",
                "{\"user\":\"x\",\"password\":\"12345678\"}");
    refused(400, "unknown_param", "password");

    /* they are not there for others, and others not for them */
    ask("POST", "logout", "", "");
    refused(404, "not_found", NULL);
    ask_account("channels", "", "{}");
    refused(404, "not_found", NULL);

    /* a log-in to nobody waits for the thread like any other */
    ask_account("login", "", "{\"user\":\"x\",\"password\":\"12345678\"}");
    assert_int_equal(op.type, STORAGE_GET_ACCOUNT);
    op_done(&nobody, op_data);
    assert_int_equal(n_answers, 0);
    while (n_answers == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    refused(401, "bad_credentials", NULL);
}

#define RANDOM "AAAAAAAAAAAAAAAAAAAAAA"

/* What removes the device while it is made has to be younger. */
static void
a_token_is_as_old_as_the_request_for_it(void **state)
{
    struct storage_result found = {
        .json = STR("$scrypt$ln=1,r=8,p=1$U1NTU1NTU1NTU1NTU1NTUw$"
                    "anA9RedKfAD2ytblGIAmqkJGCYIaxJ2Jnsf2rO0/FNc"),
        .number = 3,
    };
    struct storage_result fine = {0};

    (void) state;
    account.jti = STR("chat:3:" RANDOM ":3600");
    account.received_at = 4990;
    now_ms = 4995000;
    ask_account("token", "", "");
    assert_int_equal(token_issued_at, 4990);
    assert_int_equal(token_expires_at, 5050);

    ask_account("login", "", "{\"user\":\"x\",\"password\":\"pleaseletmein\"}");
    op_done(&found, op_data);
    while (n_answers == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(answer.status, 200);
    assert_int_equal(token_issued_at, 4990);
    assert_int_equal(token_expires_at, 5050);
    assert_memory_equal(token_jti, "chat:3:", 7);
    assert_string_equal(token_jti + 7 + sizeof(RANDOM) - 1, ":60");

    /* it is kept by more work than before */
    while (n_ops == 1) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(op.type, STORAGE_REHASH);
    op_done(&fine, op_data);
    account.received_at = 99;
}

/* However the lifetime is set meanwhile. */
static void
a_log_out_is_kept_as_long_as_a_token_of_the_log_in_lasts(void **state)
{
    (void) state;
    now_ms = 7000000;
    account.jti = STR("chat:3:" RANDOM ":3600");
    ask_account("logout", "", "");
    assert_int_equal(op.number, 7000 + 1 + 3600);
    answered(204, "{}");
    account.jti = STR("chat:3:" RANDOM);
    ask_account("logout", "", "");
    assert_int_equal(op.number, 7000 + 1 + LOGIN_LIFETIME_MAX_S);
    answered(204, "{}");
    account.jti = STR("of the site");
    ask_account("logout", "", "");
    assert_int_equal(op.number, 7000 + 1 + 60);
    answered(204, "{}");

    /* so none is made that lasts longer */
    account.jti = STR("chat:3:" RANDOM ":30");
    ask_account("token", "", "");
    assert_int_equal(token_expires_at - token_issued_at, 30);
}

static void
attempts_are_limited_before_anything_is_asked(void **state)
{
    struct storage_result away = {.status = STORAGE_UNAVAILABLE};

    (void) state;
    for (int i = 0; i < 100; i++) {
        ask_account("login", "", "{\"user\":\"x\",\"password\":\"12345678\"}");
        op_done(&away, op_data);
        refused(503, "unavailable", NULL);
    }
    for (int i = 0; i < 6; i++) {
        ask_account("login", "", "{\"user\":\"x\",\"password\":\"12345678\"}");
        assert_int_equal(n_ops, 1);
        kept[i] = op_data;
    }
    ask_account("login", "", "{\"user\":\"x\",\"password\":\"12345678\"}");
    assert_int_equal(n_ops, 0);
    refused(429, "rate_limited", NULL);
    assert_int_equal(answer.seconds, 1);
    for (int i = 0; i < 6; i++) {
        op_done(&away, kept[i]);
    }
}

static void
an_account_read_after_the_thread_has_ended_is_busy(void **state)
{
    struct storage_result nobody = {.status = STORAGE_NO_ACCOUNT};

    (void) state;
    ask_account("login", "", "{\"user\":\"x\",\"password\":\"12345678\"}");
    logins_close(worker.logins);
    uv_run(&loop, UV_RUN_DEFAULT);
    op_done(&nobody, op_data);
    refused(503, "busy", NULL);
}

static void
events_start_where_the_header_says(void **state)
{
    struct storage_result r = {.inbox_id = 9};

    (void) state;
    ask("GET", "events", "device=x", "");
    assert_true(answer.events && !answer.after_given);

    ask_again("GET", "events", "after=3", "", "5");
    assert_int_equal(op.after, 5);
    done(&r);
    assert_true(answer.events && answer.after_given);
    assert_int_equal(answer.after, 5);

    ask("GET", "events", "after=30", "");
    r.status = STORAGE_AHEAD;
    done(&r);
    refused(409, "cursor_ahead", "after");
    ask_again("GET", "events", "", "", "x");
    refused(400, "wrong_type", "after");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(params_come_from_path_query_and_body),
        TEST(the_verb_says_remove_and_nothing_else),
        TEST(only_profiles_are_tagged),
        TEST(creating_answers_201),
        TEST(a_path_has_its_methods),
        TEST(a_param_stands_in_one_place),
        TEST(what_is_wrong_is_named),
        TEST(storage_errors_are_problems),
        TEST(a_wait_is_told_with_the_answer_to_give),
        TEST(an_account_read_after_the_thread_has_ended_is_busy),
        TEST(events_start_where_the_header_says),
        TEST(accounts_have_routes_of_their_own),
        TEST(a_token_is_as_old_as_the_request_for_it),
        TEST(a_log_out_is_kept_as_long_as_a_token_of_the_log_in_lasts),
        TEST(attempts_are_limited_before_anything_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
