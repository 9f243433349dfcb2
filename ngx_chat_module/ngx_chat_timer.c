
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


/* the longest sleep of a timer, also when a token expires in years */

#define NGX_CHAT_TIMER_MAX  3600000

/* between session.closing and the Close of a client with open requests */

#define NGX_CHAT_LAST_TIME  1000

#define NGX_CHAT_CLOSING                                                      \
    "{\"jsonrpc\":\"2.0\",\"method\":\"session.closing\",\"params\":"       \
    "{\"reason\":\"reload\",\"reconnect_after\":%ui}}"

#define NGX_CHAT_CLOSING_LEN  (sizeof(NGX_CHAT_CLOSING) + NGX_INT_T_LEN)


static void ngx_chat_timer_heartbeat(ngx_chat_client_t *cl);
static void ngx_chat_timer_comment(ngx_chat_client_t *cl);


void
ngx_chat_timer(ngx_chat_client_t *cl)
{
    if (!ngx_chat_client_live(cl)) {
        ngx_chat_client_finalize(cl);

    } else if (cl->draining) {
        ngx_chat_timer_drain_step(cl);

    } else {
        ngx_chat_timer_heartbeat(cl);
    }
}


static void
ngx_chat_timer_heartbeat(ngx_chat_client_t *cl)
{
    ngx_msec_t  silence;

    if (cl->kind == ngx_chat_kind_poll) {

        /* nothing came: that is the answer */

        ngx_chat_client_leave(cl, NGX_CHAT_WS_NORMAL, (u_char *) "wait", 4,
                              ngx_chat_stat_closed_normal);
        return;
    }

    if (cl->owner && ngx_time() >= cl->owner->expires_at) {
        ngx_chat_client_close(cl, NGX_CHAT_WS_POLICY,
                              (u_char *) "token_expired", 13);
        return;
    }

    if (cl->kind == ngx_chat_kind_events) {
        ngx_chat_timer_comment(cl);
        return;
    }

    /* the client cannot be heard while nobody reads */

    if (ngx_chat_client_paused(cl)) {
        cl->heard = ngx_current_msec;
    }

    silence = ngx_current_msec - cl->heard;

    if (silence >= 2 * cl->conf->heartbeat) {
        ngx_chat_client_leave(cl, NGX_CHAT_WS_GOING_AWAY,
                              (u_char *) "heartbeat", 9,
                              ngx_chat_stat_closed_timeout);
        return;
    }

    if (!cl->pinged
        && silence >= cl->conf->heartbeat - cl->conf->heartbeat / 8)
    {
        cl->pinged = 1;
        (void) ngx_chat_output_control(cl, NGX_CHAT_WS_PING, NULL, 0);
    }

    ngx_chat_timer_arm(cl);
}


/* the heartbeat of an event stream: proxies and dead peers are found out */

static void
ngx_chat_timer_comment(ngx_chat_client_t *cl)
{
    ngx_chat_buf_t  *b;

    if (cl->out == NULL) {
        b = ngx_chat_events_bytes(cl, (u_char *) ":\n\n", 3);

        if (b) {
            ngx_chat_output_queue(cl, b);
        }
    }

    cl->heard = ngx_current_msec;

    ngx_chat_timer_arm(cl);
}


void
ngx_chat_timer_arm(ngx_chat_client_t *cl)
{
    time_t           left;
    ngx_msec_t       ms, due, silence;
    ngx_event_t     *rev;

    rev = cl->connection->read;

    if (cl->kind == ngx_chat_kind_poll) {
        rev->cancelable = 1;
        ngx_add_timer(rev, ngx_chat_poll_left(cl));
        return;
    }

    silence = ngx_current_msec - cl->heard;

    if (cl->pinged) {
        due = 2 * cl->conf->heartbeat;

    } else {
        /* early by up to an eighth, so that pings do not come in crowds */
        due = cl->conf->heartbeat
              - (ngx_msec_t) ngx_random() % (cl->conf->heartbeat / 8 + 1);
    }

    ms = (due > silence) ? due - silence : 1;

    if (cl->owner) {
        left = cl->owner->expires_at - ngx_time();

        if (left <= 0) {
            ms = 1;

        } else if ((uint64_t) left * 1000 < ms) {
            ms = (ngx_msec_t) left * 1000;
        }
    }

    rev->cancelable = 1;
    ngx_add_timer(rev, ngx_min(ms, NGX_CHAT_TIMER_MAX));
}


/* a timer that an exiting process waits for */

void
ngx_chat_timer_deadline(ngx_chat_client_t *cl, ngx_msec_t ms)
{
    ngx_event_t  *rev;

    rev = cl->connection->read;

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    rev->cancelable = 0;
    ngx_add_timer(rev, ms);
}


void
ngx_chat_timer_drain(ngx_chat_client_t *cl)
{
    ngx_msec_t             ms;
    ngx_chat_main_conf_t  *cmcf;

    if (!ngx_chat_client_live(cl) || cl->draining) {
        return;
    }

    cl->draining = 1;

    if (cl->kind == ngx_chat_kind_poll) {
        ngx_chat_client_close(cl, NGX_CHAT_WS_RESTART, (u_char *) "reload",
                              6);
        return;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_chat_module);
    ms = (ngx_msec_t) ngx_random() % (cmcf->drain_time + 1);

    ngx_chat_timer_deadline(cl, ngx_max(ms, 1));
}


/* session.closing, then 1012 when the open requests are answered */

void
ngx_chat_timer_drain_step(ngx_chat_client_t *cl)
{
    u_char           text[NGX_CHAT_CLOSING_LEN];
    ngx_str_t        closing;
    ngx_chat_buf_t  *b;

    if (!cl->told && cl->owner) {
        cl->told = 1;

        closing.data = text;
        closing.len = ngx_sprintf(text, NGX_CHAT_CLOSING,
                                  (ngx_uint_t) ngx_random() % 1000)
                      - text;

        b = ngx_chat_stream_message(cl, 0, &closing);

        if (b) {
            ngx_chat_output_queue(cl, b);
            ngx_chat_stat_add(ngx_chat_stat_frames_out, 1);
            ngx_chat_stat_add(ngx_chat_stat_messages_out, 1);
        }

        if (cl->peer.pending) {
            ngx_chat_timer_deadline(cl, NGX_CHAT_LAST_TIME);
            return;
        }
    }

    ngx_chat_client_close(cl, NGX_CHAT_WS_RESTART, (u_char *) "reload", 6);
}
