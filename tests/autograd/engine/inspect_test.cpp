// SPDX-License-Identifier: MIT
// Hooks on gradients, anomaly mode, and the error of a second backward through a freed graph.
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/ops.hpp>

#include <limits>

#include "tests/support/catch.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

Tensor numbers(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

std::string message_of(const Variable& loss, const Variable& x) {
  try {
    static_cast<void>(grad({loss}, {x}));
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

}  // namespace

TEST_CASE("a hook sees the whole gradient once, and may replace it") {
  const Variable x = leaf(numbers({1.0, 2.0}));
  int calls = 0;
  Tensor seen;
  const Variable h = hook_gradient(x, [&](const Variable& g) {
    ++calls;
    seen = g.value();
  });
  CHECK(bitwise_equal(h.value(), x.value()));
  CHECK(bitwise_equal(grad({sum(square(h) + h)}, {x})[0].value(), numbers({3.0, 5.0})));
  CHECK(calls == 1);
  CHECK(bitwise_equal(seen, numbers({3.0, 5.0})));

  const Variable reversed = hook_gradient(x, [](const Variable& g) { return g * -2.0; });
  CHECK(bitwise_equal(grad({sum(square(reversed))}, {x})[0].value(), numbers({-4.0, -8.0})));
  const Variable wrong = hook_gradient(x, [](const Variable& g) { return sum(g); });
  CHECK_THROWS_WITH(grad({sum(wrong)}, {x}), contains_text("[hook_gradient] vjp gave a gradient of the wrong shape"));
}

TEST_CASE("a hook lets derivatives of any order through") {
  const GradcheckReport report =
      gradcheck([](const std::vector<Variable>& in) { return tanh(hook_gradient(in[0], [](const Variable&) {})); },
                {{"x", numbers({0.3, -0.7})}}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok);
}

TEST_CASE("anomaly mode names op, path and ranges of the first NaN on the way forward") {
  const DetectAnomaly on;
  const NameScope outer("model");
  const NameScope inner("head");
  const Variable x = leaf(numbers({4.0, -1.0}));
  CHECK_NOTHROW(exp(x));
  CHECK_THROWS_WITH(
      log(x),
      "[log] forward produced NaN: output 0 f64 [2] in [1.38629, 1.38629], 1 NaN; from input x f64 [2] in [-1, 4] "
      "(in model.head)");
  CHECK_THROWS_WITH(log(affine(x, 0.0, 0.0)), contains_text("[log] forward produced an infinity"));
  const Variable nan = numbers({std::numeric_limits<double>::quiet_NaN()});
  CHECK_THROWS_WITH(exp(nan), contains_text("[exp] forward received NaN"));
  // An infinity in the input, as in a mask, is allowed.
  const Variable blocked = numbers({-std::numeric_limits<double>::infinity(), 0.0});
  CHECK_NOTHROW(softmax(blocked + x));
}

TEST_CASE("anomaly mode names op and module of the first NaN on the way back") {
  const DetectAnomaly on;
  const Variable x = leaf(numbers({0.0, 1.0}));
  Variable y;
  {
    const NameScope scope("encoder");
    y = sqrt(x);
  }
  // The derivative of sqrt at 0 is infinite. Times a cotangent of 0 it is NaN.
  const Variable loss = sum(y * numbers({0.0, 1.0}));
  const std::string message = message_of(loss, x);
  CHECK_THAT(message, contains_text("[sqrt] backward produced NaN (in encoder): gradient of input x f64 [2]"));
  CHECK_THAT(message, contains_text("from cotangent 0 f64 [2] in [0, 1]; output 0 f64 [2] in [0, 1]"));
}

TEST_CASE("without anomaly mode nothing is looked at") {
  { const DetectAnomaly on; }
  CHECK_NOTHROW(log(leaf(numbers({-1.0}))));
}

TEST_CASE("a second backward says retain_graph for the same graph and detach() for a value kept from a step before") {
  const Variable x = leaf(numbers({0.5}));
  const Variable h = tanh(x);
  const Variable loss = sum(square(h));
  static_cast<void>(grad({loss}, {x}));
  CHECK_THAT(message_of(loss, x), contains_text("was differentiated before") && contains_text("retain_graph"));
  CHECK_THAT(message_of(sum(square(h) + h), x),
             contains_text("[tanh] was differentiated before") && contains_text("detach()"));
}
