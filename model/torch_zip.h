/* pytorch_model.bin: what torch.save() writes since version 1.6, a zip archive of stored (never
 * compressed) entries: NAME/data.pkl, a pickle of a dict of tensors, and NAME/data/KEY, the bytes
 * of each storage. It is read as data: the pickle by model/pickle.h, which executes nothing, the
 * tensors as views of the mapped file. Zip format: PKWARE APPNOTE 6.3.10, with zip64. */
#ifndef CCALAB_MODEL_TORCH_ZIP_H
#define CCALAB_MODEL_TORCH_ZIP_H

#include <stddef.h>

#include "core/error.h"
#include "model/safetensors.h"

struct torch_zip;

/* Map a file and check all of it: offsets, sizes, that each tensor is contiguous and lies within
 * its storage. *out is for torch_zip_close().
 * Errors: STATUS_IO; STATUS_INPUT naming the file, the entry or tensor, and what is wrong. */
CCALAB_MUST_USE enum status torch_zip_open(const char *path, struct torch_zip **out,
                                           struct error *err);
/* The same from memory, borrowed until torch_zip_close(); `what` names it in messages. */
CCALAB_MUST_USE enum status torch_zip_parse(const void *data, size_t len, const char *what,
                                            struct torch_zip **out, struct error *err);
/* NULL is allowed. */
void torch_zip_close(struct torch_zip *z);
size_t torch_zip_count(const struct torch_zip *z);
/* Valid until torch_zip_close(). */
const struct safetensors_tensor *torch_zip_at(const struct torch_zip *z, size_t index);

#endif
