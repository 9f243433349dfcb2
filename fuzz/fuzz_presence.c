/*
 * What may come from Redis: frames, keys and values.  The first byte chooses;
 * frames go into a table of machines, between whose parts time passes,
 * readings begin and end.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "presence_peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
one_key(struct str in)
{
    char key[PRESENCE_KEY_MAX];
    struct presence_row row;
    const char *machine;
    struct str user;

    if (presence_get_key(in, &user, &machine) == 0
        && (presence_key(key, user, machine) != in.len
            || memcmp(key, in.data, in.len) != 0)) {
        abort();
    }
    if (presence_get_value(in, &row) == 0 && !row.online) {
        abort();
    }
}

/* Frames stand between NULs; a short one says what happens else. */
static void
step(struct peers *p, struct str text, uint64_t *now)
{
    struct presence_row row = {STR("carol"), true, text.len, 1};

    switch (text.len) {
    case 0:
        *now += 7000;
        peers_tick(p, *now);
        return;
    case 1:
        (void) peers_work(p);
        return;
    case 2:
        if (peers_due(p)) {
            peers_read_begin(p);
            peers_read(p, "1111111111111111", &row, 15, *now);
            peers_read_end(p, text.data[0] != 'x');
        }
        return;
    case 3:
        peers_hold(p);
        return;
    case 4:
        peers_resume(p, *now);
        return;
    default:
        (void) peers_frame(p, text, *now);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *) data + 1, size - 1};
    struct peers_change c;
    struct peers *p;
    uint64_t now = 0;

    if (size == 0) {
        return 0;
    }
    if (data[0] == 'k') {
        one_key(in);
        return 0;
    }
    p = peers_create("0123456789abcdef");
    if (p == NULL) {
        return 0;
    }
    peers_resume(p, now);
    while (in.len != 0) {
        size_t len = strnlen(in.data, in.len);

        step(p, (struct str){in.data, len}, &now);
        len += len < in.len;
        in.data += len;
        in.len -= len;
        while (peers_next(p, &c)) {
            if (c.online != peers_online(p, c.user)) {
                abort();
            }
        }
    }
    while (peers_work(p)) {
    }
    peers_free(p);
    return 0;
}
