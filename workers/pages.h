/*
 * The pages that a session has asked for.  Answers with pages may be large, and
 * nginx has to keep what a client does not read: so at most two requests for
 * them are on their way, from the storage to the client's socket, and the
 * others wait here, in order.  A batch is by itself.
 *
 * nginx reads no more from a connection with 128 requests unanswered; it keeps
 * them until they are answered, and reads from nobody when that is much.  So few
 * bytes of requests wait: one of any length, or several up to the bound below.
 * What is no request for pages waits for nothing.  When the session goes, what
 * waits has failed.
 *
 * A change waits for nothing either: it takes effect in its turn.  Where it is
 * answered with a message, the answer waits, unless the request was long, too.
 * Nobody keeps it: the message is read again.
 */

#ifndef WORKERS_PAGES_H
#define WORKERS_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

#define PAGES_WAITING_MAX 262144 /* bytes of the requests of a session */

struct call;
struct origin;
struct request;
struct session;
struct storage_op;

/*
 * True: the op of a call for pages may be submitted at once.  Else a copy of it
 * waits, and is submitted or the call failed later; without memory for that,
 * or when too much waits, the call has failed.
 */
bool pages_take(struct call *c, const struct origin *o,
                const struct storage_op *op);

/*
 * The answer to a change, of len bytes.  True: it may go out.  Else it is not
 * kept: *again, an op whose result is an answer, too, is submitted later, and
 * that may go out then; or too much waits, and the call has failed.  The user is
 * filled in.
 */
bool pages_answer(struct call *c, size_t len, struct storage_op *again);

/* Before and after the reply to a request that has taken its place. */
void pages_reply(struct request *r, const struct str *parts, unsigned n);
void pages_replied(const struct request *r);

/* So many large replies have been written to the client. */
void pages_drained(struct session *s, uint32_t n);

#endif
