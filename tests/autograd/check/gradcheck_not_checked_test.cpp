// SPDX-License-Identifier: MIT
// A check never says PASS for what it did not check. Also tests the promise of `keep`.
#include <nlohmann/json.hpp>

#include <gradus/autograd/check/check_op.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;
using gradus::tests::contains_text;
using Inputs = std::vector<Variable>;

namespace {

Tensor numbers(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

Tensor bools(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::boolean});
}

std::string headline(const std::string& text) { return text.substr(0, text.find('\n')); }

void check_not_checked(const GradcheckReport& report, const std::string& reason) {
  INFO(report.text());
  CHECK(!report.ok);
  CHECK(report.state == CheckState::not_checked);
  CHECK_THAT(headline(report.text()), Catch::Matchers::StartsWith("NOT CHECKED  ") && contains_text(reason));
  const auto json = nlohmann::json::parse(report.json());
  CHECK(json["ok"] == false);
  CHECK(json["state"] == "not checked");
  CHECK(!json["not_checked"].empty());
}

}  // namespace

TEST_CASE("not checked: functions and inputs of which nothing passed") {
  const std::vector<NamedInput> x = {{"x", numbers({1.0, 2.0})}};
  check_not_checked(gradcheck([](const Inputs&) { return Inputs(); }, x), "the function gives no output");
  check_not_checked(gradcheck([](const Inputs&) { return Inputs{Variable()}; }, x), "the function gives no output");
  check_not_checked(gradcheck([](const Inputs& in) { return Inputs{Variable(in[0].value().to(DType::i64))}; }, x),
                    "only integers or bools");
  check_not_checked(gradcheck([](const Inputs& in) { return greater(in[0], 0.0); }, x), "only integers or bools");
  check_not_checked(gradcheck([](const Inputs& in) { return slice(in[0], 0, 0, 0); }, x), "is empty");
  check_not_checked(gradcheck([](const Inputs&) { return Variable(numbers({3.0})); }, x), "no output depends on x [2]");
  check_not_checked(gradcheck([](const Inputs& in) { return abs(in[0]); }, {{"x", numbers({0.0, 0.0})}}),
                    "no derivative with respect to x [2] passed: 2 at kinks");
  check_not_checked(gradcheck([](const Inputs& in) { return tanh(in[0]); }, {{"x", zeros({0}, {.dtype = DType::f64})}}),
                    "empty");
  check_not_checked(gradcheck([](const Inputs&) { return Variable(numbers({3.0})); }, {}), "there is no input");
}

TEST_CASE("not checked: an unused input of several stands in the headline, one that stands at kinks is not checked") {
  const std::vector<NamedInput> inputs = {{"used", numbers({1.0, 2.0})}, {"unused", numbers({1.0, 2.0})}};
  const GradcheckReport passed = gradcheck([](const Inputs& in) { return in[0] * 2.0; }, inputs, {.order = 2});
  INFO(passed.text());
  CHECK(passed.ok);
  CHECK_THAT(headline(passed.text()), contains_text("PASS") && contains_text("no output depends on unused"));
  const auto wrong = [](const Inputs& in) { return hook_gradient(in[0], [](const Variable& g) { return g * 3.0; }); };
  const GradcheckReport failed = gradcheck(wrong, inputs);
  CHECK(failed.state == CheckState::failed);
  CHECK_THAT(headline(failed.text()), contains_text("FAIL") && contains_text("no output depends on unused"));
  // One of the two inputs is at a kink.
  const auto kink = [](const Inputs& in) { return tanh(in[0]) + abs(in[1]); };
  check_not_checked(gradcheck(kink, {{"a", numbers({0.3})}, {"b", numbers({0.0})}}),
                    "no derivative with respect to b [1] passed: 1 at kinks");
}

