#include "testbed/prague_bpf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
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

#define CLAIM_TIMEOUT_MS 200

#define KERNEL_HINT "the BPF programs know Linux 5.15 to 6.18; the lab's other algorithms work"

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
    return err ? error_hint(err, "BPF Prague needs Linux 6.0 or newer, BPF DCTCP 5.15, with "
                                 "CONFIG_BPF_JIT and CONFIG_DEBUG_INFO_BTF; the lab's other "
                                 "algorithms work")
               : STATUS_UNAVAILABLE;
}

enum status prague_bpf_look(const struct btf *btf, struct prague_kernel *kernel, struct error *err)
{
    /* All that the programs use. What each takes has not changed between Linux 5.15 and 6.18, but
     * for cong_control(). */
    static const struct {
        const char *name;
        int params;
    } members[] = {{"init", 1},       {"ssthresh", 1},     {"set_state", 2},
                   {"cwnd_event", 2}, {"in_ack_event", 2}, {"undo_cwnd", 1},
                   {"cong_avoid", 3}, {"min_tso_segs", 1}, {"release", 1}};
    char text[160];

    kernel->has_link = btf__find_by_name_kind(btf, "bpf_struct_ops_link", BTF_KIND_STRUCT) > 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        int n = params_of(btf, members[i].name);
        if (n == members[i].params)
            continue;
        snprintf(text, sizeof text, "this kernel's tcp_congestion_ops.%s is not the one we know%s",
                 members[i].name, n < 0 ? ": there is none" : "");
        return unavailable(err, text, KERNEL_HINT);
    }
    int n = params_of(btf, "cong_control");
    if (n != 2 && n != 4) /* (sk, rs); since 6.10 (sk, ack, flag, rs) */
        return unavailable(err, "this kernel's tcp_congestion_ops.cong_control is not one we know",
                           KERNEL_HINT);
    kernel->has_old_cong_control = n == 2;
    return STATUS_OK;
}

static enum status look_at_running(struct prague_kernel *kernel, struct error *err)
{
    struct btf *btf = btf__load_vmlinux_btf();
    if (!btf)
        return unavailable(err, "this kernel's BTF (/sys/kernel/btf/vmlinux) cannot be read",
                           "use a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's are");
    enum status st = prague_bpf_look(btf, kernel, err);
    btf__free(btf);
    return st;
}

/* --- registration by link --------------------------------------------------------------------- */

/* The link of a loaded map of operations: *fd. */
static enum status register_by_link(struct bpf_map *map, int *fd, struct error *err)
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

/* --- registration without --------------------------------------------------------------------- */

/* Who registers without a link owns this name of an abstract Unix socket: the kernel frees it when
 * the process ends, however it ends, and then the registration is nobody's. -1: another has it. */
static int claim_registration(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "ccalab/%s", name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The kernel takes the map of operations over when its only element is written, and gives it up
 * when that is deleted: no file descriptor is needed in between. */
static enum status register_for_good(struct bpf_map *map, struct prague_bpf *b, struct error *err)
{
    /* Who sweeps holds the name for a moment. */
    for (int ms = 0; (b->owner_fd = claim_registration(bpf_map__name(map))) < 0; ms += 10) {
        if (ms >= CLAIM_TIMEOUT_MS)
            return unavailable(err, "another lab is just registering it",
                               "end the other lab, or try again");
        poll(NULL, 0, 10);
    }
    struct bpf_link *link = bpf_map__attach_struct_ops(map);
    if (!link) {
        int error = errno;
        close(b->owner_fd);
        return failed(err, "the BPF program cannot be registered", error);
    }
    bpf_link__disconnect(link); /* its destruction would take the registration back */
    bpf_link__destroy(link);
    b->fd = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3);
    if (b->fd >= 0)
        return STATUS_OK;
    int error = errno, zero = 0;
    bpf_map_delete_elem(bpf_map__fd(map), &zero);
    close(b->owner_fd);
    return failed(err, "the BPF program cannot be registered", error);
}

/* The map of operations of that name that is registered without a link: its fd, or -1. */
static int linkless_map(const char *name)
{
    __u32 id = 0;
    while (bpf_map_get_next_id(id, &id) == 0) {
        struct bpf_map_info info;
        __u32 len = sizeof info;
        int fd = bpf_map_get_fd_by_id(id);
        if (fd < 0)
            continue; /* gone in the meantime */
        memset(&info, 0, sizeof info);
        if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.type == BPF_MAP_TYPE_STRUCT_OPS &&
            !(info.map_flags & LINK_MAP_FLAG) && strcmp(info.name, name) == 0)
            return fd;
        close(fd);
    }
    return -1;
}

