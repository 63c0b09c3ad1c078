/* Plots in Lua: from an option table to a drawing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/plot_cairo.h"
#include "core/run_series.h"
#include "lua/script_internal.h"

#define DRAWING_META "lab.Drawing"
#define LINES_MAX    32
#define MARKS_MAX    256
#define DRAWING_MAX  (256u << 20)

/* Everything that a plot is made of. A userdata, so that misuse half way through frees it. */
struct drawing {
    struct plot plot;
    struct plot_line lines[LINES_MAX];
    struct plot_box boxes[LINES_MAX];
    struct series own[LINES_MAX]; /* made here of values */
    struct plot_marks marks;
    double *scratch;
    struct buf out;
};

static int l_drawing_gc(lua_State *L)
{
    struct drawing *d = luaL_checkudata(L, 1, DRAWING_META);
    for (size_t i = 0; i < LINES_MAX; i++)
        series_done(&d->own[i]);
    plot_marks_done(&d->marks);
    free(d->scratch);
    d->scratch = NULL;
    buf_done(&d->out);
    return 0;
}

static double *scratch(lua_State *L, struct drawing *d, size_t n)
{
    free(d->scratch);
    d->scratch = malloc((n ? n : 1) * sizeof *d->scratch);
    if (!d->scratch)
        luaL_error(L, "a plot of %d values: out of memory", (int)n);
    return d->scratch;
}

/* Length of the list in a field, which is left on the stack; 0 and nothing on the stack without. */
static size_t push_list(lua_State *L, int line, const char *key)
{
    int type = lua_getfield(L, line, key);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return 0;
    }
    luaL_argcheck(L, type == LUA_TTABLE, 1, "values, x and y are lists of numbers");
    return lua_rawlen(L, -1);
}

/* What is no number is a gap. */
static double item(lua_State *L, size_t i)
{
    double v =
        lua_rawgeti(L, -1, (lua_Integer)i + 1) == LUA_TNUMBER ? lua_tonumber(L, -1) : (double)NAN;
    lua_pop(L, 1);
    return v;
}

static bool has_field(lua_State *L, int index, const char *key)
{
    bool has = lua_getfield(L, index, key) != LUA_TNIL;
    lua_pop(L, 1);
    return has;
}

/* The series that a line speaks of, live or of a record; NULL: it does not exist, or none is named.
 */
static const struct series *series_of(lua_State *L, int line, const char *key)
{
    const char *name = opt_string(L, line, key, NULL);
    lua_getfield(L, line, "from");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_getfield(L, 1, "from");
    }
    const struct series_set *set = samples_at(L, lua_gettop(L));
    lua_pop(L, 1);
    return name ? run_series_find(set, name) : NULL;
}

/* The values of a line, scaled, in scratch: of a list, or of a series between t0 and t1. */
static size_t read_values(lua_State *L, struct drawing *d, int line, double scale)
{
    size_t n = push_list(L, line, "values");
    double *v;
    if (n > 0) {
        v = scratch(L, d, n);
        for (size_t i = 0; i < n; i++)
            v[i] = item(L, i) * scale;
        lua_pop(L, 1);
        return n;
    }
    const struct series *s = series_of(L, line, "series");
    double t0 = opt_number(L, 1, "t0", 0), t1 = opt_number(L, 1, "t1", 0);
    bool is_all = !(t1 > t0);
    size_t from = s && !is_all ? series_lower_bound(s, t0) : 0;
    size_t to = !s ? 0 : is_all ? s->len : series_lower_bound(s, t1);
    v = scratch(L, d, to - from);
    for (size_t i = from; i < to; i++)
        v[i - from] = s->v[i] * scale;
    return to - from;
}

