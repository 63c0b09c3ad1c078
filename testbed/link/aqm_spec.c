#include "testbed/link/aqm_spec.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/units.h"
#include "testbed/link/codel.h"
#include "testbed/link/dualpi2.h"
#include "testbed/link/fifo.h"
#include "testbed/link/fq_codel.h"
#include "testbed/link/pi2.h"
#include "testbed/link/pie.h"

#define TOKEN_MAX 64
#define BYTES_MAX (1ull << 40)
#define MICRO     1000000u

const struct aqm_ops *const aqm_kinds[] = {
    &dualpi2_ops, &fifo_ops, &codel_ops, &pie_ops, &fq_codel_ops, &pi2_ops, NULL,
};

/* --- parameters --------------------------------------------------------------------------------
 */

static bool is_bool(const struct aqm_option *o)
{
    return o->type == AQM_OPTION_WORD || o->type == AQM_OPTION_CHOICE;
}

/* The numbers of a parameter, up to three; how many it has. */
static size_t numbers_of(const struct aqm_option *o, void *params, uint64_t *numbers[3])
{
    char *at = (char *)params + o->offset;

    if (o->type == AQM_OPTION_LIMIT) {
        struct aqm_limit *limit = (struct aqm_limit *)(void *)at;

        numbers[0] = &limit->pkts;
        numbers[1] = &limit->bytes;
        numbers[2] = &limit->bdp_micro;
        return 3;
    }
    numbers[0] = o->type == AQM_OPTION_THRESHOLD ? &((struct aqm_threshold *)(void *)at)->value
                                                 : (uint64_t *)(void *)at;
    return 1;
}

static bool *bool_of(const struct aqm_option *o, const void *params)
{
    return (bool *)(uintptr_t)((const char *)params + o->offset);
}

void aqm_params_default(const struct aqm_ops *ops, void *params)
{
    uint64_t *numbers[3];

    memset(params, 0, ops->params_size);
    for (const struct aqm_option *o = ops->options; o->name != NULL; o++) {
        if (is_bool(o)) {
            *bool_of(o, params) = o->def != 0;
        } else {
            numbers_of(o, params, numbers);
            *numbers[0] = o->def;
        }
    }
}

static enum status out_of_range(const struct aqm_ops *ops, const struct aqm_option *o,
                                const char *value, struct error *err)
{
    error_set(err, STATUS_USAGE, "aqm", "%s: %s '%.*s' is not a value in its range", ops->name,
              o->name, TOKEN_MAX, value);
    switch (o->type) {
    case AQM_OPTION_TIME:
        error_hint(err, "a time with its unit, %" PRIu64 "us to %" PRIu64 "us", o->min, o->max);
        break;
    case AQM_OPTION_THRESHOLD:
        error_hint(err, "a time with its unit, or packets as in 5p");
        break;
    case AQM_OPTION_HZ:
        error_hint(err, "a decimal number of Hz, %g to %g", (double)o->min / 256,
                   (double)o->max / 256);
        break;
    case AQM_OPTION_BYTES:
        error_hint(err, "bytes, or in units of 1024 as in tc: 250kb, 1mb; at least %" PRIu64,
                   o->min);
        break;
    case AQM_OPTION_LIMIT:
        error_hint(err, "write 100p (packets), 250kb (of 1024 bytes) or 2bdp");
        break;
    case AQM_OPTION_PERCENT:
        error_hint(err, "0%% to 100%%");
        break;
    case AQM_OPTION_CHOICE:
        error_hint(err, "%s or %s", o->words[0], o->words[1]);
        break;
    default:
        error_hint(err, "a whole number, %" PRIu64 " to %" PRIu64, o->min, o->max);
        break;
    }
    return STATUS_USAGE; /* err may be NULL */
}

static bool is_in_range(const struct aqm_option *o, uint64_t value)
{
    return value == o->def || (value >= o->min && value <= o->max);
}

