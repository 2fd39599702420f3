// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "tests/mutants/cases.hpp"

namespace gradus::mutants {

/// A check need not notice a smaller change of a derivative, relative to its largest element.
inline constexpr double kSeen = 1e-6;

/// The derivatives of a case at its point, for random cotangents.
struct Derivatives {
  std::vector<Tensor> values;
  std::vector<Tensor> cotangents;
  std::vector<Tensor> first;
  /// With respect to the inputs and the cotangents, for random weights. Empty when none are promised.
  std::vector<Tensor> second;
};
/// Undefined gradients stay undefined.
Derivatives derivatives_of(const Case& c);

/// The largest difference in one tensor, relative to the largest element of either. Differences of at most 1e-9, which
/// gradcheck allows, do not count.
double change(const std::vector<Tensor>& sound, const std::vector<Tensor>& wrong);

/// The right diagnosis for a case with a mutant: the first recorded op whose own derivatives, up to `order`, the mutant
/// makes wrong, and how. It is computed only from the exact right and wrong gradients; see pattern.hpp.
struct Expectation {
  /// Empty when every op has right derivatives.
  std::string op;
  /// At order 1, as in name_of(SignatureKind). Empty when no gradient of the op has a known pattern, or two have
  /// different ones.
  std::string signature;
};
Expectation expectation(const Case& c, int order, int mutant);

/// Whether `names`, separated by |, contain `name`.
bool holds(const std::string& names, const std::string& name);

}  // namespace gradus::mutants
