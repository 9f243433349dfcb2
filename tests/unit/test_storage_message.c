/*
 * Changes of messages through storage.h, on both embedded back ends: edits,
 * deletions, reactions, replies; and what a member does for himself: mute and
 * typing.
 */

#define _GNU_SOURCE /* memmem */

#include <dirent.h>

#include "storage_world.h"

#define CHANNEL "d.ann~bob"
#define OUT     262144

static char events[OUT]; /* "METHOD:targets:first inbox id:tail\n" each */
static unsigned n_events;


static void
on_event(const struct storage_event *e, void *data)
{
    size_t at = strlen(events);

    (void) data;
    n_events++;
    snprintf(events + at, sizeof(events) - at, "%u:%u:%u:%.*s\n", e->method,
             e->n_targets, (unsigned) e->targets[0].inbox_id, (int) e->tail.len,
             e->tail.data);
}


static void
forget_told(void)
{
    events[0] = '\0';
    n_events = 0;
}


static struct answer *
start_send(const char *user, const char *channel, const char *text,
           uint64_t reply_to)
{
    char json[300], id[32];
    struct storage_op op = {
        .type = STORAGE_SEND, .user = s(user), .message_id = reply_to};
    static unsigned n;

    snprintf(id, sizeof(id), "s%u", n++);
    snprintf(json, sizeof(json),
             "\"client_id\":\"%s\",\"type\":\"text\",\"text\":\"%s\"}", id,
             text);
    op.client_id = s(id);
    op.text = s(json);

    if (strpbrk(channel, "~.") != NULL) {
        op.channel = s(channel);

    } else {
        op.to = s(channel);
    }

    return submit(&op);
}


static const struct answer *
send_text(const char *user, const char *channel, const char *text)
{
    const struct answer *a = wait_for(start_send(user, channel, text, 0));

    assert_int_equal(a->status, STORAGE_OK);
    return a;
}


static struct storage_op
op_edit(const char *user, const char *channel, uint64_t id, const char *json)
{
    return (struct storage_op){.type = STORAGE_EDIT_MESSAGE,
                               .user = s(user),
                               .channel = s(channel),
                               .message_id = id,
                               .text = s(json)};
}


static const struct answer *
edit(const char *user, const char *channel, uint64_t id, const char *json)
{
    struct storage_op op = op_edit(user, channel, id, json);

    return call(&op);
}


static const struct answer *delete (const char *user, const char *channel,
                                    uint64_t id)
{
    struct storage_op op = {.type = STORAGE_DELETE_MESSAGE,
                            .user = s(user),
                            .channel = s(channel),
                            .message_id = id};

    return call(&op);
}


static const struct answer *
react(const char *user, const char *channel, uint64_t id, const char *emoji,
      bool remove)
{
    struct storage_op op = {.type = STORAGE_REACT,
                            .user = s(user),
                            .channel = s(channel),
                            .message_id = id,
                            .name = s(emoji),
                            .number = remove};

    return call(&op);
}


static const struct answer *
on_channel(enum storage_op_type type, const char *user, const char *channel)
{
    struct storage_op op = {
        .type = type, .user = s(user), .channel = s(channel)};

    return call(&op);
}


static const char *
get(const char *user, const char *channel, uint64_t id)
{
    struct storage_op op = {.type = STORAGE_GET_MESSAGE,
                            .user = s(user),
                            .channel = s(channel),
                            .message_id = id};
    const struct answer *a = call(&op);

    assert_int_equal(a->status, STORAGE_OK);
    return a->json;
}


static const char *
inbox(const char *user)
{
    struct storage_op op = {
        .type = STORAGE_READ_INBOX, .user = s(user), .limit = 1000};
    const struct answer *a = call(&op);

    assert_int_equal(a->status, STORAGE_OK);
    return a->entries;
}


static void
subscribe(const char *user)
{
    struct storage_op op = {
        .type = STORAGE_SUBSCRIBE, .flags = STORAGE_CONNECT, .user = s(user)};

    assert_int_equal(call(&op)->status, STORAGE_OK);
}


