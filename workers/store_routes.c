/* See store_routes.h. */

#include "store_routes.h"

#include <stdlib.h>
#include <string.h>

#define ROUTES_FIRST 1024u

int
store_routes_set(struct store_routes *r, uint64_t number, unsigned index)
{
    size_t n = r->n == 0 ? ROUTES_FIRST : r->n;
    uint8_t *grown;

    while (n <= number && n < SIZE_MAX / 4) {
        n *= 2;
    }
    if (n > r->n) {
        grown = realloc(r->by_number, n);
        if (grown == NULL) {
            return -1;
        }
        memset(grown + r->n, 0, n - r->n);
        r->by_number = grown;
        r->n = n;
    }
    r->by_number[number] = (uint8_t) (index + 1);
    return 0;
}

unsigned
store_routes_find(const struct store_routes *r, uint64_t number)
{
    return number < r->n ? r->by_number[number] : 0;
}

bool
store_routes_end(struct store_routes *r, uint64_t number, unsigned index)
{
    if (store_routes_find(r, number) != index + 1) {
        return false;
    }
    r->by_number[number] = 0;
    return true;
}

void
store_routes_clear(struct store_routes *r)
{
    free(r->by_number);
    *r = (struct store_routes){0};
}
