// SPDX-License-Identifier: MIT
// dot_product_attention against PyTorch's F.scaled_dot_product_attention (numbers written by
// fixtures/scaled_dot_product.py): outputs and all gradients, for random shapes.
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/fixture.hpp"

using namespace gradus;
using tests::Fixture;
using tests::relative_error;

TEST_CASE("dot_product_attention: outputs and gradients are those of PyTorch") {
  const std::string kind = GENERATE("plain", "causal", "grouped", "scale", "bias", "keep");
  const int number = GENERATE(0, 1, 2);
  const DType dtype = GENERATE(DType::f64, DType::f32);
  INFO(kind << " " << number << " " << to_string(dtype));
  std::string prefix = kind;
  prefix.append(".").append(std::to_string(number)).append(".");
  const Fixture expected(GRADUS_FIXTURES "/scaled_dot_product.safetensors", prefix);
  std::vector<std::string> names = {"query", "key", "value"};
  if (expected.has("bias")) names.push_back("bias");
  std::vector<Variable> inputs;
  for (const std::string& name : names) inputs.push_back(leaf(expected(name).to(dtype)));

  DotProductAttentionOptions options{.causal = kind == "causal"};
  if (kind == "scale") options.scale = 0.3;
  if (kind == "bias") options.bias = inputs[3];
  if (expected.has("keep")) options.keep = expected("keep");
  const Variable y = dot_product_attention(inputs[0], inputs[1], inputs[2], options);
  const std::vector<Variable> gradients =
      grad({y}, inputs, {.cotangents = {Variable(expected("cotangent").to(dtype))}});

  const double allowed = dtype == DType::f64 ? 1e-12 : 1e-6;
  double worst = relative_error(y.value(), expected("output").to(dtype));
  for (size_t i = 0; i < names.size(); ++i) {
    // Where all keys have one value, the gradient of a query is 0 except for rounding.
    worst = std::max(worst, relative_error(gradients[i].value(), expected("grad." + names[i]).to(dtype), 1e-2));
  }
  CHECK(worst < allowed);
}
