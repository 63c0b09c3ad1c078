/* Threads that share the short pieces of work of one decision. Whoever asks takes pieces too, and
 * waits only for those that others have begun: on a machine that is busy otherwise a thread that
 * gets no processor costs its help, not the time until it gets one, as it does at the barriers of
 * OpenMP. */
#ifndef CCALAB_MODEL_TEAM_HPP
#define CCALAB_MODEL_TEAM_HPP

#include <cstdint>
#include <functional>

namespace ccalab
{

/* How many may take part, the caller included: libtorch's number of threads. */
int team_size();

/* body(begin, end, member) for pieces of at least `grain` that together are 0 ... count - 1, each
 * in one of the threads 0 ... team_size() - 1. The body throws nothing. Called from several threads
 * at once, all but one work alone. */
void team_run(int64_t count, int64_t grain,
              const std::function<void(int64_t begin, int64_t end, int member)> &body);

} // namespace ccalab

#endif
