/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/nftmatch.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static const cJSON *get(const cJSON *o, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(o, name);
}

enum sp_truth sp_truth_not(enum sp_truth t)
{
    return t == SP_MAYBE ? SP_MAYBE : t == SP_YES ? SP_NO : SP_YES;
}

enum sp_truth sp_truth_or(enum sp_truth a, enum sp_truth b)
{
    return a == SP_YES || b == SP_YES ? SP_YES : a == SP_MAYBE || b == SP_MAYBE ? SP_MAYBE : SP_NO;
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
    IS_ROUTE,      /* to where it goes */
    IS_ROUTE_BACK, /* to where it comes from */
    IS_FLAGS
};

/* One word, or a list of them. */
static bool has_word(const cJSON *v, const char *word)
{
    const cJSON *one = NULL;

    cJSON_ArrayForEach(one, v)
    {
        if (sp_streq(cJSON_GetStringValue(one), word))
            return true;
    }
    return sp_streq(cJSON_GetStringValue(v), word);
}

static enum what of_payload(const cJSON *payload, int *ret_family)
{
    const char *protocol = text_of(payload, "protocol"), *field = text_of(payload, "field");

    if ((sp_streq(protocol, "tcp") || sp_streq(protocol, "th")) && sp_streq(field, "dport"))
        return IS_PORT;
    if (sp_streq(protocol, "tcp") && sp_streq(field, "flags"))
        return IS_FLAGS;
    *ret_family = sp_streq(protocol, "ip") ? 4 : sp_streq(protocol, "ip6") ? 6 : 0;
    if (*ret_family != 0 && sp_streq(field, "saddr"))
        return IS_ADDRESS;
    return sp_streq(field, *ret_family == 4 ? "protocol" : "nexthdr") && *ret_family != 0 ? IS_PROTOCOL
                                                                                          : IS_UNKNOWN;
}

static enum what of_left(const cJSON *left, int *ret_family)
{
    const cJSON *payload = get(left, "payload"), *meta = get(left, "meta"), *ct = get(left, "ct");
    const cJSON *and = get(left, "&");
    const char *key = text_of(meta, "key");

    if (payload != NULL)
        return of_payload(payload, ret_family);
    if (cJSON_IsArray(and))
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
    if (get(left, "fib") == NULL)
        return IS_UNKNOWN;
    return has_word(get(get(left, "fib"), "flags"), "saddr") ? IS_ROUTE_BACK : IS_ROUTE;
}

/* 4, 6, or 0 where it is not known. */
static int family_of(const struct sp_nftverdict_packet *p)
{
    return p->from != NULL ? p->from->family : p->any;
}

enum sp_truth sp_packet_is_from(const struct sp_nftverdict_packet *p, const char *block)
{
    struct sp_cidr b;

    if (sp_cidr_read(block, &b) < 0 || family_of(p) == 0)
        return SP_MAYBE;
    if (family_of(p) != b.family)
        return SP_NO;
    if (p->from == NULL) /* no rule names it, but the one that names everybody */
        return b.prefix == 0 ? SP_YES : SP_NO;
    return sp_cidr_contains(&b, p->from) ? SP_YES : SP_NO;
}

static enum sp_truth address_between(const struct sp_nftmatch *w, const char *low, const char *high)
{
    const struct sp_cidr *from = w->packet->from;
    struct sp_cidr a, b;

    if (family_of(w->packet) == 0 || sp_cidr_read(low, &a) < 0 || sp_cidr_read(high, &b) < 0)
        return SP_MAYBE;
    return from != NULL && from->family == a.family && memcmp(a.addr, from->addr, sizeof(a.addr)) <= 0 &&
                   memcmp(from->addr, b.addr, sizeof(b.addr)) <= 0
               ? SP_YES
               : SP_NO;
}

static enum sp_truth is_port(const struct sp_nftmatch *w, const cJSON *v)
{
    const cJSON *range = get(v, "range");

    if (cJSON_IsNumber(v))
        return v->valuedouble == w->packet->port ? SP_YES : SP_NO;
    if (sp_streq(cJSON_GetStringValue(v), "ssh")) /* nft without -n names services(5) */
        return w->packet->port == 22 ? SP_YES : SP_NO;
    if (cJSON_IsNumber(cJSON_GetArrayItem(range, 0)) && cJSON_IsNumber(cJSON_GetArrayItem(range, 1)))
        return cJSON_GetArrayItem(range, 0)->valuedouble <= w->packet->port &&
                       w->packet->port <= cJSON_GetArrayItem(range, 1)->valuedouble
                   ? SP_YES
                   : SP_NO;
    return cJSON_IsString(v) ? SP_NO : SP_MAYBE;
}

