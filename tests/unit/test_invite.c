/* Invites through storage.h, on each embedded back end. */

#include "storage_world.h"

static char group[64];
static char invite[64];

/* "TARGET:TAIL;" of each event and target */
static char told[8192];


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
with(enum storage_op_type type, const char *user, const char *text)
{
    struct storage_op op = {
        .type = type, .user = s(user), .channel = s(group), .text = s(text)};

    return call(&op);
}


static void
take(const char *json, const char *key, char *to, size_t size)
{
    const char *at = strstr(json, key);

    assert_non_null(at);
    at += strlen(key);
    snprintf(to, size, "%.*s", (int) strcspn(at, "\""), at);
}


static void
expect(const struct answer *a, enum storage_status status)
{
    assert_int_equal(a->status, status);
}


static void
subscribe(const char *user)
{
    struct storage_op op = {
        .type = STORAGE_SUBSCRIBE, .flags = STORAGE_CONNECT, .user = s(user)};

    expect(call(&op), STORAGE_OK);
}


/* alice owns the group, bob is a member. */
static void
make_group(void)
{
    struct str users[] = {STR("bob")};
    struct storage_op op = {.type = STORAGE_CREATE_CHANNEL,
                            .user = STR("alice"),
                            .name = STR("the \"group\""),
                            .users = users,
                            .n_users = 1};

    subscribe("alice");
    subscribe("bob");
    take(call(&op)->json, "\"channel\":\"", group, sizeof(group));
    told[0] = '\0';
}


static struct answer *
make_invite(const char *user, uint64_t expires_at, uint64_t max_uses)
{
    struct storage_op op = {.type = STORAGE_CREATE_INVITE,
                            .user = s(user),
                            .channel = s(group),
                            .before = expires_at,
                            .number = max_uses};
    struct answer *a = call(&op);

    if (a->status == STORAGE_OK) {
        take(a->json, "\"invite\":\"", invite, sizeof(invite));
    }
    return a;
}


static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}


static unsigned
count(const char *in, const char *what)
{
    unsigned n = 0;

    for (; (in = strstr(in, what)) != NULL; in++) {
        n++;
    }
    return n;
}


static void
who_has_it_becomes_a_member_once(void **state)
{
    struct answer *a;

    (void) state;
    make_group();
    a = make_invite("alice", 0, 0);
    assert_int_equal(strlen(invite), STORAGE_INVITE_LEN);
    assert_memory_equal(invite, group + 2, 16);
    assert_non_null(strstr(a->json, "\"created_by\":\"alice\""));
    assert_non_null(strstr(a->json, "\"expires_at\":null,\"max_uses\":null,"
                                    "\"uses\":0}}"));

    /* seen before he joins: only this */
    subscribe("carol");
    a = with(STORAGE_GET_INVITE, "carol", invite);
    expect(a, STORAGE_OK);
    assert_non_null(strstr(a->json, "\"name\":\"the \\\"group\\\"\",\"avatar\":"
                                    "null,\"members\":2}}"));
    assert_null(strstr(a->json, "alice"));

    told[0] = '\0';
    a = with(STORAGE_JOIN_INVITE, "carol", invite);
    expect(a, STORAGE_OK);
    assert_non_null(
        strstr(a->json, "{\"user\":\"carol\",\"role\":\"member\"}"));
    assert_int_equal(count(told, ";"), 3); /* all three are told */
    told[0] = '\0';
    expect(with(STORAGE_JOIN_INVITE, "carol", invite), STORAGE_OK);
    expect(with(STORAGE_JOIN_INVITE, "alice", invite), STORAGE_OK);
    assert_string_equal(told, "");
    assert_int_equal(
        count(with(STORAGE_LIST_INVITES, "alice", NULL)->json, "\"uses\":1}"),
        1);

    /* one who never connected */
    expect(with(STORAGE_JOIN_INVITE, "new", invite), STORAGE_OK);
    assert_int_equal(
        count(with(STORAGE_GET_CHANNEL, "new", NULL)->json, "\"user\":"), 4);
}


