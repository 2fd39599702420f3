// SPDX-License-Identifier: MIT
// Transformers on symbols: what they learn, that decoding says what teacher forcing says, padding, and messages.
#include <cmath>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/models/transformer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::error_text;

namespace {

constexpr int64_t kBegin = 0, kEnd = 1, kVocab = 7, kIgnore = -100;

Tensor integers(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::i64});
}

TransformerSeq2SeqOptions small_model(DType dtype = DType::f32) {
  return {.source_vocab = kVocab,
          .target_vocab = kVocab,
          .layer = {.model_size = 16, .heads = 2, .feed_forward_size = 24, .pre_norm = true, .dtype = dtype},
          .num_encoder_layers = 1,
          .num_decoder_layers = 2};
}

TransformerLmOptions small_lm(DType dtype = DType::f64) {
  return {.vocab = kVocab,
          .layer = {.model_size = 8, .heads = 2, .feed_forward_size = 12, .pre_norm = true, .dtype = dtype},
          .num_layers = 2};
}

// One way of each model to know positions.
std::vector<TransformerSeq2SeqOptions> all_positions(DType dtype) {
  std::vector<TransformerSeq2SeqOptions> out(4, small_model(dtype));
  out[1].positions = SymbolPositions::learned;
  out[1].max_length = 12;
  out[1].tied_output = true;
  out[2].positions = SymbolPositions::none;
  out[2].layer.rotary = RotaryPairing::half_split;
  out[2].layer.key_heads = 1;
  out[3].positions = SymbolPositions::none;
  out[3].distance_bias = DistanceBias::learned;
  return out;
}

// Reversal of rows of different lengths.
struct Reversal {
  Tensor source = integers({2, 3, 4, 5, /**/ 6, 2, 0, 0, /**/ 5, 4, 3, 0, /**/ 3, 0, 0, 0}, {4, 4});
  Tensor lengths = integers({4, 2, 3, 1}, {4});
  Tensor target_in = integers({0, 5, 4, 3, 2, /**/ 0, 2, 6, 0, 0, /**/ 0, 3, 4, 5, 0, /**/ 0, 3, 0, 0, 0}, {4, 5});
  Tensor target_out = integers(
      {5, 4, 3, 2, 1, /**/ 2, 6, 1, kIgnore, kIgnore, /**/ 3, 4, 5, 1, kIgnore, /**/ 3, 1, kIgnore, kIgnore, kIgnore},
      {4, 5});
};

template <class Model, class Loss>
void train(Model& model, int steps, double rate, const Loss& loss) {
  for (int step = 0; step < steps; ++step) {
    backward(loss());
    double squares = 0.0;
    for (const NamedParameter& named : model.parameters()) {
      squares += sum(square(Variable(named.parameter->grad()))).value().at({});
    }
    for (const NamedParameter& named : model.parameters()) {
      named.parameter->mutable_value_().add_(named.parameter->grad(), -rate / std::sqrt(squares + 1e-12));
      named.parameter->zero_grad_();
    }
  }
}

// The sum of the log-probabilities of a row's symbols and its end, from the logits [Tt, V] of teacher forcing.
double log_prob_of(const Tensor& logits, const std::vector<int64_t>& symbols) {
  const Tensor log_probs = log_softmax(Variable(logits)).value();
  double total = 0.0;
  for (size_t t = 0; t < symbols.size(); ++t) total += log_probs.at({static_cast<int64_t>(t), symbols[t]});
  return total;
}

// The symbols of one decoded sequence, with the end when it was reached.
std::vector<int64_t> with_end(const Tensor& symbols, int64_t length) {
  std::vector<int64_t> out;
  for (int64_t t = 0; t < std::min(length + 1, symbols.size(0)); ++t) {
    out.push_back(static_cast<int64_t>(symbols.at({t})));
  }
  return out;
}

