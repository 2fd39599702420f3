// SPDX-License-Identifier: MIT
// Example inputs of an op, which the checks of the op run on.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gradus/autograd/op.hpp>

namespace gradus {

/// Where the numbers of an input are drawn from: uniform in [low, high], never within `margin` of a point of
/// `keep_away` (a kink or a pole: derivative checks step about 0.03 to either side).
struct Domain {
  double low = -2.0;
  double high = 2.0;
  std::vector<double> keep_away = {};
  double margin = 0.1;
  /// > 0: the elements are different multiples of `gap` in random order, shifted by phase * gap, give or take gap / 8
  /// (low and high do not count). For maxima, which have a kink where two elements meet: gap >= 0.3; two inputs that
  /// are compared with each other take phases 0 and 0.5 and a gap of 0.6 or more.
  double gap = 0.0;
  double phase = 0.0;
};

inline Domain positive() { return {.low = 0.4, .high = 2.5}; }
inline Domain between(double low, double high) { return {.low = low, .high = high}; }
/// [-2, 2] without the neighbourhood of the given points.
inline Domain away_from(std::vector<double> points, double margin = 0.2) {
  return {.keep_away = std::move(points), .margin = margin};
}
inline Domain spaced(double gap = 0.3, double phase = 0.0) { return {.gap = gap, .phase = phase}; }

/// One input of an example. Made by the functions below.
struct InputSpec {
  Shape shape = {};
  /// Floating: f64 where derivatives are checked, f32 and f64 where values are; taken as it stands in a case that must
  /// be refused.
  DType dtype = DType::f64;
  Domain domain = {};
  /// An optional input that is not given, or an auxiliary one that OpDef::complete fills in.
  bool absent = false;
  /// Values that matter are given instead of drawn (a floating one is converted as above).
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
/// Exactly these values; a floating one is still differentiated.
inline InputSpec fixed(const Tensor& values) {
  return {.shape = values.shape(), .dtype = values.dtype(), .fixed = values};
}
inline InputSpec absent() { return {.absent = true}; }
/// An input of this very dtype, for cases that must be refused.
inline InputSpec typed(const Shape& shape, DType dtype) { return {.shape = shape, .dtype = dtype}; }

/// One set of inputs on which the tests hold an op to everything that an op promises.
struct Example {
  std::string name;
  Attrs attrs = {};
  /// One for each input of the op; auxiliary ones are absent().
  std::vector<InputSpec> inputs = {};
  /// Not empty: applying the op must be refused, with this in the message.
  std::string error = {};
  /// What the outputs are, where that can be written down (with fixed inputs).
  std::vector<Tensor> expected = {};
  /// Not empty: why no derivative can be compared with differences here (a tie, an infinity). Everything else is
  /// checked.
  std::string no_differences = {};
};

}  // namespace gradus
