
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


static ngx_int_t ngx_chat_cors_header(ngx_http_request_t *r, char *name,
    char *value);


ngx_str_t *
ngx_chat_header_in(ngx_http_request_t *r, char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
            {
                return &h[i].value;
            }
        }
    }

    return NULL;
}


ngx_uint_t
ngx_chat_origin_allowed(ngx_chat_loc_conf_t *chcf, ngx_str_t *origin)
{
    ngx_str_t   *allowed;
    ngx_uint_t   i;

    if (chcf->origins == NULL) {
        return 1;
    }

    allowed = chcf->origins->elts;

    for (i = 0; i < chcf->origins->nelts; i++) {

        if (allowed[i].len == origin->len
            && ngx_strncasecmp(allowed[i].data, origin->data, origin->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* only browsers send an Origin */

ngx_int_t
ngx_chat_cors(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf)
{
    ngx_str_t  *origin, any, reason, detail;

    if (chcf->origins
        && ngx_chat_cors_header(r, "Vary", "Origin") != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    origin = ngx_chat_header_in(r, "Origin");

    if (origin == NULL) {
        return NGX_DECLINED;
    }

    if (!ngx_chat_origin_allowed(chcf, origin)) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "chat origin \"%V\" refused", origin);

        ngx_chat_stat_add(ngx_chat_stat_refused_origin, 1);

        ngx_str_set(&reason, "origin");
        ngx_str_set(&detail, "Pages of this Origin may not ask.");

        return ngx_chat_problem(r, NGX_HTTP_FORBIDDEN, 0, &reason, &detail);
    }

    /* a token is sent by the page, never by the browser: `*` gives nothing
     * away */

    ngx_str_set(&any, "*");

    if (ngx_chat_http_header(r, "Access-Control-Allow-Origin",
                             chcf->origins ? origin : &any)
        != NGX_OK
        || ngx_chat_cors_header(r, "Access-Control-Expose-Headers",
                                "Allow, ETag, Retry-After, "
                                "WWW-Authenticate")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_chat_cors_options(ngx_http_request_t *r, char *methods)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_chat_cors_header(r, "Allow", methods) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_chat_header_in(r, "Origin")
        && ngx_chat_header_in(r, "Access-Control-Request-Method")
        && (ngx_chat_cors_header(r, "Access-Control-Allow-Methods", methods)
            != NGX_OK
            || ngx_chat_cors_header(r, "Access-Control-Allow-Headers",
                                    "Authorization, Content-Type, "
                                    "If-None-Match, Last-Event-ID")
               != NGX_OK
            || ngx_chat_cors_header(r, "Access-Control-Max-Age", "600")
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_chat_cors_header(ngx_http_request_t *r, char *name, char *value)
{
    ngx_str_t  s;

    s.data = (u_char *) value;
    s.len = ngx_strlen(value);

    return ngx_chat_http_header(r, name, &s);
}