// Beams of a model that `start` continues score what teacher forcing gives: logits(target_in [B, Tt]) -> [B, Tt, V].
template <class Start, class Logits>
void check_beams(int64_t batch, const Start& start, const Logits& logits) {
  constexpr int64_t kBeams = 3, kLength = 4;
  const Owned<Continuation> rows = start();
  const BeamResult beams = beam_search(*rows, {.end = kEnd, .max_length = kLength, .beams = kBeams});
  for (int64_t place = 0; place < kBeams; ++place) {
    Tensor target_in = zeros({batch, kLength}, {.dtype = DType::i64});
    target_in.slice(1, 1).copy_(beams.symbols.select(1, place).slice(1, 0, kLength - 1));
    const Tensor all = logits(target_in);
    for (int64_t b = 0; b < batch; ++b) {
      const std::vector<int64_t> symbols =
          with_end(beams.symbols.select(0, b).select(0, place), static_cast<int64_t>(beams.lengths.at({b, place})));
      CHECK(std::abs(log_prob_of(all.select(0, b), symbols) - beams.log_probs.at({b, place})) < 1e-12);
    }
  }
}

}  // namespace

TEST_CASE("TransformerSeq2Seq learns to reverse, with any positions, and decodes what it has learned") {
  const Reversal data;
  for (const TransformerSeq2SeqOptions& options : all_positions(DType::f32)) {
    Generator generator(tests::seed(91));
    TransformerSeq2Seq model(options, generator);
    const auto loss = [&] {
      return cross_entropy(model(data.source, data.lengths, data.target_in), data.target_out,
                           {.ignore_index = kIgnore});
    };
    train(model, 120, 0.15, loss);
    INFO("loss " << loss().value().at({}) << ", positions " << static_cast<int>(options.positions));
    CHECK(loss().value().at({}) < 0.1F);
    const Decoded decoded = model.greedy(data.source, data.lengths, {.begin = kBegin, .end = kEnd, .max_length = 5});
    CHECK(bitwise_equal(decoded.lengths, data.lengths));
    const Tensor expected =
        integers({5, 4, 3, 2, 1, /**/ 2, 6, 1, 1, 1, /**/ 3, 4, 5, 1, 1, /**/ 3, 1, 1, 1, 1}, {4, 5});
    CHECK(bitwise_equal(decoded.symbols, expected));
    const Owned<Continuation> rows = model.start(data.source, data.lengths, zeros({4, 1}, {.dtype = DType::i64}));
    const BeamResult beams = beam_search(*rows, {.end = kEnd, .max_length = 5, .beams = 3, .length_penalty = 0.6});
    CHECK(bitwise_equal(beams.symbols.select(1, 0).contiguous(), expected));
  }
}

TEST_CASE("decoding of transformers and of Seq2Seq scores what teacher forcing scores") {
  const uint64_t seed = tests::seed(92);
  INFO("seed " << seed);
  const Reversal data;
  const Tensor begin = zeros({4, 1}, {.dtype = DType::i64});
  for (const TransformerSeq2SeqOptions& options : all_positions(DType::f64)) {
    Generator generator(seed);
    TransformerSeq2Seq model(options, generator);
    check_beams(
        4, [&] { return model.start(data.source, data.lengths, begin); },
        [&](const Tensor& target_in) { return model(data.source, data.lengths, target_in).value(); });
  }
  for (const AttentionKind attention : {AttentionKind::none, AttentionKind::additive, AttentionKind::dot}) {
    for (const CellKind cell : {CellKind::gru, CellKind::lstm}) {
      Generator generator(seed);
      Seq2Seq model({.source_vocab = kVocab,
                     .target_vocab = kVocab,
                     .embedding_size = 5,
                     .hidden_size = 6,
                     .cell = cell,
                     .attention = attention,
                     .dtype = DType::f64},
                    generator);
      check_beams(
          4, [&] { return model.start(data.source, data.lengths, begin); },
          [&](const Tensor& target_in) { return model(data.source, data.lengths, target_in).value(); });
    }
  }
  Generator generator(seed);
  TransformerLm lm(small_lm(), generator);
  check_beams(
      4, [&] { return lm.start(begin); }, [&](const Tensor& target_in) { return lm(target_in).value(); });
}

