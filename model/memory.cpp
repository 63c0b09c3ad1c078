#include "model/memory.hpp"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace
{

constexpr size_t ALIGNMENT = 64; /* as libtorch's own */

/* libtorch asks for aligned memory by posix_memalign(3), and glibc before 2.38 cannot give a freed
 * block of that kind to the next request of the same size: a training step grew the heap by a
 * quarter more than it held. So ask for a little more, and align it here. */
class tensor_allocator final : public c10::Allocator
{
  public:
    /* Which of these are virtual, and const, depends on the version: no `override`. */
    c10::DataPtr allocate(size_t size) const
    {
        if (size == 0)
            return {nullptr, nullptr, &release, c10::Device(c10::DeviceType::CPU)};
        void *block = size > SIZE_MAX - ALIGNMENT ? nullptr : std::malloc(size + ALIGNMENT);
        if (!block)
            throw std::bad_alloc();
        /* malloc(3) aligns to 16: there is room for the block's own address before the data. */
        uintptr_t at = (reinterpret_cast<uintptr_t>(block) + ALIGNMENT) & ~(ALIGNMENT - 1);
        void *data = reinterpret_cast<void *>(at);
        static_cast<void **>(data)[-1] = block;
        return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
    }
    c10::DataPtr allocate(size_t size)
    {
        return static_cast<const tensor_allocator *>(this)->allocate(size);
    }
    void copy_data(void *to, const void *from, size_t count) const
    {
        std::memcpy(to, from, count);
    }
    c10::DeleterFnPtr raw_deleter() const
    {
        return &release;
    }

  private:
    static void release(void *data)
    {
        if (data)
            std::free(static_cast<void **>(data)[-1]);
    }
};

tensor_allocator allocator;

} // namespace

void ccalab::memory_start()
{
    /* Temporaries of a step come and go: keep their pages instead of asking the kernel for them
     * again at every step, and let all threads share them. */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_ARENA_MAX, 1);
    c10::SetCPUAllocator(&allocator, 1);
    memory_trim();
}

void ccalab::memory_trim()
{
    malloc_trim(0);
    /* libtorch brings some 290 libraries, whose relocations, symbols and constructors touch 90 MB
     * that are never looked at again. Where a mapping of a file cannot be written to and holds
     * nothing but the file, the kernel may let go of it: it is read again from the page cache. */
    FILE *f = std::fopen("/proc/self/smaps", "re");
    char line[512], permissions[8];
    unsigned long begin = 0, end = 0, kib;
    bool is_candidate = false;
    while (f && std::fgets(line, sizeof line, f)) {
        unsigned long from, to, file;
        if (std::sscanf(line, "%lx-%lx %7s %*s %*s %lu", &from, &to, permissions, &file) == 4) {
            begin = from, end = to;
            is_candidate = file != 0 && permissions[0] == 'r' && permissions[1] == '-' &&
                           permissions[3] == 'p';
        } else if (std::sscanf(line, "Anonymous: %lu", &kib) == 1 && is_candidate && kib == 0) {
            (void)madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
        }
    }
    if (f)
        std::fclose(f);
}
