
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"
#include "ngx_chat_settings.h"

#include <poll.h>
#include <sys/syscall.h>


/*
 * Worker process 0 looks whether a chatd holds the lock of the run directory,
 * and starts one if none does.  It is no child of nginx and outlives any one
 * nginx process; it ends by itself when no link has been there for 3 s.
 */

/* as chatd has it: the path of a socket in it has 107 bytes at most */
#define NGX_CHAT_RUN_DIR_MAX      84

#define NGX_CHAT_POOL_INTERVAL    1000
#define NGX_CHAT_POOL_MAX_DELAY   8000
#define NGX_CHAT_POOL_TRIES       3

/* how long a worker process waits for exec() to work or fail */
#define NGX_CHAT_POOL_EXEC_TIME   500


typedef struct {
    char                      *argv[6];
    char                      *log;
    int                        report;
} ngx_chat_exec_t;


static ngx_int_t ngx_chat_pool_create_dir(ngx_cycle_t *cycle, ngx_str_t *dir);
static void ngx_chat_pool_handler(ngx_event_t *ev);
static void ngx_chat_pool_start(ngx_chat_main_conf_t *cmcf);
static ngx_err_t ngx_chat_pool_spawn(ngx_chat_exec_t *ctx);
static void ngx_chat_pool_exec(ngx_chat_exec_t *ctx);
static void ngx_chat_pool_close_fds(int from);


static ngx_event_t  ngx_chat_pool_event;
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

    ngx_chat_settings_settle(cycle, cmcf);

    return NGX_OK;
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


ngx_int_t
ngx_chat_pool_init_process(ngx_cycle_t *cycle)
{
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

    ngx_chat_settings_adopt(cycle, cmcf);

    ngx_chat_pool_event.data = cmcf;
    ngx_chat_pool_event.handler = ngx_chat_pool_handler;
    ngx_chat_pool_event.log = cycle->log;
    ngx_chat_pool_event.cancelable = 1;

    ngx_add_timer(&ngx_chat_pool_event, 1);

    return NGX_OK;
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

    } else if (ngx_chat_settings_locked(cmcf) == NGX_OK) {

        if (ngx_chat_settings_retry(cycle, cmcf) == NGX_OK) {
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

    ngx_chat_stat_add(ngx_chat_stat_launches, 1);

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
