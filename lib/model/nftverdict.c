/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/nftverdict.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define MAX_JUMPS 16 /* the kernel's own limit of nested chains */

/* What a question about the packet is answered with. */
enum truth { NO, YES, MAYBE };

/* What may become of the packet: several at once where a MAYBE lies on the way. */
enum fate { ACCEPTED = 1, DROPPED = 2, GOES_ON = 4 };

struct walk {
    const cJSON *items; /* the array "nftables" */
    const struct sp_nftverdict_packet *packet;
    const char *family, *table;
    char *where;
    bool definite; /* `where` names a rule that drops it for sure */
};

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static const cJSON *get(const cJSON *o, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(o, name);
}

static enum truth negate(enum truth t)
{
    return t == MAYBE ? MAYBE : t == YES ? NO : YES;
}

static enum truth either(enum truth a, enum truth b)
{
    return a == YES || b == YES ? YES : a == MAYBE || b == MAYBE ? MAYBE : NO;
}

/* --- values --- */

/* The packet's side of a match. */
enum what {
    IS_UNKNOWN,
    IS_PORT,
    IS_ADDRESS,
    IS_PROTOCOL,
    IS_STATE,
    IS_STATUS,
    IS_FAMILY,
    IS_INPUT,
    IS_ROUTE,
    IS_FLAGS
};

static enum what of_payload(const cJSON *payload, int *ret_family)
{
    const char *protocol = text_of(payload, "protocol"), *field = text_of(payload, "field");

    if ((sp_streq(protocol, "tcp") || sp_streq(protocol, "th")) && sp_streq(field, "dport"))
        return IS_PORT;
    if (sp_streq(protocol, "tcp") && sp_streq(field, "flags"))
        return IS_FLAGS;
    if ((sp_streq(protocol, "ip") && sp_streq(field, "protocol")) ||
        (sp_streq(protocol, "ip6") && sp_streq(field, "nexthdr")))
        return IS_PROTOCOL;
    if (!sp_streq(field, "saddr") || (!sp_streq(protocol, "ip") && !sp_streq(protocol, "ip6")))
        /* another protocol's field is never there in a TCP packet */
        return sp_streq(protocol, "udp") || sp_streq(protocol, "icmp") || sp_streq(protocol, "icmpv6")
                   ? IS_PROTOCOL
                   : IS_UNKNOWN;
    *ret_family = sp_streq(protocol, "ip") ? 4 : 6;
    return IS_ADDRESS;
}

static enum what of_left(const cJSON *left, int *ret_family)
{
    const cJSON *payload = get(left, "payload"), *meta = get(left, "meta"), *ct = get(left, "ct");
    const cJSON *and = get(left, "&");
    const char *key = text_of(meta, "key");

    if (payload != NULL)
        return of_payload(payload, ret_family);
    if (cJSON_IsArray(and) && get(cJSON_GetArrayItem(and, 0), "payload") != NULL)
        return of_payload(get(cJSON_GetArrayItem(and, 0), "payload"), ret_family) == IS_FLAGS ? IS_FLAGS
                                                                                              : IS_UNKNOWN;
    if (sp_streq(text_of(ct, "key"), "state"))
        return IS_STATE;
    if (sp_streq(text_of(ct, "key"), "status"))
        return IS_STATUS;
    if (sp_streq(key, "l4proto"))
        return IS_PROTOCOL;
    if (sp_streq(key, "nfproto"))
        return IS_FAMILY;
    if (sp_streq(key, "iifname") || sp_streq(key, "iif"))
        return IS_INPUT;
    return get(left, "fib") != NULL ? IS_ROUTE : IS_UNKNOWN;
}

/* 4, 6, or 0 where it is not known. */
static int family_of(const struct sp_nftverdict_packet *p)
{
    return p->from != NULL ? p->from->family : p->any;
}

static enum truth address_in(const struct walk *w, int family, const char *text, double prefix)
{
    struct sp_cidr block = {.family = (uint8_t)family, .prefix = (uint8_t)prefix};
    char address[SP_CIDR_SIZE], plain[SP_CIDR_SIZE];
    struct sp_error ignored;

