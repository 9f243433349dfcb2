
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_SETTINGS_H_INCLUDED_
#define _NGX_CHAT_SETTINGS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_chat_module.h>


/* in the master: generation and hash of the conf, and the file; what fails is
 * logged */
void ngx_chat_settings_settle(ngx_cycle_t *cycle, ngx_chat_main_conf_t *cmcf);

/* in worker process 0: the file is this master's, and read by the pool */
void ngx_chat_settings_adopt(ngx_cycle_t *cycle, ngx_chat_main_conf_t *cmcf);

/* writes what could not be written before; NGX_OK: the file is there */
ngx_int_t ngx_chat_settings_retry(ngx_cycle_t *cycle,
    ngx_chat_main_conf_t *cmcf);

/* NGX_BUSY: a chatd holds the lock of the run directory; NGX_OK; NGX_ERROR */
ngx_int_t ngx_chat_settings_locked(ngx_chat_main_conf_t *cmcf);


#endif /* _NGX_CHAT_SETTINGS_H_INCLUDED_ */
