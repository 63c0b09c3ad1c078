#include "testbed/tc_format.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/units.h"

#define OPTIONS_MAX 20
#define STATS_MAX   20
#define WORD_MAX    64

enum type {
    TYPE_END,
    TYPE_COUNT,    /* json: the number */
    TYPE_TIME,     /* text as sprint_time() of iproute2, json: microseconds */
    TYPE_FLOAT,    /* json: "%g" */
    TYPE_SIZE,     /* text as sprint_size(), json: bytes */
    TYPE_WORD,     /* the word alone; json: `value`, or true without one */
    TYPE_NULL,     /* the word alone; json: null, or nothing where there is no name for it */
    TYPE_ONLY_TEXT /* stats: the credit's queue */
};

/* An option: where it stands in the spec, and how tc writes it. */
struct option_format {
    const char *word;
    enum type type;
    const char *text; /* printf format of the value, or the word itself */
    const char *json;
    const char *value;
};

/* A statistic of the bottleneck's answer, which has tc's JSON names already. */
struct stat_format {
    const char *json;
    enum type type;
    const char *text;
    bool is_optional; /* left out where it is 0 */
};

struct kind_format {
    const char *kind;
    struct option_format options[OPTIONS_MAX];
    struct stat_format stats[STATS_MAX];
};

