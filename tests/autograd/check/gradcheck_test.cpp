// SPDX-License-Identifier: MIT
// gradcheck on functions with known derivatives, right and wrong.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using Inputs = std::vector<Variable>;

namespace {

Tensor draw(const Shape& shape, uint64_t seed = 3, const Domain& domain = {}) {
  return detail::RandomTensors(tests::seed(seed)).floating(shape, DType::f64, domain);
}

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// x^3 with a derivative of `factor` * 3 x^2, as a user's own op. It is right when factor is 1.
struct CubeAttrs {
  double factor = 1.0;
  double shift = 0.0;
  bool constant = false;
  bool ones = false;
};

const OpDef cube_op = {
    .name = "cube",
    .shape = [](ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); },
    .forward =
        [](ForwardArgs& f) {
          const Tensor x = f.in(0).contiguous();
          double* y = f.out(0).mutable_data_<double>();
          for (int64_t i = 0; i < x.numel(); ++i)
            y[i] = x.data<double>()[i] * x.data<double>()[i] * x.data<double>()[i];
        },
    .derivative =
        [](VjpArgs& v) {
          const auto& attrs = v.attrs<CubeAttrs>();
          const Variable x = attrs.constant ? v.in(0).detach() : v.in(0);
          const Variable slope = affine(mul(x, x), 3.0 * attrs.factor, attrs.shift);
          v.set(0, attrs.ones ? slope : mul(v.cotangent(), slope));
        },
    .saves = {.inputs = 1},
};

GradcheckReport check_cube(const CubeAttrs& attrs, int order = 1) {
  const auto f = [&](const Inputs& in) { return apply(cube_op, attrs, {&in[0]}); };
  return gradcheck(f, {{"x", draw({2, 3})}}, {.order = order});
}

}  // namespace

TEST_CASE("gradcheck passes a right derivative at orders 1, 2 and 3") {
  const GradcheckReport report = check_cube({}, 3);
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.worst_error(1) < 1e-11);
  CHECK(report.worst_error(2) < 1e-11);
  CHECK(report.worst_error(3) < 1e-11);
  // order 1: x; order 2: x and its cotangent; order 3: these two and the cotangents of the two gradients
  CHECK(report.results.size() == 1 + 2 + 3);
  CHECK(report.checked() == 6 + 12 + 18);
  CHECK(report.text().rfind("PASS", 0) == 0);
}

TEST_CASE("gradcheck finds a derivative scaled by 1 + 1e-5 and says where") {
  const GradcheckReport report = check_cube({.factor = 1.0 + 1e-5});
  INFO(report.text());
  REQUIRE(!report.ok);
  REQUIRE(report.results.size() == 1);
  const GradcheckResult& result = report.results.front();
  CHECK(result.error == Approx(1e-5).epsilon(1e-3));
  CHECK(result.analytic / result.numeric == Approx(1.0 + 1e-5).epsilon(1e-8));
  CHECK(report.text().rfind("FAIL  first bad op: cube, number 1 of 1 recorded, input 0: scaled: analytic = 1.00001 x "
                            "numeric everywhere\n",
                            0) == 0);
  CHECK(mentions(report.text(), "the derivative with respect to x [2, 3] is wrong at " + result.where));
}

TEST_CASE("gradcheck finds a derivative that is off by a constant, and stops at the lowest order that fails") {
  const GradcheckReport report = check_cube({.shift = 1e-6}, 3);
  CHECK(!report.ok);
  CHECK(report.results.size() == 1);
}

TEST_CASE("gradcheck at order 2 finds a value that the derivative treats as a constant") {
  const CubeAttrs hidden{.constant = true};
  CHECK(check_cube(hidden, 1).ok);
  const GradcheckReport report = check_cube(hidden, 2);
  INFO(report.text());
  CHECK(!report.ok);
  CHECK(mentions(report.text(), "second derivative with respect to x"));
}

TEST_CASE("gradcheck finds a derivative that forgets its cotangent") {
  const GradcheckReport report = check_cube({.ones = true});
  INFO(report.text());
  CHECK(!report.ok);
  REQUIRE(!report.problems.empty());
  CHECK(mentions(report.problems.front(), "not zero for a cotangent of zeros"));
}

TEST_CASE("gradcheck in directions finds the element that is wrong") {
  const auto f = [](const Inputs& in) { return apply(cube_op, CubeAttrs{.factor = 1.0001}, {&in[0]}); };
  const Tensor x = draw({9, 11});
  const GradcheckReport directional = gradcheck(f, {{"x", x}}, {.mode = GradcheckMode::directional});
  CHECK(!directional.ok);
  CHECK(directional.checked() == 4);
  CHECK(mentions(directional.text(), "direction"));
  const GradcheckReport automatic = gradcheck(f, {{"x", x}});
  CHECK(!automatic.ok);
  CHECK(automatic.checked() == 4 + 99);
  CHECK(mentions(automatic.text(), "wrong at ["));
  const auto right = [](const Inputs& in) { return apply(cube_op, CubeAttrs{}, {&in[0]}); };
  const GradcheckReport report = gradcheck(right, {{"x", x}});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.checked() == 4);
}

