// SPDX-License-Identifier: MIT
// What all recurrent models with attention promise: forced steps, padding, decoding, learning, messages.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/models/luong.hpp>
#include <gradus/nn/models/rnn_search.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::error_text;

namespace {

constexpr int64_t kBegin = 0, kEnd = 1, kVocab = 7;

RnnSearchOptions search(DeepOutput output, DType dtype = DType::f64) {
  return {.source_vocab = kVocab,
          .target_vocab = kVocab,
          .embedding_size = 8,
          .hidden_size = 16,
          .output = output,
          .dtype = dtype};
}

LuongSeq2SeqOptions luong(LuongSeq2SeqOptions options, DType dtype) {
  options.source_vocab = options.target_vocab = kVocab;
  options.embedding_size = 8;
  options.hidden_size = 16;
  options.dtype = dtype;
  return options;
}

template <class Model, class Run>
void with_model(const char* name, const typename Model::Options& options, const Run& run) {
  const uint64_t seed = tests::seed(141);
  INFO(name << ", seed " << seed);
  Generator generator(seed);
  Model model(options, generator);
  run(model);
}

template <class Run>
void each_recurrent_model(DType dtype, const Run& run) {
  with_model<RnnSearch>("rnn search", search(DeepOutput::maxout, dtype), run);
  with_model<RnnSearch>("rnn search, linear output", search(DeepOutput::linear, dtype), run);
  with_model<LuongSeq2Seq>("luong", luong({}, dtype), run);
  with_model<LuongSeq2Seq>("luong, dot, no input feeding",
                           luong({.num_layers = 1, .score = Score::dot(), .input_feeding = false}, dtype), run);
  with_model<LuongSeq2Seq>("luong, concat, sparsemax, local-m",
                           luong({.num_layers = 1,
                                  .score = Score::concat({.attention_size = 8}),
                                  .normaliser = Normaliser::sparsemax(),
                                  .window = {.width = 2}},
                                 dtype),
                           run);
  with_model<LuongSeq2Seq>("luong, local-p, no input feeding",
                           luong({.window = {.width = 3, .predicted = true}, .input_feeding = false}, dtype), run);
  with_model<LuongSeq2Seq>("luong, coverage",
                           luong({.num_layers = 1, .score = Score::coverage({.attention_size = 8})}, dtype), run);
}

// Sources of lengths 4, 2 and 1, and targets.
struct Batch {
  Batch() {
    detail::RandomTensors random(tests::seed(142));
    source = random.integers({3, 4}, 2, kVocab);
    target = random.integers({3, 5}, 2, kVocab);
    target.select(1, 0).fill_(kBegin);
  }
  Tensor source, target, lengths = tests::i64({4, 2, 1}, {3});
};

template <class Model>
std::vector<Tensor> logits_and_gradients(Model& model, const Tensor& source, const Batch& batch) {
  std::vector<Variable> targets;
  for (const NamedParameter& named : model.parameters()) targets.push_back(named.parameter->variable());
  const Variable logits = model(source, batch.lengths, batch.target);
  std::vector<Tensor> out = {logits.value()};
  for (const Variable& g : grad({sum(logits * logits)}, targets)) out.push_back(g.value());
  return out;
}

// Gradient descent with steps of a fixed length.
void descend(Module& model, double step) {
  double squares = 0.0;
  for (const NamedParameter& named : model.parameters()) {
    squares += static_cast<double>(sum(square(Variable(named.parameter->grad()))).item<float>());
  }
  for (const NamedParameter& named : model.parameters()) {
    named.parameter->mutable_value_().add_(named.parameter->grad(), -step / std::sqrt(squares + 1e-12));
    named.parameter->zero_grad_();
  }
}

}  // namespace

