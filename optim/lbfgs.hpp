// SPDX-License-Identifier: MIT
// L-BFGS with a line search, for small problems whose loss is exact: the whole data set, no dropout.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include <gradus/autograd/parameter.hpp>

namespace gradus {

struct LbfgsOptions {
  /// The first step length that each line search tries; 1 is right for a quasi-Newton direction.
  double learning_rate = 1.0;
  /// The iterations of one minimize().
  int64_t max_iterations = 100;
  /// Calls of the loss in one line search.
  int64_t max_trials = 25;
  /// How many pairs of differences approximate the curvature.
  int64_t history = 10;
  /// Done when no element of the gradient is larger.
  double gradient_tolerance = 1e-7;
  /// Done when neither the loss nor any parameter changes by more; 0: only when nothing changes at all.
  double change_tolerance = 0.0;
};

enum class LbfgsEnd { gradient_is_small, change_is_small, out_of_iterations, line_search_failed };
[[nodiscard]] GRADUS_API std::string to_string(LbfgsEnd end);

struct LbfgsResult {
  LbfgsEnd end;
  double loss;
  /// The largest element of the gradient.
  double gradient;
  int64_t iterations;
  /// The calls of the loss.
  int64_t evaluations;
};

/// L-BFGS: the two-loop recursion of Nocedal 1980 (Nocedal and Wright 2006, algorithm 7.4), and a line search for the
/// strong Wolfe conditions (algorithms 3.5 and 3.6, cubic steps). Where rounding hides the change of the loss, slopes
/// decide (the approximate conditions of Hager and Zhang 2005). All is computed in f64, whatever the parameters'
/// dtypes.
class GRADUS_API Lbfgs {
 public:
  explicit Lbfgs(const std::vector<NamedParameter>& parameters, const LbfgsOptions& options = {});

  /// Moves the parameters until the loss is least. `closure` computes the loss, calls backward(loss) and returns the
  /// loss as a double: `[&] { const Variable loss = ..; backward(loss); return loss.item<double>(); }`. Gradients are
  /// dropped before each call. The parameters end at the best point so far, also when the closure throws. Throws when
  /// the first loss or gradient is not finite. A later call goes on with the curvature of earlier ones.
  template <class Closure>
  LbfgsResult minimize(Closure&& closure) {
    using Body = std::remove_reference_t<Closure>;
    return run([](void* body) { return static_cast<double>((*static_cast<Body*>(body))()); },
               const_cast<void*>(static_cast<const void*>(&closure)));
  }

 private:
  using Vector = std::vector<double>;
  /// How the parameters and the gradient changed in one iteration.
  struct Pair {
    Vector parameters, gradient;
    double product;
  };
  class Run;

  LbfgsResult run(double (*loss)(void*), void* context);
  Vector direction(const Vector& gradient) const;
  void remember(Pair pair);
  Vector values() const;
  void set_values(const Vector& x);
  Vector gradients() const;

  LbfgsOptions options_;
  std::vector<NamedParameter> parameters_;
  size_t count_ = 0;         // of all elements
  double rounding_ = 0.0;    // of the coarsest dtype
  std::vector<Pair> pairs_;  // the oldest first
};

}  // namespace gradus
