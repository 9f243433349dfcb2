/*
 * See login.h.
 *
 *   sign-up    attempts -> hash the password -> SIGN_UP -> token
 *   log-in     attempts -> GET_ACCOUNT -> check -> token [-> REHASH]
 *   password   attempts -> GET_ACCOUNT -> check and hash -> SET_PASSWORD
 *   deletion   attempts -> GET_ACCOUNT -> check -> DELETE_ACCOUNT
 *
 * A log-in to an account that is not there goes the same way as any other, to
 * the end.
 *
 * A token is as old as the request it answers, which came before the storage
 * was asked: whatever removes the device or ends the log-in while it is made is
 * younger, and ends it.
 */

#include "login.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <uv.h>

#include "attempt.h"
#include "call.h"
#include "hasher.h"
#include "log.h"
#include "login_id.h"
#include "session.h"
#include "storage.h"
#include "worker.h"

#define DEVICE_RANDOM 8 /* bytes of a device id that we make */
#define NAME_BYTES    ((size_t) STORAGE_NAME_CHARS * 4)

enum kind {
    SIGN_UP,
    LOG_IN,
    CHANGE,
    DELETE,
    REHASH, /* after the answer: nobody waits for it */
};

/* A request on its way through storage and hasher. */
struct login {
    struct hasher_job job;
    struct logins *all;
    struct call *call;
    enum kind kind;
    bool nobody;
    bool replayed;
    bool erase;
    bool disabled;
    uint64_t epoch;
    uint64_t received_at; /* s */
    uint64_t least_time;  /* s: a token of the device is not older */
    uint64_t lifetime_s;
    struct str user, device, jti, name, address, request_id;
    char user_text[STORAGE_ID_MAX];
    char device_text[STORAGE_ID_MAX];
    char jti_text[STORAGE_JTI_MAX];
    char name_text[NAME_BYTES];
    char address_text[ATTEMPT_ADDRESS_MAX];
    char request_id_text[CALL_ID_SIZE];
};

struct logins {
    struct worker *worker;
    struct attempts *attempts;
    struct hasher *hasher;
};

static void on_account(const struct storage_result *r, void *data);
static void on_hashed(struct hasher_job *j);

struct logins *
logins_create(struct worker *w)
{
    struct logins *all = calloc(1, sizeof(*all));

    if (all == NULL) {
        return NULL;
    }
    all->worker = w;
    all->attempts = attempts_create();
    all->hasher = all->attempts == NULL ? NULL : hasher_create(w->loop);
    if (all->hasher == NULL) {
        attempts_free(all->attempts);
        free(all);
        return NULL;
    }
    return all;
}

void
logins_close(struct logins *all)
{
    hasher_close(all->hasher);
    all->hasher = NULL;
}

void
logins_free(struct logins *all)
{
    if (all != NULL) {
        attempts_free(all->attempts);
        free(all);
    }
}

static uint64_t
now_ms(const struct logins *all)
{
    return uv_now(all->worker->loop);
}

/* Requests */

static struct str
keep(char *at, size_t room, struct str s)
{
    s.len = s.len < room ? s.len : room;
    if (s.len != 0) {
        memcpy(at, s.data, s.len);
    }
    return (struct str){at, s.len};
}

/* NULL: out of memory; the call has failed. */
static struct login *
login_create(struct call *c, const struct origin *o, enum kind kind,
             struct str user)
{
    struct login *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
        return NULL;
    }
    l->all = o->worker->logins;
    l->call = c;
    l->kind = kind;
    l->job.done = on_hashed;
    l->received_at = o->account->received_at;
    l->lifetime_s = o->account->lifetime_s;
    l->user = keep(l->user_text, sizeof(l->user_text), user);
    l->jti = keep(l->jti_text, sizeof(l->jti_text), o->account->jti);
    l->address = attempt_address(o->account->address, l->address_text);
    l->request_id =
        (struct str){l->request_id_text, call_id(c, o, l->request_id_text)};
    return l;
}

static void
login_free(struct login *l)
{
    OPENSSL_cleanse(&l->job, sizeof(l->job));
    free(l);
}

static void
login_fail(struct login *l, enum chat_error error)
{
    call_fail(l->call, error, STR(""));
    login_free(l);
}

static void
login_fail_status(struct login *l, enum storage_status status)
{
    call_fail_status(l->call, status);
    login_free(l);
}

/* No password was judged, so no attempt was made. */
static void
login_not_made(struct login *l, enum chat_error error)
{
    if (l->kind != SIGN_UP) {
        attempt_not_made(l->all->attempts, l->user, l->address, now_ms(l->all));
    }
    login_fail(l, error);
}

static void
login_hash(struct login *l)
{
    if (hasher_submit(l->all->hasher, &l->job) != 0) {
        login_not_made(l, CHAT_ERROR_BUSY);
    }
}

