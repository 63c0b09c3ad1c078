#include "remote/detached.h"

#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "remote/shell.h"

#define SCRIPT_MAX (4u << 20)
#define SAID_MAX   4096
#define LOOK_MS    100
#define TRIES      3 /* followers that end without a word, one after the other */

enum phase { STARTING, FOLLOWING, WAITING, TIDYING, ENDING };

struct detached {
    struct process base;
    struct process_callbacks cb;
    void *user;
    uv_loop_t *loop;
    struct host *host;
    char id[DETACHED_ID_MAX + 1], what[64]; /* the command's name */
    enum phase phase;
    struct process *inner; /* what runs for us there now, or NULL */
    uint64_t at[2];        /* bytes of out and err that were handed on */
    /* The stream of the follower: "o LEN\n" or "e LEN\n" and so many bytes, or "x STATUS\n". */
    char head[32];
    size_t head_len;
    uint64_t left;
    int fd;
    struct buf said; /* its stderr */
    bool has_end, is_left;
    int signum, tries;
    struct process_end end;
    uv_timer_t timer;
};

/* --- the host's side -------------------------------------------------------------------------- */

static const char directory[] = "d=${XDG_CACHE_HOME:-$HOME/.cache}/ccalab/jobs/";

/* Is the leader in `pid` alive, and not another process of the same number? */
static const char is_alive[] =
    "alive() { read -r p s <\"$d/pid\" && read -r l <\"/proc/$p/stat\" && "
    "l=${l##*) } && set -- $l && test \"${20}\" = \"$s\"; } 2>/dev/null\n";

static const char supervisor[] =
    " </dev/null >\"$d/out\" 2>\"$d/err\" &\n"
    "p=$!\nread -r l <\"/proc/$p/stat\"; l=${l##*) }; set -- $l\n"
    "echo \"$p ${20}\" >\"$d/pid.new\"; mv \"$d/pid.new\" \"$d/pid\"\n"
    "wait $p; echo $? >\"$d/exit.new\"; mv \"$d/exit.new\" \"$d/exit\"\n";

static void write_launcher(struct buf *b, const struct detached_opts *o)
{
    const struct spawn_opts *w = o->what;
    struct buf s;
    buf_init(&s, b->max);
    buf_puts(&s, "d=$1; setsid");
    if (w->env && w->env[0])
        buf_puts(&s, " env");
    for (size_t i = 0; w->env && w->env[i]; i++) {
        buf_puts(&s, " ");
        shell_quote(&s, w->env[i]);
    }
    for (size_t i = 0; w->argv[i]; i++) {
        buf_puts(&s, " ");
        shell_quote(&s, w->argv[i]);
    }
    buf_puts(&s, supervisor);
    buf_printf(b, "%s%s\n", directory, o->id);
    if (w->cwd) {
        buf_puts(b, "cd -- ");
        shell_quote(b, w->cwd);
        buf_puts(b, " || exit 1\n");
    }
    buf_puts(b, "command -v ");
    shell_quote(b, w->argv[0]);
    buf_puts(b, " >/dev/null 2>&1 || exit 127\n"
                "command -v setsid >/dev/null 2>&1 || { echo no setsid there >&2; exit 1; }\n"
                "umask 077; mkdir -p \"${d%/*}\" && mkdir \"$d\" || exit 1\n"
                "date +%s >\"$d/began\"; : >\"$d/out\"; : >\"$d/err\"; printf %s ");
    shell_quote(b, o->label);
    buf_puts(b, " >\"$d/label\" || { rm -r \"$d\"; exit 1; }\nsetsid /bin/sh -c ");
    shell_quote(b, s.data);
    buf_puts(b, " sh \"$d\" </dev/null >/dev/null 2>&1 &\n");
    b->is_failed |= s.is_failed;
    buf_done(&s);
}

