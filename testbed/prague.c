#include "testbed/prague.h"

#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "testbed/prague_bpf.h"

#define KERNEL_NAME "prague"
#define BPF_NAME    "bpf_prague"

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

void prague_start(struct prague *p)
{
    *p = (struct prague){.source = PRAGUE_SOURCE_NONE, .link_fd = -1};
    if (prague_is_available(KERNEL_NAME)) {
        p->source = PRAGUE_SOURCE_KERNEL;
    } else if (prague_is_available(BPF_NAME)) {
        p->source = PRAGUE_SOURCE_BPF;
        p->is_borrowed = true;
    } else if (prague_bpf_register(&p->link_fd, &p->refusal) == STATUS_OK) {
        p->source = PRAGUE_SOURCE_BPF;
    } else if (prague_is_available(BPF_NAME)) { /* two labs at once: the other one was faster */
        p->source = PRAGUE_SOURCE_BPF;
        p->is_borrowed = true;
    }
}

void prague_stop(struct prague *p)
{
    if (p->link_fd >= 0)
        close(p->link_fd);
    *p = (struct prague){.source = PRAGUE_SOURCE_NONE, .link_fd = -1};
}

cJSON *prague_json(const struct prague *p)
{
    static const char *const cc[] = {NULL, KERNEL_NAME, BPF_NAME};
    static const char *const label[] = {NULL, "TCP Prague (kernel)", "BPF Prague"};
    static const char *const source[] = {NULL, "kernel", "bpf"};

    cJSON *o = cJSON_CreateObject();
    if (p->source == PRAGUE_SOURCE_NONE) {
        cJSON_AddNullToObject(o, "cc");
        cJSON_AddNullToObject(o, "label");
        cJSON_AddNullToObject(o, "source");
        cJSON_AddStringToObject(o, "reason", p->refusal.message);
        cJSON_AddStringToObject(o, "hint", p->refusal.hint);
        return o;
    }
    cJSON_AddStringToObject(o, "cc", cc[p->source]);
    cJSON_AddStringToObject(o, "label", label[p->source]);
    cJSON_AddStringToObject(o, "source", source[p->source]);
    if (p->is_borrowed)
        cJSON_AddStringToObject(o, "note",
                                "registered by another lab: it disappears when that lab goes down");
    return o;
}
