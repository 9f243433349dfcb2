
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>
#include <ngx_chat_jwt.h>


#define NGX_CHAT_TOKEN_NAME  "token"


static ngx_uint_t ngx_chat_token_mask(ngx_str_t *args, ngx_uint_t overwrite);
static void ngx_chat_token_mask_uri(ngx_str_t *uri);
static void ngx_chat_token_mask_line(ngx_http_request_t *r);
static ngx_uint_t ngx_chat_token_named(u_char *p, u_char *last);
static ngx_int_t ngx_chat_token_find(ngx_http_request_t *r, ngx_uint_t sources,
    ngx_str_t *token);
static ngx_int_t ngx_chat_token_argument(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_chat_token_subprotocol(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_chat_token_device(ngx_http_request_t *r,
    ngx_chat_identity_t *id);
static ngx_int_t ngx_chat_token_unescape(ngx_http_request_t *r,
    ngx_str_t *value);
static void ngx_chat_token_cleanup(void *data);


/*
 * Post-read phase: the value of each `token` argument is overwritten where
 * logs take it from, the memory of the request line.  The request goes on
 * with copies, which the log phase overwrites.
 */

ngx_int_t
ngx_chat_token_hide_handler(ngx_http_request_t *r)
{
    ngx_str_t  args, uri;

    if (r != r->main || r->internal || !ngx_chat_token_mask(&r->args, 0)) {
        return NGX_DECLINED;
    }

    args.data = ngx_pstrdup(r->pool, &r->args);
    uri.data = ngx_pstrdup(r->pool, &r->unparsed_uri);

    ngx_chat_token_mask(&r->args, 1);
    ngx_chat_token_mask_uri(&r->unparsed_uri);
    ngx_chat_token_mask_uri(&r->request_line);

    if (args.data == NULL || uri.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->args.data = args.data;
    r->unparsed_uri.data = uri.data;

    return NGX_DECLINED;
}


/*
 * Rewrite phase, before the directives of that module: in a location of ours
 * only the context has the arguments as sent, so that subrequests, variables
 * and what is logged of them have none.
 */

ngx_int_t
ngx_chat_token_keep_handler(ngx_http_request_t *r)
{
    u_char               *p;
    ngx_chat_ctx_t       *ctx;
    ngx_chat_loc_conf_t  *chcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    if (r->internal) {

        /* an error page of a request refused before any phase */

        ngx_chat_token_mask_line(r);
    }

    chcf = ngx_http_get_module_loc_conf(r, ngx_chat_module);

    if (chcf->handler.len == 0 || !ngx_chat_token_mask(&r->args, 0)) {
        return NGX_DECLINED;
    }

    ctx = ngx_chat_ctx(r);

    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_pstrdup(r->pool, &r->args);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->args.data = p;
    ctx->args.len = r->args.len;

    ngx_chat_token_mask(&r->args, 1);
    ngx_chat_token_mask_uri(&r->unparsed_uri);

    return NGX_DECLINED;
}


/* Log phase, before the logs: also for requests refused before any phase */

ngx_int_t
ngx_chat_token_log_handler(ngx_http_request_t *r)
{
    ngx_chat_token_mask(&r->args, 1);
    ngx_chat_token_mask_uri(&r->unparsed_uri);
    ngx_chat_token_mask_line(r);

    return NGX_OK;
}


/* 1 when there was a token; stars are none any more */

static ngx_uint_t
ngx_chat_token_mask(ngx_str_t *args, ngx_uint_t overwrite)
{
    u_char      *p, *eq, *end, *last, *value;
    ngx_uint_t   found;

    found = 0;
    p = args->data;
    last = p + args->len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        eq = ngx_strlchr(p, end, '=');

        if (eq == NULL || !ngx_chat_token_named(p, eq)) {
            continue;
        }

        for (value = eq + 1; value < end && *value == '*'; value++) {
            /* void */
        }

        found |= (value < end || value == eq + 1);

        if (overwrite) {
            ngx_memset(eq + 1, '*', end - eq - 1);
        }
    }

    return found;
}


static void
ngx_chat_token_mask_uri(ngx_str_t *uri)
{
    u_char     *p, *end, *last;
    ngx_str_t   args;

    last = uri->data + uri->len;

    p = ngx_strlchr(uri->data, last, '?');
    if (p == NULL) {
        return;
    }

    /* spaces: before HTTP/1.1, and where none may be */

    for (p++; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ' ');
        if (end == NULL) {
            end = last;
        }

        args.data = p;
        args.len = end - p;

        ngx_chat_token_mask(&args, 1);
    }
}


/* a line that could not be parsed is logged as it was received */

static void
ngx_chat_token_mask_line(ngx_http_request_t *r)
{
    u_char     *p;
    ngx_str_t   line;

    line = r->request_line;

    if (line.data == NULL && r->request_start) {

        for (p = r->request_start; p < r->header_in->last; p++) {
            if (*p == CR || *p == LF) {
                break;
            }
        }

        line.data = r->request_start;
        line.len = p - r->request_start;
    }

    ngx_chat_token_mask_uri(&line);
}


/* also with some of its letters escaped, or in capitals */

static ngx_uint_t
ngx_chat_token_named(u_char *p, u_char *last)
{
    ngx_int_t    ch;
    const char  *name;

    for (name = NGX_CHAT_TOKEN_NAME; *name; name++) {

        if (p == last) {
            return 0;
        }

        ch = *p++;

        if (ch == '%' && last - p >= 2) {
            ch = ngx_hextoi(p, 2);
            p += 2;
        }

        if (ngx_tolower(ch) != *name) {
            return 0;
        }
    }

    return p == last;
}


ngx_chat_ctx_t *
ngx_chat_ctx(ngx_http_request_t *r)
{
    ngx_chat_ctx_t      *ctx;
    ngx_pool_cleanup_t  *cln;

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    if (ctx) {
        return ctx;
    }

    /* an internal redirect has cleared the contexts */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_chat_token_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_chat_module);
            return cln->data;
        }
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_chat_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, sizeof(ngx_chat_ctx_t));

    cln->handler = ngx_chat_token_cleanup;

    ngx_http_set_ctx(r, cln->data, ngx_chat_module);

    return cln->data;
}


