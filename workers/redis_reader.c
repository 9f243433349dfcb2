/* See redis_reader.h. */

#include "redis_reader.h"

#include <stdlib.h>

/* What a maker of arrays is given. */
#if HIREDIS_MAJOR >= 1
typedef size_t array_len;
#else
typedef int array_len;
#endif

struct redis_reader {
    redisReader *reader;
    redisReplyObjectFunctions makers; /* the reader's own, but for arrays */
    void *(*make_array)(const redisReadTask *task, array_len n);
    size_t n_bytes;    /* of the answer that is being read */
    size_t n_elements; /* of its arrays                    */
};

static void *
make_array(const redisReadTask *task, array_len n)
{
    struct redis_reader *r = task->privdata;

    r->n_elements += (size_t) n;
    return r->n_elements > REDIS_ELEMENTS_MAX ? NULL : r->make_array(task, n);
}

struct redis_reader *
redis_reader_create(void)
{
    struct redis_reader *r = calloc(1, sizeof(*r));

    if (r == NULL || (r->reader = redisReaderCreate()) == NULL) {
        free(r);
        return NULL;
    }
    r->makers = *r->reader->fn;
    r->make_array = r->makers.createArray;
    r->makers.createArray = make_array;
    r->reader->fn = &r->makers;
    r->reader->privdata = r;
    return r;
}

void
redis_reader_free(struct redis_reader *r)
{
    if (r != NULL) {
        redisReaderFree(r->reader);
        free(r);
    }
}

int
redis_reader_feed(struct redis_reader *r, const char *bytes, size_t n)
{
    r->n_bytes += n;
    return redisReaderFeed(r->reader, bytes, n) == REDIS_OK ? 0 : -1;
}

int
redis_reader_get(struct redis_reader *r, redisReply **reply, const char **why)
{
    void *got = NULL;

    if (redisReaderGetReply(r->reader, &got) != REDIS_OK) {
        *why = r->n_elements > REDIS_ELEMENTS_MAX
                   ? "an answer has too many elements"
               : r->reader->err == REDIS_ERR_OOM ? "out of memory"
                                                 : "not the protocol of Redis";
        return -1;
    }
    if (got == NULL) {
        *why = "an answer is too large";
        return r->n_bytes > REDIS_IN_MAX ? -1 : 0;
    }
    r->n_bytes = r->reader->len - r->reader->pos;
    r->n_elements = 0;
    *reply = got;
    return 1;
}
