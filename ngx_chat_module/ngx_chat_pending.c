
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"


/*
 * The requests without an answer, by number: open addressing, at most half
 * full.  Of the process, as the numbers are.
 */

#define NGX_CHAT_PENDING_MIN  64


static ngx_int_t ngx_chat_pending_resize(ngx_uint_t size);
static ngx_uint_t ngx_chat_pending_home(uint64_t number);


static ngx_chat_pending_t  *ngx_chat_pending;
static ngx_uint_t           ngx_chat_pending_size;     /* a power of two */
static ngx_uint_t           ngx_chat_pending_n;
static uint64_t             ngx_chat_pending_last;


uint64_t
ngx_chat_pending_number(void)
{
    ngx_uint_t  size;

    if (2 * (ngx_chat_pending_n + 1) > ngx_chat_pending_size) {
        size = ngx_max(2 * ngx_chat_pending_size, NGX_CHAT_PENDING_MIN);

        if (ngx_chat_pending_resize(size) != NGX_OK) {
            return 0;
        }
    }

    return ++ngx_chat_pending_last;
}


ngx_chat_pending_t *
ngx_chat_pending_add(uint64_t number)
{
    ngx_uint_t           i;
    ngx_chat_pending_t  *p;

    i = ngx_chat_pending_home(number);

    while (ngx_chat_pending[i].number) {
        i = (i + 1) & (ngx_chat_pending_size - 1);
    }

    ngx_chat_pending_n++;

    p = &ngx_chat_pending[i];
    p->number = number;

    return p;
}


ngx_chat_pending_t *
ngx_chat_pending_find(uint64_t number)
{
    ngx_uint_t  i;

    if (ngx_chat_pending_n == 0 || number == 0) {
        return NULL;
    }

    for (i = ngx_chat_pending_home(number);
         ngx_chat_pending[i].number;
         i = (i + 1) & (ngx_chat_pending_size - 1))
    {
        if (ngx_chat_pending[i].number == number) {
            return &ngx_chat_pending[i];
        }
    }

    return NULL;
}


void
ngx_chat_pending_delete(ngx_chat_pending_t *p)
{
    ngx_uint_t  i, j, mask, home;

    mask = ngx_chat_pending_size - 1;
    i = p - ngx_chat_pending;

    /* what was pushed past this entry moves back, so no search breaks off */

    for (j = (i + 1) & mask; ngx_chat_pending[j].number; j = (j + 1) & mask) {
        home = ngx_chat_pending_home(ngx_chat_pending[j].number);

        if (((j - home) & mask) >= ((j - i) & mask)) {
            ngx_chat_pending[i] = ngx_chat_pending[j];
            i = j;
        }
    }

    ngx_chat_pending[i].number = 0;
    ngx_chat_pending_n--;

    if (8 * ngx_chat_pending_n < ngx_chat_pending_size
        && ngx_chat_pending_size > NGX_CHAT_PENDING_MIN)
    {
        (void) ngx_chat_pending_resize(ngx_chat_pending_size / 2);
    }
}


static ngx_uint_t
ngx_chat_pending_home(uint64_t number)
{
    /* Fibonacci hashing: neighbours are spread over the whole table */

    return (ngx_uint_t) ((number * 0x9e3779b97f4a7c15ull) >> 32)
           & (ngx_chat_pending_size - 1);
}


static ngx_int_t
ngx_chat_pending_resize(ngx_uint_t size)
{
    ngx_uint_t           i, j, old_size;
    ngx_chat_pending_t  *old, *new;

    new = ngx_calloc(size * sizeof(ngx_chat_pending_t), ngx_cycle->log);
    if (new == NULL) {
        return NGX_ERROR;
    }

    old = ngx_chat_pending;
    old_size = ngx_chat_pending_size;

    ngx_chat_pending = new;
    ngx_chat_pending_size = size;

    for (i = 0; i < old_size; i++) {

        if (old[i].number == 0) {
            continue;
        }

        j = ngx_chat_pending_home(old[i].number);

        while (new[j].number) {
            j = (j + 1) & (size - 1);
        }

        new[j] = old[i];
    }

    if (old) {
        ngx_free(old);
    }

    return NGX_OK;
}
