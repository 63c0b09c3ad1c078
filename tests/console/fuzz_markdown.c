/* libFuzzer target: a lab's text. What is shown has no control characters, no endless line and no
 * column before the first. Build: clang, -DCCALAB_FUZZ=ON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "console/markdown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *user, enum markdown_kind kind, int indent, const char *text)
{
    (void)user;
    if (indent < 0 || kind > MARKDOWN_TABLE || strlen(text) > 2 * MARKDOWN_LINE_MAX)
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    markdown_each(text, check, NULL);
    free(text);
    return 0;
}
