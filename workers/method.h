/*
 * JSON-RPC 2.0: takes the text of a request apart (one call or a batch),
 * finds each method in the table, checks its parameters by the table's rows
 * and the user's rate, and starts the calls in order.
 */

#ifndef WORKERS_METHOD_H
#define WORKERS_METHOD_H

#include "str.h"

struct origin;

/*
 * Every request is closed by exactly one front_reply, before return or
 * later.  Text and origin live until return.
 */
void method_receive(const struct origin *o, struct str text);

#endif
