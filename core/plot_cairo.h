/* Plots as pictures, drawn by cairo: PNG and PDF. A library of its own (ccalab_plot), so that
 * programs that draw nothing do not load cairo. Thread: any. */
#ifndef CCALAB_CORE_PLOT_CAIRO_H
#define CCALAB_CORE_PLOT_CAIRO_H

#include "core/error.h"
#include "core/plot_page.h"

#define PLOT_PNG_ZOOM 2 /* pixels for one, for paper and projectors */

/* Append a picture of the given size: as PNG of PLOT_PNG_ZOOM pixels for one, or as a PDF of one
 * page, a point for a pixel, its text searchable. Errors: STATUS_NOMEM, STATUS_INTERNAL (what cairo
 * says). */
CCALAB_MUST_USE enum status plot_png(const struct plot *p, int width, int height, struct buf *out,
                                     struct error *err);
CCALAB_MUST_USE enum status plot_pdf(const struct plot *p, int width, int height, struct buf *out,
                                     struct error *err);

#endif
