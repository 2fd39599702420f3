// SPDX-License-Identifier: MIT
#include <gradus/optim/lbfgs.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <gradus/optim/line_search.hpp>
#include <gradus/optim/state.hpp>

namespace gradus {
namespace {

using Numbers = std::vector<double>;

double dot_product(const Numbers& a, const Numbers& b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void add_scaled(double scale, const Numbers& x, Numbers& y) {
  for (size_t i = 0; i < y.size(); ++i) y[i] += scale * x[i];
}

Numbers difference_of(const Numbers& a, const Numbers& b) {
  Numbers result(a);
  add_scaled(-1.0, b, result);
  return result;
}

double largest_size(const Numbers& x) {
  double largest = 0.0;
  for (const double value : x) largest = std::max(largest, std::abs(value));
  return largest;
}

double sum_of_sizes(const Numbers& x) {
  double sum = 0.0;
  for (const double value : x) sum += std::abs(value);
  return sum;
}

}  // namespace

std::string to_string(LbfgsEnd end) {
  switch (end) {
    case LbfgsEnd::gradient_is_small:
      return "the gradient is small";
    case LbfgsEnd::change_is_small:
      return "the change is small";
    case LbfgsEnd::out_of_iterations:
      return "out of iterations";
    case LbfgsEnd::line_search_failed:
      break;
  }
  return "the line search failed";
}

Lbfgs::Lbfgs(const std::vector<NamedParameter>& parameters, const LbfgsOptions& options)
    : options_(options), parameters_(parameters) {
  GRADUS_CHECK(options.learning_rate > 0.0, "[Lbfgs] expected learning_rate > 0, got ", options.learning_rate);
  GRADUS_CHECK(options.max_iterations >= 1 && options.max_trials >= 1 && options.history >= 1,
               "[Lbfgs] expected max_iterations, max_trials and history of at least 1, got ", options.max_iterations,
               ", ", options.max_trials, " and ", options.history);
  detail::check_not_negative("Lbfgs", "a gradient_tolerance", options.gradient_tolerance);
  detail::check_not_negative("Lbfgs", "a change_tolerance", options.change_tolerance);
  GRADUS_CHECK(!parameters.empty(), "[Lbfgs] expected at least one parameter, got none");
  std::set<const Parameter*> seen;
  for (const NamedParameter& named : parameters) {
    GRADUS_CHECK(named.parameter != nullptr && named.parameter->variable().defined(), "[Lbfgs] parameter ", named.name,
                 " is undefined");
    GRADUS_CHECK(seen.insert(named.parameter).second, "[Lbfgs] parameter ", named.name, " is given twice");
    count_ += static_cast<size_t>(named.parameter->value().numel());
    const bool single = named.parameter->variable().dtype() == DType::f32;
    rounding_ = std::max(rounding_, single ? static_cast<double>(std::numeric_limits<float>::epsilon())
                                           : std::numeric_limits<double>::epsilon());
  }
}

Lbfgs::Vector Lbfgs::values() const {
  Vector x;
  x.reserve(count_);
  for (const NamedParameter& named : parameters_) {
    const Tensor value = named.parameter->value().to(DType::f64).contiguous();
    x.insert(x.end(), value.data<double>(), value.data<double>() + value.numel());
  }
  GRADUS_CHECK(x.size() == count_, "[Lbfgs] the parameters had ", count_, " elements, and now have ", x.size());
  return x;
}

void Lbfgs::set_values(const Vector& x) {
  const double* next = x.data();
  for (const NamedParameter& named : parameters_) {
    Tensor value = named.parameter->mutable_value_();
    dispatch_float(value.dtype(), [&]<class T>() {
      T* const elements = value.mutable_data_<T>();
      for (int64_t i = 0; i < value.numel(); ++i) elements[i] = static_cast<T>(*next++);
    });
  }
}

// The gradient of a parameter that the loss does not depend on is 0.
Lbfgs::Vector Lbfgs::gradients() const {
  Vector g;
  g.reserve(count_);
  bool any = false;
  for (const NamedParameter& named : parameters_) {
    if (!named.parameter->grad().defined()) {
      g.resize(g.size() + static_cast<size_t>(named.parameter->value().numel()), 0.0);
      continue;
    }
    any = true;
    const Tensor gradient = named.parameter->grad().to(DType::f64).contiguous();
    g.insert(g.end(), gradient.data<double>(), gradient.data<double>() + gradient.numel());
  }
  GRADUS_CHECK(any, "[Lbfgs] no parameter has a gradient: the closure must call backward(loss)");
  return g;
}

// The two-loop recursion: minus the approximate inverse of the Hessian times the gradient.
Lbfgs::Vector Lbfgs::direction(const Vector& gradient) const {
  Vector q(gradient);
  Vector alpha(pairs_.size());
  for (size_t i = pairs_.size(); i-- > 0;) {
    alpha[i] = dot_product(pairs_[i].parameters, q) / pairs_[i].product;
    add_scaled(-alpha[i], pairs_[i].gradient, q);
  }
  const double scale =
      pairs_.empty() ? 1.0 : pairs_.back().product / dot_product(pairs_.back().gradient, pairs_.back().gradient);
  for (double& value : q) value *= -scale;
  for (size_t i = 0; i < pairs_.size(); ++i) {
    const double beta = dot_product(pairs_[i].gradient, q) / pairs_[i].product;
    add_scaled(-alpha[i] - beta, pairs_[i].parameters, q);
  }
  return q;
}

// Leaves out a pair without positive curvature.
void Lbfgs::remember(Pair pair) {
  const double lengths =
      std::sqrt(dot_product(pair.parameters, pair.parameters)) * std::sqrt(dot_product(pair.gradient, pair.gradient));
  if (!(pair.product > rounding_ * lengths)) return;
  if (pairs_.size() == static_cast<size_t>(options_.history)) pairs_.erase(pairs_.begin());
  pairs_.push_back(std::move(pair));
}

/// One minimize(): the point reached so far, and the way on.
class Lbfgs::Run {
 public:
  Run(Lbfgs& owner, double (*loss)(void*), void* context)
      : owner_(owner), loss_(loss), context_(context), x_(owner.values()), direction_(owner.count_, 0.0) {}

