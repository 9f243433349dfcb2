/*
 * Contacts: what one user has with another, each side in a record of its own.
 * A block is a flag over the state, so that taking it away shows what was
 * there before, and the other side never sees it change.
 */

#ifndef STORAGE_CONTACT_H
#define STORAGE_CONTACT_H

#include "storage_state.h"

/* What u has with the user of that number, or NULL: nothing. */
const struct contact *contact_find(const struct user *u, uint64_t number);

/* Does u block the other one? */
bool contact_blocks(const struct user *u, const struct user *other);

/* In a direct channel: does the other member block him?  Never in a group. */
bool contact_blocks_direct(const struct channel *ch, const struct user *u);

/* As the user himself sees it: for contact_json() and contact_tail(). */
unsigned contact_shown(struct record_contact c);

/* {"user":...,"state":...} */
void contact_json(struct buf *b, struct str other, unsigned state);

/* The text of a contact.updated behind its inbox id.  state: enum
 * record_contact_state, as it is shown. */
void contact_tail(struct buf *b, struct str other, unsigned state);

#endif
