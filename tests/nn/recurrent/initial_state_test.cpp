// SPDX-License-Identifier: MIT
// Learned initial states, and dropout with one mask for all steps.
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

constexpr int64_t kStartRows = 3, kStartSteps = 4, kStartInput = 3;

std::vector<RecurrentOptions> started_layers(bool bidirectional) {
  std::vector<RecurrentOptions> all = {
      {.cell = CellKind::rnn}, {.cell = CellKind::gru}, {.cell = CellKind::lstm}, {.cell = CellKind::lstm}};
  all[3].proj_size = 2;
  for (RecurrentOptions& options : all) {
    options.input_size = kStartInput;
    options.hidden_size = 4;
    options.num_layers = 2;
    options.bidirectional = bidirectional;
    options.initial_state = InitialState::learned;
    options.dtype = DType::f64;
  }
  return all;
}

// h0 or c0 of all layers and directions, [L D, n].
Variable all_starts(const Recurrent& layer, Parameter RecurrentWeights::*which) {
  std::vector<Variable> each;
  for (int64_t l = 0; l < layer.options().num_layers; ++l) {
    for (int64_t direction = 0; direction < layer.directions(); ++direction) {
      each.push_back((layer.weights(l, direction == 1).*which).variable());
    }
  }
  return stack(each, 0);
}

void draw_starts(Recurrent& layer, RandomTensors& random) {
  for (const NamedParameter& named : layer.parameters()) {
    if (named.name[1] == '0') named.parameter->assign_(random.floating(named.parameter->shape()));
  }
}

}  // namespace

TEST_CASE("a learned initial state is a parameter of zeros for each layer and direction, after its weights") {
  Generator generator(91), again(91);
  Lstm lstm({.input_size = 3,
             .hidden_size = 4,
             .num_layers = 2,
             .bidirectional = true,
             .initial_state = InitialState::learned,
             .proj_size = 2},
            generator);
  std::string names;
  for (const NamedTensor& named : lstm.state_dict()) {
    if (named.name[1] != '0') continue;
    names += named.name + " " + describe(named.value) + ", ";
    CHECK(bitwise_equal(named.value, zeros_like(named.value)));
  }
  CHECK(names ==
        "h0_l0 f32 [2], c0_l0 f32 [4], h0_l0_reverse f32 [2], c0_l0_reverse f32 [4], h0_l1 f32 [2], c0_l1 f32 [4], "
        "h0_l1_reverse f32 [2], c0_l1_reverse f32 [4], ");
  CHECK(lstm.state_dict()[4].name == "weight_hr_l0");
  CHECK(lstm.state_dict()[5].name == "h0_l0");
  // The weights are those of a layer that starts from zeros, and so are the results.
  Lstm plain({.input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = true, .proj_size = 2}, again);
  const Tensor x = uniform({2, 5, 3}, generator);
  CHECK(bitwise_equal(lstm(x).output.value(), plain(x).output.value()));
  CHECK(plain.state_dict().size() + 8 == lstm.state_dict().size());
}

TEST_CASE("rows start from the learned state, unless one is given; both states apart") {
  const uint64_t seed = tests::seed(92);
  INFO("seed " << seed);
  for (const bool bidirectional : {false, true}) {
    for (const RecurrentOptions& options : started_layers(bidirectional)) {
      INFO(cell_name(options.cell) << (bidirectional ? ", both directions" : ""));
      Generator generator(seed);
      Recurrent layer(options, generator);
      RandomTensors random(seed);
      draw_starts(layer, random);
      const bool has_cell = options.cell == CellKind::lstm;
      const Tensor x = random.floating({kStartRows, kStartSteps, kStartInput});
      const Tensor lengths = tests::i64({4, 2, 0}, {kStartRows});
      const int64_t count = 2 * layer.directions();
      const Variable h0 = expand(all_starts(layer, &RecurrentWeights::h0), {kStartRows, count, layer.state_size()});
      const Variable c0 = has_cell ? expand(all_starts(layer, &RecurrentWeights::c0), {kStartRows, count, 4}) : h0;
      const RecurrentOutput learned = layer(x, {.lengths = lengths});
      const RecurrentOutput given = layer(x, {.h0 = h0, .c0 = has_cell ? c0 : Variable(), .lengths = lengths});
      CHECK(bitwise_equal(learned.output.value(), given.output.value()));
      CHECK(bitwise_equal(learned.h.value(), given.h.value()));
      // A row without steps ends where it started.
      CHECK(bitwise_equal(select(learned.h, 0, 2).value().contiguous(), select(h0, 0, 2).value().contiguous()));
      const RecurrentState start = layer.initial_state(kStartRows);
      CHECK(bitwise_equal(start.h.value().contiguous(), h0.value().contiguous()));
      CHECK(start.c.defined() == has_cell);
      if (has_cell) CHECK(bitwise_equal(start.c.value().contiguous(), c0.value().contiguous()));
      // A given state wins, also when only one of the two is given.
      const Tensor other = random.floating({kStartRows, count, layer.state_size()});
      const RecurrentOutput from_other = layer(x, {.h0 = other, .lengths = lengths});
      const RecurrentOutput expected = layer(x, {.h0 = other, .c0 = has_cell ? c0 : Variable(), .lengths = lengths});
      CHECK(bitwise_equal(from_other.output.value(), expected.output.value()));
      CHECK(!bitwise_equal(from_other.output.value(), learned.output.value()));
    }
  }
}