enum status aqm_from_params(const struct aqm_ops *ops, const void *params,
                            const struct aqm_config *config, struct aqm **out, struct error *err)
{
    void *own = malloc(ops->params_size);
    uint64_t *numbers[3];
    enum status s;

    *out = NULL;
    if (own == NULL) {
        return error_set(err, STATUS_NOMEM, "aqm", "out of memory");
    }
    memcpy(own, params, ops->params_size);
    for (const struct aqm_option *o = ops->options; o->name != NULL; o++) {
        size_t n = is_bool(o) ? 0 : numbers_of(o, own, numbers);

        for (size_t i = 0; i < n; i++) {
            if (!is_in_range(o, *numbers[i])) {
                char value[24];

                snprintf(value, sizeof(value), "%" PRIu64, *numbers[i]);
                s = out_of_range(ops, o, value, err);
                goto out;
            }
        }
    }
    s = ops->resolve(own, config, err);
    if (s == STATUS_OK) {
        s = ops->make(config, own, out, err);
    }
out:
    free(own);
    return s;
}

/* --- parsing -----------------------------------------------------------------------------------
 */

/* Levenshtein distance; both are at most TOKEN_MAX long. */
static size_t distance(const char *a, const char *b)
{
    size_t row[TOKEN_MAX + 1], n = strlen(b);

    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t best = diagonal + (a[i] != b[j]);

            diagonal = row[j + 1];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j + 1] = diagonal + 1 < best ? diagonal + 1 : best;
        }
    }
    return row[n];
}

/* Keep the nearer of two names; false once one is nearer than *best. */
static void keep_nearest(const char *word, const char *name, const char **nearest, size_t *best)
{
    size_t d = distance(word, name);

    if (d < *best) {
        *best = d;
        *nearest = name;
    }
}

static enum status unknown_kind(const char *word, struct error *err)
{
    const char *nearest = aqm_kinds[0]->name;
    size_t best = TOKEN_MAX + 1;
    char names[128] = "";

    for (size_t i = 0; aqm_kinds[i] != NULL; i++) {
        keep_nearest(word, aqm_kinds[i]->name, &nearest, &best);
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i == 0 ? "" : ", ",
                 aqm_kinds[i]->name);
    }
    error_set(err, STATUS_USAGE, "aqm", "unknown AQM '%s'", word);
    error_hint(err, "did you mean %s? There are: %s", nearest, names);
    return STATUS_USAGE;
}

static enum status unknown_option(const struct aqm_ops *ops, const char *word, struct error *err)
{
    const char *nearest = ops->options[0].name;
    size_t best = TOKEN_MAX + 1;

    for (const struct aqm_option *o = ops->options; o->name != NULL; o++) {
        keep_nearest(word, o->name, &nearest, &best);
    }
    error_set(err, STATUS_USAGE, "aqm", "%s has no option '%s'", ops->name, word);
    error_hint(err, "the nearest is '%s'; ccalab-link --help lists all", nearest);
    return STATUS_USAGE;
}

/* The next word of *spec, into a buffer of TOKEN_MAX. False at the end. *is_long if it is cut. */
static bool next_token(const char **spec, char *token, bool *is_long)
{
    const char *space = " \t\n";
    size_t len;

    *spec += strspn(*spec, space);
    len = strcspn(*spec, space);
    *is_long = len >= TOKEN_MAX;
    snprintf(token, TOKEN_MAX, "%.*s", *is_long ? TOKEN_MAX - 1 : (int)len, *spec);
    *spec += len;
    return len > 0;
}

/* If `text` ends in one of the suffixes (letter case does not count), the part before it goes into
 * `number`. An empty suffix matches everything: last. */
static const char *split_suffix(const char *text, const char *const *suffixes, char *number)
{
    size_t len = strlen(text);

    for (; *suffixes != NULL; suffixes++) {
        size_t suffix_len = strlen(*suffixes);

        if (len > suffix_len && strcasecmp(text + len - suffix_len, *suffixes) == 0) {
            snprintf(number, TOKEN_MAX, "%.*s", (int)(len - suffix_len), text);
            return *suffixes;
        }
    }
    return NULL;
}

static bool parse_pkts(const char *text, bool is_suffix_needed, uint64_t *out)
{
    static const char *const suffixes[] = {"packets", "packet", "pkts", "pkt", "p", "", NULL};
    char number[TOKEN_MAX];
    const char *suffix = split_suffix(text, suffixes, number);

    return suffix != NULL && !(is_suffix_needed && *suffix == '\0') &&
           parse_count(number, "", 0, UINT64_MAX, out, NULL) == STATUS_OK;
}

