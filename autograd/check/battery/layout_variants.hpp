// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/tensor/tensor.hpp>

// The same elements in other memory layouts. Every op must give the same result for all of them.

namespace gradus::detail {

/// One way to arrange the elements of a tensor of some rank.
struct LayoutVariant {
  std::string name;
  Tensor (*function)(const Tensor& x, int a, int b);
  int a = 0;
  int b = 0;

  Tensor arrange(const Tensor& x) const { return function(x, a, b); }
};

/// Every layout that exists for this rank: an offset, gaps on an axis, two axes exchanged. The unused elements in
/// between are NaN, or a wrong integer.
GRADUS_API std::vector<LayoutVariant> layout_variants(int rank);

/// The first slice of `axis`, repeated by a stride of 0. (Its elements differ from x: compare with a clone() of it.)
inline Tensor repeated(const Tensor& x, int axis) { return x.slice(axis, 0, 1).expand(x.shape()); }

}  // namespace gradus::detail
