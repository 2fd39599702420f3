// SPDX-License-Identifier: MIT
// checkpoint_over_time: the numbers of the plain call, in memory that grows as the square root of the steps.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/detail/lengths.hpp>

#include "tests/support/allocator_mode.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

constexpr int64_t kCutRows = 4, kCutTime = 7, kCutInput = 3;

RecurrentOptions cut_options(CellKind cell, int64_t proj_size = 0) {
  return {.cell = cell,
          .input_size = kCutInput,
          .hidden_size = 4,
          .num_layers = 2,
          .initial_state = InitialState::learned,
          .proj_size = proj_size,
          .dtype = DType::f64};
}

const RecurrentOptions kCut[] = {cut_options(CellKind::rnn), cut_options(CellKind::gru), cut_options(CellKind::lstm),
                                 cut_options(CellKind::lstm, 2)};

std::vector<Variable> all_of(const RecurrentOutput& out) {
  return out.c.defined() ? std::vector<Variable>{out.output, out.h, out.c} : std::vector<Variable>{out.output, out.h};
}

// Compares two calls, of which `cut` is in segments: outputs and the gradients by `inputs`.
void require_same(const RecurrentOutput& whole, const RecurrentOutput& cut, const std::vector<Variable>& inputs,
                  RandomTensors& random) {
  const std::vector<Variable> expected = all_of(whole), found = all_of(cut);
  std::vector<Variable> cotangents;
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(bitwise_equal(found[i].value().contiguous(), expected[i].value().contiguous()));
    cotangents.emplace_back(random.floating(expected[i].shape()));
  }
  const std::vector<Variable> plain = grad(expected, inputs, {.cotangents = cotangents});
  const std::vector<Variable> again = grad(found, inputs, {.cotangents = cotangents});
  // Sums of at most 28 products of numbers near 1, in another order; measured: 2e-15.
  for (size_t i = 0; i < inputs.size(); ++i) CHECK(largest_error(again[i].value(), plain[i].value()) < 1e-13);
}

// The largest number of live bytes of a forward and a backward pass, beyond those before.
template <class Call>
int64_t peak_of(const Call& call, const Tensor& x) {
  const int64_t before = memory_stats().live_bytes;
  reset_peak_memory();
  backward(sum(call(leaf(x)).output));
  return memory_stats().peak_bytes - before;
}

}  // namespace

TEST_CASE("segments give the bits of the whole sequence, and its gradients but for rounding") {
  const uint64_t seed = tests::seed(93);
  INFO("seed " << seed);
  for (const RecurrentOptions& options : kCut) {
    Generator generator(seed);
    Recurrent layer(options, generator);
    RandomTensors random(seed);
    for (const NamedParameter& named : layer.parameters())
      named.parameter->assign_(random.floating(named.parameter->shape()));
    const Variable x = leaf(random.floating({kCutRows, kCutTime, kCutInput}));
    const Variable h0 = leaf(random.floating({kCutRows, 2, layer.state_size()}));
    const bool has_cell = options.cell == CellKind::lstm;
    const Variable c0 = has_cell ? leaf(random.floating({kCutRows, 2, 4})) : Variable();
    for (const int64_t segment : {0, 1, 3, 7, 9}) {
      for (const bool given : {false, true}) {
        for (const Tensor& lengths : {Tensor(), tests::i64({7, 4, 3, 0}, {kCutRows})}) {
          INFO(cell_name(options.cell) << ", segments of " << segment << ", given states " << given << ", lengths "
                                       << lengths.defined());
          RecurrentInput input{.lengths = lengths};
          std::vector<Variable> by = {x};
          for (const NamedParameter& named : layer.parameters()) {
            if (!given || named.name[1] != '0') by.push_back(*named.parameter);  // not h0_l0, c0_l0, ...
          }
          if (given) {
            input.h0 = h0;
            input.c0 = c0;
            by.push_back(h0);
            if (has_cell) by.push_back(c0);
          }
          require_same(layer(x, input), checkpoint_over_time(layer, x, input, {.segment_length = segment}), by, random);
        }
      }
    }
  }
}

TEST_CASE("segments of symbols give the table its gradient, and no step is no segment") {
  const uint64_t seed = tests::seed(94);
  INFO("seed " << seed);
  Generator generator(seed);
  Recurrent layer(kCut[1], generator);
  RandomTensors random(seed);
  const Variable table = leaf(random.floating({5, kCutInput}));
  const Tensor symbols = randint({kCutRows, kCutTime}, generator, {.low = 0, .high = 5});
  const EmbeddedSymbols x{table, symbols};
  const RecurrentInput input{.lengths = tests::i64({7, 5, 1, 0}, {kCutRows})};
  std::vector<Variable> inputs = {table};
  for (const NamedParameter& named : layer.parameters()) inputs.push_back(*named.parameter);
  require_same(layer(x, input), checkpoint_over_time(layer, x, input), inputs, random);

  const Tensor nothing = zeros({2, 0, kCutInput}, {.dtype = DType::f64});
  CHECK(checkpoint_over_time(layer, nothing).output.shape() == Shape({2, 0, 4}));
  const EmbeddedSymbols none{table, symbols.slice(1, 0, 0)};
  CHECK(checkpoint_over_time(layer, none).output.shape() == Shape({kCutRows, 0, 4}));
}

