/* SSH by libssh: one session to one host, owned by one worker thread (docs/hosts.md).
 *
 * The worker alone touches the ssh_session. It takes requests by value from a queue and posts what
 * happens back to the loop, so that a slow or dead host never holds up the console or another host.
 * After a lost connection it connects again, with growing pauses, a bounded number of times.
 * Thread: all functions are for the main thread; callbacks come from the loop. */
#ifndef CCALAB_REMOTE_SSH_H
#define CCALAB_REMOTE_SSH_H

#include <stdbool.h>
#include <uv.h>

#include "core/error.h"
#include "remote/process.h"

struct ssh_link;

/* A passphrase, password or other answer that must not be seen; or "yes" to an unknown host's key.
 */
enum ssh_question { SSH_QUESTION_SECRET, SSH_QUESTION_KEY };
enum ssh_answer { SSH_ANSWER_NONE, SSH_ANSWER_GIVEN, SSH_ANSWER_LATER };
/* Asks a person. The prompt's last line is the question, what is above it explains. Writes at most
 * size - 1 bytes and says GIVEN; NONE: nobody there; LATER: ssh_link_answer() will be called,
 * unless the link is freed before. The answer is wiped after use. */
typedef enum ssh_answer (*ssh_ask_fn)(void *user, struct ssh_link *link, enum ssh_question kind,
                                      const char *prompt, char *out, size_t size);

/* All strings are copied. What is not given comes from ~/.ssh/config, then from defaults. */
struct ssh_opts {
    const char *host;        /* name or alias of ssh_config(5) */
    const char *user;        /* or NULL */
    const char *identity;    /* file of the only private key to offer, or NULL */
    const char *known_hosts; /* the only file that is asked for the host's key, or NULL */
    const char *config;      /* instead of ~/.ssh/config and /etc/ssh/ssh_config, or NULL */
    int port;                /* 0: not given */
    bool accept_new;         /* write an unknown host's key to known_hosts; never a changed one */
    int connect_timeout_ms;  /* until authenticated; 0: 10000 */
    int idle_timeout_ms;     /* no byte in spite of keepalives: lost; 0: 15000 */
    ssh_ask_fn ask;          /* NULL: never ask */
    void *ask_user;
};

enum ssh_link_state { SSH_LINK_CONNECTING, SSH_LINK_UP, SSH_LINK_DOWN };

/* `why` is STATUS_OK unless something failed. */
typedef void (*ssh_state_fn)(void *user, enum ssh_link_state state, const struct error *why);

/* Start connecting. `name` is what messages call the host. Errors: STATUS_UNAVAILABLE (built
 * without libssh), STATUS_NOMEM, STATUS_INTERNAL. */
CCALAB_MUST_USE enum status ssh_link_new(const char *name, uv_loop_t *loop,
                                         const struct ssh_opts *opts, ssh_state_fn on_state,
                                         void *user, struct ssh_link **out, struct error *err);
/* No process may be left. Waits for the worker, at most 3 s. */
void ssh_link_free(struct ssh_link *l);
/* The IP address connected to; "" before. */
const char *ssh_link_address(const struct ssh_link *l);
/* The answer to a question that was put off; NULL: none is given. */
void ssh_link_answer(struct ssh_link *l, const char *text);
/* When down: try once more. */
void ssh_link_retry(struct ssh_link *l);

/* Start a command: argv, env and cwd of `opts` count. It runs in its own process group, which ends
 * with the connection. A command that does not exist is told by on_exit. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status ssh_link_exec(struct ssh_link *l, const struct spawn_opts *opts,
                                          const struct process_callbacks *cb, void *user,
                                          struct process **out, struct error *err);

enum ssh_pipe { SSH_PIPE_SUBSYSTEM, SSH_PIPE_COMMAND };
/* Open a stream socket whose other end is a subsystem ("sftp") or a command line's stdin and stdout
 * on the host. At the end of either side the other sees the end of file; so it does when the host
 * refuses. The descriptor is the caller's, for any thread. Errors: STATUS_HOST, STATUS_NOMEM. */
CCALAB_MUST_USE enum status ssh_link_pipe(struct ssh_link *l, enum ssh_pipe kind, const char *name,
                                          int *fd, struct error *err);

#endif
