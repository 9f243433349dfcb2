
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


/* the pieces of the message become the entries of the queue */

void
ngx_chat_echo_message(ngx_chat_client_t *cl, ngx_chat_buf_t *in, size_t len,
    ngx_uint_t binary)
{
    u_char          *p;
    ngx_uint_t       opcode;
    ngx_chat_buf_t  *b, *next;

    opcode = binary ? NGX_CHAT_WS_BINARY : NGX_CHAT_WS_TEXT;

    b = cl->window ? ngx_chat_compress_list(cl, opcode, in, len) : NULL;

    if (b) {
        ngx_chat_buf_free_list(in);
        ngx_chat_output_queue(cl, b);
        goto done;
    }

    b = ngx_chat_buf_create(NGX_CHAT_WS_HEADER_MAX);
    if (b == NULL) {
        ngx_chat_buf_free_list(in);
        ngx_chat_client_close(cl, NGX_CHAT_WS_TRY_LATER,
                              (u_char *) "no_memory", 9);
        return;
    }

    p = ngx_chat_ws_header(b->data, opcode, len);
    b->len = p - b->data;

    ngx_chat_output_queue(cl, b);

    for (b = in; b; b = next) {
        next = b->next;
        ngx_chat_output_queue(cl, b);
    }

done:

    ngx_chat_stat_add(ngx_chat_stat_frames_out, 1);
    ngx_chat_stat_add(ngx_chat_stat_messages_out, 1);
}
