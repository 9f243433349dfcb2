/*
 * What the command line asked for, and the modes that answer it.
 */

#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process.h"
#include "str.h"

struct dialect;
struct report;

struct options {
    const struct dialect *dialect;
    struct sockaddr_in to;
    char host[32];
    struct str key; /* data NULL: no tokens */
    struct processes servers;
    const char *store;  /* its directory, or NULL */
    const char *prefix; /* of user names */
    const char *json;   /* where the figures go, or NULL */
    uint64_t run;       /* differs between runs */

    unsigned n;       /* pairs, groups or connections     */
    unsigned members; /* of a group, the sender included  */
    unsigned window;  /* closed loop: unfinished messages of a sender */
    unsigned peers;   /* of a sender, when members is 1   */
    double rate;      /* open loop: messages a second of all; 0: closed */
    double seconds;
    double warmup_s; /* at the begin, not counted        */
    unsigned text_len;
    unsigned in_flight; /* connections being opened at once */
    bool hold;          /* idle: until stdin ends */
    unsigned backlog;   /* storm: messages missed by each   */
    double churn;       /* mixed: clients that leave and return a second */
    bool stops;         /* storm: waits for a line twice */
    bool beside;        /* others load the server, it has no rest */
};

/* Each fills the report; 0, or -1 when it could not be carried out. */
int talk_run(const struct options *o, struct report *r);
int idle_run(const struct options *o, struct report *r);
int storm_run(const struct options *o, struct report *r);
int mixed_run(const struct options *o, struct report *r);
int deaf_run(const struct options *o, struct report *r);
int resync_run(const struct options *o, struct report *r);
int disk_run(const char *directory, struct report *r);

#endif
