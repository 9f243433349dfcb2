
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>


#ifndef NGX_CHAT_PROGRAM
#define NGX_CHAT_PROGRAM       "/usr/sbin/chatd"
#endif

#ifndef NGX_CHAT_RUN_DIR
#define NGX_CHAT_RUN_DIR       "/run/nginx-chat"
#endif

#define NGX_CHAT_WORKERS_MAX   64

/* as chatd has it: "/worker-63.sock" and what it adds fit an address */

#define NGX_CHAT_RUN_DIR_MAX   84

#define NGX_CHAT_KEY_MIN       32
#define NGX_CHAT_KEY_MAX       4096

#define NGX_CHAT_MESSAGE_MIN   1024
#define NGX_CHAT_MESSAGE_MAX   (16 * 1024 * 1024)
#define NGX_CHAT_QUEUE_MIN     4096
#define NGX_CHAT_RATE_MAX      1000000


static char *ngx_chat_workers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_chat_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_chat_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_chat_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_chat_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_chat_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_chat_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_chat_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_chat_unknown_users(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_chat_time(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_chat_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

static char *ngx_chat_key_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *key);
static ngx_uint_t ngx_chat_origin_valid(ngx_str_t *origin);
static char *ngx_chat_check_loc(ngx_conf_t *cf, ngx_chat_loc_conf_t *conf);

static void *ngx_chat_create_main_conf(ngx_conf_t *cf);
static char *ngx_chat_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_chat_create_loc_conf(ngx_conf_t *cf);
static char *ngx_chat_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_chat_init(ngx_conf_t *cf);
static ngx_int_t ngx_chat_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_chat_init_process(ngx_cycle_t *cycle);
static void ngx_chat_exit_process(ngx_cycle_t *cycle);


static ngx_http_handler_pt  ngx_chat_handlers[] = {
    ngx_chat_websocket_handler,
    ngx_chat_rpc_handler,
    ngx_chat_echo_handler,
    ngx_chat_status_handler,
    ngx_chat_metrics_handler
};


static ngx_command_t  ngx_chat_commands[] = {

    { ngx_string("chat_workers"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_workers,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_run_dir"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_chat_main_conf_t, run_dir),
      NULL },

    { ngx_string("chat_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_program"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_chat_main_conf_t, program),
      NULL },

    { ngx_string("chat_drain_time"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_time,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_chat_main_conf_t, drain_time),
      NULL },

    { ngx_string("chat_jwt_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_websocket"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[0] },

    { ngx_string("chat_rpc"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[1] },

    { ngx_string("chat_echo"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[2] },

    { ngx_string("chat_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[3] },

    { ngx_string("chat_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[4] },

    { ngx_string("chat_origin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_chat_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_token"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_chat_token,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_unknown_users"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_unknown_users,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_heartbeat"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_chat_loc_conf_t, heartbeat),
      NULL },

    { ngx_string("chat_message_max"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_chat_loc_conf_t, message_max),
      NULL },

    { ngx_string("chat_rate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_chat_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_send_queue"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_chat_loc_conf_t, send_queue),
      NULL },

    { ngx_string("chat_send_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_chat_loc_conf_t, send_timeout),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_chat_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_chat_init,                         /* postconfiguration */

    ngx_chat_create_main_conf,             /* create main configuration */
    ngx_chat_init_main_conf,               /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_chat_create_loc_conf,              /* create location configuration */
    ngx_chat_merge_loc_conf                /* merge location configuration */
};


ngx_module_t  ngx_chat_module = {
    NGX_MODULE_V1,
    &ngx_chat_module_ctx,                  /* module context */
    ngx_chat_commands,                     /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_chat_init_module,                  /* init module */
    ngx_chat_init_process,                 /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_chat_exit_process,                 /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_chat_workers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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


static char *
ngx_chat_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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


static char *
ngx_chat_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_main_conf_t *cmcf = conf;

    ngx_str_t  *value, path;

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

    return NGX_CONF_OK;
}


static char *
ngx_chat_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    ngx_str_t  *value, name;

    if (chcf->jwt_key.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    name = value[1];

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_chat_key_read(cf, &name, &chcf->jwt_key);
}


static char *
ngx_chat_key_read(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *key)
{
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_file_t  file;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" of \"chat_jwt_key\" "
                           "failed", name);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.fd = fd;
    file.name = *name;
    file.log = cf->log;

    key->data = ngx_pnalloc(cf->pool, NGX_CHAT_KEY_MAX + 1);

    n = key->data ? ngx_read_file(&file, key->data, NGX_CHAT_KEY_MAX + 1, 0)
                  : NGX_ERROR;

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    if (n == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (n && key->data[n - 1] == LF) {
        n--;

        if (n && key->data[n - 1] == CR) {
            n--;
        }
    }

    if (n < NGX_CHAT_KEY_MIN || n > NGX_CHAT_KEY_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key \"%V\" of \"chat_jwt_key\" must have %d to %d "
                           "bytes: make one with "
                           "\"openssl rand -hex 32 > %V\"", name,
                           NGX_CHAT_KEY_MIN, NGX_CHAT_KEY_MAX, name);
        return NGX_CONF_ERROR;
    }

    key->len = n;

    return NGX_CONF_OK;
}


static char *
ngx_chat_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_chat_module);
    cmcf->located = 1;

    return NGX_CONF_OK;
}


static char *
ngx_chat_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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

        if (!ngx_chat_origin_valid(&value[i])) {
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
ngx_chat_origin_valid(ngx_str_t *origin)
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


static char *
ngx_chat_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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


static char *
ngx_chat_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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


static char *
ngx_chat_unknown_users(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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


static char *
ngx_chat_time(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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


static char *
ngx_chat_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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


static void *
ngx_chat_create_main_conf(ngx_conf_t *cf)
{
    ngx_chat_main_conf_t  *cmcf;

    cmcf = ngx_pcalloc(cf->pool, sizeof(ngx_chat_main_conf_t));
    if (cmcf == NULL) {
        return NULL;
    }

    cmcf->drain_time = NGX_CONF_UNSET_MSEC;

    return cmcf;
}


static char *
ngx_chat_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_chat_main_conf_t *cmcf = conf;

    ngx_conf_init_msec_value(cmcf->drain_time, 5000);

    if (!cmcf->used) {
        return NGX_CONF_OK;
    }

    if (cmcf->external) {

        if (cmcf->run_dir.len || cmcf->store.len || cmcf->program.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"chat_workers unix:DIR\" uses a pool that "
                               "others start: remove \"chat_run_dir\", "
                               "\"chat_store\" and \"chat_program\"");
            return NGX_CONF_ERROR;
        }

        cmcf->run_dir = cmcf->socket_dir;

    } else if (cmcf->store.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"chat_workers\" needs a store: write for example "
                           "\"chat_store leveldb:/var/lib/nginx-chat;\"");
        return NGX_CONF_ERROR;
    }

    if (cmcf->run_dir.len == 0) {
        ngx_str_set(&cmcf->run_dir, NGX_CHAT_RUN_DIR);
    }

    if (cmcf->program.len == 0) {
        ngx_str_set(&cmcf->program, NGX_CHAT_PROGRAM);
    }

    while (cmcf->run_dir.len > 1
           && cmcf->run_dir.data[cmcf->run_dir.len - 1] == '/')
    {
        cmcf->run_dir.data[--cmcf->run_dir.len] = '\0';
    }

    if (cmcf->run_dir.len > NGX_CHAT_RUN_DIR_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "run directory \"%V\" is too long for the address "
                           "of a socket: write a path of at most %d bytes",
                           &cmcf->run_dir, NGX_CHAT_RUN_DIR_MAX);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_chat_create_loc_conf(ngx_conf_t *cf)
{
    ngx_chat_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_chat_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->jwt_key = { 0, NULL };
     *     conf->token = 0;
     *     conf->handler = { 0, NULL };
     */

    conf->origins = NGX_CONF_UNSET_PTR;
    conf->heartbeat = NGX_CONF_UNSET_MSEC;
    conf->message_max = NGX_CONF_UNSET_SIZE;
    conf->rate = NGX_CONF_UNSET_UINT;
    conf->burst = NGX_CONF_UNSET_UINT;
    conf->send_queue = NGX_CONF_UNSET_SIZE;
    conf->send_timeout = NGX_CONF_UNSET_MSEC;
    conf->unknown_users = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_chat_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_chat_loc_conf_t *prev = parent;
    ngx_chat_loc_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_str_value(conf->jwt_key, prev->jwt_key, "");
    ngx_conf_merge_msec_value(conf->heartbeat, prev->heartbeat, 30000);
    ngx_conf_merge_uint_value(conf->rate, prev->rate, 0);
    ngx_conf_merge_uint_value(conf->burst, prev->burst, 0);
    ngx_conf_merge_size_value(conf->send_queue, prev->send_queue,
                              1024 * 1024);
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 60000);
    ngx_conf_merge_uint_value(conf->unknown_users, prev->unknown_users, 0);

    if (conf->token == 0) {
        conf->token = prev->token ? prev->token
                                  : (NGX_CHAT_TOKEN_HEADER
                                     |NGX_CHAT_TOKEN_ARGUMENT
                                     |NGX_CHAT_TOKEN_SUBPROTOCOL);
    }

    /* the default depends on the location: stays unset above it */

    if (conf->message_max == NGX_CONF_UNSET_SIZE) {
        conf->message_max = prev->message_max;
    }

    if (conf->handler.len == 0) {
        return NGX_CONF_OK;
    }

    return ngx_chat_check_loc(cf, conf);
}


static char *
ngx_chat_check_loc(ngx_conf_t *cf, ngx_chat_loc_conf_t *conf)
{
    ngx_uint_t             chat;
    ngx_chat_main_conf_t  *cmcf;

    chat = ngx_strcmp(conf->handler.data, "chat_websocket") == 0
           || ngx_strcmp(conf->handler.data, "chat_rpc") == 0;

    if (conf->message_max == NGX_CONF_UNSET_SIZE) {
        conf->message_max = chat ? 2 * 1024 * 1024 : NGX_CHAT_MESSAGE_MAX;
    }

    if (!chat) {
        return NGX_CONF_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_chat_module);

    if (!cmcf->used) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs chat workers: write "
                           "\"chat_workers auto;\" in the \"http\" block",
                           &conf->handler);
        return NGX_CONF_ERROR;
    }

    if (conf->jwt_key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs the key of its tokens: write "
                           "\"chat_jwt_key FILE;\"", &conf->handler);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_chat_init(ngx_conf_t *cf)
{
    ngx_array_t                *handlers;
    ngx_http_handler_pt        *h;
    ngx_chat_main_conf_t       *cmcf;
    ngx_http_core_main_conf_t  *ccmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_chat_module);

    if (!cmcf->located && !cmcf->used) {
        return NGX_OK;
    }

    if (ngx_chat_status_zone(cf, cmcf) != NGX_CONF_OK) {
        return NGX_ERROR;
    }

    ccmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&ccmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_chat_token_hide_handler;

    h = ngx_array_push(&ccmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_chat_token_show_handler;

    /* the first of its phase: before the access logs */

    handlers = &ccmcf->phases[NGX_HTTP_LOG_PHASE].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(h + 1, h, (handlers->nelts - 1) * sizeof(*h));

    *h = ngx_chat_token_log_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_init_module(ngx_cycle_t *cycle)
{
    ngx_chat_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_chat_module);

    if (cmcf == NULL || !cmcf->used) {
        return NGX_OK;
    }

    return ngx_chat_pool_init_module(cycle);
}


static ngx_int_t
ngx_chat_init_process(ngx_cycle_t *cycle)
{
    ngx_chat_main_conf_t  *cmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_chat_module);

    if (cmcf == NULL || (!cmcf->used && !cmcf->located)) {
        return NGX_OK;
    }

    if (ngx_chat_input_init_process(cycle) != NGX_OK
        || ngx_chat_output_init_process(cycle) != NGX_OK
        || ngx_chat_status_init_process(cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!cmcf->used) {
        return NGX_OK;
    }

    if (ngx_chat_bridge_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_chat_pool_init_process(cycle);
}


static void
ngx_chat_exit_process(ngx_cycle_t *cycle)
{
    ngx_chat_main_conf_t  *cmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_chat_module);

    if (cmcf == NULL || (!cmcf->used && !cmcf->located)) {
        return;
    }

    if (cmcf->used) {
        ngx_chat_bridge_exit_process(cycle);
    }

    ngx_chat_status_exit_process(cycle);
}
