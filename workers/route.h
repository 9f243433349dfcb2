/*
 * HTTP resources: which method and path is which JSON-RPC method, and how
 * path, query and body become its parameters.  A parameter may stand in any
 * of the three, in one of them only.
 */

#ifndef WORKERS_ROUTE_H
#define WORKERS_ROUTE_H

#include "str.h"

struct origin;

/* Strings live until route_receive returns.  Where a body may hold a password
 * it is overwritten. */
struct route_request {
    struct str method;
    struct str path; /* below the prefix of the API, decoded          */
    struct str args; /* the query as sent; `token` and `device` are   */
                     /* nginx's                                       */
    struct str last_event_id; /* of an event source that came again */
    struct str body; /* JSON; empty: none                             */
};

/* Closed by exactly one front_answer, before return or later. */
void route_receive(struct origin *o, const struct route_request *q);

#endif
