// SPDX-License-Identifier: MIT
// Decoding of models at its edges: attention, empty sources and batches, several decodings of one model at once.
#include <cmath>

#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/models/transformer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

constexpr int64_t kEnd = 1, kVocab = 6;

TransformerSeq2SeqOptions tiny(double dropout = 0.0) {
  return {.source_vocab = kVocab,
          .target_vocab = kVocab,
          .layer = {.model_size = 8, .heads = 2, .feed_forward_size = 9, .dropout = dropout, .dtype = DType::f64},
          .num_encoder_layers = 1,
          .num_decoder_layers = 2};
}

Seq2SeqOptions tiny_recurrent(double dropout = 0.0) {
  return {.source_vocab = kVocab,
          .target_vocab = kVocab,
          .embedding_size = 4,
          .hidden_size = 5,
          .dropout = dropout,
          .dtype = DType::f64};
}

struct Sources {
  Tensor symbols = tests::i64({2, 3, 4, /**/ 5, 2, 0, /**/ 0, 0, 0}, {3, 3});
  Tensor lengths = tests::i64({3, 2, 0}, {3});
  Tensor begin = zeros({3, 1}, {.dtype = DType::i64});
};

// Both models; run(model) for each.
template <class Run>
void each_model(double dropout, const Run& run) {
  Generator generator(tests::seed(101));
  TransformerSeq2Seq transformer(tiny(dropout), generator);
  Seq2Seq recurrent(tiny_recurrent(dropout), generator);
  INFO("TransformerSeq2Seq");
  run(transformer);
  INFO("then Seq2Seq");
  run(recurrent);
}

}  // namespace

TEST_CASE("a TransformerSeq2Seq says the mean of the heads of its last layer as its attention") {
  const Sources sources;
  Generator generator(3);
  TransformerSeq2Seq model(tiny(), generator);
  const GreedyOptions plain{.begin = 0, .end = kEnd, .max_length = 4};
  GreedyOptions asking = plain;
  asking.want_attention = true;
  const Decoded shown = model.greedy(sources.symbols, sources.lengths, asking);
  const Decoded silent = model.greedy(sources.symbols, sources.lengths, plain);
  CHECK(bitwise_equal(shown.symbols, silent.symbols));
  CHECK(!silent.attention.defined());
  REQUIRE(shown.attention.shape() == Shape{3, 4, 3});
  // A row of weights sums to 1 while the row is decoded, over the source's own positions; without a source it is 0.
  for (int64_t b = 0; b < 3; ++b) {
    for (int64_t t = 0; t < 4; ++t) {
      double sum = 0.0;
      for (int64_t j = 0; j < 3; ++j) {
        const double weight = shown.attention.at({b, t, j});
        if (static_cast<double>(j) >= sources.lengths.at({b})) CHECK(weight == 0.0);
        sum += weight;
      }
      const bool decoded = static_cast<double>(t) <= shown.lengths.at({b}) && b < 2;
      CHECK(std::abs(sum - (decoded ? 1.0 : 0.0)) < 1e-12);
    }
  }
  // Uniform keys give uniform weights: with W_k = 0 all scores of the last layer are equal.
  for (const NamedParameter& named : model.parameters()) {
    if (named.name == "transformer.decoder.layers.1.multihead_attn.in_proj_weight") {
      named.parameter->mutable_value_().slice(0, 8, 16).fill_(0.0);
    }
  }
  const Tensor uniform_weights = model.greedy(sources.symbols, sources.lengths, asking).attention;
  CHECK(std::abs(uniform_weights.at({0, 0, 2}) - 1.0 / 3.0) < 1e-12);
  CHECK(std::abs(uniform_weights.at({1, 0, 1}) - 1.0 / 2.0) < 1e-12);
}

TEST_CASE("the coverage penalty works with transformers that say their attention") {
  const Sources sources;
  Generator generator(4);
  TransformerSeq2Seq model(tiny(), generator);
  const auto searched = [&](double penalty) {
    const Owned<Continuation> rows =
        model.start(sources.symbols, sources.lengths, sources.begin, {.want_attention = true});
    return beam_search(*rows, {.end = kEnd, .max_length = 3, .beams = 4, .coverage_penalty = penalty});
  };
  const BeamResult without = searched(0.0), with = searched(2.0);
  CHECK(with.scores.at({0, 0}) < with.log_probs.at({0, 0}));
  CHECK(with.scores.at({2, 0}) == with.log_probs.at({2, 0}));  // there is nothing to cover
  CHECK(bitwise_equal(without.scores, without.log_probs));
}

