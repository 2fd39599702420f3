// SPDX-License-Identifier: MIT
// Mask: which keys a query may attend to.
#pragma once

#include <utility>

#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// Which keys each query may attend to: true = may be attended. It is a separate type that is made only by named
/// functions, so that a mask of the opposite meaning cannot be passed by mistake. Its tensor broadcasts to the scores
/// [B, Tq, Tk].
class [[nodiscard]] GRADUS_API Mask {
 public:
  /// Everything may be attended.
  static Mask none() { return Mask(Tensor()); }
  /// Query i may attend to keys 0 .. i; [1, Tq, Tk]. When the sizes differ, both are counted from the end.
  static Mask causal(int64_t queries, int64_t keys);
  /// Each item may attend to the keys before its length; lengths i64 [B], each in [0, keys] -> [B, 1, Tk].
  static Mask from_lengths(const Tensor& lengths, int64_t keys);
  /// A mask from a bool tensor `keep` of rank 1 to 3, true = may be attended.
  static Mask keep(const Tensor& keep);

  /// A key may be attended when both masks allow it.
  friend Mask operator&(const Mask& a, const Mask& b);

  /// False for the mask that none() returns.
  bool defined() const noexcept { return keep_.defined(); }
  /// The bool tensor; undefined for the mask that none() returns.
  const Tensor& tensor() const noexcept { return keep_; }

 private:
  explicit Mask(Tensor keep) : keep_(std::move(keep)) {}
  Tensor keep_;
};

}  // namespace gradus
