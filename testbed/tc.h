/* `ccalab testbed tc ...`: tc(8) as it would be in a router whose bottleneck were the kernel's.
 *
 * What concerns the qdisc of bn1 (towards the servers) or bn0 (back) is asked of, or told to, the
 * router's ccalab-link, and printed as iproute2 prints it. Everything else goes to the real tc,
 * word for word. A lab's <runtime>/<lab>/bin/tc starts it; the shell on a router has that in PATH.
 */
#ifndef CCALAB_TESTBED_TC_H
#define CCALAB_TESTBED_TC_H

/* argv[0] is the first word after "tc". Returns tc's exit status: 0, 1 (not understood), 2 (refused
 * by the "kernel"); or becomes the real tc. */
int tc_main(int argc, char *const *argv);

#endif
