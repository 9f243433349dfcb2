/*
 * What users say of themselves, and the index by which they are found.
 */

#ifndef STORAGE_PROFILE_H
#define STORAGE_PROFILE_H

#include "storage_state.h"

/* Puts the user under the fold of a text into the commit, or takes him out;
 * a text that folds to nothing is in no index. */
void profile_index(struct embedded *e, const struct user *u, struct str text,
                   bool in);

/* The same for one who need not be in memory. */
void profile_index_number(struct embedded *e, uint64_t user, struct str text,
                          bool in);
/* The name he shows, for a user who is ready.  0, or -1. */
int profile_name(struct embedded *e, struct user *u, struct str name);

/* Takes the profile of the user out of memory and store, and his name out of
 * the index. */
void profile_forget(struct embedded *e, struct user *u);

/* {"user":...,"display_name":...,"avatar":...,"status":...} */
void profile_json(struct buf *b, struct str user,
                  const struct record_profile *p);

#endif
