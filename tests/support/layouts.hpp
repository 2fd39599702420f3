// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gradus/tensor/tensor.hpp>

namespace gradus::tests {

/// The same elements at other places in memory.
struct LayoutVariant {
  std::string name;
  std::function<Tensor(const Tensor&)> arrange;
};

/// A copy whose memory order is that of the axes a and b exchanged.
inline Tensor with_axes_exchanged(const Tensor& x, int a, int b) { return x.transpose(a, b).clone().transpose(a, b); }

/// A copy that is every second element of a larger block along `axis`; what lies between is NaN or a wrong integer.
inline Tensor with_gaps(const Tensor& x, int axis) {
  Tensor block = full(x.shape().with(axis, 2 * x.size(axis) + 1), is_floating(x.dtype()) ? __builtin_nan("") : 1.0,
                      {.dtype = x.dtype()});
  Tensor view = block.slice(axis, 1, 2 * x.size(axis) + 1, 2);
  view.copy_(x);
  return view;
}

/// A copy that starts three elements into its storage, with as many behind it.
inline Tensor with_offset(const Tensor& x) {
  Tensor block = full({x.numel() + 6}, is_floating(x.dtype()) ? __builtin_nan("") : 1.0, {.dtype = x.dtype()});
  Tensor view = block.slice(0, 3, 3 + x.numel()).reshape(x.shape());
  view.copy_(x);
  return view;
}

/// Every arrangement that exists for this rank.
inline std::vector<LayoutVariant> layout_variants(int rank) {
  std::vector<LayoutVariant> variants = {{"offset", with_offset}};
  for (int axis = 0; axis < rank; ++axis) {
    variants.push_back(
        {"gaps on axis " + std::to_string(axis), [axis](const Tensor& x) { return with_gaps(x, axis); }});
  }
  for (int a = 0; a < rank; ++a) {
    for (int b = a + 1; b < rank; ++b) {
      variants.push_back({"axes " + std::to_string(a) + " and " + std::to_string(b) + " exchanged",
                          [a, b](const Tensor& x) { return with_axes_exchanged(x, a, b); }});
    }
  }
  return variants;
}

/// The first slice of `axis`, repeated by a stride of 0. (Its elements differ from x: compare with a clone() of it.)
inline Tensor repeated(const Tensor& x, int axis) { return x.slice(axis, 0, 1).expand(x.shape()); }

}  // namespace gradus::tests
