// SPDX-License-Identifier: MIT
// Properties of sequence layers. The layers of the library have them, layers with a planted violation do not, and the
// report names the place.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/check/layer_list.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

using Values = std::vector<Variable>;

constexpr int64_t kBatch = 4, kTime = 5, kInput = 3, kHidden = 4;

uint64_t seed() { return tests::seed(51); }
PropertyOptions options() { return {.seed = seed()}; }

Tensor lengths() { return Tensor::from({5, 4, 1, 0}, {kBatch}, {.dtype = DType::i64}); }

Tensor drawn(const Shape& shape, DType dtype = DType::f64, uint64_t more = 0) {
  return RandomTensors(seed() + more).floating(shape, dtype, {.low = -1.0, .high = 1.0});
}

NamedInput x_input(DType dtype = DType::f64) { return {"x", drawn({kBatch, kTime, kInput}, dtype)}; }

void check_passes(const PropertyReport& report) {
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.compared > 0);
  CHECK(report.sentences.empty());
  CHECK_THAT(report.text(), tests::contains_text("PASS  "));
}

void check_fails(const PropertyReport& report, const std::string& part) {
  INFO(report.text());
  CHECK(!report.ok);
  CHECK(report.violations > 0);
  CHECK_THAT(report.text(), tests::contains_text("FAIL  "));
  CHECK_THAT(report.text(), tests::contains_text(part));
}

Recurrent recurrent(CellKind cell, DType dtype, Generator& generator, bool bidirectional = false) {
  return Recurrent({.cell = cell,
                    .input_size = kInput,
                    .hidden_size = kHidden,
                    .num_layers = 2,
                    .bidirectional = bidirectional,
                    .dtype = dtype},
                   generator);
}

constexpr CellKind kCells[] = {CellKind::rnn, CellKind::gru, CellKind::lstm};
constexpr DType kDTypes[] = {DType::f32, DType::f64};

Values all_outputs(const RecurrentOutput& out) {
  return out.c.defined() ? Values{out.output, out.h, out.c} : Values{out.output, out.h};
}

// One step of a layer in the form for check_step_equals_sequence: the output is the last layer's state.
Values step_outputs(Recurrent& layer, const Values& in) {
  const RecurrentState after = layer.step(in[0], {.h = in[1], .c = in.size() > 2 ? in[2] : Variable()});
  const Variable output = select(after.h, 1, after.h.size(1) - 1);
  return after.c.defined() ? Values{output, after.h, after.c} : Values{output, after.h};
}

// y_t = the mean of x over all times, the simplest leak.
Variable mean_over_time(const Variable& x) { return expand(mean(x, {1}, {.keepdim = true}), x.shape()); }

}  // namespace

TEST_CASE("properties: recurrent layers have all of them") {
  for (CellKind cell : kCells) {
    for (DType dtype : kDTypes) {
      Generator generator(seed());
      Recurrent layer = recurrent(cell, dtype, generator);
      Recurrent both = recurrent(cell, dtype, generator, true);
      INFO(cell_name(cell) << " in " << dtype_name(dtype));
      const NamedInput x = x_input(dtype);
      check_passes(check_causal([&](const Values& in) { return layer(in[0]).output; }, {x}, {}, options()));
      const auto padded = [&](const Values& in) { return all_outputs(both(in[0], {.lengths = lengths()})); };
      check_passes(check_padding_invariance(padded, {x}, {.lengths = lengths()}, options()));
      const auto items = [&](const Values& in) { return all_outputs(both(in[0], {.lengths = in[1].value()})); };
      check_passes(check_batch_independence(items, {x, {"lengths", lengths()}}, {}, options()));
      check_passes(check_determinism(items, {x, {"lengths", lengths()}}, options()));
      std::vector<NamedInput> with_states = {x, {"h0", drawn({kBatch, 2, kHidden}, dtype, 1)}};
      if (cell == CellKind::lstm) with_states.push_back({"c0", drawn({kBatch, 2, kHidden}, dtype, 2)});
      check_passes(check_step_equals_sequence(
          [&](const Values& in) {
            return all_outputs(layer(in[0], {.h0 = in[1], .c0 = in.size() > 2 ? in[2] : Variable()}));
          },
          [&](const Values& in) { return step_outputs(layer, in); }, with_states, options()));
    }
  }
}

