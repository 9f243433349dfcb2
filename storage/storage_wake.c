/* See storage_wake.h. */

#include "storage_wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

static void on_readable(uv_poll_t *poll, int status, int events);


int
wake_open(struct wake *w, uv_loop_t *loop, void (*woken)(struct wake *w))
{
    w->woken = woken;
    atomic_init(&w->sent, false);
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (w->fd < 0) {
        return -1;
    }

    if (uv_poll_init(loop, &w->poll, w->fd) != 0) {
        (void) close(w->fd);
        return -1;
    }

    (void) uv_poll_start(&w->poll, UV_READABLE, on_readable);
    return 0;
}


void
wake_send(struct wake *w)
{
    uint64_t one = 1;

    /* The counter cannot overflow, so the write cannot fail. */
    if (!atomic_exchange(&w->sent, true)) {
        (void) !write(w->fd, &one, sizeof(one));
    }
}


static void
on_readable(uv_poll_t *poll, int status, int events)
{
    struct wake *w = (struct wake *) poll;
    uint64_t n;

    (void) status;
    (void) events;
    (void) !read(w->fd, &n, sizeof(n));

    /* before anything is looked at: what comes later wakes again */
    atomic_store(&w->sent, false);
    w->woken(w);
}


void
wake_close(struct wake *w, uv_close_cb closed)
{
    uv_close((uv_handle_t *) &w->poll, closed);
    (void) close(w->fd);
}
