/*
 * How often passwords may be tried.  An account, an address and the two
 * together each have so many attempts free; beyond those each one that fails
 * has to be waited for, twice as long as for the one before, up to a quarter
 * of an hour.  Time gives attempts back.
 *
 * Somebody who tries a stranger's passwords makes the stranger wait at most
 * that quarter of an hour, and not at all at an address where he has logged
 * in before: there he has attempts of his own.  Users that do not exist are
 * counted as those that do.
 *
 * The tables are bounded: the entry that was not used the longest makes room.
 */

#ifndef WORKERS_ATTEMPT_H
#define WORKERS_ATTEMPT_H

#include <stdint.h>

#include "str.h"

#define ATTEMPT_ENTRIES_MAX 16384 /* of each table */
#define ATTEMPT_DELAY_MAX_S 900

#define ATTEMPT_ACCOUNT_FREE      5
#define ATTEMPT_ACCOUNT_REGAIN_MS 900000 /* one more each */
#define ATTEMPT_ADDRESS_FREE      50
#define ATTEMPT_ADDRESS_REGAIN_MS 30000
#define ATTEMPT_SIGN_UP_FREE      50
#define ATTEMPT_SIGN_UP_REGAIN_MS 60000

/* Bytes of what attempt_address() makes. */
#define ATTEMPT_ADDRESS_MAX 46

struct attempts;

struct attempts *attempts_create(void); /* NULL: out of memory */
void attempts_free(struct attempts *a);

/*
 * What of an address counts: all of an IPv4 address, the first half of an IPv6
 * one, which is a network's; nothing of any other.
 */
struct str attempt_address(struct str text, char out[ATTEMPT_ADDRESS_MAX]);

/*
 * 0: may be tried, and counts as failed until one of the next two says more;
 * else the seconds to wait, and nothing was counted.  address may be empty.
 */
unsigned attempt_begin(struct attempts *a, struct str user, struct str address,
                       uint64_t now_ms);
void attempt_good(struct attempts *a, struct str user, struct str address,
                  uint64_t now_ms);
void attempt_not_made(struct attempts *a, struct str user, struct str address,
                      uint64_t now_ms);

/* The same for signing up; each counts. */
unsigned attempt_sign_up(struct attempts *a, struct str address,
                         uint64_t now_ms);

#endif
