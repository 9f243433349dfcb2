/*
 * Answers of HTTP resources; see resource.h.
 */

#include "resource.h"

#include "front.h"

#define RETRY_AFTER_S 2 /* of a 503 */
#define NO_CONTENT    204

static const struct {
    unsigned status;
    const char *title;
} titles[] = {
    {400, "Bad Request"          },
    {401, "Unauthorized"         },
    {403, "Forbidden"            },
    {404, "Not Found"            },
    {405, "Method Not Allowed"   },
    {409, "Conflict"             },
    {410, "Gone"                 },
    {413, "Content Too Large"    },
    {429, "Too Many Requests"    },
    {503, "Service Unavailable"  },
    {500, "Internal Server Error"},
};

#define N_TITLES (sizeof(titles) / sizeof(titles[0]))

/* Codes above 0 mirror HTTP; of JSON-RPC's own only two are not the
 * client's form. */
static unsigned
status_of(enum chat_error error)
{
    int code = call_error_text(error)->code;

    if (code > 0) {
        return (unsigned) code;
    }
    return error == CHAT_ERROR_INTERNAL    ? 500
           : error == CHAT_ERROR_NO_METHOD ? 404
                                           : 400;
}

static const char *
title_of(unsigned status)
{
    for (unsigned i = 0; i < N_TITLES; i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}

static void
put_problem(struct buf *b, enum chat_error error, unsigned status,
            struct str param)
{
    const struct chat_error_text *e = call_error_text(error);

    buf_put_lit(b, "{\"type\":\"about:blank\",\"title\":\"");
    buf_put(b, title_of(status), strlen(title_of(status)));
    buf_put_lit(b, "\",\"status\":");
    buf_put_u64(b, status);
    buf_put_lit(b, ",\"detail\":\"");
    buf_put(b, e->message, strlen(e->message));
    buf_put_lit(b, "\",\"reason\":\"");
    buf_put(b, e->reason, strlen(e->reason));
    buf_put_lit(b, "\",\"code\":");
    buf_put_i64(b, e->code);
    if (param.len != 0 && param.len <= STORAGE_ID_MAX) {
        buf_put_lit(b, ",\"param\":");
        buf_put_json_str(b, param);
    }
    buf_put_char(b, '}');
}

static void
fail(const struct request *r, enum chat_error error, struct front_answer *a,
     struct str param)
{
    struct buf b = {0};

    a->status = status_of(error);
    if (a->status == 503 && a->seconds == 0) {
        a->seconds = RETRY_AFTER_S;
    }
    put_problem(&b, error, a->status, param);
    front_answer(r->link, r, a, buf_failed(&b) ? STR("") : buf_str(&b));
    buf_clear(&b);
}

void
resource_fail(const struct request *r, enum chat_error error,
              unsigned retry_after_s, struct str param)
{
    struct front_answer a = {.seconds = retry_after_s};

    fail(r, error, &a, param);
}

void
resource_fail_method(const struct request *r, struct str allow)
{
    struct front_answer a = {.allow = allow};

    fail(r, CHAT_ERROR_BAD_ROUTE, &a, STR(""));
}

void
resource_reply(const struct request *r, struct str result)
{
    struct front_answer a = {
        .status = r->resource.status,
        .tagged = r->resource.tagged,
    };

    front_answer(r->link, r, &a, a.status == NO_CONTENT ? STR("") : result);
}

void
resource_reply_token(const struct request *r, const struct token_claims *t)
{
    struct front_answer a = {.status = r->resource.status, .token = t};

    front_answer(r->link, r, &a, STR(""));
}

void
resource_reply_events(const struct request *r, bool after_given, uint64_t after)
{
    struct front_answer a = {
        .status = r->resource.status,
        .events = true,
        .after_given = after_given,
        .after = after,
    };

    front_answer(r->link, r, &a, STR(""));
}

void
resource_reply_wait(const struct request *r, uint64_t after, struct str result)
{
    struct front_answer a = {
        .status = r->resource.status,
        .seconds = r->resource.wait_s,
        .wait = true,
        .after_given = true,
        .after = after,
    };

    front_answer(r->link, r, &a, result);
}

void
resource_reply_page(const struct request *r, struct str next, struct str page)
{
    struct front_answer a = {
        .status = r->resource.status,
        .allow = next,
        .paged = true,
    };

    front_answer(r->link, r, &a, page);
}
