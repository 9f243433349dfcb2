/*
 * Contacts, profiles, devices and presence through storage.h, on each embedded
 * back end; and the fold of texts.
 */

#include "fold.h"
#include "storage_key.h"
#include "storage_world.h"

/* "TARGET:TAIL;" of each event and target */
static char told[8192];

/* The time of whoever asks libuv for it: it passes when a test says so. */
static uint64_t now_ms = 1000;


uint64_t
uv_now(const uv_loop_t *l)
{
    (void) l;
    return now_ms;
}


/* And what is due is done. */
static void
pass(unsigned ms)
{
    now_ms += ms;
    run_ticks(1);
}


static void
on_event(const struct storage_event *e, void *data)
{
    size_t len;

    (void) data;

    for (uint32_t i = 0; i < e->n_targets; i++) {
        len = strlen(told);
        snprintf(told + len, sizeof(told) - len, "%llu:%.*s;",
                 (unsigned long long) e->targets[i].number, (int) e->tail.len,
                 e->tail.data);
    }
}


static void
forget_told(void)
{
    told[0] = '\0';
}


static struct answer *
with(enum storage_op_type type, const char *user, const char *to)
{
    struct storage_op op = {.type = type, .user = s(user), .to = s(to)};

    return call(&op);
}


static uint64_t
subscribe(const char *user)
{
    struct storage_op op = {
        .type = STORAGE_SUBSCRIBE, .flags = STORAGE_CONNECT, .user = s(user)};

    return call(&op)->number;
}


static struct answer *
presence(enum storage_op_type type, const char *user, const char *of)
{
    struct str users[] = {s(of)};
    struct storage_op op = {
        .type = type, .user = s(user), .users = users, .n_users = 1};

    return call(&op);
}


static void
expect_contact(const struct answer *a, const char *user, const char *state)
{
    char text[256];

    snprintf(text, sizeof(text),
             "{\"contact\":{\"user\":\"%s\",\"state\":\"%s\"}}", user, state);
    assert_int_equal(a->status, STORAGE_OK);
    assert_string_equal(a->json, text);
}


static void
a_request_and_its_answer_change_both_sides(void **state)
{
    (void) state;
    subscribe("alice");
    subscribe("bob");
    told[0] = '\0';
    expect_contact(with(STORAGE_REQUEST_CONTACT, "alice", "bob"), "bob",
                   "requested");
    assert_string_equal(
        told, "1:,\"contact\":{\"user\":\"bob\",\"state\":\"requested\"}}};"
              "2:,\"contact\":{\"user\":\"alice\",\"state\":\"incoming\"}}};");
    expect_contact(with(STORAGE_REQUEST_CONTACT, "bob", "alice"), "alice",
                   "friend");
    assert_string_equal(with(STORAGE_LIST_CONTACTS, "alice", NULL)->json,
                        "{\"contacts\":[{\"user\":\"bob\",\"state\":"
                        "\"friend\"}],\"more\":false,\"next\":null}");
    expect_contact(with(STORAGE_REMOVE_CONTACT, "bob", "alice"), "alice",
                   "none");
    assert_string_equal(with(STORAGE_LIST_CONTACTS, "alice", NULL)->json,
                        "{\"contacts\":[],\"more\":false,\"next\":null}");
}


static void
what_is_not_there_is_not_accepted(void **state)
{
    (void) state;
    subscribe("alice");
    assert_int_equal(with(STORAGE_ACCEPT_CONTACT, "alice", "nobody")->status,
                     STORAGE_NO_CONTACT);
    assert_int_equal(with(STORAGE_DECLINE_CONTACT, "alice", "nobody")->status,
                     STORAGE_NO_CONTACT);
    expect_contact(with(STORAGE_UNBLOCK_CONTACT, "alice", "nobody"), "nobody",
                   "none");
    assert_int_equal(with(STORAGE_REQUEST_CONTACT, "alice", "alice")->status,
                     STORAGE_NO_USER);
    assert_int_equal(with(STORAGE_GET_USER, "alice", "nobody")->status,
                     STORAGE_NO_USER);
}


