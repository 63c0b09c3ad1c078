/* In place of prague_bpf.c where libbpf or clang was missing at build time. */
#include "testbed/prague.h"
#include "testbed/prague_bpf.h"

bool prague_is_built(void)
{
    return false;
}

enum status prague_bpf_register(const char *name, int *link_fd, struct error *err)
{
    (void)name;
    *link_fd = -1;
    error_set(err, STATUS_UNAVAILABLE, "prague", "this ccalab was built without BPF");
    return err ? error_hint(err, "install the packages libbpf-dev and clang, then build again")
               : STATUS_UNAVAILABLE;
}
