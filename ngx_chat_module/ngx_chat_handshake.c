
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_sha1.h>
#include <ngx_chat_client.h>


#define NGX_CHAT_WS_GUID        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define NGX_CHAT_WS_KEY_LEN     24
#define NGX_CHAT_UPGRADE_REQUIRED  426


/* the headers of RFC 6455, 4.2.1; each is counted */

typedef struct {
    ngx_str_t                  key;
    ngx_str_t                  version;
    ngx_str_t                  origin;
    ngx_uint_t                 keys;
    ngx_uint_t                 versions;
    ngx_uint_t                 origins;
    ngx_chat_extension_t       deflate;

    unsigned                   upgrade:1;    /* to websocket */
    unsigned                   connection:1; /* of Upgrade */
    unsigned                   protocol:1;   /* chat.v1 */
    unsigned                   bearer:1;
    unsigned                   malformed:1;  /* Sec-WebSocket-Protocol */
} ngx_chat_handshake_t;


static ngx_int_t ngx_chat_handshake(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf);
static ngx_int_t ngx_chat_handshake_versions(ngx_http_request_t *r);
static void ngx_chat_handshake_headers(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf, ngx_chat_handshake_t *hs);
static void ngx_chat_handshake_protocols(ngx_chat_handshake_t *hs,
    ngx_str_t *value);
static ngx_uint_t ngx_chat_handshake_listed(ngx_str_t *value, char *name,
    size_t len);
static ngx_int_t ngx_chat_handshake_check(ngx_http_request_t *r,
    ngx_chat_handshake_t *hs);
static ngx_uint_t ngx_chat_handshake_key(ngx_str_t *key);
static ngx_int_t ngx_chat_handshake_origin(ngx_http_request_t *r,
    ngx_chat_loc_conf_t *chcf, ngx_chat_handshake_t *hs);
static ngx_int_t ngx_chat_handshake_accept(ngx_http_request_t *r,
    ngx_chat_ctx_t *ctx, ngx_chat_handshake_t *hs);
static ngx_int_t ngx_chat_handshake_header(ngx_http_request_t *r, char *name,
    char *value);


ngx_int_t
ngx_chat_websocket_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_chat_loc_conf_t  *chcf;

    chcf = ngx_http_get_module_loc_conf(r, ngx_chat_module);

    rc = ngx_chat_handshake(r, chcf);

    return (rc == NGX_DECLINED) ? ngx_chat_open(r, chcf) : rc;
}


ngx_int_t
ngx_chat_echo_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_chat_ctx_t       *ctx;
    ngx_chat_loc_conf_t  *chcf;

    chcf = ngx_http_get_module_loc_conf(r, ngx_chat_module);

    rc = ngx_chat_handshake(r, chcf);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_chat_open_client(r, chcf, NULL);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_chat_module);

    r->main->count++;

    if (ngx_chat_upgrade(r, ctx->client) != NGX_OK) {
        r->main->count--;
        return NGX_ERROR;
    }

    return NGX_DONE;
}


/*
 * NGX_DECLINED, here and in the functions called: nothing to refuse; else the
 * result of the answer that was sent
 */

