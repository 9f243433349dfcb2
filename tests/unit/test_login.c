/*
 * What is kept of passwords, the thread that judges them, the table of
 * attempts, the jti of logins.
 */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "attempt.h"
#include "hasher.h"
#include "login_id.h"
#include "secret.h"

/* RFC 7914, 12, has other lengths; this is scrypt("pleaseletmein", 16 bytes of
 * 'S', N = 2, r = 8, p = 1), computed by another implementation. */
#define WEAK                                                                   \
    "$scrypt$ln=1,r=8,p=1$U1NTU1NTU1NTU1NTU1NTUw$"                             \
    "anA9RedKfAD2ytblGIAmqkJGCYIaxJ2Jnsf2rO0/FNc"

static struct str
str(const char *text)
{
    return (struct str){text, strlen(text)};
}

/* Secrets */

static void
a_secret_fits_its_password_alone(void **state)
{
    char one[SECRET_SIZE], two[SECRET_SIZE];
    struct str password = STR("pass\0word");
    bool weak = true;

    (void) state;
    assert_int_equal(secret_make(one, password), 0);
    assert_int_equal(secret_make(two, password), 0);
    assert_string_not_equal(one, two);
    assert_memory_equal(one, "$scrypt$ln=15,r=8,p=1$", 22);
    assert_int_equal(secret_check(str(one), password, &weak), SECRET_GOOD);
    assert_false(weak);
    assert_int_equal(secret_check(str(one), STR("pass"), &weak), SECRET_WRONG);
    assert_int_equal(secret_check(str(one), STR("pass\0worD"), &weak),
                     SECRET_WRONG);
}

static void
one_kept_by_less_work_is_good_and_weak(void **state)
{
    bool weak = false;

    (void) state;
    assert_int_equal(secret_check(str(WEAK), STR("pleaseletmein"), &weak),
                     SECRET_GOOD);
    assert_true(weak);
    assert_int_equal(secret_check(str(WEAK), STR("pleaseletmeout"), &weak),
                     SECRET_WRONG);
}

static void
what_is_no_secret_fails(void **state)
{
    static const char *const bad[] = {
        "",
        "$",
        "$scrypt$",
        "$scrypt$ln=15,r=8,p=1$",
        "$scrypt$ln=15,r=8,p=1$AAAA$AAAA",
        "$scrypt$ln=0,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=20,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=99,r=99,p=99$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=-1,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=1,r=8,p=1$AAAAAAAAAAAA*AAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=1,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2$ln=1,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    char late[300];
    bool weak;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(secret_check(str(bad[i]), STR("12345678"), &weak),
                         SECRET_FAILED);
    }
    memset(late, 'x', sizeof(late));
    assert_int_equal(
        secret_check((struct str){late, sizeof(late)}, STR("12345678"), &weak),
        SECRET_FAILED);
    assert_int_equal(secret_check(secret_of_nobody(), STR("12345678"), &weak),
                     SECRET_WRONG);
}

/* Hasher */

static uv_loop_t loop;
static struct hasher *hasher;
static unsigned n_done;
static struct hasher_job *last;

static void
on_done(struct hasher_job *j)
{
    n_done++;
    last = j;
}