/* A group of ann, who owns it, bob and cy. */
static const char *
make_group(void)
{
    static char id[STORAGE_CHANNEL_MAX + 1];
    struct str users[] = {s("bob"), s("cy")};
    struct storage_op op = {.type = STORAGE_CREATE_CHANNEL,
                            .user = s("ann"),
                            .name = s("club"),
                            .users = users,
                            .n_users = 2};
    const struct answer *a = call(&op);

    assert_int_equal(
        sscanf(a->json, "{\"channel\":{\"channel\":\"%160[^\"]", id), 1);
    return id;
}


/* What stands between two marks. */
static const char *
line_of(const char *text, const char *begin)
{
    static char line[4096];
    const char *at = strstr(text, begin);

    assert_non_null(at);
    snprintf(line, sizeof(line), "%.*s", (int) strcspn(at, "\n"), at);
    return line;
}


static void
an_edit_is_told_and_shown(void **state)
{
    const struct answer *a;

    (void) state;
    subscribe("ann");
    subscribe("bob");
    send_text("ann", "bob", "first");
    a = edit("ann", CHANNEL, 1, "\"second\"");
    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(a->inbox_id, 0);
    assert_in(a->json,
              "{\"message\":{\"channel\":\"d.ann~bob\",\"message_id\":1");
    assert_in(a->json, "\"type\":\"text\",\"text\":\"second\",\"edited_at\":");

    /* both of them, at their next inbox id, behind the answer */
    assert_in(events, "\n2:2:2:,\"message\":{\"channel\":\"d.ann~bob\"");
    assert_in(get("bob", CHANNEL, 1), "\"text\":\"second\",\"edited_at\":");
    assert_not_in(get("bob", CHANNEL, 1), "first");
    assert_in(on_channel(STORAGE_HISTORY, "bob", CHANNEL)->json, "second");
    assert_in(on_channel(STORAGE_LIST_CHANNELS, "bob", "")->json,
              "\"text\":\"second\"");
}


static void
an_inbox_event_keeps_the_bytes_it_was_pushed_with(void **state)
{
    char *line, *save = NULL, *at;
    const char *read;

    (void) state;
    subscribe("ann");
    send_text("ann", "bob", "one");
    send_text("bob", "ann", "between");
    assert_int_equal(react("bob", CHANNEL, 1, "+", false)->status, STORAGE_OK);
    assert_int_equal(edit("ann", CHANNEL, 1, "\"two\"")->status, STORAGE_OK);
    assert_int_equal(react("ann", CHANNEL, 1, "!", false)->status, STORAGE_OK);
    assert_int_equal(edit("ann", CHANNEL, 1, "\"three\"")->status, STORAGE_OK);
    assert_int_equal(n_events, 6);

    reopen();
    read = inbox("ann");

    for (at = events; (line = strtok_r(at, "\n", &save)) != NULL; at = NULL) {
        assert_in(read,
                  strchr(strchr(strchr(line, ':') + 1, ':') + 1, ':') + 1);
    }

    assert_in(line_of(read, "1:1:"), "\"text\":\"one\"}}}");
    assert_in(line_of(read, "4:2:"), "\"text\":\"two\",\"edited_at\":");
    assert_in(line_of(read, "4:2:"),
              "\"reactions\":[{\"emoji\":\"+\",\"users\":[\"bob\"]}]}}}");
    assert_in(line_of(read, "6:2:"), "\"text\":\"three\"");
    assert_in(line_of(read, "6:2:"), "{\"emoji\":\"+\",\"users\":[\"bob\"]},"
                                     "{\"emoji\":\"!\",\"users\":[\"ann\"]}]");
}


static void
a_text_of_any_kind_takes_the_place_of_another(void **state)
{
    (void) state;
    send_text("ann", "bob", "a \\\"text\\\":\\\\");
    edit("ann", CHANNEL, 1, "\"\\\\\"");
    assert_in(get("ann", CHANNEL, 1), "\"text\":\"\\\\\",\"edited_at\":");
    edit("ann", CHANNEL, 1, "\"{[\\\",\\\"text\\\":1\"");
    assert_in(get("ann", CHANNEL, 1),
              "\"type\":\"text\",\"text\":\"{[\\\",\\\"text\\\":1\","
              "\"edited_at\":");
    assert_in(inbox("bob"), "\"text\":\"a \\\"text\\\":\\\\\"}");
}


