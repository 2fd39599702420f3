// SPDX-License-Identifier: MIT
// MultiHeadAttention against PyTorch's nn.MultiheadAttention (numbers written by fixtures/multi_head.py), and its
// masks, names and messages.
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/fixture.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;
using tests::Fixture;
using tests::relative_error;

namespace {

std::vector<std::string> names_of(MultiHeadAttention& layer) {
  std::vector<std::string> names;
  for (const NamedParameter& named : layer.parameters()) names.push_back(named.name);
  return names;
}

struct Tolerance {
  double value, gradient;
};

void check_case(const Fixture& expected, const MultiHeadAttentionOptions& options, const Mask& mask, bool self,
                const Tolerance& allowed) {
  Generator generator(1);
  MultiHeadAttention layer(options, generator);
  for (const NamedParameter& named : layer.parameters()) named.parameter->assign_(expected(named.name));
  const Variable query = leaf(expected("query"));
  const Variable memory = self ? query : leaf(expected("memory"));
  const Variable y = self ? layer(query, mask) : layer(query, memory, mask);
  CHECK(relative_error(y.value(), expected("output")) < allowed.value);
  if (!self) CHECK(relative_error(layer.weights(query, memory, mask).value(), expected("weights")) < allowed.value);
  std::vector<Variable> inputs = {query};
  std::vector<std::string> names = {"query"};
  if (!self) {
    inputs.push_back(memory);
    names.emplace_back("memory");
  }
  for (const NamedParameter& named : layer.parameters()) {
    inputs.push_back(named.parameter->variable());
    names.push_back(named.name);
  }
  const std::vector<Variable> gradients = grad({y}, inputs, {.cotangents = {Variable(expected("cotangent"))}});
  for (size_t i = 0; i < gradients.size(); ++i) {
    INFO("gradient of " << names[i]);
    CHECK(relative_error(gradients[i].value(), expected("grad." + names[i])) < allowed.gradient);
  }
}

}  // namespace

TEST_CASE("MultiHeadAttention gives what PyTorch gives for the same weights, with the same gradients") {
  const std::string folder = GRADUS_FIXTURES;
  const Tensor lengths = Tensor::from({7, 4}, {2}, {.dtype = DType::i64});
  for (const DType dtype : {DType::f32, DType::f64}) {
    // Measured: f64 8.4e-16 and 1.2e-15, f32 4e-7 and 5e-7.
    const Tolerance allowed = dtype == DType::f64 ? Tolerance{1e-12, 1e-12} : Tolerance{1e-6, 1e-6};
    const std::string file = folder + "/multi_head.safetensors", end = dtype == DType::f64 ? ".f64." : ".f32.";
    INFO(end);
    MultiHeadAttentionOptions options{.model_size = 12, .heads = 3, .dtype = dtype};
    check_case(Fixture(file, "causal" + end), options, Mask::causal(), true, allowed);
    check_case(Fixture(file, "lengths" + end), options, Mask::from_lengths(lengths), false, allowed);
    options.memory_size = 5;
    options.bias = false;
    check_case(Fixture(file, "memory" + end), options, Mask::none(), false, allowed);
  }
}

TEST_CASE("MultiHeadAttention has the names of PyTorch's parameters") {
  Generator generator(1);
  MultiHeadAttention packed({.model_size = 4, .heads = 2}, generator);
  CHECK(names_of(packed) ==
        std::vector<std::string>{"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"});
  CHECK(packed.parameters()[0].parameter->value().shape() == Shape{12, 4});
  CHECK(all_zero(packed.parameters()[3].parameter->value()));
  MultiHeadAttention separate({.model_size = 4, .heads = 2, .key_heads = 1, .memory_size = 3, .bias = false},
                              generator);
  CHECK(names_of(separate) ==
        std::vector<std::string>{"q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"});
  CHECK(separate.parameters()[1].parameter->value().shape() == Shape{2, 3});
}

TEST_CASE("MultiHeadAttention: heads that share a key head are heads with equal keys") {
  Generator generator(3);
  const MultiHeadAttentionOptions shared{.model_size = 8, .heads = 4, .key_heads = 2, .dtype = DType::f64};
  MultiHeadAttention grouped(shared, generator);
  MultiHeadAttention full({.model_size = 8, .heads = 4, .dtype = DType::f64}, generator);
  const auto weight = [](MultiHeadAttention& layer, const char* name) -> Parameter& {
    for (const NamedParameter& named : layer.parameters()) {
      if (named.name == name) return *named.parameter;
    }
    throw Error("no parameter");
  };
  // Rows of width 2 for each head: four of queries, two of keys, two of values.
  const Variable packed = reshape(weight(grouped, "in_proj_weight").variable(), {8, 2, 8});
  const Tensor order = Tensor::from({0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7}, {12}, {.dtype = DType::i64});
  weight(full, "in_proj_weight").assign_(reshape(index_select(packed, 0, order), {24, 8}).value());
  weight(full, "out_proj.weight").assign_(weight(grouped, "out_proj.weight").value());
  const Variable x = RandomTensors(5).floating({2, 6, 8}, DType::f64);
  CHECK(largest_error(grouped(x, Mask::causal()).value(), full(x, Mask::causal()).value()) < 1e-14);
}

