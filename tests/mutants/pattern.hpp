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
  /// The right one for cotangents of ones.
  std::vector<double> for_ones;
  /// The right one without the cotangent of each output.
  std::vector<std::vector<double>> without;
};

/// What a right diagnosis says of it, by the rule that signature.hpp states (the simplest explanation that fits every
/// element), as in name_of(SignatureKind). Empty when no explanation fits, or two equally simple ones. Written without
/// a look at differences, tolerances or labels, so that the classifier has something to be held to.
std::string pattern_of(const GradientChange& change);

}  // namespace gradus::mutants
