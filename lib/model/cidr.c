/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/cidr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static unsigned addr_bits(const struct sp_cidr *c)
{
    return c->family == 4 ? 32 : 128;
}

/* Clear every bit behind the prefix. */
static struct sp_cidr masked(const struct sp_cidr *c)
{
    struct sp_cidr m = *c;
    size_t whole = m.prefix / 8;

    if (whole < sizeof(m.addr)) {
        m.addr[whole] = (uint8_t)(m.addr[whole] & (0xff00 >> (m.prefix % 8)));
        memset(m.addr + whole + 1, 0, sizeof(m.addr) - whole - 1);
    }
    return m;
}

bool sp_cidr_equal(const struct sp_cidr *a, const struct sp_cidr *b)
{
    return a->family == b->family && a->prefix == b->prefix &&
           memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

bool sp_cidr_contains(const struct sp_cidr *outer, const struct sp_cidr *inner)
{
    size_t whole = outer->prefix / 8;
    unsigned mask = 0xff00U >> outer->prefix % 8 & 0xff;

    if (outer->family != inner->family || outer->prefix > inner->prefix || whole > sizeof(outer->addr))
        return false;
    if (memcmp(outer->addr, inner->addr, whole) != 0)
        return false;
    return whole == sizeof(outer->addr) || (inner->addr[whole] & mask) == outer->addr[whole];
}

/* Blocks that are nobody's source address. In order: the first that contains the block names the reason. */
static const struct special {
    struct sp_cidr block;
    const char *what;
    const char *hint;
} specials[] = {
    {{4, 8, {0}}, "is unspecified (0.0.0.0/8)", "name the addresses that connect"},
    {{4, 8, {127}}, "is loopback", "loopback is never restricted: leave it out"},
    {{4, 4, {224}}, "is multicast", "a source is one host or a block of hosts"},
    {{4, 4, {240}}, "is reserved (240.0.0.0/4)", "name the addresses that connect"},
    {{6, 128, {0}}, "is unspecified (::)", "name the addresses that connect"},
    {{6, 128, {[15] = 1}}, "is loopback", "loopback is never restricted: leave it out"},
    {{6, 96, {[10] = 0xff, 0xff}}, "is an IPv4 address mapped into IPv6", NULL},
    {{6, 96, {0}}, "is an IPv4 address in the abolished compatible form", NULL},
    {{6, 8, {0xff}}, "is multicast", "a source is one host or a block of hosts"},
    {{6, 10, {0xfe, 0x80}},
     "is link-local (fe80::/10)",
     "it means another host on every link: use a global or "
     "a unique local address"},
};

/* The IPv4 block inside ::ffff:a.b.c.d/n. */
static struct sp_cidr unmapped(const struct sp_cidr *c)
{
    struct sp_cidr four = {.family = 4, .prefix = (uint8_t)(c->prefix - 96)};

    memcpy(four.addr, c->addr + 12, 4);
    return four;
}

static int refuse_special(const struct sp_cidr *c, const struct special *s, struct sp_error *err)
{
    char text[SP_CIDR_SIZE];
    struct sp_cidr four;

    sp_fail(err, SP_E_INVALID, 0, "this source %s", s->what);
    if (s->hint != NULL)
        return sp_hint(err, "%s", s->hint);
    four = unmapped(c);
    sp_cidr_format(&four, text);
    return sp_hint(err, "write %s", text);
}

/* Most of ten thousand: IPv4, outside every special block, without bits behind its prefix. */
static bool is_plain_v4(const struct sp_cidr *c)
{
    static const uint8_t rest[12];
    uint32_t a =
        (uint32_t)c->addr[0] << 24 | (uint32_t)c->addr[1] << 16 | (uint32_t)c->addr[2] << 8 | c->addr[3];

    if (c->family != 4 || c->prefix < 8 || c->prefix > 32 || c->addr[0] == 0 || c->addr[0] == 127 ||
        c->addr[0] >= 224)
        return false;
    return (a & (uint32_t)((UINT64_C(1) << (32 - c->prefix)) - 1)) == 0 &&
           memcmp(c->addr + 4, rest, sizeof(rest)) == 0;
}

int sp_cidr_check(const struct sp_cidr *c, struct sp_error *err)
{
    char text[SP_CIDR_SIZE];
    struct sp_cidr m;

    if (is_plain_v4(c))
        return 0;
    if ((c->family != 4 && c->family != 6) || c->prefix > addr_bits(c)) {
        sp_fail(err, SP_E_INVALID, 0, "this is no block of IPv4 or IPv6");
        return sp_hint(err, "write an address such as 203.0.113.7 or a block such as 203.0.113.0/24");
    }
    if (c->prefix == 0) {
        sp_fail(err, SP_E_INVALID, 0, "the prefix /0 means everybody");
        return sp_hint(err, "leave the sources out, or set the port's mode to open");
    }
    for (size_t i = 0; i < SP_COUNT(specials); i++)
        if (sp_cidr_contains(&specials[i].block, c))
            return refuse_special(c, &specials[i], err);
    m = masked(c);
    if (!sp_cidr_equal(&m, c)) {
        sp_cidr_format(&m, text);
        sp_fail(err, SP_E_INVALID, 0, "the address has bits set behind its prefix of %u", c->prefix);
        return sp_hint(err, "write %s", text);
    }
    return 0;
}

/* Why a text that is neither address nor block is none, by its shape: the first row that fits speaks. */
static int refuse_text(const char *text, struct sp_error *err)
{
    size_t len = strlen(text), n = strcspn(text, "/");
    bool dashed = strchr(text, '-') != NULL && strpbrk(text, ".:") != NULL;
    const struct {
        bool fits;
        const char *what, *hint;
    } rows[] = {
        {len == 0, "is empty", "write an address such as 203.0.113.7 or a block such as 203.0.113.0/24"},
        {strchr(text, '%') != NULL, "has a zone id", "leave out the '%' and what follows it"},
        {strpbrk(text, "*?!") != NULL, "has a wildcard", "write a block such as 203.0.113.0/24"},
        {dashed && strspn(text, "0123456789abcdefABCDEF:./-") == len, "is a range",
         "write it as one or more blocks"},
        {strcasestr(text, "0x") == text || strcasestr(text, ".0x") != NULL, "is written in hexadecimal",
         "write four decimal numbers"},
        {strspn(text, "0123456789") == n, "is one number", "write four decimal numbers with dots"},
        {strspn(text, "0123456789.") == n, "is not four numbers from 0 to 255",
         "write all four, without leading zeros"},
        {strchr(text, ':') != NULL && strspn(text, "0123456789abcdefABCDEF:.") == n, "is no IPv6 address",
         "write eight groups of hexadecimal digits, or \"::\" once for the groups of zeros"},
        {true, "is not an address", "names are not looked up: write the address"},
    };
    size_t i = 0;

    while (!rows[i].fits)
        i++;
    sp_fail(err, SP_E_INVALID, 0, "this source %s", rows[i].what);
    return sp_hint(err, "%s", rows[i].hint);
}

/* Four decimal numbers without leading zeros: nft's own reader takes 010.1.2.3 for 8.1.2.3. What stands
 * behind them, or NULL. */
static const char *read_numbers(const char *s, uint8_t addr[16])
{
    for (int i = 0; i < 4; i++) {
        unsigned v = 0;
        const char *start = s;

        for (; *s >= '0' && *s <= '9' && s - start < 3; s++)
            v = v * 10 + (unsigned)(*s - '0');
        if (s == start || v > 255 || (*start == '0' && s - start > 1) || (i < 3 && *s++ != '.'))
            return NULL;
        addr[i] = (uint8_t)v;
    }
    return s;
}

static bool read_v4(const char *s, uint8_t addr[16])
{
    s = read_numbers(s, addr);
    return s != NULL && *s == '\0';
}

/* The short way for what needs no second look; whatever else is read as ever. */
static bool read_plain_v4(const char *text, struct sp_cidr *c)
{
    const char *s = read_numbers(text, c->addr);
    unsigned prefix = 32;

    if (s == NULL || (*s != '\0' && *s != '/'))
        return false;
    if (*s == '/') {
        size_t n = strspn(++s, "0123456789");
        if (n < 1 || n > 2 || s[n] != '\0' || *s == '0')
            return false;
        prefix = (unsigned)(s[0] - '0');
        if (n == 2)
            prefix = prefix * 10 + (unsigned)(s[1] - '0');
    }
    c->family = 4;
    c->prefix = (uint8_t)prefix;
    return is_plain_v4(c);
}

/* inet_pton(3) takes what RFC 4291 section 2.2 allows, and glibc's refuses leading zeros in a v4 tail. */
static bool read_v6(const char *s, uint8_t addr[16])
{
    return inet_pton(AF_INET6, s, addr) == 1;
}

int sp_cidr_parse(const char *text, struct sp_cidr *ret, struct sp_error *err)
{
    struct sp_cidr c = {0};
    char addr[SP_CIDR_SIZE];
    const char *slash;
    uint64_t prefix;
    size_t n;

    if (read_plain_v4(text, &c)) {
        *ret = c;
        return 0;
    }
    c = (struct sp_cidr){0};
    slash = strchr(text, '/');
    n = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (!sp_str_is_clean(text, strlen(text))) {
        sp_fail(err, SP_E_INVALID, 0, "the source has a control byte or is not UTF-8");
        return sp_hint(err, "write an address such as 203.0.113.7 or a block such as 203.0.113.0/24");
    }
    if (n >= sizeof(addr))
        return refuse_text(text, err);
    memcpy(addr, text, n);
    addr[n] = '\0';
    if (read_v4(addr, c.addr))
        c.family = 4;
    else if (memset(c.addr, 0, sizeof(c.addr)), read_v6(addr, c.addr))
        c.family = 6;
    else
        return refuse_text(text, err);
    prefix = addr_bits(&c);
    if (slash != NULL && sp_str_to_u64(slash + 1, prefix, &prefix) < 0) {
        sp_fail(err, SP_E_INVALID, 0, "the prefix is not a number of 1 to %u", addr_bits(&c));
        return sp_hint(err, "write it in decimal, as in 203.0.113.0/24; a netmask is not one");
    }
    c.prefix = (uint8_t)prefix;
    if (sp_cidr_check(&c, err) < 0)
        return -1;
    *ret = c;
    return 0;
}

int sp_cidr_read(const char *text, struct sp_cidr *ret)
{
    struct sp_cidr c = {0};
    char addr[SP_CIDR_SIZE];
    const char *slash = strchrnul(text, '/');
    uint64_t prefix;

    if (sp_str_format(addr, sizeof(addr), "%.*s", (int)(slash - text), text) < 0)
        return -1;
    if (read_v4(addr, c.addr))
        c.family = 4;
    else if (memset(c.addr, 0, sizeof(c.addr)), read_v6(addr, c.addr))
        c.family = 6;
    else
        return -1;
    prefix = addr_bits(&c);
    if (*slash != '\0' && sp_str_to_u64(slash + 1, prefix, &prefix) < 0)
        return -1;
    c.prefix = (uint8_t)prefix;
    *ret = masked(&c);
    return 0;
}

/* Decimal, up to 255; what stands behind it. */
static char *put_number(char *at, unsigned n)
{
    if (n >= 100)
        *at++ = (char)('0' + n / 100);
    if (n >= 10)
        *at++ = (char)('0' + n / 10 % 10);
    *at++ = (char)('0' + n % 10);
    return at;
}

static void format_v4(const struct sp_cidr *c, char *at)
{
    for (int i = 0; i < 4; i++) {
        at = put_number(at, c->addr[i]);
        *at++ = i < 3 ? '.' : '/';
    }
    if (c->prefix == 32)
        at--;
    else
        at = put_number(at, c->prefix);
    *at = '\0';
}

void sp_cidr_format(const struct sp_cidr *c, char out[SP_CIDR_SIZE])
{
    char addr[INET6_ADDRSTRLEN];

    if (c->family == 4) {
        format_v4(c, out);
        return;
    }
    if (inet_ntop(AF_INET6, c->addr, addr, sizeof(addr)) == NULL)
        addr[0] = '\0';
    if (c->prefix == addr_bits(c))
        (void)sp_str_copy(out, SP_CIDR_SIZE, addr);
    else
        (void)sp_str_format(out, SP_CIDR_SIZE, "%s/%u", addr, c->prefix);
}

void sp_cidr_list_clear(struct sp_cidr_list *l)
{
    free(l->v);
    *l = (struct sp_cidr_list){0};
}

/* The array has room for a power of two, so that n alone says when it is full. */
static int append(struct sp_cidr_list *l, const struct sp_cidr *c, struct sp_error *err)
{
    if ((l->n & (l->n - 1)) == 0) {
        struct sp_cidr *v = reallocarray(l->v, l->n != 0 ? l->n * 2 : 1, sizeof(*v));
        if (v == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        l->v = v;
    }
    l->v[l->n++] = *c;
    return 0;
}

int sp_cidr_list_add(struct sp_cidr_list *l, const struct sp_cidr *c, struct sp_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (sp_cidr_equal(&l->v[i], c))
            return 0;
    return append(l, c, err);
}

int sp_cidr_list_copy(struct sp_cidr_list *dst, const struct sp_cidr_list *src, struct sp_error *err)
{
    _cleanup_(sp_cidr_list_clear) struct sp_cidr_list l = {0};

    for (size_t i = 0; i < src->n; i++)
        if (append(&l, &src->v[i], err) < 0)
            return -1;
    *dst = l;
    l = (struct sp_cidr_list){0};
    return 0;
}

int sp_cidr_list_intersect(const struct sp_cidr_list *a, const struct sp_cidr_list *b,
                           struct sp_cidr_list *ret, struct sp_error *err)
{
    _cleanup_(sp_cidr_list_clear) struct sp_cidr_list l = {0};

    if (a->n == 0 || b->n == 0)
        return sp_cidr_list_copy(ret, a->n == 0 ? b : a, err);
    /* Two blocks are nested or disjoint, so what they share is the smaller one. */
    for (size_t i = 0; i < a->n; i++) {
        for (size_t j = 0; j < b->n; j++) {
            const struct sp_cidr *smaller = sp_cidr_contains(&a->v[i], &b->v[j])   ? &b->v[j]
                                            : sp_cidr_contains(&b->v[j], &a->v[i]) ? &a->v[i]
                                                                                   : NULL;
            if (smaller != NULL && sp_cidr_list_add(&l, smaller, err) < 0)
                return -1;
        }
    }
    *ret = l;
    l = (struct sp_cidr_list){0};
    return 0;
}