/* What has come is read once more after the end was seen: nothing is written after that. */
static const char follower[] =
    "piece() { n=$(($(wc -c <\"$d/$2\"))); test $n -gt $3 || return 0\n"
    "printf '%s %d\\n' $1 $((n - $3)); tail -c +$(($3 + 1)) \"$d/$2\" | head -c $((n - $3)); }\n"
    "test -d \"$d\" || { echo '? '; exit 0; }\n"
    "g=0; while :; do x=; test -e \"$d/exit\" && x=1\n"
    "n=$o; piece o out $o; o=$n; n=$e; piece e err $e; e=$n\n"
    "test $x && { read -r x <\"$d/exit\"; echo \"x $x\"; exit 0; }\n"
    "if alive; then g=0; else g=$((g + 1)); fi\n"
    "test $g -lt 30 || { echo 'l '; exit 0; }\n"
    "sleep 0.1; done\n";

static void write_follower(struct buf *b, const struct detached *d)
{
    buf_printf(b, "%s%s\no=%" PRIu64 " e=%" PRIu64 "\n%s%s", directory, d->id, d->at[0], d->at[1],
               is_alive, follower);
}

static void write_killer(struct buf *b, const struct detached *d, int signum)
{
    buf_printf(b,
               "%s%s\n%sfor i in 1 2 3 4 5 6 7 8 9 10; do test -e \"$d/exit\" && exit 0\n"
               "alive && exec kill -%d -- -$p; sleep 0.1; done\n",
               directory, d->id, is_alive, signum);
}

/* --- running parts of it ---------------------------------------------------------------------- */

static enum status run(struct detached *d, struct buf *script, const struct process_callbacks *cb,
                       void *user, struct process **out, struct error *err)
{
    const char *argv[] = {"/bin/sh", "-c", script->data, NULL};
    struct spawn_opts o = {.argv = argv};
    enum status st = script->is_failed
                         ? error_set(err, STATUS_NOMEM, "job", "the command is too long")
                         : host_spawn(d->host, d->loop, &o, cb, user, out, err);
    buf_done(script);
    return st;
}

static void on_closed(uv_handle_t *h)
{
    struct detached *d = h->data;
    d->cb.on_exit(d->user, &d->end);
    buf_done(&d->said);
    free(d);
}

static void finish(struct detached *d)
{
    d->phase = ENDING;
    uv_close((uv_handle_t *)&d->timer, on_closed);
}

static void finish_lost(struct detached *d, const struct error *why)
{
    d->end.exit_code = -1;
    error_set(&d->end.lost, STATUS_HOST, "job", "job %s goes on on %s, out of sight: %s", d->id,
              host_name(d->host), why->message);
    error_hint(&d->end.lost, "take it up again with host:attach(\"%s\")", d->id);
    finish(d);
}

static void left_there(struct detached *d)
{
    struct error why;
    error_set(&why, STATUS_INTERRUPTED, "job", "it was left there");
    finish_lost(d, &why);
}

static void ignore_output(void *user, int fd, const char *data, size_t len)
{
    (void)user;
    (void)fd;
    (void)data;
    (void)len;
}

static void ignore_exit(void *user, const struct process_end *end)
{
    (void)user;
    (void)end;
}

/* The wish is kept until there is a connection to send it over. */
static void send_signal(struct detached *d)
{
    struct process_callbacks cb = {ignore_output, ignore_exit};
    struct process *p;
    struct error ignored;
    struct buf b;
    if (!d->signum)
        return;
    buf_init(&b, SCRIPT_MAX);
    write_killer(&b, d, d->signum);
    if (run(d, &b, &cb, NULL, &p, &ignored) == STATUS_OK)
        d->signum = 0;
}

/* --- following -------------------------------------------------------------------------------- */

