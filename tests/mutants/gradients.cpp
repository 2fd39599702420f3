// SPDX-License-Identifier: MIT
#include "tests/mutants/gradients.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <gradus/autograd/check/diagnosis/tape.hpp>
#include <gradus/autograd/check/differences/derivative.hpp>
#include <gradus/autograd/check/differences/differences.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>

#include "tests/mutants/active.hpp"
#include "tests/mutants/pattern.hpp"

namespace gradus::mutants {
namespace {

constexpr double kAllowed = 1e-9;  // gradcheck's own tolerance at order 1: a smaller difference is right by its rule

std::vector<Tensor> values_of(const Values& variables) {
  std::vector<Tensor> values;
  for (const Variable& variable : variables) values.push_back(variable.defined() ? variable.value() : Tensor());
  return values;
}

Values leaves_of(const std::vector<NamedInput>& inputs) {
  Values leaves;
  for (const NamedInput& input : inputs) leaves.push_back(leaf(input.value));
  return leaves;
}

std::vector<Tensor> points(const Case& c) {
  std::vector<Tensor> values;
  for (const NamedInput& input : c.inputs()) values.push_back(input.value);
  return values;
}

// The gradients, with zeros where they are undefined.
std::vector<Tensor> filled(std::vector<Tensor> gradients, const Case& c) {
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = zeros(c.inputs()[i].value.shape(), {.dtype = DType::f64});
  }
  return gradients;
}

// The second derivatives of those gradients that are recorded.
std::vector<Tensor> second_of(const Values& gradients, const Values& leaves, const Values& cotangents, uint64_t seed) {
  detail::CheckNumbers numbers(seed);
  Values recorded;
  Values weights;
  for (size_t i = 0; i < leaves.size(); ++i) {
    // Draws a weight for every gradient, so that a missing gradient does not change the other weights.
    const Tensor weight = numbers.tensor(leaves[i].shape(), leaves[i].dtype());
    if (!gradients[i].defined() || !gradients[i].requires_grad()) continue;
    recorded.push_back(gradients[i]);
    weights.push_back(weight);
  }
  Values all = leaves;
  all.insert(all.end(), cotangents.begin(), cotangents.end());
  return values_of(grad(recorded, all, {.allow_unused = true, .cotangents = weights}));
}

}  // namespace

Derivatives derivatives_of(const Case& c) {
  const EnableGrad on;
  detail::CheckNumbers numbers(c.seed + 77);
  Derivatives result;
  const Values leaves = leaves_of(c.inputs());
  Values outputs;
  Values cotangents;
  for (const Variable& output : c(leaves)) {
    result.values.push_back(output.value());
    if (!is_floating(output.dtype()) || !output.requires_grad()) continue;
    outputs.push_back(output);
    cotangents.push_back(leaf(numbers.tensor(output.shape(), output.dtype())));
  }
  const bool twice = c.order > 1;
  result.cotangents = values_of(cotangents);
  const Values gradients =
      grad(outputs, leaves, {.create_graph = twice, .allow_unused = true, .cotangents = cotangents});
  result.first = values_of(gradients);
  if (twice) result.second = second_of(gradients, leaves, cotangents, c.seed + 78);
  return result;
}

double change(const std::vector<Tensor>& sound, const std::vector<Tensor>& wrong) {
  if (sound.size() != wrong.size()) return HUGE_VAL;
  double largest = 0.0;
  for (size_t i = 0; i < sound.size(); ++i) {
    if (!sound[i].defined() && !wrong[i].defined()) continue;
    const Tensor& like = sound[i].defined() ? sound[i] : wrong[i];
    const std::vector<double> zero(static_cast<size_t>(like.numel()), 0.0);
    const std::vector<double> a = sound[i].defined() ? detail::elements(sound[i]) : zero;
    const std::vector<double> b = wrong[i].defined() ? detail::elements(wrong[i]) : zero;
    if (a.size() != b.size()) return HUGE_VAL;
    double scale = 0.0;
    double apart = 0.0;
    for (size_t j = 0; j < a.size(); ++j) {
      if (std::isfinite(a[j]) != std::isfinite(b[j])) return HUGE_VAL;
      if (!std::isfinite(a[j])) continue;
      scale = std::max({scale, std::abs(a[j]), std::abs(b[j])});
      apart = std::max(apart, std::abs(a[j] - b[j]));
    }
    if (apart > kAllowed) largest = std::max(largest, apart / scale);
  }
  return largest;
}

