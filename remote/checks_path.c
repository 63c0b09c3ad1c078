#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "remote/checks_internal.h"

#define RATE_TOLERANCE 0.02
#define DEPTH_MAX      8 /* of qdiscs in qdiscs */

/* --- ports -------------------------------------------------------------------------------------
 */

static void add_egress(struct checks_context *c, const char *dev)
{
    for (size_t i = 0; i < c->negress; i++)
        if (strcmp(c->egress[i], dev) == 0)
            return;
    if (strcmp(dev, "lo") != 0 && c->negress < CHECKS_PORTS_MAX)
        c->egress[c->negress++] = dev;
}

static bool is_wanted(const struct checks_context *c, const char *to)
{
    for (size_t i = 0; i < c->want->nto; i++)
        if (strcmp(c->want->to[i], to) == 0)
            return true;
    return false;
}

/* Of a router the routes of forwarded packets count: its own may take another way. */
static bool counts(const struct checks_context *c, const cJSON *route, bool is_forwarded)
{
    return is_wanted(c, json_str(route, "to", "")) &&
           is_forwarded == (json_str(route, "from", NULL) != NULL);
}

static bool is_up(const struct checks_context *c, const char *dev)
{
    const cJSON *link;
    cJSON_ArrayForEach(link, json_get(c->facts, "links"))
    {
        if (strcmp(json_str(link, "ifname", ""), dev) == 0)
            return list_has(json_get(link, "flags"), "UP");
    }
    return false;
}

void checks_find_egress(struct checks_context *c)
{
    const cJSON *routes = json_get(c->facts, "routes"), *v;
    c->is_egress_known = true;
    if (c->want->egress) {
        add_egress(c, c->want->egress);
        return;
    }
    for (int is_forwarded = has_role(c, CHECKS_ROUTER); is_forwarded >= 0; is_forwarded--) {
        cJSON_ArrayForEach(v, routes)
        {
            const char *dev = json_str(v, "dev", NULL);
            if (dev && counts(c, v, is_forwarded))
                add_egress(c, dev);
        }
        if (c->negress)
            return;
    }
    c->is_egress_known = c->want->nto > 0;
    if (!c->is_egress_known)
        cJSON_ArrayForEach(v, json_get(c->facts, "ports"))
        {
            if (is_up(c, v->string))
                add_egress(c, v->string);
        }
}

static bool is_wireless(const struct checks_context *c, const char *dev)
{
    return strncmp(dev, "wl", 2) == 0 || list_has(json_get(c->facts, "wireless"), dev);
}

void judge_egress(const struct checks_context *c, struct check *k)
{
    char text[300] = "";
    for (size_t i = 0; i < c->want->nto; i++) {
        const cJSON *route, *best = NULL;
        cJSON_ArrayForEach(route, json_get(c->facts, "routes"))
        {
            if (strcmp(json_str(route, "to", ""), c->want->to[i]) == 0 &&
                (!best || (has_role(c, CHECKS_ROUTER) && json_str(route, "from", NULL))))
                best = route;
        }
        const char *to = c->want->to[i], *dev = json_str(best, "dev", NULL);
        if (!best) {
            check_unknown(k, "a route", "ip route get %s does not answer", to);
            return;
        }
        if (!dev) {
            check_fail(k, "a route there", "there is no route to %s", to);
            check_fix(k, true, false, "ip route add %s via GATEWAY", to);
            return;
        }
        if (strcmp(dev, "lo") == 0 || strcmp(json_str(best, "type", ""), "local") == 0) {
            check_fail(k, "two machines", "%s is this host itself", to);
            return;
        }
        if (is_wireless(c, dev)) {
            check_fail(k, "a cable: Wi-Fi has queues and a rate of its own",
                       "packets to %s leave by %s, which is Wi-Fi", to, dev);
            check_fix(k, true, false, "ip link set %s down", dev);
            return;
        }
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%sto %s by %s", n ? ", " : "", to, dev);
    }
    if (text[0])
        check_pass(k, "%s", text);
}

/* --- queues ------------------------------------------------------------------------------------
 */

/* The qdisc on `dev` of that kind (NULL: any) or handle (NULL: any) that stands at the root if
 * asked; NULL if there is none. */
