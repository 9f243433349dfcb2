
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_module.h>


typedef struct {
    ngx_uint_t                 status;
    ngx_str_t                  title;
} ngx_chat_problem_title_t;


ngx_str_t  ngx_chat_json_type = ngx_string("application/json");
ngx_str_t  ngx_chat_problem_type = ngx_string("application/problem+json");


static ngx_chat_problem_title_t  ngx_chat_problem_titles[] = {
    { 400, ngx_string("Bad Request") },
    { 401, ngx_string("Unauthorized") },
    { 403, ngx_string("Forbidden") },
    { 404, ngx_string("Not Found") },
    { 405, ngx_string("Method Not Allowed") },
    { 409, ngx_string("Conflict") },
    { 410, ngx_string("Gone") },
    { 413, ngx_string("Content Too Large") },
    { 415, ngx_string("Unsupported Media Type") },
    { 426, ngx_string("Upgrade Required") },
    { 429, ngx_string("Too Many Requests") },
    { 500, ngx_string("Internal Server Error") },
    { 503, ngx_string("Service Unavailable") },
    { 505, ngx_string("HTTP Version Not Supported") },
    { 0, ngx_string("Error") }
};


/* RFC 9457; `reason` is our extension member */

ngx_int_t
ngx_chat_problem(ngx_http_request_t *r, ngx_uint_t status,
    ngx_uint_t retry_after, ngx_str_t *reason, ngx_str_t *detail)
{
    size_t                     len;
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_str_t                  body;
    ngx_chat_problem_title_t  *title;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (retry_after && ngx_chat_problem_retry_after(r, retry_after) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (title = ngx_chat_problem_titles; title->status; title++) {

        if (title->status == status) {
            break;
        }
    }

    len = sizeof("{\"type\":\"about:blank\",\"title\":\"\",\"status\":,"
                 "\"detail\":\"\",\"reason\":\"\"}") - 1
          + title->title.len + NGX_INT_T_LEN
          + detail->len + ngx_escape_json(NULL, detail->data, detail->len)
          + reason->len + ngx_escape_json(NULL, reason->data, reason->len);

    body.data = ngx_pnalloc(r->pool, len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(body.data, "{\"type\":\"about:blank\",\"title\":\"%V\","
                    "\"status\":%ui,\"detail\":\"", &title->title, status);
    p = (u_char *) ngx_escape_json(p, detail->data, detail->len);
    p = ngx_sprintf(p, "\",\"reason\":\"");
    p = (u_char *) ngx_escape_json(p, reason->data, reason->len);
    p = ngx_sprintf(p, "\"}");

    body.len = p - body.data;

    r->headers_out.status = status;

    return ngx_chat_http_send(r, &ngx_chat_problem_type, &body);
}


ngx_int_t
ngx_chat_problem_retry_after(ngx_http_request_t *r, ngx_uint_t retry_after)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%ui", retry_after) - value.data;

    return ngx_chat_http_header(r, "Retry-After", &value);
}


ngx_int_t
ngx_chat_http_header(ngx_http_request_t *r, char *key, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(key);
    h->key.data = (u_char *) key;
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_chat_http_send(ngx_http_request_t *r, ngx_str_t *type, ngx_str_t *text)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = text->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
