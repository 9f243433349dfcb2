
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/syscall.h>


/*
 * The master writes RUN_DIR/settings before any worker process is there;
 * worker process 0 has chatd read them, and starts one when none is there.
 * What is under the run directory belongs to the workers' user: the master,
 * which may be root, follows no link in it and signals no process it names.
 */

/* as chatd has it: the path of a socket in it has 107 bytes at most */
#define NGX_CHAT_RUN_DIR_MAX      84

#define NGX_CHAT_SETTINGS_MAX     4096

#define NGX_CHAT_POOL_INTERVAL    1000
#define NGX_CHAT_POOL_MAX_DELAY   8000
#define NGX_CHAT_POOL_TRIES       3

/* how long a worker process waits for exec() to work or fail */
#define NGX_CHAT_POOL_EXEC_TIME   500


typedef struct {
    uint64_t                   generation;   /* 0: no settings */
    uint32_t                   hash;
    ngx_pid_t                  owner;
} ngx_chat_settings_t;


typedef struct {
    char                      *argv[6];
    char                      *log;
    int                        report;
} ngx_chat_exec_t;


static void ngx_chat_pool_settle(ngx_cycle_t *cycle,
    ngx_chat_main_conf_t *cmcf);
static ngx_int_t ngx_chat_pool_create_dir(ngx_cycle_t *cycle, ngx_str_t *dir);
static ngx_uint_t ngx_chat_pool_foreign(ngx_pid_t owner);
static ngx_int_t ngx_chat_pool_locked(ngx_chat_main_conf_t *cmcf);
static void ngx_chat_pool_read(ngx_chat_main_conf_t *cmcf,
    ngx_chat_settings_t *s);
static uint32_t ngx_chat_pool_hash(u_char *workers, size_t workers_len,
    u_char *store, size_t store_len);
static ngx_int_t ngx_chat_pool_write(ngx_cycle_t *cycle,
    ngx_chat_main_conf_t *cmcf, ngx_pid_t owner);
static ngx_int_t ngx_chat_pool_put(ngx_cycle_t *cycle, char *name, u_char *p,
    size_t len);
static void ngx_chat_pool_reread(ngx_chat_main_conf_t *cmcf);
static ngx_int_t ngx_chat_pool_file(ngx_chat_main_conf_t *cmcf, char *name,
    u_char *buf, size_t size);
static void ngx_chat_pool_handler(ngx_event_t *ev);
static void ngx_chat_pool_start(ngx_chat_main_conf_t *cmcf);
static ngx_err_t ngx_chat_pool_spawn(ngx_chat_exec_t *ctx);
static void ngx_chat_pool_exec(ngx_chat_exec_t *ctx);
static void ngx_chat_pool_close_fds(int from);


static ngx_event_t  ngx_chat_pool_event;
static ngx_pid_t    ngx_chat_pool_writer;     /* of the settings; 0: not us */
static ngx_uint_t   ngx_chat_pool_unwritten;
static ngx_uint_t   ngx_chat_pool_tries;


ngx_int_t
ngx_chat_pool_init_module(ngx_cycle_t *cycle)
{
    ngx_str_t              store;
    ngx_chat_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_chat_module);

    /* nginx -t changes nothing */

    if (cmcf == NULL || !cmcf->used || ngx_test_config) {
        return NGX_OK;
    }

    ngx_chat_pool_writer = 0;
    ngx_chat_pool_unwritten = 0;

    if (cmcf->external) {
        cmcf->generation = 0;
        cmcf->settings_hash = 0;
        return NGX_OK;
    }

    /* nginx serves what else it has, and 503 here, if anything fails */

    if (cmcf->run_dir.len > NGX_CHAT_RUN_DIR_MAX) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "chat run directory \"%V\" has more than %d bytes, too "
                      "many for sockets in it",
                      &cmcf->run_dir, NGX_CHAT_RUN_DIR_MAX);
    }

    (void) ngx_chat_pool_create_dir(cycle, &cmcf->run_dir);

    store = cmcf->store;

    if (store.len > 8 && ngx_strncmp(store.data, "leveldb:", 8) == 0) {
        store.data += 8;
        store.len -= 8;

        (void) ngx_chat_pool_create_dir(cycle, &store);
    }

    ngx_chat_pool_settle(cycle, cmcf);

    return NGX_OK;
}


