/* How a script's failure is told. */
#ifndef CCALAB_CONSOLE_REPORT_H
#define CCALAB_CONSOLE_REPORT_H

#include <stdio.h>

#include "core/error.h"

/* Message, hint, and the traceback if there is one, escaped for a terminal. */
void report_failure(FILE *f, const struct error *err, const char *traceback);

#endif
