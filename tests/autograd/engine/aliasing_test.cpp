// SPDX-License-Identifier: MIT
// Later operations do not write into tensors that the caller gave or keeps, and in-place writes reach the intended
// tensor.
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/transforms.hpp>
#include <gradus/tensor/creation.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using gradus::tests::f64;

namespace {

// Assigning to a temporary handle would have no visible effect, so it must not compile.
template <class P>
concept TakesWholeValue = requires(P& p, Tensor t) {
  p.mutable_value_() = t;
};
template <class T>
concept TakesViewValue = requires(T& x, T y) {
  x.select(0, 0) = y;
};
template <class T>
concept TakesNamedValue = requires(T& x, T y) {
  x = y;
};

static_assert(!TakesWholeValue<Parameter>);
static_assert(!TakesViewValue<Tensor>);
static_assert(TakesNamedValue<Tensor>);

}  // namespace

TEST_CASE("a parameter is written through its handle, and stays a parameter") {
  Parameter w(f64({1, 2}, {2}));
  w.mutable_value_().fill_(3.0);
  Tensor handle = w.mutable_value_();
  handle = f64({9, 9}, {2});  // the handle now refers to another tensor
  CHECK(bitwise_equal(w.value(), f64({3, 3}, {2})));
  backward(sum(square(w)));
  CHECK(bitwise_equal(w.grad(), f64({6, 6}, {2})));
}

TEST_CASE("a parameter copies the tensor that it is made of, reset to or assigned") {
  Tensor given = f64({1, 2}, {2});
  Parameter w(given);
  Parameter v(ones({1}));
  v.reset_(given);
  given.fill_(7.0);
  CHECK(bitwise_equal(w.value(), f64({1, 2}, {2})));
  CHECK(bitwise_equal(v.value(), f64({1, 2}, {2})));
  w.assign_(given);
  w.mutable_value_().fill_(5.0);
  CHECK(bitwise_equal(given, f64({7, 7}, {2})));
  // from a view of itself
  Parameter square_matrix(f64({1, 2, 3, 4}, {2, 2}));
  square_matrix.assign_(square_matrix.value().transpose(0, 1));
  CHECK(bitwise_equal(square_matrix.value(), f64({1, 3, 2, 4}, {2, 2})));
}

TEST_CASE("one gradient given to two parameters is added to in neither's place") {
  Parameter a(f64({1, 2}, {2}));
  Parameter b(f64({3, 4}, {2}));
  const Tensor given = f64({10, 20}, {2});
  a.set_grad_(given);
  b.set_grad_(given);
  backward(sum(square(a)));
  CHECK(bitwise_equal(a.grad(), f64({12, 24}, {2})));
  CHECK(bitwise_equal(b.grad(), f64({10, 20}, {2})));
  CHECK(bitwise_equal(given, f64({10, 20}, {2})));
}

TEST_CASE("a gradient that was kept stays as it was when the next backward adds") {
  Parameter w(f64({1, 2}, {2}));
  backward(sum(square(w)));
  const Tensor first = w.grad();
  const Tensor view = w.grad().slice(0, 1, 2);
  backward(sum(square(w)));
  CHECK(bitwise_equal(first, f64({2, 4}, {2})));
  CHECK(bitwise_equal(view, f64({4}, {1})));
  CHECK(bitwise_equal(w.grad(), f64({4, 8}, {2})));
  // Nothing else holds the new gradient, so it is added to in place.
  const void* const bytes = w.grad().raw_data();
  backward(sum(square(w)));
  CHECK(w.grad().raw_data() == bytes);
}

TEST_CASE("what a hook keeps or returns is not added to") {
  Parameter w(f64({1, 2}, {2}));
  std::vector<Tensor> seen;
  const Tensor own = f64({5, 5}, {2});
  const auto keep = [&](const Variable& g) { seen.push_back(g.value()); };
  const auto replace = [&](const Variable&) -> Variable { return own; };
  const Variable kept = hook_gradient(w, keep);
  const Variable replaced = hook_gradient(w, replace);
  backward(sum(square(kept)) + sum(square(replaced)) + sum(square(w.variable())));
  CHECK(bitwise_equal(seen.at(0), f64({2, 4}, {2})));
  CHECK(bitwise_equal(own, f64({5, 5}, {2})));
  CHECK(bitwise_equal(w.grad(), f64({9, 13}, {2})));
}

TEST_CASE("a cotangent over borrowed elements is not added to") {
  double elements[] = {1.0, 2.0};
  const Variable x = leaf(f64({1, 1}, {2}));
  const auto replace = [&](const Variable&) -> Variable { return borrow<double>(elements, {2}); };
  const Variable y = hook_gradient(x * 1.0, replace);
  const Variable dx = grad({sum(y) + sum(x * 3.0)}, {x})[0];
  CHECK(bitwise_equal(dx.value(), f64({4, 5}, {2})));
  CHECK((elements[0] == 1.0 && elements[1] == 2.0));
  const Tensor borrowed = borrow<double>(elements, {2});
  CHECK_FALSE(borrowed.is_unique());
  CHECK(f64({1}, {1}).is_unique());
}

TEST_CASE("gradients that share a cotangent are not added to each other") {
  Parameter a(f64({1, 2}, {2}));
  Parameter b(f64({3, 4}, {2}));
  const Tensor cotangent = f64({1, 10}, {2});
  backward(a + b.variable(), {.cotangent = cotangent});
  backward(a + b.variable(), {.cotangent = cotangent});
  CHECK(bitwise_equal(a.grad(), f64({2, 20}, {2})));
  CHECK(bitwise_equal(b.grad(), f64({2, 20}, {2})));
  CHECK(bitwise_equal(cotangent, f64({1, 10}, {2})));
}

TEST_CASE("a gradient check leaves its inputs as they were") {
  const Tensor x = f64({0.5, -1.5, 2.5}, {3});
  const Tensor before = x.clone();
  const GradcheckReport report = gradcheck([](const std::vector<Variable>& in) { return tanh(in[0]); }, {{"x", x}});
  CHECK(report.ok);
  CHECK(bitwise_equal(x, before));
}
