// SPDX-License-Identifier: MIT
// LuongSeq2Seq against the formulas of Luong et al. 2015, section 3, computed item by item with plain ops.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/nn/models/luong.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/nn/models/by_hand.hpp"
#include "tests/nn/models/hook_calls.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::ByHand;
using tests::error_text;

namespace {

constexpr int64_t kVocab = 6, kSize = 4, kSteps = 5;

enum class ScoreName { dot, general, concat, location };

struct Kind {
  ScoreName score = ScoreName::general;
  WindowOptions window = {};
  bool input_feeding = true;
};

Score score_of(ScoreName name) {
  switch (name) {
    case ScoreName::dot:
      return Score::dot();
    case ScoreName::general:
      return Score::general();
    case ScoreName::concat:
      return Score::concat({.attention_size = 3});
    case ScoreName::location:
      break;
  }
  return Score::location({.max_positions = kSteps});
}

LuongSeq2SeqOptions small(const Kind& kind) {
  return {.source_vocab = kVocab,
          .target_vocab = kVocab,
          .embedding_size = 3,
          .hidden_size = kSize,
          .num_layers = 2,
          .score = score_of(kind.score),
          .window = kind.window,
          .input_feeding = kind.input_feeding,
          .dtype = DType::f64};
}

// The scores of one query h [1, H] and all annotations [S, H]: [S].
Variable scores_of(ScoreName name, const ByHand& hand, const Variable& h, const Variable& memory) {
  const Variable weight = hand("attention.score.weight");
  switch (name) {
    case ScoreName::dot:
      return matmul(memory, squeeze(h, 0));
    case ScoreName::general:
      return matmul(memory, squeeze(matmul(h, weight), 0));
    case ScoreName::concat: {
      const Variable both = concat({expand(h, memory.shape()), memory}, 1);
      return matmul(tanh(matmul(both, transpose(weight, 0, 1))), hand("attention.score.v"));
    }
    case ScoreName::location:
      break;
  }
  return slice(squeeze(matmul(h, transpose(weight, 0, 1)), 0), 0, 0, memory.size(0));
}

// c_t [1, H] of step t.
Variable context_of(const Kind& kind, const ByHand& hand, const Variable& h, const Variable& memory, int64_t t) {
  const int64_t length = memory.size(0), width = kind.window.width;
  const Variable scores = scores_of(kind.score, hand, h, memory);
  if (width == 0) return matmul(unsqueeze(softmax(scores, 0), 0), memory);
  auto centre = static_cast<double>(t);
  if (kind.window.predicted) {
    const Variable hidden = tanh(matmul(h, transpose(hand("attention.position.hidden.weight"), 0, 1)));
    centre = static_cast<double>(length) * sigmoid(matmul(hidden, hand("attention.position.v"))).value().at({0});
  }
  const auto first = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(centre - static_cast<double>(width))));
  const auto last = std::min(length - 1, static_cast<int64_t>(std::floor(centre + static_cast<double>(width))));
  if (last < first) return zeros({1, kSize}, {.dtype = DType::f64});
  Variable weights = softmax(narrow(scores, 0, first, last - first + 1), 0);
  if (kind.window.predicted) {
    std::vector<double> factors;
    const double sigma = static_cast<double>(width) / 2;
    for (int64_t s = first; s <= last; ++s) {
      factors.push_back(std::exp(-std::pow(static_cast<double>(s) - centre, 2) / (2 * sigma * sigma)));
    }
    weights = weights * Tensor::from<double>(factors, {last - first + 1});
  }
  return matmul(unsqueeze(weights, 0), narrow(memory, 0, first, last - first + 1));
}

// [Tt, V].
Variable by_formula(const Kind& kind, const LuongSeq2Seq& model, const Tensor& source, const Tensor& target) {
  const ByHand hand(model);
  const Variable zero = zeros({1, kSize}, {.dtype = DType::f64});
  Variable h[2] = {zero, zero}, c[2] = {zero, zero};
  const auto both_layers = [&](const char* cell, const Variable& x) {
    hand.lstm(cell, "l0", x, h[0], c[0]);
    hand.lstm(cell, "l1", h[0], h[1], c[1]);
  };
  std::vector<Variable> annotations, logits;
  for (int64_t j = 0; j < source.size(0); ++j) {
    both_layers("encoder", hand.row("source_embedding", source.at({j})));
    annotations.push_back(h[1]);
  }
  const Variable memory = concat(annotations, 0);
  Variable attentional = zero;
  for (int64_t t = 0; t < target.size(0); ++t) {
    const Variable y = hand.row("target_embedding", target.at({t}));
    both_layers("decoder", kind.input_feeding ? concat({y, attentional}, 1) : y);
    const Variable context = context_of(kind, hand, h[1], memory, t);
    attentional = tanh(hand.times("attentional", concat({context, h[1]}, 1)));
    logits.push_back(hand.times("output", attentional));
  }
  return concat(logits, 0);
}

}  // namespace

