/*
 * Channels that are not in memory: what is known of one that is loaded, and
 * what loading costs LevelDB.
 */

#include "storage_world.h"

#include "storage_key.h"
#include "storage_record.h"

#define COLD 300

static const struct engine_ops *ops = &engine_leveldb;


static void
on_event(const struct storage_event *e, void *data)
{
    (void) e;
    (void) data;
}


static void
forget_told(void)
{
}


static struct storage_op
send_op(const char *user, const char *to)
{
    return (struct storage_op){.type = STORAGE_SEND,
                               .user = s(user),
                               .to = s(to),
                               .text = s("\"type\":\"text\",\"text\":\"x\"}")};
}


/* The number that the message got. */
static unsigned
say(const char *user, const char *to)
{
    struct storage_op op = send_op(user, to);
    struct answer *a = call(&op);
    const char *id = strstr(a->json, "\"message_id\":");

    assert_int_equal(a->status, STORAGE_OK);
    assert_non_null(id);
    return (unsigned) strtoul(id + strlen("\"message_id\":"), NULL, 10);
}


static void
react(const char *user, const char *channel, const char *emoji)
{
    struct storage_op op = {.type = STORAGE_REACT,
                            .user = s(user),
                            .channel = s(channel),
                            .message_id = 1,
                            .name = s(emoji)};

    assert_int_equal(call(&op)->status, STORAGE_OK);
}


static void
rename_group(const char *channel, const char *name)
{
    struct storage_op op = {.type = STORAGE_UPDATE_CHANNEL,
                            .user = s("alice"),
                            .channel = s(channel),
                            .name = s(name)};

    assert_int_equal(call(&op)->status, STORAGE_OK);
}


/* The engine of a storage that was closed. */
static struct engine *
engine(void)
{
    const char *error = NULL;
    struct engine *e = ops->open(path(), false, &error);

    assert_non_null(e);
    return e;
}


static void
put(const struct key *key, struct str value)
{
    struct engine *e = engine();
    struct engine_batch *b = ops->batch_create();

    if (value.data == NULL) {
        ops->batch_delete(b, key_str(key));

    } else {
        ops->batch_put(b, key_str(key), value);
    }

    assert_int_equal(ops->write(e, b, true), 0);
    ops->batch_free(b);
    ops->close(e);
}


static bool
has_event(uint64_t channel, uint64_t event)
{
    struct engine *e = engine();
    struct buf value = {0};
    struct key key;
    int rc;

    key_event(&key, channel, event);
    rc = ops->get(e, key_str(&key), &value);
    buf_clear(&value);
    ops->close(e);
    return rc == 1;
}


static void
the_newest_message_is_found_behind_markers_that_are_behind(void **state)
{
    struct record_markers old = {.read = 2, .delivered = 2};
    struct buf value = {0};
    struct key key;

    (void) state;

    for (unsigned n = 1; n <= 5; n++) {
        assert_int_equal(say("alice", "bob"), n);
    }

    close_storage();
    record_put_markers(&value, &old);
    key_markers(&key, 1, 1);
    put(&key, buf_str(&value));
    buf_clear(&value);
    open_storage();
    assert_int_equal(say("alice", "bob"), 6);

    close_storage();
    put(&key, (struct str){NULL, 0});
    open_storage();
    assert_int_equal(say("bob", "alice"), 7);

    close_storage();
    put(&key, (struct str){NULL, 0});
    key_markers(&key, 1, 2);
    put(&key, (struct str){NULL, 0});
    open_storage();
    assert_int_equal(say("alice", "bob"), 8);
}


/* Of alice: as channel.list and channel.get show it. */
static void
assert_read(const char *unread, const char *read)
{
    struct storage_op list = {.type = STORAGE_LIST_CHANNELS,
                              .user = s("alice")};
    struct storage_op get = {.type = STORAGE_GET_CHANNEL,
                             .user = s("alice"),
                             .channel = s("d.alice~bob")};
    char text[64];

    snprintf(text, sizeof(text), "\"unread\":%s,\"read\":%s,", unread, read);
    assert_non_null(strstr(call(&list)->json, text));
    snprintf(text, sizeof(text),
             "{\"user\":\"alice\",\"role\":\"member\",\"delivered\":%s,"
             "\"read\":%s}",
             read, read);
    assert_non_null(strstr(call(&get)->json, text));
}


/* As after a kill: the markers of the last second are not on the disk. */
static void
who_sent_the_newest_message_has_read_it(void **state)
{
    struct key key;

    (void) state;
    say("alice", "bob");
    say("bob", "alice");
    say("alice", "bob");
    close_storage();
    key_markers(&key, 1, 1);
    put(&key, (struct str){NULL, 0});
    open_storage();
    assert_read("0", "3");
    say("bob", "alice");
    assert_read("1", "3");
    reopen();
    assert_read("1", "3");
}


/* As after a loss of power that took a message and not its marker: never
 * written so, and yet no number is left out or given twice. */
