/* Capture files in Lua: passes over a file, of which the prelude makes iterators, and packets. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "capture/filter.h"
#include "capture/packet_line.h"
#include "capture/walk.h"
#include "core/clock.h"
#include "lua/script_internal.h"

#define PASS_META   "lab.CapturePass"
#define PACKET_META "lab.Packet"

/* As long as a script may hold the loop: lua/task.c. */
#define SLICE_NS     4000000u
#define COUNT_FRAMES 256

/* The flows live as long as packets refer to the pass; the rest until its end. */
struct pass {
    struct source *source;
    struct filter *filter;
    struct walk_state state;
    bool has_passed; /* the frame of the last step */
    struct field_frame frame;
    uint64_t passed;
    uint64_t slice_end_ns;
    bool has_slice;
};

/* A frame of one's own; its user value is the pass. */
struct lua_packet {
    struct packet packet;
    struct analysis analysis;
    int64_t first_ns, previous_ns;
    uint8_t data[];
};

/* --- passes ----------------------------------------------------------------------------------- */

static void pass_close(struct pass *p)
{
    source_close(p->source);
    filter_free(p->filter);
    p->source = NULL;
    p->filter = NULL;
}

static struct pass *check_pass(lua_State *L)
{
    struct pass *p = luaL_checkudata(L, 1, PASS_META);
    if (p->source == NULL)
        luaL_error(L, "this pass over the capture is closed");
    return p;
}

/* lab._capture_pass(path, filter): nil, err with err.position where it is the filter */
static int l_pass(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *filter = luaL_optstring(L, 2, "");
    struct error e;
    size_t at = SIZE_MAX;
    struct pass *p = lua_newuserdatauv(L, sizeof *p, 0);
    memset(p, 0, sizeof *p);
    luaL_setmetatable(L, PASS_META);
    enum status st = flows_init(&p->state.flows, 0, &e);
    if (st == STATUS_OK)
        st = filter_compile(filter, &p->filter, &at, &e);
    if (st == STATUS_OK)
        st = source_open_file(path, &p->source, &e);
    if (st == STATUS_OK) {
        p->state.link = source_link_type(p->source);
        return 1;
    }
    value_push_failure(L, &e);
    if (st == STATUS_USAGE && at != SIZE_MAX) {
        lua_pushinteger(L, (lua_Integer)at + 1);
        lua_setfield(L, -2, "position");
    }
    return 2;
}

static void on_frame(void *user, const struct source_frame *f)
{
    struct pass *p = user;
    walk_step(&p->state, f, &p->frame);
    p->has_passed = filter_match(p->filter, &p->frame);
    p->passed += p->has_passed;
}

/* Is the time of this turn used up? The next call begins another. */
static bool is_turn_over(struct pass *p)
{
    uint64_t now_ns = clock_mono_ns();
    if (!p->has_slice) {
        p->has_slice = true;
        p->slice_end_ns = now_ns + SLICE_NS;
    } else if (now_ns >= p->slice_end_ns) {
        p->has_slice = false;
    }
    return !p->has_slice;
}

/* Push the frame of the last step as a value of its own. */
static void push_packet(lua_State *L, const struct pass *p)
{
    const struct packet *from = p->frame.packet;
    struct lua_packet *o = lua_newuserdatauv(L, sizeof *o + from->cap_len, 1);
    memcpy(o->data, from->data, from->cap_len);
    o->packet = *from;
    o->packet.data = o->data;
    o->analysis = *p->frame.analysis;
    if (o->analysis.layer)
        o->analysis.layer = o->packet.layers + (o->analysis.layer - from->layers);
    o->first_ns = p->frame.first_ns;
    o->previous_ns = p->frame.previous_ns;
    luaL_setmetatable(L, PACKET_META);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
}

static int fail(lua_State *L, struct pass *p, const struct error *e)
{
    pass_close(p);
    return value_push_failure(L, e);
}

/* pass:next(): the next packet that passes; nil at the end (or nil, err); false: let others run,
 * then ask again */
static int l_next(lua_State *L)
{
    struct pass *p = check_pass(L);
    struct error e;
    int n = 1;
    while (n > 0) {
        if (is_turn_over(p)) {
            lua_pushboolean(L, false);
            return 1;
        }
        for (int i = 0; i < COUNT_FRAMES && n > 0; i++) {
            if (source_read(p->source, 1, on_frame, p, &n, &e) != STATUS_OK)
                return fail(L, p, &e);
            if (n > 0 && p->has_passed) {
                push_packet(L, p);
                return 1;
            }
        }
    }
    lua_pushnil(L);
    return 1;
}

