/* Completion of field names in a line that holds a display filter. Thread: main only. */
#ifndef CCALAB_CONSOLE_FILTER_COMPLETE_H
#define CCALAB_CONSOLE_FILTER_COMPLETE_H

#include <stddef.h>

#include "console/line_editor.h"

/* Go on with the name left of the cursor as far as it is clear, with a space behind it where it is
 * the only one. Where several fit, they are listed in `out`, else that is "". */
void filter_complete(struct line_editor *le, char *out, size_t size);

#endif
