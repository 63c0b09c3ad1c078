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
/* The same for the command `name` of lua/commands.def, or "command_word" of lua/subcommands.def;
 * argv[0] is its first argument. */
CCALAB_MUST_USE enum status script_run_command(struct script *s, const char *name, int argc,
                                               char *const argv[], script_done_fn done, void *user,
                                               struct error *err);
/* Run what was typed by hand, a line or several: "return TEXT" first, then TEXT. Its first value
 * becomes the global `_`. A `local` that is lost at its end is warned of in the log.
 * Errors at once: STATUS_SYNTAX. */
CCALAB_MUST_USE enum status script_eval(struct script *s, const char *line, script_done_fn done,
                                        void *user, struct error *err);
/* Is it the beginning of something, to which lines are missing ("for i = 1, 3 do")? */
bool script_is_incomplete(struct script *s, const char *text);

/* What could be typed at a place of a line. */
struct script_words {
    size_t start; /* bytes before the word that a completion replaces */
    char **word;  /* sorted; each begins with what is there of it */
    size_t len;   /* at most 200 */
    char *hint;   /* signature of the function that is being called, or NULL */
};

/* Complete names: of globals, of what is in live values (read without running any code of theirs),
 * of the manual's options of a call. `cursor` is in bytes. Nothing is found when memory is out.
 * script_words_done() frees it; that of a struct of zeros does nothing. */
void script_complete(struct script *s, const char *text, size_t cursor, struct script_words *out);
void script_words_done(struct script_words *w);

/* What a screen asks of the prelude: lab._screen[name](argument), which must not wait. `argument`
 * is borrowed and may be NULL. *out is to be deleted. Errors: STATUS_FAIL with Lua's message. */
CCALAB_MUST_USE enum status script_ask(struct script *s, const char *name, const cJSON *argument,
                                       cJSON **out, struct error *err);

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