static void
ngx_chat_pool_settle(ngx_cycle_t *cycle, ngx_chat_main_conf_t *cmcf)
{
    size_t                len;
    u_char                workers[NGX_INT_T_LEN];
    ngx_chat_settings_t   old;

    len = ngx_sprintf(workers, "%ui", cmcf->workers) - workers;

    cmcf->settings_hash = ngx_chat_pool_hash(workers, len, cmcf->store.data,
                                             cmcf->store.len);

    ngx_chat_pool_read(cmcf, &old);

    if (old.generation
        && ngx_chat_pool_foreign(old.owner)
        && ngx_chat_pool_locked(cmcf) == NGX_BUSY)
    {
        /* another nginx's pool, to be shared with equal settings */

        cmcf->generation = old.generation;

        if (old.hash != cmcf->settings_hash) {
            ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                          "chat run directory \"%V\" is in use by nginx "
                          "process %P with other \"chat_workers\" or "
                          "\"chat_store\", clients of this one get 503; give "
                          "this nginx a \"chat_run_dir\" of its own",
                          &cmcf->run_dir, old.owner);
        }

        return;
    }

    cmcf->generation = old.generation;

    if (old.generation == 0 || old.hash != cmcf->settings_hash) {
        cmcf->generation++;
    }

    if (ngx_chat_pool_write(cycle, cmcf, ngx_pid) != NGX_OK) {
        ngx_chat_pool_unwritten = 1;
        return;
    }

    ngx_chat_pool_writer = ngx_pid;
}


/* as nginx makes its own paths */

