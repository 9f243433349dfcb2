/*
 * Words to struct redis_config; the password file.
 */

#include "redis_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
parse_number(const char *text, unsigned long max, unsigned *out)
{
    char *end;
    unsigned long n;

    if (*text < '0' || *text > '9') {
        return -1;
    }
    errno = 0;
    n = strtoul(text, &end, 10);
    *out = (unsigned) n;
    return (*end != '\0' || errno != 0 || n > max) ? -1 : 0;
}

/* HOST:PORT; an IPv6 address stands in brackets. */
static int
parse_address(struct redis_config *c, char *word)
{
    char *colon = strrchr(word, ':');
    size_t len;

    if (strncmp(word, "unix:", 5) == 0) {
        c->path = word + 5;
        return c->path[0] == '/' ? 0 : -1;
    }
    if (colon == NULL || colon == word
        || parse_number(colon + 1, 65535, &c->port) != 0 || c->port == 0) {
        return -1;
    }
    *colon = '\0';
    len = (size_t) (colon - word);
    if (word[0] == '[' && len > 2 && word[len - 1] == ']') {
        word[len - 1] = '\0';
        word++;
    } else if (strpbrk(word, ":[]") != NULL) {
        return -1;
    }
    c->host = word;
    return 0;
}

int
redis_config_parse(struct redis_config *c, const char *text)
{
    size_t len = strlen(text);
    char *rest, *word;

    memset(c, 0, sizeof(*c));
    if (len == 0 || len >= sizeof(c->text) || strchr(text, '\n') != NULL) {
        return -1;
    }
    memcpy(c->text, text, len + 1);
    rest = c->text;
    word = strsep(&rest, " ");
    if (parse_address(c, word) != 0) {
        return -1;
    }
    while ((word = strsep(&rest, " ")) != NULL) {
        if (strncmp(word, "password_file=", 14) == 0 && word[14] == '/') {
            c->password_file = word + 14;
        } else if (strncmp(word, "db=", 3) != 0
                   || parse_number(word + 3, REDIS_DB_MAX, &c->db) != 0) {
            return -1;
        }
    }
    return 0;
}

int
redis_password_read(struct redis_password *p, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *rest, *first, *second;
    ssize_t n;
    int error;

    memset(p, 0, sizeof(*p));
    if (fd == -1) {
        return -1;
    }
    n = read(fd, p->text, sizeof(p->text) - 1);
    error = errno;
    close(fd);
    errno = error;
    if (n < 0) {
        return -1;
    }
    errno = 0;
    if (n > REDIS_PASSWORD_MAX || memchr(p->text, '\0', (size_t) n) != NULL) {
        return -1;
    }

    rest = p->text;
    first = strsep(&rest, "\r\n");
    second = rest == NULL ? NULL : rest + strspn(rest, "\r\n");
    if (second != NULL && *second != '\0') {
        second[strcspn(second, "\r\n")] = '\0';
        p->user = first;
        p->password = second;
    } else {
        p->password = first;
    }
    return *first == '\0' ? -1 : 0;
}
