// SPDX-License-Identifier: MIT
#pragma once

#include <random>
#include <vector>

#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::detail {

/// Numbers of either sign with 0.5 <= |value| <= 1.5: no derivative vanishes by chance.
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

/// The function under check without its outputs that carry no derivative (integers); the others must be of `dtype`.
std::vector<Variable> floating_outputs(const FunctionRef& f, const std::vector<Variable>& inputs, DType dtype);

/// f(values), recorded nowhere.
std::vector<Tensor> evaluate(const FunctionRef& f, const std::vector<Tensor>& values, DType dtype);

/// The elements of a tensor of any layout, row-major.
std::vector<double> elements(const Tensor& tensor);

/// Of those that are finite; 0 of none.
double largest_magnitude(const std::vector<double>& values);

/// "[1, 2]" for a row-major position.
std::string index_text(const Shape& shape, int64_t position);

/// abs(a - b) / max(abs(a), abs(b), floor), 0 for equal numbers; infinite when either is not finite.
double derivative_error(double a, double b, double floor = 0.0);

/// One element moves by `amount` for each step.
struct Move {
  size_t input;
  size_t element;
  double amount;
};
struct Direction {
  std::vector<Move> moves;
  /// Slopes along it are divided by this: the amount, for a derivative by one element.
  double unit = 1.0;
  /// Steps may be shorter, and longer, than the usual one by these factors: to where the function may have its scale.
  double shortest = 0x1p-18;
  double longest = 64.0;
};

/// Slopes of sum_k <cotangents[k], f_k> along a direction.
struct Slopes {
  double numeric = 0.0;
  double lower_order = 0.0;  ///< the same from fewer of the points: how far off, if far, the step is too long
  double left = 0.0;
  double right = 0.0;
  /// What the rounding of inputs and outputs may put into any of them.
  double noise = 0.0;
  /// The same from what the points show: their sixth difference, which is next to nothing for a smooth function.
  double scatter = 0.0;
  /// Noise if outputs that did not move lost their movement to rounding.
  double hidden_noise = 0.0;
  /// The size of the outputs that moved, by unit: a slope that changes them by their own size.
  double natural = 0.0;
  bool finite() const;
  double gap() const;
};

/// Differences of one function around one point.
class Differences {
 public:
  /// All referred to must outlive this. `outputs` are f's at `values`.
  Differences(const FunctionRef& f, const std::vector<Tensor>& values, const std::vector<Tensor>& outputs,
              Stencil stencil, DType dtype);

  /// Weights of the outputs, one tensor each; undefined: zeros.
  void set_cotangents(const std::vector<Tensor>& cotangents);
  /// six_point: (45 (f1 - f-1) - 9 (f2 - f-2) + (f3 - f-3)) / 60 h,  central: (f1 - f-1) / 2 h,  fn = f(x + n h
  /// direction). One-sided: (18 (f1 - f0) - 9 (f2 - f0) + 2 (f3 - f0)) / 6 h, or (f1 - f0) / h.
  Slopes along(const Direction& direction, double step) const;

  /// The sums of the smaller, and of the larger, one-sided slopes of all output elements, weighted. At a kink of
  /// several of them each may have taken another value between its own two.
  struct Range {
    double low = 0.0;
    double high = 0.0;
  };
  Range range_along(const Direction& direction, double step) const;

  /// What outputs may hide that do not move by `step` but do by longer ones: their last digits, as a slope. An output
  /// that never moves hides nothing.
  double hidden_along(const Direction& direction, double step) const;

  const std::vector<Tensor>& values() const { return values_; }
  DType dtype() const { return dtype_; }
  /// The elements of input i at the point.
  const std::vector<double>& point(size_t i) const { return points_[i]; }

 private:
  // By output, row-major; empty for an output without a weight.
  std::vector<std::vector<double>> outputs_at(const Direction& direction, double steps) const;
  struct Change {
    long double sum = 0.0L;
    double moved = 0.0;      // by how much, added up without signs
    double magnitude = 0.0;  // of all that moved, weighted
    double still = 0.0;      // of all that did not
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
};

}  // namespace gradus::detail
