#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "remote/checks_internal.h"

void judge_cc(const struct checks_context *c, struct check *k)
{
    const char *available = json_str(c->facts, "tcp_available_congestion_control", NULL);
    char want[200] = "", module[64];
    const char *missing = NULL, *state;
    for (size_t i = 0; i < c->want->nccs; i++) {
        size_t n = strlen(want);
        snprintf(want + n, sizeof want - n, "%s%s", n ? ", " : "", c->want->ccs[i]);
        if (available && !missing && !has_word(available, c->want->ccs[i]))
            missing = c->want->ccs[i];
    }
    if (!c->want->nccs)
        return;
    if (!available) {
        check_unknown(k, want, "tcp_available_congestion_control cannot be read");
        return;
    }
    if (!missing) {
        check_pass(k, "%s", available);
        return;
    }
    check_fail(k, want, "%s: no %s", available, missing);
    snprintf(module, sizeof module, "tcp_%.40s", missing);
    if (find_module(c, module, &state) == VERDICT_PASS)
        check_fix_by_running(k, (const char *const[]){"modprobe", module, NULL});
    else if (strncmp(missing, "bpf_", 4) != 0)
        check_fix(k, true, false, INSTALL_KERNEL, "PACKAGES");
}

/* Without CAP_NET_ADMIN setsockopt(TCP_CONGESTION) takes the allowed ones only: tcp(7). */
void judge_allowed(const struct checks_context *c, struct check *k)
{
    const char *allowed = json_str(c->facts, "tcp_allowed_congestion_control", NULL);
    double uid = json_num(c->facts, "uid", NAN);
    char want[512];
    bool is_missing = false;
    if (!c->want->nccs || uid == 0)
        return;
    if (!allowed || isnan(uid)) {
        check_unknown(k, "the congestion controls of the lab open to every user",
                      "tcp_allowed_congestion_control cannot be read");
        return;
    }
    snprintf(want, sizeof want, "%s", allowed);
    for (size_t i = 0; i < c->want->nccs; i++)
        if (!has_word(want, c->want->ccs[i])) {
            size_t n = strlen(want);
            snprintf(want + n, sizeof want - n, "%s%s", n ? " " : "", c->want->ccs[i]);
            is_missing = true;
        }
    if (!is_missing) {
        check_pass(k, "%s", allowed);
        return;
    }
    check_fail(k, want, "uid %.0f may use %s", uid, allowed);
    /* The value is the host's own: no command is made of it unless it is plain names. */
    if (!want[strspn(want, "abcdefghijklmnopqrstuvwxyz0123456789_- ")])
        check_fix_sysctl(k, "net.ipv4.tcp_allowed_congestion_control", want);
}

/* ip-sysctl: 0 off, 1 ask and accept ECN, 2 accept it, 3 ask and accept AccECN, 4 accept AccECN and
 * ask for ECN, 5 accept AccECN. */
void judge_ecn(const struct checks_context *c, struct check *k)
{
    const char *value = json_str(c->facts, "tcp_ecn", NULL);
    int ecn = value ? atoi(value) : -1;
    if (!wants_scalable(c))
        return;
    bool is_native = wants_cc(c, "prague");
    bool is_client = has_role(c, CHECKS_CLIENT);
    const char *want = is_native   ? is_client ? "3 (AccECN)" : "3 to 5 (AccECN)"
                       : is_client ? "1 or 3 (the sender asks for ECN)"
                                   : "1 to 5 (ECN is accepted)";
    bool is_good = is_native   ? is_client ? ecn == 3 : ecn >= 3 && ecn <= 5
                   : is_client ? ecn == 1 || ecn == 3 || ecn == 4
                               : ecn >= 1 && ecn <= 5;
    if (ecn < 0) {
        check_unknown(k, want, "tcp_ecn cannot be read");
    } else if (is_good) {
        check_pass(k, "tcp_ecn = %d", ecn);
    } else {
        check_fail(k, want, "tcp_ecn = %d", ecn);
        if (!is_native || has_accecn(c))
            check_fix_sysctl(k, "net.ipv4.tcp_ecn", is_native ? "3" : "1");
        else
            check_fix(k, true, false, INSTALL_KERNEL, "PACKAGES");
    }
}