static ngx_int_t
ngx_chat_pool_create_dir(ngx_cycle_t *cycle, ngx_str_t *dir)
{
    u_char           *path;
    ngx_err_t         err;
    ngx_file_info_t   fi;
    ngx_core_conf_t  *ccf;

    path = ngx_pnalloc(cycle->pool, dir->len + 1);
    if (path == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(path, dir->data, dir->len + 1);

    (void) ngx_create_full_path(path, 0755);

    if (ngx_create_dir(path, 0750) == NGX_FILE_ERROR) {
        err = ngx_errno;

        if (err != NGX_EEXIST) {
            goto failed;
        }
    }

    if (ngx_file_info(path, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;
        goto failed;
    }

    if (!ngx_is_dir(&fi)) {
        err = NGX_ENOTDIR;
        goto failed;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT
        || fi.st_uid == ccf->user)
    {
        return NGX_OK;
    }

    if (chown((const char *) path, ccf->user, ccf->group) == -1) {
        err = ngx_errno;
        goto failed;
    }

    return NGX_OK;

failed:

    ngx_log_error(NGX_LOG_ERR, cycle->log, err,
                  "chat directory \"%V\" cannot be made for the worker "
                  "processes", dir);

    return NGX_ERROR;
}


/* a living nginx that is not the one before or after this in an upgrade */

static ngx_uint_t
ngx_chat_pool_foreign(ngx_pid_t owner)
{
    if (owner <= 0
        || owner == ngx_pid
        || owner == ngx_parent
        || owner == ngx_new_binary)
    {
        return 0;
    }

    return kill(owner, 0) == 0 || ngx_errno == NGX_EPERM;
}


/* NGX_BUSY: a chatd holds the lock; NGX_OK: none does; NGX_ERROR */

static ngx_int_t
ngx_chat_pool_locked(ngx_chat_main_conf_t *cmcf)
{
    int        fd;
    char       path[NGX_MAX_PATH];
    ngx_int_t  rc;

    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/lock%Z",
                        &cmcf->run_dir);

    fd = open(path, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        return (ngx_errno == NGX_ENOENT) ? NGX_OK : NGX_ERROR;
    }

    /* a shared lock is in nobody's way but a chatd's that starts now */

    rc = NGX_OK;

    if (flock(fd, LOCK_SH|LOCK_NB) == -1) {
        rc = (ngx_errno == EWOULDBLOCK) ? NGX_BUSY : NGX_ERROR;
    }

    (void) close(fd);

    return rc;
}


static void
ngx_chat_pool_read(ngx_chat_main_conf_t *cmcf, ngx_chat_settings_t *s)
{
    u_char     *p, *end, *value, *workers, *store;
    size_t      workers_len, store_len;
    ngx_int_t   n;
    u_char      buf[NGX_CHAT_SETTINGS_MAX];

    ngx_memzero(s, sizeof(ngx_chat_settings_t));

    n = ngx_chat_pool_file(cmcf, "settings", buf, NGX_CHAT_SETTINGS_MAX);
    if (n == NGX_ERROR) {
        return;
    }

    workers = NULL;
    store = NULL;
    workers_len = 0;
    store_len = 0;

    for (p = buf; p < buf + n; p = end + 1) {
        end = ngx_strlchr(p, buf + n, '\n');
        value = ngx_strlchr(p, buf + n, ' ');

        if (end == NULL || value == NULL || value > end) {
            break;
        }

        value++;

        if (ngx_strncmp(p, "generation ", 11) == 0) {
            s->generation = (uint64_t) ngx_max(ngx_atoof(value, end - value),
                                               0);

        } else if (ngx_strncmp(p, "owner ", 6) == 0) {
            s->owner = (ngx_pid_t) ngx_atoi(value, end - value);

        } else if (ngx_strncmp(p, "workers ", 8) == 0) {
            workers = value;
            workers_len = end - value;

        } else if (ngx_strncmp(p, "store ", 6) == 0) {
            store = value;
            store_len = end - value;
        }
    }

    s->hash = ngx_chat_pool_hash(workers, workers_len, store, store_len);
}


static uint32_t
ngx_chat_pool_hash(u_char *workers, size_t workers_len, u_char *store,
    size_t store_len)
{
    u_char  *p, buf[NGX_CHAT_SETTINGS_MAX];

    p = ngx_snprintf(buf, NGX_CHAT_SETTINGS_MAX, "workers %*s\nstore %*s\n",
                     workers_len, workers, store_len, store);

    return chat_wire_hash(buf, p - buf);
}


static ngx_int_t
ngx_chat_pool_write(ngx_cycle_t *cycle, ngx_chat_main_conf_t *cmcf,
    ngx_pid_t owner)
{
    u_char  *p, buf[NGX_CHAT_SETTINGS_MAX];
    char     temp[NGX_MAX_PATH], name[NGX_MAX_PATH];

    p = ngx_snprintf(buf, NGX_CHAT_SETTINGS_MAX,
                     "generation %ui\nworkers %ui\nstore %V\nowner %P\n",
                     cmcf->generation, cmcf->workers, &cmcf->store, owner);

    (void) ngx_snprintf((u_char *) name, NGX_MAX_PATH, "%V/settings%Z",
                        &cmcf->run_dir);
    (void) ngx_snprintf((u_char *) temp, NGX_MAX_PATH, "%V/settings.%P%Z",
                        &cmcf->run_dir, ngx_pid);

    if (ngx_chat_pool_put(cycle, temp, buf, p - buf) == NGX_OK
        && rename(temp, name) != -1)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                  "chat settings \"%s\" cannot be written, clients may get "
                  "503", name);

    (void) unlink(temp);

    return NGX_ERROR;
}