TEST_CASE("a prompt is read like symbols that were decoded before") {
  const uint64_t seed = tests::seed(93);
  INFO("seed " << seed);
  const Reversal data;
  Generator generator(seed);
  TransformerSeq2Seq model(small_model(DType::f64), generator);
  Seq2Seq recurrent({.source_vocab = kVocab, .target_vocab = kVocab, .dtype = DType::f64}, generator);
  TransformerLm lm(small_lm(), generator);
  const auto check_prompt = [&](const auto& start, const Tensor& logits) {
    const Owned<Continuation> prompted = start(data.target_in.slice(1, 0, 3).contiguous());
    const Owned<Continuation> stepped = start(data.target_in.slice(1, 0, 1).contiguous());
    for (int64_t t = 1; t < 3; ++t) {
      std::vector<int64_t> symbols;
      for (int64_t b = 0; b < 4; ++b) symbols.push_back(static_cast<int64_t>(data.target_in.at({b, t})));
      stepped->extend({0, 1, 2, 3}, symbols);
    }
    CHECK(largest_error(prompted->next().logits, logits.select(1, 2).contiguous()) < 1e-13);
    CHECK(largest_error(stepped->next().logits, logits.select(1, 2).contiguous()) < 1e-13);
  };
  check_prompt([&](const Tensor& prompt) { return model.start(data.source, data.lengths, prompt); },
               model(data.source, data.lengths, data.target_in).value());
  check_prompt([&](const Tensor& prompt) { return recurrent.start(data.source, data.lengths, prompt); },
               recurrent(data.source, data.lengths, data.target_in).value());
  check_prompt([&](const Tensor& prompt) { return lm.start(prompt); }, lm(data.target_in).value());
}

TEST_CASE("beam search of a Seq2Seq uses its attention for the coverage, over the source's own positions") {
  const Reversal data;
  Generator generator(5);
  Seq2Seq model({.source_vocab = kVocab, .target_vocab = kVocab, .dtype = DType::f64}, generator);
  const Tensor begin = zeros({4, 1}, {.dtype = DType::i64});
  const auto searched = [&](double coverage_penalty) {
    const Owned<Continuation> rows = model.start(data.source, data.lengths, begin);
    return beam_search(*rows, {.end = kEnd, .max_length = 3, .beams = 1, .coverage_penalty = coverage_penalty});
  };
  const BeamResult plain = searched(0.0), covered = searched(0.5);
  const Decoded greedy =
      model.greedy(data.source, data.lengths, {.begin = kBegin, .end = kEnd, .max_length = 3, .want_attention = true});
  CHECK(bitwise_equal(plain.symbols.select(1, 0).contiguous(), greedy.symbols));
  for (int64_t b = 0; b < 4; ++b) {
    double penalty = 0.0;
    for (int64_t j = 0; j < static_cast<int64_t>(data.lengths.at({b})); ++j) {
      double sum = 0.0;
      for (int64_t t = 0; t < 3; ++t) sum += greedy.attention.at({b, t, j});
      penalty += 0.5 * std::log(std::min(sum, 1.0));
    }
    CHECK(std::abs(covered.scores.at({b, 0}) - plain.scores.at({b, 0}) - penalty) < 1e-12);
  }
}

TEST_CASE("TransformerSeq2Seq: what is after the length of a source changes no bit, even when its embedding is NaN") {
  const Reversal data;
  for (const TransformerSeq2SeqOptions& options : all_positions(DType::f64)) {
    Generator generator(7);
    TransformerSeq2Seq model(options, generator);
    const auto run = [&](double symbol) {
      Tensor source = data.source.clone();
      for (int64_t b = 0; b < 4; ++b) {
        source.select(0, b).slice(0, static_cast<int64_t>(data.lengths.at({b}))).fill_(symbol);
      }
      std::vector<Variable> inputs;
      for (const NamedParameter& named : model.parameters()) inputs.push_back(named.parameter->variable());
      const Variable logits = model(source, data.lengths, data.target_in);
      std::vector<Variable> out = grad({sum(square(logits))}, inputs);
      out.push_back(logits);
      return out;
    };
    const std::vector<Variable> before = run(3);
    for (const NamedParameter& named : model.parameters()) {
      if (named.name == "source_input.embedding.weight") {
        named.parameter->mutable_value_().select(0, 0).fill_(std::nan(""));
      }
    }
    const std::vector<Variable> after = run(0);
    for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value(), after[i].value()));
  }
}

