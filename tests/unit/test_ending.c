/*
 * Users who are deleted or disabled, what an administrator asks, and exports,
 * through storage.h, on each embedded back end.
 */

#include "storage_world.h"

#define TOLD_MAX (8u << 20)
#define WAIT_MS  20000

/* "TARGET:METHOD:TAIL;" of each event and target */
static char told[TOLD_MAX];
static size_t told_len;


static void
on_event(const struct storage_event *e, void *data)
{
    (void) data;

    for (uint32_t i = 0; i < e->n_targets; i++) {
        told_len += (size_t) snprintf(
            told + told_len, sizeof(told) - told_len, "%llu:%u:%.*s;",
            (unsigned long long) e->targets[i].number, (unsigned) e->method,
            (int) e->tail.len, e->tail.data);
        assert_true(told_len < sizeof(told));
    }
}


static void
forget_told(void)
{
    told_len = 0;
    told[0] = '\0';
}


static struct answer *
with(enum storage_op_type type, const char *user, const char *to)
{
    struct storage_op op = {.type = type, .user = s(user), .to = s(to)};

    return call(&op);
}


static struct answer *
in(enum storage_op_type type, const char *user, const char *channel)
{
    struct storage_op op = {
        .type = type, .user = s(user), .channel = s(channel)};

    return call(&op);
}


/* alice has an account, the others have not. */
static uint64_t
subscribe(const char *user)
{
    struct storage_op op = {
        .type = STORAGE_SIGN_UP, .user = s(user), .text = STR("secret")};

    if (strcmp(user, "alice") == 0) {
        call(&op);
    }

    op = (struct storage_op){
        .type = STORAGE_SUBSCRIBE, .flags = STORAGE_CONNECT, .user = s(user)};
    return call(&op)->number;
}


static struct answer *
say(const char *user, const char *to, const char *channel, const char *id)
{
    char text[64];
    struct storage_op op = {
        .type = STORAGE_SEND,
        .user = s(user),
        .to = s(to),
        .channel = s(channel),
        .client_id = s(id),
        .text = {text, 0}
    };

    op.text.len = (size_t) snprintf(
        text, sizeof(text), "\"client_id\":\"%s\",\"text\":\"word\"}", id);
    return call(&op);
}


static unsigned n_said;


static void
on_said(const struct storage_result *r, void *data)
{
    (void) data;
    assert_int_equal(r->status, STORAGE_OK);
    n_said++;
}


/* Many at once: one batch has several of them, two of three by alice. */
static void
say_many(const char *channel, unsigned n)
{
    char text[64], id[16];
    struct storage_op op = {.type = STORAGE_SEND, .channel = s(channel)};

    n_said = 0;

    for (unsigned i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "m%u", i);
        op.user = i % 3 == 0 ? STR("bob") : STR("alice");
        op.client_id = s(id);
        op.text = (struct str){
            text,
            (size_t) snprintf(text, sizeof(text),
                              "\"client_id\":\"%s\",\"text\":\"word\"}", id)};
        storage_submit(storage, &op, on_said, NULL);
    }

    while (n_said < n) {
        uv_run(&loop, UV_RUN_ONCE);
    }
}


/* With the right epoch, which is 1 after signing up. */
static struct answer *
delete_account(const char *user, uint8_t flags)
{
    struct storage_op op = {.type = STORAGE_DELETE_ACCOUNT,
                            .flags = flags,
                            .user = s(user),
                            .number = 1};

    return call(&op);
}


/* A group of alice, who owns it, and the others; its id. */
static const char *
create_group(const char *a, const char *b)
{
    struct str users[] = {s(a), s(b)};
    struct storage_op op = {.type = STORAGE_CREATE_CHANNEL,
                            .user = STR("alice"),
                            .name = STR("g"),
                            .users = users,
                            .n_users = 2};
    static char id[32];

    assert_int_equal(
        sscanf(call(&op)->json, "{\"channel\":{\"channel\":\"%18s", id), 1);
    return id;
}


