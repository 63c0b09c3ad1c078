/* libFuzzer target: what tc prints. Whatever comes, the answer is an error or an array of objects
 * that have a kind, and JSON again. Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_tc_parse
 * -max_len=8192 CORPUS_DIR */
#include <stdint.h>
#include <stdlib.h>

#include "core/json.h"
#include "remote/tc_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *out = NULL;
    struct error e = {0};
    if (tc_qdisc_parse((const char *)data, size, &out, &e) != STATUS_OK) {
        if (out || !e.message[0])
            abort();
        return 0;
    }
    if (!cJSON_IsArray(out))
        abort();
    for (const cJSON *o = out->child; o; o = o->next)
        if (!json_str(o, "kind", NULL) || !cJSON_IsObject(json_get(o, "options")))
            abort();
    cJSON_free(cJSON_PrintUnformatted(out));
    cJSON_Delete(out);
    return 0;
}
