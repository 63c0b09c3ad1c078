#include <getopt.h>
#include <string.h>

#include "core/event.h"
#include "model/cmd.h"
#include "model/pool.h"

#define JSON_MAX (256u << 20)

static const char help[] =
    "usage: netllm pool [--recipe tutorial] -o POOL.safetensors IPERF3.json...\n\n"
    "  --recipe NAME   how rows become states, actions and rewards: tutorial\n"
    "  -o FILE         the pool to write\n\n"
    "Each TCP stream of each file is one episode. Intervals iperf3 omitted (-O) are left out.\n";

static enum status add_file(struct pool *p, const char *path, struct error *err)
{
    struct buf text;
    enum status st = buf_read_file(&text, path, JSON_MAX, err);
    if (!st)
        st = pool_add_iperf3(p, text.data, text.len, path, err);
    buf_done(&text);
    return st;
}

enum status cmd_pool(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    static const struct option options[] = {{"recipe", required_argument, NULL, 'r'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *recipe = "tutorial", *output = NULL;
    int c;
    while ((c = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        switch (c) {
        case 'r':
            recipe = optarg;
            break;
        case 'o':
            output = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return STATUS_OK;
        default:
            return cmd_bad_option(c, argv, err);
        }
    }
    if (strcmp(recipe, "tutorial") != 0) {
        error_set(err, STATUS_USAGE, "pool", "unknown recipe '%s'", recipe);
        error_hint(err, "recipes: tutorial");
        return STATUS_USAGE;
    }
    if (!output || optind == argc) {
        error_set(err, STATUS_USAGE, "pool", !output ? "-o FILE is missing" : "no input files");
        error_hint(err, "see: netllm pool --help");
        return STATUS_USAGE;
    }

    enum status st = STATUS_OK;
    struct pool *p = pool_new(recipe);
    if (!p)
        return error_set(err, STATUS_NOMEM, "pool", "no memory");
    for (int i = optind; i < argc && !st; i++) {
        event_write_progress(stdout, i - optind, argc - optind, "%s", argv[i]);
        st = *stop ? error_set(err, STATUS_INTERRUPTED, "pool", "stopped by %s", strsignal(*stop))
                   : add_file(p, argv[i], err);
    }
    if (!st)
        st = pool_save(p, output, err);
    if (!st) {
        cJSON *result = pool_describe(p);
        cJSON_AddStringToObject(result, "path", output);
        event_write_result(stdout, result);
    }
    pool_free(p);
    return st;
}