static unsigned
count_told(const char *text)
{
    unsigned n = 0;

    for (const char *p = told; (p = strstr(p, text)) != NULL; p++) {
        n++;
    }

    return n;
}


/* Until the events have this text so often. */
static void
wait_told(const char *text, unsigned n)
{
    uint64_t end = uv_hrtime() + WAIT_MS * 1000000ull;

    while (count_told(text) < n) {
        assert_true(uv_hrtime() < end);
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}


static enum storage_status
sign_up(const char *user)
{
    struct storage_op op = {
        .type = STORAGE_SIGN_UP, .user = s(user), .text = STR("secret")};

    return call(&op)->status;
}


static void
only_an_account_of_that_epoch_is_deleted(void **state)
{
    struct storage_op op = {
        .type = STORAGE_DELETE_ACCOUNT, .user = STR("alice"), .number = 2};

    (void) state;
    subscribe("alice");
    subscribe("bob");
    assert_int_equal(call(&op)->status, STORAGE_TOKEN_ENDED);
    op.user = STR("bob");
    assert_int_equal(call(&op)->status, STORAGE_NO_ACCOUNT);
    assert_int_equal(delete_account("bob", STORAGE_REPLAYED)->status,
                     STORAGE_NO_ACCOUNT);
    assert_int_equal(with(STORAGE_TOUCH, "alice", NULL)->status, STORAGE_OK);
    assert_string_equal(told, "");
}


static void
a_deleted_user_is_told_and_barred_for_good(void **state)
{
    struct storage_op update = {.type = STORAGE_UPDATE_USER,
                                .user = STR("alice"),
                                .name = STR("Al")},
                      touch = {.type = STORAGE_TOUCH,
                               .user = STR("alice"),
                               .device = STR("phone")},
                      remove = {.type = STORAGE_REMOVE_DEVICE,
                                .user = STR("alice"),
                                .to = STR("web")};
    const char *shown;

    (void) state;
    assert_int_equal(subscribe("alice"), 1);
    call(&update);
    call(&touch);
    touch.device = STR("web");
    call(&touch);
    call(&remove);
    assert_non_null(
        strstr(with(STORAGE_SHOW_USER, "x", "alice")->json, "\"phone\""));
    assert_string_equal(delete_account("alice", 0)->json, "{}");
    assert_string_equal(told, "1:15:user_deleted;");

    for (int i = 0; i < 2; i++) {
        assert_int_equal(with(STORAGE_SUBSCRIBE, "alice", NULL)->status,
                         STORAGE_USER_DELETED);
        assert_int_equal(with(STORAGE_TOUCH, "alice", NULL)->status,
                         STORAGE_USER_DELETED);
        assert_int_equal(say("alice", "bob", NULL, "c")->status,
                         STORAGE_USER_DELETED);
        assert_int_equal(say("alice", "alice", NULL, "c")->status,
                         STORAGE_USER_DELETED);
        assert_int_equal(call(&update)->status, STORAGE_USER_DELETED);
        assert_int_equal(with(STORAGE_EXPORT, "alice", NULL)->status,
                         STORAGE_USER_DELETED);
        assert_int_equal(with(STORAGE_GET_USER, "alice", "bob")->status,
                         STORAGE_USER_DELETED);
        assert_int_equal(with(STORAGE_SEARCH_USERS, "alice", NULL)->status,
                         STORAGE_USER_DELETED);
        assert_int_equal(with(STORAGE_PRESENCE_GET, "alice", NULL)->status,
                         STORAGE_USER_DELETED);
        assert_int_equal(delete_account("alice", 0)->status,
                         STORAGE_USER_DELETED);
        assert_int_equal(delete_account("alice", STORAGE_REPLAYED)->status,
                         STORAGE_OK);
        assert_int_equal(delete_account("nobody", 0)->status, STORAGE_NO_USER);
        assert_int_equal(sign_up("alice"), STORAGE_TAKEN);
        assert_int_equal(sign_up("Alice"), STORAGE_TAKEN);
        assert_int_equal(with(STORAGE_GET_ACCOUNT, "alice", NULL)->status,
                         STORAGE_NO_ACCOUNT);
        run_until(strstr(with(STORAGE_SHOW_USER, "x", "alice")->json,
                         "\"devices\":[]"));
        run_for(200);
        shown = with(STORAGE_SHOW_USER, "x", "alice")->json;
        assert_non_null(strstr(shown, "\"last_active_at\":null"));
        assert_non_null(strstr(shown, "\"devices\":[]"));
        assert_non_null(strstr(shown, "\"account\":false"));
        reopen();
    }
}


static void
nobody_finds_or_reaches_a_deleted_user(void **state)
{
    struct str users[] = {STR("alice")};
    struct storage_op add = {.type = STORAGE_ADD_MEMBERS,
                             .user = STR("bob"),
                             .users = users,
                             .n_users = 1},
                      search = {.type = STORAGE_SEARCH_USERS,
                                .user = STR("bob"),
                                .text = STR("al")},
                      update = {.type = STORAGE_UPDATE_USER,
                                .user = STR("alice"),
                                .name = STR("Alfred")};

    (void) state;
    subscribe("alice");
    subscribe("bob");
    call(&update);
    say("alice", "bob", NULL, "1");
    add.channel = s(create_group("bob", "carol"));
    delete_account("alice", 0);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(with(STORAGE_GET_USER, "bob", "alice")->status,
                         STORAGE_NO_USER);
        assert_string_equal(call(&search)->json, "{\"users\":[]}");
        assert_int_equal(say("bob", "alice", NULL, "2")->status,
                         STORAGE_NO_USER);
        assert_int_equal(say("bob", NULL, "d.alice~bob", "3")->status,
                         STORAGE_NO_USER);
        assert_int_equal(with(STORAGE_REQUEST_CONTACT, "bob", "alice")->status,
                         STORAGE_NO_USER);
        assert_int_equal(with(STORAGE_BLOCK_CONTACT, "bob", "alice")->status,
                         STORAGE_NO_USER);
        assert_int_equal(with(STORAGE_UNBLOCK_CONTACT, "bob", "alice")->status,
                         STORAGE_OK);

        /* the group was hers; who it is handed over to may add */
        run_until(call(&add)->status != STORAGE_FORBIDDEN);
        assert_int_equal(call(&add)->status, STORAGE_NO_USER);
        reopen();
        subscribe("bob");
    }

    /* what was said stays */
    assert_non_null(strstr(in(STORAGE_HISTORY, "bob", "d.alice~bob")->json,
                           "\"sender\":\"alice\""));
    assert_non_null(strstr(in(STORAGE_HISTORY, "bob", "d.alice~bob")->json,
                           "\"text\":\"word\""));
}


