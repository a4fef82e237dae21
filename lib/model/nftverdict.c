/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/nftverdict.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/nftmatch.h"

#define MAX_JUMPS 16 /* the kernel's own limit of nested chains */
#define MAX_CHAINS                                                                                         \
    1000 /* that are walked through, counted each time: jumps that meet again are many ways */

/* What may become of the packet, several at once where a SP_MAYBE lies on the way. GOES_ON: the next rule
 * is asked, or the chain's end is reached; RETURNS: the rest of the chain is left out. */
enum fate { ACCEPTED = 1, DROPPED = 2, GOES_ON = 4, RETURNS = 8, ANYTHING = ACCEPTED | DROPPED | GOES_ON };

struct walk {
    struct sp_nftmatch ask;
    char *where;
    unsigned chains;
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

static unsigned walk_chain(struct walk *w, const char *chain, int depth);

static void blame(struct walk *w, const char *chain, const cJSON *rule, enum sp_truth how)
{
    const char *comment = text_of(rule, "comment");
    const cJSON *handle = get(rule, "handle");

    if (w->definite || (w->where[0] != '\0' && how != SP_YES))
        return;
    w->definite = how == SP_YES;
    if (rule == NULL)
        (void)sp_str_format(w->where, SP_NFTVERDICT_WHERE, "%.60s %.60s, the policy of chain %.60s",
                            w->ask.family, w->ask.table, chain);
    else
        (void)sp_str_format(w->where, SP_NFTVERDICT_WHERE, "%.60s %.60s, chain %.60s, handle %d%s%.60s%s",
                            w->ask.family, w->ask.table, chain,
                            cJSON_IsNumber(handle) ? (int)handle->valuedouble : 0,
                            comment[0] != '\0' ? " (" : "", comment, comment[0] != '\0' ? ")" : "");
}

/* What a chain's end means to who came by goto(8): the end of his own chain. */
static unsigned as_goto(unsigned fate)
{
    return (fate & GOES_ON) != 0 ? (fate & ~(unsigned)GOES_ON) | RETURNS : fate;
}

/* One verdict statement, or 0 where this statement is none. */
static unsigned verdict_of(struct walk *w, const cJSON *statement, int depth)
{
    const cJSON *jump = get(statement, "jump"), *go = get(statement, "goto");

    if (get(statement, "accept") != NULL)
        return ACCEPTED;
    if (get(statement, "drop") != NULL || get(statement, "reject") != NULL)
        return DROPPED;
    if (get(statement, "return") != NULL)
        return RETURNS;
    if (get(statement, "continue") != NULL)
        return GOES_ON;
    if (get(statement, "queue") != NULL) /* a program decides */
        return ACCEPTED | DROPPED;
    if (jump != NULL)
        return walk_chain(w, text_of(jump, "target"), depth + 1);
    return go != NULL ? as_goto(walk_chain(w, text_of(go, "target"), depth + 1)) : 0;
}

/* A verdict map: the verdicts of the elements that match. */
static unsigned map_fate(struct walk *w, const cJSON *vmap, int depth, enum sp_truth *ret)
{
    const cJSON *pair = NULL;
    unsigned fate = 0;

    *ret = SP_NO;
    cJSON_ArrayForEach(pair, sp_nftmatch_pairs(&w->ask, vmap))
    {
        enum sp_truth t = sp_nftmatch_pair(&w->ask, vmap, pair);
        if (t == SP_NO)
            continue;
        fate |= verdict_of(w, cJSON_GetArrayItem(pair, 1), depth);
        *ret = sp_truth_or(*ret, t);
        if (t == SP_YES)
            break;
    }
    return fate;
}

/* What one statement does: a verdict is in *ret_fate, or it lets the packet on to the next statement. */
static enum sp_truth statement_fate(struct walk *w, const cJSON *s, int depth, unsigned *ret_fate)
{
    enum sp_truth t = SP_YES;

