// Memory for one kernel's working, kept by each thread from call to call so that no call pays for fresh pages.
#pragma once
#include <cstdlib>
#include <memory>
#include <new>

namespace optlab {

template <class R>
class Scratch {
 public:
  /// Room for n numbers on a cache line's border; what it held is lost when it grows.
  R* get(std::size_t n) {
    if (n > size_) {
      constexpr std::size_t line = 64;
      memory_.reset();
      size_ = 0;
      memory_.reset(static_cast<R*>(std::aligned_alloc(line, (n * sizeof(R) + line - 1) / line * line)));
      if (!memory_) throw std::bad_alloc();
      size_ = n;
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(R* memory) const { std::free(memory); }
  };
  std::unique_ptr<R, Free> memory_;
  std::size_t size_ = 0;
};

}  // namespace optlab
