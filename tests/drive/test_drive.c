/* The parts of `netllm drive` that need no kernel: records to flows, counters to intervals,
 * decisions to numbers, and the policies but the trained one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drive/account.h"
#include "drive/policy.h"
#include "drive/seen.h"
#include "model/mlp.h"

/* --- records ---------------------------------------------------------------------------------- */

struct heard {
    int opened, sampled, closed, closed_without;
    char local[AGENT_ADDRESS_MAX], remote[AGENT_ADDRESS_MAX];
};

static void on_open(void *user, const struct agent_flow *flow)
{
    struct heard *h = user;
    h->opened++;
    memcpy(h->local, flow->local, sizeof h->local);
    memcpy(h->remote, flow->remote, sizeof h->remote);
}

static void on_sample(void *user, const struct agent_flow *flow, const struct agent_sample *s)
{
    assert_int_equal(flow->generation, s->h.generation);
    ((struct heard *)user)->sampled++;
}

static void on_close(void *user, const struct agent_flow *flow, const struct agent_sample *last)
{
    assert_true(flow->is_open);
    ((struct heard *)user)->closed++;
    ((struct heard *)user)->closed_without += !last;
}

static const struct agent_handlers handlers = {
    .open = on_open, .sample = on_sample, .close = on_close};

static void take(struct agent_flows *t, struct heard *h, uint32_t kind, uint32_t slot,
                 uint32_t generation)
{
    union {
        struct agent_open open;
        struct agent_sample sample;
    } r = {.open.h = {.kind = kind, .slot = slot, .generation = generation, .mss = 1448}};
    if (kind == AGENT_OPEN) {
        r.open.family = AF_INET;
        r.open.local_port = 43210;
        r.open.remote_port = 5201;
        inet_pton(AF_INET, "10.98.1.2", r.open.local);
        inet_pton(AF_INET, "10.98.3.2", r.open.remote);
    }
    agent_flows_take(t, &r, kind == AGENT_OPEN ? sizeof r.open : sizeof r.sample, &handlers, h);
}

static void flows_come_and_go(void **state)
{
    (void)state;
    struct agent_flows *t = calloc(1, sizeof *t);
    struct heard h = {0};
    take(t, &h, AGENT_SAMPLE, 5, 1); /* before its open: not known */
    assert_int_equal(t->strange, 1);
    take(t, &h, AGENT_OPEN, 5, 1);
    assert_string_equal(h.local, "10.98.1.2:43210");
    assert_string_equal(h.remote, "10.98.3.2:5201");
    take(t, &h, AGENT_SAMPLE, 5, 1);
    take(t, &h, AGENT_SAMPLE, 5, 2); /* of another generation */
    assert_int_equal(h.sampled, 1);
    take(t, &h, AGENT_OPEN, 5, 2); /* the close was lost */
    assert_int_equal(h.closed_without, 1);
    assert_int_equal(t->open, 1);
    take(t, &h, AGENT_CLOSE, 5, 1);
    assert_int_equal(t->open, 1);
    take(t, &h, AGENT_CLOSE, 5, 2);
    assert_int_equal(h.closed, 2);
    assert_int_equal(t->open, 0);
    free(t);
}

static void strange_records_are_counted(void **state)
{
    (void)state;
    struct agent_flows *t = calloc(1, sizeof *t);
    struct heard h = {0};
    struct agent_sample s = {.h = {.kind = AGENT_OPEN, .slot = AGENT_SLOTS, .generation = 1}};
    agent_flows_take(t, &s, sizeof s, &handlers, &h); /* no such slot */
    s.h.slot = 0;
    agent_flows_take(t, &s, sizeof s.h - 1, &handlers, &h); /* cut */
    agent_flows_take(t, &s, sizeof s.h, &handlers, &h);
    s.h.kind = 77;
    agent_flows_take(t, &s, sizeof s, &handlers, &h);
    assert_int_equal(t->strange, 4);
    assert_int_equal(h.opened + h.sampled + h.closed, 0);
    free(t);
}

static void ipv6_is_written_in_brackets(void **state)
{
    (void)state;
    struct agent_flows *t = calloc(1, sizeof *t);
    struct heard h = {0};
    struct agent_open o = {.h = {.kind = AGENT_OPEN, .generation = 1},
                           .family = AF_INET6,
                           .local_port = 1,
                           .remote_port = 65535};
    inet_pton(AF_INET6, "fd00::1", o.local);
    inet_pton(AF_INET6, "::ffff:10.0.0.1", o.remote);
    agent_flows_take(t, &o, sizeof o, &handlers, &h);
    assert_string_equal(h.local, "[fd00::1]:1");
    assert_string_equal(h.remote, "10.0.0.1:65535");
    free(t);
}

