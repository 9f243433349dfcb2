/*
 * Accounts through storage.h, on each embedded back end: who may take an id,
 * and which tokens are good.
 */

#include "storage_world.h"

#define RANDOM "AAAAAAAAAAAAAAAAAAAAAA"

static unsigned n_told;
static uint64_t told_last;


static void
on_event(const struct storage_event *e, void *data)
{
    (void) data;

    if (e->method == STORAGE_EVENT_TOKENS) {
        assert_int_equal(e->n_targets, 1);
        assert_int_equal(e->targets[0].inbox_id, 0);
        told_last = e->targets[0].number;
        n_told++;
    }
}


static void
forget_told(void)
{
    n_told = 0;
}


static struct storage_op
sign_up_op(const char *user)
{
    return (struct storage_op){
        .type = STORAGE_SIGN_UP, .user = s(user), .text = STR("secret")};
}


static enum storage_status
sign_up(const char *user)
{
    struct storage_op op = sign_up_op(user);

    return call(&op)->status;
}


static struct answer *
subscribe(const char *user)
{
    struct storage_op op = {
        .type = STORAGE_SUBSCRIBE, .flags = STORAGE_CONNECT, .user = s(user)};

    return call(&op);
}


static enum storage_status
touch(const char *user, const char *jti)
{
    struct storage_op op = {
        .type = STORAGE_TOUCH, .user = s(user), .cursor = s(jti)};

    return call(&op)->status;
}


static struct answer *
account(const char *user, const char *device)
{
    struct storage_op op = {
        .type = STORAGE_GET_ACCOUNT, .user = s(user), .device = s(device)};

    return call(&op);
}


static enum storage_status
set_password(const char *user, const char *secret, uint64_t epoch,
             const char *kept)
{
    struct storage_op op = {.type = STORAGE_SET_PASSWORD,
                            .user = s(user),
                            .text = s(secret),
                            .number = epoch,
                            .cursor = s(kept)};

    return call(&op)->status;
}


static enum storage_status
end_login(const char *user, const char *jti, uint64_t until)
{
    struct storage_op op = {.type = STORAGE_END_LOGIN,
                            .user = s(user),
                            .cursor = s(jti),
                            .number = until};

    return call(&op)->status;
}


static void
an_id_is_taken_once_in_any_case(void **state)
{
    struct storage_op mention = {.type = STORAGE_REQUEST_CONTACT,
                                 .user = STR("zoe"),
                                 .to = STR("Carol")};
    struct storage_op name = {
        .type = STORAGE_UPDATE_USER, .user = STR("zoe"), .name = STR("Heidi")};

    (void) state;
    assert_int_equal(sign_up("alice"), STORAGE_OK);
    assert_int_equal(sign_up("alice"), STORAGE_TAKEN);
    assert_int_equal(sign_up("Alice"), STORAGE_TAKEN);
    assert_int_equal(sign_up("ALICE"), STORAGE_TAKEN);
    assert_int_equal(sign_up("alice2"), STORAGE_OK);
    assert_int_equal(sign_up("alic"), STORAGE_OK);

    assert_int_equal(subscribe("bob")->status, STORAGE_OK);
    assert_int_equal(sign_up("bob"), STORAGE_TAKEN);
    assert_int_equal(sign_up("Bob"), STORAGE_TAKEN);
    assert_int_equal(touch("dave", NULL), STORAGE_OK);
    assert_int_equal(sign_up("dave"), STORAGE_TAKEN);

    assert_int_equal(call(&mention)->status, STORAGE_OK);
    assert_int_equal(sign_up("carol"), STORAGE_TAKEN);
    assert_int_equal(sign_up("Carol"), STORAGE_OK);
    assert_int_equal(sign_up("Carol"), STORAGE_TAKEN);

    assert_int_equal(call(&name)->status, STORAGE_OK);
    assert_int_equal(sign_up("heidi"), STORAGE_OK);

    reopen();
    assert_int_equal(sign_up("aLICE"), STORAGE_TAKEN);
    assert_int_equal(sign_up("Heidi"), STORAGE_TAKEN);
    assert_int_equal(sign_up("Dave"), STORAGE_TAKEN);
}


static void
one_who_was_mentioned_and_then_seen_is_not_for_the_taking(void **state)
{
    struct storage_op mention = {.type = STORAGE_REQUEST_CONTACT,
                                 .user = STR("zoe"),
                                 .to = STR("carol")};

    (void) state;
    assert_int_equal(call(&mention)->status, STORAGE_OK);
    assert_int_equal(touch("carol", NULL), STORAGE_OK);
    assert_int_equal(sign_up("carol"), STORAGE_TAKEN);
}


