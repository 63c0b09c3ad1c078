#define NCURSES_WIDECHAR 1
#include "console/keymap.h"

#include <ncurses.h>
#include <string.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/paths.h"
#include "core/suggest.h"

#define KEYMAP_MAX 512

struct binding {
    enum action_id action;
    int code;
    char label[KEYMAP_NAME_MAX];
    int line; /* of the user's file; 0: of action.def */
};

static struct {
    struct binding at[KEYMAP_MAX]; /* the user's first */
    size_t len, own;
} map;

static const struct {
    const char *name;
    int code;
} names[] = {
    {"Tab", '\t'},        {"S-Tab", KEY_BTAB},   {"Enter", '\r'},         {"Esc", 27},
    {"Space", ' '},       {"Up", KEY_UP},        {"Down", KEY_DOWN},      {"Left", KEY_LEFT},
    {"Right", KEY_RIGHT}, {"Home", KEY_HOME},    {"End", KEY_END},        {"PgUp", KEY_PPAGE},
    {"PgDn", KEY_NPAGE},  {"Ins", KEY_IC},       {"Del", KEY_DC},         {"S-Up", KEY_SR},
    {"S-Down", KEY_SF},   {"S-Left", KEY_SLEFT}, {"Back", KEY_BACKSPACE}, {"S-Right", KEY_SRIGHT},
};

bool keymap_parse_key(const char *name, size_t len, int *code)
{
    int number = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) == len && !strncmp(names[i].name, name, len)) {
            *code = names[i].code;
            return true;
        }
    }
    if (len == 1 && name[0] > ' ' && name[0] < 0x7f)
        *code = name[0];
    else if (len == 2 && name[0] == '^' && name[1] >= 'A' && name[1] <= 'Z')
        *code = name[1] - '@';
    else if ((len == 2 || len == 3) && name[0] == 'F' && sscanf(name + 1, "%2d", &number) == 1 &&
             number >= 1 && number <= 63 && len == (number < 10 ? 2 : 3))
        *code = KEY_F(number);
    else
        return false;
    return true;
}

void keymap_reset(void)
{
    map.len = map.own = 0;
    for (size_t i = 0; i < action_keys_len; i++) {
        struct binding *b = &map.at[map.len++];

        *b = (struct binding){.action = action_keys[i].action, .code = action_keys[i].code};
        snprintf(b->label, sizeof b->label, "%s", action_keys[i].label);
    }
}

static void ready(void)
{
    if (!map.len)
        keymap_reset();
}

enum action_id keymap_action(enum action_where where, int code)
{
    ready();
    for (size_t i = 0; i < map.len; i++)
        if (map.at[i].code == code && map.at[i].action != ACTION_NONE &&
            actions[map.at[i].action].where & where)
            return map.at[i].action;
    return ACTION_NONE;
}

char *keymap_labels(enum action_id id, char *out, size_t size)
{
    size_t len = 0;

    ready();
    out[0] = '\0';
    for (size_t i = 0; i < map.len && len < size; i++)
        if (map.at[i].action == id)
            len += (size_t)snprintf(out + len, size - len, "%s%s", len ? " " : "", map.at[i].label);
    return out;
}

const char *keymap_label(enum action_id id)
{
    ready();
    for (size_t i = 0; i < map.len; i++)
        if (map.at[i].action == id)
            return map.at[i].label;
    return "";
}

/* --- the user's file -------------------------------------------------------------------------- */

struct taking {
    keymap_fault_fn fault;
    void *user;
    int line, faults;
};

static void complain(struct taking *t, int line, const char *fmt, ...) CCALAB_PRINTF(3, 4);

