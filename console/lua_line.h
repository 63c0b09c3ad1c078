/* The help that Lua gets while it is typed: names completed, the signature of the function that is
 * being called, newlines where the text is not complete yet. Thread: main only. */
#ifndef CCALAB_CONSOLE_LUA_LINE_H
#define CCALAB_CONSOLE_LUA_LINE_H

#include "console/line_keys.h"
#include "lua/script.h"

struct lua_line {
    struct script *script;     /* borrowed; NULL: there is no help yet */
    struct script_words words; /* of the cursor's place; the hint may be shown always */
    bool is_offering;          /* show the words too: Tab was pressed, and they are several */
};

void lua_line_done(struct lua_line *l);
/* Forget what was offered, for another text. */
void lua_line_clear(struct lua_line *l);
/* A key. LINE_KEY_ENTER comes only for a text that Lua thinks complete, LINE_KEY_COMPLETE never. */
enum line_key lua_line_key(struct lua_line *l, struct line_editor *le, bool is_code, wint_t key);
/* The words that are offered, two spaces between them, cut to `size`; "" without any. */
char *lua_line_offer(const struct lua_line *l, char *out, size_t size);

#endif
