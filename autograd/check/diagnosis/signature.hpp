// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::detail {

/// A derivative and the values that differences give for it, row-major.
struct GradientPair {
  Shape shape;
  std::vector<double> analytic;
  std::vector<double> numeric;
  /// The largest error at which two elements count as equal, relative to the elements or to `floor`.
  double allowed = 1e-9;
  /// The size of the whole gradient.
  double floor = 1.0;
  std::vector<AxisLabel> axes = {};
  /// Elements to leave out because they are at kinks. Empty: no element.
  std::vector<bool> ignore = {};
  /// False where the input is padding. Empty: not known.
  std::vector<bool> keep = {};
  /// The part of `numeric` that comes from each output, when there are several outputs.
  std::vector<std::vector<double>> by_output = {};
  /// `numeric` for cotangents of ones. Empty: not known.
  std::vector<double> for_ones = {};
};

/// Names the way in which `analytic` is wrong. The simplest explanation that fits every element wins. The order is:
/// ratios, elements in other places, outputs left out, errors in some places only, an added term.
Signature classify(const GradientPair& pair);

/// The same for random directions instead of elements. Only a ratio can be recognised.
Signature classify_directions(const GradientPair& pair);

}  // namespace gradus::detail
