#include "console/panel_topology.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

#define HOSTS_MAX 96
#define LINES_MAX 8   /* of text of one host */
#define SAID_MAX  192 /* bytes of a line */

/* A host as it is drawn. */
struct node {
    char name[64];
    enum lab_role role;
    const struct host *host; /* NULL: no script has opened it */
    const struct lab_map_host *known;
    const struct lab_map_link *link; /* of a router */
};

/* Lines between the hosts, as the directions in which each cell is connected. */
enum { NORTH = 1, EAST = 2, SOUTH = 4, WEST = 8 };

struct drawing {
    WINDOW *win;
    int rows, cols; /* below the title */
    uint8_t *lines;
    const struct panel_topology *p;
};

/* --- who is there ----------------------------------------------------------------------------- */

static struct host *opened(const struct session *s, size_t i)
{
    return s->script && i < HOSTS_MAX ? script_host_at(s->script, i) : NULL;
}

static size_t collect(const struct session *s, struct node *nodes)
{
    size_t n = 0;
    struct host *h;

    for (size_t i = 0; i < s->map.hosts; i++) {
        nodes[n] = (struct node){.role = s->map.host[i].role, .known = &s->map.host[i]};
        snprintf(nodes[n++].name, sizeof nodes[0].name, "%s", s->map.host[i].name);
    }
    for (size_t i = 0; (h = opened(s, i)); i++) {
        char name[64];
        size_t k = 0;

        log_escape(host_name(h), name, sizeof name);
        while (k < n && strcmp(nodes[k].name, name))
            k++;
        if (k == n && n == HOSTS_MAX)
            break;
        if (k == n) {
            nodes[n] = (struct node){.role = lab_role_of_name(name)};
            strcpy(nodes[n++].name, name);
        }
        nodes[k].host = h;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s->map.links; k++)
            if (!strcmp(s->map.link[k].router, nodes[i].name))
                nodes[i].link = &s->map.link[k];
    return n;
}

/* --- what is said of one ---------------------------------------------------------------------- */

static const char *state_word(const struct host *h)
{
    static const char *const words[] = {
        [HOST_STATE_UP] = "up", [HOST_STATE_DOWN] = "down", [HOST_STATE_CONNECTING] = "wait"};

    return h ? words[host_state(h)] : "";
}

static enum style state_style(const struct host *h)
{
    if (!h || host_state(h) == HOST_STATE_CONNECTING)
        return STYLE_DIM;
    return host_state(h) == HOST_STATE_UP ? STYLE_GOOD : STYLE_BAD;
}

static const char *rate_text(double bps, char *out, size_t size)
{
    if (isnan(bps))
        snprintf(out, size, "no limit known");
    else if (bps >= 1e9)
        snprintf(out, size, "%.4g Gbit/s", bps / 1e9);
    else if (bps >= 1e6)
        snprintf(out, size, "%.4g Mbit/s", bps / 1e6);
    else
        snprintf(out, size, "%.4g kbit/s", bps / 1e3);
    return out;
}

static const char *ms_text(double us, char *out, size_t size)
{
    if (isnan(us))
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%.3g ms", us / 1e3);
    return out;
}

struct said {
    char text[LINES_MAX][SAID_MAX];
    enum style style[LINES_MAX];
    int n;
};

static char *say(struct said *s, enum style style)
{
    int i = s->n < LINES_MAX ? s->n++ : LINES_MAX - 1;

    s->style[i] = style;
    return s->text[i];
}

/* An option of an AQM, up to the end of its value: *len bytes. NULL: it is not there. */
static const char *find_option(const char *aqm, const char *name, bool has_value, int *len)
{
    size_t n = strlen(name);

    for (const char *at = aqm; (at = strstr(at, name)); at += n) {
        if ((at > aqm && at[-1] != ' ') || (at[n] && at[n] != ' '))
            continue;
        if (has_value && at[n])
            n += 1 + strcspn(at + n + 1, " ");
        *len = (int)n;
        return at;
    }
    return NULL;
}

/* "bn1: dualpi2 target 15ms ..." in so many columns: all of what tc(8) writes, or the options that
 * tell most, none of them cut. */