static ngx_int_t
ngx_chat_handshake(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf)
{
    ngx_int_t              rc;
    ngx_chat_ctx_t        *ctx;
    ngx_chat_handshake_t   hs;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    rc = ngx_chat_handshake_versions(r);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_memzero(&hs, sizeof(ngx_chat_handshake_t));

    ngx_chat_handshake_headers(r, chcf, &hs);

    rc = ngx_chat_handshake_check(r, &hs);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_chat_handshake_origin(r, chcf, &hs);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_cycle->free_connection_n < NGX_CHAT_RESERVE) {
        return ngx_chat_handshake_answer(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                   "no_connections",
                   "this server holds all the connections it can");
    }

    ctx = ngx_chat_ctx(r);

    if (ctx == NULL || ngx_chat_handshake_accept(r, ctx, &hs) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_chat_handshake_versions(ngx_http_request_t *r)
{
    if (r->method != NGX_HTTP_GET) {

        if (ngx_chat_handshake_header(r, "Allow", "GET") != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_chat_handshake_answer(r, NGX_HTTP_NOT_ALLOWED,
                   "method_not_allowed", "a WebSocket begins with GET");
    }

    /* of HTTP/2 and later nothing can be upgraded, RFC 9113, 8.2.2 */

    if (r->http_version > NGX_HTTP_VERSION_11) {
        return ngx_chat_handshake_answer(r, NGX_HTTP_VERSION_NOT_SUPPORTED,
                   "http_version", "a WebSocket begins with HTTP/1.1");
    }

    /* an Upgrade of HTTP/1.0 is to be ignored, RFC 9110, 7.8 */

    if (r->http_version < NGX_HTTP_VERSION_11) {

        if (ngx_chat_handshake_header(r, "Upgrade", "websocket") != NGX_OK
            || ngx_chat_handshake_header(r, "Connection", "Upgrade") != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_chat_handshake_answer(r, NGX_CHAT_UPGRADE_REQUIRED,
                   "http_version", "a WebSocket begins with HTTP/1.1");
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {

        /* it may never come, and nobody waits for it */

        r->keepalive = 0;
        r->headers_in.content_length_n = -1;
        r->headers_in.chunked = 0;

        return ngx_chat_handshake_answer(r, NGX_HTTP_BAD_REQUEST,
                   "body", "a WebSocket handshake has no body");
    }

    return NGX_DECLINED;
}


static void
ngx_chat_handshake_headers(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf,
    ngx_chat_handshake_t *hs)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

#define ngx_chat_header_is(name)                                              \
    (h[i].key.len == sizeof(name) - 1                                         \
     && ngx_strncasecmp(h[i].key.data, (u_char *) name, sizeof(name) - 1) == 0)

        if (ngx_chat_header_is("Upgrade")) {
            hs->upgrade |= ngx_chat_handshake_listed(&h[i].value, "websocket",
                                                     9);

        } else if (ngx_chat_header_is("Connection")) {
            hs->connection |= ngx_chat_handshake_listed(&h[i].value, "upgrade",
                                                        7);

        } else if (ngx_chat_header_is("Sec-WebSocket-Key")) {
            hs->key = h[i].value;
            hs->keys++;

        } else if (ngx_chat_header_is("Sec-WebSocket-Version")) {
            hs->version = h[i].value;
            hs->versions++;

        } else if (ngx_chat_header_is("Sec-WebSocket-Protocol")) {
            ngx_chat_handshake_protocols(hs, &h[i].value);

        } else if (ngx_chat_header_is("Sec-WebSocket-Extensions")) {

            if (chcf->deflate && hs->deflate.window == 0
                && ngx_chat_extension_find(&h[i].value, &hs->deflate)
                   != NGX_OK)
            {
                hs->deflate.window = 0;
            }

        } else if (ngx_chat_header_is("Origin")) {
            hs->origin = h[i].value;
            hs->origins++;
        }

#undef ngx_chat_header_is

    }
}


static ngx_uint_t
ngx_chat_handshake_listed(ngx_str_t *value, char *name, size_t len)
{
    ngx_str_t  list, item;

    list = *value;

    while (ngx_chat_list_next(&list, &item) == NGX_OK) {

        if (item.len == len
            && ngx_strncasecmp(item.data, (u_char *) name, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_chat_handshake_protocols(ngx_chat_handshake_t *hs, ngx_str_t *value)
{
    size_t     i;
    ngx_str_t  list, item;

    list = *value;

    while (ngx_chat_list_next(&list, &item) == NGX_OK) {

        /* visible characters without the separators of a token */

        for (i = 0; i < item.len; i++) {

            if (item.data[i] <= ' ' || item.data[i] > '~'
                || ngx_strlchr((u_char *) "()<>@,;:\\\"/[]?={}",
                               (u_char *) "()<>@,;:\\\"/[]?={}" + 17,
                               item.data[i]))
            {
                hs->malformed = 1;
            }
        }

        if (item.len == 7 && ngx_strncmp(item.data, "chat.v1", 7) == 0) {
            hs->malformed |= hs->protocol;
            hs->protocol = 1;

        } else if (item.len > 7 && ngx_strncmp(item.data, "bearer.", 7) == 0) {
            hs->malformed |= hs->bearer;
            hs->bearer = 1;
        }
    }
}


static ngx_int_t
ngx_chat_handshake_check(ngx_http_request_t *r, ngx_chat_handshake_t *hs)
{
    if (!hs->upgrade || !hs->connection) {

        if (ngx_chat_handshake_header(r, "Upgrade", "websocket") != NGX_OK
            || ngx_chat_handshake_header(r, "Connection", "Upgrade") != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_chat_handshake_answer(r, NGX_CHAT_UPGRADE_REQUIRED,
                   "upgrade_required",
                   "send \"Upgrade: websocket\" and \"Connection: Upgrade\"");
    }

    if (hs->keys != 1 || !ngx_chat_handshake_key(&hs->key)) {
        return ngx_chat_handshake_answer(r, NGX_HTTP_BAD_REQUEST,
                   "websocket_key",
                   "Sec-WebSocket-Key must be 16 bytes in base64");
    }

    if (hs->versions != 1 || hs->version.len != 2
        || ngx_strncmp(hs->version.data, "13", 2) != 0)
    {
        if (ngx_chat_handshake_header(r, "Sec-WebSocket-Version", "13")
            != NGX_OK
            || ngx_chat_handshake_header(r, "Upgrade", "websocket") != NGX_OK
            || ngx_chat_handshake_header(r, "Connection", "Upgrade") != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_chat_handshake_answer(r, NGX_CHAT_UPGRADE_REQUIRED,
                   "websocket_version", "Sec-WebSocket-Version must be 13");
    }

    if (hs->malformed) {
        return ngx_chat_handshake_answer(r, NGX_HTTP_BAD_REQUEST,
                   "subprotocol",
                   "Sec-WebSocket-Protocol must list tokens, each once");
    }

    if (hs->bearer && !hs->protocol) {
        return ngx_chat_handshake_answer(r, NGX_HTTP_BAD_REQUEST,
                   "subprotocol", "offer \"chat.v1\" beside \"bearer.TOKEN\"");
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_chat_handshake_key(ngx_str_t *key)
{
    u_char     buf[NGX_CHAT_WS_KEY_LEN];
    ngx_str_t  decoded;

    if (key->len != NGX_CHAT_WS_KEY_LEN) {
        return 0;
    }

    decoded.data = buf;

    return ngx_decode_base64(&decoded, key) == NGX_OK && decoded.len == 16;
}


/* only browsers send an Origin, and they always do */

static ngx_int_t
ngx_chat_handshake_origin(ngx_http_request_t *r, ngx_chat_loc_conf_t *chcf,
    ngx_chat_handshake_t *hs)
{
    if (hs->origins == 0 || chcf->origins == NULL) {
        return NGX_DECLINED;
    }

    if (hs->origins == 1 && ngx_chat_origin_allowed(chcf, &hs->origin)) {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "chat origin \"%V\" refused", &hs->origin);

    return ngx_chat_handshake_answer(r, NGX_HTTP_FORBIDDEN, "origin",
                                     "this Origin may not connect");
}


static ngx_int_t
ngx_chat_handshake_accept(ngx_http_request_t *r, ngx_chat_ctx_t *ctx,
    ngx_chat_handshake_t *hs)
{
    u_char       digest[20];
    ngx_str_t    hash;
    ngx_sha1_t   sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, hs->key.data, hs->key.len);
    ngx_sha1_update(&sha1, NGX_CHAT_WS_GUID, sizeof(NGX_CHAT_WS_GUID) - 1);
    ngx_sha1_final(digest, &sha1);

    hash.len = 20;
    hash.data = digest;

    ctx->protocol = hs->protocol;
    ctx->deflate = hs->deflate;

    ctx->accept.data = ngx_pnalloc(r->pool, ngx_base64_encoded_length(20));
    if (ctx->accept.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&ctx->accept, &hash);

    return NGX_OK;
}


static ngx_int_t
ngx_chat_handshake_header(ngx_http_request_t *r, char *name, char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

    return NGX_OK;
}


ngx_int_t
ngx_chat_handshake_answer(ngx_http_request_t *r, ngx_uint_t status,
    char *reason, char *detail)
{
    ngx_int_t        rc;
    ngx_str_t        word, text;
    ngx_uint_t       retry_after;
    ngx_chat_stat_e  stat;

    word.data = (u_char *) reason;
    word.len = ngx_strlen(reason);
    text.data = (u_char *) detail;
    text.len = ngx_strlen(detail);

    retry_after = 0;
    stat = ngx_chat_stat_refused_handshake;

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        retry_after = 1;
        stat = ngx_chat_stat_refused_unavailable;

    } else if (status == NGX_HTTP_FORBIDDEN) {
        stat = ngx_chat_stat_refused_origin;
    }

    ngx_chat_stat_add(stat, 1);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_chat_problem(r, status, retry_after, &word, &text);
}
