// SPDX-License-Identifier: MIT
// Checks functions at every scale: of values, of inputs, of both, and mixed inside one tensor.
#include <iostream>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/ops.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using Inputs = std::vector<Variable>;
using Function = Inputs (*)(const Inputs&);

namespace {

Tensor numbers(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

const Function kFunctions[] = {
    [](const Inputs& in) { return Inputs{tanh(matmul(in[0], in[1]))}; },
    [](const Inputs& in) {
      return Inputs{softmax(in[0]), log(square(in[1]) + 0.5)};
    },
    [](const Inputs& in) {
      return Inputs{layer_norm(in[0], {.eps = 0.1}), sum(exp(in[1] * 0.5), {0})};
    },
};

// f with its inputs scaled by `of_inputs` and its values by `of_values`.
struct Scaled {
  Function f;
  double of_values;
  double of_inputs;

  Inputs operator()(const Inputs& in) const {
    Inputs unit;
    for (const Variable& x : in) unit.push_back(x * (1.0 / of_inputs));
    Inputs outputs = f(unit);
    for (Variable& y : outputs) y = y * of_values;
    return outputs;
  }
  std::vector<NamedInput> inputs(uint64_t seed) const {
    std::vector<NamedInput> named;
    for (const Shape& shape : {Shape{2, 3}, Shape{3, 2}}) {
      Tensor x = detail::RandomTensors(seed + named.size()).floating(shape, DType::f64, {.low = -1.5, .high = 1.5});
      x.scale_(of_inputs);
      named.push_back({named.empty() ? "a" : "b", x});
    }
    return named;
  }
};

Variable with_gradient_times(const Variable& x, double factor) {
  return hook_gradient(x, [factor](const Variable& g) { return g * factor; });
}

}  // namespace

TEST_CASE("scale: planted errors are found, and right functions pass, from 1e-12 to 1e8 of values, inputs and both") {
  const uint64_t seed = tests::seed(31);
  int64_t functions = 0;
  int64_t planted = 0;
  for (int k = -12; k <= 8; ++k) {
    const double scale = std::pow(10.0, k);
    for (const Function f : kFunctions) {
      for (const Scaled& scaled : {Scaled{f, scale, 1.0}, Scaled{f, 1.0, scale}, Scaled{f, scale, scale}}) {
        INFO("10^" << k << ", values " << scaled.of_values << ", inputs " << scaled.of_inputs << ", seed " << seed);
        const GradcheckOptions options{.order = k % 4 == 0 ? 2 : 1, .seed = seed, .diagnose = false};
        const std::vector<NamedInput> inputs = scaled.inputs(seed);
        const GradcheckReport report = gradcheck(scaled, inputs, options);
        INFO(report.text());
        REQUIRE(report.ok);
        CHECK(report.not_judged() == 0);
        const SelfTestReport self = self_test(scaled, inputs, options);
        INFO(self.text());
        CHECK(self.missed.empty());
        CHECK(self.effective() > 20);
        planted += self.effective();
        ++functions;
      }
    }
  }
  std::cout << "gradcheck: " << functions << " scaled functions, no false alarm; " << planted
            << " errors planted in them, all found\n";
}

TEST_CASE("scale: a factor of 2 is found however small the derivative") {
  for (const double factor : {1e-300, 1e-30, 1e-12, 1e-10, 1e-5, 1.0, 1e5, 1e12, 1e150}) {
    INFO("factor " << factor);
    const auto right = [&](const Inputs& in) { return square(in[0]) * factor; };
    const auto wrong = [&](const Inputs& in) { return square(with_gradient_times(in[0], 2.0)) * factor; };
    const auto slightly = [&](const Inputs& in) { return square(with_gradient_times(in[0], 1.0 + 1e-8)) * factor; };
    const std::vector<NamedInput> inputs = {{"x", numbers({0.3, -0.8})}};
    CHECK(gradcheck(right, inputs).ok);
    CHECK(gradcheck(wrong, inputs).state == CheckState::failed);
    CHECK(gradcheck(wrong, inputs).results[0].signature.kind == SignatureKind::doubled);
    CHECK(gradcheck(slightly, inputs).state == CheckState::failed);
  }
}

TEST_CASE("scale: inputs far larger than the length over which a function changes") {
  const Tensor far = numbers({1e4, 1e4 + 1.0, 1e4 - 0.5});
  const Tensor farther = numbers({1e6, 1e6 + 1.0, 1e6 - 0.5});
  for (const Tensor& x : {far, farther}) {
    for (const double factor : {1.0, 2.0, 1.0 + 1e-5}) {
      const auto f = [&](const Inputs& in) { return softmax(with_gradient_times(in[0], factor)); };
      const GradcheckReport report = gradcheck(f, {{"x", x}});
      INFO(report.text());
      CHECK(report.state == (factor == 1.0 ? CheckState::passed : CheckState::failed));
      CHECK(report.kinks() == 0);
    }
  }
  for (const double factor : {1.0, 1.001}) {
    const auto f = [&](const Inputs& in) { return sin(with_gradient_times(in[0], factor)) + cos(in[0]); };
    const GradcheckReport report = gradcheck(f, {{"x", numbers({3e7, -8e7, 12345.0})}});
    INFO(report.text());
    CHECK(report.state == (factor == 1.0 ? CheckState::passed : CheckState::failed));
  }
}

TEST_CASE("scale: a step that the function repeats itself with fools nobody") {
  const double pi = 3.14159265358979323846;
  for (const double turns : {64.0, 512.0, 1024.0}) {
    const auto f = [&](const Inputs& in) { return sin(in[0] * (2.0 * pi * turns)); };
    const GradcheckReport report = gradcheck(f, {{"x", numbers({0.3, -0.8, 0.5})}});
    INFO(report.text());
    CHECK(report.ok);
  }
}

TEST_CASE("scale: elements of all sizes in one tensor, one by one and in directions") {
  const Tensor x = numbers({1.0, 1e-10, 1e5, -1e-6});
  const std::vector<Function> functions = {[](const Inputs& in) { return Inputs{square(in[0])}; },
                                           [](const Inputs& in) { return Inputs{log(abs(in[0]))}; }};
  for (const Function f : functions) {
    const GradcheckReport report = gradcheck(f, {{"x", x}});
    INFO(report.text());
    CHECK(report.ok);
    CHECK(report.passed() == 4);
  }
  // Only the element of 1e-10 is wrong.
  const Tensor factors = numbers({1.0, 2.0, 1.0, 1.0});
  const auto one_wrong = [&](const Inputs& in) {
    return square(hook_gradient(in[0], [&](const Variable& g) { return g * factors; }));
  };
  for (const GradcheckMode mode : {GradcheckMode::full, GradcheckMode::directional}) {
    const GradcheckReport report = gradcheck(one_wrong, {{"x", x}}, {.mode = mode});
    INFO(report.text());
    CHECK(report.state == CheckState::failed);
    CHECK(report.failed() == 1);
  }
}

TEST_CASE("scale: where rounding hides all but a few digits, these are compared, and the report says so") {
  const std::vector<NamedInput> inputs = {{"x", numbers({0.3, -0.8})}};
  const GradcheckReport report = gradcheck([](const Inputs& in) { return square(in[0]) * 1e-10 + 1.0; }, inputs);
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.few_digits() == 2);
  CHECK_THAT(report.text().substr(0, report.text().find('\n')),
             tests::contains_text("rounding hides 2 beyond a few digits"));
  for (const double factor : {1.001, 0.999, 2.0, -1.0}) {
    const auto wrong = [&](const Inputs& in) { return square(with_gradient_times(in[0], factor)) * 1e-10 + 1.0; };
    INFO("factor " << factor);
    CHECK(gradcheck(wrong, inputs).state != CheckState::passed);
  }
}

