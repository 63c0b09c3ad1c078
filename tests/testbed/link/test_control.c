/* The control socket and the packet log: what they do with clients and files that misbehave. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "testbed/link/control.h"
#include "testbed/link/packet_log.h"

static char directory[] = "/tmp/ccalab-test-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(path, sizeof(path), "%s/sock", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

/* --- control socket ----------------------------------------------------------------------------
 */

static void echo(void *user, const char *line, size_t len, struct buf *reply)
{
    ++*(int *)user;
    buf_puts(reply, "<");
    buf_append(reply, line, len);
    buf_puts(reply, ">\n");
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Let the socket do all it has to do. */
static void settle(struct control *c)
{
    struct pollfd p = {.fd = control_fd(c), .events = POLLIN};

    for (int i = 0; i < 100000 && poll(&p, 1, 0) == 1; i++) {
        control_step(c);
    }
    assert_int_equal(poll(&p, 1, 0), 0); /* it does not spin */
}

static bool is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

static void test_lines(void **state)
{
    struct control *c;
    struct stat st;
    int calls = 0, fd;
    char bytes[256];
    ssize_t n;

    (void)state;
    assert_int_equal(control_open(path, echo, &calls, &c, NULL), STATUS_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    fd = dial();
    assert_true(fd >= 0);
    /* Three lines and a half at once, answered in order; the rest of the fourth later. */
    assert_int_equal(write(fd, "one\ntwo\n\nfo", 11), 11);
    settle(c);
    n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    assert_int_equal(n, 15);
    assert_memory_equal(bytes, "<one>\n<two>\n<>\n", 15);
    assert_int_equal(write(fd, "ur\n", 3), 3);
    shutdown(fd, SHUT_WR);
    settle(c);
    n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    assert_int_equal(n, 7);
    assert_true(is_closed(fd));
    assert_int_equal(calls, 4);
    close(fd);
    control_close(c);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_clients_that_misbehave(void **state)
{
    static char flood[70000];
    struct control *c;
    int calls = 0, fds[CONTROL_CLIENTS_MAX + 1], sent = 0;
    char byte;

    (void)state;
    assert_int_equal(control_open(path, echo, &calls, &c, NULL), STATUS_OK);
    /* One too many is turned away, and its place is free again when another leaves. */
    for (int i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
        fds[i] = dial();
        assert_true(fds[i] >= 0);
        settle(c);
    }
    assert_true(is_closed(fds[CONTROL_CLIENTS_MAX]));
    assert_int_equal(recv(fds[0], &byte, 1, MSG_DONTWAIT), -1);
    close(fds[CONTROL_CLIENTS_MAX]);
    close(fds[3]);
    settle(c);
    fds[3] = dial();
    assert_int_equal(write(fds[3], "x\n", 2), 2);
    settle(c);
    assert_int_equal(calls, 1);
    /* A line without an end is cut off. */
    memset(flood, 'a', sizeof(flood));
    assert_int_equal(write(fds[0], flood, sizeof(flood)), sizeof(flood));
    settle(c);
    assert_true(is_closed(fds[0]));
    assert_int_equal(calls, 1);
    /* 64 KiB sharp is a line. */
    flood[CONTROL_LINE_MAX] = '\n';
    assert_int_equal(write(fds[1], flood, CONTROL_LINE_MAX + 1), CONTROL_LINE_MAX + 1);
    settle(c);
    assert_int_equal(calls, 2);
    /* One that never reads its answers is not answered without end, and does not disturb others. */
    while (send(fds[2], "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 61,
                MSG_DONTWAIT) == 61) {
        sent++;
        if (sent % 100 == 0) {
            settle(c);
        }
    }
    assert_true(sent > 100 && calls < sent);
    calls = 0;
    assert_int_equal(write(fds[4], "y\n", 2), 2);
    settle(c);
    assert_int_equal(calls, 1);
    /* One that vanishes with an answer on its way. */
    assert_int_equal(write(fds[5], "z\nz\nz\n", 6), 6);
    close(fds[5]);
    settle(c);
    control_close(c);
    for (int i = 0; i < 5; i++) {
        close(fds[i]);
    }
    close(fds[6]);
    close(fds[7]);
}

static void test_paths(void **state)
{
    struct control *c, *other;
    struct error err;
    char long_path[200];
    int fd;

    (void)state;
    assert_int_equal(control_open(path, echo, NULL, &c, NULL), STATUS_OK);
    assert_int_equal(control_open(path, echo, NULL, &other, &err), STATUS_IO); /* in use */
    assert_true(err.hint[0] != '\0');
    assert_int_equal(access(path, F_OK), 0); /* the refused one did not remove it */
    control_close(c);
    /* One left behind by a process that was killed is replaced, a file is not. */
    {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd);
    }
    assert_int_equal(control_open(path, echo, NULL, &c, NULL), STATUS_OK);
    control_close(c);
    fclose(fopen(path, "w"));
    assert_int_equal(control_open(path, echo, NULL, &c, &err), STATUS_IO);
    assert_int_equal(unlink(path), 0);
    memset(long_path, 'x', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(control_open(long_path, echo, NULL, &c, &err), STATUS_IO);
    assert_int_equal(control_open("/nonexistent/sock", echo, NULL, &c, &err), STATUS_IO);
}

/* --- packet log --------------------------------------------------------------------------------
 */

static void test_packet_log(void **state)
{
    enum { ROWS = 1000 };
    struct packet_log *log;
    uint64_t rows, lost;
    char line[128];
    FILE *f;
    int count = 0;

    (void)state;
    assert_int_equal(packet_log_open(path, 1700000000000000000, &log, NULL), STATUS_OK);
    for (int i = 0; i < ROWS; i++) {
        packet_log_add(log, &(struct packet_log_row){.mono_ns = 1234567890 + (uint64_t)i,
                                                     .sojourn_ns = 1005678,
                                                     .len_bytes = 1500,
                                                     .dir = (uint8_t)(i % 2),
                                                     .is_l = i % 3 == 0,
                                                     .event = (uint8_t)(i % 3)});
    }
    assert_int_equal(packet_log_close(log, NULL), STATUS_OK);
    packet_log_counts(log, &rows, &lost);
    assert_int_equal(rows, ROWS);
    assert_int_equal(lost, 0);
    packet_log_free(log);
    f = fopen(path, "r");
    assert_non_null(fgets(line, sizeof(line), f));
    assert_string_equal(line, "t_s,dir,queue,len,sojourn_us,event\n");
    assert_non_null(fgets(line, sizeof(line), f));
    assert_string_equal(line, "1700000001.234567,down,L,1500,1005.6,sent\n");
    assert_non_null(fgets(line, sizeof(line), f));
    assert_string_equal(line, "1700000001.234567,up,C,1500,1005.6,marked\n");
    while (fgets(line, sizeof(line), f) != NULL) {
        count++;
    }
    assert_int_equal(count, ROWS - 2);
    fclose(f);
    unlink(path);
}

/* Faster than anybody can write: rows are lost and counted, and adding never waits. */
static void test_packet_log_overrun(void **state)
{
    enum { ROWS = 2000000 };
    struct packet_log *log;
    uint64_t rows, lost;

    (void)state;
    assert_int_equal(packet_log_open(path, 0, &log, NULL), STATUS_OK);
    for (int i = 0; i < ROWS; i++) {
        packet_log_add(log, &(struct packet_log_row){.mono_ns = 1});
    }
    assert_int_equal(packet_log_close(log, NULL), STATUS_OK);
    packet_log_counts(log, &rows, &lost);
    assert_int_equal(rows + lost, ROWS);
    assert_true(lost > 0 && rows >= 1 << 18);
    packet_log_free(log);
    unlink(path);
}

static void test_packet_log_errors(void **state)
{
    struct packet_log *log;
    struct error err;

    (void)state;
    assert_int_equal(packet_log_open("/nonexistent/log", 0, &log, &err), STATUS_IO);
    assert_null(log);
    /* A full disk. */
    assert_int_equal(packet_log_open("/dev/full", 0, &log, &err), STATUS_IO);
    assert_null(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_clients_that_misbehave),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_packet_log),
        cmocka_unit_test(test_packet_log_overrun),
        cmocka_unit_test(test_packet_log_errors),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
