
/*
 * Copyright (C) the chat module's authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_chat_module.h>
#include <chat_wire.h>


/*
 * One slot a process: the only one that writes to it, so that no counter is
 * lost and a gauge of a process that died is left out.  Counters of a slot
 * stay when another process takes it.
 */

#define NGX_CHAT_STATUS_SLOTS    256
#define NGX_CHAT_STATUS_SOURCES  (CHAT_WIRE_WORKERS_MAX + 1)
#define NGX_CHAT_STATUS_SIZE     (512 * 1024)


typedef struct {
    ngx_atomic_t               pid;          /* 0: free */
    ngx_atomic_t               values[ngx_chat_stat_n];
} ngx_chat_status_slot_t;


typedef struct {
    size_t                     size;         /* of this struct */
    time_t                     started_at;
    ngx_atomic_t               seen[NGX_CHAT_STATUS_SOURCES];
    ngx_atomic_t               pool[NGX_CHAT_STATUS_SOURCES]
                                   [CHAT_WIRE_NCOUNTERS];
    ngx_chat_status_slot_t     slots[NGX_CHAT_STATUS_SLOTS];
} ngx_chat_status_shm_t;


typedef struct {
    char                      *name;
    char                      *label;        /* with its value, or NULL */
    char                      *kind;
    char                      *help;
} ngx_chat_status_row_t;


static ngx_int_t ngx_chat_status_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_chat_status_shm_t *ngx_chat_status_shm(ngx_http_request_t *r);
static ngx_uint_t ngx_chat_status_alive(ngx_atomic_uint_t pid);
static ngx_uint_t ngx_chat_status_sum(ngx_chat_status_shm_t *shm,
    ngx_atomic_int_t *sums);
static u_char *ngx_chat_status_json(u_char *p, ngx_chat_status_shm_t *shm);
static u_char *ngx_chat_status_json_source(u_char *p,
    ngx_chat_status_shm_t *shm, ngx_uint_t source);
static u_char *ngx_chat_status_text(u_char *p, ngx_chat_status_shm_t *shm);
static u_char *ngx_chat_status_text_pool(u_char *p,
    ngx_chat_status_shm_t *shm);
static u_char *ngx_chat_status_source(u_char *p, ngx_uint_t source);
static ngx_int_t ngx_chat_status_send(ngx_http_request_t *r, ngx_str_t *type,
    u_char *(*build)(u_char *p, ngx_chat_status_shm_t *shm), size_t size);


/* in the order of ngx_chat_stat_e; rows of one name stand together */

static ngx_chat_status_row_t  ngx_chat_status_rows[] = {
    { "connections", NULL, "gauge", "WebSocket connections" },
    { "accepted", NULL, "counter", "handshakes answered with 101" },
    { "frames_in", NULL, "counter", "WebSocket frames received" },
    { "frames_out", NULL, "counter", "WebSocket frames queued" },
    { "bytes_in", NULL, "counter", "bytes received from WebSockets" },
    { "bytes_out", NULL, "counter", "bytes written to WebSockets" },
    { "messages_in", NULL, "counter", "WebSocket messages received" },
    { "messages_out", NULL, "counter", "WebSocket messages queued" },
    { "behind", NULL, "counter", "times a client fell behind its events" },
    { "queue_bytes", NULL, "gauge", "bytes queued to clients" },
    { "calls", NULL, "counter", "JSON-RPC calls over HTTP" },
    { "links_up", NULL, "gauge", "links to chat workers that are up" },
    { "link_failures", NULL, "counter", "links to chat workers that failed" },
    { "replayed", NULL, "counter", "requests sent again to a worker" },
    { "unanswered_bytes", NULL, "gauge",
      "bytes of requests that no worker has answered" },
    { "launches", NULL, "counter", "times nginx started the pool" },
    { "refused", "reason=\"token\"", "counter", "requests refused" },
    { "refused", "reason=\"origin\"", "counter", "requests refused" },
    { "refused", "reason=\"handshake\"", "counter", "requests refused" },
    { "refused", "reason=\"worker\"", "counter", "requests refused" },
    { "refused", "reason=\"unavailable\"", "counter", "requests refused" },
    { "closed", "reason=\"normal\"", "counter", "WebSockets closed" },
    { "closed", "reason=\"protocol\"", "counter", "WebSockets closed" },
    { "closed", "reason=\"policy\"", "counter", "WebSockets closed" },
    { "closed", "reason=\"too_big\"", "counter", "WebSockets closed" },
    { "closed", "reason=\"timeout\"", "counter", "WebSockets closed" },
    { "closed", "reason=\"slow\"", "counter", "WebSockets closed" },
    { "closed", "reason=\"drain\"", "counter", "WebSockets closed" },
    { "closed", "reason=\"error\"", "counter", "WebSockets closed" }
};


