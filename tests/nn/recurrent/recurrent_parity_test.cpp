// SPDX-License-Identifier: MIT
// Recurrent layers against PyTorch's (numbers written by fixtures/recurrent.py and recurrent_random.py): outputs, final
// states and all gradients, for one to three layers, both directions, lengths, initial states, and LSTMs with a
// projection.
#include <string>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/fixture.hpp"

using namespace gradus;
using tests::Fixture;
using tests::relative_error;

namespace {

struct Kind {
  const char* name;
  RecurrentOptions options;
};

std::vector<Kind> kinds() {
  return {{"tanh", {.cell = CellKind::rnn}},
          {"relu", {.cell = CellKind::rnn, .activation = RnnActivation::relu}},
          {"gru", {.cell = CellKind::gru}},
          {"lstm", {.cell = CellKind::lstm}},
          {"projected", {.cell = CellKind::lstm, .proj_size = 2}}};
}

void check_recurrent_case(const Fixture& expected, Recurrent& layer, DType dtype) {
  StateDict state;
  for (const NamedTensor& named : layer.state_dict()) state.push_back({named.name, expected(named.name)});
  layer.load_state_dict(state);
  std::vector<std::string> names;
  std::vector<Variable> inputs;
  Variable given[3];
  for (const char* name : {"x", "h0", "c0"}) {
    if (!expected.has(name)) continue;
    given[names.size()] = leaf(expected(name).to(dtype));
    inputs.push_back(given[names.size()]);
    names.emplace_back(name);
  }
  const Tensor lengths = expected.has("lengths") ? expected("lengths") : Tensor();
  const RecurrentOutput out = layer(given[0], {.h0 = given[1], .c0 = given[2], .lengths = lengths});
  std::vector<Variable> results = {out.output, out.h};
  if (out.c.defined()) results.push_back(out.c);
  std::vector<Variable> cotangents;
  // Measured: f64 at most 5e-15, f32 7e-7. In f32, gradients below 1 are sums of numbers near 1 that cancel.
  const double tolerance = dtype == DType::f64 ? 1e-12 : 1e-6;
  const double least = dtype == DType::f64 ? 1e-30 : 1.0;
  const char* kResults[] = {"output", "h_n", "c_n"};
  for (size_t k = 0; k < results.size(); ++k) {
    INFO(kResults[k]);
    CHECK(relative_error(results[k].value(), expected(kResults[k]).to(dtype)) < tolerance);
    cotangents.emplace_back(expected(std::string("cotangent.") + kResults[k]).to(dtype));
  }
  for (const NamedParameter& named : layer.parameters()) {
    inputs.push_back(named.parameter->variable());
    names.push_back(named.name);
  }
  const std::vector<Variable> gradients = grad(results, inputs, {.cotangents = cotangents});
  for (size_t i = 0; i < gradients.size(); ++i) {
    INFO("gradient of " << names[i]);
    CHECK(relative_error(gradients[i].value(), expected("grad." + names[i]).to(dtype), least) < tolerance);
  }
}

}  // namespace

TEST_CASE("Rnn, Gru and Lstm give what PyTorch gives for the same weights, with the same gradients") {
  for (const Kind& kind : kinds()) {
    for (const int64_t layers : {1, 2}) {
      for (const bool bidirectional : {false, true}) {
        for (const DType dtype : {DType::f64, DType::f32}) {
          const std::string prefix =
              std::string(kind.name) + "." + std::to_string(layers) + (bidirectional ? ".2." : ".1.");
          INFO(prefix << ", " << dtype_name(dtype));
          const Fixture expected(GRADUS_FIXTURES "/recurrent.safetensors", prefix);
          RecurrentOptions options = kind.options;
          options.input_size = static_cast<int64_t>(expected("sizes").at({0}));
          options.hidden_size = static_cast<int64_t>(expected("sizes").at({1}));
          options.num_layers = layers;
          options.bidirectional = bidirectional;
          options.dtype = dtype;
          Generator generator(1);
          Recurrent layer(options, generator);
          check_recurrent_case(expected, layer, dtype);
        }
      }
    }
  }
}

TEST_CASE("random recurrent layers give what PyTorch gives, with the same gradients") {
  constexpr int64_t kCases = 28;
  for (int64_t seed = 0; seed < kCases; ++seed) {
    const Fixture expected(GRADUS_FIXTURES "/recurrent_random.safetensors", std::to_string(seed) + ".");
    const Tensor numbers = expected("options");
    const auto number = [&](int64_t at) { return static_cast<int64_t>(numbers.at({at})); };
    for (const DType dtype : {DType::f64, DType::f32}) {
      RecurrentOptions options = kinds()[static_cast<size_t>(number(0))].options;
      options.input_size = number(1);
      options.hidden_size = number(2);
      options.num_layers = number(3);
      options.bidirectional = number(4) == 2;
      options.proj_size = number(5);
      options.dtype = dtype;
      INFO("seed " << seed << ", " << cell_name(options.cell) << ", " << dtype_name(dtype));
      Generator generator(1);
      Recurrent layer(options, generator);
      check_recurrent_case(expected, layer, dtype);
    }
  }
}
