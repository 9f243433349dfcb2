/*
 * The format of a store as a whole, kept under 'F': what a program looks at
 * before it touches anything else.
 */

#ifndef STORAGE_FORMAT_H
#define STORAGE_FORMAT_H

#include "storage_engine.h"

/* 2: inbox entries in runs; what 1 wrote are runs of one */
#define STORAGE_FORMAT 2

/*
 * 0: a store this program can use.  1: an empty one; 2: one of an older format
 * that it can use; 'F' has to be written with the first batch then.  -1: of a newer format, not a store of ours, or not
 * readable; *error (static storage) says what to do.
 */
int storage_format_check(const struct engine_ops *ops, struct engine *e,
                         const char **error);

#endif