static const cJSON *find_qdisc(const struct checks_context *c, const char *dev, const char *kind,
                               const char *handle, bool is_root)
{
    const cJSON *q;
    cJSON_ArrayForEach(q, json_get(c->facts, "qdiscs"))
    {
        if (strcmp(json_str(q, "dev", ""), dev) == 0 &&
            (!kind || strcmp(json_str(q, "kind", ""), kind) == 0) &&
            (!handle || strcmp(json_str(q, "handle", ""), handle) == 0) &&
            (!is_root || json_bool(q, "root", false)))
            return q;
    }
    return NULL;
}

static bool is_shaper(const char *kind)
{
    return has_word("htb tbf hfsc", kind);
}

/* The shaper above a qdisc, or NULL. *below: the handle of the class just below it ("1:10"). */
static const cJSON *shaper_above(const struct checks_context *c, const char *dev, const cJSON *q,
                                 const char **below)
{
    for (int depth = 0; q && depth < DEPTH_MAX; depth++) {
        char handle[32];
        const char *parent = json_str(q, "parent", NULL);
        if (!parent)
            return NULL;
        snprintf(handle, sizeof handle, "%.*s:", (int)strcspn(parent, ":"), parent);
        q = find_qdisc(c, dev, NULL, handle, false);
        *below = parent;
        if (q && is_shaper(json_str(q, "kind", "")))
            return q;
    }
    return NULL;
}

/* bit/s that the shaper lets through, NAN: it does not say. */
static double shaper_rate_bps(const struct checks_context *c, const char *dev, const cJSON *shaper,
                              const char *class)
{
    const cJSON *k, *port = json_get(json_get(c->facts, "ports"), dev);
    if (strcmp(json_str(shaper, "kind", ""), "tbf") == 0)
        return 8 * json_num(json_get(shaper, "options"), "rate", NAN);
    cJSON_ArrayForEach(k, json_get(port, "classes"))
    {
        if (strcmp(json_str(k, "handle", ""), class) == 0)
            return json_num(k, "ceil_bps", json_num(k, "rate_bps", NAN));
    }
    return NAN;
}

/* The command line that puts an AQM under HTB on a port. */
static void fix_aqm(const struct checks_context *c, struct check *k, const char *dev)
{
    bool has_rate = c->want->rate_bps > 0;
    double kbit = has_rate ? c->want->rate_bps / 1e3 : 50e3;
    char rate[32];
    check_fix(k, true, has_rate && c->is_egress_known,
              "sh -c 'tc qdisc replace dev %s root handle 1: htb default 10 && tc class replace "
              "dev %s parent 1: classid 1:10 htb rate %.0fkbit ceil %.0fkbit && tc qdisc replace "
              "dev %s parent 1:10 handle 10: %s'",
              dev, dev, kbit, kbit, dev, c->aqm);
    if (!k->is_fix_safe)
        return;
    snprintf(rate, sizeof rate, "%.0fkbit", kbit);
    k->action = cJSON_CreateObject();
    cJSON_AddStringToObject(k->action, "qdisc", dev);
    cJSON_AddStringToObject(k->action, "spec", c->aqm);
    cJSON_AddStringToObject(k->action, "rate", rate);
}

/* What the queue of the bottleneck looks like on one port. Pass only if all is as it must be. */
static void judge_aqm_on(const struct checks_context *c, const char *dev, struct check *k)
{
    const cJSON *q = find_qdisc(c, dev, c->aqm, NULL, false);
    const cJSON *root = find_qdisc(c, dev, NULL, NULL, true);
    const char *class = "", *kind = json_str(root, "kind", "nothing");
    double speed_bps = json_num(json_get(json_get(c->facts, "ports"), dev), "speed_bps", INFINITY);
    char want[200];
    snprintf(want, sizeof want, "%.40s under htb or tbf on %s", c->aqm, dev);
    if (!q) {
        const cJSON *other;
        const char *elsewhere = NULL;
        cJSON_ArrayForEach(other, json_get(c->facts, "qdiscs"))
        {
            if (strcmp(json_str(other, "kind", ""), c->aqm) == 0)
                elsewhere = json_str(other, "dev", NULL);
        }
        if (elsewhere && c->is_egress_known)
            check_fail(k, want, "%s is on %.15s, but data leaves by %s, where %s waits", c->aqm,
                       elsewhere, dev, kind);
        else
            check_fail(k, want, "%s on %s", kind, dev);
        fix_aqm(c, k, dev);
        return;
    }
    if (c->is_virtual) {
        check_pass(k, "%s of ccalab-link on %s", c->aqm, dev);
        return;
    }
    const cJSON *shaper = shaper_above(c, dev, q, &class);
    if (shaper) {
        check_pass(k, "%s under %s on %s", c->aqm, json_str(shaper, "kind", ""), dev);
    } else if (c->want->rate_bps > 0 && speed_bps <= c->want->rate_bps * (1 + RATE_TOLERANCE)) {
        check_pass(k, "%s on %s, whose cable is the bottleneck (%g Mbit/s)", c->aqm, dev,
                   speed_bps / 1e6);
    } else {
        /* Nothing makes packets wait here: the usual cause of "no CE marks". */
        check_fail(k, want, "%s on %s with no shaper above it: no queue, no CE marks", c->aqm, dev);
        fix_aqm(c, k, dev);
    }
}