TEST_CASE("rows of a batch are decoded as each would be alone, also with an empty source, and in beams") {
  const Sources sources;
  each_model(0.0, [&](auto& model) {
    const GreedyOptions options{.begin = 0, .end = kEnd, .max_length = 5};
    const Decoded all = model.greedy(sources.symbols, sources.lengths, options);
    const Owned<Continuation> rows = model.start(sources.symbols, sources.lengths, sources.begin);
    const BeamOptions beam{.end = kEnd, .max_length = 5, .beams = 3};
    const BeamResult beams = beam_search(*rows, beam);
    for (int64_t b = 0; b < 3; ++b) {
      const Tensor symbols = sources.symbols.slice(0, b, b + 1).contiguous();
      const Tensor lengths = sources.lengths.slice(0, b, b + 1).contiguous();
      CHECK(
          bitwise_equal(model.greedy(symbols, lengths, options).symbols, all.symbols.slice(0, b, b + 1).contiguous()));
      const Owned<Continuation> row = model.start(symbols, lengths, sources.begin.slice(0, 0, 1).contiguous());
      const BeamResult own = beam_search(*row, beam);
      CHECK(bitwise_equal(own.symbols, beams.symbols.slice(0, b, b + 1).contiguous()));
      CHECK(largest_error(own.scores, beams.scores.slice(0, b, b + 1).contiguous()) < 1e-12);
    }
  });
}

TEST_CASE("a batch of no rows decodes to no rows") {
  const Tensor nothing = zeros({0, 3}, {.dtype = DType::i64}), begin = zeros({0, 1}, {.dtype = DType::i64});
  each_model(0.0, [&](auto& model) {
    const Decoded greedy = model.greedy(nothing, Tensor(), {.begin = 0, .end = kEnd, .max_length = 2});
    CHECK(greedy.symbols.shape() == Shape{0, 2});
    const Owned<Continuation> rows = model.start(nothing, Tensor(), begin);
    CHECK(beam_search(*rows, {.end = kEnd, .max_length = 2, .beams = 2}).symbols.shape() == Shape{0, 2, 2});
    CHECK(rows->rows() == 0);
  });
}

TEST_CASE("decodings of one model do not disturb each other, nor its mode, and none draws dropout") {
  const Sources sources;
  each_model(0.5, [&](auto& model) {
    const auto started = [&] { return model.start(sources.symbols, sources.lengths, sources.begin); };
    const std::vector<int64_t> order = {0, 1, 2}, symbols = {2, 3, 4};
    Tensor expected;
    {
      model.eval_();
      const Owned<Continuation> alone = started();
      alone->extend(order, symbols);
      expected = alone->next().logits;
      model.train_();
    }
    const Owned<Continuation> first = started();
    {
      const Owned<Continuation> second = started();
      second->extend({2, 0}, {1, 1});
    }
    CHECK(model.training());
    first->extend(order, symbols);
    CHECK(model.training());
    CHECK(bitwise_equal(first->next().logits, expected));
  });
}

TEST_CASE("sampling from a model is reproducible, and cold sampling is greedy") {
  const Sources sources;
  each_model(0.0, [&](auto& model) {
    const auto sampled = [&](uint64_t seed, double temperature) {
      Generator generator(seed);
      const Owned<Continuation> rows = model.start(sources.symbols, sources.lengths, sources.begin);
      return decode_sampled(*rows, generator, {.end = kEnd, .max_length = 6, .temperature = temperature}).symbols;
    };
    CHECK(bitwise_equal(sampled(1, 1.0), sampled(1, 1.0)));
    CHECK(!bitwise_equal(sampled(1, 1.0), sampled(2, 1.0)));
    const Decoded greedy = model.greedy(sources.symbols, sources.lengths, {.begin = 0, .end = kEnd, .max_length = 6});
    CHECK(bitwise_equal(sampled(3, 1e-6), greedy.symbols));
  });
}