static void say_queue(struct said *s, const struct lab_map_link *l, int cols)
{
    static const struct {
        const char *name;
        bool has_value;
    } telling[] = {{"target", true}, {"step_thresh", true}, {"interval", true},
                   {"ecn", false},   {"limit", true},       {"coupling_factor", true}};
    char *line = say(s, STYLE_NORMAL);
    int n = snprintf(line, SAID_MAX, "%s%s", l->egress, l->egress[0] && l->aqm[0] ? ": " : ""), len;

    cols = cols < SAID_MAX - 1 ? cols : SAID_MAX - 1;
    if (n + text_columns(l->aqm, strlen(l->aqm)) <= cols) {
        snprintf(line + n, SAID_MAX - (size_t)n, "%s", l->aqm);
        return;
    }
    n += snprintf(line + n, SAID_MAX - (size_t)n, "%.*s", (int)strcspn(l->aqm, " "), l->aqm);
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++) {
        const char *at = find_option(l->aqm, telling[i].name, telling[i].has_value, &len);

        if (at && n + 1 + len + 4 <= cols)
            n += snprintf(line + n, SAID_MAX - (size_t)n, " %.*s", len, at);
    }
    if (n + 4 <= cols)
        snprintf(line + n, SAID_MAX - (size_t)n, " ...");
}

static void say_link(struct said *s, const struct lab_map_link *l, int cols)
{
    char a[32], b[32], *line;
    int n;

    line = say(s, STYLE_NORMAL);
    n = snprintf(line, SAID_MAX, "%s", rate_text(l->rate_bps, a, sizeof a));
    if (!isnan(l->up_rate_bps) && l->up_rate_bps != l->rate_bps)
        snprintf(line + n, SAID_MAX - (size_t)n, ", back %s",
                 rate_text(l->up_rate_bps, a, sizeof a));
    if (!isnan(l->rtt_us)) {
        line = say(s, STYLE_NORMAL);
        n = snprintf(line, SAID_MAX, "RTT %s", ms_text(l->rtt_us, a, sizeof a));
        if (l->jitter_us > 0)
            n += snprintf(line + n, SAID_MAX - (size_t)n, " jitter %s",
                          ms_text(l->jitter_us, a, sizeof a));
        if (l->loss > 0)
            snprintf(line + n, SAID_MAX - (size_t)n, " loss %.3g %%", 100 * l->loss);
    }
    if (l->aqm[0] || l->egress[0])
        say_queue(s, l, cols);
    if (!l->seen_t)
        return;
    snprintf(say(s, STYLE_NORMAL), SAID_MAX, "queue L %s C %s", ms_text(l->delay_l_us, a, sizeof a),
             ms_text(l->delay_c_us, b, sizeof b));
    line = say(s, STYLE_NORMAL);
    n = snprintf(line, SAID_MAX, "sends %s", rate_text(l->used_bps, a, sizeof a));
    if (!isnan(l->prob))
        snprintf(line + n, SAID_MAX - (size_t)n, " p' %.2g", l->prob);
}

static void say_checks(struct said *s, const struct checks_host *c)
{
    char *line;
    int n;

    if (!c)
        return;
    line = say(s, c->failed ? STYLE_BAD : c->unknown ? STYLE_WARN : STYLE_GOOD);
    n = snprintf(line, SAID_MAX, "%d ok", c->passed);
    if (c->failed)
        n += snprintf(line + n, SAID_MAX - (size_t)n, ", %d FAIL", c->failed);
    if (c->unknown)
        snprintf(line + n, SAID_MAX - (size_t)n, ", %d ?", c->unknown);
}

/* All but the name and state, for lines of `cols` columns. */
static void say_all(struct said *s, const struct panel_topology *p, const struct node *node,
                    int cols)
{
    char address[80] = "", delay[32];
    int jobs = node->host ? host_jobs(node->host) : 0;

    s->n = 0;
    if (node->link)
        say_link(s, node->link, cols);
    if (node->host)
        log_escape(host_address(node->host), address, sizeof address);
    else if (node->known)
        snprintf(address, sizeof address, "%s", node->known->address);
    if (address[0] || node->host)
        snprintf(say(s, STYLE_DIM), SAID_MAX, "%s%s%s",
                 node->host ? host_kind_name(node->host) : "", address[0] && node->host ? " " : "",
                 address);
    if (node->known && node->known->delay_us > 0)
        snprintf(say(s, STYLE_DIM), SAID_MAX, "delay %s",
                 ms_text(node->known->delay_us, delay, sizeof delay));
    if (jobs)
        snprintf(say(s, STYLE_NORMAL), SAID_MAX, "%d job%s", jobs, jobs == 1 ? "" : "s");
    say_checks(s, checks_table_find(&p->session->checks, node->name));
}

/* --- drawing ---------------------------------------------------------------------------------- */

