// SPDX-License-Identifier: MIT
// Weights from and to Keras (numbers written by fixtures/keras_layers.py): SimpleRNN, GRU and LSTM, one direction,
// Bidirectional, two layers of it, and without biases.
#include <string>
#include <vector>

#include <gradus/nn/recurrent/recurrent.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/fixture.hpp"

using namespace gradus;
using tests::relative_error;

namespace {

constexpr const char* kKerasFile = GRADUS_FIXTURES "/keras_layers.safetensors";
constexpr int64_t kInput = 2, kHidden = 3;

struct KerasKind {
  const char* name;
  const char* cell;
  RecurrentOptions options;
};

std::vector<KerasKind> keras_kinds() {
  return {{"tanh", "simple_rnn_cell", {.cell = CellKind::rnn}},
          {"relu", "simple_rnn_cell", {.cell = CellKind::rnn, .activation = RnnActivation::relu}},
          {"gru", "gru_cell", {.cell = CellKind::gru}},
          {"gru_reset_before", "gru_cell", {.cell = CellKind::gru, .reset_after = false}},
          {"lstm", "lstm_cell", {.cell = CellKind::lstm}}};
}

// The form of the layers of a case, and the rest of its name.
struct KerasForm {
  const char* name;
  int64_t layers;
  bool bidirectional;
  bool use_bias;
};

constexpr KerasForm kKerasForms[] = {
    {".1.1/", 1, false, true}, {".1.2/", 1, true, true}, {".2.2/", 2, true, true}, {".1.1.no_bias/", 1, false, false}};

KerasOptions keras_options(const KerasKind& kind, const KerasForm& form) {
  KerasOptions options{.use_bias = form.use_bias};
  for (int64_t layer = 0; layer < form.layers; ++layer) {
    const std::string name = "layer_" + std::to_string(layer);
    if (!form.bidirectional) {
      options.cells.push_back(name + "/" + kind.cell);
      continue;
    }
    for (const char* direction : {"/forward_", "/backward_"}) {
      options.cells.push_back(name + direction + name + "/" + kind.cell);
    }
  }
  return options;
}

RecurrentOptions layer_options(const KerasKind& kind, const KerasForm& form, DType dtype) {
  RecurrentOptions options = kind.options;
  options.input_size = kInput;
  options.hidden_size = kHidden;
  options.num_layers = form.layers;
  options.bidirectional = form.bidirectional;
  options.dtype = dtype;
  return options;
}

StateDict keras_state(const std::string& prefix) {
  StateDict state;
  for (const NamedTensor& named : load_safetensors(kKerasFile).tensors) {
    if (named.name.rfind(prefix, 0) == 0) state.push_back({named.name.substr(prefix.size()), named.value});
  }
  return state;
}

void check_keras_outputs(const std::string& prefix, Recurrent& layer, DType dtype) {
  const tests::Fixture expected(kKerasFile, prefix);
  const Tensor lengths = tests::Fixture(kKerasFile, "lengths")("");
  const RecurrentOutput out = layer(expected("x").to(dtype), {.lengths = lengths});
  // Measured: f64 at most 4e-16, f32 3e-7.
  const double tolerance = dtype == DType::f64 ? 1e-12 : 1e-6;
  CHECK(relative_error(out.output.value(), expected("output").to(dtype)) < tolerance);
  CHECK(relative_error(out.h.value(), expected("h").to(dtype)) < tolerance);
  REQUIRE(out.c.defined() == expected.has("c"));
  if (out.c.defined()) CHECK(relative_error(out.c.value(), expected("c").to(dtype)) < tolerance);
}

Tensor counted(const Shape& shape) { return arange(shape.numel(), {.dtype = DType::f32}).reshape(shape); }

// What loading `state` into a GRU [2 -> 3] says; the layer must be as before.
std::string refusal(const StateDict& state, const KerasOptions& options) {
  Generator generator(1);
  Gru gru({.input_size = kInput, .hidden_size = kHidden}, generator);
  const StateDict before = gru.state_dict();
  std::string said;
  try {
    gru.load_keras_state_dict(state, options);
  } catch (const Error& error) {
    said = error.what();
  }
  const StateDict after = gru.state_dict();
  for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value, after[i].value));
  return said;
}

}  // namespace

