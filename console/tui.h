/* The console on the terminal: screen, keys and scripts on one loop. */
#ifndef CCALAB_CONSOLE_TUI_H
#define CCALAB_CONSOLE_TUI_H

#include "console/options.h"

/* Open the console; with o->file, run that script in it and leave when it has ended. What the
 * script printed goes to standard output once the terminal is restored. Returns the exit code of
 * the process. */
int tui_main(const struct options *o);

#endif
