/* The packet screen: the packets of a capture file as a list, one of them as a tree and as bytes, a
 * display filter, ECN over time. It draws on curses' standard screen, whoever opened that, or into
 * a panel of the console. Thread: main only. */
#ifndef CCALAB_CONSOLE_SCREEN_PACKETS_H
#define CCALAB_CONSOLE_SCREEN_PACKETS_H

#include "capture/packet_cursor.h"
#include "capture/packet_detail.h"
#include "capture/packet_line.h"
#include "capture/packet_scan.h"
#include "console/cells.h"
#include "console/help.h"
#include "console/hex_view.h"
#include "console/panel_command.h"
#include "console/tree_view.h"

#define SCREEN_PACKETS_ROWS 512

enum screen_packets_focus { PACKETS_LIST, PACKETS_TREE, PACKETS_HEX, PACKETS_PANELS };

/* What is typed in the command line. */
enum screen_packets_line { PACKETS_NO_LINE, PACKETS_FILTER, PACKETS_GO_TO, PACKETS_SAVE };

struct screen_packets_opts {
    const char *path;   /* borrowed; "-": standard input */
    const char *filter; /* borrowed; at the start, or NULL */
    bool is_followed;
    const char *history; /* borrowed; the filters typed before, or NULL */
    bool is_inside;      /* a panel of the console, which has a key bar and help of its own */
    /* Called from other threads: screen_packets_look() is to be called soon. */
    void (*wake)(void *user);
    void *user;
};

/* A line of the list, as far as it was read. */
struct screen_packets_row {
    uint64_t generation; /* of the list; another one: this is old */
    uint64_t at;         /* place in the list */
    struct packet_line line;
};

struct screen_packets_layout {
    bool is_too_small;
    struct rect title, header, panel[PACKETS_PANELS], rule[PACKETS_PANELS], plot, line, keys;
};

struct screen_packets {
    struct screen_packets_opts opts;
    struct packet_index *index;
    struct packet_scan *scan; /* of the filter; NULL: none */
    struct packet_scan *save; /* of a file that is written; NULL: none */
    struct packet_cursor *list_cursor, *detail_cursor;
    struct packet_index_state state;
    struct packet_scan_state scan_state, save_state;
    char *save_path;

    struct list_view list;
    struct screen_packets_row row[SCREEN_PACKETS_ROWS];
    uint64_t generation;
    int address_cols;
    uint64_t anchor; /* number of a packet to select once it is there; 0: none */
    bool is_at_end;  /* the last packet stays selected */

    uint64_t shown; /* number of the packet in tree and bytes; 0: none */
    struct packet_detail detail;
    struct tree_view tree;
    struct hex_view hex;
    uint8_t *bytes;
    uint32_t len;

    struct panel_command command;
    enum screen_packets_line line;
    char filter[LINE_EDITOR_MAX]; /* in force */
    char message[600];            /* until the next key */
    int error_at;                 /* where the filter is wrong; -1: nowhere */
    char hint[256];               /* with error_at */
    struct cells cells;

    struct screen_packets_layout layout;
    enum screen_packets_focus focus;
    bool is_zoomed, has_plot, is_dirty;
    struct help help;
    bool is_over;   /* to be left */
    bool is_inside; /* as in opts */
    WINDOW *win;    /* what it is drawn on, while it is drawn */
    int rows, cols; /* of that */
};

/* After curses is open. Errors: those of packet_index_open(); STATUS_USAGE (the filter). */
CCALAB_MUST_USE enum status screen_packets_open(struct screen_packets *s,
                                                const struct screen_packets_opts *opts,
                                                struct error *err);
void screen_packets_close(struct screen_packets *s);
/* A key, as from wget_wch(3): `is_code` for the KEY_ values. */
void screen_packets_key(struct screen_packets *s, bool is_code, wint_t key);
/* An action that is not the console's own. */
void screen_packets_act(struct screen_packets *s, enum action_id id);
/* Ctrl-C: give up the line that is typed, or leave. */
void screen_packets_interrupt(struct screen_packets *s);
/* See what the other threads have found and read what is in view, for some milliseconds at most.
 * True: there is more to read, call again. */
bool screen_packets_look(struct screen_packets *s);
/* Draw everything; curses sends what has changed. */
void screen_packets_draw(struct screen_packets *s);

/* Draw into a window that is blank. The cursor is left where the next character is typed. */
void screen_packets_draw_in(struct screen_packets *s, WINDOW *win);

/* For screen_packets_draw.c. */
void screen_packets_place(struct screen_packets *s);
/* NULL: not read yet. */
const struct screen_packets_row *screen_packets_row(const struct screen_packets *s, uint64_t at);

#endif
