// SPDX-License-Identifier: MIT
// The recurrent layers' options and errors.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

constexpr int64_t kBatch = 4, kSteps = 5, kInput = 3, kHidden = 4;

// What a cell does not have cannot be given.
template <class Options>
concept TakesCell = requires {
  Options{.cell = CellKind::gru};
};
template <class Options>
concept TakesResetAfter = requires {
  Options{.reset_after = false};
};
template <class Options>
concept TakesForgetBias = requires {
  Options{.forget_bias = 1.0};
};
template <class Options>
concept TakesActivation = requires {
  Options{.activation = RnnActivation::relu};
};
template <class Options>
concept TakesProjSize = requires {
  Options{.proj_size = 1};
};
static_assert(TakesActivation<RecurrentOptions> && TakesProjSize<RecurrentOptions>);
static_assert(!TakesActivation<GruOptions> && !TakesActivation<LstmOptions> && TakesActivation<RnnOptions>);
static_assert(!TakesProjSize<GruOptions> && TakesProjSize<LstmOptions> && !TakesProjSize<RnnOptions>);
static_assert(TakesCell<RecurrentOptions> && TakesResetAfter<RecurrentOptions> && TakesForgetBias<RecurrentOptions>);
static_assert(!TakesCell<GruOptions> && TakesResetAfter<GruOptions> && !TakesForgetBias<GruOptions>);
static_assert(!TakesCell<LstmOptions> && !TakesResetAfter<LstmOptions> && TakesForgetBias<LstmOptions>);
static_assert(!TakesCell<RnnOptions> && !TakesResetAfter<RnnOptions> && !TakesForgetBias<RnnOptions>);

}  // namespace

TEST_CASE("dropout acts between layers, in training mode only") {
  Generator generator(6);
  Gru layer({.input_size = kInput, .hidden_size = kHidden, .num_layers = 2, .dropout = 0.5}, generator);
  const Tensor x = uniform({kBatch, kSteps, kInput}, generator);
  const Tensor one = layer(x).output.value();
  CHECK(!bitwise_equal(one, layer(x).output.value()));
  layer.eval_();
  const Tensor calm = layer(x).output.value();
  CHECK(bitwise_equal(calm, layer(x).output.value()));
  Generator again(6);
  Gru without({.input_size = kInput, .hidden_size = kHidden, .num_layers = 2}, again);
  CHECK(bitwise_equal(calm, without(x).output.value()));
  CHECK_THROWS_WITH(Gru({.input_size = 1, .hidden_size = 1, .dropout = 0.5}, generator),
                    "[gru] dropout 0.5 acts between layers, and there is only one");
}

TEST_CASE("Rnn, Gru and Lstm hand every option on: each equals a Recurrent of its cell from the same generator") {
  const uint64_t seed = tests::seed(59);
  INFO("seed " << seed);
  const Tensor x = detail::RandomTensors(seed).floating({kBatch, kSteps, kInput});
  const auto filled = [&](auto options) {
    options.input_size = kInput;
    options.hidden_size = kHidden;
    options.num_layers = 2;
    options.bidirectional = true;
    options.dropout = 0.25;
    options.initial_state = InitialState::learned;
    options.dtype = DType::f64;
    return options;
  };
  const auto same = [&](auto& layer, const RecurrentOptions& options) {
    Generator generator(seed);
    Recurrent general(filled(options), generator);
    CHECK(std::string(layer.kind()) == cell_name(options.cell));
    return bitwise_equal(layer(x).output.value(), general(x).output.value());
  };
  for (const RnnActivation activation : {RnnActivation::tanh, RnnActivation::relu}) {
    Generator one(seed);
    Rnn rnn(filled(RnnOptions{.activation = activation}), one);
    CHECK(same(rnn, {.cell = CellKind::rnn, .activation = activation}));
  }
  for (bool reset_after : {true, false}) {
    Generator two(seed);
    Gru gru(filled(GruOptions{.reset_after = reset_after}), two);
    CHECK(same(gru, {.cell = CellKind::gru, .reset_after = reset_after}));
  }
  for (const int64_t projected : {0, 2}) {
    Generator three(seed);
    Lstm lstm(filled(LstmOptions{.forget_bias = 0.5, .proj_size = projected}), three);
    CHECK(same(lstm, {.cell = CellKind::lstm, .forget_bias = 0.5, .proj_size = projected}));
    CHECK(lstm.state_size() == (projected > 0 ? projected : kHidden));
  }
}