static enum sp_truth is_address(const struct sp_nftmatch *w, const cJSON *v)
{
    const cJSON *prefix = get(v, "prefix"), *range = get(v, "range"), *len = get(prefix, "len");
    char block[2 * SP_CIDR_SIZE];

    if (cJSON_IsString(v))
        return sp_packet_is_from(w->packet, v->valuestring);
    if (cJSON_IsNumber(len) &&
        sp_str_format(block, sizeof(block), "%s/%.0f", text_of(prefix, "addr"), len->valuedouble) == 0)
        return sp_packet_is_from(w->packet, block);
    if (cJSON_IsString(cJSON_GetArrayItem(range, 0)) && cJSON_IsString(cJSON_GetArrayItem(range, 1)))
        return address_between(w, cJSON_GetArrayItem(range, 0)->valuestring,
                               cJSON_GetArrayItem(range, 1)->valuestring);
    return SP_MAYBE;
}

static enum sp_truth is_word(const cJSON *v, const char *word)
{
    return !cJSON_IsString(v) ? SP_MAYBE : sp_streq(v->valuestring, word) ? SP_YES : SP_NO;
}

/* fib(8) of nft: the type of the address, or whether there is an interface. */
static enum sp_truth is_route(const cJSON *v, enum what what)
{
    if (cJSON_IsBool(v)) /* "fib saddr . iif oif missing": there is a way back */
        return cJSON_IsTrue(v) ? SP_YES : SP_NO;
    if (is_word(v, "multicast") == SP_YES || is_word(v, "broadcast") == SP_YES)
        return SP_NO;
    if (is_word(v, "local") == SP_YES) /* for this host, and from another */
        return what == IS_ROUTE ? SP_YES : SP_NO;
    return SP_MAYBE;
}

static enum sp_truth is_value(const struct sp_nftmatch *w, enum what what, const cJSON *v)
{
    switch (what) {
    case IS_PORT:
        return is_port(w, v);
    case IS_ADDRESS:
        return is_address(w, v);
    case IS_PROTOCOL:
        return cJSON_IsNumber(v) ? (v->valuedouble == 6 ? SP_YES : SP_NO) : is_word(v, "tcp");
    case IS_STATE:
        return is_word(v, "new");
    case IS_STATUS: /* a first packet, for this host itself: nothing has happened to it yet */
        return cJSON_IsString(v) ? SP_NO : SP_MAYBE;
    case IS_FAMILY:
        return family_of(w->packet) == 0 ? SP_MAYBE
                                         : is_word(v, family_of(w->packet) == 4 ? "ipv4" : "ipv6");
    case IS_INPUT: /* it comes from somewhere else; over which of the other interfaces is not known */
        return is_word(v, "lo") == SP_YES ? SP_NO : SP_MAYBE;
    case IS_ROUTE:
    case IS_ROUTE_BACK:
        return is_route(v, what);
    case IS_FLAGS:
        return is_word(v, "syn");
    default:
        return SP_MAYBE;
    }
}

/* --- sets --- */

/* An element is a value, or {"elem":{"val":...}}. */
static const cJSON *bare(const cJSON *element)
{
    const cJSON *elem = get(element, "elem");

    return elem != NULL ? get(elem, "val") : element;
}

static const cJSON *find_named(const struct sp_nftmatch *w, const char *kind, const char *name)
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

static enum sp_truth in_list(const struct sp_nftmatch *w, enum what what, const cJSON *list)
{
    const cJSON *v = NULL;
    enum sp_truth t = SP_NO;

    cJSON_ArrayForEach(v, list)
    {
        t = sp_truth_or(t, is_value(w, what, bare(v)));
    }
    return t;
}

static enum sp_truth is_one_of(const struct sp_nftmatch *w, enum what what, const cJSON *right)
{
    const cJSON *set = get(right, "set");

    if (set != NULL)
        return cJSON_IsArray(set) ? in_list(w, what, set) : is_value(w, what, set);
    if (cJSON_IsArray(right)) /* `ct state established,related`: any of them */
        return in_list(w, what, right);
    if (cJSON_IsString(right) && right->valuestring[0] == '@') {
        const cJSON *named = find_named(w, "set", right->valuestring + 1);
        return named == NULL ? SP_MAYBE : in_list(w, what, get(named, "elem"));
    }
    return is_value(w, what, right);
}

/* The flags of a first packet are SYN alone. `tcp flags & (fin|syn) == (fin|syn)`: what the mask leaves of
 * them is compared as a whole. "in" is any of them, "!" none of them. */
static enum sp_truth has_flags(const cJSON *left, const char *op, const cJSON *right)
{
    const cJSON *and = get(left, "&"), *mask = cJSON_GetArrayItem(and, 1);
    const bool left_over = and == NULL || has_word(mask, "syn");
    const bool lists = cJSON_IsString(right) || cJSON_IsArray(right);
    const bool zero = cJSON_IsNumber(right) && right->valuedouble == 0;
    const bool syn = has_word(right, "syn"),
               alone = cJSON_IsString(right) || cJSON_GetArraySize(right) == 1;
    bool equal;