static const struct kind_format kinds[] = {
    {"pfifo", {{"limit", TYPE_COUNT, "limit %sp", "limit", NULL}}, {{NULL, TYPE_END, NULL, false}}},
    {"bfifo", {{"limit", TYPE_SIZE, "limit %s", "limit", NULL}}, {{NULL, TYPE_END, NULL, false}}},
    {"codel",
     {{"limit", TYPE_COUNT, "limit %sp ", "limit", NULL},
      {"target", TYPE_TIME, "target %s ", "target", NULL},
      {"ce_threshold", TYPE_TIME, "ce_threshold %s ", "ce_threshold", NULL},
      {"interval", TYPE_TIME, "interval %s ", "interval", NULL},
      {"ecn", TYPE_WORD, "ecn ", "ecn", NULL}},
     {{"count", TYPE_COUNT, "  count %s", false},
      {"lastcount", TYPE_COUNT, " lastcount %s", false},
      {"ldelay", TYPE_TIME, " ldelay %s", false},
      {"dropping", TYPE_WORD, " dropping", false},
      {"drop_next", TYPE_TIME, " drop_next %s", false},
      {"maxpacket", TYPE_COUNT, "\n  maxpacket %s", false},
      {"ecn_mark", TYPE_COUNT, " ecn_mark %s", false},
      {"drop_overlimit", TYPE_COUNT, " drop_overlimit %s", false},
      {"ce_mark", TYPE_COUNT, " ce_mark %s", true}}},
    {"fq_codel",
     {{"limit", TYPE_COUNT, "limit %sp ", "limit", NULL},
      {"flows", TYPE_COUNT, "flows %s ", "flows", NULL},
      {"quantum", TYPE_COUNT, "quantum %s ", "quantum", NULL},
      {"target", TYPE_TIME, "target %s ", "target", NULL},
      {"ce_threshold", TYPE_TIME, "ce_threshold %s ", "ce_threshold", NULL},
      {"interval", TYPE_TIME, "interval %s ", "interval", NULL},
      {"memory_limit", TYPE_SIZE, "memory_limit %s ", "memory_limit", NULL},
      {"ecn", TYPE_WORD, "ecn ", "ecn", NULL},
      {"drop_batch", TYPE_COUNT, "drop_batch %s ", "drop_batch", NULL}},
     {{"maxpacket", TYPE_COUNT, "  maxpacket %s", false},
      {"drop_overlimit", TYPE_COUNT, " drop_overlimit %s", false},
      {"new_flow_count", TYPE_COUNT, " new_flow_count %s", false},
      {"ecn_mark", TYPE_COUNT, " ecn_mark %s", false},
      {"ce_mark", TYPE_COUNT, " ce_mark %s", true},
      {"memory_used", TYPE_COUNT, " memory_used %s", true},
      {"drop_overmemory", TYPE_COUNT, " drop_overmemory %s", true},
      {"new_flows_len", TYPE_COUNT, "\n  new_flows_len %s", false},
      {"old_flows_len", TYPE_COUNT, " old_flows_len %s", false}}},
    {"pie",
     {{"limit", TYPE_COUNT, "limit %sp ", "limit", NULL},
      {"target", TYPE_TIME, "target %s ", "target", NULL},
      {"tupdate", TYPE_TIME, "tupdate %s ", "tupdate", NULL},
      {"alpha", TYPE_COUNT, "alpha %s ", "alpha", NULL},
      {"beta", TYPE_COUNT, "beta %s ", "beta", NULL},
      {"ecn", TYPE_WORD, "ecn ", "ecn", NULL},
      {"bytemode", TYPE_WORD, "bytemode ", "bytemode", NULL},
      {"dq_rate_estimator", TYPE_WORD, "dq_rate_estimator ", "dq_rate_estimator", NULL}},
     {{"prob", TYPE_FLOAT, "  prob %s", false},
      {"delay", TYPE_TIME, " delay %s", false},
      {"avg_dq_rate", TYPE_COUNT, " avg_dq_rate %s", true},
      {"pkts_in", TYPE_COUNT, "\n  pkts_in %s", false},
      {"overlimit", TYPE_COUNT, " overlimit %s", false},
      {"dropped", TYPE_COUNT, " dropped %s", false},
      {"maxq", TYPE_COUNT, " maxq %s", false},
      {"ecn_mark", TYPE_COUNT, " ecn_mark %s", false}}},
    {"dualpi2",
     {{"limit", TYPE_COUNT, "limit %sp ", "limit", NULL},
      {"memlimit", TYPE_COUNT, "memlimit %sB ", "memory-limit", NULL},
      {"target", TYPE_TIME, "target %s ", "target", NULL},
      {"tupdate", TYPE_TIME, "tupdate %s ", "tupdate", NULL},
      {"alpha", TYPE_FLOAT, "alpha %s ", "alpha", NULL},
      {"beta", TYPE_FLOAT, "beta %s ", "beta", NULL},
      {"step_thresh", TYPE_TIME, "step_thresh %s ", "step-thresh-us", "step-thresh-pkts"},
      {"min_qlen_step", TYPE_COUNT, "min_qlen_step %sp ", "min-qlen-step", NULL},
      {"coupling_factor", TYPE_COUNT, "coupling_factor %s ", "coupling", NULL},
      {"drop_on_overload", TYPE_WORD, "drop_on_overload ", "drop-overload", "drop"},
      {"overflow", TYPE_WORD, "overflow ", "drop-overload", "overflow"},
      {"drop_dequeue", TYPE_WORD, "drop_dequeue ", "drop-early", "drop-dequeue"},
      {"drop_enqueue", TYPE_WORD, "drop_enqueue ", "drop-early", "drop-enqueue"},
      {"classic_protection", TYPE_COUNT, "classic_protection %s%% ", "c-protection", NULL},
      {"l4s_ect", TYPE_WORD, "l4s_ect ", "ecn-mask", "l4s-ect"},
      {"any_ect", TYPE_WORD, "any_ect ", "ecn-mask", "any-ect"},
      {"split_gso", TYPE_NULL, "split_gso ", "split-gso", NULL},
      {"no_split_gso", TYPE_NULL, "no_split_gso ", NULL, NULL}},
     {{"prob", TYPE_FLOAT, "prob %s", false},
      {"delay-c", TYPE_COUNT, " delay_c %sus", false},
      {"delay-l", TYPE_COUNT, " delay_l %sus", false},
      {"pkts-in-c", TYPE_COUNT, "\npkts_in_c %s", false},
      {"pkts-in-l", TYPE_COUNT, " pkts_in_l %s", false},
      {"maxq", TYPE_COUNT, " maxq %s", false},
      {"ecn-mark", TYPE_COUNT, "\necn_mark %s", false},
      {"step-mark", TYPE_COUNT, " step_mark %s", false},
      {"credit", TYPE_COUNT, "\ncredit %s", false},
      {"credit", TYPE_ONLY_TEXT, " (%s)", false},
      {"memory-used", TYPE_COUNT, "\nmemory_used %s", false},
      {"max-memory-used", TYPE_COUNT, " (max %s)", false},
      {"memory-limit", TYPE_COUNT, " of memory limit %s\n", false}}},
    {"pi2",
     {{"limit", TYPE_COUNT, "limit %sp ", "limit", NULL},
      {"target", TYPE_TIME, "target %s ", "target", NULL},
      {"tupdate", TYPE_TIME, "tupdate %s ", "tupdate", NULL},
      {"alpha", TYPE_FLOAT, "alpha %s ", "alpha", NULL},
      {"beta", TYPE_FLOAT, "beta %s ", "beta", NULL},
      {"ecn", TYPE_WORD, "ecn ", "ecn", NULL}},
     {{"prob", TYPE_FLOAT, "  prob %s", false},
      {"delay", TYPE_TIME, " delay %s", false},
      {"pkts_in", TYPE_COUNT, "\n  pkts_in %s", false},
      {"overlimit", TYPE_COUNT, " overlimit %s", false},
      {"dropped", TYPE_COUNT, " dropped %s", false},
      {"maxq", TYPE_COUNT, " maxq %s", false},
      {"ecn_mark", TYPE_COUNT, " ecn_mark %s", false}}},
};

/* --- values ----------------------------------------------------------------------------------- */

