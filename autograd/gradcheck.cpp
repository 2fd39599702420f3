// SPDX-License-Identifier: MIT
#include <gradus/autograd/gradcheck.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/gradcheck_numeric.hpp>

namespace gradus {
namespace {

using detail::elements;

constexpr int64_t kFullLimit = 64;     // automatic mode: elements of an input that are checked one by one
constexpr int64_t kRerunLimit = 4096;  // and of one whose direction failed

// Six points: error h^6 f^(7) / 140 against rounding of about 2 eps |f| / h. Measured over the library's ops: 2e-3
// leaves both below 1e-10 for functions whose derivatives grow as fast as those of 1/x at 0.4.
double default_step(Stencil stencil) { return stencil == Stencil::six_point ? 2e-3 : 1e-5; }

double default_tolerance(const GradcheckOptions& options, int order) {
  if (options.stencil == Stencil::central) return order == 1 ? 1e-6 : 1e-5;
  return 1e-9 * std::pow(10.0, order - 1);
}

// The derivative of `inner` (of num_inputs inputs) as a function of its inputs and of one cotangent for each output.
struct Derivative {
  const FunctionRef& inner;
  size_t num_inputs;

  std::vector<Variable> operator()(const std::vector<Variable>& all) const {
    const bool recorded = context().grad_enabled;
    const EnableGrad on;
    std::vector<Variable> inputs(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(num_inputs));
    for (Variable& input : inputs) {
      if (!recorded || !input.requires_grad()) input = leaf(input.value());
    }
    const std::vector<Variable> outputs = detail::floating_outputs(inner, inputs);
    std::vector<Variable> reached;
    std::vector<Variable> cotangents;
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!outputs[k].requires_grad()) continue;
      reached.push_back(outputs[k]);
      cotangents.push_back(all[num_inputs + k]);
    }
    std::vector<Variable> gradients =
        grad(reached, inputs, {.create_graph = recorded, .allow_unused = true, .cotangents = cotangents});
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!gradients[i].defined()) gradients[i] = zeros(inputs[i].shape(), {.dtype = DType::f64});
    }
    return gradients;
  }
};

// One order of one function.
class OrderCheck {
 public:
  OrderCheck(const FunctionRef& f, std::vector<NamedInput> inputs, int order, GradcheckReport& report)
      : f_(f),
        inputs_(std::move(inputs)),
        order_(order),
        report_(report),
        numbers_(report.options.seed * 1000003 + static_cast<uint64_t>(order)) {
    for (const NamedInput& input : inputs_) values_.push_back(input.value);
  }

  // Returns the inputs of the next order: these and the cotangents.
  std::vector<NamedInput> run() {
    outputs_ = detail::evaluate(f_, values_);
    for (const Tensor& output : outputs_) cotangents_.push_back(numbers_.tensor(output.shape()));
    if (!forward_is_sound()) return {};
    const std::vector<Variable> gradients = analytic(cotangents_);
    if (backward_is_sound(gradients)) {
      for (size_t i = 0; i < inputs_.size(); ++i) compare(i, gradients[i]);
    }
    std::vector<NamedInput> next = inputs_;
    for (size_t k = 0; k < cotangents_.size(); ++k) {
      next.push_back({(order_ == 1 ? "cotangent " : "cotangent' ") + std::to_string(k), cotangents_[k]});
    }
    return next;
  }

 private:
  void problem(std::string sentence) {
    report_.ok = false;
    if (order_ > 1) sentence += " (order " + std::to_string(order_) + ")";
    report_.problems.push_back(std::move(sentence));
  }

