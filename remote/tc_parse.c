#include "remote/tc_parse.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/json.h"

#define TEXT_MAX   (4u << 20)
#define QDISCS_MAX 4096
#define WORDS_MAX  256
#define NAME_MAX_  32 /* IFNAMSIZ and the kernel's limit of a kind are 16 */

/* --- numbers ---------------------------------------------------------------------------------- */

enum unit { UNIT_NONE, UNIT_PACKETS, UNIT_TIME };

static const struct suffix {
    const char *text;
    double factor;
    enum unit unit;
} suffixes[] = {
    {"", 1, UNIT_NONE},
    {"p", 1, UNIT_PACKETS},
    {"pkt", 1, UNIT_PACKETS},
    {"us", 1, UNIT_TIME},
    {"ms", 1e3, UNIT_TIME},
    {"s", 1e6, UNIT_TIME},
    {"ns", 1e-3, UNIT_TIME},
    {"%", 1, UNIT_NONE},
    {"b", 1, UNIT_NONE},
    {"B", 1, UNIT_NONE},
    {"Kb", 1024, UNIT_NONE},
    {"Mb", 1024 * 1024, UNIT_NONE},
    {"Gb", 1024 * 1024 * 1024, UNIT_NONE},
    {"bit", 1 / 8.0, UNIT_NONE},
    {"Kbit", 1e3 / 8, UNIT_NONE},
    {"Mbit", 1e6 / 8, UNIT_NONE},
    {"Gbit", 1e9 / 8, UNIT_NONE},
    {"Tbit", 1e12 / 8, UNIT_NONE},
};

/* Does the word begin as a number does? Then it is the value of the word before it. */
static bool is_value(const char *word)
{
    return isdigit((unsigned char)word[word[0] == '-']);
}

/* A number with tc's units; a value that is none ("0x10", "1500b/8") stays a string. */
static cJSON *parse_value(const char *word, enum unit *unit)
{
    char *end = NULL;
    bool is_hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
    double v = is_hex ? 0 : strtod(word, &end);
    *unit = UNIT_NONE;
    for (size_t i = 0; !is_hex && isfinite(v) && i < sizeof suffixes / sizeof *suffixes; i++) {
        const struct suffix *s = &suffixes[i];
        if (strcmp(end, s->text) == 0) {
            *unit = s->unit;
            v *= s->factor;
            /* "3.89ms" is 3890 us, not 3889.9999. */
            return cJSON_CreateNumber(s->factor > 1 ? rint(v) : v);
        }
    }
    return cJSON_CreateString(word);
}

/* --- one name for every thing ----------------------------------------------------------------- */

static const struct rename {
    const char *from, *to;
} option_names[] = {{"memlimit", "memory_limit"},
                    {"coupling_factor", "coupling"},
                    {"classic_protection", "c_protection"},
                    {NULL, NULL}},
  stat_names[] = {{"step_marks", "step_mark"}, {NULL, NULL}};

/* Words of dualpi2's text that are a value of something. */
static const struct choice {
    const char *word, *name, *value;
} choices[] = {{"drop_on_overload", "drop_overload", "drop"},
               {"overflow", "drop_overload", "overflow"},
               {"drop_dequeue", "drop_early", "drop-dequeue"},
               {"drop_enqueue", "drop_early", "drop-enqueue"},
               {"l4s_ect", "ecn_mask", "l4s-ect"},
               {"any_ect", "ecn_mask", "any-ect"}};

static const char *new_name(const struct rename *names, const char *name)
{
    for (; names->from; names++)
        if (strcmp(names->from, name) == 0)
            return names->to;
    return name;
}

static void set(cJSON *o, const char *name, cJSON *value)
{
    if (!value || json_get(o, name) || !cJSON_AddItemToObject(o, name, value))
        cJSON_Delete(value); /* the first counts */
}

/* A word that stands alone. */
static void set_flag(cJSON *o, const char *word, bool is_dualpi2)
{
    for (size_t i = 0; is_dualpi2 && i < sizeof choices / sizeof *choices; i++) {
        if (strcmp(choices[i].word, word) == 0) {
            set(o, choices[i].name, cJSON_CreateString(choices[i].value));
            return;
        }
    }
    if (is_dualpi2 && strcmp(word, "no_split_gso") == 0)
        set(o, "split_gso", cJSON_CreateFalse());
    else
        set(o, word, cJSON_CreateTrue());
}

