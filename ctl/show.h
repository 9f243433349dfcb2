/*
 * What chatctl prints: tables and lines for people, JSON for scripts.
 */

#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <stdbool.h>

struct json;

/* A value as compact JSON and a newline. */
void show_json(const struct json *v);

/* The head of the list (for people), then each user of it. */
void show_list_head(void);
void show_list_user(const struct json *user);

/* All that is known of one. */
void show_user(const struct json *user);

#endif
