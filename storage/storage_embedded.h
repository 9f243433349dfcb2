/*
 * The embedded storage from the inside: what its parts share.
 *
 * One loop thread decides everything, in the order of submission, against
 * users and channels in memory (storage_state.h).  Each operation is a
 * request; its step function runs as often as it needs to, and either waits
 * (for an object to be loaded, for a look at the disk, for its turn in the
 * channel) or ends: with an answer, which joins the commit being collected
 * and is given once that is durable, or by going to a reader thread.
 *
 * A failed write drops all of this memory (embedded_fail): nothing here may
 * survive it but the requests that reader threads hold.
 */

#ifndef STORAGE_EMBEDDED_H
#define STORAGE_EMBEDDED_H

#include <sys/queue.h>
#include <uv.h>

#include "buf.h"
#include "map.h"
#include "storage_backend.h"
#include "storage_commit.h"
#include "storage_key.h"
#include "storage_reader.h"
#include "storage_record.h"
#include "storage_wake.h"
#include "storage_watchers.h"

struct channel;
struct embedded;
struct erase_list;
struct filter_window;
struct made_user;
struct message;
struct request;
struct user;

/*
 * How far the step function of a request has come.  What it calls on its way
 * says so, too: anything but STEP_GO is what it returns itself.
 */
enum step {
    STEP_WAIT, /* something will request_wake() it           */
    STEP_DONE, /* answered, or handed to a reader: hands off */
    STEP_GO,   /* neither: it goes on                        */
};

/* Requests in a row, linked by one of their two links. */
struct request_queue {
    struct request *first, **last;
};

/* What is said when a commit is durable: a result, or an event. */
struct output {
    struct output *next;
    bool is_event;
};

struct request {
    struct output out; /* first: an answered request is an output */
    struct storage_op op;
    storage_done *done; /* NULL: the storage's own */
    void *data;
    enum step (*step)(struct embedded *e, struct request *r);
    struct storage_result result;

    struct request *open_next, **open_prev; /* while not ended        */
    struct channel *channel;                /* in whose queue it is   */
    struct request *channel_next;
    struct request *wait_next; /* in the row of what it waits for     */
    struct user *pin_user;     /* kept in memory until it is answered */
    struct user *pin_other;    /* likewise                            */
    struct channel *pin_channel;

    /* storage_outcome.c */
    struct map_entry outcome_entry;
    struct str outcome_key; /* empty: nothing to be kept */
    struct request_queue repeats;
    uint8_t outcome_state;
    bool outcome_owner;
    bool woken;
    bool own;           /* the storage's own: nobody is barred from it */
    struct buf outcome; /* the first answer, when this is a repeat */

    uint8_t look; /* storage_account.c: enum account_look_state */

    /* Of the storage's own requests. */
    uint64_t user_number;
    uint64_t message_id;

    size_t size;
    char strings[];
};

/* A recipient of an event. */
struct fan {
    struct user *user;
    uint64_t inbox_id; /* 0: live only */
};

struct event {
    struct output out; /* first */
    enum storage_event_method method;
    struct str tail;
    struct channel *channel; /* pinned until the event is out */
    uint64_t message_id;     /* 0: none                       */
    struct message *message; /* pinned likewise, or NULL      */
    uint32_t rev;            /* of the message, for inboxes   */
    uint32_t n_fans;
    struct fan fans[];
};

enum embedded_state {
    EMBEDDED_OPEN,
    EMBEDDED_BROKEN, /* a write failed: until the engine is open again */
    EMBEDDED_CLOSING,
};

struct lru {
    struct lru *next, *prev;
};

/* Operations beyond this many bytes are refused. */
#define EMBEDDED_REQUESTS_MAX ((size_t) 512 << 20)

#define EMBEDDED_REOPEN_DELAY_MS 50 /* at first */

/* Memory that a scratch buffer keeps. */
#define EMBEDDED_SCRATCH 65536

TAILQ_HEAD(away_list, away);
TAILQ_HEAD(presence_write_list, presence_write);

struct embedded {
    uv_loop_t *loop;
    const struct engine_ops *ops;
    struct storage_handlers handlers;
    enum embedded_state state;
    uint64_t epoch; /* how often the memory was dropped */
    struct readers *readers;
    struct committer *committer;

    struct wake wake; /* something ended on another thread           */
    uv_check_t check; /* the end of a turn: hand over what it brought */
    uv_idle_t idle;   /* keeps the turn short while there is output   */
    uv_timer_t tick;  /* once a second                                */
    uv_timer_t receipt_timer;
    uv_timer_t ending_timer;
    int n_handles;
    bool closing;
    void (*closed)(void *data);
    void *closed_data;

    struct commit *collecting;
    struct commit *committing; /* with the commit thread, or NULL */
    struct commit *spare;
    uint64_t sequence; /* last handed over */
    uint64_t published;
    uint64_t next_user, next_channel;
    bool write_format;
    unsigned reopen_delay_ms;

