// SPDX-License-Identifier: MIT
// The error messages of the engine and its tools. messages_of_ops_test.cpp has those of the ops.
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/autograd/parameter.hpp>
#include <gradus/autograd/transforms.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using gradus::tests::error_text;

namespace {

using Variables = std::vector<Variable>;

Tensor f64_ones(const Shape& shape) { return ones(shape, {.dtype = DType::f64}); }

}  // namespace

TEST_CASE("messages: grad and backward") {
  const Variable x = leaf(ones({2}));
  const Variable constant = ones({2});
  const Variable y = x * 2.0;
  CHECK(error_text([&] { return grad({y}, {x}, {.cotangents = {ones({3})}}); }) ==
        "[grad] cotangent differs from its output: expected f32 [2], got f32 [3]");
  CHECK(error_text([&] { return backward(y, {.cotangent = f64_ones({2})}); }) ==
        "[backward] cotangent differs from its output: expected f32 [2], got f64 [2]");
  CHECK(error_text([&] {
          return grad({y}, {x}, {.cotangents = {ones({2}), ones({2})}});
        }) == "[grad] wrong number of cotangents: expected 1, got 2");
  CHECK(error_text([&] { return grad({y}, {x}); }) ==
        "[grad] an output of several elements needs a cotangent: got f32 [2]");
  CHECK(error_text([&] { return grad({sum(y)}, {constant}); }) ==
        "[grad] input 0 (f32 [2]) was not recorded: make it with leaf(), or use a Parameter");
  CHECK(error_text([&] {
          return grad({sum(y)}, {x, leaf(ones({3}))});
        }) == "[grad] no output depends on input 1 (f32 [3]): set allow_unused to get an undefined gradient instead");
  CHECK(error_text([&] { return backward(sum(constant)); }) == "[backward] the loss (f32 []) depends on no parameter");
}

TEST_CASE("messages: leaves and parameters") {
  const std::string integers = "[leaf] expected an f32 or f64 tensor, got i64 [2]";
  CHECK(error_text([] { return leaf(zeros({2}, {.dtype = DType::i64})); }) == integers);
  CHECK(error_text([] { return Parameter(zeros({2}, {.dtype = DType::i64})); }) == integers);
  Parameter p(ones({2}));
  CHECK(error_text([&] { return p.assign_(ones({3})); }) == "[assign_] expected f32 [2], got f32 [3]");
  CHECK(error_text([&] { return p.set_grad_(f64_ones({2})); }) == "[set_grad_] expected f32 [2], got f64 [2]");
  CHECK(error_text([&] {
          const ParameterBinding binding(p, ones({1, 2}));
        }) == "[ParameterBinding] expected f32 [2], got f32 [1, 2]");
}

TEST_CASE("messages: gradcheck") {
  const auto twice = [](const Variables& in) { return in[0] * 2.0; };
  const Tensor x = f64_ones({2});
  CHECK(error_text([&] {
          return gradcheck(twice, {{"x", ones({2})}});
        }) ==
        "[gradcheck] input x is f32 [2]: derivatives are checked in f64 only; what is not differentiated is captured "
        "by the function");
  CHECK(error_text([&] {
          return gradcheck(twice, {{"x", f64_ones({1}).expand({2})}});
        }) == "[gradcheck] input x is an expanded view, whose elements cannot move one by one: pass clone()");
  CHECK(error_text([&] {
          return gradcheck(twice, {{"a", x}, {"b", x}});
        }) ==
        "[gradcheck] inputs a and b share their bytes: pass clone() of one, or one input that the function uses "
        "twice");
  CHECK(error_text([&] {
          return gradcheck(twice, {{"x", x}}, {.order = 0});
        }) == "[gradcheck] expected an order of 1, 2 or 3, got 0");
  CHECK(error_text([&] {
          return gradcheck(twice, {{"x", x}}, {.directions = 0});
        }) == "[gradcheck] expected at least one direction, got 0");
  const auto rounded = [](const Variables& in) -> Variable { return in[0].value().to(DType::f32); };
  CHECK(error_text([&] {
          return gradcheck(rounded, {{"x", x}});
        }) == "[gradcheck] the function gave f32 [2] for f64 inputs: derivatives are checked in one dtype only");
  const auto at_the_point = [&](const Variables& in) { return bitwise_equal(in[0].value(), x); };
  const auto more_outputs = [&](const Variables& in) {
    return at_the_point(in) ? Variables{in[0] * 2.0} : Variables{in[0] * 2.0, in[0] * 3.0};
  };
  CHECK(error_text([&] {
          return gradcheck(more_outputs, {{"x", x}});
        }) == "[gradcheck] the function gave another number of outputs near the point than at it");
  const auto other_shape = [&](const Variables& in) {
    return at_the_point(in) ? in[0] * 2.0 : unsqueeze(in[0] * 2.0, 0);
  };
  CHECK(error_text([&] {
          return gradcheck(other_shape, {{"x", x}});
        }) == "[gradcheck] output 0 has another shape near the point than at it");
}

