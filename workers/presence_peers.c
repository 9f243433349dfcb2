/*
 * Users by name; each has a holding for each machine that he is online at,
 * which also stands in a list of that machine.  A reading moves what it finds
 * to the end of that list, so that afterwards what it did not find stands in
 * front.  A holding that ended is freed by peers_work(), while a reading is
 * under way not before its end: its version tells an older answer that comes
 * late.
 */

#include "presence_peers.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "log.h"
#include "map.h"

struct holding {
    TAILQ_ENTRY(holding) link; /* of its machine; of the ended */
    struct holding *next;      /* of its user                  */
    struct remote *remote;
    struct machine *machine;
    uint64_t version;
    uint64_t seen; /* the reading that found it last */
    bool online;
};

TAILQ_HEAD(holding_list, holding);

struct remote {
    struct map_entry entry;
    TAILQ_ENTRY(remote) link; /* of the changed */
    struct holding *holdings;
    uint64_t at;
    uint32_t n_online;
    bool changed;
    bool told; /* as what */
    uint8_t name_len;
    char name[];
};

TAILQ_HEAD(remote_list, remote);

struct machine {
    char name[PRESENCE_MACHINE];
    uint64_t epoch;
    uint64_t number; /* of its last frame; 0: none was heard    */
    uint64_t heard;  /* loop time                               */
    uint64_t at;     /* the same, in ms since the epoch         */
    uint32_t ttl_s;
    bool used;
    bool whole;
    bool judged; /* what the reading does not find is offline  */
    bool dead;
    size_t n_holdings;
    struct holding_list holdings;
};

struct peers {
    char own[PRESENCE_MACHINE];
    struct map remotes;
    struct remote_list changed;
    struct holding_list ended;
    struct machine machines[PEERS_MACHINES_MAX];
    unsigned n_machines; /* slots in use or used once */
    size_t n_holdings, n_online;
    uint64_t reading; /* its number */
    bool is_reading;
    bool sweeping; /* it has ended; what it left is done in parts */
    bool due;
    bool held;
    bool full; /* was logged */
};

static const void *
remote_key(const struct map_entry *entry, size_t *len)
{
    const struct remote *r = map_container(entry, struct remote, entry);

    *len = r->name_len;
    return r->name;
}

static uint64_t
wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

struct peers *
peers_create(const char *own)
{
    struct peers *p = calloc(1, sizeof(*p));

    if (p != NULL) {
        memcpy(p->own, own, PRESENCE_MACHINE);
        map_init(&p->remotes, remote_key);
        TAILQ_INIT(&p->changed);
        TAILQ_INIT(&p->ended);
        p->held = true;
    }
    return p;
}

void
peers_free(struct peers *p)
{
    struct map_entry *entry;
    size_t pos = 0;

    if (p == NULL) {
        return;
    }
    while ((entry = map_next(&p->remotes, &pos)) != NULL) {
        struct remote *r = map_container(entry, struct remote, entry);
        struct holding *h;

        while ((h = r->holdings) != NULL) {
            r->holdings = h->next;
            free(h);
        }
        map_remove(&p->remotes, &r->entry);
        free(r);
    }
    map_clear(&p->remotes);
    free(p);
}

/* Users */

static struct remote *
remote_find(struct peers *p, struct str user)
{
    struct map_entry *entry = map_find(&p->remotes, user.data, user.len);

    return entry == NULL ? NULL : map_container(entry, struct remote, entry);
}

static struct remote *
remote_make(struct peers *p, struct str user)
{
    struct remote *r = remote_find(p, user);

    if (r == NULL && (r = calloc(1, sizeof(*r) + user.len)) != NULL) {
        memcpy(r->name, user.data, user.len);
        r->name_len = (uint8_t) user.len;
        if (map_insert(&p->remotes, &r->entry) != 0) {
            free(r);
            r = NULL;
        }
    }
    return r;
}

static void
remote_free_if_idle(struct peers *p, struct remote *r)
{
    if (r->holdings == NULL && !r->changed) {
        map_remove(&p->remotes, &r->entry);
        free(r);
    }
}

static void
remote_changed(struct peers *p, struct remote *r)
{
    if (!r->changed && r->told != (r->n_online != 0)) {
        r->changed = true;
        TAILQ_INSERT_TAIL(&p->changed, r, link);
    }
}

/* Holdings */

static struct holding *
holding_find(struct remote *r, const struct machine *m)
{
    struct holding *h = r->holdings;

    while (h != NULL && h->machine != m) {
        h = h->next;
    }
    return h;
}

static void
holding_free(struct peers *p, struct holding *h)
{
    struct remote *r = h->remote;
    struct holding **at = &r->holdings;

    while (*at != h) {
        at = &(*at)->next;
    }
    *at = h->next;
    h->machine->n_holdings--;
    p->n_holdings--;
    free(h);
    remote_free_if_idle(p, r);
}

