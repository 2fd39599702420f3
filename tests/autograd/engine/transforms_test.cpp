// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/transforms.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

using Inputs = std::vector<Variable>;

Tensor draw(const Shape& shape, uint64_t seed) { return detail::RandomTensors(tests::seed(seed)).floating(shape); }

// y0 = tanh(A x), y1 = sum(x^2) b: two inputs that share work, two outputs.
Inputs two_by_two(const Inputs& in) {
  const Variable y = tanh(matmul(in[0], unsqueeze(in[1], 1)));
  return {y, sum(square(in[1])) * select(select(in[0], 0, 0), 0, 0)};
}

double inner(const Variable& a, const Variable& b) { return sum(a * b).item<double>(); }

// x0^2 x1 + sin-free mixture: gradient (2 x0 x1 + 3 x0^2, x0^2), Hessian [[2 x1 + 6 x0, 2 x0], [2 x0, 0]].
Variable cubic(const Inputs& in) {
  const Variable x0 = select(in[0], 0, 0);
  const Variable x1 = select(in[0], 0, 1);
  return square(x0) * x1 + square(x0) * x0;
}

}  // namespace

TEST_CASE("vjp gives outputs and one gradient an input, zero where nothing depends on it") {
  const Tensor x = Tensor::from({1.0, 2.0}, {2}, {.dtype = DType::f64});
  const Tensor unused = draw({3}, 1);
  const Tensor index = Tensor::from({1}, {1}, {.dtype = DType::i64});
  const auto f = [](const Inputs& in) { return square(in[0]); };
  const VjpResult result = vjp(f, {x, unused, index}, {Tensor::from({1.0, 10.0}, {2}, {.dtype = DType::f64})});
  REQUIRE(result.outputs.size() == 1);
  CHECK(result.outputs[0].value().at({1}) == 4.0);
  CHECK_FALSE(result.outputs[0].requires_grad());
  CHECK(result.gradients[0].value().at({0}) == 2.0);
  CHECK(result.gradients[0].value().at({1}) == 40.0);
  CHECK(bitwise_equal(result.gradients[1].value(), zeros({3}, {.dtype = DType::f64})));
  CHECK_FALSE(result.gradients[2].defined());
  CHECK_THROWS_WITH(vjp(f, {x}, {draw({3}, 2)}),
                    contains_text("[vjp] wrong shape or dtype of cotangent 0: expected f64 [2], got f64 [3]"));
  CHECK_THROWS_WITH(vjp(f, {x}, {}), contains_text("[vjp] wrong number of cotangents: expected 1, got 0"));
}

TEST_CASE("jvp is the adjoint of vjp, and agrees with a difference along the tangent") {
  const Inputs inputs = {draw({3, 4}, 3), draw({4}, 4)};
  const Inputs tangents = {draw({3, 4}, 5), draw({4}, 6)};
  const Inputs cotangents = {draw({3, 1}, 7), draw({}, 8)};
  const JvpResult forward = jvp(two_by_two, inputs, tangents);
  const VjpResult back = vjp(two_by_two, inputs, cotangents);
  const double left = inner(forward.tangents[0], cotangents[0]) + inner(forward.tangents[1], cotangents[1]);
  const double right = inner(back.gradients[0], tangents[0]) + inner(back.gradients[1], tangents[1]);
  CHECK(left == Approx(right).epsilon(1e-13));

  constexpr double kStep = 1e-5;
  const auto at = [&](double h) { return two_by_two({inputs[0] + tangents[0] * h, inputs[1] + tangents[1] * h}); };
  for (size_t k = 0; k < 2; ++k) {
    const Variable difference = (at(kStep)[k] - at(-kStep)[k]) * (0.5 / kStep);
    CHECK(largest_error(difference.value(), forward.tangents[k].value()) < 1e-8);
  }
  // An undefined tangent is zero.
  const JvpResult partial = jvp(two_by_two, inputs, {tangents[0], Variable()});
  const JvpResult zero = jvp(two_by_two, inputs, {tangents[0], zeros({4}, {.dtype = DType::f64})});
  CHECK(largest_error(partial.tangents[0].value(), zero.tangents[0].value()) < 1e-15);
  CHECK_THROWS_WITH(jvp(two_by_two, inputs, {tangents[0]}), contains_text("[jvp] wrong number of tangents"));
}

