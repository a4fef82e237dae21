/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way to sshd: who listens, and who holds packets or connections back. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/fsat.h"
#include "host/nft.h"
#include "model/authopts.h"
#include "model/fwcompile.h"
#include "resource/firewalls.h"
#include "resource/sshports.h"

/* The ports that a client may knock at: the one asked for, else all that sshd has. */
static size_t ports_of(const struct sp_visit *v, const uint16_t **ret)
{
    *ret = v->login->port != 0 ? &v->login->port : v->ports.ports;
    return v->login->port != 0 ? 1 : v->ports.n;
}

int sp_doctor_port(struct sp_visit *v, struct sp_error *err)
{
    const struct sp_sshports *p = &v->ports;
    struct sp_error why;

    if (sp_sshports_find(v->login->host, v->login->config, &v->ports, &why) < 0) {
        if (sp_finding_add(v, "port", SP_FINDING_STOPS, err, "no port of sshd's was found: %s", why.text) <
            0)
            return -1;
        return sp_finding_mend(v, "%s", why.hint[0] != '\0' ? why.hint : "systemctl start ssh");
    }
    for (size_t i = 0; i < p->n_listening; i++)
        if (v->login->port == 0 || p->listening[i] == v->login->port)
            return sp_finding_add(v, "port",
                                  p->disagreement[0] != '\0' ? SP_FINDING_WARNING : SP_FINDING_OK, err,
                                  "sshd listens on port %u%s%s", p->listening[i],
                                  p->disagreement[0] != '\0' ? "; " : "", p->disagreement);
    if (sp_finding_add(v, "port", SP_FINDING_STOPS, err, "no sshd listens on port %u",
                       v->login->port != 0   ? v->login->port
                       : p->n_configured > 0 ? p->configured[0]
                                             : 22) < 0)
        return -1;
    return p->n_listening > 0
               ? sp_finding_mend(v, "use port %u, or add the port to sshd_config", p->listening[0])
               : sp_finding_mend(v, "systemctl start ssh");
}

static bool to_cidr(const char *address, struct sp_cidr *ret)
{
    struct sp_error ignored;

    return address != NULL && sp_cidr_parse(address, ret, &ignored) == 0;
}

/* Loopback is let through by every table of ours, and is no sp_cidr. */
static bool is_local(const char *address)
{
    bool malformed;

    return address != NULL && (sp_authopts_in_block("127.0.0.0/8", address, &malformed) ||
                               sp_authopts_in_block("::1", address, &malformed));
}

/* The policy that a new connection meets: the one on trial, for as long as the kernel has it. */
struct lane {
    enum sp_nft_body body;
    const uint16_t *ports;
    size_t n_ports;
    const struct sp_fw_compiled *allow;
    const char *what, *mend_closed, *mend_source; /* how it is called, and mended; a source is put behind */
};

static struct lane lane_of(const struct sp_nft_ruleset *r)
{
    const struct sp_nft_trial *t = &r->trial;

    if (t->n_ports == 0)
        return (struct lane){r->body,
                             r->ports,
                             r->n_ports,
                             &r->allow,
                             "sallyport's firewall",
                             "sallyport firewall open",
                             "sallyport firewall allow "};
    return (struct lane){t->body,
                         t->ports,
                         t->n_ports,
                         &t->allow,
                         "sallyport's firewall, by a policy on trial,",
                         "sallyport firewall rollback",
                         "sallyport firewall rollback, then begin again with "};
}

struct count {
    const struct sp_fw_compiled *allow;
    size_t all, whole, none;
    char first[SP_CIDR_SIZE]; /* that does not get through */
};

/* Does one of the addresses that are let through lie in the block? */
static bool touches(const struct sp_fw_intervals *l, const struct sp_cidr *block)
{
    for (size_t i = 0; i < l->n; i++) {
        struct sp_cidr one = {.family = block->family, .prefix = block->family == 4 ? 32 : 128};
        sp_fw_address_store(l->v[i].first, one.addr, block->family == 4 ? 4 : 16);
        if (sp_cidr_contains(block, &one))
            return true;
    }
    return false;
}

static int count_source(const struct sp_cidr *block, void *data)
{
    struct sp_cidr one = *block;
    struct count *c = data;

    one.prefix = block->family == 4 ? 32 : 128;
    c->all++;
    if (sp_fw_covers(c->allow, block, NULL)) {
        c->whole++;
        return 0;
    }
    if (c->first[0] == '\0')
        sp_cidr_format(block, c->first);
    c->none += !sp_fw_covers(c->allow, &one, NULL) &&
               !touches(block->family == 4 ? &c->allow->v4 : &c->allow->v6, block);
    return 0;
}

