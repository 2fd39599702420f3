// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/differences/preconditions.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

#include <gradus/autograd/check/differences/derivative.hpp>
#include <gradus/autograd/check/report/labels.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/parameter.hpp>

namespace gradus::detail {
namespace {

using Tensors = std::vector<Tensor>;

// A sentence when the tensor has a value that is not finite; otherwise empty.
std::string not_finite(const Tensor& tensor, const std::string& what) {
  const std::vector<double> values = elements(tensor);
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return join(what, " is ", values[i], " at ", index_text(tensor.shape(), static_cast<int64_t>(i)));
  }
  return "";
}

bool all_zero(const Tensor& tensor) {
  const std::vector<double> values = elements(tensor);
  return std::all_of(values.begin(), values.end(), [](double value) { return value == 0.0; });
}

// Rounding leaves about 1e-14 (f32: 1e-5) of an element, or a part of the gradient that cannot be told from rounding. A
// derivative that ignores its cotangent, squares it or overwrites earlier gradients is off by about the element itself.
class SumCheck {
 public:
  SumCheck(const Unseen& unseen, size_t input) : unseen_(unseen), input_(input) {}

  bool operator()(const Tensor& a, const Tensor& b, const Tensor& sum) const {
    if (!b.defined() || !sum.defined()) return false;
    const double allowed = a.dtype() == DType::f64 ? 1e-10 : 1e-3;
    const std::vector<double> left = elements(a);
    const std::vector<double> right = elements(b);
    const std::vector<double> both = elements(sum);
    for (size_t i = 0; i < left.size(); ++i) {
      const double apart = std::abs(left[i] + right[i] - both[i]);
      if (apart <= allowed * std::max(std::abs(left[i]), std::abs(right[i]))) continue;
      if (!(apart <= unseen_(input_))) return false;
    }
    return true;
  }

 private:
  const Unseen& unseen_;
  size_t input_;
};

Tensor plus(const Tensor& a, const Tensor& b) {
  Tensor sum = a.clone();
  sum.add_(b);
  return sum;
}

}  // namespace

std::vector<NamedInput> checked_inputs(const std::vector<NamedInput>& inputs, const GradcheckOptions& options) {
  std::vector<NamedInput> own;
  for (size_t i = 0; i < inputs.size(); ++i) {
    NamedInput input = inputs[i];
    for (const InputKeep& given : options.keep) {
      if (!input.keep.defined() && is_end_of_name(input.name, given.input)) input.keep = given.keep;
    }
    const Tensor value = input.value;
    GRADUS_CHECK(value.defined() && value.dtype() == options.dtype, "[gradcheck] input ", input.name, " is ",
                 describe(value), ": derivatives are checked in ", options.dtype,
                 " only; what is not differentiated is captured by the function");
    GRADUS_CHECK(!value.layout().is_expanded(), "[gradcheck] input ", input.name,
                 " is an expanded view, whose elements cannot move one by one: pass clone()");
    GRADUS_CHECK(input.axes.empty() || input.axes.size() == static_cast<size_t>(value.rank()), "[gradcheck] input ",
                 input.name, " has ", input.axes.size(), " axis labels: expected one for each of its ", value.rank(),
                 " axes, or none");
    GRADUS_CHECK(!input.keep.defined() || (input.keep.dtype() == DType::boolean && input.keep.shape() == value.shape()),
                 "[gradcheck] keep of input ", input.name, " is ", describe(input.keep), ": expected bool ",
                 value.shape());
    for (size_t j = 0; j < i; ++j) {
      GRADUS_CHECK(!value.storage().is_same(inputs[j].value.storage()), "[gradcheck] inputs ", inputs[j].name, " and ",
                   input.name, " share their bytes: pass clone() of one, or one input that the function uses twice");
    }
    own.push_back(std::move(input));
    own.back().value = value.clone();
    if (own.back().axes.empty()) own.back().axes = labels_of(own.back().name, own.back().value.shape(), options.labels);
  }
  return own;
}

std::vector<std::string> SoundnessCheck::forward() const {
  std::vector<std::string> problems;
  const auto check_finite = [&](const Tensor& tensor, const std::string& what) {
    if (std::string sentence = not_finite(tensor, what); !sentence.empty()) problems.push_back(std::move(sentence));
  };
  for (const NamedInput& input : inputs) check_finite(input.value, "input " + input.name);
  for (size_t k = 0; k < outputs.size(); ++k) check_finite(outputs[k], "output " + std::to_string(k));
  const Tensors again = evaluate(f, values, dtype);
  bool same = again.size() == outputs.size();
  for (size_t k = 0; same && k < again.size(); ++k) same = bitwise_equal(again[k], outputs[k]);
  if (!same)
    problems.push_back("the function gives other values when it is called again: fix the seed of what is random");
  return problems;
}

