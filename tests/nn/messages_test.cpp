// SPDX-License-Identifier: MIT
// The error messages of layers that their own tests do not cover.
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using gradus::tests::error_text;

namespace {

// A layer whose result has no Variable for a hook to see.
struct Counter : Layer<Counter> {
  int64_t forward(const Variable& x) { return x.numel(); }
};

// A layer's type as a value.
template <class L>
struct Of {
  using Type = L;
};

}  // namespace

TEST_CASE("messages: sizes of layers") {
  Generator generator(1);
  CHECK(error_text([&] { const Linear layer({.input_size = -1, .output_size = 2}, generator); }) ==
        "[linear] expected input_size >= 1, got -1");
  CHECK(error_text([&] { const Embedding layer({.num_embeddings = 0, .embedding_size = 2}, generator); }) ==
        "[embedding] expected num_embeddings >= 1, got 0");
  CHECK(error_text([&] { const AdditiveAttention layer({.query_size = 2, .key_size = 2}, generator); }) ==
        "[additive_attention] expected attention_size >= 1, got 0");
  CHECK(error_text([&] { const DotAttention layer({.query_size = 2}, generator); }) ==
        "[dot_attention] expected key_size >= 1, got 0");
  // 3 * 2^62 gates would overflow to a negative number
  CHECK(error_text([&] { const Gru layer({.input_size = 2, .hidden_size = int64_t{1} << 62}, generator); }) ==
        "[gru] expected hidden_size and num_layers of at most 2147483647, got 4611686018427387904 and 1");
  CHECK(error_text([&] {
          const Lstm layer({.input_size = 2, .hidden_size = 2, .num_layers = INT64_MAX, .bidirectional = true},
                           generator);
        }) == "[lstm] expected hidden_size and num_layers of at most 2147483647, got 2 and 9223372036854775807");
}

TEST_CASE("messages: layers that are called or asked wrongly") {
  Generator generator(2);
  const Gru gru({.input_size = 2, .hidden_size = 3}, generator);
  CHECK(error_text([&] { static_cast<void>(gru.weights(1)); }) == "[gru] has no layer 1");
  CHECK(error_text([&] { static_cast<void>(gru.weights(0, true)); }) == "[gru] has no layer 0 in reverse");
  Seq2Seq model({.source_vocab = 4, .target_vocab = 5}, generator);
  CHECK(error_text([&] {
          return model.greedy(zeros({2, 3}), {}, {.begin = 0, .end = 1, .max_length = 2});
        }) == "[greedy] expected source i64 [B, T], got f32 [2, 3] (in seq2seq)");
}

TEST_CASE("messages: hooks") {
  Generator generator(3);
  Linear linear({.input_size = 2, .output_size = 3}, generator);
  linear.on_output_([](const Variable&) -> Variable { return ones({1}); });
  CHECK(error_text([&] {
          return linear(ones({1, 2}));
        }) == "[linear] an output hook gave another shape or dtype: expected f32 [1, 3], got f32 [1] (in linear)");
  Counter counter;
  counter.on_output_([](const Variable&) {});
  CHECK(error_text([&] { return counter(ones({1})); }) ==
        "[counter] hooks cannot see what this layer returns: expected a Variable or a struct with "
        "each_variable(visit) (in counter)");
}

TEST_CASE("messages: each size that has no sensible default is named when it is left out") {
  Generator generator(4);
  const auto text = [&](const auto& layer, const auto& options) {
    using Type = typename std::remove_cvref_t<decltype(layer)>::Type;
    return error_text([&] { const Type made(options, generator); });
  };
  const auto expect = [](const char* kind, const char* field) {
    return std::string("[") + kind + "] expected " + field + " >= 1, got 0";
  };
  CHECK(text(Of<Linear>(), LinearOptions{}) == expect("linear", "input_size"));
  CHECK(text(Of<Linear>(), LinearOptions{.input_size = 2}) == expect("linear", "output_size"));
  CHECK(text(Of<Embedding>(), EmbeddingOptions{}) == expect("embedding", "num_embeddings"));
  CHECK(text(Of<Embedding>(), EmbeddingOptions{.num_embeddings = 2}) == expect("embedding", "embedding_size"));
  CHECK(text(Of<Rnn>(), RnnOptions{}) == expect("rnn", "input_size"));
  CHECK(text(Of<Rnn>(), RnnOptions{.input_size = 2}) == expect("rnn", "hidden_size"));
  CHECK(text(Of<Gru>(), GruOptions{}) == expect("gru", "input_size"));
  CHECK(text(Of<Gru>(), GruOptions{.input_size = 2}) == expect("gru", "hidden_size"));
  CHECK(text(Of<Lstm>(), LstmOptions{}) == expect("lstm", "input_size"));
  CHECK(text(Of<Lstm>(), LstmOptions{.input_size = 2}) == expect("lstm", "hidden_size"));
  CHECK(text(Of<Recurrent>(), RecurrentOptions{}) == expect("gru", "input_size"));
  CHECK(text(Of<AdditiveAttention>(), AdditiveAttentionOptions{}) == expect("additive_attention", "query_size"));
  CHECK(text(Of<AdditiveAttention>(), AdditiveAttentionOptions{.query_size = 2}) ==
        expect("additive_attention", "key_size"));
  CHECK(text(Of<DotAttention>(), DotAttentionOptions{}) == expect("dot_attention", "query_size"));
  CHECK(text(Of<DotAttention>(), DotAttentionOptions{.query_size = 2}) == expect("dot_attention", "key_size"));
  CHECK(text(Of<Seq2Seq>(), Seq2SeqOptions{}) == expect("seq2seq", "source_vocab"));
  CHECK(text(Of<Seq2Seq>(), Seq2SeqOptions{.source_vocab = 2}) == expect("seq2seq", "target_vocab"));
  Seq2Seq model({.source_vocab = 4, .target_vocab = 5}, generator);
  CHECK(error_text([&] {
          return model.greedy(zeros({2, 3}, {.dtype = DType::i64}), {}, {});
        }) == "[greedy] expected begin and end in [0, 5) and max_length >= 0, got -1, -1 and -1 (in seq2seq)");
}
