/*
 * Stands for nginx's ngx_core.h: return codes, strings, memory, and a pool
 * that is one counter and one chain of blocks.  Meanings are nginx's own.
 */

#ifndef NGINX_SHIM_NGX_CORE_H
#define NGINX_SHIM_NGX_CORE_H

#include <ngx_config.h>

#define NGX_OK       0
#define NGX_ERROR    -1
#define NGX_AGAIN    -2
#define NGX_DECLINED -5

#define ngx_min(a, b) ((a) > (b) ? (b) : (a))
#define ngx_max(a, b) ((a) < (b) ? (b) : (a))

#define ngx_memcpy(d, s, n) ((void) memcpy(d, s, n))
#define ngx_cpymem(d, s, n) (((u_char *) memcpy(d, s, n)) + (n))
#define ngx_memmove(d, s, n) ((void) memmove(d, s, n))
#define ngx_memzero(p, n)   ((void) memset(p, 0, n))
#define ngx_memcmp(a, b, n) memcmp(a, b, n)

typedef struct {
    size_t len;
    u_char *data;
} ngx_str_t;

#define ngx_string(str)                                                        \
    {                                                                          \
        sizeof(str) - 1, (u_char *) str                                        \
    }
#define ngx_null_string                                                        \
    {                                                                          \
        0, NULL                                                                \
    }

struct nginx_shim_block {
    struct nginx_shim_block *next;
    unsigned char data[];
};

typedef struct ngx_pool_cleanup_s ngx_pool_cleanup_t;

struct ngx_pool_cleanup_s {
    void (*handler)(void *data);
    void *data;
    ngx_pool_cleanup_t *next;
};

/* `fail` makes every allocation fail. */
typedef struct {
    struct nginx_shim_block *blocks;
    int fail;
    ngx_pool_cleanup_t *cleanup;
} ngx_pool_t;

static inline void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    struct nginx_shim_block *b;

    b = pool->fail ? NULL : malloc(sizeof(*b) + size);

    if (b == NULL) {
        return NULL;
    }

    b->next = pool->blocks;
    pool->blocks = b;

    return b->data;
}

static inline void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void *p;

    p = ngx_pnalloc(pool, size);

    return p ? memset(p, 0, size) : NULL;
}

static inline ngx_pool_cleanup_t *
ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t *c;

    c = ngx_pcalloc(pool, sizeof(*c) + size);

    if (c == NULL) {
        return NULL;
    }

    c->data = size ? c + 1 : NULL;
    c->next = pool->cleanup;
    pool->cleanup = c;

    return c;
}

static inline void
nginx_shim_clear_pool(ngx_pool_t *pool)
{
    struct nginx_shim_block *b;
    ngx_pool_cleanup_t *c;

    for (c = pool->cleanup; c != NULL; c = c->next) {
        if (c->handler) {
            c->handler(c->data);
        }
    }

    pool->cleanup = NULL;

    while ((b = pool->blocks) != NULL) {
        pool->blocks = b->next;
        free(b);
    }
}

#endif
