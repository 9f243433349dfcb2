/*
 * Preloaded into chatd: while the file named by CHAT_DISK_FULL exists, writes
 * to files below the directory CHAT_DISK_DIR fail as on a full disk, after
 * half of their bytes; new files cannot be made there either.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
full(void)
{
    const char *switch_path = getenv("CHAT_DISK_FULL");
    int saved = errno;
    bool yes = switch_path != NULL && access(switch_path, F_OK) == 0;

    errno = saved;
    return yes;
}

static bool
on_the_disk(const char *path)
{
    const char *dir = getenv("CHAT_DISK_DIR");

    return dir != NULL && strncmp(path, dir, strlen(dir)) == 0;
}

static bool
fd_on_the_disk(int fd)
{
    char link[64], path[4096];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n < 0) {
        return false;
    }
    path[n] = '\0';
    return on_the_disk(path);
}

ssize_t
write(int fd, const void *data, size_t n)
{
    ssize_t (*next)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t)) dlsym(RTLD_NEXT, "write");

    if (full() && fd_on_the_disk(fd)) {
        if (n > 1) {
            return next(fd, data, n / 2);
        }
        errno = ENOSPC;
        return -1;
    }
    return next(fd, data, n);
}

static int
open_with(const char *name, const char *path, int flags, mode_t mode)
{
    int (*next)(const char *, int, ...) =
        (int (*)(const char *, int, ...)) dlsym(RTLD_NEXT, name);

    if ((flags & O_CREAT) && full() && on_the_disk(path)
        && access(path, F_OK) != 0) {
        errno = ENOSPC;
        return -1;
    }
    return next(path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return open_with("open", path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return open_with("open64", path, flags, mode);
}