static ngx_int_t
ngx_chat_pool_put(ngx_cycle_t *cycle, char *name, u_char *p, size_t len)
{
    int               fd;
    ngx_err_t         err;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    (void) unlink(name);

    fd = open(name, O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0640);
    if (fd == -1) {
        return NGX_ERROR;
    }

    if ((geteuid() == 0
         && ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT
         && fchown(fd, ccf->user, ccf->group) == -1)
        || write(fd, p, len) != (ssize_t) len
        || fsync(fd) == -1)
    {
        err = ngx_errno;
        (void) close(fd);
        ngx_set_errno(err);

        return NGX_ERROR;
    }

    return (close(fd) == -1) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_chat_pool_init_process(ngx_cycle_t *cycle)
{
    ngx_pid_t              master;
    ngx_chat_settings_t    s;
    ngx_chat_main_conf_t  *cmcf;

    if (ngx_process != NGX_PROCESS_SINGLE
        && (ngx_process != NGX_PROCESS_WORKER || ngx_worker != 0))
    {
        return NGX_OK;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_chat_module);

    if (cmcf == NULL || !cmcf->used || cmcf->external) {
        return NGX_OK;
    }

    /* the settings were written before the master became a daemon */

    master = (ngx_process == NGX_PROCESS_SINGLE) ? ngx_pid : ngx_parent;

    if (ngx_chat_pool_writer && ngx_chat_pool_writer != master) {
        ngx_chat_pool_read(cmcf, &s);

        if (s.owner == ngx_chat_pool_writer
            && s.generation == cmcf->generation)
        {
            (void) ngx_chat_pool_write(cycle, cmcf, master);
        }
    }

    if (ngx_chat_pool_locked(cmcf) == NGX_BUSY) {
        ngx_chat_pool_reread(cmcf);
    }

    ngx_chat_pool_event.data = cmcf;
    ngx_chat_pool_event.handler = ngx_chat_pool_handler;
    ngx_chat_pool_event.log = cycle->log;
    ngx_chat_pool_event.cancelable = 1;

    ngx_add_timer(&ngx_chat_pool_event, 1);

    return NGX_OK;
}


/* a chatd that runs takes over what has changed */

static void
ngx_chat_pool_reread(ngx_chat_main_conf_t *cmcf)
{
    u_char     buf[NGX_INT_T_LEN + 1], *end;
    ngx_int_t  n, pid;

    n = ngx_chat_pool_file(cmcf, "chatd.pid", buf, sizeof(buf));
    if (n == NGX_ERROR) {
        return;
    }

    end = ngx_strlchr(buf, buf + n, '\n');
    pid = ngx_atoi(buf, (end ? end : buf + n) - buf);

    if (pid > 1 && kill((pid_t) pid, SIGHUP) == -1) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, ngx_errno,
                      "chat pool: kill(%i, SIGHUP) failed", pid);
    }
}


/* the bytes of a small file of the run directory, or NGX_ERROR */

static ngx_int_t
ngx_chat_pool_file(ngx_chat_main_conf_t *cmcf, char *name, u_char *buf,
    size_t size)
{
    int      fd;
    char     path[NGX_MAX_PATH];
    ssize_t  n;

    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/%s%Z",
                        &cmcf->run_dir, name);

    fd = open(path, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);
    if (fd == -1) {
        return NGX_ERROR;
    }

    n = read(fd, buf, size);

    (void) close(fd);

    return (n == -1) ? NGX_ERROR : n;
}


static void
ngx_chat_pool_handler(ngx_event_t *ev)
{
    ngx_msec_t             delay;
    ngx_cycle_t           *cycle;
    ngx_chat_main_conf_t  *cmcf;

    cmcf = ev->data;
    cycle = (ngx_cycle_t *) ngx_cycle;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    delay = NGX_CHAT_POOL_INTERVAL;

    if (ngx_chat_bridge_connected()) {
        ngx_chat_pool_tries = 0;

    } else if (ngx_chat_pool_locked(cmcf) == NGX_OK) {

        if (ngx_chat_pool_unwritten
            && ngx_chat_pool_write(cycle, cmcf, ngx_parent) == NGX_OK)
        {
            ngx_chat_pool_unwritten = 0;
        }

        if (!ngx_chat_pool_unwritten) {
            ngx_chat_pool_start(cmcf);
        }

        /* one that ends at once is not started each second for ever */

        if (ngx_chat_pool_tries++ >= NGX_CHAT_POOL_TRIES) {
            delay <<= ngx_min(ngx_chat_pool_tries - NGX_CHAT_POOL_TRIES, 3);
        }
    }

    ngx_add_timer(ev, ngx_min(delay, NGX_CHAT_POOL_MAX_DELAY));
}


