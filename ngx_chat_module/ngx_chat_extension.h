
/*
 * Copyright (C) the chat module's authors
 */


#ifndef _NGX_CHAT_EXTENSION_H_INCLUDED_
#define _NGX_CHAT_EXTENSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* what was agreed on, RFC 7692, 7.1 */

typedef struct {
    ngx_uint_t   window;           /* bits, 8 to 15, of what we send */
    ngx_uint_t   asked;            /* the client named them: they stand in
                                      the answer */
} ngx_chat_extension_t;


/*
 * The first offer of permessage-deflate in a Sec-WebSocket-Extensions header
 * that can be accepted; NGX_OK or NGX_DECLINED.  An offer with a parameter
 * that is unknown, twice or out of its bounds cannot, and nothing behind what
 * is no extension list.
 */

ngx_int_t ngx_chat_extension_find(ngx_str_t *header,
    ngx_chat_extension_t *ext);


#endif /* _NGX_CHAT_EXTENSION_H_INCLUDED_ */
