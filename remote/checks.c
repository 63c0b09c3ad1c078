#include "remote/checks.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "remote/checks_internal.h"

#define CLOCK_OFFSET_MAX_S 0.05
#define DISK_MIN_BYTES     (1024.0 * 1024 * 1024)
#define L4S_KERNEL                                                                                 \
    "a kernel of L4STeam (5.15.72-56eae305c-prague-91 or its like), or mainline 6.17 or later"

/* --- what judges say ---------------------------------------------------------------------------
 */

static void say(struct check *k, enum verdict verdict, const char *want, const char *fmt,
                va_list ap)
{
    k->verdict = verdict;
    vsnprintf(k->seen, sizeof k->seen, fmt, ap);
    snprintf(k->want, sizeof k->want, "%s", want);
}

void check_pass(struct check *k, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(k, VERDICT_PASS, "", fmt, ap);
    va_end(ap);
}

void check_fail(struct check *k, const char *want, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(k, VERDICT_FAIL, want, fmt, ap);
    va_end(ap);
}

void check_unknown(struct check *k, const char *want, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(k, VERDICT_UNKNOWN, want, fmt, ap);
    va_end(ap);
}

void check_fix(struct check *k, bool needs_root, bool is_safe, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(k->fix, sizeof k->fix, fmt, ap);
    va_end(ap);
    k->needs_root = needs_root;
    k->is_fix_safe = is_safe;
}

void check_fix_sysctl(struct check *k, const char *name, const char *value)
{
    check_fix(k, true, true, strchr(value, ' ') ? "sysctl -w %s='%s'" : "sysctl -w %s=%s", name,
              value);
    k->action = cJSON_CreateObject();
    cJSON_AddStringToObject(k->action, "sysctl", name);
    cJSON_AddStringToObject(k->action, "value", value);
}

void check_fix_by_running(struct check *k, const char *const *argv)
{
    char line[256] = "";
    k->action = cJSON_CreateObject();
    cJSON *run = cJSON_AddArrayToObject(k->action, "run");
    for (; *argv; argv++) {
        cJSON_AddItemToArray(run, cJSON_CreateString(*argv));
        size_t n = strlen(line);
        snprintf(line + n, sizeof line - n, "%s%s", n ? " " : "", *argv);
    }
    check_fix(k, true, true, "%s", line);
}

/* --- what they ask -----------------------------------------------------------------------------
 */

bool has_role(const struct checks_context *c, unsigned role)
{
    return (c->want->roles & role) != 0;
}

bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; n && (at = strstr(at, word)); at += n)
        if ((at == text || at[-1] == ' ') && (!at[n] || at[n] == ' '))
            return true;
    return false;
}

bool list_has(const cJSON *array, const char *word)
{
    const cJSON *v;
    cJSON_ArrayForEach(v, array)
    {
        if (cJSON_IsString(v) && strcmp(v->valuestring, word) == 0)
            return true;
    }
    return false;
}

bool wants_cc(const struct checks_context *c, const char *cc)
{
    for (size_t i = 0; i < c->want->nccs; i++)
        if (strcmp(c->want->ccs[i], cc) == 0)
            return true;
    return false;
}

bool wants_scalable(const struct checks_context *c)
{
    for (size_t i = 0; i < c->want->nccs; i++)
        if (strstr(c->want->ccs[i], "prague") || strstr(c->want->ccs[i], "dctcp"))
            return true;
    return false;
}

bool has_accecn(const struct checks_context *c)
{
    return c->kernel == KERNEL_L4STEAM || json_str(c->facts, "tcp_ecn_option", NULL);
}

static enum kernel_kind kernel_kind_of(const char *release)
{
    int major = 0, minor = 0;
    if (!release || sscanf(release, "%d.%d", &major, &minor) != 2)
        return KERNEL_UNKNOWN;
    if (strstr(release, "prague"))
        return KERNEL_L4STEAM;
    return major > 6 || (major == 6 && minor >= 17) ? KERNEL_MAINLINE : KERNEL_OTHER;
}

