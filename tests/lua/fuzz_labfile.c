/* libFuzzer target: lab files. Whatever the text, it ends soon, in a lab or in mistakes.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_labfile -max_len=4096 CORPUS_DIR */
#include <stdint.h>
#include <stdlib.h>

#include "lua/labfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *lab, *mistakes;
    struct error e = {0};
    enum status st = labfile_parse("/l/lab.lua", (const char *)data, size, &lab, &mistakes, &e);
    if ((st == STATUS_OK) != (lab != NULL) || (st == STATUS_INPUT) != (mistakes != NULL))
        abort();
    cJSON_Delete(lab);
    cJSON_Delete(mistakes);
    return 0;
}
