/*
 * The answers to requests for HTTP resources: the result itself where
 * JSON-RPC has an envelope, and a problem document (RFC 9457) where it has an
 * error object.  The request stays the caller's.
 */

#ifndef WORKERS_RESOURCE_H
#define WORKERS_RESOURCE_H

#include "call.h"

void resource_reply(const struct request *r, struct str result);

/* retry_after_s 0: what the error has; param names what was at fault, or is
 * empty. */
void resource_fail(const struct request *r, enum chat_error error,
                   unsigned retry_after_s, struct str param);

/* CHAT_ERROR_BAD_ROUTE, with the methods there are. */
void resource_fail_method(const struct request *r, struct str allow);

/* See call.h. */
void resource_reply_token(const struct request *r,
                          const struct token_claims *t);
void resource_reply_events(const struct request *r, bool after_given,
                           uint64_t after);
void resource_reply_wait(const struct request *r, uint64_t after,
                         struct str result);

void resource_reply_page(const struct request *r, struct str next,
                         struct str page);

#endif