void judge_accecn(const struct checks_context *c, struct check *k)
{
    const char *option = json_str(c->facts, "tcp_ecn_option", NULL);
    if (!wants_cc(c, "prague"))
        return; /* BPF Prague and DCTCP live with classic feedback */
    if (option && strcmp(option, "0") == 0) {
        check_fail(k, "tcp_ecn_option of 1 or 2", "the AccECN option is switched off");
        check_fix_sysctl(k, "net.ipv4.tcp_ecn_option", "2");
    } else if (option) {
        check_pass(k, "tcp_ecn_option = %s", option);
    } else if (c->kernel == KERNEL_L4STEAM) {
        check_pass(k, "part of this kernel");
    } else if (c->kernel == KERNEL_UNKNOWN) {
        check_unknown(k, "a kernel with AccECN", "the kernel is not known");
    } else {
        check_fail(k, "a kernel with AccECN: mainline 6.18 or L4STeam's", "%s has none",
                   json_str(c->facts, "kernel", "?"));
        check_fix(k, true, false, INSTALL_KERNEL, "PACKAGES");
    }
}

void judge_metrics(const struct checks_context *c, struct check *k)
{
    const cJSON *all = json_get(c->facts, "tcp_metrics");
    const char *one = NULL;
    int n = 0;
    if (!cJSON_IsArray(all)) {
        check_unknown(k, "no remembered metrics", "ip tcp_metrics does not answer");
        return;
    }
    const cJSON *v;
    cJSON_ArrayForEach(v, all)
    {
        bool is_peer = c->want->nto == 0;
        for (size_t i = 0; i < c->want->nto; i++)
            is_peer |= strcmp(c->want->to[i], cJSON_GetStringValue(v)) == 0;
        if (is_peer) {
            one = cJSON_GetStringValue(v);
            n++;
        }
    }
    if (!n) {
        check_pass(k, "nothing remembered of %s", c->want->nto ? "the peers" : "anybody");
        return;
    }
    check_fail(k, "none: a new flow must not start with an old one's RTT and threshold",
               "%d entr%s, of %s%s", n, n == 1 ? "y" : "ies", one, n == 1 ? "" : " and others");
    check_fix_by_running(k, (const char *const[]){"ip", "tcp_metrics", "flush", NULL});
}

/* The sender's and the receiver's largest buffer against twice the bandwidth-delay product; half of
 * a receive buffer is for the kernel's own book-keeping (tcp_adv_win_scale of 1). */
void judge_buffers(const struct checks_context *c, struct check *k)
{
    double bdp = c->want->rate_bps * c->want->rtt_s / 8, low, mid, high = 0;
    bool is_sender = has_role(c, CHECKS_CLIENT);
    const char *name = is_sender ? "tcp_wmem" : "tcp_rmem";
    const char *value = json_str(c->facts, name, NULL);
    double want = bdp * (is_sender ? 2 : 4);
    char text[200], path[64];
    if (!(bdp > 0) || !has_role(c, CHECKS_CLIENT | CHECKS_SERVER))
        return;
    snprintf(text, sizeof text, "a maximum of %.0f bytes or more, for %.0f bytes in flight", want,
             bdp);
    if (!value || sscanf(value, "%lf %lf %lf", &low, &mid, &high) != 3) {
        check_unknown(k, text, "%s cannot be read", name);
    } else if (high >= want) {
        check_pass(k, "%s up to %.0f bytes", name, high);
    } else {
        check_fail(k, text, "%s up to %.0f bytes", name, high);
        snprintf(path, sizeof path, "net.ipv4.%s", name);
        snprintf(text, sizeof text, "%.0f %.0f %.0f", low, mid, ceil(want));
        check_fix_sysctl(k, path, text);
    }
}
