// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <type_traits>

#include <gradus/tensor/runtime/runtime.hpp>

namespace gradus {

/// A reference to a callable `void(int64_t begin, int64_t end)`, which must outlive it.
class RangeBody {
 public:
  template <class Body, class = std::enable_if_t<!std::is_same_v<std::remove_cvref_t<Body>, RangeBody>>>
  RangeBody(Body&& body)  // NOLINT(google-explicit-constructor): made from a lambda at the call
      : context_(const_cast<void*>(static_cast<const void*>(&body))),
        call_([](void* context, int64_t begin, int64_t end) {
          (*static_cast<std::remove_reference_t<Body>*>(context))(begin, end);
        }) {}

  void operator()(int64_t begin, int64_t end) const { call_(context_, begin, end); }

 private:
  void* context_;
  void (*call_)(void*, int64_t, int64_t);
};

/// Calls body(begin, end) once for each block of `grain` indices of [0, n); the last block may be shorter. Uses several
/// threads when there is more than one block. The blocks are the same for any number of threads, so the results have
/// the same bits. Nested calls run on the calling thread. After an exception, all threads stop and the exception of the
/// first failed block is rethrown. While other programs keep the cores busy, the calling thread works alone (LateTeam).
/// One region costs about 1 us: choose a grain worth 20 us or more.
GRADUS_API void parallel_for(int64_t n, RangeBody body, int64_t grain);

namespace detail {

/// Sets the number of threads for one scope.
class ThreadCountScope {
 public:
  [[nodiscard]] explicit ThreadCountScope(int count) : before_(num_threads()) { set_num_threads(count); }
  ~ThreadCountScope() { set_num_threads(before_); }
  ThreadCountScope(const ThreadCountScope&) = delete;
  ThreadCountScope& operator=(const ThreadCountScope&) = delete;

 private:
  int before_;
};

/// How many regions of this process ran on more than one thread so far. It shows whether work was split at all.
GRADUS_API int64_t regions_split();

/// During its lifetime, OpenMP regions that the calling thread opens (in a BLAS built on OpenMP) have one thread.
class GRADUS_API OneThreadScope {
 public:
  [[nodiscard]] OneThreadScope();
  ~OneThreadScope();
  OneThreadScope(const OneThreadScope&) = delete;
  OneThreadScope& operator=(const OneThreadScope&) = delete;

 private:
  int previous_;
};

}  // namespace detail
}  // namespace gradus
