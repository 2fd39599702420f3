// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <gradus/autograd/variable.hpp>

namespace gradus::detail {

/// Whether all elements of x are in [least, most]. Functions composed of ops may look at values only by this function,
/// and only to choose between two compositions with the same meaning: a faster one, and one that is right for all
/// numbers.
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
