/* The loop of `netllm drive` without a kernel: an agent of this file's own stands where
 * testbed/agent.c would, and tells of whatever flows a test likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "drive/drive.h"

#define MSS    1000
#define FLOWS  2
#define ROUNDS 50

/* --- the agent -------------------------------------------------------------------------------- */

struct agent {
    const struct agent_handlers *handlers;
    void *user;
    struct agent_flows flows;
    int fd; /* always readable */
    int round;
    uint64_t began_ns;
    double decided[ROUNDS][FLOWS]; /* packets; NaN: no decision */
};

static struct agent fake;
static volatile sig_atomic_t stop;

enum status agent_start(const struct agent_opts *opts, const struct agent_handlers *h, void *user,
                        struct agent **out, struct error *err)
{
    (void)opts;
    (void)err;
    memset(&fake, 0, sizeof fake);
    fake.handlers = h;
    fake.user = user;
    fake.fd = eventfd(1, EFD_CLOEXEC);
    fake.round = -1;
    fake.began_ns = clock_mono_ns() - 1000000000u; /* samples are of the past */
    for (int r = 0; r < ROUNDS; r++)
        for (int s = 0; s < FLOWS; s++)
            fake.decided[r][s] = NAN;
    *out = &fake;
    return STATUS_OK;
}

void agent_stop(struct agent *a)
{
    close(a->fd);
}

int agent_fd(const struct agent *a)
{
    return a->fd;
}

/* A sample a flow and round, of a window of 10 packets. */
size_t agent_take(struct agent *a)
{
    a->round++;
    for (uint32_t s = 0; s < FLOWS; s++) {
        struct agent_flow *flow = &a->flows.at[s];
        struct agent_sample sample = {.h = {.slot = s,
                                            .generation = 1,
                                            .mss = MSS,
                                            .t_ns = a->began_ns + (uint64_t)a->round * 10000000},
                                      .srtt_us = 10000,
                                      .cwnd = 10,
                                      .is_driven = 1,
                                      .bytes_acked = (uint64_t)a->round * 10000};
        if (!flow->is_open) {
            *flow = (struct agent_flow){.is_open = true, .slot = s, .generation = 1};
            snprintf(flow->local, sizeof flow->local, "10.0.0.1:%u", s);
            a->flows.open++;
            a->handlers->open(a->user, flow);
        }
        a->handlers->sample(a->user, flow, &sample);
    }
    stop = a->round + 1 == ROUNDS ? SIGTERM : 0;
    return FLOWS;
}

/* As the real one: what is no number is no decision. */
bool agent_decide(struct agent *a, uint32_t slot, double cwnd, double pacing_bps)
{
    (void)pacing_bps;
    a->decided[a->round][slot] = cwnd;
    return !isnan(cwnd);
}

const struct agent_flows *agent_get_flows(const struct agent *a)
{
    return &a->flows;
}

uint64_t agent_dropped(const struct agent *a)
{
    (void)a;
    return 0;
}

/* --- policies --------------------------------------------------------------------------------- */

struct steady {
    struct drive_policy base;
    double cwnd; /* always the same answer, in packets */
    bool is_advisor;
    int none_at, fails_at; /* calls, from 1 on; 0: never */
    int calls;
};

static enum status steady_decide(struct drive_policy *base, const struct drive_seen *seen,
                                 struct drive_answer *answers, size_t count, struct error *err)
{
    struct steady *p = (struct steady *)base;

    /* Whoever advises is asked once the decisions for all flows stand. */
    for (size_t i = 0; i < count && p->is_advisor; i++)
        assert_false(isnan(fake.decided[fake.round][seen[i].flow->slot]));
    if (++p->calls == p->fails_at)
        return error_set(err, STATUS_FAIL, "test", "it has had enough");
    for (size_t i = 0; i < count; i++) {
        answers[i].is_none = p->calls == p->none_at;
        answers[i].cwnd = p->cwnd;
    }
    return STATUS_OK;
}

static const struct drive_policy_ops steady_ops = {.decide = steady_decide};

/* --- what is told ----------------------------------------------------------------------------- */

struct told {
    double advised[ROUNDS][FLOWS], wanted[ROUNDS][FLOWS]; /* bytes, packets */
    int samples[FLOWS];
    char error[256]; /* of the last log of that level */
};

static void read_line(const char *line, struct told *out)
{
    cJSON *o = cJSON_Parse(line);
    const char *src = json_str(o, "src", "");
    const cJSON *values = json_get(o, "values");
    int slot = 0;

    if (sscanf(src, "drive/10.0.0.1:%d", &slot) == 1) {
        int round = out->samples[slot]++;
        assert_true(round < ROUNDS);
        out->advised[round][slot] = json_num(values, "advised_bytes", NAN);
        out->wanted[round][slot] = json_num(values, "wanted_pkts", NAN);
    }
    if (!strcmp(json_str(o, "level", ""), "error"))
        snprintf(out->error, sizeof out->error, "%s", json_str(o, "text", ""));
    cJSON_Delete(o);
}

