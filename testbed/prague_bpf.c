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
#include "testbed/prague.h"

/* Compiled from bpf/prague.bpf.c, see CMakeLists.txt. */
EMBED_DECLARE(ccalab_prague_bpf);
EMBED_DECLARE(ccalab_prague_bpf_old);

/* Linux 6.4; Debian 12's <linux/bpf.h> is older. */
#define LINK_MAP_FLAG    (1u << 13) /* BPF_F_LINK */
#define LINK_ATTACH_TYPE 44         /* BPF_STRUCT_OPS */

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

/* Parameters of tcp_congestion_ops.cong_control in the running kernel: 4 since Linux 6.10, 2
 * before; 0 if it cannot be told. */
static int cong_control_params(void)
{
    int n = 0;
    struct btf *btf = btf__load_vmlinux_btf();
    if (!btf)
        return 0;
    int id = btf__find_by_name_kind(btf, "tcp_congestion_ops", BTF_KIND_STRUCT);
    const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
    for (int i = 0; t && i < btf_vlen(t); i++) {
        const struct btf_member *m = btf_members(t) + i;
        const char *name = btf__name_by_offset(btf, m->name_off);
        if (!name || strcmp(name, "cong_control") != 0)
            continue;
        const struct btf_type *ptr = btf__type_by_id(btf, m->type);
        const struct btf_type *fn = ptr && btf_is_ptr(ptr) ? btf__type_by_id(btf, ptr->type) : NULL;
        if (fn && btf_is_func_proto(fn))
            n = btf_vlen(fn);
    }
    btf__free(btf);
    return n;
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
    return err ? error_hint(err, "BPF Prague needs Linux 6.4 or newer with CONFIG_BPF_JIT and "
                                 "CONFIG_DEBUG_INFO_BTF; the lab's other algorithms work")
               : STATUS_UNAVAILABLE;
}

enum status prague_bpf_register(int *link_fd, struct error *err)
{
    struct bpf_object *obj = NULL;
    struct bpf_link *link = NULL;
    enum status st = STATUS_OK;

    *link_fd = -1;
    if (geteuid() != 0)
        return unavailable(err, "BPF Prague needs root to be loaded", "run ccalab with sudo");
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
        return unavailable(err, "this kernel has no BTF (/sys/kernel/btf/vmlinux)",
                           "use a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's are");

    libbpf_print_fn_t old_print = libbpf_set_print(on_print);
    last_warning[0] = '\0';
    int params = cong_control_params();
    if (params != 2 && params != 4) {
        st = unavailable(err, "this kernel's struct tcp_congestion_ops is not one we know",
                         "BPF Prague knows the cong_control() of Linux 6.4 to 6.18");
        goto out;
    }
    const void *data = params == 4 ? ccalab_prague_bpf_data : ccalab_prague_bpf_old_data;
    size_t size = params == 4 ? ccalab_prague_bpf_size : ccalab_prague_bpf_old_size;
    obj = bpf_object__open_mem(data, size, NULL);
    if (!obj) {
        st = failed(err, "BPF Prague cannot be opened", errno);
        goto out;
    }
    struct bpf_map *map = bpf_object__find_map_by_name(obj, "bpf_prague");
    if (!map) {
        st = error_set(err, STATUS_INTERNAL, "prague", "the embedded object lacks its map");
        goto out;
    }
    int r = bpf_map__set_map_flags(map, bpf_map__map_flags(map) | LINK_MAP_FLAG);
    if (r == 0)
        r = bpf_object__load(obj);
    if (r != 0) {
        st = failed(err, "the kernel refused BPF Prague", -r);
        goto out;
    }
    /* With libbpf 1.1 this only fills the map, and the "link" is the map itself. */
    link = bpf_map__attach_struct_ops(map);
    if (!link) {
        st = failed(err, "BPF Prague cannot be registered", errno);
        goto out;
    }
    if (bpf_link__fd(link) == bpf_map__fd(map)) {
        bpf_link__disconnect(link); /* its destruction must not clear the map */
        *link_fd = create_link(bpf_map__fd(map));
        if (*link_fd >= 0) /* the kernel sets it already; never let a child inherit it */
            fcntl(*link_fd, F_SETFD, FD_CLOEXEC);
    } else {
        *link_fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
    }
    if (*link_fd < 0)
        st = failed(err, "BPF Prague cannot be registered", errno);
out:
    bpf_link__destroy(link); /* NULL is fine */
    bpf_object__close(obj);
    libbpf_set_print(old_print);
    return st;
}