/* The word after `word` ("" for a word that is the last), or NULL where it does not occur. */
static const char *find_word(const char *spec, const char *word, char *value)
{
    size_t n = strlen(word);
    while (*spec) {
        size_t len = strcspn(spec, " ");
        const char *next = spec + len + strspn(spec + len, " ");
        if (len == n && strncmp(spec, word, n) == 0) {
            snprintf(value, WORD_MAX, "%.*s", (int)strcspn(next, " "), next);
            return value;
        }
        spec = next;
    }
    return NULL;
}

static double to_us(const char *text)
{
    uint64_t us = 0;
    return parse_time_us(text, &us, NULL) == STATUS_OK ? (double)us : NAN;
}

/* "250kb" in bytes, k being 1024 as in tc(8); "30280000B" and "10000p" too. */
static double to_number(const char *text)
{
    char *end = NULL;
    double v = strtod(text, &end);
    return *end == 'k' || *end == 'K'   ? v * 1024
           : *end == 'm' || *end == 'M' ? v * 1024 * 1024
           : *end == 'g' || *end == 'G' ? v * 1024 * 1024 * 1024
                                        : v;
}

/* As iproute2 writes times: three digits, the largest unit that gives a whole part. */
static void put_time(double us, char *out)
{
    const char *sign = us < 0 ? "-" : "";
    us = fabs(us);
    if (us >= 1e6)
        snprintf(out, WORD_MAX, "%s%.3gs", sign, us / 1e6);
    else if (us >= 1e3)
        snprintf(out, WORD_MAX, "%s%.3gms", sign, us / 1e3);
    else
        snprintf(out, WORD_MAX, "%s%.0fus", sign, us);
}