TEST_CASE("jacobian of a matrix product is the matrix, with axes of output before input") {
  const Tensor a = draw({3, 4}, 9);
  const Variable j = jacobian([&](const Inputs& in) { return matmul(a, in[0]); }, draw({4, 2}, 10));
  REQUIRE(j.shape() == Shape({3, 2, 4, 2}));
  double worst = 0.0;
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t c = 0; c < 2; ++c) {
      for (int64_t k = 0; k < 4; ++k) {
        for (int64_t d = 0; d < 2; ++d) {
          const double expected = c == d ? a.at({i, k}) : 0.0;
          worst = std::max(worst, std::abs(j.value().at({i, c, k, d}) - expected));
        }
      }
    }
  }
  CHECK(worst == 0.0);
  CHECK(jacobian([](const Inputs& in) { return sum(in[0]); }, zeros({0}, {.dtype = DType::f64})).shape() == Shape({0}));
  CHECK_THROWS_WITH(jacobian(
                        [](const Inputs& in) {
                          return Inputs{in[0], in[0]};
                        },
                        a),
                    contains_text("[jacobian] expected a function of one output, got 2"));
}

TEST_CASE("hessian and hvp agree with the formula and with each other") {
  const Tensor x = Tensor::from({0.5, -1.5}, {2}, {.dtype = DType::f64});
  const Variable h = hessian(cubic, x);
  REQUIRE(h.shape() == Shape({2, 2}));
  CHECK(h.value().at({0, 0}) == Approx(2.0 * -1.5 + 6.0 * 0.5).epsilon(1e-15));
  CHECK(h.value().at({0, 1}) == Approx(1.0).epsilon(1e-15));
  CHECK(h.value().at({1, 0}) == Approx(1.0).epsilon(1e-15));
  CHECK(h.value().at({1, 1}) == 0.0);

  const Tensor v = draw({2}, 11);
  const Inputs product = hvp(cubic, {x}, {v});
  const Variable expected = matmul(h, v.reshape({2, 1}));
  CHECK(largest_error(product[0].value(), expected.value().reshape({2})) < 1e-14);
  CHECK_THROWS_WITH(hessian([](const Inputs& in) { return square(in[0]); }, x),
                    contains_text("[hessian] expected an output of one element, got f64 [2]"));
  CHECK_THROWS_WITH(hvp(cubic, {x}, {draw({3}, 1)}), contains_text("[hvp] wrong shape or dtype of vector 0"));
}

TEST_CASE("with create_graph each transformation can be differentiated again") {
  const Tensor x = draw({2}, 12);
  const Tensor v = draw({2}, 13);
  const auto options = TransformOptions{.create_graph = true};
  const GradcheckReport through_hvp = gradcheck([&](const Inputs& in) { return hvp(cubic, {in[0]}, {in[1]}, options); },
                                                {{"x", x}, {"v", v}}, {.order = 2});
  INFO(through_hvp.text());
  CHECK(through_hvp.ok);
  const GradcheckReport through_jvp =
      gradcheck([&](const Inputs& in) { return jvp(cubic, {in[0]}, {in[1]}, options).tangents; }, {{"x", x}, {"v", v}});
  INFO(through_jvp.text());
  CHECK(through_jvp.ok);
  const GradcheckReport through_hessian =
      gradcheck([&](const Inputs& in) { return hessian(cubic, in[0], options); }, {{"x", x}});
  INFO(through_hessian.text());
  CHECK(through_hessian.ok);
  // The same with respect to a captured value.
  const GradcheckReport captured = gradcheck(
      [&](const Inputs& in) {
        const auto f = [&](const Inputs& inner) { return tanh(inner[0] * in[1]); };
        return vjp(f, {in[0]}, {v}, options).gradients;
      },
      {{"x", x}, {"scale", draw({2}, 14)}});
  INFO(captured.text());
  CHECK(captured.ok);
}
