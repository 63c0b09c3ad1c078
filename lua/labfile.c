#include "lua/labfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/log.h"
#include "core/paths.h"
#include "core/suggest.h"
#include "core/units.h"
#include "lua/labfile_lines.h"

#define FILE_MAX         (1u << 20)
#define MEMORY_MAX       (16u << 20)
#define INSTRUCTIONS_MAX 1000000
#define MISTAKES_MAX     100
#define TEXT_MAX         1024

enum field_type {
    FIELD_TEXT,
    FIELD_WORD, /* no leading '-': it goes into command lines */
    FIELD_PATH,
    FIELD_NETNS,   /* a path, or a name of `ip netns` */
    FIELD_ADDRESS, /* IPv4 or IPv6 */
    FIELD_DEVICE,  /* a network interface */
    FIELD_PORT,
    FIELD_SECONDS,
    FIELD_BOOL,
    FIELD_RATE,
    FIELD_TIME,
    FIELD_SHAPER
};

struct field {
    const char *name;
    enum field_type type;
    bool is_required;
};

static const struct form {
    const char *word, *kind;
    struct field fields[12];
} forms[] = {
    {"ssh",
     "ssh",
     {{"host", FIELD_WORD, false},
      {"user", FIELD_WORD, false},
      {"port", FIELD_PORT, false},
      {"address", FIELD_ADDRESS, false},
      {"identity", FIELD_PATH, false},
      {"known_hosts", FIELD_PATH, false},
      {"config", FIELD_PATH, false},
      {"accept_new", FIELD_BOOL, false},
      {"connect_s", FIELD_SECONDS, false},
      {"idle_s", FIELD_SECONDS, false}}},
    {"netns",
     "netns",
     {{"netns", FIELD_NETNS, true},
      {"userns", FIELD_PATH, false},
      {"bin", FIELD_PATH, false},
      {"address", FIELD_ADDRESS, true}}},
    {"localhost", "local", {{"address", FIELD_ADDRESS, false}}},
};
static const struct form link_form = {"link",
                                      "link",
                                      {{"rate", FIELD_RATE, true},
                                       {"rtt", FIELD_TIME, true},
                                       {"aqm", FIELD_TEXT, false},
                                       {"shaper", FIELD_SHAPER, false},
                                       {"egress", FIELD_DEVICE, false}}};

static const char *const roles[] = {"client_x", "client_y", "router", "server", NULL};
static const char *const names[] = {"client_x", "client_y", "router", "server", "link", NULL};
static const char *const words[] = {"ssh",    "netns",  "localhost", "client_x", "client_y",
                                    "router", "server", "link",      NULL};

struct mistake {
    int line;
    char text[256];
};

struct reader {
    const char *base; /* the file's name, for messages */
    char dir[CCALAB_PATH_MAX];
    struct labfile_lines lines;
    struct mistake mistakes[MISTAKES_MAX];
    int nmistakes;
    size_t memory;
};

/* --- mistakes --------------------------------------------------------------------------------- */

static void add_mistake(struct reader *r, int line, const char *fmt, ...) CCALAB_PRINTF(3, 4);
static void add_mistake(struct reader *r, int line, const char *fmt, ...)
{
    if (r->nmistakes == MISTAKES_MAX)
        return;
    struct mistake *m = &r->mistakes[r->nmistakes];
    va_list ap;
    char text[256];
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_escape(text, m->text, sizeof m->text);
    m->line = line;
    for (int i = 0; i < r->nmistakes; i++)
        if (r->mistakes[i].line == line && strcmp(r->mistakes[i].text, m->text) == 0)
            return;
    r->nmistakes++;
}

static int by_line(const void *a, const void *b)
{
    const struct mistake *x = a, *y = b;
    return (x->line > y->line) - (x->line < y->line);
}

