/*
 * The chatd program: picks what this process is - the checker of a store, the
 * parent, or a role the parent has started - and calls its main.
 */

#define _GNU_SOURCE 1 /* close_range */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"
#include "options.h"
#include "parent.h"
#include "storage.h"
#include "store.h"
#include "worker.h"

/* nginx's listen and client sockets are not close-on-exec. */
static void
close_inherited(int first)
{
    if (close_range((unsigned) first, ~0u, 0) == 0) {
        return;
    }

    /* a kernel before 5.9 */
    long max = sysconf(_SC_OPEN_MAX);

    for (int fd = first; fd < max; fd++) {
        close(fd);
    }
}

/* 0-2 exist, so that no socket of ours is taken for stderr. */
static void
open_standard(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);

    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

/* exec keeps what the one before had blocked or ignored. */
static void
reset_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGCHLD};
    sigset_t none;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        signal(numbers[i], SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
run_role(const struct options *o)
{
    const struct role_config *c = &o->role;
    enum log_level max = o->verbose ? LOG_DEBUG : LOG_INFO;
    char title[32] = "store";

    if (c->type == ROLE_WORKER) {
        snprintf(title, sizeof(title), "worker %u", c->index);
    }
    if (log_open(c->log_path, title, max) != 0) {
        log_open(NULL, title, max);
        log_error("cannot open the log %s", c->log_path);
    }
    return c->type == ROLE_STORE ? store_main(c) : worker_main(c);
}

/* The same program once more, with its title as its only argument. */
static int
run_parent(const struct options *o)
{
    char text[8192];
    char *args[] = {"chatd: parent", NULL};

    if (options_format(o, text, sizeof(text)) != 0
        || setenv(OPTIONS_ENV, text, 1) != 0) {
        fputs("chatd: options are too long or have a newline\n", stderr);
        return EXIT_FAILURE;
    }
    execv(options_program(), args);
    perror("chatd: cannot execute itself");
    return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    static struct options options;
    char *env = getenv(OPTIONS_ENV);

    if (env == NULL && argc == 3 && strcmp(argv[1], "check") == 0) {
        return storage_check(argv[2]);
    }

    int status = env == NULL ? options_parse(&options, argc, argv)
                             : options_parse_env(&options, env);

    if (status != 0) {
        return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }

    open_standard();
    close_inherited(options.is_role ? ROLE_PARENT_FD + 1 : ROLE_PARENT_FD);
    reset_signals();
    if (env == NULL) {
        return run_parent(&options);
    }
    prctl(PR_SET_NAME, "chatd");
    return options.is_role ? run_role(&options) : parent_main(&options);
}
