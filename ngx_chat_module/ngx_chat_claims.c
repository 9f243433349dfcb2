
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_chat_claims.h"
#include "ngx_chat_utf8.h"


typedef struct {
    u_char                  *pos;
    u_char                  *last;
    ngx_uint_t               depth;
    ngx_chat_claims_list_t  *list;      /* not read yet */
    ngx_uint_t               nnames;
    ngx_str_t                names[NGX_CHAT_CLAIMS_NAMES_MAX];
} ngx_chat_claims_json_t;


static ngx_int_t ngx_chat_claims_text(u_char *p, u_char *last,
    ngx_chat_claims_list_t *list, const ngx_str_t *names,
    ngx_chat_claim_t *claims);
static ngx_int_t ngx_chat_claims_value(ngx_chat_claims_json_t *json,
    ngx_chat_claim_t *claim);
static ngx_int_t ngx_chat_claims_object(ngx_chat_claims_json_t *json,
    const ngx_str_t *names, ngx_chat_claim_t *claims);
static void ngx_chat_claims_clear(const ngx_str_t *names,
    ngx_chat_claim_t *claims);
static ngx_int_t ngx_chat_claims_name(ngx_chat_claims_json_t *json,
    ngx_uint_t base, ngx_str_t *name);
static ngx_uint_t ngx_chat_claims_equal(const ngx_str_t *a,
    const ngx_str_t *b);
static ngx_int_t ngx_chat_claims_array(ngx_chat_claims_json_t *json,
    ngx_str_t *strings);
static ngx_int_t ngx_chat_claims_list(ngx_chat_claims_json_t *json);
static ngx_int_t ngx_chat_claims_string(ngx_chat_claims_json_t *json,
    ngx_str_t *text);
static ngx_int_t ngx_chat_claims_escape(ngx_chat_claims_json_t *json,
    u_char **dst);
static ngx_int_t ngx_chat_claims_unicode(ngx_chat_claims_json_t *json,
    u_char **dst);
static ngx_int_t ngx_chat_claims_hex4(ngx_chat_claims_json_t *json,
    uint32_t *code);
static ngx_int_t ngx_chat_claims_number(ngx_chat_claims_json_t *json,
    ngx_str_t *text);
static ngx_int_t ngx_chat_claims_digits(ngx_chat_claims_json_t *json);
static ngx_int_t ngx_chat_claims_literal(ngx_chat_claims_json_t *json);
static ngx_int_t ngx_chat_claims_next(ngx_chat_claims_json_t *json);


ngx_int_t
ngx_chat_claims_parse(u_char *p, u_char *last, const ngx_str_t *names,
    ngx_chat_claim_t *claims)
{
    return ngx_chat_claims_text(p, last, NULL, names, claims);
}


ngx_int_t
ngx_chat_claims_parse_list(u_char *p, u_char *last,
    ngx_chat_claims_list_t *list)
{
    return ngx_chat_claims_text(p, last, list, NULL, NULL);
}


