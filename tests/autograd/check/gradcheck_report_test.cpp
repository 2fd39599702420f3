// SPDX-License-Identifier: MIT
// The content of the report: labels, signatures, the first bad op, JSON, preconditions, forward mode, f32.
#include <nlohmann/json.hpp>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/ops/ops_list.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using Inputs = std::vector<Variable>;

namespace {

Tensor draw(const Shape& shape, uint64_t seed = 3, DType dtype = DType::f64) {
  return detail::RandomTensors(tests::seed(seed)).floating(shape, dtype);
}

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// One step of a recurrent layer with four gates of two units, in two named modules.
std::vector<Variable> cell(const Inputs& in) {
  const NameScope outer("lstm");
  Variable gates;
  {
    const NameScope inner("gates");
    gates = matmul(in[0], transpose(in[1], 0, 1));
  }
  return {tanh(sigmoid(gates) * 0.5)};
}

std::vector<NamedInput> cell_inputs() {
  return {{"x", draw({3, 2}, 1), {{"batch item"}, {"unit"}}},
          {"cell.weight_hh", draw({8, 2}, 2), {{"gate", {"i", "f", "g", "o"}}, {"hidden unit"}}}};
}

}  // namespace

TEST_CASE("report: a failure is told in the layer's own terms, with its signature and the first bad op") {
  const PlantedCorruption planted(permute_op, Corruption::doubled, {.index = 0});
  const GradcheckReport report = gradcheck(cell, cell_inputs(), {.seed = 7, .name = "lstm"});
  INFO(report.text());
  REQUIRE(!report.ok);
  CHECK(
      report.text().rfind("FAIL  lstm  first bad op: permute in lstm.gates, number 1 of 5 recorded, input x: doubled: "
                          "analytic = 2 x numeric everywhere: added twice\n",
                          0) == 0);
  CHECK(report.results[0].ok);
  CHECK(report.results[1].signature.kind == SignatureKind::doubled);
  CHECK(mentions(report.results[1].label, "gate "));
  CHECK(mentions(report.results[1].label, "hidden unit "));
  CHECK(mentions(report.text(), "seed 7; again: gradcheck(f, inputs, {.seed = 7})"));
  CHECK(report.first_bad_op.op == permute_op.name);
  CHECK(report.first_bad_op.path == "lstm.gates");
  CHECK(report.first_bad_op.signature.kind == SignatureKind::doubled);
  CHECK(report.first_bad_op.input == "x");
  CHECK(mentions(report.text(), "with respect to cell.weight_hh [8, 2] is wrong at ["));
  CHECK(mentions(report.text(), "; 16 of 16 elements\n"));
  CHECK(!mentions(report.first_bad_op.text, "2 x numeric"));
  CHECK(!mentions(report.text(), "\033["));
  CHECK(mentions(report.text(true), "\033[31mFAIL"));
}

TEST_CASE("report: labels may be given by the end of a name") {
  std::vector<NamedInput> inputs = cell_inputs();
  inputs[1].axes.clear();
  const PlantedCorruption planted(matmul_op, Corruption::element_zeroed, {.index = 1});
  const GradcheckReport report =
      gradcheck(cell, inputs, {.labels = {{"weight_hh", {{"gate", {"i", "f", "g", "o"}}, {"hidden unit"}}}}});
  INFO(report.text());
  REQUIRE(!report.ok);
  CHECK(
      mentions(report.problems.at(0), "not linear in the cotangent"));  // which element it is depends on the cotangent
  CHECK(report.first_bad_op.op == std::string("matmul"));
  REQUIRE(report.results.size() == 2);
  CHECK(report.results[1].failed == 1);
  CHECK(report.results[1].signature.kind == SignatureKind::one_element);
  CHECK(mentions(report.results[1].signature.text, "gate "));
}

TEST_CASE("report: second-order failures have a signature and a first bad op") {
  const PlantedCorruption planted(tanh_op, Corruption::cut_from_the_graph);
  const auto f = [](const Inputs& in) { return tanh(in[0]) * in[1]; };
  const std::vector<NamedInput> inputs = {{"x", draw({3}, 1)}, {"w", draw({3}, 2)}};
  CHECK(gradcheck(f, inputs).ok);
  const GradcheckReport report = gradcheck(f, inputs, {.order = 2});
  INFO(report.text());
  REQUIRE(!report.ok);
  CHECK(report.first_bad_op.op == std::string("tanh"));
  CHECK(mentions(report.text(), "d (d out) / d "));
  const GradcheckResult& bad = report.results[2];
  CHECK(bad.order == 2);
  CHECK(bad.signature.text != "");
}

TEST_CASE("report: an op that is wrong only where its cotangent is zero is found too") {
  const PlantedCorruption planted(tanh_op, Corruption::mask_ignored);
  const Tensor keep = Tensor::from({1, 0, 1}, {3}, {.dtype = DType::f64});
  const GradcheckReport report =
      gradcheck([&](const Inputs& in) { return tanh(exp(in[0])) * keep; }, {{"x", draw({3})}});
  INFO(report.text());
  REQUIRE(!report.ok);
  CHECK(report.results[0].signature.kind == SignatureKind::only_masked);
  CHECK(report.first_bad_op.op == std::string("tanh"));
  CHECK(mentions(report.text(), "cotangent that is zero in places"));
}