/* A decimal number in millionths: what a number of seconds is in microseconds. */
static bool parse_micro(const char *number, uint64_t *out)
{
    char seconds[TOKEN_MAX + 1];

    snprintf(seconds, sizeof(seconds), "%ss", number);
    return parse_time_us(seconds, out, NULL) == STATUS_OK;
}

/* tc's sizes: k is 1024. */
static bool parse_bytes(const char *text, uint64_t *out)
{
    static const char *const suffixes[] = {"kb", "k", "mb", "m", "gb", "g", "b", "", NULL};
    char number[TOKEN_MAX], bits[TOKEN_MAX + 8];
    const char *suffix = split_suffix(text, suffixes, number);

    if (suffix == NULL) {
        return false;
    }
    /* core/ knows decimal numbers with binary prefixes as rates. */
    snprintf(bits, sizeof(bits), "%s%.1s%sbit", number, *suffix == 'b' ? "" : suffix,
             *suffix == 'b' || *suffix == '\0' ? "" : "i");
    return parse_rate_bps(bits, out, NULL) == STATUS_OK;
}

static bool parse_value(const struct aqm_option *o, const char *text, uint64_t *out)
{
    static const char *const percent[] = {"%", "", NULL};
    char number[TOKEN_MAX];

    switch (o->type) {
    case AQM_OPTION_COUNT:
        return parse_count(text, "", 0, UINT64_MAX, out, NULL) == STATUS_OK;
    case AQM_OPTION_PKTS:
        return parse_pkts(text, false, out);
    case AQM_OPTION_BYTES:
        return parse_bytes(text, out);
    case AQM_OPTION_TIME:
        return parse_time_us(text, out, NULL) == STATUS_OK;
    case AQM_OPTION_HZ:
        if (!parse_micro(text, out)) {
            return false;
        }
        *out = (*out * 256 + MICRO / 2) / MICRO;
        return true;
    case AQM_OPTION_PERCENT:
        return split_suffix(text, percent, number) != NULL &&
               parse_count(number, "", 0, UINT64_MAX, out, NULL) == STATUS_OK;
    default:
        return false;
    }
}

static bool parse_limit(const struct aqm_option *o, const char *text, struct aqm_limit *out)
{
    static const char *const bdp[] = {"bdp", NULL};
    char number[TOKEN_MAX];
    uint64_t value = 0, *at;
    bool is_number;

    if (split_suffix(text, bdp, number) != NULL) {
        is_number = parse_micro(number, &value);
        at = &out->bdp_micro;
    } else if (parse_pkts(text, true, &value)) {
        is_number = true;
        at = &out->pkts;
    } else {
        is_number = parse_bytes(text, &value);
        at = &out->bytes;
    }
    if (!is_number || value < o->min || value > o->max) {
        return false;
    }
    *at = value;
    return true;
}

static bool parse_option(const struct aqm_option *o, const char *text, void *params)
{
    char *at = (char *)params + o->offset;
    uint64_t value = 0;

    if (o->type == AQM_OPTION_LIMIT) {
        return parse_limit(o, text, (struct aqm_limit *)(void *)at);
    }
    if (o->type == AQM_OPTION_CHOICE) {
        *bool_of(o, params) = strcmp(text, o->words[1]) == 0;
        return strcmp(text, o->words[0]) == 0 || strcmp(text, o->words[1]) == 0;
    }
    if (o->type == AQM_OPTION_THRESHOLD) {
        struct aqm_threshold *t = (struct aqm_threshold *)(void *)at;

        t->is_pkts = parse_pkts(text, true, &value);
        if ((!t->is_pkts && parse_time_us(text, &value, NULL) != STATUS_OK) || value < o->min ||
            value > o->max) {
            return false;
        }
        t->value = value;
        return true;
    }
    if (!parse_value(o, text, &value) || value < o->min || value > o->max) {
        return false;
    }
    *(uint64_t *)(void *)at = value;
    return true;
}