TEST_CASE("layers loaded from Keras give what Keras gives, and give the same weights back") {
  for (const KerasKind& kind : keras_kinds()) {
    for (const KerasForm& form : kKerasForms) {
      for (const DType dtype : {DType::f64, DType::f32}) {
        const std::string prefix = std::string(kind.name) + form.name;
        INFO(prefix << ", " << dtype_name(dtype));
        Generator generator(1);
        Recurrent layer(layer_options(kind, form, dtype), generator);
        const KerasOptions options = keras_options(kind, form);
        const StateDict state = keras_state(prefix + "weights/");
        layer.load_keras_state_dict(state, options);
        check_keras_outputs(prefix, layer, dtype);

        const StateDict back = layer.keras_state_dict(options);
        REQUIRE(back.size() == state.size());
        for (const NamedTensor& named : back) {
          INFO(named.name);
          const tests::Fixture given(kKerasFile, prefix + "weights/" + named.name);
          CHECK(bitwise_equal(named.value, given("").to(dtype)));
        }
      }
    }
  }
}

TEST_CASE("a layer goes to Keras and back") {
  for (const KerasKind& kind : keras_kinds()) {
    for (const KerasForm& form : kKerasForms) {
      if (!form.use_bias) continue;
      INFO(kind.name << form.name);
      Generator generator(1);
      Recurrent first(layer_options(kind, form, DType::f64), generator);
      Recurrent second(layer_options(kind, form, DType::f64), generator);
      const KerasOptions options = keras_options(kind, form);
      const StateDict state = first.keras_state_dict(options);
      second.load_keras_state_dict(state, options);
      const StateDict weights = first.state_dict();
      const StateDict loaded = second.state_dict();
      for (size_t i = 0; i < weights.size(); ++i) {
        INFO(weights[i].name);
        const bool exact = weights[i].name.rfind("weight", 0) == 0 || std::string(kind.name) == "gru";
        if (exact) CHECK(bitwise_equal(weights[i].value, loaded[i].value));
      }
      // One bias of Keras is the sum of two, so that rounding differs.
      const Tensor x = uniform({2, 4, kInput}, generator, {.dtype = DType::f64});
      CHECK(relative_error(second(x).output.value(), first(x).output.value()) < 1e-14);
      // The tensors are copies.
      Tensor kernel = state[0].value;
      kernel.fill_(0.0);
      CHECK(bitwise_equal(first.state_dict()[0].value, weights[0].value));
    }
  }
}

TEST_CASE("the gates of Keras's GRU are exchanged, and those of its LSTM are not") {
  Generator generator(1);
  const StateDict state = {{"k/kernel", counted({1, 3})},
                           {"k/recurrent_kernel", counted({1, 3})},
                           {"k/bias", counted({2, 3})},
                           {"another layer", counted({7})}};
  Gru gru({.input_size = 1, .hidden_size = 1}, generator);
  gru.load_keras_state_dict(state, {.cells = {"k"}});
  CHECK(bitwise_equal(gru.weights(0).weight_ih.value(), Tensor::from({1, 0, 2}, {3, 1})));
  CHECK(bitwise_equal(gru.weights(0).weight_hh.value(), Tensor::from({1, 0, 2}, {3, 1})));
  CHECK(bitwise_equal(gru.weights(0).bias_ih.value(), Tensor::from({1, 0, 2}, {3})));
  CHECK(bitwise_equal(gru.weights(0).bias_hh.value(), Tensor::from({4, 3, 5}, {3})));
  Lstm lstm({.input_size = 1, .hidden_size = 1}, generator);
  lstm.load_keras_state_dict(
      {{"k/kernel", counted({1, 4})}, {"k/recurrent_kernel", counted({1, 4})}, {"k/bias", counted({4})}},
      {.cells = {"k"}});
  CHECK(bitwise_equal(lstm.weights(0).weight_ih.value(), Tensor::from({0, 1, 2, 3}, {4, 1})));
  CHECK(bitwise_equal(lstm.weights(0).bias_ih.value(), Tensor::from({0, 1, 2, 3}, {4})));
  CHECK(bitwise_equal(lstm.weights(0).bias_hh.value(), zeros({4})));
}