TEST_CASE("report: JSON says the same") {
  const PlantedCorruption planted(matmul_op, Corruption::sign_flipped, {.index = 0});
  const GradcheckReport report = gradcheck(cell, cell_inputs(), {.name = "lstm \"quoted\""});
  const auto json = nlohmann::json::parse(report.json());
  CHECK(json["ok"] == false);
  CHECK(json["name"] == "lstm \"quoted\"");
  CHECK(json["checked"] == report.checked());
  CHECK(json["results"].size() == report.results.size());
  CHECK(json["results"][0]["signature"]["kind"] == "sign flipped");
  CHECK(json["results"][0]["elements"].size() == report.results[0].elements.size());
  CHECK(json["results"][0]["sweep"].size() == 9);
  CHECK(json["first_bad_op"]["op"] == "matmul");
  CHECK(json["first_bad_op"]["signature"]["kind"] == "sign flipped");
  const GradcheckReport infinite =
      gradcheck([](const Inputs& in) { return log(in[0]); }, {{"x", zeros({2}, {.dtype = DType::f64})}});
  CHECK(nlohmann::json::parse(infinite.json())["problems"].size() == 1);
}

TEST_CASE("report: without diagnosis the verdict is the same and nothing else is said") {
  const PlantedCorruption planted(matmul_op, Corruption::sign_flipped, {.index = 0});
  const GradcheckReport report = gradcheck(cell, cell_inputs(), {.diagnose = false});
  CHECK(!report.ok);
  CHECK(report.failed() == 6);
  CHECK(report.results[0].sweep.empty());
  CHECK(report.results[0].signature.kind == SignatureKind::none);
  CHECK(!report.first_bad_op.found());
}

TEST_CASE("gradcheck in forward mode holds jvp to differences and to vjp") {
  const GradcheckReport report = gradcheck(cell, cell_inputs(), {.forward_mode = true});
  INFO(report.text());
  CHECK(report.ok);
  REQUIRE(report.results.size() == 4);
  CHECK(report.results[2].forward_mode);
  CHECK(report.results[2].passed == 4);
  CHECK(mentions(report.text(), "d out / d x (forward mode)"));
  // A gradient that is cut from the graph is right, but its jvp, which differentiates it, is zero.
  const PlantedCorruption planted(matmul_op, Corruption::cut_from_the_graph);
  CHECK(gradcheck(cell, cell_inputs()).ok);
  const GradcheckReport cut = gradcheck(cell, cell_inputs(), {.forward_mode = true});
  INFO(cut.text());
  CHECK(!cut.ok);
  CHECK(cut.results[0].ok);
  CHECK(!cut.results[2].ok);
}

TEST_CASE("gradcheck in f32 holds to its stated tolerance") {
  const std::vector<NamedInput> inputs = {{"x", draw({3, 2}, 1, DType::f32)}, {"w", draw({8, 2}, 2, DType::f32)}};
  const GradcheckReport report = gradcheck(cell, inputs, {.order = 2, .dtype = DType::f32});
  INFO(report.text());
  CHECK(report.ok);
  // Measured: 1.1e-5 at order 1.
  CHECK(report.worst_error(1) < 1e-4);
  CHECK(report.results[0].allowed == 1e-3);
  CHECK(report.kinks() == 0);
  CHECK_THROWS_WITH(gradcheck(cell, inputs), tests::contains_text("derivatives are checked in f64 only"));
  const PlantedCorruption planted(matmul_op, Corruption::transposed, {.index = 1});
  const GradcheckReport wrong = gradcheck(cell, inputs, {.dtype = DType::f32});
  INFO(wrong.text());
  CHECK(!wrong.ok);
  CHECK(wrong.first_bad_op.op == std::string("matmul"));
  const GradcheckReport kinks =
      gradcheck([](const Inputs& in) { return relu(in[0]); },
                {{"x", Tensor::from({0.0, 1.0}, {2}, {.dtype = DType::f32})}}, {.dtype = DType::f32});
  INFO(kinks.text());
  CHECK(kinks.ok);
  CHECK(kinks.kinks() == 1);
}

TEST_CASE("gradcheck names a gradient that is overwritten, not linear, or not repeatable") {
  int runs = 0;
  const auto drifting = [&](const Inputs& in) {
    return exp(hook_gradient(in[0], [&](const Variable& g) { return g * (++runs % 2 == 0 ? 1.0 : 2.0); }));
  };
  const GradcheckReport unstable = gradcheck(drifting, {{"x", draw({3})}});
  CHECK(!unstable.ok);
  CHECK(mentions(unstable.text(), "differs when it is computed again"));
  const auto squared = [](const Inputs& in) {
    return exp(hook_gradient(in[0], [](const Variable& g) { return g * g; }));
  };
  const GradcheckReport bent = gradcheck(squared, {{"x", draw({3})}});
  CHECK(!bent.ok);
  CHECK(mentions(bent.text(), "not linear in the cotangent"));
}

TEST_CASE("gradcheck leaves the thread's context as it was") {
  CHECK(context().apply_observer == nullptr);
  CHECK(!gradcheck([](const Inputs& in) { return in[0].detach() * in[0]; }, {{"x", draw({2})}}).ok);
  CHECK(context().apply_observer == nullptr);
  CHECK(context().grad_enabled);
}
