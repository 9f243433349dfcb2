/*
 * Any bytes through json_parse.  What it takes is written out again with
 * buf_put_json_str and must parse to the same tree; strings must be valid
 * UTF-8 and the bounds of json.h must hold.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "buf.h"
#include "json.h"
#include "utf8.h"

static void
check(int good)
{
    if (!good) {
        abort();
    }
}

static void
write_tree(struct buf *b, const struct json *v)
{
    switch (v->type) {
    case JSON_NULL:
        buf_put_lit(b, "null");
        return;
    case JSON_BOOL:
        buf_put_str(b, v->boolean ? STR("true") : STR("false"));
        return;
    case JSON_NUMBER:
        buf_put_str(b, v->text);
        return;
    case JSON_STRING:
        buf_put_json_str(b, v->text);
        return;
    default:
        break;
    }

    buf_put_char(b, v->type == JSON_ARRAY ? '[' : '{');
    for (const struct json *m = v->child; m != NULL; m = m->next) {
        if (m != v->child) {
            buf_put_char(b, ',');
        }
        if (v->type == JSON_OBJECT) {
            buf_put_json_str(b, m->key);
            buf_put_char(b, ':');
        }
        write_tree(b, m);
    }
    buf_put_char(b, v->type == JSON_ARRAY ? ']' : '}');
}

/* Returns whether some name could not be decoded: written out, two such
 * would be equal. */
static int
check_tree(const struct json *v, int depth)
{
    int bad_name = 0;
    uint32_t n = 0;
    uint64_t number;

    check(depth <= JSON_DEPTH_MAX);
    check(utf8_valid(v->text) && utf8_valid(v->key));
    check(json_code_points(v->text) <= v->text.len);
    check(!v->bad_unicode || v->text.len == 0 || v->key.len == 0);
    if (json_get_u53(v, &number) == 0) {
        check(number < 1ull << 53);
    }
    for (const struct json *m = v->child; m != NULL; m = m->next) {
        int deeper = m->type == JSON_ARRAY || m->type == JSON_OBJECT;

        n++;
        bad_name |= check_tree(m, depth + deeper) || m->bad_unicode;
    }
    check(n == v->n);
    return bad_name;
}

static void
check_same(const struct json *a, const struct json *b)
{
    check(a->type == b->type && a->n == b->n && a->boolean == b->boolean);
    check(str_eq(a->text, b->text) && str_eq(a->key, b->key));
    for (a = a->child, b = b->child; a != NULL; a = a->next, b = b->next) {
        check_same(a, b);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_parser *first, *second;
    const struct json *root, *again;
    struct buf b = {0};

    if (first == NULL) {
        first = json_create();
        second = json_create();
    }
    if (json_parse(first, (struct str){(const char *) data, size}, &root)
        == JSON_OK) {
        int deep = root->type == JSON_ARRAY || root->type == JSON_OBJECT;

        if (!check_tree(root, deep)) {
            write_tree(&b, root);
            check(json_parse(second, buf_str(&b), &again) == JSON_OK);
            check_same(root, again);
        }
    }
    buf_clear(&b);
    return 0;
}
