#include "console/screen_packets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/filter_complete.h"
#include "console/keymap.h"
#include "console/utf8.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/units.h"

#define LOOK_NS 12000000u /* reading lines: a part of a frame */

static void say(struct screen_packets *s, const char *fmt, ...) CCALAB_PRINTF(2, 3);

static void say(struct screen_packets *s, const char *fmt, ...)
{
    char text[sizeof s->message];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    log_escape(text, s->message, sizeof s->message);
    s->is_dirty = true;
}

static void say_error(struct screen_packets *s, const struct error *err)
{
    say(s, "%s%s%s", err->message, err->hint[0] ? "; " : "", err->hint);
}

/* --- which packet is where -------------------------------------------------------------------- */

static uint64_t number_at(struct screen_packets *s, uint64_t at)
{
    uint64_t number;

    if (!s->scan)
        return at < s->state.packets ? at + 1 : 0;
    return packet_scan_hits(s->scan, at, 1, &number) ? number : 0;
}

static uint64_t selected_number(struct screen_packets *s)
{
    return s->list.count ? number_at(s, s->list.selected) : 0;
}

/* The list is another one: what was read of it is old. */
static void renew_list(struct screen_packets *s)
{
    s->generation++;
    s->list.count = s->list.top = s->list.selected = 0;
    s->is_dirty = true;
}

const struct screen_packets_row *screen_packets_row(const struct screen_packets *s, uint64_t at)
{
    const struct screen_packets_row *row = &s->row[at % SCREEN_PACKETS_ROWS];

    return row->generation == s->generation && row->at == at ? row : NULL;
}

static void resolve_anchor(struct screen_packets *s)
{
    bool is_there = s->scan ? s->scan_state.seen >= s->anchor || s->scan_state.is_done
                            : s->state.packets >= s->anchor;

    if (s->scan && s->scan_state.is_done && !s->list.count)
        s->anchor = 0;
    if (!s->anchor || !s->list.count)
        return;
    if (!is_there && s->state.is_done && !s->scan) {
        say(s, "there is no packet %" PRIu64 ", the last one is %" PRIu64, s->anchor,
            s->state.packets);
        s->anchor = s->state.packets;
        is_there = true;
    }
    if (!is_there)
        return;
    list_view_select(&s->list, s->scan ? packet_scan_find(s->scan, s->anchor) : s->anchor - 1);
    s->anchor = 0;
    s->is_dirty = true;
}

/* --- filter, file, following ------------------------------------------------------------------ */

static enum status apply_filter(struct screen_packets *s, const char *text, size_t *at,
                                struct error *err)
{
    struct packet_scan_opts opts = {
        .index = s->index, .filter = text, .on_news = s->opts.wake, .user = s->opts.user};
    struct packet_scan *scan = NULL;
    uint64_t number = selected_number(s);
    enum status st = STATUS_OK;

    if (text[strspn(text, " ")])
        st = packet_scan_start(&opts, &scan, at, err);
    if (st != STATUS_OK)
        return st;
    packet_scan_stop(s->scan);
    s->scan = scan;
    s->scan_state = (struct packet_scan_state){0};
    if (text != s->filter)
        snprintf(s->filter, sizeof s->filter, "%s", scan ? text : "");
    s->anchor = number;
    renew_list(s);
    return STATUS_OK;
}

static void close_file(struct screen_packets *s)
{
    packet_scan_stop(s->scan);
    packet_scan_stop(s->save);
    packet_cursor_close(s->list_cursor);
    packet_cursor_close(s->detail_cursor);
    packet_index_close(s->index);
    s->scan = s->save = NULL;
    s->list_cursor = s->detail_cursor = NULL;
    s->index = NULL;
    s->state = (struct packet_index_state){.fraction = -1};
    s->scan_state = (struct packet_scan_state){0};
    s->shown = 0;
    renew_list(s);
}

static enum status open_file(struct screen_packets *s, struct error *err)
{
    struct packet_index_opts opts = {.path = s->opts.path,
                                     .is_followed = s->opts.is_followed,
                                     .on_news = s->opts.wake,
                                     .user = s->opts.user};

    return packet_index_open(&opts, &s->index, err);
}

/* A file that was read to its end is read again, to wait there. */
static void follow(struct screen_packets *s)
{
    struct error err;
    char *filter;

    s->is_at_end = !s->is_at_end;
    say(s, s->is_at_end ? "following: f or Up ends it" : "not following any more");
    if (!s->is_at_end || s->opts.is_followed || !strcmp(s->opts.path, "-"))
        return;
    filter = strdup(s->filter);
    close_file(s);
    s->opts.is_followed = true;
    if (open_file(s, &err) != STATUS_OK)
        say_error(s, &err);
    else if (filter)
        snprintf(s->filter, sizeof s->filter, "%s", filter);
    free(filter);
}

