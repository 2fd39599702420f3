// SPDX-License-Identifier: MIT
// The encoder-decoder: it learns, decodes what it has learned, and keeps its promises on padding, weights and threads.
#include <cmath>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

constexpr int64_t kBegin = 0, kEnd = 1, kVocab = 9, kIgnore = -100;
constexpr CellKind kCells[] = {CellKind::rnn, CellKind::gru, CellKind::lstm};
constexpr AttentionKind kAttentions[] = {AttentionKind::none, AttentionKind::additive, AttentionKind::dot};

Seq2SeqOptions small(CellKind cell = CellKind::gru, AttentionKind attention = AttentionKind::additive) {
  return {.source_vocab = kVocab,
          .target_vocab = kVocab,
          .embedding_size = 8,
          .hidden_size = 16,
          .cell = cell,
          .attention = attention};
}

// Reversal. The sources have different lengths and are padded with symbol 0. The decoder reads the begin mark and the
// target, and must give the target and the end mark. Positions after that are ignored.
struct Batch {
  Batch(int64_t rows, int64_t steps, Generator& generator) {
    source = randint({rows, steps}, generator, {.low = 2, .high = kVocab});
    lengths = randint({rows}, generator, {.low = 1, .high = steps + 1});
    target_in = zeros({rows, steps + 1}, {.dtype = DType::i64});
    target_out = full({rows, steps + 1}, kIgnore, {.dtype = DType::i64});
    int64_t* from = source.mutable_data_<int64_t>();
    int64_t* in = target_in.mutable_data_<int64_t>();
    int64_t* out = target_out.mutable_data_<int64_t>();
    for (int64_t b = 0; b < rows; ++b) {
      const int64_t length = lengths.data<int64_t>()[b];
      for (int64_t t = length; t < steps; ++t) from[b * steps + t] = 0;
      in[b * (steps + 1)] = kBegin;
      for (int64_t t = 0; t < length; ++t) {
        out[b * (steps + 1) + t] = in[b * (steps + 1) + t + 1] = from[b * steps + length - 1 - t];
      }
      out[b * (steps + 1) + length] = kEnd;
    }
  }
  Tensor source, lengths, target_in, target_out;
};

Variable loss_of(Seq2Seq& model, const Batch& batch) {
  return cross_entropy(model(batch.source, batch.lengths, batch.target_in), batch.target_out,
                       {.ignore_index = kIgnore});
}

// Gradient descent with steps of a fixed length. It is enough to overfit, and does not need the room of optimizers.
void descend(Seq2Seq& model, double step) {
  double squares = 0.0;
  for (const NamedParameter& named : model.parameters()) {
    squares += sum(Variable(named.parameter->grad()) * Variable(named.parameter->grad())).item<float>();
  }
  const double scale = step / std::sqrt(squares + 1e-12);
  for (const NamedParameter& named : model.parameters()) {
    named.parameter->mutable_value_().add_(named.parameter->grad(), -scale);
    named.parameter->zero_grad_();
  }
}

// The number of rows that decode to their target exactly.
int64_t exact_rows(const Decoded& decoded, const Batch& batch) {
  int64_t exact = 0;
  for (int64_t b = 0; b < batch.source.size(0); ++b) {
    const int64_t length = batch.lengths.data<int64_t>()[b];
    bool same = decoded.lengths.data<int64_t>()[b] == length;
    for (int64_t t = 0; same && t < length; ++t) {
      same = decoded.symbols.at({b, t}) == batch.target_out.at({b, t});
    }
    exact += same ? 1 : 0;
  }
  return exact;
}

std::vector<Tensor> gradients_of(Seq2Seq& model, const Batch& batch) {
  std::vector<Variable> targets;
  for (const NamedParameter& named : model.parameters()) targets.push_back(named.parameter->variable());
  std::vector<Tensor> gradients;
  for (const Variable& gradient : grad({loss_of(model, batch)}, targets)) gradients.push_back(gradient.value());
  return gradients;
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.size(); ++i) same = bitwise_equal(a[i], b[i]);
  return same;
}

}  // namespace

TEST_CASE("every cell with every attention overfits one batch, and then decodes it freely") {
  const uint64_t seed = tests::seed(61);
  for (CellKind cell : kCells) {
    for (AttentionKind attention : kAttentions) {
      INFO(cell_name(cell) << ", " << attention_name(attention) << ", seed " << seed);
      Generator generator(seed);
      Seq2Seq model(small(cell, attention), generator);
      const Batch batch(6, 5, generator);
      const double first = loss_of(model, batch).item<float>();
      double last = first;
      int steps = 0;
      for (; steps < 600 && last > 0.01; ++steps) {
        const Variable loss = loss_of(model, batch);
        last = loss.item<float>();
        backward(loss);
        descend(model, 0.2 * std::min(1.0, last) + 0.02);
      }
      INFO("loss " << first << " -> " << last << " in " << steps << " steps");
      CHECK(last < 0.05);
      CHECK(exact_rows(model.greedy(batch.source, batch.lengths, {.begin = kBegin, .end = kEnd, .max_length = 6}),
                       batch) == 6);
    }
  }
}