TEST_CASE("recurrent models: teacher forcing gives the logits of decoding with forced symbols") {
  const Batch batch;
  each_recurrent_model(DType::f64, [&](auto& model) {
    const Tensor logits = model(batch.source, batch.lengths, batch.target).value();
    const Owned<Continuation> rows = model.start(batch.source, batch.lengths, batch.target.slice(1, 0, 1).contiguous());
    for (int64_t t = 0; t < 5; ++t) {
      // Measured over four seeds: at most 3e-16 in all tests of this file.
      CHECK(largest_error(rows->next().logits, logits.select(1, t).contiguous()) < 1e-12);
      std::vector<int64_t> symbols;
      for (int64_t b = 0; b < 3 && t < 4; ++b) symbols.push_back(static_cast<int64_t>(batch.target.at({b, t + 1})));
      if (t < 4) rows->extend({0, 1, 2}, symbols);
    }
    // A prompt of several symbols, and rows in another order with one of them twice.
    const Owned<Continuation> later =
        model.start(batch.source, batch.lengths, batch.target.slice(1, 0, 3).contiguous());
    CHECK(largest_error(later->next().logits, logits.select(1, 2).contiguous()) < 1e-12);
    const auto symbol = [&](int64_t b) { return static_cast<int64_t>(batch.target.at({b, 3})); };
    later->extend({2, 0, 2}, {symbol(2), symbol(0), symbol(2)});
    const Tensor expected = index_select(logits.select(1, 3), 0, tests::i64({2, 0, 2}, {3})).value();
    CHECK(largest_error(later->next().logits, expected) < 1e-12);
  });
}

TEST_CASE("recurrent models: what padding holds changes no bit, and its length changes nothing") {
  const Batch batch;
  Tensor other = batch.source.clone();
  for (int64_t b = 0; b < 3; ++b) {
    Tensor rest = other.select(0, b).slice(0, static_cast<int64_t>(batch.lengths.at({b})), 4);
    rest.fill_(3);
  }
  REQUIRE(!bitwise_equal(other, batch.source));
  Tensor longer = zeros({3, 6}, {.dtype = DType::i64});
  Tensor head = longer.slice(1, 0, 4);
  head.copy_(batch.source);
  each_recurrent_model(DType::f64, [&](auto& model) {
    const std::vector<Tensor> expected = logits_and_gradients(model, batch.source, batch);
    const std::vector<Tensor> got = logits_and_gradients(model, other, batch);
    const std::vector<Tensor> padded = logits_and_gradients(model, longer, batch);
    REQUIRE(got.size() == expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      CHECK(bitwise_equal(got[i], expected[i]));
      CHECK(largest_error(padded[i], expected[i]) < 1e-12);
    }
  });
}

TEST_CASE("recurrent models: rows are decoded as alone, by beams too; attention is over the source, and ends") {
  const Batch batch;
  each_recurrent_model(DType::f64, [&](auto& model) {
    const GreedyOptions options{.begin = kBegin, .end = kEnd, .max_length = 5, .want_attention = true};
    const Decoded all = model.greedy(batch.source, batch.lengths, options);
    const BeamOptions beam{.end = kEnd, .max_length = 5, .beams = 3};
    const Owned<Continuation> rows = model.start(batch.source, batch.lengths, zeros({3, 1}, {.dtype = DType::i64}));
    const BeamResult beams = beam_search(*rows, beam);
    REQUIRE(all.attention.shape() == Shape{3, 5, 4});
    for (int64_t b = 0; b < 3; ++b) {
      const auto of_row = [&](const Tensor& x) { return x.slice(0, b, b + 1).contiguous(); };
      const Decoded own = model.greedy(of_row(batch.source), of_row(batch.lengths), options);
      CHECK(bitwise_equal(own.symbols, of_row(all.symbols)));
      CHECK(largest_error(own.attention, of_row(all.attention)) < 1e-12);
      const Owned<Continuation> row =
          model.start(of_row(batch.source), of_row(batch.lengths), zeros({1, 1}, {.dtype = DType::i64}));
      const BeamResult alone = beam_search(*row, beam);
      CHECK(bitwise_equal(alone.symbols, of_row(beams.symbols)));
      CHECK(largest_error(alone.scores, of_row(beams.scores)) < 1e-12);
      for (int64_t t = 0; t < 5; ++t) {
        for (auto j = static_cast<int64_t>(batch.lengths.at({b})); j < 4; ++j) CHECK(all.attention.at({b, t, j}) == 0);
        if (static_cast<double>(t) > all.lengths.at({b})) CHECK(all.attention.at({b, t, 0}) == 0);
      }
    }
    CHECK(model.training());
  });
}