TEST_CASE("the gradient of a learned state is that of a given one, summed over the batch") {
  const uint64_t seed = tests::seed(93);
  INFO("seed " << seed);
  for (const RecurrentOptions& options : started_layers(true)) {
    INFO(cell_name(options.cell));
    Generator generator(seed);
    Recurrent layer(options, generator);
    RandomTensors random(seed);
    draw_starts(layer, random);
    const Tensor x = random.floating({kStartRows, kStartSteps, kStartInput});
    const RecurrentOutput out = layer(x);
    const Tensor cotangent = random.floating(out.output.shape());
    const Variable h0 =
        leaf(expand(all_starts(layer, &RecurrentWeights::h0), {kStartRows, 4, layer.state_size()}).value().clone());
    std::vector<Variable> inputs;
    for (int64_t l = 0; l < 2; ++l) {
      for (const bool reverse : {false, true}) inputs.emplace_back(layer.weights(l, reverse).h0.variable());
    }
    const std::vector<Variable> learned = grad({out.output}, inputs, {.cotangents = {cotangent}});
    const Variable given = grad({layer(x, {.h0 = h0}).output}, {h0}, {.cotangents = {cotangent}})[0];
    // Measured over four seeds: at most 4e-16.
    CHECK(largest_error(stack(learned, 0).value(), sum(given, {0}).value()) < 1e-13);
    // A state that is given leaves the learned one without a gradient.
    backward(sum(layer(x, {.h0 = h0}).output));
    CHECK(!layer.weights(0).h0.grad().defined());
    backward(sum(layer(x).output));
    CHECK(layer.weights(0).h0.grad().defined());
  }
}

TEST_CASE("step, CarriedState and RecurrentStepper start from the learned state") {
  const uint64_t seed = tests::seed(94);
  INFO("seed " << seed);
  for (const RecurrentOptions& options : started_layers(false)) {
    INFO(cell_name(options.cell));
    Generator generator(seed);
    Recurrent layer(options, generator);
    RecurrentStepper stepper(layer, {.batch = kStartRows});
    RandomTensors random(seed);
    draw_starts(layer, random);
    stepper.reload_(layer);
    stepper.reset_();
    const Tensor x = random.floating({kStartRows, kStartSteps, kStartInput});
    const RecurrentOutput whole = layer(x);
    RecurrentState state = layer.initial_state(kStartRows);
    Tensor y = zeros({kStartRows, layer.state_size()}, {.dtype = DType::f64});
    for (int64_t t = 0; t < kStartSteps; ++t) {
      state = layer.step(x.select(1, t), state);
      stepper.step_(x.select(1, t).contiguous(), y);
    }
    CHECK(largest_error(state.h.value(), whole.h.value()) < 1e-14);
    CHECK(bitwise_equal(stepper.state().h.value(), whole.h.value().contiguous()));
    CarriedState carried;
    CHECK(bitwise_equal(carried(layer, x).output.value(), whole.output.value()));
    const Owned<Recurrent> copy = layer.clone();
    CHECK(bitwise_equal((*copy)(x).output.value(), whole.output.value()));
  }
}