TEST_CASE("greedy decoding says what teacher forcing on its own output says") {
  const uint64_t seed = tests::seed(62);
  for (CellKind cell : kCells) {
    for (AttentionKind attention : kAttentions) {
      INFO(cell_name(cell) << ", " << attention_name(attention) << ", seed " << seed);
      Generator generator(seed);
      Seq2Seq model(small(cell, attention), generator);
      const Batch batch(7, 6, generator);
      const int64_t length = 8;
      const Decoded decoded =
          model.greedy(batch.source, batch.lengths, {.begin = kBegin, .end = kEnd, .max_length = length});
      Tensor read = full({7, length}, kBegin, {.dtype = DType::i64});
      Tensor later = read.slice(1, 1, length);
      later.copy_(decoded.symbols.slice(1, 0, length - 1));
      const Tensor logits = model(batch.source, batch.lengths, read).value();
      for (int64_t b = 0; b < 7; ++b) {
        const int64_t said = decoded.lengths.data<int64_t>()[b];
        for (int64_t t = 0; t < std::min(said + 1, length); ++t) {
          double best = -HUGE_VAL;
          for (int64_t v = 0; v < kVocab; ++v) best = std::max(best, logits.at({b, t, v}));
          const auto symbol = static_cast<int64_t>(decoded.symbols.at({b, t}));
          CHECK(logits.at({b, t, symbol}) >= best - 1e-5);
          CHECK((symbol == kEnd) == (t == said));
        }
        for (int64_t t = said; t < length; ++t) CHECK(decoded.symbols.at({b, t}) == kEnd);
      }
    }
  }
}

TEST_CASE(
    "asking greedy decoding for the attention changes nothing; its rows sum to 1 until the end, over real symbols") {
  const uint64_t seed = tests::seed(63);
  INFO("seed " << seed);
  for (AttentionKind attention : {AttentionKind::additive, AttentionKind::dot}) {
    Generator generator(seed);
    Seq2Seq model(small(CellKind::gru, attention), generator);
    const Batch batch(5, 6, generator);
    GreedyOptions options{.begin = kBegin, .end = kEnd, .max_length = 4};
    const Decoded plain = model.greedy(batch.source, batch.lengths, options);
    CHECK(!plain.attention.defined());
    options.want_attention = true;
    const Decoded shown = model.greedy(batch.source, batch.lengths, options);
    CHECK(bitwise_equal(plain.symbols, shown.symbols));
    CHECK(bitwise_equal(plain.lengths, shown.lengths));
    REQUIRE(shown.attention.shape() == Shape{5, 4, 6});
    for (int64_t b = 0; b < 5; ++b) {
      for (int64_t t = 0; t < 4; ++t) {
        double total = 0.0;
        for (int64_t j = 0; j < 6; ++j) {
          total += shown.attention.at({b, t, j});
          if (j >= batch.lengths.data<int64_t>()[b]) CHECK(shown.attention.at({b, t, j}) == 0.0);
        }
        CHECK(std::abs(total - (t <= shown.lengths.data<int64_t>()[b] ? 1.0 : 0.0)) < 1e-6);
      }
    }
  }
  Generator generator(seed);
  Seq2Seq without(small(CellKind::gru, AttentionKind::none), generator);
  const Batch batch(2, 3, generator);
  CHECK(
      !without
           .greedy(batch.source, batch.lengths, {.begin = kBegin, .end = kEnd, .max_length = 2, .want_attention = true})
           .attention.defined());
}

TEST_CASE("what the padding of a source holds changes no bit of logits or gradients") {
  const uint64_t seed = tests::seed(64);
  for (CellKind cell : kCells) {
    for (AttentionKind attention : kAttentions) {
      INFO(cell_name(cell) << ", " << attention_name(attention) << ", seed " << seed);
      Generator generator(seed);
      Seq2Seq model(small(cell, attention), generator);
      Batch batch(6, 7, generator);
      const Tensor logits = model(batch.source, batch.lengths, batch.target_in).value();
      const std::vector<Tensor> gradients = gradients_of(model, batch);
      int64_t* symbols = batch.source.mutable_data_<int64_t>();
      int64_t changed = 0;
      for (int64_t b = 0; b < 6; ++b) {
        for (int64_t t = batch.lengths.data<int64_t>()[b]; t < 7; ++t, ++changed) symbols[b * 7 + t] = 3 + (b + t) % 5;
      }
      REQUIRE(changed > 5);
      CHECK(bitwise_equal(model(batch.source, batch.lengths, batch.target_in).value(), logits));
      CHECK(same_bits(gradients_of(model, batch), gradients));
    }
  }
}

