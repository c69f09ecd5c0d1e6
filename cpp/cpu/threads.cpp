#include "threads.hpp"

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "environment.hpp"

namespace optlab {
namespace {

/// Whether `met` came true while looking at it for some 200 us. A thread that goes to sleep takes tens of microseconds
/// to wake, which is the whole of a small kernel, and between two products of a network there is as much work again
/// that one thread does alone. Beyond that it sleeps.
template <class Met>
bool soon(Met met) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(200);
  do {
    for (int look = 0; look < 64; ++look) {
      if (met()) return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

class Pool {
 public:
  void run(int parts, const std::function<void(int)>& part) {
    const std::lock_guard<std::mutex> one_at_a_time(busy_);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      while (static_cast<int>(workers_.size()) < parts - 1) start(static_cast<int>(workers_.size()) + 1);
      part_ = &part;
      parts_ = parts;
      pending_ = parts - 1;
      error_ = nullptr;
      make_room();
      ++round_;
    }
    wake_.notify_all();
    guarded(part, 0);
    soon([this] { return pending_ == 0; });
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return pending_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void start(int index) {
    workers_.emplace_back([this, index, seen = round_.load()]() mutable { serve(index, seen); });
    caller_processor_ = -1;
  }

  /// Keeps the workers off the caller's processor, where some schedulers put a thread that is woken, and leave it for
  /// seconds while another processor is idle.
  void make_room() {
#if defined(__linux__)
    const int here = sched_getcpu();
    cpu_set_t allowed;
    if (here == caller_processor_ || here < 0 || sched_getaffinity(0, sizeof allowed, &allowed)) return;
    caller_processor_ = here;
    if (CPU_COUNT(&allowed) > 1) CPU_CLR(here, &allowed);
    for (std::thread& worker : workers_) pthread_setaffinity_np(worker.native_handle(), sizeof allowed, &allowed);
#endif
  }

  void serve(int index, long long seen) {
    for (;;) {
      const std::function<void(int)>* part;
      soon([&] { return round_ != seen; });
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return round_ != seen; });
        seen = round_;
        if (index >= parts_) continue;
        part = part_;
      }
      guarded(*part, index);
      const std::lock_guard<std::mutex> lock(mutex_);
      if (--pending_ == 0) done_.notify_one();
    }
  }

  void guarded(const std::function<void(int)>& part, int index) {
    try {
      const FloatEnvironment environment;
      part(index);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  std::mutex busy_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  const std::function<void(int)>* part_ = nullptr;
  int parts_ = 0, caller_processor_ = -1;
  std::atomic<int> pending_{0};
  std::atomic<long long> round_{0};
  std::exception_ptr error_;
};

// The pool is never destroyed: its threads would have to be joined while the interpreter goes down. A forked child has
// none of its parent's threads, so it forgets the parent's pool and starts afresh.
std::atomic<Pool*> the_pool{nullptr};

Pool& pool() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr); });
  (void)registered;
  Pool* current = the_pool.load();
  if (!current) {
    Pool* fresh = new Pool;
    if (the_pool.compare_exchange_strong(current, fresh)) return *fresh;
    delete fresh;
  }
  return *current;
}

thread_local bool inside_a_part = false;

}  // namespace

void parallel(long long count, int threads, const std::function<void(long long, long long)>& work) {
  const int parts = static_cast<int>(std::min<long long>(std::max(threads, 1), count));
  if (parts <= 1 || inside_a_part) {
    const FloatEnvironment environment;
    if (count > 0) work(0, count);
    return;
  }
  pool().run(parts, [&](int part) {
    inside_a_part = true;
    struct Leave {
      ~Leave() { inside_a_part = false; }
    } leave;
    work(count * part / parts, count * (part + 1) / parts);
  });
}

}  // namespace optlab
