/*
 * The methods of the inbox: inbox.sync and inbox.ack.
 */

#ifndef WORKERS_INBOX_H
#define WORKERS_INBOX_H

struct family;

extern const struct family inbox_family;

#endif
