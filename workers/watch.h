/*
 * Whose presence a session watches.  The storage knows only that one of the
 * user's sessions does, and forgets it with its process: the names are kept
 * here.
 */

#ifndef WORKERS_WATCH_H
#define WORKERS_WATCH_H

struct session;
struct storage_op;

/* The op's users are watched: 0; -1: too many, 1: out of memory. */
int watch_add(struct session *s, const struct storage_op *op);

/* They no longer are: what no other session of the user watches is let go. */
void watch_remove(struct session *s, const struct storage_op *op);

/* The session closes. */
void watch_forget(struct session *s);

/* The storage was reborn: watches again. */
void watch_again(const struct session *s);

#endif
