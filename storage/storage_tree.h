/*
 * An ordered map from bytes to bytes whose nodes never change once made: a
 * change gives a new root that shares what it did not touch with the old.
 * Roots and items are counted; any thread may hold, read and let go of them.
 * NULL is the empty tree.
 */

#ifndef STORAGE_TREE_H
#define STORAGE_TREE_H

#include <stdbool.h>

#include "str.h"

struct tree_item; /* a key and its value */
struct tree_node;

/* Changes in a row; once one fails for want of memory its result, and that
 * of all behind it, is good for tree_free() only. */
struct tree_edit {
    bool failed;
};

enum tree_bound {
    TREE_BELOW,    /* the last key <  the given one */
    TREE_AT_LEAST, /* the first    >=               */
    TREE_ABOVE,    /* the first    >                */
};

/* Copies both.  NULL: out of memory. */
struct tree_item *tree_item_create(struct str key, struct str value);
void tree_item_free(struct tree_item *item);
struct str tree_key(const struct tree_item *item);
struct str tree_value(const struct tree_item *item);

/* One more holder of the root; each calls tree_free(). */
struct tree_node *tree_ref(struct tree_node *root);
void tree_free(struct tree_node *root);

/* The root after the change; the old one is still the caller's, the item
 * too.  A key that is there gets the new value; one to delete may be absent. */
struct tree_node *tree_put(struct tree_edit *e, const struct tree_node *root,
                           struct tree_item *item);
struct tree_node *tree_delete(struct tree_edit *e, struct tree_node *root,
                              struct str key);

/* The item, which lives as long as the root is held, or NULL. */
const struct tree_item *tree_find(const struct tree_node *root, struct str key,
                                  enum tree_bound bound);

#endif
