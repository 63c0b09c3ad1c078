/* What Runpod and the hub answer, of any content: the first byte chooses the operation, the second
 * the status; text up to a newline is the RateLimit header. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "remote/hub.h"
#include "remote/runpod.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 204, 400, 401, 402, 403, 404, 409, 422, 429, 500, 302};
    struct http_reply reply = {.status = 0};

    if (size < 2)
        return 0;
    int op = data[0] % (RUNPOD_OP_COUNT + 1);
    reply.status = statuses[data[1] % (sizeof statuses / sizeof *statuses)];
    data += 2, size -= 2;
    const uint8_t *newline = memchr(data, '\n', size);
    if (newline) {
        size_t n = (size_t)(newline - data);

        snprintf(reply.rate_limit, sizeof reply.rate_limit, "%.*s", (int)n, (const char *)data);
        data += n + 1, size -= n + 1;
    }
    char *body = malloc(size + 1);
    if (!body)
        return 0;
    memcpy(body, data, size);
    body[size] = '\0';
    reply.body = body;
    reply.len = size;
    cJSON *answer = op == RUNPOD_OP_COUNT ? hub_judge(&reply, 0) : runpod_judge(&reply, op);
    char *text = cJSON_PrintUnformatted(answer);
    if (!text || !cJSON_GetObjectItem(answer, "kind"))
        abort();
    free(text);
    cJSON_Delete(answer);
    free(body);
    return 0;
}