    if ((!lists && !zero) || (and != NULL && !cJSON_IsString(mask) && !cJSON_IsArray(mask)))
        return SP_MAYBE;
    if (sp_streq(op, "in"))
        return left_over && syn ? SP_YES : SP_NO;
    if (sp_streq(op, "!"))
        return left_over && syn ? SP_NO : SP_YES;
    equal = zero ? !left_over : left_over && syn && alone;
    return sp_streq(op, "==")   ? (equal ? SP_YES : SP_NO)
           : sp_streq(op, "!=") ? (equal ? SP_NO : SP_YES)
                                : SP_MAYBE;
}

/* A field of UDP or ICMP: the packet has none. */
static bool is_foreign(const cJSON *left)
{
    const char *protocol = text_of(get(left, "payload"), "protocol");

    return sp_streq(protocol, "udp") || sp_streq(protocol, "icmp") || sp_streq(protocol, "icmpv6") ||
           sp_streq(protocol, "sctp") || sp_streq(protocol, "dccp");
}

/* Which side of the packet it is; SP_NO where the packet has no such field, and no comparison holds. */
static enum sp_truth find_side(const struct sp_nftmatch *w, const cJSON *left, enum what *ret)
{
    int family = 0;

    *ret = of_left(left, &family);
    if (is_foreign(left) || (family != 0 && family_of(w->packet) != 0 && family_of(w->packet) != family))
        return SP_NO;
    return family != 0 && family_of(w->packet) == 0 ? SP_MAYBE : SP_YES;
}

enum sp_truth sp_nftmatch_holds(const struct sp_nftmatch *m, const cJSON *match)
{
    const cJSON *left = get(match, "left"), *right = get(match, "right");
    const char *op = text_of(match, "op");
    enum what what;
    enum sp_truth there = find_side(m, left, &what), t;

    if (there != SP_YES || what == IS_UNKNOWN)
        return there == SP_NO ? SP_NO : SP_MAYBE;
    if (what == IS_FLAGS && (get(right, "set") == NULL || get(left, "&") != NULL))
        return has_flags(left, op, right);
    t = is_one_of(m, what, right);
    if (sp_streq(op, "==") || sp_streq(op, "in"))
        return t;
    return sp_streq(op, "!=") ? sp_truth_not(t) : SP_MAYBE;
}

/* Beyond a limit (nft's "over") no first packet is; within it each is. What a quota has left is not known,
 * nor what stands behind a name. */
static enum sp_truth within(const cJSON *statement)
{
    static const char *const limits[] = {"limit", "ct count"};

    for (size_t i = 0; i < SP_COUNT(limits); i++)
        if (cJSON_IsObject(get(statement, limits[i])))
            return cJSON_IsTrue(get(get(statement, limits[i]), "inv")) ? SP_NO : SP_YES;
    return SP_MAYBE;
}

enum sp_truth sp_nftmatch_passes(const cJSON *statement)
{
    static const char *const neutral[] = {"counter",   "log",        "mangle",         "notrack",
                                          "ct helper", "ct timeout", "ct expectation", "secmark",
                                          "flow",      "dup"};
    const cJSON *set = get(statement, "set"), *meter = get(statement, "meter");
    const cJSON *inner = get(set != NULL ? set : meter, "stmt");

    for (size_t i = 0; i < SP_COUNT(neutral); i++)
        if (get(statement, neutral[i]) != NULL)
            return SP_YES;
    if (inner != NULL) /* one for each source: an array in a set, an object in a meter */
        return cJSON_GetArraySize(inner) > 1 ? SP_MAYBE
                                             : within(cJSON_IsArray(inner) ? inner->child : inner);
    return set != NULL || meter != NULL ? SP_YES : within(statement);
}

const cJSON *sp_nftmatch_pairs(const struct sp_nftmatch *m, const cJSON *vmap)
{
    const cJSON *data = get(vmap, "data");

    if (cJSON_IsString(data) && data->valuestring[0] == '@')
        return get(find_named(m, "map", data->valuestring + 1), "elem");
    return get(data, "set");
}

enum sp_truth sp_nftmatch_pair(const struct sp_nftmatch *m, const cJSON *vmap, const cJSON *pair)
{
    enum what what;
    enum sp_truth there = find_side(m, get(vmap, "key"), &what);

    if (there != SP_YES || what == IS_UNKNOWN)
        return there == SP_NO ? SP_NO : SP_MAYBE;
    return is_value(m, what, bare(cJSON_GetArrayItem(pair, 0)));
}
