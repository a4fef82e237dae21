/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/firewalls.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/nft.h"
#include "host/spawn.h"
#include "model/iptverdict.h"
#include "model/json.h"

#define RULESET_MAX (64U << 20)
#define DEADLINE_MS 20000

const char *sp_firewall_kind_name(enum sp_firewall_kind kind)
{
    static const char *const names[SP_FIREWALL_KINDS] = {
        [SP_FIREWALL_FIREWALLD] = "firewalld",
        [SP_FIREWALL_UFW] = "ufw",
        [SP_FIREWALL_CSF] = "csf",
        [SP_FIREWALL_FAIL2BAN] = "fail2ban",
        [SP_FIREWALL_CROWDSEC] = "crowdsec",
        [SP_FIREWALL_IPTABLES] = "iptables",
        [SP_FIREWALL_NFTABLES] = "nftables",
        [SP_FIREWALL_IPTABLES_LEGACY] = "iptables-legacy",
    };

    return names[kind];
}

void sp_firewalls_clear(struct sp_firewalls *f)
{
    cJSON_Delete(f->ruleset);
    sp_buf_clear(&f->nft4);
    sp_buf_clear(&f->nft6);
    sp_buf_clear(&f->legacy4);
    sp_buf_clear(&f->legacy6);
    *f = (struct sp_firewalls){0};
}

/* --- who is there --- */

/* What a program prints; nothing where it is not there or fails. */
static int output_of(struct sp_host *h, const char *const *argv, struct sp_buf *ret)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = DEADLINE_MS, .max_output = RULESET_MAX};
    struct sp_error ignored;

    if (sp_spawn_run(h, &run, &ignored) < 0 || run.status != 0)
        return -1;
    *ret = run.out;
    run.out = (struct sp_buf){0};
    return 0;
}

static int read_ruleset(struct sp_firewalls *f, struct sp_error *err)
{
    static const char *const argv[] = {"/usr/sbin/nft", "-j", "list", "ruleset", NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = DEADLINE_MS, .max_output = RULESET_MAX};

    if (sp_spawn_run(f->host, &run, err) < 0)
        return -1;
    if (run.status != 0)
        return sp_fail(err, SP_E_REJECTED, 0, "nft: %.200s", sp_buf_str(&run.err_out));
    return sp_json_parse_large(sp_buf_str(&run.out), run.out.len, RULESET_MAX, &f->ruleset, err);
}

/* iptables-save of the old kind makes the tables that it asks for: it is asked only where there are some.
 * 1; 0; -1: nobody knows. */
static int has_legacy(struct sp_host *h, const char *path)
{
    _cleanup_(sp_buf_clear) struct sp_buf names = {0};
    struct sp_error why;
    _cleanup_close_ int fd = sp_fsat_open(h->root_fd, path, O_RDONLY, 0, SP_FSAT_FOLLOW, &why);

    if (fd < 0 || sp_fsat_read_fd(fd, path, 4096, &names, NULL, &why) < 0)
        return sp_error_is_blind(&why) ? -1 : 0;
    return names.len > 0;
}

/* False: there are tables, or may be, and they could not be read. */
static bool read_legacy(struct sp_host *h, const char *names, const char *const *argv, struct sp_buf *ret)
{
    int has = has_legacy(h, names);

    return has == 0 || (has > 0 && output_of(h, argv, ret) == 0);
}

/* Both families, or neither: what one program has told of is passed over where nft tells of it. */
static void read_nft(struct sp_firewalls *f, const char *const *argv4, const char *const *argv6)
{
    if (output_of(f->host, argv4, &f->nft4) == 0 && output_of(f->host, argv6, &f->nft6) == 0)
        return;
    sp_buf_clear(&f->nft4);
    sp_buf_clear(&f->nft6);
}

static void read_saved(struct sp_firewalls *f)
{
    static const char *const nft4[] = {"/usr/sbin/iptables-nft-save", NULL};
    static const char *const nft6[] = {"/usr/sbin/ip6tables-nft-save", NULL};
    static const char *const legacy4[] = {"/usr/sbin/iptables-legacy-save", NULL};
    static const char *const legacy6[] = {"/usr/sbin/ip6tables-legacy-save", NULL};

    if (f->ruleset != NULL)
        read_nft(f, nft4, nft6);
    f->unread4 = !read_legacy(f->host, "/proc/net/ip_tables_names", legacy4, &f->legacy4);
    f->unread6 = !read_legacy(f->host, "/proc/net/ip6_tables_names", legacy6, &f->legacy6);
}

