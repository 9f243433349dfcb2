/*
 * Reads 'F' and tells a store of ours from an empty one and from everything
 * else; see storage_format.h.
 */

#include "storage_format.h"

#include <stdio.h>

#include "storage_key.h"
#include "storage_record.h"

static int format_absent(const struct engine_ops *ops, struct engine *e,
                         const char **error);


int
storage_format_check(const struct engine_ops *ops, struct engine *e,
                     const char **error)
{
    static _Thread_local char text[160];
    struct buf value;
    struct key key;
    uint32_t format = 0;

    buf_init(&value);
    key_format(&key);

    int rc = ops->get(e, key_str(&key), &value);
    int bad = rc == 1 && record_get_u32(buf_str(&value), &format) != 0;

    buf_clear(&value);

    if (rc < 0) {
        *error = "the store cannot be read: see the log";
        return -1;
    }

    if (rc == 0) {
        return format_absent(ops, e, error);
    }

    if (bad || format == 0) {
        *error = "the store is corrupt: its format record is not one: restore "
                 "it from a copy";
        return -1;
    }

    if (format > STORAGE_FORMAT) {
        snprintf(text, sizeof(text),
                 "the store has format %u and this chatd knows %u: it was "
                 "written by a newer version, install that one",
                 (unsigned) format, (unsigned) STORAGE_FORMAT);
        *error = text;
        return -1;
    }

    return format < STORAGE_FORMAT ? 2 : 0;
}


static int
format_absent(const struct engine_ops *ops, struct engine *e,
              const char **error)
{
    struct engine_iter *i = ops->iter_open(e);
    int rc = 1;

    if (i == NULL) {
        *error = "out of memory";
        return -1;
    }

    ops->iter_seek(i, STR(""));

    if (ops->iter_valid(i)) {
        *error = "the database has records but no format: it is no chat store, "
                 "or a corrupt one";
        rc = -1;
    } else if (ops->iter_error(i) != 0) {
        *error = "the store cannot be read: see the log";
        rc = -1;
    }

    ops->iter_close(i);
    return rc;
}