TEST_CASE("gradcheck takes several inputs and outputs, a scalar and an empty tensor") {
  const auto f = [](const Inputs& in) { return Inputs{in[0] * in[1], tanh(in[1]) + in[2], exp(in[3])}; };
  const GradcheckReport report = gradcheck(
      f, {{"a", draw({3}, 1)}, {"b", draw({3}, 2)}, {"c", draw({}, 4)}, {"d", draw({0, 2}, 5)}}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.worst_error() < 1e-10);
  CHECK(report.results.size() == 4 + 7);
}

TEST_CASE("gradcheck says which input nothing depends on") {
  const auto f = [](const Inputs& in) { return in[0] * 2.0; };
  const GradcheckReport report = gradcheck(f, {{"used", draw({2}, 1)}, {"unused", draw({2}, 2)}});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.results[0].reached);
  CHECK(!report.results[1].reached);
  CHECK(mentions(report.text(), "no output depends on it"));
}

TEST_CASE("gradcheck finds an input whose dependence was cut") {
  const auto f = [](const Inputs& in) { return in[0] * in[1].detach(); };
  const GradcheckReport report = gradcheck(f, {{"a", draw({2}, 1)}, {"b", draw({2}, 2)}});
  CHECK(!report.ok);
  CHECK(report.results[0].ok);
  CHECK(!report.results[1].ok);
}

TEST_CASE("gradcheck with central differences holds its own, wider tolerance") {
  const auto f = [](const Inputs& in) { return sigmoid(in[0]); };
  const GradcheckReport report = gradcheck(f, {{"x", draw({7})}}, {.order = 2, .stencil = Stencil::central});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.worst_error() < 1e-7);
}

TEST_CASE("gradcheck is repeatable by its seed") {
  const auto f = [](const Inputs& in) { return exp(in[0]) / (in[1] * in[1] + 1.0); };
  const std::vector<NamedInput> inputs = {{"a", draw({4}, 1)}, {"b", draw({4}, 2)}};
  CHECK(gradcheck(f, inputs, {.seed = 5}).text() == gradcheck(f, inputs, {.seed = 5}).text());
  CHECK(gradcheck(f, inputs, {.seed = 5}).text() != gradcheck(f, inputs, {.seed = 6}).text());
}

TEST_CASE("gradcheck refuses what it cannot check, with a sentence") {
  const auto f = [](const Inputs& in) { return in[0] * 2.0; };
  const Tensor x = draw({2, 2});
  CHECK_THROWS_WITH(gradcheck(f, {{"weights", x.to(DType::f32)}}),
                    tests::contains_text("input weights is f32 [2, 2]: derivatives are checked in f64 only"));
  CHECK_THROWS_WITH(gradcheck(f, {{"x", draw({1, 2}).expand({3, 2})}}), tests::contains_text("expanded view"));
  CHECK_THROWS_WITH(gradcheck(f, {{"a", x}, {"b", x.transpose(0, 1)}}),
                    tests::contains_text("inputs a and b share their bytes"));
  CHECK_THROWS_WITH(gradcheck(f, {{"x", x}}, {.order = 4}), tests::contains_text("order of 1, 2 or 3, got 4"));
}

TEST_CASE("gradcheck names values that are not finite and functions that are not repeatable") {
  const auto logarithm = [](const Inputs& in) { return log(in[0]); };
  Tensor x = ones({2, 2}, {.dtype = DType::f64});
  x.mutable_data_<double>()[2] = 0.0;
  const GradcheckReport infinite = gradcheck(logarithm, {{"x", x}});
  CHECK(!infinite.ok);
  CHECK(infinite.text() == "FAIL  output 0 is -inf at [1, 0]\n  seed 1; again: gradcheck(f, inputs, {.seed = 1})\n");
  double calls = 0.0;
  const auto counting = [&](const Inputs& in) { return in[0] * (calls += 1.0); };
  const GradcheckReport unstable = gradcheck(counting, {{"x", draw({2})}});
  CHECK(!unstable.ok);
  CHECK(mentions(unstable.text(), "other values when it is called again"));
}

TEST_CASE("gradcheck leaves the caller's tensors as they were") {
  const Tensor x = draw({3});
  const Tensor copy = x.clone();
  const uint32_t version = x.version();
  const auto f = [](const Inputs& in) { return exp(in[0]); };
  CHECK(gradcheck(f, {{"x", x}}, {.order = 2}).ok);
  CHECK(bitwise_equal(x, copy));
  CHECK(x.version() == version);
}

TEST_CASE("gradcheck: stop_at_failure ends at the first derivative that is wrong") {
  const auto f = [](const std::vector<Variable>& in) { return tanh(in[0]) + square(in[1]) + exp(in[2]); };
  const Tensor x = Tensor::from({0.3, -0.4, 0.9}, {3}, {.dtype = DType::f64});
  const std::vector<NamedInput> inputs = {{"a", x}, {"b", x.clone()}, {"c", x.clone()}};
  const PlantedCorruption planted(tanh_op, Corruption::doubled);
  const GradcheckReport all = gradcheck(f, inputs, {.diagnose = false});
  const GradcheckReport first = gradcheck(f, inputs, {.diagnose = false, .stop_at_failure = true});
  CHECK(!all.ok);
  CHECK(all.checked() == 9);
  CHECK(!first.ok);
  CHECK(first.checked() == 1);
  CHECK(first.results.size() == 1);
}
