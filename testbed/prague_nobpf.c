/* In place of prague_bpf.c where libbpf or clang was missing at build time. */
#include "testbed/prague.h"
#include "testbed/prague_bpf.h"

bool prague_is_built(void)
{
    return false;
}

enum status prague_bpf_register(const char *name, const struct prague_kernel *kernel,
                                struct prague_bpf *b, struct error *err)
{
    (void)name;
    (void)kernel;
    *b = (struct prague_bpf){0};
    error_set(err, STATUS_UNAVAILABLE, "prague", "this ccalab was built without BPF");
    return err ? error_hint(err, "install the packages libbpf-dev and clang, then build again")
               : STATUS_UNAVAILABLE;
}

void prague_bpf_unregister(struct prague_bpf *b)
{
    (void)b;
}

bool prague_bpf_sweep(const char *name)
{
    (void)name;
    return false;
}