enum verdict find_module(const struct checks_context *c, const char *name, const char **state)
{
    const cJSON *m = json_get(c->facts, "modules");
    if (list_has(json_get(m, "loaded"), name))
        *state = "loaded";
    else if (list_has(json_get(m, "available"), name))
        *state = "available, loaded when it is used";
    else
        *state =
            json_get(m, "available") ? "not part of the running kernel" : "cannot be seen here";
    return (*state)[0] == 'l' || (*state)[0] == 'a' ? VERDICT_PASS
           : json_get(m, "available")               ? VERDICT_FAIL
                                                    : VERDICT_UNKNOWN;
}

/* --- the kernel --------------------------------------------------------------------------------
 */

static void judge_survey(const struct checks_context *c, struct check *k)
{
    if (!json_bool(c->facts, "is_complete", false))
        check_unknown(k, "a whole survey", "the host's answer breaks off: some checks cannot tell");
}

static const char *other_l4s_kernel(const struct checks_context *c)
{
    const cJSON *v;
    cJSON_ArrayForEach(v, json_get(c->facts, "kernels"))
    {
        if (cJSON_IsString(v) && kernel_kind_of(v->valuestring) == KERNEL_L4STEAM)
            return v->valuestring;
    }
    return NULL;
}

static void judge_kernel(const struct checks_context *c, struct check *k)
{
    const char *release = json_str(c->facts, "kernel", "");
    const char *other = other_l4s_kernel(c);
    if (!has_role(c, CHECKS_ROUTER) && !wants_scalable(c))
        return; /* a classic sender needs no special kernel */
    if (c->kernel == KERNEL_UNKNOWN) {
        check_unknown(k, L4S_KERNEL, "'%s'", release);
    } else if (c->is_virtual) {
        check_pass(k, "%s, with ccalab-link as the bottleneck", release);
    } else if (c->kernel == KERNEL_L4STEAM) {
        check_pass(k, "%s, of L4STeam", release);
    } else if (other) {
        /* The tutorial's trap: the boot menu starts the distribution's kernel. */
        check_fail(k, other, "%s runs, although %s is installed", release, other);
        check_fix(k, true, false, INSTALL_KERNEL, other);
    } else if (c->kernel == KERNEL_MAINLINE) {
        check_pass(k, "%s, mainline", release);
    } else {
        check_fail(k, L4S_KERNEL, "%s", release);
        check_fix(k, true, false, INSTALL_KERNEL, "PACKAGES");
    }
}

static void judge_module(const struct checks_context *c, struct check *k)
{
    const char *state;
    if (c->is_virtual || strcmp(c->aqm, "dualpi2"))
        return;
    enum verdict v = find_module(c, "sch_dualpi2", &state);
    const cJSON *q;
    cJSON_ArrayForEach(q, json_get(c->facts, "qdiscs"))
    {
        if (v != VERDICT_PASS && strcmp(json_str(q, "kind", ""), "dualpi2") == 0) {
            check_pass(k, "in use");
            return;
        }
    }
    if (v == VERDICT_PASS) {
        check_pass(k, "sch_dualpi2 %s", state);
    } else if (v == VERDICT_UNKNOWN) {
        check_unknown(k, "sch_dualpi2", "modules of %s: %s", json_str(c->facts, "kernel", "?"),
                      state);
    } else {
        check_fail(k, "sch_dualpi2", "sch_dualpi2 is %s", state);
        check_fix(k, true, false, INSTALL_KERNEL, "PACKAGES");
    }
}