static void
a_block_lies_over_what_is_there_and_tells_one_side(void **state)
{
    struct storage_op send = {.type = STORAGE_SEND,
                              .user = STR("bob"),
                              .to = STR("alice"),
                              .client_id = STR("c"),
                              .text = STR("\"client_id\":\"c\"}")};

    (void) state;
    subscribe("alice");
    subscribe("bob");
    with(STORAGE_REQUEST_CONTACT, "alice", "bob");
    told[0] = '\0';
    expect_contact(with(STORAGE_BLOCK_CONTACT, "alice", "bob"), "bob",
                   "blocked");
    assert_string_equal(
        told, "1:,\"contact\":{\"user\":\"bob\",\"state\":\"blocked\"}}};");
    assert_int_equal(call(&send)->status, STORAGE_BLOCKED);
    assert_int_equal(with(STORAGE_REQUEST_CONTACT, "alice", "bob")->status,
                     STORAGE_BLOCKING);
    expect_contact(with(STORAGE_ACCEPT_CONTACT, "bob", "alice"), "alice",
                   "friend");

    reopen();
    assert_int_equal(call(&send)->status, STORAGE_BLOCKED);
    expect_contact(with(STORAGE_UNBLOCK_CONTACT, "alice", "bob"), "bob",
                   "friend");
    assert_int_equal(call(&send)->status, STORAGE_OK);
}


static void
a_repeat_gets_the_first_answer(void **state)
{
    struct storage_op op = {.type = STORAGE_REQUEST_CONTACT,
                            .user = STR("alice"),
                            .to = STR("bob"),
                            .client_id = STR("c1")};

    (void) state;
    subscribe("alice");
    expect_contact(call(&op), "bob", "requested");
    with(STORAGE_REMOVE_CONTACT, "alice", "bob");
    assert_true(call(&op)->duplicate);
    assert_string_equal(with(STORAGE_LIST_CONTACTS, "bob", NULL)->json,
                        "{\"contacts\":[],\"more\":false,\"next\":null}");
}


static void
contact_pages_go_on_where_they_ended(void **state)
{
    struct storage_op op = {
        .type = STORAGE_LIST_CONTACTS, .user = STR("alice"), .limit = 2};
    char name[8];

    (void) state;
    subscribe("alice");

    for (unsigned i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "u%u", i);
        with(STORAGE_BLOCK_CONTACT, "alice", name);
    }

    assert_non_null(strstr(call(&op)->json, "\"more\":true,\"next\":\"3\""));
    op.cursor = STR("3");
    assert_string_equal(call(&op)->json,
                        "{\"contacts\":[{\"user\":\"u2\",\"state\":"
                        "\"blocked\"}],\"more\":false,\"next\":null}");
    op.cursor = STR("3x");
    assert_int_equal(call(&op)->status, STORAGE_BAD_CURSOR);
}


static void
profiles_are_found_by_their_folds(void **state)
{
    struct storage_op update = {.type = STORAGE_UPDATE_USER,
                                .user = STR("Alice"),
                                .name = STR("\xc3\x89"
                                            "cole")};
    struct storage_op search = {.type = STORAGE_SEARCH_USERS,
                                .user = STR("bob"),
                                .text = STR("e\xcc\x81"
                                            "CO")};
    const char *alice = "{\"users\":[{\"user\":\"Alice\",\"display_name\":"
                        "\"\xc3\x89"
                        "cole\",\"avatar\":null,\"status\":null}]}";

    (void) state;
    assert_int_equal(call(&update)->status, STORAGE_OK);
    assert_string_equal(call(&search)->json, alice);
    search.text = STR("aLI");
    assert_string_equal(call(&search)->json, alice);

    /* the name may fold to the id, and be taken away again */
    update.name = STR("ALICE");
    call(&update);
    update.name = STR("");
    call(&update);
    assert_non_null(strstr(call(&search)->json, "\"Alice\""));
    search.text = STR("\xc3\xa9");
    assert_string_equal(call(&search)->json, "{\"users\":[]}");
}


