/*
 * The parser of json.h: yajl drives, the callbacks build the tree.  What yajl
 * leaves out is done here: strict UTF-8, surrogate escapes, duplicate keys,
 * depth, trailing bytes.
 *
 * Everything, yajl's own state too, lies in one arena.  yajl does not check
 * its allocations, so a failed one leaves it by longjmp; nothing is lost,
 * since nothing but the arena owns memory.
 */

#include "json.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "map.h"
#include "utf8.h"

#define ARENA_FIRST ((size_t) 16 << 10) /* kept between messages */
#define ARENA_CHUNK ((size_t) 64 << 10)
#define ARENA_ALIGN 16

#define PAIRWISE_MAX 8 /* members compared each with each */

struct chunk {
    struct chunk *next; /* the one filled before */
    size_t cap;
    size_t used;
    _Alignas(ARENA_ALIGN) char data[];
};

/* An object or array that is being read. */
struct level {
    struct json *node;
    struct json *last; /* its last child so far */
};

struct json_parser {
    struct chunk *chunk; /* the one being filled; the first is the last */
    struct str text;

    struct level stack[JSON_DEPTH_MAX];
    unsigned depth;
    struct json *root;
    struct str key; /* of the member that comes next */
    bool key_bad;

    const char *raw; /* NULL, or in text: behind the last string reported */
    bool duplicate;
    bool too_deep;
    jmp_buf no_memory;
};

static struct chunk *
chunk_create(struct chunk *next, size_t cap)
{
    struct chunk *c = malloc(sizeof(*c) + cap);

    if (c != NULL) {
        c->next = next;
        c->cap = cap;
        c->used = 0;
    }
    return c;
}

static void
arena_reset(struct json_parser *p)
{
    while (p->chunk->next != NULL) {
        struct chunk *c = p->chunk;

        p->chunk = c->next;
        free(c);
    }
    p->chunk->used = 0;
}

/* Never NULL: leaves json_parse by longjmp when there is no memory. */
static void *
arena_alloc(struct json_parser *p, size_t size)
{
    struct chunk *c = p->chunk;

    if (size > SIZE_MAX / 4) {
        longjmp(p->no_memory, 1);
    }
    size = (size + ARENA_ALIGN - 1) & ~(size_t) (ARENA_ALIGN - 1);

    if (size > c->cap - c->used) {
        c = chunk_create(c, size > ARENA_CHUNK ? size : ARENA_CHUNK);
        if (c == NULL) {
            longjmp(p->no_memory, 1);
        }
        p->chunk = c;
    }

    void *at = c->data + c->used;

    c->used += size;
    return at;
}

/* yajl's realloc needs the old size: it stands before each of its blocks. */
static void *
on_malloc(void *ctx, size_t size)
{
    char *block = arena_alloc(ctx, size + ARENA_ALIGN);

    memcpy(block, &size, sizeof(size));
    return block + ARENA_ALIGN;
}

static void *
on_realloc(void *ctx, void *old, size_t size)
{
    void *block = on_malloc(ctx, size);
    size_t old_size;

    if (old != NULL) {
        memcpy(&old_size, (char *) old - ARENA_ALIGN, sizeof(old_size));
        memcpy(block, old, old_size < size ? old_size : size);
    }
    return block;
}

static void
on_free(void *ctx, void *block)
{
    (void) ctx;
    (void) block;
}

/* yajl hands out pointers into the text, or into buffers it will reuse. */
static struct str
keep(struct json_parser *p, const char *data, size_t len)
{
    uintptr_t start = (uintptr_t) p->text.data;
    uintptr_t at = (uintptr_t) data;

    if (len == 0) {
        return (struct str){"", 0};
    }
    if (at >= start && at < start + p->text.len) {
        return (struct str){data, len};
    }

    char *copy = arena_alloc(p, len);

    memcpy(copy, data, len);
    return (struct str){copy, len};
}

static struct json *
add_node(struct json_parser *p, enum json_type type)
{
    struct json *node = arena_alloc(p, sizeof(*node));

    memset(node, 0, sizeof(*node));
    node->type = type;
    node->key = p->key;
    node->bad_unicode = p->key_bad;
    p->key = (struct str){NULL, 0};
    p->key_bad = false;

    if (p->depth == 0) {
        p->root = node;
        return node;
    }

    struct level *level = &p->stack[p->depth - 1];

    if (level->last == NULL) {
        level->node->child = node;
    } else {
        level->last->next = node;
    }
    level->last = node;
    level->node->n++;
    return node;
}

