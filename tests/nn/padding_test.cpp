// SPDX-License-Identifier: MIT
// Padded or blocked elements have no effect: NaN and infinities there change no bit of values, first and second
// derivatives.
#include <cmath>
#include <functional>
#include <limits>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

using Values = std::vector<Variable>;

constexpr double kContents[] = {1e300, std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN()};

Tensor ragged() { return tests::i64({5, 4, 1, 0}, {4}); }

// x [B, T, ..] with `content` at the steps from each length on.
Tensor padded(const Tensor& x, const Tensor& lengths, double content) {
  Tensor out = x.clone();
  for (int64_t row = 0; row < x.size(0); ++row) {
    const auto length = static_cast<int64_t>(lengths.at({row}));
    if (length == x.size(1)) continue;
    Tensor rest = out.select(0, row).slice(0, length, x.size(1));
    rest.fill_(content);
  }
  return out;
}

// Outputs, first and second derivatives by all inputs, for random cotangents.
std::vector<Tensor> everything(const std::function<Values(const Values&)>& f, const Values& inputs, uint64_t seed) {
  RandomTensors random(seed);
  const auto weighted = [&random](const Values& values) {
    Variable total = zeros({}, {.dtype = DType::f64});
    for (const Variable& value : values) total = total + sum(value * random.floating(value.shape()));
    return total;
  };
  std::vector<Tensor> all;
  const Values outputs = f(inputs);
  for (const Variable& output : outputs) all.push_back(output.value());
  const Values first = grad({weighted(outputs)}, inputs, {.create_graph = true});
  for (const Variable& gradient : first) all.push_back(gradient.value());
  for (const Variable& gradient : grad({weighted(first)}, inputs, {.allow_unused = true})) {
    if (gradient.defined()) all.push_back(gradient.value());
  }
  return all;
}

void check_same(const std::vector<Tensor>& expected, const std::vector<Tensor>& got) {
  REQUIRE(expected.size() == got.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    INFO("value or derivative " << i);
    CHECK(all_finite(expected[i]));
    CHECK(bitwise_equal(expected[i], got[i]));
  }
}

Values leaves_of(Module& layer) {
  Values out;
  for (const NamedParameter& named : layer.parameters()) out.push_back(named.parameter->variable());
  return out;
}

RecurrentOptions options_of(CellKind cell, bool reset_after) {
  return {.cell = cell,
          .input_size = 3,
          .hidden_size = 2,
          .num_layers = 2,
          .bidirectional = true,
          .dropout = 0.3,
          .reset_after = reset_after,
          .dtype = DType::f64};
}

}  // namespace

TEST_CASE("padding: recurrent layers do not touch what lies beyond a length") {
  const uint64_t seed = tests::seed(71);
  INFO("seed " << seed);
  for (const auto& [cell, reset_after] : {std::pair{CellKind::rnn, true}, std::pair{CellKind::gru, true},
                                          std::pair{CellKind::gru, false}, std::pair{CellKind::lstm, true}}) {
    INFO(cell_name(cell) << (reset_after ? "" : ", reset before"));
    Generator generator(seed);
    Recurrent layer(options_of(cell, reset_after), generator);
    RandomTensors random(seed);
    const Tensor x = random.floating({4, 5, 3});
    const GeneratorState stream = Generator(seed).state();
    const auto run = [&](double content) {
      Owned<Recurrent> fresh = layer.clone();  // the same dropout each time
      Values inputs = leaves_of(*fresh);
      inputs.push_back(leaf(padded(x, ragged(), content)));
      return everything(
          [&](const Values& in) {
            const RecurrentOutput out = (*fresh)(in.back(), {.lengths = ragged()});
            Values all{out.output, out.h};
            if (out.c.defined()) all.push_back(out.c);
            return all;
          },
          inputs, stream.seed);
    };
    const std::vector<Tensor> expected = run(0.0);
    for (const double content : kContents) {
      INFO("content " << content);
      check_same(expected, run(content));
    }
  }
}

