/*
 * The devices of a user: how far each has read, when it was last active, and
 * when it was removed.
 */

#ifndef STORAGE_DEVICE_H
#define STORAGE_DEVICE_H

#include "storage_state.h"

/* The device of that id, or NULL. */
struct device *device_find(const struct user *u, struct str id);

/*
 * The same, made if need be: where there is no room the one longest silent
 * goes.  NULL: out of memory.
 */
struct device *device_make(struct embedded *e, struct user *u, struct str id);

/* The least time, in s, that a token of the device may say it was issued: above
 * that of its removal; 0: any. */
uint64_t device_least_time(const struct user *u, struct str id);

/* Its name, on the heap, goes with it. */
void device_forget(struct embedded *e, struct device *d);

/* Noted as active now, to be written behind. */
void device_active(struct embedded *e, struct user *u, struct device *d);

#endif