static bool saved_has(const struct sp_buf *b, const char *chain)
{
    return sp_iptverdict_has(sp_buf_str(b), b->len, "filter", chain);
}

static bool any_has(const struct sp_firewalls *f, const char *chain)
{
    return saved_has(&f->nft4, chain) || saved_has(&f->nft6, chain) || saved_has(&f->legacy4, chain) ||
           saved_has(&f->legacy6, chain);
}

static bool in_use(const struct sp_buf *b)
{
    return sp_iptverdict_in_use(sp_buf_str(b), b->len, "filter", "INPUT");
}

static const char *text_of(const cJSON *o, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

    return text != NULL ? text : "";
}

/* Whose a table of nft's is. */
static enum sp_firewall_kind owner_of(const char *table)
{
    if (sp_streq(table, "firewalld"))
        return SP_FIREWALL_FIREWALLD;
    if (sp_str_prefix(table, "f2b-", NULL) || sp_streq(table, "fail2ban"))
        return SP_FIREWALL_FAIL2BAN;
    return sp_str_prefix(table, "crowdsec", NULL) ? SP_FIREWALL_CROWDSEC : SP_FIREWALL_NFTABLES;
}

static void find_tables(struct sp_firewalls *f)
{
    const cJSON *item = NULL;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(f->ruleset, "nftables"))
    {
        const cJSON *chain = cJSON_GetObjectItemCaseSensitive(item, "chain");
        const char *hook = text_of(chain, "hook"), *table = text_of(chain, "table");

        if (chain == NULL || (!sp_streq(hook, "input") && !sp_streq(hook, "prerouting")) ||
            !sp_streq(text_of(chain, "type"), "filter") || sp_streq(table, "sallyport") ||
            (sp_nftverdict_is_xtables(text_of(chain, "family"), table) &&
             (f->nft4.len > 0 || f->nft6.len > 0)))
            continue;
        f->in_force[owner_of(table)] = true;
    }
}

static bool file_says(struct sp_host *h, const char *path, const char *text)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error ignored;
    const char *at;

    if (sp_fsat_read(h->root_fd, path, 65536, &b, NULL, &ignored) < 0)
        return false;
    at = strstr(sp_buf_str(&b), text);
    return at != NULL && (at == b.data || at[-1] == '\n');
}

/* Its chains without its word are somebody's rules; its word without its chains is worth a warning. */
static void settle(struct sp_firewalls *f, enum sp_firewall_kind kind, bool says, bool has)
{
    f->in_force[kind] = says && has;
    f->only_says[kind] = says && !has;
}

static bool firewalld_runs(struct sp_host *h)
{
    static const char *const argv[] = {"/usr/bin/busctl",
                                       "--system",
                                       "--timeout=5",
                                       "get-property",
                                       "org.fedoraproject.FirewallD1",
                                       "/org/fedoraproject/FirewallD1",
                                       "org.fedoraproject.FirewallD1",
                                       "state",
                                       NULL};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};

    return sp_fsat_exists(h->root_fd, "/usr/sbin/firewalld") &&
           sp_fsat_exists(h->root_fd, "/run/dbus/system_bus_socket") && output_of(h, argv, &out) == 0 &&
           strstr(sp_buf_str(&out), "\"RUNNING\"") != NULL;
}

int sp_firewalls_look(struct sp_host *h, struct sp_firewalls *ret, struct sp_error *err)
{
    _cleanup_(sp_firewalls_clear) struct sp_firewalls f = {.host = h};
    struct sp_nft nft = {0};
    bool others = false;
    int rc = 0;

    if (sp_nft_open(h, &nft, err) < 0)
        return -1;
    rc = sp_nft_has_others(&nft, &others, err);
    sp_nft_close(&nft);
    if (rc < 0 || (others && read_ruleset(&f, err) < 0))
        return -1;
    read_saved(&f);
    find_tables(&f);
    settle(&f, SP_FIREWALL_FIREWALLD, firewalld_runs(h),
           f.in_force[SP_FIREWALL_FIREWALLD] || any_has(&f, "INPUT_ZONES"));
    settle(&f, SP_FIREWALL_UFW, file_says(h, "/etc/ufw/ufw.conf", "ENABLED=yes"),
           any_has(&f, "ufw-user-input") || any_has(&f, "ufw6-user-input"));
    settle(&f, SP_FIREWALL_CSF,
           sp_fsat_exists(h->root_fd, "/etc/csf/csf.conf") &&
               !sp_fsat_exists(h->root_fd, "/etc/csf/csf.disable"),
           any_has(&f, "LOCALINPUT"));
    f.in_force[SP_FIREWALL_FAIL2BAN] |= sp_fsat_exists(h->root_fd, "/run/fail2ban/fail2ban.sock");
    f.in_force[SP_FIREWALL_IPTABLES] = in_use(&f.nft4) || in_use(&f.nft6);
    f.in_force[SP_FIREWALL_IPTABLES_LEGACY] =
        in_use(&f.legacy4) || in_use(&f.legacy6) || f.unread4 || f.unread6;
    *ret = f;
    f = (struct sp_firewalls){0};
    return 0;
}