static int
setup(void **state)
{
    (void) state;
    n_done = 0;
    last = NULL;
    assert_int_equal(uv_loop_init(&loop), 0);
    hasher = hasher_create(&loop);
    assert_non_null(hasher);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    hasher_close(hasher);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static struct hasher_job *
job(const char *secret, const char *password, const char *fresh)
{
    struct hasher_job *j = calloc(1, sizeof(*j));

    assert_non_null(j);
    j->done = on_done;
    strcpy(j->secret, secret);
    strcpy(j->password, password);
    j->password_len = strlen(password);
    strcpy(j->fresh, fresh);
    j->fresh_len = strlen(fresh);
    return j;
}

static void
wait_for(unsigned n)
{
    while (n_done < n) {
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static void
a_job_checks_and_makes(void **state)
{
    struct hasher_job *make = job("", "", "first password");
    struct hasher_job *change, *wrong;
    bool weak;

    (void) state;
    assert_int_equal(hasher_submit(hasher, make), 0);
    assert_int_equal(n_done, 0);
    wait_for(1);
    assert_int_equal(make->result, SECRET_GOOD);

    change = job(make->made, "first password", "second password");
    assert_int_equal(hasher_submit(hasher, change), 0);
    wait_for(2);
    assert_int_equal(change->result, SECRET_GOOD);
    assert_int_equal(
        secret_check(str(change->made), STR("second password"), &weak),
        SECRET_GOOD);

    /* of a wrong one nothing is made */
    wrong = job(make->made, "other password", "third password");
    assert_int_equal(hasher_submit(hasher, wrong), 0);
    wait_for(3);
    assert_int_equal(wrong->result, SECRET_WRONG);
    assert_string_equal(wrong->made, "");
    free(make);
    free(change);
    free(wrong);
}

static void
the_queue_is_bounded_and_all_are_told_at_the_end(void **state)
{
    struct hasher_job *jobs[HASHER_QUEUE_MAX + 8];
    unsigned n = 0;

    (void) state;

    /* the thread may have taken one or two of them */
    for (; n < HASHER_QUEUE_MAX + 8; n++) {
        jobs[n] = job("", "", "a password");
        if (hasher_submit(hasher, jobs[n]) != 0) {
            free(jobs[n]);
            break;
        }
    }
    assert_in_range(n, HASHER_QUEUE_MAX, HASHER_QUEUE_MAX + 7);
    assert_int_equal(n_done, 0);
    hasher_close(hasher);
    assert_int_equal(n_done, n);
    assert_int_equal(last->result, SECRET_FAILED);
    for (unsigned i = 0; i < n; i++) {
        free(jobs[i]);
    }

    /* for teardown */
    hasher = hasher_create(&loop);
}

/* the nice value of the other thread that has the highest */
static int
nicest_other(void)
{
    pid_t self = (pid_t) syscall(SYS_gettid);
    int highest = -20;
    const struct dirent *entry;
    DIR *dir = opendir("/proc/self/task");

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        pid_t tid = (pid_t) strtol(entry->d_name, NULL, 10);
        int value;

        if (tid == 0 || tid == self) {
            continue;
        }
        value = getpriority(PRIO_PROCESS, (id_t) tid);
        if (value > highest) {
            highest = value;
        }
    }
    closedir(dir);
    return highest;
}

static void
the_loop_keeps_its_priority_and_the_hasher_is_below(void **state)
{
    id_t self = (id_t) syscall(SYS_gettid);
    struct hasher_job *j = job("", "", "a password");
    int value = getpriority(PRIO_PROCESS, self) + 1;

    (void) state;
    /* as under `nice`: of a process that has stepped back itself */
    hasher_close(hasher);
    value = value > 19 ? 19 : value;
    assert_int_equal(setpriority(PRIO_PROCESS, self, value), 0);
    hasher = hasher_create(&loop);
    assert_int_equal(hasher_submit(hasher, j), 0);
    wait_for(1);
    assert_int_equal(getpriority(PRIO_PROCESS, self), value);
    assert_int_equal(nicest_other(), value + 10 > 19 ? 19 : value + 10);
    free(j);
}

/* Attempts */

static struct attempts *attempts;

static int
setup_attempts(void **state)
{
    (void) state;
    attempts = attempts_create();
    return attempts == NULL ? -1 : 0;
}

static int
teardown_attempts(void **state)
{
    (void) state;
    attempts_free(attempts);
    return 0;
}

static unsigned
try_at(uint64_t ms, const char *user, const char *address)
{
    return attempt_begin(attempts, str(user), str(address), ms);
}

static void
delays_grow_and_are_bounded(void **state)
{
    uint64_t now = 1000;

    (void) state;
    for (int i = 0; i < ATTEMPT_ACCOUNT_FREE; i++) {
        assert_int_equal(try_at(now, "alice", ""), 0);
    }
    for (unsigned delay = 1; delay <= 256; delay *= 2) {
        assert_int_equal(try_at(now, "alice", ""), 0);
        assert_int_equal(try_at(now, "alice", ""), delay);
        assert_int_equal(try_at(now + delay * 1000 - 1, "alice", ""), 1);
        now += delay * 1000;
    }
    for (int i = 0; i < 50; i++) {
        unsigned wait;

        assert_int_equal(try_at(now, "alice", ""), 0);
        wait = try_at(now, "alice", "");
        assert_in_range(wait, 256, ATTEMPT_DELAY_MAX_S);
        now += wait * 1000;
    }

    /* however many were refused, it does not get longer by that */
    assert_int_equal(try_at(now, "alice", ""), 0);
    for (int i = 0; i < 1000; i++) {
        assert_in_range(try_at(now, "alice", ""), 256, ATTEMPT_DELAY_MAX_S);
    }
    attempt_good(attempts, STR("alice"), STR(""), now);
    assert_int_equal(try_at(now, "alice", ""), 0);
}

static void
time_gives_attempts_back(void **state)
{
    uint64_t now = 1;

    (void) state;
    for (int i = 0; i <= ATTEMPT_ACCOUNT_FREE; i++) {
        assert_int_equal(try_at(now, "alice", ""), 0);
    }
    assert_int_equal(try_at(now, "alice", ""), 1);
    now += 2 * ATTEMPT_ACCOUNT_REGAIN_MS;
    assert_int_equal(try_at(now, "alice", ""), 0);
    assert_int_equal(try_at(now, "alice", ""), 0);
    assert_int_equal(try_at(now, "alice", ""), 1);
    now += 1000ull * ATTEMPT_ACCOUNT_REGAIN_MS;
    for (int i = 0; i <= ATTEMPT_ACCOUNT_FREE; i++) {
        assert_int_equal(try_at(now, "alice", ""), 0);
    }
}

static void
a_user_is_not_kept_out_where_he_was_before(void **state)
{
    uint64_t now = 1;

    (void) state;
    assert_int_equal(try_at(now, "alice", "10.0.0.1"), 0);
    attempt_good(attempts, STR("alice"), STR("10.0.0.1"), now);
    for (int i = 0; i <= ATTEMPT_ACCOUNT_FREE; i++) {
        assert_int_equal(try_at(now, "alice", "10.0.0.2"), 0);
    }
    assert_int_equal(try_at(now, "alice", "10.0.0.3"), 1);

    /* there he has as many of his own, and no more */
    for (int i = 0; i <= ATTEMPT_ACCOUNT_FREE; i++) {
        assert_int_equal(try_at(now, "alice", "10.0.0.1"), 0);
    }
    assert_int_equal(try_at(now, "alice", "10.0.0.1"), 1);
}

static void
what_was_not_made_does_not_count(void **state)
{
    (void) state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(try_at(1, "alice", "10.0.0.1"), 0);
        attempt_not_made(attempts, STR("alice"), STR("10.0.0.1"), 1);
    }
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(try_at(1, "alice", "10.0.0.1"), 0);
        attempt_good(attempts, STR("alice"), STR("10.0.0.1"), 1);
    }
}

