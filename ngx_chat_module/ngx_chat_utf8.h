
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_UTF8_H_INCLUDED_
#define _NGX_CHAT_UTF8_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Checks that a text is UTF-8 (RFC 3629: shortest form, no surrogates, at
 * most U+10FFFF) as it comes, in pieces cut anywhere.  *state is 0 before the
 * first piece and keeps a sequence that the piece ended in.  NGX_OK, or
 * NGX_ERROR at the first byte that no valid text can have there; *state is
 * not to be used then.  The text is complete when *state is 0 after the last.
 */

ngx_int_t ngx_chat_utf8_check(u_char *state, const u_char *p, size_t len);


#endif /* _NGX_CHAT_UTF8_H_INCLUDED_ */
