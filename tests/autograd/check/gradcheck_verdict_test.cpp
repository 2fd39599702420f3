// SPDX-License-Identifier: MIT
// Kinks, ties, unreachable inputs, and the causes that a sweep over step sizes gives for a failure.
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/ops.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;
using Inputs = std::vector<Variable>;

namespace {

Tensor numbers(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The verdicts other than pass, as "kink [1]; tie [2]".
std::string doubts(const GradcheckResult& result) {
  std::string text;
  std::vector<std::string> sorted;
  for (const ElementCheck& e : result.elements) sorted.push_back(std::string(name_of(e.verdict)) + " " + e.where);
  std::sort(sorted.begin(), sorted.end());
  for (const std::string& one : sorted) text += (text.empty() ? "" : "; ") + one;
  return text;
}

}  // namespace

TEST_CASE("verdict: relu, abs and leaky relu at 0 are kinks, neither passed nor failed") {
  const auto check = [](const auto& f) { return gradcheck(f, {{"x", numbers({-0.5, 0.0, 0.7, 0.0})}}); };
  const std::vector<GradcheckReport> reports = {check([](const Inputs& in) { return relu(in[0]); }),
                                                check([](const Inputs& in) { return abs(in[0]); }),
                                                check([](const Inputs& in) { return leaky_relu(in[0]); })};
  for (const GradcheckReport& report : reports) {
    INFO(report.text());
    CHECK(report.ok);
    CHECK(doubts(report.results[0]) == "kink [1]; kink [3]");
    CHECK(report.passed() == 2);
    CHECK(report.kinks() == 2);
    CHECK(mentions(report.text(), "2 at kinks are neither passed nor failed"));
  }
  for (const ElementCheck& e : reports[1].results[0].elements) {
    CHECK(e.analytic == 0.0);
    CHECK(std::abs(e.left) == Approx(std::abs(e.right)));
    CHECK(e.left == Approx(-e.right));
  }
}

TEST_CASE("verdict: a kink of small slopes, and one far from zero, are still kinks") {
  for (const double factor : {1e-4, 1.0, 1e4}) {
    const auto f = [&](const Inputs& in) {
      return Inputs{relu(in[0] - 300.0) * factor, abs(in[0] - 300.0) * factor, sin(in[0])};
    };
    const GradcheckReport report = gradcheck(f, {{"x", numbers({300.0})}});
    INFO(report.text());
    CHECK(report.state == CheckState::not_checked);
    CHECK(report.kinks() == 1);
  }
  const auto gentle = [](const Inputs& in) { return relu(in[0]) * 1e-6; };
  const GradcheckReport report = gradcheck(gentle, {{"x", numbers({0.0, 1.0})}});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.kinks() == 1);
}

TEST_CASE("verdict: smooth functions have no kinks, however curved") {
  const auto f = [](const Inputs& in) { return Inputs{exp(in[0] * 3.0), reciprocal(in[0]), square(in[0]) * in[0]}; };
  const GradcheckReport report = gradcheck(f, {{"x", numbers({0.4, 0.5, 2.0, -0.4})}}, {.order = 2, .tolerance = 1e-6});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.kinks() == 0);
}

TEST_CASE("verdict: clamp at its bounds") {
  const auto f = [](const Inputs& in) { return clamp(in[0], {.min = -1.0, .max = 1.0}); };
  const GradcheckReport report = gradcheck(f, {{"x", numbers({-1.0, 0.3, 1.0, 2.0})}});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(doubts(report.results[0]) == "kink [0]; kink [2]");
}

TEST_CASE("verdict: maximum and minimum of equal inputs are ties") {
  const std::vector<NamedInput> inputs = {{"a", numbers({1.0, 2.0, -0.5})}, {"b", numbers({1.0, 1.5, 0.5})}};
  for (const bool larger : {true, false}) {
    const auto f = [&](const Inputs& in) { return larger ? maximum(in[0], in[1]) : minimum(in[0], in[1]); };
    const GradcheckReport report = gradcheck(f, inputs);
    INFO(report.text());
    CHECK(report.ok);
    CHECK(doubts(report.results[0]) == "tie [0]");
    CHECK(doubts(report.results[1]) == "tie [0]");
    CHECK(report.results[0].ties == 1);
    CHECK(report.passed() == 4);
  }
}

TEST_CASE("verdict: a maximum reduction and a sort meet ties") {
  const Tensor x = numbers({0.4, 2.0, -1.0, 2.0});
  const GradcheckReport largest = gradcheck([](const Inputs& in) { return max(in[0], {0}); }, {{"x", x}});
  INFO(largest.text());
  CHECK(largest.ok);
  CHECK(doubts(largest.results[0]) == "tie [1]; tie [3]");
  const GradcheckReport sorted = gradcheck([](const Inputs& in) { return sort(in[0]).values; }, {{"x", x}});
  INFO(sorted.text());
  CHECK(sorted.ok);
  CHECK(doubts(sorted.results[0]) == "tie [1]; tie [3]");
}

