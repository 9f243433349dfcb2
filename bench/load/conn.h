/*
 * WebSocket connections on one epoll loop: plain HTTP/1.1 upgrade, text
 * messages in and out.  Frames for one connection are gathered and written
 * once a loop turn.  A struct conn lies in the caller's memory and must
 * outlive the turn in which it is closed.  bench/limit uses the server's
 * side, the load generator the client's.
 */

#ifndef LOAD_CONN_H
#define LOAD_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "str.h"

enum conn_state {
    CONN_CLOSED = 0,
    CONN_UPGRADING,
    CONN_OPEN,
};

struct conn {
    int fd;
    enum conn_state state;
    bool server;  /* accepted: what it receives is masked */
    bool dirty;   /* stands in the loop's list of those to write     */
    bool waiting; /* the socket was full: EPOLLOUT is asked for      */
    struct conn *next_dirty;
    struct buf in;  /* the begin of a frame that is not yet whole    */
    struct buf out; /* not yet written                               */
};

/*
 * Every callback may send on and close any connection, c too; a closed one is
 * opened again outside loop_turn only.
 */
struct conn_events {
    /* head: the answer of the server, or the request of a client, who is
     * answered with conn_accept */
    void (*opened)(struct conn *c, struct str head, void *data);
    void (*message)(struct conn *c, struct str text, void *data);
    void (*closed)(struct conn *c, const char *why, void *data);
    void (*connecting)(void *data); /* the listening socket is readable */
};

struct loop {
    int epoll;
    uint64_t now_ns; /* when this turn's events were fetched */
    uint64_t random;
    uint64_t received, sent; /* bytes, HTTP and frames included */
    struct conn *dirty;
    char *input;
    const struct conn_events *events;
    void *data; /* for the callbacks */
};

/* 0, or -1 with a line on stderr. */
int loop_open(struct loop *l);
void loop_close(struct loop *l);

/*
 * A turn: waits for events until a time of clock_ns() and handles them, then
 * writes what they left to be sent.
 */
void loop_receive(struct loop *l, uint64_t until_ns);
void loop_send(struct loop *l);

static inline void
loop_turn(struct loop *l, uint64_t until_ns)
{
    loop_receive(l, until_ns);
    loop_send(l);
}

uint64_t clock_ns(void);

/* Watches a listening socket.  0, or -1 with errno. */
int loop_listen(struct loop *l, int fd);

/*
 * Starts to connect from the loopback address source (host order, 0: any)
 * and to send the HTTP request.  opened or closed comes from a later turn.
 * 0, or -1 when there is no socket to be had; errno says why.
 */
int conn_open(struct loop *l, struct conn *c, const struct sockaddr_in *to,
              uint32_t source, struct str request);

/* Takes over the socket of a client that connected.  0, or -1 with errno. */
int conn_take(struct loop *l, struct conn *c, int fd);

/* The HTTP answer to head; only from opened. */
void conn_accept(struct loop *l, struct conn *c, struct str answer);

/* One text message; it leaves at the end of the turn. */
void conn_send(struct loop *l, struct conn *c, struct str text);

/* The same in two parts, from a server. */
void conn_send2(struct loop *l, struct conn *c, struct str head,
                struct str tail);

/* No callback comes any more.  Legal in every state. */
void conn_close(struct loop *l, struct conn *c);

#endif
