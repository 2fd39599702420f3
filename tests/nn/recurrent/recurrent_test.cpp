// SPDX-License-Identifier: MIT
// Compares recurrent layers with scalar loops, and tests lengths, padding, and steps against sequences.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

constexpr int64_t kBatch = 4, kSteps = 5, kInput = 3, kHidden = 4;
const int64_t kLengths[] = {5, 4, 1, 0};

Tensor lengths() { return Tensor::from<int64_t>(kLengths, {kBatch}); }

struct Variant {
  const char* name;
  CellKind cell;
  bool reset_after;
};
const Variant kVariants[] = {{"rnn", CellKind::rnn, true},
                             {"gru", CellKind::gru, true},
                             {"gru, reset before", CellKind::gru, false},
                             {"lstm", CellKind::lstm, true}};

RecurrentOptions options_of(const Variant& variant, int64_t layers = 1, bool bidirectional = false) {
  return {.cell = variant.cell,
          .input_size = kInput,
          .hidden_size = kHidden,
          .num_layers = layers,
          .bidirectional = bidirectional,
          .reset_after = variant.reset_after,
          .dtype = DType::f64};
}

double sigmoid_of(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// One cell by the formulas in PyTorch's documentation (and Cho et al. 2014 for reset before), one number at a time.
struct ScalarCell {
  Variant variant;
  Tensor w_ih, w_hh, b_ih, b_hh;
  std::vector<double> h = std::vector<double>(kHidden, 0.0);
  std::vector<double> c = std::vector<double>(kHidden, 0.0);

  double from_input(int64_t gate, int64_t unit, const Tensor& x, int64_t b, int64_t t) const {
    const int64_t row = gate * kHidden + unit;
    double sum = b_ih.at({row});
    for (int64_t d = 0; d < x.size(2); ++d) sum += w_ih.at({row, d}) * x.at({b, t, d});
    return sum;
  }
  double from_state(int64_t gate, int64_t unit, const std::vector<double>& state) const {
    const int64_t row = gate * kHidden + unit;
    double sum = b_hh.at({row});
    for (size_t d = 0; d < state.size(); ++d) sum += w_hh.at({row, static_cast<int64_t>(d)}) * state[d];
    return sum;
  }

  void step(const Tensor& x, int64_t b, int64_t t) {
    const std::vector<double> before = h;
    const auto gate = [&](int64_t k, int64_t u) { return from_input(k, u, x, b, t) + from_state(k, u, before); };
    std::vector<double> reset_state(kHidden);
    for (int64_t u = 0; u < kHidden && variant.cell == CellKind::gru; ++u) {
      reset_state[static_cast<size_t>(u)] = sigmoid_of(gate(0, u)) * before[static_cast<size_t>(u)];
    }
    for (int64_t u = 0; u < kHidden; ++u) {
      const auto at = static_cast<size_t>(u);
      if (variant.cell == CellKind::rnn) {
        h[at] = std::tanh(gate(0, u));
      } else if (variant.cell == CellKind::gru) {
        const double z = sigmoid_of(gate(1, u));
        const double n = variant.reset_after
                             ? std::tanh(from_input(2, u, x, b, t) + sigmoid_of(gate(0, u)) * from_state(2, u, before))
                             : std::tanh(from_input(2, u, x, b, t) + from_state(2, u, reset_state));
        h[at] = (1.0 - z) * n + z * before[at];
      } else {
        c[at] = sigmoid_of(gate(1, u)) * c[at] + sigmoid_of(gate(0, u)) * std::tanh(gate(2, u));
        h[at] = sigmoid_of(gate(3, u)) * std::tanh(c[at]);
      }
    }
  }
};

// One direction of one layer over x, from zero states.
Tensor by_loops(const Variant& variant, const StateDict& state, size_t first, const Tensor& x, bool reverse) {
  Tensor output = zeros({kBatch, kSteps, kHidden}, {.dtype = DType::f64});
  double* out = output.mutable_data_<double>();
  for (int64_t b = 0; b < kBatch; ++b) {
    ScalarCell cell{variant, state[first].value, state[first + 1].value, state[first + 2].value,
                    state[first + 3].value};
    for (int64_t i = 0; i < kLengths[b]; ++i) {
      const int64_t t = reverse ? kLengths[b] - 1 - i : i;
      cell.step(x, b, t);
      for (int64_t u = 0; u < kHidden; ++u) out[(b * kSteps + t) * kHidden + u] = cell.h[static_cast<size_t>(u)];
    }
  }
  return output;
}

std::vector<Variable> leaves_of(const std::vector<Tensor>& tensors) {
  std::vector<Variable> leaves;
  for (const Tensor& tensor : tensors) leaves.push_back(leaf(tensor));
  return leaves;
}

// The outputs, and the gradients of a random combination of them.
struct Run {
  std::vector<Tensor> outputs;
  std::vector<Tensor> gradients;
};

Run run(Recurrent& layer, const std::vector<Tensor>& inputs, const Tensor& lengths) {
  std::vector<Variable> targets = leaves_of(inputs);
  const RecurrentOutput out =
      layer(targets[0], {.h0 = targets[1], .c0 = targets.size() > 2 ? targets[2] : Variable(), .lengths = lengths});
  Run result;
  RandomTensors random(5);
  Variable loss;
  for (const Variable& value :
       {out.output.size(1) > kSteps ? narrow(out.output, 1, 0, kSteps) : out.output, out.h, out.c}) {
    if (!value.defined()) continue;
    result.outputs.push_back(value.value());
    const Variable part = sum(value * Variable(random.floating(value.shape())));
    loss = loss.defined() ? loss + part : part;
  }
  for (const NamedParameter& named : layer.parameters()) targets.push_back(named.parameter->variable());
  for (const Variable& gradient : grad({loss}, targets)) result.gradients.push_back(gradient.value());
  return result;
}

std::vector<Tensor> inputs_for(const Variant& variant, int64_t layers, RandomTensors& random) {
  std::vector<Tensor> inputs = {random.floating({kBatch, kSteps, kInput})};
  const int states = variant.cell == CellKind::lstm ? 2 : 1;
  for (int i = 0; i < states; ++i) inputs.push_back(random.floating({kBatch, 2 * layers, kHidden}));
  return inputs;
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.size(); ++i) same = bitwise_equal(a[i].contiguous(), b[i].contiguous());
  return same;
}

