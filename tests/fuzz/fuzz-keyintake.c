/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pasted text: what intake accepts is one line that sshd reads as the same key, and no option of anybody's.
 */
#include "fuzz.h"
#include "model/authkeys.h"
#include "model/keyintake.h"

struct seen {
    const char *fingerprint;
    size_t n;
};

static int look(const struct sp_authkeys_entry *e, void *data)
{
    struct seen *s = data;

    REQUIRE(sp_streq(e->fingerprint, s->fingerprint));
    s->n++;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_keyintake_clear) struct sp_keyintake in = {0};
    _cleanup_(sp_key_clear) struct sp_key key = {0};
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};
    struct sp_error err = {0};
    struct seen seen = {0};

    if (sp_keyintake_read((const char *)data, size, &in, &err) < 0) {
        fuzz_refused(&err);
        return 0;
    }
    key.key = in.key;
    in.key = (struct sp_sshkey){0};
    REQUIRE(sp_str_copy(key.label, sizeof(key.label), in.label) == 0);
    REQUIRE(sp_authkeys_line(&key, &line, &err) == 0);
    seen.fingerprint = key.key.fingerprint;
    REQUIRE(sp_authkeys_each(line.data, line.len, look, &seen) == 0 && seen.n == 1);
    return 0;
}