  LbfgsResult to_the_end() {
    now_ = evaluate(0.0);
    GRADUS_CHECK(std::isfinite(now_.loss) && std::isfinite(sum_of_sizes(now_.gradient)),
                 "[Lbfgs] expected a finite loss and finite gradients at the start, got a loss of ", now_.loss,
                 " and gradients up to ", largest_size(now_.gradient));
    while (!is_done() && iterate()) {
    }
    result_.loss = now_.loss;
    result_.gradient = largest_size(now_.gradient);
    return result_;
  }
  /// The parameters get the values of the best point.
  void settle() { owner_.set_values(x_); }

 private:
  detail::LinePoint evaluate(double at) {
    if (at != 0.0) owner_.set_values(moved(at));
    for (const NamedParameter& named : owner_.parameters_) named.parameter->zero_grad_();
    ++result_.evaluations;
    const double loss = loss_(context_);
    detail::LinePoint point{.at = at, .loss = loss, .gradient = owner_.gradients()};
    point.slope = dot_product(point.gradient, direction_);
    return point;
  }

  Numbers moved(double at) const {
    Numbers result(x_);
    add_scaled(at, direction_, result);
    return result;
  }

  bool is_done() {
    if (largest_size(now_.gradient) <= owner_.options_.gradient_tolerance) {
      result_.end = LbfgsEnd::gradient_is_small;
      return true;
    }
    return result_.iterations == owner_.options_.max_iterations;
  }

  // False at the end.
  bool iterate() {
    ++result_.iterations;
    direction_ = owner_.direction(now_.gradient);
    now_.at = 0.0;
    now_.slope = dot_product(now_.gradient, direction_);
    // The length of the first gradient means nothing.
    const double length = owner_.pairs_.empty() ? std::min(1.0, 1.0 / sum_of_sizes(now_.gradient)) : 1.0;
    detail::LinePoint found = now_;
    if (now_.slope < 0.0) {
      found = detail::line_search([this](double at) { return evaluate(at); }, now_,
                                  {.first = length * owner_.options_.learning_rate,
                                   .max_trials = owner_.options_.max_trials,
                                   .rounding = 16.0 * owner_.rounding_});
    }
    if (found.at == 0.0) {
      result_.end = LbfgsEnd::line_search_failed;
      const bool try_gradient = !owner_.pairs_.empty();
      owner_.pairs_.clear();
      if (try_gradient) result_.end = LbfgsEnd::out_of_iterations;
      return try_gradient;
    }
    return accept(std::move(found));
  }

  bool accept(detail::LinePoint&& found) {
    Numbers x = moved(found.at);
    Pair pair{difference_of(x, x_), difference_of(found.gradient, now_.gradient), 0.0};
    pair.product = dot_product(pair.parameters, pair.gradient);
    const double change = std::max(largest_size(pair.parameters), std::abs(found.loss - now_.loss));
    owner_.remember(std::move(pair));
    x_ = std::move(x);
    now_ = std::move(found);
    if (change > owner_.options_.change_tolerance) return true;
    result_.end = LbfgsEnd::change_is_small;
    return false;
  }

  Lbfgs& owner_;
  double (*loss_)(void*);
  void* context_;
  Numbers x_;
  Numbers direction_;
  detail::LinePoint now_;
  LbfgsResult result_{LbfgsEnd::out_of_iterations, 0.0, 0.0, 0, 0};
};

LbfgsResult Lbfgs::run(double (*loss)(void*), void* context) {
  Run progress(*this, loss, context);
  try {
    const LbfgsResult result = progress.to_the_end();
    progress.settle();
    return result;
  } catch (...) {
    progress.settle();
    throw;
  }
}

}  // namespace gradus
