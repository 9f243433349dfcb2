/*
 * The tree of storage_tree.h: AVL, by copying the path from the root to what
 * changes.  Counts of references are atomic, since readers on other threads
 * let go of roots.
 */

#include "storage_tree.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The key's bytes, then the value's. */
struct tree_item {
    atomic_uint refs;
    size_t key_len;
    size_t value_len;
    char bytes[];
};

/* The heights of left and right differ by at most 1. */
struct tree_node {
    atomic_uint refs;
    int height;
    struct tree_item *item;
    struct tree_node *left;
    struct tree_node *right;
};

static struct tree_node *node_make(struct tree_edit *e, struct tree_item *item,
                                   struct tree_node *left,
                                   struct tree_node *right);
static struct tree_node *node_balance(struct tree_edit *e,
                                      struct tree_item *item,
                                      struct tree_node *left,
                                      struct tree_node *right);
static struct tree_node *node_lean_left(struct tree_edit *e,
                                        struct tree_item *item,
                                        struct tree_node *left,
                                        struct tree_node *right);
static struct tree_node *node_lean_right(struct tree_edit *e,
                                         struct tree_item *item,
                                         struct tree_node *left,
                                         struct tree_node *right);
static struct tree_node *node_delete_first(struct tree_edit *e,
                                           const struct tree_node *n);
static int node_height(const struct tree_node *n);
static int key_compare(struct str a, struct str b);


struct tree_item *
tree_item_create(struct str key, struct str value)
{
    struct tree_item *item = malloc(sizeof(*item) + key.len + value.len);

    if (item == NULL) {
        return NULL;
    }

    atomic_init(&item->refs, 1);
    item->key_len = key.len;
    item->value_len = value.len;
    memcpy(item->bytes, key.data, key.len);

    if (value.len > 0) {
        memcpy(item->bytes + key.len, value.data, value.len);
    }

    return item;
}


void
tree_item_free(struct tree_item *item)
{
    if (item != NULL && atomic_fetch_sub(&item->refs, 1) == 1) {
        free(item);
    }
}


struct str
tree_key(const struct tree_item *item)
{
    return (struct str){item->bytes, item->key_len};
}


struct str
tree_value(const struct tree_item *item)
{
    return (struct str){item->bytes + item->key_len, item->value_len};
}


struct tree_node *
tree_ref(struct tree_node *n)
{
    if (n != NULL) {
        atomic_fetch_add(&n->refs, 1);
    }

    return n;
}


void
tree_free(struct tree_node *n)
{
    if (n == NULL || atomic_fetch_sub(&n->refs, 1) != 1) {
        return;
    }

    tree_free(n->left);
    tree_free(n->right);
    tree_item_free(n->item);
    free(n);
}


static int
node_height(const struct tree_node *n)
{
    return n != NULL ? n->height : 0;
}


/* Of the functions that make nodes: each owns left and right from the call
 * on, takes a reference of its own to the item, and gives its result away. */
static struct tree_node *
node_make(struct tree_edit *e, struct tree_item *item, struct tree_node *left,
          struct tree_node *right)
{
    struct tree_node *n = malloc(sizeof(*n));

    if (n == NULL) {
        e->failed = true;
        tree_free(left);
        tree_free(right);
        return NULL;
    }

    int higher = node_height(left) > node_height(right) ? node_height(left)
                                                        : node_height(right);

    atomic_init(&n->refs, 1);
    atomic_fetch_add(&item->refs, 1);
    n->item = item;
    n->height = higher + 1;
    n->left = left;
    n->right = right;
    return n;
}


static struct tree_node *
node_balance(struct tree_edit *e, struct tree_item *item,
             struct tree_node *left, struct tree_node *right)
{
    int lean = node_height(left) - node_height(right);

    if (lean > 1) {
        return node_lean_left(e, item, left, right);
    }

    if (lean < -1) {
        return node_lean_right(e, item, left, right);
    }

    return node_make(e, item, left, right);
}


