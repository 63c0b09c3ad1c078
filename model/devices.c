#include "model/devices.h"

#include <stdlib.h>
#include <string.h>

enum status device_parse(const char *option, const char *text, int *out, struct error *err)
{
    static const char cuda[] = "cuda:";
    const char *number = text + sizeof cuda - 1;
    char *end;
    if (strcmp(text, "none") == 0) {
        *out = DEVICE_DEFAULT;
    } else if (strcmp(text, "cpu") == 0) {
        *out = DEVICE_CPU;
    } else if (strcmp(text, "cuda") == 0) {
        *out = DEVICE_CUDA;
    } else {
        bool is_cuda = strncmp(text, cuda, sizeof cuda - 1) == 0;
        long n = is_cuda && *number >= '0' && *number <= '9' ? strtol(number, &end, 10) : -1;
        if (n < 0 || *end || n >= DEVICES_MAX) {
            error_set(err, STATUS_USAGE, "device", "--%s '%.64s' is no device", option, text);
            return error_hint(err, "it is cpu, cuda:0, cuda:1, ...");
        }
        *out = DEVICE_CUDA + (int)n;
    }
    return STATUS_OK;
}

char *device_name(int device, char *out)
{
    if (device < DEVICE_CUDA)
        return strcpy(out, "cpu");
    snprintf(out, 16, "cuda:%d", device - DEVICE_CUDA);
    return out;
}

/* --- the pieces ------------------------------------------------------------------------------- */

static void use_named(const struct device_request *r, struct device_plan *plan)
{
    int first = r->device ? r->device : DEVICE_CPU;
    plan->device[plan->count++] = first;
    if (r->mid)
        plan->device[plan->count++] = r->mid;
    if (r->mid || r->out)
        plan->device[plan->count++] = r->out ? r->out : first;
}

static void share_evenly(int layers, struct device_plan *plan)
{
    int each = (layers + plan->count - 1) / plan->count;
    for (int i = 0; i < plan->count; i++) {
        plan->layers[i] = each < layers ? each : layers;
        layers -= plan->layers[i];
    }
}

/* Highest quotients (D'Hondt): each layer to the device on which a layer has most room then. That
 * makes the least room of a layer as large as it can be, so what fits at all fits so. */
static void share_by_room(const struct device_machine *machine, const struct device_sizes *sizes,
                          struct device_plan *plan)
{
    double room[DEVICES_MAX];
    bool is_known = true;
    for (int i = 0; i < plan->count; i++)
        is_known &= machine->cuda_free_bytes[i] >= 0;
    for (int i = 0; i < plan->count; i++)
        room[i] = is_known ? machine->cuda_free_bytes[i] - (i == 0 ? sizes->other_bytes : 0) : 1;
    for (int layer = 0; layer < sizes->layers; layer++) {
        int best = 0;
        for (int i = 1; i < plan->count; i++)
            if (room[i] / (plan->layers[i] + 1) > room[best] / (plan->layers[best] + 1))
                best = i;
        plan->layers[best]++;
    }
}

static enum status check_present(int device, const struct device_machine *machine,
                                 struct error *err)
{
    char name[16];
    if (device - DEVICE_CUDA < machine->cuda_count)
        return STATUS_OK;
    error_set(err, STATUS_UNAVAILABLE, "device", "there is no %s: %s", device_name(device, name),
              machine->torch);
    return error_hint(err, "leave it out, or name cpu");
}

enum status device_plan_make(const struct device_request *request,
                             const struct device_machine *machine, const struct device_sizes *sizes,
                             struct device_plan *out, struct error *err)
{
    *out = (struct device_plan){0};
    if (!request->is_auto) {
        use_named(request, out);
        share_evenly(sizes->layers, out);
    } else {
        out->count = machine->cuda_count ? machine->cuda_count : 1;
        for (int i = 0; i < out->count; i++)
            out->device[i] = DEVICE_CUDA + i;
        share_by_room(machine, sizes, out);
    }
    for (int i = 0; i < out->count; i++) {
        enum status st = check_present(out->device[i], machine, err);
        if (st)
            return st;
    }
    return STATUS_OK;
}

int device_plan_of_layer(const struct device_plan *plan, int layer)
{
    for (int i = 0; i < plan->count; i++) {
        if (layer < plan->layers[i])
            return plan->device[i];
        layer -= plan->layers[i];
    }
    return plan->device[plan->count - 1];
}

char *device_plan_text(const struct device_plan *plan, char *out, size_t size_bytes)
{
    char name[16];
    size_t len = 0;
    int layer = 0;
    *out = '\0';
    for (int i = 0; i < plan->count && len < size_bytes; i++) {
        if (!plan->layers[i])
            continue;
        len += (size_t)snprintf(out + len, size_bytes - len, "%s %d to %d on %s",
                                layer ? "," : "layers", layer, layer + plan->layers[i] - 1,
                                device_name(plan->device[i], name));
        layer += plan->layers[i];
    }
    return out;
}

double device_plan_bytes(const struct device_plan *plan, const struct device_sizes *sizes,
                         int device)
{
    double bytes = plan->device[0] == device ? sizes->other_bytes : 0;
    for (int i = 0; i < plan->count; i++)
        if (plan->device[i] == device)
            bytes += plan->layers[i] * sizes->layer_bytes;
    return bytes;
}
