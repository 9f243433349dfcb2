/*
 * The pages that a session has asked for.  Answers with pages may be large, and
 * nginx has to keep what a client does not read: so at most two requests for
 * them are on their way, from the storage to the client's socket, and the
 * others wait here, in order.  A batch is by itself.
 *
 * nginx reads no more from a connection with 128 requests unanswered, so what
 * waits is bounded; what is no request for pages waits for nothing.  When the
 * session goes, what waits has failed.
 */

#ifndef WORKERS_PAGES_H
#define WORKERS_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct call;
struct origin;
struct request;
struct session;
struct storage_op;

/*
 * True: the op of a call for pages may be submitted at once.  Else a copy of it
 * waits, and is submitted or the call failed later; without memory for that
 * the call has failed.
 */
bool pages_take(struct call *c, const struct origin *o,
                const struct storage_op *op);

/* Before and after the reply to a request that has taken its place. */
void pages_reply(struct request *r, const struct str *parts, unsigned n);
void pages_replied(const struct request *r);

/* So many large replies have been written to the client. */
void pages_drained(struct session *s, uint32_t n);

#endif
