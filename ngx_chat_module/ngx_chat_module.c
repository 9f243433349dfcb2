
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_client.h>
#include <ngx_chat_conf.h>


#ifndef NGX_CHAT_PROGRAM
#define NGX_CHAT_PROGRAM       "/usr/sbin/chatd"
#endif

#ifndef NGX_CHAT_RUN_DIR
#define NGX_CHAT_RUN_DIR       "/run/nginx-chat"
#endif

/* as chatd has it: "/worker-63.sock" and what it adds fit an address */

#define NGX_CHAT_RUN_DIR_MAX   84

#define NGX_CHAT_STORE_CACHE   (128 * 1024 * 1024)


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
    ngx_chat_metrics_handler,
    ngx_chat_api_handler
};


static ngx_command_t  ngx_chat_commands[] = {

    { ngx_string("chat_workers"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_workers,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_run_dir"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_chat_main_conf_t, run_dir),
      NULL },

    { ngx_string("chat_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_chat_conf_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_program"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_chat_main_conf_t, program),
      NULL },

    { ngx_string("chat_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_chat_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_drain_time"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_time,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_chat_main_conf_t, drain_time),
      NULL },

    { ngx_string("chat_presence_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_time,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_chat_main_conf_t, presence_timeout),
      NULL },

    { ngx_string("chat_jwt_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_chat_conf_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_jwks"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_chat_conf_jwks,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_websocket"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[0] },

    { ngx_string("chat_rpc"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[1] },

    { ngx_string("chat_echo"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[2] },

    { ngx_string("chat_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[3] },

    { ngx_string("chat_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[4] },

    { ngx_string("chat_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_chat_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_chat_handlers[5] },

    { ngx_string("chat_origin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_chat_conf_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_token"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_chat_conf_token,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_unknown_users"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_unknown_users,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_accounts"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_chat_conf_accounts,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_token_lifetime"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_lifetime,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_heartbeat"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_chat_loc_conf_t, heartbeat),
      NULL },

    { ngx_string("chat_message_max"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_chat_loc_conf_t, message_max),
      NULL },

    { ngx_string("chat_rate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_chat_conf_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chat_send_queue"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_chat_loc_conf_t, send_queue),
      NULL },

    { ngx_string("chat_send_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_chat_conf_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_chat_loc_conf_t, send_timeout),
      NULL },

    { ngx_string("chat_deflate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_chat_conf_deflate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
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


static void *
ngx_chat_create_main_conf(ngx_conf_t *cf)
{
    ngx_chat_main_conf_t  *cmcf;

    cmcf = ngx_pcalloc(cf->pool, sizeof(ngx_chat_main_conf_t));
    if (cmcf == NULL) {
        return NULL;
    }

    cmcf->store_cache = NGX_CHAT_STORE_CACHE;
    cmcf->drain_time = NGX_CONF_UNSET_MSEC;
    cmcf->presence_timeout = NGX_CONF_UNSET_MSEC;

    return cmcf;
}


static char *
ngx_chat_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_chat_main_conf_t *cmcf = conf;

    ngx_conf_init_msec_value(cmcf->drain_time, 5000);
    ngx_conf_init_msec_value(cmcf->presence_timeout, 60000);

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

        if (cmcf->redis.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"chat_workers unix:DIR\" uses a pool that "
                               "others start: remove \"chat_redis\" and "
                               "write \"-r '%V'\" where chatd is started",
                               &cmcf->redis);
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
     *     conf->jwt_keys = NULL;
     *     conf->jwt_key = { 0, NULL };
     *     conf->token = 0;
     *     conf->handler = { 0, NULL };
     *     conf->content = NULL;
     *     conf->reserved = { 0, NULL };
     */

    conf->origins = NGX_CONF_UNSET_PTR;
    conf->heartbeat = NGX_CONF_UNSET_MSEC;
    conf->message_max = NGX_CONF_UNSET_SIZE;
    conf->deflate = NGX_CONF_UNSET_UINT;
    conf->deflate_min = NGX_CONF_UNSET_SIZE;
    conf->rate = NGX_CONF_UNSET_UINT;
    conf->burst = NGX_CONF_UNSET_UINT;
    conf->send_queue = NGX_CONF_UNSET_SIZE;
    conf->send_timeout = NGX_CONF_UNSET_MSEC;
    conf->unknown_users = NGX_CONF_UNSET_UINT;
    conf->accounts = NGX_CONF_UNSET_UINT;
    conf->token_lifetime = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_chat_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_chat_loc_conf_t *prev = parent;
    ngx_chat_loc_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_msec_value(conf->heartbeat, prev->heartbeat, 30000);
    ngx_conf_merge_uint_value(conf->deflate, prev->deflate, 0);
    ngx_conf_merge_size_value(conf->deflate_min, prev->deflate_min, 0);
    ngx_conf_merge_uint_value(conf->rate, prev->rate, 0);
    ngx_conf_merge_uint_value(conf->burst, prev->burst, 0);
    ngx_conf_merge_size_value(conf->send_queue, prev->send_queue,
                              1024 * 1024);
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 60000);
    ngx_conf_merge_uint_value(conf->unknown_users, prev->unknown_users, 0);
    ngx_conf_merge_sec_value(conf->token_lifetime, prev->token_lifetime,
                             30 * 86400);

    /* the prefix belongs to the "on" it stands with */

    if (conf->accounts == NGX_CONF_UNSET_UINT) {
        conf->reserved = prev->reserved;
    }

    ngx_conf_merge_uint_value(conf->accounts, prev->accounts, 0);

    if (conf->jwt_keys == NULL) {
        conf->jwt_keys = prev->jwt_keys;
        conf->jwt_key = prev->jwt_key;
    }

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
    ngx_uint_t                 chat, http;
    ngx_chat_main_conf_t      *cmcf;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != conf->content) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must stand in a location of its own: a "
                           "directive behind it handles location \"%V\"",
                           &conf->handler, &clcf->name);
        return NGX_CONF_ERROR;
    }

    http = ngx_strcmp(conf->handler.data, "chat_rpc") == 0
           || ngx_strcmp(conf->handler.data, "chat_api") == 0;

    chat = http || ngx_strcmp(conf->handler.data, "chat_websocket") == 0;

    if (http) {

        /* chat_message_max is the limit, and its answer is no HTML */

        clcf->client_max_body_size = 0;
    }

    if (conf->message_max == NGX_CONF_UNSET_SIZE) {
        conf->message_max = chat ? 2 * 1024 * 1024
                                 : NGX_CHAT_MESSAGE_MAX;
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

    if (conf->jwt_keys == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs the key of its tokens: write "
                           "\"chat_jwt_key FILE;\" or \"chat_jwks FILE;\"",
                           &conf->handler);
        return NGX_CONF_ERROR;
    }

    if (conf->accounts && conf->jwt_key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"chat_accounts on\" needs a secret to sign the "
                           "tokens of its users with: write \"chat_jwt_key "
                           "FILE;\" with one for HS256");
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

    *h = ngx_chat_token_keep_handler;

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
