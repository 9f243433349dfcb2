
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_md5.h>
#include <ngx_chat_client.h>


static ngx_int_t ngx_chat_http_tag(ngx_http_request_t *r, ngx_str_t *text);


ngx_int_t
ngx_chat_http_answer(ngx_http_request_t *r, ngx_chat_answer_t *answer)
{
    ngx_str_t  body, allow, reason, detail;

    /* the worker had no memory for more */

    if (answer->text.len == 0 && answer->status >= NGX_HTTP_BAD_REQUEST) {
        ngx_str_set(&reason, "unavailable");
        ngx_str_set(&detail, "The chat service could not answer.");

        return ngx_chat_problem(r, answer->status, answer->retry_after,
                                &reason, &detail);
    }

    /* HEAD: what would come has a length nobody knows */

    if (answer->events) {
        r->headers_out.status = NGX_HTTP_OK;
        r->header_only = 1;
        ngx_str_set(&r->headers_out.content_type, "text/event-stream");
        r->headers_out.content_type_len = r->headers_out.content_type.len;

        return ngx_http_send_header(r);
    }

    if (answer->retry_after && !answer->wait
        && ngx_chat_problem_retry_after(r, answer->retry_after) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* RFC 9110, 15.5.2: a log-in that failed */

    if (answer->status == NGX_HTTP_UNAUTHORIZED
        && ngx_chat_token_challenge(r, 0) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* strings lie in the link's buffer */

    if (answer->allow.len) {
        allow.len = answer->allow.len;
        allow.data = ngx_pstrdup(r->pool, &answer->allow);

        if (allow.data == NULL
            || ngx_chat_http_header(r, "Allow", &allow) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (answer->text.len == 0) {
        r->headers_out.status = NGX_HTTP_NO_CONTENT;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    body.len = answer->text.len;
    body.data = ngx_pstrdup(r->pool, &answer->text);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = answer->status;

    /* what has no ETag is done by now: no condition can undo it */

    r->disable_not_modified = !answer->tagged;

    if (answer->tagged && ngx_chat_http_tag(r, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_chat_http_send(r, answer->status < NGX_HTTP_BAD_REQUEST
                                     ? &ngx_chat_json_type
                                     : &ngx_chat_problem_type,
                              &body);
}


/* the not modified filter does the rest; caches are to ask each time */

static ngx_int_t
ngx_chat_http_tag(ngx_http_request_t *r, ngx_str_t *text)
{
    u_char           *p, digest[16];
    ngx_md5_t         md5;
    ngx_str_t         value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == sizeof("Cache-Control") - 1
                && ngx_strncmp(h[i].key.data, "Cache-Control",
                               sizeof("Cache-Control") - 1)
                   == 0)
            {
                ngx_str_set(&h[i].value, "private, no-cache");
            }
        }
    }

    ngx_str_set(&value, "Authorization");

    if (ngx_chat_http_header(r, "Vary", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    p = ngx_pnalloc(r->pool, 2 * sizeof(digest) + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, text->data, text->len);
    ngx_md5_final(digest, &md5);

    h->hash = 1;
    ngx_str_set(&h->key, "ETag");
    h->value.data = p;
    h->value.len = 2 * sizeof(digest) + 2;

    *p++ = '"';
    p = ngx_hex_dump(p, digest, sizeof(digest));
    *p = '"';

    r->headers_out.etag = h;

    return NGX_OK;
}