    if (w->packet->from == NULL && w->packet->any == 0)
        return MAYBE;
    if (family_of(w->packet) != family)
        return NO;
    if (prefix == 0)
        return YES;
    if (w->packet->from == NULL)
        return NO;
    /* loopback and multicast are no block of sp_cidr's: the packet comes from neither */
    if (sp_str_copy(plain, sizeof(plain), text) < 0 ||
        sp_str_format(address, sizeof(address), "%s/%d", plain, (int)prefix) < 0 ||
        sp_cidr_parse(address, &block, &ignored) < 0)
        return NO;
    return sp_cidr_contains(&block, w->packet->from) ? YES : NO;
}

static enum truth address_between(const struct walk *w, int family, const char *low, const char *high)
{
    struct sp_cidr a, b;
    struct sp_error ignored;
    size_t n = family == 4 ? 4 : 16;

    if (w->packet->from == NULL)
        return w->packet->any == 0 ? MAYBE : NO;
    if (w->packet->from->family != family)
        return NO;
    if (sp_cidr_parse(low, &a, &ignored) < 0 || sp_cidr_parse(high, &b, &ignored) < 0)
        return MAYBE;
    return memcmp(a.addr, w->packet->from->addr, n) <= 0 && memcmp(w->packet->from->addr, b.addr, n) <= 0
               ? YES
               : NO;
}

static enum truth is_port(const struct walk *w, const cJSON *v)
{
    const cJSON *range = get(v, "range");

    if (cJSON_IsNumber(v))
        return v->valuedouble == w->packet->port ? YES : NO;
    if (sp_streq(cJSON_GetStringValue(v), "ssh")) /* nft without -n names services(5) */
        return w->packet->port == 22 ? YES : NO;
    if (cJSON_IsNumber(cJSON_GetArrayItem(range, 0)) && cJSON_IsNumber(cJSON_GetArrayItem(range, 1)))
        return cJSON_GetArrayItem(range, 0)->valuedouble <= w->packet->port &&
                       w->packet->port <= cJSON_GetArrayItem(range, 1)->valuedouble
                   ? YES
                   : NO;
    return cJSON_IsString(v) ? NO : MAYBE;
}

static enum truth is_address(const struct walk *w, int family, const cJSON *v)
{
    const cJSON *prefix = get(v, "prefix"), *range = get(v, "range"), *len = get(prefix, "len");

    if (cJSON_IsString(v))
        return address_in(w, family, v->valuestring, family == 4 ? 32 : 128);
    if (cJSON_IsNumber(len))
        return address_in(w, family, text_of(prefix, "addr"), len->valuedouble);
    if (cJSON_IsString(cJSON_GetArrayItem(range, 0)) && cJSON_IsString(cJSON_GetArrayItem(range, 1)))
        return address_between(w, family, cJSON_GetArrayItem(range, 0)->valuestring,
                               cJSON_GetArrayItem(range, 1)->valuestring);
    return MAYBE;
}

static enum truth is_word(const cJSON *v, const char *word)
{
    return !cJSON_IsString(v) ? MAYBE : sp_streq(v->valuestring, word) ? YES : NO;
}

static enum truth is_value(const struct walk *w, enum what what, int family, const cJSON *v)
{
    switch (what) {
    case IS_PORT:
        return is_port(w, v);
    case IS_ADDRESS:
        return is_address(w, family, v);
    case IS_PROTOCOL:
        return cJSON_IsNumber(v) ? (v->valuedouble == 6 ? YES : NO) : is_word(v, "tcp");
    case IS_STATE:
        return is_word(v, "new");
    case IS_STATUS: /* a first packet, for this host itself: nothing has happened to it yet */
        return cJSON_IsString(v) ? NO : MAYBE;
    case IS_FAMILY:
        return family_of(w->packet) == 0 ? MAYBE : is_word(v, family_of(w->packet) == 4 ? "ipv4" : "ipv6");
    case IS_INPUT: /* it comes from somewhere else; over which of the other interfaces is not known */
        return is_word(v, "lo") == YES ? NO : MAYBE;
    case IS_ROUTE:
        if (cJSON_IsBool(v)) /* "fib saddr . iif oif missing": there is a way back */
            return cJSON_IsTrue(v) ? YES : NO;
        if (is_word(v, "multicast") == YES || is_word(v, "broadcast") == YES)
            return NO;
        return is_word(v, "local") == YES ? YES : MAYBE;
    case IS_FLAGS: /* SYN without the rest: `tcp flags & (fin|syn|rst|ack) == syn`, `tcp flags syn` */
        return is_word(v, "syn") == YES ? YES : MAYBE;
    default:
        return MAYBE;
    }
}