static void
holding_end(struct peers *p, struct holding *h, uint64_t at)
{
    struct remote *r = h->remote;

    if (!h->online) {
        return;
    }
    h->online = false;
    TAILQ_REMOVE(&h->machine->holdings, h, link);
    r->n_online--;
    r->at = at;
    remote_changed(p, r);
    p->n_online--;
    TAILQ_INSERT_TAIL(&p->ended, h, link);
}

static struct holding *
holding_make(struct peers *p, struct machine *m, struct str user)
{
    struct remote *r;
    struct holding *h;

    if (p->n_holdings >= PEERS_USERS_MAX) {
        if (!p->full) {
            log_error("presence: more than %d users are online at other "
                      "machines; of some it will not be seen",
                      PEERS_USERS_MAX);
            p->full = true;
        }
        return NULL;
    }
    r = remote_make(p, user);
    h = r == NULL ? NULL : calloc(1, sizeof(*h));
    if (h == NULL) {
        if (r != NULL) {
            remote_free_if_idle(p, r);
        }
        return NULL;
    }
    h->remote = r;
    h->machine = m;
    h->next = r->holdings;
    r->holdings = h;
    m->n_holdings++;
    p->n_holdings++;
    return h;
}

static void
holding_seen(struct peers *p, struct holding *h)
{
    if (h->online) {
        TAILQ_REMOVE(&h->machine->holdings, h, link);
        TAILQ_INSERT_TAIL(&h->machine->holdings, h, link);
        h->seen = p->reading;
    }
}

static void
holding_start(struct peers *p, struct holding *h)
{
    if (h->online) {
        holding_seen(p, h);
        return;
    }
    if (h->version != 0) {
        TAILQ_REMOVE(&p->ended, h, link);
    }
    h->online = true;
    h->seen = p->reading;
    h->remote->n_online++;
    p->n_online++;
    TAILQ_INSERT_TAIL(&h->machine->holdings, h, link);
}

static void
apply(struct peers *p, struct machine *m, const struct presence_row *row)
{
    struct remote *r = remote_find(p, row->user);
    struct holding *h = r == NULL ? NULL : holding_find(r, m);

    if (h != NULL && row->version < h->version) {
        holding_seen(p, h);
        return;
    }
    if (!row->online) {
        if (h != NULL) {
            h->version = row->version;
            holding_end(p, h, row->at);
        }
        return;
    }
    if (h == NULL && (h = holding_make(p, m, row->user)) == NULL) {
        return;
    }
    holding_start(p, h);
    h->version = row->version == 0 ? 1 : row->version;
    h->remote->at = row->at;
    remote_changed(p, h->remote);
}

/* Machines */

static struct machine *
machine_find(struct peers *p, const char *name)
{
    for (unsigned i = 0; i < p->n_machines; i++) {
        if (p->machines[i].used
            && memcmp(p->machines[i].name, name, PRESENCE_MACHINE) == 0) {
            return &p->machines[i];
        }
    }
    return NULL;
}

static struct machine *
machine_make(struct peers *p, const char *name, uint32_t ttl_s, uint64_t now)
{
    unsigned i = 0;
    struct machine *m;

    while (i < p->n_machines && p->machines[i].used) {
        i++;
    }
    if (i == PEERS_MACHINES_MAX) {
        return NULL;
    }
    if (i == p->n_machines) {
        p->n_machines++;
    }
    m = &p->machines[i];
    memset(m, 0, sizeof(*m));
    memcpy(m->name, name, PRESENCE_MACHINE);
    m->used = true;
    m->ttl_s = ttl_s;
    m->heard = now;
    m->at = wall_ms();
    TAILQ_INIT(&m->holdings);
    log_info("presence: machine %.*s is there", PRESENCE_MACHINE, name);
    return m;
}

/* What it said does not follow what was heard before: read anew. */
static void
machine_gap(struct peers *p, struct machine *m)
{
    m->judged = false;
    p->due = true;
}

static void
machine_heard(struct peers *p, struct machine *m, const struct presence_head *h,
              uint64_t now)
{
    if (h->epoch != m->epoch || h->number != m->number + 1
        || h->whole != m->whole || m->dead) {
        machine_gap(p, m);
    }
    m->epoch = h->epoch;
    m->number = h->number;
    m->whole = h->whole;
    m->ttl_s = h->ttl_s;
    m->heard = now;
    m->at = wall_ms();
    m->dead = false;
}

int
peers_frame(struct peers *p, struct str frame, uint64_t now)
{
    struct presence_head head;
    struct presence_row row;
    struct machine *m;
    int rc;

    if (presence_get_head(&frame, &head) != 0) {
        return -1;
    }
    if (memcmp(head.machine, p->own, PRESENCE_MACHINE) == 0) {
        return 0;
    }
    m = machine_find(p, head.machine);
    if (m == NULL
        && (m = machine_make(p, head.machine, head.ttl_s, now)) == NULL) {
        return 0;
    }
    machine_heard(p, m, &head, now);
    while ((rc = presence_get_row(&frame, &row)) == 1) {
        apply(p, m, &row);
    }
    if (rc != 0) {
        machine_gap(p, m);
    }
    return rc;
}

