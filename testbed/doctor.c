#include "testbed/doctor.h"

#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/paths.h"
#include "core/spawn.h"
#include "core/userns.h"

#define PROBE_TIMEOUT_MS  5000
#define PROBES            100
#define PROBE_NS          1000000ull
#define OBSERVE_NS        1000000000ull
#define FIFO_PRIORITY     10 /* that of ccalab-link */
#define FIFO_LATE_US      200
#define NORMAL_LATE_US    1000
#define STEAL_MAX         0.01
#define BUSY_MAX          0.25
#define PROC_MAX          (1u << 20)
#define BENCH_MAX         (1u << 20)
#define TEXT_MAX          200
#define RT_RUNTIME_MIN_US 500000

enum verdict { VERDICT_PASS, VERDICT_WARN, VERDICT_UNKNOWN };

static const char *const verdict_names[] = {"pass", "warn", "cannot tell"};

static void add_check(cJSON *o, const char *name, enum verdict verdict, const char *text,
                      const char *hint)
{
    cJSON *check = cJSON_CreateObject();
    cJSON_AddStringToObject(check, "name", name);
    cJSON_AddStringToObject(check, "verdict", verdict_names[verdict]);
    cJSON_AddStringToObject(check, "text", text);
    if (hint && verdict != VERDICT_PASS)
        cJSON_AddStringToObject(check, "hint", hint);
    cJSON_AddItemToArray(cJSON_GetObjectItem(o, "checks"), check);
}

/* The first line of a small file of the kernel. False: not there. */
static bool read_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    bool is_read = f && fgets(out, (int)size, f);
    if (f)
        fclose(f);
    if (is_read)
        out[strcspn(out, "\n")] = '\0';
    return is_read;
}

static void add_text(cJSON *o, const char *key, bool is_known, const char *text)
{
    if (is_known)
        cJSON_AddStringToObject(o, key, text);
    else
        cJSON_AddNullToObject(o, key);
}

/* --- what the machine is ---------------------------------------------------------------------- */

static bool cpu_model(char *out, size_t size)
{
    struct buf b;
    bool is_found = false;
    if (buf_read_file(&b, "/proc/cpuinfo", PROC_MAX, NULL) == STATUS_OK) {
        const char *line = strstr(b.data, "model name");
        const char *colon = line ? strchr(line, ':') : NULL;
        if (colon) {
            colon += 1 + strspn(colon + 1, " ");
            snprintf(out, size, "%.*s", (int)strcspn(colon, "\n"), colon);
            is_found = true;
        }
    }
    buf_done(&b);
    return is_found;
}

static void check_cpu(cJSON *o)
{
    char text[TEXT_MAX], model[100] = "model unknown", governor[64] = "";
    cpu_set_t allowed;
    int cores = sched_getaffinity(0, sizeof allowed, &allowed) == 0
                    ? CPU_COUNT(&allowed)
                    : (int)sysconf(_SC_NPROCESSORS_ONLN);
    bool has_model = cpu_model(model, sizeof model);
    cJSON_AddNumberToObject(o, "cores", cores);
    add_text(o, "cpu_model", has_model, model);
    snprintf(text, sizeof text, "%d for us, %s", cores, model);
    add_check(o, "cores", cores >= 2 ? VERDICT_PASS : VERDICT_WARN, text,
              "with one core the emulator and the flows take turns: keep rates low");

    bool has_governor = read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor,
                                  sizeof governor);
    add_text(o, "governor", has_governor, governor);
    if (has_governor) {
        bool is_slow = strcmp(governor, "powersave") == 0 || strcmp(governor, "ondemand") == 0;
        snprintf(text, sizeof text, "frequency governor %s", governor);
        add_check(o, "frequency", is_slow ? VERDICT_WARN : VERDICT_PASS, text,
                  "a core that has to wake from a low frequency is late: use performance");
    } else {
        add_check(o, "frequency", VERDICT_UNKNOWN, "the frequency governor is not visible here",
                  "usual in virtual machines: their host decides");
    }
}

