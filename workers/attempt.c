/* See attempt.h. */

#include "attempt.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "map.h"

#define KEY_MAX 128 /* a user, a NUL and an address */

struct entry {
    struct map_entry by_key;
    TAILQ_ENTRY(entry) lru;
    uint32_t count;    /* attempts not given back yet */
    uint64_t since_ms; /* count was right then        */
    uint64_t until_ms; /* nothing before              */
    uint8_t len;
    char key[];
};

TAILQ_HEAD(entry_list, entry);

struct rule {
    uint32_t free;
    uint32_t regain_ms;
};

struct table {
    struct map map;
    struct entry_list lru; /* the newest is the last */
    struct rule rule;
};

struct attempts {
    struct table accounts;
    struct table addresses;
    struct table pairs; /* those that were good once */
    struct table sign_ups;
};

static const void *
entry_key(const struct map_entry *e, size_t *len)
{
    const struct entry *x = map_container(e, struct entry, by_key);

    *len = x->len;
    return x->key;
}

static void
table_init(struct table *t, uint32_t free_attempts, uint32_t regain_ms)
{
    map_init(&t->map, entry_key);
    TAILQ_INIT(&t->lru);
    t->rule = (struct rule){free_attempts, regain_ms};
}

static void
table_remove(struct table *t, struct entry *x)
{
    map_remove(&t->map, &x->by_key);
    TAILQ_REMOVE(&t->lru, x, lru);
    free(x);
}

static void
table_clear(struct table *t)
{
    struct entry *x;

    while ((x = TAILQ_FIRST(&t->lru)) != NULL) {
        table_remove(t, x);
    }
    map_clear(&t->map);
}

/* Time gives back what it gives back. */
static void
settle(struct entry *x, const struct rule *rule, uint64_t now_ms)
{
    uint64_t n = (now_ms - x->since_ms) / rule->regain_ms;

    if (n >= x->count) {
        x->count = 0;
        x->since_ms = now_ms;
    } else {
        x->count -= (uint32_t) n;
        x->since_ms += n * rule->regain_ms;
    }
}

static struct entry *
table_find(struct table *t, struct str key, uint64_t now_ms)
{
    struct map_entry *e = map_find(&t->map, key.data, key.len);
    struct entry *x;

    if (e == NULL) {
        return NULL;
    }
    x = map_container(e, struct entry, by_key);
    TAILQ_REMOVE(&t->lru, x, lru);
    TAILQ_INSERT_TAIL(&t->lru, x, lru);
    settle(x, &t->rule, now_ms);
    return x;
}

/* NULL: out of memory. */
static struct entry *
table_get(struct table *t, struct str key, uint64_t now_ms)
{
    struct entry *x = table_find(t, key, now_ms);

    if (x != NULL) {
        return x;
    }
    if (t->map.count >= ATTEMPT_ENTRIES_MAX) {
        table_remove(t, TAILQ_FIRST(&t->lru));
    }
    x = calloc(1, sizeof(*x) + key.len);
    if (x == NULL) {
        return NULL;
    }
    x->since_ms = now_ms;
    x->len = (uint8_t) key.len;
    memcpy(x->key, key.data, key.len);
    if (map_insert(&t->map, &x->by_key) != 0) {
        free(x);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&t->lru, x, lru);
    return x;
}

static unsigned
wait_of(const struct entry *x, uint64_t now_ms)
{
    return x == NULL || x->until_ms <= now_ms
               ? 0
               : (unsigned) ((x->until_ms - now_ms + 999) / 1000);
}

static void
charge(struct entry *x, const struct rule *rule, uint64_t now_ms)
{
    uint64_t delay_s = ATTEMPT_DELAY_MAX_S;
    uint32_t beyond;

    if (x == NULL) {
        return;
    }
    if (x->count++ == 0) {
        x->since_ms = now_ms;
    }
    if (x->count <= rule->free) {
        return;
    }
    beyond = x->count - rule->free - 1;
    if (beyond < 10 && (1u << beyond) < delay_s) {
        delay_s = 1u << beyond;
    }
    x->until_ms = now_ms + delay_s * 1000;
}

static void
give_back(struct entry *x)
{
    if (x != NULL) {
        x->count -= x->count != 0;
        x->until_ms = 0;
    }
}

