/*
 * load MODE [options]: load for a chat server on this machine, with the
 * invariants checked while it runs.  Exit status 0: all of them held;
 * 1: one was broken; 2: the run could not be carried out.
 */

#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dialect.h"
#include "report.h"
#include "token.h"

#define LOAD_N_MAX       200000
#define LOAD_SECONDS_MAX 3600
#define LOAD_PREFIX_MAX  40 /* names with their numbers fit into 64 bytes */

static const char usage[] =
    "usage: load MODE [options]\n"
    "\n"
    "pairs    -n senders (100), each to one receiver\n"
    "groups   -n groups (10) of -m members online (100), one sender each\n"
    "peers    -n senders (20), each to -q users (100) who are not there\n"
    "mixed    -n users (1000) of whom 80 % do nothing, 15 % talk in pairs, 5 "
    "%\n"
    "         in groups of 5 to 100, texts of all lengths; -r messages and -x\n"
    "         clients that leave and come back, a second of all\n"
    "deaf     -n senders (1) to one client who reads nothing\n"
    "resync   -n clients (1) who read all of their inbox, again and again\n"
    "idle     -n connections (1000) that do nothing, held -t seconds; with -H\n"
    "         until stdin ends, with what became of them on stdout\n"
    "storm    -n clients (1000) come back at once, each after -b messages\n"
    "disk     DIRECTORY: appends and syncs 512 bytes, 1000 times\n"
    "\n"
    "-a ADDRESS:PORT  server, a loopback address (127.0.0.1:8080)\n"
    "-d DIALECT       chat, nchan, xmpp or xmpp+sm (chat)\n"
    "-k FILE          key that signs the tokens; without it users go by name\n"
    "-D DIRECTORY     mixed: of the store, whose growth is told\n"
    "-p PID,...       processes of the server, descendants count too\n"
    "-W N             closed loop: unfinished messages of a sender (16)\n"
    "-r RATE          open loop: messages a second of all senders together\n"
    "-t SECONDS       (5)          -w SECONDS  warm-up before, not counted "
    "(0.5)\n"
    "-l BYTES         of a text (128)\n"
    "-c N             connections being opened at once (256)\n"
    "-N               others load the server, too: its rest is not waited "
    "for\n"
    "-B               storm: says `connected` and `stored`, and goes on at a "
    "line\n"
    "-u PREFIX        of user names (u)\n"
    "-j FILE          the figures as JSON\n";

struct mode {
    const char *name;
    int (*run)(const struct options *o, struct report *r);
    unsigned n;
    unsigned members;
};

static const struct mode modes[] = {
    {"pairs",  talk_run,   100,  2  },
    {"groups", talk_run,   10,   100},
    {"peers",  talk_run,   20,   1  },
    {"mixed",  mixed_run,  1000, 1  },
    {"deaf",   deaf_run,   1,    2  },
    {"resync", resync_run, 1,    1  },
    {"idle",   idle_run,   1000, 1  },
    {"storm",  storm_run,  1000, 1  },
};


static double
number(const char *text, double min, double max)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end != '\0' || !(v >= min && v <= max)) {
        fprintf(stderr, "load: \"%s\" is not in %.10g ... %.10g\n", text, min,
                max);
        exit(2);
    }

    return v;
}


static void
fail(const char *what, const char *text)
{
    fprintf(stderr, "load: %s \"%s\"\n\n%s", what, text, usage);
    exit(2);
}


static void
set_address(struct options *o, const char *text)
{
    const char *colon = strchr(text, ':');

    if (colon == NULL || colon - text >= (ptrdiff_t) sizeof(o->host)) {
        fail("bad address", text);
    }

    snprintf(o->host, sizeof(o->host), "%.*s", (int) (colon - text), text);
    o->to.sin_family = AF_INET;
    o->to.sin_port = htons((uint16_t) number(colon + 1, 1, 65535));

    /* this program is made to hurt: nobody else's machine */
    if (inet_pton(AF_INET, o->host, &o->to.sin_addr) != 1
        || ntohl(o->to.sin_addr.s_addr) >> 24 != 127) {
        fail("not a loopback address:", text);
    }
}