static void mark(const struct drawing *d, int y, int x, int where)
{
    if (y >= 0 && y < d->rows && x >= 0 && x < d->cols)
        d->lines[y * d->cols + x] |= (uint8_t)where;
}

static void across(const struct drawing *d, int y, int x0, int x1)
{
    for (int x = x0; x <= x1; x++)
        mark(d, y, x, (x > x0 ? WEST : 0) | (x < x1 ? EAST : 0));
}

static void upright(const struct drawing *d, int x, int y0, int y1)
{
    for (int y = y0; y <= y1; y++)
        mark(d, y, x, (y > y0 ? NORTH : 0) | (y < y1 ? SOUTH : 0));
}

static void draw_lines(const struct drawing *d)
{
    /* By direction: N E NE S NS ES NES W ... */
    static const char *const pieces[16] = {
        " ",      "\u2502", "\u2500", "\u2514", "\u2502", "\u2502", "\u250c", "\u251c",
        "\u2500", "\u2518", "\u2500", "\u2534", "\u2510", "\u2524", "\u252c", "\u253c"};
    static const char ascii[] = " |-+||++-+-+++++";

    for (int y = 0; y < d->rows; y++) {
        for (int x = 0; x < d->cols; x++) {
            uint8_t bits = d->lines[y * d->cols + x];
            char plain[2] = {ascii[bits], '\0'};

            if (bits)
                text_put(d->win, 1 + y, x, 1, STYLE_RULE, theme_is_utf8() ? pieces[bits] : plain);
        }
    }
}

/* Returns the columns used. */
static int draw_name(const struct drawing *d, int y, int x, int cols, const struct node *node)
{
    bool is_selected = !strcmp(d->p->selected, node->name);
    enum style style = !is_selected ? STYLE_NORMAL : d->p->base.has_focus ? STYLE_BAR : STYLE_FOCUS;
    int used = text_put(d->win, 1 + y, x, cols, style, is_selected ? ">" : " ");

    used +=
        text_put(d->win, 1 + y, x + used, cols - used - (node->host ? 5 : 0), style, node->name);
    if (node->host) { /* the blank too: a router's name stands on the rule of its box */
        used += text_put(d->win, 1 + y, x + used, cols - used, STYLE_NORMAL, " ");
        used += text_put(d->win, 1 + y, x + used, cols - used, state_style(node->host),
                         state_word(node->host));
    }
    return used;
}

/* The clients, or the servers, one below the other in `cols` columns from `x` on; `bus` is the
 * column of the line they are connected to. *top, *bottom: the rows of it that they use. */
static void draw_side(const struct drawing *d, const struct node *nodes, size_t n,
                      enum lab_role role, int x, int cols, int bus, int *top, int *bottom)
{
    size_t count = 0, at = 0;
    int each, end, y = 0;

    for (size_t i = 0; i < n; i++)
        count += nodes[i].role == role;
    if (!count)
        return;
    each = d->rows / (int)count;
    each = each > 6 ? 6 : each < 1 ? 1 : each;
    y = (d->rows - each * (int)count) / 2;
    y = y < 0 ? 0 : y;
    for (size_t i = 0; i < n && y < d->rows; i++) {
        struct said said;
        char text[32];

        if (nodes[i].role != role)
            continue;
        if (++at < count && y + each >= d->rows && each == 1) {
            snprintf(text, sizeof text, " and %zu more", count - at + 1);
            text_put(d->win, 1 + y, x, cols, STYLE_DIM, text);
            break;
        }
        end = x + draw_name(d, y, x, cols, &nodes[i]) + 1;
        across(d, y, bus < x ? bus : end, bus < x ? x - 1 : bus);
        *top = y < *top ? y : *top;
        *bottom = y > *bottom ? y : *bottom;
        say_all(&said, d->p, &nodes[i], cols - 2);
        for (int k = 0; k < said.n && k + 1 < each; k++)
            text_put(d->win, 2 + y + k, x + 2, cols - 2, said.style[k], said.text[k]);
        y += each;
    }
}

/* Where the routers' names go: over the upper lines of their boxes. */
struct boxes {
    const struct node *router[LAB_MAP_ROUTERS_MAX];
    int y[LAB_MAP_ROUTERS_MAX], n;
};

/* The bottlenecks in boxes, one below the other; *first, *last: the rows where the first and the
 * last one are connected. */
