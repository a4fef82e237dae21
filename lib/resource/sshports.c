/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/sshports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/diag.h"
#include "host/fsat.h"
#include "host/spawn.h"
#include "model/siphash.h"
#include "resource/sshd-files.h"
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

/* Process 1 listens for any unit; systemd alone knows which port is whose. Where there is none to be asked,
 * a configured port is known all the same. Where it could not be asked at this moment, it is not known
 * which ports are sshd's. */
static int ask_systemd(struct sp_host *h, uint16_t *ports, size_t *n, struct sp_error *err)
{
    static const char *const argv[] = {SYSTEMCTL,    "show",        "--property=Listen",
                                       "ssh.socket", "sshd.socket", NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = DEADLINE_MS, .max_output = 65536};
    struct sp_error ignored;

    if (sp_fsat_is_missing(h->root_fd, "/run/systemd/system"))
        return 0;
    if (h->ops->spawn(h, &run, err) < 0)
        return err->os_errno == ENOENT ? 0 : -1;
    if (run.status == 0)
        (void)collect(sp_buf_str(&run.out), "Listen=", ports, n, &ignored);
    return 0;
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
    if (unknown && ask_systemd(h, wanted, &n_wanted, err) < 0)
        return -1;
    s->lasts = !unknown;
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
        if (why.code == SP_E_NO_MEMORY || find_listening(h, &s, err) < 0 || s.n_listening == 0) {
            *err = why;
            return -1;
        }
        (void)snprintf(s.disagreement, sizeof(s.disagreement), "%.290s", why.text);
    } else if (find_listening(h, &s, &why) < 0) {
        if (why.code == SP_E_NO_MEMORY || why.os_errno == ENOMEM) {
            *err = why;
            return -1;
        }
        (void)snprintf(s.disagreement, sizeof(s.disagreement), "%.290s", why.text);
    } else
        compare(&s);
    for (size_t i = 0; i < s.n_configured; i++)
        (void)sp_fw_ports_add(s.ports, &s.n, s.configured[i]);
    for (size_t i = 0; i < s.n_listening; i++)
        if (sp_fw_ports_add(s.ports, &s.n, s.listening[i]) < 0)
            return sp_fail(err, SP_E_UNSUPPORTED, 0, "sshd has more than %d ports", SP_FW_MAX_PORTS);
    if (s.n == 0)
        return sp_fail(err, SP_E_REJECTED, 0, "no port of sshd was found");
    s.lasts &= s.disagreement[0] == '\0';
    *ret = s;
    return 0;
}

/* --- what the answer depends on --- */

static const uint64_t key[2] = {UINT64_C(0x7373682e706f7274), UINT64_C(0x732e6f662e686f73)};

static void add_text(struct sp_siphash *sum, const char *text)
{
    sp_siphash_add(sum, text, strlen(text) + 1);
}

/* Our own drop-in is not among them: it names no port. */
static int add_line(const struct sp_sshd_line *l, void *data)
{
    if (l->keyword == NULL ||
        (strcasecmp(l->keyword, "include") == 0 && strstr(l->value, "sshd_config.d/*.conf") == NULL))
        return 1;
    add_text(data, l->file);
    add_text(data, l->keyword);
    add_text(data, l->value);
    return 0;
}

static int add_program(struct sp_host *h, const char *path, struct sp_siphash *sum)
{
    struct sp_error ignored;
    struct stat st;
    _cleanup_close_ int fd = sp_fsat_open(h->root_fd, path, O_PATH, 0, SP_FSAT_FOLLOW, &ignored);
    uint64_t what[5];

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    what[0] = st.st_ino;
    what[1] = (uint64_t)st.st_size;
    what[2] = (uint64_t)st.st_mtim.tv_sec;
    what[3] = (uint64_t)st.st_mtim.tv_nsec;
    what[4] = (uint64_t)st.st_ctim.tv_sec;
    add_text(sum, path);
    sp_siphash_add(sum, what, sizeof(what));
    return 0;
}

uint64_t sp_sshports_key(struct sp_host *h, const struct sp_config *c)
{
    struct sp_ctx ctx = {.host = h, .config = c};
    struct sp_siphash sum;
    struct sp_error ignored;
    uint64_t listening;

    sp_siphash_begin(&sum, key);
    if (add_program(h, c->sshd, &sum) < 0 || sp_sshd_each_line(&ctx, add_line, &sum) != 0 ||
        sp_diag_listening_sum(h, &listening, &ignored) < 0)
        return 0;
    add_text(&sum, c->sshd_config);
    sp_siphash_add(&sum, &listening, sizeof(listening));
    return sp_siphash_end(&sum) | 1;
}
