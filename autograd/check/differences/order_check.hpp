// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/differences/derivative.hpp>
#include <gradus/autograd/check/differences/differences.hpp>
#include <gradus/autograd/check/differences/judge.hpp>

namespace gradus::detail {

/// Of the random numbers of one order; the cotangents are drawn first.
uint64_t seed_of(const GradcheckOptions& options, int order);

/// Fills `report` from order 1 to the first one that fails, for `inputs` that checked_inputs() gave. Returns the last
/// order checked; 0 when f is not even a function that can be checked.
int check_orders(const FunctionRef& f, const std::vector<NamedInput>& inputs, GradcheckReport& report);

/// Compares the derivatives of one function, of any order, with differences.
class OrderCheck {
 public:
  /// `f` and `report` must outlive this.
  OrderCheck(const FunctionRef& f, std::vector<NamedInput> inputs, int order, GradcheckReport& report);

  /// Adds to the report. Returns the inputs of the next order: these and the cotangents; none when the function is not
  /// sound enough to go on.
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
  // Through the elements of input i that are chosen, or all; with the derivative along it.
  struct Ray {
    Direction direction;
    double analytic = 0.0;
    double terms = 0.0;  // the sum of its absolute terms
  };
  Ray random_ray(size_t i, const std::vector<bool>& chosen = {});
  std::vector<std::vector<bool>> small_groups(size_t i) const;
  double unseen(size_t i);
  double rounding_along(size_t i, const Direction& direction);
  double largest_effect() const;
  void settle_zero(size_t i, const Direction& direction, ElementCheck& check);
  void take(GradcheckResult& result, ElementCheck check, const Direction& direction);
  void finish(GradcheckResult& result);
  void diagnose(size_t i, GradcheckResult& result);
  void name_steps(size_t i, GradcheckResult& result);

  // Of the result under way: all its derivatives, and the direction of the worst.
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
  std::vector<double> scales_;   // of each input: the usual length of a step, for elements that are no larger
  std::vector<double> largest_;  // of each input: its largest element
  Differences differences_;
  Running running_;
};

}  // namespace gradus::detail