/* Makes of the store one of before there was an index. */
static void
drop_index(unsigned n)
{
    const struct engine_ops *ops = &engine_leveldb;
    const char *error = NULL;
    struct engine *engine = ops->open(path(), false, &error);
    struct engine_batch *batch = ops->batch_create();
    char name[16];
    struct key key;

    assert_non_null(engine);
    key_indexed(&key);
    ops->batch_delete(batch, key_str(&key));

    for (unsigned i = 1; i <= n; i++) {
        snprintf(name, sizeof(name), "user%04u", i);
        key_search(&key, s(name), i);
        ops->batch_delete(batch, key_str(&key));
    }
    assert_int_equal(ops->write(engine, batch, true), 0);
    ops->batch_free(batch);
    ops->close(engine);
}


/* "user0001" to n, with those numbers. */
static void
make_users(unsigned n)
{
    static char names[STORAGE_MEMBERS_MAX - 1][16];
    struct str users[STORAGE_MEMBERS_MAX - 1];
    struct storage_op op = {.type = STORAGE_CREATE_CHANNEL,
                            .user = STR("user0001"),
                            .name = STR("g"),
                            .users = users};

    for (unsigned i = 2; i <= n; i++) {
        snprintf(names[op.n_users], sizeof(names[0]), "user%04u", i);
        users[op.n_users] = s(names[op.n_users]);

        if (++op.n_users == STORAGE_MEMBERS_MAX - 1 || i == n) {
            assert_int_equal(call(&op)->status, STORAGE_OK);
            op.n_users = 0;
        }
    }
}


static bool
is_found(const char *name)
{
    struct storage_op op = {
        .type = STORAGE_SEARCH_USERS, .user = STR("alice"), .text = s(name)};

    return strstr(call(&op)->json, name) != NULL;
}


static void
who_is_not_in_the_index_is_put_there(void **state)
{
    enum { N = 595 }; /* more than are looked at at once */

    (void) state;
    make_users(N);
    assert_true(is_found("user0001"));
    close_storage();
    drop_index(N);
    open_storage();
    assert_false(is_found("user0001"));
    assert_false(is_found("user0595"));
    subscribe("user9999");
    assert_true(is_found("user9999"));

    while (!is_found("user0595")) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_true(is_found("user0001"));
    assert_true(is_found("user0300"));

    /* once: what goes now does not come back */
    reopen();
    assert_true(is_found("user0001"));
    close_storage();
    assert_int_equal(storage_check(path()), 0);
    open_storage();
}


static void
a_removed_device_ends_older_tokens(void **state)
{
    struct storage_op touch = {
        .type = STORAGE_TOUCH, .user = STR("alice"), .device = STR("phone")};
    uint64_t now = (uint64_t) time(NULL);

    (void) state;
    touch.number = now - 5;
    subscribe("alice");
    assert_int_equal(with(STORAGE_REMOVE_DEVICE, "alice", "phone")->status,
                     STORAGE_NO_DEVICE);
    assert_int_equal(call(&touch)->status, STORAGE_OK);
    assert_non_null(strstr(with(STORAGE_LIST_DEVICES, "alice", NULL)->json,
                           "\"device\":\"phone\""));
    assert_int_equal(with(STORAGE_REMOVE_DEVICE, "alice", "phone")->status,
                     STORAGE_OK);
    assert_int_equal(call(&touch)->status, STORAGE_TOKEN_ENDED);

    reopen();
    assert_string_equal(with(STORAGE_LIST_DEVICES, "alice", NULL)->json,
                        "{\"devices\":[]}");
    assert_int_equal(call(&touch)->status, STORAGE_TOKEN_ENDED);
    touch.number = 0;
    touch.flags = STORAGE_KNOWN;
    assert_int_equal(call(&touch)->status, STORAGE_OK);
    assert_string_equal(with(STORAGE_LIST_DEVICES, "alice", NULL)->json,
                        "{\"devices\":[]}");
    touch.number = now + 2;
    touch.flags = 0;
    assert_int_equal(call(&touch)->status, STORAGE_OK);
}


