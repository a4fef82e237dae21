/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/authopts.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/sshkey.h"

enum kind { FLAG, NO_PTY, RESTRICT, PTY, CERT_AUTHORITY, VALUE, COMMAND, FROM, EXPIRY };

/* auth-options.c of OpenSSH 9.2; the case of a name does not matter. */
static const struct {
    const char *name;
    enum kind kind;
} known[] = {
    {"restrict", RESTRICT},
    {"pty", PTY},
    {"no-pty", NO_PTY},
    {"cert-authority", CERT_AUTHORITY},
    {"agent-forwarding", FLAG},
    {"no-agent-forwarding", FLAG},
    {"port-forwarding", FLAG},
    {"no-port-forwarding", FLAG},
    {"user-rc", FLAG},
    {"no-user-rc", FLAG},
    {"x11-forwarding", FLAG},
    {"no-x11-forwarding", FLAG},
    {"no-touch-required", FLAG},
    {"verify-required", FLAG},
    {"command", COMMAND},
    {"environment", VALUE},
    {"permitlisten", VALUE},
    {"permitopen", VALUE},
    {"principals", VALUE},
    {"tunnel", VALUE},
    {"from", FROM},
    {"expiry-time", EXPIRY},
};

/* name or name="value"; \" within the value is a quote. False: not well-formed. */
struct word {
    char name[64], value[SP_AUTHOPTS_VALUE];
    bool has_value;
};

static bool read_word(const char *line, size_t len, size_t *at, struct word *w)
{
    size_t n = 0, i = *at;

    *w = (struct word){0};
    while (i < len && line[i] != '=' && line[i] != ',' && line[i] != ' ' && line[i] != '\t') {
        if (n + 1 >= sizeof(w->name))
            return false;
        w->name[n++] = line[i++];
    }
    if (i < len && line[i] == '=') {
        w->has_value = true;
        if (++i >= len || line[i++] != '"')
            return false;
        for (n = 0; i < len && line[i] != '"'; i++) {
            if (line[i] == '\\' && i + 1 < len && line[i + 1] == '"')
                i++;
            if (n + 1 < sizeof(w->value))
                w->value[n++] = line[i];
        }
        if (i++ >= len)
            return false;
    }
    *at = i;
    return w->name[0] != '\0';
}

/* Without the zone, a shorter one means midnight: comparing the digits is comparing the times. */
static void earliest(struct sp_authopts *o, const char *value)
{
    size_t digits = strspn(value, "0123456789");

    if ((digits != 8 && digits != 12 && digits != 14) ||
        (value[digits] != '\0' && strcasecmp(value + digits, "Z") != 0))
        (void)sp_str_copy(o->bad, sizeof(o->bad), "expiry-time");
    else if (o->expiry[0] == '\0' || strcmp(value, o->expiry) < 0)
        (void)sp_str_copy(o->expiry, sizeof(o->expiry), value);
}

static void take(struct sp_authopts *o, const struct word *w)
{
    for (size_t i = 0; i < SP_COUNT(known); i++) {
        if (strcasecmp(known[i].name, w->name) != 0)
            continue;
        if ((known[i].kind >= VALUE) != w->has_value)
            break;
        o->no_pty = known[i].kind == PTY
                        ? false
                        : o->no_pty || known[i].kind == NO_PTY || known[i].kind == RESTRICT;
        o->cert_authority |= known[i].kind == CERT_AUTHORITY;
        o->has_command |= known[i].kind == COMMAND;
        if (known[i].kind == EXPIRY)
            earliest(o, w->value);
        if (known[i].kind == FROM) {
            if (o->has_from) /* sshd: "multiple from= clauses" */
                break;
            o->has_from = true;
            (void)sp_str_copy(o->from, sizeof(o->from), w->value);
        }
        return;
    }
    (void)sp_str_format(o->bad, sizeof(o->bad), "%s", w->name);
}

void sp_authopts_parse(const char *line, size_t len, struct sp_authopts *ret)
{
    size_t at = 0;
    char type[48], fingerprint[SP_FINGERPRINT_SIZE];

    *ret = (struct sp_authopts){0};
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (sp_sshkey_peek(line + at, len - at, type, fingerprint) == 0)
        return;
    while (at < len && line[at] != ' ' && line[at] != '\t') {
        struct word w;
        if (!read_word(line, len, &at, &w)) {
            (void)sp_str_copy(ret->bad, sizeof(ret->bad), w.name[0] != '\0' ? w.name : "(empty)");
            return;
        }
        take(ret, &w);
        at += at < len && line[at] == ',';
    }
}

static bool parse_address(const char *text, int *ret_family, unsigned char bytes[16])
{
    *ret_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(*ret_family, text, bytes) == 1;
}

bool sp_authopts_in_block(const char *block, const char *address, bool *ret_malformed)
{
    unsigned char a[16] = {0}, b[16] = {0};
    const char *slash = strchr(block, '/');
    char text[64];
    int family, other;
    uint64_t bits, most;

    *ret_malformed = true;
    if (sp_str_format(text, sizeof(text), "%.*s", (int)strcspn(block, "/"), block) != 0 ||
        !parse_address(text, &other, b))
        return false;
    most = bits = other == AF_INET ? 32 : 128;
    if (slash != NULL && sp_str_to_u64(slash + 1, most, &bits) != 0)
        return false;
    for (uint64_t i = bits; i < most; i++)
        if ((b[i / 8] & 0x80U >> i % 8) != 0) /* sshd refuses a block with host bits */
            return false;
    *ret_malformed = false;
    if (!parse_address(address, &family, a) || family != other)
        return false;
    for (uint64_t i = 0; i < bits; i++)
        if (((a[i / 8] ^ b[i / 8]) & 0x80U >> i % 8) != 0)
            return false;
    return true;
}

bool sp_authopts_from_matches(const char *list, const char *address)
{
    bool matched = false;

    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        bool negated = list[0] == '!', malformed = false, hit;
        char word[SP_AUTHOPTS_VALUE];

        if (sp_str_format(word, sizeof(word), "%.*s", (int)n - negated, list + negated) != 0)
            return false;
        if (strchr(word, '/') != NULL) {
            hit = sp_authopts_in_block(word, address, &malformed);
            if (malformed)
                return false;
        } else
            hit = sp_authopts_in_block(word, address, &malformed) ||
                  fnmatch(word, address, FNM_CASEFOLD) == 0;
        if (hit && negated)
            return false;
        matched |= hit;
        list += n + (list[n] == ',');
    }
    return matched;
}