static void judge_tc(const struct checks_context *c, struct check *k)
{
    const char *tc = json_str(c->facts, "tc", NULL);
    const char *speaks = json_str(c->facts, "tc_dualpi2", NULL);
    if (c->is_virtual || strcmp(c->aqm, "dualpi2"))
        return;
    if (!tc) {
        check_fail(k, "iproute2 that knows dualpi2", "no tc on the host");
        check_fix(k, true, false, "apt-get install -y iproute2");
    } else if (!speaks) {
        check_unknown(k, "a tc that knows dualpi2", "%s", tc);
    } else if (strcmp(speaks, "none") == 0) {
        check_fail(k, "the tc that came with the kernel (iproute2 6.18, or L4STeam's)",
                   "%s does not know dualpi2", tc);
        check_fix(k, false, false,
                  "git clone https://github.com/L4STeam/iproute2.git && cd iproute2 && "
                  "./configure && make && sudo make install");
    } else if ((c->kernel == KERNEL_MAINLINE) != (strcmp(speaks, "mainline") == 0)) {
        /* Two modules of one name with different netlink attributes: parameters go astray. */
        check_fail(k,
                   c->kernel == KERNEL_MAINLINE ? "iproute2 6.18 or later" : "L4STeam's iproute2",
                   "%s speaks to the %s dualpi2, which is not that of %s", tc,
                   strcmp(speaks, "mainline") == 0 ? "mainline" : "L4STeam",
                   json_str(c->facts, "kernel", "?"));
        check_fix(k, false, false,
                  "git clone %s iproute2 && cd iproute2 && ./configure && make && "
                  "sudo make install",
                  c->kernel == KERNEL_MAINLINE
                      ? "https://git.kernel.org/pub/scm/network/iproute2/iproute2.git"
                      : "https://github.com/L4STeam/iproute2.git");
    } else {
        check_pass(k, "%s knows the %s dualpi2", tc,
                   strcmp(speaks, "mainline") == 0 ? "mainline" : "L4STeam");
    }
}

/* --- the machine -------------------------------------------------------------------------------
 */

static void judge_links(const struct checks_context *c, struct check *k)
{
    const cJSON *links = json_get(c->facts, "links"), *link;
    int up = 0, want = c->want->roles == CHECKS_ROUTER ? 2 : 1;
    char names[200] = "", text[64];
    snprintf(text, sizeof text, "%d or more up", want);
    if (!cJSON_IsArray(links)) {
        check_unknown(k, text, "ip link does not answer");
        return;
    }
    cJSON_ArrayForEach(link, links)
    {
        const cJSON *flags = json_get(link, "flags");
        size_t n = strlen(names);
        if (list_has(flags, "LOOPBACK") || !list_has(flags, "UP") || !list_has(flags, "LOWER_UP"))
            continue;
        up++;
        snprintf(names + n, sizeof names - n, "%s%.15s", n ? ", " : "",
                 json_str(link, "ifname", "?"));
    }
    if (up >= want)
        check_pass(k, "%s", names);
    else
        check_fail(k, text, "%d up%s%s", up, up ? ": " : "", names);
}

static void judge_forwarding(const struct checks_context *c, struct check *k)
{
    const char *value = json_str(c->facts, "ip_forward", NULL);
    if (!value) {
        check_unknown(k, "ip_forward = 1", "ip_forward cannot be read");
    } else if (strcmp(value, "1") == 0) {
        check_pass(k, "ip_forward = 1");
    } else {
        check_fail(k, "ip_forward = 1", "ip_forward = %s", value);
        check_fix_sysctl(k, "net.ipv4.ip_forward", "1");
    }
}

static void judge_iperf3(const struct checks_context *c, struct check *k)
{
    const cJSON *v = json_get(c->facts, "iperf3");
    int major = 0, minor = 0;
    if (cJSON_IsNull(v)) {
        check_fail(k, "iperf3 3.2 or later", "iperf3 is not installed");
        check_fix(k, true, false, "apt-get install -y iperf3");
    } else if (!cJSON_IsString(v) || sscanf(v->valuestring, "%d.%d", &major, &minor) != 2) {
        check_unknown(k, "iperf3 3.2 or later", "iperf3 does not tell its version");
    } else if (major < 3 || (major == 3 && minor < 2)) {
        check_fail(k, "iperf3 3.2 or later", "iperf3 %s", v->valuestring);
        check_fix(k, true, false, "apt-get install -y iperf3");
    } else {
        check_pass(k, "iperf3 %s%s", v->valuestring,
                   major > 3 || minor >= 17 ? "" : ", without --json-stream (3.17)");
    }
    (void)c;
}