/* "limit 1000p ecn priomap 1 2 2": a word and the numbers after it, none, one or several. */
static void read_pairs(cJSON *o, char **words, int n, bool is_option, bool is_dualpi2)
{
    for (int i = 0, count; i < n; i += 1 + count) {
        const char *name = words[i];
        enum unit unit;
        for (count = 0; i + 1 + count < n && is_value(words[i + 1 + count]);)
            count++;
        if (!islower((unsigned char)name[0])) /* "credit -3 (L-queue)", "[cannot parse ...]" */
            continue;
        if (is_dualpi2)
            name = new_name(is_option ? option_names : stat_names, name);
        if (count == 0) {
            set_flag(o, name, is_dualpi2 && is_option);
        } else if (count == 1) {
            cJSON *value = parse_value(words[i + 1], &unit);
            if (is_dualpi2 && is_option && strcmp(name, "step_thresh") == 0)
                name = unit == UNIT_PACKETS ? "step_thresh_pkts" : "step_thresh_us";
            set(o, name, value);
        } else {
            cJSON *list = cJSON_CreateArray();
            for (int k = 1; k <= count; k++)
                cJSON_AddItemToArray(list, parse_value(words[i + k], &unit));
            set(o, name, list);
        }
    }
}

/* --- text ------------------------------------------------------------------------------------- */

static enum status fail(struct error *err, const char *what)
{
    return error_set(err, STATUS_INPUT, "tc", "%s", what);
}

/* Split at spaces and the punctuation of "(dropped 0, overlimits 0)". -1: too many. */
static int split(char *line, char **words)
{
    int n = 0;
    char *save = NULL;
    for (char *w = strtok_r(line, " \t\r(),", &save); w; w = strtok_r(NULL, " \t\r(),", &save)) {
        if (n == WORDS_MAX)
            return -1;
        words[n++] = w;
    }
    return n;
}

/* "qdisc KIND HANDLE: [dev DEV] root|parent CLASS|ingress [offloaded] [refcnt N] OPTIONS". NULL: it
 * is no such line. */
static cJSON *read_head(char **words, int n)
{
    if (n < 3 || strlen(words[1]) >= NAME_MAX_ || strlen(words[2]) >= NAME_MAX_ ||
        !strchr(words[2], ':'))
        return NULL;
    cJSON *o = cJSON_CreateObject();
    bool is_dualpi2 = strcmp(words[1], "dualpi2") == 0;
    int i = 3;
    set(o, "kind", cJSON_CreateString(words[1]));
    set(o, "handle", cJSON_CreateString(words[2]));
    for (; i < n; i++) {
        bool has_value = i + 1 < n;
        if (has_value && (strcmp(words[i], "dev") == 0 || strcmp(words[i], "parent") == 0)) {
            set(o, words[i], cJSON_CreateString(words[i + 1]));
            i++;
        } else if (has_value && strcmp(words[i], "refcnt") == 0) {
            set(o, "refcnt", cJSON_CreateNumber(strtod(words[++i], NULL)));
        } else if (strcmp(words[i], "root") == 0 || strcmp(words[i], "offloaded") == 0) {
            set(o, words[i], cJSON_CreateTrue());
        } else {
            break;
        }
    }
    read_pairs(cJSON_AddObjectToObject(o, "options"), words + i, n - i, true, is_dualpi2);
    return o;
}

static void set_number(cJSON *o, const char *name, const char *word)
{
    enum unit unit;
    set(o, name, parse_value(word, &unit));
}

/* Are the kind's own statistics words with numbers? */
static bool has_pairs(const char *kind)
{
    static const char *const kinds[] = {"codel", "fq_codel", "pie", "fq_pie",
                                        "pi2",   "dualpi2",  "red", NULL};
    for (int i = 0; kinds[i]; i++)
        if (strcmp(kinds[i], kind) == 0)
            return true;
    return false;
}

/* A line below the head. */
static void read_stats(cJSON *o, char **words, int n)
{
    const char *kind = json_str(o, "kind", "");
    bool is_dualpi2 = strcmp(kind, "dualpi2") == 0;
    /* Old ones have "rate 0bit 0pps" before it. */
    int at = n >= 3 && strcmp(words[0], "rate") == 0 && strstr(words[2], "pps") ? 3 : 0;
    if (n >= 11 && strcmp(words[0], "Sent") == 0) {
        set_number(o, "bytes", words[1]);
        set_number(o, "packets", words[3]);
        set_number(o, "drops", words[6]);
        set_number(o, "overlimits", words[8]);
        set_number(o, "requeues", words[10]);
    } else if (n >= at + 3 && strcmp(words[at], "backlog") == 0) {
        set_number(o, "backlog", words[at + 1]);
        set_number(o, "qlen", words[at + 2]);
    } else if (is_dualpi2 && n == 8 && strcmp(words[0], "memory_used") == 0) {
        set_number(o, "memory_used", words[1]);
        set_number(o, "max_memory_used", words[3]);
        set_number(o, "memory_limit", words[7]);
    } else if (is_dualpi2 && n == 9 && strcmp(words[0], "memory") == 0) {
        set_number(o, "memory_used", words[2]);
        set_number(o, "max_memory_used", words[4]);
        set_number(o, "memory_limit", words[8]);
    } else if (has_pairs(kind)) {
        read_pairs(o, words, n, false, is_dualpi2);
    }
}