/* Pairs in scratch: of the lists x and y, or of two series where they have the same time. */
static size_t read_pairs(lua_State *L, struct drawing *d, int line, double scale)
{
    size_t n = push_list(L, line, "x"), pairs = 0;
    double(*xy)[2];
    if (n > 0) {
        xy = (double(*)[2])scratch(L, d, 2 * n);
        for (size_t i = 0; i < n; i++)
            xy[i][0] = item(L, i);
        lua_pop(L, 1);
        size_t ny = push_list(L, line, "y");
        luaL_argcheck(L, ny == n, 1, "x and y are of one length");
        for (size_t i = 0; i < n; i++)
            xy[i][1] = item(L, i) * scale;
        lua_pop(L, 1);
        return n;
    }
    const struct series *y = series_of(L, line, "series"), *x = series_of(L, line, "x_series");
    double x_scale = opt_number(L, line, "x_scale", 1);
    xy = (double(*)[2])scratch(L, d, y ? 2 * y->len : 0);
    for (size_t i = 0; x && y && i < y->len; i++) {
        size_t at = series_lower_bound(x, y->t[i]);
        if (at < x->len && x->t[at] == y->t[i]) {
            xy[pairs][0] = x->v[at] * x_scale;
            xy[pairs++][1] = y->v[i] * scale;
        }
    }
    return pairs;
}

/* A line over time: a series as it is, or lists of times and values. */
static void read_line(lua_State *L, struct drawing *d, int line, size_t i, double scale)
{
    struct plot_line *out = &d->lines[i];
    if (!has_field(L, line, "x")) {
        out->series = series_of(L, line, "series");
        out->scale = scale;
        return;
    }
    size_t n = push_list(L, line, "x");
    double *x = scratch(L, d, n);
    for (size_t k = 0; k < n; k++)
        x[k] = item(L, k);
    lua_pop(L, 1);
    size_t ny = push_list(L, line, "y");
    luaL_argcheck(L, ny == n, 1, "x and y are of one length");
    for (size_t k = 0; k < n; k++)
        if (!series_append(&d->own[i], x[k], item(L, k) * scale))
            luaL_error(L, "a line of %d values is too long", (int)n);
    if (n > 0)
        lua_pop(L, 1);
    out->series = &d->own[i];
}

static void read_one(lua_State *L, struct drawing *d, int line, size_t i)
{
    struct plot_line *out = &d->lines[i];
    double scale = opt_number(L, line, "scale", 1);
    bool is_ok = true;
    out->label = opt_string(L, line, "label", opt_string(L, line, "series", ""));
    out->is_level = has_field(L, line, "level");
    out->level = opt_number(L, line, "level", 0);
    d->boxes[i].label = out->label;
    if (d->plot.kind == PLOT_BOXES) {
        size_t n = read_values(L, d, line, scale);
        plot_box(d->scratch, n, &d->boxes[i]);
    } else if (out->is_level) {
        return;
    } else if (d->plot.kind == PLOT_LINES) {
        read_line(L, d, line, i, scale);
    } else if (d->plot.kind == PLOT_CDF) {
        size_t n = read_values(L, d, line, scale);
        is_ok = plot_cdf(d->scratch, n, &d->own[i]);
        out->series = &d->own[i];
    } else {
        size_t n = read_pairs(L, d, line, scale);
        is_ok = plot_scatter((double(*)[2])d->scratch, n, &d->own[i]);
        out->series = &d->own[i];
    }
    if (!is_ok)
        luaL_error(L, "a plot of too many values");
}

/* Those of the event stream: of the network, of a training, or both. */
static void copy_marks(struct drawing *d, const struct plot_marks *from, const char *which)
{
    for (size_t i = 0; i < from->n; i++) {
        bool is_training = from->at[i].kind == PLOT_MARK_CHECKPOINT;
        if (!which || is_training == (strcmp(which, "training") == 0))
            (void)plot_marks_add(&d->marks, from->at[i].x, from->at[i].kind, from->at[i].label);
    }
}

/* marks = true, "network" or "training"; a list: {{t=, label=}, ...} */
static void read_marks(lua_State *L, struct drawing *d)
{
    int type = lua_getfield(L, 1, "marks");
    if (type == LUA_TSTRING || (type == LUA_TBOOLEAN && lua_toboolean(L, -1))) {
        const char *which = type == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        luaL_argcheck(L, !which || strcmp(which, "network") == 0 || strcmp(which, "training") == 0,
                      1, "marks are those of the \"network\" or of a \"training\"");
        lua_getfield(L, 1, "from");
        copy_marks(d, &samples_at(L, lua_gettop(L))->marks, which);
        lua_pop(L, 1);
    } else if (type == LUA_TTABLE) {
        size_t n = lua_rawlen(L, -1);
        for (size_t i = 0; i < n && i < MARKS_MAX; i++) {
            lua_rawgeti(L, -1, (lua_Integer)i + 1);
            int at = lua_gettop(L);
            (void)plot_marks_add(&d->marks, opt_number(L, at, "t", NAN), PLOT_MARK_OTHER,
                                 opt_string(L, at, "label", ""));
            lua_pop(L, 1);
        }
    }
    d->plot.marks = d->marks.at;
    d->plot.nmarks = d->marks.n;
    lua_pop(L, 1);
}