static void
set_password(struct login *l, struct str s)
{
    l->job.password_len = keep(l->job.password, PASSWORD_MAX, s).len;
}

static void
set_fresh(struct login *l, struct str s)
{
    l->job.fresh_len = keep(l->job.fresh, PASSWORD_MAX, s).len;
}

/* -1: no random numbers. */
static int
set_device(struct login *l, struct str device)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[DEVICE_RANDOM];
    char made[2 * DEVICE_RANDOM];

    if (device.len == 0) {
        if (RAND_bytes(random, sizeof(random)) != 1) {
            return -1;
        }
        for (size_t i = 0; i < sizeof(random); i++) {
            made[2 * i] = digits[random[i] >> 4];
            made[2 * i + 1] = digits[random[i] & 15];
        }
        device = (struct str){made, sizeof(made)};
    }
    l->device = keep(l->device_text, sizeof(l->device_text), device);
    return 0;
}

/* Tokens */

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The call is answered; the jti is the claims' own or a new one. */
static void
reply_token(struct login *l)
{
    char jti[LOGIN_ID_SIZE];
    unsigned char random[LOGIN_ID_RANDOM];
    struct login_id id = {l->epoch, l->lifetime_s};
    struct token_claims t = {.user = l->user, .device = l->device};

    if (RAND_bytes(random, sizeof(random)) != 1) {
        log_error("no random numbers");
        call_fail(l->call, CHAT_ERROR_INTERNAL, STR(""));
        return;
    }
    t.jti = (struct str){jti, login_id_put(jti, &id, random)};
    t.issued_at = later(l->received_at, l->least_time);
    t.expires_at = t.issued_at + l->lifetime_s;
    call_reply_token(l->call, &t);
}

static void
handle_token(struct call *c, const struct origin *o, struct storage_op *op)
{
    const struct origin_account *a = o->account;
    struct token_claims t = {
        .user = o->user, .device = o->device, .jti = a->jti};
    struct login_id id;

    (void) op;
    if (!login_id_get(a->jti, &id) || o->device.len == 0) {
        call_fail(c, CHAT_ERROR_FOREIGN, STR(""));
        return;
    }
    t.issued_at = later(a->received_at, a->issued_at);
    t.expires_at = t.issued_at + earlier(a->lifetime_s, id.lifetime_s);
    call_reply_token(c, &t);
}

/* Every token of this login ends: also one that was made later than this, and
 * one of when the lifetime was set longer. */
static void
handle_log_out(struct call *c, const struct origin *o, struct storage_op *op)
{
    const struct origin_account *a = o->account;
    struct login_id id;
    bool ours = login_id_get(a->jti, &id);

    if (a->jti.len == 0) {
        call_fail(c, CHAT_ERROR_NO_JTI, STR(""));
        return;
    }
    op->cursor = a->jti;
    op->number =
        later(a->expires_at, later(a->issued_at, worker_now_ms() / 1000) + 1
                                 + (ours ? id.lifetime_s : a->lifetime_s));
    call_submit(c, o, op);
}

/* Passwords */

static void
submit_account(struct login *l, bool replayed)
{
    struct storage_op op = {
        .type = STORAGE_GET_ACCOUNT, .user = l->user, .device = l->device};

    /* what was done before the restart is not judged by what it has changed */
    if (replayed) {
        op.request_id = l->request_id;
    }
    storage_submit(l->all->worker->storage, &op, on_account, l);
}

static bool
may_try(struct login *l, bool replayed)
{
    unsigned wait = replayed ? 0
                             : attempt_begin(l->all->attempts, l->user,
                                             l->address, now_ms(l->all));

    if (wait != 0) {
        call_fail_limited(l->call, wait);
        login_free(l);
    }
    return wait == 0;
}

static void
handle_log_in(struct call *c, const struct origin *o, struct storage_op *op)
{
    struct login *l = login_create(c, o, LOG_IN, op->to);

    if (l == NULL || !may_try(l, o->replays != 0)) {
        return;
    }
    set_password(l, op->text);
    if (set_device(l, op->device) != 0) {
        login_not_made(l, CHAT_ERROR_INTERNAL);
        return;
    }
    submit_account(l, false);
}

static void
handle_password(struct call *c, const struct origin *o, struct storage_op *op)
{
    struct login *l = login_create(c, o, CHANGE, o->user);

    if (l == NULL || !may_try(l, o->replays != 0)) {
        return;
    }
    set_password(l, op->text);
    set_fresh(l, op->avatar);
    submit_account(l, o->replays != 0);
}