static void judge_port(const struct checks_context *c, struct check *k)
{
    const cJSON *busy = json_get(c->facts, "listening"), *v;
    char text[128] = "";
    if (!c->want->nports)
        return;
    if (!cJSON_IsArray(busy)) {
        check_unknown(k, "free ports", "/proc/net/tcp cannot be read");
        return;
    }
    for (size_t i = 0; i < c->want->nports; i++) {
        int port = c->want->ports[i];
        size_t n = strlen(text);
        cJSON_ArrayForEach(v, busy)
        {
            if (v->valuedouble != port)
                continue;
            check_fail(k, "nobody listens there", "TCP port %d is taken", port);
            check_fix(k, true, false, "fuser -k %d/tcp", port);
            return;
        }
        snprintf(text + n, sizeof text - n, "%s%d", n ? ", " : "", port);
    }
    check_pass(k, "TCP %s free", text);
}

static void judge_clock(const struct checks_context *c, struct check *k)
{
    double offset = c->want->clock_offset_s, error = c->want->clock_error_s;
    char want[80];
    snprintf(want, sizeof want, "within %g ms of the console's clock", CLOCK_OFFSET_MAX_S * 1e3);
    if (isnan(offset) || isnan(error)) {
        check_unknown(k, want, "not measured");
    } else if (fabs(offset) + error <= CLOCK_OFFSET_MAX_S) {
        check_pass(k, "%+.1f ms, +-%.1f ms", offset * 1e3, error * 1e3);
    } else if (fabs(offset) - error > CLOCK_OFFSET_MAX_S) {
        check_fail(k, want, "%+.1f ms, +-%.1f ms", offset * 1e3, error * 1e3);
        check_fix(k, true, false, "timedatectl set-ntp true");
    } else {
        check_unknown(k, want, "%+.1f ms, but no closer than +-%.1f ms", offset * 1e3, error * 1e3);
    }
}

static void judge_disk(const struct checks_context *c, struct check *k)
{
    const cJSON *d, *least = NULL;
    cJSON_ArrayForEach(d, json_get(c->facts, "disk"))
    {
        if (!least || json_num(d, "free_bytes", INFINITY) < json_num(least, "free_bytes", INFINITY))
            least = d;
    }
    double bytes = json_num(least, "free_bytes", NAN);
    const char *path = json_str(least, "path", "")[0] == '.' ? "the home directory" : "/tmp";
    if (isnan(bytes)) {
        check_unknown(k, "1 GiB free", "df does not answer");
    } else if (bytes >= DISK_MIN_BYTES) {
        check_pass(k, "%.1f GiB free", bytes / DISK_MIN_BYTES);
    } else {
        check_fail(k, "1 GiB free, for captures", "%.0f MiB free in %s", bytes / (1024 * 1024),
                   path);
        check_fix(k, true, false, "apt-get clean");
    }
}

static void judge_root(const struct checks_context *c, struct check *k)
{
    double uid = json_num(c->facts, "uid", NAN);
    const cJSON *sudo = json_get(c->facts, "has_sudo");
    if (uid == 0) {
        check_pass(k, "logged in as root");
    } else if (isnan(uid) || !sudo) {
        check_unknown(k, "root, or sudo without a password", "not known");
    } else if (cJSON_IsTrue(sudo)) {
        check_pass(k, "uid %.0f, sudo asks for no password", uid);
    } else {
        check_fail(k, "root, or sudo without a password", "uid %.0f, and sudo -n is refused", uid);
        check_fix(k, true, false,
                  "sh -c 'echo \"%%sudo ALL=(ALL) NOPASSWD: ALL\" >/etc/sudoers.d/ccalab'");
    }
}

