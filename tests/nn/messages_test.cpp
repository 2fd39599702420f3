// SPDX-License-Identifier: MIT
// What layers say when they are used wrongly, as far as the tests of each do not hold it.
#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/nn/attention.hpp>
#include <gradus/nn/embedding.hpp>
#include <gradus/nn/gru.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/lstm.hpp>
#include <gradus/nn/seq2seq.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using gradus::tests::error_text;

namespace {

// A layer whose result holds no Variable that a hook could see.
class Counter : public Layer<Counter> {
 public:
  Counter() : Layer("counter") {}
  int64_t forward(const Variable& x) { return x.numel(); }
};

}  // namespace

TEST_CASE("messages: sizes of layers") {
  Generator generator(1);
  CHECK(error_text([&] { const Linear layer({.input_size = -1, .output_size = 2}, generator); }) ==
        "[linear] expected sizes of 0 or more, got input -1, output 2");
  CHECK(error_text([&] { const Embedding layer({.num_embeddings = 0, .embedding_size = 2}, generator); }) ==
        "[embedding] expected at least one row, got 0 rows of 2");
  CHECK(error_text([&] { const AdditiveAttention layer({.query_size = 2, .key_size = 2}, generator); }) ==
        "[additive_attention] expected attention_size >= 1, got 0");
  CHECK(error_text([&] { const DotAttention layer({.query_size = 2}, generator); }) ==
        "[dot_attention] expected sizes of 1 or more, got query 2, key 0");
  // 3 * 2^62 gates would be a negative number of them
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
  CHECK(error_text([&] { gru.weights(1); }) == "[gru] has no layer 1");
  CHECK(error_text([&] { gru.weights(0, true); }) == "[gru] has no layer 0 in reverse");
  Seq2Seq model({.source_vocab = 4, .target_vocab = 5}, generator);
  CHECK(error_text([&] {
          model.greedy(zeros({2, 3}), {}, {});
        }) == "[greedy] expected source i64 [B, T], got f32 [2, 3] (in seq2seq)");
}

TEST_CASE("messages: hooks") {
  Generator generator(3);
  Linear linear({.input_size = 2, .output_size = 3}, generator);
  linear.on_output_([](const Variable&) -> Variable { return ones({1}); });
  CHECK(error_text([&] {
          linear(ones({1, 2}));
        }) == "[linear] an output hook gave another shape or dtype: expected f32 [1, 3], got f32 [1] (in linear)");
  Counter counter;
  counter.on_output_([](const Variable&) {});
  CHECK(error_text([&] { counter(ones({1})); }) ==
        "[counter] hooks cannot see what this layer returns: expected a Variable or a struct with "
        "each_variable(visit) (in counter)");
}
