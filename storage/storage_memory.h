/*
 * What only the memory engine has, for tests: its stores are the process's,
 * known by path, and outlive the engine that opened them.  Faults are ordered
 * by path too, so a test of the storage above needs no engine in its hands.
 */

#ifndef STORAGE_MEMORY_H
#define STORAGE_MEMORY_H

#include <stdbool.h>

/* The next n writes (opens) of this path fail; 0 takes an order back. */
void engine_memory_fail_writes(const char *path, unsigned n);
void engine_memory_fail_opens(const char *path, unsigned n);

/* While held, writes wait inside engine_ops.write. */
void engine_memory_hold_writes(const char *path, bool hold);

/* How many writes have succeeded since the store was made. */
unsigned long engine_memory_writes(const char *path);

/* Forgets a store that no engine has open, and all orders for it. */
void engine_memory_drop(const char *path);

#endif
