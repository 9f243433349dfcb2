/*
 * The methods of contacts: list, request, accept, decline, remove, block,
 * unblock.
 */

#ifndef WORKERS_CONTACT_H
#define WORKERS_CONTACT_H

struct family;

extern const struct family contact_family;

#endif