static cJSON *list_mistakes(struct reader *r)
{
    cJSON *list = cJSON_CreateArray();
    qsort(r->mistakes, (size_t)r->nmistakes, sizeof *r->mistakes, by_line);
    for (int i = 0; i < r->nmistakes; i++) {
        char text[TEXT_MAX];
        if (r->mistakes[i].line > 0)
            snprintf(text, sizeof text, "%.200s:%d: %s", r->base, r->mistakes[i].line,
                     r->mistakes[i].text);
        else
            snprintf(text, sizeof text, "%.200s: %s", r->base, r->mistakes[i].text);
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
    }
    return list;
}

/* ", did you mean 'user'?", or nothing. */
static const char *suggestion(const char *word, const char *const *of, char *out, size_t size)
{
    const char *near = did_you_mean(word, of);
    out[0] = '\0';
    if (near)
        snprintf(out, size, ", did you mean '%s'?", near);
    return out;
}

/* --- the file, running ------------------------------------------------------------------------ */

static struct reader *reader_of(lua_State *L)
{
    return *(struct reader **)lua_getextraspace(L);
}

static void *allocate(void *user, void *p, size_t old, size_t size)
{
    struct reader *r = user;
    old = p ? old : 0;
    if (size == 0) {
        free(p);
        r->memory -= old;
        return NULL;
    }
    if (size > old && r->memory + (size - old) > MEMORY_MAX)
        return NULL;
    void *q = realloc(p, size);
    if (q)
        r->memory += size - old;
    return q;
}

static void too_long(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "l", ar);
    lua_pushfstring(L, "%s:%d: a lab file says what there is; this one computes for ever",
                    reader_of(L)->base, ar->currentline);
    lua_error(L);
}

static int line_of_caller(lua_State *L)
{
    lua_Debug ar;
    return lua_getstack(L, 1, &ar) && lua_getinfo(L, "l", &ar) ? ar.currentline : 0;
}

/* ssh{...}: a table {[1] = the form's index, [2] = what was given}, judged later, so that one
 * mistake does not hide the next. */
static int l_form(lua_State *L)
{
    lua_settop(L, 1);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 2);
    return 1;
}

/* A name that does not exist: noted, and something that can be called, so that the rest is read. */
static int l_unknown(lua_State *L)
{
    char near[64];
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    add_mistake(reader_of(L), line_of_caller(L), "there is no '%.40s' here%s", name,
                suggestion(name, words, near, sizeof near));
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, l_form, 1);
    return 1;
}

/* Runs the loaded chunk at 1 with the globals at 2. */
static int run_chunk(lua_State *L)
{
    lua_settop(L, 2);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_pushcclosure(L, l_form, 1);
        lua_setfield(L, 2, forms[i].word);
    }
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_unknown);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, 2);
    lua_pushvalue(L, 2);
    lua_setupvalue(L, 1, 1);
    lua_sethook(L, too_long, LUA_MASKCOUNT, INSTRUCTIONS_MAX);
    lua_pushvalue(L, 1);
    lua_call(L, 0, 0);
    lua_sethook(L, NULL, 0, 0);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        lua_pushnil(L);
        lua_setfield(L, 2, forms[i].word);
    }
    lua_pushnil(L);
    lua_setmetatable(L, 2);
    return 0;
}

/* A message of Lua's own, "lab.lua:7: '}' expected". */
static void add_lua_mistake(struct reader *r, const char *message)
{
    size_t n = strlen(r->base);
    int line = 0;
    const char *text = message ? message : "out of memory";
    if (strncmp(text, r->base, n) == 0 && text[n] == ':') {
        char *end;
        line = (int)strtol(text + n + 1, &end, 10);
        text = *end == ':' ? end + 1 + strspn(end + 1, " ") : text;
    }
    for (int i = 0; i < r->nmistakes; i++)
        if (line && r->mistakes[i].line == line)
            return; /* what follows from a mistake that has been told */
    add_mistake(r, line, "%s", text);
}

/* --- values ----------------------------------------------------------------------------------- */

