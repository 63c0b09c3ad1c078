#include "remote/shell.h"

#include <string.h>

void shell_quote(struct buf *b, const char *word)
{
    buf_puts(b, "'");
    for (;;) {
        size_t n = strcspn(word, "'");
        buf_append(b, word, n);
        if (!word[n])
            break;
        buf_puts(b, "'\\''");
        word += n + 1;
    }
    buf_puts(b, "'");
}

/* The watcher is nobody's child (a command that waits for all its children must not wait for it)
 * but in the command's group, which so keeps its number: the leader's pid cannot be another
 * process's while the watcher lives. */
static const char watcher[] =
    "exec 3<&0\n"
    "( (trap '' TERM INT HUP QUIT USR1 USR2 PIPE; exec >/dev/null 2>&1\n"
    "while read -r s; do kill \"-$s\" \"-$$\"; done\n"
    "kill -0 $$ && { kill -15 \"-$$\"; sleep 2; kill -9 \"-$$\"; } ) <&3 & )\n";

void shell_script(struct buf *b, const char *nonce, const struct spawn_opts *o)
{
    struct buf s;
    buf_init(&s, b->max);
    buf_puts(&s, "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n");
    buf_puts(&s, watcher);
    if (o->cwd) {
        buf_puts(&s, "cd -- ");
        shell_quote(&s, o->cwd);
        buf_printf(&s, " || { echo ccalab:%s:cwd; exit 1; }\n", nonce);
    }
    buf_puts(&s, "command -v ");
    shell_quote(&s, o->argv[0]);
    buf_printf(&s,
               " >/dev/null 2>&1 || { echo ccalab:%s:missing; exit 127; }\n"
               "echo ccalab:%s:$$\nexec",
               nonce, nonce);
    if (o->env && o->env[0])
        buf_puts(&s, " env");
    for (size_t i = 0; o->env && o->env[i]; i++) {
        buf_puts(&s, " ");
        shell_quote(&s, o->env[i]);
    }
    for (size_t i = 0; o->argv[i]; i++) {
        buf_puts(&s, " ");
        shell_quote(&s, o->argv[i]);
    }
    buf_puts(&s, " </dev/null 3<&-\n");
    /* sshd makes the shell a session leader; where it does not, setsid(1) does. */
    buf_puts(b, "s=");
    shell_quote(b, s.data);
    buf_puts(b, "\nread -r a a a a g a </proc/$$/stat\n"
                "if [ \"${g:-$$}\" = $$ ] || ! command -v setsid >/dev/null\n"
                "then eval \"$s\"\nelse exec setsid /bin/sh -c \"$s\"\nfi\n");
    b->is_failed |= s.is_failed;
    buf_done(&s);
}
