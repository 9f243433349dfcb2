/*
 * Where Redis is, as nginx.conf's chat_redis and chatd's -r say it:
 *
 *     HOST:PORT|unix:PATH [password_file=PATH] [db=N]
 *
 * with one space between the words.
 */

#ifndef WORKERS_REDIS_CONFIG_H
#define WORKERS_REDIS_CONFIG_H

#include <stddef.h>

#define REDIS_CONFIG_MAX   1024 /* bytes of the text, with its NUL */
#define REDIS_DB_MAX       65535
#define REDIS_PASSWORD_MAX 1024

struct redis_config {
    char text[REDIS_CONFIG_MAX]; /* what the pointers point into       */
    const char *host;            /* NULL: a Unix socket                */
    unsigned port;
    const char *path;          /* of the socket                      */
    const char *password_file; /* NULL: none                         */
    unsigned db;
};

/* Names a Redis: 0, or -1 with *c undefined. */
int redis_config_parse(struct redis_config *c, const char *text);

/* The secret of a password file; overwrite it after use. */
struct redis_password {
    char text[REDIS_PASSWORD_MAX + 2];
    const char *user; /* NULL: the default user */
    const char *password;
};

/*
 * Reads the file: its first line is the password, or, where it has two, the
 * name of the user, and the second the password.  0, or -1 (errno tells; 0:
 * there is none in it, or it is too long).
 */
int redis_password_read(struct redis_password *p, const char *path);

#endif
