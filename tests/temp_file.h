/* One temporary file for the tests of a program: temp_file_make() and temp_file_remove() are the
 * set-up and tear-down for cmocka_run_group_tests(). Include it behind <cmocka.h>. */
#ifndef CCALAB_TESTS_TEMP_FILE_H
#define CCALAB_TESTS_TEMP_FILE_H

#include <stdlib.h>
#include <unistd.h>

static char temp_path[] = "/tmp/ccalab-test-XXXXXX";

static inline int temp_file_make(void **state)
{
    (void)state;
    int fd = mkstemp(temp_path);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static inline int temp_file_remove(void **state)
{
    (void)state;
    return unlink(temp_path);
}

#endif
