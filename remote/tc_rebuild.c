#include "remote/tc_rebuild.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"

#define OPTIONS_MAX 20

enum how {
    HOW_NUMBER,  /* "limit 1000" */
    HOW_US,      /* "target 15000us" */
    HOW_CODEL,   /* the same, of a kernel that counts in 1.024 us and rounds down */
    HOW_BYTES_S, /* "maxrate 1000bps": bytes a second in tc's words */
    HOW_FLAG,    /* true: the word; false: its opposite, if there is one */
    HOW_256,     /* "alpha 0.16015625": 256ths, of which JSON has six digits */
    HOW_PKTS,    /* "step_thresh 5pkt" */
    HOW_PERCENT,
    HOW_WORD, /* a choice of dualpi2: the text with '_' for '-' is the word, but for "drop" */
    HOW_LIST  /* "priomap 1 2 2" */
};

struct option {
    const char *name, *word;
    enum how how;
    const char *opposite; /* HOW_FLAG: said where the option is absent or false */
};

static const struct kind {
    const char *name;
    struct option options[OPTIONS_MAX];
} kinds[] = {
    {"pfifo", {{"limit", "limit", HOW_NUMBER}}},
    {"bfifo", {{"limit", "limit", HOW_NUMBER}}},
    {"codel",
     {{"limit", "limit", HOW_NUMBER},
      {"target", "target", HOW_CODEL},
      {"ce_threshold", "ce_threshold", HOW_CODEL},
      {"interval", "interval", HOW_CODEL},
      {"ecn", "ecn", HOW_FLAG, "noecn"}}},
    {"fq_codel",
     {{"limit", "limit", HOW_NUMBER},
      {"flows", "flows", HOW_NUMBER},
      {"quantum", "quantum", HOW_NUMBER},
      {"target", "target", HOW_CODEL},
      {"ce_threshold", "ce_threshold", HOW_CODEL},
      {"interval", "interval", HOW_CODEL},
      {"memory_limit", "memory_limit", HOW_NUMBER},
      {"ecn", "ecn", HOW_FLAG, "noecn"},
      {"drop_batch", "drop_batch", HOW_NUMBER}}},
    {"pie",
     {{"limit", "limit", HOW_NUMBER},
      {"target", "target", HOW_US},
      {"tupdate", "tupdate", HOW_US},
      {"alpha", "alpha", HOW_NUMBER},
      {"beta", "beta", HOW_NUMBER},
      {"ecn", "ecn", HOW_FLAG, "noecn"},
      {"bytemode", "bytemode", HOW_FLAG},
      {"dq_rate_estimator", "dq_rate_estimator", HOW_FLAG}}},
    {"fq",
     {{"limit", "limit", HOW_NUMBER},
      {"flow_limit", "flow_limit", HOW_NUMBER},
      {"buckets", "buckets", HOW_NUMBER},
      {"orphan_mask", "orphan_mask", HOW_NUMBER},
      {"bands", "bands", HOW_NUMBER},
      {"priomap", "priomap", HOW_LIST},
      {"weights", "weights", HOW_LIST},
      {"pacing", "pacing", HOW_FLAG, NULL},
      {"quantum", "quantum", HOW_NUMBER},
      {"initial_quantum", "initial_quantum", HOW_NUMBER},
      {"maxrate", "maxrate", HOW_BYTES_S},
      {"low_rate_threshold", "low_rate_threshold", HOW_BYTES_S},
      {"refill_delay", "refill_delay", HOW_US},
      {"ce_threshold", "ce_threshold", HOW_US},
      {"timer_slack", "timer_slack", HOW_US},
      {"horizon", "horizon", HOW_US},
      {"horizon_drop", "horizon_drop", HOW_FLAG},
      {"horizon_cap", "horizon_cap", HOW_FLAG}}},
    {"dualpi2",
     {{"limit", "limit", HOW_NUMBER},
      {"memory_limit", "memlimit", HOW_NUMBER},
      {"target", "target", HOW_US},
      {"tupdate", "tupdate", HOW_US},
      {"alpha", "alpha", HOW_256},
      {"beta", "beta", HOW_256},
      {"step_thresh_us", "step_thresh", HOW_US},
      {"step_thresh_pkts", "step_thresh", HOW_PKTS},
      {"min_qlen_step", "min_qlen_step", HOW_NUMBER},
      {"coupling", "coupling_factor", HOW_NUMBER},
      {"drop_overload", NULL, HOW_WORD},
      {"drop_early", NULL, HOW_WORD},
      {"c_protection", "classic_protection", HOW_PERCENT},
      {"ecn_mask", NULL, HOW_WORD},
      {"split_gso", "split_gso", HOW_FLAG, "no_split_gso"}}},
    {"pfifo_fast",
     {{"bands", NULL, HOW_NUMBER},
      {"priomap", NULL, HOW_LIST},
      {"multiqueue", NULL, HOW_FLAG}}}, /* nothing of it can be set */
    {"mq", {{NULL}}},
};

