/*
 * The methods of invites: create, list, revoke, get, join.
 */

#ifndef WORKERS_INVITE_H
#define WORKERS_INVITE_H

struct family;

extern const struct family invite_family;

#endif
