// SPDX-License-Identifier: MIT
// Mask: which keys a query may attend to.
#pragma once

#include <utility>

#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// Which keys each query may attend to: true = may be attended. A type of its own, made by name only, so that no mask
/// of the opposite meaning slips in. Its tensor broadcasts to the scores [B, Tq, Tk].
class [[nodiscard]] GRADUS_API Mask {
 public:
  /// Everything may be attended.
  static Mask none() { return Mask(Tensor()); }
  /// Query i may attend to keys 0 .. i, counted from the end when the sizes differ: [1, Tq, Tk].
  static Mask causal(int64_t queries, int64_t keys);
  /// Keys before each length; lengths i64 [B], each in [0, keys] -> [B, 1, Tk].
  static Mask from_lengths(const Tensor& lengths, int64_t keys);
  /// `keep` bool, of rank 1 to 3, true = may be attended.
  static Mask keep(const Tensor& keep);

  /// What both allow.
  friend Mask operator&(const Mask& a, const Mask& b);

  /// False for none().
  bool defined() const noexcept { return keep_.defined(); }
  /// bool; undefined for none().
  const Tensor& tensor() const noexcept { return keep_; }

 private:
  explicit Mask(Tensor keep) : keep_(std::move(keep)) {}
  Tensor keep_;
};

}  // namespace gradus
