
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


/* text: a string's characters, decoded; a number as it stands */

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


#endif /* _NGX_CHAT_CLAIMS_H_INCLUDED_ */
