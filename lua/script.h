/* The scripting layer as the console sees it: one Lua state, tasks on the loop, one way in for
 * files and one for lines typed by hand. Thread: main only. */
#ifndef CCALAB_LUA_SCRIPT_H
#define CCALAB_LUA_SCRIPT_H

#include <uv.h>

#include "core/error.h"
#include "core/event.h"
#include "core/series.h"
#include "remote/host.h"

struct script;

struct script_opts {
    uv_loop_t *loop;
    struct bus *bus;           /* events of all jobs, and the script's own */
    struct series_set *series; /* what the plots show; filled from the bus by the caller */
    /* What the script prints, a piece of text with its newline. NULL: stdout. */
    void (*on_print)(void *user, const char *text, size_t len);
    void *user;
    bool can_ask;          /* a person sits at standard input, and nobody else reads it */
    size_t memory_bytes;   /* that scripts may keep; 0: 2 GiB */
    bool is_unsafe;        /* allow io.popen and os.execute */
    bool accepts_new_keys; /* hosts whose key is not known yet (docs/hosts.md) */
    /* Asks the person at the console, for `ask_user`; NULL: nobody is there. */
    ssh_ask_fn ask;
    void *ask_user;
};

/* Create the state with the prelude loaded. Errors: STATUS_INTERNAL (with Lua's message). */
CCALAB_MUST_USE enum status script_new(const struct script_opts *opts, struct script **out,
                                       struct error *err);
/* All tasks must have ended (script_cancel(), then run the loop until !script_is_busy()). */
void script_free(struct script *s);

/* The end of a task: STATUS_OK, or the error with a Lua traceback in `traceback` (else NULL).
 * `values` is the pretty-printed result of script_eval(), else NULL. */
typedef void (*script_done_fn)(void *user, const struct error *err, const char *traceback,
                               const char *values);

/* Run a file as a task; `argv` becomes the global table `arg` and the chunk's "...".
 * `done` comes once, later, from the loop. Errors at once: STATUS_IO, STATUS_SYNTAX. */
CCALAB_MUST_USE enum status script_run_file(struct script *s, const char *path, int argc,
                                            char *const argv[], script_done_fn done, void *user,
                                            struct error *err);
/* X(name, help): commands of ccalab that are Lua scripts, lua/commands/<name>.lua. */
#define SCRIPT_COMMANDS(X)                                                                         \
    X(api, "the manual of the Lua functions, and stubs of them for editors")                       \
    X(backbone, "download a pre-trained model onto a host")                                        \
    X(doctor, "are the hosts of a lab fit for it, and what would mend them?")                      \
    X(judge, "hold congestion controls against each other, over sets of scenarios")                \
    X(labs, "the course: labs to work through, each step checked by what is really there")         \
    X(pods, "rented machines with a GPU: prices, start, stop, what they cost")                     \
    X(qdisc, "the queue at a port of a host: show it, set it, watch it")                           \
    X(restore, "put hosts back as they were before a console changed them")                        \
    X(run, "run flows side by side on a lab's hosts, sample them, print the results")              \
    X(runs, "the records of runs: list, show, compare, export them")                               \
    X(test, "run the tests of a directory, each test_*.lua in a console of its own")               \
    X(train, "train the policy on another machine, and follow it there")

/* X(command, word): those that are a word of a command of C; their name is "command_word". */
#define SCRIPT_SUBCOMMANDS(X) X(testbed, bench)

/* The same for the command of that name; argv[0] is its first argument. */
CCALAB_MUST_USE enum status script_run_command(struct script *s, const char *name, int argc,
                                               char *const argv[], script_done_fn done, void *user,
                                               struct error *err);
/* Run a line typed by hand: "return LINE" first, then LINE. Errors at once: STATUS_SYNTAX. */
CCALAB_MUST_USE enum status script_eval(struct script *s, const char *line, script_done_fn done,
                                        void *user, struct error *err);
/* Stop every task with STATUS_INTERRUPTED: their jobs are cancelled, their <close> variables run.
 * `done` of each comes from the loop. */
void script_cancel(struct script *s);
/* Start putting back what typed lines have changed; for the console's end, before script_cancel(),
 * which does not stop it. */
void script_clean_up(struct script *s);
/* Does any task or job of a task still live? */
bool script_is_busy(const struct script *s);

/* Hosts that scripts have opened, in order; NULL at the end. */
struct host *script_host_at(const struct script *s, size_t index);

#endif