static void
contacts_hear_of_it_and_groups_are_left_and_handed_over(void **state)
{
    const char *group;

    (void) state;
    subscribe("alice");
    subscribe("bob");
    subscribe("carol");
    with(STORAGE_REQUEST_CONTACT, "alice", "bob");
    with(STORAGE_ACCEPT_CONTACT, "bob", "alice");
    say("alice", "bob", NULL, "1");
    group = create_group("bob", "carol");
    with(STORAGE_BLOCK_CONTACT, "alice", "carol");
    with(STORAGE_BLOCK_CONTACT, "carol", "alice");
    run_for(20);
    forget_told();
    delete_account("alice", 0);
    wait_told("3:5:,\"channel\":", 1);
    assert_non_null(strstr(
        told, "2:6:,\"contact\":{\"user\":\"alice\",\"state\":\"none\""));
    assert_non_null(strstr(told, "[{\"user\":\"bob\",\"role\":\"owner\"},"
                                 "{\"user\":\"carol\",\"role\":\"member\"}]"));

    /* whom carol blocks nobody else takes away */
    assert_non_null(strstr(with(STORAGE_LIST_CONTACTS, "carol", NULL)->json,
                           "\"state\":\"blocked\""));
    assert_string_equal(with(STORAGE_LIST_CONTACTS, "bob", NULL)->json,
                        "{\"contacts\":[],\"more\":false,\"next\":null}");
    assert_null(strstr(in(STORAGE_GET_CHANNEL, "bob", group)->json, "alice"));
    assert_non_null(
        strstr(in(STORAGE_GET_CHANNEL, "bob", "d.alice~bob")->json, "alice"));
}


