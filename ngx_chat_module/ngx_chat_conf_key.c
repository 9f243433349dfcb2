
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_module.h>
#include <ngx_chat_conf.h>
#include <ngx_chat_jwks.h>


#define NGX_CHAT_CONF_PEM_MAX  (16 * 1024)


typedef struct {
    ngx_str_t   alg;
    ngx_str_t   kid;
    ngx_str_t   iss;
    ngx_str_t   aud;
} ngx_chat_conf_key_args_t;


typedef struct {
    ngx_conf_t  *cf;
    ngx_str_t   *name;
} ngx_chat_conf_key_ctx_t;


static char *ngx_chat_conf_key_args(ngx_conf_t *cf,
    ngx_chat_conf_key_args_t *args, ngx_uint_t whole);
static char *ngx_chat_conf_key_read(ngx_conf_t *cf, ngx_str_t *name,
    size_t max, ngx_str_t *text);
static char *ngx_chat_conf_key_secret(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text, ngx_chat_jwk_t *key);
static char *ngx_chat_conf_key_refuse(ngx_conf_t *cf, ngx_str_t *name,
    const char *text);
static void ngx_chat_conf_key_note(void *data, ngx_uint_t n,
    ngx_uint_t skipped, const char *text);


char *
ngx_chat_conf_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    char                      *rv;
    ngx_str_t                 *value, name, text;
    const char                *error;
    ngx_chat_jwk_t            *key;
    ngx_chat_jwk_alg_e         alg;
    ngx_chat_conf_key_args_t   args;

    if (ngx_chat_conf_key_args(cf, &args, 0) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    name = value[1];

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK
        || ngx_chat_conf_key_read(cf, &name, NGX_CHAT_CONF_PEM_MAX, &text)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    key = ngx_pcalloc(cf->pool, sizeof(ngx_chat_jwk_t));
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    key->kid = args.kid;
    key->issuer = args.iss;
    key->audience = args.aud;

    if (ngx_chat_jwk_armoured(&text)) {
        error = ngx_chat_jwk_pem(key, &text, cf->pool);

        if (error) {
            return ngx_chat_conf_key_refuse(cf, &name, error);
        }

    } else {
        rv = ngx_chat_conf_key_secret(cf, &name, &text, key);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    alg = ngx_chat_jwk_alg(&args.alg);

    if (args.alg.data && alg != key->alg) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key \"%V\" of \"chat_jwt_key\" is one for %V: "
                           "\"alg=%V\" does not fit", &name,
                           ngx_chat_jwk_alg_name(key->alg), &args.alg);
        return NGX_CONF_ERROR;
    }

    error = ngx_chat_jwk_add(&chcf->jwt_keys, key);

    if (error) {
        return ngx_chat_conf_key_refuse(cf, &name, error);
    }

    if (key->alg == ngx_chat_jwk_hs256 && chcf->jwt_key.data == NULL) {
        chcf->jwt_key = key->secret;
    }

    return NGX_CONF_OK;
}


