/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/hostkeys.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "model/sshdconf.h"
#include "resource/sshd.h"

void sp_hostkeys_clear(struct sp_hostkeys *k)
{
    for (size_t i = 0; i < k->n; i++)
        sp_sshkey_clear(&k->v[i]);
    free(k->v);
    *k = (struct sp_hostkeys){0};
}

static int add_key(struct sp_host *h, const char *path, struct sp_hostkeys *k, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error ignored;
    char public[SP_PATH_SIZE];
    struct sp_sshkey *grown;

    if (sp_str_format(public, sizeof(public), "%s.pub", path) < 0 ||
        sp_fsat_read(h->root_fd, public, 65536, &text, NULL, &ignored) < 0)
        return 0;
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    grown = reallocarray(k->v, k->n + 1, sizeof(*grown));
    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    k->v = grown;
    k->v[k->n] = (struct sp_sshkey){0};
    if (sp_sshkey_parse(sp_buf_str(&text), text.len, &k->v[k->n], NULL, &ignored) == 0)
        k->n++;
    return 0;
}

int sp_hostkeys_read(struct sp_engine *e, struct sp_hostkeys *ret, struct sp_error *err)
{
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf conf = {0};
    _cleanup_(sp_hostkeys_clear) struct sp_hostkeys k = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    const char *value;
    uint64_t port = 0;

    if (sp_sshd_effective(e->host, e->config, NULL, &text, err) < 0 ||
        sp_sshdconf_parse(sp_buf_str(&text), text.len, &conf, err) < 0)
        return -1;
    for (size_t i = 0; (value = sp_sshdconf_nth(&conf, "port", i)) != NULL; i++)
        if (k.n_ports < SP_PORTS_MAX && sp_str_to_u64(value, 65535, &port) == 0)
            k.ports[k.n_ports++] = (unsigned)port;
    for (size_t i = 0; (value = sp_sshdconf_nth(&conf, "hostkey", i)) != NULL; i++)
        if (add_key(e->host, value, &k, err) < 0)
            return -1;
    *ret = k;
    k = (struct sp_hostkeys){0};
    return 0;
}

const struct sp_sshkey *sp_hostkeys_best(const struct sp_hostkeys *k)
{
    for (size_t i = 0; i < k->n; i++)
        if (sp_streq(k->v[i].type, "ssh-ed25519"))
            return &k->v[i];
    return k->n > 0 ? &k->v[0] : NULL;
}
