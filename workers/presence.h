/*
 * The methods of presence: get, watch, unwatch.
 */

#ifndef WORKERS_PRESENCE_H
#define WORKERS_PRESENCE_H

struct family;

extern const struct family presence_family;

#endif
