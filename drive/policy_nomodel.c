/* In place of policy_model.c in the program without libtorch, which asks this only where there is
 * no netllm-torch beside it. */
#include "drive/policy.h"
#include "model/cmd.h"

enum status drive_model_new(const char *argument, const struct drive_policy_opts *opts,
                            struct drive_policy **out, struct error *err)
{
    (void)argument, (void)opts;
    *out = NULL;
    error_set(err, STATUS_UNAVAILABLE, "drive",
              "model: needs libtorch, which this build lacks; the other policies do not");
    error_hint(err, "%s", CMD_TORCH_HINT);
    return STATUS_UNAVAILABLE;
}
