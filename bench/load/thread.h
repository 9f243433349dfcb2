/*
 * What the threads of a server cost, by what they are for.  The processes of
 * chatd go by their role, others by their name; a thread of chatd that has a
 * name of its own goes by that, all other threads are PROCESS_rest.  Threads
 * with one label are one, and so are the processes.
 */

#ifndef LOAD_THREAD_H
#define LOAD_THREAD_H

#include <stdint.h>

#include "process.h"

#define THREADS_MAX 16

struct report;

struct thread_use {
    char label[20];
    uint64_t cpu_ns;
    uint64_t waited_ns; /* ready to run, and no processor was to be had */
    uint64_t sleeps;    /* voluntary context switches                   */
    uint64_t preempted; /* the others                                   */
};

struct threads {
    unsigned n;
    struct thread_use of[THREADS_MAX];
};

void threads_read(struct threads *t, const struct processes *p);

/* thread_LABEL_cpu_us, _waited_us, _sleeps and _preempted of those that ran. */
void threads_report(struct report *r, const struct threads *before,
                    const struct threads *after);

#endif
