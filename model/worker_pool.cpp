#include "model/worker_pool.hpp"

#include <ATen/Parallel.h>
#include <signal.h>

namespace ccalab
{

worker_pool::worker_pool(size_t threads) : thrown_(threads)
{
    /* Signals are the caller's: a thread inherits the mask it is made under. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        for (size_t i = 0; i < threads; i++)
            threads_.emplace_back([this, i] { work(i); });
    } catch (...) {
        stop();
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

worker_pool::~worker_pool()
{
    stop();
}

void worker_pool::stop()
{
    {
        std::lock_guard<std::mutex> lock(mutex_);
        is_over_ = true;
    }
    started_.notify_all();
    for (std::thread &t : threads_)
        t.join();
}

void worker_pool::work(size_t index)
{
    at::set_num_threads(1); /* of this thread */
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
        started_.wait(lock, [&] { return is_over_ || (round_ != seen && index < count_); });
        if (is_over_)
            return;
        seen = round_;
        const std::function<void(size_t)> *job = job_;
        lock.unlock();
        try {
            (*job)(index);
        } catch (...) {
            thrown_[index] = std::current_exception();
        }
        lock.lock();
        if (--left_ == 0)
            finished_.notify_one();
    }
}

void worker_pool::run(size_t count, const std::function<void(size_t)> &job)
{
    std::unique_lock<std::mutex> lock(mutex_);
    std::fill(thrown_.begin(), thrown_.end(), nullptr);
    job_ = &job;
    count_ = left_ = count;
    round_++;
    started_.notify_all();
    finished_.wait(lock, [&] { return left_ == 0; });
    for (std::exception_ptr &e : thrown_)
        if (e)
            std::rethrow_exception(e);
}

} // namespace ccalab
