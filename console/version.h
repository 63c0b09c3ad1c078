/* `ccalab --version`: the version, and what this build on this machine can do. */
#ifndef CCALAB_CONSOLE_VERSION_H
#define CCALAB_CONSOLE_VERSION_H

#include <stdio.h>

/* One line a feature; what is missing is named with the Debian package, or the step, that brings
 * it. Starts no program. */
void version_print(FILE *f);

#endif