/* As iproute2 writes sizes: in Kb, Mb or Gb (of 1024) where that is nearly exact. */
static void put_size(double bytes, char *out)
{
    static const struct {
        double unit, slack;
        const char *name;
    } units[] = {{1 << 30, 1024, "Gb"}, {1 << 20, 1024, "Mb"}, {1 << 10, 16, "Kb"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        double n = rint(bytes / units[i].unit);
        if (bytes >= units[i].unit && fabs(n * units[i].unit - bytes) < units[i].slack) {
            snprintf(out, WORD_MAX, "%g%s", n, units[i].name);
            return;
        }
    }
    snprintf(out, WORD_MAX, "%.0fb", bytes);
}

/* `is_short`: "%g", as in JSON, and for a probability of PIE and PI2. */
static void put_value(enum type type, double v, bool is_short, char *out)
{
    if (type == TYPE_TIME)
        put_time(v, out);
    else if (type == TYPE_SIZE)
        put_size(v, out);
    else if (type == TYPE_FLOAT)
        snprintf(out, WORD_MAX, is_short ? "%g" : "%f", v);
    else
        snprintf(out, WORD_MAX, "%.0f", v);
}

/* A number with tc's digits: cJSON alone would write all of them. */
static void add_number(cJSON *o, const char *key, enum type type, double v)
{
    char text[WORD_MAX];
    put_value(TYPE_FLOAT, v, true, text);
    if (type == TYPE_FLOAT && isfinite(v))
        cJSON_AddRawToObject(o, key, text);
    else
        json_add_num(o, key, v);
}

/* The formats are of the tables above: "%s" for the value, and "%%". */
static void put(struct buf *out, const char *format, const char *value)
{
    for (const char *c = format; *c; c++) {
        if (c[0] == '%' && c[1] == 's')
            buf_puts(out, value);
        else
            buf_append(out, c, 1);
        c += c[0] == '%';
    }
}

/* --- a qdisc ---------------------------------------------------------------------------------- */

void tc_format_kind(const char *spec, char *out, size_t size)
{
    char limit[WORD_MAX];
    snprintf(out, size, "%.*s", (int)strcspn(spec, " "), spec);
    if (strcmp(out, "fifo") == 0) {
        const char *v = find_word(spec, "limit", limit);
        bool is_bytes = v && v[0] && strchr("bB", v[strlen(v) - 1]);
        snprintf(out, size, "%s", is_bytes ? "bfifo" : "pfifo");
    }
}

static const struct kind_format *find_kind(const char *kind)
{
    static const struct kind_format none = {
        "", {{NULL, TYPE_END, NULL, NULL, NULL}}, {{NULL, TYPE_END, NULL, false}}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return &kinds[i];
    return &none;
}

/* Into *text or into *json, whichever is not NULL. */
static void put_option(const struct option_format *f, const char *spec, struct buf *text,
                       cJSON *json)
{
    char value[WORD_MAX], printed[WORD_MAX];
    if (!find_word(spec, f->word, value))
        return;
    if (f->type == TYPE_WORD || f->type == TYPE_NULL) {
        if (text)
            put(text, f->text, "");
        else if (f->type == TYPE_NULL)
            (void)(f->json && cJSON_AddNullToObject(json, f->json));
        else if (f->value)
            cJSON_AddStringToObject(json, f->json, f->value);
        else
            cJSON_AddTrueToObject(json, f->json);
        return;
    }
    /* A threshold may be a number of packets, "5p": then its JSON name is another. */
    bool is_pkts = f->value && value[0] && value[strlen(value) - 1] == 'p';
    double v = f->type == TYPE_TIME && !is_pkts ? to_us(value) : to_number(value);
    if (is_pkts)
        snprintf(printed, sizeof printed, "%s", value);
    else
        put_value(f->type, v, false, printed);
    if (text)
        put(text, f->text, printed);
    else
        add_number(json, is_pkts ? f->value : f->json, f->type, v);
}

static void put_options(const struct kind_format *k, const char *spec, struct buf *text,
                        cJSON *json)
{
    for (int i = 0; i < OPTIONS_MAX && k->options[i].word; i++)
        put_option(&k->options[i], spec, text, json);
}

static void put_stat(const struct kind_format *k, const struct stat_format *f, const cJSON *stats,
                     struct buf *text, cJSON *json)
{
    char printed[WORD_MAX];
    const cJSON *item = json_get(stats, f->json);
    if (!item || cJSON_IsNull(item) || (f->is_optional && item->valuedouble == 0))
        return;
    double v = item->valuedouble;
    if (f->type == TYPE_ONLY_TEXT) {
        if (text)
            put(text, f->text, v > 0 ? "C-queue" : "L-queue");
    } else if (f->type == TYPE_WORD) {
        if (text && cJSON_IsTrue(item))
            buf_puts(text, f->text);
        else if (cJSON_IsTrue(item))
            cJSON_AddTrueToObject(json, f->json);
    } else if (text) {
        put_value(f->type, v, strcmp(k->kind, "dualpi2") != 0, printed);
        put(text, f->text, printed);
    } else {
        add_number(json, f->json, f->type, v);
    }
}

static bool has_own_stats(const struct kind_format *k)
{
    return k->stats[0].json != NULL;
}

void tc_format_text(const struct tc_format *f, struct buf *out)
{
    char kind[32], backlog[WORD_MAX];
    const char *spec = json_str(f->direction, "aqm", "");
    const cJSON *d = f->direction;
    tc_format_kind(spec, kind, sizeof kind);
    const struct kind_format *k = find_kind(kind);
    buf_printf(out, "qdisc %s %s ", kind, f->handle);
    if (f->dev)
        buf_printf(out, "dev %s ", f->dev);
    buf_puts(out, "root refcnt 2 ");
    put_options(k, spec, out, NULL);
    buf_puts(out, "\n");
    if (!f->has_stats)
        return;
    put_size(json_num(d, "backlog_bytes", 0), backlog);
    buf_printf(out,
               " Sent %.0f bytes %.0f pkt (dropped %.0f, overlimits 0 requeues 0) \n"
               " backlog %s %.0fp requeues 0\n",
               json_num(d, "out_bytes", 0), json_num(d, "out_pkts", 0), json_num(d, "drop", 0),
               backlog, json_num(d, "backlog_pkts", 0));
    for (int i = 0; i < STATS_MAX && k->stats[i].json; i++)
        put_stat(k, &k->stats[i], json_get(d, "stats"), out, NULL);
    if (has_own_stats(k))
        buf_puts(out, "\n");
}

cJSON *tc_format_json(const struct tc_format *f)
{
    char kind[32];
    const char *spec = json_str(f->direction, "aqm", "");
    const cJSON *d = f->direction;
    tc_format_kind(spec, kind, sizeof kind);
    const struct kind_format *k = find_kind(kind);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "kind", kind);
    cJSON_AddStringToObject(o, "handle", f->handle);
    if (f->dev)
        cJSON_AddStringToObject(o, "dev", f->dev);
    cJSON_AddTrueToObject(o, "root");
    cJSON_AddNumberToObject(o, "refcnt", 2);
    put_options(k, spec, NULL, cJSON_AddObjectToObject(o, "options"));
    if (!f->has_stats)
        return o;
    json_add_num(o, "bytes", json_num(d, "out_bytes", 0));
    json_add_num(o, "packets", json_num(d, "out_pkts", 0));
    json_add_num(o, "drops", json_num(d, "drop", 0));
    json_add_num(o, "overlimits", 0);
    json_add_num(o, "requeues", 0);
    json_add_num(o, "backlog", json_num(d, "backlog_bytes", 0));
    json_add_num(o, "qlen", json_num(d, "backlog_pkts", 0));
    for (int i = 0; i < STATS_MAX && k->stats[i].json; i++)
        put_stat(k, &k->stats[i], json_get(d, "stats"), NULL, o);
    return o;
}