/* Four hex digits that yajl has found to be such. */
static unsigned
hex4(const char *s)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char) s[i];

        v = v << 4 | (c <= '9' ? c - '0' : ((c | 0x20) - 'a' + 10));
    }
    return v & 0xffff;
}

/* RFC 8259, 7: \uD800-\uDBFF and \uDC00-\uDFFF come in pairs. */
static bool
surrogates_ok(const char *s, const char *end)
{
    while ((s = memchr(s, '\\', (size_t) (end - s))) != NULL) {
        if (s[1] != 'u') {
            s += 2;
            continue;
        }

        unsigned first = hex4(s + 2);

        s += 6;
        if (first < 0xd800 || first > 0xdfff) {
            continue;
        }
        if (first > 0xdbff || end - s < 6 || s[0] != '\\' || s[1] != 'u'
            || (hex4(s + 2) & 0xfc00) != 0xdc00) {
            return false;
        }
        s += 6;
    }
    return true;
}

/*
 * yajl rewrites bad surrogate escapes silently and does not say where a
 * string stood.  It reports strings in the order of the text, though, so the
 * raw text is followed beside it, string by string.
 */
static bool
next_string_ok(struct json_parser *p)
{
    const char *end = p->text.data + p->text.len;
    const char *s;

    if (p->raw == NULL) {
        return true;
    }

    const char *start = memchr(p->raw, '"', (size_t) (end - p->raw));

    if (start == NULL) {
        return false;
    }
    for (s = ++start; s < end && *s != '"'; s++) {
        if (*s == '\\') {
            s++;
        }
    }
    if (s >= end) {
        return false;
    }
    p->raw = s + 1;
    return surrogates_ok(start, s);
}

static int
on_null(void *ctx)
{
    add_node(ctx, JSON_NULL);
    return 1;
}

static int
on_boolean(void *ctx, int value)
{
    add_node(ctx, JSON_BOOL)->boolean = value != 0;
    return 1;
}

static int
on_number(void *ctx, const char *data, size_t len)
{
    struct str text = keep(ctx, data, len);

    add_node(ctx, JSON_NUMBER)->text = text;
    return 1;
}

static int
on_string(void *ctx, const unsigned char *data, size_t len)
{
    struct json *node = add_node(ctx, JSON_STRING);

    if (next_string_ok(ctx)) {
        node->text = keep(ctx, (const char *) data, len);
    } else {
        node->text = STR("");
        node->bad_unicode = true;
    }
    return 1;
}

static int
on_key(void *ctx, const unsigned char *data, size_t len)
{
    struct json_parser *p = ctx;

    p->key_bad = !next_string_ok(p);
    p->key = p->key_bad ? STR("") : keep(p, (const char *) data, len);
    return 1;
}

static int
open_level(struct json_parser *p, enum json_type type)
{
    if (p->depth == JSON_DEPTH_MAX) {
        p->too_deep = true;
        return 0;
    }

    struct json *node = add_node(p, type);

    p->stack[p->depth++] = (struct level){node, NULL};
    return 1;
}

static int
on_start_object(void *ctx)
{
    return open_level(ctx, JSON_OBJECT);
}

static int
on_start_array(void *ctx)
{
    return open_level(ctx, JSON_ARRAY);
}

static int
on_end_array(void *ctx)
{
    struct json_parser *p = ctx;

    p->depth--;
    return 1;
}

/* Keys that could not be decoded are equal to none. */
static bool
same_key(const struct json *a, const struct json *b)
{
    return str_eq(a->key, b->key) && !a->bad_unicode && !b->bad_unicode;
}

static bool
pairwise_duplicate(const struct json *object)
{
    for (const struct json *a = object->child; a != NULL; a = a->next) {
        for (const struct json *b = a->next; b != NULL; b = b->next) {
            if (same_key(a, b)) {
                return true;
            }
        }
    }
    return false;
}

/* One pass over a table that is at most half full; keyed hash, since the
 * keys come from outside. */
static bool
hashed_duplicate(struct json_parser *p, const struct json *object)
{
    size_t n_slots = 2 * PAIRWISE_MAX;

    while (n_slots < 2 * (size_t) object->n) {
        n_slots *= 2;
    }

    const struct json **slots = arena_alloc(p, n_slots * sizeof(*slots));

    memset(slots, 0, n_slots * sizeof(*slots));
    for (const struct json *m = object->child; m != NULL; m = m->next) {
        size_t i = map_hash(m->key.data, m->key.len) & (n_slots - 1);

        if (m->bad_unicode) {
            continue;
        }
        for (; slots[i] != NULL; i = (i + 1) & (n_slots - 1)) {
            if (same_key(slots[i], m)) {
                return true;
            }
        }
        slots[i] = m;
    }
    return false;
}

