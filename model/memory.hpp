/* Memory of tensors and what the start leaves behind. */
#ifndef CCALAB_MODEL_MEMORY_HPP
#define CCALAB_MODEL_MEMORY_HPP

namespace ccalab
{

/* Tensors on the CPU come from malloc(3) as the C library manages it best. Call once, before the
 * first tensor. */
void memory_start();

/* Give back what only the start needed: freed heap, and the pages of code that has run. */
void memory_trim();

} // namespace ccalab

#endif
