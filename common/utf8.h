/*
 * UTF-8: is it valid, and how many characters are it.
 */

#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_valid(struct str text);

/* Code points of valid UTF-8. */
size_t utf8_code_points(struct str text);

#endif
