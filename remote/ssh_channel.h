/* The channels of one session: commands and pipes, each a small state machine that never waits.
 * Thread: the link's worker only. */
#ifndef CCALAB_REMOTE_SSH_CHANNEL_H
#define CCALAB_REMOTE_SSH_CHANNEL_H

#include <poll.h>

#include "remote/ssh_internal.h"

struct ssh_chan;

struct ssh_channel_list {
    struct ssh_chan *first;
    unsigned limit; /* so many the host takes at a time (MaxSessions); 0: it refused none yet */
};

/* Begin what `r` asks for (a command or a pipe). What fails is told as the process's end. */
void ssh_channel_start(struct ssh_channel_list *list, struct ssh_link *l, ssh_session s,
                       struct request *r);
/* Signal the group of a command; before its pid is known, as soon as it is. */
void ssh_channel_signal(struct ssh_channel_list *list, uint32_t id, int signum);
/* Do all that can be done without waiting. *timeout_ms is lowered if something is due earlier. */
void ssh_channels_step(struct ssh_channel_list *list, int *timeout_ms);
/* What pipes wait for; returns how many were filled. */
int ssh_channels_fds(struct ssh_channel_list *list, struct pollfd *fds, int max);
/* The session is lost: end all. */
void ssh_channels_end(struct ssh_channel_list *list, const struct error *why);
/* Tell the main thread that a process has ended this way. */
void ssh_channel_post_lost(struct ssh_link *l, uint32_t id, const struct error *why);

#endif