static void draw_routers(const struct drawing *d, const struct node *nodes, size_t n, int x,
                         int cols, struct boxes *boxes, int *first, int *last)
{
    struct said said[LAB_MAP_ROUTERS_MAX];
    int count = 0, rows = 0, gap, y, most;

    for (size_t i = 0; i < n && count < LAB_MAP_ROUTERS_MAX; i++) {
        if (nodes[i].role != LAB_ROLE_ROUTER)
            continue;
        say_all(&said[count], d->p, &nodes[i], cols - 4);
        boxes->router[count++] = &nodes[i];
    }
    boxes->n = count;
    if (!count)
        return;
    most = d->rows / count - 2;
    for (int i = 0; i < count; i++) {
        said[i].n = said[i].n > most ? most : said[i].n;
        rows += 2 + said[i].n;
    }
    gap = rows + count - 1 <= d->rows;
    y = (d->rows - rows - gap * (count - 1)) / 2;
    y = y < 0 ? 0 : y;
    for (int i = 0; i < count; i++) {
        int bottom = y + said[i].n + 1;

        across(d, y, x, x + cols - 1);
        across(d, bottom, x, x + cols - 1);
        upright(d, x, y, bottom);
        upright(d, x + cols - 1, y, bottom);
        boxes->y[i] = y;
        if (i == 0)
            *first = y + (said[i].n + 1) / 2;
        if (i == count - 1)
            *last = y + (said[i].n + 1) / 2;
        for (int k = 0; k < said[i].n; k++)
            text_put(d->win, 2 + y + k, x + 2, cols - 4, said[i].style[k], said[i].text[k]);
        if (i + 1 < count && gap)
            upright(d, x + cols / 2, bottom, bottom + 2);
        y = bottom + 1 + gap;
    }
}

/* Those of no role, in one row at the bottom. */
static void draw_others(const struct drawing *d, const struct node *nodes, size_t n)
{
    int x = 0;

    for (size_t i = 0; i < n && x < d->cols; i++) {
        int cols = (int)strlen(nodes[i].name) + 8;

        if (nodes[i].role != LAB_ROLE_OTHER)
            continue;
        draw_name(d, d->rows, x, cols < d->cols - x ? cols : d->cols - x, &nodes[i]);
        x += cols;
    }
}

static bool has_role(const struct node *nodes, size_t n, enum lab_role role)
{
    for (size_t i = 0; i < n; i++)
        if (nodes[i].role == role)
            return true;
    return false;
}

static void draw_net(struct drawing *d, const struct node *nodes, size_t n)
{
    int side = d->cols * 22 / 100, left_bus, right_bus, top, bottom, first, last;
    struct boxes boxes = {.n = 0};

    side = side > 30 ? 30 : side < 16 ? 16 : side;
    if (d->cols - 2 * side < 34) /* a box needs some room */
        side = (d->cols - 34) / 2;
    left_bus = side + 1;
    right_bus = d->cols - side - 3;
    first = last = d->rows / 2;
    if (right_bus - left_bus < 8) /* no room for boxes between */
        return;
    draw_routers(d, nodes, n, left_bus + 3, right_bus - left_bus - 5, &boxes, &first, &last);
    top = bottom = first;
    draw_side(d, nodes, n, LAB_ROLE_CLIENT, 0, side, left_bus, &top, &bottom);
    if (has_role(nodes, n, LAB_ROLE_CLIENT)) {
        upright(d, left_bus, top, bottom);
        across(d, first, left_bus, left_bus + (boxes.n ? 3 : 2));
    }
    top = bottom = last;
    draw_side(d, nodes, n, LAB_ROLE_SERVER, d->cols - side, side, right_bus, &top, &bottom);
    if (has_role(nodes, n, LAB_ROLE_SERVER)) {
        upright(d, right_bus, top, bottom);
        across(d, last, right_bus - (boxes.n ? 3 : 2), right_bus);
    }
    if (!has_role(nodes, n, LAB_ROLE_ROUTER))
        across(d, first, left_bus, right_bus);
    draw_lines(d);
    for (int i = 0; i < boxes.n; i++) {
        int cols = right_bus - left_bus - 9;
        int used = draw_name(d, boxes.y[i], left_bus + 5, cols, boxes.router[i]);

        text_put(d->win, 1 + boxes.y[i], left_bus + 5 + used, 1, STYLE_NORMAL, " ");
    }
}

