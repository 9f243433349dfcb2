/*
 * chatctl's link to the running pool: the store's control socket in the run
 * directory, one question at a time.  Blocking: this is a program that a
 * person waits for.
 */

#ifndef CTL_POOL_H
#define CTL_POOL_H

#include "storage.h"

struct pool;

/* NULL after a message on stderr that says what to do. */
struct pool *pool_open(const char *run_dir);
void pool_close(struct pool *p);

/*
 * Has the store carry out an operation.  0 and the result, which lives until
 * the next call; -1 after a message on stderr: the pool went away.
 */
int pool_call(struct pool *p, const struct storage_op *op,
              struct storage_result *result);

#endif
