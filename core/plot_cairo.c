#include "core/plot_cairo.h"

#include <cairo-pdf.h>
#include <cairo.h>
#include <stdlib.h>

struct picture {
    struct plot_canvas canvas;
    struct buf *out;
    bool is_png;
    cairo_surface_t *surface; /* both NULL until begin() */
    cairo_t *cr;
};

static cairo_status_t write_out(void *user, const unsigned char *data, unsigned len)
{
    return buf_append(user, data, len) ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static void set_ink(cairo_t *cr, enum plot_ink ink)
{
    long rgb = strtol(plot_color(ink) + 1, NULL, 16);
    cairo_set_source_rgb(cr, (double)(rgb >> 16 & 255) / 255, (double)(rgb >> 8 & 255) / 255,
                         (double)(rgb & 255) / 255);
}

static void begin(struct plot_canvas *c, const char *title, int width, int height)
{
    struct picture *p = (struct picture *)c;
    if (p->is_png) {
        p->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width * PLOT_PNG_ZOOM,
                                                height * PLOT_PNG_ZOOM);
    } else {
        p->surface = cairo_pdf_surface_create_for_stream(write_out, p->out, width, height);
        cairo_pdf_surface_set_metadata(p->surface, CAIRO_PDF_METADATA_TITLE, title);
    }
    p->cr = cairo_create(p->surface);
    if (p->is_png) {
        cairo_scale(p->cr, PLOT_PNG_ZOOM, PLOT_PNG_ZOOM);
    }
    set_ink(p->cr, PLOT_INK_GROUND);
    cairo_paint(p->cr);
    cairo_set_line_cap(p->cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(p->cr, CAIRO_LINE_JOIN_ROUND);
}

static void begin_stroke(struct plot_canvas *c, enum plot_ink ink, double width, bool is_dashed)
{
    cairo_t *cr = ((struct picture *)c)->cr;
    double dashes[PLOT_DASH_MAX];
    size_t n = is_dashed ? plot_dashes((size_t)(ink - PLOT_INK_LINE), dashes) : 0;
    cairo_set_dash(cr, dashes, (int)n, 0);
    cairo_set_line_width(cr, width);
    set_ink(cr, ink);
}

static void move(void *canvas, double x, double y)
{
    cairo_move_to(((struct picture *)canvas)->cr, x, y);
}

static void line(void *canvas, double x, double y)
{
    cairo_line_to(((struct picture *)canvas)->cr, x, y);
}

static void dot(void *canvas, double x, double y)
{
    move(canvas, x, y);
    line(canvas, x + 0.1, y); /* seen thanks to the round cap */
}

static void end_stroke(struct plot_canvas *c)
{
    cairo_stroke(((struct picture *)c)->cr);
}

static void text(struct plot_canvas *c, enum plot_ink ink, double size, bool is_bold,
                 enum plot_anchor anchor, double x, double y, const char *text)
{
    cairo_t *cr = ((struct picture *)c)->cr;
    cairo_text_extents_t extents;
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           is_bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
    cairo_text_extents(cr, text, &extents);
    double back = anchor == PLOT_ANCHOR_START ? 0 : anchor == PLOT_ANCHOR_END ? 1 : 0.5;
    set_ink(cr, ink);
    cairo_move_to(cr, x - back * extents.x_advance, y);
    cairo_show_text(cr, text);
    cairo_new_path(cr);
}

static void end(struct plot_canvas *c)
{
    struct picture *p = (struct picture *)c;
    if (p->is_png) {
        cairo_surface_write_to_png_stream(p->surface, write_out, p->out);
    } else {
        cairo_show_page(p->cr);
        cairo_surface_finish(p->surface);
    }
}

static enum status draw(const struct plot *plot, int width, int height, bool is_png,
                        struct buf *out, struct error *err)
{
    struct picture p = {.canvas = {begin, begin_stroke, move, line, dot, end_stroke, text, end},
                        .out = out,
                        .is_png = is_png};
    bool is_drawn = plot_page(plot, width, height, &p.canvas);
    cairo_status_t status = cairo_status(p.cr);
    status = status == CAIRO_STATUS_SUCCESS ? cairo_surface_status(p.surface) : status;
    cairo_destroy(p.cr);
    cairo_surface_destroy(p.surface);
    if (!is_drawn || out->is_failed || status == CAIRO_STATUS_NO_MEMORY) {
        return error_set(err, STATUS_NOMEM, "plot", "the plot is too large");
    }
    if (status != CAIRO_STATUS_SUCCESS) {
        return error_set(err, STATUS_INTERNAL, "plot", "%s", cairo_status_to_string(status));
    }
    return STATUS_OK;
}

enum status plot_png(const struct plot *p, int width, int height, struct buf *out,
                     struct error *err)
{
    return draw(p, width, height, true, out, err);
}

enum status plot_pdf(const struct plot *p, int width, int height, struct buf *out,
                     struct error *err)
{
    return draw(p, width, height, false, out, err);
}