TEST_CASE("verdict: a derivative outside the one-sided slopes fails at a kink too") {
  // The slopes at 0 are 1 and 2, and the derivative is 3.
  const auto outside = [](const Inputs& in) {
    const Variable x = hook_gradient(in[0], [](const Variable& g) { return g * 3.0; });
    return relu(x) + x;
  };
  const GradcheckReport report = gradcheck(outside, {{"x", numbers({0.0, 1.0})}});
  INFO(report.text());
  REQUIRE(!report.ok);
  bool found = false;
  for (const ElementCheck& e : report.results[0].elements) {
    if (e.where != "[0]") continue;
    found = true;
    CHECK(e.verdict == Verdict::fail);
    CHECK(e.cause == Cause::kink);
    CHECK(e.right - e.left != Approx(0.0));
  }
  CHECK(found);
}

TEST_CASE("verdict: second derivatives at a kink meet a jump") {
  const auto f = [](const Inputs& in) { return relu(in[0]) * in[0]; };
  const GradcheckReport report = gradcheck(f, {{"x", numbers({0.0, 0.8, -0.6})}}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok);
  const GradcheckReport plain =
      gradcheck([](const Inputs& in) { return abs(in[0]); }, {{"x", numbers({0.0, 0.8})}}, {.order = 2});
  INFO(plain.text());
  CHECK(plain.ok);
  CHECK(plain.results[1].kinks == 1);
}

TEST_CASE("verdict: a kink within the stencil but not at the point is looked at with shorter steps") {
  const GradcheckReport report =
      gradcheck([](const Inputs& in) { return relu(in[0]); }, {{"x", numbers({0.001, -0.0007, 0.5})}});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.kinks() == 0);
  CHECK(report.passed() == 3);
  CHECK(mentions(report.text(), "a shorter step agrees"));
}

TEST_CASE("verdict: a direction that meets a kink is looked at element by element") {
  Tensor x = Tensor::empty({100}, DType::f64);
  for (int64_t i = 0; i < 100; ++i) x.mutable_data_<double>()[i] = 0.1 + 0.01 * static_cast<double>(i);
  x.mutable_data_<double>()[37] = 0.0;
  const GradcheckReport report = gradcheck([](const Inputs& in) { return relu(in[0]); }, {{"x", x}});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(doubts(report.results[0]) == "kink [37]");
  CHECK(report.passed() == 99);
}

TEST_CASE("verdict: unreachable, and cut") {
  const auto f = [](const Inputs& in) { return in[0] * 2.0; };
  const GradcheckReport report = gradcheck(f, {{"used", numbers({1.0, 2.0})}, {"unused", numbers({1.0, 2.0})}});
  CHECK(report.ok);
  CHECK(report.unreachable() == 2);
  CHECK(report.passed() == 2);
  const GradcheckReport cut = gradcheck([](const Inputs& in) { return in[0] * in[1].detach(); },
                                        {{"a", numbers({1.0})}, {"b", numbers({2.0})}});
  INFO(cut.text());
  REQUIRE(!cut.ok);
  CHECK(cut.results[1].elements.at(0).cause == Cause::cut);
  CHECK(mentions(cut.text(), "no gradient flows here, though the output depends on it"));
  CHECK(!cut.first_bad_op.found());
  CHECK(mentions(cut.text(), "FAIL  detached: mul, input b: the input b, read as a constant\n"));
}

TEST_CASE("verdict: a step that is too long is found out, one wrong derivative is genuine") {
  const auto wiggle = [](const Inputs& in) { return sin(in[0] * 1000.0) * 0.001; };
  const GradcheckReport report = gradcheck(wiggle, {{"x", numbers({0.3, -0.2})}});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(mentions(report.text(), "a shorter step agrees"));
  const auto wrong = [](const Inputs& in) {
    return exp(hook_gradient(in[0], [](const Variable& g) { return g * 1.001; }));
  };
  const GradcheckReport genuine = gradcheck(wrong, {{"x", numbers({0.3, -0.2})}});
  INFO(genuine.text());
  REQUIRE(!genuine.ok);
  CHECK(genuine.results[0].elements.at(0).cause == Cause::genuine);
  CHECK(genuine.results[0].sweep.size() == 9);
  CHECK(genuine.results[0].signature.kind == SignatureKind::scaled);
}

TEST_CASE("verdict: differences hidden by rounding are reported as round-off") {
  const auto far = [](const Inputs& in) { return in[0] + 1e16; };
  const GradcheckReport report = gradcheck(far, {{"x", numbers({0.3, -0.2})}});
  INFO(report.text());
  REQUIRE(!report.ok);
  CHECK(report.state == CheckState::not_checked);
  CHECK(report.results[0].elements.at(0).verdict == Verdict::not_judged);
  CHECK(report.results[0].elements.at(0).cause == Cause::round_off);
  CHECK(report.kinks() == 0);
}