TEST_CASE("keep: a gradient where there should be none is a failure that names elements") {
  const auto f = [](const Inputs& in) { return tanh(in[0]); };
  const Tensor x = numbers({0.1, 0.2, 0.3, 0.4, 0.5, 0.6});
  const GradcheckReport all = gradcheck(f, {{.name = "x", .value = x, .keep = bools({0, 0, 0, 0, 0, 0})}});
  INFO(all.text());
  CHECK(all.state == CheckState::failed);
  CHECK_THAT(all.problems.at(0), contains_text("the gradient of x [6] is not 0 at 6 of the 6 elements whose keep is "
                                               "false: ") &&
                                     contains_text(" at [5]"));
  const GradcheckReport one = gradcheck(f, {{.name = "x", .value = x, .keep = bools({1, 1, 0, 1, 1, 1})}});
  CHECK_THAT(one.problems.at(0), contains_text("at 1 of the 1 elements") && contains_text(" at [2]"));
  // By the end of the name, as for the parameters of a module.
  const GradcheckReport named =
      gradcheck(f, {{"layer.x", x}}, {.keep = {{.input = "x", .keep = bools({1, 1, 0, 1, 1, 1})}}});
  CHECK(named.state == CheckState::failed);
}

TEST_CASE("keep: a blocked element passes when nothing depends on it, at both orders") {
  const Tensor keep = bools({1, 0, 1});
  const auto masked = [&](const Inputs& in) { return where(keep, tanh(in[0]), in[0].detach() * 0.0) * in[1]; };
  const std::vector<NamedInput> inputs = {{.name = "x", .value = numbers({0.3, -0.4, 0.5}), .keep = keep},
                                          {.name = "w", .value = numbers({0.7, 0.2, -0.9})}};
  const GradcheckReport report = gradcheck(masked, inputs, {.order = 2});
  INFO(report.text());
  CHECK(report.ok);
  // It is right at first order and leaks at second order.
  const auto leaks = [&](const Inputs& in) {
    return masked(in) + square(hook_gradient(in[0] * keep.to(DType::f64), [](const Variable& g) { return g; })) * in[1];
  };
  CHECK(gradcheck(leaks, inputs, {.order = 2}).ok);
  const auto soft = [&](const Inputs& in) { return (in[0] * (keep.to(DType::f64) + 1e-30)) * in[1]; };
  CHECK(gradcheck(soft, inputs).state == CheckState::failed);
}

TEST_CASE("keep: an output that changes with a blocked element is a failure, though its gradient is 0") {
  const Tensor keep = bools({1, 0, 1});
  const auto reads = [&](const Inputs& in) {
    const Variable mask(keep.to(DType::f64));
    return in[0] * mask + in[0].detach() * (1.0 - mask);
  };
  const GradcheckReport report = gradcheck(reads, {{.name = "x", .value = numbers({0.3, -0.4, 0.5}), .keep = keep}});
  INFO(report.text());
  CHECK(report.state == CheckState::failed);
  CHECK_THAT(report.problems.at(0), contains_text("the function reads x [3] where keep is false: a change at [1] "
                                                  "changes output 0 at [1] from -0.4 to "));
}

TEST_CASE("not checked: self_test and check_op where nothing can be seen") {
  const auto kinks = [](const Inputs& in) { return abs(in[0]); };
  CHECK_THROWS_WITH(self_test(kinks, {{"x", numbers({0.0})}}), contains_text("but: NOT CHECKED"));
  CHECK(SelfTestReport().state() == CheckState::not_checked);
  CHECK_THAT(SelfTestReport().text(), Catch::Matchers::StartsWith("NOT CHECKED"));
  CHECK_THAT(SelfTestReport().json(), contains_text("\"state\": \"not checked\""));
  // All its examples are at the kink.
  OpDef op = {
      .name = "absolute",
      .shape = [](ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); },
      .forward = [](ForwardArgs& f) { f.out(0).copy_(abs(f.in(0)).value()); },
      .derivative = [](VjpArgs& v) { v.set(0, v.cotangent() * sign(v.in(0))); },
      .saves = {.inputs = 1},
      .examples =
          [] { return std::vector<Example>{{.name = "at 0", .inputs = {fixed(zeros({2}, {.dtype = DType::f64}))}}}; }};
  const OpReport report = check_op(op);
  INFO(report.text());
  CHECK(!report.ok);
  CHECK(report.state == CheckState::not_checked);
  CHECK_THAT(report.text(), Catch::Matchers::StartsWith("NOT CHECKED  absolute") &&
                                contains_text("that this is right: the derivative with respect to input 0"));
}
