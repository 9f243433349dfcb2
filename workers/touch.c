/* See touch.h. */

#include "touch.h"

#include <stdlib.h>

#include "barred.h"
#include "front.h"
#include "session_inner.h"
#include "worker.h"

#define CLOSE_POLICY 1008

/* A question; session is NULL when it was closed meanwhile. */
struct touch {
    struct sessions *all;
    struct session *session;
};

static void
end(struct session *s)
{
    struct sessions *all = s->user->all;
    struct str reason = STR("token_ended");

    if (s->state != SESSION_OPENING) {
        s->ended = true;
        front_end(s->link, s->handle, CLOSE_POLICY, reason);
        return;
    }
    front_refuse(s->link, s->handle, 401, 0, reason,
                 STR("the log-in was ended or the device removed"));
    session_close(all, s);
}

static void
touch_done(const struct storage_result *r, void *data)
{
    struct touch *t = data;
    struct sessions *all = t->all;
    struct session *s = t->session;

    free(t);
    if (s == NULL) {
        return;
    }
    s->touch = NULL;
    if (barred_is(r->status)) {
        barred_end(s->user, r->status);
    } else if (r->status == STORAGE_TOKEN_ENDED) {
        end(s);
    } else if (s->state != SESSION_OPENING) {
        /* the storage that could not say tells when it is back */
        return;
    } else if (r->status != STORAGE_OK) {
        session_refuse(s);
    } else if (s->user->state == USER_SUBSCRIBED) {
        session_become_ready(s);
        stream_pump(all);
    }
}

/* Is its token still good? */
static int
ask(struct session *s, bool device, bool known)
{
    struct storage_op op = {
        .type = STORAGE_TOUCH,
        .flags = known ? STORAGE_KNOWN : 0,
        .user = session_user(s),
        .device = device ? session_device(s) : STR(""),
        .number = device ? s->issued_at : 0,
        .cursor = session_jti(s),
    };
    struct touch *t = malloc(sizeof(*t));

    if (t == NULL) {
        return -1;
    }
    *t = (struct touch){s->user->all, s};
    s->touch = t;
    storage_submit(s->user->all->worker->storage, &op, touch_done, t);
    return 0;
}

int
touch_opening(struct session *s, bool device_given)
{
    return ask(s, device_given, s->resumed);
}

static void
touch_closing_done(const struct storage_result *r, void *data)
{
    (void) r;
    (void) data;
}

void
touch_closing(struct session *s)
{
    struct storage_op op = {
        .type = STORAGE_TOUCH,
        .flags = STORAGE_KNOWN,
        .user = session_user(s),
        .device = session_device(s),
    };

    if (s->touch != NULL) {
        s->touch->session = NULL;
    }
    if (s->state != SESSION_OPENING) {
        storage_submit(s->user->all->worker->storage, &op, touch_closing_done,
                       NULL);
    }
}

void
touch_user(struct user *u)
{
    struct session *s, *next;

    for (s = TAILQ_FIRST(&u->sessions); s != NULL; s = next) {
        /* an answer at once may close it */
        next = TAILQ_NEXT(s, of_user);
        if (s->touch == NULL && !s->ended
            && (s->issued_at != 0 || session_jti(s).len != 0)
            && ask(s, true, true) != 0) {
            s->ended = true;
            front_end(s->link, s->handle, CLOSE_POLICY, STR("unavailable"));
        }
    }
}

void
touch_all(struct sessions *all)
{
    struct map_entry *e;
    size_t pos = 0;

    while ((e = map_next(&all->by_name, &pos)) != NULL) {
        touch_user(map_container(e, struct user, by_name));
    }
}
