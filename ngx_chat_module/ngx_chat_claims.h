
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_CLAIMS_H_INCLUDED_
#define _NGX_CHAT_CLAIMS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* objects and arrays inside each other, the outermost included */

#define NGX_CHAT_CLAIMS_DEPTH_MAX  8

/* names of all objects that are open at one point */

#define NGX_CHAT_CLAIMS_NAMES_MAX  256


typedef enum {
    ngx_chat_claim_none = 0,       /* not there */
    ngx_chat_claim_string,
    ngx_chat_claim_number,
    ngx_chat_claim_object,
    ngx_chat_claim_array,
    ngx_chat_claim_literal         /* true, false, null */
} ngx_chat_claim_e;


/*
 * text: a string's characters, decoded; a number as it stands; of an array
 * its strings, each with a NUL behind it, without those that have one inside
 */

typedef struct {
    ngx_chat_claim_e  type;
    ngx_str_t         text;
} ngx_chat_claim_t;


/*
 * Reads one JSON object (RFC 8259) from p to last and puts the members that
 * have one of the names (their array ends with an empty one) into the claims
 * in the same place; all others are checked and left out.  NGX_ERROR when the
 * bytes are not exactly one object, not UTF-8, too deep, or a name comes twice
 * in any of its objects; an unpaired surrogate escape is not UTF-8 either.
 * Strings are decoded in place, so the bytes change and must stay as long as
 * the claims.
 */

ngx_int_t ngx_chat_claims_parse(u_char *p, u_char *last,
    const ngx_str_t *names, ngx_chat_claim_t *claims);


/*
 * The same for an object with a list: its member of this name must be there
 * and be an array of objects.  Of each the members are put into the claims,
 * then the handler is called, of which anything but NGX_OK ends all with
 * NGX_ERROR.
 */

typedef ngx_int_t (*ngx_chat_claims_pt)(ngx_chat_claim_t *claims, void *data);

typedef struct {
    ngx_str_t            name;
    const ngx_str_t     *names;
    ngx_chat_claim_t    *claims;
    ngx_chat_claims_pt   handler;
    void                *data;
} ngx_chat_claims_list_t;

ngx_int_t ngx_chat_claims_parse_list(u_char *p, u_char *last,
    ngx_chat_claims_list_t *list);


/* 1: it is this string, or an array that has it; without a NUL in it */

ngx_uint_t ngx_chat_claim_has(ngx_chat_claim_t *claim, const u_char *word,
    size_t len);


#endif /* _NGX_CHAT_CLAIMS_H_INCLUDED_ */