TEST_CASE("MultiHeadAttention: padding of the memory changes no bit of outputs and gradients") {
  const uint64_t seed = tests::seed(7);
  INFO("seed " << seed);
  Generator generator(seed);
  MultiHeadAttention layer({.model_size = 6, .heads = 2, .memory_size = 4}, generator);
  RandomTensors random(seed);
  const Variable query = random.floating({2, 3, 6}, DType::f32);
  const Tensor memory = random.floating({2, 70, 4}, DType::f32);
  const Mask mask = Mask::from_lengths(Tensor::from({66, 5}, {2}, {.dtype = DType::i64}));
  const auto run = [&](double filler) {
    Tensor filled = memory.clone();
    filled.select(0, 0).slice(0, 66, 70).fill_(filler);
    filled.select(0, 1).slice(0, 5, 70).fill_(filler);
    std::vector<Variable> inputs;
    for (const NamedParameter& named : layer.parameters()) inputs.push_back(named.parameter->variable());
    const Variable y = layer(query, leaf(filled), mask);
    std::vector<Variable> out = grad({sum(square(y))}, inputs);
    out.push_back(y);
    return out;
  };
  const std::vector<Variable> before = run(0.5);
  for (const double filler : {1e6, HUGE_VAL, std::nan("")}) {
    const std::vector<Variable> after = run(filler);
    for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value(), after[i].value()));
  }
}

TEST_CASE("MultiHeadAttention drops the weights that dropout() drops, in training mode alone") {
  const uint64_t seed = tests::seed(31);
  INFO("seed " << seed);
  Generator generator(seed);
  MultiHeadAttention layer({.model_size = 6, .heads = 2, .dropout = 0.4, .dtype = DType::f64}, generator);
  RandomTensors random(seed);
  const Variable query = random.floating({2, 3, 6}, DType::f64), memory = random.floating({2, 5, 6}, DType::f64);
  const auto parameter = [&](const std::string& name) {
    for (const NamedParameter& named : layer.parameters()) {
      if (named.name == name) return named.parameter->variable();
    }
    FAIL("no parameter " << name);
    return Variable();
  };
  const auto with = [&](const Variable& weights) {
    const Variable values =
        linear(memory, narrow(parameter("in_proj_weight"), 0, 12, 6), narrow(parameter("in_proj_bias"), 0, 12, 6));
    const Variable context = matmul(weights, transpose(reshape(values, {2, 5, 2, 3}), 1, 2));
    return linear(reshape(transpose(context, 1, 2), {2, 3, 6}), parameter("out_proj.weight"),
                  parameter("out_proj.bias"));
  };
  RandomPosition position;
  for (const NamedTensor& named : layer.state_dict({.generators = true})) {
    if (named.name != "generator") continue;
    position = {.key = static_cast<uint64_t>(named.value.data<int64_t>()[0]),
                .counter = static_cast<uint64_t>(named.value.data<int64_t>()[1])};
  }
  const Variable weights = layer.weights(query, memory);
  const Tensor expected = with(dropout(weights, 0.4, position)).value();
  CHECK(largest_error(layer(query, memory).value(), expected) < 1e-14);
  CHECK(largest_error(layer(query, memory).value(), expected) > 1e-3);  // other draws
  layer.eval_();
  CHECK(largest_error(layer(query, memory).value(), with(weights).value()) < 1e-14);
}

TEST_CASE("MultiHeadAttention names what is wrong") {
  Generator g(1);
  const auto made = [&](const MultiHeadAttentionOptions& options) {
    return error_text([&] { MultiHeadAttention layer(options, g); });
  };
  CHECK(made({.heads = 2}) == "[multi_head_attention] expected model_size >= 1, got 0");
  CHECK(made({.model_size = 4}) == "[multi_head_attention] expected heads >= 1, got 0");
  CHECK(made({.model_size = 4, .heads = 3}) ==
        "[multi_head_attention] expected model_size to be a multiple of heads, got 4 and 3");
  CHECK(made({.model_size = 4, .heads = 4, .key_heads = 3}) ==
        "[multi_head_attention] expected key_heads to divide heads, got 3 and 4");
  CHECK(made({.model_size = 4, .heads = 2, .memory_size = -1}) ==
        "[multi_head_attention] expected memory_size >= 0, got -1");
  CHECK(made({.model_size = 4, .heads = 2, .dropout = 1.0}) ==
        "[multi_head_attention] expected 0 <= dropout < 1, got 1");
  MultiHeadAttention layer({.model_size = 4, .heads = 2, .memory_size = 3}, g);
  const Variable x = zeros({2, 5, 4}), memory = zeros({2, 6, 3});
  CHECK(error_text([&] { return layer(x); }) ==
        "[multi_head_attention] expected a memory besides the query, because memory_size is 3 and model_size 4 (in "
        "multi_head_attention)");
  CHECK(error_text([&] { return layer(memory, memory); }) ==
        "[multi_head_attention] expected a query [B, T, 4], got f32 [2, 6, 3] (in multi_head_attention)");
  CHECK(error_text([&] { return layer(x, narrow(memory, 0, 0, 1)); }) ==
        "[multi_head_attention] expected a memory [B, T, 3], got f32 [1, 6, 3] (in multi_head_attention)");
}
