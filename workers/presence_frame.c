/*
 * The text of presence_frame.h.  What comes was written by another machine,
 * or by whoever may write to Redis: it is taken only as it stands there.
 */

#include "presence_frame.h"

#include <string.h>

#include "storage.h"

#define VERSION "1 "

/* A number up to the byte given, or up to the end for '\0'. */
static int
get_number(struct str *s, char end, uint64_t *out)
{
    size_t i;

    *out = 0;
    for (i = 0; i < s->len && s->data[i] != end; i++) {
        unsigned digit = (unsigned char) s->data[i] - '0';

        if (digit > 9 || *out > STORAGE_MAX_ID) {
            return -1;
        }
        *out = *out * 10 + digit;
    }
    if (i == 0 || (end != '\0' && i == s->len)) {
        return -1;
    }
    i += end != '\0';
    s->data += i;
    s->len -= i;
    return 0;
}

static bool
is_machine(const char *text)
{
    for (size_t i = 0; i < PRESENCE_MACHINE; i++) {
        if (!((text[i] >= '0' && text[i] <= '9')
              || (text[i] >= 'a' && text[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

static int
get_user(struct str *s, char end, struct str *user)
{
    const char *p = s->len == 0 ? NULL : memchr(s->data, end, s->len);

    if (p == NULL) {
        return -1;
    }
    *user = (struct str){s->data, (size_t) (p - s->data)};
    s->data = p + 1;
    s->len -= user->len + 1;
    return storage_is_id(*user) ? 0 : -1;
}

void
presence_put_head(struct buf *b, const struct presence_head *h)
{
    buf_put_lit(b, VERSION);
    buf_put(b, h->machine, PRESENCE_MACHINE);
    buf_put_char(b, ' ');
    buf_put_u64(b, h->epoch);
    buf_put_char(b, ' ');
    buf_put_u64(b, h->number);
    buf_put_char(b, ' ');
    buf_put_u64(b, h->ttl_s);
    buf_put_str(b, h->whole ? STR(" 1\n") : STR(" 0\n"));
}

int
presence_get_head(struct str *frame, struct presence_head *h)
{
    size_t head = sizeof(VERSION) - 1 + PRESENCE_MACHINE + 1;
    uint64_t ttl, whole;

    if (frame->len < head
        || memcmp(frame->data, VERSION, sizeof(VERSION) - 1) != 0
        || !is_machine(frame->data + sizeof(VERSION) - 1)
        || frame->data[head - 1] != ' ') {
        return -1;
    }
    memcpy(h->machine, frame->data + sizeof(VERSION) - 1, PRESENCE_MACHINE);
    frame->data += head;
    frame->len -= head;
    if (get_number(frame, ' ', &h->epoch) != 0
        || get_number(frame, ' ', &h->number) != 0
        || get_number(frame, ' ', &ttl) != 0
        || get_number(frame, '\n', &whole) != 0 || ttl == 0
        || ttl > PRESENCE_TTL_MAX_S || whole > 1) {
        return -1;
    }
    h->ttl_s = (uint32_t) ttl;
    h->whole = whole != 0;
    return 0;
}

void
presence_put_row(struct buf *b, const struct presence_row *r)
{
    buf_put_char(b, r->online ? '+' : '-');
    buf_put_str(b, r->user);
    buf_put_char(b, ' ');
    presence_put_value(b, r);
    buf_put_char(b, '\n');
}

int
presence_get_row(struct str *frame, struct presence_row *r)
{
    if (frame->len == 0) {
        return 0;
    }
    r->online = frame->data[0] == '+';
    if (!r->online && frame->data[0] != '-') {
        return -1;
    }
    frame->data++;
    frame->len--;
    return get_user(frame, ' ', &r->user) == 0
                   && get_number(frame, ' ', &r->version) == 0
                   && get_number(frame, '\n', &r->at) == 0
               ? 1
               : -1;
}

size_t
presence_key(char *to, struct str user, const char *machine)
{
    size_t n = sizeof(PRESENCE_KEY_PREFIX) - 1;

    memcpy(to, PRESENCE_KEY_PREFIX, n);
    memcpy(to + n, user.data, user.len);
    to[n + user.len] = ':';
    memcpy(to + n + user.len + 1, machine, PRESENCE_MACHINE);
    return n + user.len + 1 + PRESENCE_MACHINE;
}

void
presence_put_value(struct buf *b, const struct presence_row *r)
{
    buf_put_u64(b, r->version);
    buf_put_char(b, ' ');
    buf_put_u64(b, r->at);
}

int
presence_get_key(struct str key, struct str *user, const char **machine)
{
    size_t n = sizeof(PRESENCE_KEY_PREFIX) - 1;

    if (key.len < n || memcmp(key.data, PRESENCE_KEY_PREFIX, n) != 0) {
        return -1;
    }
    key.data += n;
    key.len -= n;
    if (get_user(&key, ':', user) != 0 || key.len != PRESENCE_MACHINE
        || !is_machine(key.data)) {
        return -1;
    }
    *machine = key.data;
    return 0;
}

int
presence_get_value(struct str value, struct presence_row *r)
{
    r->online = true;
    return get_number(&value, ' ', &r->version) == 0
                   && get_number(&value, '\0', &r->at) == 0
               ? 0
               : -1;
}