static void
ngx_chat_token_cleanup(void *data)
{
    ngx_chat_ctx_t  *ctx = data;

    ngx_explicit_memzero(ctx->args.data, ctx->args.len);
}


ngx_int_t
ngx_chat_identify(ngx_http_request_t *r, ngx_chat_identity_t *id,
    ngx_str_t *reason)
{
    ngx_int_t               rc;
    ngx_str_t               token;
    ngx_chat_jwt_t          jwt;
    ngx_chat_loc_conf_t    *chcf;
    ngx_chat_jwt_result_e   result;

    chcf = ngx_http_get_module_loc_conf(r, ngx_chat_module);

    rc = ngx_chat_token_find(r, chcf->token, &token);

    if (rc == NGX_ERROR) {
        ngx_str_set(reason, "internal");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_str_set(reason, "token_missing");

        return (ngx_chat_token_challenge(r, 0) == NGX_OK)
               ? NGX_HTTP_UNAUTHORIZED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    result = ngx_chat_jwt_verify(&token, chcf->jwt_keys, ngx_time(), r->pool,
                                 &jwt);

    if (result != ngx_chat_jwt_good) {
        *reason = *ngx_chat_jwt_reason(result);

        if (result == ngx_chat_jwt_failed
            || ngx_chat_token_challenge(r, 1) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "chat token refused: %V", reason);

        return NGX_HTTP_UNAUTHORIZED;
    }

    id->user = jwt.user;
    id->device = jwt.device;
    id->jti = jwt.jti;

    /* without a device of its own a token cannot be ended with one */
    id->issued_at = jwt.device.len ? jwt.issued_at : 0;

    id->expires_at = jwt.expires_at;

    if (id->device.len == 0 && ngx_chat_token_device(r, id) != NGX_OK) {
        ngx_str_set(reason, "bad_device");
        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}


/* NGX_DECLINED: no source has one */

static ngx_int_t
ngx_chat_token_find(ngx_http_request_t *r, ngx_uint_t sources,
    ngx_str_t *token)
{
    ngx_int_t   rc;
    ngx_str_t  *value;

    if ((sources & NGX_CHAT_TOKEN_HEADER) && r->headers_in.authorization) {

        value = &r->headers_in.authorization->value;

        if (value->len > 7
            && ngx_strncasecmp(value->data, (u_char *) "Bearer ", 7) == 0)
        {
            token->data = value->data + 7;
            token->len = value->len - 7;

            while (token->len && *token->data == ' ') {
                token->data++;
                token->len--;
            }

            return NGX_OK;
        }
    }

    if (sources & NGX_CHAT_TOKEN_ARGUMENT) {
        rc = ngx_chat_token_argument(r, token);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (sources & NGX_CHAT_TOKEN_SUBPROTOCOL) {
        return ngx_chat_token_subprotocol(r, token);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_chat_token_argument(ngx_http_request_t *r, ngx_str_t *token)
{
    ngx_int_t        rc;
    ngx_str_t        args;
    ngx_chat_ctx_t  *ctx;

    ctx = ngx_chat_ctx(r);

    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->args.len == 0) {
        return NGX_DECLINED;
    }

    args = r->args;
    r->args = ctx->args;

    rc = ngx_http_arg(r, (u_char *) NGX_CHAT_TOKEN_NAME,
                      sizeof(NGX_CHAT_TOKEN_NAME) - 1, token);

    r->args = args;

    return (rc == NGX_OK) ? ngx_chat_token_unescape(r, token) : NGX_DECLINED;
}


static ngx_int_t
ngx_chat_token_subprotocol(ngx_http_request_t *r, ngx_str_t *token)
{
    ngx_str_t         list, item;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != 22
                || ngx_strncasecmp(h[i].key.data,
                                   (u_char *) "Sec-WebSocket-Protocol", 22)
                   != 0)
            {
                continue;
            }

            list = h[i].value;

            while (ngx_chat_list_next(&list, &item) == NGX_OK) {

                if (item.len > 7
                    && ngx_strncmp(item.data, "bearer.", 7) == 0)
                {
                    token->data = item.data + 7;
                    token->len = item.len - 7;
                    return NGX_OK;
                }
            }
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_chat_token_device(ngx_http_request_t *r, ngx_chat_identity_t *id)
{
    ngx_str_t  device;

    if (ngx_http_arg(r, (u_char *) "device", 6, &device) != NGX_OK) {
        return NGX_OK;
    }

    if (ngx_chat_token_unescape(r, &device) != NGX_OK
        || !ngx_chat_jwt_id_valid(device.data, device.len))
    {
        return NGX_ERROR;
    }

    id->device = device;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_token_unescape(ngx_http_request_t *r, ngx_str_t *value)
{
    u_char  *src, *dst;

    src = value->data;

    if (ngx_strlchr(src, src + value->len, '%') == NULL) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, value->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


/* RFC 6750, 3 */

ngx_int_t
ngx_chat_token_challenge(ngx_http_request_t *r, ngx_uint_t given)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "WWW-Authenticate");

    if (given) {
        ngx_str_set(&h->value,
                    "Bearer realm=\"chat\", error=\"invalid_token\"");

    } else {
        ngx_str_set(&h->value, "Bearer realm=\"chat\"");
    }

    return NGX_OK;
}


ngx_int_t
ngx_chat_list_next(ngx_str_t *list, ngx_str_t *item)
{
    u_char  *p, *end, *last;

    if (list->len == 0) {
        return NGX_DONE;
    }

    p = list->data;
    last = p + list->len;

    end = ngx_strlchr(p, last, ',');
    if (end == NULL) {
        end = last;
    }

    list->data = (end < last) ? end + 1 : last;
    list->len = last - list->data;

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < end && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    item->data = p;
    item->len = end - p;

    return NGX_OK;
}
