/*
 * The methods of channels: create, get, list, change, leave, read, hide.
 */

#ifndef WORKERS_CHANNEL_H
#define WORKERS_CHANNEL_H

struct family;

extern const struct family channel_family;

#endif
