/* The control socket: a Unix stream socket on which lines are asked and answered, never waiting. */
#ifndef CCALAB_TESTBED_LINK_CONTROL_H
#define CCALAB_TESTBED_LINK_CONTROL_H

#include "core/buf.h"

#define CONTROL_CLIENTS_MAX 8
#define CONTROL_LINE_MAX    65536 /* a client that sends a longer line is cut off */

/* Append the answer to a line (without its line feed) to *reply. */
typedef void (*control_answer_fn)(void *user, const char *line, size_t len, struct buf *reply);

struct control;

/* Listen on `path`, which only this user can open (mode 0600). A socket that nobody listens on any
 * more is replaced. Errors: STATUS_IO with a hint (the path is taken, too long, not writable),
 * STATUS_NOMEM. */
CCALAB_MUST_USE enum status control_open(const char *path, control_answer_fn answer, void *user,
                                         struct control **out, struct error *err);
/* Readable when there is something to do: for poll(2). */
int control_fd(const struct control *c);
/* Accept, read, answer at most one line, write: without waiting, and little at a time. */
void control_step(struct control *c);
/* Close and remove the socket. NULL is allowed. */
void control_close(struct control *c);

#endif