static struct tree_node *
node_lean_left(struct tree_edit *e, struct tree_item *item,
               struct tree_node *left, struct tree_node *right)
{
    struct tree_node *n, *mid;

    /* a side that leans is higher than one, and its inner child is not
     * missing when it is the higher one */
    assert(left != NULL);
    mid = left->right;

    if (node_height(left->left) >= node_height(mid)) {
        n = node_make(e, item, tree_ref(mid), right);
        n = node_make(e, left->item, tree_ref(left->left), n);
    } else {
        struct tree_node *low;

        assert(mid != NULL);
        low =
            node_make(e, left->item, tree_ref(left->left), tree_ref(mid->left));
        n = node_make(e, item, tree_ref(mid->right), right);
        n = node_make(e, mid->item, low, n);
    }

    tree_free(left);
    return n;
}


static struct tree_node *
node_lean_right(struct tree_edit *e, struct tree_item *item,
                struct tree_node *left, struct tree_node *right)
{
    struct tree_node *n, *mid;

    /* a side that leans is higher than one, and its inner child is not
     * missing when it is the higher one */
    assert(right != NULL);
    mid = right->left;

    if (node_height(right->right) >= node_height(mid)) {
        n = node_make(e, item, left, tree_ref(mid));
        n = node_make(e, right->item, n, tree_ref(right->right));
    } else {
        struct tree_node *high;

        assert(mid != NULL);
        high = node_make(e, right->item, tree_ref(mid->right),
                         tree_ref(right->right));
        n = node_make(e, item, left, tree_ref(mid->left));
        n = node_make(e, mid->item, n, high);
    }

    tree_free(right);
    return n;
}


struct tree_node *
tree_put(struct tree_edit *e, const struct tree_node *n, struct tree_item *item)
{
    if (n == NULL) {
        return node_make(e, item, NULL, NULL);
    }

    int order = key_compare(tree_key(item), tree_key(n->item));

    if (order == 0) {
        return node_make(e, item, tree_ref(n->left), tree_ref(n->right));
    }

    if (order < 0) {
        return node_balance(e, n->item, tree_put(e, n->left, item),
                            tree_ref(n->right));
    }

    return node_balance(e, n->item, tree_ref(n->left),
                        tree_put(e, n->right, item));
}


struct tree_node *
tree_delete(struct tree_edit *e, struct tree_node *n, struct str key)
{
    if (n == NULL) {
        return NULL;
    }

    int order = key_compare(key, tree_key(n->item));

    if (order < 0) {
        return node_balance(e, n->item, tree_delete(e, n->left, key),
                            tree_ref(n->right));
    }

    if (order > 0) {
        return node_balance(e, n->item, tree_ref(n->left),
                            tree_delete(e, n->right, key));
    }

    if (n->left == NULL || n->right == NULL) {
        return tree_ref(n->left == NULL ? n->right : n->left);
    }

    struct tree_node *next = n->right;

    while (next->left != NULL) {
        next = next->left;
    }

    return node_balance(e, next->item, tree_ref(n->left),
                        node_delete_first(e, n->right));
}


static struct tree_node *
node_delete_first(struct tree_edit *e, const struct tree_node *n)
{
    if (n->left == NULL) {
        return tree_ref(n->right);
    }

    return node_balance(e, n->item, node_delete_first(e, n->left),
                        tree_ref(n->right));
}


const struct tree_item *
tree_find(const struct tree_node *n, struct str key, enum tree_bound bound)
{
    const struct tree_item *found = NULL;

    while (n != NULL) {
        int order = key_compare(tree_key(n->item), key);
        bool below = order < 0 || (order == 0 && bound == TREE_ABOVE);

        if (below == (bound == TREE_BELOW)) {
            found = n->item;
        }

        n = below ? n->right : n->left;
    }

    return found;
}


static int
key_compare(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;

    if (order != 0) {
        return order;
    }

    return (a.len > b.len) - (a.len < b.len);
}
