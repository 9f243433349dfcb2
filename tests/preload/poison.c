/*
 * Preloaded into chatd: a worker that reads the words of CHAT_POISON dies at
 * once, as if a request had hit a bug.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <signal.h>

static bool
is_worker(void)
{
    char title[32] = "";
    FILE *f = fopen("/proc/self/cmdline", "r");
    bool yes;

    if (f == NULL) {
        return false;
    }
    yes = fread(title, 1, sizeof(title) - 1, f) > 0
          && strncmp(title, "chatd: worker", 13) == 0;
    fclose(f);
    return yes;
}

ssize_t
read(int fd, void *data, size_t size)
{
    ssize_t (*next)(int, void *, size_t) =
        (ssize_t(*)(int, void *, size_t)) dlsym(RTLD_NEXT, "read");
    const char *poison = getenv("CHAT_POISON");
    ssize_t n = next(fd, data, size);

    if (n > 0 && poison != NULL
        && memmem(data, (size_t) n, poison, strlen(poison)) != NULL
        && is_worker()) {
        raise(SIGKILL);
    }
    return n;
}
