/* `ccalab tcp-info`: what the kernel knows about TCP flows, read at regular times through
 * NETLINK_SOCK_DIAG (sock_diag(7), struct tcp_info of <linux/tcp.h>). docs/tcp-info.md tells how
 * to use and to read it, docs/events.md what it says. */
#ifndef CCALAB_REMOTE_TCP_INFO_H
#define CCALAB_REMOTE_TCP_INFO_H

/* The command. argv[0] is its name. Returns the exit code. Thread: main only; enters the network
 * namespace of --netns for good. */
int tcp_info_main(int argc, char **argv);

#endif