/* Nobody said where the login comes from: the account may say where it can come from at all. */
static int judge_sources(struct sp_visit *v, const struct lane *l, size_t n_ranges, struct sp_error *err)
{
    struct count c = {.allow = l->allow};

    (void)sp_visit_sources(v, count_source, &c);
    if (c.all > 0 && c.whole == c.all)
        return sp_finding_add(v, "firewall", SP_FINDING_OK, err, "%s lets the account's sources through",
                              l->what);
    if (c.all == 0 || c.none < c.all)
        return sp_finding_add(v, "firewall", SP_FINDING_UNKNOWN, err,
                              "%s lets %zu ranges of addresses through; say where the login comes from",
                              l->what, n_ranges);
    if (sp_finding_add(v, "firewall", SP_FINDING_STOPS, err,
                       "nobody can come in: the account's sources (%s%s) are none of what %s lets through",
                       c.first, c.all > 1 ? ", ..." : "", l->what) < 0)
        return -1;
    return sp_finding_mend(v, "%s%s", l->mend_source, c.first);
}

static int judge_lane(struct sp_visit *v, const struct lane *l, struct sp_error *err)
{
    const uint16_t *ports;
    size_t n = ports_of(v, &ports), guarded = 0, n_ranges = l->allow->v4.n + l->allow->v6.n;
    struct sp_cidr from;
    int64_t until;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < l->n_ports; k++)
            guarded += l->ports[k] == ports[i];
    if (l->body != SP_NFT_GUARDED || guarded < n || is_local(v->login->address))
        return sp_finding_add(v, "firewall", SP_FINDING_OK, err, "%s lets the port through", l->what);
    if (n_ranges == 0) {
        if (sp_finding_add(v, "firewall", SP_FINDING_STOPS, err, "%s is closed: it lets nobody through",
                           l->what) < 0)
            return -1;
        return sp_finding_mend(v, "%s", l->mend_closed);
    }
    if (!to_cidr(v->login->address, &from))
        return judge_sources(v, l, n_ranges, err);
    if (sp_fw_covers(l->allow, &from, &until))
        return sp_finding_add(v, "firewall", SP_FINDING_OK, err, "%s lets %s through", l->what,
                              v->login->address);
    if (sp_finding_add(v, "firewall", SP_FINDING_STOPS, err, "%s does not let %s through to the SSH port",
                       l->what, v->login->address) < 0)
        return -1;
    return sp_finding_mend(v, "%s%s", l->mend_source, v->login->address);
}

static int judge_own(struct sp_visit *v, const struct sp_nft_ruleset *r, struct sp_error *err)
{
    const struct sp_error *policy = v->login->policy;
    struct lane l = lane_of(r);

    if (policy != NULL) {
        if (sp_finding_add(v, "firewall", SP_FINDING_WARNING, err,
                           "the stored policy cannot be read, and nobody keeps the port by it: %s",
                           policy->text) < 0)
            return -1;
        (void)sp_finding_mend(v, "%s", policy->hint);
    }
    if (r->body != SP_NFT_DAMAGED)
        return judge_lane(v, &l, err);
    if (sp_finding_add(v, "firewall", SP_FINDING_WARNING, err, "sallyport's own table is damaged: %s",
                       r->why) < 0)
        return -1;
    return sp_finding_mend(v, "sallyport firewall restore");
}

int sp_doctor_firewall(struct sp_visit *v, struct sp_error *err)
{
    _cleanup_(sp_nft_ruleset_clear) struct sp_nft_ruleset r = {0};
    struct sp_nft nft = {0};
    struct sp_error why;
    int result;

    if (sp_nft_open(v->login->host, &nft, &why) < 0)
        return sp_finding_add(v, "firewall", SP_FINDING_UNKNOWN, err, "nf_tables: %s", why.text);
    result = sp_nft_read(&nft, v->login->host->ops->now(v->login->host), &r, NULL, &why);
    sp_nft_close(&nft);
    if (result < 0)
        return sp_finding_add(v, "firewall", SP_FINDING_UNKNOWN, err, "sallyport's own table: %s",
                              why.text);
    return judge_own(v, &r, err);
}

