/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/sshports.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/diag.h"
#include "host/fsat.h"
#include "host/spawn.h"
#include "resource/sshd.h"

#define SYSTEMCTL "/usr/bin/systemctl"
#define DEADLINE_MS 5000

/* The number behind the last ':' or blank of `text`. */
static bool read_port(const char *text, uint16_t *ret)
{
    const char *colon = strrchr(text, ':'), *blank = strrchr(text, ' ');
    uint64_t port;

    if (colon == NULL || (blank != NULL && blank > colon))
        colon = blank;
    if (colon == NULL || sp_str_to_u64(colon + 1, 65535, &port) < 0 || port == 0)
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* Every line that begins with `keyword` brings a port; ` (Stream)` behind it is systemctl's. */
static int collect(const char *text, const char *keyword, uint16_t *ports, size_t *n, struct sp_error *err)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        const char *rest;
        char line[256];
        uint16_t port;

        if (sp_str_format(line, sizeof(line), "%.*s", (int)len, text) == 0 &&
            sp_str_prefix(line, keyword, &rest)) {
            char *kind = strstr(line, " (Stream)");
            if (kind != NULL)
                *kind = '\0';
            if (read_port(line, &port) && sp_fw_ports_add(ports, n, port) < 0)
                return sp_fail(err, SP_E_UNSUPPORTED, 0, "sshd has more than %d ports", SP_FW_MAX_PORTS);
        }
        text += len + (text[len] == '\n');
    }
    return 0;
}

static int find_configured(struct sp_host *h, const struct sp_config *c, struct sp_sshports *s,
                           struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (sp_sshd_effective(h, c, NULL, &text, err) < 0 ||
        collect(sp_buf_str(&text), "listenaddress ", s->configured, &s->n_configured, err) < 0)
        return -1;
    if (s->n_configured > 0)
        return 0;
    return collect(sp_buf_str(&text), "port ", s->configured, &s->n_configured, err);
}

static bool have(const uint16_t *ports, size_t n, uint16_t port)
{
    for (size_t i = 0; i < n; i++)
        if (ports[i] == port)
            return true;
    return false;
}

/* Process 1 listens for any unit; systemd alone knows which port is whose. Not being able to ask is no
 * error: a configured port is known all the same. */
static void ask_systemd(struct sp_host *h, uint16_t *ports, size_t *n)
{
    static const char *const argv[] = {SYSTEMCTL,    "show",        "--property=Listen",
                                       "ssh.socket", "sshd.socket", NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = DEADLINE_MS, .max_output = 65536};
    struct sp_error ignored;

    if (!sp_fsat_exists(h->root_fd, "/run/systemd/system") || h->ops->spawn(h, &run, &ignored) < 0 ||
        run.status != 0)
        return;
    (void)collect(sp_buf_str(&run.out), "Listen=", ports, n, &ignored);
}

static int find_listening(struct sp_host *h, struct sp_sshports *s, struct sp_error *err)
{
    struct sp_diag_listeners l = {0};
    uint16_t wanted[SP_FW_MAX_PORTS];
    size_t n_wanted = 0;
    bool unknown = false;

    if (sp_diag_listening(h, &l, err) < 0)
        return -1;
    for (size_t i = 0; i < l.n_sshd; i++)
        (void)sp_fw_ports_add(s->listening, &s->n_listening, l.sshd[i]);
    for (size_t i = 0; i < l.n_init; i++) {
        if (have(s->configured, s->n_configured, l.init[i]))
            (void)sp_fw_ports_add(s->listening, &s->n_listening, l.init[i]);
        unknown |= !have(s->listening, s->n_listening, l.init[i]);
    }
    if (unknown)
        ask_systemd(h, wanted, &n_wanted);
    for (size_t i = 0; i < l.n_init; i++)
        if (have(wanted, n_wanted, l.init[i]))
            (void)sp_fw_ports_add(s->listening, &s->n_listening, l.init[i]);
    return 0;
}

static void list(const uint16_t *ports, size_t n, char out[100])
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n && used < 90; i++) {
        (void)snprintf(out + used, 100 - used, "%s%u", i > 0 ? ", " : "", ports[i]);
        used = strlen(out);
    }
}

static void compare(struct sp_sshports *s)
{
    char configured[100], listening[100];

    if (s->n_listening == 0)
        return;
    if (s->n_configured == s->n_listening &&
        memcmp(s->configured, s->listening, s->n_listening * sizeof(s->listening[0])) == 0)
        return;
    list(s->configured, s->n_configured, configured);
    list(s->listening, s->n_listening, listening);
    (void)snprintf(s->disagreement, sizeof(s->disagreement),
                   "sshd is configured for port %s, but port %s is what listens", configured, listening);
}

int sp_sshports_find(struct sp_host *h, const struct sp_config *c, struct sp_sshports *ret,
                     struct sp_error *err)
{
    struct sp_sshports s = {0};
    struct sp_error why;

    if (find_configured(h, c, &s, &why) < 0) {
        if (find_listening(h, &s, err) < 0 || s.n_listening == 0) {
            *err = why;
            return -1;
        }
        (void)snprintf(s.disagreement, sizeof(s.disagreement), "%.290s", why.text);
    } else if (find_listening(h, &s, &why) < 0)
        (void)snprintf(s.disagreement, sizeof(s.disagreement), "%.290s", why.text);
    else
        compare(&s);
    for (size_t i = 0; i < s.n_configured; i++)
        (void)sp_fw_ports_add(s.ports, &s.n, s.configured[i]);
    for (size_t i = 0; i < s.n_listening; i++)
        if (sp_fw_ports_add(s.ports, &s.n, s.listening[i]) < 0)
            return sp_fail(err, SP_E_UNSUPPORTED, 0, "sshd has more than %d ports", SP_FW_MAX_PORTS);
    if (s.n == 0)
        return sp_fail(err, SP_E_REJECTED, 0, "no port of sshd was found");
    *ret = s;
    return 0;
}
