/* Questions of hosts to the person at the console: one after the other, on the command line. An
 * answer is handed to the host and wiped; neither the history nor the log sees it. Thread: main. */
#ifndef CCALAB_CONSOLE_QUESTIONS_H
#define CCALAB_CONSOLE_QUESTIONS_H

#include "console/panel_command.h"
#include "remote/ssh.h"

struct question;

struct questions {
    struct question *first;
    struct panel_command *command; /* borrowed */
    bool is_shown;                 /* the first one is on the command line */
};

void questions_init(struct questions *q, struct panel_command *command);
/* Nobody answers any more. */
void questions_done(struct questions *q);
/* A ssh_ask_fn whose user is a struct questions. */
enum ssh_answer questions_add(void *user, struct ssh_link *link, enum ssh_question kind,
                              const char *prompt, char *out, size_t size);
/* Show the first one as soon as nothing is being typed. */
void questions_look(struct questions *q);
/* The command line's text is the answer to the one that is shown; or there is none. */
void questions_answer(struct questions *q, bool is_given);

#endif
