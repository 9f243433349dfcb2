/*
 * JSON text to a read-only tree, once per message (yajl underneath; the only
 * file that knows it).  All nodes and strings lie in the parser's arena and
 * are gone at the next json_parse or json_free.
 *
 * Stricter than RFC 8259 where the contract is: nesting at most
 * JSON_DEPTH_MAX, no duplicate keys in an object.  Numbers stay raw text.
 */

#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

#define JSON_DEPTH_MAX 32

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json {
    enum json_type type;
    bool boolean;     /* BOOL: its value                               */
    bool bad_unicode; /* a lone or wrongly paired surrogate escape     */
                      /* stood in the STRING, or in the member's name: */
                      /* that one is empty then                        */
    uint32_t n;       /* ARRAY, OBJECT: children                       */
    struct str key;   /* in an object: the member's name, decoded      */
    struct str text;  /* STRING: decoded UTF-8; NUMBER: as written     */
    const struct json *child; /* first child, or NULL          */
    const struct json *next;  /* next sibling, or NULL         */
};

enum json_status {
    JSON_OK = 0,
    JSON_SYNTAX,    /* malformed, trailing bytes, invalid UTF-8: -32700  */
    JSON_DEPTH,     /* nested deeper than JSON_DEPTH_MAX: -32600         */
    JSON_DUPLICATE, /* an object names a key twice: -32600               */
    JSON_NOMEM,
};

struct json_parser;

struct json_parser *json_create(void);
void json_free(struct json_parser *p);

/*
 * Parses text (which the tree may point into: it must outlive the tree).
 * On JSON_OK *root is set.  Memory grown by one huge message is given back
 * at the next call.
 */
enum json_status json_parse(struct json_parser *p, struct str text,
                            const struct json **root);

/* The member named key, or NULL. */
const struct json *json_member(const struct json *object, const char *key);

/*
 * A NUMBER that is written as an integer in 0 ... 2^53 - 1 (no fraction, no
 * exponent, no sign).  Returns 0, or -1.
 */
int json_get_u53(const struct json *v, uint64_t *out);

/* Unicode code points of valid UTF-8. */
size_t json_code_points(struct str utf8);

#endif
