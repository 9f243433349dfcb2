/*
 * chatctl: an administrator's hands on a running pool.
 *
 * Exit status: 0 done; 1 refused, there is no such user and the like; 2 not
 * asked rightly, or no pool to ask.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "json.h"
#include "pool.h"
#include "secret.h"
#include "show.h"
#include "utf8.h"

#define PAGE 500

#define PASSWORD_MIN   8 /* bytes */
#define PASSWORD_MAX   1024
#define RANDOM_LETTERS 24

#define EXIT_REFUSED 1
#define EXIT_UNABLE  2

struct context {
    struct pool *pool;
    struct json_parser *json;
    bool as_json;
    bool from_stdin;
    struct str user;
};

struct command {
    const char *name;
    bool user; /* takes one */
    int (*run)(struct context *c);
};

static void
usage(FILE *to)
{
    fputs(
        "usage: chatctl -d RUN_DIR [--json] user COMMAND [USER]\n"
        "\n"
        "  user list             every user: state, created, last active\n"
        "  user show USER        all that is known of one\n"
        "  user disable USER     refuses his tokens, ends his connections\n"
        "  user enable USER      takes that back\n"
        "  user reset-password [--stdin] USER\n"
        "                        gives him another password, printed once, or\n"
        "                        read from stdin; ends all his logins\n"
        "\n"
        "  -d RUN_DIR            the pool's: chat_run_dir of nginx\n"
        "  -j, --json            a line of JSON for each user\n"
        "  --stdin               the new password is the first line of stdin\n"
        "  -h, --help\n",
        to);
}

/* What the store says no with. */
static int
refused(const struct context *c, enum storage_status status)
{
    const char *why = "the store cannot do that now; try again";

    switch (status) {
    case STORAGE_NO_USER:
        why = "there is no such user";
        break;
    case STORAGE_USER_DELETED:
        why = "the user has deleted his account";
        break;
    case STORAGE_NO_ACCOUNT:
        why = "the user has no password here: he comes with tokens of the site";
        break;
    default:
        break;
    }
    fprintf(stderr, "chatctl: %.*s%s%s\n", (int) c->user.len, c->user.data,
            c->user.len == 0 ? "" : ": ", why);
    return status == STORAGE_UNAVAILABLE || status == STORAGE_EXHAUSTED
               ? EXIT_UNABLE
               : EXIT_REFUSED;
}

/* 0 and the member of the result, or an exit status. */
static int
ask(struct context *c, const struct storage_op *op, const char *member,
    const struct json **out, const struct json **root)
{
    struct storage_result result;

    if (pool_call(c->pool, op, &result) != 0) {
        return EXIT_UNABLE;
    }
    if (result.status != STORAGE_OK) {
        return refused(c, result.status);
    }
    if (json_parse(c->json, result.json, root) != JSON_OK
        || (*out = json_member(*root, member)) == NULL) {
        fprintf(stderr, "chatctl: the answer makes no sense\n");
        return EXIT_UNABLE;
    }
    return 0;
}

static int
run_list(struct context *c)
{
    struct storage_op op = {.type = STORAGE_LIST_USERS, .limit = PAGE};
    const struct json *users = NULL, *root = NULL, *more, *u;
    int status;

    if (!c->as_json) {
        show_list_head();
    }
    do {
        status = ask(c, &op, "users", &users, &root);
        if (status != 0) {
            return status;
        }
        for (u = users == NULL ? NULL : users->child; u != NULL; u = u->next) {
            if (c->as_json) {
                show_json(u);
            } else {
                show_list_user(u);
            }
        }
        more = json_member(root, "more");
        u = json_member(root, "next");
    } while (more != NULL && more->boolean && u != NULL
             && json_get_u53(u, &op.number) == 0);
    return 0;
}

static int
run_show(struct context *c)
{
    struct storage_op op = {
        .type = STORAGE_SHOW_USER, .user = STR("chatctl"), .to = c->user};
    const struct json *user = NULL, *root = NULL;
    int status = ask(c, &op, "user", &user, &root);

    if (status != 0) {
        return status;
    }
    if (c->as_json) {
        show_json(user);
    } else {
        show_user(user);
    }
    return 0;
}

static int
bar(struct context *c, bool disable)
{
    struct storage_op op = {.type = STORAGE_BAR_USER,
                            .user = STR("chatctl"),
                            .to = c->user,
                            .number = disable};
    const struct json *user = NULL, *root = NULL;
    int status = ask(c, &op, "user", &user, &root);

    if (status == 0 && c->as_json) {
        show_json(user);
    }
    return status;
}

static int
run_disable(struct context *c)
{
    return bar(c, true);
}

