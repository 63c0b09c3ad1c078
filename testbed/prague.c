#include "testbed/prague.h"

#include <string.h>

#include "core/buf.h"

static const struct {
    const char *cc[3], *label[3]; /* by source */
} kinds[PRAGUE_KINDS] = {
    [PRAGUE_KIND_PRAGUE] = {{NULL, "prague", "bpf_prague"},
                            {NULL, "TCP Prague (kernel)", "BPF Prague"}},
    [PRAGUE_KIND_FALLBACK] = {{NULL, NULL, "bpf_prague_fb"},
                              {NULL, NULL, "BPF Prague with fallback for classic ECN"}},
    [PRAGUE_KIND_DCTCP] = {{NULL, "dctcp", "bpf_dctcp"}, {NULL, "DCTCP (kernel)", "BPF DCTCP"}},
};

bool prague_is_available(const char *name)
{
    struct buf b;
    bool is_found = false;
    if (buf_read_file(&b, "/proc/sys/net/ipv4/tcp_available_congestion_control", 65536, NULL) ==
        STATUS_OK) {
        char *save = NULL;
        for (char *w = strtok_r(b.data, " \n", &save); w && !is_found;
             w = strtok_r(NULL, " \n", &save))
            is_found = strcmp(w, name) == 0;
    }
    buf_done(&b);
    return is_found;
}

static void start_kind(struct prague *p, enum prague_kind kind)
{
    const char *kernel_name = kinds[kind].cc[PRAGUE_SOURCE_KERNEL];
    const char *bpf_name = kinds[kind].cc[PRAGUE_SOURCE_BPF];

    memset(&p->cc[kind], 0, sizeof p->cc[kind]);
    (void)prague_bpf_sweep(bpf_name);
    if (kernel_name && prague_is_available(kernel_name)) {
        p->cc[kind].source = PRAGUE_SOURCE_KERNEL;
    } else if (prague_is_available(bpf_name)) {
        p->cc[kind].source = PRAGUE_SOURCE_BPF;
        p->cc[kind].is_borrowed = true;
    } else if (prague_bpf_register(bpf_name, NULL, &p->cc[kind].bpf, &p->cc[kind].refusal) ==
               STATUS_OK) {
        p->cc[kind].source = PRAGUE_SOURCE_BPF;
    } else if (prague_is_available(bpf_name)) { /* two labs at once: the other one was faster */
        p->cc[kind].source = PRAGUE_SOURCE_BPF;
        p->cc[kind].is_borrowed = true;
    }
}

void prague_start(struct prague *p)
{
    for (enum prague_kind k = 0; k < PRAGUE_KINDS; k++)
        start_kind(p, k);
}

bool prague_retry(struct prague *p)
{
    bool has_changed = false;
    for (enum prague_kind k = 0; k < PRAGUE_KINDS; k++) {
        const char *name = kinds[k].cc[PRAGUE_SOURCE_BPF];
        if (!p->cc[k].is_borrowed || (!prague_bpf_sweep(name) && prague_is_available(name)))
            continue;
        start_kind(p, k);
        has_changed = true;
    }
    return has_changed;
}

void prague_stop(struct prague *p)
{
    for (enum prague_kind k = 0; k < PRAGUE_KINDS; k++)
        prague_bpf_unregister(&p->cc[k].bpf);
    memset(p, 0, sizeof *p);
}

bool prague_sweep(void)
{
    bool has_any = false;
    for (enum prague_kind k = 0; k < PRAGUE_KINDS; k++)
        has_any |= prague_bpf_sweep(kinds[k].cc[PRAGUE_SOURCE_BPF]);
    return has_any;
}

const struct error *prague_refusal(const struct prague *p)
{
    return p->cc[PRAGUE_KIND_PRAGUE].source == PRAGUE_SOURCE_NONE
               ? &p->cc[PRAGUE_KIND_PRAGUE].refusal
               : NULL;
}

static cJSON *kind_json(const struct prague *p, enum prague_kind kind)
{
    static const char *const sources[] = {NULL, "kernel", "bpf"};
    enum prague_source source = p->cc[kind].source;
    cJSON *o = cJSON_CreateObject();

    if (source == PRAGUE_SOURCE_NONE) {
        cJSON_AddNullToObject(o, "cc");
        cJSON_AddNullToObject(o, "label");
        cJSON_AddNullToObject(o, "source");
        cJSON_AddStringToObject(o, "reason", p->cc[kind].refusal.message);
        cJSON_AddStringToObject(o, "hint", p->cc[kind].refusal.hint);
        return o;
    }
    cJSON_AddStringToObject(o, "cc", kinds[kind].cc[source]);
    cJSON_AddStringToObject(o, "label", kinds[kind].label[source]);
    cJSON_AddStringToObject(o, "source", sources[source]);
    if (p->cc[kind].is_borrowed)
        cJSON_AddStringToObject(o, "note",
                                "registered by another lab: when that one goes down, this one "
                                "registers it anew within seconds");
    return o;
}

cJSON *prague_json(const struct prague *p)
{
    return kind_json(p, PRAGUE_KIND_PRAGUE);
}

cJSON *prague_ccs_json(const struct prague *p)
{
    cJSON *list = cJSON_CreateArray();
    for (enum prague_kind k = 0; k < PRAGUE_KINDS; k++)
        if (p->cc[k].source != PRAGUE_SOURCE_NONE)
            cJSON_AddItemToArray(list, kind_json(p, k));
    return list;
}
