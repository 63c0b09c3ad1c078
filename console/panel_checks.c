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
    text_view_add(&p->lines.text, style, indent, 0, log_escape(line, clean, sizeof clean));
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

    text_view_clear(&p->lines.text);
    for (size_t i = 0; i < p->checks->len; i++) {
        const struct checks_host *h = &p->checks->of[i];
        const cJSON *check;
        char head[160], clean[160];

        failed += h->failed;
        unknown += h->unknown;
        snprintf(head, sizeof head, "%s: %d ok, %d FAIL, %d ?", h->name, h->passed, h->failed,
                 h->unknown);
        text_view_add(&p->lines.text, STYLE_FOCUS, 2, (int)i + 1,
                      log_escape(head, clean, sizeof clean));
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
    p->lines.base.note = failed || unknown ? p->note : NULL;
}

void panel_checks_init(struct panel_checks *p, const struct checks_table *checks)
{
    *p = (struct panel_checks){.checks = checks};
    panel_text_init(&p->lines, "Checks");
    p->lines.empty[0] = "nothing checked yet";
    p->lines.empty[1] = "  : lab.doctor(bed)";
}

void panel_checks_done(struct panel_checks *p)
{
    panel_text_done(&p->lines);
}

void panel_checks_look(struct panel_checks *p)
{
    if (p->seen == p->checks->updates)
        return;
    p->seen = p->checks->updates;
    fill(p);
    p->lines.base.is_dirty = true;
}

void panel_checks_select(struct panel_checks *p, const char *host)
{
    for (size_t i = 0; i < p->checks->len; i++)
        if (!strcmp(p->checks->of[i].name, host))
            p->lines.base.is_dirty |= text_view_select(&p->lines.text, (int)i + 1);
}
