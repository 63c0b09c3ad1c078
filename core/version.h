/* Version and features, as `ccalab --version` prints them. */
#ifndef CCALAB_CORE_VERSION_H
#define CCALAB_CORE_VERSION_H

#define CCALAB_VERSION "0.1.0"

#endif
