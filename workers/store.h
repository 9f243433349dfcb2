/*
 * The store role: the storage behind a socket.  Workers send operations,
 * which go to the embedded storage in the order they came; results and events
 * go back in commit order, events only to the workers whose users they are
 * for.  It also routes what workers have for each other's users.
 */

#ifndef WORKERS_STORE_H
#define WORKERS_STORE_H

struct role_config;

/* The role's main: returns the process's exit status. */
int store_main(const struct role_config *config);

#endif
