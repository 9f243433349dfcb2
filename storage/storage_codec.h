/*
 * Operations, results and events as the bytes of OP, RESULT and EVENT frames:
 * what the stub in a worker and the store role exchange.  A put encodes into
 * room the caller sized with the *_size function before; a get leaves
 * pointers into the frame and refuses (-1) whatever breaks a bound.
 *
 * OP: u8 type, u8 flags, u8 role, u32 mask of the fields that follow in the
 * order of STORAGE_CODEC_STRS (str) and STORAGE_CODEC_NUMBERS (u64); then the
 * users, where their bit is set: u32 n, n x str.
 * RESULT: u8 status, u8 bits (1 duplicate, 2 more), str json, u64 inbox_id,
 * u64 number, u32 n, n x (u64 inbox_id, u8 method, str tail).
 * EVENT: u8 method, str tail, u32 n, n x (u64 user number, u64 inbox_id).
 */

#ifndef STORAGE_CODEC_H
#define STORAGE_CODEC_H

#include "chat_wire.h"
#include "storage.h"

/* The bits of the mask, in this order from bit 0.  Do not renumber. */
#define STORAGE_CODEC_STRS(X)                                                  \
    X(user, STORAGE_ID_MAX)                                                    \
    X(device, STORAGE_ID_MAX)                                                  \
    X(client_id, STORAGE_ID_MAX)                                               \
    X(request_id, STORAGE_ID_MAX)                                              \
    X(channel, STORAGE_CHANNEL_MAX)                                            \
    X(to, STORAGE_ID_MAX)                                                      \
    X(name, STORAGE_NAME_CHARS * 4)                                            \
    X(avatar, STORAGE_AVATAR_MAX)                                              \
    X(text, CHAT_WIRE_FRAME_MAX)                                               \
    X(cursor, STORAGE_CODEC_CURSOR_MAX)

#define STORAGE_CODEC_NUMBERS(X)                                               \
    X(limit)                                                                   \
    X(bytes)                                                                   \
    X(before)                                                                  \
    X(after)                                                                   \
    X(around)                                                                  \
    X(message_id)                                                              \
    X(inbox_id)                                                                \
    X(number)

#define STORAGE_CODEC_CURSOR_MAX 512

/* Where the flags stand in an encoded op: the stub adds STORAGE_REPLAYED. */
#define STORAGE_CODEC_FLAGS_AT 1

size_t storage_codec_op_size(const struct storage_op *op);
void storage_codec_put_op(struct chat_wire_writer *w,
                          const struct storage_op *op);

/* users: room for STORAGE_USERS_LIMIT.  0, or -1: not an op. */
int storage_codec_get_op(struct chat_wire_reader *r, struct storage_op *op,
                         struct str *users);

size_t storage_codec_result_size(const struct storage_result *result);
void storage_codec_put_result(struct chat_wire_writer *w,
                              const struct storage_result *result);

/* entries: room for STORAGE_INBOX_LIMIT.  0, or -1: not a result. */
int storage_codec_get_result(struct chat_wire_reader *r,
                             struct storage_result *result,
                             struct storage_entry *entries);

/* Of an event to n_targets recipients. */
size_t storage_codec_event_size(const struct storage_event *e,
                                uint32_t n_targets);

/* The part before the targets; n_targets of put_target follow. */
void storage_codec_put_event(struct chat_wire_writer *w,
                             const struct storage_event *e, uint32_t n_targets);
void storage_codec_put_target(struct chat_wire_writer *w,
                              const struct storage_target *t);

/*
 * The part before the targets: e->n_targets of get_target follow, and so many
 * bytes are there.  0, or -1: not an event.
 */
int storage_codec_get_event(struct chat_wire_reader *r,
                            struct storage_event *e);
void storage_codec_get_target(struct chat_wire_reader *r,
                              struct storage_target *t);

#endif
