/* ccalab keys: the keys as a file to begin with, as a page of the manual, and the user's file
 * checked. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "console/keymap.h"
#include "console/view.h"
#include "core/buf.h"
#include "core/paths.h"

static const struct {
    enum action_where where;
    const char *name;
} screens[] = {
#define X(id, name, label) {ACTION_IN_##id, label},
    CCALAB_VIEWS(X)
#undef X
        {ACTION_IN_ALONE, "ccalab packets"},
};

/* "every screen", "Packets, Log". */
static char *where_text(enum action_where where, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    if ((where & ACTION_IN_CONSOLE) == ACTION_IN_CONSOLE) {
        snprintf(out, size, "every screen");
        return out;
    }
    for (size_t i = 0; i < sizeof screens / sizeof screens[0] && n < size; i++)
        if (where & screens[i].where)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", screens[i].name);
    return out;
}

static void print_file(void)
{
    char path[CCALAB_PATH_MAX], where[128];

    printf("# The keys of ccalab as they are without this file%s%s.\n"
           "# A line is a key and an action; \"none\" takes a key away.\n",
           keymap_path(path, sizeof path) ? ", which belongs at\n# " : "",
           keymap_path(path, sizeof path) ? path : "");
    for (int i = 0; i < ACTION_COUNT; i++) {
        printf("\n# %s (%s)\n", actions[i].help, where_text(actions[i].where, where, sizeof where));
        for (size_t k = 0; k < action_keys_len; k++)
            if ((int)action_keys[k].action == i)
                printf("%s %s\n", action_keys[k].label, actions[i].name);
    }
}

static void print_markdown(void)
{
    char labels[64], where[128];

    printf("# The keys\n\nMade by `ccalab keys --markdown` from console/action.def. How to change "
           "them: [console.md](console.md).\n\n"
           "| keys | action | where | |\n|---|---|---|---|\n");
    for (int i = 0; i < ACTION_COUNT; i++) {
        keymap_labels((enum action_id)i, labels, sizeof labels);
        printf("| ");
        for (char *word = labels; *word;) {
            size_t n = strcspn(word, " ");

            printf("%s`%.*s`", word > labels ? " " : "", (int)n, word);
            word += n + (word[n] == ' ');
        }
        printf(" | `%s` | %s | %s |\n", actions[i].name,
               where_text(actions[i].where, where, sizeof where), actions[i].help);
    }
}

/* A text of roff(7) without requests and with dashes that can be copied. */
static void put_roff(const char *s)
{
    if (*s == '.' || *s == '\'')
        fputs("\\&", stdout);
    for (; *s; s++) {
        if (*s == '\\')
            fputs("\\e", stdout);
        else if (*s == '-')
            fputs("\\-", stdout);
        else
            putchar(*s);
    }
}

static void print_man(void)
{
    char labels[64], where[128];

    puts(".TH CCALAB\\-KEYS 7 \"\" ccalab\n.SH NAME\nccalab\\-keys \\- the keys and actions of the "
         "console\n.SH DESCRIPTION\nThe name of an action can be typed after \\fB:\\fR too. In\n"
         ".I $XDG_CONFIG_HOME/ccalab/keys\na line \"KEY ACTION\" gives an action another key; "
         "\"KEY none\" takes one away.\n\\fBccalab keys\\fR prints such a file, \\fBccalab keys "
         "\\-\\-check\\fR looks for mistakes in yours.\n.SH KEYS");
    for (int i = 0; i < ACTION_COUNT; i++) {
        fputs(".TP\n\\fB", stdout);
        put_roff(keymap_labels((enum action_id)i, labels, sizeof labels));
        fputs("\\fR  ", stdout);
        put_roff(actions[i].name);
        putchar('\n');
        put_roff(actions[i].help);
        fputs(" (", stdout);
        put_roff(where_text(actions[i].where, where, sizeof where));
        puts(")");
    }
}

static void on_fault(void *user, int line, const char *text)
{
    const char *path = user;

    if (line)
        printf("%s:%d: %s\n", path, line, text);
    else
        printf("%s: %s\n", path, text);
}

static int check(char *path)
{
    struct buf b;
    struct error err;
    enum status st = buf_read_file(&b, path, KEYMAP_FILE_MAX, &err);
    int faults = 0;

    if (st == STATUS_OK) {
        faults = keymap_take(b.data, on_fault, path);
        printf("%s: %d fault%s\n", path, faults, faults == 1 ? "" : "s");
    } else {
        error_print(stderr, &err);
    }
    buf_done(&b);
    return status_exit_code(st != STATUS_OK ? st : faults ? STATUS_INPUT : STATUS_OK);
}

static int usage(FILE *f, int code)
{
    fputs("usage: ccalab keys             the keys as a file, to begin one with\n"
          "       ccalab keys --check [FILE]  is the file right? Without one: yours\n"
          "       ccalab keys --markdown      a table of them\n"
          "       ccalab keys --man           a page of the manual, ccalab-keys(7)\n",
          f);
    return code;
}

int keymap_main(int argc, char **argv)
{
    char path[CCALAB_PATH_MAX];
    const char *word = argc > 1 ? argv[1] : "";
    struct error err;

    if (argc > 1 && !strcmp(word, "--check") && argc <= 3) {
        if (argc == 3)
            return check(argv[2]);
        if (keymap_path(path, sizeof path))
            return check(path);
        error_set(&err, STATUS_USAGE, "keys", "there is no place for a file of your own");
        error_print(stderr, &err);
        return status_exit_code(STATUS_USAGE);
    }
    if (argc > 2 || (argc == 2 && strcmp(word, "--markdown") && strcmp(word, "--man") &&
                     strcmp(word, "--help") && strcmp(word, "-h")))
        return usage(stderr, status_exit_code(STATUS_USAGE));
    if (!strcmp(word, "--help") || !strcmp(word, "-h"))
        usage(stdout, 0);
    else if (!strcmp(word, "--markdown"))
        print_markdown();
    else if (!strcmp(word, "--man"))
        print_man();
    else
        print_file();
    if (fflush(stdout)) {
        error_sys(&err, STATUS_IO, errno, "keys", "standard output");
        error_print(stderr, &err);
        return status_exit_code(STATUS_IO);
    }
    return 0;
}
