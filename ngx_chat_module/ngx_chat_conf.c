
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_module.h>
#include <ngx_chat_conf.h>
#include <ngx_chat_jwt.h>


#define NGX_CHAT_WORKERS_MAX   64

#define NGX_CHAT_CACHE_MIN     (1024 * 1024)
#define NGX_CHAT_CACHE_MAX     ((off_t) 1 << 40)

#define NGX_CHAT_DEFLATE_LEVEL 3
#define NGX_CHAT_DEFLATE_MIN   256
#define NGX_CHAT_DEFLATE_LEAST 64

#define NGX_CHAT_MESSAGE_MIN   1024
#define NGX_CHAT_QUEUE_MIN     4096
#define NGX_CHAT_RATE_MAX      1000000

#define NGX_CHAT_LIFETIME_MAX  (365 * 86400)


static ngx_uint_t ngx_chat_conf_origin_valid(ngx_str_t *origin);


char *
ngx_chat_conf_workers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_main_conf_t *cmcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (cmcf->used) {
        return "is duplicate";
    }

    cmcf->used = 1;
    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "auto") == 0) {
        return NGX_CONF_OK;
    }

    if (value[1].len > 5 && ngx_strncmp(value[1].data, "unix:", 5) == 0) {
        cmcf->external = 1;
        cmcf->socket_dir.data = value[1].data + 5;
        cmcf->socket_dir.len = value[1].len - 5;

        return (ngx_conf_full_name(cf->cycle, &cmcf->socket_dir, 0) == NGX_OK)
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_CHAT_WORKERS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"chat_workers\": write "
                           "\"auto\", a number from 1 to %d, or "
                           "\"unix:DIR\" for a pool that others start",
                           &value[1], NGX_CHAT_WORKERS_MAX);
        return NGX_CONF_ERROR;
    }

    cmcf->workers = n;

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char       *rv;
    ngx_str_t  *field;

    rv = ngx_conf_set_str_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    field = (ngx_str_t *) (p + cmd->offset);

    if (field->len == 0) {
        return "needs a path";
    }

    return (ngx_conf_full_name(cf->cycle, field, 0) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_chat_conf_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_main_conf_t *cmcf = conf;

    ngx_str_t  *value, path, cache;

    if (cmcf->store.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len <= 8 || ngx_strncmp(value[1].data, "leveldb:", 8) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"chat_store\": write "
                           "\"leveldb:PATH\" with the directory that holds "
                           "the messages", &value[1]);
        return NGX_CONF_ERROR;
    }

    path.data = value[1].data + 8;
    path.len = value[1].len - 8;

    if (ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cmcf->store.data = ngx_pnalloc(cf->pool, path.len + 9);
    if (cmcf->store.data == NULL) {
        return NGX_CONF_ERROR;
    }

    cmcf->store.len = ngx_sprintf(cmcf->store.data, "leveldb:%V%Z", &path)
                      - cmcf->store.data - 1;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "cache=", 6) == 0) {
        cache.data = value[2].data + 6;
        cache.len = value[2].len - 6;

        cmcf->store_cache = ngx_parse_offset(&cache);

        if (cmcf->store_cache >= NGX_CHAT_CACHE_MIN
            && cmcf->store_cache <= NGX_CHAT_CACHE_MAX)
        {
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"chat_store\": write "
                       "\"cache=SIZE\", from 1m to 1024g", &value[2]);

    return NGX_CONF_ERROR;
}


