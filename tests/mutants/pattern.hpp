// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/tensor/shape.hpp>

namespace gradus::mutants {

/// A right gradient and a wrong one, both exact, row-major.
struct GradientChange {
  Shape shape;
  std::vector<double> sound;
  std::vector<double> wrong;
  /// The right gradient for cotangents of ones.
  std::vector<double> for_ones;
  /// For each output, the right gradient without its cotangent.
  std::vector<std::vector<double>> without;
};

/// The right name for this change, by the rule in signature.hpp (the simplest explanation that fits every element), as
/// in name_of(SignatureKind). Empty when no explanation fits, or when two equally simple ones do. The code does not use
/// differences, tolerances or labels, so that it is an independent test of the classifier.
std::string pattern_of(const GradientChange& change);

}  // namespace gradus::mutants