static int
on_end_object(void *ctx)
{
    struct json_parser *p = ctx;
    const struct json *object = p->stack[--p->depth].node;

    if (object->n <= PAIRWISE_MAX ? pairwise_duplicate(object)
                                  : hashed_duplicate(p, object)) {
        p->duplicate = true; /* what follows may still be malformed */
    }
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_map_key = on_key,
    .yajl_start_map = on_start_object,
    .yajl_end_map = on_end_object,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

/* True also for `\\ud800`, which is none: that only costs time. */
static bool
may_have_surrogates(struct str text)
{
    const char *s = text.data;
    const char *end = s + text.len;

    while ((s = memchr(s, '\\', (size_t) (end - s))) != NULL) {
        if (end - s < 3) {
            return false;
        }
        if (s[1] == 'u' && (s[2] == 'd' || s[2] == 'D')) {
            return true;
        }
        s++;
    }
    return false;
}

static bool
only_whitespace(struct str text, size_t from)
{
    for (size_t i = from; i < text.len; i++) {
        char c = text.data[i];

        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return false;
        }
    }
    return true;
}

/* Runs yajl; its handle need not be freed, since it lies in the arena. */
static enum json_status
run(struct json_parser *p)
{
    yajl_alloc_funcs alloc = {on_malloc, on_realloc, on_free, p};
    yajl_handle yajl = yajl_alloc(&callbacks, &alloc, p);
    yajl_status status;

    yajl_config(yajl, yajl_dont_validate_strings, 1);

    /* yajl overlooks an unterminated string behind the value: it is told to
     * stop there, and the rest is looked at here */
    yajl_config(yajl, yajl_allow_trailing_garbage, 1);

    status =
        yajl_parse(yajl, (const unsigned char *) p->text.data, p->text.len);

    size_t consumed = yajl_get_bytes_consumed(yajl);

    if (status == yajl_status_ok) {
        status = yajl_complete_parse(yajl);
    }
    if (p->too_deep) {
        return JSON_DEPTH;
    }
    if (status != yajl_status_ok || p->root == NULL
        || !only_whitespace(p->text, consumed)) {
        return JSON_SYNTAX;
    }
    return p->duplicate ? JSON_DUPLICATE : JSON_OK;
}

static enum json_status
run_guarded(struct json_parser *p)
{
    if (setjmp(p->no_memory) != 0) {
        return JSON_NOMEM;
    }
    return run(p);
}

struct json_parser *
json_create(void)
{
    struct json_parser *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }
    p->chunk = chunk_create(NULL, ARENA_FIRST);
    if (p->chunk == NULL) {
        free(p);
        return NULL;
    }
    return p;
}

void
json_free(struct json_parser *p)
{
    if (p == NULL) {
        return;
    }
    arena_reset(p);
    free(p->chunk);
    free(p);
}

enum json_status
json_parse(struct json_parser *p, struct str text, const struct json **root)
{
    arena_reset(p);
    /* yajl takes overlong forms and surrogates for good */
    if (text.len == 0 || !utf8_valid(text)) {
        return JSON_SYNTAX;
    }

    p->text = text;
    p->depth = 0;
    p->root = NULL;
    p->key = (struct str){NULL, 0};
    p->key_bad = false;
    p->raw = may_have_surrogates(text) ? text.data : NULL;
    p->duplicate = false;
    p->too_deep = false;

    enum json_status status = run_guarded(p);

    if (status == JSON_OK) {
        *root = p->root;
    }
    return status;
}

const struct json *
json_member(const struct json *object, const char *key)
{
    struct str wanted = {key, strlen(key)};

    if (object == NULL || object->type != JSON_OBJECT) {
        return NULL;
    }
    for (const struct json *m = object->child; m != NULL; m = m->next) {
        if (str_eq(m->key, wanted)) {
            return m;
        }
    }
    return NULL;
}

int
json_get_u53(const struct json *v, uint64_t *out)
{
    uint64_t n = 0;

    if (v == NULL || v->type != JSON_NUMBER || v->text.len > 16) {
        return -1;
    }
    for (size_t i = 0; i < v->text.len; i++) {
        char c = v->text.data[i];

        if (c < '0' || c > '9') {
            return -1;
        }
        n = n * 10 + (uint64_t) (c - '0');
    }
    if (n > (1ull << 53) - 1) {
        return -1;
    }
    *out = n;
    return 0;
}

size_t
json_code_points(struct str utf8)
{
    return utf8_code_points(utf8);
}