static void any_number_is_a_decision(void **state)
{
    (void)state;
    struct agent_decision d;
    assert_false(agent_decision_from(NAN, 0, &d));
    assert_false(agent_decision_from(10, NAN, &d));
    static const struct {
        double cwnd, pacing_bps;
        uint32_t pkts;
        uint64_t bytes_s;
    } cases[] = {{10.4, 0, 10, 0},
                 {10.6, 8e6, 11, 1000000},
                 {0, 1, 0, 1},
                 {-1e300, -5, 0, 0},
                 {1e12, 1e300, UINT32_MAX, 125000000000},
                 {INFINITY, INFINITY, UINT32_MAX, 125000000000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(agent_decision_from(cases[i].cwnd, cases[i].pacing_bps, &d));
        assert_int_equal(d.cwnd, cases[i].pkts);
        assert_int_equal(d.pacing_rate, cases[i].bytes_s);
    }
}

/* --- intervals -------------------------------------------------------------------------------- */

static void intervals_are_differences(void **state)
{
    (void)state;
    struct agent_flow flow = {.is_open = true};
    struct drive_mark mark = {0};
    struct drive_seen seen;
    struct agent_sample s = {.h = {.t_ns = 1000000000, .mss = 1448},
                             .srtt_us = 20000,
                             .cwnd = 10,
                             .bytes_acked = 14480,
                             .delivered = UINT32_MAX - 4};
    drive_see(&mark, &flow, &s, &seen);
    assert_true(isnan(seen.interval_s) && isnan(seen.row.throughput_bps) && isnan(seen.ce));
    assert_float_equal(seen.row.rtt_s, 0.02, 1e-9);
    assert_float_equal(seen.row.cwnd_bytes, 14480, 1e-9);
    s.h.t_ns += 20000000;
    s.bytes_acked += 25000;
    s.delivered += 17; /* wraps */
    s.delivered_ce = 3;
    drive_see(&mark, &flow, &s, &seen);
    assert_float_equal(seen.interval_s, 0.02, 1e-9);
    assert_float_equal(seen.row.throughput_bps, 1e7, 1e-3);
    assert_float_equal(seen.delivered, 17, 0);
    assert_float_equal(seen.ce, 3, 0);
    drive_see(&mark, &flow, &s, &seen); /* no time has passed: nothing was measured */
    assert_true(isnan(seen.row.throughput_bps));
}

/* Steps of less than a packet add up only if the window that is seen has the fraction. */
static void a_window_has_the_fraction_that_was_decided(void **state)
{
    (void)state;
    static const struct {
        double wanted;
        uint32_t cwnd;
        bool is_driven;
        double seen; /* packets */
    } cases[] = {{17.4, 17, true, 17.4}, {16.5, 17, true, 16.5}, {17.6, 17, true, 17},
                 {17.4, 17, false, 17},  {1.2, 2, true, 2}, /* the kernel's least */
                 {NAN, 17, true, 17},    {0, 17, true, 17}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent_flow flow = {.is_open = true};
        struct drive_mark mark = {0};
        struct drive_seen seen;
        struct agent_sample s = {
            .h = {.t_ns = 1, .mss = 1448}, .cwnd = cases[i].cwnd, .is_driven = cases[i].is_driven};
        mark.wanted = cases[i].wanted;
        drive_see(&mark, &flow, &s, &seen);
        assert_float_equal(seen.row.cwnd_bytes, cases[i].seen * 1448, 1e-9);
        assert_int_equal(seen.sample.cwnd, cases[i].cwnd);
        assert_true(mark.wanted == cases[i].wanted || isnan(mark.wanted));
    }
}

static void the_account_tells_who_had_the_window(void **state)
{
    (void)state;
    struct drive_account a = {0};
    struct agent_sample s = {0};
    drive_account_interval(&a, &s); /* before the first decision */
    s.seq = 1;
    s.age_us = 20000;
    s.is_driven = 1;
    for (int i = 0; i < 3; i++)
        drive_account_interval(&a, &s);
    s.is_driven = 0;
    drive_account_interval(&a, &s);
    cJSON *o = drive_account_json(&a);
    assert_float_equal(cJSON_GetObjectItem(o, "watchdog_share")->valuedouble, 0.25, 1e-9);
    assert_float_equal(cJSON_GetObjectItem(o, "stale_p50_us")->valuedouble, 20000, 1);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(o, "event_p50_us")));
    cJSON_Delete(o);
}

/* --- policies --------------------------------------------------------------------------------- */