TEST_CASE("TransformerLm learns a text, continues it, and its documents do not see each other") {
  Generator generator(tests::seed(94));
  TransformerLmOptions options = small_lm(DType::f32);
  options.positions = SymbolPositions::none;
  options.layer.rotary = RotaryPairing::interleaved;
  options.tied_output = true;
  TransformerLm model(options, generator);
  const Tensor text = integers({0, 4, 2, 6, 3, 5, 2, 2, 4, 1}, {1, 10});
  const Tensor in = text.slice(1, 0, 9).contiguous(), out = text.slice(1, 1).contiguous();
  train(model, 150, 0.15, [&] { return cross_entropy(model(in), out); });
  const Owned<Continuation> rows = model.start(text.slice(1, 0, 2).contiguous());
  const Decoded decoded = decode_greedy(*rows, {.end = kEnd, .max_length = 8});
  CHECK(bitwise_equal(decoded.symbols, text.slice(1, 2).contiguous()));
  // The second half alone, and after a first half that is another document.
  const Mask mask = Mask::documents(integers({0, 0, 0, 0, 1, 1, 1, 1, 1}, {1, 9}));
  const Tensor together = model(in, mask).value().slice(1, 4).contiguous();
  CHECK(largest_error(together, model(in.slice(1, 4).contiguous()).value()) < 1e-5);
  CHECK(largest_error(together, model(in).value().slice(1, 4).contiguous()) > 1e-3);
}

TEST_CASE("decoding is in evaluation mode and leaves the modes as they were") {
  const Reversal data;
  Generator generator(8);
  TransformerSeq2SeqOptions options = small_model();
  options.layer.dropout = 0.5;
  TransformerSeq2Seq model(options, generator);
  model.submodule("transformer.encoder").eval_();
  const GreedyOptions greedy{.begin = kBegin, .end = kEnd, .max_length = 5};
  const Decoded first = model.greedy(data.source, data.lengths, greedy);
  CHECK(model.training());
  CHECK(!model.submodule("transformer.encoder").training());
  CHECK(model.submodule("transformer.decoder.layers.1.dropout").training());
  CHECK(bitwise_equal(first.symbols, model.greedy(data.source, data.lengths, greedy).symbols));
  CHECK(bitwise_equal(first.symbols, model.clone()->greedy(data.source, data.lengths, greedy).symbols));
}

TEST_CASE("transformers on symbols name what is wrong") {
  Generator g(1);
  TransformerSeq2SeqOptions options = small_model();
  options.source_vocab = 0;
  CHECK(error_text([&] { TransformerSeq2Seq model(options, g); }) ==
        "[transformer_seq2seq] expected source_vocab >= 1, got 0");
  options = small_model();
  options.target_vocab = 0;
  CHECK(error_text([&] { TransformerSeq2Seq model(options, g); }) ==
        "[transformer_seq2seq] expected target_vocab >= 1, got 0");
  CHECK(error_text([&] { TransformerLm model({}, g); }) == "[transformer_lm] expected vocab >= 1, got 0");
  CHECK(error_text([&] { SymbolInput input({.vocab = 2}, g); }) == "[symbol_input] expected model_size >= 1, got 0");
  SymbolInput input({.vocab = 2, .model_size = 4}, g);
  CHECK(error_text([&] {
          return input(zeros({2, 2}));
        }) == "[symbol_input] expected symbols i64 [B, T], got f32 [2, 2] (in symbol_input)");
  TransformerSeq2Seq model(small_model(), g);
  const Reversal data;
  CHECK(error_text([&] {
          return model(zeros({2, 2}), Tensor(), data.target_in);
        }) == "[transformer_seq2seq] expected source i64 [B, T], got f32 [2, 2] (in transformer_seq2seq)");
  CHECK(error_text([&] {
          return model(data.source, Tensor(), integers({0}, {1, 1}));
        }) == "[transformer_seq2seq] expected target_in i64 [4, T], got i64 [1, 1] (in transformer_seq2seq)");
  CHECK(error_text([&] {
          return model.start(data.source, {}, integers({0}, {1, 1}));
        }) == "[start] expected a prompt i64 [4, P] with P >= 1, got i64 [1, 1] (in transformer_seq2seq)");
  TransformerLm lm(small_lm(), g);
  CHECK(error_text([&] {
          return lm.start(zeros({2, 2}));
        }) == "[start] expected a prompt i64 [B, P] with P >= 1, got f32 [2, 2] (in transformer_lm)");
  Seq2Seq recurrent({.source_vocab = kVocab, .target_vocab = kVocab}, g);
  CHECK(error_text([&] {
          return recurrent.start(zeros({2, 2}), {}, integers({0, 0}, {2, 1}));
        }) == "[start] expected source i64 [B, T], got f32 [2, 2] (in seq2seq)");
  CHECK(error_text([&] {
          return recurrent.start(data.source, {}, integers({0}, {1, 1}));
        }) == "[start] expected a prompt i64 [4, P] with P >= 1, got i64 [1, 1] (in seq2seq)");
}
