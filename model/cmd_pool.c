#include <getopt.h>
#include <string.h>

#include "core/event.h"
#include "core/units.h"
#include "model/cmd.h"
#include "model/pool.h"
#include "model/recipe.h"

#define PICKLE_MAX  (256u << 20)
#define INTERVAL_US 10000

static const char help[] =
    "usage: netllm pool build [--recipe NAME] [--interval TIME] -o POOL.safetensors SOURCE...\n"
    "       netllm pool import FILE.pkl -o POOL.safetensors\n"
    "       netllm pool export POOL.safetensors --csv -o FILE.csv\n"
    "       netllm pool info [--json] POOL.safetensors\n\n"
    "  --recipe NAME   how rows become states, actions and rewards: lab (default),\n"
    "                  loop, tutorial, published\n"
    "  --interval TIME how far apart rows are, but at least a round trip; of recipe\n"
    "                  loop (10ms, as netllm drive)\n"
    "  -o FILE         what to write\n"
    "  --csv           the format of the export\n\n"
    "SOURCE is a run directory, iperf3 --json output, a CSV of samples, or another pool. Each "
    "flow\n"
    "of each source is an episode. Manual: docs/netllm.md\n";

struct arguments {
    const char *recipe, *output, *interval;
    bool has_csv;
    char **files;
    int count;
};

static enum status usage(struct error *err, const char *what)
{
    error_set(err, STATUS_USAGE, "pool", "%s", what);
    return error_hint(err, "see: netllm pool --help");
}

/* argv[0] is the verb. `is_done`: the help was asked for and printed. */
static enum status parse(int argc, char *argv[], struct arguments *a, bool *is_done,
                         struct error *err)
{
    static const struct option options[] = {
        {"recipe", required_argument, NULL, 'r'}, {"interval", required_argument, NULL, 'i'},
        {"output", required_argument, NULL, 'o'}, {"csv", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    int c;

    *a = (struct arguments){0};
    *is_done = false;
    while ((c = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        switch (c) {
        case 'r':
            a->recipe = optarg;
            break;
        case 'i':
            a->interval = optarg;
            break;
        case 'o':
            a->output = optarg;
            break;
        case 'c':
            a->has_csv = true;
            break;
        case 'h':
            fputs(help, stdout);
            *is_done = true;
            return STATUS_OK;
        default:
            return cmd_bad_option(c, argv, err);
        }
    }
    a->files = argv + optind;
    a->count = argc - optind;
    if (!a->output)
        return usage(err, "-o FILE is missing");
    return a->count ? STATUS_OK : usage(err, "no input files");
}

/* What trace_set's interval_s has to be. */
static enum status read_interval(const struct arguments *a, enum recipe recipe, double *out,
                                 struct error *err)
{
    uint64_t us = INTERVAL_US;

    *out = 0;
    if (recipe != RECIPE_LOOP)
        return a->interval ? usage(err, "--interval is of recipe loop") : STATUS_OK;
    enum status st = a->interval ? parse_time_us(a->interval, &us, err) : STATUS_OK;
    if (st == STATUS_OK && !us)
        st = usage(err, "--interval is longer than 0");
    *out = (double)us / 1e6;
    return st;
}

/* Save, and say what it is. Frees the pool. */
static enum status finish(struct pool *p, const char *path, struct error *err)
{
    enum status st = pool_save(p, path, err);

    if (st == STATUS_OK) {
        cJSON *result = pool_describe(p);
        cJSON_AddStringToObject(result, "path", path);
        event_write_result(stdout, result);
    }
    pool_free(p);
    return st;
}

static enum status build(const struct arguments *a, const volatile sig_atomic_t *stop,
                         struct error *err)
{
    const char *name = a->recipe ? a->recipe : recipe_name(RECIPE_LAB);
    enum recipe recipe = recipe_of(name);
    struct trace_set traces;
    struct pool *p = NULL;
    enum status st = STATUS_OK;

    if (recipe == RECIPE_IMPORTED) {
        error_set(err, STATUS_USAGE, "pool", "unknown recipe '%s'", name);
        return error_hint(err, "recipes: lab, loop, tutorial, published");
    }
    trace_set_init(&traces);
    st = read_interval(a, recipe, &traces.interval_s, err);
    for (int i = 0; i < a->count && st == STATUS_OK; i++) {
        event_write_progress(stdout, i, a->count, "%s", a->files[i]);
        st = *stop ? error_set(err, STATUS_INTERRUPTED, "pool", "stopped by %s", strsignal(*stop))
                   : trace_add_path(&traces, a->files[i], err);
    }
    if (st == STATUS_OK)
        st = recipe_build(recipe, &traces, &p, err);
    trace_set_done(&traces);
    return st == STATUS_OK ? finish(p, a->output, err) : st;
}

static enum status import_pool(const struct arguments *a, struct error *err)
{
    struct pool *p = NULL;
    struct buf data;
    enum status st;

    if (a->count != 1)
        return usage(err, "one pickle at a time");
    st = buf_read_file(&data, a->files[0], PICKLE_MAX, err);
    if (st == STATUS_OK)
        st = pool_from_pickle(data.data, data.len, a->files[0], &p, err);
    buf_done(&data);
    return st == STATUS_OK ? finish(p, a->output, err) : st;
}

static enum status export_pool(const struct arguments *a, struct error *err)
{
    struct pool *p = NULL;
    enum status st;

    if (!a->has_csv)
        return usage(err, "--csv is the one format there is");
    if (a->count != 1)
        return usage(err, "one pool at a time");
    st = pool_load(a->files[0], &p, err);
    if (st == STATUS_OK)
        st = pool_export_csv(p, a->output, err);
    if (st == STATUS_OK) {
        cJSON *result = cJSON_CreateObject();
        cJSON_AddNumberToObject(result, "rows", (double)p->rows);
        cJSON_AddStringToObject(result, "path", a->output);
        event_write_result(stdout, result);
    }
    pool_free(p);
    return st;
}

enum status cmd_pool(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    const char *verb = argc > 1 ? argv[1] : "";
    struct arguments a;
    enum status st;
    bool is_done;

    if (!strcmp(verb, "info"))
        return cmd_info(argc - 1, argv + 1, stop, err);
    if (!strcmp(verb, "--help") || !strcmp(verb, "-h")) {
        fputs(help, stdout);
        return STATUS_OK;
    }
    if (strcmp(verb, "build") && strcmp(verb, "import") && strcmp(verb, "export"))
        return usage(err, *verb ? "the verbs are build, import, export and info"
                                : "build, import, export or info?");
    st = parse(argc - 1, argv + 1, &a, &is_done, err);
    if (st != STATUS_OK || is_done)
        return st;
    if (!strcmp(verb, "build"))
        return build(&a, stop, err);
    return !strcmp(verb, "import") ? import_pool(&a, err) : export_pool(&a, err);
}
