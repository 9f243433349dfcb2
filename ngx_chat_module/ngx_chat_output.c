
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


#define NGX_CHAT_IOVS  64

#if (NGX_HTTP_SSL)
#define ngx_chat_output_tls(c)  ((c)->ssl != NULL)
#else
#define ngx_chat_output_tls(c)  0
#endif


static ssize_t ngx_chat_output_writev(ngx_chat_client_t *cl);
static ssize_t ngx_chat_output_record(ngx_chat_client_t *cl);
static void ngx_chat_output_sent(ngx_chat_client_t *cl, size_t n);


/* of all connections: SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER is set */

static u_char  *ngx_chat_record;


ngx_int_t
ngx_chat_output_init_process(ngx_cycle_t *cycle)
{
    ngx_chat_record = ngx_palloc(cycle->pool, NGX_CHAT_RECORD_SIZE);

    return ngx_chat_record ? NGX_OK : NGX_ERROR;
}


ngx_chat_buf_t *
ngx_chat_buf_create(size_t size)
{
    ngx_chat_buf_t  *b;

    b = ngx_alloc(offsetof(ngx_chat_buf_t, data) + size, ngx_cycle->log);
    if (b == NULL) {
        return NULL;
    }

    b->next = NULL;
    b->tail = NULL;
    b->inbox_id = 0;
    b->size = size;
    b->len = 0;

    return b;
}


void
ngx_chat_buf_free(ngx_chat_buf_t *b)
{
    if (b->tail) {
        ngx_chat_shared_free(b->tail);
    }

    ngx_free(b);
}


void
ngx_chat_shared_free(ngx_chat_shared_t *shared)
{
    if (--shared->refs) {
        return;
    }

    if (shared->events) {
        ngx_chat_shared_free(shared->events);
    }

    if (shared->deflated) {
        ngx_chat_shared_free(shared->deflated);
    }

    ngx_free(shared);
}


void
ngx_chat_buf_free_list(ngx_chat_buf_t *b)
{
    ngx_chat_buf_t  *next;

    while (b) {
        next = b->next;
        ngx_chat_buf_free(b);
        b = next;
    }
}


ngx_chat_buf_t *
ngx_chat_output_message(ngx_uint_t opcode, ngx_str_t *text)
{
    u_char          *p;
    ngx_chat_buf_t  *b;

    b = ngx_chat_buf_create(ngx_chat_ws_header_len(text->len) + text->len);
    if (b == NULL) {
        return NULL;
    }

    p = ngx_chat_ws_header(b->data, opcode, text->len);
    p = ngx_cpymem(p, text->data, text->len);

    b->len = p - b->data;

    return b;
}


ngx_chat_buf_t *
ngx_chat_output_text(ngx_chat_client_t *cl, ngx_str_t *text)
{
    ngx_chat_buf_t  *b;

    b = cl->window ? ngx_chat_compress_text(cl, text) : NULL;

    return b ? b : ngx_chat_output_message(NGX_CHAT_WS_TEXT, text);
}


ngx_chat_buf_t *
ngx_chat_output_event(ngx_chat_client_t *cl, ngx_str_t *head,
    uint64_t inbox_id, ngx_chat_shared_t *tail)
{
    size_t           len;
    u_char          *p, digits[NGX_INT64_LEN];
    ngx_str_t        number;
    ngx_chat_buf_t  *b;

    number.data = digits;
    number.len = 0;

    if (inbox_id) {
        number.len = ngx_sprintf(digits, "%uL", inbox_id) - digits;
    }

    if (cl->window) {
        b = ngx_chat_compress_event(cl, head, &number, tail);

        if (b) {
            return b;
        }
    }

    len = head->len + number.len + tail->len;

    b = ngx_chat_buf_create(ngx_chat_ws_header_len(len) + head->len
                            + number.len);
    if (b == NULL) {
        return NULL;
    }

    p = ngx_chat_ws_header(b->data, NGX_CHAT_WS_TEXT, len);
    p = ngx_cpymem(p, head->data, head->len);
    p = ngx_cpymem(p, number.data, number.len);

    b->len = p - b->data;
    b->tail = tail;
    tail->refs++;

    return b;
}


void
ngx_chat_output_account(ngx_chat_client_t *cl, ssize_t n)
{
    cl->queued += n;
    ngx_chat_stat_add(ngx_chat_stat_queue_bytes, n);

    if (n > 0 && cl->queued > cl->conf->send_queue) {
        cl->full = 1;
    }
}


void
ngx_chat_output_queue(ngx_chat_client_t *cl, ngx_chat_buf_t *b)
{
    b->next = NULL;

    if (cl->out == NULL) {
        cl->out = b;

    } else {
        cl->out_last->next = b;
    }

    cl->out_last = b;

    ngx_chat_output_account(cl, ngx_chat_output_size(b));
    ngx_chat_client_post_write(cl);
}