static ngx_int_t
ngx_chat_claims_text(u_char *p, u_char *last, ngx_chat_claims_list_t *list,
    const ngx_str_t *names, ngx_chat_claim_t *claims)
{
    u_char                  utf8;
    ngx_chat_claims_json_t  json;

    utf8 = 0;

    if (ngx_chat_utf8_check(&utf8, p, last - p) != NGX_OK || utf8) {
        return NGX_ERROR;
    }

    json.pos = p;
    json.last = last;
    json.depth = 0;
    json.list = list;
    json.nnames = 0;

    if (ngx_chat_claims_next(&json) != '{'
        || ngx_chat_claims_object(&json, names, claims) != NGX_OK
        || ngx_chat_claims_next(&json) != NGX_AGAIN
        || json.list)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_chat_claims_value(ngx_chat_claims_json_t *json, ngx_chat_claim_t *claim)
{
    switch (ngx_chat_claims_next(json)) {

    case '{':
        claim->type = ngx_chat_claim_object;
        return ngx_chat_claims_object(json, NULL, NULL);

    case '[':
        claim->type = ngx_chat_claim_array;
        return ngx_chat_claims_array(json, &claim->text);

    case '"':
        claim->type = ngx_chat_claim_string;
        return ngx_chat_claims_string(json, &claim->text);

    case 't':
    case 'f':
    case 'n':
        claim->type = ngx_chat_claim_literal;
        return ngx_chat_claims_literal(json);

    default:
        claim->type = ngx_chat_claim_number;
        return ngx_chat_claims_number(json, &claim->text);
    }
}


static ngx_int_t
ngx_chat_claims_object(ngx_chat_claims_json_t *json, const ngx_str_t *names,
    ngx_chat_claim_t *claims)
{
    ngx_int_t         ch, rc;
    ngx_str_t         name;
    ngx_uint_t        i, base;
    ngx_chat_claim_t  unused, *claim;

    if (++json->depth > NGX_CHAT_CLAIMS_DEPTH_MAX) {
        return NGX_ERROR;
    }

    ngx_chat_claims_clear(names, claims);

    base = json->nnames;
    json->pos++;

    ch = ngx_chat_claims_next(json);

    while (ch != '}') {

        if (ngx_chat_claims_name(json, base, &name) != NGX_OK) {
            return NGX_ERROR;
        }

        claim = &unused;

        for (i = 0; names && names[i].len; i++) {

            if (ngx_chat_claims_equal(&name, &names[i])) {
                claim = &claims[i];
                break;
            }
        }

        if (json->list && json->depth == 1
            && ngx_chat_claims_equal(&name, &json->list->name))
        {
            rc = ngx_chat_claims_list(json);

        } else {
            rc = ngx_chat_claims_value(json, claim);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        ch = ngx_chat_claims_next(json);

        if (ch == ',') {
            json->pos++;

        } else if (ch != '}') {
            return NGX_ERROR;
        }
    }

    json->pos++;
    json->nnames = base;
    json->depth--;

    return NGX_OK;
}


static void
ngx_chat_claims_clear(const ngx_str_t *names, ngx_chat_claim_t *claims)
{
    ngx_uint_t  i;

    for (i = 0; names && names[i].len; i++) {
        ngx_memzero(&claims[i], sizeof(ngx_chat_claim_t));
    }
}


/* up to the value; names from base on belong to this object */

static ngx_int_t
ngx_chat_claims_name(ngx_chat_claims_json_t *json, ngx_uint_t base,
    ngx_str_t *name)
{
    ngx_uint_t  i;

    if (ngx_chat_claims_next(json) != '"'
        || ngx_chat_claims_string(json, name) != NGX_OK
        || ngx_chat_claims_next(json) != ':')
    {
        return NGX_ERROR;
    }

    json->pos++;

    for (i = base; i < json->nnames; i++) {

        if (ngx_chat_claims_equal(name, &json->names[i])) {
            return NGX_ERROR;
        }
    }

    if (json->nnames == NGX_CHAT_CLAIMS_NAMES_MAX) {
        return NGX_ERROR;
    }

    json->names[json->nnames++] = *name;

    return NGX_OK;
}


static ngx_uint_t
ngx_chat_claims_equal(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


/* the strings move down to where the array began, over what was read */

static ngx_int_t
ngx_chat_claims_array(ngx_chat_claims_json_t *json, ngx_str_t *strings)
{
    u_char            *dst;
    ngx_int_t          ch;
    ngx_chat_claim_t   element;

    if (++json->depth > NGX_CHAT_CLAIMS_DEPTH_MAX) {
        return NGX_ERROR;
    }

    dst = json->pos++;
    strings->data = dst;

    ch = ngx_chat_claims_next(json);

    while (ch != ']') {

        if (ngx_chat_claims_value(json, &element) != NGX_OK) {
            return NGX_ERROR;
        }

        if (element.type == ngx_chat_claim_string
            && memchr(element.text.data, '\0', element.text.len) == NULL)
        {
            ngx_memmove(dst, element.text.data, element.text.len);
            dst += element.text.len;
            *dst++ = '\0';
        }

        ch = ngx_chat_claims_next(json);

        if (ch == ',') {
            json->pos++;

        } else if (ch != ']') {
            return NGX_ERROR;
        }
    }

    strings->len = dst - strings->data;

    json->pos++;
    json->depth--;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_claims_list(ngx_chat_claims_json_t *json)
{
    ngx_int_t                ch;
    ngx_chat_claims_list_t  *list;

    list = json->list;
    json->list = NULL;

    if (ngx_chat_claims_next(json) != '[') {
        return NGX_ERROR;
    }

    json->depth++;
    json->pos++;

    ch = ngx_chat_claims_next(json);

    while (ch != ']') {

        if (ngx_chat_claims_next(json) != '{'
            || ngx_chat_claims_object(json, list->names, list->claims)
               != NGX_OK
            || list->handler(list->claims, list->data) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ch = ngx_chat_claims_next(json);

        if (ch == ',') {
            json->pos++;

        } else if (ch != ']') {
            return NGX_ERROR;
        }
    }

    json->pos++;
    json->depth--;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_claims_string(ngx_chat_claims_json_t *json, ngx_str_t *text)
{
    u_char  *dst, ch;

    json->pos++;

    dst = json->pos;
    text->data = dst;

    while (json->pos < json->last) {

        ch = *json->pos++;

        if (ch == '"') {
            text->len = dst - text->data;
            return NGX_OK;
        }

        if (ch < 0x20) {
            return NGX_ERROR;
        }

        if (ch != '\\') {
            *dst++ = ch;
            continue;
        }

        if (ngx_chat_claims_escape(json, &dst) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_ERROR;
}


/* behind the backslash; never writes more than was read */

static ngx_int_t
ngx_chat_claims_escape(ngx_chat_claims_json_t *json, u_char **dst)
{
    u_char  ch;

    if (json->pos == json->last) {
        return NGX_ERROR;
    }

    ch = *json->pos++;

    switch (ch) {

    case '"':
    case '\\':
    case '/':
        break;

    case 'b':
        ch = '\b';
        break;

    case 'f':
        ch = '\f';
        break;

    case 'n':
        ch = '\n';
        break;

    case 'r':
        ch = '\r';
        break;

    case 't':
        ch = '\t';
        break;

    case 'u':
        return ngx_chat_claims_unicode(json, dst);

    default:
        return NGX_ERROR;
    }

    *(*dst)++ = ch;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_claims_unicode(ngx_chat_claims_json_t *json, u_char **dst)
{
    u_char    *p;
    uint32_t   code, low;

    if (ngx_chat_claims_hex4(json, &code) != NGX_OK) {
        return NGX_ERROR;
    }

    if (code >= 0xd800 && code <= 0xdfff) {

        if (code >= 0xdc00
            || json->last - json->pos < 2
            || json->pos[0] != '\\'
            || json->pos[1] != 'u')
        {
            return NGX_ERROR;
        }

        json->pos += 2;

        if (ngx_chat_claims_hex4(json, &low) != NGX_OK
            || low < 0xdc00
            || low > 0xdfff)
        {
            return NGX_ERROR;
        }

        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }

    p = *dst;

    if (code < 0x80) {
        *p++ = (u_char) code;

    } else if (code < 0x800) {
        *p++ = (u_char) (0xc0 | (code >> 6));
        *p++ = (u_char) (0x80 | (code & 0x3f));

    } else if (code < 0x10000) {
        *p++ = (u_char) (0xe0 | (code >> 12));
        *p++ = (u_char) (0x80 | ((code >> 6) & 0x3f));
        *p++ = (u_char) (0x80 | (code & 0x3f));

    } else {
        *p++ = (u_char) (0xf0 | (code >> 18));
        *p++ = (u_char) (0x80 | ((code >> 12) & 0x3f));
        *p++ = (u_char) (0x80 | ((code >> 6) & 0x3f));
        *p++ = (u_char) (0x80 | (code & 0x3f));
    }

    *dst = p;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_claims_hex4(ngx_chat_claims_json_t *json, uint32_t *code)
{
    u_char      ch, c;
    uint32_t    n;
    ngx_uint_t  i;

    if (json->last - json->pos < 4) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < 4; i++) {
        ch = *json->pos++;
        c = (u_char) (ch | 0x20);

        if (ch >= '0' && ch <= '9') {
            n = n * 16 + (ch - '0');

        } else if (c >= 'a' && c <= 'f') {
            n = n * 16 + (c - 'a' + 10);

        } else {
            return NGX_ERROR;
        }
    }

    *code = n;

    return NGX_OK;
}


static ngx_int_t
ngx_chat_claims_number(ngx_chat_claims_json_t *json, ngx_str_t *text)
{
    u_char  *p;

    text->data = json->pos;

    if (json->pos < json->last && *json->pos == '-') {
        json->pos++;
    }

    /* no 0 may stand before another digit */

    p = json->pos;

    if (ngx_chat_claims_digits(json) != NGX_OK
        || (*p == '0' && json->pos - p > 1))
    {
        return NGX_ERROR;
    }

    if (json->pos < json->last && *json->pos == '.') {
        json->pos++;

        if (ngx_chat_claims_digits(json) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (json->pos < json->last && (*json->pos | 0x20) == 'e') {
        json->pos++;

        if (json->pos < json->last
            && (*json->pos == '+' || *json->pos == '-'))
        {
            json->pos++;
        }

        if (ngx_chat_claims_digits(json) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    text->len = json->pos - text->data;

    return NGX_OK;
}


/* one at least */

static ngx_int_t
ngx_chat_claims_digits(ngx_chat_claims_json_t *json)
{
    u_char  *p;

    p = json->pos;

    while (json->pos < json->last
           && *json->pos >= '0' && *json->pos <= '9')
    {
        json->pos++;
    }

    return (json->pos > p) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_chat_claims_literal(ngx_chat_claims_json_t *json)
{
    size_t            rest;
    ngx_uint_t        i;
    static ngx_str_t  literals[] = {
        ngx_string("true"),
        ngx_string("false"),
        ngx_string("null"),
        ngx_null_string
    };

    rest = json->last - json->pos;

    for (i = 0; literals[i].len; i++) {

        if (rest >= literals[i].len
            && ngx_memcmp(json->pos, literals[i].data, literals[i].len) == 0)
        {
            json->pos += literals[i].len;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


/* the character at which the next token begins, or NGX_AGAIN at the end */

static ngx_int_t
ngx_chat_claims_next(ngx_chat_claims_json_t *json)
{
    u_char  ch;

    while (json->pos < json->last) {
        ch = *json->pos;

        if (ch != ' ' && ch != '\t' && ch != '\n' && ch != '\r') {
            return ch;
        }

        json->pos++;
    }

    return NGX_AGAIN;
}


ngx_uint_t
ngx_chat_claim_has(ngx_chat_claim_t *claim, const u_char *word, size_t len)
{
    u_char  *p, *last, *end;

    if (claim->type == ngx_chat_claim_string) {
        return claim->text.len == len
               && ngx_memcmp(claim->text.data, word, len) == 0;
    }

    if (claim->type != ngx_chat_claim_array) {
        return 0;
    }

    last = claim->text.data + claim->text.len;

    for (p = claim->text.data; p < last; p = end + 1) {
        end = memchr(p, '\0', last - p);

        if ((size_t) (end - p) == len && ngx_memcmp(p, word, len) == 0) {
            return 1;
        }
    }

    return 0;
}