static void
an_address_has_a_bound_over_all_accounts(void **state)
{
    char user[16];

    (void) state;
    for (int i = 0; i <= ATTEMPT_ADDRESS_FREE; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        assert_int_equal(try_at(1, user, "10.0.0.1"), 0);
    }
    assert_int_equal(try_at(1, "other", "10.0.0.1"), 1);
    assert_int_equal(try_at(1, "other", "10.0.0.2"), 0);
    for (int i = 0; i <= ATTEMPT_SIGN_UP_FREE; i++) {
        assert_int_equal(attempt_sign_up(attempts, STR("10.0.0.1"), 1), 0);
    }
    assert_int_equal(attempt_sign_up(attempts, STR("10.0.0.1"), 1), 1);
    assert_int_equal(attempt_sign_up(attempts, STR("10.0.0.2"), 1), 0);
    assert_int_equal(attempt_sign_up(attempts, STR(""), 1), 0);
}

static void
tables_are_bounded_and_the_oldest_makes_room(void **state)
{
    char user[16];

    (void) state;
    for (int i = 0; i <= ATTEMPT_ACCOUNT_FREE; i++) {
        (void) try_at(1, "old", "");
        (void) try_at(1, "used", "");
    }
    for (int i = 0; i < ATTEMPT_ENTRIES_MAX - 2; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        assert_int_equal(try_at(1, user, ""), 0);
    }
    assert_int_equal(try_at(1, "used", ""), 1);
    assert_int_equal(try_at(1, "one more", ""), 0);
    assert_int_equal(try_at(1, "used", ""), 1);
    assert_int_equal(try_at(1, "old", ""), 0);
}

/* Else one address that has to wait would make the others' failures forgotten,
 * at the cost of a request each. */
static void
who_has_to_wait_pushes_nobody_out(void **state)
{
    char user[16];

    (void) state;
    for (int i = 0; i <= ATTEMPT_ADDRESS_FREE; i++) {
        snprintf(user, sizeof(user), "a%d", i);
        assert_int_equal(try_at(1, user, "10.0.0.1"), 0);
    }
    for (int i = 0; i <= ATTEMPT_ACCOUNT_FREE; i++) {
        (void) try_at(1, "target", "");
    }
    for (int i = 0; i < ATTEMPT_ENTRIES_MAX; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        assert_int_equal(try_at(1, user, "10.0.0.1"), 1);
    }
    assert_int_equal(try_at(1, "target", ""), 1);
}

static void
expect_address(const char *text, const char *want)
{
    char out[ATTEMPT_ADDRESS_MAX];
    struct str got = attempt_address(str(text), out);

    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.data, want, got.len);
}

