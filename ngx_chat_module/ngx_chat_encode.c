
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"


size_t
ngx_chat_encode_identity_len(ngx_chat_identity_t *id)
{
    return 3 * sizeof(uint32_t) + id->user.len + id->device.len + id->jti.len
           + 2 * sizeof(uint64_t);
}


void
ngx_chat_encode_identity(struct chat_wire_writer *w,
    ngx_chat_identity_t *id)
{
    struct chat_wire_identity  wi;

    wi.user = id->user.data;
    wi.user_len = id->user.len;
    wi.device = id->device.data;
    wi.device_len = id->device.len;
    wi.jti = id->jti.data;
    wi.jti_len = id->jti.len;
    wi.issued_at = id->issued_at;
    wi.expires_at = id->expires_at;

    chat_wire_put_identity(w, &wi);
}


void
ngx_chat_encode_limits(struct chat_wire_writer *w,
    ngx_chat_loc_conf_t *chcf)
{
    struct chat_wire_limits  limits;

    limits.heartbeat_s = chcf->heartbeat / 1000;
    limits.message_max = chcf->message_max;
    limits.rate = chcf->rate;
    limits.burst = chcf->burst;

    chat_wire_put_limits(w, &limits);
}


size_t
ngx_chat_encode_resource_len(ngx_chat_resource_t *q)
{
    return 4 * sizeof(uint32_t) + q->method.len + q->path.len + q->args.len
           + q->last_event_id.len;
}


void
ngx_chat_encode_resource(struct chat_wire_writer *w, ngx_chat_resource_t *q)
{
    struct chat_wire_resource  wq;

    wq.method = q->method.data;
    wq.method_len = q->method.len;
    wq.path = q->path.data;
    wq.path_len = q->path.len;
    wq.args = q->args.data;
    wq.args_len = q->args.len;
    wq.last_event_id = q->last_event_id.data;
    wq.last_event_id_len = q->last_event_id.len;

    chat_wire_put_resource(w, &wq);
}


size_t
ngx_chat_encode_account_len(ngx_chat_call_t *call)
{
    return 2 * sizeof(uint32_t) + call->address->len + call->conf->reserved.len
           + sizeof(uint64_t);
}


void
ngx_chat_encode_account(struct chat_wire_writer *w, ngx_chat_call_t *call)
{
    struct chat_wire_account  wa;

    wa.address = call->address->data;
    wa.address_len = call->address->len;
    wa.reserved = call->conf->reserved.data;
    wa.reserved_len = call->conf->reserved.len;
    wa.lifetime_s = call->conf->token_lifetime;

    chat_wire_put_account(w, &wa);
}


void
ngx_chat_encode_chain(struct chat_wire_writer *w, ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {
        chat_wire_put_raw(w, in->buf->pos, in->buf->last - in->buf->pos);
    }
}
