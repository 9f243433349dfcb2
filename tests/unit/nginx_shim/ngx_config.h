/*
 * Stands for nginx's ngx_config.h in unit tests and fuzzers of those module
 * files that include nothing else of nginx: integer types, inlining.
 */

#ifndef NGINX_SHIM_NGX_CONFIG_H
#define NGINX_SHIM_NGX_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

typedef intptr_t ngx_int_t;
typedef uintptr_t ngx_uint_t;
typedef intptr_t ngx_flag_t;

#define ngx_inline inline

#endif
