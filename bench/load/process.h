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

/* Calls back with each of them, parents before their children. */
typedef void process_visit(pid_t pid, void *data);
void processes_each(const struct processes *p, process_visit *visit,
                    void *data);

/* A file below /proc/PID, NUL-terminated; empty when there is none. */
void process_read(pid_t pid, const char *name, char *text, size_t size);

/* The number that follows a name in such a file; 0 when it is not there. */
uint64_t process_number(const char *text, const char *name);

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
