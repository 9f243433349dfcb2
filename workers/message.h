/*
 * The methods of messages: message.send, message.get, message.history.
 */

#ifndef WORKERS_MESSAGE_H
#define WORKERS_MESSAGE_H

struct family;

extern const struct family message_family;

#endif