static void
markers_beyond_the_newest_message_mislead_nobody(void **state)
{
    struct record_markers beyond = {.read = 9, .delivered = 9};
    struct buf value = {0};
    struct key key;

    (void) state;
    say("alice", "bob");
    say("alice", "bob");
    close_storage();
    record_put_markers(&value, &beyond);
    key_markers(&key, 1, 1);
    put(&key, buf_str(&value));
    buf_clear(&value);
    open_storage();
    assert_int_equal(say("alice", "bob"), 3);
}


static void
a_channel_without_messages_begins_at_one(void **state)
{
    struct str users[] = {s("bob")};
    struct storage_op op = {.type = STORAGE_CREATE_CHANNEL,
                            .user = s("alice"),
                            .name = s("g"),
                            .users = users,
                            .n_users = 1};
    char channel[19];
    struct storage_op send = send_op("alice", NULL);
    const struct answer *a = call(&op);

    (void) state;
    assert_int_equal(a->status, STORAGE_OK);
    snprintf(channel, sizeof(channel), "%s", strstr(a->json, "g."));
    rename_group(channel, "h");
    reopen();
    rename_group(channel, "i");
    close_storage();
    assert_true(has_event(1, 1) && has_event(1, 2) && has_event(1, 3));
    assert_false(has_event(1, 4));
    open_storage();

    send.channel = s(channel);
    a = call(&send);
    assert_int_equal(a->status, STORAGE_OK);
    assert_non_null(strstr(a->json, "\"message_id\":1,"));
}


static void
reactions_in_a_direct_channel_go_on_where_they_ended(void **state)
{
    (void) state;
    say("alice", "bob");
    reopen();
    react("bob", "d.alice~bob", "a");
    react("bob", "d.alice~bob", "b");
    reopen();
    say("alice", "bob");
    react("alice", "d.alice~bob", "c");
    close_storage();
    assert_true(has_event(1, 1) && has_event(1, 2) && has_event(1, 3));
    assert_false(has_event(1, 4));
    open_storage();
}


static void
one_damaged_channel_among_many_fails_alone(void **state)
{
    struct answer *a[20];
    struct key key;
    char to[20][8];

    (void) state;

    for (unsigned n = 0; n < 20; n++) {
        snprintf(to[n], sizeof(to[n]), "b%u", n);
        assert_int_equal(say("alice", to[n]), 1);
    }

    close_storage();
    key_channel(&key, 8);
    put(&key, s("damaged"));
    damaged = true;
    open_storage();

    for (unsigned n = 0; n < 20; n++) {
        struct storage_op op = send_op("alice", to[n]);

        a[n] = submit(&op);
    }

    for (unsigned n = 0; n < 20; n++) {
        wait_for(a[n]);
        assert_int_equal(a[n]->status,
                         n == 7 ? STORAGE_UNAVAILABLE : STORAGE_OK);
    }
}


static unsigned
compactions(void)
{
    char line[1024], file[200];
    unsigned n = 0;
    FILE *f;

    snprintf(file, sizeof(file), "%s/LOG", path());
    f = fopen(file, "r");
    assert_non_null(f);

    while (fgets(line, sizeof(line), f) != NULL) {
        n += strstr(line, "Compacting ") != NULL;
    }

    fclose(f);
    return n;
}


/* LevelDB counts a Get that looks into two tables, and compacts the first one
 * when it was a hundred times so. */
static void
loading_and_listing_make_leveldb_compact_nothing(void **state)
{
    struct storage_op list = {
        .type = STORAGE_LIST_CHANNELS, .user = s("alice"), .limit = 100};
    char to[16];

    (void) state;

    /* each start puts what the one before wrote into a table of its own */
    for (unsigned turn = 1; turn <= 3; turn++) {
        for (unsigned n = 0; n < COLD; n++) {
            snprintf(to, sizeof(to), "b%u", n);
            assert_int_equal(say("alice", to), turn);
        }

        assert_int_equal(call(&list)->status, STORAGE_OK);
        reopen();
    }

    reopen();

    for (unsigned n = 0; n < COLD; n++) {
        snprintf(to, sizeof(to), "b%u", n);
        assert_int_equal(say("alice", to), 4);
    }

    /* closing waits for what is being compacted */
    close_storage();
    assert_int_equal(compactions(), 0);
    open_storage();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON(the_newest_message_is_found_behind_markers_that_are_behind, leveldb),
        ON(who_sent_the_newest_message_has_read_it, leveldb),
        ON(markers_beyond_the_newest_message_mislead_nobody, leveldb),
        ON(a_channel_without_messages_begins_at_one, leveldb),
        ON(reactions_in_a_direct_channel_go_on_where_they_ended, leveldb),
        ON(one_damaged_channel_among_many_fails_alone, leveldb),
        ON(loading_and_listing_make_leveldb_compact_nothing, leveldb),
    };

    return RUN_WORLDS("load", tests);
}
