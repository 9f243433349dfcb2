/*
 * An ordinary main for a fuzz target: runs it on every file of the directories
 * and files it is given, without libFuzzer and so with any compiler.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_run;

static int
run_file(const char *path, size_t size)
{
    FILE *f;
    uint8_t *data;
    int rc = -1;

    f = fopen(path, "rb");
    data = malloc(size ? size : 1);
    if (f != NULL && data != NULL && fread(data, 1, size, f) == size) {
        LLVMFuzzerTestOneInput(data, size);
        n_run++;
        rc = 0;
    }

    if (f != NULL) {
        fclose(f);
    }
    free(data);
    return rc;
}

static int
run(const char *path)
{
    char below[4096];
    struct dirent *e;
    struct stat st;
    DIR *dir;
    int rc = 0;

    if (stat(path, &st) != 0) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(st.st_mode)) {
        return run_file(path, (size_t) st.st_size);
    }

    dir = opendir(path);
    if (dir == NULL) {
        perror(path);
        return -1;
    }
    while (rc == 0 && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] == '.') {
            continue;
        }
        snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
        rc = run(below);
    }
    closedir(dir);
    return rc;
}

int
main(int argc, char **argv)
{
    int i;

    /* whatever the corpus, no input and one byte are good for a start */
    LLVMFuzzerTestOneInput((const uint8_t *) "", 0);
    LLVMFuzzerTestOneInput((const uint8_t *) "{", 1);

    for (i = 1; i < argc; i++) {
        if (run(argv[i]) != 0) {
            fprintf(stderr, "%s: cannot be run\n", argv[i]);
            return 1;
        }
    }
    printf("%d inputs\n", n_run);
    return 0;
}
