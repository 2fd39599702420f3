// SPDX-License-Identifier: MIT
// The promises of grad, backward and the recorded graph.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

Tensor number(double value) { return scalar(value, {.dtype = DType::f64}); }
Variable x_of(double value) { return leaf(number(value)); }
double only(const Variable& v) { return v.item<double>(); }

Tensor draw(const Shape& shape, uint64_t seed) {
  return detail::RandomTensors(tests::seed(seed)).floating(shape, DType::f64);
}

}  // namespace

TEST_CASE("grad: derivatives of derivatives, up to the fourth") {
  const Variable x = x_of(1.5);
  const Variable y = x * x * x * x;
  const Variable d1 = grad({y}, {x}, {.create_graph = true})[0];
  const Variable d2 = grad({d1}, {x}, {.create_graph = true})[0];
  const Variable d3 = grad({d2}, {x}, {.create_graph = true})[0];
  const Variable d4 = grad({d3}, {x}, {.create_graph = true})[0];
  CHECK(only(d1) == Approx(4 * 1.5 * 1.5 * 1.5));
  CHECK(only(d2) == Approx(12 * 1.5 * 1.5));
  CHECK(only(d3) == Approx(24 * 1.5));
  CHECK(only(d4) == Approx(24));
  CHECK_THROWS_WITH(grad({d4}, {x}), contains_text("no output depends on input 0"));
}

TEST_CASE("grad: a Variable used many times gathers every contribution") {
  const Variable x = x_of(3.0);
  CHECK(only(grad({x * x + x * 2.0 + x}, {x})[0]) == Approx(2 * 3 + 2 + 1));
  CHECK(only(grad({x}, {x})[0]) == 1.0);
}

TEST_CASE("grad: an intermediate value is an input like any other") {
  const Variable x = x_of(2.0);
  const Variable y = x * x;
  const Variable z = exp(y) + y * x;
  const std::vector<Variable> both = grad({z}, {y, x}, {.retain_graph = true});
  CHECK(only(both[0]) == Approx(std::exp(4.0) + 2.0));
  CHECK(only(both[1]) == Approx(std::exp(4.0) * 4.0 + 3 * 4.0));
  const Variable alone = grad({z}, {y}, {.retain_graph = true})[0];
  CHECK(only(alone) == only(both[0]));
  CHECK(only(grad({z}, {z})[0]) == 1.0);
}

TEST_CASE("grad: the same input twice, and several outputs") {
  const Variable x = x_of(2.0);
  const Variable w = x_of(5.0);
  const std::vector<Variable> twice = grad({x * w}, {x, x, w});
  CHECK(only(twice[0]) == 5.0);
  CHECK(only(twice[1]) == 5.0);
  CHECK(only(twice[2]) == 2.0);
  const Variable y = x * x;
  const std::vector<Variable> sum = grad({y, y, x * w}, {x}, {.cotangents = {number(1), number(10), number(100)}});
  CHECK(only(sum[0]) == 4.0 * 11 + 500);
}

TEST_CASE("grad: an input that nothing depends on is an error, unless it is allowed") {
  const Variable x = x_of(2.0);
  const Variable other = leaf(zeros({2, 3}));
  CHECK_THROWS_WITH(grad({x * x}, {x, other}),
                    contains_text("no output depends on input 1 (f32 [2, 3]): set allow_unused"));
  const std::vector<Variable> result = grad({x * x}, {x, other}, {.allow_unused = true});
  CHECK(only(result[0]) == 4.0);
  CHECK(!result[1].defined());
  CHECK_THROWS_WITH(grad({x * x}, {Variable(number(1))}), contains_text("input 0 (f64 []) was not recorded"));
}

TEST_CASE("grad: cotangents must fit their outputs") {
  const Variable x = leaf(draw({2, 3}, 1));
  CHECK_THROWS_WITH(grad({x * 2.0}, {x}),
                    contains_text("an output of several elements needs a cotangent: got f64 [2, 3]"));
  CHECK_THROWS_WITH(grad({x * 2.0}, {x}, {.cotangents = {zeros({3, 2}, {.dtype = DType::f64})}}),
                    contains_text("expected f64 [2, 3], got f64 [3, 2]"));
  CHECK_THROWS_WITH(grad({x * 2.0}, {x}, {.cotangents = {zeros({2, 3})}}), contains_text("got f32 [2, 3]"));
  CHECK_THROWS_WITH(grad({x * 2.0}, {x}, {.cotangents = {Variable(), Variable()}}),
                    contains_text("wrong number of cotangents: expected 1, got 2"));
}

TEST_CASE("grad: a graph is freed by its first backward and says so at the second") {
  const Variable x = x_of(2.0);
  const Variable y = exp(x) * x;
  CHECK_NOTHROW(grad({y}, {x}));
  CHECK_THROWS_WITH(grad({y}, {x}), contains_text("[mul] was differentiated before, and what it saved is freed: pass "
                                                  "retain_graph to the first backward to go"));
}

TEST_CASE("grad: retain_graph keeps it") {
  const Variable x = x_of(2.0);
  const Variable y = exp(x) * x;
  const Variable first = grad({y}, {x}, {.retain_graph = true})[0];
  const Variable second = grad({y}, {x})[0];
  CHECK(only(first) == only(second));
  CHECK_THROWS_AS(grad({y}, {x}), Error);
}

