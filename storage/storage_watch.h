/*
 * Who may see a user's presence, who asked to be told of it, and the telling.
 * Contacts and fellow members may, unless the user blocks them: members of a
 * group, or of a direct channel in which both have written.
 */

#ifndef STORAGE_WATCH_H
#define STORAGE_WATCH_H

#include "storage_presence.h"

void watch_open(struct embedded *e);
void watch_close(struct embedded *e);

/* Looks for watchers who are gone; every few seconds. */
void watch_tick(struct embedded *e);

/* Tells contacts and watchers of a change. */
void watch_tell(struct embedded *e, struct user *u, bool online, uint64_t at);

/* A block by u begins or ends: one who watches him and is no friend, but a
 * fellow member, is told what he sees now. */
void watch_tell_blocked(struct embedded *e, const struct user *u,
                        uint64_t watcher, bool blocked);

/* He was a friend of u: where he sees him no longer, as a fellow member, he is
 * told that u is offline. */
void watch_tell_parted(struct embedded *e, const struct user *u, uint64_t to);

/* `"user":"U","online":B,"last_active_at":N}`; 0 is null. */
void watch_json(struct buf *b, struct str user, bool online, uint64_t at);

/* storage_presence.c */
bool presence_online(struct embedded *e, uint64_t number, struct str name);
uint64_t presence_active_at(struct embedded *e, const struct user *u);

#endif
