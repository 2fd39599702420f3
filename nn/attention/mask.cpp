// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/mask.hpp>

#include <gradus/tensor/detail/lengths.hpp>

namespace gradus {

Mask Mask::causal(int64_t queries, int64_t keys) {
  GRADUS_CHECK(queries >= 0 && keys >= 0, "[Mask::causal] expected 0 queries and keys or more, got ", queries, " and ",
               keys);
  Tensor keep = Tensor::empty({1, queries, keys}, DType::boolean);
  bool* at = keep.mutable_data_<bool>();
  for (int64_t i = 0; i < queries; ++i) {
    for (int64_t j = 0; j < keys; ++j) *at++ = j <= i + keys - queries;
  }
  return Mask(keep);
}

Mask Mask::from_lengths(const Tensor& lengths, int64_t keys) {
  GRADUS_CHECK(keys >= 0, "[Mask::from_lengths] expected 0 keys or more, got ", keys);
  require_lengths("Mask::from_lengths", lengths, kAnyRows, keys);
  return Mask(valid_steps(lengths, keys).unsqueeze(1));
}

Mask Mask::keep(const Tensor& keep) {
  GRADUS_CHECK(keep.defined() && keep.dtype() == DType::boolean && keep.rank() >= 1 && keep.rank() <= 3,
               "[Mask::keep] expected a bool tensor that broadcasts to [B, Tq, Tk], got ", describe(keep));
  return Mask(keep);
}

Mask operator&(const Mask& a, const Mask& b) {
  if (!a.defined()) return b;
  if (!b.defined()) return a;
  const Shape shape = broadcast_shapes(a.keep_.shape(), b.keep_.shape(), "Mask");
  const Tensor left = a.keep_.expand(shape).contiguous();
  const Tensor right = b.keep_.expand(shape).contiguous();
  Tensor both = Tensor::empty(shape, DType::boolean);
  bool* out = both.mutable_data_<bool>();
  for (int64_t i = 0; i < both.numel(); ++i) out[i] = left.data<bool>()[i] && right.data<bool>()[i];
  return Mask(both);
}

}  // namespace gradus
