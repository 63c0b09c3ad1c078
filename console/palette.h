/* What is typed after ':' and names an action: which ones are meant, shown above the command line.
 * Everything else there is Lua. Thread: main only. */
#ifndef CCALAB_CONSOLE_PALETTE_H
#define CCALAB_CONSOLE_PALETTE_H

#include "console/action.h"
#include "console/line_editor.h"
#include "console/theme.h"

#define PALETTE_ROWS 8

struct palette {
    enum action_id found[ACTION_COUNT]; /* the best first */
    int n;
};

/* Find the actions of the screens `where` that `text` may be the beginning of, or whose letters it
 * has in their order. Returns whether there are other ones than before. */
bool palette_find(struct palette *p, enum action_where where, const char *text);
/* Tab: complete the line as far as all that begin like it agree; else take the best one. False: no
 * action is meant, it is somebody else's key. */
bool palette_complete(const struct palette *p, struct line_editor *line);
/* The action that the line names, and what stands behind the name ("" for nothing), as in
 * "theme dark". ACTION_NONE: it is Lua. */
enum action_id palette_action(const char *line, const char **argument);
/* Above row `y` of the standard screen. */
void palette_draw(const struct palette *p, int y);

#endif
