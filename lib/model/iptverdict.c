/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/iptverdict.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/nftmatch.h"

#define MAX_JUMPS 16
#define MAX_CHAINS                                                                                         \
    1000 /* that are walked through, counted each time: jumps that meet again are many ways */
#define MAX_WORDS 96
#define MAX_LINE 2048

enum fate { ACCEPTED = 1, DROPPED = 2, GOES_ON = 4 };

struct walk {
    const char *text; /* of one table, "*filter" to COMMIT */
    size_t len;
    const struct sp_nftverdict_packet *packet;
    char *where;
    unsigned chains;
    bool definite;
};

/* One rule, cut into words; they lie in `line`. */
struct rule {
    char line[MAX_LINE];
    char *words[MAX_WORDS];
    size_t n;
};

/* The text between "*table" and the next COMMIT. */
static bool find_table(const char *text, size_t len, const char *table, struct walk *w)
{
    const char *end = text + len, *at = text;
    size_t n = strlen(table);

    while (at < end) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        size_t line = eol != NULL ? (size_t)(eol - at) : (size_t)(end - at);
        if (w->text == NULL && line == n + 1 && at[0] == '*' && memcmp(at + 1, table, n) == 0)
            w->text = at;
        else if (w->text != NULL && line == 6 && memcmp(at, "COMMIT", 6) == 0) {
            w->len = (size_t)(at - w->text);
            return true;
        }
        at += line + 1;
    }
    return false;
}

/* Words are apart by blanks; "..." holds a comment, in which a backslash quotes. */
static void cut(struct rule *r)
{
    char *at = r->line;

    r->n = 0;
    while (*at != '\0' && r->n < MAX_WORDS) {
        char *to;
        at += strspn(at, " ");
        if (*at == '\0')
            break;
        if (*at != '"') {
            r->words[r->n++] = at;
            at += strcspn(at, " ");
            if (*at != '\0')
                *at++ = '\0';
            continue;
        }
        r->words[r->n++] = to = ++at;
        while (*at != '\0' && *at != '"') {
            if (*at == '\\' && at[1] != '\0')
                at++;
            *to++ = *at++;
        }
        at += *at == '"';
        *to = '\0';
    }
}

/* The next line of the table behind *at; false at its end. A line that is too long is cut, and its rule
 * then ends in a word that nobody knows. */
static bool next_line(const struct walk *w, size_t *at, char line[MAX_LINE])
{
    const char *begin = w->text + *at;
    size_t n;

    if (*at >= w->len)
        return false;
    n = strcspn(begin, "\n");
    (void)sp_str_format(line, MAX_LINE, "%.*s", (int)(n < MAX_LINE ? n : MAX_LINE - 1), begin);
    *at += n + 1;
    return true;
}

/* ":INPUT DROP [0:0]": the policy ("-" for a chain of the user's own), or NULL. */
static const char *find_policy(const struct walk *w, const char *chain, char line[MAX_LINE])
{
    size_t at = 0, n = strlen(chain);

    while (next_line(w, &at, line))
        if (line[0] == ':' && strncmp(line + 1, chain, n) == 0 && line[n + 1] == ' ') {
            line[n + 2 + strcspn(line + n + 2, " ")] = '\0';
            return line + n + 2;
        }
    return NULL;
}

/* --- matches --- */

/* Is `word` in a list with commas, as it stands? */
static bool listed(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = list; *at != '\0'; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        if (strcspn(at, ",") == n && strncmp(at, word, n) == 0)
            return true;
    return false;
}

/* "22", "1024:65535" */
static enum sp_truth is_port(const struct walk *w, const char *text, size_t len)
{
    char low[8], high[8] = "";
    size_t n = strcspn(text, ":");
    uint64_t a, b;

    n = n < len ? n : len;
    if (sp_str_format(low, sizeof(low), "%.*s", (int)n, text) < 0 || sp_str_to_u64(low, 65535, &a) < 0)
        return SP_MAYBE;
    b = a;
    if (n < len && (sp_str_format(high, sizeof(high), "%.*s", (int)(len - n - 1), text + n + 1) < 0 ||
                    sp_str_to_u64(high, 65535, &b) < 0))
        return SP_MAYBE;
    return a <= w->packet->port && w->packet->port <= b ? SP_YES : SP_NO;
}

