/* Plots as SVG documents (SVG 1.1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/plot_page.h"

struct svg {
    struct plot_canvas canvas;
    struct buf *out;
};

static void put_text(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        switch (*c) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        default:
            /* U+FFFE and U+FFFF are valid UTF-8, but no XML characters. */
            if (memcmp(c, "\xef\xbf", 2) == 0 && (unsigned char)c[2] >= 0xbe) {
                buf_puts(out, "?");
                c += 2;
            } else {
                buf_append(out, c, 1);
            }
        }
    }
}

/* A number to a tenth, whatever the locale's decimal sign. */
static void put_coord(struct buf *out, double v)
{
    long tenths = lround(fmin(fmax(v, -1e5), 1e5) * 10);
    buf_printf(out, "%s%ld.%ld", tenths < 0 ? "-" : "", labs(tenths) / 10, labs(tenths) % 10);
}

static void put_class(struct buf *out, enum plot_ink ink)
{
    static const char *const names[] = {"text", "muted", "grid", "axis", "ground", "mark"};
    if (ink < PLOT_INK_LINE) {
        buf_printf(out, "class=\"%s\"", names[ink]);
    } else {
        buf_printf(out, "class=\"s%d\"", ((int)ink - PLOT_INK_LINE) % PLOT_STYLES);
    }
}

static void begin(struct plot_canvas *c, const char *title, int width, int height)
{
    struct buf *out = ((struct svg *)c)->out;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
               "viewBox=\"0 0 %d %d\" role=\"img\" font-family=\"system-ui, 'DejaVu Sans', "
               "sans-serif\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n<title>",
               width, height, width, height);
    put_text(out, title);
    buf_printf(out, "</title>\n<rect class=\"ground\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n",
               width, height, plot_color(PLOT_INK_GROUND));
}

static void begin_stroke(struct plot_canvas *c, enum plot_ink ink, double width, bool is_dashed)
{
    struct buf *out = ((struct svg *)c)->out;
    double dashes[PLOT_DASH_MAX];
    size_t n = is_dashed ? plot_dashes((size_t)(ink - PLOT_INK_LINE), dashes) : 0;
    buf_puts(out, "<path ");
    put_class(out, ink);
    buf_puts(out, " stroke-width=\"");
    put_coord(out, width);
    buf_printf(out, "\" fill=\"none\" stroke=\"%s\"", plot_color(ink));
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s%d", i ? " " : " stroke-dasharray=\"", (int)dashes[i]);
    }
    buf_printf(out, "%s d=\"", n ? "\"" : "");
}

static void put_point(void *canvas, char command, double x, double y)
{
    struct buf *out = ((struct svg *)canvas)->out;
    buf_append(out, &command, 1);
    put_coord(out, x);
    buf_puts(out, " ");
    put_coord(out, y);
}

static void move(void *canvas, double x, double y)
{
    put_point(canvas, 'M', x, y);
}

static void line(void *canvas, double x, double y)
{
    put_point(canvas, 'L', x, y);
}

static void dot(void *canvas, double x, double y)
{
    put_point(canvas, 'M', x, y);
    buf_puts(((struct svg *)canvas)->out, "h.1"); /* seen thanks to the round cap */
}

static void end_stroke(struct plot_canvas *c)
{
    buf_puts(((struct svg *)c)->out, "\"/>\n");
}

static void text(struct plot_canvas *c, enum plot_ink ink, double size, bool is_bold,
                 enum plot_anchor anchor, double x, double y, const char *text)
{
    static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    struct buf *out = ((struct svg *)c)->out;
    buf_puts(out, "<text ");
    put_class(out, ink);
    buf_printf(out, " font-size=\"%d\"%s%s fill=\"%s\" x=\"", (int)size,
               is_bold ? " font-weight=\"600\"" : "", anchors[anchor], plot_color(ink));
    put_coord(out, x);
    buf_puts(out, "\" y=\"");
    put_coord(out, y);
    buf_puts(out, "\">");
    put_text(out, text);
    buf_puts(out, "</text>\n");
}

static void end(struct plot_canvas *c)
{
    buf_puts(((struct svg *)c)->out, "</svg>\n");
}

void plot_svg(const struct plot *p, int width, int height, struct buf *out)
{
    struct svg svg = {.canvas = {begin, begin_stroke, move, line, dot, end_stroke, text, end},
                      .out = out};
    if (!plot_page(p, width, height, &svg.canvas)) {
        out->is_failed = true;
    }
}
