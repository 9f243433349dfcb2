
/*
 * Copyright (C) the chat module's authors
 */


#include "ngx_chat_link.h"
#include "ngx_chat_settings.h"

#include <sys/file.h>


/*
 * RUN_DIR/settings tells chatd what nginx.conf says.  The master writes them
 * before a worker process is there.  What is under the run directory belongs
 * to the workers' user: the master, which may be root, follows no link in it
 * and signals no process it names.
 */

#define NGX_CHAT_SETTINGS_MAX  4096


typedef struct {
    uint64_t                   generation;   /* 0: no settings */
    uint32_t                   hash;
    ngx_pid_t                  owner;
} ngx_chat_settings_t;


static ngx_uint_t ngx_chat_settings_foreign(ngx_pid_t owner);
static void ngx_chat_settings_read(ngx_chat_main_conf_t *cmcf,
    ngx_chat_settings_t *s);
static uint32_t ngx_chat_settings_hash(u_char *workers, size_t workers_len,
    u_char *store, size_t store_len);
static ngx_int_t ngx_chat_settings_write(ngx_cycle_t *cycle,
    ngx_chat_main_conf_t *cmcf, ngx_pid_t owner);
static ngx_int_t ngx_chat_settings_put(ngx_cycle_t *cycle, char *name,
    u_char *p, size_t len);
static ngx_pid_t ngx_chat_settings_master(void);
static void ngx_chat_settings_reread(ngx_chat_main_conf_t *cmcf);
static ngx_int_t ngx_chat_settings_file(ngx_chat_main_conf_t *cmcf,
    char *name, u_char *buf, size_t size);


static ngx_pid_t   ngx_chat_settings_writer;     /* 0: not this nginx */
static ngx_uint_t  ngx_chat_settings_unwritten;


void
ngx_chat_settings_settle(ngx_cycle_t *cycle, ngx_chat_main_conf_t *cmcf)
{
    size_t                len;
    u_char                workers[NGX_INT_T_LEN];
    ngx_chat_settings_t   old;

    ngx_chat_settings_writer = 0;
    ngx_chat_settings_unwritten = 0;

    len = ngx_sprintf(workers, "%ui", cmcf->workers) - workers;

    cmcf->settings_hash = ngx_chat_settings_hash(workers, len, cmcf->store.data,
                                             cmcf->store.len);

    ngx_chat_settings_read(cmcf, &old);

    if (old.generation
        && ngx_chat_settings_foreign(old.owner)
        && ngx_chat_settings_locked(cmcf) == NGX_BUSY)
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

    if (ngx_chat_settings_write(cycle, cmcf, ngx_pid) != NGX_OK) {
        ngx_chat_settings_unwritten = 1;
        return;
    }

    ngx_chat_settings_writer = ngx_pid;
}


/* a living nginx that is not the one before or after this in an upgrade */

static ngx_uint_t
ngx_chat_settings_foreign(ngx_pid_t owner)
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

ngx_int_t
ngx_chat_settings_locked(ngx_chat_main_conf_t *cmcf)
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
ngx_chat_settings_read(ngx_chat_main_conf_t *cmcf, ngx_chat_settings_t *s)
{
    u_char     *p, *end, *value, *workers, *store;
    size_t      workers_len, store_len;
    ngx_int_t   n;
    u_char      buf[NGX_CHAT_SETTINGS_MAX];

    ngx_memzero(s, sizeof(ngx_chat_settings_t));

    n = ngx_chat_settings_file(cmcf, "settings", buf, NGX_CHAT_SETTINGS_MAX);
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

    s->hash = ngx_chat_settings_hash(workers, workers_len, store, store_len);
}


static uint32_t
ngx_chat_settings_hash(u_char *workers, size_t workers_len, u_char *store,
    size_t store_len)
{
    u_char  *p, buf[NGX_CHAT_SETTINGS_MAX];

    p = ngx_snprintf(buf, NGX_CHAT_SETTINGS_MAX, "workers %*s\nstore %*s\n",
                     workers_len, workers, store_len, store);

    return chat_wire_hash(buf, p - buf);
}


static ngx_int_t
ngx_chat_settings_write(ngx_cycle_t *cycle, ngx_chat_main_conf_t *cmcf,
    ngx_pid_t owner)
{
    u_char  *p, buf[NGX_CHAT_SETTINGS_MAX];
    char     temp[NGX_MAX_PATH], name[NGX_MAX_PATH];

    p = ngx_snprintf(buf, NGX_CHAT_SETTINGS_MAX,
                     "generation %ui\nworkers %ui\nstore %V\nowner %P\n"
                     "presence_timeout %M\ncache %O\n",
                     cmcf->generation, cmcf->workers, &cmcf->store, owner,
                     (cmcf->presence_timeout + 999) / 1000, cmcf->store_cache);

    if (cmcf->redis.len) {
        p = ngx_slprintf(p, buf + NGX_CHAT_SETTINGS_MAX, "redis %V\n",
                         &cmcf->redis);
    }

    (void) ngx_snprintf((u_char *) name, NGX_MAX_PATH, "%V/settings%Z",
                        &cmcf->run_dir);
    (void) ngx_snprintf((u_char *) temp, NGX_MAX_PATH, "%V/settings.%P%Z",
                        &cmcf->run_dir, ngx_pid);

    if (ngx_chat_settings_put(cycle, temp, buf, p - buf) == NGX_OK
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
ngx_chat_settings_put(ngx_cycle_t *cycle, char *name, u_char *p, size_t len)
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


/*
 * Called by worker process 0.  The settings may have been written before the
 * master became a daemon; and a chatd that runs has to read them.
 */

void
ngx_chat_settings_adopt(ngx_cycle_t *cycle, ngx_chat_main_conf_t *cmcf)
{
    ngx_pid_t             master;
    ngx_chat_settings_t   s;

    master = ngx_chat_settings_master();

    if (ngx_chat_settings_writer && ngx_chat_settings_writer != master) {
        ngx_chat_settings_read(cmcf, &s);

        if (s.owner == ngx_chat_settings_writer
            && s.generation == cmcf->generation)
        {
            (void) ngx_chat_settings_write(cycle, cmcf, master);
        }
    }

    if (ngx_chat_settings_locked(cmcf) == NGX_BUSY) {
        ngx_chat_settings_reread(cmcf);
    }
}


/* NGX_OK: the settings are there, perhaps only now */

ngx_int_t
ngx_chat_settings_retry(ngx_cycle_t *cycle, ngx_chat_main_conf_t *cmcf)
{
    if (ngx_chat_settings_unwritten
        && ngx_chat_settings_write(cycle, cmcf, ngx_chat_settings_master())
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_chat_settings_unwritten = 0;

    return NGX_OK;
}


static ngx_pid_t
ngx_chat_settings_master(void)
{
    return (ngx_process == NGX_PROCESS_SINGLE) ? ngx_pid : ngx_parent;
}


/* a chatd that runs takes over what has changed */

static void
ngx_chat_settings_reread(ngx_chat_main_conf_t *cmcf)
{
    u_char     buf[NGX_INT_T_LEN + 1], *end;
    ngx_int_t  n, pid;

    n = ngx_chat_settings_file(cmcf, "chatd.pid", buf, sizeof(buf));
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
ngx_chat_settings_file(ngx_chat_main_conf_t *cmcf, char *name, u_char *buf,
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
