/* What the files of checks share. */
#ifndef CCALAB_REMOTE_CHECKS_INTERNAL_H
#define CCALAB_REMOTE_CHECKS_INTERNAL_H

#include "core/error.h"
#include "remote/checks.h"

#define CHECKS_PORTS_MAX 16

enum verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_UNKNOWN };

struct check {
    enum verdict verdict; /* NONE: does not apply here */
    char seen[320], want[240], fix[512];
    bool is_fix_safe, needs_root;
    cJSON *action;
};

enum kernel_kind {
    KERNEL_UNKNOWN,
    KERNEL_OTHER,
    KERNEL_L4STEAM,  /* github.com/L4STeam/linux: prague, its own dualpi2, AccECN */
    KERNEL_MAINLINE, /* 6.17 or later, which has sch_dualpi2; AccECN from 6.18 on */
};

struct checks_context {
    const cJSON *facts;
    const struct checks_want *want;
    const char *aqm;
    bool is_virtual; /* the bottleneck is ccalab-link */
    enum kernel_kind kernel;
    const char *egress[CHECKS_PORTS_MAX]; /* ports that data leaves by, without loopback */
    size_t negress;
    bool is_egress_known; /* by routes; else `egress` are all ports of the host that are up */
};

/* Each sets what it finds and returns; a check left alone is VERDICT_NONE. */
typedef void (*judge_fn)(const struct checks_context *c, struct check *k);

void check_pass(struct check *k, const char *fmt, ...) CCALAB_PRINTF(2, 3);
void check_fail(struct check *k, const char *want, const char *fmt, ...) CCALAB_PRINTF(3, 4);
void check_unknown(struct check *k, const char *want, const char *fmt, ...) CCALAB_PRINTF(3, 4);
/* The command line that repairs it, without sudo; is_safe: --fix may run it. */
void check_fix(struct check *k, bool needs_root, bool is_safe, const char *fmt, ...)
    CCALAB_PRINTF(4, 5);
/* The same for a kernel parameter, by the setter that can be undone. */
void check_fix_sysctl(struct check *k, const char *name, const char *value);
/* A command that --fix may run as it stands: it leaves nothing to restore. */
void check_fix_by_running(struct check *k, const char *const *argv);
/* Of check_fix(): printf with the packages, or the release of an installed kernel. */
#define INSTALL_KERNEL "ccalab doctor --lab FILE --install-kernel %s ROLE"

bool has_role(const struct checks_context *c, unsigned role);
/* Is the word in the text, which is a list with spaces between? */
bool has_word(const char *text, const char *word);
/* Is the string in the array? */
bool list_has(const cJSON *array, const char *word);
/* Does the host send, or receive, with an L4S congestion control? */
bool wants_scalable(const struct checks_context *c);
bool wants_cc(const struct checks_context *c, const char *cc);
/* Is the module in the kernel, or at hand for it? *state says how, in words. UNKNOWN: it is not
 * loaded, and the list of modules cannot be read. */
enum verdict find_module(const struct checks_context *c, const char *name, const char **state);
/* Does the kernel know AccECN (RFC 9768)? */
bool has_accecn(const struct checks_context *c);

/* checks_tcp.c */
void judge_cc(const struct checks_context *c, struct check *k);
void judge_allowed(const struct checks_context *c, struct check *k);
void judge_ecn(const struct checks_context *c, struct check *k);
void judge_accecn(const struct checks_context *c, struct check *k);
void judge_metrics(const struct checks_context *c, struct check *k);
void judge_buffers(const struct checks_context *c, struct check *k);

/* checks_path.c: where packets leave, and what waits there. */
void checks_find_egress(struct checks_context *c);
void judge_egress(const struct checks_context *c, struct check *k);
void judge_aqm(const struct checks_context *c, struct check *k);
void judge_rate(const struct checks_context *c, struct check *k);
void judge_netem(const struct checks_context *c, struct check *k);
void judge_offloads(const struct checks_context *c, struct check *k);
void judge_pacing(const struct checks_context *c, struct check *k);

#endif