// A copy with other values at and after each row's length.
Tensor with_padding(const Tensor& x, double value) {
  Tensor result = x.clone();
  for (int64_t b = 0; b < kBatch; ++b) {
    Tensor rest = result.select(0, b).slice(0, kLengths[b], x.size(1));
    rest.fill_(value);
  }
  return result;
}

}  // namespace

TEST_CASE("every cell equals its formula, computed one number at a time, in both directions and with lengths") {
  const uint64_t seed = tests::seed(51);
  for (const Variant& variant : kVariants) {
    INFO(variant.name << ", seed " << seed);
    Generator generator(seed);
    Recurrent layer(options_of(variant, 2, true), generator);
    const Tensor x = RandomTensors(seed).floating({kBatch, kSteps, kInput});
    const StateDict state = layer.state_dict();
    const Tensor first =
        concat({by_loops(variant, state, 0, x, false), by_loops(variant, state, 4, x, true)}, -1).value();
    const Tensor second =
        concat({by_loops(variant, state, 8, first, false), by_loops(variant, state, 12, first, true)}, -1).value();
    const RecurrentOutput out = layer(x, {.lengths = lengths()});
    // Measured over four seeds: at most 3.4e-16.
    CHECK(largest_error(out.output.value(), second) < 1e-14);
    // The final state is that of the last step: the end of the row when forward, its beginning in reverse, zero at
    // length 0.
    for (int64_t b = 0; b < kBatch; ++b) {
      const int64_t last = kLengths[b] - 1;
      for (int64_t u = 0; u < kHidden; ++u) {
        const double forward = last < 0 ? 0.0 : second.at({b, last, u});
        const double backward = last < 0 ? 0.0 : second.at({b, 0, kHidden + u});
        CHECK(std::abs(out.h.value().at({b, 2, u}) - forward) < 1e-14);
        CHECK(std::abs(out.h.value().at({b, 3, u}) - backward) < 1e-14);
      }
    }
  }
}

