#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "model/blas.h"

static void expect(const char *path, const char *name, bool has_advice)
{
    struct blas blas;
    blas_describe(path, &blas);
    assert_string_equal(blas.name, name);
    assert_string_equal(blas.path, path);
    assert_int_equal(blas.advice != NULL, has_advice);
}

static void test_names(void **state)
{
    (void)state;
    expect("/usr/lib/x86_64-linux-gnu/openblas-openmp/libblas.so.3", "openblas-openmp", false);
    expect("/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblasp-r0.3.21.so", "openblas-openmp",
           false);
    expect("/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3", "openblas-pthread", true);
    expect("/usr/lib/x86_64-linux-gnu/blis-openmp/libblis.so.4.0.0", "blis-openmp", false);
    expect("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0", "reference", true);
    expect("/opt/torch/lib/libtorch_cpu.so", "libtorch's own", false);
    expect("/opt/own/libblas.so.3", "unknown", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