static enum sp_truth is_in_ports(const struct walk *w, const char *list)
{
    enum sp_truth t = SP_NO;

    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        enum sp_truth one = is_port(w, list, n);
        t = sp_truth_or(t, one);
        list += n + (list[n] == ',');
    }
    return t;
}

static enum sp_truth is_type(const char *text)
{
    if (sp_streq(text, "LOCAL"))
        return SP_YES;
    return sp_streq(text, "MULTICAST") || sp_streq(text, "BROADCAST") || sp_streq(text, "ANYCAST")
               ? SP_NO
               : SP_MAYBE;
}

/* What an option with one value asks about our packet. */
static enum sp_truth ask(const struct walk *w, const char *option, const char *value)
{
    if (sp_streq(option, "-p"))
        return sp_streq(value, "tcp") || sp_streq(value, "6") || sp_streq(value, "all") ? SP_YES : SP_NO;
    if (sp_streq(option, "-s"))
        return sp_packet_is_from(w->packet, value);
    if (sp_streq(option, "-i"))
        return sp_streq(value, "lo") ? SP_NO : SP_MAYBE;
    if (sp_streq(option, "--dport"))
        return is_port(w, value, strlen(value));
    if (sp_streq(option, "--dports"))
        return is_in_ports(w, value);
    if (sp_streq(option, "--ctstate") || sp_streq(option, "--state"))
        return listed(value, "NEW") ? SP_YES : SP_NO;
    /* A first packet has no routing header, and there is a way back to where it came from (-m rpfilter). */
    if (sp_streq(option, "--rt-type") || sp_streq(option, "--invert"))
        return SP_NO;
    if (sp_streq(option, "--dst-type"))
        return is_type(value);
    if (sp_streq(option, "--limit") || sp_streq(option, "--limit-burst") || sp_streq(option, "--comment") ||
        sp_streq(option, "-m"))
        return SP_YES;
    return SP_MAYBE;
}

/* Do all of its matches hold? ret_target: the word behind -j or -g, or NULL. */
static enum sp_truth matches(const struct walk *w, const struct rule *r, const char **ret_target,
                             bool *ret_goto)
{
    enum sp_truth all = SP_YES;

    *ret_target = NULL;
    for (size_t i = 2; i < r->n; i++) { /* behind -A CHAIN */
        bool inverted = sp_streq(r->words[i], "!") && i + 1 < r->n;
        const char *option = r->words[i += inverted], *value = i + 1 < r->n ? r->words[i + 1] : "";
        enum sp_truth t;

        if (sp_streq(option, "-j") || sp_streq(option, "-g")) {
            *ret_target = value;
            *ret_goto = sp_streq(option, "-g");
            break; /* what follows are the target's own options */
        }
        if (sp_streq(option, "--tcp-flags")) {
            const char *set = i + 2 < r->n ? r->words[i + 2] : "";
            /* a first packet has SYN alone: what the mask leaves of it is that, or nothing */
            t = sp_streq(set, listed(value, "SYN") ? "SYN" : "NONE") ? SP_YES : SP_NO;
            i++;
        } else
            t = option[0] == '-' ? ask(w, option, value) : SP_MAYBE;
        i += option[0] == '-' && (value[0] != '-' || value[1] == '\0') && !sp_streq(value, "!");
        t = inverted ? sp_truth_not(t) : t;
        if (t == SP_NO)
            return SP_NO;
        all = t == SP_MAYBE ? SP_MAYBE : all;
    }
    return all;
}

/* --- chains --- */

static void blame(struct walk *w, const char *chain, size_t number, enum sp_truth how)
{
    if (w->definite || (w->where[0] != '\0' && how != SP_YES))
        return;
    w->definite = how == SP_YES;
    if (number == 0)
        (void)sp_str_format(w->where, SP_NFTVERDICT_WHERE, "the policy of chain %.60s", chain);
    else
        (void)sp_str_format(w->where, SP_NFTVERDICT_WHERE, "chain %.60s, rule %zu", chain, number);
}

static unsigned walk_chain(struct walk *w, const char *chain, int depth);

