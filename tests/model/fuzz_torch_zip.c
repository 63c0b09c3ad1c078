/* Fuzz target: pytorch_model.bin. Whatever is accepted must lie inside the input. */
#include <stdint.h>
#include <stdlib.h>

#include "model/torch_zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct torch_zip *z;
    struct error err;
    if (torch_zip_parse(data, size, "fuzz", &z, &err) != STATUS_OK)
        return 0;
    for (size_t i = 0; i < torch_zip_count(z); i++) {
        const struct safetensors_tensor *t = torch_zip_at(z, i);
        const uint8_t *at = t->data;
        if (at < data || t->len_bytes > size || (size_t)(at - data) > size - t->len_bytes)
            abort();
    }
    torch_zip_close(z);
    return 0;
}
