
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_extension.h"


/* bytes of a quoted value that can be one of ours */

#define NGX_CHAT_EXTENSION_VALUE_MAX  2

#define NGX_CHAT_EXTENSION_BITS_MIN   8
#define NGX_CHAT_EXTENSION_BITS_MAX   15


enum {
    ngx_chat_extension_server_takeover = 0,
    ngx_chat_extension_client_takeover,
    ngx_chat_extension_server_window,
    ngx_chat_extension_client_window,
    ngx_chat_extension_n
};


/* value.data NULL: none was given */

typedef struct {
    ngx_str_t   name;
    ngx_str_t   value;
    u_char      unquoted[NGX_CHAT_EXTENSION_VALUE_MAX + 1];
} ngx_chat_extension_param_t;


static ngx_int_t ngx_chat_extension_offer(u_char **pos, u_char *last,
    ngx_chat_extension_t *ext);
static ngx_int_t ngx_chat_extension_param(u_char **pos, u_char *last,
    ngx_chat_extension_param_t *param);
static ngx_int_t ngx_chat_extension_quoted(u_char **pos, u_char *last,
    ngx_chat_extension_param_t *param);
static ngx_int_t ngx_chat_extension_take(ngx_chat_extension_param_t *param,
    ngx_uint_t *seen, ngx_chat_extension_t *ext);
static ngx_int_t ngx_chat_extension_token(u_char **pos, u_char *last,
    ngx_str_t *token);
static ngx_uint_t ngx_chat_extension_is_token(u_char ch);
static ngx_uint_t ngx_chat_extension_bits(ngx_str_t *value);
static void ngx_chat_extension_blanks(u_char **pos, u_char *last);


static const ngx_str_t  ngx_chat_extension_name =
    ngx_string("permessage-deflate");


/* the order of the enum */

static const ngx_str_t  ngx_chat_extension_params[] = {
    ngx_string("server_no_context_takeover"),
    ngx_string("client_no_context_takeover"),
    ngx_string("server_max_window_bits"),
    ngx_string("client_max_window_bits")
};


ngx_int_t
ngx_chat_extension_find(ngx_str_t *header, ngx_chat_extension_t *ext)
{
    u_char     *p, *last;
    ngx_int_t   rc;

    p = header->data;
    last = p + header->len;

    for ( ;; ) {
        ngx_chat_extension_blanks(&p, last);

        if (p == last) {
            return NGX_DECLINED;
        }

        /* a list may have empty elements */

        if (*p == ',') {
            p++;
            continue;
        }

        rc = ngx_chat_extension_offer(&p, last, ext);

        if (rc == NGX_ERROR || (p < last && *p != ',')) {
            return NGX_DECLINED;
        }

        if (rc == NGX_OK) {
            return NGX_OK;
        }
    }
}


/* up to its end; NGX_DECLINED: not for us; NGX_ERROR: no extension at all */

static ngx_int_t
ngx_chat_extension_offer(u_char **pos, u_char *last,
    ngx_chat_extension_t *ext)
{
    ngx_int_t                    rc;
    ngx_str_t                    name;
    ngx_uint_t                   seen;
    ngx_chat_extension_param_t   param;

    if (ngx_chat_extension_token(pos, last, &name) != NGX_OK) {
        return NGX_ERROR;
    }

    ext->window = NGX_CHAT_EXTENSION_BITS_MAX;
    ext->asked = 0;
    seen = 0;

    rc = (name.len == ngx_chat_extension_name.len
          && ngx_memcmp(name.data, ngx_chat_extension_name.data, name.len)
             == 0)
         ? NGX_OK : NGX_DECLINED;

    for ( ;; ) {
        ngx_chat_extension_blanks(pos, last);

        if (*pos == last || **pos != ';') {
            return rc;
        }

        (*pos)++;

        if (ngx_chat_extension_param(pos, last, &param) != NGX_OK) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            rc = ngx_chat_extension_take(&param, &seen, ext);
        }
    }
}


