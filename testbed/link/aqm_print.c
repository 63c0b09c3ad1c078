/* AQMs as text: their specs, their statistics, the help. */
#include <inttypes.h>

#include "testbed/link/aqm_spec.h"

/* number / divisor as a decimal without trailing zeros; the divisor divides a power of ten. */
static void put_decimal(struct buf *text, uint64_t number, uint64_t divisor)
{
    uint64_t rest = number % divisor;

    buf_printf(text, "%" PRIu64, number / divisor);
    if (rest != 0) {
        buf_puts(text, ".");
    }
    while (rest != 0) {
        rest *= 10;
        buf_printf(text, "%" PRIu64, rest / divisor);
        rest %= divisor;
    }
}

static void put_time(struct buf *text, uint64_t us)
{
    uint64_t divisor = us >= 1000000 ? 1000000 : us >= 1000 ? 1000 : 1;

    put_decimal(text, us, divisor);
    buf_puts(text, divisor == 1000000 ? "s" : divisor == 1000 ? "ms" : "us");
}

static void put_value(struct buf *text, const struct aqm_option *o, uint64_t value)
{
    switch (o->type) {
    case AQM_OPTION_PKTS:
        buf_printf(text, "%" PRIu64 "p", value);
        break;
    case AQM_OPTION_BYTES:
        buf_printf(text, "%" PRIu64 "B", value);
        break;
    case AQM_OPTION_TIME:
        put_time(text, value);
        break;
    case AQM_OPTION_HZ:
        put_decimal(text, value, 256);
        break;
    case AQM_OPTION_PERCENT:
        buf_printf(text, "%" PRIu64 "%%", value);
        break;
    default:
        buf_printf(text, "%" PRIu64, value);
        break;
    }
}

static void put_option(struct buf *text, const struct aqm_option *o, const void *params)
{
    const char *at = (const char *)params + o->offset;

    if (o->type == AQM_OPTION_WORD || o->type == AQM_OPTION_CHOICE) {
        bool is_on = *(const bool *)(const void *)at;

        if (o->is_quiet && is_on == (o->def != 0)) {
            return;
        }
        if (o->type == AQM_OPTION_CHOICE) {
            buf_printf(text, " %s %s", o->name, o->words[is_on]);
        } else if (is_on == (o->max != 0)) {
            buf_printf(text, " %s", o->name);
        }
    } else if (o->type == AQM_OPTION_LIMIT) {
        const struct aqm_limit *limit = (const struct aqm_limit *)(const void *)at;

        if (limit->pkts != 0) {
            buf_printf(text, " %s %" PRIu64 "p", o->name, limit->pkts);
        }
        if (limit->bytes != 0) {
            buf_printf(text, " %s %" PRIu64 "b", o->name, limit->bytes);
        }
        if (limit->bdp_micro != 0) {
            buf_printf(text, " %s ", o->name);
            put_decimal(text, limit->bdp_micro, 1000000);
            buf_puts(text, "bdp");
        }
    } else if (o->type == AQM_OPTION_THRESHOLD) {
        const struct aqm_threshold *t = (const struct aqm_threshold *)(const void *)at;

        buf_printf(text, " %s ", o->name);
        if (t->is_pkts) {
            buf_printf(text, "%" PRIu64 "p", t->value);
        } else {
            put_time(text, t->value);
        }
    } else {
        uint64_t value = *(const uint64_t *)(const void *)at;

        if (!(o->is_quiet && value == o->def)) {
            buf_printf(text, " %s ", o->name);
            put_value(text, o, value);
        }
    }
}

void aqm_describe(const struct aqm *a, struct buf *text)
{
    buf_puts(text, a->ops->name);
    for (const struct aqm_option *o = a->ops->options; o->name != NULL; o++) {
        put_option(text, o, a->params);
    }
}

cJSON *aqm_stats_json(const struct aqm *a, uint64_t now_ns)
{
    cJSON *out = cJSON_CreateObject();

    if (out != NULL) {
        a->ops->stats_json(a, now_ns, out);
    }
    return out;
}

void aqm_spec_help(FILE *f)
{
    static const char *const types[] = {
        [AQM_OPTION_COUNT] = " N",
        [AQM_OPTION_PKTS] = " PACKETS",
        [AQM_OPTION_BYTES] = " BYTES",
        [AQM_OPTION_TIME] = " TIME",
        [AQM_OPTION_HZ] = " HZ",
        [AQM_OPTION_PERCENT] = " N%",
        [AQM_OPTION_WORD] = "",
        [AQM_OPTION_LIMIT] = " Np|Nkb|Nbdp",
        [AQM_OPTION_THRESHOLD] = " TIME|Np",
    };

    for (size_t i = 0; aqm_kinds[i] != NULL; i++) {
        fprintf(f, "%s\n", aqm_kinds[i]->name);
        for (const struct aqm_option *o = aqm_kinds[i]->options; o->name != NULL; o++) {
            char usage[64];

            if (o->type == AQM_OPTION_CHOICE) {
                snprintf(usage, sizeof(usage), "%s %s|%s", o->name, o->words[0], o->words[1]);
            } else {
                snprintf(usage, sizeof(usage), "%s%s", o->name, types[o->type]);
            }
            fprintf(f, "  %-26s %s\n", usage, o->help);
        }
    }
}