static enum status parse_text(char *text, cJSON *out, struct error *err)
{
    char *words[WORDS_MAX], *save = NULL;
    cJSON *o = NULL;
    int count = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        int n = split(line, words);
        if (n < 0)
            return fail(err, "a line of tc has too many words");
        if (n == 0)
            continue;
        if (strcmp(words[0], "qdisc") == 0) {
            o = read_head(words, n);
            if (!o || !cJSON_AddItemToArray(out, o))
                return fail(err, "a line of tc that begins with 'qdisc' cannot be understood");
            if (++count > QDISCS_MAX)
                return fail(err, "tc told of too many qdiscs");
        } else if (o) {
            read_stats(o, words, n);
        } else {
            return fail(err, "this is not what tc qdisc prints");
        }
    }
    return STATUS_OK;
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* In place: delay-c is delay_c, null is true. */
static void clean_names(cJSON *o)
{
    for (cJSON *c = o->child; c; c = c->next) {
        for (char *p = c->string; p && *p; p++)
            if (*p == '-')
                *p = '_';
        if (cJSON_IsNull(c))
            c->type = cJSON_True;
    }
}

static void rename_all(cJSON *o, const struct rename *names)
{
    for (; names->from; names++) {
        cJSON *c = cJSON_DetachItemFromObjectCaseSensitive(o, names->from);
        if (c)
            set(o, names->to, c);
    }
}

/* Early patches for iproute2 wrote true and false. */
static void name_bool(cJSON *o, const char *name, const char *if_true, const char *if_false)
{
    const cJSON *c = json_get(o, name);
    if (cJSON_IsBool(c))
        cJSON_ReplaceItemInObjectCaseSensitive(
            o, name, cJSON_CreateString(cJSON_IsTrue(c) ? if_true : if_false));
}

static bool clean_qdisc(cJSON *o)
{
    const char *kind = json_str(o, "kind", "");
    cJSON *options = cJSON_GetObjectItemCaseSensitive(o, "options");
    if (!cJSON_IsObject(o) || !kind[0] || strlen(kind) >= NAME_MAX_ ||
        strlen(json_str(o, "handle", "")) >= NAME_MAX_)
        return false;
    clean_names(o);
    if (options && !cJSON_IsObject(options))
        return false;
    if (!options)
        options = cJSON_AddObjectToObject(o, "options");
    clean_names(options);
    if (strcmp(kind, "dualpi2") != 0)
        return true;
    rename_all(o, stat_names);
    rename_all(options, option_names);
    name_bool(options, "drop_early", "drop-enqueue", "drop-dequeue");
    name_bool(options, "drop_overload", "drop", "overflow");
    if (options->child) /* the only option whose absence says something */
        set(options, "split_gso", cJSON_CreateFalse());
    return true;
}

static enum status parse_json(const char *text, size_t len, cJSON **out, struct error *err)
{
    int count = 0;
    *out = json_parse(text, len, "tc -j", err);
    if (!*out) /* the L4S team's q_dualpi2.c prints its text whatever is asked for */
        return error_hint(err, "this tc knows no JSON for one of the qdiscs: ask it without -j");
    if (!cJSON_IsArray(*out))
        return fail(err, "tc -j gave no list of qdiscs");
    for (cJSON *o = (*out)->child; o; o = o->next) {
        if (++count > QDISCS_MAX)
            return fail(err, "tc told of too many qdiscs");
        if (!clean_qdisc(o))
            return fail(err, "tc -j gave something that is no qdisc");
    }
    return STATUS_OK;
}

enum status tc_qdisc_parse(const char *text, size_t len, cJSON **out, struct error *err)
{
    struct buf copy;
    enum status st;
    *out = NULL;
    buf_init(&copy, TEXT_MAX);
    if (!buf_append(&copy, text, len)) {
        st = fail(err, "tc wrote more than 4 MiB");
        goto done;
    }
    if (len && memchr(text, '\0', len)) {
        st = fail(err, "this is not what tc qdisc prints: it has zero bytes");
        goto done;
    }
    size_t start = strspn(copy.data, " \t\r\n");
    if (copy.data[start] == '[' || copy.data[start] == '{') {
        st = parse_json(copy.data, copy.len, out, err);
    } else {
        *out = cJSON_CreateArray();
        st = *out ? parse_text(copy.data, *out, err)
                  : error_set(err, STATUS_NOMEM, "tc", "out of memory");
    }
    if (st != STATUS_OK) {
        cJSON_Delete(*out);
        *out = NULL;
    }
done:
    buf_done(&copy);
    return st;
}
