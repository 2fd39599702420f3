// SPDX-License-Identifier: MIT
#include <memory>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/transforms.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

using Inputs = std::vector<Variable>;

Tensor draw(const Shape& shape, uint64_t seed) { return detail::RandomTensors(tests::seed(seed)).floating(shape); }

}  // namespace

TEST_CASE("a checkpoint gives the values and derivatives of its function, captured ones included, to any order") {
  // w is captured as a recorded value in the middle of a graph. It is not a leaf.
  const auto f = [](const Inputs& in) {
    const Variable w = tanh(in[1]);
    const auto block = [w](const Inputs& inner) { return tanh(inner[0] * w) + square(w) * inner[0]; };
    return checkpoint(block, {in[0]}) * w + checkpoint(block, {exp(in[0])});
  };
  const GradcheckReport report = gradcheck(f, {{"x", draw({3}, 1)}, {"w", draw({3}, 2)}}, {.order = 3});
  INFO(report.text());
  CHECK(report.ok);
}

TEST_CASE("a checkpoint within a checkpoint, with several inputs and outputs") {
  const auto inner = [](const Inputs& in) { return Inputs{in[0] * in[1], tanh(in[1])}; };
  const auto outer = [&](const Inputs& in) {
    const Inputs both = checkpoint(inner, {in[0], in[1]});
    return checkpoint(inner, {both[0] + in[0], both[1]});
  };
  const auto f = [&](const Inputs& in) { return checkpoint(outer, in); };
  const GradcheckReport report = gradcheck(f, {{"a", draw({4}, 3)}, {"b", draw({4}, 4)}}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok);
}

TEST_CASE("parameters that a checkpoint captures get their gradients by backward()") {
  Parameter plain_w(draw({3}, 5));
  const Tensor x = draw({3}, 6);
  backward(sum(square(plain_w) * x));
  const Tensor expected = plain_w.grad().clone();
  plain_w.zero_grad_();
  // x is a constant, so only the parameter needs a gradient.
  const auto f = [&](const Inputs& in) { return sum(square(plain_w) * in[0]); };
  const Variable loss = checkpoint(f, {x});
  REQUIRE(loss.requires_grad());
  backward(loss);
  CHECK(bitwise_equal(plain_w.grad(), expected));
}

TEST_CASE("random numbers are replayed, and no generator moves in the backward") {
  Generator generator(7);
  const auto f = [&](const Inputs& in) { return in[0] * normal({5}, generator, {.dtype = DType::f64}); };
  const Variable x = leaf(draw({5}, 8));
  const Variable y = checkpoint(f, {x});
  const uint64_t counter = generator.counter();
  const Variable dx = grad({y}, {x}, {.cotangents = {ones({5}, {.dtype = DType::f64})}})[0];
  CHECK(generator.counter() == counter);
  CHECK(largest_error((y / x).value(), dx.value()) < 1e-14);
  Generator again(7);
  CHECK(bitwise_equal(dx.value(), normal({5}, again, {.dtype = DType::f64})));
}

TEST_CASE("a checkpoint keeps no intermediate value") {
  constexpr int kDepth = 20;
  const Variable x = leaf(draw({1 << 14}, 9));
  const auto deep = [](const Inputs& in) {
    Variable y = in[0];
    for (int i = 0; i < kDepth; ++i) y = tanh(y);
    return y;
  };
  const int64_t value_bytes = x.numel() * 8;
  const int64_t before = memory_stats().live_bytes;
  const Variable kept = deep({x});
  const int64_t plain = memory_stats().live_bytes - before;
  const Variable y = checkpoint(deep, {x});
  const int64_t checkpointed = memory_stats().live_bytes - before - plain;
  INFO("bytes of one value " << value_bytes << ", kept plainly " << plain << ", by the checkpoint " << checkpointed);
  CHECK(plain > (kDepth - 1) * value_bytes);
  CHECK(checkpointed < 2 * value_bytes);
}