TEST_CASE("grad: a value changed in place since is named with its versions") {
  Tensor value = draw({3, 4}, 1);
  const Variable x = leaf(value);
  const Variable y = sum(x * x);
  value.fill_(1.0);
  CHECK_THROWS_WITH(grad({y}, {x}), contains_text("[mul] backward needs input ") &&
                                        contains_text(" (f64 [3, 4]) but it was changed in place: version ") &&
                                        contains_text(", expected "));
}

TEST_CASE("grad: what the derivative does not read may change") {
  Tensor value = draw({3}, 1);
  const Variable x = leaf(value);
  const Variable y = sum(x + x);
  value.fill_(1.0);
  CHECK_NOTHROW(grad({y}, {x}));
}

TEST_CASE("detach stops the derivative and keeps the values") {
  const Variable x = x_of(3.0);
  const Variable y = x * x.detach();
  CHECK(only(y) == 9.0);
  CHECK(only(grad({y}, {x})[0]) == 3.0);
  CHECK(!(x * 2.0).detach().requires_grad());
}

TEST_CASE("NoGrad records nothing, EnableGrad records within it") {
  const Variable x = x_of(3.0);
  const NoGrad off;
  CHECK(!(x * x).requires_grad());
  {
    const EnableGrad on;
    const Variable y = x * x;
    CHECK(only(grad({y}, {x})[0]) == 6.0);
  }
  CHECK(!(x * x).requires_grad());
}

TEST_CASE("grad: without create_graph the gradient is a constant") {
  const Variable x = x_of(3.0);
  CHECK(!grad({x * x}, {x})[0].requires_grad());
  CHECK(grad({x * x}, {x}, {.create_graph = true})[0].requires_grad());
}

TEST_CASE("constants are not recorded, and a leaf must be floating") {
  CHECK(!(Variable(number(1)) * Variable(number(2))).requires_grad());
  CHECK_THROWS_WITH(leaf(arange(3, {.dtype = DType::i64})),
                    contains_text("expected an f32 or f64 tensor, got i64 [3]"));
  CHECK_THROWS_WITH(backward(Variable(number(1))), contains_text("depends on no parameter"));
}

TEST_CASE("backward adds into the gradient of every parameter") {
  Parameter w(draw({2, 3}, 1));
  Parameter b(draw({3}, 2));
  const Tensor x = draw({4, 2}, 3);
  CHECK(!w.grad().defined());
  const auto loss = [&] { return sum(square(matmul(x, w) + b.variable())); };
  backward(loss());
  const std::vector<Variable> expected = grad({loss()}, {w, b});
  CHECK(bitwise_equal(w.grad(), expected[0].value()));
  CHECK(bitwise_equal(b.grad(), expected[1].value()));
  backward(loss());
  CHECK(w.grad().at({1, 2}) == 2.0 * expected[0].value().at({1, 2}));
  w.zero_grad_();
  CHECK(!w.grad().defined());
  backward(loss());
  CHECK(bitwise_equal(w.grad(), expected[0].value()));
}

TEST_CASE("grad writes nothing into parameters") {
  Parameter w(draw({2}, 1));
  static_cast<void>(grad({sum(w * w.variable())}, {w}));
  CHECK(!w.grad().defined());
}

TEST_CASE("a gradient never shares its bytes with another one or with the cotangent") {
  Parameter a(draw({3}, 1));
  Parameter b(draw({3}, 2));
  const Tensor cotangent = draw({3}, 3);
  const Tensor copy = cotangent.clone();
  for (int repeat = 1; repeat <= 3; ++repeat) {
    // a is reached twice and b once. All three contributions are the cotangent itself.
    backward(a.variable() + b.variable() + a.variable(), {.cotangent = cotangent});
    for (int64_t i = 0; i < 3; ++i) {
      CHECK(a.grad().at({i}) == Approx(2.0 * repeat * copy.at({i})));
      CHECK(b.grad().at({i}) == Approx(1.0 * repeat * copy.at({i})));
    }
  }
  CHECK(bitwise_equal(cotangent, copy));
  const Variable x = leaf(draw({3}, 4));
  const Variable y = x + 0.0;
  const std::vector<Variable> views =
      grad({reshape(y, {3, 1}), y, y}, {x, y}, {.cotangents = {cotangent.reshape({3, 1}), cotangent, cotangent}});
  CHECK(bitwise_equal(cotangent, copy));
  CHECK(views[0].value().at({2}) == Approx(3.0 * copy.at({2})));
}

TEST_CASE("a parameter changed by the optimizer is noticed by an old graph") {
  Parameter w(draw({2, 2}, 1));
  const Variable loss = sum(w.variable() * w.variable());
  w.mutable_value_().fill_(0.5);
  CHECK_THROWS_WITH(backward(loss), contains_text("changed in place"));
  CHECK_NOTHROW(backward(sum(w.variable() * w.variable())));
}

TEST_CASE("a graph outlives the parameter it was made from") {
  Variable loss;
  {
    Parameter w(draw({2}, 1));
    loss = sum(square(w.variable()));
  }
  CHECK_NOTHROW(backward(loss));
}

TEST_CASE("shape errors name the op, the shapes and the module path") {
  const Variable a = leaf(zeros({3, 4}));
  const Variable b = leaf(zeros({5, 6}));
  CHECK_THROWS_WITH(matmul(a, b), contains_text("[matmul] inner sizes differ: a is f32 [3, 4], b is f32 [5, 6]"));
  const NameScope outer("encoder");
  const NameScope inner("linear");
  CHECK(scope_path() == "encoder.linear");
  CHECK_THROWS_WITH(matmul(a, b), contains_text("(in encoder.linear)"));
}