static const struct dialect *
find_dialect(const char *name)
{
    static const struct dialect *const dialects[] = {
        &dialect_chat,
        &dialect_nchan,
        &dialect_xmpp,
        &dialect_xmpp_sm,
    };

    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        if (strcmp(dialects[i]->name, name) == 0) {
            return dialects[i];
        }
    }

    fail("no such dialect:", name);
    return NULL;
}


static void
set_option(struct options *o, int option, const char *value)
{
    switch (option) {
    case 'a':
        set_address(o, value);
        break;
    case 'B':
        o->stops = true;
        break;
    case 'b':
        o->backlog = (unsigned) number(value, 1, 10000);
        break;
    case 'c':
        o->in_flight = (unsigned) number(value, 1, LOAD_N_MAX);
        break;
    case 'd':
        o->dialect = find_dialect(value);
        break;
    case 'D':
        o->store = value;
        break;
    case 'H':
        o->hold = true;
        break;
    case 'j':
        o->json = value;
        break;
    case 'k':
        o->key = token_read_key(value);
        if (o->key.data == NULL) {
            exit(2);
        }
        break;
    case 'l':
        o->text_len = (unsigned) number(value, DIALECT_TEXT_MIN, 100000);
        break;
    case 'm':
        o->members = (unsigned) number(value, 2, 100);
        break;
    case 'n':
        o->n = (unsigned) number(value, 1, LOAD_N_MAX);
        break;
    case 'N':
        o->beside = true;
        break;
    case 'p':
        if (processes_parse(&o->servers, value) != 0) {
            fail("bad process ids:", value);
        }
        break;
    case 'q':
        o->peers = (unsigned) number(value, 1, 10000000);
        break;
    case 'r':
        o->rate = number(value, 0.01, 1e7);
        break;
    case 't':
        o->seconds = number(value, 0.1, LOAD_SECONDS_MAX);
        break;
    case 'u':
        if (strlen(value) > LOAD_PREFIX_MAX) {
            fail("too long a prefix:", value);
        }
        o->prefix = value;
        break;
    case 'w':
        o->warmup_s = number(value, 0, LOAD_SECONDS_MAX);
        break;
    case 'x':
        o->churn = number(value, 0, 1e5);
        break;
    case 'W':
        o->window = (unsigned) number(value, 1, 4096);
        break;
    default:
        exit(2);
    }
}


static const struct mode *
find_mode(const char *name)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, name) == 0) {
            return &modes[i];
        }
    }

    fail("no such mode:", name);
    return NULL;
}


static int
finish(struct options *o, struct report *r, int status)
{
    free((char *) o->key.data);
    report_add(r, "broken", (double) broken_count());

    if (report_write(r, o->json) != 0) {
        status = -1;
    }

    return broken_count() != 0 ? 1 : status != 0 ? 2 : 0;
}


int
main(int argc, char **argv)
{
    struct options o = {.dialect = &dialect_chat,
                        .prefix = "u",
                        .window = 16,
                        .seconds = 5,
                        .warmup_s = 0.5,
                        .text_len = 128,
                        .in_flight = 256,
                        .backlog = 20,
                        .peers = 100};
    struct report r = {0};
    const struct mode *mode;
    struct timespec now;
    int option;

    if (argc < 2 || strcmp(argv[1], "-h") == 0) {
        fputs(usage, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }

    if (strcmp(argv[1], "disk") == 0 && argc >= 3) {
        o.json = argc > 3 ? argv[3] : NULL;
        return finish(&o, &r, disk_run(argv[2], &r));
    }

    mode = find_mode(argv[1]);
    o.n = mode->n;
    o.members = mode->members;
    clock_gettime(CLOCK_REALTIME, &now);
    o.run = (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
    set_address(&o, "127.0.0.1:8080");

    while ((option = getopt(argc - 1, argv + 1,
                            "a:b:Bc:d:D:Hj:k:l:m:n:Np:q:r:t:u:w:W:x:"))
           != -1) {
        set_option(&o, option, optarg);
    }

    if (optind != argc - 1) {
        fail("too much:", argv[optind + 1]);
    }

    return finish(&o, &r, mode->run(&o, &r));
}
