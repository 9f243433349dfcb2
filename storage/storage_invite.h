/*
 * Invites: links by which whoever has one joins a group.
 */

#ifndef STORAGE_INVITE_H
#define STORAGE_INVITE_H

#include "storage_state.h"

/* Nobody is left in the group who could take them back. */
void invites_erase(struct embedded *e, struct channel *ch);

#endif
