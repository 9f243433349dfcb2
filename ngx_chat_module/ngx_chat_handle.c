
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"


/*
 * Names of clients towards the workers: generation and slot.  A name is given
 * once, so that a late frame meets nobody instead of somebody else.  The
 * highest bit is set, which tells a handle from a request number.
 */

#define NGX_CHAT_SLOTS  1024

#define ngx_chat_slot(i)                                                      \
    (&ngx_chat_slots[(i) / NGX_CHAT_SLOTS][(i) % NGX_CHAT_SLOTS])


typedef struct {
    ngx_chat_bridge_peer_t    *peer;         /* NULL: free */
    uint32_t                   generation;
    uint32_t                   next;         /* free one, if this is free */
} ngx_chat_slot_t;


static ngx_int_t ngx_chat_handle_grow(void);


static ngx_chat_slot_t  **ngx_chat_slots;
static uint32_t           ngx_chat_nslots;
static uint32_t           ngx_chat_free_slot;    /* ngx_chat_nslots: none */


ngx_int_t
ngx_chat_handle_create(ngx_chat_bridge_peer_t *peer)
{
    uint32_t          i;
    ngx_chat_slot_t  *slot;

    if (ngx_chat_free_slot == ngx_chat_nslots
        && ngx_chat_handle_grow() != NGX_OK)
    {
        return NGX_ERROR;
    }

    i = ngx_chat_free_slot;
    slot = ngx_chat_slot(i);

    ngx_chat_free_slot = slot->next;

    slot->peer = peer;
    slot->generation++;

    peer->handle = NGX_CHAT_HANDLE | (uint64_t) slot->generation << 32 | i;

    return NGX_OK;
}


ngx_chat_bridge_peer_t *
ngx_chat_bridge_find(uint64_t handle)
{
    uint32_t          i;
    ngx_chat_slot_t  *slot;

    i = (uint32_t) handle;

    if (i >= ngx_chat_nslots) {
        return NULL;
    }

    slot = ngx_chat_slot(i);

    if (slot->peer == NULL || slot->peer->handle != handle) {
        return NULL;
    }

    return slot->peer;
}


/* another peer stands for this one from now on */

void
ngx_chat_handle_give(ngx_chat_bridge_peer_t *peer,
    ngx_chat_bridge_peer_t *heir)
{
    ngx_chat_slot((uint32_t) peer->handle)->peer = heir;

    heir->handle = peer->handle;
    peer->handle = 0;
}


void
ngx_chat_handle_free(ngx_chat_bridge_peer_t *peer)
{
    uint32_t          i;
    ngx_chat_slot_t  *slot;

    i = (uint32_t) peer->handle;
    slot = ngx_chat_slot(i);

    slot->peer = NULL;
    slot->next = ngx_chat_free_slot;

    ngx_chat_free_slot = i;
    peer->handle = 0;
}


static ngx_int_t
ngx_chat_handle_grow(void)
{
    uint32_t           i;
    ngx_uint_t         n;
    ngx_chat_slot_t  **slots, *chunk;

    n = ngx_chat_nslots / NGX_CHAT_SLOTS;

    chunk = ngx_calloc(NGX_CHAT_SLOTS * sizeof(ngx_chat_slot_t),
                       ngx_cycle->log);
    if (chunk == NULL) {
        return NGX_ERROR;
    }

    slots = ngx_alloc((n + 1) * sizeof(ngx_chat_slot_t *), ngx_cycle->log);
    if (slots == NULL) {
        ngx_free(chunk);
        return NGX_ERROR;
    }

    if (n) {
        ngx_memcpy(slots, ngx_chat_slots, n * sizeof(ngx_chat_slot_t *));
        ngx_free(ngx_chat_slots);
    }

    slots[n] = chunk;

    ngx_chat_slots = slots;

    for (i = 0; i < NGX_CHAT_SLOTS; i++) {
        chunk[i].next = ngx_chat_nslots + i + 1;
    }

    ngx_chat_free_slot = ngx_chat_nslots;
    ngx_chat_nslots += NGX_CHAT_SLOTS;

    return NGX_OK;
}
