// SPDX-License-Identifier: MIT
// Truncated backpropagation through time: values pass from chunk to chunk, gradients do not.
#include <cstdlib>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/memory/allocator.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

constexpr int64_t kRows = 3, kChunk = 4, kChunks = 5, kWidth = 3;
constexpr int64_t kSmall = 64 << 10;  // bytes: what a thread reports late is less

const RecurrentOptions kCarriedLayers[] = {
    {.cell = CellKind::rnn, .input_size = kWidth, .hidden_size = 4, .num_layers = 2, .dtype = DType::f64},
    {.cell = CellKind::gru, .input_size = kWidth, .hidden_size = 4, .num_layers = 2, .dtype = DType::f64},
    {.cell = CellKind::lstm, .input_size = kWidth, .hidden_size = 4, .num_layers = 2, .dtype = DType::f64},
    {.cell = CellKind::lstm,
     .input_size = kWidth,
     .hidden_size = 4,
     .num_layers = 2,
     .proj_size = 2,
     .dtype = DType::f64}};

Variable chunk_of(const Variable& x, int64_t i) { return narrow(x, 1, i * kChunk, kChunk); }

double largest_entry(const Tensor& x) { return max(abs(Variable(x))).item<double>(); }

}  // namespace

TEST_CASE("chunks with a carried state give the whole sequence, and its final state") {
  const uint64_t seed = tests::seed(81);
  INFO("seed " << seed);
  for (const RecurrentOptions& options : kCarriedLayers) {
    INFO(cell_name(options.cell));
    Generator generator(seed);
    Recurrent layer(options, generator);
    const Tensor x = RandomTensors(seed).floating({kRows, kChunks * kChunk, kWidth});
    const RecurrentOutput whole = layer(x);
    CarriedState carried;
    CHECK(!carried.state().h.defined());
    std::vector<Variable> outputs;
    for (int64_t i = 0; i < kChunks; ++i) outputs.push_back(carried(layer, chunk_of(x, i)).output);
    // Products of another height add in the same order at these sizes: no difference was measured.
    CHECK(largest_error(concat(outputs, 1).value(), whole.output.value()) < 1e-14);
    CHECK(largest_error(carried.state().h.value(), whole.h.value()) < 1e-14);
    if (options.cell == CellKind::lstm) CHECK(largest_error(carried.state().c.value(), whole.c.value()) < 1e-14);
    // Somewhere else, and from the beginning again.
    CarriedState other;
    other.set_state_({.h = whole.h, .c = whole.c});
    carried.set_state_(other.state());
    CHECK(bitwise_equal(carried(layer, chunk_of(x, 0)).output.value(), other(layer, chunk_of(x, 0)).output.value()));
    carried.reset_();
    CHECK(bitwise_equal(carried(layer, chunk_of(x, 0)).output.value(), outputs[0].value()));
  }
}

TEST_CASE("rows of other lengths go on from where each ended, and an ended row keeps its state") {
  const uint64_t seed = tests::seed(82);
  INFO("seed " << seed);
  for (const RecurrentOptions& options : kCarriedLayers) {
    INFO(cell_name(options.cell));
    Generator generator(seed);
    Recurrent layer(options, generator);
    const Tensor x = RandomTensors(seed).floating({kRows, 2 * kChunk, kWidth});
    const RecurrentOutput whole = layer(x, {.lengths = tests::i64({8, 5, 2}, {kRows})});
    CarriedState carried;
    (void)carried(layer, chunk_of(x, 0), tests::i64({4, 4, 2}, {kRows}));
    const Variable second = carried(layer, chunk_of(x, 1), tests::i64({4, 1, 0}, {kRows})).output;
    CHECK(largest_error(second.value(), chunk_of(whole.output, 1).value()) < 1e-14);
    CHECK(largest_error(carried.state().h.value(), whole.h.value()) < 1e-14);
  }
}

TEST_CASE("gradients stop where a chunk begins, and are those of the chunk from a constant state") {
  const uint64_t seed = tests::seed(83);
  INFO("seed " << seed);
  for (const RecurrentOptions& options : kCarriedLayers) {
    INFO(cell_name(options.cell));
    Generator generator(seed);
    Recurrent layer(options, generator);
    RandomTensors random(seed);
    const Variable x = leaf(random.floating({kRows, 2 * kChunk, kWidth}));
    const Tensor cotangent = random.floating({kRows, kChunk, layer.state_size()});
    CarriedState carried;
    (void)carried(layer, chunk_of(x, 0));
    const RecurrentState between = carried.state();
    CHECK(!between.h.requires_grad());
    CHECK(!between.c.requires_grad());
    const Variable second = carried(layer, chunk_of(x, 1)).output;
    std::vector<Variable> inputs = {x};
    for (const NamedParameter& named : layer.parameters()) inputs.push_back(*named.parameter);
    const std::vector<Variable> gradients = grad({second}, inputs, {.cotangents = {cotangent}});
    CHECK(largest_entry(chunk_of(gradients[0], 0).value()) == 0.0);
    CHECK(largest_entry(chunk_of(gradients[0], 1).value()) > 1e-3);
    const Variable alone = layer(chunk_of(x, 1), {.h0 = between.h, .c0 = between.c}).output;
    const std::vector<Variable> expected = grad({alone}, inputs, {.cotangents = {cotangent}});
    for (size_t i = 0; i < inputs.size(); ++i) CHECK(bitwise_equal(gradients[i].value(), expected[i].value()));
    // With its history, the same state passes gradients.
    const RecurrentOutput first = layer(chunk_of(x, 0));
    const Variable through = layer(chunk_of(x, 1), {.h0 = first.h, .c0 = first.c}).output;
    CHECK(bitwise_equal(through.value(), second.value()));
    const Variable passed = grad({through}, {x}, {.cotangents = {cotangent}})[0];
    CHECK(largest_entry(chunk_of(passed, 0).value()) > 1e-6);
  }
}

