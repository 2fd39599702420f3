// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "tests/mutants/cases.hpp"

namespace gradus::mutants {

/// A smaller change of a derivative, relative to its largest element, cannot be asked of any check.
inline constexpr double kSeen = 1e-6;

/// What a case gives at its point, for random cotangents.
struct Derivatives {
  std::vector<Tensor> values;
  std::vector<Tensor> cotangents;
  std::vector<Tensor> first;
  /// With respect to the inputs and the cotangents, for random weights; empty where none is promised.
  std::vector<Tensor> second;
};
/// Undefined gradients stay so.
Derivatives derivatives_of(const Case& c);

/// The largest difference in one tensor, relative to the largest element of either. Differences of at most 1e-9, which
/// gradcheck allows, do not count.
double change(const std::vector<Tensor>& sound, const std::vector<Tensor>& wrong);

/// What a right diagnosis says of a case with a mutant: the first recorded op whose own derivatives, up to `order`, the
/// mutant makes wrong, and how. Found from its exact right and wrong gradients alone; see pattern.hpp.
struct Expectation {
  /// Empty: each op has right derivatives.
  std::string op;
  /// At order 1, as in name_of(SignatureKind); empty: no gradient of the op has a known pattern, or two have different
  /// ones.
  std::string signature;
};
Expectation expectation(const Case& c, int order, int mutant);

/// Whether `names`, separated by |, hold `name`.
bool holds(const std::string& names, const std::string& name);

}  // namespace gradus::mutants