static void
of_twins_at_once_one_wins(void **state)
{
    static const char *const names[] = {"eve", "Eve", "EVE", "eVe", "eve"};
    struct storage_op op;
    struct answer *a[5];
    unsigned won = 0;

    (void) state;

    for (unsigned i = 0; i < 5; i++) {
        op = sign_up_op(names[i]);
        a[i] = submit(&op);
    }

    for (unsigned i = 0; i < 5; i++) {
        wait_for(a[i]);
        won += a[i]->status == STORAGE_OK;
        assert_true(a[i]->status == STORAGE_OK
                    || a[i]->status == STORAGE_TAKEN);
    }

    assert_int_equal(won, 1);
}


/* A sign-up that the disk has answered first comes first. */
static void
one_who_connects_meanwhile_is_seen(void **state)
{
    struct storage_op op,
        connect = {.type = STORAGE_SUBSCRIBE, .flags = STORAGE_CONNECT};
    struct answer *made, *other;
    char small[16], large[16];
    unsigned taken = 0;

    (void) state;

    for (unsigned i = 0; i < 10; i++) {
        snprintf(small, sizeof(small), "frank%u", i);
        snprintf(large, sizeof(large), "FRANK%u", i);
        op = sign_up_op(small);
        connect.user = s(large);
        made = submit(&op);
        other = submit(&connect);
        wait_for(made);
        wait_for(other);
        assert_int_equal(other->status, STORAGE_OK);

        if (made->status == STORAGE_OK) {
            assert_true(made->nth < other->nth);
        } else {
            assert_int_equal(made->status, STORAGE_TAKEN);
            taken++;
        }
    }

    assert_true(taken > 0);
}


static void
a_replayed_sign_up_has_succeeded(void **state)
{
    struct storage_op op = sign_up_op("alice");

    (void) state;
    op.request_id = STR("r1");
    assert_int_equal(call(&op)->status, STORAGE_OK);
    assert_int_equal(call(&op)->status, STORAGE_OK);
    assert_true(call(&op)->duplicate);
    reopen();
    assert_int_equal(call(&op)->status, STORAGE_OK);
    op.request_id = STR("r2");
    assert_int_equal(call(&op)->status, STORAGE_TAKEN);
    assert_int_equal(call(&op)->status, STORAGE_TAKEN);
}


static void
the_secret_comes_back_as_it_was_given(void **state)
{
    (void) state;
    assert_int_equal(account("alice", NULL)->status, STORAGE_NO_ACCOUNT);
    subscribe("alice");
    assert_int_equal(account("alice", NULL)->status, STORAGE_NO_ACCOUNT);
    assert_int_equal(sign_up("bob"), STORAGE_OK);
    reopen();
    assert_string_equal(account("bob", NULL)->json, "secret");
    assert_int_equal(account("bob", NULL)->number, 1);
    assert_false(account("bob", NULL)->more);
    assert_int_equal(account("bob", NULL)->inbox_id, 0);
}


static void
a_login_on_a_removed_device_is_younger_than_its_removal(void **state)
{
    uint64_t now = (uint64_t) time(NULL);
    struct storage_op use = {.type = STORAGE_TOUCH,
                             .user = STR("bob"),
                             .device = STR("phone"),
                             .number = now};
    struct storage_op remove = {
        .type = STORAGE_REMOVE_DEVICE, .user = STR("bob"), .to = STR("phone")};

    (void) state;
    assert_int_equal(sign_up("bob"), STORAGE_OK);
    assert_int_equal(call(&use)->status, STORAGE_OK);
    assert_int_equal(call(&remove)->status, STORAGE_OK);
    assert_int_equal(call(&use)->status, STORAGE_TOKEN_ENDED);
    use.number = account("bob", "phone")->inbox_id;
    assert_in_range(use.number, now, now + 3);
    assert_int_equal(call(&use)->status, STORAGE_OK);
    assert_int_equal(account("bob", "web")->inbox_id, 0);

    /* the next removal ends that log-in, too, even in the same second */
    assert_int_equal(call(&remove)->status, STORAGE_OK);
    assert_int_equal(call(&use)->status, STORAGE_TOKEN_ENDED);
    reopen();
    assert_int_equal(call(&use)->status, STORAGE_TOKEN_ENDED);
    use.number = account("bob", "phone")->inbox_id;
    assert_int_equal(call(&use)->status, STORAGE_OK);
}