TEST_CASE("recurrent models: empty sources, targets and batches are fine") {
  const Tensor source = zeros({2, 3}, {.dtype = DType::i64}), none = zeros({2, 0}, {.dtype = DType::i64});
  const Tensor lengths = zeros({2}, {.dtype = DType::i64});
  each_recurrent_model(DType::f64, [&](auto& model) {
    CHECK(all_finite(model(source, lengths, source).value()));
    CHECK(model(source, Tensor(), none).shape() == Shape{2, 0, kVocab});
    CHECK(model.greedy(source, lengths, {.begin = 0, .end = kEnd, .max_length = 0}).symbols.shape() == Shape{2, 0});
    const Decoded decoded =
        model.greedy(zeros({0, 3}, {.dtype = DType::i64}), Tensor(), {.begin = 0, .end = kEnd, .max_length = 2});
    CHECK(decoded.symbols.shape() == Shape{0, 2});
  });
}

TEST_CASE("recurrent models: each of them learns to copy a batch, and then decodes it freely") {
  detail::RandomTensors random(tests::seed(143));
  constexpr int64_t kRows = 6, kSteps = 4;
  const Tensor source = random.integers({kRows, kSteps}, 2, kVocab);
  Tensor in = zeros({kRows, kSteps + 1}, {.dtype = DType::i64});
  Tensor out = full({kRows, kSteps + 1}, static_cast<double>(kEnd), {.dtype = DType::i64});
  Tensor read = in.slice(1, 1, kSteps + 1), written = out.slice(1, 0, kSteps);
  read.copy_(source);
  written.copy_(source);
  each_recurrent_model(DType::f32, [&](auto& model) {
    double last = 10.0;
    int steps = 0;
    for (; steps < 1000 && last > 0.02; ++steps) {
      const Variable loss = cross_entropy(model(source, Tensor(), in), out);
      last = static_cast<double>(loss.template item<float>());
      backward(loss);
      descend(model, 0.2 * std::min(1.0, last) + 0.02);
    }
    INFO("loss " << last << " after " << steps << " steps");
    CHECK(last <= 0.02);
    const Decoded decoded = model.greedy(source, Tensor(), {.begin = kBegin, .end = kEnd, .max_length = kSteps + 1});
    CHECK(bitwise_equal(decoded.symbols.slice(1, 0, kSteps).contiguous(), source));
  });
}

TEST_CASE("recurrent models: messages of wrong calls") {
  const Batch batch;
  each_recurrent_model(DType::f64, [&](auto& model) {
    const std::string kind = model.kind();
    const auto text = [&](const Tensor& source, const Tensor& lengths, const Tensor& target) {
      return error_text([&] { return model(source, lengths, target); });
    };
    const std::string in = " (in " + kind + ")";
    CHECK(text(zeros({2, 3}), {}, batch.target) == "[" + kind + "] expected source i64 [B, T], got f32 [2, 3]" + in);
    CHECK(text(batch.source, {}, zeros({2})) == "[" + kind + "] expected target_in i64 [B, T], got f32 [2]" + in);
    CHECK(text(batch.source, {}, batch.source.slice(0, 0, 2)) ==
          "[" + kind + "] batches differ: source is i64 [3, 4], target_in is i64 [2, 4]" + in);
    CHECK_THAT(text(batch.source, tests::i64({5, 1, 1}, {3}), batch.target), tests::contains_text("[" + kind + "]"));
    CHECK(error_text([&] {
            return model.start(batch.source, {}, zeros({3, 0}, {.dtype = DType::i64}));
          }) == "[start] expected a prompt i64 [3, P] with P >= 1, got i64 [3, 0]" + in);
    CHECK(error_text([&] { return model.greedy(batch.source, {}, {}); }) ==
          "[greedy] expected begin and end in [0, 7) and max_length >= 0, got -1, -1 and -1" + in);
  });
}
