#include "lua/memory.h"

#include <stdlib.h>

static void *allocate(void *user, void *ptr, size_t osize, size_t nsize)
{
    struct memory *m = user;

    if (!ptr)
        osize = 0; /* Lua tells the kind of the new object there */
    if (!nsize) {
        free(ptr);
        m->used -= osize;
        return NULL;
    }
    /* Lua collects garbage and asks once more before it gives up. */
    if (m->is_strict && nsize > osize && m->used + (nsize - osize) > m->limit)
        return NULL;
    ptr = realloc(ptr, nsize);
    if (ptr)
        m->used += nsize - osize;
    return ptr;
}

void memory_watch(struct memory *m, lua_State *L, size_t limit)
{
    *m = (struct memory){.limit = limit};
    m->used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
    lua_setallocf(L, allocate, m);
}

void memory_error(const struct memory *m, struct error *err)
{
    error_set(err, STATUS_NOMEM, "script", "the script's values take more than %zu MiB",
              m->limit >> 20);
    error_hint(err, "keep less at a time, or start ccalab with a larger --memory");
}
