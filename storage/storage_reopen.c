/*
 * After a failed write: everything that was decided on it fails, the memory
 * is dropped, and the engine is closed and opened again, for as long as it
 * takes.
 */

#include "storage_embedded.h"

#include "log.h"
#include "storage_erase.h"
#include "storage_marker.h"
#include "storage_message.h"
#include "storage_outcome.h"
#include "storage_state.h"

#define REOPEN_DELAY_MAX_MS 5000

static void embedded_reopen(struct embedded *e);
static struct request **embedded_take_results(struct embedded *e,
                                              struct commit *c,
                                              struct request **last);
static void embedded_drop_behind(struct embedded *e);


void
embedded_reopened(struct embedded *e, const struct committer_news *news)
{
    if (e->closing) {
        return;
    }

    if (news->reopened < 0) {
        embedded_reopen(e);
        return;
    }

    log_notice("store: open again");
    e->stats.reopens++;
    e->state = EMBEDDED_OPEN;
    embedded_start(e, &news->start);

    if (e->published < e->sequence) {
        e->published = e->sequence;
    }

    outcome_resume(e);

    /* A batch may have reached the disk though its write failed: nobody was
     * told what was in it. */
    if (e->handlers.lost != NULL) {
        e->handlers.lost(e->handlers.data);
    }
}


static void
embedded_reopen(struct embedded *e)
{
    committer_reopen(e->committer, e->reopen_delay_ms);
    e->reopen_delay_ms *= 2;

    if (e->reopen_delay_ms > REOPEN_DELAY_MAX_MS) {
        e->reopen_delay_ms = REOPEN_DELAY_MAX_MS;
    }
}


void
embedded_fail(struct embedded *e)
{
    struct request *failed = NULL, **last = &failed;

    /* What was on its way behind the write that failed: it is told already,
     * and a second reopening would come when the engine is in use again. */
    if (e->state == EMBEDDED_BROKEN) {
        return;
    }

    log_error("store: a write failed: what was not yet answered fails, "
              "and the store is opened again");

    e->stats.commit_failures++;
    e->state = EMBEDDED_BROKEN;
    e->epoch++;

    if (e->committing != NULL) {
        last = embedded_take_results(e, e->committing, last);

        if (e->spare == NULL) {
            e->spare = e->committing;

        } else {
            commit_free(e->committing, e->ops);
        }

        e->committing = NULL;
    }

    last = embedded_take_results(e, e->collecting, last);
    *last = e->open;
    e->open = NULL;
    e->open_last = &e->open;
    e->runnable.first = NULL;
    e->runnable.last = &e->runnable.first;

    embedded_drop_behind(e);
    outcome_drop(e);
    erase_drop(e);
    messages_clear(e);
    state_clear(e);

    if (!e->closing) {
        embedded_reopen(e);
    }

    while (failed != NULL) {
        struct request *r = failed;

        failed = r->open_next;

        if (r->op.type == STORAGE_UNSUBSCRIBE) {
            embedded_left(e, r->op.number);
        }

        if (r->done != NULL) {
            memset(&r->result, 0, sizeof(r->result));
            r->result.status = STORAGE_UNAVAILABLE;
            r->done(&r->result, r->data);
        }

        request_free(e, r);
    }
}


/* Moves the requests among a commit's outputs to a list and clears it. */
static struct request **
embedded_take_results(struct embedded *e, struct commit *c,
                      struct request **last)
{
    struct output *out;
    struct request *r;

    for (out = c->outputs; out != NULL; out = out->next) {
        if (!out->is_event) {
            r = (struct request *) out;
            *last = r;
            last = &r->open_next;
        }
    }

    *last = NULL;
    commit_clear(c, e->ops);
    return last;
}


static void
embedded_drop_behind(struct embedded *e)
{
    marker_drop(e);
    e->behind_busy = false;
    e->behind_more = false;
    e->dropped_busy = false;
    e->outcomes_dropping = false;

    if (e->behind != NULL) {
        e->ops->batch_clear(e->behind);
    }

    if (e->dropped != NULL) {
        e->ops->batch_free(e->dropped);
        e->dropped = NULL;
    }
}
