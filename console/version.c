#include "console/version.h"

#include <lua.h>
#include <ncurses.h>
#include <stdbool.h>
#include <unistd.h>
#include <uv.h>

#include "core/paths.h"
#include "core/version.h"
#include "testbed/testbed.h"

static void feature(FILE *f, const char *name, bool is_present, const char *purpose,
                    const char *remedy)
{
    fprintf(f, "  %-12s %-3s  %s", name, is_present ? "yes" : "no", purpose);
    if (!is_present)
        fprintf(f, ": %s", remedy);
    putc('\n', f);
}

static bool has_netllm(void)
{
    char path[CCALAB_PATH_MAX], dir[CCALAB_PATH_MAX];

    return paths_self_dir(dir, sizeof dir) && path_join(path, sizeof path, dir, "netllm") &&
           access(path, X_OK) == 0;
}

void version_print(FILE *f)
{
    struct testbed_feature of[TESTBED_FEATURES];

    fprintf(f, "ccalab %s\n", CCALAB_VERSION);
    fprintf(f, "  %-12s yes  %s, libuv %s, ncurses %s\n", "console", LUA_RELEASE,
            uv_version_string(), NCURSES_VERSION);
    feature(f, "netllm", has_netllm(), "the policy worker, beside this program",
            "build the target netllm");
    feature(f, "libtorch", CCALAB_HAVE_TORCH, "training and testing of the policy",
            "install the package libtorch-dev and build again");
    testbed_features(of);
    for (int i = 0; i < TESTBED_FEATURES; i++)
        feature(f, of[i].name, of[i].is_present, of[i].purpose, of[i].remedy);
}