/* --- the table ---------------------------------------------------------------------------------
 */

#define ENDS (CHECKS_CLIENT | CHECKS_SERVER)

/* The order is that of docs/doctor.md, which tests/remote/doctor_docs.sh compares. */
static const struct {
    const char *name;
    unsigned roles;
    judge_fn judge;
} table[] = {
    {"survey", CHECKS_ALL, judge_survey},
    {"kernel", CHECKS_ALL, judge_kernel},
    {"cc", ENDS, judge_cc},
    {"cc allowed", ENDS, judge_allowed},
    {"tcp_ecn", ENDS, judge_ecn},
    {"accecn", ENDS, judge_accecn},
    {"links", CHECKS_ALL, judge_links},
    {"egress", CHECKS_ALL, judge_egress},
    {"module", CHECKS_ROUTER, judge_module},
    {"tc", CHECKS_ROUTER, judge_tc},
    {"aqm", CHECKS_ROUTER, judge_aqm},
    {"rate", CHECKS_ROUTER, judge_rate},
    {"netem", CHECKS_CLIENT | CHECKS_ROUTER, judge_netem},
    {"offloads", CHECKS_ALL, judge_offloads},
    {"pacing", CHECKS_CLIENT, judge_pacing},
    {"ip_forward", CHECKS_ROUTER, judge_forwarding},
    {"tcp_metrics", ENDS, judge_metrics},
    {"buffers", ENDS, judge_buffers},
    {"iperf3", ENDS, judge_iperf3},
    {"port", CHECKS_SERVER, judge_port},
    {"clock", CHECKS_ALL, judge_clock},
    {"disk", CHECKS_ALL, judge_disk},
    {"root", CHECKS_ALL, judge_root},
};

static void add_text(cJSON *o, const char *key, const char *text)
{
    char clean[1024];
    if (text[0])
        cJSON_AddStringToObject(o, key, log_escape(text, clean, sizeof clean));
}

static void add_check(cJSON *list, const struct checks_context *c, const char *name,
                      struct check *k)
{
    static const char *const verdicts[] = {"", "pass", "fail", "unknown"};
    cJSON *o = cJSON_CreateObject();
    char fix[sizeof k->fix + 8];
    cJSON_AddStringToObject(o, "name", name);
    cJSON_AddStringToObject(o, "verdict", verdicts[k->verdict]);
    add_text(o, "seen", k->seen);
    add_text(o, "want", k->want);
    if (k->fix[0]) {
        bool is_root = json_num(c->facts, "uid", 0) == 0;
        bool is_ours = strncmp(k->fix, "ccalab ", 7) == 0; /* runs here, not there */
        snprintf(fix, sizeof fix, "%s%s", k->needs_root && !is_root && !is_ours ? "sudo " : "",
                 k->fix);
        add_text(o, "fix", fix);
    }
    cJSON_AddBoolToObject(o, "is_fix_safe", k->is_fix_safe);
    cJSON_AddBoolToObject(o, "needs_root", k->needs_root);
    if (k->action)
        cJSON_AddItemToObject(o, "action", k->action);
    cJSON_AddItemToArray(list, o);
}

cJSON *checks_judge(const cJSON *facts, const struct checks_want *want)
{
    struct checks_context c = {.facts = facts,
                               .want = want,
                               .aqm = want->aqm ? want->aqm : "dualpi2",
                               .is_virtual =
                                   want->is_virtual || json_str(facts, "virtual_lab", NULL),
                               .kernel = kernel_kind_of(json_str(facts, "kernel", NULL))};
    cJSON *list = cJSON_CreateArray();
    if (!list)
        return NULL;
    checks_find_egress(&c);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct check k = {0};
        if (!has_role(&c, table[i].roles))
            continue;
        table[i].judge(&c, &k);
        if (k.verdict != VERDICT_NONE)
            add_check(list, &c, table[i].name, &k);
    }
    return list;
}
