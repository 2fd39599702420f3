// SPDX-License-Identifier: MIT
// Derivatives that are conventions must be the same at every order: a norm of 0, a standard deviation of 0, the cosine
// of a vector of zeros.
#include <cmath>
#include <functional>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/autograd/transforms.hpp>

#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

using Function = std::function<Variable(const Variable&)>;

// Three gradients. Each one is the gradient of the previous one's sum, times fixed weights.
std::vector<Tensor> three_orders(const Function& f, const Tensor& at) {
  const Variable x = leaf(at);
  const Variable weights = sin(affine(arange(at.numel(), {.dtype = at.dtype()}).reshape(at.shape()), 1.0, 1.0));
  std::vector<Tensor> out;
  Variable y = sum(f(x));
  for (int order = 1; order <= 3; ++order) {
    const Variable derivative = grad({y}, {x}, {.create_graph = true})[0];
    out.push_back(derivative.value());
    y = sum(mul(derivative, weights));
  }
  return out;
}

// The convention applies to row 0, so all its orders are 0. Row 1 must be the same as without row 0.
void check_row_of_zeros(const Function& f, const Tensor& x) {
  const std::vector<Tensor> both = three_orders(f, x);
  for (const Tensor& derivative : both) CHECK(all_zero(derivative.slice(0, 0, 1)));
  const Tensor other = concat({Variable(x.slice(0, 1, 2)), Variable(x.slice(0, 1, 2))}, 0).value();
  const std::vector<Tensor> alone = three_orders(f, other);
  for (size_t k = 0; k < both.size(); ++k) {
    CHECK(!all_zero(both[k].slice(0, 1, 2)));
    CHECK(largest_error(both[k].slice(0, 1, 2), alone[k].slice(0, 1, 2)) < 1e-12);
  }
  const auto total = [&](const std::vector<Variable>& in) { return std::vector<Variable>{sum(f(in[0]))}; };
  const Tensor row = x.slice(0, 0, 1);
  const Variable ones_of_row = ones(row.shape(), {.dtype = x.dtype()});
  CHECK(number(jvp(total, {row}, {ones_of_row}).tangents[0]) == 0.0);
  CHECK(all_zero(hvp(total, {row}, {ones_of_row})[0].value()));
}

}  // namespace

TEST_CASE("a norm of 0 has derivatives 0, of every order") {
  const Tensor x = f64({0, 0, 0, 3, -4, 1}, {2, 3});
  for (double p : {1.5, 2.0, 3.0, 2.5}) {
    INFO("p " << p);
    check_row_of_zeros([p](const Variable& v) { return norm(v, {1}, {.p = p}); }, x);
    // The square is smooth, but it is computed from the norm, so it is 0 too.
    check_row_of_zeros([p](const Variable& v) { return square(norm(v, {1}, {.p = p})); }, x);
  }
}

TEST_CASE("a standard deviation of 0 has derivatives 0, of every order") {
  for (double equal_to : {0.0, 0.1, 1e300, -3.7e-300}) {
    INFO("all are " << equal_to);
    const Tensor x = f64({equal_to, equal_to, equal_to, 3, -4, 1}, {2, 3});
    check_row_of_zeros([](const Variable& v) { return stddev(v, {1}); }, x);
    check_row_of_zeros([](const Variable& v) { return square(stddev(v, {1}, {.correction = 0.0})); }, x);
  }
  // Columns use another path through the kernels.
  const Variable x = leaf(f64({0.1, 1, 0.1, 2, 0.1, 4}, {3, 2}));
  const Variable first = grad({sum(stddev(x, {0}))}, {x}, {.create_graph = true})[0];
  const Variable second = grad({sum(square(first))}, {x})[0];
  for (const Tensor& derivative : {first.value(), second.value()}) {
    CHECK(all_zero(derivative.slice(1, 0, 1)));
    CHECK(all_finite(derivative));
  }
}

TEST_CASE("the cosine of a vector of zeros: its norm counts as eps, which is a constant") {
  const Variable b = Variable(f64({3, 4}, {2}));
  const auto f = [&](const Variable& v) { return cosine_similarity(v, b); };
  const std::vector<Tensor> orders = three_orders(f, f64({0, 0}, {2}));
  CHECK(largest_error(orders[0], f64({0.6e8, 0.8e8}, {2})) < 1e-7);
  CHECK(all_zero(orders[1]));
  CHECK(all_zero(orders[2]));
  CHECK(number(f(f64({0, 0}, {2}))) == 0.0);
  // The same in f32, next to rows of any size.
  const Variable x = leaf(Tensor::from({0, 0, 3e30, 4e30, 3e-30, 4e-30, 1, 0}, {4, 2}));
  const Variable y = cosine_similarity(x, Tensor::from({3, 4}, {2}));
  CHECK(largest_error(y.value(), Tensor::from({0, 1, 5e-22, 0.6}, {4})) < 1e-6);
  const Variable first = grad({sum(y)}, {x}, {.create_graph = true})[0];
  CHECK(all_finite(first.value()));
  CHECK(all_finite(grad({sum(first)}, {x})[0].value()));
}
