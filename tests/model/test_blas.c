#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "model/blas.h"

static void expect(const char *maps, const char *name, bool has_advice)
{
    char path[] = "/tmp/ccalab-maps-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, maps, strlen(maps)), (ssize_t)strlen(maps));
    close(fd);
    struct blas blas;
    blas_detect(path, &blas);
    unlink(path);
    assert_string_equal(blas.name, name);
    assert_int_equal(blas.advice != NULL, has_advice);
}

static void test_names(void **state)
{
    (void)state;
#define LINE(path) "7f00-7f10 r-xp 00000000 08:01 123    " path "\n"
    expect("", "none", false);
    expect("7f00-7f10 r-xp 00000000 00:00 0\n" LINE("/usr/lib/libc.so.6"), "none", false);
    expect(LINE("/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblasp-r0.3.21.so"),
           "openblas-openmp", false);
    expect(LINE("/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3"), "openblas-pthread",
           true);
    expect(LINE("/usr/lib/x86_64-linux-gnu/blis-openmp/libblis.so.4.0.0"), "blis-openmp", false);
    expect(LINE("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0"), "reference", true);
    expect(LINE("/opt/own/libblas.so.3"), "unknown", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
