// SPDX-License-Identifier: MIT
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/thread_team.hpp>

#ifdef GRADUS_STD_THREADS

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace gradus::detail {
namespace {

// Sleeping threads that join the open region. A thread that opens a region while another one is open works alone. The
// threads run until the process ends, because destructors of static objects may still run kernels.
class Team {
 public:
  void run(int threads, void (*work)(void*), void* context) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (work_ == nullptr) {
        while (static_cast<int>(threads_.size()) < threads - 1) threads_.emplace_back([this] { serve(); });
        work_ = work;
        context_ = context;
        open_places_ = threads - 1;
      }
    }
    wake_.notify_all();
    work(context);
    std::unique_lock<std::mutex> lock(mutex_);
    if (context_ != context) return;
    open_places_ = 0;  // threads that have not joined by now are no longer needed
    done_.wait(lock, [this] { return running_ == 0; });
    work_ = nullptr;
    context_ = nullptr;
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return open_places_ > 0; });
      --open_places_;
      ++running_;
      const auto work = work_;
      void* const context = context_;
      lock.unlock();
      work(context);
      lock.lock();
      if (--running_ == 0) done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  void (*work_)(void*) = nullptr;
  void* context_ = nullptr;
  int open_places_ = 0;
  int running_ = 0;
};

Team& team() {
  static Team* instance = new Team;
  return *instance;
}

}  // namespace

int default_thread_count() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

bool in_foreign_region() { return false; }

void run_on_team(int threads, void (*work)(void* context), void* context) { team().run(threads, work, context); }

OneThreadScope::OneThreadScope() : previous_(1) {}
OneThreadScope::~OneThreadScope() { static_cast<void>(previous_); }

}  // namespace gradus::detail

#endif
