// Large arrays on huge pages where the system grants them, as NumPy asks for its own: fewer faults when they are first
// touched, fewer misses of the address tables afterwards.
#pragma once
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstddef>

namespace optlab {

inline constexpr std::size_t kHugePage = 1 << 21, kManyBytes = 2 * kHugePage;

/// What an array of so many bytes should be aligned to.
inline std::size_t alignment_for(std::size_t bytes) {
  return bytes >= kManyBytes ? kHugePage : 64;
}

/// To be called before the memory is touched.
inline void wish_for_huge_pages(void* memory, std::size_t bytes) {
#if defined(__linux__)
  if (bytes >= kManyBytes) madvise(memory, bytes, MADV_HUGEPAGE);
#else
  (void)memory, (void)bytes;
#endif
}

}  // namespace optlab
