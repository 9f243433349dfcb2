/*
 * Groups, on each embedded back end: who is told, who comes and goes, who may
 * do what, and how many they are.
 */

#include "storage_steps.h"


static void
a_group_tells_its_members(void **state)
{
    const char *group;
    struct answer *a;

    (void) state;
    subscribe("ann");
    subscribe("bob");
    a = with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob cy bob ann");
    group = id_in(a);
    assert_in(a->json, "\"kind\":\"group\",\"name\":\"club\",\"created_at\":");
    assert_in(a->json, "\"members\":[{\"user\":\"ann\",\"role\":\"owner\"},"
                       "{\"user\":\"bob\",\"role\":\"member\"},"
                       "{\"user\":\"cy\",\"role\":\"member\"}]}}");
    assert_int_equal(n_events, 1);
    assert_int_equal(events[0].method, STORAGE_EVENT_CHANNEL_UPDATED);
    assert_int_equal(events[0].n_targets, 2);
    assert_int_equal(strncmp(events[0].tail, ",\"channel\":{", 12), 0);

    a = do_send("cy", group, "1");
    assert_int_equal(a->inbox_id, 2);
    assert_int_equal(events[1].n_targets, 2);

    reopen();
    a = on_channel(STORAGE_GET_CHANNEL, "bob", group);
    assert_in(a->json, "{\"user\":\"bob\",\"role\":\"member\",\"delivered\":0,"
                       "\"read\":0}");
    a = read_inbox("bob", 0, 0);
    assert_int_equal(a->n_entries, 2);
    assert_in(a->entries, "\"name\":\"club\"");
}


static void
members_come_and_go(void **state)
{
    const char *group;
    struct answer *a;

    (void) state;
    subscribe("bob");
    subscribe("dan");
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob"));
    do_send("ann", group, "1");
    do_send("ann", group, "2");
    forget_told();

    assert_int_equal(
        with_users(STORAGE_ADD_MEMBERS, "bob", group, "dan")->status,
        STORAGE_FORBIDDEN);
    a = with_users(STORAGE_ADD_MEMBERS, "ann", group, "dan bob");
    assert_int_equal(a->status, STORAGE_OK);
    assert_in(a->json, "\"dan\"");
    assert_int_equal(n_events, 1);
    assert_int_equal(events[0].n_targets, 2);

    /* Sees what was said, and has it read. */
    a = on_channel(STORAGE_HISTORY, "dan", group);
    assert_in(a->json, "\"message_id\":1");
    a = on_channel(STORAGE_GET_CHANNEL, "dan", group);
    assert_in(a->json, "{\"user\":\"dan\",\"role\":\"member\",\"delivered\":2,"
                       "\"read\":2}");

    /* Nothing changes, nobody is told. */
    with_users(STORAGE_ADD_MEMBERS, "ann", group, "dan");
    with_users(STORAGE_REMOVE_MEMBERS, "ann", group, "eve");
    assert_int_equal(n_events, 1);

    a = with_users(STORAGE_REMOVE_MEMBERS, "ann", group, "dan");
    assert_not_in(a->json, "dan");
    assert_int_equal(n_events, 3);
    assert_int_equal(events[1].n_targets, 1);
    assert_in(events[2].tail, "\"kind\":\"group\"},\"removed\":true}}");
    assert_int_equal(events[2].targets[0].inbox_id, 2);
    assert_int_equal(on_channel(STORAGE_HISTORY, "dan", group)->status,
                     STORAGE_NO_CHANNEL);
    assert_int_equal(do_send("dan", group, "3")->status, STORAGE_NO_CHANNEL);

    reopen();
    assert_int_equal(do_send("dan", group, "3")->status, STORAGE_NO_CHANNEL);
    assert_int_equal(read_inbox("dan", 0, 0)->n_entries, 2);
}