static unsigned target_fate(struct walk *w, const char *target, int depth)
{
    char line[MAX_LINE];

    if (sp_streq(target, "ACCEPT"))
        return ACCEPTED;
    if (sp_streq(target, "DROP") || sp_streq(target, "REJECT") || sp_streq(target, "TARPIT"))
        return DROPPED;
    if (sp_streq(target, "NFQUEUE") || sp_streq(target, "QUEUE")) /* a program decides */
        return ACCEPTED | DROPPED;
    if (find_policy(w, target, line) == NULL) /* LOG, MARK, ...: the next rule is asked */
        return GOES_ON;
    return depth >= MAX_JUMPS || w->chains++ >= MAX_CHAINS ? ACCEPTED | DROPPED | GOES_ON
                                                           : walk_chain(w, target, depth + 1);
}

static unsigned walk_chain(struct walk *w, const char *chain, int depth)
{
    struct rule r;
    unsigned all = 0;
    size_t at = 0, number = 0;

    while (next_line(w, &at, r.line)) {
        const char *target;
        bool is_goto = false;
        enum sp_truth here;
        unsigned fate;

        if (strncmp(r.line, "-A ", 3) != 0)
            continue;
        cut(&r);
        if (r.n < 2 || !sp_streq(r.words[1], chain))
            continue;
        number++;
        here = matches(w, &r, &target, &is_goto);
        if (here == SP_NO || target == NULL)
            continue;
        if (sp_streq(target, "RETURN")) {
            all |= GOES_ON;
            if (here == SP_YES)
                return all;
            continue;
        }
        fate = target_fate(w, target, depth);
        if ((fate & DROPPED) != 0)
            blame(w, chain, number, here == SP_YES && fate == DROPPED && all == 0 ? SP_YES : SP_MAYBE);
        all |= fate & ~(unsigned)GOES_ON;
        if (is_goto && (fate & GOES_ON) != 0)
            all |= GOES_ON;
        if (here == SP_YES && (is_goto || (fate & GOES_ON) == 0))
            return all;
    }
    return all | GOES_ON;
}

enum sp_nftverdict sp_iptverdict_judge(const char *saved, size_t len, const char *table, const char *chain,
                                       const struct sp_nftverdict_packet *p,
                                       char where[SP_NFTVERDICT_WHERE])
{
    struct walk w = {.packet = p, .where = where};
    char line[MAX_LINE];
    const char *policy;
    unsigned fate;

    where[0] = '\0';
    if (!find_table(saved, len, table, &w))
        return SP_NFT_PASSES;
    fate = walk_chain(&w, chain, 0);
    policy = find_policy(&w, chain, line);
    if ((fate & GOES_ON) != 0 && policy != NULL && sp_streq(policy, "DROP")) {
        fate |= DROPPED;
        blame(&w, chain, 0, (fate & ACCEPTED) == 0 ? SP_YES : SP_MAYBE);
    } else if ((fate & GOES_ON) != 0)
        fate |= ACCEPTED;
    fate &= ~(unsigned)GOES_ON;
    if (fate == DROPPED)
        return SP_NFT_DROPPED;
    if ((fate & DROPPED) != 0)
        return SP_NFT_CANNOT_TELL;
    where[0] = '\0';
    return SP_NFT_PASSES;
}

bool sp_iptverdict_has(const char *saved, size_t len, const char *table, const char *chain)
{
    struct walk w = {0};
    char line[MAX_LINE];

    return find_table(saved, len, table, &w) && find_policy(&w, chain, line) != NULL;
}

bool sp_iptverdict_in_use(const char *saved, size_t len, const char *table, const char *chain)
{
    struct walk w = {0};
    char line[MAX_LINE];
    const char *policy;
    size_t at = 0, n = strlen(chain);

    if (!find_table(saved, len, table, &w))
        return false;
    policy = find_policy(&w, chain, line);
    if (policy != NULL && !sp_streq(policy, "ACCEPT"))
        return true;
    while (next_line(&w, &at, line))
        if (strncmp(line, "-A ", 3) == 0 && strncmp(line + 3, chain, n) == 0 && line[3 + n] == ' ')
            return true;
    return false;
}