/* --- who stops a packet --- */

static void suggest(struct sp_firewall_block *b)
{
    const char *six = b->family == 6 ? "6" : "", *address = b->from[0] != '\0' ? b->from : "ADDRESS";

    switch (b->by) {
    case SP_FIREWALL_FIREWALLD:
        (void)sp_str_format(b->mend, sizeof(b->mend),
                            "firewall-cmd --add-port=%u/tcp && firewall-cmd --permanent --add-port=%u/tcp",
                            b->port, b->port);
        break;
    case SP_FIREWALL_UFW:
        (void)sp_str_format(b->mend, sizeof(b->mend), "ufw allow %u/tcp", b->port);
        break;
    case SP_FIREWALL_CSF:
        (void)sp_str_format(b->mend, sizeof(b->mend),
                            "add %u to TCP_IN and TCP6_IN in /etc/csf/csf.conf, then csf -r", b->port);
        break;
    case SP_FIREWALL_FAIL2BAN:
        (void)sp_str_format(b->mend, sizeof(b->mend), "fail2ban-client unban %s", address);
        break;
    case SP_FIREWALL_CROWDSEC:
        (void)sp_str_format(b->mend, sizeof(b->mend), "cscli decisions delete --ip %s", address);
        break;
    case SP_FIREWALL_IPTABLES:
    case SP_FIREWALL_IPTABLES_LEGACY:
        (void)sp_str_format(b->mend, sizeof(b->mend),
                            "ip%stables%s -w -I INPUT -p tcp --dport %u -j ACCEPT", six,
                            b->by == SP_FIREWALL_IPTABLES ? "" : "-legacy", b->port);
        break;
    default:
        (void)sp_str_format(b->mend, sizeof(b->mend),
                            "look at it with `nft -a list ruleset`, and let tcp port %u through there",
                            b->port);
    }
}

enum kind { BY_NFT, LEGACY };

/* Whose a chain of iptables' is; the policy of INPUT is ufw's where ufw is in force, and so on. */
static enum sp_firewall_kind owner_of_chain(const struct sp_firewalls *f, const char *where, enum kind kind)
{
    if (strstr(where, "chain f2b-") != NULL || strstr(where, "chain fail2ban") != NULL)
        return SP_FIREWALL_FAIL2BAN;
    if (strstr(where, "CROWDSEC") != NULL || strstr(where, "crowdsec") != NULL)
        return SP_FIREWALL_CROWDSEC;
    if (strstr(where, "chain ufw") != NULL ||
        (f->in_force[SP_FIREWALL_UFW] && strstr(where, "policy of chain INPUT") != NULL))
        return SP_FIREWALL_UFW;
    if (f->in_force[SP_FIREWALL_FIREWALLD] && f->nft4.len > 0 && saved_has(&f->nft4, "INPUT_ZONES"))
        return SP_FIREWALL_FIREWALLD;
    if (f->in_force[SP_FIREWALL_CSF])
        return SP_FIREWALL_CSF;
    return kind == LEGACY ? SP_FIREWALL_IPTABLES_LEGACY : SP_FIREWALL_IPTABLES;
}

static const struct sp_buf *saved_of(const struct sp_firewalls *f, enum kind kind, int family)
{
    if (family == 4)
        return kind == LEGACY ? &f->legacy4 : &f->nft4;
    return kind == LEGACY ? &f->legacy6 : &f->nft6;
}