TEST_CASE("messages: function transforms") {
  const auto twice = [](const Variables& in) { return in[0] * 2.0; };
  const auto total = [](const Variables& in) { return sum(in[0]); };
  const Variable x = ones({2});
  const Variable integers = zeros({2}, {.dtype = DType::i64});
  CHECK(error_text([&] { return vjp(twice, {Variable()}, {x}); }) == "[vjp] input 0 is undefined: expected a tensor");
  CHECK(error_text([&] { return vjp(twice, {x}, {}); }) == "[vjp] wrong number of cotangents: expected 1, got 0");
  CHECK(error_text([&] { return jvp(twice, {x}, {ones({3})}); }) ==
        "[jvp] wrong shape or dtype of tangent 0: expected f32 [2], got f32 [3]");
  CHECK(error_text([&] { return jacobian(total, integers); }) == "[jacobian] expected a floating input, got i64 [2]");
  CHECK(error_text([&] { return hessian(total, integers); }) == "[hessian] expected a floating input, got i64 [2]");
  CHECK(error_text([&] { return hessian(twice, x); }) == "[hessian] expected an output of one element, got f32 [2]");
  const auto pair = [](const Variables& in) { return Variables{in[0], in[0]}; };
  CHECK(error_text([&] { return jacobian(pair, x); }) == "[jacobian] expected a function of one output, got 2");
  CHECK(error_text([&] {
          return jacobian(twice, ones({1, 1, 1, 1, 1}));
        }) == "[jacobian] the result has too many axes: [1, 1, 1, 1, 1] and [1, 1, 1, 1, 1] make more than 8");
}

TEST_CASE("messages: whatever is thrown inside a name scope names the path, once") {
  const Variable x = leaf(ones({2, 3}));
  const NameScope outer("encoder");
  {
    const NameScope inner("linear");
    // The errors come from a shape rule, a public function, the engine and the tensor room.
    CHECK(error_text([&] {
            return linear(x, ones({4, 2}), {});
          }) == "[linear] inner sizes differ: x is f32 [2, 3], weight is f32 [4, 2] (out, in) (in encoder.linear)");
    CHECK(error_text([&] { return gradus::outer(x, x); }) ==
          "[outer] expected two vectors, got f32 [2, 3] and f32 [2, 3] (in encoder.linear)");
    CHECK(error_text([&] { return backward(x); }) ==
          "[backward] an output of several elements needs a cotangent: got f32 [2, 3] (in encoder.linear)");
    CHECK(error_text([] { return zeros({-1}); }) ==
          "[shape] negative size: expected sizes >= 0, got -1 on axis 0 (in encoder.linear)");
  }
  CHECK(error_text([] { return zeros({-1}); }) ==
        "[shape] negative size: expected sizes >= 0, got -1 on axis 0 (in encoder)");
}

TEST_CASE("messages: a backward that could store nothing says how the gradient is had") {
  const Variable x = leaf(ones({2}));
  const std::string expected =
      "[backward] the loss (f32 []) depends on leaves only, and a gradient is stored in Parameters alone: take it from "
      "grad({loss}, {x}) instead, or make x a Parameter";
  CHECK(error_text([&] { backward(sum(x * x)); }) == expected);
  CHECK(error_text([&] { backward(sum(x)); }) == expected);
  CHECK(error_text([&] { backward(leaf(scalar(1.0))); }) == expected);
  // The leaf is not a parameter. The parameter next to it gets its gradient.
  Parameter w(ones({2}));
  CHECK_NOTHROW(backward(sum(x * w.variable())));
  CHECK(bitwise_equal(w.grad(), ones({2})));
  CHECK(error_text([&] { return grad({Variable()}, {x}); }) == "[grad] output 0 is undefined: expected a tensor");
  CHECK(error_text([&] { backward(Variable()); }) == "[backward] the loss (no tensor) depends on no parameter");
}
