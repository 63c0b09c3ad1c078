/* safetensors: tensors in a file, as Hugging Face defined them.
 *
 *   u64 LE header length N | N bytes of JSON | data
 *   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {..}}
 *
 * Offsets are relative to the data, row-major, little-endian. A file is untrusted: the header is
 * bounded, every tensor's shape must give exactly its bytes, and the tensors must cover the data
 * without gap or overlap (github.com/huggingface/safetensors, README, "Format"). Thread: any, a
 * file at a time. */
#ifndef CCALAB_MODEL_SAFETENSORS_H
#define CCALAB_MODEL_SAFETENSORS_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define SAFETENSORS_HEADER_MAX (100u << 20)
#define SAFETENSORS_RANK_MAX   8

enum safetensors_dtype {
    SAFETENSORS_BOOL,
    SAFETENSORS_U8,
    SAFETENSORS_I8,
    SAFETENSORS_I16,
    SAFETENSORS_F16,
    SAFETENSORS_BF16,
    SAFETENSORS_I32,
    SAFETENSORS_F32,
    SAFETENSORS_I64,
    SAFETENSORS_F64,
    SAFETENSORS_DTYPE_COUNT
};

struct safetensors_tensor {
    const char *name;
    enum safetensors_dtype dtype;
    int rank;
    int64_t shape[SAFETENSORS_RANK_MAX];
    const void *data; /* not necessarily aligned: read with memcpy */
    size_t len_bytes;
};

struct safetensors;

/* "F32", "BOOL", ... */
const char *safetensors_dtype_name(enum safetensors_dtype dtype);
size_t safetensors_dtype_bytes(enum safetensors_dtype dtype);

/* Map a file and check all of it. *out is for safetensors_close().
 * Errors: STATUS_IO; STATUS_INPUT naming the file, the tensor and what is wrong with it. */
CCALAB_MUST_USE enum status safetensors_open(const char *path, struct safetensors **out,
                                             struct error *err);
/* NULL is allowed. */
void safetensors_close(struct safetensors *f);

size_t safetensors_count(const struct safetensors *f);
/* In the order of their data. Valid until safetensors_close(). */
const struct safetensors_tensor *safetensors_at(const struct safetensors *f, size_t index);
/* NULL if absent. */
const struct safetensors_tensor *safetensors_find(const struct safetensors *f, const char *name);
/* Find a tensor that must have this type and shape (-1: any size of that dimension).
 * NULL with STATUS_INPUT in *err, naming file and tensor. */
const struct safetensors_tensor *safetensors_expect(const struct safetensors *f, const char *name,
                                                    enum safetensors_dtype dtype, int rank,
                                                    const int64_t *shape, struct error *err);
/* Value of a metadata key, NULL if absent. */
const char *safetensors_metadata(const struct safetensors *f, const char *key);

/* Write all at once, atomically: readers see the old file or the new one. The data follows the
 * order given, aligned to 8 bytes where all sizes allow it. `metadata` (may be NULL) is an object
 * of strings, not taken. Errors: STATUS_IO, STATUS_NOMEM, STATUS_INTERNAL (a tensor whose shape
 * does not give its bytes). */
CCALAB_MUST_USE enum status safetensors_write(const char *path,
                                              const struct safetensors_tensor *tensors,
                                              size_t count, const cJSON *metadata,
                                              struct error *err);

#endif
