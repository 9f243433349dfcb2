/*
 * What is kept of a password: scrypt (RFC 7914) in the form
 * `$scrypt$ln=15,r=8,p=1$SALT$HASH`, base64 without padding, so that the
 * parameters of each are its own and may be raised.  Both functions take
 * about a tenth of a second and 32 MiB: they are called on the thread of
 * hasher.c only.
 */

#ifndef WORKERS_SECRET_H
#define WORKERS_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

/* With a NUL behind. */
#define SECRET_SIZE 128

enum secret_result {
    SECRET_GOOD,
    SECRET_WRONG,
    SECRET_FAILED, /* no memory, or not a secret */
};

/* 0, or -1: no memory, or no random numbers. */
int secret_make(char out[SECRET_SIZE], struct str password);

/* *weak: its parameters are below those that secret_make() takes. */
enum secret_result secret_check(struct str secret, struct str password,
                                bool *weak);

/* One that no password fits: checking takes as long as with a real one. */
struct str secret_of_nobody(void);

#endif