TEST_CASE("a dictionary of Keras that does not fit is refused whole, with all that is wrong") {
  const Tensor kernel = counted({2, 9});
  const Tensor recurrent = counted({3, 9});
  const Tensor bias = counted({2, 9});
  const KerasOptions options{.cells = {"k"}};
  const std::string misfit = "[load_keras_state_dict] the dictionary does not fit gru: ";
  CHECK(refusal({}, options) ==
        misfit + "\"k/kernel\" is missing; \"k/recurrent_kernel\" is missing; \"k/bias\" is missing");
  CHECK(refusal({{"k/kernel", recurrent}, {"k/recurrent_kernel", Tensor()}, {"k/bias", counted({9})}}, options) ==
        misfit +
            "\"k/kernel\" is f32 [3, 9], expected floating numbers [2, 9]; \"k/recurrent_kernel\" is undefined, "
            "expected floating numbers [3, 9]; \"k/bias\" is f32 [9], expected floating numbers [2, 9]");
  CHECK(refusal({{"k/kernel", kernel.to(DType::i64)}, {"k/recurrent_kernel", recurrent}, {"k/bias", bias}}, options) ==
        misfit + "\"k/kernel\" is i64 [2, 9], expected floating numbers [2, 9]");
  const StateDict twice = {
      {"k/kernel", kernel}, {"k/kernel", kernel}, {"k/recurrent_kernel", recurrent}, {"k/bias", bias}};
  CHECK(refusal(twice, options) == misfit + "\"k/kernel\" is given twice");
  const StateDict right = {{"k/kernel", kernel}, {"k/recurrent_kernel", recurrent}, {"k/bias", bias}};
  CHECK(refusal(right, {.cells = {"k"}, .use_bias = false}) == misfit + "\"k/bias\" is given, but use_bias is false");
  CHECK(refusal(right, {}) ==
        "[load_keras_state_dict] expected 1 cells, one for each layer and direction of gru, got 0");

  Generator generator(1);
  Gru two({.input_size = 2, .hidden_size = 3, .bidirectional = true}, generator);
  CHECK_THROWS_WITH(two.load_keras_state_dict(right, {.cells = {"k", "k"}}),
                    "[load_keras_state_dict] the cell \"k\" is named twice");
  CHECK_THROWS_WITH(two.keras_state_dict({.cells = {"k"}}),
                    "[keras_state_dict] expected 2 cells, one for each layer and direction of gru, got 1");
}

TEST_CASE("what Keras lacks is refused") {
  Generator generator(1);
  Lstm projected({.input_size = 2, .hidden_size = 3, .proj_size = 2}, generator);
  CHECK_THROWS_WITH(projected.keras_state_dict({.cells = {"k"}}),
                    "[keras_state_dict] Keras has no projection, but proj_size of lstm is 2");
  CHECK_THROWS_WITH(projected.load_keras_state_dict({}, {.cells = {"k"}}),
                    "[load_keras_state_dict] Keras has no projection, but proj_size of lstm is 2");
  Gru normed({.input_size = 2, .hidden_size = 3, .layer_norm = true}, generator);
  CHECK_THROWS_WITH(normed.load_keras_state_dict({}, {.cells = {"k"}}),
                    "[load_keras_state_dict] Keras's cells have no layer norm, but gru has");
  Rnn learned({.input_size = 2, .hidden_size = 1, .initial_state = InitialState::learned}, generator);
  CHECK_THROWS_WITH(learned.keras_state_dict({.cells = {"k"}}),
                    "[keras_state_dict] Keras has no learned initial state, but rnn has one");
  Rnn rnn({.input_size = 2, .hidden_size = 1}, generator);
  rnn.load_keras_state_dict({{"k/kernel", ones({2, 1})}, {"k/recurrent_kernel", ones({1, 1})}, {"k/bias", ones({1})}},
                            {.cells = {"k"}});
  CHECK_THROWS_WITH(rnn.keras_state_dict({.cells = {"k"}, .use_bias = false}),
                    "[keras_state_dict] expected biases of 0, because use_bias is false, got [1.] f32 [1] for the cell "
                    "\"k\"");
}