/* pass:count(): how many pass from here to the end (or nil, err); false: as of pass:next() */
static int l_count(lua_State *L)
{
    struct pass *p = check_pass(L);
    struct error e;
    int n = 1;
    while (n > 0) {
        if (is_turn_over(p)) {
            lua_pushboolean(L, false);
            return 1;
        }
        if (source_read(p->source, COUNT_FRAMES, on_frame, p, &n, &e) != STATUS_OK)
            return fail(L, p, &e);
    }
    lua_pushinteger(L, (lua_Integer)p->passed);
    return 1;
}

/* pass:truncated(): what cut the file short, nil if nothing did */
static int l_truncated(lua_State *L)
{
    lua_pushstring(L, source_truncated(check_pass(L)->source));
    return 1;
}

static int l_pass_close(lua_State *L)
{
    pass_close(luaL_checkudata(L, 1, PASS_META));
    return 0;
}

static int l_pass_gc(lua_State *L)
{
    struct pass *p = luaL_checkudata(L, 1, PASS_META);
    pass_close(p);
    flows_done(&p->state.flows);
    return 0;
}

/* --- packets ---------------------------------------------------------------------------------- */

static struct lua_packet *check_packet(lua_State *L)
{
    return luaL_checkudata(L, 1, PACKET_META);
}

static struct field_frame frame_of(const struct lua_packet *o)
{
    return (struct field_frame){.packet = &o->packet,
                                .analysis = &o->analysis,
                                .first_ns = o->first_ns,
                                .previous_ns = o->previous_ns};
}

static const struct field *check_field(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    const struct field *f = field_find(name, len);
    if (f == NULL) {
        const char *near = field_suggest(name);
        luaL_error(L,
                   near ? "there is no field '%s': did you mean '%s'?" : "there is no field '%s'",
                   name, near);
    }
    return f;
}

static void push_value(lua_State *L, const struct field *f, const struct field_value *v)
{
    switch ((enum field_type)f->type) {
    case FIELD_LABEL:
    case FIELD_PROTOCOL:
        lua_pushboolean(L, true);
        return;
    case FIELD_BOOL:
        lua_pushboolean(L, v->u != 0);
        return;
    case FIELD_UINT:
        lua_pushinteger(L, (lua_Integer)v->u);
        return;
    case FIELD_TIME:
    case FIELD_EPOCH:
        lua_pushnumber(L, (double)v->ns / 1e9);
        return;
    case FIELD_IPV4:
    case FIELD_IPV6:
    case FIELD_ETHER:
        break;
    }
    struct buf text;
    buf_init(&text, 256);
    field_print(f, v, &text);
    lua_pushlstring(L, text.data, text.len);
    buf_done(&text);
}

/* p:all(field): all its values, a list */
static int l_all(lua_State *L)
{
    struct lua_packet *o = check_packet(L);
    const struct field *f = check_field(L);
    struct field_frame frame = frame_of(o);
    struct field_value values[FIELD_VALUES_MAX];
    size_t n = field_read(f, &frame, values);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_value(L, f, &values[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* p["ip.src"]: the first value, nil where the frame has none */
static int l_packet_index(lua_State *L)
{
    struct lua_packet *o = check_packet(L);
    luaL_getmetafield(L, 1, "methods");
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL)
        return 1;
    const struct field *f = check_field(L);
    struct field_frame frame = frame_of(o);
    struct field_value values[FIELD_VALUES_MAX];
    if (field_read(f, &frame, values) == 0)
        lua_pushnil(L);
    else
        push_value(L, f, &values[0]);
    return 1;
}

static int l_packet_tostring(lua_State *L)
{
    struct lua_packet *o = check_packet(L);
    struct field_frame frame = frame_of(o);
    struct packet_line l;
    char text[512];
    packet_line(&frame, &l);
    snprintf(text, sizeof text, "%llu %.6f %s → %s %s %s %u %s", (unsigned long long)l.number,
             l.time_s, l.src, l.dst, l.protocol, l.ecn, l.len, l.info);
    lua_pushstring(L, text);
    return 1;
}

void bind_capture(lua_State *L)
{
    static const luaL_Reg pass_methods[] = {{"next", l_next},
                                            {"count", l_count},
                                            {"truncated", l_truncated},
                                            {"close", l_pass_close},
                                            {NULL, NULL}};
    static const luaL_Reg packet_methods[] = {{"all", l_all}, {NULL, NULL}};
    static const luaL_Reg packet_meta[] = {
        {"__index", l_packet_index}, {"__tostring", l_packet_tostring}, {NULL, NULL}};
    luaL_newmetatable(L, PASS_META);
    luaL_newlib(L, pass_methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_pass_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, l_pass_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);

    luaL_newmetatable(L, PACKET_META);
    luaL_setfuncs(L, packet_meta, 0);
    luaL_newlib(L, packet_methods);
    lua_setfield(L, -2, "methods");
    lua_pop(L, 1);

    lua_pushcfunction(L, l_pass);
    lua_setfield(L, -2, "_capture_pass");
}
