/*
 * What of a worker's front and storage no call of a client comes to, for tests
 * that script the rest of both: unexpected(), of whoever includes this, ends
 * the test.
 */

#ifndef TESTS_FRONT_UNUSED_H
#define TESTS_FRONT_UNUSED_H

#include "front.h"
#include "storage.h"

static void unexpected(void);

void
front_refuse(struct session_link *l, uint64_t id, unsigned status,
             unsigned retry_after, struct str reason, struct str detail)
{
    (void) l, (void) id, (void) status, (void) retry_after, (void) reason,
        (void) detail;
    unexpected();
}

void
front_push(struct session_link *l, uint64_t handle, uint64_t inbox_id)
{
    (void) l, (void) handle, (void) inbox_id;
    unexpected();
}

void
front_push_end(struct front *f, const struct storage_event *e)
{
    (void) f, (void) e;
    unexpected();
}

void
front_page(struct session_link *l, uint64_t handle,
           const struct storage_entry *entries, uint32_t n)
{
    (void) l, (void) handle, (void) entries, (void) n;
    unexpected();
}

bool
front_full(struct session_link *l)
{
    (void) l;
    return false;
}

void
front_request_begin(struct session_link *l, struct request *r)
{
    (void) l, (void) r;
}

void
front_request_end(struct session_link *l, struct request *r)
{
    (void) l, (void) r;
}

struct str
storage_event_sync_head(enum storage_event_method method)
{
    (void) method;
    return STR("{\"method\":\"m\",\"params\":{\"inbox_id\":");
}

#endif
