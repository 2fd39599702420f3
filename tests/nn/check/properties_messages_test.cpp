// SPDX-License-Identifier: MIT
// The error messages of the property checks, word by word.
#include <gradus/autograd/ops.hpp>
#include <gradus/nn/check/gradcheck.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

using Inputs = std::vector<Variable>;

Tensor ones_of(const Shape& shape) { return ones(shape, {.dtype = DType::f64}); }

Variable twice(const Inputs& in) { return in[0] * 2.0; }
Variable total(const Inputs& in) { return sum(in[0]); }

}  // namespace

TEST_CASE("messages: check_batch_independence") {
  CHECK_THROWS_WITH(
      check_batch_independence(twice, {{.name = "s", .value = ones_of({})}}),
      contains_text("[check_batch_independence] input s has no batch axis: name it in BatchCase::shared"));
  CHECK_THROWS_WITH(
      check_batch_independence(twice, {{.name = "a", .value = ones_of({3, 2})}, {.name = "b", .value = ones_of({4})}}),
      contains_text("[check_batch_independence] expected 3 items in input b, got f64 [4]"));
  CHECK_THROWS_WITH(check_batch_independence(twice, {{.name = "a", .value = ones_of({1, 2})}}),
                    contains_text("[check_batch_independence] expected a batch of at least two items"));
  CHECK_THROWS_WITH(check_batch_independence(total, {{.name = "a", .value = ones_of({3, 2})}}),
                    contains_text("[check_batch_independence] expected output 0 of 3 items, got f64 []"));
}

TEST_CASE("messages: check_step_equals_sequence") {
  CHECK_THROWS_WITH(check_step_equals_sequence(twice, twice, {{.name = "x", .value = ones_of({3})}}),
                    contains_text("[check_step_equals_sequence] expected x of shape [batch, time, ..], got f64 [3]"));
  const std::vector<NamedInput> inputs = {{.name = "x", .value = ones_of({2, 3})},
                                          {.name = "h", .value = ones_of({2})}};
  CHECK_THROWS_WITH(
      check_step_equals_sequence(twice, twice, inputs),
      contains_text(
          "[check_step_equals_sequence] expected an output and one final state for each initial one, got 1 outputs"));
  const auto sequence = [](const Inputs& in) { return Inputs{in[0], in[1]}; };
  CHECK_THROWS_WITH(check_step_equals_sequence(sequence, twice, inputs),
                    contains_text("[check_step_equals_sequence] expected 2 outputs of a step, got 1"));
}

TEST_CASE("messages: checks of influence") {
  CHECK_THROWS_WITH(check_causal(twice, {{.name = "x", .value = ones_of({2, 3})}}, {.input = 1}),
                    contains_text("[check_causal] there is no input 1"));
  CHECK_THROWS_WITH(check_causal(twice, {{.name = "x", .value = ones_of({2})}}),
                    contains_text("[check_causal] expected input x of shape [batch, time, ..], got f64 [2]"));
  CHECK_THROWS_WITH(check_causal(total, {{.name = "x", .value = ones_of({2, 3})}}),
                    contains_text("[check_causal] expected output 0 of shape [2, 3, ..], got f64 []"));
  CHECK_THROWS_WITH(
      check_padding_invariance(twice, {{.name = "x", .value = ones_of({2, 3})}}, {.lengths = {}, .inputs = {}}),
      contains_text("[check_padding_invariance] expected at least one padded input"));
  const auto padded = [](const Tensor& x, const Tensor& lengths) {
    return check_padding_invariance(twice, {{.name = "x", .value = x}}, {.lengths = lengths});
  };
  const auto integers = [](std::initializer_list<double> values) {
    return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::i64});
  };
  CHECK_THROWS_WITH(
      padded(ones_of({2, 3}), integers({1})),
      contains_text("[check_padding_invariance] wrong lengths: expected i64 [2], each from 0 to 3, got i64 [1]"));
  CHECK_THROWS_WITH(
      padded(ones_of({2, 3}), integers({1, 4})),
      contains_text("[check_padding_invariance] wrong lengths: expected i64 [2], each from 0 to 3, got 4 in row 1"));
  CHECK_THROWS_WITH(padded(ones_of({0, 3}), integers({})),
                    contains_text("[check_padding_invariance] expected a batch of at least one"));
}
