/*
 * GET account/export: all of a user's own, as lines of JSON, page by page.
 * Not a method: a page is no JSON.
 */

#ifndef WORKERS_EXPORT_H
#define WORKERS_EXPORT_H

struct method;

/* Of its route. */
extern const struct method export_method;

#endif
