// SPDX-License-Identifier: MIT
// The battery, part 10: unused values have no effect. One element of an input, of the cotangent or of the second
// cotangent becomes NaN or infinite. Every element of the outputs, and of the first and second derivatives, that does
// not depend on it must keep its bits. A change to a finite number shows which elements depend on it. A zero that is
// made by multiplication fails this test.
#include <algorithm>
#include <cmath>
#include <set>

#include <gradus/autograd/grad.hpp>

#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::OpCase;
using detail::RandomTensors;
using detail::Tensors;
using detail::Variables;

namespace {

constexpr double kFinite[] = {3.0, -3.0, 0.5, -0.5, 0.0, 40.0, -40.0, 1e3, -1e3};
const double kPoisons[] = {std::nan(""), HUGE_VAL, -HUGE_VAL};

/// The inputs of an op, the cotangents of its outputs, and the cotangents of its gradients.
struct State {
  Tensors inputs;
  Tensors cotangents;
  Tensors weights;

  size_t count() const { return inputs.size() + cotangents.size() + weights.size(); }
  Tensor& at(size_t i) {
    if (i < inputs.size()) return inputs[i];
    i -= inputs.size();
    return i < cotangents.size() ? cotangents[i] : weights[i - cotangents.size()];
  }
};

struct Results {
  Tensors values;
  Tensors first;
  Tensors second;  // by the inputs, then by the cotangents: the results of hvp and jvp
};

Tensors values_or_zeros(const Variables& gradients, const Variables& leaves) {
  Tensors out;
  for (size_t i = 0; i < gradients.size(); ++i) {
    out.push_back(gradients[i].defined() ? gradients[i].value()
                                         : zeros(leaves[i].shape(), {.dtype = leaves[i].dtype()}));
  }
  return out;
}

Tensors drawn_like(const Variables& variables, RandomTensors& random) {
  Tensors out;
  for (const Variable& v : variables) out.push_back(random.floating(v.shape(), v.dtype(), between(0.5, 1.5)));
  return out;
}

Variables recorded(const Variables& variables) {
  Variables out;
  for (const Variable& v : variables) {
    if (v.defined() && v.requires_grad()) out.push_back(v);
  }
  return out;
}

/// Runs the op and differentiates it twice. Draws the cotangents that the state lacks.
Results run(const OpCase& c, State& state, RandomTensors& random) {
  Results results;
  const Variables leaves = detail::leaves_of(c, state.inputs);
  const Variables outputs = c.function(state.inputs)(leaves);
  for (const Variable& y : outputs) results.values.push_back(y.value());
  const Variables differentiable = recorded(outputs);
  if (!c.has_vjp() || differentiable.empty()) return results;
  if (state.cotangents.empty()) state.cotangents = drawn_like(differentiable, random);
  Variables cotangents;
  for (const Tensor& t : state.cotangents) cotangents.push_back(leaf(t));
  Variables gradients = grad(differentiable, leaves,
                             {.create_graph = c.has_second_order(), .allow_unused = true, .cotangents = cotangents});
  results.first = values_or_zeros(gradients, leaves);
  gradients = recorded(gradients);
  if (!c.has_second_order() || gradients.empty()) return results;
  if (state.weights.empty()) state.weights = drawn_like(gradients, random);
  Variables all = leaves;
  all.insert(all.end(), cotangents.begin(), cotangents.end());
  const Variables second =
      grad(gradients, all, {.allow_unused = true, .cotangents = detail::as_variables(state.weights)});
  results.second = values_or_zeros(second, all);
  return results;
}

std::vector<double> elements(const Tensors& tensors) {
  std::vector<double> out;
  for (const Tensor& t : tensors) {
    if (!is_floating(t.dtype())) continue;
    const Tensor dense = t.to(DType::f64).contiguous();
    out.insert(out.end(), dense.data<double>(), dense.data<double>() + dense.numel());
  }
  return out;
}

bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Records which elements changed.
class Dependence {
 public:
  /// `rounding` is for numbers of size 1. A kernel may choose a wider type for its sums, or another order of factors,
  /// for all rows at once, so the last bits of other rows may change.
  Dependence(std::vector<double> base, double rounding) : base_(std::move(base)), depends_(base_.size(), false) {
    for (const double x : base_) room_ = std::isfinite(x) ? std::max(room_, 64.0 * rounding * std::abs(x)) : room_;
  }

  void take(const std::vector<double>& changed) {
    for (size_t i = 0; i < base_.size(); ++i) depends_[i] = depends_[i] || !same_number(changed[i], base_[i]);
  }
  /// The number of other elements that differ now.
  int leaks(const std::vector<double>& poisoned) const {
    int count = 0;
    for (size_t i = 0; i < base_.size(); ++i) {
      const bool kept = same_number(poisoned[i], base_[i]) || std::abs(poisoned[i] - base_[i]) <= room_;
      count += !depends_[i] && !kept ? 1 : 0;
    }
    return count;
  }
  int64_t independent() const { return std::count(depends_.begin(), depends_.end(), false); }

