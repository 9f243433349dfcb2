/*
 * Profiles: what users say of themselves, and how they are found.
 */

#include "profile.h"

#include "call.h"

static const struct param get_params[] = {
    {"user", PARAM_USER, true, PARAM_FIELD(to), 0, 0},
};

static const struct param update_params[] = {
    {"display_name", PARAM_CHARS, false, PARAM_FIELD(name),   0,
     STORAGE_NAME_CHARS                                                              },
    {"avatar",       PARAM_BYTES, false, PARAM_FIELD(avatar), 0, STORAGE_AVATAR_MAX  },
    {"status",       PARAM_CHARS, false, PARAM_FIELD(text),   0, STORAGE_STATUS_CHARS},
    PARAM_CLIENT_ID,
};

static const struct param search_params[] = {
    {"query", PARAM_CHARS, true,  PARAM_FIELD(text),  1, STORAGE_QUERY_CHARS },
    {"limit", PARAM_LIMIT, false, PARAM_FIELD(limit), 1, STORAGE_SEARCH_LIMIT},
};

static enum chat_error
check_update(const struct origin *o, const struct storage_op *op,
             const char **param)
{
    (void) o;
    *param = "display_name";
    return op->name.data == NULL && op->avatar.data == NULL
                   && op->text.data == NULL
               ? CHAT_ERROR_MISSING
               : CHAT_OK;
}

static const struct method methods[] = {
    METHOD("user.get", STORAGE_GET_USER, get_params),
    METHOD("user.update", STORAGE_UPDATE_USER, update_params,
           .check = check_update),
    METHOD("user.search", STORAGE_SEARCH_USERS, search_params, .pages = true),
};

const struct family profile_family = FAMILY(methods);
