// SPDX-License-Identifier: MIT
// The error messages of gradcheck and its negative controls, word by word.
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/ops/ops_list.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

using Inputs = std::vector<Variable>;

Tensor pair_of_numbers() { return Tensor::from({0.3, -0.7}, {2}, {.dtype = DType::f64}); }

}  // namespace

TEST_CASE("messages: what gradcheck cannot check") {
  const auto f = [](const Inputs& in) { return tanh(in[0]); };
  CHECK_THROWS_WITH(
      gradcheck(f, {{.name = "x", .value = pair_of_numbers(), .keep = zeros({3}, {.dtype = DType::boolean})}}),
      contains_text("[gradcheck] keep of input x is bool [3]: expected bool [2]"));
  CHECK_THROWS_WITH(gradcheck(f, {{.name = "x", .value = pair_of_numbers()}}, {.dtype = DType::i64}),
                    contains_text("[gradcheck] expected dtype f64 or f32, got i64"));
}

TEST_CASE("messages: corruptions and self tests") {
  const PlantedCorruption first(tanh_op, Corruption::doubled);
  CHECK_THROWS_WITH(PlantedCorruption(relu_op, Corruption::dropped),
                    contains_text("[PlantedCorruption] expected one at a time"));
  const auto f = [](const Inputs& in) { return tanh(in[0]); };
  CHECK_THROWS_WITH(self_test(f, {{.name = "x", .value = pair_of_numbers()}}),
                    contains_text("[self_test] the function must pass without any corruption, but: FAIL"));
}