/* Without a connection there is none whose end would tell of it. */
static void
who_is_seen_online_goes_offline_with_his_account(void **state)
{
    struct storage_op touch = {
        .type = STORAGE_TOUCH, .user = STR("alice"), .device = STR("phone")};

    (void) state;
    assert_int_equal(sign_up("alice"), STORAGE_OK);
    subscribe("bob");
    with(STORAGE_REQUEST_CONTACT, "alice", "bob");
    with(STORAGE_ACCEPT_CONTACT, "bob", "alice");
    call(&touch);
    wait_told("\"user\":\"alice\",\"online\":true", 1);
    forget_told();
    delete_account("alice", 0);
    wait_told("\"user\":\"alice\",\"online\":false,\"last_active_at\":null", 1);
    wait_told("\"state\":\"none\"", 1);
    run_for(100);
    assert_int_equal(count_told("\"online\""), 1);
}


/* Of the 450 messages of a group: those of this sender, with a text or not. */
static unsigned
count_messages(const char *group, const char *sender, bool deleted)
{
    char want[32];
    unsigned n = 0;

    snprintf(want, sizeof(want), "\"sender\":\"%s\"", sender);

    for (uint64_t after = 0; after < 450; after += 150) {
        struct storage_op op = {.type = STORAGE_HISTORY,
                                .flags = STORAGE_AFTER,
                                .user = STR("bob"),
                                .channel = s(group),
                                .limit = 150,
                                .after = after};

        for (const char *p = call(&op)->json; (p = strstr(p, want)) != NULL;
             p++) {
            const char *end = strchr(p, '}'), *gone = strstr(p, "deleted_at");

            n += (gone != NULL && gone < end) == deleted;
        }
    }

    return n;
}


static void
erasing_deletes_all_he_sent_and_goes_on_after_an_end(void **state)
{
    const char *group;
    unsigned n = 0;

    (void) state;
    subscribe("alice");
    subscribe("bob");
    group = create_group("bob", "carol");

    /* the filter of client_ids is there then: nothing waits for the disk */
    run_for(300);
    say_many(group, 450);
    say("alice", "bob", NULL, "direct");
    in(STORAGE_LEAVE, "alice", group);
    forget_told();
    delete_account("alice", STORAGE_ERASE);
    wait_told("2:3:,\"message\"", 100);
    assert_true(count_told("2:3:,\"message\"") < 301);

    /* a round at most is done again */
    reopen();
    subscribe("bob");

    while (count_messages(group, "alice", true) < 300) {
        run_for(10);
        assert_true(++n < 1000);
    }

    assert_int_equal(count_messages(group, "alice", false), 0);
    assert_int_equal(count_messages(group, "bob", false), 150);
    wait_told("\"channel\":\"d.alice~bob\"", 1);
    assert_null(
        strstr(in(STORAGE_HISTORY, "bob", "d.alice~bob")->json, "\"text\""));
}


/* A round ends in the middle of what one batch gave him. */
static void
erasing_takes_several_rounds(void **state)
{
    const char *group;

    (void) state;
    subscribe("alice");
    subscribe("bob");
    group = create_group("bob", "carol");
    run_for(300);
    say_many(group, 450);
    delete_account("alice", STORAGE_ERASE);
    wait_told("2:3:,\"message\"", 300);
    assert_int_equal(count_messages(group, "alice", true), 300);
    assert_int_equal(count_messages(group, "bob", false), 150);
}


