/* A ceiling for what scripts keep in memory. It holds while a task's Lua runs, where it is an
 * error with a traceback; what the console itself does with the state is not refused. */
#ifndef CCALAB_LUA_MEMORY_H
#define CCALAB_LUA_MEMORY_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

struct memory {
    size_t used, limit; /* bytes */
    bool is_strict;     /* now the ceiling holds */
};

/* From now on the state's memory is counted in `m`, which must live as long as the state does. */
void memory_watch(struct memory *m, lua_State *L, size_t limit);
/* What to say when Lua ran out of it. */
void memory_error(const struct memory *m, struct error *err);

#endif