/* "user":"U","online":B at the start of a row */
static bool
is_online(const struct answer *a)
{
    assert_int_equal(a->status, STORAGE_OK);
    return strstr(a->json, "\"online\":true") != NULL;
}


static struct answer *
name_device(const char *device, const char *name)
{
    struct storage_op op = {.type = STORAGE_NAME_DEVICE,
                            .user = STR("alice"),
                            .device = STR("web"),
                            .to = s(device),
                            .name = s(name)};

    return call(&op);
}


static void
a_device_has_the_name_it_is_given(void **state)
{
    struct storage_op touch = {
        .type = STORAGE_TOUCH, .user = STR("alice"), .device = STR("web")};
    struct storage_op list = {.type = STORAGE_LIST_DEVICES,
                              .user = STR("alice")};
    struct storage_op ack = {.type = STORAGE_ACK,
                             .user = STR("alice"),
                             .device = STR("web"),
                             .inbox_id = 1};
    struct answer *a;

    (void) state;
    subscribe("alice");
    subscribe("bob");
    assert_int_equal(call(&touch)->status, STORAGE_OK);
    assert_non_null(strstr(call(&list)->json, "\"name\":null"));
    a = name_device("web", "my \"web\"");
    assert_int_equal(a->status, STORAGE_OK);
    assert_non_null(strstr(a->json, "{\"device\":{\"device\":\"web\",\"name\":"
                                    "\"my \\\"web\\\"\","));
    assert_non_null(strstr(a->json, "\"current\":true}}"));
    assert_int_equal(name_device("other", "x")->status, STORAGE_NO_DEVICE);
    assert_int_equal(name_device("", "x")->status, STORAGE_NO_DEVICE);

    /* a cursor that moves leaves the name, and both outlive a restart */
    expect_contact(with(STORAGE_REQUEST_CONTACT, "bob", "alice"), "alice",
                   "requested");
    assert_int_equal(call(&ack)->status, STORAGE_OK);
    reopen();
    a = call(&list);
    assert_non_null(strstr(a->json, "\"name\":\"my \\\"web\\\"\""));
    assert_non_null(strstr(a->json, "\"inbox_id\":1"));

    /* named in the same turn, the cursor is not set back */
    name_device("web", "2");
    assert_int_equal(call(&ack)->status, STORAGE_OK);
    reopen();
    a = call(&list);
    assert_non_null(strstr(a->json, "\"name\":\"2\""));
    assert_non_null(strstr(a->json, "\"inbox_id\":1"));

    assert_non_null(strstr(name_device("web", "")->json, "\"name\":null"));
    name_device("web", "3");
    assert_int_equal(with(STORAGE_REMOVE_DEVICE, "alice", "web")->status,
                     STORAGE_OK);
    assert_int_equal(call(&touch)->status, STORAGE_OK);
    assert_non_null(strstr(call(&list)->json, "\"name\":null"));
}


static void
only_those_who_may_see_presence(void **state)
{
    (void) state;
    subscribe("alice");
    subscribe("bob");
    assert_true(is_online(presence(STORAGE_PRESENCE_GET, "bob", "bob")));
    assert_false(is_online(presence(STORAGE_PRESENCE_GET, "bob", "alice")));
    with(STORAGE_REQUEST_CONTACT, "alice", "bob");
    assert_false(is_online(presence(STORAGE_PRESENCE_GET, "bob", "alice")));
    with(STORAGE_ACCEPT_CONTACT, "bob", "alice");
    assert_true(is_online(presence(STORAGE_PRESENCE_GET, "bob", "alice")));
    with(STORAGE_BLOCK_CONTACT, "alice", "bob");
    assert_string_equal(presence(STORAGE_PRESENCE_GET, "bob", "alice")->json,
                        "{\"users\":[{\"user\":\"alice\",\"online\":false,"
                        "\"last_active_at\":null}]}");
    assert_true(is_online(presence(STORAGE_PRESENCE_GET, "alice", "bob")));
}