static ngx_int_t
ngx_chat_extension_param(u_char **pos, u_char *last,
    ngx_chat_extension_param_t *param)
{
    param->value.len = 0;
    param->value.data = NULL;

    ngx_chat_extension_blanks(pos, last);

    if (ngx_chat_extension_token(pos, last, &param->name) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_chat_extension_blanks(pos, last);

    if (*pos == last || **pos != '=') {
        return NGX_OK;
    }

    (*pos)++;

    ngx_chat_extension_blanks(pos, last);

    if (*pos < last && **pos == '"') {
        return ngx_chat_extension_quoted(pos, last, param);
    }

    return ngx_chat_extension_token(pos, last, &param->value);
}


/* RFC 6455, 9.1: what it stands for is a token as well */

static ngx_int_t
ngx_chat_extension_quoted(u_char **pos, u_char *last,
    ngx_chat_extension_param_t *param)
{
    u_char  *p;

    param->value.data = param->unquoted;

    for (p = *pos + 1; p < last; p++) {

        if (*p == '"') {
            *pos = p + 1;
            return param->value.len ? NGX_OK : NGX_ERROR;
        }

        if (*p == '\\' && ++p == last) {
            break;
        }

        if (!ngx_chat_extension_is_token(*p)) {
            break;
        }

        /* a longer one is told by one byte too many */

        if (param->value.len < sizeof(param->unquoted)) {
            param->unquoted[param->value.len++] = *p;
        }
    }

    return NGX_ERROR;
}


/* NGX_DECLINED: the offer asks for what cannot be */

static ngx_int_t
ngx_chat_extension_take(ngx_chat_extension_param_t *param, ngx_uint_t *seen,
    ngx_chat_extension_t *ext)
{
    ngx_uint_t  i, bits;

    for (i = 0; i < ngx_chat_extension_n; i++) {

        if (param->name.len == ngx_chat_extension_params[i].len
            && ngx_memcmp(param->name.data, ngx_chat_extension_params[i].data,
                          param->name.len)
               == 0)
        {
            break;
        }
    }

    if (i == ngx_chat_extension_n || (*seen & (1 << i))) {
        return NGX_DECLINED;
    }

    *seen |= 1 << i;

    bits = ngx_chat_extension_bits(&param->value);

    switch (i) {

    case ngx_chat_extension_server_window:
        ext->window = bits;
        ext->asked = 1;
        return bits ? NGX_OK : NGX_DECLINED;

    case ngx_chat_extension_client_window:
        return (bits || param->value.data == NULL) ? NGX_OK : NGX_DECLINED;

    default:
        return (param->value.data == NULL) ? NGX_OK : NGX_DECLINED;
    }
}


/* 0: not 8 to 15, or with zeros in front */

static ngx_uint_t
ngx_chat_extension_bits(ngx_str_t *value)
{
    size_t      i;
    ngx_uint_t  n;

    if (value->len == 0 || value->len > NGX_CHAT_EXTENSION_VALUE_MAX
        || value->data[0] == '0')
    {
        return 0;
    }

    n = 0;

    for (i = 0; i < value->len; i++) {

        if (value->data[i] < '0' || value->data[i] > '9') {
            return 0;
        }

        n = n * 10 + (value->data[i] - '0');
    }

    return (n >= NGX_CHAT_EXTENSION_BITS_MIN
            && n <= NGX_CHAT_EXTENSION_BITS_MAX)
           ? n : 0;
}


static ngx_int_t
ngx_chat_extension_token(u_char **pos, u_char *last, ngx_str_t *token)
{
    u_char  *p;

    for (p = *pos; p < last && ngx_chat_extension_is_token(*p); p++) {
        /* void */
    }

    token->data = *pos;
    token->len = p - *pos;
    *pos = p;

    return token->len ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_chat_extension_is_token(u_char ch)
{
    return ch > ' ' && ch < 0x7f
           && memchr("()<>@,;:\\\"/[]?={}", ch, 17) == NULL;
}


static void
ngx_chat_extension_blanks(u_char **pos, u_char *last)
{
    while (*pos < last && (**pos == ' ' || **pos == '\t')) {
        (*pos)++;
    }
}
