/*
 * Deleted texts leave the disk: what a deletion overwrote stays in LevelDB's
 * tables until a compaction drops it, and one that finds the old and the new
 * value in one table beneath everything else drops nothing.  So each deleted
 * message, which has a key of its own for that ('x'), is compacted, written
 * again as it is, and compacted once more; only then the key goes.  A round
 * takes some of them, in the background, and begins anew after a crash.
 */

#ifndef STORAGE_ERASE_H
#define STORAGE_ERASE_H

#include "storage_embedded.h"

/* Something was deleted by the commit being collected, or may have been. */
void erase_due(struct embedded *e);

/* Once a second: the next thing to do. */
void erase_tick(struct embedded *e);

/* The batch e->erased was written. */
void erase_written(struct embedded *e);

/* The memory is dropped; the end. */
void erase_drop(struct embedded *e);
void erase_close(struct embedded *e);

#endif
