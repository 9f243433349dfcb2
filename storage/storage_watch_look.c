/* See storage_watch_look.h.  Channels are looked for each time anew: who has
 * left a group sees nothing any more. */

#include "storage_watch_look.h"

#include <stdlib.h>

static int watch_look_channels(struct watch_look *l, const struct reader *r,
                               struct engine_iter *i);
static int watch_look_other(struct watch_look *l, const struct reader *r,
                            struct engine_iter *i, struct watch_other *o);
static bool watch_shares(const struct reader *r, uint64_t channel, uint64_t a,
                         uint64_t b);
static bool watch_wrote(const struct reader *r, uint64_t channel, uint64_t a,
                        uint64_t b);


int
watch_look_run(struct read_job *job, const struct reader *r)
{
    struct watch_look *l = (struct watch_look *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    uint32_t n;
    int rc;

    if (i == NULL) {
        return -1;
    }

    rc = watch_look_channels(l, r, i);

    for (n = 0; n < l->n && rc == 0; n++) {
        if (l->others[n].open) {
            rc = watch_look_other(l, r, i, &l->others[n]);
        }
    }

    r->ops->iter_close(i);
    return rc;
}


/* They come in the order of their numbers. */
static int
watch_look_channels(struct watch_look *l, const struct reader *r,
                    struct engine_iter *i)
{
    struct key_parts parts;
    struct key prefix;
    uint64_t *p;

    key_prefix_number(&prefix, KEY_MEMBERSHIP, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (l->n_channels == l->channels_cap) {
            l->channels_cap = l->channels_cap == 0 ? 64 : l->channels_cap * 2;
            p = realloc(l->channels, l->channels_cap * sizeof(*p));
            if (p == NULL) {
                return -1;
            }

            l->channels = p;
        }

        if (key_parse(r->ops->iter_key(i), &parts) != 0) {
            return -1;
        }

        l->channels[l->n_channels++] = parts.second;
    }

    return r->ops->iter_error(i);
}


static int
watch_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}


static int
watch_look_other(struct watch_look *l, const struct reader *r,
                 struct engine_iter *i, struct watch_other *o)
{
    struct key_parts parts;
    struct key prefix;

    if (l->n_channels == 0) {
        return 0;
    }

    key_prefix_number(&prefix, KEY_MEMBERSHIP, o->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         !o->visible && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0) {
            return -1;
        }

        o->visible = bsearch(&parts.second, l->channels, l->n_channels,
                             sizeof(*l->channels), watch_compare)
                         != NULL
                     && watch_shares(r, parts.second, l->number, o->number);
    }

    return r->ops->iter_error(i);
}


static bool
watch_shares(const struct reader *r, uint64_t channel, uint64_t a, uint64_t b)
{
    struct record_channel record;
    struct buf value = {0};
    struct key key;
    bool shares = false;

    key_channel(&key, channel);

    if (r->ops->get(r->engine, key_str(&key), &value) == 1
        && record_get_channel(buf_str(&value), &record) == 0) {
        shares = record.kind == RECORD_GROUP
                 || (record.wrote_known ? record.wrote == 3
                                        : watch_wrote(r, channel, a, b));
    }

    buf_clear(&value);
    return shares;
}


/* In a channel from before version 2 of its record: the messages tell. */
static bool
watch_wrote(const struct reader *r, uint64_t channel, uint64_t a, uint64_t b)
{
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct record_message message;
    struct key prefix;
    bool wrote[2] = {false, false};

    if (i == NULL) {
        return false;
    }

    key_prefix_number(&prefix, KEY_MESSAGE, channel);

    for (r->ops->iter_seek(i, key_str(&prefix));
         !(wrote[0] && wrote[1]) && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (record_get_message(r->ops->iter_value(i), &message) == 0) {
            wrote[0] |= message.sender == a;
            wrote[1] |= message.sender == b;
        }
    }

    r->ops->iter_close(i);
    return wrote[0] && wrote[1];
}