static void
a_repeat_joins_nobody_again(void **state)
{
    struct storage_op op = {.type = STORAGE_JOIN_INVITE,
                            .user = STR("carol"),
                            .client_id = STR("c")};
    struct answer *first;

    (void) state;
    make_group();
    make_invite("alice", 0, 0);
    op.text = s(invite);
    first = call(&op);
    expect(first, STORAGE_OK);
    expect(with(STORAGE_LEAVE, "carol", NULL), STORAGE_OK);
    assert_string_equal(call(&op)->json, first->json);
    expect(with(STORAGE_GET_CHANNEL, "carol", NULL), STORAGE_NO_CHANNEL);
    op.client_id = STR("d");
    expect(call(&op), STORAGE_OK);
    expect(with(STORAGE_GET_CHANNEL, "carol", NULL), STORAGE_OK);

    op = (struct storage_op){.type = STORAGE_CREATE_INVITE,
                             .user = STR("alice"),
                             .channel = s(group),
                             .client_id = STR("e")};
    first = call(&op);
    assert_string_equal(call(&op)->json, first->json);
    assert_int_equal(
        count(with(STORAGE_LIST_INVITES, "alice", NULL)->json, "\"invite\""),
        2);
}


static void
an_invite_that_ended_says_why(void **state)
{
    (void) state;
    make_group();
    make_invite("alice", 0, 1);
    expect(with(STORAGE_JOIN_INVITE, "carol", invite), STORAGE_OK);
    expect(with(STORAGE_JOIN_INVITE, "dave", invite), STORAGE_INVITE_USED_UP);
    expect(with(STORAGE_GET_INVITE, "dave", invite), STORAGE_INVITE_USED_UP);
    expect(with(STORAGE_JOIN_INVITE, "carol", invite), STORAGE_OK);

    make_invite("alice", now_ms() - 1, 0);
    expect(with(STORAGE_JOIN_INVITE, "dave", invite), STORAGE_INVITE_EXPIRED);
    make_invite("alice", now_ms() + 100000, 0);
    expect(with(STORAGE_GET_INVITE, "dave", invite), STORAGE_OK);
    expect(with(STORAGE_REVOKE_INVITE, "alice", invite), STORAGE_OK);
    expect(with(STORAGE_REVOKE_INVITE, "alice", invite), STORAGE_OK);
    expect(with(STORAGE_JOIN_INVITE, "dave", invite), STORAGE_INVITE_REVOKED);
    assert_string_equal(with(STORAGE_LIST_INVITES, "alice", NULL)->json,
                        "{\"invites\":[]}");

    invite[STORAGE_INVITE_LEN - 1] ^= 1;
    expect(with(STORAGE_JOIN_INVITE, "dave", invite), STORAGE_NO_INVITE);
    expect(with(STORAGE_REVOKE_INVITE, "alice", invite), STORAGE_NO_INVITE);
    invite[0] ^= 1;
    expect(with(STORAGE_GET_INVITE, "dave", invite), STORAGE_NO_INVITE);
    expect(with(STORAGE_REVOKE_INVITE, "alice", invite), STORAGE_NO_INVITE);
    expect(with(STORAGE_GET_INVITE, "dave", "x"), STORAGE_NO_INVITE);
    expect(with(STORAGE_REVOKE_INVITE, "alice", "x"), STORAGE_NO_INVITE);
    expect(with(STORAGE_JOIN_INVITE, "dave", ""), STORAGE_NO_INVITE);
}


static void
owner_and_admins_manage(void **state)
{
    (void) state;
    make_group();
    make_invite("alice", 0, 0);
    expect(make_invite("bob", 0, 0), STORAGE_FORBIDDEN);
    expect(with(STORAGE_LIST_INVITES, "bob", NULL), STORAGE_FORBIDDEN);
    expect(with(STORAGE_REVOKE_INVITE, "bob", invite), STORAGE_FORBIDDEN);
    expect(make_invite("carol", 0, 0), STORAGE_NO_CHANNEL);
    expect(with(STORAGE_LIST_INVITES, "carol", NULL), STORAGE_NO_CHANNEL);
    snprintf(group, sizeof(group), "d.alice~bob");
    expect(make_invite("alice", 0, 0), STORAGE_NO_CHANNEL);
}


static void
who_is_blocked_stays_out(void **state)
{
    struct storage_op op = {
        .type = STORAGE_BLOCK_CONTACT, .user = STR("bob"), .to = STR("carol")};

    (void) state;
    make_group();
    subscribe("carol");
    make_invite("alice", 0, 0);
    expect(call(&op), STORAGE_OK); /* by a member who did not invite */
    expect(with(STORAGE_GET_INVITE, "carol", invite), STORAGE_OK);
    op.user = STR("alice");
    expect(call(&op), STORAGE_OK);
    expect(with(STORAGE_GET_INVITE, "carol", invite), STORAGE_BLOCKED);
    expect(with(STORAGE_JOIN_INVITE, "carol", invite), STORAGE_BLOCKED);
    op.type = STORAGE_UNBLOCK_CONTACT;
    expect(call(&op), STORAGE_OK);
    expect(with(STORAGE_JOIN_INVITE, "carol", invite), STORAGE_OK);
}


