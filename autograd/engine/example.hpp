// SPDX-License-Identifier: MIT
// Example inputs of an op, which the checks of the op run on.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gradus/autograd/op.hpp>

namespace gradus {

/// The range from which the numbers of an input are drawn: uniform in [low, high], but never within `margin` of a point
/// of `keep_away` (a kink or a pole: derivative checks step about 0.03 to either side).
struct Domain {
  double low = -2.0;
  double high = 2.0;
  std::vector<double> keep_away = {};
  double margin = 0.1;
  /// When > 0, the elements are different multiples of `gap` in random order, shifted by phase * gap, plus or minus gap
  /// / 8; low and high are not used. Use it for maxima, which have a kink where two elements are equal: gap >= 0.3. Two
  /// inputs that are compared with each other take phases 0 and 0.5 and a gap of 0.6 or more.
  double gap = 0.0;
  double phase = 0.0;
};

inline Domain positive() { return {.low = 0.4, .high = 2.5}; }
inline Domain between(double low, double high) { return {.low = low, .high = high}; }
/// [-2, 2], but never within `margin` of the given points.
inline Domain away_from(std::vector<double> points, double margin = 0.2) {
  return {.keep_away = std::move(points), .margin = margin};
}
inline Domain spaced(double gap = 0.3, double phase = 0.0) { return {.gap = gap, .phase = phase}; }

/// One input of an example. The functions below make it.
struct InputSpec {
  Shape shape = {};
  /// A floating input is f64 where derivatives are checked, and f32 and f64 where values are. In a case that must be
  /// refused, the dtype is used unchanged.
  DType dtype = DType::f64;
  Domain domain = {};
  /// An optional input that is not given, or an auxiliary one that OpDef::complete fills in.
  bool absent = false;
  /// Fixed values instead of drawn ones. Floating values are converted as above.
  Tensor fixed = {};
  /// Range of a drawn i64 or bool input: low <= value < high.
  int64_t low = 0;
  int64_t high = 2;
  /// Why no derivative with respect to this floating input is checked.
  const char* constant = nullptr;
};

/// Drawn floating numbers.
inline InputSpec real(const Shape& shape, Domain domain = {}) { return {.shape = shape, .domain = std::move(domain)}; }
/// Drawn i64 numbers in [low, high).
inline InputSpec integers(const Shape& shape, int64_t low, int64_t high) {
  return {.shape = shape, .dtype = DType::i64, .low = low, .high = high};
}
/// Drawn bools.
inline InputSpec booleans(const Shape& shape) { return {.shape = shape, .dtype = DType::boolean}; }
/// Exactly these values. Floating ones are still differentiated.
inline InputSpec fixed(const Tensor& values) {
  return {.shape = values.shape(), .dtype = values.dtype(), .fixed = values};
}
inline InputSpec absent() { return {.absent = true}; }
/// An input of exactly this dtype, for cases that must be refused.
inline InputSpec typed(const Shape& shape, DType dtype) { return {.shape = shape, .dtype = dtype}; }

/// One set of inputs. The tests check everything that an op promises on it.
struct Example {
  std::string name;
  Attrs attrs = {};
  /// One spec for each input of the op. Auxiliary inputs are absent().
  std::vector<InputSpec> inputs = {};
  /// If not empty, the op must refuse the inputs, and the message must contain this.
  std::string error = {};
  /// The expected outputs, where they can be written down (with fixed inputs).
  std::vector<Tensor> expected = {};
  /// If not empty, the reason why derivatives cannot be compared with differences here (a tie, an infinity). Everything
  /// else is still checked.
  std::string no_differences = {};
};

}  // namespace gradus
