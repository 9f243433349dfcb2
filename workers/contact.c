/*
 * Contacts: the table, and that nobody is a contact of himself; the rest is
 * decided by the storage.
 */

#include "contact.h"

#include "call.h"

static const struct param list_params[] = {
    {"after", PARAM_BYTES, false, PARAM_FIELD(cursor), 1, STORAGE_ID_MAX      },
    {"limit", PARAM_LIMIT, false, PARAM_FIELD(limit),  1, STORAGE_CONTACTS_MAX},
};

static const struct param user_params[] = {
    {"user", PARAM_USER, true, PARAM_FIELD(to), 0, 0},
    PARAM_CLIENT_ID,
};

static enum chat_error
check_other(const struct origin *o, const struct storage_op *op,
            const char **param)
{
    *param = "user";
    return str_eq(op->to, o->user) ? CHAT_ERROR_ONESELF : CHAT_OK;
}

static const struct method methods[] = {
    METHOD("contact.list", STORAGE_LIST_CONTACTS, list_params, .pages = true,
           .limit = STORAGE_CONTACTS_MAX),
    METHOD("contact.request", STORAGE_REQUEST_CONTACT, user_params,
           .check = check_other),
    METHOD("contact.accept", STORAGE_ACCEPT_CONTACT, user_params,
           .check = check_other),
    METHOD("contact.decline", STORAGE_DECLINE_CONTACT, user_params,
           .check = check_other),
    METHOD("contact.remove", STORAGE_REMOVE_CONTACT, user_params,
           .check = check_other),
    METHOD("contact.block", STORAGE_BLOCK_CONTACT, user_params,
           .check = check_other),
    METHOD("contact.unblock", STORAGE_UNBLOCK_CONTACT, user_params,
           .check = check_other),
};

const struct family contact_family = FAMILY(methods);
