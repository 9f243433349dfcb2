/*
 * The lines of control.h on a uv pipe.
 */

#include "control.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define CONTROL_QUEUE_MAX ((size_t) 64 << 10)

struct control_write {
    uv_write_t write;
    char line[];
};

void
control_init(struct control *c, uv_loop_t *loop)
{
    memset(c, 0, sizeof(*c));
    uv_pipe_init(loop, &c->pipe, 0);
    c->pipe.data = c;
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct control *c = handle->data;

    (void) suggested;
    if (c->in_len == sizeof(c->in)) {
        c->in_len = 0;
        c->too_long = true;
    }
    *buf =
        uv_buf_init(c->in + c->in_len, (unsigned) (sizeof(c->in) - c->in_len));
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct control *c = stream->data;
    char *line = c->in;
    char *newline;

    (void) buf;
    if (n < 0) {
        uv_read_stop(stream);
        c->end(c->data);
        return;
    }

    c->in_len += (size_t) n;
    while ((newline = memchr(line, '\n', c->in_len)) != NULL) {
        *newline = '\0';
        c->in_len -= (size_t) (newline + 1 - line);
        if (!c->too_long) {
            c->line(line, c->data);
        }
        c->too_long = false;
        line = newline + 1;
    }
    memmove(c->in, line, c->in_len);
}

int
control_start(struct control *c)
{
    int error = uv_read_start((uv_stream_t *) &c->pipe, on_alloc, on_read);

    if (error != 0) {
        log_error("control socket: %s", uv_strerror(error));
        return -1;
    }
    return 0;
}

static void
on_written(uv_write_t *write, int status)
{
    (void) status;
    free(write->data);
}

void
control_send(struct control *c, const char *format, ...)
{
    uv_stream_t *stream = (uv_stream_t *) &c->pipe;
    struct control_write *w;

    if (uv_is_closing((uv_handle_t *) &c->pipe)
        || uv_stream_get_write_queue_size(stream) > CONTROL_QUEUE_MAX) {
        return;
    }
    w = malloc(sizeof(*w) + CONTROL_LINE_MAX);
    if (w == NULL) {
        return;
    }
    w->write.data = w;

    va_list args;

    va_start(args, format);
    int n = vsnprintf(w->line, CONTROL_LINE_MAX - 1, format, args);
    va_end(args);

    /* a longer line was cut; its newline goes where the NUL is */
    size_t len = n < 0 ? 0 : (size_t) n;

    if (len > CONTROL_LINE_MAX - 2) {
        len = CONTROL_LINE_MAX - 2;
    }
    w->line[len++] = '\n';

    uv_buf_t buf = uv_buf_init(w->line, (unsigned) len);

    if (uv_write(&w->write, stream, &buf, 1, on_written) != 0) {
        free(w);
    }
}

static void
on_closed(uv_handle_t *handle)
{
    struct control *c = handle->data;

    if (c->closed != NULL) {
        c->closed(c->data);
    }
}

void
control_close(struct control *c)
{
    if (!uv_is_closing((uv_handle_t *) &c->pipe)) {
        uv_close((uv_handle_t *) &c->pipe, on_closed);
    }
}
