/* `ccalab --run`: a script without a terminal. Standard output is what the script prints; standard
 * error has the log, progress lines and the traceback. */
#ifndef CCALAB_CONSOLE_HEADLESS_H
#define CCALAB_CONSOLE_HEADLESS_H

#include "console/options.h"

/* Returns the exit code of the process. */
int headless_main(const struct options *o);

#endif
