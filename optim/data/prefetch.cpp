// SPDX-License-Identifier: MIT
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include <gradus/optim/data/batches.hpp>

namespace gradus::detail {

// The thread alone uses the source, except while it is `paused` and not `busy`.
struct PrefetchThread::Parts {
  using State = std::vector<NamedTensor>;
  struct Item {
    void* batch;
    State next;  // of the source after this batch
  };

  PrefetchSource source;
  size_t most;
  std::mutex mutex;
  std::condition_variable work;   // for the thread
  std::condition_variable ready;  // for its user
  std::deque<Item> items = {};
  State consumed = {};  // of the source after the last batch that was taken
  std::exception_ptr failure = {};
  bool wanted = false;  // next() was called since the last failure
  bool paused = false;
  bool busy = false;
  bool stop = false;
  std::thread thread = {};

  bool may_work() const { return wanted && !paused && !failure && items.size() < most; }

  Item make() const {
    Item item{source.next(source.object), {}};
    try {
      item.next = source.state(source.object);
    } catch (...) {
      source.destroy(item.batch);
      throw;
    }
    return item;
  }

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      work.wait(lock, [this] { return stop || may_work(); });
      if (stop) return;
      busy = true;
      lock.unlock();
      Item item{nullptr, {}};
      std::exception_ptr thrown;
      try {
        item = make();
      } catch (...) {
        thrown = std::current_exception();
      }
      lock.lock();
      busy = false;
      if (thrown) {
        failure = thrown;
      } else {
        items.push_back(std::move(item));
      }
      ready.notify_all();
    }
  }

  void drop_items() {
    for (const Item& item : items) source.destroy(item.batch);
    items.clear();
  }
};

PrefetchThread::PrefetchThread(const PrefetchSource& source, int64_t batches) {
  GRADUS_CHECK(batches >= 1, "[Prefetch] expected batches >= 1, got ", batches);
  Parts::State begin = source.state(source.object);
  parts_ = new Parts{.source = source, .most = static_cast<size_t>(batches), .mutex = {}, .work = {}, .ready = {}};
  parts_->consumed = std::move(begin);
}

PrefetchThread::~PrefetchThread() {
  {
    const std::lock_guard lock(parts_->mutex);
    parts_->stop = true;
  }
  parts_->work.notify_all();
  if (parts_->thread.joinable()) parts_->thread.join();
  parts_->drop_items();
  delete parts_;
}

void* PrefetchThread::next() {
  Parts& p = *parts_;
  std::unique_lock lock(p.mutex);
  p.wanted = true;
  if (!p.thread.joinable()) p.thread = std::thread([&p] { p.run(); });
  p.work.notify_all();
  p.ready.wait(lock, [&p] { return !p.items.empty() || p.failure; });
  if (p.items.empty()) {
    p.wanted = false;
    std::rethrow_exception(std::exchange(p.failure, nullptr));
  }
  Parts::Item item = std::move(p.items.front());
  p.items.pop_front();
  p.consumed = std::move(item.next);
  p.work.notify_all();
  return item.batch;
}

std::vector<NamedTensor> PrefetchThread::state_dict() const {
  const std::lock_guard lock(parts_->mutex);
  return parts_->consumed;
}

void PrefetchThread::load_state_dict(const std::vector<NamedTensor>& state) {
  Parts& p = *parts_;
  std::unique_lock lock(p.mutex);
  p.paused = true;
  p.ready.wait(lock, [&p] { return !p.busy; });
  try {
    p.source.load(p.source.object, state);
    p.consumed = p.source.state(p.source.object);
  } catch (...) {
    p.paused = false;
    p.work.notify_all();
    throw;
  }
  p.drop_items();
  p.failure = nullptr;
  p.wanted = false;
  p.paused = false;
}

}  // namespace gradus::detail
