/* Events: written, read in any slicing, checked, and passed on; and the run record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "core/run.h"

struct seen {
    int events, noise, types[EVENT_CHECKS + 1];
    double last_value;
    char last_line[64];
};

static void on_event(void *user, const struct event *ev, const char *line)
{
    struct seen *s = user;
    if (!ev) {
        s->noise++;
        snprintf(s->last_line, sizeof s->last_line, "%s", line);
        return;
    }
    s->events++;
    s->types[ev->type]++;
    if (ev->type == EVENT_SAMPLE)
        s->last_value = json_num(json_get(ev->body, "values"), "x", -1);
    assert_string_equal(ev->job, "the job");
}

static void test_round_trip_in_any_slicing(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    struct error e;
    error_set(&e, STATUS_HOST, "iperf3", "the \"server\" is busy\n");
    error_hint(&e, "wait");
    cJSON *values = cJSON_CreateObject(), *data = cJSON_CreateObject();
    cJSON_AddNumberToObject(values, "x", 4.5);
    cJSON_AddStringToObject(data, "state", "up");
    event_write_progress(f, 1, 10, "one of %d", 10);
    event_write_sample(f, 1795251163.123456, "link/down", values);
    event_write_log(f, LOG_LEVEL_WARN, "careful");
    fputs("plain noise\r\n\n{\"t\":1,\"type\":\"nonsense\"}\n{\"type\":\"log\",\"text\":\"no "
          "time\"}\n",
          f);
    event_write_result(f, data);
    event_write_error(f, &e);
    fputs("{\"t\":2,\"type\":\"sample\",\"src\":\"no values\"}", f); /* and no newline */
    fclose(f);
    assert_non_null(strstr(text, "\"t\":1795251163.123456")); /* microseconds survive */
    for (size_t step = 1; step < len + 1; step = step < 40 ? step + 1 : step * 2) {
        struct event_reader r;
        struct seen s = {0};
        event_reader_init(&r);
        for (size_t at = 0; at < len; at += step)
            event_reader_feed(&r, text + at, at + step > len ? len - at : step, "the job", on_event,
                              &s);
        event_reader_end(&r, "the job", on_event, &s);
        assert_int_equal(s.events, 5);
        assert_int_equal(s.noise, 4);
        for (int i = 0; i < 5; i++)
            assert_int_equal(s.types[i], 1);
        assert_true(s.last_value == 4.5);
        event_reader_done(&r);
    }
    free(text);
}

static void test_checks_need_a_host_and_a_list(void **state)
{
    static const char *const lines[] = {
        "{\"t\":1,\"type\":\"checks\",\"host\":\"router\",\"checks\":[]}",
        "{\"t\":1,\"type\":\"checks\",\"checks\":[]}",
        "{\"t\":1,\"type\":\"checks\",\"host\":\"router\"}",
        "{\"t\":1,\"type\":\"checks\",\"host\":\"router\",\"checks\":{}}"};
    struct event ev;
    cJSON *root;

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(event_parse(lines[i], strlen(lines[i]), "", &ev, &root), i == 0);
        if (i == 0)
            assert_int_equal(ev.type, EVENT_CHECKS);
        cJSON_Delete(root);
    }
}

static void test_endless_line_is_dropped_not_kept(void **state)
{
    (void)state;
    struct event_reader r;
    struct seen s = {0};
    char chunk[65536];
    memset(chunk, 'x', sizeof chunk);
    event_reader_init(&r);
    for (int i = 0; i < 100; i++)
        event_reader_feed(&r, chunk, sizeof chunk, "the job", on_event, &s);
    assert_true(r.lines.line.cap <= 2 * EVENT_LINE_MAX);
    assert_true(r.lines.skipped > 0);
    const char *after = "\nshort\n";
    event_reader_feed(&r, after, strlen(after), "the job", on_event, &s);
    assert_int_equal(s.noise, 1);
    assert_string_equal(s.last_line, "short");
    event_reader_done(&r);
}

static struct bus *bus;
static int first_id, calls[2];

static void first_subscriber(void *user, const struct event *ev)
{
    (void)user;
    (void)ev;
    calls[0]++;
    bus_unsubscribe(bus, first_id);
}

static void second_subscriber(void *user, const struct event *ev)
{
    (void)user;
    (void)ev;
    calls[1]++;
}