TEST_CASE("properties: attention layers have all of them") {
  Generator generator(seed());
  AdditiveAttention additive({.query_size = 3, .key_size = 4, .attention_size = 5, .dtype = DType::f64}, generator);
  DotAttention dot({.query_size = 3, .key_size = 4, .dtype = DType::f64}, generator);
  const Tensor key_lengths = Tensor::from({4, 2, 0}, {3}, {.dtype = DType::i64});
  const std::vector<NamedInput> inputs = {{"memory", drawn({3, 4, 4})}, {"query", drawn({3, 2, 3}, DType::f64, 1)}};
  const auto hold = [&](auto& layer) {
    const Mask by_length = Mask::from_lengths(key_lengths);
    const Mask both = by_length & Mask::causal();
    const auto masked = [&](const Values& in) {
      const AttentionOutput out = layer(in[1], layer.prepare(in[0], both));
      return Values{out.context, out.weights};
    };
    check_passes(check_mask(masked, inputs, {.mask = both}, options()));
    check_passes(check_mask(masked, inputs, {.mask = by_length}, options()));
    check_passes(check_determinism(masked, inputs, options()));
    const auto padded = [&](const Values& in) { return layer(in[1], layer.prepare(in[0], by_length)).context; };
    check_passes(check_padding_invariance(padded, inputs, {.lengths = key_lengths}, options()));
    const auto items = [&](const Values& in) {
      return layer(in[1], layer.prepare(in[0], Mask::from_lengths(in[2].value()))).context;
    };
    check_passes(check_batch_independence(items, {inputs[0], inputs[1], {"lengths", key_lengths}}, {}, options()));
  };
  hold(additive);
  hold(dot);
}

TEST_CASE("properties: every layer of the list gives the same bits in every run") {
  int64_t without_inputs = 0;
  for (const LayerCase& layer : all_layers()) {
    Generator generator(seed());
    const Owned<LayerSample> sample = layer.make(generator);
    sample->module().eval_();
    INFO(layer.name);
    if (sample->inputs().empty()) {
      ++without_inputs;  // these take symbols; the battery over layers checks them
      continue;
    }
    check_passes(check_determinism([&](const Values& in) { return sample->run(in); }, sample->inputs(), options()));
  }
  CHECK(without_inputs < static_cast<int64_t>(all_layers().size()) / 2);
}

TEST_CASE("properties: symbols are padded like numbers") {
  Generator generator(seed());
  Seq2Seq layer({.source_vocab = 5, .target_vocab = 4, .embedding_size = 3, .hidden_size = 2}, generator);
  layer.eval_();
  const Tensor source = RandomTensors(seed()).integers({3, 4}, 0, 5);
  const Tensor target = RandomTensors(seed() + 1).integers({3, 3}, 0, 4);
  const Tensor of_source = Tensor::from({4, 2, 1}, {3}, {.dtype = DType::i64});
  const auto run = [&](const Values& in) { return layer(in[0].value(), of_source, target); };
  check_passes(check_padding_invariance(run, {{"source", source}}, {.lengths = of_source}, options()));
}

TEST_CASE("properties: a layer that leaks the future is not causal") {
  check_fails(check_causal([](const Values& in) { return mean_over_time(in[0]); }, {x_input()}, {}, options()),
              "input x from time 1 on has other content, and output 0 changes at [0, 0, 0]");
  const auto in_gradients_alone = [](const Values& in) {
    const Variable leak = mean_over_time(in[0]);
    return in[0] + (leak - leak.detach());
  };
  check_fails(check_causal(in_gradients_alone, {x_input()}, {}, options()),
              "from time 1 on must have no influence, and its gradient is not 0 at [0, 1, 0]");
  const auto one_ahead = [](const Values& in) { return concat({slice(in[0], 1, 1, kTime), slice(in[0], 1, 0, 1)}, 1); };
  check_fails(check_causal(one_ahead, {x_input()}, {}, options()), "output 0 changes at [0, 0, 0]");
  const auto identity = [](const Values& in) { return in[0] * 2.0; };
  check_passes(check_causal(identity, {x_input()}, {}, options()));
  check_fails(check_causal(identity, {x_input()}, {.reach = -1}, options()), "from time 0 on");
  Generator generator(seed());
  Recurrent both = recurrent(CellKind::gru, DType::f64, generator, true);
  check_fails(check_causal([&](const Values& in) { return both(in[0]).output; }, {x_input()}, {}, options()),
              "must have no influence, and its gradient is not 0 at");
}

TEST_CASE("properties: a layer that reads padding is found, by content and by padded length") {
  const PaddingCase padding{.lengths = lengths()};
  const auto last_step = [](const Values& in) { return select(in[0], 1, in[0].size(1) - 1); };
  check_fails(check_padding_invariance(last_step, {x_input()}, padding, options()),
              "padding of input x has other content, and output 0 changes at [1, 0]");
  Generator generator(seed());
  Recurrent layer = recurrent(CellKind::lstm, DType::f64, generator);
  const auto no_lengths = [&](const Values& in) { return all_outputs(layer(in[0])); };
  check_fails(check_padding_invariance(no_lengths, {x_input()}, padding, options()), "and output 1 changes");
  const auto counts_steps = [](const Values& in) { return in[0] * (1.0 + 0.001 * static_cast<double>(in[0].size(1))); };
  check_fails(check_padding_invariance(counts_steps, {x_input()}, padding, options()),
              "padded to 6 instead of 5, output 0 changes at [0, 0, 0]");
  check_passes(check_padding_invariance([](const Values& in) { return tanh(in[0]); }, {x_input()}, padding, options()));
}