static void
without_erasing_his_messages_stay(void **state)
{
    (void) state;
    subscribe("alice");
    subscribe("bob");
    say("alice", "bob", NULL, "1");
    with(STORAGE_REQUEST_CONTACT, "alice", "bob");
    delete_account("alice", 0);
    wait_told("\"state\":\"none\"", 1);
    run_for(200);
    assert_non_null(strstr(in(STORAGE_HISTORY, "bob", "d.alice~bob")->json,
                           "\"text\":\"word\""));
    assert_int_equal(count_told(":3:"), 0);
}


static struct answer *
bar(const char *user, bool disable)
{
    struct storage_op op = {.type = STORAGE_BAR_USER,
                            .user = s(user),
                            .to = s(user),
                            .number = disable};

    return call(&op);
}


static void
a_disabled_user_is_barred_until_he_is_enabled(void **state)
{
    (void) state;
    subscribe("alice");
    subscribe("bob");
    assert_string_equal(bar("bob", true)->json,
                        "{\"user\":{\"user\":\"bob\",\"disabled\":true}}");
    assert_string_equal(told, "2:15:account_disabled;");
    bar("bob", true);
    assert_string_equal(told, "2:15:account_disabled;");
    reopen();
    assert_int_equal(with(STORAGE_TOUCH, "bob", NULL)->status,
                     STORAGE_DISABLED);
    assert_int_equal(delete_account("bob", 0)->status, STORAGE_DISABLED);
    assert_int_equal(say("bob", "alice", NULL, "1")->status, STORAGE_DISABLED);

    /* others go on as if nothing were */
    assert_int_equal(say("alice", "bob", NULL, "1")->status, STORAGE_OK);
    assert_int_equal(with(STORAGE_GET_USER, "alice", "bob")->status,
                     STORAGE_OK);
    assert_non_null(strstr(bar("bob", false)->json, "\"disabled\":false"));
    assert_int_equal(say("bob", "alice", NULL, "1")->status, STORAGE_OK);
    assert_int_equal(bar("nobody", true)->status, STORAGE_NO_USER);

    /* an id that was only mentioned is not taken while it is disabled */
    say("alice", "dave", NULL, "2");
    bar("dave", true);
    assert_int_equal(sign_up("dave"), STORAGE_TAKEN);
    bar("dave", false);
    assert_int_equal(sign_up("dave"), STORAGE_OK);
    delete_account("alice", 0);
    assert_int_equal(bar("alice", false)->status, STORAGE_USER_DELETED);
}


/* The sanitizer tells of a name that is lost with its device. */
static void
a_device_goes_with_its_name(void **state)
{
    struct storage_op name = {.type = STORAGE_NAME_DEVICE,
                              .user = STR("alice"),
                              .device = STR("phone"),
                              .to = STR("phone"),
                              .name = STR("her \"phone\"")};
    struct storage_op touch = {
        .type = STORAGE_TOUCH, .user = STR("alice"), .device = STR("phone")};
    struct storage_op export = {.type = STORAGE_EXPORT, .user = STR("alice")};

    (void) state;
    subscribe("alice");
    call(&touch);
    assert_int_equal(call(&name)->status, STORAGE_OK);
    assert_non_null(strstr(call(&export)->json,
                           "{\"device\":{\"device\":\"phone\","
                           "\"name\":\"her \\\"phone\\\"\","));
    delete_account("alice", 0);
}