static void draw(struct panel *base)
{
    struct panel_topology *p = (struct panel_topology *)base;
    struct node nodes[HOSTS_MAX];
    size_t n = collect(p->session, nodes);
    bool has_others = has_role(nodes, n, LAB_ROLE_OTHER);
    struct drawing d = {.win = base->win,
                        .rows = getmaxy(base->win) - 1 - has_others,
                        .cols = getmaxx(base->win),
                        .p = p};

    if (!n) {
        text_put(base->win, 1, 0, d.cols, STYLE_DIM, "no hosts yet");
        text_put(base->win, 2, 0, d.cols, STYLE_DIM, "  : lab.testbed{}           the virtual lab");
        text_put(base->win, 3, 0, d.cols, STYLE_DIM, "  : lab.open_lab('lab.lua') machines");
        return;
    }
    d.lines = calloc((size_t)(d.rows > 0 ? d.rows : 1), (size_t)d.cols);
    if (!d.lines)
        return;
    if (d.rows > 0 && (has_role(nodes, n, LAB_ROLE_CLIENT) || has_role(nodes, n, LAB_ROLE_ROUTER) ||
                       has_role(nodes, n, LAB_ROLE_SERVER)))
        draw_net(&d, nodes, n);
    if (has_others)
        draw_others(&d, nodes, n);
    free(d.lines);
}

/* --- selecting -------------------------------------------------------------------------------- */

static size_t find(const struct node *nodes, size_t n, const char *name)
{
    size_t i = 0;

    while (i < n && strcmp(nodes[i].name, name))
        i++;
    return i;
}

static void choose(struct panel_topology *p, const struct node *node)
{
    strcpy(p->selected, node->name); /* of one size */
    p->base.is_dirty = true;
}

static bool act(struct panel *base, enum action_id id)
{
    struct panel_topology *p = (struct panel_topology *)base;
    struct node nodes[HOSTS_MAX];
    size_t n = collect(p->session, nodes), at = find(nodes, n, p->selected);

    if (id != ACTION_UP && id != ACTION_DOWN && id != ACTION_FIRST && id != ACTION_LAST)
        return false;
    if (!n)
        return true;
    if (at == n || id == ACTION_FIRST)
        at = 0;
    else if (id == ACTION_LAST)
        at = n - 1;
    else
        at = id == ACTION_UP ? at - (at > 0) : at + (at + 1 < n);
    choose(p, &nodes[at]);
    return true;
}

static bool search(struct panel *base, const char *text, int step)
{
    struct panel_topology *p = (struct panel_topology *)base;
    struct node nodes[HOSTS_MAX];
    size_t n = collect(p->session, nodes), at = find(nodes, n, p->selected);

    for (size_t k = 0; k < n; k++) {
        size_t past = step ? k + 1 : k;
        size_t i = at == n ? k : (at + (step < 0 ? n - past : past)) % n;

        if (text_find(nodes[i].name, text)) {
            choose(p, &nodes[i]);
            return true;
        }
    }
    return false;
}

/* The address, which is what one types elsewhere. */
static bool copy(struct panel *base, char *out, size_t size)
{
    struct panel_topology *p = (struct panel_topology *)base;
    struct node nodes[HOSTS_MAX];
    size_t n = collect(p->session, nodes), at = find(nodes, n, p->selected);

    if (at == n)
        return false;
    snprintf(out, size, "%s",
             nodes[at].host && host_address(nodes[at].host)[0] ? host_address(nodes[at].host)
                                                               : nodes[at].name);
    return true;
}

static const struct panel_ops ops = {.draw = draw, .act = act, .search = search, .copy = copy};

void panel_topology_init(struct panel_topology *p, const struct session *session)
{
    *p = (struct panel_topology){.base = {.ops = &ops, .title = "Lab", .is_dirty = true},
                                 .session = session};
}

void panel_topology_look(struct panel_topology *p)
{
    const struct lab_map *map = &p->session->map;
    uint64_t now = 14695981039346656037u + p->session->checks.updates + map->updates; /* FNV-1a */
    struct host *h;

    for (size_t i = 0; (h = opened(p->session, i)); i++) {
        uint64_t facts[] = {(uintptr_t)h, (uint64_t)host_state(h), (uint64_t)host_jobs(h)};

        for (size_t k = 0; k < 3; k++)
            now = (now ^ facts[k]) * 1099511628211u;
    }
    if (now == p->seen)
        return;
    snprintf(p->note, sizeof p->note, "%s%s%s%s", map->rung[0] ? "rung " : "", map->rung,
             map->rung[0] && map->prague[0] ? "; " : "", map->prague);
    p->base.note = map->is_up && p->note[0] ? p->note : NULL;
    p->base.is_dirty = true;
    p->seen = now;
}
