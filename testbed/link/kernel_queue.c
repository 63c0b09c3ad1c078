#include "testbed/link/kernel_queue.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/netns.h"
#include "core/spawn.h"
#include "testbed/link/packet.h"

#define TC_TIMEOUT_MS 5000
#define WORDS_MAX     (AQM_SPEC_MAX / 2)
#define BURST_NS      1000000 /* that HTB may make up for when its timer was late */
#define ROOT          (1u << 16)
#define CLASS         (ROOT | 1u)

static const char *netns_of(const struct kernel_queue *q)
{
    return q->netns[0] != '\0' ? q->netns : NULL;
}

/* A full packet more than what the link sends in the time that a timer may be late. */
static uint32_t burst_bytes(uint64_t rate_bps)
{
    return (uint32_t)(rate_bps / 8 * BURST_NS / 1000000000u) + LINK_MTU_BYTES + ETH_HLEN;
}

/* The words of a spec behind AQM_KERNEL: the kind, and its options. Returns how many; 0: none. */
static int split(char *copy, const char *spec, const char **words, int max)
{
    char *save = NULL;
    int n = 0;

    snprintf(copy, AQM_SPEC_MAX, "%s", spec + strlen(AQM_KERNEL));
    for (char *w = strtok_r(copy, " ", &save); w != NULL && n < max;
         w = strtok_r(NULL, " ", &save)) {
        words[n++] = w;
    }
    return n;
}

static void kind_of(const char *spec, char *out, size_t size)
{
    spec += strlen(AQM_KERNEL);
    snprintf(out, size, "%.*s", (int)strcspn(spec, " "), spec);
}

/* --- what tc(8) said ---------------------------------------------------------------------------
 */

/* Which of our own AQMs does what the kernel's kind would? */
static enum status hint_own(const char *spec, const char *kind, struct error *err)
{
    const char *own = spec + strlen(AQM_KERNEL);

    if (strcmp(kind, "pfifo") == 0 || strcmp(kind, "bfifo") == 0) {
        own = "fifo";
    } else if (aqm_spec_check(own, NULL) != STATUS_OK) {
        own = aqm_spec_check(kind, NULL) == STATUS_OK ? kind : NULL;
    }
    if (own == NULL) {
        return error_hint(err,
                          "load the module (modprobe sch_%s), or take one of ccalab-link's "
                          "own AQMs: ccalab-link --help lists them",
                          kind);
    }
    return error_hint(err,
                      "ccalab-link's own does the same: --aqm \"%s\"; or load the module: "
                      "modprobe sch_%s",
                      own, kind);
}

static enum status refused(const char *spec, const struct error *said, struct error *err)
{
    char kind[64], config[64];
    bool has_kernel = strstr(said->message, "qdisc kind is unknown") == NULL;

    kind_of(spec, kind, sizeof(kind));
    if (said->status != STATUS_HOST) { /* no tc, or it hangs */
        error_set(err, said->status, "link", "%.400s", said->message);
        return err != NULL ? error_hint(err, "the kernel's queues need tc: install the package "
                                             "iproute2")
                           : said->status;
    }
    if (!has_kernel) {
        snprintf(config, sizeof(config), "%s", kind);
        for (char *c = config; *c != '\0'; c++) {
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
        }
        error_set(err, STATUS_UNAVAILABLE, "link",
                  "this kernel has no qdisc '%s' "
                  "(CONFIG_NET_SCH_%s)",
                  kind, config);
        return err != NULL ? hint_own(spec, kind, err) : STATUS_UNAVAILABLE;
    }
    if (strstr(said->message, "Unknown qdisc") != NULL) {
        error_set(err, STATUS_UNAVAILABLE, "link", "the tc of this machine knows no qdisc '%s'",
                  kind);
        return err != NULL ? hint_own(spec, kind, err) : STATUS_UNAVAILABLE;
    }
    error_set(err, STATUS_USAGE, "link", "'%.100s' is refused: %.*s", spec,
              (int)strcspn(said->message, "\n"), said->message);
    return err != NULL ? error_hint(err, "see tc-%s(8) for what it takes", kind) : STATUS_USAGE;
}

/* --- setting up ---------------------------------------------------------------------------------
 */

/* What shapes. */
static enum status add_htb(const struct kernel_queue *q, bool is_ethernet, struct error *err)
{
    const char *const argv[] = {"tc", "-batch", "-", NULL};
    char batch[512], stab[64] = "";
    struct error e = {0};
    enum status s;

    if (is_ethernet) {
        snprintf(stab, sizeof(stab), "stab overhead -%d linklayer ethernet ", ETH_HLEN);
    }
    snprintf(batch, sizeof(batch),
             "qdisc replace dev %s root handle 1: %shtb default 1\n"
             "class add dev %s parent 1: classid 1:1 htb rate %llubit burst %ub cburst %ub "
             "quantum %u\n",
             q->ifname, stab, q->ifname, (unsigned long long)q->rate_bps, burst_bytes(q->rate_bps),
             burst_bytes(q->rate_bps), burst_bytes(q->rate_bps));
    s = spawn_run(argv, netns_of(q), batch, NULL, TC_TIMEOUT_MS, &e);
    return s == STATUS_OK ? s : refused(AQM_KERNEL "htb", &e, err);
}

/* What queues. */
static enum status put_leaf(const struct kernel_queue *q, unsigned handle, const char *spec,
                            struct error *err)
{
    char copy[AQM_SPEC_MAX], name[16];
    const char *argv[WORDS_MAX + 10] = {"tc",     "qdisc", "replace", "dev", q->ifname,
                                        "parent", "1:1",   "handle",  name};
    struct error e = {0};
    enum status s;