TEST_CASE("a training step gives the same bits on 1, 2 and 3 threads, and never runs the GRU's reference") {
  const uint64_t seed = tests::seed(65);
  INFO("seed " << seed);
  const auto train = [&](int threads) {
    const detail::ThreadCountScope scope(threads);
    Generator generator(seed);
    Seq2Seq model({.source_vocab = kVocab, .target_vocab = kVocab, .hidden_size = 40}, generator);
    for (int step = 0; step < 3; ++step) {
      const Batch batch(33, 11, generator);
      backward(loss_of(model, batch));
      descend(model, 0.1);
    }
    std::vector<Tensor> values;
    for (const NamedTensor& entry : model.state_dict()) values.push_back(entry.value);
    return values;
  };
  const PathCounts before = path_counts();
  const std::vector<Tensor> one = train(1);
  const PathCounts after = path_counts();
  CHECK(after.reference == before.reference);
  // An encoder in two directions and twelve decoder steps, three times, and the same number backward.
  CHECK(after.fused - before.fused >= 3 * 2 * (2 + 12));
  CHECK(same_bits(one, train(1)));
  CHECK(same_bits(one, train(2)));
  CHECK(same_bits(one, train(3)));
}

TEST_CASE("dropout acts while training, not in evaluation nor in greedy decoding, which leaves the mode as it was") {
  Generator generator(66);
  Seq2SeqOptions options = small();
  options.dropout = 0.5;
  Seq2Seq model(options, generator);
  const Batch batch(4, 5, generator);
  const Tensor one = model(batch.source, batch.lengths, batch.target_in).value();
  CHECK(!bitwise_equal(one, model(batch.source, batch.lengths, batch.target_in).value()));
  const GreedyOptions greedy{.begin = kBegin, .end = kEnd, .max_length = 5, .want_attention = true};
  const Decoded decoded = model.greedy(batch.source, batch.lengths, greedy);
  CHECK(bitwise_equal(decoded.attention, model.greedy(batch.source, batch.lengths, greedy).attention));
  CHECK(model.training());
  CHECK(!bitwise_equal(one, model(batch.source, batch.lengths, batch.target_in).value()));
  model.eval_();
  CHECK(bitwise_equal(model(batch.source, batch.lengths, batch.target_in).value(),
                      model(batch.source, batch.lengths, batch.target_in).value()));
}

TEST_CASE("a loss whose targets are all ignored is 0, with a gradient of exactly 0 everywhere") {
  Generator generator(67);
  Seq2Seq model(small(), generator);
  Batch batch(3, 4, generator);
  batch.target_out.fill_(kIgnore);
  const Variable loss = loss_of(model, batch);
  CHECK(loss.item<float>() == 0.0f);
  backward(loss);
  size_t seen = 0;
  for (const NamedParameter& named : model.parameters()) {
    INFO(named.name);
    REQUIRE(named.parameter->grad().defined());
    CHECK(all_zero(named.parameter->grad()));
    ++seen;
  }
  CHECK(seen == 21);
}

TEST_CASE("sources of length 0, targets of length 0 and a maximal length of 0 are fine") {
  Generator generator(68);
  for (AttentionKind attention : kAttentions) {
    Seq2Seq model(small(CellKind::gru, attention), generator);
    const Tensor source = zeros({2, 3}, {.dtype = DType::i64});
    const Tensor lengths = zeros({2}, {.dtype = DType::i64});
    const Tensor none = zeros({2, 0}, {.dtype = DType::i64});
    CHECK(all_finite(model(source, lengths, source).value()));
    CHECK(model(source, lengths, none).shape() == Shape{2, 0, kVocab});
    const Decoded decoded = model.greedy(source, lengths, {.begin = kBegin, .end = kEnd, .max_length = 0});
    CHECK(decoded.symbols.shape() == Shape{2, 0});
    CHECK(decoded.lengths.shape() == Shape{2});
  }
}

TEST_CASE("a seq2seq names what is wrong with its arguments") {
  Generator generator(69);
  Seq2Seq model(small(), generator);
  const Tensor source = zeros({2, 3}, {.dtype = DType::i64});
  const Tensor lengths = Tensor::from({3, 2}, {2}, {.dtype = DType::i64});
  CHECK_THROWS_WITH(Seq2Seq({.source_vocab = 0, .target_vocab = 3}, generator),
                    "[seq2seq] expected source_vocab >= 1, got 0");
  CHECK_THROWS_WITH(model(zeros({2, 3}), lengths, source),
                    "[seq2seq] expected source i64 [B, T], got f32 [2, 3] (in seq2seq)");
  CHECK_THROWS_WITH(model(source, lengths, zeros({3, 3}, {.dtype = DType::i64})),
                    "[seq2seq] batches differ: source is i64 [2, 3], target_in is i64 [3, 3] (in seq2seq)");
  CHECK_THROWS_WITH(model.greedy(source, lengths, {.begin = 0, .end = 9, .max_length = 3}),
                    "[greedy] expected begin and end in [0, 9) and max_length >= 0, got 0, 9 and 3 (in seq2seq)");
  CHECK_THROWS_AS(model(full({2, 3}, 99.0, {.dtype = DType::i64}), lengths, source), Error);
}
