/* `ccalab packets FILE` on a terminal. Thread: main only. */
#ifndef CCALAB_CONSOLE_PACKETS_TUI_H
#define CCALAB_CONSOLE_PACKETS_TUI_H

#include "capture/capture.h"

/* Show the packets until the user leaves. Returns the exit code. */
int packets_tui(const struct packets_screen *opts);

#endif