    snprintf(name, sizeof(name), "%x:", handle);
    argv[9 + split(copy, spec, argv + 9, WORDS_MAX)] = NULL;
    s = spawn_run(argv, netns_of(q), NULL, NULL, TC_TIMEOUT_MS, &e);
    return s == STATUS_OK ? s : refused(spec, &e, err);
}

static enum status open_netlink(struct kernel_queue *q, struct error *err)
{
    int home = -1;
    enum status s = netns_of(q) != NULL ? netns_enter(q->netns, &home, err) : STATUS_OK, left;

    if (s != STATUS_OK) {
        return s;
    }
    q->ifindex = (int)if_nametoindex(q->ifname);
    q->netlink_fd = qdisc_netlink_open();
    if (q->ifindex == 0 || q->netlink_fd < 0) {
        s = error_sys(err, STATUS_HOST, errno, "link", "cannot speak of '%s' over netlink",
                      q->ifname);
    }
    left = netns_leave(&home, err);
    return left == STATUS_OK ? s : left;
}

enum status kernel_queue_open(struct kernel_queue *q, const struct link_endpoint *end,
                              const char *spec, uint64_t rate_bps, bool is_ethernet,
                              struct error *err)
{
    enum status s;

    *q = (struct kernel_queue){.netlink_fd = -1, .rate_bps = rate_bps, .handle = 0x10};
    snprintf(q->netns, sizeof(q->netns), "%s", end->netns);
    snprintf(q->ifname, sizeof(q->ifname), "%s", end->ifname);
    snprintf(q->spec, sizeof(q->spec), "%s", spec);
    if ((s = open_netlink(q, err)) != STATUS_OK ||
        (s = add_htb(q, is_ethernet, err)) != STATUS_OK ||
        (s = put_leaf(q, q->handle, spec, err)) != STATUS_OK) {
        kernel_queue_close(q);
        return s;
    }
    if (!kernel_queue_read(q, &q->seen)) {
        kernel_queue_close(q);
        return error_set(err, STATUS_HOST, "link", "the kernel says nothing of the qdisc on '%s'",
                         end->ifname);
    }
    return STATUS_OK;
}

void kernel_queue_close(struct kernel_queue *q)
{
    if (q->netlink_fd >= 0) {
        close(q->netlink_fd);
    }
    q->netlink_fd = -1;
}

enum status kernel_queue_set_rate(struct kernel_queue *q, uint64_t rate_bps, struct error *err)
{
    enum status s = qdisc_netlink_set_rate(q->netlink_fd, q->ifindex, ROOT, CLASS, rate_bps,
                                           burst_bytes(rate_bps), err);

    q->rate_bps = s == STATUS_OK ? rate_bps : q->rate_bps;
    return s;
}

enum status kernel_queue_set_spec(struct kernel_queue *q, const char *spec, struct error *err)
{
    char was[64], is[64];
    struct qdisc_stats before;
    bool is_other, has_before = kernel_queue_read(q, &before);
    unsigned handle;
    enum status s;

    kind_of(q->spec, was, sizeof(was));
    kind_of(spec, is, sizeof(is));
    is_other = strcmp(was, is) != 0;
    /* A handle is of one kind; the other one replaces it. */
    handle = is_other ? q->handle ^ 1u : q->handle;
    s = put_leaf(q, handle, spec, err);
    if (s != STATUS_OK) {
        return s;
    }
    if (is_other && has_before) {
        q->past = before;
        q->past.drops += before.qlen;
    }
    q->handle = handle;
    snprintf(q->spec, sizeof(q->spec), "%s", spec);
    return STATUS_OK;
}

/* --- reading ------------------------------------------------------------------------------------
 */

static void add_known(double *to, double past)
{
    if (!isnan(past)) {
        *to += past;
    }
}

bool kernel_queue_read(const struct kernel_queue *q, struct qdisc_stats *out)
{
    if (!qdisc_netlink_get(q->netlink_fd, q->ifindex, q->handle << 16, out)) {
        return false;
    }
    add_known(&out->bytes, q->past.bytes);
    add_known(&out->packets, q->past.packets);
    add_known(&out->drops, q->past.drops);
    add_known(&out->ecn_mark, q->past.ecn_mark);
    add_known(&out->step_mark, q->past.step_mark);
    add_known(&out->pkts_in_c, q->past.pkts_in_c);
    add_known(&out->pkts_in_l, q->past.pkts_in_l);
    return true;
}

cJSON *kernel_queue_stats_json(const struct kernel_queue *q)
{
    struct qdisc_stats s;
    cJSON *o = cJSON_CreateObject();

    if (!qdisc_netlink_get(q->netlink_fd, q->ifindex, q->handle << 16, &s)) {
        return o;
    }
    const struct {
        const char *name;
        double value;
        bool is_always;
    } fields[] = {{"bytes", s.bytes, true},
                  {"packets", s.packets, true},
                  {"drops", s.drops, true},
                  {"overlimits", s.overlimits, true},
                  {"requeues", s.requeues, true},
                  {"backlog", s.backlog, true},
                  {"qlen", s.qlen, true},
                  {"prob", s.prob, false},
                  {strcmp(s.kind, "codel") == 0 ? "ldelay" : "delay", s.delay_us, false},
                  {"delay-c", s.delay_c_us, false},
                  {"delay-l", s.delay_l_us, false},
                  {"pkts-in-c", s.pkts_in_c, false},
                  {"pkts-in-l", s.pkts_in_l, false},
                  {"maxq", s.maxq, false},
                  {strcmp(s.kind, "dualpi2") == 0 ? "ecn-mark" : "ecn_mark", s.ecn_mark, false},
                  {"step-mark", s.step_mark, false}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        if (fields[i].is_always || !isnan(fields[i].value)) {
            json_add_num(o, fields[i].name, fields[i].value);
        }
    }
    return o;
}
