// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::detail {

/// A derivative and what differences say it should be, row-major.
struct GradientPair {
  Shape shape;
  std::vector<double> analytic;
  std::vector<double> numeric;
  /// Largest error at which two elements count as equal, relative to themselves or to `floor`.
  double allowed = 1e-9;
  /// The size of the whole gradient.
  double floor = 1.0;
  std::vector<AxisLabel> axes = {};
  /// Elements to leave out, those at kinks; empty: none.
  std::vector<bool> ignore = {};
  /// false: padding; empty: not known.
  std::vector<bool> keep = {};
  /// The share of each output in `numeric`, when there are several.
  std::vector<std::vector<double>> by_output = {};
  /// `numeric` for cotangents of ones; empty: not known.
  std::vector<double> for_ones = {};
};

/// Names the way in which `analytic` is wrong. The simplest explanation that fits every element wins: ratios, then
/// elements in other places, then outputs left out, then places where alone it is wrong, then a term.
Signature classify(const GradientPair& pair);

/// For random directions instead of elements: only a ratio can be told.
Signature classify_directions(const GradientPair& pair);

}  // namespace gradus::detail
