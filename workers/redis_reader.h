/*
 * hiredis's reader, with bounds on what one answer may take: in bytes, and in
 * elements of all its arrays.  hiredis takes memory for an array when it has
 * read how long that says it is, keeps its elements until the last one is
 * there, and before 1.0 has no bound of its own.
 */

#ifndef WORKERS_REDIS_READER_H
#define WORKERS_REDIS_READER_H

#include <stddef.h>

#include <hiredis/hiredis.h>

#define REDIS_IN_MAX       ((size_t) 4 << 20) /* bytes of one answer     */
#define REDIS_ELEMENTS_MAX 16384 /* of one answer, in all its arrays     */

struct redis_reader;

struct redis_reader *redis_reader_create(void); /* NULL: out of memory */
void redis_reader_free(struct redis_reader *r);

/* What came.  0, or -1: out of memory. */
int redis_reader_feed(struct redis_reader *r, const char *bytes, size_t n);

/* 1: the next answer, the caller's to free; 0: it is not whole yet; -1: there
 * will be none, and *why says so. */
int redis_reader_get(struct redis_reader *r, redisReply **reply,
                     const char **why);

#endif