static void
roles_say_who_may(void **state)
{
    struct storage_op op = {.type = STORAGE_SET_ROLE,
                            .user = s("ann"),
                            .to = s("bob"),
                            .role = STORAGE_ADMIN};
    struct storage_op update = {.type = STORAGE_UPDATE_CHANNEL,
                                .user = s("bob"),
                                .name = s("a \"new\" name")};
    const char *group;
    struct answer *a;

    (void) state;
    group =
        id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "cy bob dan"));
    op.channel = s(group);
    update.channel = s(group);

    assert_int_equal(call(&update)->status, STORAGE_FORBIDDEN);
    assert_in(call(&op)->json, "{\"user\":\"bob\",\"role\":\"admin\"}");
    assert_in(call(&update)->json, "\"name\":\"a \\\"new\\\" name\"");
    assert_int_equal(
        with_users(STORAGE_REMOVE_MEMBERS, "bob", group, "ann")->status,
        STORAGE_FORBIDDEN);
    assert_int_equal(
        with_users(STORAGE_REMOVE_MEMBERS, "bob", group, "dan")->status,
        STORAGE_OK);

    op.user = s("bob");
    op.to = s("cy");
    assert_int_equal(call(&op)->status, STORAGE_FORBIDDEN);
    op.user = s("ann");
    op.to = s("nobody");
    assert_int_equal(call(&op)->status, STORAGE_NOT_MEMBER);
    op.to = s("ann");
    op.role = STORAGE_MEMBER;
    assert_int_equal(call(&op)->status, STORAGE_FORBIDDEN);

    /* The admin inherits, then the oldest member. */
    a = on_channel(STORAGE_LEAVE, "ann", group);
    assert_in(a->json, "\"kind\":\"group\"}}");
    a = on_channel(STORAGE_GET_CHANNEL, "cy", group);
    assert_in(a->json, "{\"user\":\"bob\",\"role\":\"owner\"");
    on_channel(STORAGE_LEAVE, "bob", group);
    a = on_channel(STORAGE_GET_CHANNEL, "cy", group);
    assert_in(a->json, "{\"user\":\"cy\",\"role\":\"owner\"");
    assert_int_equal(on_channel(STORAGE_LEAVE, "cy", group)->status,
                     STORAGE_OK);
    assert_int_equal(on_channel(STORAGE_GET_CHANNEL, "cy", group)->status,
                     STORAGE_NO_CHANNEL);
}


static void
a_direct_channel_is_no_group(void **state)
{
    (void) state;
    do_send("ann", "bob", "1");
    assert_int_equal(
        with_users(STORAGE_ADD_MEMBERS, "ann", "d.ann~bob", "cy")->status,
        STORAGE_NOT_GROUP);
    assert_int_equal(on_channel(STORAGE_LEAVE, "ann", "d.ann~bob")->status,
                     STORAGE_NOT_GROUP);
}


static void
a_group_has_at_most_a_hundred(void **state)
{
    char names[2000] = "";
    struct str one[] = {STR("x1")}, two[] = {STR("x2")};
    struct storage_op op = {.type = STORAGE_ADD_MEMBERS, .user = s("u0")};
    struct answer *a, *b;
    const char *group;
    unsigned i;

    (void) state;

    for (i = 1; i <= 100; i++) {
        snprintf(names + strlen(names), 8, "u%u ", i);
    }

    assert_int_equal(
        with_users(STORAGE_CREATE_CHANNEL, "u0", NULL, names)->status,
        STORAGE_GROUP_FULL);
    *strstr(names, "u99 ") = '\0';
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "u0", NULL, names));

    /* The 100th and the 101st at once. */
    op.channel = s(group);
    op.users = one;
    op.n_users = 1;
    a = submit(&op);
    op.users = two;
    b = submit(&op);
    wait_for(a);
    wait_for(b);
    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(b->status, STORAGE_GROUP_FULL);
    assert_int_equal(do_send("x1", group, "1")->status, STORAGE_OK);
    assert_int_equal(read_inbox("u50", 0, 0)->n_entries, 3);
}


static void
a_removed_members_send_races_his_removal(void **state)
{
    struct str users[] = {STR("bob")};
    struct storage_op op = {.type = STORAGE_REMOVE_MEMBERS,
                            .user = s("ann"),
                            .users = users,
                            .n_users = 1};
    struct answer *a, *b;
    const char *group;

    (void) state;
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob"));
    op.channel = s(group);
    reopen();
    a = start_send("bob", group, "1");
    submit(&op);
    b = start_send("bob", group, "2");
    wait_for(b);
    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(b->status, STORAGE_NO_CHANNEL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_group_tells_its_members),
        ON_BOTH(members_come_and_go),
        ON_BOTH(roles_say_who_may),
        ON_BOTH(a_direct_channel_is_no_group),
        ON_BOTH(a_group_has_at_most_a_hundred),
        ON_BOTH(a_removed_members_send_races_his_removal),
    };

    return RUN_WORLDS("group", tests);
}
