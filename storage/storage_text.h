/*
 * The JSON of a stored message: how it is shown, and how an edit and a
 * deletion change it.  It was written without blanks by our own hands, a
 * flat object whose values may be nested; one that is not so is damaged.
 */

#ifndef STORAGE_TEXT_H
#define STORAGE_TEXT_H

#include "storage_record.h"

/* The message with its reactions, as every answer shows it. */
void text_put_shown(struct buf *b, const struct record_message *m);

/* The value of a member as it is written; .data NULL: there is none. */
struct str text_value(struct str json, struct str name);

/*
 * The same message with another text (a JSON string with its quotes), or as
 * one that was deleted: without text, content and media.  0, or -1 when the
 * JSON is damaged or memory was short.
 */
int text_put_edited(struct buf *b, struct str json, struct str text,
                    uint64_t edited_at);
int text_put_deleted(struct buf *b, struct str json, uint64_t deleted_at);

#endif