std::vector<std::string> SoundnessCheck::backward(const Tensors& gradients, CheckNumbers& numbers,
                                                  const Unseen& unseen) const {
  Tensors none;
  Tensors other;
  Tensors sum;
  Tensors only_first = cotangents;
  Tensors zero_rest = cotangents;
  for (size_t k = 0; k < cotangents.size(); ++k) {
    none.push_back(zeros(cotangents[k].shape(), {.dtype = dtype}));
    other.push_back(numbers.tensor(cotangents[k].shape(), dtype));
    sum.push_back(plus(other.back(), cotangents[k]));
    if (k == 0) continue;
    only_first[k] = Tensor();
    zero_rest[k] = none.back();
  }
  const bool several = cotangents.size() > 1;
  const Tensors again = gradients_at(f, values, cotangents, dtype);
  const Tensors of_none = gradients_at(f, values, none, dtype);
  const Tensors of_other = gradients_at(f, values, other, dtype);
  const Tensors of_sum = gradients_at(f, values, sum, dtype);
  const Tensors of_first = several ? gradients_at(f, values, only_first, dtype) : Tensors();
  const Tensors of_zeros = several ? gradients_at(f, values, zero_rest, dtype) : Tensors();
  std::vector<std::string> problems;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string what = "the derivative with respect to " + inputs[i].name;
    if (!gradients[i].defined()) continue;
    const SumCheck is_sum(unseen, i);
    if (std::string sentence = not_finite(gradients[i], what); !sentence.empty()) {
      problems.push_back(std::move(sentence));
      continue;
    }
    if (!again[i].defined() || !bitwise_equal(gradients[i], again[i])) {
      problems.push_back(what + " differs when it is computed again");
    }
    if (of_none[i].defined() && !all_zero(of_none[i])) {
      problems.push_back(what + " is not zero for a cotangent of zeros");
    }
    if (!is_sum(gradients[i], of_other[i], of_sum[i])) problems.push_back(what + " is not linear in the cotangent");
    if (!several || !of_zeros[i].defined()) continue;
    const Tensor zero = zeros(gradients[i].shape(), {.dtype = dtype});
    const bool same = of_first[i].defined() ? is_sum(of_first[i], zero, of_zeros[i]) : all_zero(of_zeros[i]);
    if (!same) problems.push_back(what + " differs between an output without a cotangent and one with zeros");
  }
  return problems;
}

std::vector<std::string> SoundnessCheck::accumulation(const Tensors& gradients, const Unseen& unseen) const {
  std::vector<std::string> problems;
  const auto twice = [&](const std::vector<Variable>& in) {
    std::vector<Variable> all = f(in);
    const std::vector<Variable> more = f(in);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  Tensors both = cotangents;
  both.insert(both.end(), cotangents.begin(), cotangents.end());
  const Tensors used_twice = gradients_at(twice, values, both, dtype);

  std::vector<std::unique_ptr<Parameter>> parameters;
  std::vector<Variable> variables;
  for (const Tensor& value : values) {
    parameters.push_back(std::make_unique<Parameter>(value.clone()));
    variables.push_back(parameters.back()->variable());
  }
  for (int run = 0; run < 2; ++run) {
    const EnableGrad on;
    const std::vector<Variable> now = floating_outputs(f, variables, dtype);
    for (size_t k = 0; k < now.size(); ++k) {
      if (now[k].requires_grad()) gradus::backward(now[k], {.retain_graph = true, .cotangent = cotangents[k]});
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!gradients[i].defined()) continue;
    const SumCheck is_sum(unseen, i);
    const std::string what = "the derivative with respect to " + inputs[i].name;
    if (!is_sum(gradients[i], gradients[i], used_twice[i])) {
      problems.push_back(what + " does not add up when the input is used twice: a gradient is overwritten");
    }
    if (!is_sum(gradients[i], gradients[i], parameters[i]->grad())) {
      problems.push_back(what + " does not add up in a Parameter when backward runs twice");
    }
  }
  return problems;
}

}  // namespace gradus::detail
