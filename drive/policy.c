#include "drive/policy.h"

#include <string.h>
#include <sys/stat.h>

#include "core/suggest.h"

static const struct {
    const char *name;
    drive_policy_fn *make;
    const char *argument; /* what must follow the colon; NULL: nothing may */
} policies[] = {
    {"model", drive_model_new, "DIR"},    {"distilled", drive_mlp_new, "FILE"},
    {"lua", drive_lua_new, "FILE"},       {"constant", drive_constant_new, "PACKETS"},
    {"bdp", drive_bdp_new, "RATE:RTT"},   {"copy-last", drive_copy_last_new, NULL},
    {"random", drive_random_new, "SEED"},
};
#define POLICIES (sizeof policies / sizeof *policies)

/* The kind of policy that a path on its own is likely to be; NULL: none. */
static const char *kind_of_file(const char *path)
{
    const char *dot = strrchr(path, '.');
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return "model";
    if (dot && strcmp(dot, ".lua") == 0)
        return "lua";
    return dot && strcmp(dot, ".safetensors") == 0 ? "distilled" : NULL;
}

static enum status unknown(const char *spec, size_t len, struct error *err)
{
    const char *names[POLICIES + 1] = {NULL}, *meant, *kind = kind_of_file(spec);
    char name[32];

    for (size_t i = 0; i < POLICIES; i++)
        names[i] = policies[i].name;
    snprintf(name, sizeof name, "%.*s", (int)len, spec);
    meant = did_you_mean(name, names);
    error_set(err, STATUS_USAGE, "drive", "there is no policy '%.200s'", spec);
    if (kind)
        error_hint(err, "did you mean %s:%.200s?", kind, spec);
    else if (meant)
        error_hint(err, "did you mean %s?", meant);
    else
        error_hint(err, "there are model:DIR, distilled:FILE, lua:FILE, constant:PACKETS, "
                        "bdp:RATE:RTT, copy-last "
                        "and random:SEED");
    return STATUS_USAGE;
}

enum status drive_policy_new(const char *spec, const struct drive_policy_opts *opts,
                             struct drive_policy **out, struct error *err)
{
    size_t len = strcspn(spec, ":");
    const char *argument = spec[len] ? spec + len + 1 : NULL;

    *out = NULL;
    for (size_t i = 0; i < POLICIES; i++) {
        if (strlen(policies[i].name) != len || strncmp(policies[i].name, spec, len) != 0)
            continue;
        if (!policies[i].argument == !argument && !(argument && !*argument))
            return policies[i].make(argument, opts, out, err);
        return error_set(err, STATUS_USAGE, "drive", "the policy '%s' is to be given as %s%s%s",
                         spec, policies[i].name, policies[i].argument ? ":" : "",
                         policies[i].argument ? policies[i].argument : "");
    }
    return unknown(spec, len, err);
}

void drive_policy_free(struct drive_policy *p)
{
    if (p)
        p->ops->free(p);
}
