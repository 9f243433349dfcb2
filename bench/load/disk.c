/*
 * The disk alone: 512 bytes appended and synced, again and again.  Latencies
 * of a durable server are read beside these.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "histogram.h"
#include "load.h"
#include "report.h"

#define DISK_SYNCS 1000
#define DISK_MAX_S 5


int
disk_run(const char *directory, struct report *r)
{
    static struct histogram h;
    char path[4096], block[512];
    uint64_t start, begin = clock_ns();
    int status = 0;
    int fd;

    memset(block, 'x', sizeof(block));
    snprintf(path, sizeof(path), "%s/load-disk.%d", directory, (int) getpid());
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0) {
        perror(path);
        return -1;
    }

    for (int i = 0; i < DISK_SYNCS && status == 0; i++) {
        start = clock_ns();

        if (write(fd, block, sizeof(block)) != (ssize_t) sizeof(block)
            || fdatasync(fd) != 0) {
            perror(path);
            status = -1;
        }

        histogram_add(&h, clock_ns() - start);

        if (clock_ns() - begin > DISK_MAX_S * 1000000000ull) {
            break;
        }
    }

    close(fd);
    unlink(path);
    report_add_histogram(r, "fdatasync", &h);
    return status;
}