static void
users_are_listed_in_pages_and_shown(void **state)
{
    struct storage_op list = {.type = STORAGE_LIST_USERS, .limit = 2};
    struct answer *a;

    (void) state;
    assert_string_equal(call(&list)->json,
                        "{\"users\":[],\"more\":false,\"next\":0}");
    subscribe("alice");
    say("alice", "bob", NULL, "1");
    subscribe("carol");
    bar("carol", true);
    a = call(&list);
    assert_non_null(strstr(a->json, "{\"user\":\"alice\",\"created_at\":"));
    assert_non_null(strstr(a->json, "\"account\":true,\"connected\":true,"
                                    "\"disabled\":false,\"deleted\":false},"
                                    "{\"user\":\"bob\""));
    assert_non_null(strstr(a->json, "\"account\":false,\"connected\":false"));
    assert_non_null(strstr(a->json, "],\"more\":true,\"next\":2}"));
    list.number = 2;
    a = call(&list);
    assert_non_null(strstr(a->json, "{\"users\":[{\"user\":\"carol\""));
    assert_non_null(strstr(a->json, "\"disabled\":true"));
    assert_non_null(strstr(a->json, "],\"more\":false,\"next\":3}"));

    a = with(STORAGE_SHOW_USER, "x", "alice");
    assert_non_null(strstr(a->json, "{\"user\":{\"user\":\"alice\","));
    assert_non_null(strstr(a->json, "\"devices\":[],\"inbox_id\":1,"
                                    "\"contacts\":0,\"channels\":1}}"));
    assert_int_equal(with(STORAGE_SHOW_USER, "x", "nobody")->status,
                     STORAGE_NO_USER);
}


static struct answer *
export_from(uint64_t channel, uint64_t id)
{
    struct storage_op op = {.type = STORAGE_EXPORT,
                            .user = STR("alice"),
                            .number = channel,
                            .after = id};

    return call(&op);
}


static void
an_export_goes_on_where_its_page_ended(void **state)
{
    struct storage_op send = {
        .type = STORAGE_SEND, .user = STR("alice"), .to = STR("bob")};
    char text[100000], id[16];
    struct answer *a;
    unsigned n = 0, pages = 0;

    (void) state;
    subscribe("alice");
    create_group("bob", "carol");

    for (unsigned i = 0; i < 9; i++) {
        int len =
            snprintf(text, sizeof(text),
                     "\"client_id\":\"c%u\",\"text\":\"%090000u\"}", i, i);

        snprintf(id, sizeof(id), "c%u", i);
        send.client_id = s(id);
        send.text = (struct str){text, (size_t) len};
        assert_int_equal(call(&send)->status, STORAGE_OK);
    }

    a = export_from(0, 0);
    assert_non_null(strstr(a->json, "{\"export\":{\"user\":\"alice\""));

    for (;;) {
        pages++;

        for (const char *p = a->json; (p = strstr(p, "{\"message\":{")) != NULL;
             p++) {
            char want[40];

            snprintf(want, sizeof(want), "\"message_id\":%u,", ++n);
            p = strstr(p, "\"message_id\":");
            assert_memory_equal(p, want, strlen(want));
        }

        if (!a->more) {
            break;
        }

        assert_null(strstr(a->json, "{\"end\""));
        assert_int_equal(a->number, 2);
        assert_int_equal(a->inbox_id, n);
        a = export_from(a->number, a->inbox_id);
    }

    assert_int_equal(n, 9);
    assert_int_equal(pages, 3);
    assert_string_equal(a->json + strlen(a->json) - 13, "{\"end\":true}\n");

    /* a channel that is not his, one that he has left, one behind them all */
    assert_string_equal(export_from(7, 3)->json, "{\"end\":true}\n");
    say("bob", "carol", NULL, "secret");
    assert_string_equal(export_from(3, 0)->json, "{\"end\":true}\n");
    assert_null(strstr(export_from(1, 0)->json, "\"kind\":\"group\""));
    assert_non_null(strstr(export_from(1, 0)->json, "d.alice~bob"));
}