 private:
  std::vector<double> base_;
  std::vector<bool> depends_;
  double room_ = 0.0;
};

struct Tally {
  std::map<std::string, std::string> leaks;  // for each op, with an example
  std::set<std::string> ops;
  int64_t poisoned = 0;
  int64_t held = 0;
};

Tensor with(const Tensor& x, int64_t element, double value) {
  Tensor out = x.clone();
  dispatch_float(out.dtype(), [&]<class T>() { out.mutable_data_<T>()[element] = static_cast<T>(value); });
  return out;
}

/// Poisons one element of tensor `which` of the state.
void check_element(const OpCase& c, const State& base, const Results& expected, size_t which, int64_t element,
                   Tally& tally) {
  RandomTensors random(1);
  const DType dtype = State(base).at(which).dtype();
  const double rounding = dtype == DType::f32 ? 0x1p-24 : 0x1p-53;
  Dependence parts[] = {Dependence(elements(expected.values), rounding), Dependence(elements(expected.first), rounding),
                        Dependence(elements(expected.second), rounding)};
  const auto results_with = [&](double value) {
    State state = base;
    state.at(which) = with(state.at(which), element, value);
    const Results r = run(c, state, random);
    return std::vector<std::vector<double>>{elements(r.values), elements(r.first), elements(r.second)};
  };
  for (double value : kFinite) {
    const auto changed = results_with(value);
    for (size_t p = 0; p < 3; ++p) parts[p].take(changed[p]);
  }
  for (double value : kPoisons) {
    const auto poisoned = results_with(value);
    for (size_t p = 0; p < 3; ++p) {
      ++tally.poisoned;
      tally.held += parts[p].independent();
      const int leaks = parts[p].leaks(poisoned[p]);
      if (leaks == 0) continue;
      const char* names[] = {"values", "first derivatives", "second derivatives"};
      std::string& words = tally.leaks[c.name()];
      if (words.size() > 600) continue;
      words += "\n    " + c.name() + ": " + std::to_string(value) + " in tensor " + std::to_string(which) +
               ", element " + std::to_string(element) + ", shows in " + std::to_string(leaks) + " " + names[p] +
               " that do not depend on it";
    }
  }
}

void check_case(const OpCase& c, DType dtype, Tally& tally) {
  State base{.inputs = c.inputs(dtype), .cotangents = {}, .weights = {}};
  int64_t size = 0;
  for (const Tensor& t : base.inputs) size += t.defined() ? t.numel() : 0;
  constexpr int64_t kLargest = 160;
  if (size == 0 || size > kLargest) return;
  RandomTensors random(c.seed);
  const Results expected = run(c, base, random);
  tally.ops.insert(c.op.name);
  for (size_t which = 0; which < base.count(); ++which) {
    const Tensor& t = base.at(which);
    if (!t.defined() || !is_floating(t.dtype()) || t.numel() == 0) continue;
    std::set<int64_t> chosen = {0, t.numel() / 2, t.numel() - 1};
    for (int64_t element : chosen) check_element(c, base, expected, which, element, tally);
  }
}

constexpr const char* kZeroFactor = "a product with a factor that is 0 at this very point, not everywhere";
constexpr const char* kConstant = "constant over all finite inputs, but NaN and infinity have no such value";
constexpr const char* kRow = "every element of the row is compared with all others";
constexpr const char* kNoExtreme = "no element equals an extreme that is NaN, so none has its gradient";

constexpr const char* kDeadUnit = "a unit that relu holds at 0 for every finite state has the state in its argument";

constexpr const char* kOneKey = "a query with one key has a constant weight, but its score is computed";

/// Examples where more elements are affected than a finite change shows, each with the reason.
const std::map<std::string, std::string> kStated = {
    {"affine: zero scale", kZeroFactor},
    {"center: scalar", kConstant},
    {"cross_entropy: one class", kConstant},
    {"dot_product_attention: causal", kOneKey},
    {"dot_product_attention: one of all", kOneKey},
    {"dot_product_attention_backward: causal", kOneKey},
    {"dot_product_attention_backward: one of all", kOneKey},
    {"entmax15: one element", kConstant},
    {"entmax15: one past a vector", kRow},
    {"entmax15: rows", kRow},
    {"layer_norm: one element", kConstant},
    {"layer_norm_backward: one element", kConstant},
    {"log_softmax: one element", kConstant},
    {"logsumexp: all", kConstant},
    {"logsumexp: scalar", kConstant},
    {"logsumexp_backward: scalar", kConstant},
    {"max: none", kNoExtreme},
    {"max: scalar", kNoExtreme},
    {"min: none", kNoExtreme},
    {"min: scalar", kNoExtreme},
    {"norm: scalar", kConstant},
    {"norm_backward: scalar", kConstant},
    {"pow: whole exponents of bases that are not positive", kZeroFactor},
    {"pow_scalar: cube", kZeroFactor},
    {"pow_scalar: square", kZeroFactor},
    {"prod_backward: zeros", kZeroFactor},
    {"rnn_sequence: forward, relu", kDeadUnit},
    {"rnn_sequence_backward: forward, relu", kDeadUnit},
    {"sparsemax: one element", kConstant},
    {"sparsemax: one past a vector", kRow},
    {"sparsemax: rows", kRow},
    {"stddev: scalar", kConstant},
    {"var: of one", kConstant},
    {"var: scalar", kConstant},
};

}  // namespace

TEST_CASE("battery: NaN and infinity show only where a finite number would") {
  Tally tally;
  std::map<std::string, int> examples;
  for_each_case([&](const OpCase& c) {
    constexpr int kExamples = 6;
    if (++examples[c.op.name] > kExamples) return;
    INFO(c.name() << ", seed " << c.seed);
    check_case(c, examples[c.op.name] % 2 == 0 ? DType::f32 : DType::f64, tally);
  });
  for (const auto& [name, words] : tally.leaks) {
    INFO(name << ", seed " << seed(11) << words);
    CHECK(kStated.count(name) == 1);
  }
  for (const auto& [name, reason] : kStated) {
    INFO(name << ": " << reason << " is stated, but nothing leaks");
    CHECK(tally.leaks.count(name) == 1);
  }
  std::cout << "battery: " << tally.ops.size() << " ops with one element poisoned, " << tally.poisoned
            << " times: " << tally.held << " elements that must not change, " << kStated.size() << " examples stated\n";
}