/* --- options ---------------------------------------------------------------------------------- */

static int trailing_zeros(double v)
{
    int n = 0;
    for (; v >= 10 && fmod(v, 10) == 0; n++)
        v /= 10;
    return n;
}

static void add_word(cJSON *argv, const char *word)
{
    cJSON_AddItemToArray(argv, cJSON_CreateString(word));
}

static void add_number(cJSON *argv, const char *format, double v)
{
    char text[64];
    snprintf(text, sizeof text, format, v);
    add_word(argv, text);
}

/* False: a value that this option cannot have. */
static bool add_option(cJSON *argv, const struct option *f, const cJSON *v)
{
    double n = cJSON_IsNumber(v) ? v->valuedouble : -1;
    char word[32];
    if (f->how == HOW_FLAG) {
        const char *said = cJSON_IsTrue(v) ? f->word : f->opposite;
        if (said)
            add_word(argv, said);
        return !v || cJSON_IsBool(v);
    }
    if (!v || !f->word) {
        if (f->how != HOW_WORD || !v)
            return true;
        if (!cJSON_IsString(v) || strlen(v->valuestring) >= sizeof word)
            return false;
        snprintf(word, sizeof word, "%s",
                 strcmp(v->valuestring, "drop") == 0 ? "drop_on_overload" : v->valuestring);
        for (char *c = word; *c; c++)
            *c = *c == '-' ? '_' : *c;
        add_word(argv, word);
        return true;
    }
    add_word(argv, f->word);
    if (f->how == HOW_LIST) {
        const cJSON *item;
        cJSON_ArrayForEach(item, v) add_number(argv, "%.0f", item->valuedouble);
        return cJSON_IsArray(v);
    }
    switch (f->how) {
    case HOW_CODEL: /* 5ms are told as 4999us, which would become 4998 */
        add_number(argv, "%.0fus", trailing_zeros(n + 1) > trailing_zeros(n) ? n + 1 : n);
        break;
    case HOW_US:
        add_number(argv, "%.0fus", n);
        break;
    case HOW_BYTES_S:
        add_number(argv, "%.0fbps", n);
        break;
    case HOW_256:
        add_number(argv, "%.8f", rint(n * 256) / 256);
        break;
    case HOW_PKTS:
        add_number(argv, "%.0fpkt", n);
        break;
    case HOW_PERCENT:
        add_number(argv, "%.0f%%", n);
        break;
    default:
        add_number(argv, "%.0f", n);
    }
    return n >= 0;
}

static enum status refuse(struct error *err, const char *dev, const char *kind, const char *why)
{
    error_set(err, STATUS_UNAVAILABLE, "tc", "%.32s: its queue (%.32s) could not be put back: %s",
              dev, kind, why);
    return error_hint(err,
                      "remove it first (tc qdisc del dev %.32s root), or force the change and put "
                      "it back yourself",
                      dev);
}

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static enum status add_options(cJSON *argv, const struct kind *k, const cJSON *options,
                               const char *dev, struct error *err)
{
    char why[96];
    if (!options->child && k->options[0].word)
        return refuse(err, dev, k->name, "tc there does not tell its options");
    for (const cJSON *c = options->child; c; c = c->next) {
        bool is_known = false;
        for (int i = 0; i < OPTIONS_MAX && k->options[i].name; i++)
            is_known |= strcmp(k->options[i].name, c->string) == 0;
        if (is_known)
            continue;
        snprintf(why, sizeof why, "the option %.32s is not known here", c->string);
        return refuse(err, dev, k->name, why);
    }
    for (int i = 0; i < OPTIONS_MAX && k->options[i].name; i++) {
        if (add_option(argv, &k->options[i], json_get(options, k->options[i].name)))
            continue;
        snprintf(why, sizeof why, "the option %.32s has an odd value", k->options[i].name);
        return refuse(err, dev, k->name, why);
    }
    return STATUS_OK;
}

