/* The virtual lab: four hosts as network namespaces, an emulated bottleneck, TCP Prague.
 * docs/testbed.md says what is built and why; docs/events.md what the keeper says. */
#ifndef CCALAB_TESTBED_TESTBED_H
#define CCALAB_TESTBED_TESTBED_H

#include <stdbool.h>

/* `ccalab testbed up|status|down|keep ...`. argv[0] is "testbed". The running program must start
 * this function when it is called with "testbed" as its first argument: `up` runs
 * "<itself> testbed keep ..." in the background. Returns the exit code. Blocks; thread: main, and
 * before any other event loop or signal handler of ours is set up. */
int testbed_main(int argc, char **argv);

enum testbed_feature_id {
    TESTBED_FEATURE_ROOT,
    TESTBED_FEATURE_USERNS,
    TESTBED_FEATURE_IP,
    TESTBED_FEATURE_NFT,
    TESTBED_FEATURE_TUN,
    TESTBED_FEATURE_IPERF3,
    TESTBED_FEATURE_BTF,
    TESTBED_FEATURE_BPF_PRAGUE,
    TESTBED_FEATURES,
};

struct testbed_feature {
    const char *name;    /* "nft" */
    bool is_present;     /* here and now */
    const char *purpose; /* what is lost without it: "ECT(1) marking of BPF Prague" */
    const char *remedy;  /* "install the package nftables" */
};

/* What this machine and this build offer to the lab, for `ccalab --version`. A few access(2)
 * calls: well below a millisecond. The strings are static. */
void testbed_features(struct testbed_feature out[TESTBED_FEATURES]);

#endif