static int
run_enable(struct context *c)
{
    return bar(c, false);
}

/* One line of stdin without its end.  0, or an exit status. */
static int
read_password(char out[PASSWORD_MAX], size_t *len)
{
    bool good = true;
    int ch;

    *len = 0;
    while (good && (ch = getchar()) != EOF && ch != '\n') {
        good = *len < PASSWORD_MAX;
        if (good) {
            out[(*len)++] = (char) ch;
        }
    }
    if (good && *len >= PASSWORD_MIN && utf8_valid((struct str){out, *len})) {
        return 0;
    }
    fprintf(stderr,
            "chatctl: a password has %d to %d bytes of UTF-8, on one line of "
            "stdin\n",
            PASSWORD_MIN, PASSWORD_MAX);
    return EXIT_UNABLE;
}

/* 120 bits, none of them hard to read or to type. */
static int
make_password(char out[PASSWORD_MAX], size_t *len)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[RANDOM_LETTERS];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        fprintf(stderr, "chatctl: no random numbers\n");
        return EXIT_UNABLE;
    }
    for (size_t i = 0; i < RANDOM_LETTERS; i++) {
        out[i] = letters[random[i] % 32];
    }
    *len = RANDOM_LETTERS;
    return 0;
}

/* scrypt runs here: the pool sees what is kept of the password only. */
static int
reset(struct context *c, char password[PASSWORD_MAX])
{
    char secret[SECRET_SIZE];
    struct storage_op op = {
        .type = STORAGE_RESET_PASSWORD, .user = STR("chatctl"), .to = c->user};
    const struct json *user = NULL, *root = NULL;
    size_t len;
    int status = c->from_stdin ? read_password(password, &len)
                               : make_password(password, &len);

    if (status != 0) {
        return status;
    }
    if (secret_make(secret, (struct str){password, len}) != 0) {
        fprintf(stderr, "chatctl: no memory for scrypt\n");
        return EXIT_UNABLE;
    }
    op.text = (struct str){secret, strlen(secret)};
    status = ask(c, &op, "user", &user, &root);
    if (status != 0 || c->from_stdin) {
        return status;
    }
    if (c->as_json) {
        printf("{\"user\":\"%.*s\",\"password\":\"%.*s\"}\n", (int) c->user.len,
               c->user.data, (int) len, password);
    } else {
        printf("%.*s\n", (int) len, password);
    }
    return status;
}

static int
run_reset(struct context *c)
{
    char password[PASSWORD_MAX];
    int status = reset(c, password);

    OPENSSL_cleanse(password, sizeof(password));
    return status;
}

static const struct command commands[] = {
    {"list",           false, run_list   },
    {"show",           true,  run_show   },
    {"disable",        true,  run_disable},
    {"enable",         true,  run_enable },
    {"reset-password", true,  run_reset  },
};

static const struct command *
find_command(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[0], "user") != 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0
            && argc == (commands[i].user ? 3 : 2)) {
            return &commands[i];
        }
    }
    return NULL;
}

static int
run(struct context *c, const struct command *command, const char *run_dir)
{
    int status = EXIT_UNABLE;

    if (c->user.len > STORAGE_ID_MAX) {
        return refused(c, STORAGE_NO_USER);
    }
    c->pool = pool_open(run_dir);
    if (c->pool == NULL) {
        return status;
    }
    c->json = json_create();
    if (c->json == NULL) {
        fprintf(stderr, "chatctl: no memory\n");
    } else {
        status = command->run(c);
    }
    json_free(c->json);
    pool_close(c->pool);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "chatctl: cannot write what was asked for\n");
        return EXIT_UNABLE;
    }
    return status;
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"json",  no_argument, NULL, 'j'},
        {"stdin", no_argument, NULL, 's'},
        {"help",  no_argument, NULL, 'h'},
        {NULL,    0,           NULL, 0  },
    };
    const struct command *command;
    const char *run_dir = NULL;
    struct context c = {0};
    int o;

    while ((o = getopt_long(argc, argv, "d:jh", options, NULL)) != -1) {
        switch (o) {
        case 'd':
            run_dir = optarg;
            break;
        case 'j':
            c.as_json = true;
            break;
        case 's':
            c.from_stdin = true;
            break;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return EXIT_UNABLE;
        }
    }
    command = find_command(argc - optind, argv + optind);
    if (run_dir == NULL || command == NULL) {
        usage(stderr);
        return EXIT_UNABLE;
    }
    if (command->user) {
        c.user = (struct str){argv[optind + 2], strlen(argv[optind + 2])};
    }
    return run(&c, command, run_dir);
}