int sp_doctor_other_firewalls(struct sp_visit *v, struct sp_error *err)
{
    _cleanup_(sp_firewalls_clear) struct sp_firewalls f = {0};
    struct sp_firewall_block b;
    struct sp_cidr from;
    const uint16_t *ports;
    size_t n = ports_of(v, &ports);
    struct sp_error why;
    int found;

    if (n == 0 || is_local(v->login->address))
        return sp_finding_add(v, "other_firewalls", SP_FINDING_OK, err, "nothing to ask other firewalls");
    if (sp_firewalls_look(v->login->host, &f, &why) < 0)
        return sp_finding_add(v, "other_firewalls", SP_FINDING_UNKNOWN, err, "the rules cannot be read: %s",
                              why.text);
    for (size_t i = 0; i < n; i++) {
        struct sp_nftverdict_packet packet = {.port = ports[i]};
        packet.from = to_cidr(v->login->address, &from) ? &from : NULL;
        found = sp_firewalls_judge(&f, &packet, &b, &why);
        if (found < 0)
            return sp_finding_add(v, "other_firewalls", SP_FINDING_UNKNOWN, err, "%s", why.text);
        if (found == 0)
            continue;
        if (sp_finding_add(v, "other_firewalls", b.certain ? SP_FINDING_STOPS : SP_FINDING_UNKNOWN, err,
                           "another firewall, %s, %s port %u: %s", sp_firewall_kind_name(b.by),
                           b.certain ? "drops what comes for" : "may hold back", ports[i], b.where) < 0)
            return -1;
        return sp_finding_mend(v, "%s", b.mend);
    }
    return sp_finding_add(v, "other_firewalls", SP_FINDING_OK, err,
                          "no rule of another firewall, whoever made it, holds the port back");
}

/* --- hosts.allow and hosts.deny (hosts_access(5)), where sshd is linked with libwrap --- */

/* One client pattern of the plain kinds; *ret_unknown for the others (names, netgroups, files, EXCEPT). */
static bool wrapper_client(const char *word, const char *address, bool *ret_unknown)
{
    bool malformed;
    size_t n = strlen(word);
    char plain[64];

    if (strcasecmp(word, "ALL") == 0)
        return true;
    if (address == NULL) {
        *ret_unknown = true;
        return false;
    }
    if (n > 1 && word[n - 1] == '.' && strspn(word, "0123456789.") == n)
        return strncmp(word, address, n) == 0;
    if (word[0] == '[' &&
        sp_str_format(plain, sizeof(plain), "%.*s", (int)strcspn(word + 1, "]"), word + 1) == 0)
        word = plain;
    if (sp_authopts_in_block(word, address, &malformed))
        return true;
    *ret_unknown |= malformed;
    return false;
}

static bool line_names(char *list, const char *word)
{
    char *save = NULL;

    for (char *w = strtok_r(list, ", \t", &save); w != NULL; w = strtok_r(NULL, ", \t", &save))
        if (strcasecmp(w, "ALL") == 0 || strcasecmp(w, word) == 0)
            return true;
    return false;
}

static bool wrapper_line(char *line, const char *address, bool *ret_unknown)
{
    char *colon = strchr(line, ':'), *save = NULL;

    if (line[0] == '#' || colon == NULL)
        return false;
    *colon = '\0';
    if (!line_names(line, "sshd"))
        return false;
    for (char *w = strtok_r(colon + 1, ", \t", &save); w != NULL; w = strtok_r(NULL, ", \t", &save)) {
        if (wrapper_client(w, address, ret_unknown))
            return true;
        if (sp_streq(w, ":")) /* options begin */
            break;
    }
    return false;
}

/* 1: it names him; 0: it does not; -1 with `why`: nobody can read it. */
static int wrapper_file(const struct sp_visit *v, const char *path, bool *ret_unknown, struct sp_error *why)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    char *save = NULL;

    if (sp_fsat_read(v->login->host->root_fd, path, 1U << 20, &b, NULL, why) < 0)
        return sp_error_is_blind(why) ? -1 : 0;
    if (b.len == 0)
        return 0;
    for (char *l = strtok_r(b.data, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save))
        if (wrapper_line(l, v->login->address, ret_unknown))
            return 1;
    return 0;
}

int sp_doctor_wrappers(struct sp_visit *v, struct sp_error *err)
{
    bool unknown = false;
    struct sp_error why;
    int allowed = wrapper_file(v, "/etc/hosts.allow", &unknown, &why),
        denied = allowed == 0 ? wrapper_file(v, "/etc/hosts.deny", &unknown, &why) : 0;

    if (allowed < 0 || denied < 0)
        return sp_finding_unseen(v, "tcp_wrappers", &why, err);
    if (denied == 0) {
        if (!unknown)
            return sp_finding_add(v, "tcp_wrappers", SP_FINDING_OK, err, "hosts.deny does not name sshd");
        return sp_finding_add(v, "tcp_wrappers", SP_FINDING_UNKNOWN, err,
                              "hosts.allow or hosts.deny decide about sshd by more than plain addresses");
    }
    if (sp_finding_add(
            v, "tcp_wrappers", SP_FINDING_STOPS, err,
            "/etc/hosts.deny refuses sshd's clients, and /etc/hosts.allow does not name this one") < 0)
        return -1;
    if (v->login->address == NULL)
        return sp_finding_mend(v, "echo 'sshd: ALL' >> /etc/hosts.allow");
    return sp_finding_mend(v,
                           strchr(v->login->address, ':') != NULL ? "echo 'sshd: [%s]' >> /etc/hosts.allow"
                                                                  : "echo 'sshd: %s' >> /etc/hosts.allow",
                           v->login->address);
}
