/* "Did you mean ...?" for whoever mistyped a name. */
#ifndef CCALAB_CORE_SUGGEST_H
#define CCALAB_CORE_SUGGEST_H

/* The candidate closest to `word` by edit distance, or NULL if none is close. `names` ends with
 * NULL. */
const char *did_you_mean(const char *word, const char *const *names);

#endif
