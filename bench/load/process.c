/*
 * Figures of processes for process.h.  Every file of /proc is read anew each
 * time, so that a process that the server starts later counts too.
 */

#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PROCESS_DEPTH 8

typedef uint64_t process_figure(pid_t pid);


int
processes_parse(struct processes *p, const char *text)
{
    char *end;
    long pid;

    while (*text != '\0') {
        errno = 0;
        pid = strtol(text, &end, 10);

        if (end == text || errno != 0 || pid <= 0 || p->n == PROCESS_ROOTS_MAX
            || (*end != ',' && *end != '\0')) {
            return -1;
        }

        p->roots[p->n++] = (pid_t) pid;
        text = *end == ',' ? end + 1 : end;
    }

    return 0;
}


void
process_read(pid_t pid, const char *name, char *text, size_t size)
{
    char path[96];
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
    f = fopen(path, "r");

    if (f != NULL) {
        n = fread(text, 1, size - 1, f);
        fclose(f);
    }

    text[n] = '\0';
}


static uint64_t
process_cpu_ns(pid_t pid)
{
    unsigned long user, system, user_waited, system_waited;
    char text[1024], *after;
    struct timespec own;
    clockid_t clock;

    process_read(pid, "stat", text, sizeof(text));
    after = strrchr(text, ')');

    if (after == NULL
        || sscanf(after + 1,
                  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                  "%lu %lu %lu %lu",
                  &user, &system, &user_waited, &system_waited)
               != 4) {
        return 0;
    }

    user_waited += system_waited;

    /* the same as user + system, but not in hundredths of a second */
    if (clock_getcpuclockid(pid, &clock) == 0
        && clock_gettime(clock, &own) == 0) {
        user = system = 0;
    } else {
        own = (struct timespec){0, 0};
    }

    return (uint64_t) own.tv_sec * 1000000000u + (uint64_t) own.tv_nsec
           + (uint64_t) (user + system + user_waited)
                 * (1000000000u / (uint64_t) sysconf(_SC_CLK_TCK));
}


uint64_t
process_number(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}


static uint64_t
process_written(pid_t pid)
{
    char text[1024];

    process_read(pid, "io", text, sizeof(text));
    return process_number(text, "\nwrite_bytes:");
}


static uint64_t
process_pss(pid_t pid)
{
    char text[4096];

    process_read(pid, "smaps_rollup", text, sizeof(text));
    return process_number(text, "\nPss:") * 1024;
}


static void
process_each(pid_t pid, process_visit *visit, void *data, int depth)
{
    char name[64], text[4096], *at = text, *end;
    long child;

    visit(pid, data);

    if (depth == 0) {
        return;
    }

    snprintf(name, sizeof(name), "task/%d/children", (int) pid);
    process_read(pid, name, text, sizeof(text));

    for (;;) {
        child = strtol(at, &end, 10);

        if (end == at || child <= 0) {
            return;
        }

        process_each((pid_t) child, visit, data, depth - 1);
        at = end;
    }
}


void
processes_each(const struct processes *p, process_visit *visit, void *data)
{
    for (unsigned i = 0; i < p->n; i++) {
        process_each(p->roots[i], visit, data, PROCESS_DEPTH);
    }
}


struct process_sum {
    process_figure *figure;
    uint64_t sum;
};


static void
process_add(pid_t pid, void *data)
{
    struct process_sum *s = data;

    s->sum += s->figure(pid);
}


static uint64_t
processes_sum(const struct processes *p, process_figure *figure)
{
    struct process_sum s = {.figure = figure};

    processes_each(p, process_add, &s);
    return s.sum;
}


uint64_t
processes_cpu_ns(const struct processes *p)
{
    return processes_sum(p, process_cpu_ns);
}


uint64_t
processes_pss(const struct processes *p)
{
    return processes_sum(p, process_pss);
}


uint64_t
processes_written(const struct processes *p)
{
    return processes_sum(p, process_written);
}


uint64_t
directory_bytes(const char *path)
{
    DIR *d = opendir(path);
    uint64_t sum = 0;
    struct dirent *e;
    struct stat st;

    while (d != NULL && (e = readdir(d)) != NULL) {
        /* one that has gone since counts no more */
        if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode)) {
            sum += (uint64_t) st.st_blocks * 512;
        }
    }

    if (d != NULL) {
        closedir(d);
    }

    return sum;
}


uint64_t
kernel_slab(void)
{
    char text[8192];
    FILE *f = fopen("/proc/meminfo", "r");
    size_t n = 0;

    if (f != NULL) {
        n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
    }

    text[n] = '\0';
    return process_number(text, "\nSlab:") * 1024;
}
