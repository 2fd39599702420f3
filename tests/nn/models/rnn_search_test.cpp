// SPDX-License-Identifier: MIT
// RnnSearch against the formulas of Bahdanau et al. 2015, appendix A, computed item by item with plain ops.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/nn/models/rnn_search.hpp>
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

constexpr int64_t kVocab = 6, kSize = 4;

RnnSearchOptions small(DeepOutput output = DeepOutput::maxout) {
  return {.source_vocab = kVocab,
          .target_vocab = kVocab,
          .embedding_size = 3,
          .hidden_size = kSize,
          .attention_size = 5,
          .maxout_size = 3,
          .output = output,
          .dtype = DType::f64};
}

// The annotations of one source, [length, 2 n], and the first state.
struct Annotations {
  Annotations(const ByHand& hand, const Tensor& source, int64_t length) {
    const Variable zero = zeros({1, kSize}, {.dtype = DType::f64});
    std::vector<Variable> forth, back(static_cast<size_t>(length));
    Variable h = zero;
    for (int64_t j = 0; j < length; ++j) {
      h = hand.gru("encoder", "l0", hand.row("source_embedding", source.at({j})), h);
      forth.push_back(h);
    }
    h = zero;
    for (int64_t j = length; j-- > 0;) {
      h = hand.gru("encoder", "l0_reverse", hand.row("source_embedding", source.at({j})), h);
      back[static_cast<size_t>(j)] = h;
    }
    start = tanh(hand.times("bridge", h));
    if (length > 0) memory = concat({concat(forth, 0), concat(back, 0)}, 1);
  }
  Variable memory, start;
};

// The larger one of each pair.
Variable maxout(const Variable& pairs) {
  const Variable first = slice(pairs, 1, 0, pairs.size(1), 2), second = slice(pairs, 1, 1, pairs.size(1), 2);
  return where(greater(first, second), first, second);
}

// [Tt, V].
Variable by_formula(const RnnSearch& model, const Tensor& source, int64_t length, const Tensor& target) {
  const ByHand hand(model);
  const Annotations h(hand, source, length);
  Variable s = h.start;
  std::vector<Variable> logits;
  for (int64_t i = 0; i < target.size(0); ++i) {
    const Variable y = hand.row("target_embedding", target.at({i}));
    Variable context = zeros({1, 2 * kSize}, {.dtype = DType::f64});
    if (length > 0) {
      const Variable hidden = tanh(hand.times("attention.query_proj", s) + hand.times("attention.key_proj", h.memory));
      const Variable scores = matmul(hidden, hand("attention.v"));
      context = matmul(unsqueeze(softmax(scores, 0), 0), h.memory);
    }
    const Variable all = concat({s, y, context}, 1);
    const Variable t = model.options().output == DeepOutput::maxout ? maxout(hand.times("deep_output", all)) : all;
    logits.push_back(hand.times("output", t));
    s = hand.gru("decoder", "l0", concat({y, context}, 1), s);
  }
  return concat(logits, 0);
}

}  // namespace

TEST_CASE("an rnn search is the model of appendix A, with both outputs") {
  const uint64_t seed = tests::seed(131);
  for (DeepOutput output : {DeepOutput::maxout, DeepOutput::linear}) {
    INFO("linear " << (output == DeepOutput::linear) << ", seed " << seed);
    Generator generator(seed);
    RnnSearch model(small(output), generator);
    detail::RandomTensors random(seed);
    const Tensor source = random.integers({3, 4}, 0, kVocab), target = random.integers({3, 5}, 0, kVocab);
    const Tensor lengths = tests::i64({4, 2, 0}, {3});
    const Tensor logits = model(source, lengths, target).value();
    for (int64_t b = 0; b < 3; ++b) {
      const auto length = static_cast<int64_t>(lengths.at({b}));
      const Tensor expected = by_formula(model, source.select(0, b), length, target.select(0, b)).value();
      // Measured over four seeds: at most 2.3e-16.
      CHECK(largest_error(logits.select(0, b).contiguous(), expected) < 1e-14);
    }
  }
}

TEST_CASE("hooks of an rnn search see the calls of its formulas, and change no number beyond rounding") {
  const uint64_t seed = tests::seed(132);
  INFO("seed " << seed);
  Generator generator(seed);
  RnnSearch model(small(), generator);
  detail::RandomTensors random(seed);
  const Tensor source = random.integers({2, 3}, 0, kVocab), target = random.integers({2, 4}, 0, kVocab);
  const Tensor lengths = tests::i64({3, 2}, {2});
  // How many Variables the calls of each module return: those of the cells and of the attention have two.
  const std::vector<std::pair<const char*, int>> seen = {
      {"source_embedding", 1}, {"target_embedding", 1}, {"encoder", 2},     {"bridge", 1},
      {"attention", 2 * 4},    {"decoder", 2 * 3},      {"deep_output", 1}, {"output", 1}};
  tests::check_hook_calls(model, source, lengths, target, seen);
}

TEST_CASE("hooks that come and go while an rnn search decodes change no number beyond rounding") {
  Generator generator(tests::seed(133));
  RnnSearch model(small(), generator);
  const Tensor source = tests::i64({2, 3, 4}, {1, 3}), begin = tests::i64({0}, {1, 1});
  const auto decoded = [&](const char* hooked) {
    const Owned<Continuation> rows = model.start(source, Tensor(), begin);
    std::vector<Tensor> logits;
    for (int64_t step = 0; step < 4; ++step) {
      if (hooked != nullptr && step == 1) model.submodule(hooked).on_output_([](const Variable&) {});
      if (hooked != nullptr && step == 3) model.submodule(hooked).remove_hooks_();
      rows->extend({0}, {step + 2});
      logits.push_back(rows->next().logits);
    }
    return logits;
  };
  const std::vector<Tensor> expected = decoded(nullptr);
  for (const char* name : {"attention", "decoder"}) {
    const std::vector<Tensor> got = decoded(name);
    for (size_t i = 0; i < got.size(); ++i) CHECK(largest_error(got[i], expected[i]) < 1e-14);
  }
}

TEST_CASE("messages of an rnn search") {
  Generator generator(1);
  const auto text = [&](const RnnSearchOptions& options) {
    return error_text([&] { const RnnSearch made(options, generator); });
  };
  CHECK(text({}) == "[rnn_search] expected source_vocab >= 1, got 0");
  CHECK(text({.source_vocab = 2}) == "[rnn_search] expected target_vocab >= 1, got 0");
  CHECK(text({.source_vocab = 2, .target_vocab = 2, .embedding_size = 0}) ==
        "[rnn_search] expected embedding_size >= 1, got 0");
  CHECK(text({.source_vocab = 2, .target_vocab = 2, .hidden_size = 0}) ==
        "[rnn_search] expected hidden_size >= 1, got 0");
  CHECK(text({.source_vocab = 2, .target_vocab = 2, .maxout_size = -1}) ==
        "[rnn_search] expected attention_size and maxout_size >= 0, got 0 and -1");
}

TEST_CASE("the sizes that an rnn search derives are those of the paper") {
  Generator generator(2);
  const RnnSearch model({.source_vocab = 5, .target_vocab = 7, .embedding_size = 3, .hidden_size = 8}, generator);
  const ByHand hand(model);
  CHECK(hand("deep_output.weight").shape() == Shape{8, 27});  // 2 l = n; n + m + 2 n
  CHECK(hand("output.weight").shape() == Shape{7, 4});
  CHECK(hand("attention.v").shape() == Shape{8});
}