  // Undefined where no output depends on the input.
  std::vector<Variable> analytic(const std::vector<Tensor>& cotangents) const {
    const EnableGrad on;
    std::vector<Variable> leaves;
    for (const Tensor& value : values_) leaves.push_back(leaf(value));
    const std::vector<Variable> outputs = detail::floating_outputs(f_, leaves);
    std::vector<Variable> reached;
    std::vector<Variable> weights;
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!outputs[k].requires_grad()) continue;
      reached.push_back(outputs[k]);
      weights.push_back(cotangents[k]);
    }
    return grad(reached, leaves, {.allow_unused = true, .cotangents = weights});
  }

  // A sentence, or nothing.
  std::string not_finite(const Tensor& tensor, const std::string& what) const {
    const std::vector<double> values = elements(tensor);
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i])) continue;
      return detail::join(what, " is ", values[i], " at ", detail::index_text(tensor.shape(), static_cast<int64_t>(i)));
    }
    return "";
  }

  bool forward_is_sound() {
    const size_t before = report_.problems.size();
    const auto check_finite = [&](const Tensor& tensor, const std::string& what) {
      if (std::string sentence = not_finite(tensor, what); !sentence.empty()) problem(std::move(sentence));
    };
    for (const NamedInput& input : inputs_) check_finite(input.value, "input " + input.name);
    for (size_t k = 0; k < outputs_.size(); ++k) check_finite(outputs_[k], "output " + std::to_string(k));
    const std::vector<Tensor> again = detail::evaluate(f_, values_);
    bool same = again.size() == outputs_.size();
    for (size_t k = 0; same && k < again.size(); ++k) same = bitwise_equal(again[k], outputs_[k]);
    if (!same) problem("the function gives other values when it is called again: fix the seed of what is random");
    return report_.problems.size() == before;
  }

  bool backward_is_sound(const std::vector<Variable>& gradients) {
    const size_t before = report_.problems.size();
    std::vector<Tensor> none;
    std::vector<Tensor> other;
    std::vector<Tensor> sum;
    for (const Tensor& cotangent : cotangents_) {
      none.push_back(zeros(cotangent.shape(), {.dtype = DType::f64}));
      other.push_back(numbers_.tensor(cotangent.shape()));
      sum.push_back(other.back().clone());
      sum.back().add_(cotangent);
    }
    const std::vector<Variable> again = analytic(cotangents_);
    const std::vector<Variable> of_none = analytic(none);
    const std::vector<Variable> of_other = analytic(other);
    const std::vector<Variable> of_sum = analytic(sum);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const std::string what = "the derivative with respect to " + inputs_[i].name;
      if (!gradients[i].defined()) continue;
      if (std::string sentence = not_finite(gradients[i].value(), what); !sentence.empty()) {
        problem(std::move(sentence));
        continue;
      }
      if (!again[i].defined() || !bitwise_equal(gradients[i].value(), again[i].value())) {
        problem(what + " differs when it is computed again");
      }
      if (of_none[i].defined()) {
        const std::vector<double> values = elements(of_none[i].value());
        const bool zero = std::all_of(values.begin(), values.end(), [](double value) { return value == 0.0; });
        if (!zero) problem(what + " is not zero for a cotangent of zeros");
      }
      if (!is_sum(gradients[i], of_other[i], of_sum[i])) problem(what + " is not linear in the cotangent");
    }
    return report_.problems.size() == before;
  }

  // Rounding leaves about 1e-14; a derivative that forgets its cotangent or squares it is off by about 1.
  static bool is_sum(const Variable& a, const Variable& b, const Variable& sum) {
    if (!b.defined() || !sum.defined()) return false;
    const std::vector<double> left = elements(a.value());
    const std::vector<double> right = elements(b.value());
    const std::vector<double> both = elements(sum.value());
    for (size_t i = 0; i < left.size(); ++i) {
      const double scale = std::max({1.0, std::abs(left[i]), std::abs(right[i])});
      if (!(std::abs(left[i] + right[i] - both[i]) <= 1e-10 * scale)) return false;
    }
    return true;
  }

  void compare(size_t i, const Variable& gradient) {
    const Tensor& value = inputs_[i].value;
    GradcheckResult result{.input = inputs_[i].name, .shape = value.shape(), .order = order_};
    result.reached = gradient.defined();
    const std::vector<double> derivative =
        gradient.defined() ? elements(gradient.value()) : std::vector<double>(static_cast<size_t>(value.numel()), 0.0);
    const GradcheckMode mode = report_.options.mode;
    const bool full = mode == GradcheckMode::full || (mode == GradcheckMode::automatic && value.numel() <= kFullLimit);
    if (full) {
      compare_elements(i, derivative, result);
    } else {
      compare_directions(i, derivative, result);
      if (!result.ok && mode == GradcheckMode::automatic && value.numel() <= kRerunLimit) {
        GradcheckResult rerun{.input = result.input, .shape = result.shape, .order = order_};
        rerun.reached = result.reached;
        rerun.checked = result.checked;
        compare_elements(i, derivative, rerun);
        if (!rerun.ok) result = rerun;
      }
    }
    report_.ok = report_.ok && result.ok;
    report_.results.push_back(std::move(result));
  }

  void compare_elements(size_t i, const std::vector<double>& derivative, GradcheckResult& result) {
    const std::vector<double> x = elements(values_[i]);
    std::vector<double> direction(x.size(), 0.0);
    for (size_t j = 0; j < x.size(); ++j) {
      direction[j] = std::max(1.0, std::abs(x[j]));
      const double numeric = difference(i, direction) / direction[j];
      direction[j] = 0.0;
      take(result, derivative[j], numeric, detail::index_text(result.shape, static_cast<int64_t>(j)));
    }
  }

  void compare_directions(size_t i, const std::vector<double>& derivative, GradcheckResult& result) {
    const std::vector<double> x = elements(values_[i]);
    std::vector<double> direction(x.size());
    // Of length 4 at most: many elements moved at once by a whole step each would be a large step for their sums.
    const double scale = std::min(1.0, 4.0 / std::sqrt(static_cast<double>(x.size())));
    for (int d = 0; d < report_.options.directions; ++d) {
      double along = 0.0;
      for (size_t j = 0; j < x.size(); ++j) {
        direction[j] = scale * numbers_.draw() * std::max(1.0, std::abs(x[j]));
        along += direction[j] * derivative[j];
      }
      take(result, along, difference(i, direction), "direction " + std::to_string(d));
    }
  }

  double difference(size_t i, const std::vector<double>& direction) const {
    const double step = report_.options.step > 0 ? report_.options.step : default_step(report_.options.stencil);
    return detail::directional_difference(f_, values_, i, direction, cotangents_,
                                          {.stencil = report_.options.stencil, .step = step});
  }

  void take(GradcheckResult& result, double analytic_value, double numeric, std::string where) const {
    const double error = detail::derivative_error(analytic_value, numeric);
    ++result.checked;
    if (error > result.error || result.where.empty()) {
      result.error = error;
      result.analytic = analytic_value;
      result.numeric = numeric;
      result.where = std::move(where);
    }
    const double asked = report_.options.tolerance;
    result.ok = result.error <= (asked > 0 ? asked : default_tolerance(report_.options, order_));
  }

  const FunctionRef& f_;
  std::vector<NamedInput> inputs_;
  const int order_;
  GradcheckReport& report_;
  detail::CheckNumbers numbers_;
  std::vector<Tensor> values_;
  std::vector<Tensor> outputs_;
  std::vector<Tensor> cotangents_;
};

