/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/fwopen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/spawn.h"

#define DEADLINE_MS 30000
#define UFW "/usr/sbin/ufw"
#define BUSCTL "/usr/bin/busctl"
#define COMMENT "sallyport"
#define ROUTES "/proc/net/route"
#define FIREWALLD "org.fedoraproject.FirewallD1"
#define FIREWALLD_PATH "/org/fedoraproject/FirewallD1"
#define FIREWALLD_ZONES "org.fedoraproject.FirewallD1.zone"
#define FIREWALLD_CONFIG "org.fedoraproject.FirewallD1.config"
#define FIREWALLD_CONFIG_PATH "/org/fedoraproject/FirewallD1/config"
#define FIREWALLD_CONFIG_ZONE "org.fedoraproject.FirewallD1.config.zone"

enum { IPTABLES_BUSY = 4 }; /* iptables(8)'s status where it waited for its lock, or had no memory */

bool sp_fwopen_equal(const struct sp_fwopen *a, const struct sp_fwopen *b)
{
    return a->by == b->by && a->family == b->family && a->port == b->port && sp_streq(a->zone, b->zone);
}

void sp_fwopen_target(const struct sp_fwopen *o, char ret[SP_FWOPEN_TARGET])
{
    if (o->by == SP_FIREWALL_FIREWALLD)
        (void)sp_str_format(ret, SP_FWOPEN_TARGET, "firewalld zone %s", o->zone);
    else if (o->by == SP_FIREWALL_IPTABLES || o->by == SP_FIREWALL_IPTABLES_LEGACY)
        (void)sp_str_format(ret, SP_FWOPEN_TARGET, "ip%stables%s", o->family == 6 ? "6" : "",
                            o->by == SP_FIREWALL_IPTABLES ? "" : "-legacy");
    else
        (void)sp_str_copy(ret, SP_FWOPEN_TARGET, sp_firewall_kind_name(o->by));
}

/* `known`: what stderr or stdout says where it was done before; or NULL. */
static int run(struct sp_host *h, const char *const *argv, const char *known, struct sp_buf *ret_out,
               struct sp_error *err)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn s = {
        .argv = argv, .deadline_ms = DEADLINE_MS, .max_output = 65536};

    if (sp_spawn_run(h, &s, err) < 0)
        return -1;
    if (s.status != 0 && (known == NULL || strstr(sp_buf_str(&s.err_out), known) == NULL)) {
        char *text = s.err_out.len > 0 ? s.err_out.data : s.out.data;
        if (text != NULL)
            text[strcspn(text, "\n")] = '\0';
        return sp_fail(err, s.status == IPTABLES_BUSY ? SP_E_BUSY : SP_E_REJECTED, 0, "%s: %.200s", argv[0],
                       text != NULL ? text : "failed");
    }
    if (ret_out != NULL) {
        *ret_out = s.out;
        s.out = (struct sp_buf){0};
    }
    return 0;
}

/* --- firewalld --- */

/* What busctl prints of a string or a path: `s "public"`. */
static int read_quoted(const struct sp_buf *out, char *ret, size_t size)
{
    const char *begin = strchr(sp_buf_str(out), '"');

    if (begin == NULL)
        return -1;
    return sp_str_format(ret, size, "%.*s", (int)strcspn(begin + 1, "\""), begin + 1);
}

/* The interface of the default route (proc(5): destination and mask 0), or "". */
static void default_interface(struct sp_host *h, char ret[32])
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error ignored;
    char *save = NULL;
    _cleanup_close_ int fd = sp_fsat_open(h->root_fd, ROUTES, O_RDONLY, 0, SP_FSAT_FOLLOW, &ignored);

    ret[0] = '\0';
    if (fd < 0 || sp_fsat_read_fd(fd, ROUTES, 1U << 20, &b, NULL, &ignored) < 0 || b.len == 0)
        return;
    for (char *l = strtok_r(b.data, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
        size_t n = strcspn(l, "\t");
        if (strncmp(l + n, "\t00000000\t", 10) == 0)
            (void)sp_str_format(ret, 32, "%.*s", (int)n, l);
    }
}

static int find_zone(struct sp_host *h, char zone[64], struct sp_error *err)
{
    char interface[32];
    const char *const of_interface[] = {
        BUSCTL,          "--system",           "call", FIREWALLD, FIREWALLD_PATH,
        FIREWALLD_ZONES, "getZoneOfInterface", "s",    interface, NULL};
    static const char *const of_all[] = {BUSCTL,         "--system", "call",           FIREWALLD,
                                         FIREWALLD_PATH, FIREWALLD,  "getDefaultZone", NULL};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0}, out2 = {0};

    default_interface(h, interface);
    zone[0] = '\0';
    if (interface[0] != '\0' && run(h, of_interface, NULL, &out, err) == 0)
        (void)read_quoted(&out, zone, 64);
    if (zone[0] != '\0')
        return 0;
    if (run(h, of_all, NULL, &out2, err) < 0)
        return -1;
    return read_quoted(&out2, zone, 64) == 0 && zone[0] != '\0'
               ? 0
               : sp_fail(err, SP_E_REJECTED, 0, "firewalld names no default zone");
}