static ngx_chat_status_row_t  ngx_chat_status_pool_rows[] = {
#define NGX_CHAT_STATUS_POOL_ROW(name, kind, help)                            \
    { #name, NULL, #kind, help },
    CHAT_WIRE_COUNTERS(NGX_CHAT_STATUS_POOL_ROW)
#undef NGX_CHAT_STATUS_POOL_ROW
};


#define ngx_chat_status_gauge(row)  ((row)->kind[0] == 'g')

/* name, label, number and the comments above them */

#define NGX_CHAT_STATUS_LINE  (256 + NGX_INT64_LEN)


/* until the process has a slot, and for want of one */

static ngx_chat_status_slot_t   ngx_chat_status_nowhere;
static ngx_chat_status_slot_t  *ngx_chat_status_slot =
                                    &ngx_chat_status_nowhere;
static ngx_chat_status_shm_t   *ngx_chat_status_zone_data;


void
ngx_chat_stat_add(ngx_chat_stat_e stat, ngx_int_t n)
{
    ngx_chat_status_slot->values[stat] += n;
}


void
ngx_chat_stat_pool(ngx_uint_t source, uint64_t *values, ngx_uint_t n)
{
    ngx_uint_t              i;
    ngx_chat_status_shm_t  *shm;

    shm = ngx_chat_status_zone_data;

    if (shm == NULL || source >= NGX_CHAT_STATUS_SOURCES) {
        return;
    }

    for (i = 0; i < n && i < CHAT_WIRE_NCOUNTERS; i++) {
        shm->pool[source][i] = values[i];
    }

    shm->seen[source] = 1;
}


char *
ngx_chat_status_zone(ngx_conf_t *cf, ngx_chat_main_conf_t *cmcf)
{
    ngx_str_t  name;

    ngx_str_set(&name, "chat");

    cmcf->shm_zone = ngx_shared_memory_add(cf, &name, NGX_CHAT_STATUS_SIZE,
                                           &ngx_chat_module);
    if (cmcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    cmcf->shm_zone->init = ngx_chat_status_init_zone;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_chat_status_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t        *pool;
    ngx_chat_status_shm_t  *shm;

    pool = (ngx_slab_pool_t *) zone->shm.addr;
    shm = data ? data : pool->data;

    /* the module's file may have been replaced before a reload */

    if ((data || zone->shm.exists) && shm
        && shm->size == sizeof(ngx_chat_status_shm_t))
    {
        zone->data = shm;
        return NGX_OK;
    }

    shm = ngx_slab_calloc(pool, sizeof(ngx_chat_status_shm_t));
    if (shm == NULL) {
        return NGX_ERROR;
    }

    shm->size = sizeof(ngx_chat_status_shm_t);
    shm->started_at = ngx_time();

    pool->data = shm;
    zone->data = shm;

    return NGX_OK;
}


ngx_int_t
ngx_chat_status_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t               i, n;
    ngx_atomic_uint_t        pid;
    ngx_chat_main_conf_t    *cmcf;
    ngx_chat_status_shm_t   *shm;
    ngx_chat_status_slot_t  *slot;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_chat_module);

    if (cmcf == NULL || cmcf->shm_zone == NULL) {
        return NGX_OK;
    }

    shm = cmcf->shm_zone->data;
    ngx_chat_status_zone_data = shm;

    for (i = 0; i < NGX_CHAT_STATUS_SLOTS; i++) {
        slot = &shm->slots[i];
        pid = slot->pid;

        if (ngx_chat_status_alive(pid)
            || !ngx_atomic_cmp_set(&slot->pid, pid, ngx_pid))
        {
            continue;
        }

        for (n = 0; n < ngx_chat_stat_n; n++) {
            if (ngx_chat_status_gauge(&ngx_chat_status_rows[n])) {
                slot->values[n] = 0;
            }
        }

        ngx_chat_status_slot = slot;

        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                  "chat counters: more than %d processes, this one is not "
                  "counted", NGX_CHAT_STATUS_SLOTS);

    return NGX_OK;
}


