/* What testbed/prague.h promises, as root against the running kernel: registration, borrowing, and
 * taking over what was borrowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "testbed/prague.h"

#define GONE_MS 2000 /* the kernel frees a link in the background */

static bool is_gone(const char *cc)
{
    for (int ms = 0; prague_is_available(cc); ms += 10) {
        if (ms >= GONE_MS)
            return false;
        poll(NULL, 0, 10);
    }
    return true;
}

static void nothing_started(void **state)
{
    (void)state;
    struct prague p = {0};
    cJSON *o = prague_json(&p), *list = prague_ccs_json(&p);
    assert_false(prague_retry(&p));
    assert_non_null(prague_refusal(&p));
    assert_true(cJSON_IsNull(json_get(o, "cc")));
    assert_int_equal(cJSON_GetArraySize(list), 0);
    prague_stop(&p);
    cJSON_Delete(o);
    cJSON_Delete(list);
}

static void no_root_is_a_refusal_with_a_hint(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    struct prague p;
    prague_start(&p);
    cJSON *o = prague_json(&p);
    if (prague_refusal(&p)) {
        assert_true(json_str(o, "reason", "")[0]);
        assert_true(json_str(o, "hint", "")[0]);
    }
    cJSON_Delete(o);
    prague_stop(&p);
}

static void a_borrower_takes_over(void **state)
{
    (void)state;
    struct prague owner, borrower;
    if (geteuid() != 0 || !prague_is_built())
        skip();
    prague_start(&owner);
    for (enum prague_kind k = 0; k < PRAGUE_KINDS; k++) {
        /* Refused by this kernel, or a lab is up that has registered it. */
        if (owner.cc[k].source != PRAGUE_SOURCE_BPF || owner.cc[k].is_borrowed) {
            printf("not ours to register: %s\n", owner.cc[k].refusal.message);
            prague_stop(&owner);
            skip();
        }
    }
    assert_null(prague_refusal(&owner));
    assert_true(prague_is_available("bpf_prague"));
    assert_true(prague_is_available("bpf_dctcp"));

    prague_start(&borrower);
    assert_true(borrower.cc[PRAGUE_KIND_PRAGUE].is_borrowed);
    assert_true(borrower.cc[PRAGUE_KIND_DCTCP].is_borrowed);
    assert_false(prague_retry(&borrower)); /* the owner is still there */
    cJSON *o = prague_json(&borrower);
    assert_non_null(json_str(o, "note", NULL));
    cJSON_Delete(o);

    prague_stop(&owner);
    assert_true(is_gone("bpf_prague"));
    assert_true(is_gone("bpf_prague_fb"));
    assert_true(is_gone("bpf_dctcp"));
    assert_true(prague_retry(&borrower));
    assert_false(borrower.cc[PRAGUE_KIND_PRAGUE].is_borrowed);
    assert_true(prague_is_available("bpf_prague"));
    assert_false(prague_retry(&borrower));
    o = prague_ccs_json(&borrower);
    assert_int_equal(cJSON_GetArraySize(o), 3);
    assert_string_equal(json_str(cJSON_GetArrayItem(o, 0), "cc", ""), "bpf_prague");
    assert_string_equal(json_str(cJSON_GetArrayItem(o, 1), "cc", ""), "bpf_prague_fb");
    assert_string_equal(json_str(cJSON_GetArrayItem(o, 2), "label", ""), "BPF DCTCP");
    assert_null(json_str(cJSON_GetArrayItem(o, 0), "note", NULL));
    cJSON_Delete(o);

    prague_stop(&borrower);
    assert_true(is_gone("bpf_prague"));
    assert_true(is_gone("bpf_dctcp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_started),
        cmocka_unit_test(no_root_is_a_refusal_with_a_hint),
        cmocka_unit_test(a_borrower_takes_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
