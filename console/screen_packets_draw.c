#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/keys.h"
#include "console/panel_plot.h"
#include "console/screen_packets.h"
#include "core/log.h"
#include "core/plot.h"
#include "core/series.h"

#define BAR_CELLS 10
/* From this width on bytes stand beside the tree: 16 of them a row, and as much for the tree. */
#define WIDE_COLS 150
#define HEX_COLS  75

/* --- places ----------------------------------------------------------------------------------- */

void screen_packets_place(struct screen_packets *s)
{
    struct screen_packets_layout *l = &s->layout;
    /* In the console the last row is needed while a line is typed only. */
    bool has_keys = !s->is_inside || s->line != PACKETS_NO_LINE;
    int body = s->rows - 3 - has_keys, list, tree; /* without title, header, command line, keys */
    int min_rows = LAYOUT_MIN_ROWS - (s->is_inside ? 3 : 0);

    *l = (struct screen_packets_layout){.is_too_small =
                                            s->cols < LAYOUT_MIN_COLS || s->rows < min_rows};
    if (l->is_too_small)
        return;
    l->title = (struct rect){0, 0, 1, s->cols};
    l->line = (struct rect){s->rows - 1 - has_keys, 0, 1, s->cols};
    l->keys = (struct rect){s->rows - 1, 0, has_keys, s->cols};
    l->header = (struct rect){1, 0, 1, s->cols};
    if (s->is_zoomed && !s->has_plot) {
        if (s->focus != PACKETS_LIST)
            l->rule[s->focus] = l->header;
        l->panel[s->focus] = (struct rect){2, 0, body, s->cols};
        if (s->focus != PACKETS_LIST)
            l->header.rows = 0;
        return;
    }
    list = s->cols >= WIDE_COLS || s->has_plot ? body * 45 / 100 : body * 40 / 100;
    l->panel[PACKETS_LIST] = (struct rect){2, 0, list, s->cols};
    l->rule[PACKETS_TREE] = (struct rect){2 + list, 0, 1, s->cols};
    if (s->has_plot) {
        l->plot = (struct rect){3 + list, 0, body - list - 1, s->cols};
        return;
    }
    if (s->cols >= WIDE_COLS) {
        int left = s->cols - HEX_COLS - 1;

        l->rule[PACKETS_TREE].cols = left;
        l->rule[PACKETS_HEX] = (struct rect){2 + list, left + 1, 1, HEX_COLS};
        l->panel[PACKETS_TREE] = (struct rect){3 + list, 0, body - list - 1, left};
        l->panel[PACKETS_HEX] = (struct rect){3 + list, left + 1, body - list - 1, HEX_COLS};
        return;
    }
    tree = (body - list - 2) * 60 / 100;
    l->panel[PACKETS_TREE] = (struct rect){3 + list, 0, tree, s->cols};
    l->rule[PACKETS_HEX] = (struct rect){3 + list + tree, 0, 1, s->cols};
    l->panel[PACKETS_HEX] = (struct rect){4 + list + tree, 0, body - list - tree - 2, s->cols};
}

/* --- the title, rules and the command line ---------------------------------------------------- */

static void draw_title(const struct screen_packets *s)
{
    const char *slash = strrchr(s->opts.path, '/');
    const char *name = !strcmp(s->opts.path, "-") ? "standard input"
                       : slash                    ? slash + 1
                                                  : s->opts.path;
    double fraction = s->state.fraction;
    char text[512], clean[128];
    int n;

    n = snprintf(text, sizeof text, "%s%.80s | ", s->is_inside ? " " : " ccalab packets | ",
                 log_escape(name, clean, sizeof clean));
    if (s->filter[0])
        n += snprintf(text + n, sizeof text - (size_t)n, "%" PRIu64 " of %" PRIu64 " pass",
                      s->scan_state.hits, s->scan_state.seen);
    else
        n += snprintf(text + n, sizeof text - (size_t)n, "%" PRIu64 " packets", s->state.packets);
    /* What goes on: reading the file, else the filter. */
    if (s->state.is_done && s->filter[0] && s->state.packets)
        fraction = (double)s->scan_state.seen / (double)s->state.packets;
    if (s->state.is_waiting) {
        n += snprintf(text + n, sizeof text - (size_t)n, " | waiting for more");
    } else if (fraction >= 0 && (!s->state.is_done || (s->filter[0] && fraction < 1))) {
        char bar[BAR_CELLS + 1];

        for (int i = 0; i < BAR_CELLS; i++)
            bar[i] = i < (int)(fraction * BAR_CELLS + 0.5) ? '#' : '.';
        bar[BAR_CELLS] = '\0';
        n += snprintf(text + n, sizeof text - (size_t)n, " | %s [%s] %.0f %%",
                      s->state.is_done ? "filtering" : "reading", bar, 100 * fraction);
    }
    if (s->is_at_end)
        n += snprintf(text + n, sizeof text - (size_t)n, " | following");
    if (s->state.truncated[0])
        snprintf(text + n, sizeof text - (size_t)n, " | CUT SHORT at %s",
                 log_escape(s->state.truncated, clean, sizeof clean));
    text_fill(s->win, 0, 0, s->cols, STYLE_BAR, text);
}