static void take_line(struct detached *d)
{
    const char *rest = d->head + 2;
    struct process_end *end = &d->end;
    switch (d->head[0]) {
    case 'o':
    case 'e':
        d->fd = d->head[0] == 'o' ? 1 : 2;
        d->left = strtoull(rest, NULL, 10);
        d->tries = 0;
        return;
    case 'x':
        d->has_end = true;
        end->exit_code = atoi(rest);
        if (end->exit_code > 128 && end->exit_code < 128 + 32) {
            end->exit_signal = end->exit_code - 128;
            end->exit_code = -1;
        }
        return;
    case 'l': /* killed with its supervisor, or the host was started anew */
        d->has_end = true;
        end->exit_code = -1;
        error_set(&end->lost, STATUS_HOST, "job",
                  "job %s is gone from %s without an exit status: was the host started anew?",
                  d->id, host_name(d->host));
        return;
    default:
        d->has_end = true;
        end->exit_code = -1;
        error_set(&end->lost, STATUS_HOST, "job", "%s has no job %s", host_name(d->host), d->id);
        error_hint(&end->lost, "host:jobs() lists them; one that was collected is gone");
    }
}

static void on_follower_output(void *user, int fd, const char *data, size_t len)
{
    struct detached *d = user;
    if (fd == 2)
        buf_append_tail(&d->said, data, len);
    for (size_t n; fd == 1 && len && !d->is_left; data += n, len -= n) {
        if (d->left) {
            n = len < d->left ? len : (size_t)d->left;
            d->left -= n;
            d->at[d->fd - 1] += n;
            d->cb.on_output(d->user, d->fd, data, n);
            continue;
        }
        n = 1;
        d->head[d->head_len++] = *data;
        if (*data == '\n' || d->head_len == sizeof d->head - 1) {
            d->head[d->head_len] = '\0';
            d->head_len = 0;
            take_line(d);
        }
    }
}

static void on_tidied(void *user, const struct process_end *end)
{
    struct detached *d = user;
    d->inner = NULL;
    if (end->lost.status == STATUS_OK)
        finish(d);
    /* else on_look() tries again, or leaves it there: it is listed, and can be collected again */
}

static void tidy(struct detached *d)
{
    struct process_callbacks cb = {ignore_output, on_tidied};
    struct error ignored;
    struct buf b;
    buf_init(&b, SCRIPT_MAX);
    buf_printf(&b, "%s%s\nrm -rf \"$d\"\n", directory, d->id);
    d->phase = TIDYING;
    if (run(d, &b, &cb, d, &d->inner, &ignored) != STATUS_OK)
        d->inner = NULL;
}

static void on_follower_exit(void *user, const struct process_end *end)
{
    struct detached *d = user;
    struct error why = end->lost;
    d->inner = NULL;
    d->head_len = 0;
    d->left = 0;
    if (d->has_end) {
        tidy(d);
        return;
    }
    if (d->is_left) {
        left_there(d);
        return;
    }
    if (why.status == STATUS_OK && ++d->tries >= TRIES) {
        char clean[200];
        error_set(&why, STATUS_HOST, "job", "following it fails: %s",
                  log_escape(d->said.data, clean, sizeof clean));
        finish_lost(d, &why);
        return;
    }
    d->phase = WAITING;
}

static void follow(struct detached *d)
{
    struct process_callbacks cb = {on_follower_output, on_follower_exit};
    struct error ignored;
    struct buf b;
    buf_init(&b, SCRIPT_MAX);
    write_follower(&b, d);
    buf_clear(&d->said);
    d->phase = run(d, &b, &cb, d, &d->inner, &ignored) == STATUS_OK ? FOLLOWING : WAITING;
    if (d->phase == FOLLOWING)
        send_signal(d);
}

static void on_look(uv_timer_t *t)
{
    struct detached *d = t->data;
    bool is_up = host_state(d->host) == HOST_STATE_UP;
    bool is_down = host_state(d->host) == HOST_STATE_DOWN;
    if (d->inner || (!is_up && !is_down))
        return;
    if (d->phase == WAITING && is_up)
        follow(d);
    else if (d->phase == WAITING)
        finish_lost(d, host_why(d->host));
    else if (d->phase == TIDYING && is_up)
        tidy(d);
    else if (d->phase == TIDYING)
        finish(d);
}

/* --- starting --------------------------------------------------------------------------------- */