static const struct drive_policy_opts options = {
    .target_scale = 1, .flows = 4, .cwnd_min = NAN, .cwnd_max = NAN, .lua_budget = 100000};

static struct agent_flow flow = {
    .is_open = true, .slot = 7, .local = "10.0.0.1:1", .remote = "10.0.0.2:2"};

static struct drive_answer ask(struct drive_policy *p, double cwnd, double throughput_bps)
{
    struct drive_seen seen = {
        .flow = &flow,
        .sample = {.h.mss = 1448, .cwnd = (uint32_t)cwnd, .srtt_us = 25000},
        .row = {.rtt_s = 0.025, .cwnd_bytes = cwnd * 1448, .throughput_bps = throughput_bps},
        .interval_s = 0.025,
        .ce = NAN};
    struct drive_answer answer = {0};
    struct error err = {0};
    assert_int_equal(p->ops->decide(p, &seen, &answer, 1, &err), STATUS_OK);
    return answer;
}

static struct drive_policy *make(const char *spec)
{
    struct drive_policy *p;
    struct error err = {0};
    enum status st = drive_policy_new(spec, &options, &p, &err);
    if (st)
        fail_msg("%s: %s", spec, err.message);
    if (p->ops->open)
        p->ops->open(p, &flow);
    return p;
}

static void plain_policies(void **state)
{
    (void)state;
    struct drive_policy *p = make("constant:40");
    assert_float_equal(ask(p, 10, 1e6).cwnd, 40, 0);
    drive_policy_free(p);
    p = make("copy-last");
    assert_float_equal(ask(p, 17, 1e6).cwnd, 17, 0);
    drive_policy_free(p);
    p = make("bdp:50mbit:24ms"); /* 100 packets of 1500 bytes */
    assert_float_equal(ask(p, 17, 1e6).cwnd, 100, 1e-9);
    p->ops->open(p, &flow);
    assert_float_equal(ask(p, 17, 1e6).cwnd, 50, 1e-9); /* shared by two */
    p->ops->close(p, &flow);
    assert_float_equal(ask(p, 17, 1e6).cwnd, 100, 1e-9);
    drive_policy_free(p);

    struct drive_policy *a = make("random:3"), *b = make("random:3"), *c = make("random:4");
    bool differs = false, leaves_two = false;
    for (int i = 0; i < 200; i++) {
        double x = ask(a, 100, 1e6).cwnd;
        assert_true(x >= 81 && x <= 123);
        assert_float_equal(x, ask(b, 100, 1e6).cwnd, 0); /* the same seed, the same walk */
        differs |= x != ask(c, 100, 1e6).cwnd;
    }
    for (int i = 0; i < 200; i++)
        leaves_two |= ask(a, 2, 1e6).cwnd > 2;
    assert_true(differs && leaves_two);
    drive_policy_free(a);
    drive_policy_free(b);
    drive_policy_free(c);
}

static void specs_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *says;
    } cases[] = {{"constan:4", "no policy 'constan:4'"},
                 {"", "no policy ''"},
                 {"constant", "constant:PACKETS"},
                 {"constant:", "constant:PACKETS"},
                 {"constant:4x", "no number"},
                 {"copy-last:1", "given as copy-last"},
                 {"bdp:50mbit", "bdp:RATE:RTT"},
                 {"bdp:50mbit:20", "20"},
                 {"random:x", "random:SEED"},
                 {"lua:/nonexistent.lua", "nonexistent"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct drive_policy *p;
        struct error err = {0};
        assert_int_not_equal(drive_policy_new(cases[i].spec, &options, &p, &err), STATUS_OK);
        assert_null(p);
        if (!strstr(err.message, cases[i].says))
            fail_msg("%s: '%s' does not say '%s'", cases[i].spec, err.message, cases[i].says);
    }
    struct drive_policy *p;
    struct error err = {0};
    (void)!drive_policy_new("constan:4", &options, &p, &err);
    assert_non_null(strstr(err.hint, "constant"));
    (void)!drive_policy_new("some/own.lua", &options, &p, &err);
    assert_string_equal(err.hint, "did you mean lua:some/own.lua?");
    (void)!drive_policy_new("/", &options, &p, &err);
    assert_string_equal(err.hint, "did you mean model:/?");
}

/* A network of zeros on scales that change nothing. */
static struct mlp *silent(size_t rows, size_t hidden)
{
    struct error err = {0};
    struct mlp *m;
    assert_int_equal(mlp_new("lab", rows, hidden, &m, &err), STATUS_OK);
    m->data = (struct dataset_opts){.steps = 20, .gamma = 1, .scale = 1, .horizon = 20};
    m->norm = (struct dataset_norm){.action_span = 1, .reward_max = 1, .max_return = 1};
    for (size_t k = 0; k < m->features; k++)
        m->norm.state_std[k] = 1;
    return m;
}