void
ngx_chat_status_exit_process(ngx_cycle_t *cycle)
{
    ngx_chat_status_slot->pid = 0;
    ngx_chat_status_slot = &ngx_chat_status_nowhere;
}


static ngx_uint_t
ngx_chat_status_alive(ngx_atomic_uint_t pid)
{
    if (pid == 0) {
        return 0;
    }

    /* after a reload of a single process its slot is its own */

    if (pid == (ngx_atomic_uint_t) ngx_pid) {
        return 0;
    }

    return kill((ngx_pid_t) pid, 0) == 0 || ngx_errno != NGX_ESRCH;
}


/* returns the number of processes */

static ngx_uint_t
ngx_chat_status_sum(ngx_chat_status_shm_t *shm, ngx_atomic_int_t *sums)
{
    ngx_uint_t               i, n, alive, processes;
    ngx_chat_status_slot_t  *slot;

    ngx_memzero(sums, ngx_chat_stat_n * sizeof(ngx_atomic_int_t));

    processes = 0;

    for (i = 0; i < NGX_CHAT_STATUS_SLOTS; i++) {
        slot = &shm->slots[i];

        alive = slot == ngx_chat_status_slot
                || ngx_chat_status_alive(slot->pid);

        processes += alive;

        for (n = 0; n < ngx_chat_stat_n; n++) {

            if (alive || !ngx_chat_status_gauge(&ngx_chat_status_rows[n])) {
                sums[n] += slot->values[n];
            }
        }
    }

    return processes;
}


ngx_int_t
ngx_chat_status_handler(ngx_http_request_t *r)
{
    ngx_str_t  type;

    ngx_str_set(&type, "application/json");

    return ngx_chat_status_send(r, &type, ngx_chat_status_json,
                                (ngx_chat_stat_n + 16
                                 + NGX_CHAT_STATUS_SOURCES
                                   * (CHAT_WIRE_NCOUNTERS + 1))
                                * NGX_CHAT_STATUS_LINE);
}


ngx_int_t
ngx_chat_metrics_handler(ngx_http_request_t *r)
{
    ngx_str_t  type;

    ngx_str_set(&type, "text/plain; version=0.0.4; charset=utf-8");

    return ngx_chat_status_send(r, &type, ngx_chat_status_text,
                                (ngx_chat_stat_n + 16
                                 + NGX_CHAT_STATUS_SOURCES
                                   * (CHAT_WIRE_NCOUNTERS + 1))
                                * NGX_CHAT_STATUS_LINE);
}


static ngx_chat_status_shm_t *
ngx_chat_status_shm(ngx_http_request_t *r)
{
    ngx_chat_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_chat_module);

    return cmcf->shm_zone->data;
}