static void on_launcher_output(void *user, int fd, const char *data, size_t len)
{
    (void)fd;
    buf_append_tail(&((struct detached *)user)->said, data, len);
}

static void on_launcher_exit(void *user, const struct process_end *end)
{
    struct detached *d = user;
    char clean[300];
    d->inner = NULL;
    if (end->lost.status == STATUS_HOST && !d->is_left) {
        d->phase = WAITING; /* it may have begun all the same */
        return;
    }
    if (end->exit_code == 0 && d->is_left) {
        left_there(d);
        return;
    }
    if (end->exit_code == 0) {
        follow(d);
        return;
    }
    d->end.exit_code = -1;
    if (end->lost.status != STATUS_OK)
        d->end.lost = end->lost;
    else if (end->exit_code == 127)
        error_set(&d->end.lost, STATUS_UNAVAILABLE, "job", "command not found on %s: %s",
                  host_name(d->host), d->what);
    else
        error_set(&d->end.lost, STATUS_HOST, "job", "cannot start job %s on %s: %s", d->id,
                  host_name(d->host), log_escape(d->said.data, clean, sizeof clean));
    finish(d);
}

static void detached_kill(struct process *p, int signum)
{
    struct detached *d = (struct detached *)p;
    if (d->phase == TIDYING && !d->inner)
        finish(d);
    if (d->phase == ENDING || d->phase == TIDYING)
        return;
    d->signum = signum;
    if (d->phase == FOLLOWING)
        send_signal(d);
    else if (d->phase == WAITING && signum == SIGKILL)
        finish_lost(d, host_why(d->host));
}

static void detached_leave(struct process *p)
{
    struct detached *d = (struct detached *)p;
    if (d->phase == TIDYING && !d->inner)
        finish(d);
    if (d->phase == ENDING || d->phase == TIDYING)
        return;
    d->is_left = true;
    if (d->phase == STARTING)
        return; /* as soon as it has started */
    if (d->inner)
        d->inner->kill(d->inner, SIGKILL); /* it has nothing to tidy up */
    else
        left_there(d);
}

bool detached_is_id(const char *id)
{
    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    return n && n <= DETACHED_ID_MAX && !id[n] && isalnum((unsigned char)id[0]);
}

enum status detached_start(struct host *host, uv_loop_t *loop, void *opts,
                           const struct process_callbacks *cb, void *user, struct process **out,
                           struct error *err)
{
    const struct detached_opts *o = opts;
    const struct process_callbacks launched = {on_launcher_output, on_launcher_exit},
                                   followed = {on_follower_output, on_follower_exit};
    struct buf b;
    if (!detached_is_id(o->id)) {
        error_set(err, STATUS_INPUT, "job", "'%.80s' is no name for a job", o->id);
        return error_hint(err, "letters, digits, '-', '_' and '.', at most %d", DETACHED_ID_MAX);
    }
    struct detached *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(err, STATUS_NOMEM, "job", "out of memory");
    *d = (struct detached){.base = {.kill = detached_kill, .leave = detached_leave},
                           .cb = *cb,
                           .user = user,
                           .loop = loop,
                           .host = host,
                           .phase = o->what ? STARTING : FOLLOWING,
                           .at = {o->out_from, o->err_from}};
    snprintf(d->id, sizeof d->id, "%s", o->id);
    snprintf(d->what, sizeof d->what, "%s", o->what ? o->what->argv[0] : "");
    buf_init(&d->said, SAID_MAX);
    buf_init(&b, SCRIPT_MAX);
    if (o->what)
        write_launcher(&b, o);
    else
        write_follower(&b, d);
    enum status st = run(d, &b, o->what ? &launched : &followed, d, &d->inner, err);
    if (st != STATUS_OK) {
        buf_done(&d->said);
        free(d);
        return st;
    }
    uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    uv_timer_start(&d->timer, on_look, LOOK_MS, LOOK_MS);
    *out = &d->base;
    return STATUS_OK;
}
