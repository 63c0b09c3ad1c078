/* libFuzzer target: the config.json of a backbone. What is taken is written and read again to the
 * same. Build: clang, -DCCALAB_FUZZ=ON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "model/backbone_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct backbone_config config, again;
    struct error err;
    cJSON *root = json_parse((const char *)data, size, "fuzz", &err), *written;

    if (root && backbone_config_from_json(root, "fuzz", &config, &err) == STATUS_OK) {
        written = backbone_config_to_json(&config);
        if (backbone_config_from_json(written, "again", &again, &err) != STATUS_OK)
            abort();
        cJSON_Delete(written);
    }
    cJSON_Delete(root);
    return 0;
}