TEST_CASE("detach_state keeps the numbers of a state and drops its history") {
  Generator generator(84);
  Lstm lstm({.input_size = 2, .hidden_size = 3}, generator);
  const RecurrentOutput out = lstm(uniform({2, 4, 2}, generator));
  CHECK(out.h.requires_grad());
  for (const RecurrentState& state : {detach_state(out), detach_state(RecurrentState{.h = out.h, .c = out.c})}) {
    CHECK(bitwise_equal(state.h.value(), out.h.value()));
    CHECK(bitwise_equal(state.c.value(), out.c.value()));
    CHECK(!state.h.requires_grad());
    CHECK(!state.c.requires_grad());
  }
  Gru gru({.input_size = 2, .hidden_size = 3}, generator);
  CHECK(!detach_state(gru.initial_state(2)).c.defined());
}

TEST_CASE("memory stays flat over many chunks, also when no backward pass frees the graph") {
  Generator generator(85);
  Lstm lstm({.input_size = kWidth, .hidden_size = 32}, generator);
  const Tensor x = uniform({8, 16, kWidth}, generator);
  for (const bool trains : {false, true}) {
    INFO("trains: " << trains);
    CarriedState carried;
    const auto run = [&](int64_t chunks) {
      for (int64_t i = 0; i < chunks; ++i) {
        const RecurrentOutput out = carried(lstm, x);
        if (trains) backward(mean(out.output));
      }
    };
    run(3);
    const int64_t before = memory_stats().live_bytes;
    reset_peak_memory();
    const int64_t floor = memory_stats().peak_bytes;
    run(1);
    const int64_t one = memory_stats().peak_bytes - floor;
    run(300);
    CHECK(std::abs(memory_stats().live_bytes - before) <= kSmall);
    CHECK(memory_stats().peak_bytes - floor <= one + kSmall);
    CHECK(one > kSmall);
  }
  // The graph of a chunk is what would pile up.
  RecurrentState state = lstm.initial_state(8);
  const int64_t before = memory_stats().live_bytes;
  for (int i = 0; i < 10; ++i) {
    const RecurrentOutput out = lstm(x, {.h0 = state.h, .c0 = state.c});
    state = {.h = out.h, .c = out.c};
  }
  CHECK(memory_stats().live_bytes - before > 10 * kSmall);
}

TEST_CASE("a carried state can be saved: the next chunk has the same bits") {
  Generator generator(87);
  Lstm lstm({.input_size = 3, .hidden_size = 4, .num_layers = 2}, generator);
  const Tensor x = normal({2, 5, 3}, generator);
  CarriedState carried, loaded;
  CHECK(carried.state_dict().empty());
  (void)carried(lstm, x);
  loaded.load_state_dict(carried.state_dict());
  CHECK(bitwise_equal(carried(lstm, x).output.value(), loaded(lstm, x).output.value()));
  loaded.load_state_dict({});
  CHECK_FALSE(loaded.state().h.defined());
  Tensor h = ones({1, 1, 4});
  loaded.load_state_dict({{"h", h}});
  h.add_(ones({1, 1, 4}));
  CHECK(bitwise_equal(loaded.state().h.value(), ones({1, 1, 4})));
  CHECK_THROWS_WITH(loaded.load_state_dict({{"c", zeros({1, 1, 4})}}), "[CarriedState::load_state_dict] missing: h");
  CHECK_THROWS_WITH(loaded.load_state_dict({{"g", zeros({1, 1, 4})}}), "[CarriedState::load_state_dict] unexpected: g");
  CHECK_THROWS_WITH(loaded.load_state_dict({{"h", zeros({1, 4})}}),
                    "[CarriedState::load_state_dict] expected h as floating [B, L, H], got f32 [1, 4]");
  CHECK_THROWS_WITH(loaded.load_state_dict({{"h", zeros({1, 1, 4})}, {"h", zeros({1, 1, 4})}}),
                    "[CarriedState::load_state_dict] given twice: h");
  CHECK_THROWS_WITH(loaded.load_state_dict({{"c", zeros({2, 1, 4})}, {"h", zeros({1, 1, 4})}}),
                    "[CarriedState::load_state_dict] expected c with the B, L and dtype of h, got c: f32 [2, 1, 4], h: "
                    "f32 [1, 1, 4]");
}

TEST_CASE("a carried state says what does not fit") {
  Generator generator(86);
  Gru both({.input_size = 3, .hidden_size = 4, .bidirectional = true}, generator);
  CarriedState carried;
  CHECK_THROWS_WITH(carried(both, zeros({2, 5, 3})),
                    "[CarriedState] a bidirectional gru cannot go on from chunk to chunk");
  Gru gru({.input_size = 3, .hidden_size = 4}, generator);
  (void)carried(gru, zeros({2, 5, 3}));
  CHECK_THROWS_WITH(carried(gru, zeros({1, 5, 3})),
                    "[gru] wrong shape of h0: expected [1, 1, 4], got f32 [2, 1, 4] (in gru)");
}