static void check_clock(cJSON *o)
{
    static const char *const fast[] = {"tsc", "kvm-clock", "arch_sys_counter",
                                       "hyperv_clocksource_tsc_page"};
    char source[64] = "", text[TEXT_MAX];
    bool has_source = read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                                source, sizeof source);
    bool is_fast = false;
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
        is_fast |= strcmp(source, fast[i]) == 0;
    add_text(o, "clock_source", has_source, source);
    snprintf(text, sizeof text, "%s", has_source ? source : "not visible");
    add_check(o, "clock source",
              !has_source ? VERDICT_UNKNOWN
              : is_fast   ? VERDICT_PASS
                          : VERDICT_WARN,
              text, "the emulator reads the clock several times a packet: prefer tsc");

    int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    cJSON_AddNumberToObject(o, "timer_slack_ns", slack_ns);
    snprintf(text, sizeof text, "%g us for ordinary processes; ccalab-link sets its own to 1 ns",
             slack_ns / 1e3);
    add_check(o, "timer slack", slack_ns <= 50000 ? VERDICT_PASS : VERDICT_WARN, text,
              "pacing and iperf3 wake that much late");
}

static void check_kernel(cJSON *o)
{
    struct utsname u;
    char text[TEXT_MAX], dynamic[80];
    const char *preempt = "none";
    uname(&u);
    /* The coarse clock moves at every tick: its resolution is 1/HZ. */
    struct timespec res = {0};
    clock_getres(CLOCK_MONOTONIC_COARSE, &res);
    int hz = res.tv_nsec > 0 ? (int)lround(1e9 / (double)res.tv_nsec) : 0;
    static const char *const models[] = {"PREEMPT_RT", "PREEMPT_DYNAMIC", "PREEMPT_LAZY",
                                         "PREEMPT"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strstr(u.version, models[i])) {
            preempt = models[i];
            break;
        }
    bool has_mode = read_line("/sys/kernel/debug/sched/preempt", dynamic, sizeof dynamic);
    cJSON_AddStringToObject(o, "kernel", u.release);
    cJSON_AddStringToObject(o, "architecture", u.machine);
    cJSON_AddNumberToObject(o, "hz", hz);
    cJSON_AddStringToObject(o, "preempt", preempt);
    add_text(o, "preempt_mode", has_mode, dynamic);
    snprintf(text, sizeof text, "Linux %.64s, HZ %d, preemption %s%s%.60s", u.release, hz, preempt,
             has_mode ? ": " : "", has_mode ? dynamic : "");
    add_check(o, "kernel", strcmp(preempt, "none") == 0 ? VERDICT_WARN : VERDICT_PASS, text,
              "without preemption a system call of another process delays the emulator");

    bool has_tun = access("/dev/net/tun", R_OK | W_OK) == 0;
    cJSON_AddBoolToObject(o, "has_tun", has_tun);
    add_check(o, "TUN", has_tun ? VERDICT_PASS : VERDICT_WARN,
              has_tun ? "/dev/net/tun can be opened"
                      : "/dev/net/tun is missing or not ours to open",
              "modprobe tun, and run as root; else the bottleneck uses packet sockets");
    bool has_btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
    cJSON_AddBoolToObject(o, "has_btf", has_btf);
    add_check(o, "BTF", has_btf ? VERDICT_PASS : VERDICT_WARN,
              has_btf ? "the kernel describes its types: BPF Prague can be loaded"
                      : "no /sys/kernel/btf/vmlinux: no BPF Prague",
              "use a kernel with CONFIG_DEBUG_INFO_BTF");
}

/* Root, or what there is without: tried out, as a container may forbid what the settings allow. */
static void check_rights(cJSON *o)
{
    const char *const argv[] = {"unshare", "-Urn", "true", NULL};
    struct error e = {0};
    bool is_root = paths_is_root();
    enum status st = userns_check(&e);
    if (st == STATUS_OK && !is_root)
        st = spawn_run(argv, NULL, NULL, NULL, PROBE_TIMEOUT_MS, &e);
    cJSON_AddBoolToObject(o, "is_root", is_root);
    cJSON_AddBoolToObject(o, "has_userns", st == STATUS_OK);
    if (is_root)
        add_check(o, "rights", VERDICT_PASS, "root: the lab with all that it has", NULL);
    else if (st == STATUS_OK)
        add_check(o, "rights", VERDICT_PASS,
                  "no root, but user namespaces: the lab without BPF Prague and SCHED_FIFO", NULL);
    else
        add_check(o, "rights", VERDICT_WARN, e.message,
                  e.hint[0] ? e.hint : "the lab needs root, or user namespaces: use sudo");
}