char *
ngx_chat_conf_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_chat_loc_conf_t *chcf = conf;

    ngx_str_t                 *value, name, text;
    ngx_chat_jwks_t            jwks;
    ngx_chat_conf_key_ctx_t    ctx;
    ngx_chat_conf_key_args_t   args;

    if (ngx_chat_conf_key_args(cf, &args, 1) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    name = value[1];

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK
        || ngx_chat_conf_key_read(cf, &name, NGX_CHAT_JWKS_MAX, &text)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ctx.cf = cf;
    ctx.name = &name;

    jwks.pool = cf->pool;
    jwks.keys = &chcf->jwt_keys;
    jwks.issuer = args.iss;
    jwks.audience = args.aud;
    jwks.note = ngx_chat_conf_key_note;
    jwks.data = &ctx;

    return (ngx_chat_jwks_parse(&jwks, &text) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* whole: of a set, of which each key has its own alg and kid */

static char *
ngx_chat_conf_key_args(ngx_conf_t *cf, ngx_chat_conf_key_args_t *args,
    ngx_uint_t whole)
{
    ngx_str_t   *value, *arg;
    ngx_uint_t   i, n;

    static const ngx_str_t  names[] = {
        ngx_string("iss="),
        ngx_string("aud="),
        ngx_string("alg="),
        ngx_string("kid=")
    };

    ngx_str_t  *args_by_name[] = {
        &args->iss, &args->aud, &args->alg, &args->kid
    };

    ngx_memzero(args, sizeof(ngx_chat_conf_key_args_t));

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        for (n = 0; n < (whole ? 2 : 4); n++) {

            if (value[i].len > 4
                && ngx_strncmp(value[i].data, names[n].data, 4) == 0)
            {
                break;
            }
        }

        arg = (n < (whole ? 2 : 4)) ? args_by_name[n] : NULL;

        if (arg == NULL || arg->data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"%V\": write "
                               "after the file %s, each at most once",
                               &value[i], &value[0],
                               whole ? "\"iss=ISSUER\" or \"aud=AUDIENCE\""
                                     : "\"alg=ALGORITHM\", \"kid=ID\", "
                                       "\"iss=ISSUER\" or \"aud=AUDIENCE\"");
            return NGX_CONF_ERROR;
        }

        arg->data = value[i].data + 4;
        arg->len = value[i].len - 4;
    }

    if (args->alg.data && ngx_chat_jwk_alg(&args->alg) == ngx_chat_jwk_alg_n) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid algorithm \"%V\" in \"chat_jwt_key\": "
                           "write \"HS256\", \"RS256\", \"ES256\" or "
                           "\"EdDSA\"", &args->alg);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_chat_conf_key_read(ngx_conf_t *cf, ngx_str_t *name, size_t max,
    ngx_str_t *text)
{
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t  *value;
    ngx_file_t  file;

    value = cf->args->elts;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" of \"%V\" failed",
                           name, &value[0]);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.fd = fd;
    file.name = *name;
    file.log = cf->log;

    text->data = ngx_pnalloc(cf->pool, max + 1);

    n = text->data ? ngx_read_file(&file, text->data, max + 1, 0)
                   : NGX_ERROR;

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    if (n == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if ((size_t) n > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"%V\" is too long: it may have %uz "
                           "bytes", name, &value[0], max);
        return NGX_CONF_ERROR;
    }

    text->len = n;

    return NGX_CONF_OK;
}


/* the bytes of the file without a newline at its end */

static char *
ngx_chat_conf_key_secret(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *text,
    ngx_chat_jwk_t *key)
{
    const char  *error;

    if (text->len && text->data[text->len - 1] == LF) {
        text->len--;

        if (text->len && text->data[text->len - 1] == CR) {
            text->len--;
        }
    }

    if (text->len < NGX_CHAT_JWK_SECRET_MIN
        || text->len > NGX_CHAT_JWK_SECRET_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key \"%V\" of \"chat_jwt_key\" must have %d to %d "
                           "bytes: make one with "
                           "\"openssl rand -hex 32 > %V\"", name,
                           NGX_CHAT_JWK_SECRET_MIN, NGX_CHAT_JWK_SECRET_MAX,
                           name);
        return NGX_CONF_ERROR;
    }

    error = ngx_chat_jwk_secret(key, text);

    return error ? ngx_chat_conf_key_refuse(cf, name, error) : NGX_CONF_OK;
}


static char *
ngx_chat_conf_key_refuse(ngx_conf_t *cf, ngx_str_t *name, const char *text)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "key \"%V\" of \"chat_jwt_key\" %s", name, text);

    return NGX_CONF_ERROR;
}


static void
ngx_chat_conf_key_note(void *data, ngx_uint_t n, ngx_uint_t skipped,
    const char *text)
{
    ngx_chat_conf_key_ctx_t *ctx = data;

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, ctx->cf, 0,
                           "\"%V\" of \"chat_jwks\" %s", ctx->name, text);

    } else if (skipped) {
        ngx_conf_log_error(NGX_LOG_NOTICE, ctx->cf, 0,
                           "key %ui in \"%V\" of \"chat_jwks\" is left out: "
                           "%s", n, ctx->name, text);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, ctx->cf, 0,
                           "key %ui in \"%V\" of \"chat_jwks\" %s", n,
                           ctx->name, text);
    }
}
