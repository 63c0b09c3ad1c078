#include "testbed/link/stamps.h"

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Between a stamp and its packet in the device's queue lie some instructions, or an interrupt. */
#define SETTLE_NS 200000

/* --- the program -------------------------------------------------------------------------------
 */

#define INSN(code_, dst_, src_, off_, imm_)                                                        \
    ((struct bpf_insn){                                                                            \
        .code = (code_), .dst_reg = (dst_), .src_reg = (src_), .off = (off_), .imm = (imm_)})

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int make_map(void)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = sizeof(uint32_t);
    attr.value_size = sizeof(struct stamps_ring);
    attr.max_entries = 1;
    attr.map_flags = BPF_F_MMAPABLE;
    return bpf(BPF_MAP_CREATE, &attr);
}

/* ring->at_ns[ring->head++ % STAMPS_COUNT] = now, and the packet stays whole. Several processors
 * may be at it at once: hence the atomic addition. A stamp and its packet can then change places
 * with those of another processor, by less than a microsecond. */
static int load_program(int map_fd)
{
    const struct bpf_insn program[] = {
        INSN(BPF_LDX | BPF_MEM | BPF_W, 6, 1, offsetof(struct __sk_buff, len), 0),
        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns),
        INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_VALUE, 0, map_fd),
        INSN(0, 0, 0, 0, 0), /* the offset in the value: head */
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 1),
        INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 1, 2, 0, BPF_ADD | BPF_FETCH),
        INSN(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, STAMPS_COUNT - 1),
        INSN(BPF_ALU64 | BPF_LSH | BPF_K, 2, 0, 0, 3),
        INSN(BPF_ALU64 | BPF_ADD | BPF_X, 1, 2, 0, 0),
        INSN(BPF_STX | BPF_MEM | BPF_DW, 1, 0, offsetof(struct stamps_ring, at_ns), 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 0, 6, 0, 0),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    attr.insns = (uint64_t)(uintptr_t)program;
    attr.insn_cnt = sizeof(program) / sizeof(program[0]);
    attr.license = (uint64_t)(uintptr_t) "GPL"; /* what the kernel asks of users of its clock */
    memcpy(attr.prog_name, "ccalab_stamp", sizeof("ccalab_stamp"));
    return bpf(BPF_PROG_LOAD, &attr);
}

bool stamps_open(struct stamps *s, int tun_fd)
{
    int map_fd = make_map(), prog_fd = -1;
    void *ring = MAP_FAILED;

    *s = (struct stamps){.ring = NULL};
    if (map_fd >= 0) {
        ring = mmap(NULL, sizeof(*s->ring), PROT_READ, MAP_SHARED, map_fd, 0);
        prog_fd = load_program(map_fd);
    }
    if (ring != MAP_FAILED && prog_fd >= 0 && ioctl(tun_fd, TUNSETFILTEREBPF, &prog_fd) == 0) {
        s->ring = ring;
    } else if (ring != MAP_FAILED) {
        munmap(ring, sizeof(*s->ring));
    }
    /* The device holds the program, the program and the mapping hold the map. */
    if (prog_fd >= 0) {
        close(prog_fd);
    }
    if (map_fd >= 0) {
        close(map_fd);
    }
    return s->ring != NULL;
}

void stamps_close(struct stamps *s)
{
    if (s->ring != NULL) {
        munmap((void *)(uintptr_t)s->ring, sizeof(*s->ring));
    }
    s->ring = NULL;
}

/* --- the ring ----------------------------------------------------------------------------------
 */

static uint64_t head_of(const struct stamps *s)
{
    return __atomic_load_n(&s->ring->head, __ATOMIC_ACQUIRE);
}

static uint64_t stamp_at(const struct stamps *s, uint64_t i)
{
    return __atomic_load_n(&s->ring->at_ns[i % STAMPS_COUNT], __ATOMIC_RELAXED);
}

bool stamps_pending(const struct stamps *s)
{
    return s->ring == NULL || head_of(s) != s->next;
}

uint64_t stamps_take(struct stamps *s, uint64_t now_ns)
{
    uint64_t at_ns = now_ns;

    if (s->ring != NULL && head_of(s) != s->next) {
        at_ns = stamp_at(s, s->next++);
    }
    /* Stamps can have changed places, or be of the lap before while their writer is not done. */
    at_ns = at_ns < s->last_ns ? s->last_ns : at_ns;
    at_ns = at_ns > now_ns ? now_ns : at_ns;
    s->last_ns = at_ns;
    return at_ns;
}

void stamps_settle(struct stamps *s, uint64_t now_ns)
{
    while (s->ring != NULL && head_of(s) != s->next && stamp_at(s, s->next) + SETTLE_NS < now_ns) {
        s->next++;
    }
}