bool prague_bpf_sweep(const char *name)
{
    int owner_fd = claim_registration(name);
    if (owner_fd < 0)
        return false; /* its owner lives */
    int zero = 0, fd = linkless_map(name);
    bool is_gone = fd >= 0 && bpf_map_delete_elem(fd, &zero) == 0;
    if (fd >= 0)
        close(fd);
    close(owner_fd);
    return is_gone;
}

/* --- both ------------------------------------------------------------------------------------- */

void prague_bpf_unregister(struct prague_bpf *b)
{
    int zero = 0;
    if (!b->is_registered)
        return;
    if (!b->has_link) {
        bpf_map_delete_elem(b->fd, &zero);
        close(b->owner_fd);
    }
    close(b->fd);
    memset(b, 0, sizeof *b);
}

static struct bpf_object *open_object(const char *name, const struct prague_kernel *kernel)
{
    if (strcmp(name, "bpf_dctcp") == 0)
        return bpf_object__open_mem(ccalab_dctcp_bpf_data, ccalab_dctcp_bpf_size, NULL);
    if (kernel->has_old_cong_control)
        return bpf_object__open_mem(ccalab_prague_bpf_old_data, ccalab_prague_bpf_old_size, NULL);
    return bpf_object__open_mem(ccalab_prague_bpf_data, ccalab_prague_bpf_size, NULL);
}

enum status prague_bpf_prepare(struct prague_kernel *kernel, struct error *err)
{
    if (!paths_is_root())
        return unavailable(err, "BPF congestion controls need root to be loaded",
                           "run it with sudo");
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
        return unavailable(err, "this kernel has no BTF (/sys/kernel/btf/vmlinux)",
                           "use a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's are");
    return look_at_running(kernel, err);
}

enum status prague_bpf_load(struct bpf_object *obj, const char *name,
                            const struct prague_kernel *kernel, struct error *err)
{
    libbpf_print_fn_t old_print = libbpf_set_print(on_print);
    struct bpf_map *map = obj ? bpf_object__find_map_by_name(obj, name) : NULL;
    enum status st = STATUS_OK;
    int r = 0;

    last_warning[0] = '\0';
    if (!obj) {
        st = failed(err, "the BPF program cannot be opened", errno);
    } else if (!map) {
        st = error_set(err, STATUS_INTERNAL, "prague", "there is no BPF program %s", name);
    } else {
        if (kernel->has_link)
            r = bpf_map__set_map_flags(map, bpf_map__map_flags(map) | LINK_MAP_FLAG);
        if (r == 0)
            r = bpf_object__load(obj);
        if (r != 0)
            st = failed(err, "the kernel refused the BPF program", -r);
    }
    libbpf_set_print(old_print);
    return st;
}

enum status prague_bpf_attach(struct bpf_object *obj, const char *name,
                              const struct prague_kernel *kernel, struct prague_bpf *b,
                              struct error *err)
{
    libbpf_print_fn_t old_print = libbpf_set_print(on_print);
    struct bpf_map *map = bpf_object__find_map_by_name(obj, name);
    enum status st;

    memset(b, 0, sizeof *b);
    last_warning[0] = '\0';
    if (kernel->has_link)
        st = register_by_link(map, &b->fd, err);
    else
        st = register_for_good(map, b, err);
    b->is_registered = st == STATUS_OK;
    b->has_link = kernel->has_link;
    libbpf_set_print(old_print);
    return st;
}

enum status prague_bpf_register(const char *name, const struct prague_kernel *kernel,
                                struct prague_bpf *b, struct error *err)
{
    struct prague_kernel running;
    enum status st;

    memset(b, 0, sizeof *b);
    if ((st = prague_bpf_prepare(&running, err)))
        return st;
    if (!kernel)
        kernel = &running;
    struct bpf_object *obj = open_object(name, kernel);
    if (!(st = prague_bpf_load(obj, name, kernel, err)))
        st = prague_bpf_attach(obj, name, kernel, b, err);
    bpf_object__close(obj); /* NULL is fine */
    return st;
}
