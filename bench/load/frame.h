/*
 * RFC 6455 frames, both sides: whole text messages and control frames,
 * nothing fragmented, no extension.
 */

#ifndef LOAD_FRAME_H
#define LOAD_FRAME_H

#include <stdbool.h>
#include <sys/types.h>

#include "buf.h"
#include "str.h"

#define FRAME_MAX ((size_t) 4 << 20)

enum { FRAME_TEXT = 1, FRAME_CLOSE = 8, FRAME_PING = 9, FRAME_PONG = 10 };

/* mask NULL: the server's side; else the four bytes of a client's mask. */
void frame_put(struct buf *out, int opcode, struct str payload,
               const unsigned char *mask);

/* Only what stands before len bytes of payload from a server. */
void frame_put_head(struct buf *out, int opcode, size_t len);

/*
 * The frame at the begin of data, unmasked in place if it has to be masked:
 * its bytes, 0 when it is not whole, -1 when it breaks the standard or is
 * larger than FRAME_MAX.
 */
ssize_t frame_get(char *data, size_t len, bool masked, int *opcode,
                  struct str *payload);

#endif
