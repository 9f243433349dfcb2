
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_CONF_H_INCLUDED_
#define _NGX_CHAT_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CHAT_MESSAGE_MAX   (16 * 1024 * 1024)


/* setters of directives; what they refuse they explain */

char *ngx_chat_conf_workers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_deflate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_unknown_users(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_chat_conf_accounts(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_lifetime(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_time(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_chat_conf_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_CHAT_CONF_H_INCLUDED_ */
