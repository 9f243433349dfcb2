/*
 * Figures of threads for thread.h, from /proc/PID/task.
 */

#include "thread.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define THREAD_NAME_MAX  16
#define THREAD_NAMES_MAX 32

/* A process as its threads are gone through. */
struct thread_process {
    pid_t pid;
    char label[THREAD_NAME_MAX];
    char seen[THREAD_NAMES_MAX][THREAD_NAME_MAX];
    unsigned n_seen;
};


/* Of a name or a title, up to what is no letter and no digit. */
static void
thread_label(char *label, const char *text)
{
    size_t n = 0;

    while (n < THREAD_NAME_MAX - 1 && isalnum((unsigned char) text[n])) {
        label[n] = text[n];
        n++;
    }

    label[n] = '\0';
}


static void
thread_open_process(struct thread_process *p, pid_t pid)
{
    static const char role[] = "chatd: ", bench[] = "bench-";
    char text[256];

    p->pid = pid;
    p->n_seen = 0;
    process_read(pid, "cmdline", text, sizeof(text));

    if (strncmp(text, role, sizeof(role) - 1) == 0) {
        thread_label(p->label, text + sizeof(role) - 1);
        return;
    }

    process_read(pid, "comm", text, sizeof(text));
    thread_label(p->label, strncmp(text, bench, sizeof(bench) - 1) == 0
                               ? text + sizeof(bench) - 1
                               : text);
}


/* A thread inherits the name of the one that began it, so that only the first
 * of a name is meant: they come in the order in which they were begun. */
static bool
thread_is_first(struct thread_process *p, const char *name)
{
    for (unsigned i = 0; i < p->n_seen; i++) {
        if (strncmp(p->seen[i], name, THREAD_NAME_MAX - 1) == 0) {
            return false;
        }
    }

    if (p->n_seen < THREAD_NAMES_MAX) {
        snprintf(p->seen[p->n_seen++], THREAD_NAME_MAX, "%.*s",
                 THREAD_NAME_MAX - 1, name);
    }

    return true;
}


static struct thread_use *
thread_find(struct threads *t, const char *label)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (strcmp(t->of[i].label, label) == 0) {
            return &t->of[i];
        }
    }

    /* whatever else there is counts with the last */
    if (t->n < THREADS_MAX) {
        snprintf(t->of[t->n++].label, sizeof(t->of[0].label), "%s", label);
    }

    return &t->of[t->n - 1];
}


static void
thread_add(struct threads *t, struct thread_process *p, const char *tid)
{
    static const char own[] = "chatd-";
    char path[64], text[2048], label[20], *end;
    struct thread_use *u;

    snprintf(path, sizeof(path), "task/%.20s/comm", tid);
    process_read(p->pid, path, text, sizeof(text));
    text[strcspn(text, "\n")] = '\0';

    if (atoi(tid) == p->pid) {
        snprintf(label, sizeof(label), "%s", p->label);
    } else if (strncmp(text, own, sizeof(own) - 1) == 0
               && thread_is_first(p, text)) {
        thread_label(label, text + sizeof(own) - 1);
    } else {
        snprintf(label, sizeof(label), "%.14s_rest", p->label);
    }

    u = thread_find(t, label);
    snprintf(path, sizeof(path), "task/%.20s/schedstat", tid);
    process_read(p->pid, path, text, sizeof(text));
    u->cpu_ns += strtoull(text, &end, 10);
    u->waited_ns += strtoull(end, NULL, 10);

    snprintf(path, sizeof(path), "task/%.20s/status", tid);
    process_read(p->pid, path, text, sizeof(text));
    u->sleeps += process_number(text, "\nvoluntary_ctxt_switches:");
    u->preempted += process_number(text, "\nnonvoluntary_ctxt_switches:");
}


static void
thread_visit(pid_t pid, void *data)
{
    struct thread_process p;
    struct dirent *e;
    char path[32];
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%d/task", (int) pid);
    d = opendir(path);

    if (d == NULL) {
        return;
    }

    thread_open_process(&p, pid);

    while ((e = readdir(d)) != NULL) {
        if (isdigit((unsigned char) e->d_name[0])) {
            thread_add(data, &p, e->d_name);
        }
    }

    closedir(d);
}


void
threads_read(struct threads *t, const struct processes *p)
{
    memset(t, 0, sizeof(*t));
    processes_each(p, thread_visit, t);
}


/* What has ended since takes its figures along. */
static double
thread_more(uint64_t before, uint64_t after)
{
    return after > before ? (double) (after - before) : 0;
}


static void
thread_report(struct report *r, const struct thread_use *was,
              const struct thread_use *is)
{
    const struct {
        const char *name;
        double value;
    } figures[] = {
        {"cpu_us",    thread_more(was->cpu_ns,    is->cpu_ns) / 1e3   },
        {"waited_us", thread_more(was->waited_ns, is->waited_ns) / 1e3},
        {"sleeps",    thread_more(was->sleeps,    is->sleeps)         },
        {"preempted", thread_more(was->preempted, is->preempted)      },
    };
    char name[40];

    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        snprintf(name, sizeof(name), "thread_%.19s_%.10s", is->label,
                 figures[i].name);
        report_add(r, name, figures[i].value);
    }
}


void
threads_report(struct report *r, const struct threads *before,
               const struct threads *after)
{
    static const struct thread_use none;

    for (unsigned i = 0; i < after->n; i++) {
        const struct thread_use *is = &after->of[i], *was = &none;

        for (unsigned k = 0; k < before->n; k++) {
            if (strcmp(before->of[k].label, is->label) == 0) {
                was = &before->of[k];
            }
        }

        if (is->cpu_ns > was->cpu_ns) {
            thread_report(r, was, is);
        }
    }
}
