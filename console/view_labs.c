#include "console/view_labs.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/console.h"
#include "console/markdown.h"
#include "console/panel_text.h"
#include "core/buf.h"
#include "core/json.h"
#include "core/log.h"

enum { LIST, TEXT, CHECKS, PANELS };
enum { SIDE, BELOW };

#define SIDE_MIN_COLS 24
#define WIDE_COLS     120

struct view_labs {
    struct view base;
    struct panel_text panel[PANELS];
    char note[64]; /* of TEXT */
    cJSON *state;  /* what was told last; NULL: nothing yet */
    bool is_busy;  /* Lua was asked, and has not answered */
    bool is_asked;
    char chosen[64]; /* the lab that a place is being typed for */
    char shown[128]; /* the lab and step whose text is shown */
    int hints;       /* shown of it */
};

/* --- what is shown ---------------------------------------------------------------------------- */

static const char *text_of(const cJSON *o, const char *key)
{
    return json_str(o, key, NULL);
}

CCALAB_PRINTF(5, 6)
static void add(struct panel_text *t, enum style style, int indent, int tag, const char *fmt, ...)
{
    char line[1024], clean[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    for (char *nl = line; (nl = strchr(nl, '\n'));)
        *nl = ' '; /* what was seen can be several lines */
    text_view_add(&t->text, style, indent, tag, log_escape(line, clean, sizeof clean));
}

static const char *mark_of(const char *state)
{
    static const char *const marks[][2] = {{"passed", "x"}, {"done", "x"},    {"begun", "o"},
                                           {"solved", "s"}, {"skipped", "-"}, {NULL, NULL}};

    for (int i = 0; state && marks[i][0]; i++)
        if (!strcmp(state, marks[i][0]))
            return marks[i][1];
    return " ";
}

/* Of the list: which lab a line is of, and whether it is the current step's. */
#define TAG_STEP 0x10000

static void fill_list(struct view_labs *l)
{
    struct panel_text *t = &l->panel[LIST];
    const char *step = text_of(json_get(l->state, "step"), "step");
    const cJSON *lab;
    int tag = 0;

    cJSON_ArrayForEach(lab, json_get(l->state, "labs"))
    {
        bool is_current = json_bool(lab, "is_current", false);
        const cJSON *s;

        /* Wrapped, a long name would leave its mark alone. */
        add(t, is_current ? STYLE_KEY : STYLE_NORMAL, TEXT_VIEW_CUT, tag, "[%s] %s",
            mark_of(text_of(lab, "state")), json_str(lab, "name", "?"));
        cJSON_ArrayForEach(s, json_get(is_current ? lab : NULL, "steps"))
        {
            const char *name = text_of(s, "name");
            bool is_step = step && name && !strcmp(step, name);

            add(t, STYLE_NORMAL, 8, tag | (is_step ? TAG_STEP : 0), "  %c [%s] %s",
                is_step ? '>' : ' ', mark_of(text_of(s, "state")), json_str(s, "title", "?"));
        }
        tag++;
    }
}

static void markdown_line(void *user, enum markdown_kind kind, int indent, const char *text)
{
    static const enum style styles[MARKDOWN_TABLE + 1] = {[MARKDOWN_HEADING] = STYLE_FOCUS,
                                                          [MARKDOWN_CODE] = STYLE_KEY,
                                                          [MARKDOWN_TABLE] = STYLE_DIM};
    struct panel_text *t = user;
    struct buf line;

    buf_init(&line, 3 * MARKDOWN_LINE_MAX);
    buf_printf(&line, "%*s%s", kind == MARKDOWN_CODE ? indent : 0, "", text);
    text_view_add(&t->text, styles[kind], indent, 0, line.data);
    buf_done(&line);
}

static void fill_text(struct view_labs *l)
{
    struct panel_text *t = &l->panel[TEXT];
    const cJSON *step = json_get(l->state, "step"), *take, *shown, *hint;
    int n = 0;

    if (!step) {
        add(t, STYLE_NORMAL, 0, 0, "Choose a lab, and press Enter.");
        return;
    }
    for (const char *const *key = (const char *const[]){"intro", "text", NULL}; *key; key++)
        if (text_of(step, *key)) {
            markdown_each(text_of(step, *key), markdown_line, t);
            add(t, STYLE_NORMAL, 0, 0, " ");
        }
    cJSON_ArrayForEach(shown, json_get(step, "shown"))
    {
        struct buf code;

        add(t, STYLE_NORMAL, 0, 0, " ");
        buf_init(&code, 1 << 16);
        buf_printf(&code, "recorded, on %s: `%s`\n\n```\n%s\n```\n", json_str(shown, "host", "?"),
                   json_str(shown, "command", "?"), json_str(shown, "output", ""));
        markdown_each(code.data, markdown_line, t);
        buf_done(&code);
    }
    cJSON_ArrayForEach(take, json_get(step, "takes"))
    {
        const char *chosen = text_of(step, "take"), *name = text_of(take, "name");

        if (n++ == 0)
            add(t, STYLE_FOCUS, 0, 0, "A replay: which recording shows it done right? (a)");
        add(t, STYLE_NORMAL, 4, 0, "%c %s  %s", chosen && name && !strcmp(chosen, name) ? '>' : ' ',
            json_str(take, "letter", "?"), json_str(take, "does", ""));
    }
    if (text_of(step, "question"))
        add(t, STYLE_FOCUS, 0, 0, "Question (a): %s", text_of(step, "question"));
    cJSON_ArrayForEach(hint, json_get(l->state, "hints"))
        add(t, STYLE_WARN, 6, 0, "Hint: %s", cJSON_IsString(hint) ? hint->valuestring : "");
}

static void fill_check(struct panel_text *t, const cJSON *check)
{
    const char *outcome = text_of(check, "outcome"), *host = text_of(check, "host");
    bool is_pass = outcome && !strcmp(outcome, "pass");
    bool is_cannot = outcome && !strcmp(outcome, "cannot");
    const char *says = text_of(check, "says");

    add(t,
        is_pass     ? STYLE_GOOD
        : is_cannot ? STYLE_WARN
                    : STYLE_BAD,
        9, 0, "%s %s",
        is_pass     ? "pass    "
        : is_cannot ? "cannot  "
                    : "not yet ",
        says ? says : "?");
    if (is_cannot && text_of(check, "why"))
        add(t, STYLE_NORMAL, 2, 0, "  %s", text_of(check, "why"));
    if (is_cannot && text_of(check, "hint"))
        add(t, STYLE_NORMAL, 2, 0, "  %s", text_of(check, "hint"));
    if (text_of(check, "seen"))
        add(t, STYLE_NORMAL, 2, 0, "  seen%s%s%s: %s", host ? " (" : "", host ? host : "",
            host ? ")" : "", text_of(check, "seen"));
    if (!is_pass && text_of(check, "want"))
        add(t, STYLE_NORMAL, 2, 0, "  wanted: %s", text_of(check, "want"));
    if (text_of(check, "how"))
        add(t, STYLE_DIM, 2, 0, "  how: %s", text_of(check, "how"));
}

static void fill_checks(struct view_labs *l)
{
    struct panel_text *t = &l->panel[CHECKS];
    const cJSON *checks = json_get(json_get(l->state, "judged"), "checks"), *check;

    cJSON_ArrayForEach(check, checks) fill_check(t, check);
    if (!checks)
        add(t, STYLE_DIM, 0, 0, "c checks what is there now");
}

static void focus_on(struct view_labs *l, int panel)
{
    if (l->base.is_zoomed || l->base.focus == panel)
        return;
    l->base.focus = panel;
    screen_touch(&l->base.console->screen);
}

/* The lab after `name` in the list. */
static int lab_after(const struct view_labs *l, const char *name)
{
    const cJSON *lab;
    int i = 0;

    cJSON_ArrayForEach(lab, json_get(l->state, "labs"))
    {
        i++;
        if (text_of(lab, "name") && !strcmp(text_of(lab, "name"), name))
            return i;
    }
    return 0;
}

/* A new text is read from its beginning, and has the focus; a new hint, which stands below, is
 * brought into sight, as its step is in the list; after the last one the next lab is chosen. */
static void bring_into_sight(struct view_labs *l)
{
    const cJSON *step = json_get(l->state, "step");
    const char *lab = text_of(step, "lab"), *name = text_of(step, "step");
    int hints = cJSON_GetArraySize(json_get(l->state, "hints"));
    char now[sizeof l->shown];

    snprintf(now, sizeof now, "%s%s%s", lab ? lab : "", lab ? "/" : "", lab && name ? name : "");
    if (strcmp(now, l->shown) != 0) {
        text_view_first(&l->panel[TEXT].text);
        text_view_first(&l->panel[CHECKS].text);
        if (step) {
            text_view_select(&l->panel[LIST].text, (lab_after(l, lab) - 1) | TAG_STEP);
            focus_on(l, TEXT);
        } else if (*l->shown) {
            l->shown[strcspn(l->shown, "/")] = '\0';
            text_view_select(&l->panel[LIST].text, lab_after(l, l->shown));
            focus_on(l, LIST);
        }
    } else if (hints > l->hints) {
        text_view_last(&l->panel[TEXT].text);
    }
    l->hints = hints;
    memcpy(l->shown, now, sizeof now);
}

void view_labs_show(struct view *v, const char *json)
{
    struct view_labs *l = (struct view_labs *)v;
    cJSON *state = cJSON_Parse(json);
    const cJSON *step;

    if (!state) {
        console_say(v->console, "labs: what Lua told is no JSON");
        return;
    }
    cJSON_Delete(l->state);
    l->state = state;
    for (int i = 0; i < PANELS; i++) {
        text_view_clear(&l->panel[i].text);
        l->panel[i].base.is_dirty = true;
    }
    fill_list(l);
    fill_text(l);
    fill_checks(l);
    bring_into_sight(l);
    if (v->console->screen.view == v)
        console_touch(v->console); /* other texts, other places */
    step = json_get(state, "step");
    snprintf(l->note, sizeof l->note, "step %.0f of %.0f, %s", json_num(step, "index", 0),
             json_num(step, "of", 0), json_str(step, "place", ""));
    l->panel[TEXT].base.note = step ? l->note : NULL;
    if (text_of(state, "error"))
        console_say(v->console, "%s", text_of(state, "error"));
    else if (text_of(state, "said"))
        console_say(v->console, "%s", text_of(state, "said"));
}

/* --- asking Lua ------------------------------------------------------------------------------- */

static void on_told(void *user, const struct error *err, const char *traceback, const char *values)
{
    struct view_labs *l = user;

    (void)traceback;
    l->is_busy = false;
    l->panel[CHECKS].base.note = NULL;
    l->panel[CHECKS].base.is_dirty = true;
    if (err->status != STATUS_OK)
        console_say_error(l->base.console, err);
    else if (values)
        view_labs_show(&l->base, values);
}

/* An argument as a Lua string: every byte by its number. */
static void put_argument(struct buf *b, const char *text)
{
    buf_puts(b, ", \"");
    for (; text && *text; text++)
        buf_printf(b, "\\%03d", (unsigned char)*text);
    buf_puts(b, "\"");
}

static void ask(struct view_labs *l, const char *word, const char *a, const char *b)
{
    struct buf line;
    struct error err;

    if (l->is_busy || !l->base.session->script)
        return;
    buf_init(&line, 8192);
    buf_printf(&line, "lab._labs_screen(\"%s\"", word);
    if (a)
        put_argument(&line, a);
    if (b)
        put_argument(&line, b);
    buf_puts(&line, ")");
    if (line.is_failed) {
        console_say(l->base.console, "labs: that is too long");
    } else if (script_eval(l->base.session->script, line.data, on_told, l, &err) != STATUS_OK) {
        console_say_error(l->base.console, &err);
    } else {
        l->is_busy = l->is_asked = true;
        l->panel[CHECKS].base.note = "measuring";
        l->panel[CHECKS].base.is_dirty = true;
    }
    buf_done(&line);
}

static void confirmed(void *user, bool is_yes, const char *word)
{
    if (is_yes)
        ask(user, word, NULL, NULL);
}

static void on_solve(void *user, bool is_yes)
{
    confirmed(user, is_yes, "solve");
}

static void on_reset(void *user, bool is_yes)
{
    confirmed(user, is_yes, "reset");
}

static bool on_answer(void *user, const char *text)
{
    if (text && *text)
        ask(user, "answer", text, NULL);
    return true;
}

static bool on_place(void *user, const char *text)
{
    struct view_labs *l = user;

    if (text)
        ask(l, "start", l->chosen, text);
    return true;
}

/* Enter on a lab of the list: where shall it run? */
static bool open_lab(struct view_labs *l)
{
    const struct text_view_line *line = text_view_selected(&l->panel[LIST].text);
    const cJSON *lab =
        line ? cJSON_GetArrayItem(json_get(l->state, "labs"), line->tag & ~TAG_STEP) : NULL;
    const char *name = text_of(lab, "name"), *place = text_of(json_get(l->state, "step"), "place");

    if (!name)
        return false;
    snprintf(l->chosen, sizeof l->chosen, "%s", name);
    console_ask(
        l->base.console,
        &(struct console_prompt){.label = "Start it on (virtual, replay or file): ",
                                 .text = place && !strcmp(place, "replay") ? "replay" : "virtual",
                                 .done = on_place,
                                 .user = l});
    return true;
}

/* --- the screen ------------------------------------------------------------------------------- */

/* The rows that all of a panel needs, with its title. */
static int rows_of(struct view_labs *l, int panel, int cols)
{
    size_t rows = text_view_rows(&l->panel[panel].text, cols);

    return rows < 1000 ? 1 + (int)rows : 1000;
}

/* The checks have what they lack and the text does not need. On narrow screens they go below the
 * list too, for what they say is long. */
static void layout(struct view *v, struct rect area, struct rect out[])
{
    struct view_labs *l = (struct view_labs *)v;
    bool is_wide = area.cols >= WIDE_COLS;
    struct rect right, left, below;
    int text, list, spare, lacking;

    layout_columns(area, v->share[SIDE], SIDE_MIN_COLS, 30, &left, &right);
    layout_rows(is_wide ? right : area, v->share[BELOW], 6, 4, &out[TEXT], &below);
    text = rows_of(l, TEXT, right.cols);
    list = is_wide ? 0 : rows_of(l, LIST, left.cols);
    spare = out[TEXT].rows - (text > list ? text : list);
    lacking = rows_of(l, CHECKS, below.cols) - below.rows;
    lacking = lacking < spare ? lacking : spare;
    if (lacking > 0) {
        out[TEXT].rows -= lacking;
        below.y -= lacking;
        below.rows += lacking;
    }
    out[TEXT].x = right.x;
    out[TEXT].cols = right.cols;
    out[CHECKS] = below;
    out[LIST] = left;
    if (!is_wide)
        out[LIST].rows = out[TEXT].rows;
}

static bool act(struct view *v, enum action_id id)
{
    struct view_labs *l = (struct view_labs *)v;

    switch (id) {
    case ACTION_OPEN:
        return v->focus == LIST && open_lab(l);
    case ACTION_LAB_CHECK:
        ask(l, "check", NULL, NULL);
        return true;
    case ACTION_LAB_HINT:
        ask(l, "hint", NULL, NULL);
        return true;
    case ACTION_LAB_NEXT:
        ask(l, "next", NULL, NULL);
        return true;
    case ACTION_LAB_ANSWER:
        console_ask(v->console, &(struct console_prompt){
                                    .label = "Your answer: ", .done = on_answer, .user = l});
        return true;
    case ACTION_LAB_SOLVE:
        console_confirm(v->console, "Show the solution of this step and do it for you? (y/n)",
                        on_solve, l);
        return true;
    case ACTION_LAB_RESET:
        console_confirm(v->console, "Forget what was done in this lab? (y/n)", on_reset, l);
        return true;
    default:
        return false;
    }
}

static void show(struct view *v, bool is_shown)
{
    struct view_labs *l = (struct view_labs *)v;

    if (is_shown && !l->is_asked)
        ask(l, "state", NULL, NULL);
}

static void done(struct view *v)
{
    struct view_labs *l = (struct view_labs *)v;

    for (int i = 0; i < PANELS; i++)
        panel_text_done(&l->panel[i]);
    cJSON_Delete(l->state);
    free(l);
}

static const struct view_ops ops = {
    .where = ACTION_IN_LABS, .layout = layout, .act = act, .show = show, .done = done};

struct view *view_labs_new(const struct view_env *env)
{
    static const char *const titles[PANELS] = {"Labs", "Step", "Checks"};
    static const int sized_by[PANELS] = {SIDE + 1, BELOW + 1, -(BELOW + 1)};
    struct view_labs *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    view_init(&l->base, &ops, env);
    view_share(&l->base, 280);
    view_share(&l->base, 650);
    for (int i = 0; i < PANELS; i++) {
        panel_text_init(&l->panel[i], titles[i]);
        view_add(&l->base, &l->panel[i].base, sized_by[i]);
    }
    return &l->base;
}
