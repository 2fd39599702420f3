// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <gradus/autograd/variable.hpp>

namespace gradus::detail {

/// Whether all elements of x lie in [least, most]. The one look at numbers that functions composed of ops may take: to
/// choose between two compositions that mean the same, of which one is faster and the other right for any number.
inline bool all_within(const Variable& x, double least, double most) {
  const Tensor values = x.value().contiguous();
  return dispatch_float(values.dtype(), [&]<class T>() {
    const auto* first = values.data<T>();
    return std::all_of(first, first + values.numel(), [=](auto v) {
      const auto number = static_cast<double>(v);
      return number >= least && number <= most;
    });
  });
}

}  // namespace gradus::detail