/* Absolute, with ~ and what is relative to the lab file resolved. */
static void resolve(const struct reader *r, const char *text, char *out, size_t size)
{
    const char *home = getenv("HOME");
    bool fits;
    if (text[0] == '/')
        fits = (size_t)snprintf(out, size, "%s", text) < size;
    else if (strncmp(text, "~/", 2) == 0 && home)
        fits = path_join(out, size, home, text + 2);
    else
        fits = path_join(out, size, r->dir, text);
    if (!fits)
        out[0] = '\0';
}

static bool is_plain(const char *text, size_t len)
{
    if (len == 0 || len >= TEXT_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

/* Add the text to `o`. Returns what is wrong with it, or NULL. */
static const char *take_text(const struct reader *r, const struct field *f, const char *text,
                             cJSON *o)
{
    char path[CCALAB_PATH_MAX];
    unsigned char address[16];
    struct error e;
    uint64_t v;
    switch (f->type) {
    case FIELD_WORD:
        if (text[0] == '-')
            return "cannot begin with '-'";
        break;
    case FIELD_ADDRESS:
        if (inet_pton(AF_INET, text, address) != 1 && inet_pton(AF_INET6, text, address) != 1)
            return "is an IP address: \"10.0.0.2\"";
        break;
    case FIELD_DEVICE:
        if (strlen(text) > 15 || strpbrk(text, "/ :") || text[0] == '-')
            return "is the name of a network interface: \"eth1\"";
        break;
    case FIELD_RATE:
        if (parse_rate_bps(text, &v, &e) != STATUS_OK || v < 1000)
            return "is a rate as tc writes it: \"50mbit\"";
        cJSON_AddNumberToObject(o, "rate_bps", (double)v);
        break;
    case FIELD_TIME:
        if (parse_time_us(text, &v, &e) != STATUS_OK || v == 0)
            return "is a time with its unit: \"20ms\"";
        cJSON_AddNumberToObject(o, "rtt_us", (double)v);
        break;
    case FIELD_SHAPER:
        if (strcmp(text, "htb") != 0 && strcmp(text, "tbf") != 0)
            return "is \"htb\" or \"tbf\"";
        break;
    case FIELD_NETNS:
        if (!strchr(text, '/')) {
            snprintf(path, sizeof path, "/run/netns/%s", text);
            cJSON_AddStringToObject(o, f->name, path);
            return NULL;
        }
        /* fall through */
    case FIELD_PATH:
        resolve(r, text, path, sizeof path);
        if (!path[0])
            return "is too long";
        cJSON_AddStringToObject(o, f->name, path);
        return NULL;
    default:
        break;
    }
    cJSON_AddStringToObject(o, f->name, text);
    return NULL;
}

/* The value on top of the stack. Returns what is wrong with it, or NULL. */
static const char *take_value(struct reader *r, lua_State *L, const struct field *f, cJSON *o)
{
    double n;
    size_t len;
    const char *text;
    switch (f->type) {
    case FIELD_PORT:
        n = lua_isinteger(L, -1) ? lua_tonumber(L, -1) : 0;
        if (n < 1 || n > 65535)
            return "is a number from 1 to 65535";
        cJSON_AddNumberToObject(o, f->name, n);
        return NULL;
    case FIELD_SECONDS:
        n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        if (!(n > 0 && n <= 3600))
            return "is a number of seconds, at most 3600";
        cJSON_AddNumberToObject(o, f->name, n);
        return NULL;
    case FIELD_BOOL:
        if (!lua_isboolean(L, -1))
            return "is true or false";
        cJSON_AddBoolToObject(o, f->name, lua_toboolean(L, -1));
        return NULL;
    default:
        if (lua_type(L, -1) != LUA_TSTRING)
            return "is a text in quotes";
        text = lua_tolstring(L, -1, &len);
        return is_plain(text, len) ? take_text(r, f, text, o) : "is empty or no plain text";
    }
}

/* The table on top of the stack, which is what `name` was given. */
static void take_fields(struct reader *r, lua_State *L, const struct form *form, const char *name,
                        cJSON *o)
{
    const char *known[16] = {NULL};
    size_t nfields = 0;
    for (; nfields < 12 && form->fields[nfields].name; nfields++)
        known[nfields] = form->fields[nfields].name;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        char near[64];
        const struct field *f = NULL;
        if (lua_type(L, -2) != LUA_TSTRING) {
            add_mistake(r, labfile_lines_of(&r->lines, name, NULL),
                        "%s: every field has a name: %s{%s = ...}", name, form->word, known[0]);
            continue;
        }
        const char *key = lua_tostring(L, -2);
        for (size_t i = 0; i < nfields; i++)
            if (strcmp(known[i], key) == 0)
                f = &form->fields[i];
        const char *wrong = f ? take_value(r, L, f, o) : NULL;
        if (!f)
            add_mistake(r, labfile_lines_of(&r->lines, name, key), "%s: unknown field '%.40s'%s",
                        name, key, suggestion(key, known, near, sizeof near));
        else if (wrong)
            add_mistake(r, labfile_lines_of(&r->lines, name, key), "%s: '%s' %s", name, key, wrong);
    }
    for (size_t i = 0; i < nfields; i++) {
        lua_pushstring(L, known[i]);
        if (form->fields[i].is_required && lua_rawget(L, -2) == LUA_TNIL)
            add_mistake(r, labfile_lines_of(&r->lines, name, NULL), "%s: '%s' is missing", name,
                        known[i]);
        lua_pop(L, 1);
    }
}

/* The value of the role on top of the stack. */
static void take_host(struct reader *r, lua_State *L, const char *role, cJSON *hosts)
{
    int line = labfile_lines_of(&r->lines, role, NULL);
    lua_Integer index = -2;
    if (lua_istable(L, -1)) {
        lua_rawgeti(L, -1, 1);
        index = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -2;
        lua_pop(L, 1);
    }
    if (index == -1) /* made by a word that does not exist, which has been said */
        return;
    if (index < 0 || index >= (lua_Integer)(sizeof forms / sizeof *forms)) {
        add_mistake(r, line, "%s is a host: ssh{...}, netns{...} or localhost{}", role);
        return;
    }
    const struct form *form = &forms[index];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", role);
    cJSON_AddStringToObject(o, "kind", form->kind);
    cJSON_AddItemToArray(hosts, o);
    if (lua_rawgeti(L, -1, 2) == LUA_TTABLE)
        take_fields(r, L, form, role, o);
    else if (!lua_isnil(L, -1) || index != 2)
        add_mistake(r, line, "%s: write %s{...}, with braces", role, form->word);
    lua_pop(L, 1);
    if (strcmp(form->kind, "ssh") == 0 && !json_get(o, "host")) {
        char alias[32]; /* libssh takes no underscore */
        snprintf(alias, sizeof alias, "%s", role);
        for (char *c = alias; *c; c++)
            *c = *c == '_' ? '-' : *c;
        cJSON_AddStringToObject(o, "host", alias);
    }
}

/* The globals of the file are at 1; pushes nothing. `user` of the state is the reader. */
static int judge(lua_State *L)
{
    struct reader *r = reader_of(L);
    cJSON *lab = lua_touserdata(L, 2);
    cJSON *hosts = cJSON_AddArrayToObject(lab, "hosts");
    for (int i = 0; roles[i]; i++) {
        lua_pushstring(L, roles[i]);
        if (lua_rawget(L, 1) != LUA_TNIL)
            take_host(r, L, roles[i], hosts);
        lua_pop(L, 1);
    }
    lua_pushliteral(L, "link");
    if (lua_rawget(L, 1) == LUA_TTABLE)
        take_fields(r, L, &link_form, "link", cJSON_AddObjectToObject(lab, "link"));
    else if (!lua_isnil(L, -1))
        add_mistake(r, labfile_lines_of(&r->lines, "link", NULL),
                    "link is a table: {rate = \"50mbit\", rtt = \"20ms\"}");
    lua_settop(L, 1);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        char near[64];
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        bool is_known = false;
        for (int i = 0; names[i]; i++)
            is_known |= strcmp(names[i], name) == 0;
        suggestion(name, names, near, sizeof near);
        if (!is_known)
            add_mistake(r, labfile_lines_of(&r->lines, name, NULL), "'%.40s' is no role%s", name,
                        near[0] ? near : " (client_x, client_y, router, server), nor 'link'");
    }
    if (cJSON_GetArraySize(hosts) == 0 && r->nmistakes == 0)
        add_mistake(r, 0, "no role has a host: client_x = ssh{host = ...}");
    const cJSON *link = json_get(lab, "link");
    if (json_get(link, "shaper") && !json_get(link, "aqm"))
        add_mistake(r, labfile_lines_of(&r->lines, "link", "shaper"),
                    "link: a shaper needs an 'aqm' to stand above");
    return 0;
}

