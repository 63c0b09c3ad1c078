#include "core/suggest.h"

#include <string.h>

#define WORD_MAX 32

/* Edit distance with transpositions of neighbours (optimal string alignment). */
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1];

    for (size_t i = 0; i <= na; i++) {
        for (size_t j = 0; j <= nb; j++) {
            size_t best;

            if (!i || !j) {
                d[i][j] = i + j;
                continue;
            }
            best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[na][nb];
}

const char *did_you_mean(const char *word, const char *const *names)
{
    size_t len = strlen(word), best = 0;
    const char *found = NULL;

    if (!len || len > WORD_MAX)
        return NULL;
    for (; *names; names++) {
        size_t n = strlen(*names), d;

        if (n > WORD_MAX)
            continue;
        d = distance(word, len, *names, n);
        /* A third of the word may be wrong: "evnets" is --events, "foo" is nothing. */
        if (d <= (len > n ? len : n) / 3 && (!found || d < best)) {
            best = d;
            found = *names;
        }
    }
    return found;
}
