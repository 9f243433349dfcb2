/*
 * Token buckets, one a user, for the requests of all his connections in this
 * worker.  A bucket that is full again is forgotten, so only users who asked
 * lately cost memory.
 */

#ifndef WORKERS_RATE_H
#define WORKERS_RATE_H

#include <stdint.h>

#include "str.h"

struct rate;

struct rate *rate_create(void); /* NULL: out of memory */
void rate_free(struct rate *r);

/*
 * One request of a user at the time now_ms (any clock that never goes back).
 * per_second is in thousandths of a request, 0: no limit; burst is how many
 * may come at once, at least 1 is taken.  Returns 0 when it may pass, else
 * the seconds to wait, at least 1; a refused request costs nothing.  Out of
 * memory lets it pass.
 */
unsigned rate_take(struct rate *r, struct str user, uint32_t per_second,
                   uint32_t burst, uint64_t now_ms);

#endif
