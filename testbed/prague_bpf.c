#include "testbed/prague_bpf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/embed.h"
#include "core/paths.h"
#include "testbed/prague.h"

/* Compiled from bpf/, see CMakeLists.txt. */
EMBED_DECLARE(ccalab_prague_bpf);
EMBED_DECLARE(ccalab_prague_bpf_old);
EMBED_DECLARE(ccalab_dctcp_bpf);

/* Linux 6.4; Debian 12's <linux/bpf.h> is older. */
#define LINK_MAP_FLAG    (1u << 13) /* BPF_F_LINK */
#define LINK_ATTACH_TYPE 44         /* BPF_STRUCT_OPS */

#define KERNEL_HINT "the BPF programs know Linux 6.4 to 6.18; the lab's other algorithms work"

bool prague_is_built(void)
{
    return true;
}

/* libbpf explains failures only by its print function: keep the last line of a warning. */
static char last_warning[200];

static int on_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
    if (level != LIBBPF_WARN)
        return 0;
    char line[sizeof last_warning];
    vsnprintf(line, sizeof line, fmt, ap);
    line[strcspn(line, "\n")] = '\0';
    if (line[0])
        memcpy(last_warning, line, sizeof last_warning);
    return 0;
}

/* Parameters of a member of tcp_congestion_ops in the running kernel; -1 if there is none of that
 * name, or it is no function. */
static int params_of(const struct btf *btf, const char *member)
{
    int id = btf__find_by_name_kind(btf, "tcp_congestion_ops", BTF_KIND_STRUCT);
    const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
    for (int i = 0; t && i < btf_vlen(t); i++) {
        const struct btf_member *m = btf_members(t) + i;
        const char *name = btf__name_by_offset(btf, m->name_off);
        if (!name || strcmp(name, member) != 0)
            continue;
        const struct btf_type *ptr = btf__type_by_id(btf, m->type);
        const struct btf_type *fn = ptr && btf_is_ptr(ptr) ? btf__type_by_id(btf, ptr->type) : NULL;
        return fn && btf_is_func_proto(fn) ? btf_vlen(fn) : -1;
    }
    return -1;
}

/* libbpf before 1.2 knows no links for struct_ops: this is bpf_link_create() by hand. */
static int create_link(int map_fd)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.link_create.prog_fd = (__u32)map_fd;
    attr.link_create.attach_type = LINK_ATTACH_TYPE;
    return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof attr);
}

static enum status unavailable(struct error *err, const char *what, const char *hint)
{
    error_set(err, STATUS_UNAVAILABLE, "prague", "%s", what);
    return err ? error_hint(err, "%s", hint) : STATUS_UNAVAILABLE;
}

static enum status failed(struct error *err, const char *what, int sys_errno)
{
    if (last_warning[0])
        error_set(err, STATUS_UNAVAILABLE, "prague", "%s: %s (%s)", what, strerror(sys_errno),
                  last_warning);
    else
        error_sys(err, STATUS_UNAVAILABLE, sys_errno, "prague", "%s", what);
    return err ? error_hint(err, "it needs Linux 6.4 or newer with CONFIG_BPF_JIT and "
                                 "CONFIG_DEBUG_INFO_BTF; the lab's other algorithms work")
               : STATUS_UNAVAILABLE;
}

