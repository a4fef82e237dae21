/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What somebody may have meant: the name that the fewest slips of the finger lead to. */
#include <string.h>

#include "cmd/verb.h"

#define WORD_MAX 40

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Letters left out, put in, taken for another, or two that changed places (the distance of Damerau, as
 * "optimal string alignment"). */
static unsigned distance(const char *a, const char *b)
{
    unsigned d[WORD_MAX + 1][WORD_MAX + 1];
    size_t n = strlen(a), m = strlen(b);

    if (n > WORD_MAX || m > WORD_MAX)
        return WORD_MAX;
    for (size_t i = 0; i <= n; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

/* One slip in three letters, and three at most: a word that is another altogether was no slip. */
const char *sp_nearest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    unsigned best_distance = WORD_MAX;

    for (size_t i = 0; i < n; i++) {
        unsigned d = distance(word, names[i]);
        size_t len = strlen(names[i]);
        /* What is cut short is no slip, if it fits one name only. */
        if (strlen(word) >= 3 && strncmp(word, names[i], strlen(word)) == 0)
            d = 1;
        if (d < best_distance && d <= 3 && d <= (len + 2) / 3) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}
