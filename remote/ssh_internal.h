/* What the files of an SSH link share. The main thread and the worker meet only in struct ssh_link:
 * its constant part, and what its lock guards. */
#ifndef CCALAB_REMOTE_SSH_INTERNAL_H
#define CCALAB_REMOTE_SSH_INTERNAL_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <pthread.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/log.h"
#include "remote/ssh.h"

/* Main thread to worker. */
struct request {
    enum { REQUEST_EXEC, REQUEST_SIGNAL, REQUEST_PIPE, REQUEST_RETRY } kind;
    struct request *next;
    uint32_t id;        /* of the process */
    int signum;         /* SIGNAL */
    enum ssh_pipe pipe; /* PIPE */
    int fd;             /* PIPE: the worker's end */
    char *text;         /* EXEC: the script; PIPE: the command or subsystem */
    size_t text_len;
    char *what; /* EXEC: argv[0] */
    char nonce[24];
};

/* Worker to main thread. */
struct message {
    enum { MESSAGE_STATE, MESSAGE_OUTPUT, MESSAGE_EXIT, MESSAGE_LOG, MESSAGE_ASK } kind;
    struct message *next;
    uint32_t id;
    int fd;                     /* OUTPUT */
    enum ssh_link_state state;  /* STATE */
    enum log_level level;       /* LOG */
    enum ssh_question question; /* ASK */
    struct process_end end;     /* EXIT; STATE: end.lost */
    size_t len;
    char data[]; /* OUTPUT, LOG, ASK (prompt), STATE (address); NUL-terminated */
};

struct ssh_link {
    /* Constant from the start. */
    char *name, *host, *user, *identity, *known_hosts, *config;
    int port, connect_timeout_ms, idle_timeout_ms;
    bool accept_new, can_ask;
    int wake_fd; /* eventfd: the worker has something to look at */

    pthread_mutex_t lock; /* guards from here */
    pthread_cond_t answered;
    struct request *requests, **requests_tail;
    struct message *messages, **messages_tail;
    size_t in_flight; /* bytes of output that the main thread has not yet taken */
    bool is_quitting, is_async_open;
    bool has_answer, has_secret;
    char answer[512];
    int owners; /* main thread, worker: the last one frees */
    /* to here */
    uv_async_t async;

    /* The worker's alone. */
    bool is_config_told; /* unsupported keywords are listed once */
    struct ssh_callbacks_struct callbacks;

    /* The main thread's alone. */
    pthread_t thread;
    struct ssh_process *processes;
    uint32_t last_id;
    char address[64];
    ssh_state_fn on_state;
    void *user_data;
    ssh_ask_fn ask;
    void *ask_user;
};

/* --- for the worker (ssh_link.c) -------------------------------------------------------------- */

#define SSH_IN_FLIGHT_MAX (4u << 20)

void request_free(struct request *r);
/* Next request in order, or NULL. Caller frees. */
struct request *link_take_request(struct ssh_link *l);
bool link_is_quitting(struct ssh_link *l);
/* May more output be posted? */
bool link_has_room(struct ssh_link *l);
struct message *message_new(int kind, const void *data, size_t len);
/* Takes ownership; NULL (out of memory) is passed over. */
void link_post(struct ssh_link *l, struct message *m);
void link_log(struct ssh_link *l, enum log_level level, const char *fmt, ...) CCALAB_PRINTF(3, 4);
/* Ask the person, waiting for the answer. False: nobody there, or quitting. Wipe `out` after use.
 */
bool link_ask(struct ssh_link *l, enum ssh_question kind, const char *prompt, char *out,
              size_t size);
/* The worker's last words: frees the link if the main thread has given it up. */
void link_drop(struct ssh_link *l);

/* --- the worker's parts ----------------------------------------------------------------------- */

/* ssh_worker.c: the thread. */
void *ssh_worker_main(void *link);
/* Wait until `fd` (-1: none) has one of `events`, the main thread has a request, or `ms` passed. */
void link_poll(struct ssh_link *l, int fd, short events, int ms);

/* ssh_connect.c: connect, check the host's key, authenticate. *is_final: trying again is of no use.
 * On success *out is a session in non-blocking mode. */
enum status ssh_open(struct ssh_link *l, ssh_session *out, char *address, size_t size,
                     bool *is_final, struct error *err);
/* ssh_auth.c: both as above, with the session connected. `deadline_ns` of the monotonic clock; a
 * person's time at a prompt is added to it. */
enum status ssh_check_host_key(struct ssh_link *l, ssh_session s, uint64_t *deadline_ns,
                               struct error *err);
enum status ssh_authenticate(struct ssh_link *l, ssh_session s, uint64_t deadline_ns,
                             struct error *err);
/* Wait for the session's socket, at most 100 ms, after a call that said SSH_AGAIN. False with *err
 * set: the deadline has passed or we are quitting. */
bool ssh_again(struct ssh_link *l, ssh_session s, uint64_t deadline_ns, const char *what,
               struct error *err);

#endif
