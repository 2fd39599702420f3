// SPDX-License-Identifier: MIT
#pragma once

#include <random>
#include <vector>

#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::detail {

/// Random numbers of either sign with 0.5 <= |value| <= 1.5, so that no derivative vanishes by chance.
class CheckNumbers {
 public:
  explicit CheckNumbers(uint64_t seed) : engine_(seed) {}
  double draw() {
    const double magnitude = 0.5 + static_cast<double>(engine_() >> 11) * 0x1p-53;
    return (engine_() & 1) != 0 ? magnitude : -magnitude;
  }
  Tensor tensor(const Shape& shape, DType dtype);

 private:
  std::mt19937_64 engine_;
};

/// The outputs of the checked function that carry a derivative (no integers). They must have dtype `dtype`.
std::vector<Variable> floating_outputs(const FunctionRef& f, const std::vector<Variable>& inputs, DType dtype);

/// f(values), without recording.
std::vector<Tensor> evaluate(const FunctionRef& f, const std::vector<Tensor>& values, DType dtype);

/// The elements of a tensor of any layout, row-major.
std::vector<double> elements(const Tensor& tensor);

/// The largest magnitude among the finite values; 0 when there is no finite value.
double largest_magnitude(const std::vector<double>& values);

/// "[1, 2]" for a row-major position.
std::string index_text(const Shape& shape, int64_t position);

/// abs(a - b) / max(abs(a), abs(b), floor). It is 0 for equal numbers, and infinite when either is not finite.
double derivative_error(double a, double b, double floor = 0.0);

/// One element that moves by `amount` per step.
struct Move {
  size_t input;
  size_t element;
  double amount;
};
struct Direction {
  std::vector<Move> moves;
  /// Slopes along the direction are divided by this. For the derivative by one element it is the amount.
  double unit = 1.0;
  /// How much shorter and longer than usual a step may be, as factors. They reach the scale on which the function may
  /// change.
  double shortest = 0x1p-18;
  double longest = 64.0;
};

/// Slopes of sum_k <cotangents[k], f_k> along a direction.
struct Slopes {
  double numeric = 0.0;
  double lower_order = 0.0;  ///< the same from fewer points; it differs much when the step is too long
  double left = 0.0;
  double right = 0.0;
  /// How much the rounding of inputs and outputs can change any of these slopes.
  double noise = 0.0;
  /// The same as the points show it: their sixth difference, which is almost 0 for a smooth function.
  double scatter = 0.0;
  /// The noise if outputs that did not move lost their movement to rounding.
  double hidden_noise = 0.0;
  /// The size of the outputs that moved, divided by the unit: a slope that changes them by their own size.
  double natural = 0.0;
  bool finite() const;
  double gap() const;
};

/// Finite differences of one function around one point.
class Differences {
 public:
  /// All arguments must outlive this object. `outputs` are the outputs of f at `values`.
  Differences(const FunctionRef& f, const std::vector<Tensor>& values, const std::vector<Tensor>& outputs,
              Stencil stencil, DType dtype);

  /// The weights of the outputs, one tensor each. An undefined one counts as zeros.
  void set_cotangents(const std::vector<Tensor>& cotangents);
  /// six_point: (45 (f1 - f-1) - 9 (f2 - f-2) + (f3 - f-3)) / 60 h,  central: (f1 - f-1) / 2 h,  fn = f(x + n h
  /// direction). One-sided: (18 (f1 - f0) - 9 (f2 - f0) + 2 (f3 - f0)) / 6 h, or (f1 - f0) / h.
  Slopes along(const Direction& direction, double step) const;

  /// The sum of the smaller, and the sum of the larger, one-sided slopes of all output elements, weighted. When several
  /// elements are at a kink, each may take its own value between its two slopes.
  struct Range {
    double low = 0.0;
    double high = 0.0;
  };
  Range range_along(const Direction& direction, double step) const;

  /// The slope that may hide in the last digits of outputs that do not move by `step` but move by longer steps. An
  /// output that never moves hides nothing.
  double hidden_along(const Direction& direction, double step) const;

  /// How much the weighted sum of outputs changes at random when all inputs change by a few units in the last place.
  /// More than the outputs' own last digits when larger numbers cancel inside the function. Measured once.
  double rounding_inside() const;

  const std::vector<Tensor>& values() const { return values_; }
  DType dtype() const { return dtype_; }
  /// The elements of input i at the point.
  const std::vector<double>& point(size_t i) const { return points_[i]; }

 private:
  // For each output its elements, row-major; empty for an output without a weight.
  std::vector<std::vector<double>> outputs_at(const Direction& direction, double steps) const;
  struct Change {
    long double sum = 0.0L;
    double moved = 0.0;      // sum of the absolute movements
    double magnitude = 0.0;  // weighted magnitude of the elements that moved
    double still = 0.0;      // weighted magnitude of the elements that did not move
  };
  Change change(const Direction& direction, double steps) const;
  double input_noise(const Direction& direction, double step) const;

  const FunctionRef& f_;
  const std::vector<Tensor>& values_;
  Stencil stencil_;
  DType dtype_;
  std::vector<Shape> shapes_;
  std::vector<std::vector<double>> points_;
  std::vector<std::vector<double>> base_;
  std::vector<std::vector<double>> weights_;
  mutable double rounding_inside_ = -1.0;  // not measured yet
};

}  // namespace gradus::detail