static int judge_saved(const struct sp_firewalls *f, const struct sp_nftverdict_packet *p, enum kind kind,
                       int family, struct sp_firewall_block *b)
{
    static const struct {
        const char *table, *chain;
    } on_the_way[] = {{"raw", "PREROUTING"},
                      {"mangle", "PREROUTING"},
                      {"mangle", "INPUT"},
                      {"filter", "INPUT"},
                      {"security", "INPUT"}};
    const struct sp_buf *saved = saved_of(f, kind, family);
    char where[SP_NFTVERDICT_WHERE];
    int found = 0;

    if (kind == LEGACY && (family == 4 ? f->unread4 : f->unread6)) {
        b->by = SP_FIREWALL_IPTABLES_LEGACY;
        return sp_str_copy(b->where, sizeof(b->where), "its tables could not be read from here") == 0;
    }
    for (size_t i = 0; i < SP_COUNT(on_the_way) && saved->len > 0; i++) {
        enum sp_nftverdict verdict = sp_iptverdict_judge(sp_buf_str(saved), saved->len, on_the_way[i].table,
                                                         on_the_way[i].chain, p, where);
        if (verdict == SP_NFT_PASSES || (found && verdict != SP_NFT_DROPPED))
            continue;
        found = 1;
        b->by = owner_of_chain(f, where, kind);
        b->certain = verdict == SP_NFT_DROPPED;
        (void)sp_str_format(b->where, sizeof(b->where), "ip%stables%s %s, %.200s", family == 6 ? "6" : "",
                            kind == LEGACY ? "-legacy" : "", on_the_way[i].table, where);
        if (b->certain)
            break;
    }
    return found;
}

static int judge_nft(const struct sp_firewalls *f, const struct sp_nftverdict_packet *p,
                     struct sp_firewall_block *b, struct sp_error *err)
{
    struct sp_nftverdict_packet packet = *p;
    enum sp_nftverdict verdict;
    char family[16] = "", table[64] = "";

    if (f->ruleset == NULL)
        return 0;
    packet.not_table = "sallyport";
    packet.not_xtables = f->nft4.len > 0 || f->nft6.len > 0;
    if (sp_nftverdict_judge(f->ruleset, &packet, &verdict, b->where, err) < 0)
        return -1;
    if (verdict == SP_NFT_PASSES)
        return 0;
    (void)sp_str_format(family, sizeof(family), "%.*s", (int)strcspn(b->where, " "), b->where);
    if (strchr(b->where, ' ') != NULL) {
        const char *name = strchr(b->where, ' ') + 1;
        (void)sp_str_format(table, sizeof(table), "%.*s", (int)strcspn(name, ","), name);
    }
    b->by = sp_nftverdict_is_xtables(family, table) ? owner_of_chain(f, b->where, BY_NFT) : owner_of(table);
    b->certain = verdict == SP_NFT_DROPPED;
    return 1;
}

int sp_firewalls_judge(const struct sp_firewalls *f, const struct sp_nftverdict_packet *p,
                       struct sp_firewall_block *ret, struct sp_error *err)
{
    static const struct {
        enum kind kind;
        int family;
    } saved[] = {{BY_NFT, 4}, {LEGACY, 4}, {BY_NFT, 6}, {LEGACY, 6}};
    const int family = p->from != NULL ? p->from->family : p->any;
    struct sp_firewall_block b = {.family = (uint8_t)family, .port = p->port};
    unsigned families = 0; /* whose tables drop it: 1 and 2 */
    int rc = 0;

    *ret = b;
    if (p->from != NULL)
        sp_cidr_format(p->from, b.from);
    for (size_t i = 0; i <= SP_COUNT(saved); i++) {
        struct sp_firewall_block one = b;

        if (i == 0)
            rc = judge_nft(f, p, &one, err);
        else if (family == 0 || family == saved[i - 1].family)
            rc = judge_saved(f, p, saved[i - 1].kind, saved[i - 1].family, &one);
        else
            continue;
        if (rc < 0)
            return -1;
        if (rc == 0)
            continue;
        if (i > 0 && one.certain)
            families |= saved[i - 1].family == 4 ? 1 : 2;
        one.certain = one.certain && (i == 0 || family != 0 || families == 3);
        suggest(&one);
        if (ret->where[0] == '\0' || (one.certain && !ret->certain))
            *ret = one;
        if (ret->certain)
            break;
    }
    return ret->where[0] != '\0';
}
