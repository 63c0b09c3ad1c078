/* Files inside the program, put there by ccalab_embed() of cmake/Embed.cmake. */
#ifndef CCALAB_CORE_EMBED_H
#define CCALAB_CORE_EMBED_H

#include <stddef.h>

#define EMBED_DECLARE(name)                                                                        \
    extern const unsigned char name##_data[];                                                      \
    extern const size_t name##_size

#endif