static void complain(struct taking *t, int line, const char *fmt, ...)
{
    char text[256], clean[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    t->faults++;
    t->fault(t->user, line, log_escape(text, clean, sizeof clean));
}

static bool do_share(enum action_id a, enum action_id b)
{
    enum action_where in_a = a == ACTION_NONE ? ACTION_IN_ALL : actions[a].where;

    return in_a & (b == ACTION_NONE ? ACTION_IN_ALL : actions[b].where);
}

static const char *name_of(enum action_id id)
{
    return id == ACTION_NONE ? "none" : actions[id].name;
}

static void drop(size_t i)
{
    memmove(&map.at[i], &map.at[i + 1], (map.len - i - 1) * sizeof map.at[0]);
    map.len--;
}

static void bind(struct taking *t, int code, const char *label, size_t label_len, enum action_id id)
{
    struct binding new = {.action = id, .code = code, .line = t->line};

    for (size_t i = 0; i < map.own; i++) {
        if (map.at[i].code == code && do_share(map.at[i].action, id)) {
            complain(t, t->line, "%.*s is %s already, by line %d", (int)label_len, label,
                     name_of(map.at[i].action), map.at[i].line);
            return;
        }
    }
    if (map.len == KEYMAP_MAX) {
        complain(t, t->line, "too many keys");
        return;
    }
    for (size_t i = map.own; i < map.len;) {
        if (map.at[i].code == code && do_share(map.at[i].action, id))
            drop(i);
        else
            i++;
    }
    snprintf(new.label, sizeof new.label, "%.*s", (int)label_len, label);
    memmove(&map.at[map.own + 1], &map.at[map.own], (map.len - map.own) * sizeof map.at[0]);
    map.at[map.own++] = new;
    map.len++;
}

static void unknown_action(struct taking *t, const char *name, size_t len)
{
    const char *all[ACTION_COUNT + 1] = {0}, *meant;
    char word[64];

    for (int i = 0; i < ACTION_COUNT; i++)
        all[i] = actions[i].name;
    snprintf(word, sizeof word, "%.*s", (int)len, name);
    meant = did_you_mean(word, all);
    complain(t, t->line, "no action is called %s%s%s%s", word, meant ? "; did you mean " : "",
             meant ? meant : "", meant ? "?" : "");
}

static void take_line(struct taking *t, const char *s, size_t len)
{
    static const char blanks[] = " \t\r";
    size_t key_len, name_len, gap;
    enum action_id id;
    const char *name;
    int code;

    while (len && strchr(blanks, s[len - 1]))
        len--;
    while (len && strchr(blanks, *s)) {
        s++;
        len--;
    }
    for (key_len = 0; key_len < len && !strchr(blanks, s[key_len]);)
        key_len++;
    for (gap = key_len; gap < len && strchr(blanks, s[gap]);)
        gap++;
    name = s + gap;
    name_len = len - gap;
    id = action_named(name, name_len);
    /* "# zoom" binds the key '#'; everything else behind it is a comment. */
    if (!len || (s[0] == '#' && (key_len > 1 || id == ACTION_NONE)))
        return;
    if (!name_len)
        complain(t, t->line, "a key and an action are wanted: \"F2 zoom\"");
    else if (!keymap_parse_key(s, key_len, &code))
        complain(t, t->line, "no key is called %.*s", key_len < 40 ? (int)key_len : 40, s);
    else if (id == ACTION_NONE && (name_len != 4 || strncmp(name, "none", 4)))
        unknown_action(t, name, name_len);
    else
        bind(t, code, s, key_len, id);
}

int keymap_take(const char *text, keymap_fault_fn fault, void *user)
{
    struct taking t = {.fault = fault, .user = user};

    ready();
    while (*text) {
        size_t len = strcspn(text, "\n");

        t.line++;
        take_line(&t, text, len);
        text += len + (text[len] == '\n');
    }
    for (size_t i = 0; i < action_keys_len; i++) {
        enum action_id id = action_keys[i].action;

        if (!keymap_label(id)[0] && (!i || action_keys[i - 1].action != id))
            complain(&t, 0, "%s has no key any more", actions[id].name);
    }
    return t.faults;
}

bool keymap_path(char *out, size_t size)
{
    char dir[CCALAB_PATH_MAX];

    return paths_config(dir, sizeof dir) && path_join(out, size, dir, "keys");
}

int keymap_load(keymap_fault_fn fault, void *user)
{
    char path[CCALAB_PATH_MAX];
    struct buf b;
    int faults = 0;

    keymap_reset();
    if (!keymap_path(path, sizeof path))
        return 0;
    if (buf_read_file(&b, path, KEYMAP_FILE_MAX, NULL) == STATUS_OK)
        faults = keymap_take(b.data, fault, user);
    buf_done(&b);
    return faults;
}