/* --- sets --- */

/* An element is a value, or {"elem":{"val":...}}; of a map, [key, verdict]. */
static const cJSON *bare(const cJSON *element)
{
    const cJSON *elem = get(element, "elem");

    if (cJSON_IsArray(element))
        element = cJSON_GetArrayItem(element, 0);
    elem = get(element, "elem");
    return elem != NULL ? get(elem, "val") : element;
}

static const cJSON *find_named(const struct walk *w, const char *kind, const char *name)
{
    const cJSON *item = NULL;

    cJSON_ArrayForEach(item, w->items)
    {
        const cJSON *one = get(item, kind);
        if (one != NULL && sp_streq(text_of(one, "family"), w->family) &&
            sp_streq(text_of(one, "table"), w->table) && sp_streq(text_of(one, "name"), name))
            return one;
    }
    return NULL;
}

static enum truth in_list(const struct walk *w, enum what what, int family, const cJSON *list)
{
    const cJSON *v = NULL;
    enum truth t = NO;

    cJSON_ArrayForEach(v, list)
    {
        t = either(t, is_value(w, what, family, bare(v)));
    }
    return t;
}

static enum truth is_one_of(const struct walk *w, enum what what, int family, const cJSON *right)
{
    const cJSON *set = get(right, "set");

    if (set != NULL)
        return cJSON_IsArray(set) ? in_list(w, what, family, set) : is_value(w, what, family, set);
    if (cJSON_IsArray(right)) /* flags: any of them */
        return in_list(w, what, family, right);
    if (cJSON_IsString(right) && right->valuestring[0] == '@') {
        const cJSON *named = find_named(w, "set", right->valuestring + 1);
        return named == NULL ? MAYBE : in_list(w, what, family, get(named, "elem"));
    }
    return is_value(w, what, family, right);
}

/* A field of UDP or ICMP: the packet has none. */
static bool is_foreign(const cJSON *left)
{
    const char *protocol = text_of(get(left, "payload"), "protocol");

    return sp_streq(protocol, "udp") || sp_streq(protocol, "icmp") || sp_streq(protocol, "icmpv6") ||
           sp_streq(protocol, "sctp") || sp_streq(protocol, "dccp");
}

static enum truth matches(const struct walk *w, const cJSON *match)
{
    const cJSON *left = get(match, "left"), *right = get(match, "right");
    const char *op = text_of(match, "op");
    int family = 0;
    enum what what = of_left(left, &family);
    enum truth t;

    if (is_foreign(left))
        return NO;
    if (what == IS_UNKNOWN)
        return MAYBE;
    /* an address of the other family: the field is not there, and no comparison with it holds */
    if (what == IS_ADDRESS && family_of(w->packet) != 0 && family_of(w->packet) != family)
        return NO;
    t = is_one_of(w, what, family, right);
    if (sp_streq(op, "==") || sp_streq(op, "in"))
        return t;
    return sp_streq(op, "!=") ? negate(t) : MAYBE;
}

/* --- rules and chains --- */

static unsigned walk_chain(struct walk *w, const char *chain, int depth);