TEST_CASE("a checkpoint refuses what would give a wrong derivative in silence") {
  Tensor w = draw({2}, 10);
  const Variable weight = leaf(w);
  const Variable x = leaf(draw({2}, 11));
  const auto times_w = [&](const Inputs& in) { return sum(in[0] * weight); };
  const Variable y = checkpoint(times_w, {x});
  w.scale_(2.0);
  CHECK_THROWS_WITH(
      grad({y}, {x}),
      contains_text("[checkpoint] backward needs a tensor that the function reads (f64 [2]) but it was changed"));

  int runs = 0;
  const auto fickle = [&](const Inputs& in) { return ++runs == 1 ? square(in[0]) : square(select(in[0], 0, 0)); };
  const Variable z = sum(checkpoint(fickle, {x}));
  CHECK_THROWS_WITH(grad({z}, {x}), contains_text("[checkpoint] the function gave other outputs"));

  const NoGrad off;
  CHECK_FALSE(checkpoint(times_w, {x}).requires_grad());
}

TEST_CASE("a checkpoint takes any number of inputs and captured values, and notices a change of each") {
  constexpr size_t kCount = 40;
  std::vector<std::unique_ptr<Parameter>> weights;
  for (size_t i = 0; i < kCount; ++i) weights.push_back(std::make_unique<Parameter>(draw({2}, 20 + i)));
  const auto product = [&](const Inputs& in) {
    Variable y = in.back();
    for (const auto& w : weights) y = y + square(w->variable()) * in.front();
    return sum(y);
  };
  const Inputs inputs(kCount, leaf(draw({2}, 12)));
  const auto gradients = [&](const Variable& loss) {
    std::vector<Variable> targets = {inputs[0]};
    for (const auto& w : weights) targets.push_back(*w);
    return grad({loss}, targets);
  };
  const std::vector<Variable> expected = gradients(product(inputs));
  const std::vector<Variable> found = gradients(checkpoint(product, inputs));
  for (size_t i = 0; i < expected.size(); ++i) CHECK(largest_error(found[i].value(), expected[i].value()) < 1e-14);
  for (const size_t changed : {size_t{3}, size_t{31}, size_t{32}, size_t{39}}) {
    const Variable loss = checkpoint(product, inputs);
    weights[changed]->assign_(full({2}, 1e6, {.dtype = DType::f64}));
    CHECK_THROWS_WITH(backward(loss), contains_text("but it was changed in place: version"));
  }
}

TEST_CASE("a checkpoint notices that a constant or an input changed that its ops only read") {
  const Tensor at = draw({2}, 13);
  const auto refuses = [&](const auto& f, Tensor& read) {
    const Variable x = leaf(at);
    const Variable loss = sum(checkpoint(f, {x}));
    CHECK_NOTHROW(static_cast<void>(grad({loss}, {x}, {.retain_graph = true})));
    read.fill_(0.25);
    CHECK_THROWS_WITH(grad({loss}, {x}), contains_text("[checkpoint] backward needs a tensor that the function reads "
                                                       "(f64 [2]) but it was changed in place: version 1, expected 0"));
  };
  Tensor constant = ones({2}, {.dtype = DType::f64});
  // add does not save it, and the exp of it is not recorded
  refuses([&](const Inputs& in) { return tanh(in[0] + constant); }, constant);
  constant = ones({2}, {.dtype = DType::f64});
  refuses([&](const Inputs& in) { return in[0] * exp(constant); }, constant);
  constant = ones({2}, {.dtype = DType::f64});
  const auto inner = [&](const Inputs& in) { return tanh(in[0] + constant); };
  refuses([&](const Inputs& in) { return checkpoint(inner, {in[0]}); }, constant);
  Tensor value = ones({2}, {.dtype = DType::f64});
  const Variable recorded = leaf(value);
  refuses([&](const Inputs& in) { return tanh(in[0] + recorded); }, value);
}

TEST_CASE("a checkpoint does not keep the constants that its function makes") {
  const Variable x = leaf(draw({1 << 14}, 14));
  const auto noisy = [](const Inputs& in) {
    Variable y = in[0];
    for (int i = 0; i < 20; ++i) y = y + exp(full({1 << 14}, 0.1 * i, {.dtype = DType::f64}));
    return y;
  };
  const int64_t before = memory_stats().live_bytes;
  const Variable y = checkpoint(noisy, {x});
  CHECK(memory_stats().live_bytes - before < 2 * x.numel() * 8);
}
