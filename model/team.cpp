#include "model/team.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace ccalab
{

namespace
{

typedef std::function<void(int64_t, int64_t, int)> work;

/* Looks at the next piece of work before a helper goes to sleep, some 50 us: longer than what lies
 * between two pieces of one decision, and nothing beside the time between two decisions. */
const int SPINS = 2000;
/* Pieces for each thread: what the slowest may be late by. */
const int64_t PIECES = 4;

inline void relax()
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

class team
{
  public:
    explicit team(int threads)
    {
        for (int i = 1; i < threads; i++)
            helpers_.emplace_back([this, i] { help(i); });
    }

    ~team()
    {
        is_over_ = true;
        announce();
        for (std::thread &t : helpers_)
            t.join();
    }

    int size() const
    {
        return static_cast<int>(helpers_.size()) + 1;
    }

    void run(int64_t count, int64_t piece, const work &body)
    {
        body_ = &body;
        count_ = count;
        piece_ = piece;
        next_ = 0;
        is_open_ = true;
        announce();
        take_pieces(0);
        /* From here on nobody begins: a helper that saw it open is counted as inside already. */
        is_open_ = false;
        while (inside_)
            relax();
    }

  private:
    std::vector<std::thread> helpers_;
    const work *body_ = nullptr;
    int64_t count_ = 0, piece_ = 0;
    std::atomic<int64_t> next_{0};
    std::atomic<bool> is_open_{false}, is_over_{false};
    std::atomic<int> inside_{0};
    std::atomic<uint32_t> announced_{0};

    void announce()
    {
        announced_++;
        announced_.notify_all();
    }

    void take_pieces(int member)
    {
        for (int64_t at; (at = next_.fetch_add(piece_)) < count_;)
            (*body_)(at, std::min(at + piece_, count_), member);
    }

    void help(int member)
    {
        uint32_t seen = 0;
        while (!is_over_) {
            for (int i = 0; i < SPINS && announced_ == seen; i++)
                relax();
            announced_.wait(seen);
            seen = announced_;
            inside_++;
            if (is_open_)
                take_pieces(member);
            inside_--;
        }
    }
};

} // namespace

int team_size()
{
    return std::max(1, at::get_num_threads());
}

void team_run(int64_t count, int64_t grain, const work &body)
{
    static std::mutex mutex;
    static team *all; /* for ever: exit() must not wait for it */
    int size = team_size();
    if (size == 1 || count <= grain || !mutex.try_lock()) {
        if (count > 0)
            body(0, count, 0);
        return;
    }
    std::lock_guard<std::mutex> lock(mutex, std::adopt_lock);
    if (!all || all->size() != size) {
        delete all;
        all = nullptr;
        all = new team(size);
    }
    int64_t even = (count + size * PIECES - 1) / (size * PIECES);
    all->run(count, std::max(grain, even), body);
}

} // namespace ccalab