    struct request *open, **open_last; /* every request that has not ended */
    struct request_queue runnable;
    size_t request_bytes; /* of all requests, also answered ones */

    /* storage_state.c */
    struct map users_by_name, users_by_number;
    struct map channels_by_id, channels_by_number;
    struct lru users, channels; /* users: those nothing refers to */
    size_t cached, cache_max;   /* bytes                          */
    uint64_t evictions;

    /* storage_message.c */
    struct map messages;
    struct lru messages_lru;
    size_t message_bytes;
    struct request_queue unpublished; /* wait for a commit to be published */

    /* storage_outcome.c */
    struct map outcomes; /* in flight */
    struct filter_window *days, *slots;
    bool outcomes_building, outcomes_dropping, outcomes_deleted;

    /* storage_index.c */
    bool index_due, index_busy;
    uint64_t index_after; /* the last user looked at */
    /* storage_ending.c */
    uint64_t ending_after; /* the sequence to be seen by it */
    bool ending_due, ending_busy;
    unsigned ending_wait; /* ticks, after something failed */

    /* storage_erase.c */
    bool erase_due, erase_busy, erased_busy;
    unsigned erase_stage;       /* enum erase_stage                */
    unsigned erase_wait;        /* ticks until the next round      */
    uint64_t erase_after;       /* the sequence to be seen in it   */
    struct erase_list *erasing; /* what is at work, or NULL        */

    /* storage_marker.c */
    struct channel *dirty_channels, *writing_channels, *waiting_channels;
    struct user *dirty_users, *writing_users, *waiting_users;
    struct engine_batch *behind; /* with the commit thread while writing */
    bool behind_busy;
    bool behind_more;             /* not all that is dirty had room  */
    bool dropped_busy;            /* what is written is what follows */
    struct engine_batch *dropped; /* old outcomes to delete, or NULL */
    struct engine_batch *erased;  /* of storage_erase.c, or NULL     */
    struct channel *receipts;     /* channels that owe some          */

    /* storage_account.c */
    struct made_user *made, **made_last; /* a look may not see them */
    unsigned n_looks;                    /* at work                 */

    /* storage_presence.c, storage_watch.c */
    bool presence_started;
    uint64_t presence_timeout_ms;
    struct map away;
    struct watchers watched;
    struct away_list away_list;
    struct map presence_writes; /* to be written behind */
    struct presence_write_list presence_write_list;

    uint8_t *subscribed; /* a bit a user number */
    size_t n_subscribed; /* bytes               */

    struct buf record; /* scratch */
    struct buf text;   /* scratch */
    struct storage_target *targets;
    uint32_t n_targets;

    unsigned ticks;       /* seconds                             */
    uint64_t stall_us[2]; /* of this minute and the one before */
    struct storage_stats stats;
};

/* Milliseconds since the epoch. */
uint64_t embedded_now(void);

/* The scratch buffers, empty. */
struct buf *embedded_record(struct embedded *e);
struct buf *embedded_text(struct embedded *e);

/* Adds to what is collected; the sequence number comes of itself. */
void embedded_put(struct embedded *e, const struct key *key,
                  const struct buf *value);
void embedded_delete(struct embedded *e, const struct key *key);

/*
 * An event of the commit being collected, with room for n fans, to be filled
 * and then given to embedded_event() in its place behind the result.  tail
 * must live in the commit's arena.  NULL: out of memory.
 */
struct event *embedded_event_create(struct embedded *e, uint32_t n);
void embedded_event(struct embedded *e, struct event *event);

/* Says what a commit has to say, clears it, and lets the woken go on. */
void embedded_publish(struct embedded *e, struct commit *c);

/* Is there a worker that takes this user's events?  Then no longer: he has no
 * connection any more. */
bool embedded_subscribed(const struct embedded *e, uint64_t number);
void embedded_left(struct embedded *e, uint64_t number);

/* A write failed: all that is not yet published fails, the engine reopens.
 * Then the committer's news of that. */
void embedded_fail(struct embedded *e);
void embedded_reopened(struct embedded *e, const struct committer_news *news);

/* Derives where the sequencer goes on. */
void embedded_start(struct embedded *e, const struct commit_start *start);

/* Does nothing, but while it is active the loop does not sleep. */
void embedded_on_idle(uv_idle_t *idle);

/* Joins what is said when the commit being collected is durable. */
void embedded_output(struct embedded *e, struct output *out);

/* A request that is open.  done NULL: the storage's own.  NULL: no memory. */
struct request *request_create(struct embedded *e, const struct storage_op *op,
                               storage_done *done, void *data);
void request_free(struct embedded *e, struct request *r);

/* An operation of a caller: takes it as far as it goes at once. */
void request_submit(struct embedded *e, struct request *r);

/* One of the storage's own, also for a user who is barred.  0, or -1: no
 * memory, and done is not called. */
