/* Who is in a channel; see storage_state.h. */

#include "storage_state.h"

#include <stdlib.h>
#include <string.h>


struct member *
channel_member(const struct channel *ch, const struct user *u)
{
    uint32_t n;

    for (n = 0; n < ch->n_members; n++) {
        if (ch->members[n].user == u) {
            return &ch->members[n];
        }
    }

    return NULL;
}


struct member *
channel_join(struct embedded *e, struct channel *ch, struct user *u,
             enum storage_role role)
{
    struct member *m;

    if (ch->n_members == ch->members_cap) {
        uint32_t cap = ch->members_cap == 0 ? 2 : ch->members_cap * 2;

        m = realloc(ch->members, cap * sizeof(*m));
        if (m == NULL) {
            return NULL;
        }

        ch->members = m;
        ch->members_cap = cap;
        channel_count(e, ch);
    }

    user_ref(e, u);
    m = &ch->members[ch->n_members++];
    memset(m, 0, sizeof(*m));
    m->user = u;
    m->role = (uint8_t) role;
    return m;
}


void
channel_part(struct embedded *e, struct channel *ch, struct member *m)
{
    struct member *end = ch->members + ch->n_members;

    user_unref(e, m->user);
    memmove(m, m + 1, (size_t) ((char *) end - (char *) (m + 1)));
    ch->n_members--;
}