static void drive(struct drive_opts opts, struct told *out)
{
    FILE *events = tmpfile();
    struct error err = {0};
    char line[4096];

    *out = (struct told){0};
    stop = 0;
    opts.policy_name = "steady";
    opts.control_fd = -1;
    opts.events = events;
    opts.stop = &stop;
    if (drive_run(&opts, &err))
        fail_msg("%s", err.message);
    rewind(events);
    while (fgets(line, sizeof line, events))
        read_line(line, out);
    fclose(events);
    for (int s = 0; s < FLOWS; s++)
        assert_int_equal(out->samples[s], ROUNDS);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void decisions_are_explored(void **state)
{
    (void)state;
    struct steady policy = {.base.ops = &steady_ops, .cwnd = 100};
    struct drive_opts opts = {.policy = &policy.base, .seed = 7};
    static struct told told, again;
    double first[ROUNDS][FLOWS], least = INFINITY, most = 0, sum = 0;

    drive(opts, &told); /* without: exactly what the policy says */
    for (int r = 0; r < ROUNDS; r++)
        for (int s = 0; s < FLOWS; s++)
            assert_float_equal(fake.decided[r][s], 100, 0);

    opts.explore = 0.2;
    drive(opts, &told);
    memcpy(first, fake.decided, sizeof first);
    for (int r = 0; r < ROUNDS; r++) {
        for (int s = 0; s < FLOWS; s++) {
            double off = log(fake.decided[r][s] / 100);
            least = fmin(least, off);
            most = fmax(most, off);
            sum += off;
            /* What was wanted is what was done, what is to be learned what was meant. */
            assert_float_equal(told.wanted[r][s], fake.decided[r][s], 1e-9);
            assert_float_equal(told.advised[r][s], 100 * MSS, 1e-6);
        }
    }
    assert_true(least >= -0.2 && least < -0.15 && most <= 0.2 && most > 0.15);
    assert_true(fabs(sum / (ROUNDS * FLOWS)) < 0.05);

    drive(opts, &again);
    assert_memory_equal(fake.decided, first, sizeof first); /* by the seed */
    opts.seed = 8;
    drive(opts, &again);
    assert_true(memcmp(fake.decided, first, sizeof first) != 0);
}

static void an_advisor_is_not_obeyed(void **state)
{
    (void)state;
    struct steady policy = {.base.ops = &steady_ops, .cwnd = 100},
                  advisor = {
                      .base.ops = &steady_ops, .cwnd = 12.5, .is_advisor = true, .none_at = 5};
    static struct told told;

    drive((struct drive_opts){.policy = &policy.base, .advisor = &advisor.base}, &told);
    for (int r = 0; r < ROUNDS; r++) {
        for (int s = 0; s < FLOWS; s++) {
            assert_float_equal(fake.decided[r][s], 100, 0);
            if (r + 1 == advisor.none_at)
                assert_true(isnan(told.advised[r][s]));
            else
                assert_float_equal(told.advised[r][s], 12500, 1e-9);
        }
    }
}

static void a_failing_advisor_ends_its_advice_alone(void **state)
{
    (void)state;
    struct steady policy = {.base.ops = &steady_ops, .cwnd = 100},
                  advisor = {
                      .base.ops = &steady_ops, .cwnd = 12, .is_advisor = true, .fails_at = 4};
    static struct told told;

    drive((struct drive_opts){.policy = &policy.base, .advisor = &advisor.base}, &told);
    assert_int_equal(policy.calls, ROUNDS);
    assert_int_equal(advisor.calls, 4);
    assert_non_null(strstr(told.error, "it has had enough"));
    for (int r = 0; r < ROUNDS; r++) {
        assert_float_equal(fake.decided[r][0], 100, 0);
        assert_true(r < 3 ? told.advised[r][0] == 12000 : isnan(told.advised[r][0]));
    }
}

/* Advice is of this interval, and of the kernel's bounds: it is what a pool teaches. */
static void advice_is_sane(void **state)
{
    (void)state;
    struct steady policy = {.base.ops = &steady_ops, .cwnd = 100, .none_at = 3};
    static struct told told;

    drive((struct drive_opts){.policy = &policy.base}, &told);
    assert_true(isnan(told.advised[2][0]) && told.wanted[2][0] == 100);
    assert_true(told.advised[1][0] == 100 * MSS && told.advised[3][0] == 100 * MSS);

    static const struct {
        double answer, advised;
    } cases[] = {{-40, AGENT_CWND_MIN * MSS},
                 {1e12, (double)AGENT_CWND_MAX * MSS},
                 {INFINITY, (double)AGENT_CWND_MAX * MSS},
                 {NAN, NAN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct steady odd = {.base.ops = &steady_ops, .cwnd = cases[i].answer};
        drive((struct drive_opts){.policy = &odd.base}, &told);
        assert_true(told.advised[9][1] == cases[i].advised ||
                    (isnan(told.advised[9][1]) && isnan(cases[i].advised)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions_are_explored),
        cmocka_unit_test(an_advisor_is_not_obeyed),
        cmocka_unit_test(a_failing_advisor_ends_its_advice_alone),
        cmocka_unit_test(advice_is_sane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
