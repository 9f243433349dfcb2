/*
 * A crowd that does nothing: what a connection costs in memory, and what
 * holding them costs in CPU time.
 */

#include <stdio.h>

#include "crowd.h"
#include "report.h"

#define IDLE_CONNECT_S 300
#define IDLE_SETTLE_S  2


int
idle_run(const struct options *o, struct report *r)
{
    struct crowd w = {0};
    uint64_t pss, slab, start, cpu;

    if (crowd_open(&w, o, o->n) != 0) {
        return -1;
    }

    for (size_t i = 0; i < o->n; i++) {
        w.clients[i].topic = (uint32_t) i;
    }

    pss = processes_pss(&o->servers);
    slab = kernel_slab();
    start = clock_ns();

    if (crowd_connect(&w, 0, o->n, IDLE_CONNECT_S) != 0) {
        crowd_close(&w);
        return -1;
    }

    report_add(r, "connections", o->n);
    report_add(r, "connects_per_s", o->n * 1e9 / (double) (clock_ns() - start));
    crowd_rest(&w, IDLE_SETTLE_S);

    report_add(r, "bytes_per_connection",
               ((double) processes_pss(&o->servers) - (double) pss) / o->n);
    report_add(r, "kernel_bytes_both_ends",
               ((double) kernel_slab() - (double) slab) / o->n);

    cpu = processes_cpu_ns(&o->servers);
    crowd_rest(&w, o->seconds);
    report_add(r, "idle_cpu_percent",
               (double) (processes_cpu_ns(&o->servers) - cpu) / o->seconds
                   / 1e7);

    if (w.n_ready != o->n) {
        broken("%zu of %u connections are left", w.n_ready, o->n);
    }

    crowd_close(&w);
    return 0;
}
