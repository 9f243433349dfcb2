/*
 * Case folding for search: two texts that differ in case, width or the way
 * accents are written become the same bytes.
 */

#ifndef COMMON_FOLD_H
#define COMMON_FOLD_H

#include "buf.h"
#include "str.h"

/*
 * Appends the NFKC case fold (Unicode's NFKC_Casefold) of valid UTF-8, cut
 * between code points to at most max bytes.  Out of memory fails the buffer.
 */
void fold_put(struct buf *b, struct str text, size_t max);

#endif