static ngx_int_t
ngx_chat_status_send(ngx_http_request_t *r, ngx_str_t *type,
    u_char *(*build)(u_char *p, ngx_chat_status_shm_t *shm), size_t size)
{
    ngx_int_t                  rc;
    ngx_str_t                  body, allow, reason, detail;
    ngx_http_complex_value_t   cv;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_str_set(&allow, "GET, HEAD");
        ngx_str_set(&reason, "method_not_allowed");
        ngx_str_set(&detail, "this is read with GET");

        if (ngx_chat_http_header(r, "Allow", &allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_chat_problem(r, NGX_HTTP_NOT_ALLOWED, 0, &reason, &detail);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    body.data = ngx_pnalloc(r->pool, size);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = build(body.data, ngx_chat_status_shm(r)) - body.data;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    cv.value = body;

    return ngx_http_send_response(r, NGX_HTTP_OK, type, &cv);
}


static u_char *
ngx_chat_status_json(u_char *p, ngx_chat_status_shm_t *shm)
{
    size_t                  len;
    ngx_uint_t              i, processes, first;
    ngx_atomic_int_t        sums[ngx_chat_stat_n];
    ngx_chat_status_row_t  *row;

    processes = ngx_chat_status_sum(shm, sums);

    p = ngx_sprintf(p, "{\"nginx\":\"%s\",\"pid\":%P,\"started_at\":%T,"
                    "\"processes\":%ui",
                    NGINX_VERSION, ngx_pid, shm->started_at, processes);

    for (i = 0; i < ngx_chat_stat_n; i++) {
        row = &ngx_chat_status_rows[i];

        if (row->label == NULL) {
            p = ngx_sprintf(p, ",\"%s\":%l", row->name, (long) sums[i]);
            continue;
        }

        /* reason="token": {"token":N,...} */

        first = (row[-1].label == NULL
                 || ngx_strcmp(row[-1].name, row->name) != 0);

        if (first) {
            p = ngx_sprintf(p, ",\"%s\":{", row->name);

        } else {
            *p++ = ',';
        }

        len = ngx_strlen(row->label) - 7;
        p = ngx_cpymem(p, row->label + 7, len);
        p = ngx_sprintf(p, ":%l", (long) sums[i]);

        if (i + 1 == ngx_chat_stat_n
            || ngx_strcmp(row[1].name, row->name) != 0)
        {
            *p++ = '}';
        }
    }

    p = ngx_cpymem(p, ",\"pool\":{", 9);
    first = 1;

    for (i = 0; i < NGX_CHAT_STATUS_SOURCES; i++) {

        if (!shm->seen[i]) {
            continue;
        }

        if (!first) {
            *p++ = ',';
        }

        first = 0;
        p = ngx_chat_status_json_source(p, shm, i);
    }

    return ngx_cpymem(p, "}}\n", 3);
}


static u_char *
ngx_chat_status_json_source(u_char *p, ngx_chat_status_shm_t *shm,
    ngx_uint_t source)
{
    ngx_uint_t  i;

    *p++ = '"';
    p = ngx_chat_status_source(p, source);
    p = ngx_cpymem(p, "\":{", 3);

    for (i = 0; i < CHAT_WIRE_NCOUNTERS; i++) {
        p = ngx_sprintf(p, "%s\"%s\":%uA", i ? "," : "",
                        ngx_chat_status_pool_rows[i].name,
                        shm->pool[source][i]);
    }

    *p++ = '}';

    return p;
}


static u_char *
ngx_chat_status_text(u_char *p, ngx_chat_status_shm_t *shm)
{
    char                   *total;
    ngx_uint_t              i, processes;
    ngx_atomic_int_t        sums[ngx_chat_stat_n];
    ngx_chat_status_row_t  *row;

    processes = ngx_chat_status_sum(shm, sums);

    p = ngx_sprintf(p, "# HELP chat_processes nginx worker processes\n"
                    "# TYPE chat_processes gauge\n"
                    "chat_processes %ui\n", processes);

    for (i = 0; i < ngx_chat_stat_n; i++) {
        row = &ngx_chat_status_rows[i];
        total = ngx_chat_status_gauge(row) ? "" : "_total";

        if (i == 0 || ngx_strcmp(row[-1].name, row->name) != 0) {
            p = ngx_sprintf(p, "# HELP chat_%s%s %s\n"
                            "# TYPE chat_%s%s %s\n",
                            row->name, total, row->help,
                            row->name, total, row->kind);
        }

        p = ngx_sprintf(p, "chat_%s%s%s%s%s %l\n", row->name, total,
                        row->label ? "{" : "", row->label ? row->label : "",
                        row->label ? "}" : "", (long) sums[i]);
    }

    return ngx_chat_status_text_pool(p, shm);
}


static u_char *
ngx_chat_status_text_pool(u_char *p, ngx_chat_status_shm_t *shm)
{
    char                   *total;
    ngx_uint_t              i, source;
    ngx_chat_status_row_t  *row;

    for (i = 0; i < CHAT_WIRE_NCOUNTERS; i++) {
        row = &ngx_chat_status_pool_rows[i];
        total = ngx_chat_status_gauge(row) ? "" : "_total";

        p = ngx_sprintf(p, "# HELP chat_pool_%s%s %s\n"
                        "# TYPE chat_pool_%s%s %s\n",
                        row->name, total, row->help,
                        row->name, total, row->kind);

        for (source = 0; source < NGX_CHAT_STATUS_SOURCES; source++) {

            if (!shm->seen[source]) {
                continue;
            }

            p = ngx_sprintf(p, "chat_pool_%s%s{process=\"", row->name, total);
            p = ngx_chat_status_source(p, source);
            p = ngx_sprintf(p, "\"} %uA\n", shm->pool[source][i]);
        }
    }

    return p;
}


static u_char *
ngx_chat_status_source(u_char *p, ngx_uint_t source)
{
    if (source == 0) {
        return ngx_cpymem(p, "store", 5);
    }

    return ngx_sprintf(p, "worker %ui", source - 1);
}