void check_order(const FunctionRef& f, const std::vector<NamedInput>& inputs, int order, GradcheckReport& report) {
  const std::vector<NamedInput> next = OrderCheck(f, inputs, order, report).run();
  // A wrong derivative has wrong derivatives of its own: the lowest order that fails says more.
  if (order >= report.options.order || next.empty() || !report.ok) return;
  const Derivative derivative{f, inputs.size()};
  check_order(derivative, next, order + 1, report);
}

std::vector<NamedInput> checked_inputs(const std::vector<NamedInput>& inputs) {
  std::vector<NamedInput> own;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto& [name, value] = inputs[i];
    GRADUS_CHECK(value.defined() && value.dtype() == DType::f64, "[gradcheck] input ", name, " is ", describe(value),
                 ": derivatives are checked in f64 only; what is not differentiated is captured by the function");
    GRADUS_CHECK(!value.layout().is_expanded(), "[gradcheck] input ", name,
                 " is an expanded view, whose elements cannot move one by one: pass clone()");
    for (size_t j = 0; j < i; ++j) {
      GRADUS_CHECK(!value.storage().is_same(inputs[j].value.storage()), "[gradcheck] inputs ", inputs[j].name, " and ",
                   name, " share their bytes: pass clone() of one, or one input that the function uses twice");
    }
    own.push_back({name, value.clone()});
  }
  return own;
}

}  // namespace

GradcheckReport gradcheck(FunctionRef f, const std::vector<NamedInput>& inputs, const GradcheckOptions& options) {
  GRADUS_CHECK(options.order >= 1 && options.order <= 3, "[gradcheck] expected an order of 1, 2 or 3, got ",
               options.order);
  GRADUS_CHECK(options.directions >= 1, "[gradcheck] expected at least one direction, got ", options.directions);
  GradcheckReport report{.options = options};
  check_order(f, checked_inputs(inputs), 1, report);
  return report;
}

}  // namespace gradus
