/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/hostkeys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "model/sshdconf.h"
#include "resource/sshd-files.h"
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

static void add_port(struct sp_hostkeys *k, uint64_t port)
{
    for (size_t i = 0; i < k->n_ports; i++)
        if (k->ports[i] == port)
            return;
    if (k->n_ports < SP_PORTS_MAX)
        k->ports[k->n_ports++] = (unsigned)port;
}

/* "0.0.0.0:22" or "[::]:22"; port 0: is there any? */
static bool listens(const struct sp_sshdconf *conf, uint64_t port, struct sp_hostkeys *add)
{
    const char *value, *colon;
    uint64_t one = 0;

    for (size_t i = 0; (value = sp_sshdconf_nth(conf, "listenaddress", i)) != NULL; i++) {
        colon = strrchr(value, ':');
        if (colon == NULL || sp_str_to_u64(colon + 1, 65535, &one) < 0)
            continue;
        if (add != NULL)
            add_port(add, one);
        else if (port == 0 || one == port)
            return true;
    }
    return false;
}

/* In the order of the Port lines. A ListenAddress with a port of its own stands beside them, and a Port
 * that no ListenAddress takes is nowhere: sshd_config(5). */
static void read_ports(const struct sp_sshdconf *conf, struct sp_hostkeys *k)
{
    bool told = listens(conf, 0, NULL);
    const char *value;
    uint64_t port = 0;

    for (size_t i = 0; (value = sp_sshdconf_nth(conf, "port", i)) != NULL; i++)
        if (sp_str_to_u64(value, 65535, &port) == 0 && (!told || listens(conf, port, NULL)))
            add_port(k, port);
    (void)listens(conf, 0, k);
}

/* --- the port alone --- */

struct port_lines {
    unsigned port;
    bool ask; /* a line that only sshd itself can tell the meaning of */
};

static int see_port(const struct sp_sshd_line *l, void *data)
{
    struct port_lines *p = data;
    uint64_t n = 0;

    if (l->keyword == NULL || strcasecmp(l->keyword, "listenaddress") == 0 ||
        (strcasecmp(l->keyword, "include") == 0 && strstr(l->value, "sshd_config.d/*.conf") == NULL))
        p->ask = true;
    if (l->keyword == NULL || strcasecmp(l->keyword, "port") != 0)
        return p->ask;
    p->ask = p->ask || sp_str_to_u64(l->value, 65535, &n) < 0;
    if (p->port == 0)
        p->port = (unsigned)n;
    return p->ask;
}

int sp_hostkeys_port(struct sp_engine *e, const struct sp_ctx *c, unsigned *ret, struct sp_error *err)
{
    _cleanup_(sp_hostkeys_clear) struct sp_hostkeys k = {0};
    struct port_lines p = {0};

    (void)sp_sshd_each_line(c, see_port, &p);
    if (p.ask && sp_hostkeys_read(e, &k, err) < 0)
        return -1;
    if (p.ask)
        p.port = k.n_ports > 0 ? k.ports[0] : 0;
    *ret = p.port != 0 ? p.port : SP_SSH_PORT;
    return 0;
}

int sp_hostkeys_read(struct sp_engine *e, struct sp_hostkeys *ret, struct sp_error *err)
{
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf conf = {0};
    _cleanup_(sp_hostkeys_clear) struct sp_hostkeys k = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    const char *value;

    if (sp_sshd_effective(e->host, e->config, NULL, &text, err) < 0 ||
        sp_sshdconf_parse(sp_buf_str(&text), text.len, &conf, err) < 0)
        return -1;
    read_ports(&conf, &k);
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