TEST_CASE("a luong seq2seq is the model of section 3, for its scores, windows, and with or without input feeding") {
  const uint64_t seed = tests::seed(151);
  const WindowOptions global{}, monotonic{.width = 1}, predicted{.width = 2, .predicted = true};
  std::vector<Kind> kinds;
  for (ScoreName score : {ScoreName::dot, ScoreName::general, ScoreName::concat, ScoreName::location}) {
    kinds.push_back({.score = score, .window = global});
  }
  for (bool feeding : {true, false}) {
    for (const WindowOptions& window : {global, monotonic, predicted}) {
      kinds.push_back({.score = ScoreName::concat, .window = window, .input_feeding = feeding});
    }
  }
  for (size_t i = 0; i < kinds.size(); ++i) {
    INFO("kind " << i << ", seed " << seed);
    Generator generator(seed);
    LuongSeq2Seq model(small(kinds[i]), generator);
    detail::RandomTensors random(seed);
    const Tensor source = random.integers({3, kSteps}, 0, kVocab), target = random.integers({3, 6}, 0, kVocab);
    const Tensor lengths = tests::i64({5, 3, 1}, {3});
    const Tensor logits = model(source, lengths, target).value();
    for (int64_t b = 0; b < 3; ++b) {
      const Tensor read = source.select(0, b).slice(0, 0, static_cast<int64_t>(lengths.at({b}))).contiguous();
      const Tensor expected = by_formula(kinds[i], model, read, target.select(0, b)).value();
      // Measured over four seeds: at most 6e-17.
      CHECK(largest_error(logits.select(0, b).contiguous(), expected) < 1e-14);
    }
  }
}

TEST_CASE("hooks of a luong seq2seq see the calls of its formulas, and change no number beyond rounding") {
  const uint64_t seed = tests::seed(152);
  detail::RandomTensors random(seed);
  const Tensor source = random.integers({2, 3}, 0, kVocab), target = random.integers({2, 4}, 0, kVocab);
  const Tensor lengths = tests::i64({3, 2}, {2});
  for (bool feeding : {true, false}) {
    INFO("input feeding " << feeding << ", seed " << seed);
    Generator generator(seed);
    LuongSeq2Seq model(small({.input_feeding = feeding}), generator);
    const int steps = feeding ? 4 : 1;
    // How many Variables the calls of each module return: the cells have three, the attention one.
    const std::vector<std::pair<const char*, int>> seen = {
        {"source_embedding", 1}, {"target_embedding", 1}, {"encoder", 3}, {"decoder", 3 * steps},
        {"attention", steps},    {"attentional", steps},  {"output", 1}};
    tests::check_hook_calls(model, source, lengths, target, seen);
  }
}

TEST_CASE("dropout of a luong seq2seq acts while training alone") {
  Generator generator(tests::seed(153));
  LuongSeq2SeqOptions options = small({});
  options.dropout = 0.5;
  LuongSeq2Seq model(options, generator);
  const Tensor source = tests::i64({2, 3, 4}, {1, 3});
  const Tensor one = model(source, Tensor(), source).value();
  CHECK(!bitwise_equal(one, model(source, Tensor(), source).value()));
  model.eval_();
  CHECK(bitwise_equal(model(source, Tensor(), source).value(), model(source, Tensor(), source).value()));
}

TEST_CASE("messages of a luong seq2seq") {
  Generator generator(1);
  const auto text = [&](LuongSeq2SeqOptions options) {
    options.target_vocab = options.source_vocab;
    return error_text([&] { const LuongSeq2Seq made(options, generator); });
  };
  CHECK(text({}) == "[luong_seq2seq] expected source_vocab >= 1, got 0");
  CHECK(error_text([&] { const LuongSeq2Seq made({.source_vocab = 2}, generator); }) ==
        "[luong_seq2seq] expected target_vocab >= 1, got 0");
  CHECK(text({.source_vocab = 2, .embedding_size = 0}) == "[luong_seq2seq] expected embedding_size >= 1, got 0");
  CHECK(text({.source_vocab = 2, .hidden_size = 0}) == "[luong_seq2seq] expected hidden_size >= 1, got 0");
  CHECK(text({.source_vocab = 2, .num_layers = 0}) == "[luong_seq2seq] expected num_layers >= 1, got 0");
  CHECK_THAT(text({.source_vocab = 2, .window = {.predicted = true}}),
             tests::contains_text("expected a window with a width >= 1 around predicted positions"));
  CHECK_THAT(text({.source_vocab = 2, .dropout = 1.0}), tests::contains_text("[dropout]"));
}
