/* See show.h.  Names come from users: what is no plain text is not printed
 * as it is, lest it speak to the terminal. */

#include "show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "json.h"

#define TIME_SIZE 32

static void
put_json(struct buf *b, const struct json *v)
{
    const struct json *m;

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
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    buf_put_char(b, v->type == JSON_ARRAY ? '[' : '{');
    for (m = v->child; m != NULL; m = m->next) {
        if (v->type == JSON_OBJECT) {
            buf_put_json_str(b, m->key);
            buf_put_char(b, ':');
        }
        put_json(b, m);
        if (m->next != NULL) {
            buf_put_char(b, ',');
        }
    }
    buf_put_char(b, v->type == JSON_ARRAY ? ']' : '}');
}

void
show_json(const struct json *v)
{
    struct buf b = {0};

    put_json(&b, v);
    buf_put_char(&b, '\n');
    if (!buf_failed(&b)) {
        fwrite(b.data, 1, b.len, stdout);
    }
    buf_clear(&b);
}

static struct str
text_of(const struct json *object, const char *key)
{
    const struct json *v = json_member(object, key);

    return v != NULL && v->type == JSON_STRING ? v->text : STR("");
}

static bool
is_set(const struct json *object, const char *key)
{
    const struct json *v = json_member(object, key);

    return v != NULL && v->type == JSON_BOOL && v->boolean;
}

static const char *
state_of(const struct json *user)
{
    return is_set(user, "deleted")     ? "deleted"
           : is_set(user, "disabled")  ? "disabled"
           : is_set(user, "connected") ? "active"
                                       : "mentioned";
}

/* Milliseconds since the epoch, in UTC; `-`: null or none. */
static const char *
time_of(const struct json *object, const char *key, char out[TIME_SIZE])
{
    const struct json *v = json_member(object, key);
    struct tm tm;
    uint64_t ms;
    time_t s;

    if (v == NULL || json_get_u53(v, &ms) != 0) {
        return "-";
    }
    s = (time_t) (ms / 1000);
    if (gmtime_r(&s, &tm) == NULL
        || strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        return "-";
    }
    return out;
}

static void
print_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];

        /* of the C1 controls, written as two bytes, the first is 0xc2 */
        if (c < 0x20 || c == 0x7f
            || (c == 0xc2 && i + 1 < s.len
                && (unsigned char) s.data[i + 1] < 0xa0)) {
            i += c == 0xc2;
            c = '?';
        }
        putchar(c);
    }
}

void
show_list_head(void)
{
    printf("%-32s %-9s %-20s %s\n", "USER", "STATE", "CREATED", "LAST ACTIVE");
}

void
show_list_user(const struct json *user)
{
    struct str name = text_of(user, "user");
    char created[TIME_SIZE], active[TIME_SIZE];

    printf("%-32.*s %-9s %-20s %s\n", (int) name.len, name.data, state_of(user),
           time_of(user, "created_at", created),
           time_of(user, "last_active_at", active));
}

static void
show_number(const struct json *user, const char *label, const char *key)
{
    const struct json *v = json_member(user, key);

    if (v != NULL && v->type == JSON_NUMBER) {
        printf("%-14s %.*s\n", label, (int) v->text.len, v->text.data);
    }
}

void
show_user(const struct json *user)
{
    const struct json *devices = json_member(user, "devices"), *d;
    struct str name = text_of(user, "user");
    char at[TIME_SIZE];

    printf("%-14s %.*s\n", "user", (int) name.len, name.data);
    printf("%-14s ", "display name");
    print_text(text_of(user, "display_name"));
    printf("\n%-14s %s\n", "state", state_of(user));
    printf("%-14s %s\n", "created", time_of(user, "created_at", at));
    printf("%-14s %s\n", "last active", time_of(user, "last_active_at", at));
    show_number(user, "inbox id", "inbox_id");
    show_number(user, "contacts", "contacts");
    show_number(user, "channels", "channels");
    if (devices == NULL || devices->type != JSON_ARRAY) {
        return;
    }
    for (d = devices->child; d != NULL; d = d->next) {
        struct str id = text_of(d, "device");

        printf("%-14s %.*s, last active %s\n", "device", (int) id.len, id.data,
               time_of(d, "last_active_at", at));
    }
}
