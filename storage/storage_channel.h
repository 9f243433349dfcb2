/*
 * What operations on a channel share: who may, who is told, how it is shown.
 */

#ifndef STORAGE_CHANNEL_H
#define STORAGE_CHANNEL_H

#include "storage_state.h"

/*
 * The way into every operation on a channel: the user is loaded, a repeat is
 * answered, and whoever is no member hears what he would hear of a channel
 * that is not there.  channel_enter_user() lets him in all the same.
 */
enum step channel_enter_user(struct embedded *e, struct request *r,
                             struct user **u);
enum step channel_enter(struct embedded *e, struct request *r, struct user **u,
                        struct member **m);

/* The same for the management of a group: a member of that role at least. */
enum step group_enter(struct embedded *e, struct request *r,
                      enum storage_role role, struct user **u,
                      struct member **m);

/*
 * Ends a change of a group by u: writes the channel as it is now, tells members
 * and those who are gone, and answers.
 */
enum step group_changed(struct embedded *e, struct request *r,
                        struct channel *ch, struct user *u, struct user **gone,
                        uint32_t n_gone);

/* NULL also while there is no such channel or user. */
struct member *channel_member_of(const struct channel *ch,
                                 const struct user *u);

/* For the step of a request in the channel's queue: newest_event is known
 * when STEP_GO; where it cannot be read, that is the answer. */
enum step channel_await_events(struct embedded *e, struct request *r);

/* A new member, in memory and in the commit; knows all that was said. */
struct member *channel_add(struct embedded *e, struct channel *ch,
                           struct user *u, enum storage_role role);

/*
 * Gives each member the next inbox id for (event->method, id), in the commit
 * and among the event's fans, which have room for them.
 */
void channel_fan_out(struct embedded *e, const struct channel *ch,
                     struct event *event, uint64_t id);

/* The same for event->n_fans users who need not be members. */
void channel_fan_out_to(struct embedded *e, const struct channel *ch,
                        struct event *event, uint64_t id, struct user **users);

/*
 * The text of a channel, in pieces: `{"channel":"...","kind":"..."`; all up
 * to the first member; a member up to its closing `}`.
 */
struct channel_view {
    enum record_channel_kind kind;
    struct str id;
    struct str name;
    struct str avatar;
    uint64_t created_at;
};

void channel_json_id(struct buf *b, enum record_channel_kind kind,
                     struct str id);
void channel_json_view(struct buf *b, const struct channel_view *view);
void channel_json_member(struct buf *b, bool first, struct str user,
                         uint8_t role);

/* {"channel":...}; with each member's markers when asked. */
void channel_json(struct buf *b, const struct channel *ch, bool markers);

/* The result {"channel":{...}} in the commit's arena; .data NULL: no memory */
struct str channel_result(struct embedded *e, const struct channel *ch,
                          bool markers);

/* The same with all markers and what only that member sees of his own. */
struct str channel_result_own(struct embedded *e, const struct channel *ch,
                              const struct member *m);

/* `,"muted_until":` and the time, 0 or null. */
void channel_json_muted(struct buf *b, uint64_t muted);

/* Ends a change by user u: keeps the outcome and answers. */
enum step channel_answer(struct embedded *e, struct request *r, struct user *u,
                         struct str json);

#endif
