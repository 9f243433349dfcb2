/*
 * What the storage says of the tokens of sessions: when they open, when it
 * tells that tokens of the user have ended, and when that may have been
 * missed.  A session whose token is no longer good ends with 1008.
 */

#ifndef WORKERS_TOUCH_H
#define WORKERS_TOUCH_H

#include <stdbool.h>
#include <stdint.h>

struct session;
struct sessions;
struct user;

/* session_become_ready() comes when it is good.  -1: out of memory. */
int touch_opening(struct session *s, bool device_given);

/* The session goes: what is asked is asked for nobody. */
void touch_closing(struct session *s);

/* Asks about those sessions whose tokens can end. */
void touch_user(struct user *u);
void touch_all(struct sessions *all);

#endif