static void
a_full_group_takes_nobody(void **state)
{
    char name[16];

    (void) state;
    make_group();
    make_invite("alice", 0, 0);

    for (unsigned i = 2; i < STORAGE_MEMBERS_MAX; i++) {
        snprintf(name, sizeof(name), "u%u", i);
        expect(with(STORAGE_JOIN_INVITE, name, invite), STORAGE_OK);
    }
    expect(with(STORAGE_JOIN_INVITE, "late", invite), STORAGE_GROUP_FULL);
    expect(with(STORAGE_LEAVE, "u2", NULL), STORAGE_OK);
    expect(with(STORAGE_JOIN_INVITE, "late", invite), STORAGE_OK);
}


static void
they_are_bounded_and_the_ended_make_room(void **state)
{
    char first[64], last[64];

    (void) state;
    make_group();

    for (unsigned i = 0; i < STORAGE_INVITES_MAX; i++) {
        expect(make_invite("alice", 0, 0), STORAGE_OK);
    }
    expect(make_invite("alice", 0, 0), STORAGE_INVITES_FULL);

    /* each that is revoked makes room for one, and is remembered a while */
    snprintf(first, sizeof(first), "%s", invite);
    for (unsigned i = 0; i <= STORAGE_INVITES_MAX; i++) {
        snprintf(last, sizeof(last), "%s", invite);
        expect(with(STORAGE_REVOKE_INVITE, "alice", invite), STORAGE_OK);
        expect(make_invite("alice", 0, 0), STORAGE_OK);
    }
    expect(with(STORAGE_GET_INVITE, "bob", first), STORAGE_NO_INVITE);
    expect(with(STORAGE_GET_INVITE, "bob", last), STORAGE_INVITE_REVOKED);
    assert_int_equal(
        count(with(STORAGE_LIST_INVITES, "alice", NULL)->json, "\"invite\""),
        STORAGE_INVITES_MAX);
}


static void
they_end_with_the_group_and_outlive_a_restart(void **state)
{
    (void) state;
    make_group();
    make_invite("alice", 0, 2);
    expect(with(STORAGE_JOIN_INVITE, "carol", invite), STORAGE_OK);

    reopen();
    assert_int_equal(count(with(STORAGE_LIST_INVITES, "alice", NULL)->json,
                           "\"max_uses\":2,\"uses\":1}"),
                     1);
    expect(with(STORAGE_JOIN_INVITE, "dave", invite), STORAGE_OK);
    expect(with(STORAGE_JOIN_INVITE, "erin", invite), STORAGE_INVITE_USED_UP);
    make_invite("alice", 0, 0);
    expect(with(STORAGE_LEAVE, "bob", NULL), STORAGE_OK);
    expect(with(STORAGE_LEAVE, "carol", NULL), STORAGE_OK);
    expect(with(STORAGE_LEAVE, "dave", NULL), STORAGE_OK);
    expect(with(STORAGE_GET_INVITE, "bob", invite), STORAGE_OK);
    expect(with(STORAGE_LEAVE, "alice", NULL), STORAGE_OK);
    expect(with(STORAGE_GET_INVITE, "bob", invite), STORAGE_NO_INVITE);
    expect(with(STORAGE_JOIN_INVITE, "alice", invite), STORAGE_NO_INVITE);

    reopen();
    expect(with(STORAGE_JOIN_INVITE, "bob", invite), STORAGE_NO_INVITE);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(who_has_it_becomes_a_member_once),
        ON_BOTH(a_repeat_joins_nobody_again),
        ON_BOTH(an_invite_that_ended_says_why),
        ON_BOTH(owner_and_admins_manage),
        ON_BOTH(who_is_blocked_stays_out),
        ON_BOTH(a_full_group_takes_nobody),
        ON_BOTH(they_are_bounded_and_the_ended_make_room),
        ON_BOTH(they_end_with_the_group_and_outlive_a_restart),
    };

    return RUN_WORLDS("invite", tests);
}
