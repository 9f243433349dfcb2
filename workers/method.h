/*
 * JSON-RPC 2.0: takes the text of a request apart (one call or a batch),
 * finds each method in the table, checks its parameters by the table's rows
 * and the user's rate, and starts the calls in order.
 */

#ifndef WORKERS_METHOD_H
#define WORKERS_METHOD_H

#include "str.h"

#include "call.h"

struct json;

/*
 * Every request is closed by exactly one front_reply, before return or
 * later.  Text and origin live until return.
 */
void method_receive(const struct origin *o, struct str text);

/*
 * The parts of it, for route.c.  The tree of method_parse lives until the
 * next message is parsed; a rate of 0 may pass; method_start answers the
 * call, now or later.
 */
enum chat_error method_parse(const struct origin *o, struct str text,
                             const struct json **root);
unsigned method_take_rate(const struct origin *o);
const struct method *method_find(struct str name);
void method_start(struct call *c, const struct origin *o,
                  const struct json *params);

#endif