static void save(struct screen_packets *s, const char *path)
{
    struct packet_scan_opts opts = {.index = s->index,
                                    .filter = s->filter,
                                    .save = path,
                                    .on_news = s->opts.wake,
                                    .user = s->opts.user};
    struct error err;

    free(s->save_path);
    s->save_path = strdup(path);
    if (!s->save_path)
        return;
    if (packet_scan_start(&opts, &s->save, NULL, &err) != STATUS_OK)
        say_error(s, &err);
    else
        say(s, "writing %s", path);
}

static void look_at_save(struct screen_packets *s)
{
    packet_scan_state(s->save, &s->save_state);
    if (!s->save_state.is_done)
        return;
    if (s->save_state.error.status != STATUS_OK)
        say_error(s, &s->save_state.error);
    else
        say(s, "%" PRIu64 " packets written to %s", s->save_state.hits, s->save_path);
    packet_scan_stop(s->save);
    s->save = NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool load_row(struct screen_packets *s, uint64_t at)
{
    struct screen_packets_row *row = &s->row[at % SCREEN_PACKETS_ROWS];
    struct field_frame frame;
    struct error err;
    int cols;

    if (packet_cursor_read(s->list_cursor, number_at(s, at), &frame, &err) != STATUS_OK) {
        say_error(s, &err);
        return false;
    }
    row->generation = s->generation;
    row->at = at;
    packet_line(&frame, &row->line);
    cols = (int)strlen(row->line.src);
    cols = (int)strlen(row->line.dst) > cols ? (int)strlen(row->line.dst) : cols;
    if (cols > s->address_cols)
        s->address_cols = cols;
    s->is_dirty = true;
    return true;
}

/* The lines in view. True: there are more to read. */
static bool load_rows(struct screen_packets *s)
{
    uint64_t start = clock_mono_ns();

    for (uint64_t i = 0; i < (uint64_t)s->list.rows && i < SCREEN_PACKETS_ROWS; i++) {
        uint64_t at = s->list.top + i;

        if (at >= s->list.count)
            return false;
        if (screen_packets_row(s, at))
            continue;
        if (clock_mono_ns() - start > LOOK_NS)
            return true;
        if (!load_row(s, at))
            return false;
    }
    return false;
}

static void light(struct screen_packets *s)
{
    int i = tree_view_selected(&s->tree);

    if (i >= 0)
        hex_view_set(&s->hex, s->bytes, s->len, s->detail.node[i].at, s->detail.node[i].span);
    else
        hex_view_set(&s->hex, s->bytes, s->len, 0, 0);
    s->is_dirty = true;
}

static void load_detail(struct screen_packets *s, uint64_t number)
{
    static struct tree_node nodes[PACKET_DETAIL_NODES];
    struct field_frame frame;
    struct error err;
    uint8_t *bytes;
    bool is_first;

    s->shown = number;
    if (packet_cursor_read(s->detail_cursor, number, &frame, &err) != STATUS_OK) {
        say_error(s, &err);
        return;
    }
    bytes = realloc(s->bytes, frame.packet->cap_len + 1);
    if (!bytes)
        return;
    s->bytes = bytes;
    s->len = frame.packet->cap_len;
    memcpy(bytes, frame.packet->data, s->len);
    packet_detail_build(&s->detail, &frame);
    for (size_t i = 0; i < s->detail.n; i++)
        nodes[i] = (struct tree_node){.depth = s->detail.node[i].depth,
                                      .name = s->detail.node[i].name,
                                      .text = packet_detail_text(&s->detail, i)};
    is_first = s->tree.n == 0;
    list_view_set(&s->tree.list, s->tree.list.count, s->layout.panel[PACKETS_TREE].rows);
    tree_view_set(&s->tree, nodes, s->detail.n);
    /* What people come for. */
    if (is_first && !tree_view_select(&s->tree, "ip.dsfield.ecn"))
        tree_view_select(&s->tree, "ipv6.tclass.ecn");
    light(s);
}

static bool open_cursors(struct screen_packets *s)
{
    struct error err;

    if (!s->state.packets)
        return false;
    if (s->list_cursor && s->detail_cursor)
        return true;
    if (packet_cursor_open(s->index, &s->list_cursor, &err) != STATUS_OK ||
        packet_cursor_open(s->index, &s->detail_cursor, &err) != STATUS_OK) {
        say_error(s, &err);
        packet_cursor_close(s->list_cursor);
        s->list_cursor = NULL;
        return false;
    }
    if (s->filter[0] && !s->scan && apply_filter(s, s->filter, NULL, &err) != STATUS_OK)
        say_error(s, &err); /* one of the start, or from before the file was opened again */
    return true;
}

static void look_at_counts(struct screen_packets *s)
{
    struct packet_index_state before = s->state;
    struct packet_scan_state scan_before = s->scan_state;
    uint64_t count;

    packet_index_state(s->index, &s->state);
    if (s->scan)
        packet_scan_state(s->scan, &s->scan_state);
    if (s->save)
        look_at_save(s);
    if (before.packets != s->state.packets || before.is_done != s->state.is_done ||
        before.is_waiting != s->state.is_waiting || scan_before.seen != s->scan_state.seen)
        s->is_dirty = true;
    if (!before.error.status && s->state.error.status)
        say_error(s, &s->state.error);
    else if (!scan_before.error.status && s->scan_state.error.status)
        say_error(s, &s->scan_state.error);
    count = s->scan ? s->scan_state.hits : s->state.packets;
    if (count != s->list.count && s->is_at_end)
        s->list.selected = count ? count - 1 : 0;
    list_view_set(&s->list, count, s->layout.panel[PACKETS_LIST].rows);
}

bool screen_packets_look(struct screen_packets *s)
{
    uint64_t number;
    bool has_more;

    if (!s->index)
        return false;
    if (!s->is_inside) {
        s->rows = LINES;
        s->cols = COLS;
    }
    screen_packets_place(s);
    look_at_counts(s);
    if (!open_cursors(s))
        return false;
    look_at_counts(s); /* the filter may have begun */
    resolve_anchor(s);
    has_more = load_rows(s);
    number = selected_number(s);
    if (number && number != s->shown)
        load_detail(s, number);
    return has_more;
}

/* --- keys ------------------------------------------------------------------------------------- */

static void open_line(struct screen_packets *s, enum screen_packets_line line, const char *prompt)
{
    const char *text = line == PACKETS_FILTER ? s->filter : "";
    uint32_t cp;

    panel_command_open(&s->command);
    s->command.prompt = prompt;
    s->command.editor.history = line == PACKETS_FILTER ? &s->command.history : NULL;
    for (size_t n; (n = utf8_decode(text, &cp)); text += n)
        line_editor_insert(&s->command.editor, cp);
    s->line = line;
}

static void close_line(struct screen_packets *s)
{
    panel_command_close(&s->command);
    s->line = PACKETS_NO_LINE;
    s->error_at = -1;
    s->is_dirty = true;
}

static void enter_line(struct screen_packets *s)
{
    const char *text = s->command.editor.text;
    struct error err;
    uint64_t number;
    size_t at = 0;

    switch (s->line) {
    case PACKETS_FILTER:
        if (!s->state.packets) {
            say(s, "there is no packet yet");
            return;
        }
        if (apply_filter(s, text, &at, &err) != STATUS_OK) {
            s->error_at = (int)at;
            say(s, "%s", err.message);
            snprintf(s->hint, sizeof s->hint, "%s", err.hint);
            return; /* to be mended */
        }
        history_add(&s->command.history, text);
        break;
    case PACKETS_GO_TO:
        if (parse_count(text, "the number of a packet", 1, UINT32_MAX, &number, &err) !=
            STATUS_OK) {
            say_error(s, &err);
            return;
        }
        s->anchor = number;
        s->is_at_end = false;
        if (!s->state.is_done && number > s->state.packets)
            say(s, "packet %" PRIu64 " is not there yet", number);
        break;
    case PACKETS_SAVE:
        if (*text && s->index)
            save(s, text);
        break;
    case PACKETS_NO_LINE:
        break;
    }
    close_line(s);
}

static void line_key(struct screen_packets *s, bool is_code, wint_t key)
{
    s->error_at = -1;
    s->message[0] = '\0';
    if (s->line == PACKETS_FILTER && !is_code && key == '\t') {
        char names[sizeof s->message];

        filter_complete(&s->command.editor, names, sizeof names);
        say(s, "%s", names);
        return;
    }
    switch (panel_command_key(&s->command, is_code, key)) {
    case PANEL_COMMAND_ENTER:
        enter_line(s);
        break;
    case PANEL_COMMAND_LEAVE:
        close_line(s);
        break;
    case PANEL_COMMAND_OTHER:
        break;
    }
}

static void go_to_ce(struct screen_packets *s, int step)
{
    uint64_t number = selected_number(s);

    s->is_at_end = false;
    while (number && (number = packet_index_ce(s->index, number, step))) {
        uint64_t at = s->scan ? packet_scan_find(s->scan, number) : number - 1;

        if (number_at(s, at) == number) {
            list_view_select(&s->list, at);
            s->anchor = 0;
            return;
        }
    }
    say(s, step < 0           ? "no packet marked CE before this one"
           : s->state.is_done ? "no packet marked CE after this one"
                              : "no packet marked CE after this one so far");
}

static void walk_about(struct screen_packets *s, enum action_id id)
{
    switch (s->focus) {
    case PACKETS_LIST:
        if (id == ACTION_OPEN) {
            s->focus = PACKETS_TREE;
        } else if (list_view_act(&s->list, id)) {
            s->anchor = 0;
            s->is_at_end &= id == ACTION_LAST;
        }
        break;
    case PACKETS_TREE:
        tree_view_act(&s->tree, id);
        light(s);
        break;
    case PACKETS_HEX:
        hex_view_act(&s->hex, id);
        break;
    case PACKETS_PANELS:
        break;
    }
}

void screen_packets_act(struct screen_packets *s, enum action_id id)
{
    switch (id) {
    case ACTION_HELP:
        help_open(&s->help, ACTION_IN_ALONE);
        break;
    case ACTION_FILTER:
        open_line(s, PACKETS_FILTER, "Filter: ");
        break;
    case ACTION_GO_TO:
        open_line(s, PACKETS_GO_TO, "Go to packet: ");
        break;
    case ACTION_SAVE:
        if (s->save)
            say(s, "still writing %s", s->save_path);
        else if (!s->state.packets)
            say(s, "there is no packet yet");
        else
            open_line(s, PACKETS_SAVE, "Save to the new file: ");
        break;
    case ACTION_FOCUS_NEXT:
    case ACTION_FOCUS_PREV:
        s->focus =
            (s->focus + (id == ACTION_FOCUS_NEXT ? 1u : PACKETS_PANELS - 1u)) % PACKETS_PANELS;
        s->has_plot = false;
        break;
    case ACTION_ZOOM:
        s->is_zoomed = !s->is_zoomed;
        break;
    case ACTION_PLOT:
        s->has_plot = !s->has_plot;
        s->focus = PACKETS_LIST;
        break;
    case ACTION_CE_NEXT:
        go_to_ce(s, 1);
        break;
    case ACTION_CE_PREV:
        go_to_ce(s, -1);
        break;
    case ACTION_FOLLOW:
        follow(s);
        break;
    case ACTION_REDRAW:
        clearok(curscr, TRUE);
        break;
    case ACTION_LEAVE:
        s->is_over = true;
        break;
    default:
        walk_about(s, id);
        break;
    }
}

void screen_packets_key(struct screen_packets *s, bool is_code, wint_t key)
{
    s->is_dirty = true;
    if (s->help.is_open) {
        screen_packets_act(s, help_key(&s->help, is_code, key));
    } else if (s->line != PACKETS_NO_LINE) {
        line_key(s, is_code, key);
    } else {
        s->message[0] = '\0';
        /* Above ASCII the codes of characters and of function keys overlap. */
        if (is_code || key < 0x80)
            screen_packets_act(
                s, keymap_action(s->is_inside ? ACTION_IN_PACKETS : ACTION_IN_ALONE, (int)key));
    }
}

void screen_packets_interrupt(struct screen_packets *s)
{
    if (s->line != PACKETS_NO_LINE)
        close_line(s);
    else
        s->is_over = true;
}

/* --- life ------------------------------------------------------------------------------------- */

enum status screen_packets_open(struct screen_packets *s, const struct screen_packets_opts *opts,
                                struct error *err)
{
    static const char *const closed[] = {"frame", "eth",      "vlan", "sll",         "null", "wlan",
                                         "llc",   "ip.flags", "data", "tcp.options", NULL};

    memset(s, 0, sizeof *s);
    s->opts = *opts;
    s->is_inside = opts->is_inside;
    s->generation = 1;
    s->error_at = -1;
    s->state.fraction = -1;
    s->is_at_end = opts->is_followed;
    s->is_dirty = true;
    panel_command_init(&s->command);
    panel_command_load(&s->command, opts->history);
    tree_view_init(&s->tree, closed);
    packet_detail_init(&s->detail);
    if (opts->filter)
        snprintf(s->filter, sizeof s->filter, "%s", opts->filter);
    return open_file(s, err);
}

void screen_packets_close(struct screen_packets *s)
{
    close_file(s);
    packet_detail_done(&s->detail);
    panel_command_done(&s->command);
    cells_done(&s->cells);
    free(s->save_path);
    free(s->bytes);
}
