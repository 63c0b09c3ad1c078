/* Threads that work side by side on pieces of a training step. */
#ifndef CCALAB_MODEL_WORKER_POOL_HPP
#define CCALAB_MODEL_WORKER_POOL_HPP

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ccalab
{

/* Each thread computes alone: tensor operations on it start no others. */
class worker_pool
{
  public:
    explicit worker_pool(size_t threads);
    ~worker_pool();
    worker_pool(const worker_pool &) = delete;
    worker_pool &operator=(const worker_pool &) = delete;

    size_t size() const
    {
        return threads_.size();
    }
    /* Call job(0) ... job(count - 1), count <= size(), each on its thread, and wait for all of
     * them. Throws what the first of them threw. */
    void run(size_t count, const std::function<void(size_t)> &job);

  private:
    std::mutex mutex_;
    std::condition_variable started_, finished_;
    const std::function<void(size_t)> *job_ = nullptr;
    uint64_t round_ = 0;
    size_t count_ = 0, left_ = 0;
    bool is_over_ = false;
    std::vector<std::exception_ptr> thrown_;
    std::vector<std::thread> threads_;

    void work(size_t index);
    void stop();
};

} // namespace ccalab

#endif
