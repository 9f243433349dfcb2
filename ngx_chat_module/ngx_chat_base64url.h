
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_BASE64URL_H_INCLUDED_
#define _NGX_CHAT_BASE64URL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the most bytes that n characters stand for */

#define ngx_chat_base64url_len(n)  ((n) / 4 * 3 + 2)


/*
 * RFC 7515, 2: no padding, no other characters; and only the one form of
 * given bytes: the bits that are left over are 0.  NGX_OK or NGX_ERROR.
 */

ngx_int_t ngx_chat_base64url_decode(u_char *dst, size_t *len, ngx_str_t *src);


#endif /* _NGX_CHAT_BASE64URL_H_INCLUDED_ */