static void
editing_to_the_same_text_changes_nothing(void **state)
{
    const struct answer *a;

    (void) state;
    subscribe("bob");
    send_text("ann", "bob", "same");
    a = edit("ann", CHANNEL, 1, "\"same\"");
    assert_int_equal(a->status, STORAGE_OK);
    assert_not_in(a->json, "edited_at");
    assert_int_equal(n_events, 1);
}


static void
changes_in_one_breath_take_effect_in_order(void **state)
{
    struct storage_op first, second, last;
    struct answer *a, *b, *c;

    (void) state;
    subscribe("bob");
    first = op_edit("ann", CHANNEL, 1, "\"2\"");
    second = op_edit("ann", CHANNEL, 1, "\"3\"");
    last = (struct storage_op){.type = STORAGE_REACT,
                               .user = s("bob"),
                               .channel = s(CHANNEL),
                               .message_id = 1,
                               .name = s("+")};

    /* not one of them waits for the answer of another */
    (void) start_send("ann", "bob", "1", 0);
    a = submit(&first);
    b = submit(&second);
    c = submit(&last);
    (void) start_send("bob", "ann", "4", 1);
    wait_for(c);
    assert_true(a->done && b->done);
    assert_in(a->json, "\"text\":\"2\"");
    assert_in(b->json, "\"text\":\"3\"");
    assert_in(c->json, "\"text\":\"3\"");
    assert_in(c->json, "\"reactions\":[{\"emoji\":\"+\"");
    assert_in(get("bob", CHANNEL, 1), "\"text\":\"3\"");

    while (n_events < 5) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    assert_in(line_of(inbox("bob"), "5:1:"), "\"text\":\"4\"");
}


static void
who_may_edit_and_delete(void **state)
{
    const char *group = make_group();

    (void) state;
    send_text("bob", group, "of bob");
    send_text("ann", group, "of ann");

    assert_int_equal(edit("cy", group, 1, "\"x\"")->status, STORAGE_FORBIDDEN);
    assert_int_equal(edit("ann", group, 1, "\"x\"")->status, STORAGE_FORBIDDEN);
    assert_int_equal(delete ("cy", group, 1)->status, STORAGE_FORBIDDEN);
    assert_int_equal(delete ("bob", group, 2)->status, STORAGE_FORBIDDEN);
    assert_int_equal(edit("dan", group, 1, "\"x\"")->status,
                     STORAGE_NO_CHANNEL);
    assert_int_equal(delete ("dan", group, 1)->status, STORAGE_NO_CHANNEL);
    assert_int_equal(react("dan", group, 1, "+", false)->status,
                     STORAGE_NO_CHANNEL);
    assert_int_equal(edit("bob", group, 3, "\"x\"")->status,
                     STORAGE_NO_MESSAGE);
    assert_int_equal(edit("bob", group, 0, "\"x\"")->status,
                     STORAGE_NO_MESSAGE);

    /* the owner may delete, and so may the sender */
    assert_int_equal(delete ("ann", group, 1)->status, STORAGE_OK);
    assert_int_equal(delete ("ann", group, 2)->status, STORAGE_OK);
    assert_int_equal(edit("bob", group, 1, "\"x\"")->status, STORAGE_DELETED);
    assert_int_equal(react("bob", group, 1, "+", false)->status,
                     STORAGE_DELETED);

    /* in a direct channel nobody manages */
    send_text("ann", "bob", "hi");
    assert_int_equal(delete ("bob", CHANNEL, 1)->status, STORAGE_FORBIDDEN);
}


/* Where one blocks the other he hears nothing more of him; what takes away
 * may be done. */
