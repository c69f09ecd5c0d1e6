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
#include <memory>
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
    while (static_cast<int>(workers_.size()) < parts - 1) start();
    make_room();
    error_ = nullptr;
    pending_ = parts - 1;
    for (int i = 0; i < parts - 1; ++i) workers_[static_cast<std::size_t>(i)]->part = &part;
    if (asleep_) wake(wake_);
    guarded(part, 0);
    await(done_, [this] { return pending_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  /// A thread, and what it is to do next. Each looks at a line of memory of its own.
  struct alignas(64) Worker {
    std::atomic<const std::function<void(int)>*> part{nullptr};
    std::thread thread;
  };

  void start() {
    workers_.reserve(workers_.size() + 1);  // so that nothing can fail once the thread runs
    auto worker = std::make_unique<Worker>();
    const int index = static_cast<int>(workers_.size()) + 1;
    worker->thread = std::thread([this, &work = *worker, index] { serve(work, index); });
    workers_.push_back(std::move(worker));
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
    for (const auto& worker : workers_)
      pthread_setaffinity_np(worker->thread.native_handle(), sizeof allowed, &allowed);
#endif
  }

  void serve(Worker& worker, int index) {
    for (;;) {
      await(wake_, [&] { return worker.part != nullptr; });
      guarded(*worker.part, index);
      worker.part = nullptr;
      if (--pending_ == 0 && asleep_) wake(done_);
    }
  }

  /// Returns when `met` is true. Whoever changes that looks at `asleep_` afterwards, and whoever sleeps says so before
  /// it looks once more: one of the two sees the other. While all are awake no lock is taken.
  template <class Met>
  void await(std::condition_variable& changed, Met met) {
    if (soon(met)) return;
    std::unique_lock<std::mutex> lock(mutex_);
    ++asleep_;
    changed.wait(lock, met);
    --asleep_;
  }

  void wake(std::condition_variable& changed) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
    }
    changed.notify_all();
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
  std::vector<std::unique_ptr<Worker>> workers_;
  int caller_processor_ = -1;
  std::atomic<int> pending_{0}, asleep_{0};
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
