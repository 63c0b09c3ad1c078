/* Text for /bin/sh (POSIX 1003.1, Shell Command Language). */
#ifndef CCALAB_REMOTE_SHELL_H
#define CCALAB_REMOTE_SHELL_H

#include "core/buf.h"
#include "core/spawn.h"

/* Append one word that the shell reads as exactly these bytes. */
void shell_quote(struct buf *b, const char *word);
/* Append a script for the standard input of `sh` that becomes the command of `opts` (argv, env,
 * cwd), leading its own process group, with stdin from /dev/null. First it says on stdout the line
 * "ccalab:NONCE:PID", or "ccalab:NONCE:missing" or "ccalab:NONCE:cwd" if it cannot. After that it
 * takes the numbers of signals for the group, a line each; at the end of its input the group, if it
 * still runs, gets SIGTERM and two seconds later SIGKILL. */
void shell_script(struct buf *b, const char *nonce, const struct spawn_opts *opts);

#endif
