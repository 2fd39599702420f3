// SPDX-License-Identifier: MIT
// The part of a gradcheck report that lists the code paths that ran, and why others did not.
#include <nlohmann/json.hpp>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

Tensor draw(const Shape& shape, DType dtype = DType::f64) {
  return detail::RandomTensors(tests::seed(21)).floating(shape, dtype);
}

const CodePath& path_of(const GradcheckReport& report, const std::string& name) {
  for (const CodePath& path : report.paths) {
    if (path.name == name) return path;
  }
  FAIL("no path is called " << name);
  return report.paths.front();
}

Variable plain(const std::vector<Variable>& in) { return tanh(in[0]) * in[0]; }
Variable fused(const std::vector<Variable>& in) { return layer_norm(in[0]); }

}  // namespace

TEST_CASE("coverage: what was not asked for did not run, and the report says how to ask") {
  const GradcheckReport report = gradcheck(plain, {{"x", draw({3})}});
  REQUIRE(report.ok);
  CHECK(path_of(report, "f64").runs == report.checked());
  CHECK(path_of(report, "f64").why_not.empty());
  for (const char* name : {"f32", "second order", "forward mode", "kernels of fused ops", "references of fused ops"}) {
    CHECK(path_of(report, name).runs == 0);
    CHECK(!path_of(report, name).why_not.empty());
  }
  CHECK_THAT(report.text(), contains_text("  ran: f64 (3)"));
  CHECK_THAT(report.text(), contains_text("forward mode (ask for forward_mode)"));
  const auto json = nlohmann::json::parse(report.json());
  CHECK(json["paths"].size() == report.paths.size());
  CHECK(json["paths"][0]["runs"] == 3);
}

TEST_CASE("coverage: kernels run at first order, references at second") {
  const GradcheckReport first = gradcheck(fused, {{"x", draw({2, 5})}});
  REQUIRE(first.ok);
  CHECK(path_of(first, "kernels of fused ops").runs > 0);
  CHECK(path_of(first, "references of fused ops").runs == 0);
  CHECK_THAT(path_of(first, "references of fused ops").why_not, contains_text("first derivatives run kernels alone"));
  const GradcheckReport second = gradcheck(fused, {{"x", draw({2, 5})}}, {.order = 2, .forward_mode = true});
  REQUIRE(second.ok);
  CHECK(path_of(second, "references of fused ops").runs > 0);
  CHECK(path_of(second, "second order").runs > 0);
  CHECK(path_of(second, "forward mode").runs > 0);
}

TEST_CASE("coverage: threads are told from their being allowed") {
  const auto large = [](const std::vector<Variable>& in) { return tanh(expand(in[0], {1 << 17})); };
  const GradcheckOptions options = {.mode = GradcheckMode::directional, .directions = 1};
  {
    const detail::ThreadCountScope one(1);
    CHECK(path_of(gradcheck(large, {{"x", draw({1})}}, options), "several threads").why_not == "one thread is allowed");
  }
  const detail::ThreadCountScope two(2);
  CHECK(path_of(gradcheck(large, {{"x", draw({1})}}, options), "several threads").runs > 0);
  CHECK_THAT(path_of(gradcheck(plain, {{"x", draw({3})}}), "several threads").why_not,
             contains_text("no tensor is large enough"));
}

TEST_CASE("coverage: a check in f32 covers f32 and not f64") {
  const GradcheckReport report = gradcheck(plain, {{"x", draw({3}, DType::f32)}}, {.dtype = DType::f32});
  CHECK(path_of(report, "f32").runs == report.checked());
  CHECK(path_of(report, "f64").why_not == "dtype is f32");
}
