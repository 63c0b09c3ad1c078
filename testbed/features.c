#include <unistd.h>

#include "core/paths.h"
#include "core/userns.h"
#include "testbed/prague.h"
#include "testbed/testbed.h"

void testbed_features(struct testbed_feature out[TESTBED_FEATURES])
{
    static const struct testbed_feature table[TESTBED_FEATURES] = {
        [TESTBED_FEATURE_ROOT] = {"root", false, "all of the virtual lab, live capture",
                                  "run ccalab with sudo"},
        [TESTBED_FEATURE_USERNS] = {"userns", false,
                                    "the virtual lab without root: no BPF Prague, no SCHED_FIFO",
                                    "ccalab testbed doctor says by which setting"},
        [TESTBED_FEATURE_IP] = {"ip", false, "the virtual lab", "install the package iproute2"},
        [TESTBED_FEATURE_NFT] = {"nft", false, "the virtual lab: ECT(1) marking of BPF Prague",
                                 "install the package nftables"},
        [TESTBED_FEATURE_TUN] = {"/dev/net/tun", false,
                                 "the bottleneck's ports; without it packet sockets",
                                 "load the kernel module tun (modprobe tun)"},
        [TESTBED_FEATURE_IPERF3] = {"iperf3", false, "flows", "install the package iperf3"},
        [TESTBED_FEATURE_BTF] = {"BTF", false, "BPF Prague",
                                 "use a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's are"},
        [TESTBED_FEATURE_BPF_PRAGUE] = {"BPF Prague", false,
                                        "TCP Prague on kernels without their own",
                                        "install the packages libbpf-dev and clang, then build "
                                        "again"},
    };
    for (int i = 0; i < TESTBED_FEATURES; i++)
        out[i] = table[i];
    out[TESTBED_FEATURE_ROOT].is_present = paths_is_root();
    out[TESTBED_FEATURE_USERNS].is_present = userns_check(NULL) == STATUS_OK;
    out[TESTBED_FEATURE_IP].is_present = paths_which("ip", NULL, 0);
    out[TESTBED_FEATURE_NFT].is_present = paths_which("nft", NULL, 0);
    out[TESTBED_FEATURE_TUN].is_present = access("/dev/net/tun", R_OK | W_OK) == 0;
    out[TESTBED_FEATURE_IPERF3].is_present = paths_which("iperf3", NULL, 0);
    out[TESTBED_FEATURE_BTF].is_present = access("/sys/kernel/btf/vmlinux", F_OK) == 0;
    out[TESTBED_FEATURE_BPF_PRAGUE].is_present = prague_is_built();
}
