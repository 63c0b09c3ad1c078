/* The frozen weights of a Hugging Face folder: config.json beside model.safetensors, or
 * model.safetensors.index.json and its shards, or pytorch_model.bin, or its index and shards (the
 * first of these that is there). Files are mapped, not read: a tensor costs memory when it is
 * asked for. Everything in them is untrusted. Thread: any, a folder at a time. */
#ifndef CCALAB_MODEL_WEIGHTS_H
#define CCALAB_MODEL_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "model/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weights;

/* Map all files of the folder and check their headers. *out is for weights_close().
 * Errors: STATUS_IO (no such file, a shard is missing); STATUS_INPUT naming file and field. */
CCALAB_MUST_USE enum status weights_open(const char *dir, struct weights **out, struct error *err);
/* NULL is allowed. */
void weights_close(struct weights *w);

/* Copy a tensor of F32, F16 or BF16, converted to `want` (SAFETENSORS_F32 or SAFETENSORS_BF16,
 * rounded to nearest even), which must have this shape and only finite values. `name` is as a
 * model with a language-model head has it ("model.norm.weight"); files of the bare model have it
 * without the first part, and are read all the same. `out` has room for all values.
 * Errors: STATUS_INPUT naming file and tensor. */
CCALAB_MUST_USE enum status weights_read(const struct weights *w, const char *name, int rank,
                                         const int64_t *shape, enum safetensors_dtype want,
                                         void *out, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
