#define NCURSES_WIDECHAR 1
#include "console/line_keys.h"

#include <ncurses.h>

#include "console/term.h"
#include "core/clock.h"

/* Without another key for so long a paste is over, even if its end was lost. */
#define PASTE_GAP_NS 1000000000u

static const struct {
    bool is_code;
    wint_t key;
    enum line_edit edit;
} edits[] = {
    {true, KEY_LEFT, LINE_EDIT_LEFT},
    {true, KEY_RIGHT, LINE_EDIT_RIGHT},
    {true, KEY_HOME, LINE_EDIT_HOME},
    {true, KEY_END, LINE_EDIT_END},
    {true, KEY_UP, LINE_EDIT_OLDER},
    {true, KEY_DOWN, LINE_EDIT_NEWER},
    {true, KEY_BACKSPACE, LINE_EDIT_BACKSPACE},
    {true, KEY_DC, LINE_EDIT_DELETE},
    /* The control keys of readline(3). */
    {false, 127, LINE_EDIT_BACKSPACE},
    {false, 'H' - '@', LINE_EDIT_BACKSPACE},
    {false, 'A' - '@', LINE_EDIT_HOME},
    {false, 'B' - '@', LINE_EDIT_LEFT},
    {false, 'D' - '@', LINE_EDIT_DELETE},
    {false, 'E' - '@', LINE_EDIT_END},
    {false, 'F' - '@', LINE_EDIT_RIGHT},
    {false, 'K' - '@', LINE_EDIT_KILL_AFTER},
    {false, 'N' - '@', LINE_EDIT_NEWER},
    {false, 'P' - '@', LINE_EDIT_OLDER},
    {false, 'R' - '@', LINE_EDIT_SEARCH},
    {false, 'U' - '@', LINE_EDIT_KILL_BEFORE},
    {false, 'W' - '@', LINE_EDIT_KILL_WORD},
};

static void paste(struct line_editor *le, bool is_code, wint_t key)
{
    uint32_t last = le->pasted;

    if (is_code)
        return;
    le->pasted = (uint32_t)key;
    if (key == '\n' && last == '\r')
        return; /* one newline, not two */
    if (key == '\t')
        for (int i = 0; i < 4; i++)
            line_editor_insert(le, ' ');
    else
        line_editor_insert(le, key == '\r' ? '\n' : (uint32_t)key);
}

enum line_key line_keys_do(struct line_editor *le, bool is_code, wint_t key)
{
    uint64_t now = clock_mono_ns();

    if (is_code && key == TERM_KEY_PASTE) {
        line_editor_do(le, LINE_EDIT_SEARCH_KEEP);
        le->is_pasting = true;
        le->pasted = 0;
        le->pasted_ns = now;
        return LINE_KEY_OTHER;
    }
    if (le->is_pasting) {
        le->is_pasting =
            !(is_code && key == TERM_KEY_PASTE_END) && now - le->pasted_ns < PASTE_GAP_NS;
        le->pasted_ns = now;
        if (le->is_pasting)
            paste(le, is_code, key);
        if (le->is_pasting || (is_code && key == TERM_KEY_PASTE_END))
            return LINE_KEY_OTHER;
    }
    if ((!is_code && (key == '\r' || key == '\n')) || (is_code && key == KEY_ENTER)) {
        line_editor_do(le, LINE_EDIT_SEARCH_KEEP);
        return LINE_KEY_ENTER;
    }
    if (!is_code && (key == 27 || key == 3 || key == 'G' - '@'))
        return line_editor_do(le, LINE_EDIT_SEARCH_LEAVE) || key == 'G' - '@' ? LINE_KEY_OTHER
                                                                              : LINE_KEY_LEAVE;
    if (!is_code && key == '\t') {
        line_editor_do(le, LINE_EDIT_SEARCH_KEEP);
        return LINE_KEY_COMPLETE;
    }
    if (!is_code && key == 'O' - '@') {
        line_editor_do(le, LINE_EDIT_SEARCH_KEEP);
        line_editor_insert(le, '\n');
        return LINE_KEY_OTHER;
    }
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        if (edits[i].is_code == is_code && edits[i].key == key) {
            line_editor_do(le, edits[i].edit);
            return LINE_KEY_OTHER;
        }
    }
    if (!is_code)
        line_editor_insert(le, (uint32_t)key);
    return LINE_KEY_OTHER;
}