/* A message of 90,000 bytes that says its number. */
static void
say_much(const char *user, const char *channel, unsigned n)
{
    static char text[100000];
    char id[16];
    struct storage_op send = {
        .type = STORAGE_SEND, .user = s(user), .channel = s(channel)};

    snprintf(id, sizeof(id), "%s%u", user, n);
    send.client_id = s(id);
    send.text = (struct str){
        text, (size_t) snprintf(text, sizeof(text),
                                "\"client_id\":\"%s\",\"text\":\"%090000u\"}",
                                id, n)};
    assert_int_equal(call(&send)->status, STORAGE_OK);
}


static void
an_export_ends_with_what_he_wrote_where_he_has_left(void **state)
{
    struct storage_op erase = {
        .type = STORAGE_DELETE_MESSAGE, .user = STR("alice"), .message_id = 3};
    struct answer *a;
    const char *group;
    unsigned n = 0, pages = 0;

    (void) state;
    subscribe("alice");
    say("alice", "carol", NULL, "kept");
    group = create_group("bob", "carol");

    for (unsigned i = 0; i < 5; i++) {
        say_much("alice", group, i);
        say_much("bob", group, i);
    }

    erase.channel = s(group);
    assert_int_equal(call(&erase)->status, STORAGE_OK);
    in(STORAGE_LEAVE, "alice", group);
    say("bob", NULL, group, "later");
    a = export_from(0, 0);
    assert_null(strstr(a->json, "\"kind\":\"group\""));
    assert_non_null(strstr(a->json, "\"client_id\":\"kept\""));

    for (;; pages++) {
        for (const char *p = a->json;
             (p = strstr(p, "\"client_id\":\"alice")) != NULL; p++) {
            /* the second one, number 3 of the channel, is deleted */
            assert_int_equal(p[18] - '0', n == 0 ? 0 : n + 1);
            n++;
        }

        assert_null(strstr(a->json, "\"sender\":\"bob\""));

        if (!a->more) {
            break;
        }

        assert_true(a->number == STORAGE_MAX_ID);
        a = export_from(a->number, a->inbox_id);
    }

    assert_int_equal(n, 4);
    assert_int_equal(pages, 1);
    assert_string_equal(a->json + strlen(a->json) - 13, "{\"end\":true}\n");

    /* who is in again finds it among the channel's */
    struct str users[] = {STR("alice")};
    struct storage_op add = {.type = STORAGE_ADD_MEMBERS,
                             .user = STR("bob"),
                             .channel = s(group),
                             .users = users,
                             .n_users = 1};

    assert_int_equal(call(&add)->status, STORAGE_OK);
    assert_string_equal(export_from(STORAGE_MAX_ID, 0)->json,
                        "{\"end\":true}\n");

    /* a page looks through so much of an inbox, and may have found nothing */
    run_for(300);
    say_many(group, 4200);
    a = export_from(STORAGE_MAX_ID, 0);
    assert_true(a->more);
    assert_string_equal(a->json, "");
    assert_int_equal(a->inbox_id, 4096);
    assert_string_equal(export_from(a->number, a->inbox_id)->json,
                        "{\"end\":true}\n");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(only_an_account_of_that_epoch_is_deleted),
        ON_BOTH(a_deleted_user_is_told_and_barred_for_good),
        ON_BOTH(nobody_finds_or_reaches_a_deleted_user),
        ON_BOTH(contacts_hear_of_it_and_groups_are_left_and_handed_over),
        ON_BOTH(who_is_seen_online_goes_offline_with_his_account),
        ON_BOTH(erasing_deletes_all_he_sent_and_goes_on_after_an_end),
        ON_BOTH(erasing_takes_several_rounds),
        ON_BOTH(without_erasing_his_messages_stay),
        ON_BOTH(a_disabled_user_is_barred_until_he_is_enabled),
        ON_BOTH(a_device_goes_with_its_name),
        ON_BOTH(users_are_listed_in_pages_and_shown),
        ON_BOTH(an_export_goes_on_where_its_page_ended),
        ON_BOTH(an_export_ends_with_what_he_wrote_where_he_has_left),
    };

    return RUN_WORLDS("ending", tests);
}