TEST_CASE("variational dropout drops a unit at all steps of a row or at none, anew in each call") {
  const uint64_t seed = tests::seed(95);
  INFO("seed " << seed);
  constexpr int64_t kWide = 40;
  constexpr double kP = 0.25;
  // Layer 1 hands on the unit below: h' = relu(W_ih x) with W_ih = 1, so the output shows what was dropped.
  Generator generator(seed);
  Rnn rnn({.input_size = kWide,
           .hidden_size = kWide,
           .num_layers = 2,
           .variational_dropout = kP,
           .activation = RnnActivation::relu,
           .dtype = DType::f64},
          generator);
  for (const NamedParameter& named : rnn.parameters()) {
    Tensor value = zeros(named.parameter->shape(), {.dtype = DType::f64});
    if (named.name.find("weight_ih") == 0) value.diagonal(0, 1).fill_(1.0);
    named.parameter->assign_(value);
  }
  const Tensor x = uniform({4, 6, kWide}, generator, {.low = 0.5, .high = 1.5, .dtype = DType::f64});
  const Tensor y = rnn(x).output.value();
  int64_t dropped = 0;
  std::set<std::string> rows;
  for (int64_t b = 0; b < 4; ++b) {
    std::string row;
    for (int64_t u = 0; u < kWide; ++u) {
      const bool gone = y.at({b, 0, u}) == 0.0;
      row += gone ? '0' : '1';
      dropped += gone ? 1 : 0;
      for (int64_t t = 0; t < 6; ++t) {
        CHECK(std::abs(y.at({b, t, u}) - (gone ? 0.0 : x.at({b, t, u}) / (1.0 - kP))) < 1e-14);
      }
    }
    rows.insert(row);
  }
  CHECK(rows.size() == 4);
  // 40 of 160 are expected, with a standard deviation of 5.5.
  CHECK(std::abs(static_cast<double>(dropped) - 160 * kP) < 6 * 5.5);
  CHECK(!bitwise_equal(rnn(x).output.value(), y));
  rnn.eval_();
  CHECK(bitwise_equal(rnn(x).output.value(), x));
}

TEST_CASE("variational dropout: an infinity that is dropped has no effect on values and gradients") {
  Generator generator(96);
  Rnn rnn({.input_size = 1,
           .hidden_size = 8,
           .num_layers = 2,
           .variational_dropout = 0.5,
           .activation = RnnActivation::relu},
          generator);
  // Unit 0 of layer 0 overflows, the others are 0; layer 1 sums what is left.
  for (const NamedParameter& named : rnn.parameters()) named.parameter->assign_(zeros(named.parameter->shape()));
  rnn.load_state_dict(
      {{"weight_ih_l0", Tensor::from({1e30, 0, 0, 0, 0, 0, 0, 0}, {8, 1})}, {"weight_ih_l1", ones({8, 8})}},
      {.strict = false});
  const Variable x = leaf(full({1, 1, 1}, 1e30));
  int64_t dropped = 0;
  for (int call = 0; call < 40; ++call) {
    const Variable y = rnn(x).output;
    if (std::isinf(y.value().at({0, 0, 0}))) continue;
    ++dropped;
    CHECK(y.value().at({0, 0, 0}) == 0.0);
    CHECK(grad({sum(y)}, {x})[0].value().at({0, 0, 0}) == 0.0);
  }
  CHECK(dropped > 8);
  CHECK(dropped < 32);
}

TEST_CASE("variational dropout repeats its masks from the saved random streams, and says what does not fit") {
  Generator generator(97);
  Gru gru({.input_size = 3, .hidden_size = 16, .num_layers = 3, .bidirectional = true, .variational_dropout = 0.5},
          generator);
  const Tensor x = uniform({2, 5, 3}, generator);
  const StateDict before = gru.state_dict({.generators = true});
  const Tensor first = gru(x).output.value();
  CHECK(!bitwise_equal(gru(x).output.value(), first));
  gru.load_state_dict(before);
  CHECK(bitwise_equal(gru(x).output.value(), first));
  CHECK_THROWS_WITH(
      Gru({.input_size = 1, .hidden_size = 1, .num_layers = 2, .dropout = 0.1, .variational_dropout = 0.2}, generator),
      "[gru] expected dropout or variational_dropout, not both, got 0.1 and 0.2");
  CHECK_THROWS_WITH(Gru({.input_size = 1, .hidden_size = 1, .variational_dropout = 0.5}, generator),
                    "[gru] dropout 0.5 acts between layers, and there is only one");
  CHECK_THROWS_WITH(Gru({.input_size = 1, .hidden_size = 1, .num_layers = 2, .variational_dropout = 1.0}, generator),
                    "[dropout] expected 0 <= p < 1, got 1");
}