static void
another_password_ends_all_logins_but_one(void **state)
{
    uint64_t number;

    (void) state;
    assert_int_equal(sign_up("bob"), STORAGE_OK);
    number = subscribe("bob")->number;
    assert_int_equal(touch("bob", "chat:1:" RANDOM), STORAGE_OK);
    assert_int_equal(set_password("bob", "two", 2, "chat:1:" RANDOM),
                     STORAGE_TOKEN_ENDED);
    assert_int_equal(n_told, 0);
    assert_int_equal(set_password("bob", "two", 1, "chat:1:" RANDOM),
                     STORAGE_OK);
    assert_int_equal(n_told, 1);
    assert_int_equal(told_last, number);
    assert_int_equal(set_password("bob", "three", 1, "chat:1:" RANDOM),
                     STORAGE_TOKEN_ENDED);
    reopen();
    assert_string_equal(account("bob", NULL)->json, "two");
    assert_int_equal(account("bob", NULL)->number, 2);
    assert_int_equal(touch("bob", "chat:1:" RANDOM), STORAGE_OK);
    assert_int_equal(touch("bob", "chat:1:BAAAAAAAAAAAAAAAAAAAAA"),
                     STORAGE_TOKEN_ENDED);
    assert_int_equal(touch("bob", "chat:2:" RANDOM), STORAGE_OK);
    assert_int_equal(touch("bob", NULL), STORAGE_OK);
    assert_int_equal(touch("bob", "of the site"), STORAGE_OK);

    /* one whose login has ended ends no others */
    assert_int_equal(
        set_password("bob", "x", 2, "chat:1:BAAAAAAAAAAAAAAAAAAAAA"),
        STORAGE_TOKEN_ENDED);
    assert_int_equal(set_password("nobody", "x", 1, "chat:1:" RANDOM),
                     STORAGE_NO_ACCOUNT);
    assert_int_equal(touch("nobody", "chat:1:" RANDOM), STORAGE_TOKEN_ENDED);
}


static void
a_change_is_told_once_and_answered_twice(void **state)
{
    struct storage_op op = {.type = STORAGE_SET_PASSWORD,
                            .user = STR("bob"),
                            .text = STR("two"),
                            .number = 1,
                            .cursor = STR("chat:1:" RANDOM),
                            .request_id = STR("r")};
    struct storage_op get = {.type = STORAGE_GET_ACCOUNT,
                             .user = STR("bob"),
                             .request_id = STR("r")};

    (void) state;
    assert_int_equal(sign_up("bob"), STORAGE_OK);
    assert_false(call(&get)->duplicate);
    assert_int_equal(call(&op)->status, STORAGE_OK);
    assert_int_equal(call(&op)->status, STORAGE_OK);
    assert_true(call(&op)->duplicate);
    assert_true(call(&get)->duplicate);
    get.request_id = STR("s");
    assert_false(call(&get)->duplicate);
    assert_int_equal(account("bob", NULL)->number, 2);
}


static void
a_secret_made_anew_ends_nothing(void **state)
{
    struct storage_op op = {.type = STORAGE_REHASH,
                            .user = STR("bob"),
                            .text = STR("stronger"),
                            .number = 1};

    (void) state;
    assert_int_equal(call(&op)->status, STORAGE_NO_ACCOUNT);
    assert_int_equal(sign_up("bob"), STORAGE_OK);
    assert_int_equal(call(&op)->status, STORAGE_OK);
    assert_string_equal(account("bob", NULL)->json, "stronger");
    assert_int_equal(account("bob", NULL)->number, 1);
    op.number = 2;
    op.text = STR("of another password");
    assert_int_equal(call(&op)->status, STORAGE_OK);
    reopen();
    assert_string_equal(account("bob", NULL)->json, "stronger");
    assert_int_equal(n_told, 0);
}


static void
an_ended_login_stays_ended_and_is_told(void **state)
{
    uint64_t later = (uint64_t) time(NULL) + 1000;

    (void) state;
    assert_int_equal(sign_up("bob"), STORAGE_OK);
    told_last = 0;
    assert_int_equal(end_login("bob", "chat:1:" RANDOM, later), STORAGE_OK);
    assert_int_equal(n_told, 0); /* nobody is subscribed */
    subscribe("bob");
    assert_int_equal(end_login("bob", "chat:1:" RANDOM, later), STORAGE_OK);
    assert_int_equal(n_told, 0); /* nothing was changed */
    assert_int_equal(end_login("bob", "of the site", later), STORAGE_OK);
    assert_int_equal(n_told, 1);
    reopen();
    assert_int_equal(touch("bob", "chat:1:" RANDOM), STORAGE_TOKEN_ENDED);
    assert_int_equal(touch("bob", "of the site"), STORAGE_TOKEN_ENDED);
    assert_int_equal(touch("bob", "chat:1:BAAAAAAAAAAAAAAAAAAAAA"), STORAGE_OK);
    assert_int_equal(touch("bob", "of the sit"), STORAGE_OK);
    assert_int_equal(touch("eve", "of the site"), STORAGE_OK);

    /* of one who was nothing but a token's */
    assert_int_equal(end_login("frank", "of the site", later), STORAGE_OK);
    assert_int_equal(touch("frank", "of the site"), STORAGE_TOKEN_ENDED);
}


