/*
 * How a server is spoken to: chat.v1 (this project, and bench/limit without
 * tokens), nchan, and XMPP with stream management and without.  A text carries
 * the sender's number of the message, so that order and loss show on any server.
 */

#ifndef LOAD_DIALECT_H
#define LOAD_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "str.h"

enum note_kind {
    NOTE_OTHER = 0,
    NOTE_READY,    /* the session stands; inbox_id: the newest    */
    NOTE_ACK,      /* a message is stored; seq 0: the oldest unanswered */
    NOTE_TAKEN,    /* all messages up to seq are acknowledged    */
    NOTE_ASKED,    /* an answer of the dialect is waited for     */
    NOTE_MESSAGE,  /* a message of somebody                       */
    NOTE_CREATED,  /* channel.create is done; channel.  Or: joined */
    NOTE_PRESENCE, /* somebody came or went                      */
    NOTE_ERROR,
};

struct note {
    enum note_kind kind;
    uint64_t inbox_id; /* 0: outside the sequence */
    uint64_t message_id;
    uint64_t seq;
    struct str channel;
};

struct address {
    const char *host; /* for the Host header */
    const char *user;
    const char *topic; /* nchan: the channel to publish or subscribe to */
    bool publish;
    const struct str *key; /* signs tokens; NULL: the user goes by name */
    int64_t after;         /* -1: live only */
};

struct text {
    struct str to; /* `"to":"bob"` or `"channel":"g.1"` */
    uint64_t run;  /* makes client ids unique between runs */
    uint64_t seq;  /* from 1 */
    size_t len;    /* of the text */
};

/* What a dialect keeps of a connection; zero at its begin. */
struct stream {
    unsigned step;     /* of the login                              */
    bool counts;       /* XEP-0198: both sides count stanzas        */
    uint32_t received; /* stanzas, modulo 2^32                      */
    uint64_t taken;    /* stanzas that the server has acknowledged  */
    uint64_t others;   /* stanzas that it is sent before a message  */
};

struct dialect {
    const char *name;
    bool sequenced; /* has session.ready, inbox ids and message ids */
    bool acks;      /* the sender of a pair is answered             */
    bool members;   /* the sender of a group makes it with a method */
    bool echoes;    /* in a group it gets its own message, the ack  */
    void (*request)(struct buf *out, const struct address *a);

    /* What follows the upgrade, called with an empty message at first and
     * with each that comes until it returns 1: ready; -1: refused.  NULL:
     * nothing follows. */
    int (*login)(struct buf *out, const char *user, struct stream *s,
                 struct str message);

    /* What becomes text.to: of a user, and of a group that everybody joins,
     * NULL where that is not done. */
    void (*put_user)(struct buf *out, const char *user);
    void (*put_room)(struct buf *out, const char *room);
    void (*join)(struct buf *out, struct stream *s, const char *room,
                 const char *user);

    void (*send)(struct buf *out, const struct text *t);
    struct str ask; /* follows each message; empty: nothing does */
    void (*read)(struct stream *s, struct str message, struct note *n);

    /* What NOTE_ASKED waits for; NULL where that is never read. */
    void (*answer)(struct buf *out, const struct stream *s);
};

#define DIALECT_TEXT_MIN 24

/* The text itself: the number, then letters that do not compress. */
void dialect_put_text(struct buf *out, const struct text *t);

extern const struct dialect dialect_chat;
extern const struct dialect dialect_nchan;
extern const struct dialect dialect_xmpp;
extern const struct dialect dialect_xmpp_sm;

#endif