static void read_text(struct reader *r, const char *text, size_t len, cJSON *lab)
{
    char chunk[CCALAB_PATH_MAX];
    lua_State *L = lua_newstate(allocate, r);
    if (!L) {
        add_mistake(r, 0, "out of memory");
        return;
    }
    *(struct reader **)lua_getextraspace(L) = r;
    snprintf(chunk, sizeof chunk, "=%s", r->base);
    int ok = luaL_loadbufferx(L, text, len, chunk, "t");
    if (ok == LUA_OK) {
        lua_newtable(L);
        lua_insert(L, 1); /* globals, chunk */
        lua_pushcfunction(L, run_chunk);
        lua_pushvalue(L, 2);
        lua_pushvalue(L, 1);
        ok = lua_pcall(L, 2, 0, 0);
        lua_sethook(L, NULL, 0, 0);
    }
    if (ok != LUA_OK) {
        add_lua_mistake(r, lua_tostring(L, -1));
    } else {
        lua_settop(L, 1);
        lua_pushcfunction(L, judge);
        lua_insert(L, 1);
        lua_pushlightuserdata(L, lab);
        if (lua_pcall(L, 2, 0, 0) != LUA_OK)
            add_lua_mistake(r, lua_tostring(L, -1));
    }
    lua_close(L);
}