/* It as a policy, by way of a file; it is freed. */
static struct drive_policy *make_distilled(struct mlp *m)
{
    struct error err = {0};
    char path[] = "/tmp/ccalab-drive-mlp-XXXXXX", spec[sizeof path + 16];
    close(mkstemp(path));
    assert_int_equal(mlp_save(m, path, &err), STATUS_OK);
    mlp_free(m);
    snprintf(spec, sizeof spec, "distilled:%s", path);
    struct drive_policy *p = make(spec);
    unlink(path);
    return p;
}

static void a_distilled_policy(void **state)
{
    (void)state;
    struct error err = {0};
    struct mlp *m = silent(4, 2);
    /* tanh(tanh(0.5 * the return)), in both layers the first unit alone, and 0.25 more. */
    m->values[m->features] = 0.5f;
    float *second = m->values + 2 * m->inputs + 2, *last = second + 6;
    second[0] = 1;
    last[0] = 1;
    last[2] = 0.25f;

    struct drive_policy *p = make_distilled(m);
    assert_true(ask(p, 40, NAN).is_none); /* a first row */
    struct drive_seen seen = {.flow = &flow,
                              .sample = {.h.mss = 1000, .cwnd = 40},
                              .row = {.rtt_s = 0.02, .cwnd_bytes = 40000, .throughput_bps = 1e6}};
    for (int i = 0; i < 10; i++) {
        struct drive_answer answer = {0};
        assert_int_equal(p->ops->decide(p, &seen, &answer, 1, &err), STATUS_OK);
        assert_float_equal(answer.cwnd, 40 * exp(tanh(tanh(0.5)) + 0.25), 1e-3);
        assert_float_equal(answer.target_return, 1, 1e-9);
    }
    p->ops->set_target(p, 0);
    struct drive_answer answer = {.target_return = NAN};
    assert_int_equal(p->ops->decide(p, &seen, &answer, 1, &err), STATUS_OK);
    assert_float_equal(answer.cwnd, 40 * exp(0.25), 1e-3);
    assert_float_equal(answer.target_return, 0, 1e-9);

    /* What is no number is forgotten with its row, and not fed back for good. */
    struct drive_seen odd = seen;
    odd.row.throughput_bps = INFINITY;
    assert_int_equal(p->ops->decide(p, &odd, &answer, 1, &err), STATUS_OK);
    assert_true(isnan(answer.cwnd));
    for (int i = 0; i < 4; i++)
        assert_int_equal(p->ops->decide(p, &seen, &answer, 1, &err), STATUS_OK);
    assert_float_equal(answer.cwnd, 40 * exp(0.25), 1e-3);
    p->ops->close(p, &flow);
    drive_policy_free(p);
}

/* Of the row before it is told what the window did, whatever it had decided itself. */
static void a_distilled_policy_sees_what_was_done(void **state)
{
    (void)state;
    struct error err = {0};
    struct mlp *m = silent(3, 1);
    /* tanh(tanh(the action of the row before)), ten times that. */
    m->values[m->row + m->features + 1] = 1;
    float *second = m->values + m->inputs + 1, *last = second + 2;
    second[0] = 1;
    last[0] = 10;

    struct drive_policy *p = make_distilled(m);
    static const double windows[] = {40000, 44000, 44000, 11000};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        double done = i ? log(windows[i] / windows[i - 1]) : 0; /* of the first nothing is known */
        struct drive_seen seen = {
            .flow = &flow,
            .sample = {.h.mss = 1000, .cwnd = (uint32_t)(windows[i] / 1000)},
            .row = {.rtt_s = 0.02, .cwnd_bytes = windows[i], .throughput_bps = 1e6}};
        struct drive_answer answer = {0};
        assert_int_equal(p->ops->decide(p, &seen, &answer, 1, &err), STATUS_OK);
        assert_float_equal(answer.cwnd, windows[i] / 1000 * exp(10 * tanh(tanh(done))), 1e-3);
    }
    p->ops->close(p, &flow);
    drive_policy_free(p);
}

/* --- Lua -------------------------------------------------------------------------------------- */

static char script_path[] = "/tmp/ccalab-drive-XXXXXX";