namespace {

// One recorded op by itself, as a function of the inputs that move.
class RecordedOp final : public Case {
 public:
  RecordedOp(const detail::TapeEntry& entry, int up_to) : entry_(entry) {
    order = entry.op->derivative.second_order_refusal() == nullptr ? up_to : 1;
    for (const size_t i : entry.moving) inputs_.push_back({"input " + std::to_string(i), entry.inputs[i].clone()});
  }
  const std::vector<NamedInput>& inputs() const override { return inputs_; }
  Values operator()(const Values& moving) const override {
    const EnableGrad on;
    const OpDef& op = *entry_.op;
    Values inputs(entry_.inputs.begin(), entry_.inputs.end());
    for (size_t m = 0; m < moving.size(); ++m) inputs[entry_.moving[m]] = moving[m];
    if (op.auxiliary_inputs != 0 && op.complete != nullptr) op.complete(entry_.attrs, inputs);
    std::vector<const Variable*> pointers;
    for (const Variable& input : inputs) pointers.push_back(&input);
    ShapeArgs shapes(op, entry_.attrs, pointers);
    op.shape(shapes);
    Values all(static_cast<size_t>(shapes.num_outputs()));
    apply_into(op, entry_.attrs, pointers, all);
    Values visible;
    for (size_t k = 0; k < all.size(); ++k) {
      if (!in_mask(op.auxiliary_outputs, static_cast<int>(k))) visible.push_back(all[k]);
    }
    return visible;
  }

 private:
  const detail::TapeEntry& entry_;
  std::vector<NamedInput> inputs_;
};

// The patterns of one op's wrong first gradients.
std::set<std::string> patterns(const RecordedOp& op, const Derivatives& sound, const Derivatives& wrong) {
  const auto gradients = [&](const std::vector<Tensor>& cotangents) {
    return filled(detail::gradients_at(FunctionRef(op), points(op), cotangents, DType::f64), op);
  };
  std::vector<Tensor> of_ones;
  std::vector<std::vector<Tensor>> without;
  for (size_t k = 0; k < sound.cotangents.size(); ++k) {
    of_ones.push_back(ones(sound.cotangents[k].shape(), {.dtype = DType::f64}));
    std::vector<Tensor> others = sound.cotangents;
    others[k] = zeros(others[k].shape(), {.dtype = DType::f64});
    without.push_back(gradients(others));
  }
  const std::vector<Tensor> for_ones = gradients(of_ones);
  const std::vector<Tensor> right = filled(sound.first, op);
  const std::vector<Tensor> bad = filled(wrong.first, op);
  std::set<std::string> found;
  for (size_t m = 0; m < right.size(); ++m) {
    if (change({right[m]}, {bad[m]}) <= kSeen) continue;
    GradientChange pair{
        right[m].shape(), detail::elements(right[m]), detail::elements(bad[m]), detail::elements(for_ones[m]), {}};
    for (const std::vector<Tensor>& some : without) pair.without.push_back(detail::elements(some[m]));
    const std::string pattern = pattern_of(pair);
    if (!pattern.empty()) found.insert(pattern);
  }
  return found;
}

}  // namespace

Expectation expectation(const Case& c, int order, int mutant) {
  Expectation result;
  active = 0;
  const auto f = [&](const Values& in) { return c(in); };
  for (const detail::TapeEntry& entry : detail::record_tape(f, points(c))) {
    if (entry.moving.empty() || entry.op->derivative.vjp() == nullptr) continue;
    const RecordedOp op(entry, order);
    active = 0;
    const Derivatives sound = derivatives_of(op);
    active = mutant;
    const Derivatives wrong = derivatives_of(op);
    active = 0;
    const bool at_first = change(sound.first, wrong.first) > kSeen;
    if (!at_first && change(sound.second, wrong.second) <= kSeen) continue;
    result.op = entry.op->name;
    const std::set<std::string> found = at_first ? patterns(op, sound, wrong) : std::set<std::string>{};
    if (found.size() == 1) result.signature = *found.begin();
    break;
  }
  active = mutant;
  return result;
}

bool holds(const std::string& names, const std::string& name) {
  return ("|" + names + "|").find("|" + name + "|") != std::string::npos;
}

}  // namespace gradus::mutants
