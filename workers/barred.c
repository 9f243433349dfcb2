/* See barred.h. */

#include "barred.h"

#include "front.h"
#include "session_inner.h"

#define CLOSE_POLICY 1008

bool
barred_is(enum storage_status status)
{
    return status == STORAGE_USER_DELETED || status == STORAGE_DISABLED;
}

unsigned
barred_refusal(enum storage_status status, struct str *reason,
               struct str *detail)
{
    if (status == STORAGE_USER_DELETED) {
        *reason = STR("user_deleted");
        *detail = STR("the account was deleted");
        return 401;
    }
    *reason = STR("account_disabled");
    *detail = STR("the account is disabled");
    return 403;
}

void
barred_end(struct user *u, enum storage_status status)
{
    struct session *s, *next;
    struct str reason, detail;
    unsigned code = barred_refusal(status, &reason, &detail);

    /* sessions that end keep the record until nginx has closed them: what
     * opens meanwhile has to ask, for he may be barred still */
    if (u->state == USER_SUBSCRIBED) {
        u->state = USER_STALE;
        u->all->n_stale++;
    }
    for (s = TAILQ_FIRST(&u->sessions); s != NULL; s = next) {
        next = TAILQ_NEXT(s, of_user);
        if (s->state == SESSION_OPENING) {
            front_refuse(s->link, s->handle, code, 0, reason, detail);
            session_close(u->all, s);
        } else if (!s->ended) {
            s->ended = true;
            front_end(s->link, s->handle, CLOSE_POLICY, reason);
        }
    }
}

void
barred_event(struct user *u, struct str reason)
{
    barred_end(u, str_eq(reason, STR("user_deleted")) ? STORAGE_USER_DELETED
                                                      : STORAGE_DISABLED);
}
