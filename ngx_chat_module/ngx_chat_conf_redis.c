
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_module.h>
#include <ngx_chat_conf.h>


#define NGX_CHAT_REDIS_MAX     1023
#define NGX_CHAT_SOCKET_MAX    107
#define NGX_CHAT_REDIS_DB_MAX  65535


static char *ngx_chat_conf_redis_address(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *address);
static char *ngx_chat_conf_redis_password(ngx_conf_t *cf, ngx_str_t *name);


/* the settings have it in the words of chatd's -r, one space between them */

char *
ngx_chat_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_main_conf_t *cmcf = conf;

    u_char      *p;
    ngx_int_t    db;
    ngx_str_t   *value, address, file;
    ngx_uint_t   i;

    if (cmcf->redis.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    db = 0;
    ngx_str_null(&file);

    if (ngx_chat_conf_redis_address(cf, &value[1], &address) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "db=", 3) == 0) {
            db = ngx_atoi(value[i].data + 3, value[i].len - 3);

            if (db >= 0 && db <= NGX_CHAT_REDIS_DB_MAX) {
                continue;
            }

        } else if (ngx_strncmp(value[i].data, "password_file=", 14) == 0
                   && file.len == 0)
        {
            file.data = value[i].data + 14;
            file.len = value[i].len - 14;

            if (file.len) {
                if (ngx_chat_conf_redis_password(cf, &file) != NGX_CONF_OK) {
                    return NGX_CONF_ERROR;
                }

                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"chat_redis\": "
                           "write \"password_file=PATH\" or \"db=N\" with a "
                           "number up to %d", &value[i],
                           NGX_CHAT_REDIS_DB_MAX);
        return NGX_CONF_ERROR;
    }

    p = ngx_pnalloc(cf->pool, address.len + file.len + NGX_INT_T_LEN
                              + sizeof(" password_file= db="));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    cmcf->redis.data = p;
    p = ngx_sprintf(p, "%V", &address);

    if (file.len) {
        p = ngx_sprintf(p, " password_file=%V", &file);
    }

    if (db) {
        p = ngx_sprintf(p, " db=%i", db);
    }

    cmcf->redis.len = p - cmcf->redis.data;

    if (cmcf->redis.len > NGX_CHAT_REDIS_MAX) {
        return "is too long";
    }

    return NGX_CONF_OK;
}


/* HOST:PORT or unix:PATH; the host is looked up when chatd connects */

static char *
ngx_chat_conf_redis_address(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *address)
{
    u_char     *p, *last, *colon;
    ngx_int_t   port;
    ngx_str_t   path;

    last = value->data + value->len;

    if (value->len > 5 && ngx_strncmp(value->data, "unix:", 5) == 0) {
        path.data = value->data + 5;
        path.len = value->len - 5;

        if (ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (path.len <= NGX_CHAT_SOCKET_MAX
            && ngx_strlchr(path.data, path.data + path.len, ' ') == NULL)
        {
            address->len = path.len + 5;
            address->data = ngx_pnalloc(cf->pool, address->len);
            if (address->data == NULL) {
                return NGX_CONF_ERROR;
            }

            (void) ngx_sprintf(address->data, "unix:%V", &path);

            return NGX_CONF_OK;
        }

        goto invalid;
    }

    colon = NULL;

    for (p = value->data; p < last; p++) {
        if (*p == ':') {
            colon = p;

        } else if (*p <= ' ' || *p > '~') {
            goto invalid;
        }
    }

    if (colon == NULL || colon == value->data) {
        goto invalid;
    }

    /* an IPv6 address stands in brackets */

    if (value->data[0] == '[') {
        if (colon[-1] != ']' || colon - value->data < 4) {
            goto invalid;
        }

    } else if (ngx_strlchr(value->data, colon, ':') != NULL) {
        goto invalid;
    }

    port = ngx_atoi(colon + 1, last - colon - 1);

    if (port < 1 || port > 65535) {
        goto invalid;
    }

    *address = *value;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"chat_redis\": write "
                       "\"HOST:PORT\", or \"unix:PATH\" with a path of at "
                       "most %d bytes without spaces", value,
                       NGX_CHAT_SOCKET_MAX);

    return NGX_CONF_ERROR;
}


/* chatd reads it; here only whether there is one, so that it is no surprise */

static char *
ngx_chat_conf_redis_password(ngx_conf_t *cf, ngx_str_t *name)
{
    u_char           c;
    ssize_t          n;
    ngx_fd_t         fd;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strlchr(name->data, name->data + name->len, ' ') != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"password_file\" of \"chat_redis\" cannot have "
                           "a space in its path");
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" of \"chat_redis\" failed",
                           name);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, &c, 1);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    if (n != 1 || c == LF || c == CR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"password_file\" \"%V\" of \"chat_redis\" has "
                           "no password in its first line", name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
