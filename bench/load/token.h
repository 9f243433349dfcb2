/*
 * JSON Web Tokens as the server wants them: HS256, good for a day.
 */

#ifndef LOAD_TOKEN_H
#define LOAD_TOKEN_H

#include "buf.h"
#include "str.h"

void token_put(struct buf *out, const char *user, struct str key);

/* The file without a newline at its end, on the heap; data NULL: failed. */
struct str token_read_key(const char *path);

#endif
