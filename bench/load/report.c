/*
 * Figures and complaints of report.h.
 */

#include "report.h"

#include <stdarg.h>
#include <stdio.h>

#include "histogram.h"

#define BROKEN_TOLD 10

static uint64_t n_broken;


void
report_add(struct report *r, const char *name, double value)
{
    if (r->n < REPORT_FIGURES) {
        snprintf(r->figures[r->n].name, sizeof(r->figures[r->n].name), "%s",
                 name);
        r->figures[r->n].value = value;
        r->n++;
    }
}


void
report_add_histogram(struct report *r, const char *name,
                     const struct histogram *h)
{
    static const struct {
        const char *name;
        double share;
    } points[] = {
        {"p10",   0.1   },
        {"p25",   0.25  },
        {"p50",   0.5   },
        {"p75",   0.75  },
        {"p90",   0.9   },
        {"p95",   0.95  },
        {"p99",   0.99  },
        {"p999",  0.999 },
        {"p9999", 0.9999},
        {"max",   1.0   },
    };
    char full[40];

    if (h->count == 0) {
        return;
    }

    for (unsigned i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        snprintf(full, sizeof(full), "%s_%s_us", name, points[i].name);
        report_add(r, full, (double) histogram_at(h, points[i].share) / 1000);
    }
}


int
report_write(const struct report *r, const char *path)
{
    FILE *f;

    for (unsigned i = 0; i < r->n; i++) {
        printf("%-26s %14.*f\n", r->figures[i].name,
               r->figures[i].value < 1000 ? 2 : 0, r->figures[i].value);
    }

    if (path == NULL) {
        return fflush(stdout);
    }

    f = fopen(path, "w");

    if (f == NULL) {
        perror(path);
        return -1;
    }

    for (unsigned i = 0; i < r->n; i++) {
        fprintf(f, "%s\"%s\": %.3f", i == 0 ? "{" : ", ", r->figures[i].name,
                r->figures[i].value);
    }

    fprintf(f, "}\n");
    return fclose(f);
}


void
broken(const char *format, ...)
{
    va_list args;

    if (n_broken++ < BROKEN_TOLD) {
        fprintf(stderr, "load: broken: ");
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
    }
}


uint64_t
broken_count(void)
{
    return n_broken;
}