static void
who_is_blocked_tells_nothing_by_a_change(void **state)
{
    struct storage_op block = {
        .type = STORAGE_BLOCK_CONTACT, .user = s("bob"), .to = s("ann")};
    struct storage_op op = op_edit("ann", CHANNEL, 1, "\"more\"");
    const char *group;

    (void) state;
    subscribe("bob");
    group = make_group();
    send_text("ann", group, "in the group");
    send_text("ann", "bob", "one");
    send_text("bob", "ann", "two");
    react("ann", CHANNEL, 2, "+", false);
    assert_int_equal(wait_for(submit(&block))->status, STORAGE_OK);
    events[0] = '\0';

    op.client_id = s("e1");
    assert_int_equal(wait_for(submit(&op))->status, STORAGE_BLOCKED);
    assert_int_equal(edit("ann", CHANNEL, 1, "\"one\"")->status,
                     STORAGE_BLOCKED);
    assert_int_equal(edit("ann", CHANNEL, 2, "\"x\"")->status,
                     STORAGE_FORBIDDEN);
    assert_int_equal(react("ann", CHANNEL, 2, "-", false)->status,
                     STORAGE_BLOCKED);
    assert_int_equal(react("ann", CHANNEL, 1, "-", false)->status,
                     STORAGE_BLOCKED);
    assert_string_equal(events, "");

    assert_int_equal(react("ann", CHANNEL, 2, "+", true)->status, STORAGE_OK);
    assert_int_equal(edit("bob", CHANNEL, 2, "\"three\"")->status, STORAGE_OK);
    assert_int_equal(react("bob", CHANNEL, 1, "+", false)->status, STORAGE_OK);
    assert_int_equal(edit("ann", group, 1, "\"x\"")->status, STORAGE_OK);
    assert_int_equal(react("ann", group, 1, "+", false)->status, STORAGE_OK);

    /* also when the block is read from the disk */
    reopen();
    assert_int_equal(wait_for(submit(&op))->status, STORAGE_BLOCKED);

    block.type = STORAGE_UNBLOCK_CONTACT;
    wait_for(submit(&block));
    assert_false(wait_for(submit(&op))->duplicate);
    assert_in(get("bob", CHANNEL, 1), "\"text\":\"more\"");
    block.type = STORAGE_BLOCK_CONTACT;
    wait_for(submit(&block));
    assert_int_equal(delete ("ann", CHANNEL, 1)->status, STORAGE_OK);
    assert_int_equal(edit("ann", CHANNEL, 1, "\"x\"")->status, STORAGE_DELETED);
}


static void
a_deleted_message_is_shown_without_its_text(void **state)
{
    struct storage_op op = op_edit("ann", CHANNEL, 1, "\"secret2\"");
    const struct answer *a;

    (void) state;
    op.client_id = s("e1");
    subscribe("bob");
    send_text("ann", "bob", "secret1");
    send_text("bob", "ann", "answer");
    call(&op);
    react("bob", CHANNEL, 1, "+", false);
    a = delete ("ann", CHANNEL, 1);
    assert_int_equal(a->status, STORAGE_OK);
    assert_in(a->json, "\"sender\":\"ann\"");
    assert_in(a->json, ",\"deleted_at\":");
    assert_not_in(a->json, "text\":\"");
    assert_not_in(a->json, "reactions");
    assert_in(events, "\n3:1:5:,\"message\":{");

    for (unsigned n = 0; n < 2; n++) {
        assert_not_in(inbox("ann"), "secret");
        assert_in(line_of(inbox("bob"), "1:1:"), "\"deleted_at\":");
        assert_in(line_of(inbox("bob"), "3:2:"), "\"deleted_at\":");
        assert_in(line_of(inbox("bob"), "5:3:"), "\"deleted_at\":");
        assert_in(get("bob", CHANNEL, 1), "\"deleted_at\":");
        assert_not_in(on_channel(STORAGE_HISTORY, "bob", CHANNEL)->json,
                      "secret");

        /* nor does the outcome of the edit know it */
        a = call(&op);
        assert_true(a->duplicate);
        assert_in(a->json, "\"deleted_at\":");
        assert_not_in(a->json, "secret");
        reopen();
    }

    /* gone is gone: no event the second time */
    n_events = 0;
    a = delete ("ann", CHANNEL, 1);
    assert_int_equal(a->status, STORAGE_OK);
    assert_in(a->json, "\"deleted_at\":");
    assert_int_equal(n_events, 0);
}


/* No file of the store has the text. */
static bool
on_disk(const char *text)
{
    char file[600];
    static char content[16 << 20];
    struct dirent *d;
    DIR *dir = opendir(path());
    bool found = false;

    assert_non_null(dir);

    while ((d = readdir(dir)) != NULL) {
        FILE *f;
        size_t n;

        snprintf(file, sizeof(file), "%s/%s", path(), d->d_name);
        f = fopen(file, "rb");
        n = f == NULL ? 0 : fread(content, 1, sizeof(content), f);
        found |= memmem(content, n, text, strlen(text)) != NULL;

        if (f != NULL) {
            fclose(f);
        }
    }

    closedir(dir);
    return found;
}