char *
ngx_chat_conf_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    ngx_http_handler_pt       *handler;
    ngx_chat_main_conf_t      *cmcf;
    ngx_http_core_loc_conf_t  *clcf;

    if (chcf->handler.len == cmd->name.len
        && ngx_strcmp(chcf->handler.data, cmd->name.data) == 0)
    {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (chcf->handler.len || clcf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must stand in a location of its own: this "
                           "one is handled by %s%V%s already", &cmd->name,
                           chcf->handler.len ? "\"" : "another directive",
                           &chcf->handler, chcf->handler.len ? "\"" : "");
        return NGX_CONF_ERROR;
    }

    handler = cmd->post;

    clcf->handler = *handler;
    chcf->handler = cmd->name;
    chcf->content = *handler;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_chat_module);
    cmcf->located = 1;

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    ngx_str_t   *value, *origin;
    ngx_uint_t   i;

    if (chcf->origins != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "any") == 0) {
        chcf->origins = NULL;
        return NGX_CONF_OK;
    }

    chcf->origins = ngx_array_create(cf->pool, cf->args->nelts,
                                     sizeof(ngx_str_t));
    if (chcf->origins == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (!ngx_chat_conf_origin_valid(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\" in \"chat_origin\": "
                               "write \"https://HOST\" or "
                               "\"https://HOST:PORT\" without a path, "
                               "or \"any\" alone", &value[i]);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(chcf->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = value[i];
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_chat_conf_origin_valid(ngx_str_t *origin)
{
    u_char  *p, *last;

    if (ngx_strcmp(origin->data, "null") == 0) {
        return 1;
    }

    last = origin->data + origin->len;

    p = ngx_strlchr(origin->data, last, ':');

    if (p == NULL || p == origin->data || last - p <= 3
        || ngx_strncmp(p, "://", 3) != 0)
    {
        return 0;
    }

    for (p += 3; p < last; p++) {

        if (*p <= ' ' || *p > '~' || ngx_strchr("/?#@*,", *p)) {
            return 0;
        }
    }

    return 1;
}


char *
ngx_chat_conf_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    ngx_int_t   rate, burst;
    ngx_str_t  *value;

    if (chcf->rate != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        chcf->rate = 0;
        chcf->burst = 0;
        return NGX_CONF_OK;
    }

    rate = NGX_ERROR;

    if (value[1].len > 3
        && ngx_strncmp(value[1].data + value[1].len - 3, "r/s", 3) == 0)
    {
        rate = ngx_atofp(value[1].data, value[1].len - 3, 3);
    }

    burst = (rate + 999) / 1000;

    if (cf->args->nelts == 3) {
        burst = (ngx_strncmp(value[2].data, "burst=", 6) == 0)
                ? ngx_atoi(value[2].data + 6, value[2].len - 6) : NGX_ERROR;
    }

    if (rate < 1 || rate / 1000 > NGX_CHAT_RATE_MAX
        || burst < 1 || burst > NGX_CHAT_RATE_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"chat_rate\": write \"50r/s\", "
                           "\"50r/s burst=100\" or \"off\"; numbers from 1 "
                           "to %d, the rate down to 0.001r/s",
                           NGX_CHAT_RATE_MAX);
        return NGX_CONF_ERROR;
    }

    chcf->rate = rate;
    chcf->burst = burst;

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, source;

    if (chcf->token) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "header") == 0) {
            source = NGX_CHAT_TOKEN_HEADER;

        } else if (ngx_strcmp(value[i].data, "argument") == 0) {
            source = NGX_CHAT_TOKEN_ARGUMENT;

        } else if (ngx_strcmp(value[i].data, "subprotocol") == 0) {
            source = NGX_CHAT_TOKEN_SUBPROTOCOL;

        } else {
            source = 0;
        }

        if (source == 0 || (chcf->token & source)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" of \"chat_token\": "
                               "write \"header\", \"argument\" or "
                               "\"subprotocol\", each at most once",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        chcf->token |= source;
    }

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_unknown_users(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    ngx_str_t  *value;

    if (chcf->unknown_users != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "allow") == 0) {
        chcf->unknown_users = 0;

    } else if (ngx_strcmp(value[1].data, "refuse") == 0) {
        chcf->unknown_users = 1;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"chat_unknown_users\": "
                           "write \"allow\" or \"refuse\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_accounts(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    ngx_str_t  *value, prefix;

    if (chcf->accounts != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        chcf->accounts = 0;
        return NGX_CONF_OK;
    }

    ngx_str_null(&prefix);

    if (cf->args->nelts == 3 && value[2].len > 9
        && ngx_strncmp(value[2].data, "reserved=", 9) == 0)
    {
        prefix.data = value[2].data + 9;
        prefix.len = value[2].len - 9;
    }

    if (ngx_strcmp(value[1].data, "on") != 0
        || (cf->args->nelts == 3
            && !ngx_chat_jwt_id_valid(prefix.data, prefix.len)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"chat_accounts\": write \"off\", \"on\" "
                           "or \"on reserved=PREFIX\" with the beginning of "
                           "the ids that nobody may sign up with, of "
                           "A-Z a-z 0-9 _ . @ + -");
        return NGX_CONF_ERROR;
    }

    chcf->accounts = 1;
    chcf->reserved = prefix;

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_lifetime(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    time_t      t;
    ngx_str_t  *value;

    if (chcf->token_lifetime != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    t = ngx_parse_time(&value[1], 1);

    if (t == (time_t) NGX_ERROR || t < 1 || t > NGX_CHAT_LIFETIME_MAX) {
        return "needs a time from \"1s\" to \"365d\": write for example "
               "\"30d\"";
    }

    chcf->token_lifetime = t;

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_time(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_msec_t  *field;

    field = (ngx_msec_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    if (ngx_conf_set_msec_slot(cf, cmd, conf) != NGX_CONF_OK) {
        return "needs a time: write for example \"30s\"";
    }

    /* a day is more than enough for all of them */

    if (*field > 86400000) {
        return "must be at most \"1d\"";
    }

    if (cmd->conf == NGX_HTTP_LOC_CONF_OFFSET && *field < 1000) {
        return "must be at least \"1s\"";
    }

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    size_t  *field;

    field = (size_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    if (ngx_conf_set_size_slot(cf, cmd, conf) != NGX_CONF_OK) {
        return "needs a size: write for example \"1m\"";
    }

    if (cmd->offset == offsetof(ngx_chat_loc_conf_t, message_max)) {

        if (*field < NGX_CHAT_MESSAGE_MIN || *field > NGX_CHAT_MESSAGE_MAX) {
            return "must be from \"1k\" to \"16m\"";
        }

    } else if (*field < NGX_CHAT_QUEUE_MIN || *field > NGX_MAX_INT32_VALUE) {
        return "must be from \"4k\" to \"2047m\"";
    }

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_deflate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    ssize_t      min;
    ngx_int_t    level;
    ngx_str_t   *value, size;
    ngx_uint_t   i, off;

    if (chcf->deflate != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    level = NGX_CHAT_DEFLATE_LEVEL;
    min = NGX_CHAT_DEFLATE_MIN;

    off = ngx_strcmp(value[1].data, "off") == 0;

    if (off ? cf->args->nelts > 2 : ngx_strcmp(value[1].data, "on") != 0) {
        goto invalid;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "level=", 6) == 0) {
            level = ngx_atoi(value[i].data + 6, value[i].len - 6);

        } else if (ngx_strncmp(value[i].data, "min=", 4) == 0) {
            size.data = value[i].data + 4;
            size.len = value[i].len - 4;
            min = ngx_parse_size(&size);

        } else {
            goto invalid;
        }
    }

    if (level < 1 || level > 9
        || min < NGX_CHAT_DEFLATE_LEAST || min > NGX_CHAT_MESSAGE_MAX)
    {
        goto invalid;
    }

    chcf->deflate = off ? 0 : level;
    chcf->deflate_min = min;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"chat_deflate\": write \"off\", \"on\" or "
                       "\"on level=%d min=%d\", the level from 1 to 9, the "
                       "size from %d to \"16m\"", NGX_CHAT_DEFLATE_LEVEL,
                       NGX_CHAT_DEFLATE_MIN, NGX_CHAT_DEFLATE_LEAST);

    return NGX_CONF_ERROR;
}
