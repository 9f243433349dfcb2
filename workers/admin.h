/*
 * The store's control socket, RUN_DIR/control.sock, for chatctl: readable and
 * writable by the pool's own user only, who may do what an administrator may.
 */

#ifndef WORKERS_ADMIN_H
#define WORKERS_ADMIN_H

struct admin;
struct role_config;
struct storage;
struct uv_loop_s;

/* NULL after log_error. */
struct admin *admin_open(struct uv_loop_s *loop, const struct role_config *c,
                         struct storage *storage);

/* Ends all links and the listener; frees itself in a later turn. */
void admin_close(struct admin *a);

#endif