static void
a_deleted_text_leaves_the_disk(void **state)
{
    (void) state;
    send_text("bob", "ann", "q7w8e9r0t1y2");
    send_text("ann", "bob", "kept5k6e7p8t");
    edit("bob", CHANNEL, 1, "\"z9x8c7v6b5n4\"");
    assert_true(on_disk("q7w8e9r0t1y2"));
    assert_true(on_disk("z9x8c7v6b5n4"));
    assert_int_equal(delete ("bob", CHANNEL, 1)->status, STORAGE_OK);

    while (on_disk("q7w8e9r0t1y2") || on_disk("z9x8c7v6b5n4")) {
        uv_run(&loop, UV_RUN_ONCE);
    }

    assert_true(on_disk("kept5k6e7p8t"));
}


static void
reactions_count_one_a_user_and_emoji(void **state)
{
    const struct answer *a;

    (void) state;
    subscribe("ann");
    send_text("ann", "bob", "hi");
    forget_told();
    react("bob", CHANNEL, 1, "\xf0\x9f\x91\x8d", false);
    assert_string_equal(events,
                        "4:1:2:,\"channel\":\"d.ann~bob\",\"message_id\":1,"
                        "\"user\":\"bob\",\"emoji\":\"\xf0\x9f\x91\x8d\","
                        "\"removed\":false}}\n");
    a = react("bob", CHANNEL, 1, "\xf0\x9f\x91\x8d", false);
    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(n_events, 1);
    react("ann", CHANNEL, 1, "\xf0\x9f\x91\x8d", false);
    a = react("ann", CHANNEL, 1, "\"", false);
    assert_in(a->json, ",\"reactions\":[{\"emoji\":\"\xf0\x9f\x91\x8d\","
                       "\"users\":[\"bob\",\"ann\"]},"
                       "{\"emoji\":\"\\\"\",\"users\":[\"ann\"]}]}}");
    a = react("bob", CHANNEL, 1, "\xf0\x9f\x91\x8d", true);
    assert_in(a->json, "\"users\":[\"ann\"]},");
    assert_in(events, "\"removed\":true}}\n");
    assert_int_equal(n_events, 4);
    a = react("bob", CHANNEL, 1, "none", true);
    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(n_events, 4);
    react("ann", CHANNEL, 1, "\xf0\x9f\x91\x8d", true);
    a = react("ann", CHANNEL, 1, "\"", true);
    assert_not_in(a->json, "reactions");
    assert_not_in(get("bob", CHANNEL, 1), "reactions");
    assert_in(line_of(inbox("ann"), "2:4:"), "\"removed\":false}}");
}


static void
a_message_has_at_most_so_many_reactions(void **state)
{
    char emoji[8];

    (void) state;
    send_text("ann", "bob", "hi");

    for (unsigned n = 0; n <= STORAGE_REACTIONS_MAX; n++) {
        snprintf(emoji, sizeof(emoji), "e%u", n);
        assert_int_equal(react("bob", CHANNEL, 1, emoji, false)->status,
                         n < STORAGE_REACTIONS_MAX ? STORAGE_OK
                                                   : STORAGE_REACTIONS_FULL);
    }

    assert_int_equal(react("ann", CHANNEL, 1, "e3", false)->status, STORAGE_OK);
    assert_int_equal(react("bob", CHANNEL, 1, "e3", true)->status, STORAGE_OK);
    assert_int_equal(react("ann", CHANNEL, 1, "e3", true)->status, STORAGE_OK);
    assert_int_equal(react("bob", CHANNEL, 1, "e20", false)->status,
                     STORAGE_OK);
    assert_int_equal(
        react("bob", CHANNEL, 1, "123456789012345678901234567890123", false)
            ->status,
        STORAGE_FORBIDDEN);
}


