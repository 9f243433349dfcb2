/*
 * Channels: all but the two checks below is the table; who may do what is
 * decided by the storage.
 */

#include "channel.h"

#include "call.h"

#define PARAM_NAME(required)                                                   \
    {                                                                          \
        "name", PARAM_CHARS, required, PARAM_FIELD(name), 1,                   \
            STORAGE_NAME_CHARS                                                 \
    }
#define PARAM_AVATAR                                                           \
    {                                                                          \
        "avatar", PARAM_BYTES, false, PARAM_FIELD(avatar), 0,                  \
            STORAGE_AVATAR_MAX                                                 \
    }

static const struct param create_params[] = {
    PARAM_NAME(true),
    {"members", PARAM_USERS, true, 0, 0, STORAGE_MEMBERS_MAX},
    PARAM_AVATAR,
    PARAM_CLIENT_ID,
};

static const struct param get_params[] = {PARAM_CHANNEL};

static const struct param list_params[] = {
    {"after",  PARAM_BYTES, false, PARAM_FIELD(cursor), 1, STORAGE_CHANNEL_MAX},
    {"limit",  PARAM_LIMIT, false, PARAM_FIELD(limit),  1, STORAGE_LIST_LIMIT },
    {"hidden", PARAM_BOOL,  false, PARAM_FIELD(number), 0, 0                  },
};

static const struct param update_params[] = {
    PARAM_CHANNEL,
    PARAM_NAME(false),
    PARAM_AVATAR,
    PARAM_CLIENT_ID,
};

static const struct param users_params[] = {
    PARAM_CHANNEL,
    {"users", PARAM_USERS, true, 0, 1, STORAGE_MEMBERS_MAX},
    PARAM_CLIENT_ID,
};

static const struct param role_params[] = {
    PARAM_CHANNEL,
    {"user", PARAM_USER, true, PARAM_FIELD(to),   0, 0},
    {"role", PARAM_ROLE, true, PARAM_FIELD(role), 0, 0},
    PARAM_CLIENT_ID,
};

static const struct param channel_params[] = {
    PARAM_CHANNEL,
    PARAM_CLIENT_ID,
};

static const struct param read_params[] = {
    PARAM_CHANNEL,
    {"message_id", PARAM_NUMBER, true, PARAM_FIELD(message_id), 0,
      STORAGE_MAX_ID},
    PARAM_CLIENT_ID,
};

static const struct param mute_params[] = {
    PARAM_CHANNEL,
    {"until", PARAM_UNTIL, true, PARAM_FIELD(number), 0, STORAGE_MAX_ID},
    PARAM_CLIENT_ID,
};

static bool
is_listed(struct str user, const struct str *users, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (str_eq(users[i], user)) {
            return true;
        }
    }
    return false;
}

/* The creator is a member, named or not; who is named twice counts once. */
static enum chat_error
check_create(const struct origin *o, const struct storage_op *op,
             const char **param)
{
    uint32_t n = 1;

    for (uint32_t i = 0; i < op->n_users; i++) {
        if (!str_eq(op->users[i], o->user)
            && !is_listed(op->users[i], op->users, i)) {
            n++;
        }
    }
    *param = "members";
    return n > STORAGE_MEMBERS_MAX ? CHAT_ERROR_TOO_MANY : CHAT_OK;
}

static enum chat_error
check_update(const struct origin *o, const struct storage_op *op,
             const char **param)
{
    (void) o;
    *param = "name";
    return op->name.data == NULL && op->avatar.data == NULL ? CHAT_ERROR_MISSING
                                                            : CHAT_OK;
}

static const struct method methods[] = {
    METHOD("channel.create", STORAGE_CREATE_CHANNEL, create_params,
           .check = check_create),
    METHOD("channel.get", STORAGE_GET_CHANNEL, get_params, .pages = true),
    METHOD("channel.list", STORAGE_LIST_CHANNELS, list_params, .pages = true),
    METHOD("channel.update", STORAGE_UPDATE_CHANNEL, update_params,
           .check = check_update),
    METHOD("channel.add", STORAGE_ADD_MEMBERS, users_params),
    METHOD("channel.remove", STORAGE_REMOVE_MEMBERS, users_params),
    METHOD("channel.role", STORAGE_SET_ROLE, role_params),
    METHOD("channel.leave", STORAGE_LEAVE, channel_params),
    METHOD("channel.hide", STORAGE_HIDE_CHANNEL, channel_params),
    METHOD("channel.read", STORAGE_READ_CHANNEL, read_params),
    METHOD("channel.mute", STORAGE_MUTE_CHANNEL, mute_params),
    METHOD("typing", STORAGE_TYPING, get_params),
};

const struct family channel_family = FAMILY(methods);