static void
of_an_address_its_network_counts(void **state)
{
    (void) state;
    expect_address("10.1.2.3", "10.1.2.3");
    expect_address("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    expect_address("::1", "::");
    expect_address("::ffff:10.1.2.3", "10.1.2.3");
    expect_address("unix:", "");
    expect_address("", "");
    expect_address("10.1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20", "");
}

/* Login ids */

static void
a_login_id_names_its_epoch_and_lifetime(void **state)
{
    unsigned char random[LOGIN_ID_RANDOM];
    char id[LOGIN_ID_SIZE];
    static const uint64_t epochs[] = {1, 9, 10, 4294967296, 999999999999999999};
    static const uint64_t lifetimes[] = {1, 60, 3600, 2592000,
                                         LOGIN_LIFETIME_MAX_S};
    struct login_id got;

    (void) state;
    for (unsigned i = 0; i < sizeof(random); i++) {
        random[i] = (unsigned char) (i * 37);
    }
    for (unsigned i = 0; i < 5; i++) {
        struct login_id put = {epochs[i], lifetimes[i]};
        size_t len = login_id_put(id, &put, random);
        size_t end = strcspn(id + 5, ":") + 5 + 1 + LOGIN_ID_RANDOM;

        assert_int_equal(len, strlen(id));
        assert_true(login_id_get((struct str){id, len}, &got));
        assert_int_equal(got.epoch, epochs[i]);
        assert_int_equal(got.lifetime_s, lifetimes[i]);
        assert_false(login_id_get((struct str){id, end - 1}, &got));
        assert_false(login_id_get((struct str){id, end + 1}, &got));
        id[len] = 'x';
        assert_false(login_id_get((struct str){id, len + 1}, &got));

        /* of a log-in before there were lifetimes */
        assert_true(login_id_get((struct str){id, end}, &got));
        assert_int_equal(got.epoch, epochs[i]);
        assert_int_equal(got.lifetime_s, LOGIN_LIFETIME_MAX_S);
    }
}

static void
anything_else_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "chat:",
        "chat:1",
        "chat:1:",
        "chat::aaaaaaaaaaaaaaaaaaaaaa",
        "chat:0:aaaaaaaaaaaaaaaaaaaaaa",
        "chat:01:aaaaaaaaaaaaaaaaaaaaaa",
        "chat:-1:aaaaaaaaaaaaaaaaaaaaaa",
        "chat:99999999999999999999:aaaaaaaaaaaaaaaaaaaaaa",
        "chat:1:aaaaaaaaaaaaaaaaaaaaa",
        "chat:1:aaaaaaaaaaaaaaaaaaaaaaa",
        "chat:1:aaaaaaaaaaaaaaaaaaaaa!",
        "Chat:1:aaaaaaaaaaaaaaaaaaaaaa",
        "chat:1:aaaaaaaaaaaaaaaaaaaaaa:",
        "chat:1:aaaaaaaaaaaaaaaaaaaaaa:0",
        "chat:1:aaaaaaaaaaaaaaaaaaaaaa:1:",
        "chat:1:aaaaaaaaaaaaaaaaaaaaaa:99999999999999999999",
        "chat:1:aaaaaaaaaaaaaaaaaaaaaa:31536001",
        "chat:1:aaaaaaaaaaaaaaaaaaaaaaa:1",
    };
    struct login_id got;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(login_id_get(str(bad[i]), &got));
    }
    assert_false(login_id_get(STR("chat:1:aaaaaaaaaaaaaaaaaaaaa\0"), &got));
}

#define WITH_HASHER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define WITH_ATTEMPTS(f)                                                       \
    cmocka_unit_test_setup_teardown(f, setup_attempts, teardown_attempts)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_fits_its_password_alone),
        cmocka_unit_test(one_kept_by_less_work_is_good_and_weak),
        cmocka_unit_test(what_is_no_secret_fails),
        WITH_HASHER(a_job_checks_and_makes),
        WITH_HASHER(the_queue_is_bounded_and_all_are_told_at_the_end),
        WITH_HASHER(the_loop_keeps_its_priority_and_the_hasher_is_below),
        WITH_ATTEMPTS(delays_grow_and_are_bounded),
        WITH_ATTEMPTS(time_gives_attempts_back),
        WITH_ATTEMPTS(a_user_is_not_kept_out_where_he_was_before),
        WITH_ATTEMPTS(what_was_not_made_does_not_count),
        WITH_ATTEMPTS(an_address_has_a_bound_over_all_accounts),
        WITH_ATTEMPTS(tables_are_bounded_and_the_oldest_makes_room),
        WITH_ATTEMPTS(who_has_to_wait_pushes_nobody_out),
        cmocka_unit_test(of_an_address_its_network_counts),
        cmocka_unit_test(a_login_id_names_its_epoch_and_lifetime),
        cmocka_unit_test(anything_else_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
