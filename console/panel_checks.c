#include "console/panel_checks.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"

static void add(struct panel_checks *p, enum style style, int indent, const char *before,
                const char *text)
{
    char line[1200], clean[1200];

    snprintf(line, sizeof line, "%s%s", before, text);
    text_view_add(&p->text, style, indent, 0, log_escape(line, clean, sizeof clean));
}

static void add_check(struct panel_checks *p, const cJSON *check)
{
    const char *verdict = json_str(check, "verdict", ""), *want = json_str(check, "want", NULL),
               *fix = json_str(check, "fix", NULL);
    bool is_ok = !strcmp(verdict, "pass"), is_failed = !strcmp(verdict, "fail");
    char head[128];

    snprintf(head, sizeof head, " %s %.80s: ",
             is_ok       ? "ok"
             : is_failed ? "FAIL"
                         : "?",
             json_str(check, "name", ""));
    add(p,
        is_ok       ? STYLE_GOOD
        : is_failed ? STYLE_BAD
                    : STYLE_WARN,
        6, head, json_str(check, "seen", "-"));
    if (is_ok)
        return;
    if (want)
        add(p, STYLE_DIM, 8, "      wanted ", want);
    if (fix)
        add(p, STYLE_DIM, 8, "      to fix ", fix);
}

static void fill(struct panel_checks *p)
{
    int failed = 0, unknown = 0;

    text_view_clear(&p->text);
    for (size_t i = 0; i < p->checks->len; i++) {
        const struct checks_host *h = &p->checks->of[i];
        const cJSON *check;
        char head[160], clean[160];

        failed += h->failed;
        unknown += h->unknown;
        snprintf(head, sizeof head, "%s: %d ok, %d FAIL, %d ?", h->name, h->passed, h->failed,
                 h->unknown);
        text_view_add(&p->text, STYLE_FOCUS, 2, (int)i + 1, log_escape(head, clean, sizeof clean));
        cJSON_ArrayForEach(check, h->checks)
        {
            if (strcmp(json_str(check, "verdict", ""), "pass"))
                add_check(p, check);
        }
        cJSON_ArrayForEach(check, h->checks)
        {
            if (!strcmp(json_str(check, "verdict", ""), "pass"))
                add_check(p, check);
        }
    }
    snprintf(p->note, sizeof p->note, "%d FAIL, %d ?", failed, unknown);
    p->base.note = failed || unknown ? p->note : NULL;
}

static void draw(struct panel *base)
{
    struct panel_checks *p = (struct panel_checks *)base;
    struct rect r = {1, 0, getmaxy(base->win) - 1, getmaxx(base->win)};

    if (!p->text.nlines) {
        text_put(base->win, 1, 0, r.cols, STYLE_DIM, "nothing checked yet");
        if (r.rows > 1)
            text_put(base->win, 2, 0, r.cols, STYLE_DIM, "  : lab.doctor(bed)");
        return;
    }
    text_view_draw(&p->text, base->win, &r, base->has_focus);
}

static bool act(struct panel *base, enum action_id id)
{
    return base->is_dirty |= text_view_act(&((struct panel_checks *)base)->text, id);
}

static bool search(struct panel *base, const char *text, int step)
{
    return base->is_dirty |= text_view_search(&((struct panel_checks *)base)->text, text, step);
}

static bool copy(struct panel *base, char *out, size_t size)
{
    return text_view_copy(&((struct panel_checks *)base)->text, out, size);
}

static void click(struct panel *base, int y)
{
    text_view_click(&((struct panel_checks *)base)->text, y - 1);
    base->is_dirty = true;
}

static const struct panel_ops ops = {
    .draw = draw, .act = act, .search = search, .copy = copy, .click = click};

void panel_checks_init(struct panel_checks *p, const struct checks_table *checks)
{
    *p = (struct panel_checks){.base = {.ops = &ops, .title = "Checks", .is_dirty = true},
                               .checks = checks};
}

void panel_checks_done(struct panel_checks *p)
{
    text_view_done(&p->text);
}

void panel_checks_look(struct panel_checks *p)
{
    if (p->seen == p->checks->updates)
        return;
    p->seen = p->checks->updates;
    fill(p);
    p->base.is_dirty = true;
}

void panel_checks_select(struct panel_checks *p, const char *host)
{
    for (size_t i = 0; i < p->checks->len; i++)
        if (!strcmp(p->checks->of[i].name, host))
            p->base.is_dirty |= text_view_select(&p->text, (int)i + 1);
}
