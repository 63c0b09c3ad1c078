/* Which device holds what of a policy. The layers of the backbone lie in pieces, one after the
 * other, on a list of devices. Everything around the backbone (encoder, embeddings, head, learned
 * positions) lives on the first device, the final norm on the last. */
#ifndef CCALAB_MODEL_DEVICES_H
#define CCALAB_MODEL_DEVICES_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "core/error.h"

#define DEVICES_MAX 64

/* A device: the CPU, or DEVICE_CUDA + n for CUDA's device n. */
#define DEVICE_DEFAULT 0 /* not named: the CPU, or what is said below */
#define DEVICE_CPU     1
#define DEVICE_CUDA    2

/* What the user asks for; all zeros: the CPU. The names are those of the published code. */
struct device_request {
    bool is_auto; /* all CUDA devices, and none of those below */
    int device;   /* everything, or the first layers */
    int mid;      /* layers in the middle; not named: there are two pieces */
    int out;      /* the last layers; not named: as `device` */
};

/* What there is. */
struct device_machine {
    int cuda_count;
    double cuda_free_bytes[DEVICES_MAX]; /* -1: cannot be asked */
    double cpu_free_bytes;
    char torch[96]; /* which libtorch says so: "libtorch 1.13.1, built without CUDA" */
};

/* What a policy takes. */
struct device_sizes {
    int layers;
    double layer_bytes; /* one layer with its LoRA, its gradients and moments */
    double other_bytes; /* all else, on the first device */
};

struct device_plan {
    int count;               /* at least 1 */
    int device[DEVICES_MAX]; /* of each piece; one device may hold several */
    int layers[DEVICES_MAX]; /* of each piece, 0 or more */
};

/* "cpu", "cuda" (the first), "cuda:3", or "none" for DEVICE_DEFAULT. `option` names it in messages.
 * Errors: STATUS_USAGE. */
CCALAB_MUST_USE enum status device_parse(const char *option, const char *text, int *out,
                                         struct error *err);
/* "cpu", "cuda:0"; `out` has room for 16. Returns it. */
char *device_name(int device, char *out);

/* Named devices share the layers as published, ceil(layers / pieces) to each until they run out.
 * With is_auto each device gets as many as fit its free memory best: the one that is tightest is
 * as loose as it can be; where memory cannot be asked, all count as equal.
 * Errors: STATUS_UNAVAILABLE naming the device that is not there. */
CCALAB_MUST_USE enum status device_plan_make(const struct device_request *request,
                                             const struct device_machine *machine,
                                             const struct device_sizes *sizes,
                                             struct device_plan *out, struct error *err);
/* The device of a layer; of one behind the last: that of the final norm. */
int device_plan_of_layer(const struct device_plan *plan, int layer);
/* "layers 0 to 15 on cuda:0, 16 to 31 on cuda:1". Returns `out`. */
char *device_plan_text(const struct device_plan *plan, char *out, size_t size_bytes);
/* Bytes that lie on a device. */
double device_plan_bytes(const struct device_plan *plan, const struct device_sizes *sizes,
                         int device);

#ifdef __cplusplus
}
#endif

#endif