enum way { OPEN, CLOSE };

static int change_firewalld(struct sp_host *h, const struct sp_fwopen *o, enum way way,
                            struct sp_error *err)
{
    char port[8], path[200];
    const char *known = way == OPEN ? "ALREADY_ENABLED" : "NOT_ENABLED";
    const char *const now_add[] = {BUSCTL,          "--system", "call", FIREWALLD, FIREWALLD_PATH,
                                   FIREWALLD_ZONES, "addPort",  "sssi", o->zone,   port,
                                   "tcp",           "0",        NULL};
    const char *const now_remove[] = {BUSCTL,          "--system",   "call", FIREWALLD, FIREWALLD_PATH,
                                      FIREWALLD_ZONES, "removePort", "sss",  o->zone,   port,
                                      "tcp",           NULL};
    const char *const find[] = {BUSCTL,           "--system",      "call", FIREWALLD, FIREWALLD_CONFIG_PATH,
                                FIREWALLD_CONFIG, "getZoneByName", "s",    o->zone,   NULL};
    const char *const lasting[] = {BUSCTL,
                                   "--system",
                                   "call",
                                   FIREWALLD,
                                   path,
                                   FIREWALLD_CONFIG_ZONE,
                                   way == OPEN ? "addPort" : "removePort",
                                   "ss",
                                   port,
                                   "tcp",
                                   NULL};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};

    (void)sp_str_format(port, sizeof(port), "%u", o->port);
    if (run(h, way == OPEN ? now_add : now_remove, known, NULL, err) < 0 ||
        run(h, find, NULL, &out, err) < 0)
        return -1;
    if (read_quoted(&out, path, sizeof(path)) < 0)
        return sp_fail(err, SP_E_REJECTED, 0, "firewalld does not know its zone %s", o->zone);
    return run(h, lasting, known, NULL, err);
}

/* --- ufw --- */

static bool names_port(const char *ports, size_t len, uint16_t port)
{
    for (size_t at = 0; at < len;) {
        size_t n = strcspn(ports + at, ", ");
        char low[8], high[8];
        uint64_t a, b;
        size_t colon;

        n = at + n > len ? len - at : n;
        colon = strcspn(ports + at, ":");
        colon = colon < n ? colon : n;
        if (sp_str_format(low, sizeof(low), "%.*s", (int)colon, ports + at) == 0 &&
            sp_str_to_u64(low, 65535, &a) == 0) {
            b = a;
            if (colon < n && sp_str_format(high, sizeof(high), "%.*s", (int)(n - colon - 1),
                                           ports + at + colon + 1) == 0)
                (void)sp_str_to_u64(high, 65535, &b);
            if (a <= port && port <= b)
                return true;
        }
        at += n + 1;
    }
    return false;
}

/* "### tuple ### deny tcp 22 0.0.0.0/0 any 10.0.0.0/8 in comment=..." (ufw's backend_iptables.py) */
void sp_fwopen_ufw_rule(const char *rules, uint16_t port, char ret[16])
{
    static const char mark[] = "### tuple ### ";

    ret[0] = '\0';
    for (const char *at = strstr(rules, mark); at != NULL; at = strstr(at, mark)) {
        size_t action, protocol, ports;

        at += sizeof(mark) - 1;
        action = strcspn(at, " _\n");
        protocol = strcspn(at, " \n");
        protocol += at[protocol] == ' ';
        ports = protocol + strcspn(at + protocol, " \n");
        if (at[ports] != ' ' || strncmp(at, "route:", 6) == 0 || strncmp(at + protocol, "udp ", 4) == 0 ||
            !names_port(at + ports + 1, strcspn(at + ports + 1, " \n"), port))
            continue;
        /* An allowance of one source's is none for all. */
        if (strncmp(at, "allow", 5) == 0 && strstr(at, "any 0.0.0.0/0") == NULL)
            continue;
        (void)sp_str_format(ret, 16, "%.*s", (int)action, at);
        if (strncmp(at, "allow", 5) != 0)
            return;
    }
}