/* Is this a kernel that our programs were written for? Fills in the variant of cong_control(). */
static enum status check_kernel(bool *has_old_cong_control, struct error *err)
{
    /* All that the two programs use. What each takes has not changed between Linux 6.4 and 6.18,
     * but for cong_control(); a kernel for which that is no longer true must not get a program that
     * takes one parameter for another. */
    static const struct {
        const char *name;
        int params;
    } members[] = {{"init", 1},         {"ssthresh", 1},  {"set_state", 2},  {"cwnd_event", 2},
                   {"in_ack_event", 2}, {"undo_cwnd", 1}, {"cong_avoid", 3}, {"min_tso_segs", 1}};
    enum status st = STATUS_OK;
    char text[160];
    struct btf *btf = btf__load_vmlinux_btf();
    if (!btf)
        return unavailable(err, "this kernel's BTF (/sys/kernel/btf/vmlinux) cannot be read",
                           "use a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's are");
    /* Without links a registration would outlive a killed keeper. */
    if (btf__find_by_name_kind(btf, "bpf_struct_ops_link", BTF_KIND_STRUCT) <= 0) {
        st = unavailable(err, "this kernel cannot register a congestion control by a BPF link",
                         "Linux 6.4 or newer can; the lab's other algorithms work");
        goto out;
    }
    for (size_t i = 0; st == STATUS_OK && i < sizeof members / sizeof *members; i++) {
        int n = params_of(btf, members[i].name);
        if (n == members[i].params)
            continue;
        snprintf(text, sizeof text, "this kernel's tcp_congestion_ops.%s is not the one we know%s",
                 members[i].name, n < 0 ? ": there is none" : "");
        st = unavailable(err, text, KERNEL_HINT);
    }
    int n = params_of(btf, "cong_control");
    *has_old_cong_control = n == 2; /* (sk, rs); since 6.10 (sk, ack, flag, rs) */
    if (st == STATUS_OK && n != 2 && n != 4)
        st = unavailable(err, "this kernel's tcp_congestion_ops.cong_control is not one we know",
                         KERNEL_HINT);
out:
    btf__free(btf);
    return st;
}

/* The link of a loaded map of operations: *fd. */
static enum status register_map(struct bpf_map *map, int *fd, struct error *err)
{
    /* With libbpf 1.1 this only fills the map, and the "link" is the map itself. */
    struct bpf_link *link = bpf_map__attach_struct_ops(map);
    if (!link)
        return failed(err, "the BPF program cannot be registered", errno);
    if (bpf_link__fd(link) == bpf_map__fd(map)) {
        bpf_link__disconnect(link); /* its destruction must not clear the map */
        *fd = create_link(bpf_map__fd(map));
        if (*fd >= 0) /* the kernel sets it already; never let a child inherit it */
            fcntl(*fd, F_SETFD, FD_CLOEXEC);
    } else {
        *fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
    }
    int error = errno;
    bpf_link__destroy(link);
    return *fd >= 0 ? STATUS_OK : failed(err, "the BPF program cannot be registered", error);
}

enum status prague_bpf_register(const char *name, int *link_fd, struct error *err)
{
    struct bpf_object *obj = NULL;
    bool is_old = false;

    *link_fd = -1;
    if (!paths_is_root())
        return unavailable(err, "BPF congestion controls need root to be loaded",
                           "run ccalab with sudo");
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
        return unavailable(err, "this kernel has no BTF (/sys/kernel/btf/vmlinux)",
                           "use a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's are");

    libbpf_print_fn_t old_print = libbpf_set_print(on_print);
    last_warning[0] = '\0';
    enum status st = check_kernel(&is_old, err);
    if (st != STATUS_OK)
        goto out;
    if (strcmp(name, "bpf_dctcp") == 0)
        obj = bpf_object__open_mem(ccalab_dctcp_bpf_data, ccalab_dctcp_bpf_size, NULL);
    else if (is_old)
        obj = bpf_object__open_mem(ccalab_prague_bpf_old_data, ccalab_prague_bpf_old_size, NULL);
    else
        obj = bpf_object__open_mem(ccalab_prague_bpf_data, ccalab_prague_bpf_size, NULL);
    if (!obj) {
        st = failed(err, "the BPF program cannot be opened", errno);
        goto out;
    }
    struct bpf_map *map = bpf_object__find_map_by_name(obj, name);
    if (!map) {
        st = error_set(err, STATUS_INTERNAL, "prague", "there is no BPF program %s", name);
        goto out;
    }
    int r = bpf_map__set_map_flags(map, bpf_map__map_flags(map) | LINK_MAP_FLAG);
    if (r == 0)
        r = bpf_object__load(obj);
    st = r == 0 ? register_map(map, link_fd, err)
                : failed(err, "the kernel refused the BPF program", -r);
out:
    bpf_object__close(obj); /* NULL is fine */
    libbpf_set_print(old_print);
    return st;
}
