/*
 * Preloaded into chatd: fdatasync waits at the named pipe CHAT_HOLD_SYNC, where
 * there is one, until the test opens it for writing, so that a test can look
 * at what the world sees of a commit that is not on the disk yet.
 * CHAT_HOLD_SYNC.count gets one byte for each sync that came.  With
 * CHAT_SYNC_MS each sync takes as long, as on a slow disk.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
count(const char *gate)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s.count", gate);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        if (write(fd, "s", 1) != 1) {
            abort();
        }
        close(fd);
    }
}

static void
hold(void)
{
    const char *gate = getenv("CHAT_HOLD_SYNC");
    const char *ms = getenv("CHAT_SYNC_MS");
    int fd;

    if (ms != NULL) {
        usleep((useconds_t) atoi(ms) * 1000);
    }
    if (gate == NULL) {
        return;
    }
    count(gate);

    /* opening a named pipe for reading waits for somebody who writes */
    fd = open(gate, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
    }
}

int
fdatasync(int fd)
{
    int (*next)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");

    hold();
    return next(fd);
}

int
fsync(int fd)
{
    int (*next)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");

    hold();
    return next(fd);
}
