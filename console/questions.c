#include "console/questions.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"

struct question {
    struct question *next;
    struct ssh_link *link;
    bool is_secret;
    char text[]; /* the prompt's last line */
};

void questions_init(struct questions *q, struct panel_command *command)
{
    *q = (struct questions){.command = command};
}

static void drop_first(struct questions *q)
{
    struct question *first = q->first;

    q->first = first->next;
    free(first);
}

void questions_done(struct questions *q)
{
    while (q->first)
        drop_first(q);
}

enum ssh_answer questions_add(void *user, struct ssh_link *link, enum ssh_question kind,
                              const char *prompt, char *out, size_t size)
{
    struct questions *q = user;
    struct question **at = &q->first, *new;
    const char *nl;
    char clean[512];

    (void)out;
    (void)size;
    for (; (nl = strchr(prompt, '\n')); prompt = nl + 1) {
        char line[512];

        snprintf(line, sizeof line, "%.*s", (int)(nl - prompt), prompt);
        log_warn("%s", log_escape(line, clean, sizeof clean));
    }
    log_escape(prompt, clean, sizeof clean);
    new = calloc(1, sizeof *new + strlen(clean) + 1);
    if (!new)
        return SSH_ANSWER_NONE;
    new->link = link;
    new->is_secret = kind == SSH_QUESTION_SECRET;
    strcpy(new->text, clean);
    while (*at)
        at = &(*at)->next;
    *at = new;
    return SSH_ANSWER_LATER;
}

void questions_look(struct questions *q)
{
    if (!q->first || q->is_shown || q->command->is_active)
        return;
    q->is_shown = true;
    panel_command_ask(q->command, q->first->text, q->first->is_secret);
}

void questions_answer(struct questions *q, bool is_given)
{
    struct ssh_link *link = q->first->link;

    q->is_shown = false;
    panel_command_close(q->command);
    drop_first(q);
    ssh_link_answer(link, is_given ? q->command->editor.text : NULL);
    explicit_bzero(q->command->editor.text, sizeof q->command->editor.text);
    line_editor_clear(&q->command->editor);
}