static void read_plot(lua_State *L, struct drawing *d)
{
    static const char *const kinds[] = {"line", "cdf", "scatter", "box", NULL};
    const char *kind = opt_string(L, 1, "kind", "line");
    int k = 0;
    while (kinds[k] && strcmp(kinds[k], kind) != 0)
        k++;
    if (!kinds[k])
        luaL_error(L, "no plots of kind '%s': line, cdf, scatter or box", kind);
    d->plot = (struct plot){
        .kind = (enum plot_kind)k,
        .title = opt_string(L, 1, "title", ""),
        .x_label = opt_string(L, 1, "x", k == PLOT_LINES ? "time [s]" : ""),
        .y_label = opt_string(L, 1, "y", k == PLOT_CDF ? "share of samples" : ""),
        .is_log_y = opt_bool(L, 1, "log_y", false),
        .has_zero = opt_bool(L, 1, "zero", false),
        .join_max_s = opt_number(L, 1, "join_s", 0),
        .lines = d->lines,
        .boxes = d->boxes,
    };
    if (k == PLOT_LINES) {
        d->plot.x0 = opt_number(L, 1, "t0", 0);
        d->plot.x1 = opt_number(L, 1, "t1", 0);
    }
    if (lua_getfield(L, 1, "lines") != LUA_TTABLE)
        luaL_error(L, "a plot needs lines = {{series = ...}, ...}");
    size_t n = lua_rawlen(L, -1);
    if (n > LINES_MAX)
        luaL_error(L, "at most %d lines in a plot", LINES_MAX);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        read_one(L, d, lua_gettop(L), i);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    d->plot.nlines = d->plot.nboxes = n;
    read_marks(L, d);
}

/* lab._draw(plot, "svg"|"png"|"pdf"|"csv"): the drawing as a string; or nil, err */
static int l_draw(lua_State *L)
{
    static const char *const formats[] = {"svg", "png", "pdf", "csv", NULL};
    enum { SVG, PNG, PDF, CSV };
    luaL_checktype(L, 1, LUA_TTABLE);
    int format = luaL_checkoption(L, 2, "svg", formats);
    struct drawing *d = lua_newuserdatauv(L, sizeof *d, 0);
    struct plot_range r;
    struct error e;
    enum status st = STATUS_OK;
    memset(d, 0, sizeof *d);
    buf_init(&d->out, DRAWING_MAX);
    luaL_setmetatable(L, DRAWING_META);
    read_plot(L, d);
    int width = (int)opt_number(L, 1, "width", 860), height = (int)opt_number(L, 1, "height", 320);
    if (format == PNG) {
        st = plot_png(&d->plot, width, height, &d->out, &e);
    } else if (format == PDF) {
        st = plot_pdf(&d->plot, width, height, &d->out, &e);
    } else if (format == SVG) {
        plot_svg(&d->plot, width, height, &d->out);
    } else {
        plot_fit(&d->plot, &r);
        plot_csv(&d->plot, &r, &d->out);
    }
    if (st == STATUS_OK && d->out.is_failed)
        st = error_set(&e, STATUS_NOMEM, "plot", "the plot is too large");
    if (st != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushlstring(L, d->out.data, d->out.len);
    lua_pushcfunction(L, l_drawing_gc); /* at once: it may be large */
    lua_pushvalue(L, 3);
    lua_call(L, 1, 0);
    return 1;
}

void bind_plot(lua_State *L)
{
    luaL_newmetatable(L, DRAWING_META);
    lua_pushcfunction(L, l_drawing_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_draw);
    lua_setfield(L, -2, "_draw");
}