static void blame(struct walk *w, const char *chain, const cJSON *rule, enum truth how)
{
    const char *comment = text_of(rule, "comment");
    const cJSON *handle = get(rule, "handle");

    if (w->definite || (w->where[0] != '\0' && how != YES))
        return;
    w->definite = how == YES;
    if (rule == NULL)
        (void)sp_str_format(w->where, SP_NFTVERDICT_WHERE, "%.60s %.60s, the policy of chain %.60s",
                            w->family, w->table, chain);
    else
        (void)sp_str_format(w->where, SP_NFTVERDICT_WHERE, "%.60s %.60s, chain %.60s, handle %d%s%.60s%s",
                            w->family, w->table, chain,
                            cJSON_IsNumber(handle) ? (int)handle->valuedouble : 0,
                            comment[0] != '\0' ? " (" : "", comment, comment[0] != '\0' ? ")" : "");
}

/* One verdict statement, or 0 where this statement is none. `out` gets what a jump may come to. */
static unsigned verdict_of(struct walk *w, const cJSON *statement, int depth)
{
    const cJSON *jump = get(statement, "jump"), *go = get(statement, "goto");

    if (get(statement, "accept") != NULL)
        return ACCEPTED;
    if (get(statement, "drop") != NULL || get(statement, "reject") != NULL)
        return DROPPED;
    if (get(statement, "return") != NULL)
        return GOES_ON;
    if (get(statement, "queue") != NULL) /* a program decides */
        return ACCEPTED | DROPPED;
    if (jump == NULL && go == NULL)
        return 0;
    return walk_chain(w, text_of(jump != NULL ? jump : go, "target"), depth + 1);
}

/* A verdict map: the verdicts of the elements that match. */
static unsigned map_fate(struct walk *w, const cJSON *vmap, int depth, enum truth *ret)
{
    const cJSON *data = get(vmap, "data"), *pair = NULL;
    int family = 0;
    enum what what = of_left(get(vmap, "key"), &family);
    unsigned fate = 0;

    *ret = NO;
    if (cJSON_IsString(data) && data->valuestring[0] == '@')
        data = get(find_named(w, "map", data->valuestring + 1), "elem");
    else
        data = get(data, "set");
    cJSON_ArrayForEach(pair, data)
    {
        enum truth t = what == IS_UNKNOWN ? MAYBE : is_value(w, what, family, bare(pair));
        if (is_foreign(get(vmap, "key")))
            t = NO;
        if (t == NO)
            continue;
        fate |= verdict_of(w, cJSON_GetArrayItem(pair, 1), depth);
        *ret = either(*ret, t);
        if (t == YES)
            break;
    }
    return fate;
}

/* What a rule may do with the packet; GOES_ON where the next one is asked. */
static unsigned rule_fate(struct walk *w, const char *chain, const cJSON *rule, int depth)
{
    const cJSON *s = NULL;
    enum truth here = YES;

    cJSON_ArrayForEach(s, get(rule, "expr"))
    {
        const cJSON *match = get(s, "match"), *vmap = get(s, "vmap"), *limit = get(s, "limit");
        enum truth t = YES;
        unsigned fate = 0;

        if (match != NULL)
            t = matches(w, match);
        else if (vmap != NULL)
            fate = map_fate(w, vmap, depth, &t);
        else if (limit != NULL) /* within its limit one packet is */
            t = cJSON_IsTrue(get(limit, "inv")) ? NO : YES;
        else if (sp_streq(text_of(get(s, "xt"), "type"), "target")) /* REJECT, LOG, ...: not to be told */
            fate = ACCEPTED | DROPPED | GOES_ON;
        else if (get(s, "xt") != NULL)
            t = MAYBE;
        else
            fate = verdict_of(w, s, depth);
        if (t == NO)
            return GOES_ON;
        if (t == MAYBE)
            here = MAYBE;
        if (fate == 0)
            continue;
        if ((fate & DROPPED) != 0)
            blame(w, chain, rule, here == YES && fate == DROPPED ? YES : MAYBE);
        /* `return` leaves the chain, which the caller of walk_chain() sees as going on there */
        if (get(s, "return") != NULL)
            return here == YES ? 0 : GOES_ON;
        if (get(s, "goto") != NULL && here == YES)
            return fate & ~(unsigned)GOES_ON;
        return here == YES ? fate : fate | GOES_ON;
    }
    return GOES_ON;
}

