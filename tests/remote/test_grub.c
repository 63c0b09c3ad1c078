/* The boot entry of a kernel in GRUB's menu. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "remote/grub.h"

#define UUID "1b3f2a6c-8d1e-4a52-9a57-0c1d2e3f4a5b"

/* As grub-mkconfig writes it on Ubuntu, shortened. */
static const char menu[] =
    "set timeout=5\n"
    "if [ \"${next_entry}\" ] ; then\n   set default=\"${next_entry}\"\nfi\n"
    "function gfxmode {\n\tset gfxpayload=\"${1}\"\n}\n"
    "menuentry 'Ubuntu' --class ubuntu $menuentry_id_option 'gnulinux-simple-" UUID "' {\n"
    "\tlinux\t/vmlinuz-5.15.0-91-generic root=UUID=x ro\n}\n"
    "submenu 'Advanced options for Ubuntu' $menuentry_id_option 'gnulinux-advanced-" UUID "' {\n"
    "\tmenuentry 'Ubuntu, with Linux 5.15.72-56eae305c-prague-91 (recovery mode)' "
    "$menuentry_id_option 'gnulinux-5.15.72-56eae305c-prague-91-recovery-" UUID "' {\n\t}\n"
    "\tmenuentry 'Ubuntu, with Linux 5.15.72-56eae305c-prague-91' --class gnu-linux "
    "$menuentry_id_option 'gnulinux-5.15.72-56eae305c-prague-91-advanced-" UUID "' {\n"
    "\t\tif [ x = x ]; then\n\t\tfi\n\t}\n"
    "\tmenuentry 'Ubuntu, with Linux 5.15.0-91-generic' "
    "$menuentry_id_option 'gnulinux-5.15.0-91-generic-advanced-" UUID "' {\n\t}\n"
    "}\n"
    "menuentry 'Ubuntu, with Linux 6.18.3' $menuentry_id_option 'gnulinux-6.18.3-advanced-" UUID
    "' {\n}\n"
    "menuentry 'evil' $menuentry_id_option 'gnulinux-6.6.6-advanced-$(reboot)' {\n}\n";

static void expect(const char *release, const char *entry)
{
    char out[GRUB_ENTRY_MAX] = "";
    struct error e = {0};
    enum status st = grub_find_entry(menu, strlen(menu), release, out, sizeof out, &e);
    if (entry) {
        assert_int_equal(st, STATUS_OK);
        assert_string_equal(out, entry);
    } else {
        assert_int_equal(st, STATUS_HOST);
        assert_non_null(strstr(e.message, release));
        assert_true(e.hint[0]);
    }
}

static void test_entries(void **state)
{
    (void)state;
    expect("5.15.72-56eae305c-prague-91",
           "gnulinux-advanced-" UUID ">gnulinux-5.15.72-56eae305c-prague-91-advanced-" UUID);
    expect("5.15.0-91-generic",
           "gnulinux-advanced-" UUID ">gnulinux-5.15.0-91-generic-advanced-" UUID);
    expect("6.18.3", "gnulinux-6.18.3-advanced-" UUID); /* the submenu has ended */
    expect("6.6.6", NULL);
    expect("5.15.72", NULL); /* the beginning of another's name */
    expect("simple", NULL);
}

static void test_cut_short(void **state)
{
    char out[GRUB_ENTRY_MAX];
    (void)state;
    for (size_t n = 0; n < sizeof menu; n++)
        (void)!grub_find_entry(menu, n, "6.18.3", out, sizeof out, NULL);
    assert_int_equal(grub_find_entry(menu, strlen(menu), "6.18.3", out, 10, NULL), STATUS_HOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_entries),
                                       cmocka_unit_test(test_cut_short)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