void judge_aqm(const struct checks_context *c, struct check *k)
{
    if (!cJSON_IsArray(json_get(c->facts, "qdiscs"))) {
        check_unknown(k, "a bottleneck with an AQM", "tc qdisc show does not answer");
        return;
    }
    if (!c->negress) {
        check_unknown(k, "a bottleneck with an AQM", "the port towards the server is not known");
        return;
    }
    if (c->is_egress_known) {
        for (size_t i = 0; i < c->negress; i++) {
            judge_aqm_on(c, c->egress[i], k);
            if (k->verdict != VERDICT_PASS)
                return;
        }
        return;
    }
    /* Nobody says where data goes: any port with the AQM is looked at. */
    for (size_t i = 0; i < c->negress; i++)
        if (find_qdisc(c, c->egress[i], c->aqm, NULL, false)) {
            judge_aqm_on(c, c->egress[i], k);
            return;
        }
    judge_aqm_on(c, c->egress[0], k);
}

void judge_rate(const struct checks_context *c, struct check *k)
{
    char want[64];
    if (!(c->want->rate_bps > 0) || !c->is_egress_known || c->is_virtual)
        return;
    snprintf(want, sizeof want, "%g Mbit/s", c->want->rate_bps / 1e6);
    for (size_t i = 0; i < c->negress; i++) {
        const char *dev = c->egress[i], *class = "";
        const cJSON *q = find_qdisc(c, dev, c->aqm, NULL, false);
        const cJSON *shaper = q ? shaper_above(c, dev, q, &class) : NULL;
        double bps = shaper ? shaper_rate_bps(c, dev, shaper, class) : NAN;
        if (!shaper)
            continue; /* the check of the AQM says so */
        if (isnan(bps)) {
            check_unknown(k, want, "the rate of %s on %s cannot be read",
                          json_str(shaper, "kind", ""), dev);
            return;
        }
        if (fabs(bps - c->want->rate_bps) > RATE_TOLERANCE * c->want->rate_bps) {
            check_fail(k, want, "%s lets %g Mbit/s out of %s", json_str(shaper, "kind", ""),
                       bps / 1e6, dev);
            if (strcmp(json_str(shaper, "kind", ""), "htb") == 0 &&
                !class[strspn(class, "0123456789abcdef:")])
                check_fix(k, true, false,
                          "tc class change dev %s classid %.16s htb rate %.0fkbit ceil %.0fkbit",
                          dev, class, c->want->rate_bps / 1e3, c->want->rate_bps / 1e3);
            return;
        }
        check_pass(k, "%g Mbit/s on %s", bps / 1e6, dev);
    }
}

void judge_netem(const struct checks_context *c, struct check *k)
{
    if (!cJSON_IsArray(json_get(c->facts, "qdiscs"))) {
        check_unknown(k, "no netem where data leaves", "tc qdisc show does not answer");
        return;
    }
    for (size_t i = 0; i < c->negress; i++)
        if (find_qdisc(c, c->egress[i], "netem", NULL, false)) {
            check_fail(k,
                       "netem neither at the sender nor on the AQM's port: it takes TCP's "
                       "back-pressure away and bursts",
                       "netem on %s", c->egress[i]);
            check_fix(k, true, false, "tc qdisc del dev %s root", c->egress[i]);
            return;
        }
    if (c->negress)
        check_pass(k, "none where data leaves");
}

/* --- senders -----------------------------------------------------------------------------------
 */