static void test_bus_survives_unsubscribing_inside(void **state)
{
    (void)state;
    struct event ev = {.type = EVENT_LOG};
    bus = bus_new();
    first_id = bus_subscribe(bus, first_subscriber, NULL);
    bus_subscribe(bus, second_subscriber, NULL);
    bus_publish(bus, &ev);
    bus_publish(bus, &ev);
    assert_int_equal(calls[0], 1);
    assert_int_equal(calls[1], 2);
    bus_free(bus);
}

static void test_run_record(void **state)
{
    (void)state;
    char base[] = "/tmp/ccalab-runs-XXXXXX", path[4300], dir[2][4200], command[64];
    assert_non_null(mkdtemp(base));
    struct error e;
    struct run *r, *same_second;
    struct bus *b = bus_new();
    clock_freeze(1795251163.0);
    assert_int_equal(run_new(base, "a b/c", b, &r, &e), STATUS_OK);
    assert_int_equal(run_new(base, "a b/c", NULL, &same_second, &e), STATUS_OK);
    snprintf(dir[0], sizeof dir[0], "%s", run_dir(r));
    snprintf(dir[1], sizeof dir[1], "%s", run_dir(same_second));
    assert_string_equal(strrchr(dir[0], '/'), "/20261121T085243Z-a_b_c");
    assert_string_equal(strrchr(dir[1], '/'), "/20261121T085243Z-a_b_c-2");
    run_finish(same_second, "ok", NULL);

    assert_int_equal(run_path(r, "../x", path, sizeof path, &e), STATUS_USAGE);
    assert_int_equal(run_path(r, "a/../../x", path, sizeof path, &e), STATUS_USAGE);
    assert_int_equal(run_path(r, "/etc/x", path, sizeof path, &e), STATUS_USAGE);
    assert_int_equal(run_path(r, "sub/dir/..file", path, sizeof path, &e), STATUS_OK);
    assert_int_equal(run_set(r, "lab.rate_bps", cJSON_CreateNumber(5e7), &e), STATUS_OK);
    assert_int_equal(run_set(r, "lab.rate_bps", cJSON_CreateNumber(6e7), &e), STATUS_OK);
    assert_int_equal(run_set(r, "name.x", cJSON_CreateNumber(1), &e), STATUS_USAGE);
    assert_int_equal(run_set(r, "lab..x", cJSON_CreateNumber(1), &e), STATUS_USAGE);

    cJSON *root;
    struct event ev;
    const char *line = "{\"t\":3,\"type\":\"log\",\"level\":\"info\",\"text\":\"hello\"}";
    assert_true(event_parse(line, strlen(line), "j", &ev, &root));
    bus_publish(b, &ev);
    snprintf(path, sizeof path, "%s/run.json", dir[0]);
    cJSON *o = json_read_file(path, 1 << 20, &e);
    assert_string_equal(json_str(o, "status", ""), "running"); /* on disk before the end */
    assert_true(json_num(json_get(o, "lab"), "rate_bps", 0) == 6e7);
    cJSON_Delete(o);
    run_finish(r, "failed", "because");
    bus_publish(b, &ev); /* no longer recorded */
    cJSON_Delete(root);
    o = json_read_file(path, 1 << 20, &e);
    assert_string_equal(json_str(o, "status", ""), "failed");
    assert_string_equal(json_str(o, "message", ""), "because");
    cJSON_Delete(o);
    snprintf(path, sizeof path, "%s/events.jsonl", dir[0]);
    struct buf text;
    assert_int_equal(buf_read_file(&text, path, 1000, &e), STATUS_OK);
    assert_string_equal(
        text.data,
        "{\"t\":3,\"type\":\"log\",\"level\":\"info\",\"text\":\"hello\",\"job\":\"j\"}\n");
    buf_done(&text);
    bus_free(b);
    clock_thaw();
    assert_int_equal(run_new("/dev/null", "x", NULL, &r, &e), STATUS_IO);
    snprintf(command, sizeof command, "rm -r '%s'", base);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_in_any_slicing),
        cmocka_unit_test(test_checks_need_a_host_and_a_list),
        cmocka_unit_test(test_endless_line_is_dropped_not_kept),
        cmocka_unit_test(test_bus_survives_unsubscribing_inside),
        cmocka_unit_test(test_run_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
