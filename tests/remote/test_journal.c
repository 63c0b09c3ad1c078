/* The journal of changes: on disk before they are made, one console at a time, and readable
 * whatever happened to the one who wrote it. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/log.h"
#include "remote/journal.h"

#define KEY "0a-1"

static char dir[] = "/tmp/ccalab-journal-XXXXXX";

static const char *path_of(const char *key)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/ccalab/journal/%s.jsonl", dir, key);
    return path;
}

static cJSON *host(void)
{
    return cJSON_Parse("{\"name\":\"router\",\"kind\":\"ssh\",\"host\":\"10.0.0.1\"}");
}

static enum status open_journal(enum journal_mode mode, struct journal **j, struct error *e)
{
    cJSON *h = host();
    *j = NULL;
    enum status st = journal_open(KEY, mode, mode == JOURNAL_CHANGE ? h : NULL, j, e);
    cJSON_Delete(h);
    return st;
}

static int add(struct journal *j, const char *json)
{
    int id = 0;
    struct error e;
    assert_int_equal(journal_add(j, cJSON_Parse(json), &id, &e), STATUS_OK);
    return id;
}

static void one_console(void **state)
{
    (void)state;
    struct error e;
    struct journal *j, *k;
    assert_int_equal(open_journal(JOURNAL_CHANGE, &j, &e), STATUS_OK);
    int a = add(j, "{\"what\":\"sysctl\",\"target\":\"a\"}");
    int b = add(j, "{\"what\":\"qdisc\",\"target\":\"b\"}");
    assert_true(a == 1 && b == 2);
    assert_int_equal(cJSON_GetArraySize(journal_pending(j)), 2);
    struct stat st;
    assert_int_equal(stat(path_of(KEY), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* The next one is told who, and that it lives. */
    assert_int_equal(open_journal(JOURNAL_CHANGE, &k, &e), STATUS_HOST);
    assert_non_null(strstr(e.message, "router is being changed by another console"));
    assert_int_equal(open_journal(JOURNAL_RESTORE, &k, &e), STATUS_HOST);
    cJSON *list;
    assert_int_equal(journal_list(&list, &e), STATUS_OK);
    assert_int_equal(cJSON_GetArraySize(list), 1);
    assert_true(json_bool(list->child, "is_held", false));
    assert_string_equal(json_str(json_get(list->child, "host"), "name", ""), "router");
    cJSON_Delete(list);
    assert_int_equal(journal_done(j, a, &e), STATUS_OK);
    assert_string_equal(json_str(journal_pending(j)->child, "target", ""), "b");
    assert_int_equal(journal_done(j, b, &e), STATUS_OK);
    journal_close(j);
    assert_int_equal(access(path_of(KEY), F_OK), -1);
    journal_close(NULL);
}

/* A console that is killed: what it wrote is there, and refused to everyone who would change more.
 */
static void killed(void **state)
{
    (void)state;
    struct error e;
    struct journal *j;
    int ready[2], ws;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (open_journal(JOURNAL_CHANGE, &j, &e) != STATUS_OK)
            _exit(1);
        add(j, "{\"what\":\"sysctl\",\"target\":\"a\",\"undo\":[]}");
        add(j, "{\"what\":\"sysctl\",\"target\":\"b\",\"undo\":[]}");
        (void)!write(ready[1], "x", 1);
        pause();
    }
    char c;
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    kill(pid, SIGKILL);
    waitpid(pid, &ws, 0);
    assert_int_equal(open_journal(JOURNAL_CHANGE, &j, &e), STATUS_HOST);
    assert_non_null(strstr(e.message, "still has 2 changes of a console that is gone"));
    assert_non_null(strstr(e.hint, "ccalab restore router"));
    assert_int_equal(open_journal(JOURNAL_RESTORE, &j, &e), STATUS_OK);
    assert_int_equal(cJSON_GetArraySize(journal_pending(j)), 2);
    assert_int_equal(journal_done(j, 2, &e), STATUS_OK);
    journal_close(j); /* not all: it stays */
    assert_int_equal(open_journal(JOURNAL_RESTORE, &j, &e), STATUS_OK);
    assert_string_equal(json_str(journal_pending(j)->child, "target", ""), "a");
    assert_int_equal(journal_done(j, 1, &e), STATUS_OK);
    journal_close(j);
    assert_int_equal(access(path_of(KEY), F_OK), -1);
}

/* A power cut in the middle of a line: that change was not made. What follows begins a new line. */
static void torn(void **state)
{
    (void)state;
    struct error e;
    struct journal *j;
    assert_int_equal(open_journal(JOURNAL_CHANGE, &j, &e), STATUS_OK);
    add(j, "{\"what\":\"sysctl\",\"target\":\"a\"}");
    journal_close(j);
    FILE *f = fopen(path_of(KEY), "a");
    fputs("not JSON at all\n[1]\n{\"id\":2,\"what\":\"sysctl\",\"tar", f);
    fclose(f);
    log_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(open_journal(JOURNAL_RESTORE, &j, &e), STATUS_OK);
    assert_int_equal(cJSON_GetArraySize(journal_pending(j)), 1);
    assert_int_equal(journal_done(j, 1, &e), STATUS_OK);
    assert_int_equal(cJSON_GetArraySize(journal_pending(j)), 0);
    struct buf b;
    assert_int_equal(buf_read_file(&b, path_of(KEY), 65536, &e), STATUS_OK);
    assert_null(strstr(b.data, "\"tar{"));
    buf_done(&b);
    journal_close(j);
    log_set_level(LOG_LEVEL_INFO);
}

/* What was meant to stay is no obstacle. */
static void kept(void **state)
{
    (void)state;
    struct error e;
    struct journal *j;
    assert_int_equal(open_journal(JOURNAL_CHANGE, &j, &e), STATUS_OK);
    add(j, "{\"what\":\"qdisc\",\"target\":\"a\",\"keep\":true}");
    journal_close(j);
    assert_int_equal(open_journal(JOURNAL_CHANGE, &j, &e), STATUS_OK);
    assert_int_equal(add(j, "{\"what\":\"sysctl\",\"target\":\"b\"}"), 2);
    journal_close(j);
    assert_int_equal(open_journal(JOURNAL_CHANGE, &j, &e), STATUS_HOST);
    assert_int_equal(open_journal(JOURNAL_RESTORE, &j, &e), STATUS_OK);
    assert_int_equal(journal_done(j, 1, &e), STATUS_OK);
    assert_int_equal(journal_done(j, 2, &e), STATUS_OK);
    journal_close(j);
}

static void bad(void **state)
{
    (void)state;
    struct error e;
    struct journal *j;
    assert_int_equal(journal_open("../x", JOURNAL_RESTORE, NULL, &j, &e), STATUS_USAGE);
    assert_int_equal(journal_open("", JOURNAL_RESTORE, NULL, &j, &e), STATUS_USAGE);
    assert_int_equal(journal_open("none", JOURNAL_RESTORE, NULL, &j, &e), STATUS_IO);
    cJSON *list;
    assert_int_equal(journal_list(&list, &e), STATUS_OK);
    assert_int_equal(cJSON_GetArraySize(list), 0);
    cJSON_Delete(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_console), cmocka_unit_test(killed), cmocka_unit_test(torn),
        cmocka_unit_test(kept),        cmocka_unit_test(bad),
    };
    char command[128];
    if (!mkdtemp(dir))
        return 1;
    setenv("XDG_STATE_HOME", dir, 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) ? 1 : failed;
}