static enum status load(const char *text, struct drive_policy **p, struct error *err)
{
    char spec[sizeof script_path + 8];
    FILE *f = fopen(script_path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    snprintf(spec, sizeof spec, "lua:%s", script_path);
    return drive_policy_new(spec, &options, p, err);
}

static struct drive_policy *make_lua(const char *text)
{
    struct drive_policy *p;
    struct error err = {0};
    if (load(text, &p, &err))
        fail_msg("%s", err.message);
    p->ops->open(p, &flow);
    return p;
}

static void a_student_s_congestion_control(void **state)
{
    (void)state;
    struct drive_policy *p =
        make_lua("function on_sample(flow, s)\n"
                 "    flow.n = (flow.n or 0) + 1\n"
                 "    assert(flow.src == '10.0.0.1:1' and s.srtt == 0.025 and s.ce == nil)\n"
                 "    return s.cwnd + flow.n * s.target, s.throughput * 2\n"
                 "end\n");
    assert_float_equal(ask(p, 10, 1e6).cwnd, 11, 0);
    struct drive_answer a = ask(p, 10, 1e6);
    assert_float_equal(a.cwnd, 12, 0);
    assert_float_equal(a.pacing_bps, 2e6, 0);
    p->ops->set_target(p, 0.5);
    assert_float_equal(ask(p, 10, 1e6).cwnd, 11.5, 0);
    p->ops->close(p, &flow); /* what the script kept of the flow goes with it */
    p->ops->open(p, &flow);
    assert_float_equal(ask(p, 10, 1e6).cwnd, 10.5, 0);
    drive_policy_free(p);
}

static void wrong_scripts_give_no_decision(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "return '40'",
        "return 4, {}",
        "error('no')",
        "error({})",
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return pcall(f) end while true do f() end",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = 'x' while true do s = s .. s end",
        "local s = 'x' for i = 1, 22 do s = s .. s end while true do local t = s .. 'y' end",
        "local function f() return 1 + f() end return f()",
        "return 20, 0, table.concat({}, 'x', 1, 1e15)",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "function on_sample(flow, s) if s.cwnd > 50 then return 20 end %s end", bodies[i]);
        struct drive_policy *p = make_lua(text);
        for (int k = 0; k < 3; k++)
            assert_true(ask(p, 10, 1e6).is_none);
        assert_false(ask(p, 60, 1e6).is_none); /* and it goes on after that */
        drive_policy_free(p);
    }
}

static void scripts_reach_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"io",
                                        "os",
                                        "require",
                                        "load",
                                        "loadfile",
                                        "dofile",
                                        "debug",
                                        "xpcall",
                                        "package",
                                        "coroutine",
                                        "collectgarbage",
                                        "setmetatable",
                                        "getmetatable",
                                        "string.rep",
                                        "string.find",
                                        "string.gsub",
                                        "string.dump",
                                        "table.move",
                                        "(''):len() and ('').rep",
                                        "_G"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[200];
        snprintf(text, sizeof text, "function on_sample() return 1 end assert(%s == nil)",
                 names[i]);
        struct drive_policy *p;
        struct error err = {0};
        enum status st = load(text, &p, &err);
        if (st)
            fail_msg("%s is there: %s", names[i], err.message);
        drive_policy_free(p);
    }
}

static void scripts_that_do_not_load(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status st;
        const char *says;
    } cases[] = {{"function on_sample(", STATUS_SYNTAX, "expected"},
                 {"x = 1", STATUS_INPUT, "on_sample"},
                 {"error('at once')", STATUS_FAIL, "at once"},
                 {"\nwhile true do end", STATUS_FAIL, ":2: over the budget"},
                 {"\x1bLua", STATUS_SYNTAX, "binary"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct drive_policy *p;
        struct error err = {0};
        assert_int_equal(load(cases[i].text, &p, &err), cases[i].st);
        if (!strstr(err.message, cases[i].says))
            fail_msg("'%s' does not say '%s'", err.message, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_come_and_go),
        cmocka_unit_test(strange_records_are_counted),
        cmocka_unit_test(ipv6_is_written_in_brackets),
        cmocka_unit_test(any_number_is_a_decision),
        cmocka_unit_test(intervals_are_differences),
        cmocka_unit_test(a_window_has_the_fraction_that_was_decided),
        cmocka_unit_test(the_account_tells_who_had_the_window),
        cmocka_unit_test(plain_policies),
        cmocka_unit_test(specs_that_are_none),
        cmocka_unit_test(a_distilled_policy),
        cmocka_unit_test(a_distilled_policy_sees_what_was_done),
        cmocka_unit_test(a_student_s_congestion_control),
        cmocka_unit_test(wrong_scripts_give_no_decision),
        cmocka_unit_test(scripts_reach_nothing),
        cmocka_unit_test(scripts_that_do_not_load),
    };
    int fd = mkstemp(script_path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(script_path);
    return failed;
}