static void
ngx_chat_pool_start(ngx_chat_main_conf_t *cmcf)
{
    int               fds[2];
    char              program[NGX_MAX_PATH], run_dir[NGX_MAX_PATH];
    char              log[NGX_MAX_PATH];
    ssize_t           n;
    ngx_err_t         err;
    struct pollfd     pfd;
    ngx_chat_exec_t   ctx;

    (void) ngx_snprintf((u_char *) program, NGX_MAX_PATH, "%V%Z",
                        &cmcf->program);
    (void) ngx_snprintf((u_char *) run_dir, NGX_MAX_PATH, "%V%Z",
                        &cmcf->run_dir);
    (void) ngx_snprintf((u_char *) log, NGX_MAX_PATH, "%V/chatd.log%Z",
                        &cmcf->run_dir);

    ctx.argv[0] = program;
    ctx.argv[1] = "-d";
    ctx.argv[2] = run_dir;
    ctx.argv[3] = "-e";
    ctx.argv[4] = "3";
    ctx.argv[5] = NULL;
    ctx.log = log;

    if (pipe2(fds, O_CLOEXEC) == -1) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                      "chat pool: pipe2() failed");
        return;
    }

    ctx.report = fds[1];

    err = ngx_chat_pool_spawn(&ctx);

    (void) close(fds[1]);

    if (err) {
        (void) close(fds[0]);
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "chat pool: fork() failed");
        return;
    }

    /* closed by exec(), or it has failed and says why */

    pfd.fd = fds[0];
    pfd.events = POLLIN;
    n = 0;

    if (poll(&pfd, 1, NGX_CHAT_POOL_EXEC_TIME) == 1) {
        n = read(fds[0], &err, sizeof(ngx_err_t));
    }

    (void) close(fds[0]);

    if (n == (ssize_t) sizeof(ngx_err_t)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "chat pool: \"%s\" cannot be started, see "
                      "\"chat_program\"", program);
        return;
    }

    ngx_chat_stat_add(ngx_chat_stat_pool_starts, 1);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "chat pool started in \"%s\"", run_dir);
}


/* a grandchild, so that no nginx process has to wait for it */

static ngx_err_t
ngx_chat_pool_spawn(ngx_chat_exec_t *ctx)
{
    pid_t      pid;
    sigset_t   all, old;
    ngx_err_t  err;

    /* nginx's own handler would reap the child, and log it */

    sigfillset(&all);
    (void) sigprocmask(SIG_BLOCK, &all, &old);

    err = 0;
    pid = fork();

    switch (pid) {

    case -1:
        err = ngx_errno;
        break;

    case 0:
        (void) setsid();

        pid = fork();

        if (pid == 0) {
            ngx_chat_pool_exec(ctx);
        }

        if (pid == -1) {
            err = ngx_errno;
            (void) !write(ctx->report, &err, sizeof(ngx_err_t));
        }

        _exit(0);

    default:
        while (waitpid(pid, NULL, 0) == -1 && ngx_errno == NGX_EINTR) {
            /* void */
        }
    }

    (void) sigprocmask(SIG_SETMASK, &old, NULL);

    return err;
}


/* between fork() and exec(): system calls only, a thread may hold any lock */

static void
ngx_chat_pool_exec(ngx_chat_exec_t *ctx)
{
    int        i, fd;
    sigset_t   none;
    ngx_err_t  err;

    for (i = 1; i < NSIG; i++) {
        (void) signal(i, SIG_DFL);
    }

    sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);

    (void) umask(027);

    ctx->report = fcntl(ctx->report, F_DUPFD, 16);

    fd = open("/dev/null", O_RDWR);
    (void) dup2(fd, STDIN_FILENO);
    (void) dup2(fd, STDOUT_FILENO);

    /* what it says before its own log is open */

    fd = open(ctx->log, O_WRONLY|O_CREAT|O_APPEND|O_NOFOLLOW, 0640);

    if (fd != -1) {
        (void) dup2(fd, STDERR_FILENO);
    }

    /* listening and client sockets of nginx are not close-on-exec */

    (void) dup2(ctx->report, STDERR_FILENO + 1);
    (void) fcntl(STDERR_FILENO + 1, F_SETFD, FD_CLOEXEC);
    ngx_chat_pool_close_fds(STDERR_FILENO + 2);

    (void) execve(ctx->argv[0], ctx->argv, environ);

    err = ngx_errno;
    (void) !write(STDERR_FILENO + 1, &err, sizeof(ngx_err_t));

    _exit(127);
}


static void
ngx_chat_pool_close_fds(int from)
{
    int  fd, max;

#ifdef SYS_close_range

    if (syscall(SYS_close_range, from, ~0u, 0) == 0) {
        return;
    }

#endif

    max = (int) sysconf(_SC_OPEN_MAX);

    for (fd = from; fd < max; fd++) {
        (void) close(fd);
    }
}
