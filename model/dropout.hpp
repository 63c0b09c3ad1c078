/* Dropout whose masks are drawn from a counter, not from a generator with a state: the mask of an
 * element is a hash of the seed, its window, the call within the pass and its index. So it is the
 * same whatever windows share a pass, on any number of threads, on any device, and the gradient
 * draws it again instead of keeping it. */
#ifndef CCALAB_MODEL_DROPOUT_HPP
#define CCALAB_MODEL_DROPOUT_HPP

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace ccalab
{

/* The mask of one call. */
struct drop_mask {
    uint64_t key, first_window;
    double probability; /* of a 0; what stays is scaled by 1 / (1 - probability) */

    /* out = x * mask; both dense float32 on the CPU, out may be x. Rows are windows. */
    void apply(const at::Tensor &x, const at::Tensor &out) const;
};

/* The masks of a pass: windows first, first + 1, ... of a training. */
class dropout
{
  public:
    dropout(uint64_t seed, uint64_t first_window) : seed_(seed), first_window_(first_window)
    {
    }
    drop_mask next(double probability);

  private:
    uint64_t seed_, first_window_, calls_ = 0;
};

struct pass;

/* x in training with some of it 0, x itself otherwise. x: [rows, ...], any device. */
at::Tensor drop(const at::Tensor &x, double probability, const pass &pass);

} // namespace ccalab

#endif