/* --- commands --------------------------------------------------------------------------------- */

static bool is_default(const cJSON *qdisc)
{
    return strcmp(json_str(qdisc, "handle", ""), "0:") == 0;
}

/* ingress and clsact: not in the way of what leaves. */
static bool is_ingress(const cJSON *qdisc)
{
    const char *kind = json_str(qdisc, "kind", "");
    return strcmp(kind, "ingress") == 0 || strcmp(kind, "clsact") == 0;
}

static cJSON *add_step(cJSON *steps, const char *verb, const char *dev, bool may_fail)
{
    cJSON *step = cJSON_CreateObject(), *argv = cJSON_AddArrayToObject(step, "argv");
    const char *const words[] = {"tc", "qdisc", verb, "dev", dev, "root"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add_word(argv, words[i]);
    if (may_fail)
        cJSON_AddTrueToObject(step, "may_fail");
    cJSON_AddItemToArray(steps, step);
    return argv;
}

enum status tc_rebuild(const cJSON *qdiscs, const char *dev, cJSON **steps, struct error *err)
{
    const cJSON *q, *root = NULL;
    *steps = cJSON_CreateArray();
    if (!*steps)
        return error_set(err, STATUS_NOMEM, "tc", "out of memory");
    cJSON_ArrayForEach(q, qdiscs) if (json_bool(q, "root", false)) root = q;
    enum status st = STATUS_OK;
    cJSON_ArrayForEach(q, qdiscs) if (q != root && !is_ingress(q) && !is_default(q)) st =
        refuse(err, dev, json_str(root, "kind", "none"), "it has classes or other queues below it");
    add_step(*steps, "del", dev, true);
    if (st == STATUS_OK && root && !is_default(root)) {
        const char *kind = json_str(root, "kind", "");
        const struct kind *k = find_kind(kind);
        if (k) {
            cJSON *argv = add_step(*steps, "add", dev, false);
            add_word(argv, "handle");
            add_word(argv, json_str(root, "handle", ""));
            add_word(argv, kind);
            st = add_options(argv, k, json_get(root, "options"), dev, err);
        } else {
            st = refuse(err, dev, kind, "tc does not tell all of such a queue");
        }
    }
    if (st != STATUS_OK) {
        cJSON_Delete(*steps);
        *steps = NULL;
    }
    return st;
}

/* --- comparing -------------------------------------------------------------------------------- */

static bool is_same_value(const cJSON *a, const cJSON *b)
{
    if (cJSON_IsNumber(a) && cJSON_IsNumber(b))
        return fabs(a->valuedouble - b->valuedouble) <= 1 + 1e-5 * fabs(a->valuedouble);
    return cJSON_Compare(a, b, true);
}

static bool has_all(const cJSON *a, const cJSON *b)
{
    const cJSON *c;
    cJSON_ArrayForEach(c, a)
    {
        if (!is_same_value(c, json_get(b, c->string)))
            return false;
    }
    return true;
}

static bool is_same_qdisc(const cJSON *a, const cJSON *b)
{
    return strcmp(json_str(a, "kind", ""), json_str(b, "kind", "")) == 0 &&
           is_default(a) == is_default(b) &&
           json_bool(a, "root", false) == json_bool(b, "root", false) &&
           has_all(json_get(a, "options"), json_get(b, "options")) &&
           has_all(json_get(b, "options"), json_get(a, "options"));
}

bool tc_is_same(const cJSON *a, const cJSON *b)
{
    const cJSON *x = a ? a->child : NULL, *y = b ? b->child : NULL;
    for (; x && y; x = x->next, y = y->next)
        if (!is_same_qdisc(x, y))
            return false;
    return !x && !y;
}
