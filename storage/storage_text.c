/* See storage_text.h. */

#include "storage_text.h"

/* A member of an object: `"name":value`. */
struct text_member {
    struct str name;
    struct str value;
    struct str all;
};

static int text_next(struct str *rest, struct text_member *m);
static size_t text_string_end(struct str s, size_t at);
static size_t text_value_end(struct str s, size_t at);
static int text_copy(struct buf *b, struct str json, const struct str *without,
                     unsigned n, struct str text);


void
text_put_shown(struct buf *b, const struct record_message *m)
{
    struct str rest = m->reactions;
    struct record_reaction reaction;
    uint32_t i;

    if (rest.len == 0) {
        buf_put_str(b, m->json);
        return;
    }

    buf_put(b, m->json.data, m->json.len - 1);
    buf_put_lit(b, ",\"reactions\":[");

    while (record_next_reaction(&rest, &reaction) == 1) {
        buf_put_lit(b, "{\"emoji\":");
        buf_put_json_str(b, reaction.emoji);
        buf_put_lit(b, ",\"users\":[");

        for (i = 0; i < reaction.n_users; i++) {
            if (i != 0) {
                buf_put_char(b, ',');
            }

            buf_put_json_str(b, reaction.users[i]);
        }

        buf_put_str(b, rest.len == 0 ? STR("]}") : STR("]},"));
    }

    buf_put_lit(b, "]}");
}


struct str
text_value(struct str json, struct str name)
{
    struct text_member m;

    while (text_next(&json, &m) == 1) {
        if (str_eq(m.name, name)) {
            return m.value;
        }
    }

    return (struct str){NULL, 0};
}


int
text_put_edited(struct buf *b, struct str json, struct str text,
                uint64_t edited_at)
{
    const struct str without[] = {STR("edited_at")};

    if (text_copy(b, json, without, 1, text) != 0) {
        return -1;
    }

    buf_put_lit(b, ",\"edited_at\":");
    buf_put_u64(b, edited_at);
    buf_put_char(b, '}');
    return buf_failed(b) ? -1 : 0;
}


int
text_put_deleted(struct buf *b, struct str json, uint64_t deleted_at)
{
    const struct str without[] = {STR("text"), STR("content"), STR("media")};

    if (text_copy(b, json, without, 3, STR("")) != 0) {
        return -1;
    }

    buf_put_lit(b, ",\"deleted_at\":");
    buf_put_u64(b, deleted_at);
    buf_put_char(b, '}');
    return buf_failed(b) ? -1 : 0;
}


/* All members but some, another text where one is given; without the end. */
static int
text_copy(struct buf *b, struct str json, const struct str *without, unsigned n,
          struct str text)
{
    struct text_member m;
    bool first = true;
    unsigned i;
    int rc;

    buf_put_char(b, '{');

    while ((rc = text_next(&json, &m)) == 1) {
        for (i = 0; i < n && !str_eq(m.name, without[i]); i++) {
        }

        if (i < n) {
            continue;
        }

        if (!first) {
            buf_put_char(b, ',');
        }

        first = false;

        if (text.len != 0 && str_eq(m.name, STR("text"))) {
            buf_put_lit(b, "\"text\":");
            buf_put_str(b, text);

        } else {
            buf_put_str(b, m.all);
        }
    }

    return rc < 0 || first ? -1 : 0;
}


/*
 * The next member of what is left of an object: *rest begins with its `{` at
 * first, later with the comma before the member or the closing `}`.  1; 0 at
 * the end; -1: not such an object.
 */
static int
text_next(struct str *rest, struct text_member *m)
{
    struct str s = *rest;
    size_t name, value;

    if (s.len == 1 && s.data[0] == '}') {
        return 0;
    }

    if (s.len < 2 || (s.data[0] != '{' && s.data[0] != ',')
        || s.data[1] != '"') {
        return -1;
    }

    name = text_string_end(s, 1);

    if (name == 0 || name >= s.len || s.data[name] != ':') {
        return -1;
    }

    value = text_value_end(s, name + 1);

    if (value <= name + 1 || value >= s.len
        || (s.data[value] != ',' && s.data[value] != '}')) {
        return -1;
    }

    m->name = (struct str){s.data + 2, name - 3};
    m->value = (struct str){s.data + name + 1, value - name - 1};
    m->all = (struct str){s.data + 1, value - 1};
    *rest = (struct str){s.data + value, s.len - value};
    return 1;
}


/* Behind the string that begins at `at`; 0: it has no end. */
static size_t
text_string_end(struct str s, size_t at)
{
    for (at++; at < s.len; at++) {
        if (s.data[at] == '"') {
            return at + 1;
        }

        if (s.data[at] == '\\') {
            at++;
        }
    }

    return 0;
}


/* Behind the value that begins at `at`; 0: it has no end. */
static size_t
text_value_end(struct str s, size_t at)
{
    unsigned depth = 0;

    while (at < s.len) {
        switch (s.data[at]) {
        case '"':
            at = text_string_end(s, at);

            if (at == 0) {
                return 0;
            }

            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0) {
                return at;
            }

            depth--;
            break;
        case ',':
            if (depth == 0) {
                return at;
            }

            break;
        }

        at++;
    }

    return 0;
}