/* For --aqm kernel:KIND: each is put on a device of a namespace that then vanishes. */
static void check_queues(cJSON *o)
{
    static const char script[] =
        "PATH=$PATH:/usr/sbin:/sbin\n"
        "for k in htb pfifo bfifo codel fq_codel pie dualpi2 fq cake netem; do\n"
        "  tc qdisc add dev lo root $k 2>/dev/null && printf ' %s' $k\n"
        "  tc qdisc del dev lo root 2>/dev/null\n"
        "done; true\n";
    const char *const argv[] = {"unshare", paths_is_root() ? "-n" : "-Urn", "sh", "-c", script,
                                NULL};
    char text[TEXT_MAX];
    struct buf b;
    buf_init(&b, 4096);
    bool is_known = spawn_run(argv, NULL, NULL, &b, PROBE_TIMEOUT_MS, NULL) == STATUS_OK;
    bool has_htb = is_known && strncmp(b.data, " htb", 4) == 0;
    cJSON *list = is_known ? cJSON_AddArrayToObject(o, "kernel_qdiscs")
                           : cJSON_AddNullToObject(o, "kernel_qdiscs");
    snprintf(text, sizeof text, has_htb ? "the kernel has%.150s" : "the kernel has no htb",
             is_known ? b.data : "");
    char *save = NULL;
    for (char *w = is_known ? strtok_r(b.data, " ", &save) : NULL; w;
         w = strtok_r(NULL, " ", &save))
        cJSON_AddItemToArray(list, cJSON_CreateString(w));
    if (is_known)
        add_check(o, "kernel queues", has_htb ? VERDICT_PASS : VERDICT_WARN, text,
                  "--aqm kernel:KIND needs it (modprobe sch_htb); our own AQMs do not");
    else
        add_check(o, "kernel queues", VERDICT_UNKNOWN, "no namespace to try them in",
                  "our own AQMs need nothing of the kernel");
    buf_done(&b);
}

/* --- what others take away -------------------------------------------------------------------- */

struct cpu_time {
    double total, idle, steal; /* ticks since boot, of all cores */
};

/* proc_stat(5): user nice system idle iowait irq softirq steal (guest is in user). */
static bool read_cpu_time(struct cpu_time *out)
{
    char line[512];
    double v[8];
    if (!read_line("/proc/stat", line, sizeof line) ||
        sscanf(line, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &v[0], &v[1], &v[2], &v[3], &v[4],
               &v[5], &v[6], &v[7]) != 8)
        return false;
    *out = (struct cpu_time){.idle = v[3] + v[4], .steal = v[7]};
    for (int i = 0; i < 8; i++)
        out->total += v[i];
    return true;
}

static void check_load(cJSON *o, const struct cpu_time *a, bool has_a)
{
    struct cpu_time b;
    char text[TEXT_MAX];
    bool is_known = has_a && read_cpu_time(&b) && b.total > a->total;
    double steal = is_known ? (b.steal - a->steal) / (b.total - a->total) : NAN;
    double busy = is_known ? 1 - (b.idle - a->idle) / (b.total - a->total) - steal : NAN;
    json_add_num(o, "steal_ratio", steal);
    json_add_num(o, "busy_ratio", busy);
    if (!is_known) {
        add_check(o, "steal", VERDICT_UNKNOWN, "not measured", NULL);
        return;
    }
    snprintf(text, sizeof text, "%.1f %% of the CPU was taken by the hypervisor in one second",
             100 * steal);
    add_check(o, "steal", steal < STEAL_MAX ? VERDICT_PASS : VERDICT_WARN, text,
              "the machine's host is busy: measure at another time or elsewhere");
    snprintf(text, sizeof text, "%.0f %% of the CPU was in use in that second", 100 * busy);
    add_check(o, "load", busy < BUSY_MAX ? VERDICT_PASS : VERDICT_WARN, text,
              "end what else runs before you measure");
}

