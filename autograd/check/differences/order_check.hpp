// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences/derivative.hpp>
#include <gradus/autograd/check/differences/differences.hpp>
#include <gradus/autograd/check/differences/judge.hpp>

namespace gradus::detail {

/// The seed for the random numbers of one order. The cotangents are drawn first.
uint64_t seed_of(const GradcheckOptions& options, int order);

/// Fills `report` from order 1 up to the first order that fails. `inputs` must come from checked_inputs(). Returns the
/// last order checked, or 0 when f cannot be checked at all.
int check_orders(const FunctionRef& f, const std::vector<NamedInput>& inputs, GradcheckReport& report);

/// Compares the derivatives of one function, at any order, with differences.
class OrderCheck {
 public:
  /// `f` and `report` must outlive this.
  OrderCheck(const FunctionRef& f, std::vector<NamedInput> inputs, int order, GradcheckReport& report);

  /// Adds its results to the report. Returns the inputs of the next order: the same inputs and the cotangents. Returns
  /// an empty list when the function is not sound enough to go on.
  std::vector<NamedInput> run();

 private:
  bool take_problems(const std::vector<std::string>& sentences);
  bool has_outputs();
  bool counts_as_reached(size_t i) const;
  bool stops() const { return !report_.ok && report_.options.stop_at_failure; }
  bool stops(const GradcheckResult& result) const { return !result.ok && report_.options.stop_at_failure; }
  GradcheckResult new_result(size_t i) const;
  void compare(size_t i);
  GradcheckResult compare_elements(size_t i);
  GradcheckResult compare_directions(size_t i);
  void compare_forward_mode(size_t i);
  Direction one_element(size_t i, size_t j) const;
  // A direction through the chosen elements of input i, or through all of them, with the derivative along it.
  struct Ray {
    Direction direction;
    double analytic = 0.0;
    double terms = 0.0;  // the sum of the absolute terms of the derivative
  };
  Ray random_ray(size_t i, const std::vector<bool>& chosen = {});
  std::vector<std::vector<bool>> small_groups(size_t i) const;
  double unseen(size_t i);
  double rounding_along(size_t i, const Direction& direction);
  double largest_effect() const;
  void settle_zero(size_t i, const Direction& direction, ElementCheck& check);
  bool is_hidden(const GradcheckResult& result) const;
  void take(GradcheckResult& result, ElementCheck check, const Direction& direction);
  void finish(GradcheckResult& result);
  void diagnose(size_t i, GradcheckResult& result);
  void name_steps(size_t i, GradcheckResult& result);

  // The result so far: all its derivatives, and the direction of the worst one.
  struct Running {
    std::vector<double> analytic;
    std::vector<double> numeric;
    std::vector<bool> ignored;
    Direction worst;
    bool by_element = true;
  };
  std::vector<double> slopes_of_elements(size_t i, const std::vector<Tensor>& cotangents);

  const FunctionRef& f_;
  std::vector<NamedInput> inputs_;
  const int order_;
  GradcheckReport& report_;
  const Rules rules_;
  CheckNumbers numbers_;
  std::vector<Tensor> values_;
  std::vector<Tensor> outputs_;
  std::vector<Tensor> cotangents_;
  std::vector<Tensor> gradients_;
  GradientRounding rounding_;
  std::vector<double> scales_;   // for each input, the usual step for elements that are no larger
  std::vector<double> largest_;  // for each input, its largest element
  Differences differences_;
  Running running_;
};

}  // namespace gradus::detail