TEST_CASE("segments pass gradcheck at first and second order, with dropout between the layers") {
  const uint64_t seed = tests::seed(95);
  for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
    Generator generator(seed);
    Recurrent layer(
        {.cell = cell, .input_size = kCutInput, .hidden_size = 3, .num_layers = 2, .dropout = 0.3, .dtype = DType::f64},
        generator);
    const Tensor lengths = tests::i64({5, 2}, {2});
    const auto f = [&](const std::vector<Variable>& in) {
      return all_of(checkpoint_over_time(layer, in[0], {.h0 = in[1], .lengths = lengths}, {.segment_length = 2}));
    };
    RandomTensors random(seed);
    const Tensor keep = valid_steps(lengths, 5).unsqueeze(2).expand({2, 5, kCutInput}).clone();
    const GradcheckReport report = gradcheck(layer,
                                             {{.name = "x", .value = random.floating({2, 5, kCutInput}), .keep = keep},
                                              {.name = "h0", .value = random.floating({2, 2, 3})}},
                                             f, {.order = 2, .seed = seed});
    INFO(cell_name(cell) << ", seed " << seed << "\n" << report.text());
    CHECK(report.ok);
    CHECK(report.worst_error(1) < 1e-8);
    CHECK(report.worst_error(2) < 1e-8);
  }
}

TEST_CASE("the memory of segments grows as the square root of the steps, and that of the plain call with the steps") {
  const tests::AllocatorModeScope caching(AllocatorMode::caching);
  Generator generator(96);
  // x, the output and their gradients grow with the steps: one number each.
  Lstm lstm({.input_size = 1, .hidden_size = 128, .proj_size = 1}, generator);
  const auto plain = [&](const Variable& x) { return lstm(x); };
  const auto cut = [&](const Variable& x) { return checkpoint_over_time(lstm, x); };
  const Tensor few = uniform({2, 256, 1}, generator), many = uniform({2, 4096, 1}, generator);
  static_cast<void>(peak_of(plain, few));  // the first call makes the gradients of the weights
  const auto plain_few = static_cast<double>(peak_of(plain, few)),
             plain_many = static_cast<double>(peak_of(plain, many));
  const auto cut_few = static_cast<double>(peak_of(cut, few)), cut_many = static_cast<double>(peak_of(cut, many));
  INFO("bytes of 256 and 4096 steps: plain " << plain_few << " and " << plain_many << ", in segments " << cut_few
                                             << " and " << cut_many);
  CHECK(plain_many / plain_few > 12.0);
  CHECK(cut_many / cut_few < 5.5);
  CHECK(cut_many < plain_many / 20);
}

TEST_CASE("a layer keeps for each step, row and unit 2 numbers of an RNN, 8 of a GRU and 10 of an LSTM") {
  const tests::AllocatorModeScope caching(AllocatorMode::caching);
  constexpr int64_t kKeptUnits = 64, kKeptRows = 4;
  const int64_t expected[] = {2, 8, 10};
  for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
    Generator generator(97);
    Recurrent layer({.cell = cell, .input_size = 1, .hidden_size = kKeptUnits}, generator);
    const auto kept = [&](int64_t time) {
      const Tensor x = ones({kKeptRows, time, 1});
      const int64_t before = memory_stats().live_bytes;
      const RecurrentOutput out = layer(x);
      return memory_stats().live_bytes - before;
    };
    INFO(cell_name(cell));
    CHECK(kept(200) - kept(100) == 100 * kKeptRows * kKeptUnits * expected[static_cast<int>(cell)] * 4);
  }
}

TEST_CASE("checkpoint_over_time says what it cannot cut and what does not fit") {
  Generator generator(98);
  const Tensor x = zeros({2, 5, 3});
  Gru both({.input_size = 3, .hidden_size = 4, .bidirectional = true}, generator);
  CHECK_THROWS_WITH(checkpoint_over_time(both, x),
                    "[checkpoint_over_time] a bidirectional gru cannot be cut into segments: its reverse direction "
                    "starts at the end");
  Lstm shared({.input_size = 3, .hidden_size = 4, .num_layers = 2, .variational_dropout = 0.5}, generator);
  CHECK_THROWS_WITH(checkpoint_over_time(shared, x),
                    "[checkpoint_over_time] a lstm with variational_dropout cannot be cut into segments: one mask is "
                    "for all steps");
  Gru gru({.input_size = 3, .hidden_size = 4}, generator);
  CHECK_THROWS_WITH(checkpoint_over_time(gru, x, {}, {.segment_length = -1}),
                    "[checkpoint_over_time] expected segment_length >= 0, got -1");
  CHECK_THROWS_WITH(checkpoint_over_time(gru, zeros({5, 3})),
                    "[checkpoint_over_time] expected x [B, T, in], got f32 [5, 3]");
  CHECK_THROWS_WITH(checkpoint_over_time(gru, EmbeddedSymbols{zeros({5, 3}), zeros({4}, {.dtype = DType::i64})}),
                    "[checkpoint_over_time] expected symbols [B, T], got i64 [4]");
  CHECK_THROWS_WITH(checkpoint_over_time(gru, x, {.lengths = tests::i64({6, 1}, {2})}),
                    tests::contains_text("[checkpoint_over_time] wrong lengths: expected i64 [2], each from 0 to 5"));
  CHECK_THROWS_WITH(checkpoint_over_time(gru, x, {.h0 = zeros({2, 1, 3})}),
                    "[gru] wrong shape of h0: expected [2, 1, 4], got f32 [2, 1, 3]");
  CHECK_THROWS_WITH(checkpoint_over_time(gru, zeros({2, 5, 2})),
                    "[gru] expected x [B, T, 3], got f32 [2, 3, 2] (in gru)");
}
