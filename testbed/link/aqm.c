#include "testbed/link/aqm.h"

#include <string.h>

#include "testbed/link/dualpi2.h"

static enum status new_dualpi2(const struct aqm_config *config, struct aqm **out, struct error *err)
{
    struct dualpi2_params params;

    dualpi2_params_default(&params);
    return dualpi2_new(config, &params, out, err);
}

static const struct {
    const char *name;
    uint32_t limit_pkts;
    enum status (*make)(const struct aqm_config *config, struct aqm **out, struct error *err);
} kinds[] = {
    {"dualpi2", DUALPI2_LIMIT_PKTS, new_dualpi2},
    {"fifo", FIFO_LIMIT_PKTS, fifo_new},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t kind_index(const char *name)
{
    size_t i = 0;

    while (i < KINDS && strcmp(kinds[i].name, name) != 0) {
        i++;
    }
    return i;
}

enum status aqm_check(const char *name, struct error *err)
{
    if (kind_index(name) < KINDS) {
        return STATUS_OK;
    }
    error_set(err, STATUS_USAGE, "aqm", "unknown AQM '%.32s'", name);
    return error_hint(err, "one of: dualpi2, fifo");
}

uint32_t aqm_default_limit_pkts(const char *name)
{
    size_t i = kind_index(name);

    return i < KINDS ? kinds[i].limit_pkts : 0;
}

enum status aqm_new(const char *name, const struct aqm_config *config, struct aqm **out,
                    struct error *err)
{
    enum status s = aqm_check(name, err);

    *out = NULL;
    return s == STATUS_OK ? kinds[kind_index(name)].make(config, out, err) : s;
}

void aqm_free(struct aqm *a)
{
    if (a != NULL) {
        a->ops->free(a);
    }
}