TEST_CASE("properties: a mask that leaks, in values or in gradients alone") {
  const Tensor keep = Tensor::from({1, 1, 1, 1, /**/ 1, 0, 1, 1, /**/ 0, 0, 0, 0}, {3, 4}, {.dtype = DType::boolean});
  const Mask mask = Mask::keys(keep);
  const std::vector<NamedInput> inputs = {{"memory", drawn({3, 4, 2})}};
  const Tensor weight = keep.to(DType::f64).unsqueeze(2).expand({3, 4, 2}).clone();
  const auto sound = [&](const Values& in) {
    return sum(where(greater(weight, 0.5), in[0], zeros({3, 4, 2}, {.dtype = DType::f64})), {1});
  };
  check_passes(check_mask(sound, inputs, {.mask = mask}, options()));
  check_fails(check_mask([](const Values& in) { return sum(in[0], {1}); }, inputs, {.mask = mask}, options()),
              "input memory at [1, 1], which is blocked, has other content, and output 0 changes at [1, 0]");
  const auto nearly = [&](const Values& in) { return sum(in[0] * (Variable(weight) + 1e-9), {1}); };
  check_fails(check_mask(nearly, inputs, {.mask = mask}, options()), "its gradient is not 0 at [1, 1, 0]");
  const Mask of_two_items = Mask::keys(ones({2, 4}, {.dtype = DType::boolean}));
  CHECK_THROWS_WITH(check_mask(sound, inputs, {.mask = of_two_items}, options()),
                    tests::contains_text("[Mask::keys] the mask does not fit the scores: expected bool [3, 4]"));
}

TEST_CASE("properties: a check that has nothing to compare does not pass") {
  const auto identity = [](const Values& in) { return in[0] * 2.0; };
  check_fails(check_causal(identity, {{"x", drawn({2, 1, 3})}}, {}, options()), "nothing was compared");
  const Tensor everything = ones({kBatch, kTime}, {.dtype = DType::boolean});
  check_fails(check_mask(identity, {x_input()}, {.mask = Mask::keys(everything)}, options()), "nothing was compared");
  check_fails(check_mask(identity, {x_input()}, {}, options()), "nothing was compared");
}

TEST_CASE("properties: a layer that mixes the batch") {
  const auto centred = [](const Values& in) {
    return in[0] - expand(mean(in[0], {0}, {.keepdim = true}), in[0].shape());
  };
  check_fails(check_batch_independence(centred, {x_input()}, {}, options()), "with item 0 alone: output 0 changes at");
  check_fails(check_batch_independence(centred, {x_input()}, {}, options()),
              "the output of item 0 depends on input x of another item: its gradient at [1, 0, 0]");
  const auto by_place = [](const Values& in) {
    return concat({slice(in[0], 0, 0, 1) * 2.0, slice(in[0], 0, 1, in[0].size(0))}, 0);
  };
  check_fails(check_batch_independence(by_place, {x_input()}, {}, options()),
              "the batch in reverse order: output 0 changes at [0, 0, 0]");
  const auto scaled = [](const Values& in) { return in[0] * expand(in[1], in[0].shape()); };
  const NamedInput shared{"weight", drawn({kInput}, DType::f64, 3)};
  check_passes(check_batch_independence(scaled, {x_input(), shared}, {.shared = {1}}, options()));
}

TEST_CASE("properties: a step that is not the sequence's") {
  const std::vector<NamedInput> inputs = {x_input(), {"sum", zeros({kBatch, kInput}, {.dtype = DType::f64})}};
  const auto sequence = [](const Values& in) {
    const Variable sums = cumsum(in[0], 1) + expand(unsqueeze(in[1], 1), in[0].shape());
    return Values{sums, select(sums, 1, kTime - 1)};
  };
  const auto step = [](const Values& in) { return Values{in[0] + in[1], in[0] + in[1]}; };
  check_passes(check_step_equals_sequence(sequence, step, inputs, options()));
  const auto forgets = [](const Values& in) { return Values{in[0] + in[1], in[1]}; };
  check_fails(check_step_equals_sequence(sequence, forgets, inputs, options()), "the output of step 1 at [0, 0]");
  const auto other_state = [](const Values& in) { return Values{in[0] + in[1], in[0] + in[1] * 1.001}; };
  check_fails(check_step_equals_sequence(sequence, other_state, inputs, options()), "the final state for sum at");
}

TEST_CASE("properties: a layer that depends on the run or on the number of threads") {
  Generator generator(seed());
  Dropout dropout({.p = 0.5}, generator);
  const int threads = num_threads();
  check_fails(check_determinism([&](const Values& in) { return dropout(in[0]); }, {x_input()}, options()),
              "run again: output 0 changes at [");
  const auto by_threads = [](const Values& in) { return in[0] * (num_threads() == 3 ? 1.0 + 1e-15 : 1.0); };
  check_fails(check_determinism(by_threads, {x_input()}, options()), "3 threads: output 0 changes at [");
  CHECK(num_threads() == threads);
  const PropertyReport many = check_determinism([&](const Values& in) { return dropout(in[0]); }, {x_input()},
                                                {.seed = seed(), .threads = {1, 2, 3, 1, 2, 3}});
  CHECK(many.violations > static_cast<int64_t>(many.sentences.size()));
  CHECK_THAT(many.text(), tests::contains_text(" more\n"));
}