    *ret_fate = 0;
    if (get(s, "match") != NULL)
        return sp_nftmatch_holds(&w->ask, get(s, "match"));
    if (get(s, "vmap") != NULL)
        *ret_fate = map_fate(w, get(s, "vmap"), depth, &t);
    else if (sp_streq(text_of(get(s, "xt"), "type"), "target")) /* REJECT, LOG, ...: not to be told */
        *ret_fate = ANYTHING;
    else
        *ret_fate = verdict_of(w, s, depth);
    return *ret_fate != 0 || get(s, "vmap") != NULL ? t : sp_nftmatch_passes(s);
}

/* What a rule may do with the packet; GOES_ON where the next one is asked. */
static unsigned rule_fate(struct walk *w, const char *chain, const cJSON *rule, int depth)
{
    const cJSON *s = NULL;
    enum sp_truth here = SP_YES;

    cJSON_ArrayForEach(s, get(rule, "expr"))
    {
        unsigned fate = 0;
        enum sp_truth t = statement_fate(w, s, depth, &fate);

        if (t == SP_NO)
            return GOES_ON;
        if (t == SP_MAYBE)
            here = SP_MAYBE;
        if (fate == 0)
            continue;
        if ((fate & DROPPED) != 0)
            blame(w, chain, rule, here == SP_YES && fate == DROPPED ? SP_YES : SP_MAYBE);
        return here == SP_YES ? fate : fate | GOES_ON;
    }
    return GOES_ON;
}

/* What may become of it in this chain; GOES_ON: it comes to the end. */
static unsigned walk_chain(struct walk *w, const char *chain, int depth)
{
    const cJSON *item = NULL;
    unsigned all = 0;

    if (depth > MAX_JUMPS || w->chains++ >= MAX_CHAINS)
        return ANYTHING;
    cJSON_ArrayForEach(item, w->ask.items)
    {
        const cJSON *rule = get(item, "rule");
        unsigned fate;

        if (rule == NULL || !sp_streq(text_of(rule, "family"), w->ask.family) ||
            !sp_streq(text_of(rule, "table"), w->ask.table) || !sp_streq(text_of(rule, "chain"), chain))
            continue;
        fate = rule_fate(w, chain, rule, depth);
        all |= fate & (ACCEPTED | DROPPED);
        all |= (fate & RETURNS) != 0 ? GOES_ON : 0; /* for who called the chain it is at its end */
        if ((fate & GOES_ON) == 0)
            return all;
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

/* libnftables-json(5) has the table's flags as a word or as a list; nft 1.0.6 prints their first letter. */
static bool is_asleep(const cJSON *items, const char *family, const char *table)
{
    const cJSON *item = NULL;

    cJSON_ArrayForEach(item, items)
    {
        const cJSON *one = get(item, "table"), *flags = get(one, "flags");
        if (sp_streq(text_of(one, "family"), family) && sp_streq(text_of(one, "name"), table))
            return sp_streq(cJSON_GetStringValue(flags), "d") ||
                   sp_streq(cJSON_GetStringValue(flags), "dormant") ||
                   sp_streq(cJSON_GetStringValue(cJSON_GetArrayItem(flags, 0)), "dormant");
    }
    return false;
}

static int family_of(const struct sp_nftverdict_packet *p)
{
    return p->from != NULL ? p->from->family : p->any;
}

static bool is_on_the_way(const struct walk *w, const cJSON *chain)
{
    static const char *const hooks[] = {"ingress", "prerouting", "input"};
    const struct sp_nftverdict_packet *p = w->ask.packet;
    const char *family = text_of(chain, "family"), *table = text_of(chain, "table");
    const bool ingress = sp_streq(text_of(chain, "hook"), hooks[0]);
    bool found = false;

    for (size_t i = 0; i < SP_COUNT(hooks) && sp_streq(text_of(chain, "type"), "filter"); i++)
        found |= sp_streq(text_of(chain, "hook"), hooks[i]);
    if (!found || (family_of(p) != 0 && sp_streq(family, family_of(p) == 4 ? "ip6" : "ip")) ||
        (p->not_xtables && sp_nftverdict_is_xtables(family, table)) ||
        (p->not_table != NULL && sp_streq(family, "inet") && sp_streq(table, p->not_table)) ||
        is_asleep(w->ask.items, family, table))
        return false;
    return sp_streq(family, "inet") || sp_streq(family, ingress ? "netdev" : "ip") ||
           (!ingress && sp_streq(family, "ip6"));
}

/* The fate of the packet in one base chain, its policy counted. */
static unsigned base_fate(struct walk *w, const cJSON *chain)
{
    const char *name = text_of(chain, "name");
    unsigned fate;

    w->definite = false;
    fate = walk_chain(w, name, 0);
    if ((fate & GOES_ON) != 0 && sp_streq(text_of(chain, "policy"), "drop")) {
        blame(w, name, NULL, (fate & ACCEPTED) == 0 ? SP_YES : SP_MAYBE);
        return (fate & ACCEPTED) | DROPPED;
    }
    return (fate & GOES_ON) != 0 ? (fate & DROPPED) | ACCEPTED : fate;
}

int sp_nftverdict_judge(const cJSON *ruleset, const struct sp_nftverdict_packet *p, enum sp_nftverdict *ret,
                        char where[SP_NFTVERDICT_WHERE], struct sp_error *err)
{
    struct walk w = {.ask = {.items = get(ruleset, "nftables"), .packet = p}, .where = where};
    const cJSON *item = NULL;
    unsigned families = 0; /* those in which it is dropped: 1 and 2 */

    *ret = SP_NFT_PASSES;
    where[0] = '\0';
    if (!cJSON_IsArray(w.ask.items))
        return sp_fail(err, SP_E_INVALID, 0, "this is not what nft -j prints");
    cJSON_ArrayForEach(item, w.ask.items)
    {
        const cJSON *chain = get(item, "chain");
        unsigned fate;

        if (chain == NULL || !is_on_the_way(&w, chain))
            continue;
        w.ask.family = text_of(chain, "family");
        w.ask.table = text_of(chain, "table");
        fate = base_fate(&w, chain);
        if ((fate & DROPPED) != 0)
            *ret = SP_NFT_CANNOT_TELL;
        /* Over which interface it comes is not known, and perhaps not in which family. */
        if (fate != DROPPED || sp_streq(text_of(chain, "hook"), "ingress"))
            continue;
        families |= sp_streq(w.ask.family, "ip") ? 1 : sp_streq(w.ask.family, "ip6") ? 2 : 3;
        if (family_of(p) == 0 && families != 3)
            continue;
        *ret = SP_NFT_DROPPED;
        return 0;
    }
    if (*ret == SP_NFT_PASSES)
        where[0] = '\0';
    return 0;
}