static int check_ufw(struct sp_host *h, uint16_t port, struct sp_error *err)
{
    static const char *const files[] = {"/etc/ufw/user.rules", "/etc/ufw/user6.rules"};

    for (size_t i = 0; i < SP_COUNT(files); i++) {
        _cleanup_(sp_buf_clear) struct sp_buf b = {0};
        char action[16];

        if (sp_fsat_read(h->root_fd, files[i], 4U << 20, &b, NULL, err) < 0) {
            if (err->code == SP_E_NOT_FOUND)
                continue;
            return -1; /* what it says would be overwritten */
        }
        sp_fwopen_ufw_rule(sp_buf_str(&b), port, action);
        if (action[0] == '\0')
            continue;
        if (sp_streq(action, "allow"))
            return sp_fail(err, SP_E_CONFLICT, 0,
                           "ufw allows port %u already, and an earlier rule of it wins", port);
        return sp_fail(err, SP_E_CONFLICT, 0,
                       "ufw has a rule to %s port %u, which allowing it would overwrite", action, port);
    }
    return 0;
}

static int change_ufw(struct sp_host *h, const struct sp_fwopen *o, enum way way, struct sp_error *err)
{
    char rule[16];
    const char *const allow[] = {UFW, "allow", rule, "comment", COMMENT, NULL};
    const char *const drop[] = {UFW, "--force", "delete", "allow", rule, NULL};

    (void)sp_str_format(rule, sizeof(rule), "%u/tcp", o->port);
    return run(h, way == OPEN ? allow : drop, way == OPEN ? NULL : "non-existent", NULL, err);
}

/* --- iptables --- */

static int change_iptables(struct sp_host *h, const struct sp_fwopen *o, const char *what,
                           struct sp_error *err)
{
    char program[40], port[8];
    const char *const argv[] = {program, "-w", "10",      what,        "INPUT", "-p", "tcp",    "--dport",
                                port,    "-m", "comment", "--comment", COMMENT, "-j", "ACCEPT", NULL};

    (void)sp_str_format(port, sizeof(port), "%u", o->port);
    (void)sp_str_format(program, sizeof(program), "/usr/sbin/ip%stables-%s", o->family == 6 ? "6" : "",
                        o->by == SP_FIREWALL_IPTABLES ? "nft" : "legacy");
    return run(h, argv, NULL, NULL, err);
}

/* 1: the rule stands; 0: it does not. Of a program that is gone there is none; one that could not be asked
 * tells nothing. */
static int has_rule(struct sp_host *h, const struct sp_fwopen *o, struct sp_error *err)
{
    if (change_iptables(h, o, "-C", err) == 0)
        return 1;
    return err->code == SP_E_REJECTED || err->os_errno == ENOENT ? 0 : -1;
}

static int open_iptables(struct sp_host *h, const struct sp_fwopen *o, struct sp_error *err)
{
    int has = has_rule(h, o, err);

    return has != 0 ? (has > 0 ? 0 : -1) : change_iptables(h, o, "-I", err);
}

static int close_iptables(struct sp_host *h, const struct sp_fwopen *o, struct sp_error *err)
{
    int has = has_rule(h, o, err);

    return has <= 0 ? has : change_iptables(h, o, "-D", err);
}

/* --- all --- */

int sp_fwopen_plan(struct sp_host *h, const struct sp_firewall_block *b, struct sp_fwopen *ret,
                   struct sp_error *err)
{
    *ret = (struct sp_fwopen){.by = b->by, .port = b->port};
    switch (b->by) {
    case SP_FIREWALL_FIREWALLD:
        if (!sp_fsat_exists(h->root_fd, BUSCTL))
            return sp_fail(err, SP_E_UNSUPPORTED, 0, "there is no busctl to ask firewalld with");
        return find_zone(h, ret->zone, err);
    case SP_FIREWALL_UFW:
        return check_ufw(h, b->port, err);
    case SP_FIREWALL_IPTABLES:
    case SP_FIREWALL_IPTABLES_LEGACY:
        ret->family = b->family;
        return 0;
    default:
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "sallyport does not change the rules of %s",
                       sp_firewall_kind_name(b->by));
    }
}

int sp_fwopen_open(struct sp_host *h, const struct sp_fwopen *o, struct sp_error *err)
{
    if (o->by == SP_FIREWALL_FIREWALLD)
        return change_firewalld(h, o, OPEN, err);
    return o->by == SP_FIREWALL_UFW ? change_ufw(h, o, OPEN, err) : open_iptables(h, o, err);
}

/* Of a firewall that is gone or rests there is nothing to take back at run time. */
int sp_fwopen_close(struct sp_host *h, const struct sp_fwopen *o, struct sp_error *err)
{
    if (o->by == SP_FIREWALL_FIREWALLD)
        return change_firewalld(h, o, CLOSE, err);
    return o->by == SP_FIREWALL_UFW ? change_ufw(h, o, CLOSE, err) : close_iptables(h, o, err);
}
