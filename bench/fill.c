/*
 * fill STORE -n senders -q peers -m messages -u prefix -l bytes: writes
 * messages into a store that no process has open, through storage.h: message
 * k is from sender k mod n to one of his peers, in the order in which the
 * load generator's `peers` goes on.  Prints its progress.
 */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "buf.h"
#include "storage.h"

#define FILL_IN_FLIGHT 4096
#define FILL_STRIDE    7919
#define FILL_TOLD      250000

struct fill {
    struct storage *storage;
    uint64_t n, peers, messages, next, done;
    uint64_t run;
    size_t len;
    const char *prefix;
    char *text;
    struct buf json;
    bool failed;
};


static void fill_more(struct fill *f);


static void
fill_on_done(const struct storage_result *r, void *data)
{
    struct fill *f = data;

    if (r->status != STORAGE_OK && !f->failed) {
        fprintf(stderr, "fill: status %d after %" PRIu64 " messages\n",
                r->status, f->done);
        f->failed = true;
    }

    if (++f->done % FILL_TOLD == 0) {
        printf("%" PRIu64 " of %" PRIu64 " messages stored\n", f->done,
               f->messages);
        fflush(stdout);
    }

    fill_more(f);
}


static void
fill_send(struct fill *f, uint64_t k)
{
    char user[96], to[96], id[48];
    struct storage_op op = {.type = STORAGE_SEND, .user.data = user};
    uint64_t turn = k / f->n + 1;
    uint64_t peers = f->peers > f->n ? f->peers : f->n;

    op.user.len = (size_t) snprintf(user, sizeof(user), "%s%" PRIu64, f->prefix,
                                    k % f->n);
    op.to.data = to;
    op.to.len =
        (size_t) snprintf(to, sizeof(to), "%sc%" PRIu64, f->prefix,
                          (turn * FILL_STRIDE % f->peers + k % f->n) % peers);
    op.client_id.data = id;
    op.client_id.len = (size_t) snprintf(id, sizeof(id),
                                         "f%" PRIx64 "-%" PRIu64, f->run, turn);

    buf_reset(&f->json, f->json.cap);
    buf_put_lit(&f->json, "\"client_id\":\"");
    buf_put_str(&f->json, op.client_id);
    buf_put_lit(&f->json, "\",\"type\":\"text\",\"text\":\"");
    buf_put_u64(&f->json, turn);
    buf_put_char(&f->json, ' ');
    buf_put(&f->json, f->text + k * FILL_STRIDE % f->len, f->len);
    buf_put_lit(&f->json, "\"}");
    op.text = buf_str(&f->json);
    storage_submit(f->storage, &op, fill_on_done, f);
}


static void
fill_more(struct fill *f)
{
    while (!f->failed && f->next < f->messages
           && f->next - f->done < FILL_IN_FLIGHT) {
        fill_send(f, f->next++);
    }

    if (f->next == f->done && f->storage != NULL) {
        struct storage *s = f->storage;

        f->storage = NULL;
        storage_close(s, NULL, NULL);
    }
}


static uint64_t
fill_number(const char *text)
{
    char *end;
    uint64_t v = strtoull(text, &end, 10);

    if (end == text || *end != '\0' || v == 0) {
        fprintf(stderr, "fill: \"%s\" is no number above 0\n", text);
        exit(2);
    }

    return v;
}


static void
fill_options(struct fill *f, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "l:m:n:q:u:")) != -1) {
        switch (option) {
        case 'l':
            f->len = fill_number(optarg);
            break;
        case 'm':
            f->messages = fill_number(optarg);
            break;
        case 'n':
            f->n = fill_number(optarg);
            break;
        case 'q':
            f->peers = fill_number(optarg);
            break;
        case 'u':
            f->prefix = optarg;
            break;
        default:
            exit(2);
        }
    }

    if (optind != argc - 1 || strlen(f->prefix) > 32 || f->len > 100000) {
        fprintf(stderr, "usage: fill [-n senders] [-q peers] [-m messages] "
                        "[-u prefix] [-l bytes] STORE\n");
        exit(2);
    }
}


static void
fill_make_text(struct fill *f)
{
    uint32_t x = 2463534242u;

    f->text = malloc(2 * f->len);

    for (size_t i = 0; f->text != NULL && i < 2 * f->len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        f->text[i] =
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,"[x % 55];
    }
}


static void
fill_on_event(const struct storage_event *e, void *data)
{
    /* nobody is subscribed */
    (void) e;
    (void) data;
}


static void
fill_on_change(void *data)
{
    struct fill *f = data;

    fprintf(stderr, "fill: a write failed\n");
    f->failed = true;
}


int
main(int argc, char **argv)
{
    struct fill f = {.n = 20,
                     .peers = 100,
                     .messages = 1000000,
                     .len = 128,
                     .prefix = "p",
                     .run = (uint64_t) time(NULL)};
    struct storage_handlers handlers = {.event = fill_on_event,
                                        .reset = fill_on_change,
                                        .lost = fill_on_change,
                                        .data = &f};
    const char *error;
    char address[4096];
    uv_loop_t loop;

    fill_options(&f, argc, argv);
    fill_make_text(&f);
    snprintf(address, sizeof(address), "leveldb:%s", argv[optind]);

    if (f.text == NULL || uv_loop_init(&loop) != 0) {
        fprintf(stderr, "fill: out of memory\n");
        return 2;
    }

    f.storage = storage_open(&loop, address, &handlers, &error);

    if (f.storage == NULL) {
        fprintf(stderr, "fill: %s\n", error);
        return 2;
    }

    fill_more(&f);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    buf_clear(&f.json);
    free(f.text);
    return f.failed || f.done != f.messages ? 1 : 0;
}
