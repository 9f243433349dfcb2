/*
 * The files of rundir.h.
 */

#include "rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static int
join(char to[PATH_MAX], const char *dir, const char *name)
{
    if (snprintf(to, PATH_MAX, "%s/%s", dir, name) < PATH_MAX) {
        return 0;
    }
    log_error("path %s/%s is too long", dir, name);
    return -1;
}

int
rundir_open(struct rundir *r, const char *path)
{
    struct stat st;

    r->lock = -1;
    if (mkdir(path, 0770) != 0 && errno != EEXIST) {
        log_error("cannot make the run directory %s: %s", path,
                  strerror(errno));
        return -1;
    }
    if (realpath(path, r->path) == NULL || stat(r->path, &st) != 0) {
        log_error("cannot use the run directory %s: %s", path, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(st.st_mode)) {
        log_error("the run directory %s is not a directory", path);
        return -1;
    }
    if (strlen(r->path) > RUNDIR_PATH_MAX) {
        log_error("the run directory %s has more than %d bytes, too many for "
                  "sockets in it",
                  r->path, RUNDIR_PATH_MAX);
        return -1;
    }
    return 0;
}

static long
read_pid(const struct rundir *r)
{
    char path[PATH_MAX];
    long pid = 0;

    if (join(path, r->path, "chatd.pid") != 0) {
        return 0;
    }

    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%ld", &pid) != 1) {
        pid = 0;
    }
    fclose(file);
    return pid;
}

int
rundir_lock(struct rundir *r)
{
    char path[PATH_MAX];

    if (join(path, r->path, "lock") != 0) {
        return -1;
    }
    r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (r->lock == -1) {
        log_error("cannot open %s: %s", path, strerror(errno));
        return -1;
    }
    if (flock(r->lock, LOCK_EX | LOCK_NB) == 0) {
        return 0;
    }

    if (errno == EWOULDBLOCK) {
        log_error("another chatd (process %ld) already runs in %s", read_pid(r),
                  r->path);
    } else {
        log_error("cannot lock %s: %s", path, strerror(errno));
    }
    close(r->lock);
    r->lock = -1;
    return -1;
}

void
rundir_write_pid(const struct rundir *r)
{
    char path[PATH_MAX];

    if (join(path, r->path, "chatd.pid") != 0) {
        return;
    }

    FILE *file = fopen(path, "we");

    if (file == NULL) {
        log_warn("cannot write %s: %s", path, strerror(errno));
        return;
    }

    int n = fprintf(file, "%ld\n", (long) getpid());

    if (fclose(file) != 0 || n < 0) {
        log_warn("cannot write %s: %s", path, strerror(errno));
    }
}

/* `store.sock`, `worker-3.sock`, `control.sock`, and the same with the process id behind, as
 * role_listen names them until they are ready. */
static bool
is_socket_name(const char *name)
{
    return (strncmp(name, "worker-", 7) == 0 || strncmp(name, "store.", 6) == 0
            || strncmp(name, "control.", 8) == 0)
           && strstr(name, ".sock") != NULL;
}

void
rundir_clean_sockets(const struct rundir *r)
{
    DIR *dir = opendir(r->path);
    struct dirent *entry;

    if (dir == NULL) {
        log_warn("cannot list %s: %s", r->path, strerror(errno));
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (is_socket_name(entry->d_name)) {
            unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    closedir(dir);
}

void
rundir_close(struct rundir *r)
{
    char path[PATH_MAX];

    if (r->lock == -1) {
        return;
    }
    if (join(path, r->path, "chatd.pid") == 0) {
        unlink(path);
    }
    close(r->lock);
    r->lock = -1;
}