TEST_CASE("scale: what rounding hides is not judged, and a PASS says nothing of it") {
  const auto hidden = [](const Inputs& in) { return square(in[0]) * 1e-14 + 1.0; };
  const std::vector<NamedInput> inputs = {{"x", numbers({0.3, -0.8})}};
  const GradcheckReport report = gradcheck(hidden, inputs);
  INFO(report.text());
  CHECK(report.state == CheckState::not_checked);
  CHECK(report.not_judged() == 2);
  CHECK(report.results[0].elements.at(0).verdict == Verdict::not_judged);
  // Equal to one digit, not to nine.
  const auto wrong = [](const Inputs& in) { return square(with_gradient_times(in[0], 2.0)) * 1e-10 + 1.0; };
  CHECK(gradcheck(wrong, inputs).state == CheckState::failed);
  for (const double offset : {1e15, 1e16, 1e17}) {
    const auto far = [&](const Inputs& in) { return in[0] + offset; };
    CHECK(gradcheck(far, inputs).state == CheckState::not_checked);
    const auto less_far = [&](const Inputs& in) { return in[0] + offset * 1e-13; };
    CHECK(gradcheck(less_far, inputs).ok);
  }
  const auto tail = [](const Inputs& in) { return tanh(in[0]); };
  const GradcheckReport some = gradcheck(tail, {{"x", numbers({0.3, 14.0})}});
  INFO(some.text());
  CHECK(some.ok);
  CHECK(some.passed() == 1);
  CHECK_THAT(some.text().substr(0, some.text().find('\n')), tests::contains_text("1 cannot be judged in f64"));
}

TEST_CASE("scale: a derivative that is 0 but for rounding passes, at every order") {
  const std::vector<Function> functions = {
      [](const Inputs& in) { return Inputs{sum(softmax(in[0]))}; },
      [](const Inputs& in) { return Inputs{sum(softmax(in[0])) - 1.0}; },
      [](const Inputs& in) { return Inputs{sum(layer_norm(in[0]))}; },
      [](const Inputs& in) { return Inputs{sum(in[0] - mean(in[0]))}; },
  };
  for (const Function f : functions) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      const GradcheckReport report =
          gradcheck(f, {{"x", numbers({0.3, -0.8, 0.5})}}, {.order = 2, .seed = seed, .forward_mode = true});
      INFO(report.text());
      CHECK(report.failed() == 0);
      CHECK(report.problems.empty());
    }
  }
}