/* Parse into *params (to be freed), resolved with `config`, which may be NULL for a check. */
static enum status parse_spec(const char *spec, const struct aqm_config *config,
                              const struct aqm_ops **ops, void **params, struct error *err)
{
    char token[TOKEN_MAX], value[TOKEN_MAX];
    const struct aqm_ops *kind = NULL;
    bool is_long;
    enum status s;

    *params = NULL;
    if (strlen(spec) > AQM_SPEC_MAX) {
        return error_set(err, STATUS_USAGE, "aqm", "the AQM's spec is longer than %d characters",
                         AQM_SPEC_MAX);
    }
    if (!next_token(&spec, token, &is_long)) {
        error_set(err, STATUS_USAGE, "aqm", "the AQM's spec is empty");
        error_hint(err, "write a kind and its options as for tc: codel target 5ms ecn");
        return STATUS_USAGE;
    }
    for (size_t i = 0; aqm_kinds[i] != NULL && kind == NULL; i++) {
        kind = strcmp(aqm_kinds[i]->name, token) == 0 ? aqm_kinds[i] : NULL;
    }
    if (kind == NULL) {
        return unknown_kind(token, err);
    }
    *params = malloc(kind->params_size);
    if (*params == NULL) {
        return error_set(err, STATUS_NOMEM, "aqm", "out of memory");
    }
    aqm_params_default(kind, *params);
    while (next_token(&spec, token, &is_long)) {
        const struct aqm_option *o = kind->options;

        while (o->name != NULL && strcmp(o->name, token) != 0) {
            o++;
        }
        if (o->name == NULL) {
            s = unknown_option(kind, token, err);
            goto fail;
        }
        if (o->type == AQM_OPTION_WORD) {
            *bool_of(o, *params) = o->max != 0;
            continue;
        }
        if (!next_token(&spec, value, &is_long)) {
            error_set(err, STATUS_USAGE, "aqm", "%s: '%s' needs a value", kind->name, o->name);
            error_hint(err, "%s", o->help);
            s = STATUS_USAGE;
            goto fail;
        }
        if (is_long || !parse_option(o, value, *params)) {
            s = out_of_range(kind, o, value, err);
            goto fail;
        }
    }
    s = kind->resolve(*params, config, err);
    if (s == STATUS_OK) {
        *ops = kind;
        return STATUS_OK;
    }
fail:
    free(*params);
    *params = NULL;
    return s;
}

enum status aqm_from_spec(const char *spec, const struct aqm_config *config, struct aqm **out,
                          struct error *err)
{
    const struct aqm_ops *ops = NULL;
    void *params;
    enum status s = parse_spec(spec, config, &ops, &params, err);

    *out = NULL;
    if (s == STATUS_OK) {
        s = ops->make(config, params, out, err);
    }
    free(params);
    return s;
}

bool aqm_spec_is_kernel(const char *spec)
{
    return strncmp(spec, AQM_KERNEL, strlen(AQM_KERNEL)) == 0;
}

/* What of it tc(8) and the kernel will not judge. */
static enum status check_kernel(const char *spec, struct error *err)
{
    const char *kind = spec + strlen(AQM_KERNEL);
    size_t len = strcspn(kind, " ");

    if (strlen(spec) >= AQM_SPEC_MAX || len == 0 ||
        strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") != len) {
        error_set(err, STATUS_USAGE, "aqm", "'%.64s' names no qdisc of the kernel", spec);
        return err != NULL ? error_hint(err, "as in kernel:fq_codel, with tc's own options behind")
                           : STATUS_USAGE;
    }
    for (const char *c = kind; *c != '\0'; c++) {
        if (!isprint((unsigned char)*c)) {
            return error_set(err, STATUS_USAGE, "aqm",
                             "'%.64s' has characters in it that tc would "
                             "not take",
                             spec);
        }
    }
    return STATUS_OK;
}

enum status aqm_spec_check(const char *spec, struct error *err)
{
    const struct aqm_ops *ops = NULL;
    void *params;
    enum status s;

    if (aqm_spec_is_kernel(spec)) {
        return check_kernel(spec, err);
    }
    s = parse_spec(spec, NULL, &ops, &params, err);
    free(params);
    return s;
}

uint32_t aqm_spec_pkts(const char *spec, const struct aqm_config *config)
{
    const struct aqm_ops *ops = NULL;
    uint64_t pkts = 0;
    void *params;

    if (parse_spec(spec, config, &ops, &params, NULL) == STATUS_OK) {
        pkts = ops->capacity_pkts(params);
    }
    free(params);
    return (uint32_t)(pkts < AQM_PKTS_MAX ? pkts : AQM_PKTS_MAX);
}