TEST_CASE("padding: states of rows of length 0 meet no weight") {
  const uint64_t seed = tests::seed(72);
  INFO("seed " << seed);
  for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
    INFO(cell_name(cell));
    Generator generator(seed);
    Recurrent layer({.cell = cell, .input_size = 3, .hidden_size = 2, .dtype = DType::f64}, generator);
    RandomTensors random(seed);
    const Tensor x = random.floating({2, 3, 3});
    const auto run = [&](double content) {
      Tensor state = random.floating({2, 1, 2});
      state.select(0, 0).fill_(0.5);
      state.select(0, 1).fill_(content);
      return everything(
          [&](const Values&) {
            const Variable c0 = cell == CellKind::lstm ? Variable(state) : Variable();
            return Values{layer(x, {.h0 = state, .c0 = c0, .lengths = tests::i64({3, 0}, {2})}).output};
          },
          leaves_of(layer), seed);
    };
    const std::vector<Tensor> expected = run(0.0);
    for (const double content : kContents) check_same(expected, run(content));
  }
}

TEST_CASE("padding: symbols beyond a length may be anything, and rows of the table that none asks for too") {
  const uint64_t seed = tests::seed(73);
  INFO("seed " << seed);
  for (const int64_t rows_of_table : {4, 40}) {  // fewer and more rows than there are symbols
    Generator generator(seed);
    Recurrent layer(options_of(CellKind::gru, true), generator);
    RandomTensors random(seed);
    Tensor table = random.floating({rows_of_table, 3});
    const auto run = [&](double content, int64_t padding) {
      Owned<Recurrent> fresh = layer.clone();
      table.select(0, 3).fill_(content);
      Tensor symbols = padded(tests::i64({0, 1, 2, 0, 1, 1, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {4, 5}),
                              ragged(), static_cast<double>(padding));
      return everything(
          [&](const Values&) {
            return Values{(*fresh)(EmbeddedSymbols{table, symbols}, {.lengths = ragged()}).output};
          },
          leaves_of(*fresh), seed);
    };
    const std::vector<Tensor> expected = run(0.0, 0);
    for (const double content : kContents) {
      check_same(expected, run(content, 3));
      check_same(expected, run(content, -100));
    }
  }
}

TEST_CASE("padding: attention touches neither keys that all may not see nor queries that may see nothing") {
  const uint64_t seed = tests::seed(74);
  INFO("seed " << seed);
  Generator generator(seed);
  AdditiveAttention additive({.query_size = 2, .key_size = 3, .attention_size = 4, .dtype = DType::f64}, generator);
  DotAttention dot({.query_size = 2, .key_size = 3, .dtype = DType::f64}, generator);
  DotAttention plain({.query_size = 3, .key_size = 3, .dtype = DType::f64}, generator);
  RandomTensors random(seed);
  const Tensor memory = random.floating({3, 4, 3});
  const Tensor lengths = tests::i64({4, 2, 0}, {3});
  // Query 1 of row 0 may see nothing, and no query may see key 1 of row 0.
  const Tensor keep = tests::bools({1, 0, 1, 1, /**/ 0, 0, 0, 0, /**/ 1, 0, 0, 1}, {1, 3, 4});
  const auto check = [&](auto& attention, int64_t query_size, const Mask& mask, bool blocks_query) {
    const Tensor query = random.floating({3, 3, query_size});
    const auto run = [&](double content) {
      Tensor held = padded(memory, lengths, content);
      if (blocks_query) held.select(0, 0).select(0, 1).fill_(content);
      Tensor asked = query.clone();
      asked.select(0, 2).fill_(content);
      if (blocks_query) asked.select(1, 1).fill_(content);
      Values inputs = leaves_of(attention);
      inputs.push_back(leaf(held));
      inputs.push_back(leaf(asked));
      return everything(
          [&](const Values& in) {
            const AttentionOutput out = attention(in.back(), attention.prepare(in[in.size() - 2], mask));
            return Values{out.context, out.weights};
          },
          inputs, seed);
    };
    const std::vector<Tensor> expected = run(0.0);
    for (const double content : kContents) check_same(expected, run(content));
  };
  const Mask by_length = Mask::from_lengths(lengths);
  for (const bool blocks_query : {false, true}) {
    const Mask mask = blocks_query ? by_length & Mask::keep(keep) : by_length;
    check(additive, 2, mask, blocks_query);
    check(dot, 2, mask, blocks_query);
    check(plain, 3, mask, blocks_query);
  }
}

TEST_CASE("padding: attention with rules that wait for the queries touches nothing that all queries of a call skip") {
  const uint64_t seed = tests::seed(76);
  INFO("seed " << seed);
  Generator generator(seed);
  AdditiveAttention additive({.query_size = 2, .key_size = 3, .attention_size = 4, .dtype = DType::f64}, generator);
  DotAttention dot({.query_size = 2, .key_size = 3, .dtype = DType::f64}, generator);
  DotAttention plain({.query_size = 3, .key_size = 3, .dtype = DType::f64}, generator);
  RandomTensors random(seed);
  const Tensor memory = random.floating({3, 5, 3});
  const Tensor lengths = tests::i64({5, 4, 0}, {3});
  // Two queries, at positions 3 and 4, see keys 3 and 4 of item 0. In item 1 query 0 sees key 3, and query 1 nothing.
  const Mask mask = Mask::sliding_window(0) & Mask::from_lengths(lengths);
  const auto check = [&](auto& attention, int64_t query_size) {
    const Tensor query = random.floating({3, 2, query_size});
    const auto inputs = [&](double content) {
      Tensor held = padded(memory, lengths, content);
      held.slice(1, 0, 3).fill_(content);
      Tensor asked = query.clone();
      asked.select(0, 1).select(0, 1).fill_(content);
      asked.select(0, 2).fill_(content);
      Values all = leaves_of(attention);
      all.push_back(leaf(held));
      all.push_back(leaf(asked));
      return all;
    };
    const auto run = [&](const Values& in) {
      const AttentionOutput out = attention(in.back(), attention.prepare(in[in.size() - 2], mask));
      return Values{out.context, out.weights};
    };
    const auto without_recording = [&](double content) {
      const NoGrad no_grad;
      std::vector<Tensor> all;
      for (const Variable& output : run(inputs(content))) all.push_back(output.value());
      return all;
    };
    const std::vector<Tensor> expected = everything(run, inputs(0.0), seed);
    check_same({expected[0], expected[1]}, without_recording(0.0));
    for (const double content : kContents) {
      check_same(expected, everything(run, inputs(content), seed));
      check_same({expected[0], expected[1]}, without_recording(content));
    }
  };
  check(additive, 2);
  check(dot, 2);
  check(plain, 3);
}

TEST_CASE("padding: a Seq2Seq does not touch the source beyond its lengths") {
  const uint64_t seed = tests::seed(75);
  INFO("seed " << seed);
  for (const AttentionKind attention : {AttentionKind::none, AttentionKind::additive, AttentionKind::dot}) {
    for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
      INFO(attention_name(attention) << ", " << cell_name(cell));
      for (const double dropout : {0.0, 0.3}) {
        Generator generator(seed);
        Seq2Seq model({.source_vocab = 5,
                       .target_vocab = 4,
                       .embedding_size = 3,
                       .hidden_size = 2,
                       .cell = cell,
                       .attention = attention,
                       .dropout = dropout,
                       .dtype = DType::f64},
                      generator);
        const Tensor lengths = tests::i64({4, 2, 0}, {3});
        const Tensor target = tests::i64({0, 1, 3, /**/ 0, 2, 2, /**/ 0, 3, 1}, {3, 3});
        const auto run = [&](double content, double padding) {
          Owned<Seq2Seq> fresh = model.clone();
          for (const NamedParameter& named : fresh->parameters()) {
            if (named.name == "source_embedding.weight") named.parameter->mutable_value_().select(0, 4).fill_(content);
          }
          const Tensor source =
              padded(tests::i64({1, 2, 3, 0, /**/ 3, 1, 0, 0, /**/ 0, 0, 0, 0}, {3, 4}), lengths, padding);
          Values inputs = leaves_of(*fresh);
          std::vector<Tensor> all = everything([&](const Values&) { return Values{(*fresh)(source, lengths, target)}; },
                                               Values(inputs.begin() + 1, inputs.end()), seed);
          const Decoded decoded =
              fresh->greedy(source, lengths, {.begin = 0, .end = 3, .max_length = 4, .want_attention = true});
          all.push_back(decoded.symbols.to(DType::f64));
          if (decoded.attention.defined()) all.push_back(decoded.attention);
          return all;
        };
        const std::vector<Tensor> expected = run(0.0, 0);
        for (const double content : kContents) {
          check_same(expected, run(content, 4));
          check_same(expected, run(content, -1));
        }
      }
    }
  }
}