static void
what_is_over_is_forgotten_and_the_rest_bounded(void **state)
{
    uint64_t now = (uint64_t) time(NULL);
    char jti[64];

    (void) state;
    assert_int_equal(sign_up("bob"), STORAGE_OK);
    assert_int_equal(end_login("bob", "short", now - 1), STORAGE_OK);
    assert_int_equal(touch("bob", "short"), STORAGE_TOKEN_ENDED);
    assert_int_equal(end_login("bob", "site", now + 1000), STORAGE_OK);
    assert_int_equal(touch("bob", "short"), STORAGE_OK);

    for (unsigned i = 0; i < 2048; i++) {
        snprintf(jti, sizeof(jti), "chat:1:%022u", i);
        assert_int_equal(end_login("bob", jti, now + 2000), STORAGE_OK);
    }

    /* then all that were before have ended, in one */
    assert_int_equal(account("bob", NULL)->number, 2);
    reopen();

    for (unsigned i = 0; i < 2048; i += 100) {
        snprintf(jti, sizeof(jti), "chat:1:%022u", i);
        assert_int_equal(touch("bob", jti), STORAGE_TOKEN_ENDED);
    }

    assert_int_equal(touch("bob", "site"), STORAGE_TOKEN_ENDED);
    assert_int_equal(touch("bob", "chat:2:" RANDOM), STORAGE_OK);

    /* of a site's tokens the one that lasts the shortest is forgotten */
    for (unsigned i = 0; i < 2049; i++) {
        snprintf(jti, sizeof(jti), "s%u", i);
        assert_int_equal(end_login("eve", jti, now + 1000 + i), STORAGE_OK);
    }

    assert_int_equal(touch("eve", "s0"), STORAGE_OK);
    assert_int_equal(touch("eve", "s1"), STORAGE_TOKEN_ENDED);
    assert_int_equal(touch("eve", "s2048"), STORAGE_TOKEN_ENDED);
    reopen();
    assert_int_equal(touch("eve", "s2048"), STORAGE_TOKEN_ENDED);
}


static void
arguments_are_judged(void **state)
{
    char large[STORAGE_SECRET_MAX + 1];
    struct storage_op op = sign_up_op("bob");

    (void) state;
    memset(large, 'x', sizeof(large));
    op.text = (struct str){large, sizeof(large)};
    assert_int_equal(call(&op)->status, STORAGE_FORBIDDEN);
    op.text = STR("");
    assert_int_equal(call(&op)->status, STORAGE_FORBIDDEN);
    assert_int_equal(sign_up("a/b"), STORAGE_NO_USER);
    assert_int_equal(end_login("bob", "", 1), STORAGE_FORBIDDEN);
    assert_int_equal(end_login("bob", "x", 0), STORAGE_FORBIDDEN);
    large[STORAGE_JTI_MAX + 1] = '\0';
    assert_int_equal(end_login("bob", large, 1), STORAGE_FORBIDDEN);
    assert_int_equal(touch("bob", large), STORAGE_TOKEN_ENDED);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(an_id_is_taken_once_in_any_case),
        ON_BOTH(one_who_was_mentioned_and_then_seen_is_not_for_the_taking),
        ON_BOTH(of_twins_at_once_one_wins),
        ON_BOTH(one_who_connects_meanwhile_is_seen),
        ON_BOTH(a_replayed_sign_up_has_succeeded),
        ON_BOTH(the_secret_comes_back_as_it_was_given),
        ON_BOTH(a_login_on_a_removed_device_is_younger_than_its_removal),
        ON_BOTH(another_password_ends_all_logins_but_one),
        ON_BOTH(a_change_is_told_once_and_answered_twice),
        ON_BOTH(a_secret_made_anew_ends_nothing),
        ON_BOTH(an_ended_login_stays_ended_and_is_told),
        ON_BOTH(what_is_over_is_forgotten_and_the_rest_bounded),
        ON_BOTH(arguments_are_judged),
    };

    return RUN_WORLDS("accounts", tests);
}
