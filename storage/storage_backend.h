/*
 * For implementers of a storage back end; callers include storage.h.  A back
 * end is a constant table; storage.c picks it by the scheme of the address.
 * The rules of storage.h for callbacks, copies and order are the back end's
 * to keep.
 */

#ifndef STORAGE_BACKEND_H
#define STORAGE_BACKEND_H

#include "storage.h"

struct storage_backend {
    const char *scheme;
    void *(*open)(struct uv_loop_s *loop, const char *path,
                  const struct storage_handlers *handlers, const char **error);
    void (*submit)(void *b, const struct storage_op *op, storage_done *done,
                   void *data);
    void (*close)(void *b, void (*closed)(void *data), void *data);
    void (*stats)(const void *b, struct storage_stats *out);
    uint64_t (*sequence)(const void *b);
    bool (*online)(void *b, uint64_t number); /* NULL: not known */
    void (*cache)(void *b, uint64_t bytes);   /* NULL: it has none */
};

/*
 * Whether the bounds of storage.h hold and every id is one: STORAGE_OK, or
 * what the op is to be answered with.  An embedded back end asks; the stub
 * leaves it to the other side.
 */
enum storage_status storage_op_check(const struct storage_op *op);

extern const struct storage_backend storage_backend_leveldb;
extern const struct storage_backend storage_backend_memory;
extern const struct storage_backend storage_backend_remote;

#endif