/* What may become of it in this chain; GOES_ON: it comes to the end. */
static unsigned walk_chain(struct walk *w, const char *chain, int depth)
{
    const cJSON *item = NULL;
    unsigned all = 0;

    if (depth > MAX_JUMPS)
        return ACCEPTED | DROPPED | GOES_ON;
    cJSON_ArrayForEach(item, w->items)
    {
        const cJSON *rule = get(item, "rule");
        unsigned fate;

        if (rule == NULL || !sp_streq(text_of(rule, "family"), w->family) ||
            !sp_streq(text_of(rule, "table"), w->table) || !sp_streq(text_of(rule, "chain"), chain))
            continue;
        fate = rule_fate(w, chain, rule, depth);
        all |= fate & ~(unsigned)GOES_ON;
        if ((fate & GOES_ON) == 0)
            return fate == 0 ? all | GOES_ON : all; /* 0: it returned to where the chain was called */
    }
    return all | GOES_ON;
}

bool sp_nftverdict_is_xtables(const char *family, const char *table)
{
    static const char *const names[] = {"filter", "mangle", "raw", "security"};

    for (size_t i = 0; i < SP_COUNT(names) && !sp_streq(family, "inet"); i++)
        if (sp_streq(table, names[i]))
            return true;
    return false;
}

static bool is_on_the_way(const cJSON *chain, const struct sp_nftverdict_packet *p)
{
    const char *family = text_of(chain, "family"), *hook = text_of(chain, "hook");

    if (!sp_streq(text_of(chain, "type"), "filter") ||
        (!sp_streq(hook, "input") && !sp_streq(hook, "prerouting")))
        return false;
    if (family_of(p) != 0 && sp_streq(family, family_of(p) == 4 ? "ip6" : "ip"))
        return false;
    if (p->not_xtables && sp_nftverdict_is_xtables(family, text_of(chain, "table")))
        return false;
    if (p->not_table != NULL && sp_streq(family, "inet") && sp_streq(text_of(chain, "table"), p->not_table))
        return false;
    return sp_streq(family, "ip") || sp_streq(family, "ip6") || sp_streq(family, "inet");
}

int sp_nftverdict_judge(const cJSON *ruleset, const struct sp_nftverdict_packet *p, enum sp_nftverdict *ret,
                        char where[SP_NFTVERDICT_WHERE], struct sp_error *err)
{
    struct walk w = {.items = get(ruleset, "nftables"), .packet = p, .where = where};
    const cJSON *item = NULL;

    *ret = SP_NFT_PASSES;
    where[0] = '\0';
    if (!cJSON_IsArray(w.items))
        return sp_fail(err, SP_E_INVALID, 0, "this is not what nft -j prints");
    cJSON_ArrayForEach(item, w.items)
    {
        const cJSON *chain = get(item, "chain");
        unsigned fate;

        if (chain == NULL || !is_on_the_way(chain, p))
            continue;
        w.family = text_of(chain, "family");
        w.table = text_of(chain, "table");
        fate = walk_chain(&w, text_of(chain, "name"), 0);
        if ((fate & GOES_ON) != 0 && sp_streq(text_of(chain, "policy"), "drop")) {
            fate |= DROPPED;
            blame(&w, text_of(chain, "name"), NULL, (fate & ~(unsigned)GOES_ON) == DROPPED ? YES : MAYBE);
        } else if ((fate & GOES_ON) != 0)
            fate |= ACCEPTED;
        fate &= ~(unsigned)GOES_ON;
        if (fate == DROPPED) {
            *ret = SP_NFT_DROPPED;
            return 0;
        }
        if ((fate & DROPPED) != 0)
            *ret = SP_NFT_CANNOT_TELL;
    }
    if (*ret == SP_NFT_PASSES)
        where[0] = '\0';
    return 0;
}
