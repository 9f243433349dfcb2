/*
 * What comes with requests about accounts: the jti of a token, the address of
 * a client.
 */

#include <stdint.h>
#include <stdlib.h>

#include "attempt.h"
#include "login_id.h"

static void
expect(bool right)
{
    if (!right) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char id[LOGIN_ID_SIZE], address[ATTEMPT_ADDRESS_MAX];
    char again[ATTEMPT_ADDRESS_MAX];
    unsigned char random[LOGIN_ID_RANDOM] = {0};
    struct str in = {(const char *) data, size}, out, same;
    struct login_id got, back;
    size_t len;

    /* what is a login's says the same however it was made */
    if (login_id_get(in, &got)) {
        len = login_id_put(id, &got, random);
        expect(len < sizeof(id) && len >= size);
        expect(login_id_get((struct str){id, len}, &back)
               && back.epoch == got.epoch && back.lifetime_s == got.lifetime_s);
    }

    out = attempt_address(in, address);
    if (out.len != 0) {
        same = attempt_address(out, again);
        expect(str_eq(same, out));
    }
    return 0;
}