struct attempts *
attempts_create(void)
{
    struct attempts *a = calloc(1, sizeof(*a));

    if (a != NULL) {
        table_init(&a->accounts, ATTEMPT_ACCOUNT_FREE,
                   ATTEMPT_ACCOUNT_REGAIN_MS);
        table_init(&a->pairs, ATTEMPT_ACCOUNT_FREE, ATTEMPT_ACCOUNT_REGAIN_MS);
        table_init(&a->addresses, ATTEMPT_ADDRESS_FREE,
                   ATTEMPT_ADDRESS_REGAIN_MS);
        table_init(&a->sign_ups, ATTEMPT_SIGN_UP_FREE,
                   ATTEMPT_SIGN_UP_REGAIN_MS);
    }
    return a;
}

void
attempts_free(struct attempts *a)
{
    if (a != NULL) {
        table_clear(&a->accounts);
        table_clear(&a->addresses);
        table_clear(&a->pairs);
        table_clear(&a->sign_ups);
        free(a);
    }
}

struct str
attempt_address(struct str text, char out[ATTEMPT_ADDRESS_MAX])
{
    struct in6_addr v6;
    struct in_addr v4;

    if (text.len >= ATTEMPT_ADDRESS_MAX) {
        return STR("");
    }
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    if (inet_pton(AF_INET, out, &v4) == 1) {
        return (struct str){out, text.len};
    }
    if (inet_pton(AF_INET6, out, &v6) != 1) {
        return STR("");
    }
    /* an IPv4 address in the clothes of an IPv6 one is one */
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        memcpy(&v4, v6.s6_addr + 12, sizeof(v4));
        (void) inet_ntop(AF_INET, &v4, out, ATTEMPT_ADDRESS_MAX);
    } else {
        memset(v6.s6_addr + 8, 0, 8);
        (void) inet_ntop(AF_INET6, &v6, out, ATTEMPT_ADDRESS_MAX);
    }
    return (struct str){out, strlen(out)};
}

static struct str
pair_key(char out[KEY_MAX], struct str user, struct str address)
{
    memcpy(out, user.data, user.len);
    out[user.len] = '\0';
    if (address.len != 0) {
        memcpy(out + user.len + 1, address.data, address.len);
    }
    return (struct str){out, user.len + 1 + address.len};
}

/* What counts the attempts on the account from there; NULL: nothing yet. */
static struct entry *
account_find(struct attempts *a, struct str user, struct str address,
             struct table **table, uint64_t now_ms)
{
    char key[KEY_MAX];
    struct entry *x = NULL;

    if (address.len != 0) {
        x = table_find(&a->pairs, pair_key(key, user, address), now_ms);
    }
    *table = x != NULL ? &a->pairs : &a->accounts;
    return x != NULL ? x : table_find(&a->accounts, user, now_ms);
}

unsigned
attempt_begin(struct attempts *a, struct str user, struct str address,
              uint64_t now_ms)
{
    struct table *table;
    struct entry *account = account_find(a, user, address, &table, now_ms);
    struct entry *from =
        address.len == 0 ? NULL : table_find(&a->addresses, address, now_ms);
    unsigned wait = wait_of(account, now_ms);
    unsigned other = wait_of(from, now_ms);

    wait = wait > other ? wait : other;
    if (wait != 0) {
        return wait;
    }

    /* what is refused makes no entry: else who has to wait would push out,
     * for nothing, what others are counted by */
    if (account == NULL) {
        account = table_get(table, user, now_ms);
    }
    charge(account, &table->rule, now_ms);
    if (from == NULL && address.len != 0) {
        from = table_get(&a->addresses, address, now_ms);
    }
    charge(from, &a->addresses.rule, now_ms);
    return 0;
}

void
attempt_good(struct attempts *a, struct str user, struct str address,
             uint64_t now_ms)
{
    struct table *table;
    struct entry *x = account_find(a, user, address, &table, now_ms);
    char key[KEY_MAX];

    /* what others failed at is not forgotten for one who knows better */
    give_back(x);
    if (address.len != 0) {
        give_back(table_find(&a->addresses, address, now_ms));
        x = table_get(&a->pairs, pair_key(key, user, address), now_ms);
        if (x != NULL) {
            x->count = 0;
            x->until_ms = 0;
        }
    }
}

void
attempt_not_made(struct attempts *a, struct str user, struct str address,
                 uint64_t now_ms)
{
    struct table *table;

    give_back(account_find(a, user, address, &table, now_ms));
    if (address.len != 0) {
        give_back(table_find(&a->addresses, address, now_ms));
    }
}

unsigned
attempt_sign_up(struct attempts *a, struct str address, uint64_t now_ms)
{
    struct entry *x;
    unsigned wait;

    if (address.len == 0) {
        return 0;
    }
    x = table_get(&a->sign_ups, address, now_ms);
    wait = wait_of(x, now_ms);
    if (wait == 0) {
        charge(x, &a->sign_ups.rule, now_ms);
    }
    return wait;
}
