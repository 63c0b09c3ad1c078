#include "console/panel_hosts.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"

#define HOSTS_MAX   256
#define DETAIL_COLS 60 /* from this width on the checks themselves are shown */

static struct host *host_at(const struct panel_hosts *p, size_t i)
{
    return p->session->script && i < HOSTS_MAX ? script_host_at(p->session->script, i) : NULL;
}

/* One check that did not pass, in up to three lines. Returns the next row. */
static int draw_check(WINDOW *win, int y, int rows, int cols, const cJSON *check)
{
    static const char *const keys[] = {"seen", "want", "fix"};
    static const char *const heads[] = {"", "wanted ", "to fix "};
    bool is_failed = !strcmp(json_str(check, "verdict", ""), "fail");

    for (int i = 0; i < 3 && y < rows; i++) {
        const char *text = json_str(check, keys[i], NULL);
        char line[1024], clean[1024];

        if (!text)
            continue;
        if (i == 0)
            snprintf(line, sizeof line, "    %s %s: %s", is_failed ? "FAIL" : "?",
                     json_str(check, "name", ""), text);
        else
            snprintf(line, sizeof line, "         %s%s", heads[i], text);
        text_put(win, y++, 0, cols,
                 i           ? STYLE_DIM
                 : is_failed ? STYLE_BAD
                             : STYLE_WARN,
                 log_escape(line, clean, sizeof clean));
    }
    return y;
}

/* What the doctor found on a host. Returns the next row. */
static int draw_checks(WINDOW *win, int y, int rows, int cols, const struct checks_host *c)
{
    const cJSON *check;
    char text[64];

    if (!c || y >= rows)
        return y;
    snprintf(text, sizeof text, "  %d ok%s", c->passed, c->failed || c->unknown ? "," : "");
    int x = text_put(win, y, 0, cols, STYLE_GOOD, text) + 1;
    if (c->failed) {
        snprintf(text, sizeof text, "%d FAIL%s", c->failed, c->unknown ? "," : "");
        x += text_put(win, y, x, cols - x, STYLE_BAD, text) + 1;
    }
    if (c->unknown) {
        snprintf(text, sizeof text, "%d ?", c->unknown);
        text_put(win, y, x, cols - x, STYLE_WARN, text);
    }
    y++;
    if (cols < DETAIL_COLS)
        return y;
    cJSON_ArrayForEach(check, c->checks)
    {
        if (strcmp(json_str(check, "verdict", ""), "pass"))
            y = draw_check(win, y, rows, cols, check);
    }
    return y;
}

static void draw(struct panel *base)
{
    struct panel_hosts *p = (struct panel_hosts *)base;
    int rows = getmaxy(base->win), cols = getmaxx(base->win), y = 1;
    struct host *h;
    size_t i;

    for (i = 0; y < rows && (h = host_at(p, i)); i++) {
        static const char *const words[] = {
            [HOST_STATE_UP] = "up", [HOST_STATE_DOWN] = "down", [HOST_STATE_CONNECTING] = "wait"};
        enum host_state state = host_state(h);
        int jobs = host_jobs(h), x;
        char name[64], line[160];

        if (y + 1 >= rows && host_at(p, i + 1)) {
            text_put(base->win, y, 0, cols, STYLE_DIM, "...");
            return;
        }
        log_escape(host_name(h), name, sizeof name);
        x = text_put(base->win, y, 0, cols - 5, STYLE_NORMAL, name) + 1;
        text_put(base->win, y++, x, cols - x,
                 state == HOST_STATE_UP     ? STYLE_GOOD
                 : state == HOST_STATE_DOWN ? STYLE_BAD
                                            : STYLE_DIM,
                 words[state]);
        if (y >= rows)
            return;
        log_escape(host_address(h), name, sizeof name);
        snprintf(line, sizeof line, "  %s%s%s", host_kind_name(h), name[0] ? " " : "", name);
        if (jobs)
            snprintf(line + strlen(line), sizeof line - strlen(line), " %d job%s", jobs,
                     jobs == 1 ? "" : "s");
        text_put(base->win, y++, 0, cols, STYLE_DIM, line);
        y = draw_checks(base->win, y, rows, cols,
                        checks_table_find(&p->session->checks, host_name(h)));
    }
    if (!i)
        text_put(base->win, 1, 0, cols, STYLE_DIM, "none yet");
}

static const struct panel_ops ops = {.draw = draw};

void panel_hosts_init(struct panel_hosts *p, const struct session *session)
{
    *p = (struct panel_hosts){.base = {.ops = &ops, .title = "Hosts", .is_dirty = true},
                              .session = session};
}

void panel_hosts_look(struct panel_hosts *p)
{
    uint64_t now = 14695981039346656037u + p->session->checks.updates; /* FNV-1a */
    struct host *h;

    for (size_t i = 0; (h = host_at(p, i)); i++) {
        uint64_t facts[] = {(uintptr_t)h, (uint64_t)host_state(h), (uint64_t)host_jobs(h)};

        for (size_t k = 0; k < 3; k++)
            now = (now ^ facts[k]) * 1099511628211u;
    }
    if (now != p->seen)
        p->base.is_dirty = true;
    p->seen = now;
}