static void
handle_delete(struct call *c, const struct origin *o, struct storage_op *op)
{
    struct login *l = login_create(c, o, DELETE, o->user);

    if (l == NULL || !may_try(l, o->replays != 0)) {
        return;
    }
    set_password(l, op->text);
    l->replayed = o->replays != 0;
    l->erase = op->number != 0;
    submit_account(l, false);
}

static void
on_changed(const struct storage_result *r, void *data)
{
    struct login *l = data;

    if (r->status == STORAGE_OK) {
        call_reply(l->call, r->json);
        login_free(l);
    } else {
        login_fail_status(l, r->status);
    }
}

/* Where there is no account any more it may have been this very request. */
static void
submit_delete(struct login *l)
{
    struct storage_op op = {
        .type = STORAGE_DELETE_ACCOUNT,
        .flags = (uint8_t) ((l->erase ? STORAGE_ERASE : 0)
                            | (l->replayed ? STORAGE_REPLAYED : 0)),
        .user = l->user,
        .number = l->epoch,
        .request_id = l->request_id,
    };

    storage_submit(l->all->worker->storage, &op, on_changed, l);
}

static void
on_account(const struct storage_result *r, void *data)
{
    struct login *l = data;

    if (r->status == STORAGE_NO_ACCOUNT && l->kind == DELETE && l->replayed) {
        submit_delete(l);
        return;
    }

    if (r->status == STORAGE_NO_ACCOUNT && l->kind == LOG_IN) {
        l->nobody = true;
        (void) keep(l->job.secret, SECRET_SIZE - 1, secret_of_nobody());
        login_hash(l);
        return;
    }
    if (r->status != STORAGE_OK) {
        attempt_not_made(l->all->attempts, l->user, l->address, now_ms(l->all));
        login_fail_status(l, r->status);
        return;
    }
    if (r->duplicate) {
        call_reply(l->call, STR("{}"));
        login_free(l);
        return;
    }
    l->epoch = r->number;
    l->least_time = r->inbox_id;
    l->disabled = r->more;
    (void) keep(l->job.secret, SECRET_SIZE - 1, r->json);
    login_hash(l);
}

static void
on_rehashed(const struct storage_result *r, void *data)
{
    (void) r;
    login_free(data);
}

static void
submit_rehash(struct login *l)
{
    struct storage_op op = {
        .type = STORAGE_REHASH,
        .user = l->user,
        .number = l->epoch,
        .text = {l->job.made, strlen(l->job.made)},
        .request_id = l->request_id,
    };

    storage_submit(l->all->worker->storage, &op, on_rehashed, l);
}

/* The password is kept by too little work: now that it is known it can be
 * kept by more.  When the thread has no time for it the next log-in may. */
static void
begin_rehash(struct login *l)
{
    l->kind = REHASH;
    l->job.secret[0] = '\0';
    set_fresh(l, (struct str){l->job.password, l->job.password_len});
    if (hasher_submit(l->all->hasher, &l->job) != 0) {
        login_free(l);
    }
}

static void
log_in_hashed(struct login *l)
{
    bool good = l->job.result == SECRET_GOOD && !l->nobody;

    if (!good) {
        login_fail(l, CHAT_ERROR_CREDENTIALS);
        return;
    }
    attempt_good(l->all->attempts, l->user, l->address, now_ms(l->all));
    if (l->disabled) {
        login_fail(l, CHAT_ERROR_DISABLED);
        return;
    }
    reply_token(l);
    if (l->job.weak) {
        begin_rehash(l);
    } else {
        login_free(l);
    }
}

static void
change_hashed(struct login *l)
{
    struct storage_op op = {
        .type = STORAGE_SET_PASSWORD,
        .user = l->user,
        .number = l->epoch,
        .cursor = l->jti,
        .text = {l->job.made, strlen(l->job.made)},
        .request_id = l->request_id,
    };

    if (l->job.result != SECRET_GOOD) {
        login_fail(l, CHAT_ERROR_PASSWORD);
        return;
    }
    attempt_good(l->all->attempts, l->user, l->address, now_ms(l->all));
    storage_submit(l->all->worker->storage, &op, on_changed, l);
}

static void
delete_hashed(struct login *l)
{
    if (l->job.result != SECRET_GOOD) {
        login_fail(l, CHAT_ERROR_PASSWORD);
        return;
    }
    attempt_good(l->all->attempts, l->user, l->address, now_ms(l->all));
    submit_delete(l);
}

/* Signing up */

static bool
is_reserved(struct str user, struct str prefix)
{
    if (prefix.len == 0 || user.len < prefix.len) {
        return false;
    }
    /* ids that differ in case only are twins: none of them is to be had */
    for (size_t i = 0; i < prefix.len; i++) {
        char a = user.data[i], b = prefix.data[i];

        a = (char) (a >= 'A' && a <= 'Z' ? a | 0x20 : a);
        b = (char) (b >= 'A' && b <= 'Z' ? b | 0x20 : b);
        if (a != b) {
            return false;
        }
    }
    return true;
}