TEST_CASE("padding is exactly zero in the output, and its content changes no bit of anything") {
  const uint64_t seed = tests::seed(52);
  for (const Variant& variant : kVariants) {
    INFO(variant.name << ", seed " << seed);
    Generator generator(seed);
    Recurrent layer(options_of(variant, 3, true), generator);
    RandomTensors random(seed);
    std::vector<Tensor> inputs = inputs_for(variant, 3, random);
    const Run plain = run(layer, inputs, lengths());
    for (int64_t b = 0; b < kBatch; ++b) {
      CHECK(all_zero(plain.outputs[0].select(0, b).slice(0, kLengths[b], kSteps)));
      CHECK(all_zero(plain.gradients[0].select(0, b).slice(0, kLengths[b], kSteps)));
    }
    CHECK(!all_zero(plain.gradients[0].select(0, 2).slice(0, 0, 1)));
    for (double content : {0.0, -1e30, 1e300}) {
      inputs[0] = with_padding(inputs[0], content);
      const Run other = run(layer, inputs, lengths());
      CHECK(same_bits(plain.outputs, other.outputs));
      CHECK(same_bits(plain.gradients, other.gradients));
    }
  }
}

TEST_CASE("more padding changes neither outputs nor states nor gradients") {
  const uint64_t seed = tests::seed(53);
  for (const Variant& variant : kVariants) {
    INFO(variant.name << ", seed " << seed);
    Generator generator(seed);
    Recurrent layer(options_of(variant, 3, true), generator);
    RandomTensors random(seed);
    std::vector<Tensor> inputs = inputs_for(variant, 3, random);
    const Run plain = run(layer, inputs, lengths());
    inputs[0] = concat({inputs[0], random.floating({kBatch, 3, kInput})}, 1).value();
    Run longer = run(layer, inputs, lengths());
    longer.gradients[0] = longer.gradients[0].slice(1, 0, kSteps);
    REQUIRE(plain.outputs.size() == longer.outputs.size());
    // Products over more rows may add in another order. At these sizes they do not (measured: 0).
    for (size_t i = 0; i < plain.outputs.size(); ++i) {
      CHECK(largest_error(plain.outputs[i], longer.outputs[i]) < 1e-13);
    }
    for (size_t i = 0; i < plain.gradients.size(); ++i) {
      CHECK(largest_error(plain.gradients[i], longer.gradients[i]) < 1e-13);
    }
  }
}

TEST_CASE("a row of length 0 leaves the initial state as it is, bit by bit") {
  const uint64_t seed = tests::seed(54);
  for (const Variant& variant : kVariants) {
    INFO(variant.name << ", seed " << seed);
    Generator generator(seed);
    Recurrent layer(options_of(variant, 3, true), generator);
    RandomTensors random(seed);
    const std::vector<Tensor> inputs = inputs_for(variant, 3, random);
    const Run plain = run(layer, inputs, lengths());
    for (size_t state = 1; state < inputs.size(); ++state) {
      CHECK(bitwise_equal(plain.outputs[state].select(0, 3).contiguous(), inputs[state].select(0, 3).contiguous()));
    }
  }
}

TEST_CASE("step by step equals the whole sequence, and forward of length 1 to the bit") {
  const uint64_t seed = tests::seed(55);
  for (const Variant& variant : kVariants) {
    INFO(variant.name << ", seed " << seed);
    Generator generator(seed);
    Recurrent layer(options_of(variant, 2), generator);
    const Tensor x = RandomTensors(seed).floating({kBatch, kSteps, kInput});
    const RecurrentOutput whole = layer(x);
    RecurrentState state = layer.initial_state(kBatch);
    for (int64_t t = 0; t < kSteps; ++t) {
      const RecurrentOutput one = layer(x.slice(1, t, t + 1), {.h0 = state.h, .c0 = state.c});
      state = layer.step(x.select(1, t), state);
      CHECK(bitwise_equal(one.h.value().contiguous(), state.h.value().contiguous()));
      // Products of another height may add in another order. At these sizes they do not (measured: 0).
      CHECK(largest_error(state.h.value().select(1, 1), whole.output.value().select(1, t)) < 1e-14);
    }
    CHECK(largest_error(state.h.value(), whole.h.value()) < 1e-14);
    if (variant.cell == CellKind::lstm) CHECK(largest_error(state.c.value(), whole.c.value()) < 1e-14);
  }
}