/* --- how late timers are ---------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sleep 1 ms a hundred times and sort by how much later than asked we woke, in microseconds. */
static void probe_sleep(double late_us[PROBES])
{
    for (int i = 0; i < PROBES; i++) {
        struct timespec ts = {.tv_nsec = PROBE_NS};
        uint64_t start = clock_mono_ns();
        nanosleep(&ts, NULL);
        late_us[i] = ((double)(clock_mono_ns() - start) - (double)PROBE_NS) / 1e3;
    }
    qsort(late_us, PROBES, sizeof *late_us, compare_doubles);
}

static void add_probe(cJSON *parent, const char *key, const double *late_us)
{
    cJSON *o = cJSON_AddObjectToObject(parent, key);
    json_add_num(o, "p50", late_us[PROBES / 2]);
    json_add_num(o, "p99", late_us[PROBES * 99 / 100 - 1]);
    json_add_num(o, "max", late_us[PROBES - 1]);
}

/* Take SCHED_FIFO, as ccalab-link does; *before gets what to go back to. */
static bool become_realtime(int *policy_before, struct sched_param *before)
{
    struct sched_param param = {.sched_priority = FIFO_PRIORITY};
    *policy_before = sched_getscheduler(0);
    return *policy_before >= 0 && sched_getparam(0, before) == 0 &&
           sched_setscheduler(0, SCHED_FIFO, &param) == 0;
}

static void check_timers(cJSON *o, bool is_quick)
{
    double normal[PROBES], fifo[PROBES];
    char text[TEXT_MAX], runtime[32];
    struct sched_param before;
    int policy;
    if (!is_quick)
        probe_sleep(normal);
    bool is_permitted = become_realtime(&policy, &before);
    if (is_permitted) {
        if (!is_quick)
            probe_sleep(fifo);
        /* Cannot fail: giving up a priority is always permitted. */
        (void)!sched_setscheduler(0, policy, &before);
    }
    long runtime_us = read_line("/proc/sys/kernel/sched_rt_runtime_us", runtime, sizeof runtime)
                          ? atol(runtime)
                          : -1;
    cJSON_AddBoolToObject(o, "is_sched_fifo_permitted", is_permitted);
    cJSON_AddNumberToObject(o, "sched_rt_runtime_us", (double)runtime_us);
    add_check(o, "SCHED_FIFO",
              is_permitted && (runtime_us < 0 || runtime_us >= RT_RUNTIME_MIN_US) ? VERDICT_PASS
                                                                                  : VERDICT_WARN,
              is_permitted ? "permitted: the emulator goes before everything else"
                           : "not permitted: any busy process delays the emulator by milliseconds",
              "run as root, or with CAP_SYS_NICE or an RLIMIT_RTPRIO of 10");
    if (is_quick) {
        cJSON_AddNullToObject(o, "sleep_late_us");
        return;
    }
    cJSON *late = cJSON_AddObjectToObject(o, "sleep_late_us");
    add_probe(late, "normal", normal);
    double p99 = normal[PROBES * 99 / 100 - 1];
    snprintf(text, sizeof text,
             "1 ms sleeps end %.0f us late at the median, p99 %.0f, at most %.0f",
             normal[PROBES / 2], p99, normal[PROBES - 1]);
    add_check(o, "timers", p99 < NORMAL_LATE_US ? VERDICT_PASS : VERDICT_WARN, text,
              "senders' pacing suffers from it; end what else runs");
    if (!is_permitted) {
        cJSON_AddNullToObject(late, "fifo");
        return;
    }
    add_probe(late, "fifo", fifo);
    p99 = fifo[PROBES * 99 / 100 - 1];
    snprintf(text, sizeof text,
             "under SCHED_FIFO %.0f us late at the median, p99 %.0f, at most %.0f",
             fifo[PROBES / 2], p99, fifo[PROBES - 1]);
    add_check(
        o, "real-time timers", p99 < FIFO_LATE_US ? VERDICT_PASS : VERDICT_WARN, text,
        "the machine itself is late: power saving, a busy hypervisor, or a slow virtual timer");
}

/* --- what limits the rate --------------------------------------------------------------------- */

