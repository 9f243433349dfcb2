
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


/* ms for the answer of the worker once there is an event */

#define NGX_CHAT_POLL_TIME  10000


struct ngx_chat_poll_s {
    ngx_chat_call_t            call;
    ngx_chat_resource_t        resource;
    ngx_str_t                  text;         /* the answer without an event */
    ngx_msec_t                 until;
    unsigned                   woken:1;
    unsigned                   answered:1;
    u_char                     data[1];
};


static void ngx_chat_poll_answer_handler(ngx_chat_call_t *call,
    ngx_chat_answer_t *answer);
static u_char *ngx_chat_poll_copy(u_char *p, ngx_str_t *to, ngx_str_t *from);
static ngx_int_t ngx_chat_poll_queue(ngx_chat_client_t *cl, ngx_str_t *text);


ngx_chat_poll_t *
ngx_chat_poll_create(ngx_chat_client_t *cl, ngx_chat_resource_t *q,
    ngx_chat_answer_t *answer)
{
    u_char           *p;
    ngx_chat_poll_t  *poll;

    poll = ngx_calloc(offsetof(ngx_chat_poll_t, data) + q->method.len
                      + q->path.len + q->args.len + answer->text.len,
                      ngx_cycle->log);
    if (poll == NULL) {
        return NULL;
    }

    p = ngx_chat_poll_copy(poll->data, &poll->resource.method, &q->method);
    p = ngx_chat_poll_copy(p, &poll->resource.path, &q->path);
    p = ngx_chat_poll_copy(p, &poll->resource.args, &q->args);
    (void) ngx_chat_poll_copy(p, &poll->text, &answer->text);

    poll->call.data = cl;
    poll->call.handler = ngx_chat_poll_answer_handler;
    poll->call.conf = cl->conf;
    poll->call.resource = &poll->resource;

    poll->until = ngx_current_msec + answer->retry_after * 1000;

    return poll;
}


static u_char *
ngx_chat_poll_copy(u_char *p, ngx_str_t *to, ngx_str_t *from)
{
    to->data = p;
    to->len = from->len;

    return ngx_cpymem(p, from->data, from->len);
}


void
ngx_chat_poll_free(ngx_chat_poll_t *poll)
{
    if (poll->call.request) {
        ngx_chat_bridge_cancel(&poll->call);
    }

    ngx_free(poll);
}


void
ngx_chat_poll_wake(ngx_chat_client_t *cl)
{
    ngx_chat_poll_t  *poll;

    poll = cl->poll;

    if (poll->woken) {
        return;
    }

    /* the session has said all it was opened for */

    poll->woken = 1;
    poll->until = ngx_current_msec + NGX_CHAT_POLL_TIME;

    ngx_chat_bridge_close(cl);
    cl->peer.state = ngx_chat_bridge_unopened;

    poll->call.identity = ngx_chat_client_identity(cl);

    if (ngx_chat_bridge_call(&poll->call, NULL, 0) != NGX_OK) {
        ngx_chat_client_close(cl, NGX_CHAT_WS_TRY_LATER,
                              (u_char *) "no_memory", 9);
        return;
    }

    ngx_chat_stat_add(ngx_chat_stat_calls, 1);

    if (!ngx_chat_client_early(cl)) {
        ngx_chat_timer_arm(cl);
    }
}


ngx_msec_t
ngx_chat_poll_left(ngx_chat_client_t *cl)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (cl->poll->until - ngx_current_msec);

    return (left > 0) ? (ngx_msec_t) left : 1;
}


static void
ngx_chat_poll_answer_handler(ngx_chat_call_t *call, ngx_chat_answer_t *answer)
{
    ngx_chat_client_t  *cl;

    cl = call->data;

    if (!ngx_chat_client_live(cl)) {
        return;
    }

    /* the head says 200: what cannot be told is told to the next request */

    if (!answer->refused && answer->status == NGX_HTTP_OK) {
        (void) ngx_chat_poll_queue(cl, &answer->text);
    }

    ngx_chat_client_leave(cl, NGX_CHAT_WS_NORMAL, (u_char *) "answered", 8,
                          ngx_chat_stat_closed_normal);
}


void
ngx_chat_poll_answer(ngx_chat_client_t *cl)
{
    if (!cl->poll->answered) {
        (void) ngx_chat_poll_queue(cl, &cl->poll->text);
    }
}


static ngx_int_t
ngx_chat_poll_queue(ngx_chat_client_t *cl, ngx_str_t *text)
{
    ngx_chat_buf_t  *b;

    b = ngx_chat_events_bytes(cl, text->data, text->len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    cl->poll->answered = 1;

    ngx_chat_output_queue(cl, b);
    ngx_chat_stat_add(ngx_chat_stat_messages_out, 1);

    return NGX_OK;
}
