/* What the kernel knows about one TCP socket: struct tcp_info of <linux/tcp.h>, as
 * NETLINK_SOCK_DIAG (sock_diag(7)) or ss(8) gives it. */
#ifndef CCALAB_REMOTE_TCP_READING_H
#define CCALAB_REMOTE_TCP_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One socket at one time. NaN: this kernel does not tell, or it was not measured yet. */
struct tcp_reading {
    uint64_t cookie; /* identifies the socket for as long as the kernel runs; 0 if not told */
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
/* Is its other end at this address? Numeric, an IPv6 one without brackets; an IPv4 address mapped
 * into IPv6 counts as what it is. */
bool tcp_reading_has_peer(const struct tcp_reading *r, const char *address);

#endif