static void
a_change_is_done_once(void **state)
{
    struct storage_op op = op_edit("ann", CHANNEL, 1, "\"two\"");
    struct answer *a, *b;

    (void) state;
    subscribe("bob");
    send_text("ann", "bob", "one");
    op.client_id = s("e1");
    a = submit(&op);
    b = submit(&op);
    wait_for(b);
    assert_false(a->duplicate);
    assert_true(b->duplicate);
    assert_string_equal(a->json, b->json);
    assert_int_equal(n_events, 2);

    /* the first result, also when it was edited again since */
    assert_int_equal(edit("ann", CHANNEL, 1, "\"three\"")->status, STORAGE_OK);
    reopen();
    b = submit(&op);
    wait_for(b);
    assert_true(b->duplicate);
    assert_string_equal(a->json, b->json);
    assert_in(get("bob", CHANNEL, 1), "\"text\":\"three\"");

    op = (struct storage_op){.type = STORAGE_REACT,
                             .user = s("bob"),
                             .channel = s(CHANNEL),
                             .message_id = 1,
                             .name = s("+"),
                             .request_id = s("r1")};
    call(&op);
    react("bob", CHANNEL, 1, "+", true);
    b = submit(&op);
    wait_for(b);
    assert_true(b->duplicate);
    assert_not_in(get("bob", CHANNEL, 1), "reactions");
}


static void
a_refused_change_leaves_its_id_free(void **state)
{
    struct storage_op op = op_edit("ann", CHANNEL, 2, "\"two\"");
    const struct answer *a;

    (void) state;
    send_text("ann", "bob", "one");
    op.client_id = s("e1");
    assert_int_equal(call(&op)->status, STORAGE_NO_MESSAGE);
    send_text("ann", "bob", "two?");
    a = call(&op);
    assert_int_equal(a->status, STORAGE_OK);
    assert_false(a->duplicate);
}


static void
a_reply_needs_its_message(void **state)
{
    (void) state;
    assert_int_equal(wait_for(start_send("ann", "bob", "x", 1))->status,
                     STORAGE_NO_MESSAGE);
    send_text("ann", "bob", "1");
    assert_int_equal(wait_for(start_send("ann", "bob", "x", 1))->status,
                     STORAGE_OK);
    assert_int_equal(wait_for(start_send("bob", CHANNEL, "x", 3))->status,
                     STORAGE_NO_MESSAGE);
    assert_int_equal(wait_for(start_send("cy", CHANNEL, "x", 3))->status,
                     STORAGE_NO_CHANNEL);
}


static void
a_failed_write_takes_the_change_back(void **state)
{
    struct storage_op op = op_edit("ann", CHANNEL, 1, "\"two\"");

    (void) state;
    send_text("ann", "bob", "one");
    react("ann", CHANNEL, 1, "+", false);
    op.client_id = s("e1");
    engine_memory_fail_writes(path(), 1);
    assert_int_equal(call(&op)->status, STORAGE_UNAVAILABLE);

    do {
        op.type = STORAGE_EDIT_MESSAGE;
    } while (call(&op)->status == STORAGE_UNAVAILABLE);

    assert_in(get("bob", CHANNEL, 1), "\"text\":\"two\"");
    assert_in(get("bob", CHANNEL, 1), "\"reactions\"");
    assert_in(line_of(inbox("bob"), "1:1:"), "\"text\":\"one\"}}}");
    assert_in(line_of(inbox("bob"), "3:2:"), "\"text\":\"two\"");
}


static void
nothing_is_told_before_it_is_written(void **state)
{
    struct storage_op op = op_edit("ann", CHANNEL, 1, "\"two\"");
    struct answer *a;

    (void) state;
    subscribe("bob");
    send_text("ann", "bob", "one");
    engine_memory_hold_writes(path(), true);
    a = submit(&op);

    for (unsigned n = 0; n < 20; n++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }

    assert_false(a->done);
    assert_int_equal(n_events, 1);
    assert_in(get("bob", CHANNEL, 1), "\"text\":\"one\"");
    engine_memory_hold_writes(path(), false);
    wait_for(a);
    assert_int_equal(n_events, 2);
}


static void
many_messages_are_changed_and_forgotten(void **state)
{
    char text[32];

    (void) state;

    for (unsigned n = 1; n <= 1500; n++) {
        send_text("ann", "bob", "x");
        snprintf(text, sizeof(text), "\"y%u\"", n);
        assert_int_equal(edit("ann", CHANNEL, n, text)->status, STORAGE_OK);
    }

    assert_int_equal(edit("ann", CHANNEL, 1, "\"again\"")->status, STORAGE_OK);
    assert_in(get("bob", CHANNEL, 1), "\"text\":\"again\"");
    assert_in(get("bob", CHANNEL, 1500), "\"text\":\"y1500\"");
}


