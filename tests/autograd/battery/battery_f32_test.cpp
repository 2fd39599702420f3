// SPDX-License-Identifier: MIT
// The battery, part 7: compares every op in f32 with its value in f64 (the reference where there is one), element by
// element. The unit of the error is the effect of rounding the result and each input.
#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::as_variables;
using detail::OpCase;
using detail::RandomTensors;
using detail::Tensors;
using detail::Variables;

namespace {

constexpr double kUnit = 0x1p-24;  // the rounding unit of f32
constexpr double kProbe = 0x1p-20;
constexpr int kProbes = 16;

std::vector<double> elements_of(const Tensor& x) {
  const Tensor dense = x.to(DType::f64).contiguous();
  const double* values = dense.data<double>();
  return {values, values + dense.numel()};
}

// Every floating input, changed by kProbe of itself, up or down at random.
Tensors probed(const Tensors& inputs, RandomTensors& random) {
  Tensors out;
  for (const Tensor& input : inputs) {
    if (!input.defined() || !is_floating(input.dtype())) {
      out.push_back(input);
      continue;
    }
    Tensor moved = input.clone();
    double* values = moved.mutable_data_<double>();
    for (int64_t i = 0; i < moved.numel(); ++i) values[i] *= random.fraction() < 0.5 ? 1 - kProbe : 1 + kProbe;
    out.push_back(moved);
  }
  return out;
}

using Run = std::function<Variables(const Variables&)>;

// The effect of one unit of relative rounding of the result and of the inputs, for each element of output k.
std::vector<std::vector<double>> rounding_scales(const Run& run, const Tensors& inputs, const Variables& exact,
                                                 uint64_t seed) {
  std::vector<std::vector<double>> scales;
  for (const Variable& output : exact) {
    scales.push_back(elements_of(output.value()));
    for (double& scale : scales.back()) scale = std::abs(scale);
  }
  RandomTensors random(seed);
  for (int p = 0; p < kProbes; ++p) {
    const Variables moved = run(as_variables(probed(inputs, random)));
    for (size_t k = 0; k < exact.size(); ++k) {
      const std::vector<double> here = elements_of(exact[k].value());
      const std::vector<double> there = elements_of(moved[k].value());
      for (size_t i = 0; i < here.size(); ++i) {
        const double change = std::abs(there[i] - here[i]) / kProbe;
        if (std::isfinite(change)) scales[k][i] = std::max(scales[k][i], change);
      }
    }
  }
  return scales;
}

// The largest error in units. It is infinite where one value is not finite and the other differs.
double units_off(const Tensor& rounded, const Tensor& exact, const std::vector<double>& scale) {
  const std::vector<double> got = elements_of(rounded);
  const std::vector<double> expected = elements_of(exact);
  double worst = 0.0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]))) continue;
    // Below the smallest normal number, f32 has no relative accuracy.
    const double units = std::abs(got[i] - expected[i]) / (kUnit * std::max(scale[i], 0x1p-126));
    worst = std::isfinite(units) ? std::max(worst, units) : HUGE_VAL;
  }
  return worst;
}

// Measured (eight seeds): up to 13, in a step of a GRU; nearly all ops stay below 2.
constexpr double kAllowed = 32;

// 1 - tanh^2 of a value near 1 keeps few of the digits of tanh, and so does da - delta where one key has nearly the
// whole weight. The terms that these ops compute from it are small compared to the rest of the gradient, so they are
// accurate only relative to the gradient's size.
bool is_held_as_a_whole(const OpDef& op) {
  return &op == &gru_sequence_backward_op || &op == &lstm_sequence_backward_op || &op == &rnn_sequence_backward_op ||
         &op == &additive_score_backward_op || &op == &dot_product_attention_backward_op;
}

}  // namespace

TEST_CASE("battery: f32 is off by a few rounding units of the result and the inputs at most") {
  std::map<std::string, double> by_op;
  int64_t elements = 0;
  int64_t examples = 0;
  for_each_case([&](const OpCase& c) {
    if (!detail::has_floating_input(c)) return;
    const NoGrad off;
    const Tensors inputs = c.inputs();
    const bool by_reference = c.op.reference != nullptr;
    const Run run = [&](const Variables& x) {
      Variables outputs = c.outputs(x);
      if (!by_reference) return outputs;
      Variables expected = c.reference_outputs(x);
      for (size_t k = 0; k < expected.size(); ++k) {
        // The gradient is 0 when no recorded op reaches the input.
        if (!expected[k].defined()) expected[k] = zeros(outputs[k].shape(), {.dtype = outputs[k].dtype()});
      }
      return expected;
    };
    const Variables exact = run(as_variables(inputs));
    const Variables rounded = c.outputs(as_variables(c.inputs(DType::f32)));
    REQUIRE(rounded.size() == exact.size());
    auto scales = rounding_scales(run, inputs, exact, c.seed);
    for (std::vector<double>& scale : scales) {
      if (scale.empty() || !is_held_as_a_whole(c.op)) continue;
      scale.assign(scale.size(), *std::max_element(scale.begin(), scale.end()));
    }
    double& worst = by_op[c.op.name];
    for (size_t k = 0; k < exact.size(); ++k) {
      INFO(c.name() << ", seed " << c.seed << ", output " << k);
      const double units = units_off(rounded[k].value(), exact[k].value(), scales[k]);
      CHECK(units <= kAllowed);
      worst = std::max(worst, units);
      elements += exact[k].numel();
    }
    ++examples;
  });
  int64_t with_floats = 0;
  for (const OpDef* op : all_ops()) {
    bool takes_floats = false;
    for (const Example& example : op->examples()) {
      takes_floats = takes_floats || (example.error.empty() && detail::has_floating_input(OpCase{*op, example}));
    }
    with_floats += takes_floats ? 1 : 0;
  }
  CHECK(static_cast<int64_t>(by_op.size()) == with_floats);
  CHECK(elements > 3000);
  std::cout << "battery: f32 against f64 over " << by_op.size() << " ops, " << examples << " examples, " << elements
            << " elements; worst error of each in rounding units:\n   ";
  for (const auto& [name, units] : by_op) std::cout << " " << name << " " << detail::short_number(units) << ";";
  std::cout << "\n";
}