/* The result that `ccalab testbed bench` left in the state directory. */
static void check_bench(cJSON *o)
{
    char dir[CCALAB_PATH_MAX], path[CCALAB_PATH_MAX], text[TEXT_MAX], when[17];
    cJSON *bench = NULL;
    if (paths_state(dir, sizeof dir) && path_join(path, sizeof path, dir, "testbed-bench.json") &&
        access(path, R_OK) == 0)
        bench = json_read_file(path, BENCH_MAX, NULL);
    double rate = json_num(bench, "highest_rate_bps", NAN), t = json_num(bench, "t", NAN);
    const char *limit = json_str(bench, "limit", NULL);
    json_add_num(o, "highest_rate_bps", rate);
    if (!isfinite(rate) || !isfinite(t) || !limit) {
        add_check(o, "rate", VERDICT_UNKNOWN, "what limits the rate here has not been measured",
                  "ccalab testbed bench");
    } else {
        clock_format_utc(t, when, sizeof when);
        snprintf(text, sizeof text, "%g Mbit/s held on %s; above it %.100s", rate / 1e6, when,
                 limit);
        add_check(o, "rate", rate >= 100e6 ? VERDICT_PASS : VERDICT_WARN, text,
                  "keep the labs' rates below that");
    }
    cJSON_Delete(bench);
}

cJSON *doctor_examine(bool is_quick)
{
    struct cpu_time before = {0};
    uint64_t start = clock_mono_ns();
    cJSON *o = cJSON_CreateObject();
    if (!o || !cJSON_AddArrayToObject(o, "checks")) {
        cJSON_Delete(o);
        return NULL;
    }
    cJSON_AddNumberToObject(o, "t", clock_wall_s());
    cJSON_AddBoolToObject(o, "is_quick", is_quick);
    check_cpu(o);
    check_clock(o);
    check_kernel(o);
    check_rights(o);
    check_queues(o);
    bool has_before = !is_quick && read_cpu_time(&before);
    check_timers(o, is_quick);
    if (!is_quick) {
        struct timespec rest = clock_until(start + OBSERVE_NS);
        nanosleep(&rest, NULL);
        check_load(o, &before, has_before);
    } else {
        cJSON_AddNullToObject(o, "steal_ratio");
        cJSON_AddNullToObject(o, "busy_ratio");
    }
    check_bench(o);
    return o;
}

/* --- the command ------------------------------------------------------------------------------ */

static enum status print_result(const cJSON *o, bool is_json)
{
    if (is_json) {
        char *text = cJSON_Print(o);
        if (!text)
            return STATUS_NOMEM;
        printf("%s\n", text);
        cJSON_free(text);
        return STATUS_OK;
    }
    const cJSON *check;
    cJSON_ArrayForEach(check, json_get(o, "checks"))
    {
        const char *hint = json_str(check, "hint", NULL);
        printf("%-11s  %-16s  %s\n", json_str(check, "verdict", ""), json_str(check, "name", ""),
               json_str(check, "text", ""));
        if (hint)
            printf("%31s%s\n", "", hint);
    }
    return STATUS_OK;
}

int doctor_main(int argc, char **argv)
{
    bool is_json = false, is_quick = false;
    struct error err = {0};
    enum status st = STATUS_OK;
    for (int i = 1; i < argc && st == STATUS_OK; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            is_json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            is_quick = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            puts("usage: ccalab testbed doctor [--json] [--quick]\n\n"
                 "Is this machine fit to be a laboratory? A verdict a line, about one second.\n\n"
                 "  --json   facts and verdicts as one object\n"
                 "  --quick  only what takes no time: no steal, load, or timer probes");
            return status_exit_code(STATUS_OK);
        } else {
            st =
                error_set(&err, STATUS_USAGE, "testbed", "'%.40s' is not understood here", argv[i]);
            error_hint(&err, "see ccalab testbed doctor --help");
        }
    }
    if (st == STATUS_OK) {
        cJSON *o = doctor_examine(is_quick);
        st = o ? print_result(o, is_json) : STATUS_NOMEM;
        cJSON_Delete(o);
        if (st == STATUS_NOMEM)
            error_set(&err, st, "testbed", "out of memory");
    }
    if (st != STATUS_OK)
        error_print(stderr, &err);
    fflush(stdout);
    return status_exit_code(st);
}