static enum chat_error
check_sign_up(const struct origin *o, const struct storage_op *op,
              const char **param)
{
    if (is_reserved(op->to, o->account->reserved)) {
        *param = "user";
        return CHAT_ERROR_RESERVED;
    }
    return CHAT_OK;
}

static void
handle_sign_up(struct call *c, const struct origin *o, struct storage_op *op)
{
    struct login *l = login_create(c, o, SIGN_UP, op->to);
    unsigned wait;

    if (l == NULL) {
        return;
    }
    wait = o->replays != 0
               ? 0
               : attempt_sign_up(l->all->attempts, l->address, now_ms(l->all));
    if (wait != 0) {
        call_fail_limited(c, wait);
        login_free(l);
        return;
    }
    set_fresh(l, op->text);
    l->name = keep(l->name_text, sizeof(l->name_text), op->name);
    if (set_device(l, op->device) != 0) {
        login_fail(l, CHAT_ERROR_INTERNAL);
        return;
    }
    login_hash(l);
}

static void
on_signed_up(const struct storage_result *r, void *data)
{
    struct login *l = data;

    if (r->status != STORAGE_OK) {
        login_fail_status(l, r->status);
        return;
    }
    l->epoch = 1;
    reply_token(l);
    login_free(l);
}

static void
sign_up_hashed(struct login *l)
{
    struct storage_op op = {
        .type = STORAGE_SIGN_UP,
        .user = l->user,
        .name = l->name,
        .text = {l->job.made, strlen(l->job.made)},
        .request_id = l->request_id,
    };

    storage_submit(l->all->worker->storage, &op, on_signed_up, l);
}

static void
on_hashed(struct hasher_job *j)
{
    struct login *l = (struct login *) j;

    if (l->kind == REHASH) {
        if (j->result == SECRET_GOOD) {
            submit_rehash(l);
        } else {
            login_free(l);
        }
        return;
    }
    if (j->result == SECRET_FAILED) {
        log_error("a password could not be judged: no memory, or a damaged "
                  "account");
        login_not_made(l, CHAT_ERROR_UNAVAILABLE);
        return;
    }
    switch (l->kind) {
    case SIGN_UP:
        sign_up_hashed(l);
        break;
    case LOG_IN:
        log_in_hashed(l);
        break;
    case DELETE:
        delete_hashed(l);
        break;
    default:
        change_hashed(l);
        break;
    }
}

bool
login_may_be_done(struct str path, enum storage_status status)
{
    if (path.len != 0 && path.data[0] == '/') {
        path.data++;
        path.len--;
    }
    return str_eq(path, status == STORAGE_TOKEN_ENDED    ? STR("logout")
                        : status == STORAGE_USER_DELETED ? STR("account")
                                                         : STR(" "));
}

#define PARAM_PASSWORD(name_, field_)                                          \
    {                                                                          \
        name_, PARAM_BYTES, true, PARAM_FIELD(field_), PASSWORD_MIN,           \
            PASSWORD_MAX                                                       \
    }
#define PARAM_LOGIN                                                            \
    {"user", PARAM_USER, true, PARAM_FIELD(to), 0, 0},                         \
        PARAM_PASSWORD("password", text),                                      \
    {                                                                          \
        "device", PARAM_USER, false, PARAM_FIELD(device), 0, 0                 \
    }

static const struct param sign_up_params[] = {
    PARAM_LOGIN,
    {"display_name", PARAM_CHARS, false, PARAM_FIELD(name), 0,
      STORAGE_NAME_CHARS},
};

static const struct param log_in_params[] = {
    PARAM_LOGIN,
};

static const struct param password_params[] = {
    PARAM_PASSWORD("password", text),
    PARAM_PASSWORD("new_password", avatar),
};

static const struct param delete_params[] = {
    PARAM_PASSWORD("password", text),
    {"erase", PARAM_BOOL, false, PARAM_FIELD(number), 0, 0},
};

static const struct method methods[] = {
    METHOD("signup", STORAGE_SIGN_UP, sign_up_params, .check = check_sign_up,
           .handle = handle_sign_up),
    METHOD("login", STORAGE_GET_ACCOUNT, log_in_params,
           .handle = handle_log_in),
    {.name = "token",          .handle = handle_token  },
    { .name = "logout", .op = STORAGE_END_LOGIN, .handle = handle_log_out},
    METHOD("password", STORAGE_SET_PASSWORD, password_params,
           .handle = handle_password),
    METHOD("account", STORAGE_DELETE_ACCOUNT, delete_params,
           .handle = handle_delete),
};

const struct family login_family = FAMILY(methods);
