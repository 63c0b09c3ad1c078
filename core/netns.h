/* Network namespaces (network_namespaces(7)): go into one, do something there, come back.
 *
 * Thread: any. setns(2) moves the calling thread only; what it opens there (sockets, TUN devices)
 * stays there when it leaves, and so do the processes that it starts. */
#ifndef CCALAB_CORE_NETNS_H
#define CCALAB_CORE_NETNS_H

#include <stdint.h>

#include "core/error.h"

/* Move the calling thread into a new, empty one, for good. Errors: STATUS_HOST with a hint (no more
 * are allowed, this user may not make any). */
CCALAB_MUST_USE enum status netns_unshare(struct error *err);
/* Make a network namespace; the calling thread stays where it is. *fd keeps it until it is closed,
 * and is its path: /proc/self/fd/N. Errors: those of netns_unshare() and netns_leave(). */
CCALAB_MUST_USE enum status netns_create(int *fd, struct error *err);

/* What no other network namespace has or will have until the next boot, for that of the calling
 * thread; its inode number is soon another's. 0 if the kernel cannot tell (Linux 5.14 can). */
uint64_t netns_cookie(void);

/* Move the calling thread into the namespace at `path` ("/run/netns/ccalab-router"). *home_fd is
 * the way back, for netns_leave(); -1 after an error. NULL for `home_fd`: for good.
 * Errors: STATUS_HOST with a hint (there is no such namespace, this user may not enter it, that
 * path is no namespace); the thread is then where it was. */
CCALAB_MUST_USE enum status netns_enter(const char *path, int *home_fd, struct error *err);

/* Move the calling thread back, close *home_fd and set it to -1. With -1 it does nothing.
 * Errors: STATUS_INTERNAL (*err is left alone otherwise). The thread is then still in the other
 * namespace, and whatever it does next with the network happens there: clean up and end. */
CCALAB_MUST_USE enum status netns_leave(int *home_fd, struct error *err);

#endif