enum status labfile_parse(const char *path, const char *text, size_t len, cJSON **lab,
                          cJSON **mistakes, struct error *err)
{
    struct reader *r = calloc(1, sizeof *r);
    const char *slash = strrchr(path, '/');
    *lab = *mistakes = NULL;
    if (!r)
        return error_set(err, STATUS_NOMEM, "labfile", "out of memory");
    r->base = slash + 1;
    snprintf(r->dir, sizeof r->dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    labfile_lines_find(&r->lines, text, len);
    *lab = cJSON_CreateObject();
    cJSON_AddStringToObject(*lab, "path", path);
    read_text(r, text, len, *lab);
    enum status st = r->nmistakes ? STATUS_INPUT : STATUS_OK;
    if (r->nmistakes) {
        *mistakes = list_mistakes(r);
        const char *first = (*mistakes)->child->valuestring;
        if (r->nmistakes == 1)
            error_set(err, st, "labfile", "%s", first);
        else
            error_set(err, st, "labfile", "%.100s has %d mistakes, the first: %s", r->base,
                      r->nmistakes, first);
        cJSON_Delete(*lab);
        *lab = NULL;
    }
    free(r);
    return st;
}

enum status labfile_load(const char *path, cJSON **lab, cJSON **mistakes, struct error *err)
{
    struct buf text;
    char *full = NULL;
    enum status st = buf_read_file(&text, path, FILE_MAX, err);
    *lab = *mistakes = NULL;
    if (st == STATUS_OK && !(full = realpath(path, NULL)))
        st = error_sys(err, STATUS_IO, errno, "labfile", "%s", path);
    if (st == STATUS_OK)
        st = labfile_parse(full, text.data, text.len, lab, mistakes, err);
    free(full);
    buf_done(&text);
    return st;
}