void
peers_hold(struct peers *p)
{
    p->held = true;
}

void
peers_resume(struct peers *p, uint64_t now)
{
    p->held = false;
    p->due = true;
    for (unsigned i = 0; i < p->n_machines; i++) {
        p->machines[i].heard = now;
        p->machines[i].judged = false;

        /* it may have said anything meanwhile */
        p->machines[i].whole = false;
    }
}

/* Reading */

bool
peers_due(const struct peers *p)
{
    return p->due && !p->is_reading;
}

void
peers_read_begin(struct peers *p)
{
    p->due = false;
    p->is_reading = true;
    p->sweeping = false;
    p->reading++;
    for (unsigned i = 0; i < p->n_machines; i++) {
        p->machines[i].judged = p->machines[i].whole;
    }
}

void
peers_read(struct peers *p, const char *machine, const struct presence_row *row,
           uint32_t ttl_s, uint64_t now)
{
    struct machine *m;

    if (memcmp(machine, p->own, PRESENCE_MACHINE) == 0) {
        return;
    }
    m = machine_find(p, machine);
    if (m == NULL) {
        m = machine_make(p, machine, ttl_s, now);
    }

    /* a key of its life before, which it has not put there since: nobody
     * takes it away, it will end by itself */
    if (m != NULL && !m->dead && !(m->judged && row->version < m->epoch)) {
        apply(p, m, row);
    }
}

void
peers_read_end(struct peers *p, bool whole)
{
    if (!whole) {
        p->due = true;
        for (unsigned i = 0; i < p->n_machines; i++) {
            p->machines[i].judged = false;
        }
    }
    p->sweeping = true;
}

void
peers_tick(struct peers *p, uint64_t now)
{
    for (unsigned i = 0; i < p->n_machines; i++) {
        struct machine *m = &p->machines[i];

        if (m->used && !m->dead && !p->held
            && now - m->heard > m->ttl_s * 1000ull) {
            log_notice("presence: machine %.*s is silent: its %zu users are "
                       "offline",
                       PRESENCE_MACHINE, m->name, m->n_holdings);
            m->dead = true;
            m->judged = false;
        }
    }
}

/* In front stands whom the reading did not find. */
static bool
machine_work(struct peers *p, struct machine *m, unsigned *budget)
{
    struct holding *h;

    while (
        (h = TAILQ_FIRST(&m->holdings)) != NULL
        && (m->dead || (p->sweeping && m->judged && h->seen != p->reading))) {
        if ((*budget)-- == 0) {
            *budget = 0;
            return true;
        }
        holding_end(p, h, m->at);
    }
    return false;
}

bool
peers_work(struct peers *p)
{
    unsigned budget = PEERS_SLICE;
    struct holding *h;

    for (unsigned i = 0; i < p->n_machines; i++) {
        if (p->machines[i].used && machine_work(p, &p->machines[i], &budget)) {
            return true;
        }
    }
    if (p->is_reading && !p->sweeping) {
        return false;
    }
    while ((h = TAILQ_FIRST(&p->ended)) != NULL) {
        if (budget-- == 0) {
            return true;
        }
        TAILQ_REMOVE(&p->ended, h, link);
        holding_free(p, h);
    }
    if (p->sweeping) {
        p->sweeping = false;
        p->is_reading = false;
    }
    for (unsigned i = 0; i < p->n_machines; i++) {
        struct machine *m = &p->machines[i];

        m->used = m->used && !(m->dead && m->n_holdings == 0);
    }
    return false;
}

bool
peers_next(struct peers *p, struct peers_change *c)
{
    struct remote *r;
    bool found = false;

    while (!found && (r = TAILQ_FIRST(&p->changed)) != NULL) {
        TAILQ_REMOVE(&p->changed, r, link);
        r->changed = false;
        found = r->told != (r->n_online != 0);
        if (found) {
            r->told = !r->told;
            memcpy(c->name, r->name, r->name_len);
            c->user = (struct str){c->name, r->name_len};
            c->online = r->told;
            c->at = r->at;
        }
        remote_free_if_idle(p, r);
    }
    return found;
}

/* Whoever is offline may have been forgotten since. */
void
peers_untold(struct peers *p, struct str user, bool online, uint64_t at)
{
    struct remote *r = remote_find(p, user);

    if (r == NULL && !online && (r = remote_make(p, user)) != NULL) {
        r->at = at;
    }
    if (r != NULL && r->told == online) {
        r->told = !online;
        remote_changed(p, r);
        remote_free_if_idle(p, r);
    }
}

bool
peers_online(struct peers *p, struct str user)
{
    const struct remote *r = remote_find(p, user);

    return r != NULL && r->n_online != 0;
}

size_t
peers_users(const struct peers *p)
{
    return p->n_online;
}