ngx_int_t
ngx_chat_output_control(ngx_chat_client_t *cl, ngx_uint_t opcode,
    u_char *data, size_t len)
{
    ngx_str_t        text;
    ngx_chat_buf_t  *b;

    text.data = data;
    text.len = len;

    b = ngx_chat_output_message(opcode, &text);
    if (b == NULL) {
        return NGX_ERROR;
    }

    ngx_chat_output_queue(cl, b);
    ngx_chat_stat_add(ngx_chat_stat_frames_out, 1);

    return NGX_OK;
}


ngx_int_t
ngx_chat_output_flush(ngx_chat_client_t *cl)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    if (cl->attached) {
        return ngx_chat_attached_flush(cl);
    }

    c = cl->connection;
    rc = NGX_AGAIN;

    while (cl->out) {

        if (!c->write->ready) {
            return rc;
        }

        n = ngx_chat_output_tls(c) ? ngx_chat_output_record(cl)
                                   : ngx_chat_output_writev(cl);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN) {
            return rc;
        }

        ngx_chat_output_sent(cl, n);
        rc = NGX_DONE;
    }

    return NGX_OK;
}


static ssize_t
ngx_chat_output_writev(ngx_chat_client_t *cl)
{
    size_t             skip;
    ssize_t            n;
    ngx_iovec_t        vec;
    ngx_uint_t         i;
    struct iovec       iovs[NGX_CHAT_IOVS];
    ngx_chat_buf_t    *b;
    ngx_connection_t  *c;

    c = cl->connection;
    skip = cl->sent;
    vec.size = 0;
    i = 0;

    for (b = cl->out; b && i + 2 <= NGX_CHAT_IOVS; b = b->next) {

        if (skip < b->len) {
            iovs[i].iov_base = b->data + skip;
            iovs[i].iov_len = b->len - skip;
            vec.size += iovs[i++].iov_len;
            skip = 0;

        } else {
            skip -= b->len;
        }

        if (b->tail) {
            iovs[i].iov_base = b->tail->data + skip;
            iovs[i].iov_len = b->tail->len - skip;
            vec.size += iovs[i++].iov_len;
        }

        skip = 0;
    }

    vec.iovs = iovs;
    vec.count = i;
    vec.nalloc = NGX_CHAT_IOVS;

    n = ngx_writev(c, &vec);

    if (n == NGX_AGAIN || (n >= 0 && (size_t) n < vec.size)) {
        c->write->ready = 0;
    }

    if (n > 0) {
        c->sent += n;
    }

    return n;
}


static ssize_t
ngx_chat_output_record(ngx_chat_client_t *cl)
{
    size_t             n, skip;
    u_char            *p, *last;
    ngx_chat_buf_t    *b;
    ngx_connection_t  *c;

    c = cl->connection;
    p = ngx_chat_record;
    last = p + NGX_CHAT_RECORD_SIZE;
    skip = cl->sent;

    for (b = cl->out; b && p < last; b = b->next) {

        if (skip < b->len) {
            n = ngx_min(b->len - skip, (size_t) (last - p));
            p = ngx_cpymem(p, b->data + skip, n);
            skip = 0;

        } else {
            skip -= b->len;
        }

        if (b->tail) {
            n = ngx_min(b->tail->len - skip, (size_t) (last - p));
            p = ngx_cpymem(p, b->tail->data + skip, n);
        }

        skip = 0;
    }

    /*
     * after NGX_AGAIN the next call comes with the same bytes and perhaps
     * more: what is queued is neither reordered nor dropped in its middle
     */

    return c->send(c, ngx_chat_record, p - ngx_chat_record);
}


static void
ngx_chat_output_sent(ngx_chat_client_t *cl, size_t n)
{
    size_t           size;
    ngx_chat_buf_t  *b;

    ngx_chat_output_account(cl, -(ssize_t) n);
    ngx_chat_stat_add(ngx_chat_stat_bytes_out, n);

    n += cl->sent;

    while ((b = cl->out) != NULL) {
        size = ngx_chat_output_size(b);

        if (n < size) {
            break;
        }

        n -= size;
        cl->out = b->next;
        ngx_chat_buf_free(b);
    }

    cl->sent = n;
}


void
ngx_chat_output_drop(ngx_chat_client_t *cl)
{
    ngx_chat_buf_t  *b, *next;

    b = cl->out;

    /* an echo is several entries, and so may be a record half written */

    if (b == NULL || cl->owner == NULL
        || ngx_chat_output_tls(cl->connection))
    {
        return;
    }

    if (cl->sent) {
        next = b->next;
        b->next = NULL;
        cl->out_last = b;

    } else {
        next = b;
        cl->out = NULL;
    }

    for (b = next; b; b = next) {
        next = b->next;
        ngx_chat_output_account(cl, -(ssize_t) ngx_chat_output_size(b));
        ngx_chat_buf_free(b);
    }
}


void
ngx_chat_output_clear(ngx_chat_client_t *cl)
{
    ngx_chat_output_account(cl, -(ssize_t) cl->queued);

    ngx_chat_buf_free_list(cl->out);
    cl->out = NULL;
    cl->sent = 0;
}
