#include "remote/ssh_config.h"

#include <ctype.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/paths.h"

#define FILE_MAX      (1u << 20)
#define INCLUDE_DEPTH 16
#define FILES_MAX     64 /* a file that includes itself twice would be read 2^16 times */
#define IGNORED_MAX   2048

/* What libssh 0.10 follows (or ssh_open() does in its place). */
static const char *const followed[] = {"hostname",
                                       "port",
                                       "user",
                                       "identityfile",
                                       "identitiesonly",
                                       "identityagent",
                                       "ciphers",
                                       "macs",
                                       "compression",
                                       "connecttimeout",
                                       "stricthostkeychecking",
                                       "userknownhostsfile",
                                       "globalknownhostsfile",
                                       "proxycommand",
                                       "proxyjump",
                                       "loglevel",
                                       "hostkeyalgorithms",
                                       "kexalgorithms",
                                       "kbdinteractiveauthentication",
                                       "passwordauthentication",
                                       "pubkeyauthentication",
                                       "pubkeyacceptedalgorithms",
                                       "pubkeyacceptedkeytypes",
                                       "rekeylimit",
                                       NULL};

void ssh_config_facts_init(struct ssh_config_facts *f)
{
    *f = (struct ssh_config_facts){0};
    buf_init(&f->ignored, IGNORED_MAX);
}

void ssh_config_facts_done(struct ssh_config_facts *f)
{
    buf_done(&f->ignored);
}

/* Take the next word off *text: blanks and one '=' separate, double quotes hold together. */
static char *next_word(char **text)
{
    char *p = *text + strspn(*text, " \t=\r");
    if (!*p || *p == '#')
        return NULL;
    char *word = p;
    if (*p == '"') {
        word = ++p;
        p += strcspn(p, "\"");
    } else {
        p += strcspn(p, " \t=\r");
    }
    if (*p)
        *p++ = '\0';
    *text = p;
    return word;
}

static bool does_host_match(char *patterns, const char *host)
{
    bool does = false;
    for (char *w; (w = next_word(&patterns));) {
        bool is_negated = *w == '!';
        if (fnmatch(w + is_negated, host, FNM_CASEFOLD) == 0) {
            if (is_negated)
                return false;
            does = true;
        }
    }
    return does;
}

static void note_ignored(struct ssh_config_facts *f, const char *keyword)
{
    for (size_t i = 0; followed[i]; i++)
        if (strcasecmp(keyword, followed[i]) == 0)
            return;
    if (strcasestr(f->ignored.data, keyword))
        return;
    if (f->ignored.len)
        buf_puts(&f->ignored, ", ");
    buf_puts(&f->ignored, keyword);
}

static void scan(struct ssh_config_facts *f, const char *path, const char *dir, const char *host,
                 int depth);

static void include(struct ssh_config_facts *f, char *patterns, const char *dir, const char *host,
                    int depth)
{
    for (char *w; (w = next_word(&patterns));) {
        char path[CCALAB_PATH_MAX];
        glob_t g;
        if (*w == '/' || *w == '~')
            snprintf(path, sizeof path, "%s", w);
        else if (!path_join(path, sizeof path, dir, w))
            continue;
        if (glob(path, GLOB_TILDE, NULL, &g) == 0) {
            for (size_t i = 0; i < g.gl_pathc; i++)
                scan(f, g.gl_pathv[i], dir, host, depth + 1);
            globfree(&g);
        }
    }
}

static void scan(struct ssh_config_facts *f, const char *path, const char *dir, const char *host,
                 int depth)
{
    struct buf text;
    bool is_active = true;
    if (depth > INCLUDE_DEPTH || ++f->nfiles > FILES_MAX)
        return;
    if (buf_read_file(&text, path, FILE_MAX, NULL) != STATUS_OK) {
        buf_done(&text);
        return;
    }
    for (char *line = text.data, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        char *keyword = next_word(&line);
        if (!keyword)
            continue;
        if (strcasecmp(keyword, "host") == 0) {
            is_active = does_host_match(line, host);
        } else if (strcasecmp(keyword, "match") == 0) {
            is_active = true;
        } else if (!is_active) {
            continue;
        } else if (strcasecmp(keyword, "include") == 0) {
            include(f, line, dir, host, depth);
        } else if (strcasecmp(keyword, "identitiesonly") == 0) {
            const char *value = next_word(&line);
            if (!f->has_identities_only)
                f->is_identities_only = value && strcasecmp(value, "yes") == 0;
            f->has_identities_only = true;
        } else {
            note_ignored(f, keyword);
        }
    }
    buf_done(&text);
}

void ssh_config_scan(struct ssh_config_facts *f, const char *path, const char *dir,
                     const char *host)
{
    scan(f, path, dir, host, 0);
}
