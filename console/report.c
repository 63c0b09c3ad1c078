#include "console/report.h"

#include <string.h>

#include "core/log.h"

void report_failure(FILE *f, const struct error *err, const char *traceback)
{
    char line[512], clean[512];

    error_print(f, err);
    while (traceback && *traceback) {
        size_t len = strcspn(traceback, "\n");

        snprintf(line, sizeof line, "%.*s", (int)len, traceback);
        /* The indentation of a traceback is a tab. */
        fprintf(f, "%s%s\n", line[0] == '\t' ? "    " : "",
                log_escape(line + (line[0] == '\t'), clean, sizeof clean));
        traceback += len + (traceback[len] == '\n');
    }
}