static void
typing_is_told_to_the_others_now_and_then(void **state)
{
    const char *group = make_group();
    uint64_t begin;

    (void) state;
    subscribe("ann");
    subscribe("bob");
    subscribe("cy");
    forget_told();
    assert_int_equal(on_channel(STORAGE_TYPING, "bob", group)->status,
                     STORAGE_OK);
    begin = uv_now(&loop);
    assert_int_equal(on_channel(STORAGE_TYPING, "bob", group)->status,
                     STORAGE_OK);
    assert_in(events, "8:2:0:\"channel\":\"g.");
    assert_in(events, "\",\"user\":\"bob\"}}\n");
    assert_int_equal(n_events, 1);

    /* another user has his own two seconds */
    on_channel(STORAGE_TYPING, "cy", group);
    assert_int_equal(n_events, 2);
    assert_int_equal(on_channel(STORAGE_TYPING, "dan", group)->status,
                     STORAGE_NO_CHANNEL);
    assert_int_equal(n_events, 2);

    while (n_events == 2) {
        on_channel(STORAGE_TYPING, "bob", group);
    }

    assert_true(uv_now(&loop) - begin >= 2000);
}


static const char *
mute(const char *user, uint64_t until)
{
    struct storage_op op = {.type = STORAGE_MUTE_CHANNEL,
                            .user = s(user),
                            .channel = s(CHANNEL),
                            .number = until};
    const struct answer *a = call(&op);

    assert_int_equal(a->status, STORAGE_OK);
    return a->json;
}


static void
muting_is_ones_own_and_is_kept(void **state)
{
    (void) state;
    subscribe("bob");
    send_text("ann", "bob", "hi");
    assert_in(mute("ann", 1764000000123), "\"muted_until\":1764000000123}}");

    reopen();
    assert_in(on_channel(STORAGE_GET_CHANNEL, "ann", CHANNEL)->json,
              "\"muted_until\":1764000000123}}");
    assert_in(on_channel(STORAGE_LIST_CHANNELS, "ann", "")->json,
              "\"muted_until\":1764000000123}]");
    assert_in(on_channel(STORAGE_GET_CHANNEL, "bob", CHANNEL)->json,
              "\"muted_until\":0}}");

    /* what is written behind leaves it alone */
    send_text("ann", CHANNEL, "more");
    reopen();
    assert_in(on_channel(STORAGE_LIST_CHANNELS, "ann", "")->json,
              "\"muted_until\":1764000000123}]");
    assert_in(mute("ann", STORAGE_MUTE_FOREVER), "\"muted_until\":null}}");
    assert_in(on_channel(STORAGE_LIST_CHANNELS, "ann", "")->json,
              "\"muted_until\":null}]");
    assert_in(mute("ann", 0), "\"muted_until\":0}}");
    assert_int_equal(n_events, 1);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(an_edit_is_told_and_shown),
        ON_BOTH(an_inbox_event_keeps_the_bytes_it_was_pushed_with),
        ON_BOTH(a_text_of_any_kind_takes_the_place_of_another),
        ON_BOTH(editing_to_the_same_text_changes_nothing),
        ON_BOTH(changes_in_one_breath_take_effect_in_order),
        ON_BOTH(who_may_edit_and_delete),
        ON_BOTH(who_is_blocked_tells_nothing_by_a_change),
        ON_BOTH(a_deleted_message_is_shown_without_its_text),
        ON(a_deleted_text_leaves_the_disk, leveldb),
        ON_BOTH(reactions_count_one_a_user_and_emoji),
        ON_BOTH(a_message_has_at_most_so_many_reactions),
        ON_BOTH(a_change_is_done_once),
        ON_BOTH(a_refused_change_leaves_its_id_free),
        ON_BOTH(a_reply_needs_its_message),
        ON(a_failed_write_takes_the_change_back, memory),
        ON(nothing_is_told_before_it_is_written, memory),
        ON(many_messages_are_changed_and_forgotten, memory),
        ON(typing_is_told_to_the_others_now_and_then, memory),
        ON_BOTH(muting_is_ones_own_and_is_kept),
    };

    return RUN_WORLDS("message", tests);
}