static unsigned
count_online(void)
{
    unsigned n = 0;

    for (const char *p = told; (p = strstr(p, "\"online\":true")) != NULL;
         p++) {
        n++;
    }

    return n;
}


/* Both are there, and see it. */
static void
befriend(const char *a, const char *b)
{
    told[0] = '\0';
    with(STORAGE_REQUEST_CONTACT, a, b);
    with(STORAGE_ACCEPT_CONTACT, b, a);
    run_until(count_online() == 2);
    told[0] = '\0';
}


/* Online he is all the time: offline he looks to whom he is nothing more. */
static void
who_parts_stays_in_sight_of_a_fellow_member(void **state)
{
    struct str users[] = {STR("bob")};
    struct storage_op group = {.type = STORAGE_CREATE_CHANNEL,
                               .user = STR("alice"),
                               .name = STR("g"),
                               .users = users,
                               .n_users = 1};

    (void) state;
    subscribe("alice");
    subscribe("bob");
    befriend("alice", "bob");
    with(STORAGE_REMOVE_CONTACT, "alice", "bob");
    run_until(strstr(told, "2:\"user\":\"alice\",\"online\":false,"
                           "\"last_active_at\":null}")
              && strstr(told, "1:\"user\":\"bob\",\"online\":false,"
                              "\"last_active_at\":null}"));

    call(&group);
    befriend("alice", "bob");
    with(STORAGE_REMOVE_CONTACT, "bob", "alice");
    run_until(strstr(told, "\"state\":\"none\""));
    run_for(100);
    assert_null(strstr(told, "\"online\""));
    assert_true(is_online(presence(STORAGE_PRESENCE_GET, "bob", "alice")));
    assert_true(is_online(presence(STORAGE_PRESENCE_GET, "alice", "bob")));

    /* a block hides him in the group, too */
    befriend("alice", "bob");
    with(STORAGE_BLOCK_CONTACT, "alice", "bob");
    run_until(strstr(told, "2:\"user\":\"alice\",\"online\":false"));
    run_for(100);
    assert_null(strstr(told, "1:\"user\":\"bob\""));
}


static void
going_is_told_after_the_timeout_and_coming_back_not_at_all(void **state)
{
    struct storage_op first = {.type = STORAGE_PRESENCE_START, .limit = 2};
    struct storage_op leave = {.type = STORAGE_UNSUBSCRIBE, .number = 2};

    (void) state;
    call(&first);
    subscribe("alice");
    subscribe("bob");
    befriend("alice", "bob");
    call(&leave);
    subscribe("bob");
    call(&leave);
    pass(1500);
    assert_string_equal(told, "");
    assert_true(is_online(presence(STORAGE_PRESENCE_GET, "alice", "bob")));

    /* a restart begins the timeout anew, and tells nobody */
    reopen();
    call(&first);
    subscribe("alice");
    assert_true(is_online(presence(STORAGE_PRESENCE_GET, "alice", "bob")));
    told[0] = '\0';
    pass(1500);
    assert_string_equal(told, "");
    pass(2000);
    run_until(strstr(told, "1:\"user\":\"bob\",\"online\":false"));
    assert_false(is_online(presence(STORAGE_PRESENCE_GET, "alice", "bob")));
}


static void
a_shorter_timeout_counts_for_those_who_are_away(void **state)
{
    struct storage_op start = {.type = STORAGE_PRESENCE_START, .limit = 60};
    struct storage_op leave = {.type = STORAGE_UNSUBSCRIBE};

    (void) state;
    call(&start);
    leave.number = subscribe("bob");
    call(&leave);
    start.limit = 0;
    call(&start);
    leave.number = subscribe("cy");
    call(&leave);
    pass(1000);
    assert_false(is_online(presence(STORAGE_PRESENCE_GET, "cy", "cy")));
    assert_false(is_online(presence(STORAGE_PRESENCE_GET, "bob", "bob")));
}