static void draw_rule(const struct screen_packets *s, const struct rect *r, const char *title,
                      bool has_focus)
{
    enum style style = has_focus ? STYLE_FOCUS : STYLE_RULE;
    int x = 1;

    if (!r->rows)
        return;
    for (int i = 0; i < r->cols; i++)
        text_put(s->win, r->y, r->x + i, 1, style, theme_is_utf8() ? "\u2500" : "-");
    x += text_put(s->win, r->y, r->x + x, r->cols - x, style, has_focus ? "[" : " ");
    x += text_put(s->win, r->y, r->x + x, r->cols - x, style, title);
    text_put(s->win, r->y, r->x + x, r->cols - x, style, has_focus ? "]" : " ");
}

/* What is wrong with the filter, above it; and below it where that is, with what may be meant. */
static void draw_error(const struct screen_packets *s)
{
    int at = (int)strlen(s->command.prompt) + s->error_at, len = (int)strlen(s->hint);
    int y = s->layout.keys.y, x = at + 2;

    text_fill(s->win, s->layout.line.y - 1, 0, s->cols, STYLE_BAD, s->message);
    if (at >= s->cols)
        at = s->cols - 1;
    if (x + len > s->cols) /* to the left of the mark, if there is more room */
        x = at > s->cols / 2 ? at - 1 - len : x;
    text_put(s->win, y, x > 0 ? x : 0, s->cols - x, STYLE_WARN, s->hint);
    text_put(s->win, y, at, 1, STYLE_BAD, "^");
}

static void draw_line(struct screen_packets *s)
{
    char text[LINE_EDITOR_MAX + 16], clean[LINE_EDITOR_MAX];
    int y = s->layout.line.y;

    if (s->line != PACKETS_NO_LINE && s->error_at >= 0)
        draw_error(s);
    else if (s->line != PACKETS_NO_LINE && s->message[0])
        text_put(s->win, s->layout.keys.y, 0, s->cols, STYLE_WARN, s->message);
    else if (!s->is_inside)
        keys_draw_bar(s->win, s->layout.keys.y, ACTION_IN_ALONE);
    if (s->line != PACKETS_NO_LINE) {
        WINDOW *win = derwin(s->win, 1, s->cols, y, 0);

        if (win) {
            panel_command_draw(&s->command, win);
            wmove(s->win, y, getcurx(win)); /* the cursor is where the next character goes */
            delwin(win);
        }
        return;
    }
    if (s->message[0]) {
        text_put(s->win, y, 0, s->cols, STYLE_WARN, s->message);
        return;
    }
    snprintf(text, sizeof text, "Filter: %s", log_escape(s->filter, clean, sizeof clean));
    text_put(s->win, y, 0, s->cols, s->filter[0] ? STYLE_NORMAL : STYLE_DIM,
             s->filter[0] ? text : "press / for a display filter, ? for the keys");
}

/* --- the list --------------------------------------------------------------------------------- */

static int digits(uint64_t n)
{
    int count = 1;

    for (; n >= 10; n /= 10)
        count++;
    return count;
}

static int number_cols(const struct screen_packets *s)
{
    int n = digits(s->state.packets);

    return n < 5 ? 5 : n;
}

static int address_cols(const struct screen_packets *s)
{
    int max = s->cols / 5, cols = s->address_cols < 11 ? 11 : s->address_cols;

    return cols < max ? cols : max;
}

static void draw_header(const struct screen_packets *s)
{
    int n = number_cols(s), a = address_cols(s);
    char text[512];

    if (!s->layout.header.rows)
        return;
    snprintf(text, sizeof text, " %*s %11s %-*s %-*s %-8s %6s %-7s %s", n, "No.", "Time", a,
             "Source", a, "Destination", "Protocol", "Length", "ECN", "Info");
    text_fill(s->win, s->layout.header.y, 0, s->cols,
              s->focus == PACKETS_LIST ? STYLE_FOCUS : STYLE_RULE, text);
}

static void draw_packet(const struct screen_packets *s, int y, uint64_t at)
{
    const struct screen_packets_row *row = screen_packets_row(s, at);
    int n = number_cols(s), a = address_cols(s);
    bool is_selected = at == s->list.selected;
    const char *mark = is_selected ? ">" : " ";
    enum style style = STYLE_NORMAL;
    char text[1024], src[64], dst[64];

    if (row) {
        const struct packet_line *l = &row->line;

        /* Long addresses end in what tells them apart. */
        snprintf(src, sizeof src, "%s",
                 l->src + ((int)strlen(l->src) > a ? (int)strlen(l->src) - a : 0));
        snprintf(dst, sizeof dst, "%s",
                 l->dst + ((int)strlen(l->dst) > a ? (int)strlen(l->dst) - a : 0));
        snprintf(text, sizeof text, "%s%*" PRIu64 " %11.6f %-*s %-*s %-8s %6u %-7s %s", mark, n,
                 l->number, l->time_s, a, src, a, dst, l->protocol, l->len, l->ecn, l->info);
        if (!strcmp(l->ecn, "CE"))
            style = STYLE_WARN;
        else if (l->info[0] == '[')
            style = STYLE_BAD;
    } else {
        snprintf(text, sizeof text, "%s%*s", mark, n, "...");
    }
    if (is_selected && s->focus == PACKETS_LIST)
        text_fill(s->win, y, 0, s->cols, STYLE_BAR, text);
    else
        text_put(s->win, y, 0, s->cols, is_selected ? STYLE_FOCUS : style, text);
}

