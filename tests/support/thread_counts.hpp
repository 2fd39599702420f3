// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/parallel.hpp>

namespace gradus::tests {

/// Sets the number of threads for one scope.
class ThreadCountScope {
 public:
  explicit ThreadCountScope(int count) : before_(num_threads()) { set_num_threads(count); }
  ~ThreadCountScope() { set_num_threads(before_); }
  ThreadCountScope(const ThreadCountScope&) = delete;
  ThreadCountScope& operator=(const ThreadCountScope&) = delete;

 private:
  int before_;
};

}  // namespace gradus::tests