static void
the_users_of_a_worker_that_is_gone_are_away(void **state)
{
    struct storage_op first = {.type = STORAGE_PRESENCE_START, .limit = 0};
    struct storage_op left = {
        .type = STORAGE_LEFT,
        .text = {"\0\0\0\0\0\0\0\2"
                 "\0\0\0\0\0\0\0\3", 16}
    };

    (void) state;
    call(&first);
    subscribe("alice");
    subscribe("bob");
    befriend("alice", "bob");
    call(&left);
    pass(1000);
    run_until(strstr(told, "1:\"user\":\"bob\",\"online\":false"));
    subscribe("bob");
    run_until(strstr(told, "1:\"user\":\"bob\",\"online\":true"));
}


/* So that the loads of users do not go over the marks that are deleted. */
static void
before_deleted_marks_stands_a_fence(void **state)
{
    struct storage_op start = {.type = STORAGE_PRESENCE_START, .limit = 0};
    struct storage_op leave = {.type = STORAGE_UNSUBSCRIBE};
    const struct engine_ops *ops = &engine_leveldb;
    const char *error = NULL;
    struct engine *engine;
    struct engine_iter *i;
    struct key key;

    (void) state;
    call(&start);
    leave.number = subscribe("bob");
    run_ticks(1);
    call(&leave);
    pass(1000);
    run_ticks(1);
    close_storage();

    engine = ops->open(path(), false, &error);
    assert_non_null(engine);
    i = ops->iter_open(engine);
    key_online(&key, KEY_NOBODY);
    ops->iter_seek(i, key_str(&key));
    assert_true(ops->iter_valid(i));
    assert_true(str_eq(ops->iter_key(i), key_str(&key)));
    key_online(&key, leave.number);
    ops->iter_seek(i, key_str(&key));
    assert_true(!ops->iter_valid(i)
                || ops->iter_key(i).data[0] != (char) KEY_ONLINE);
    ops->iter_close(i);
    ops->close(engine);

    open_storage();
    call(&start);
    assert_false(is_online(presence(STORAGE_PRESENCE_GET, "bob", "bob")));
}


static void
expect_fold(struct str text, size_t max, const char *folded)
{
    struct buf b = {0};

    fold_put(&b, text, max);
    assert_false(buf_failed(&b));
    assert_int_equal(b.len, strlen(folded));
    assert_memory_equal(b.data, folded, b.len);
    buf_clear(&b);
}


static void
texts_fold_and_are_cut_between_code_points(void **state)
{
    (void) state;
    expect_fold(STR("AbC_9"), 64, "abc_9");
    expect_fold(STR("AbC"), 2, "ab");
    expect_fold(STR("Stra\xc3\x9f"
                    "e"),
                64, "strasse");
    expect_fold(STR("\xc3\x84x"), 1, "");
    expect_fold(STR("a\xc3\x84x"), 2, "a");
    expect_fold(STR("\xef\xbc\xa1"), 64, "a");
    expect_fold(STR("\xc2\xad"), 64, "");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_fold_and_are_cut_between_code_points),
        ON_BOTH(a_request_and_its_answer_change_both_sides),
        ON_BOTH(what_is_not_there_is_not_accepted),
        ON_BOTH(a_block_lies_over_what_is_there_and_tells_one_side),
        ON_BOTH(a_repeat_gets_the_first_answer),
        ON_BOTH(contact_pages_go_on_where_they_ended),
        ON_BOTH(profiles_are_found_by_their_folds),
        ON(who_is_not_in_the_index_is_put_there, leveldb),
        ON_BOTH(a_removed_device_ends_older_tokens),
        ON_BOTH(a_device_has_the_name_it_is_given),
        ON_BOTH(only_those_who_may_see_presence),
        ON_BOTH(who_parts_stays_in_sight_of_a_fellow_member),
        ON_BOTH(going_is_told_after_the_timeout_and_coming_back_not_at_all),
        ON_BOTH(a_shorter_timeout_counts_for_those_who_are_away),
        ON_BOTH(the_users_of_a_worker_that_is_gone_are_away),
        ON(before_deleted_marks_stands_a_fence, leveldb),
    };

    return RUN_WORLDS("people", tests);
}
