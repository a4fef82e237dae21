/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A user's authorized_keys: one key is put in and another taken out; whatever else stood there stays, byte
 * for byte. */
#include "fuzz.h"
#include "model/authkeys.h"
#include "model/keyintake.h"

#define WANTED "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJYT+ssYYmKoEv/ksDA4uupkwk2oBc70MuLLsXo1iZB ours"
#define DROPPED "SHA256:pl3B2sHjksYjeVeUVBuZEPfyr2c6aRFxoQAEzDBInRQ"

static void make_key(struct sp_key_list *list)
{
    _cleanup_(sp_keyintake_clear) struct sp_keyintake in = {0};
    _cleanup_(sp_key_clear) struct sp_key key = {0};
    struct sp_error err = {0};

    REQUIRE(sp_keyintake_read(WANTED, sizeof(WANTED) - 1, &in, &err) == 0);
    key.key = in.key;
    in.key = (struct sp_sshkey){0};
    REQUIRE(sp_key_list_add(list, &key, &err) == 0);
}

struct lines {
    const char *wanted;
    struct sp_buf foreign; /* the lines of others, one behind the other */
    size_t n_wanted, n_dropped;
};

static int look(const struct sp_authkeys_entry *e, void *data)
{
    struct lines *l = data;

    if (sp_streq(e->fingerprint, l->wanted))
        l->n_wanted++;
    else if (sp_streq(e->fingerprint, DROPPED))
        l->n_dropped++;
    else {
        sp_buf_add(&l->foreign, e->line, e->line_len);
        sp_buf_add(&l->foreign, "\n", 1);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0}, again = {0};
    struct sp_error err = {0};
    struct lines before = {0}, after = {0};
    const char *drop[] = {DROPPED};

    make_key(&want);
    before.wanted = after.wanted = want.v[0].key.fingerprint;
    REQUIRE(sp_authkeys_each((const char *)data, size, look, &before) == 0);
    REQUIRE(sp_authkeys_edit((const char *)data, size, &want, drop, 1, &out, &err) == 0);
    REQUIRE(sp_authkeys_each(sp_buf_str(&out), out.len, look, &after) == 0);
    REQUIRE(after.n_wanted == 1 && after.n_dropped == 0);
    REQUIRE(before.foreign.len == after.foreign.len &&
            (before.foreign.len == 0 ||
             memcmp(before.foreign.data, after.foreign.data, before.foreign.len) == 0));
    REQUIRE(sp_authkeys_edit(sp_buf_str(&out), out.len, &want, drop, 1, &again, &err) == 0);
    REQUIRE(again.len == out.len && memcmp(again.data, out.data, out.len) == 0);
    sp_buf_clear(&before.foreign);
    sp_buf_clear(&after.foreign);
    return 0;
}