TEST_CASE("recurrent layers name shapes that do not fit") {
  Generator generator(7);
  Gru gru({.input_size = 3, .hidden_size = 4, .bidirectional = true}, generator);
  const Variable x = zeros({2, 5, 3});
  CHECK_THROWS_WITH(gru(zeros({2, 5, 4})), "[gru] expected x [B, T, 3], got f32 [2, 5, 4] (in gru)");
  CHECK_THROWS_WITH(gru(x, {.h0 = zeros({2, 1, 4})}),
                    "[gru] wrong shape of h0: expected [2, 2, 4], got f32 [2, 1, 4] (in gru)");
  CHECK_THROWS_WITH(gru(x, {.c0 = zeros({2, 2, 4})}), "[gru] has no cell state, but c0 is f32 [2, 2, 4] (in gru)");
  CHECK_THROWS_WITH(gru.step(zeros({2, 3}), gru.initial_state(2)),
                    "[gru] a bidirectional layer cannot go step by step");
  CHECK_THROWS_WITH(Rnn({.input_size = 3}, generator), "[rnn] expected hidden_size >= 1, got 0");
  CHECK_THROWS_WITH(Lstm({.input_size = 3, .hidden_size = 1, .num_layers = 0}, generator),
                    "[lstm] expected num_layers >= 1, got 0");
  CHECK_THROWS_WITH(Lstm({.input_size = 3, .hidden_size = 4, .proj_size = 4}, generator),
                    "[lstm] expected proj_size from 0 (none) to less than hidden_size 4, got 4");
  CHECK_THROWS_WITH(Lstm({.input_size = 3, .hidden_size = 4, .proj_size = -1}, generator),
                    "[lstm] expected proj_size from 0 (none) to less than hidden_size 4, got -1");
  CHECK_THROWS_WITH(Recurrent({.cell = CellKind::gru, .input_size = 3, .hidden_size = 4, .proj_size = 2}, generator),
                    "[gru] has no projection, but proj_size is 2");
  Lstm projected({.input_size = 3, .hidden_size = 4, .proj_size = 2}, generator);
  CHECK_THROWS_WITH(projected(x, {.h0 = zeros({2, 1, 4})}),
                    "[lstm] wrong shape of h0: expected [2, 1, 2], got f32 [2, 1, 4] (in lstm)");
  CHECK_THROWS_WITH(projected(x, {.c0 = zeros({2, 1, 2})}),
                    "[lstm] wrong shape of c0: expected [2, 1, 4], got f32 [2, 1, 2] (in lstm)");
  CHECK_THROWS_AS(gru(x, {.lengths = Tensor::from({6, 1}, {2}, {.dtype = DType::i64})}), Error);
  CHECK_THROWS_AS(gru(x, {.lengths = Tensor::from({-1, 1}, {2}, {.dtype = DType::i64})}), Error);
}

TEST_CASE(
    "a stacked layer takes a state dict as a whole or refuses it, names all that is missing and changes nothing") {
  Generator generator(8);
  const LstmOptions options{.input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = true};
  Lstm lstm(options, generator);
  const StateDict before = lstm.state_dict();
  Lstm other(options, generator);
  StateDict given;
  for (const NamedTensor& named : other.state_dict()) {
    if (named.name != "weight_hh_l1" && named.name != "bias_ih_l1_reverse") given.push_back(named);
  }
  CHECK_THROWS_WITH(lstm.load_state_dict(given),
                    "[load_state_dict] the dictionary does not fit lstm: missing: weight_hh_l1, bias_ih_l1_reverse");
  Lstm shallow({.input_size = 3, .hidden_size = 4, .bidirectional = true}, generator);
  CHECK_THROWS_WITH(lstm.load_state_dict(shallow.state_dict()),
                    "[load_state_dict] the dictionary does not fit lstm: missing: weight_ih_l1, weight_hh_l1, "
                    "bias_ih_l1, bias_hh_l1, weight_ih_l1_reverse, weight_hh_l1_reverse, bias_ih_l1_reverse, "
                    "bias_hh_l1_reverse");
  const StateDict after = lstm.state_dict();
  REQUIRE(after.size() == before.size());
  for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(after[i].value, before[i].value));
  lstm.load_state_dict(other.state_dict());
  CHECK(bitwise_equal(lstm.weights(1, true).bias_ih.value(), other.weights(1, true).bias_ih.value()));
}