static void draw_list(const struct screen_packets *s)
{
    const struct rect *r = &s->layout.panel[PACKETS_LIST];
    const char *why = s->scan_state.is_done               ? "no packet passes the filter"
                      : s->state.is_done && !s->filter[0] ? "there is no packet"
                                                          : "no packet yet";

    for (int y = 0; y < r->rows && s->list.top + (uint64_t)y < s->list.count; y++)
        draw_packet(s, r->y + y, s->list.top + (uint64_t)y);
    if (r->rows && !s->list.count)
        text_put(s->win, r->y, 1, s->cols - 1, STYLE_DIM, why);
}

/* --- ECN over time ---------------------------------------------------------------------------- */

static void draw_plot(struct screen_packets *s)
{
    static const struct {
        enum ecn_codepoint ecn;
        const char *label;
    } what[] = {
        {ECN_CE, "CE"}, {ECN_ECT1, "ECT(1)"}, {ECN_ECT0, "ECT(0)"}, {ECN_NOT_ECT, "Not-ECT"}};
    struct packet_index_bin *bins = calloc(PACKET_INDEX_BINS, sizeof *bins);
    struct plot_line lines[ECN_COUNT];
    struct plot plot = {.x_label = "time [s]", .lines = lines, .has_zero = true};
    const struct rect *r = &s->layout.plot;
    struct series_set set;
    uint32_t step_s = 1;
    size_t n;

    series_set_init(&set, ECN_COUNT);
    n = bins ? packet_index_bins(s->index, bins, &step_s) : 0;
    for (int k = 0; k < ECN_COUNT; k++) {
        struct series *series = series_set_get(&set, what[k].label);
        bool is_seen = false;

        for (size_t i = 0; series && i < n; i++) {
            is_seen |= bins[i].count[what[k].ecn] > 0;
            series_append(series, (double)(i * step_s),
                          bins[i].count[what[k].ecn] / (double)step_s);
        }
        if (is_seen)
            lines[plot.nlines++] = (struct plot_line){what[k].label, series, 1};
    }
    if (!plot.nlines)
        text_put(s->win, r->y, r->x, r->cols, STYLE_DIM, "no IP packet yet");
    else if (cells_resize(&s->cells, r->cols, r->rows)) {
        cells_plot(&s->cells, &plot, theme_plot_tier());
        panel_plot_cells(s->win, r->y, r->x, &s->cells);
    }
    series_set_done(&set);
    free(bins);
}

/* --- all of it -------------------------------------------------------------------------------- */

void screen_packets_draw_in(struct screen_packets *s, WINDOW *win)
{
    char title[64];

    s->is_dirty = false;
    s->win = win;
    getmaxyx(win, s->rows, s->cols);
    screen_packets_place(s);
    if (s->layout.is_too_small)
        return;
    draw_title(s);
    draw_header(s);
    draw_list(s);
    if (s->shown)
        snprintf(title, sizeof title, "Packet %" PRIu64, s->shown);
    else
        snprintf(title, sizeof title, "Packet");
    draw_rule(s, &s->layout.rule[PACKETS_TREE], s->has_plot ? "Packets per second by ECN" : title,
              s->focus == PACKETS_TREE);
    draw_rule(s, &s->layout.rule[PACKETS_HEX], "Bytes", s->focus == PACKETS_HEX);
    if (s->layout.panel[PACKETS_TREE].rows && s->shown)
        tree_view_draw(&s->tree, s->win, &s->layout.panel[PACKETS_TREE], s->focus == PACKETS_TREE);
    if (s->layout.panel[PACKETS_HEX].rows && s->shown)
        hex_view_draw(&s->hex, s->win, &s->layout.panel[PACKETS_HEX]);
    if (s->has_plot && s->index)
        draw_plot(s);
    draw_line(s);
}

void screen_packets_draw(struct screen_packets *s)
{
    werase(stdscr);
    screen_packets_draw_in(s, stdscr);
    if (s->layout.is_too_small) {
        keys_draw_too_small(LAYOUT_MIN_COLS, LAYOUT_MIN_ROWS);
        curs_set(0);
        doupdate();
        return;
    }
    curs_set(s->line != PACKETS_NO_LINE);
    wnoutrefresh(stdscr);
    if (s->help.is_open)
        help_draw(&s->help);
    doupdate();
}
