/* Which layer lies on which device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "model/devices.h"

#define CUDA(n) (DEVICE_CUDA + (n))

static struct device_machine machine_of(int count, double free_bytes)
{
    struct device_machine m = {.cuda_count = count, .cpu_free_bytes = 8e9, .torch = "libtorch 9.9"};
    for (int i = 0; i < count; i++)
        m.cuda_free_bytes[i] = free_bytes;
    return m;
}

static void expect_layers(const struct device_plan *plan, int count, const int *layers)
{
    assert_int_equal(plan->count, count);
    for (int i = 0; i < count; i++)
        assert_int_equal(plan->layers[i], layers[i]);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int device;
    } good[] = {{"cpu", DEVICE_CPU},
                {"none", DEVICE_DEFAULT},
                {"cuda", CUDA(0)},
                {"cuda:0", CUDA(0)},
                {"cuda:13", CUDA(13)}};
    static const char *const bad[] = {
        "",        "cuda:", "cuda:-1", "cuda:1x", "cuda: 1",
        "cuda:64", "cuda0", "gpu",     "CPU",     "cuda:99999999999999999999"};
    struct error err;
    char name[16];
    int device;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(device_parse("device", good[i].text, &device, &err), STATUS_OK);
        assert_int_equal(device, good[i].device);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(device_parse("device-mid", bad[i], &device, &err), STATUS_USAGE);
        assert_non_null(strstr(err.message, "--device-mid"));
    }
    assert_string_equal(device_name(DEVICE_CPU, name), "cpu");
    assert_string_equal(device_name(CUDA(63), name), "cuda:63");
}

/* The published split of Llama's 32 layers: 16/16 and 11/11/10. */
static void test_named(void **state)
{
    (void)state;
    const struct device_machine m = machine_of(3, 80e9);
    const struct device_sizes sizes = {.layers = 32, .layer_bytes = 10, .other_bytes = 7};
    struct device_plan plan;
    struct error err;

    struct device_request r = {0};
    assert_int_equal(device_plan_make(&r, &m, &sizes, &plan, &err), STATUS_OK);
    expect_layers(&plan, 1, (int[]){32});
    assert_int_equal(plan.device[0], DEVICE_CPU);

    r = (struct device_request){.device = CUDA(0), .out = CUDA(1)};
    assert_int_equal(device_plan_make(&r, &m, &sizes, &plan, &err), STATUS_OK);
    expect_layers(&plan, 2, (int[]){16, 16});

    r = (struct device_request){.device = CUDA(0), .mid = CUDA(2), .out = CUDA(1)};
    assert_int_equal(device_plan_make(&r, &m, &sizes, &plan, &err), STATUS_OK);
    expect_layers(&plan, 3, (int[]){11, 11, 10});
    char text[100];
    assert_string_equal(device_plan_text(&plan, text, sizeof text),
                        "layers 0 to 10 on cuda:0, 11 to 21 on cuda:2, 22 to 31 on cuda:1");
    assert_string_equal(device_plan_text(&plan, text, 20), "layers 0 to 10 on c");
    assert_int_equal(device_plan_of_layer(&plan, 0), CUDA(0));
    assert_int_equal(device_plan_of_layer(&plan, 10), CUDA(0));
    assert_int_equal(device_plan_of_layer(&plan, 11), CUDA(2));
    assert_int_equal(device_plan_of_layer(&plan, 22), CUDA(1));
    assert_int_equal(device_plan_of_layer(&plan, 32), CUDA(1));
    assert_true(device_plan_bytes(&plan, &sizes, CUDA(0)) == 117);
    assert_true(device_plan_bytes(&plan, &sizes, CUDA(1)) == 100);
    assert_true(device_plan_bytes(&plan, &sizes, DEVICE_CPU) == 0);

    /* Without a name for the last it is the first, which then holds two pieces. */
    r = (struct device_request){.device = CUDA(1), .mid = DEVICE_CPU};
    assert_int_equal(device_plan_make(&r, &m, &sizes, &plan, &err), STATUS_OK);
    assert_int_equal(device_plan_of_layer(&plan, 31), CUDA(1));
    assert_true(device_plan_bytes(&plan, &sizes, CUDA(1)) == 217);
    assert_true(device_plan_bytes(&plan, &sizes, DEVICE_CPU) == 110);

    /* Fewer layers than devices: the last holds the final norm alone. */
    const struct device_sizes few = {.layers = 2, .layer_bytes = 10};
    r = (struct device_request){.device = CUDA(0), .mid = CUDA(1), .out = CUDA(2)};
    assert_int_equal(device_plan_make(&r, &m, &few, &plan, &err), STATUS_OK);
    expect_layers(&plan, 3, (int[]){1, 1, 0});
    assert_int_equal(device_plan_of_layer(&plan, 2), CUDA(2));
}

static void test_auto(void **state)
{
    (void)state;
    const struct device_request r = {.is_auto = true};
    struct device_machine m = machine_of(4, 100);
    struct device_sizes sizes = {.layers = 32, .layer_bytes = 10};
    struct device_plan plan;
    struct error err;
    assert_int_equal(device_plan_make(&r, &m, &sizes, &plan, &err), STATUS_OK);
    expect_layers(&plan, 4, (int[]){8, 8, 8, 8});
    assert_int_equal(device_plan_of_layer(&plan, 8), CUDA(1));

    /* By their bytes, the first having other things to hold; it fits exactly. */
    m.cuda_free_bytes[0] = 60, m.cuda_free_bytes[1] = 170, m.cuda_free_bytes[2] = 10;
    sizes.other_bytes = 20;
    assert_int_equal(device_plan_make(&r, &m, &sizes, &plan, &err), STATUS_OK);
    expect_layers(&plan, 4, (int[]){4, 17, 1, 10});
    for (int i = 0; i < 4; i++)
        assert_true(device_plan_bytes(&plan, &sizes, CUDA(i)) <= m.cuda_free_bytes[i]);

    /* A device that is full gets nothing. */
    m.cuda_free_bytes[0] = 5;
    assert_int_equal(device_plan_make(&r, &m, &sizes, &plan, &err), STATUS_OK);
    assert_int_equal(plan.layers[0], 0);
    assert_int_equal(device_plan_of_layer(&plan, 0), CUDA(1));

    /* One that does not tell: all alike. */
    m.cuda_free_bytes[3] = -1;
    assert_int_equal(device_plan_make(&r, &m, &sizes, &plan, &err), STATUS_OK);
    expect_layers(&plan, 4, (int[]){8, 8, 8, 8});
}

static void test_absent(void **state)
{
    (void)state;
    const struct device_machine none = machine_of(0, 0), one = machine_of(1, 100);
    const struct device_sizes sizes = {.layers = 4, .layer_bytes = 1};
    struct device_plan plan;
    struct error err;
    struct device_request r = {.is_auto = true};
    assert_int_equal(device_plan_make(&r, &none, &sizes, &plan, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.message, "cuda:0"));
    assert_non_null(strstr(err.message, "libtorch 9.9"));
    r = (struct device_request){.device = CUDA(0), .out = CUDA(1)};
    assert_int_equal(device_plan_make(&r, &one, &sizes, &plan, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.message, "cuda:1"));
    r.out = DEVICE_CPU;
    assert_int_equal(device_plan_make(&r, &one, &sizes, &plan, &err), STATUS_OK);
    expect_layers(&plan, 2, (int[]){2, 2});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_named),
                                       cmocka_unit_test(test_auto), cmocka_unit_test(test_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
