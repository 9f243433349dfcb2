/*
 * What the processes of a server cost, read from /proc: the processes named
 * at the start and all their descendants.
 */

#ifndef LOAD_PROCESS_H
#define LOAD_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#define PROCESS_ROOTS_MAX 16

struct processes {
    pid_t roots[PROCESS_ROOTS_MAX];
    unsigned n;
};

/* "PID,PID": 0, or -1 when it is malformed. */
int processes_parse(struct processes *p, const char *text);

/* User and system time of all, children waited for included. */
uint64_t processes_cpu_ns(const struct processes *p);

/* Proportional set size: what they share is counted once. */
uint64_t processes_pss(const struct processes *p);

/* Bytes that they have caused to be written to disks; 0 where the kernel
 * does not tell. */
uint64_t processes_written(const struct processes *p);

/* What the files of a directory take of the disk. */
uint64_t directory_bytes(const char *path);

/* Slab memory of the kernel, of the whole machine. */
uint64_t kernel_slab(void);

#endif
