/*
 * The bounds a client is told in session.ready, beside those of storage.h.
 */

#ifndef WORKERS_BOUNDS_H
#define WORKERS_BOUNDS_H

#define LIMIT_TEXT_CHARS 100000 /* code points of a message's text */
#define LIMIT_BATCH      64     /* requests                        */
#define LIMIT_MENTIONS   100    /* users mentioned by a message    */
#define LIMIT_PAGE       50     /* entries where no limit is given */

#endif
