/* UTF-8, one code point at a time. The console stores text as UTF-8 whatever the locale is; what
 * the terminal cannot show is replaced when it is drawn (text.h). Thread: any. */
#ifndef CCALAB_CONSOLE_UTF8_H
#define CCALAB_CONSOLE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffdu

/* Decode the code point at s (NUL-terminated). Returns its length in bytes, 0 at the NUL. A broken
 * or overlong sequence (RFC 3629, section 3) counts as one byte of UTF8_REPLACEMENT. */
size_t utf8_decode(const char *s, uint32_t *cp);
/* Encode; returns the length, 1 to 4, or 0 for what is no Unicode scalar value. */
size_t utf8_encode(uint32_t cp, char out[4]);
/* Columns on the screen: 0 for combining marks, 2 for wide characters, 1 for anything the locale
 * does not know. */
int utf8_columns(uint32_t cp);

#endif
