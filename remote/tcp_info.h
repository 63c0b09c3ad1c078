/* `ccalab tcp-info`: what the kernel knows about TCP flows, read at regular times through
 * NETLINK_SOCK_DIAG (sock_diag(7), struct tcp_info of <linux/tcp.h>). docs/tcp-info.md tells how
 * to use and to read it, docs/events.md what it says. */
#ifndef CCALAB_REMOTE_TCP_INFO_H
#define CCALAB_REMOTE_TCP_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One socket at one time. NaN: this kernel does not tell, or it was not measured yet. */
struct tcp_reading {
    uint64_t cookie; /* identifies the socket for as long as the kernel runs */
    uint16_t local_port, remote_port;
    char local[64], remote[64]; /* "10.98.1.2:40112", "[fe80::1]:5201" */
    char cc[16];                /* congestion control; "" if not told */
    double cwnd_pkts, cwnd_bytes;
    double srtt_us, min_rtt_us, rttvar_us;
    double delivery_rate_bps, pacing_rate_bps;
    double bytes_acked, bytes_sent; /* since the flow began; bytes_sent with retransmissions */
    double retrans;                 /* segments since the flow began */
    double lost;                    /* segments in flight held to be lost now */
    double delivered, delivered_ce; /* segments since the flow began; _ce: reported as CE-marked */
};

/* Read one answer of SOCK_DIAG_BY_FAMILY: a struct inet_diag_msg with its attributes, `len` bytes.
 * Kernels before ours send a shorter struct tcp_info, later ones a longer: what is not there is
 * NaN. False if this is no socket with TCP state (a TIME_WAIT remainder, a message cut short). */
bool tcp_reading_decode(const void *msg, size_t len, struct tcp_reading *out);

/* The command. argv[0] is its name. Returns the exit code. Thread: main only; enters the network
 * namespace of --netns for good. */
int tcp_info_main(int argc, char **argv);

#endif
