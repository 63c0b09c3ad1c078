/* `ccalab probe`: round-trip times under load, with ECT(1) and with Not-ECT side by side.
 *
 * ICMP echo requests (RFC 792, RFC 4443) whose IP header carries the codepoint: a DualQ AQM
 * classifies by it alone (RFC 9332, 2.5.1), so that one series went through the L queue and the
 * other through the C queue. The answering host copies the field back, CE included.
 * docs/run.md tells how to read them, docs/events.md what it says. */
#ifndef CCALAB_REMOTE_PROBE_H
#define CCALAB_REMOTE_PROBE_H

/* The command. argv[0] is its name. Returns the exit code. Thread: main only; enters the network
 * namespace of --netns for good. */
int probe_main(int argc, char **argv);

#endif