int request_submit_own(struct embedded *e, const struct storage_op *op,
                       storage_done *done, void *data);

/* Runs every request that was woken. */
void requests_run(struct embedded *e);

/* Puts it into the row of what it waits for; takes the first one out. */
void request_wait(struct request_queue *q, struct request *r);
struct request *request_next(struct request_queue *q);

void request_wake(struct embedded *e, struct request *r);
void request_wake_all(struct embedded *e, struct request_queue *q);

/* Joins the channel's queue and runs it if it can. */
void request_enqueue(struct embedded *e, struct request *r, struct channel *ch);

/*
 * Ends a request: answered in its place among the commits.  json lives as
 * long as the commit or the request.  For a step function: STEP_DONE.
 */
void request_end(struct embedded *e, struct request *r,
                 enum storage_status status);

static inline enum step
request_answer(struct embedded *e, struct request *r,
               enum storage_status status)
{
    request_end(e, r, status);
    return STEP_DONE;
}

enum step request_answer_json(struct embedded *e, struct request *r,
                              struct str json);

/*
 * Ends a request that ran out of memory half way: what it has changed in
 * memory may be wrong, so the commit is made to fail.  Returns STEP_DONE.
 */
enum step request_poison(struct embedded *e, struct request *r);

/* Keeps what the request has changed in memory until it was answered. */
void request_pin(struct embedded *e, struct request *r, struct user *u,
                 struct channel *ch);
void request_unpin(struct embedded *e, struct request *r);

/* Ends a request that a reader holds: it left the order of commits. */
enum step request_detach(struct embedded *e, struct request *r);
void request_finish(struct embedded *e, struct request *r,
                    const struct storage_result *result);

/* The operations (storage_send.c and so on). */
enum step subscribe_step(struct embedded *e, struct request *r);
enum step unsubscribe_step(struct embedded *e, struct request *r);
enum step send_step(struct embedded *e, struct request *r);
enum step get_message_step(struct embedded *e, struct request *r);
enum step history_step(struct embedded *e, struct request *r);
enum step read_inbox_step(struct embedded *e, struct request *r);
enum step ack_step(struct embedded *e, struct request *r);
enum step create_channel_step(struct embedded *e, struct request *r);
enum step get_channel_step(struct embedded *e, struct request *r);
enum step list_channels_step(struct embedded *e, struct request *r);
enum step add_members_step(struct embedded *e, struct request *r);
enum step remove_members_step(struct embedded *e, struct request *r);
enum step leave_step(struct embedded *e, struct request *r);
enum step update_channel_step(struct embedded *e, struct request *r);
enum step set_role_step(struct embedded *e, struct request *r);
enum step hide_channel_step(struct embedded *e, struct request *r);
enum step read_channel_step(struct embedded *e, struct request *r);
enum step edit_message_step(struct embedded *e, struct request *r);
enum step delete_message_step(struct embedded *e, struct request *r);
enum step react_step(struct embedded *e, struct request *r);
enum step typing_step(struct embedded *e, struct request *r);
enum step mute_channel_step(struct embedded *e, struct request *r);
enum step list_contacts_step(struct embedded *e, struct request *r);
enum step contact_step(struct embedded *e, struct request *r);
enum step get_user_step(struct embedded *e, struct request *r);
enum step update_user_step(struct embedded *e, struct request *r);
enum step search_users_step(struct embedded *e, struct request *r);
enum step list_devices_step(struct embedded *e, struct request *r);
enum step remove_device_step(struct embedded *e, struct request *r);
enum step name_device_step(struct embedded *e, struct request *r);
enum step touch_step(struct embedded *e, struct request *r);
enum step sign_up_step(struct embedded *e, struct request *r);
enum step get_account_step(struct embedded *e, struct request *r);
enum step set_password_step(struct embedded *e, struct request *r);
enum step rehash_step(struct embedded *e, struct request *r);
enum step end_login_step(struct embedded *e, struct request *r);
enum step presence_get_step(struct embedded *e, struct request *r);
enum step presence_start_step(struct embedded *e, struct request *r);
enum step create_invite_step(struct embedded *e, struct request *r);
enum step list_invites_step(struct embedded *e, struct request *r);
enum step revoke_invite_step(struct embedded *e, struct request *r);
enum step get_invite_step(struct embedded *e, struct request *r);
enum step join_invite_step(struct embedded *e, struct request *r);
enum step left_step(struct embedded *e, struct request *r);
enum step elsewhere_step(struct embedded *e, struct request *r);
enum step delete_account_step(struct embedded *e, struct request *r);
enum step export_step(struct embedded *e, struct request *r);
enum step list_users_step(struct embedded *e, struct request *r);
enum step show_user_step(struct embedded *e, struct request *r);
enum step bar_user_step(struct embedded *e, struct request *r);
enum step reset_password_step(struct embedded *e, struct request *r);

#endif