TEST_CASE("rows do not know each other: each alone gives what it gives in the batch") {
  const uint64_t seed = tests::seed(56);
  for (const Variant& variant : kVariants) {
    INFO(variant.name << ", seed " << seed);
    Generator generator(seed);
    Recurrent layer(options_of(variant, 2, true), generator);
    const Tensor x = RandomTensors(seed).floating({kBatch, kSteps, kInput});
    const RecurrentOutput all = layer(x, {.lengths = lengths()});
    for (int64_t b = 0; b + 1 < kBatch; ++b) {
      const Tensor row = x.slice(0, b, b + 1).slice(1, 0, kLengths[b]);
      const Tensor alone = layer(row).output.value();
      const Tensor together = all.output.value().slice(0, b, b + 1).slice(1, 0, kLengths[b]);
      CHECK(largest_error(alone, together) < 1e-14);
    }
  }
}

TEST_CASE("a GRU layer gives the same bits on 1, 2 and 3 threads, forward and backward") {
  const uint64_t seed = tests::seed(57);
  INFO("seed " << seed);
  std::vector<Run> runs;
  for (int threads : {1, 2, 3}) {
    const detail::ThreadCountScope scope(threads);
    Generator generator(seed);
    Gru layer({.input_size = 40, .hidden_size = 64, .bidirectional = true}, generator);
    const Variable x = leaf(uniform({70, 9, 40}, generator, {.low = -1.0}));
    const RecurrentOutput out = layer(x);
    std::vector<Variable> targets = {x};
    for (const NamedParameter& named : layer.parameters()) targets.push_back(named.parameter->variable());
    Run result;
    result.outputs = {out.output.value(), out.h.value()};
    for (const Variable& gradient : grad({sum(out.output * out.output)}, targets)) {
      result.gradients.push_back(gradient.value());
    }
    runs.push_back(result);
  }
  for (size_t i = 1; i < runs.size(); ++i) {
    CHECK(same_bits(runs[0].outputs, runs[i].outputs));
    CHECK(same_bits(runs[0].gradients, runs[i].gradients));
  }
}

TEST_CASE("symbols that are projected in their table give what their embeddings give") {
  const uint64_t seed = tests::seed(58);
  INFO("seed " << seed);
  Generator generator(seed);
  Recurrent layer(options_of(kVariants[1], 2, true), generator);
  RandomTensors random(seed);
  // There are 20 symbols. A table of 6 rows is projected as a whole; of a table of 50, the rows are looked up first.
  for (int64_t rows : {6, 50}) {
    const Tensor table = random.floating({rows, kInput});
    const Tensor symbols = random.integers({kBatch, kSteps}, 0, rows);
    const Variable before = leaf(table);
    const Variable after = leaf(table);
    const RecurrentOutput plain = layer(embedding(before, symbols), {.lengths = lengths()});
    const RecurrentOutput projected = layer(EmbeddedSymbols{after, symbols}, {.lengths = lengths()});
    CHECK(largest_error(plain.output.value(), projected.output.value()) < 1e-14);
    const Tensor weights = random.floating(plain.output.shape());
    const Tensor expected = grad({sum(plain.output * Variable(weights))}, {before})[0].value();
    const Tensor gradient = grad({sum(projected.output * Variable(weights))}, {after})[0].value();
    CHECK(!all_zero(gradient));
    // Measured over four seeds: at most 2.3e-16.
    CHECK(largest_error(expected, gradient) < 1e-13);
  }
  CHECK_THROWS_WITH(layer(EmbeddedSymbols{zeros({4, 2}), zeros({2, 3}, {.dtype = DType::i64})}),
                    "[gru] expected a table [V, 3] and symbols [B, T], got f32 [4, 2] and i64 [2, 3] (in gru)");
}