void judge_offloads(const struct checks_context *c, struct check *k)
{
    static const char *const keys[] = {"tso", "gso", "gro", "lro"};
    const char *want = "tso, gso, gro and lro off: what is marked is then one packet";
    char unread[128] = "";
    if (c->is_virtual) {
        check_pass(k, "whatever they are: ccalab-link gets packets of their size on the wire");
        return;
    }
    for (size_t i = 0; i < c->negress; i++) {
        const char *dev = c->egress[i];
        const cJSON *o = json_get(json_get(json_get(c->facts, "ports"), dev), "offloads");
        const cJSON *aqm = find_qdisc(c, dev, "dualpi2", NULL, false);
        char on[64] = "", words[128] = "";
        cJSON *features = NULL;
        if (has_role(c, CHECKS_ROUTER) && json_bool(json_get(aqm, "options"), "split_gso", false))
            continue; /* dualpi2 cuts large packets up before it marks them */
        if (!cJSON_IsObject(o) || !cJSON_GetArraySize(o)) {
            snprintf(unread, sizeof unread, "ethtool -k %s does not answer", dev);
            continue;
        }
        for (size_t f = 0; f < sizeof keys / sizeof *keys; f++) {
            const cJSON *feature = json_get(o, keys[f]);
            size_t n = strlen(on), w = strlen(words);
            if (!json_bool(feature, "is_on", false))
                continue;
            snprintf(on + n, sizeof on - n, "%s%s", n ? ", " : "", keys[f]);
            if (json_bool(feature, "is_fixed", false))
                continue;
            snprintf(words + w, sizeof words - w, " %s off", keys[f]);
            features = features ? features : cJSON_CreateArray();
            cJSON_AddItemToArray(features, cJSON_CreateString(keys[f]));
        }
        if (!on[0])
            continue;
        check_fail(k, want, "%s on at %s", on, dev);
        if (features) {
            check_fix(k, true, true, "ethtool -K %s%s", dev, words);
            k->action = cJSON_CreateObject();
            cJSON_AddStringToObject(k->action, "offload", dev);
            cJSON_AddItemToObject(k->action, "features", features);
        }
        return;
    }
    if (unread[0]) {
        check_unknown(k, want, "%s", unread);
        check_fix(k, true, false, "apt-get install -y ethtool");
    } else if (c->negress) {
        check_pass(k, "off");
    }
}

/* mq stands for one qdisc a hardware queue: all of them have to be fq. */
static bool is_fq(const struct checks_context *c, const char *dev, const cJSON *root)
{
    const cJSON *q;
    bool has_child = false;
    if (strcmp(json_str(root, "kind", ""), "mq") != 0)
        return strcmp(json_str(root, "kind", ""), "fq") == 0;
    cJSON_ArrayForEach(q, json_get(c->facts, "qdiscs"))
    {
        if (strcmp(json_str(q, "dev", ""), dev) != 0 || q == root)
            continue;
        has_child = true;
        if (strcmp(json_str(q, "kind", ""), "fq") != 0)
            return false;
    }
    return has_child;
}

void judge_pacing(const struct checks_context *c, struct check *k)
{
    const char *want = "fq, which sends each packet at the time that TCP has set";
    char text[200] = "";
    if (!wants_scalable(c) && !wants_cc(c, "bbr"))
        return;
    if (!cJSON_IsArray(json_get(c->facts, "qdiscs"))) {
        check_unknown(k, want, "tc qdisc show does not answer");
        return;
    }
    for (size_t i = 0; i < c->negress; i++) {
        const char *dev = c->egress[i];
        const cJSON *root = find_qdisc(c, dev, NULL, NULL, true);
        const char *kind = json_str(root, "kind", NULL);
        size_t n = strlen(text);
        if (!kind) {
            check_unknown(k, want, "tc shows no queue on %s", dev);
            return;
        }
        /* Without any queue TCP's own timers pace (Linux 4.13), and nothing delays what they send.
         */
        if (!is_fq(c, dev, root) && strcmp(kind, "noqueue") != 0) {
            check_fail(k, want, "%s on %s", kind, dev);
            check_fix(k, true, true, "tc qdisc replace dev %s root fq", dev);
            k->action = cJSON_CreateObject();
            cJSON_AddStringToObject(k->action, "qdisc", dev);
            cJSON_AddStringToObject(k->action, "spec", "fq");
            return;
        }
        snprintf(text + n, sizeof text - n, "%s%s on %s", n ? ", " : "",
                 strcmp(kind, "noqueue") == 0 ? "TCP's own timers, no queue" : "fq", dev);
    }
    if (text[0])
        check_pass(k, "%s", text);
}
