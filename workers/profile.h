/*
 * The methods of profiles: user.get, user.update, user.search.
 */

#ifndef WORKERS_PROFILE_H
#define WORKERS_PROFILE_H

struct family;

extern const struct family profile_family;

#endif
